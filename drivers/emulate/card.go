package emulate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// card is an ISO/IEC 14443 A tag: what it says of itself when it is selected,
// and what it does with commands afterwards. Its methods may be called from any
// goroutine: a person changes its memory while a reader reads it.
type card struct {
	kind string
	uid  []byte
	atqa [2]byte // as a PN532 reports SENS_RES: high byte first, on the air it comes second
	sak  byte
	ats  []byte // answer to select, TL first; only tags that speak ISO/IEC 14443-4

	mu     sync.Mutex
	read   int // how often a host was told of it since it came into the field
	chip   silicon
	mute   bool // it left the active state by itself and waits for the next selection
	cipher bool // MIFARE Classic: it was authenticated and understands only what is encrypted
	resets int  // how often it left the active state from outside
}

// silicon is what the chip of a kind of tag does while the tag is active.
// Commands come without their CRC.
type silicon interface {
	command(cmd []byte) reply
	// authenticate opens the sector of a block with a key; only MIFARE Classic has keys.
	authenticate(keyB bool, block byte, key [6]byte) bool
	// reset forgets what ends with the active state.
	reset()
	// lock makes a page or block read-only as a host can, as far as the tag
	// allows; below 0 means all that are for use.
	lock(unit int) error
	memory() *eeprom
}

// replyKind says what comes back over the air.
type replyKind int

const (
	silent      replyKind = iota // nothing
	frame                        // bytes, to which a CRC belongs
	acknowledge                  // four bits without a CRC
)

// reply is what a tag answers.
type reply struct {
	kind   replyKind
	data   []byte
	nibble byte   // 0xA is ACK, others are NAK
	left   bool   // the tag is not active any more; it stays silent until it is selected again
	stored []byte // what a page or block holds since the command wrote it
	unit   int    // its number
}

// ackNibble says yes. The NAKs are those of NXP's data sheets
// (NTAG213/215/216 table 23, MF1S50YYX table 10).
const (
	ackNibble    = 0xA
	nakArgument  = 0x0 // invalid argument; MIFARE Classic: invalid operation, buffer valid
	nakOperation = 0x4 // counter overflow; MIFARE Classic: invalid operation, buffer invalid
)

func acked() reply           { return reply{kind: acknowledge, nibble: ackNibble} }
func naked(why byte) reply   { return reply{kind: acknowledge, nibble: why, left: true} }
func framed(b ...byte) reply { return reply{kind: frame, data: b} }
func gone() reply            { return reply{left: true} }

// kept acknowledges a write.
func kept(unit int, b []byte) reply {
	r := acked()
	r.unit, r.stored = unit, slices.Clone(b)
	return r
}

// cardKind is what a type of tag says of itself.
type cardKind struct {
	sizes []int // of its identifier
	atqa  [2]byte
	sak   byte
	ats   []byte
	chip  func(uid []byte) silicon
}

// cardKinds follow NXP AN10833, MIFARE type identification procedure. ATQA is
// that of four bytes of identifier.
func cardKinds() map[string]cardKind {
	kinds := map[string]cardKind{
		"classic1k": {sizes: []int{4, 7}, atqa: [2]byte{0x00, 0x04}, sak: 0x08, chip: newClassic(64)},
		"classic4k": {sizes: []int{4, 7}, atqa: [2]byte{0x00, 0x02}, sak: 0x18, chip: newClassic(256)},
		// No tag of NXP's has ten bytes; a reader has to be ready for them all the same.
		"desfire": {sizes: []int{4, 7, 10}, atqa: [2]byte{0x03, 0x04}, sak: 0x20, ats: desfireATS(), chip: newSealed},
	}
	for kind, model := range type2Models() {
		kinds[kind] = cardKind{sizes: []int{7}, atqa: [2]byte{0x00, 0x04}, chip: newType2(model)}
	}
	return kinds
}

// newCard makes a tag as its maker delivers it, of an identifier in hex and a
// type; no type means classic1k for four bytes, ntag213 for seven and desfire
// for ten.
func newCard(uid, kind string) (*card, error) {
	id, err := hex.DecodeString(uid)
	if err != nil {
		return nil, fmt.Errorf("identifier %q is not hexadecimal, write it like 04A1B2C3D4E580", uid)
	}
	usual := map[int]string{4: "classic1k", 7: "ntag213", 10: "desfire"}
	if usual[len(id)] == "" {
		return nil, fmt.Errorf("identifier %q has %d bytes, tags have 4, 7 or 10", uid, len(id))
	}
	if kind == "" {
		kind = usual[len(id)]
	}
	kinds := cardKinds()
	k, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("no type of tag %q, there are: %s", kind, strings.Join(slices.Sorted(maps.Keys(kinds)), " "))
	}
	if !slices.Contains(k.sizes, len(id)) {
		return nil, fmt.Errorf("identifier %q has %d bytes, a tag of type %s has %d", uid, len(id), kind, k.sizes[0])
	}
	c := &card{kind: kind, uid: id, atqa: k.atqa, sak: k.sak, ats: k.ats, chip: k.chip(id)}
	c.atqa[1] |= map[int]byte{4: 0x00, 7: 0x40, 10: 0x80}[len(id)]
	return c, nil
}

func (c *card) id() string { return strings.ToUpper(hex.EncodeToString(c.uid)) }

// cascaded is the identifier as the levels of anticollision carry it, with the
// cascade tag in front of each part that is not the last.
func (c *card) cascaded() []byte {
	switch u := c.uid; len(u) {
	case 7:
		return append([]byte{0x88}, u...)
	case 10:
		return append(append([]byte{0x88}, u[:3]...), append([]byte{0x88}, u[3:]...)...)
	default:
		return u
	}
}

// command gives an active tag a command, without its CRC. After a NAK, and after
// what it does not understand, a tag is not active any more.
func (c *card) command(cmd []byte) reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mute || len(cmd) == 0 {
		return gone()
	}
	r := gone()
	if !slices.Equal(cmd, []byte{0x50, 0x00}) { // HLTA is answered by silence
		r = c.chip.command(cmd)
	}
	c.follow(r.left)
	return r
}

// authenticate opens the sector of a block of an active MIFARE Classic for the
// commands that follow. uid are the four bytes that the reader takes part with:
// the last ones of the identifier. A tag that refuses is not active any more.
func (c *card) authenticate(keyB bool, block byte, key [6]byte, uid [4]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cipher = false
	ok := !c.mute && slices.Equal(uid[:], c.uid[len(c.uid)-4:]) && c.chip.authenticate(keyB, block, key)
	c.follow(!ok)
	c.cipher = ok
	return ok
}

func (c *card) follow(left bool) {
	if left {
		c.mute, c.cipher = true, false
		c.chip.reset()
	}
}

// reset ends the active state from outside: the tag was halted, lost the field,
// or is selected anew. What it stored stays.
func (c *card) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute, c.cipher = false, false
	c.resets++
	c.chip.reset()
}

// session tells one active state from the next.
func (c *card) session() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resets
}

// told counts that a host was told of the tag.
func (c *card) told() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read++
	return c.read
}

// encrypts reports whether the tag understands only what is encrypted.
func (c *card) encrypts() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cipher
}

// eeprom is what a tag stores, in pages or blocks.
type eeprom struct {
	bytes []byte
	unit  int // bytes of a page or block
	tear  int // the write to cut, counted from the next one, 1; 0 means none
}

func (m *eeprom) memory() *eeprom { return m }
func (m *eeprom) at(n int) []byte { return m.bytes[n*m.unit : (n+1)*m.unit] }
func (m *eeprom) units() int      { return len(m.bytes) / m.unit }

// program writes a page or block. It reports false if the tag lost the field
// meanwhile: the first half is written then and the second erased, unless the
// chip guards that place against tearing, when all is as before.
func (m *eeprom) program(n int, b []byte, guarded bool) bool {
	if m.tear > 0 {
		if m.tear--; m.tear == 0 {
			if !guarded {
				clear(m.at(n)[copy(m.at(n), b[:m.unit/2]):])
			}
			return false
		}
	}
	copy(m.at(n), b)
	return true
}

// desfireATS is the answer to select of a MIFARE DESFire EV1 (AN10833).
func desfireATS() []byte { return []byte{0x06, 0x75, 0x77, 0x81, 0x02, 0x80} }

// sealed is a chip whose memory is none of the emulator's business: the tag can
// be selected and answers the request for its ATS, and nothing else.
type sealed struct{ eeprom }

func newSealed([]byte) silicon { return &sealed{} }

func (s *sealed) command(cmd []byte) reply {
	if cmd[0] == 0xE0 && len(cmd) == 2 {
		return framed(desfireATS()...)
	}
	return gone()
}

func (s *sealed) authenticate(bool, byte, [6]byte) bool { return false }
func (s *sealed) reset()                                {}
func (s *sealed) lock(int) error                        { return errors.New("this type of tag has no memory here") }
