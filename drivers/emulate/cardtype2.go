package emulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// type2Model describes a chip of the Ultralight and NTAG families.
//
// Sources: NXP data sheets MF0ICU1 (Ultralight), MF0ICU2 (Ultralight C), MF0ULX1
// (Ultralight EV1), NTAG213_215_216.
type type2Model struct {
	pages    int
	readable int    // pages that READ gives before it rolls over
	user     int    // pages for use, from page 4 on
	version  []byte // answer to GET_VERSION; nil means that the chip does not know the command
	cc       [4]byte
	delivery []byte // pages 4 and 5 as delivered
	dynamic  lockWord
	config   int // first of four pages: CFG0, CFG1, PWD, PACK; 0 means none
	setup    []byte
	counters int  // one-way counters
	desKey   bool // Ultralight C: counter, AUTH0, AUTH1 and 3DES key from page 41 on
}

func type2Models() map[string]type2Model {
	ntag := func(pages int, capacity, storage byte, step int, delivery ...byte) type2Model {
		return type2Model{
			pages: pages, readable: pages, user: pages - 9, version: []byte{0x00, 0x04, 0x04, 0x02, 0x01, 0x00, storage, 0x03},
			cc: [4]byte{0xE1, 0x10, capacity, 0x00}, delivery: delivery, dynamic: dynamicLocks(pages-5, step),
			config: pages - 4, setup: []byte{0x04, 0x00, 0x00, 0xFF}, counters: 1,
		}
	}
	ev1 := func(pages, user int, storage byte) type2Model {
		return type2Model{
			pages: pages, readable: pages, user: user, version: []byte{0x00, 0x04, 0x03, 0x01, 0x01, 0x00, storage, 0x03},
			config: pages - 4, setup: []byte{0x00, 0x00, 0x00, 0xFF, 0x00, 0x05}, counters: 3,
		}
	}
	large := ev1(41, 32, 0x0E)
	large.dynamic = dynamicLocks(36, 2)
	return map[string]type2Model{
		"ntag213":          ntag(45, 0x12, 0x0F, 2, 0x01, 0x03, 0xA0, 0x0C, 0x34, 0x03, 0x00, 0xFE),
		"ntag215":          ntag(135, 0x3E, 0x11, 16, 0x03, 0x00, 0xFE),
		"ntag216":          ntag(231, 0x6D, 0x13, 16, 0x03, 0x00, 0xFE),
		"ultralight":       {pages: 16, readable: 16, user: 12},
		"ultralightev1":    ev1(20, 12, 0x0B),
		"ultralightev1-48": ev1(20, 12, 0x0B), "ultralightev1-128": large,
		"ultralightc": {pages: 48, readable: 44, user: 36, dynamic: ultralightCLocks(), desKey: true},
	}
}

// type2 is a chip of the Ultralight or NTAG family.
type type2 struct {
	eeprom
	model     type2Model
	signature [32]byte
	counters  [3]uint32
	failures  int // wrong passwords since a right one

	authenticated bool
	compat        int    // page that COMPATIBILITY_WRITE named; 0 means none
	counted       bool   // the NFC counter took this session in
	frozen        bool   // the configuration is read-only, as of the last reset
	challenge     []byte // Ultralight C: RndB and its cryptogram, 16 bytes; nil means none is open
	challenges    uint64
}

func newType2(m type2Model) func(uid []byte) silicon {
	return func(uid []byte) silicon {
		t := &type2{eeprom: eeprom{bytes: make([]byte, 4*m.pages), unit: 4}, model: m}
		// Only NXP can sign; a host that checks it sees that this is no chip of theirs.
		t.signature = sha256.Sum256(append([]byte("an emulated tag "), uid...))
		copy(t.at(0), []byte{uid[0], uid[1], uid[2], 0x88 ^ uid[0] ^ uid[1] ^ uid[2]})
		copy(t.at(1), uid[3:])
		copy(t.at(2), []byte{uid[3] ^ uid[4] ^ uid[5] ^ uid[6], 0x48})
		copy(t.at(3), m.cc[:])
		copy(t.bytes[4*4:], m.delivery)
		if m.dynamic.page != 0 {
			copy(t.at(m.dynamic.page), m.dynamic.fixed[:])
		}
		if m.config != 0 {
			copy(t.bytes[4*m.config:], m.setup)
			copy(t.at(m.config+2), []byte{0xFF, 0xFF, 0xFF, 0xFF})
		}
		if m.desKey {
			t.at(ultralightCAuth0)[0] = 0x30
			copy(t.bytes[4*ultralightCKey:], "BREAKMEIFYOUCAN!")
		}
		return t
	}
}

// The pages of an Ultralight C after its lock bits.
const (
	ultralightCCounter = 41
	ultralightCAuth0   = 42
	ultralightCAuth1   = 43
	ultralightCKey     = 44
)

func (t *type2) reset() {
	t.authenticated, t.compat, t.counted, t.challenge = false, 0, false, nil
	t.frozen = t.access()&0x40 != 0
}

func (t *type2) authenticate(bool, byte, [6]byte) bool { return false }

// access is the byte ACCESS of the configuration: PROT, CFGLCK, counter, AUTHLIM.
func (t *type2) access() byte {
	if t.model.config == 0 {
		return 0
	}
	return t.at(t.model.config + 1)[0]
}

// guard returns the first page that wants authentication, and whether for
// reading too.
func (t *type2) guard() (first int, reads bool) {
	switch {
	case t.authenticated:
		return t.model.pages, false
	case t.model.config != 0:
		return int(t.at(t.model.config)[3]), t.access()&0x80 != 0
	case t.model.desKey:
		return int(t.at(ultralightCAuth0)[0]), t.at(ultralightCAuth1)[0]&0x01 == 0
	}
	return t.model.pages, false
}

// end is the first page that cannot be read now.
func (t *type2) end() int {
	if first, reads := t.guard(); reads {
		return min(first, t.model.readable)
	}
	return t.model.readable
}

// command implements silicon.
func (t *type2) command(cmd []byte) reply {
	if page := t.compat; page != 0 {
		t.compat = 0
		if len(cmd) != 16 {
			return naked(nakArgument)
		}
		return t.write(page, cmd[:4])
	}
	switch known := t.model.version != nil; {
	case cmd[0] == 0x30 && len(cmd) == 2:
		return t.pages(int(cmd[1]), 4)
	case cmd[0] == 0xA2 && len(cmd) == 6:
		return t.write(int(cmd[1]), cmd[2:])
	case cmd[0] == 0xA0 && len(cmd) == 2:
		if !t.writable(int(cmd[1])) {
			return naked(nakArgument)
		}
		t.compat = int(cmd[1])
		return acked()
	case t.model.desKey && (cmd[0] == 0x1A || cmd[0] == 0xAF):
		return t.tripleDES(cmd)
	case !known:
		return gone() // the older chips say nothing to what they do not know
	case cmd[0] == 0x60 && len(cmd) == 1:
		return framed(t.model.version...)
	case cmd[0] == 0x3A && len(cmd) == 3 && cmd[1] <= cmd[2] && int(cmd[2]) < t.end():
		return t.pages(int(cmd[1]), int(cmd[2])-int(cmd[1])+1)
	case cmd[0] == 0x3C && len(cmd) == 2 && cmd[1] == 0:
		return framed(t.signature[:]...)
	case cmd[0] == 0x1B && len(cmd) == 5:
		return t.password(cmd[1:])
	case cmd[0] == 0x4B && len(cmd) == 21 && t.model.counters == 3:
		return framed(t.at(t.model.config + 1)[1]) // VCSL is answered by VCTID
	}
	return t.count(cmd)
}

// pages answers READ and FAST_READ. After the last page that can be read now
// follows the first one.
func (t *type2) pages(first, n int) reply {
	end := t.end()
	if first >= end {
		return naked(nakArgument)
	}
	if t.model.counters == 1 && t.access()&0x10 != 0 && !t.counted {
		t.counted = true
		t.counters[2] = min(t.counters[2]+1, 0xFFFFFF)
	}
	b := make([]byte, 0, 4*n)
	for i := range n {
		page := (first + i) % end
		if t.model.config != 0 && page >= t.model.config+2 {
			b = append(b, 0, 0, 0, 0) // password and PACK
			continue
		}
		b = append(b, t.at(page)...)
	}
	return framed(b...)
}

// writable reports whether a write to a page is let in; bits may be read-only
// even so.
func (t *type2) writable(page int) bool {
	first, _ := t.guard()
	switch config := t.model.config; {
	case page < 2 || page >= t.model.pages || page >= first:
		return false
	case config != 0 && t.frozen && (page == config || page == config+1):
		return false
	}
	return !t.locked(staticLocks(), page) && !t.locked(t.model.dynamic, page)
}

// write carries out WRITE and COMPATIBILITY_WRITE. The pages of lock bits and
// the one-time bits of page 3 are guarded against tearing.
func (t *type2) write(page int, b []byte) reply {
	if !t.writable(page) {
		return naked(nakArgument)
	}
	guarded := true
	switch {
	case page == 2:
		b = t.locks(staticLocks(), b)
	case page == 3:
		b = slices.Clone(b)
		for i, x := range t.at(3) {
			b[i] |= x
		}
	case page == t.model.dynamic.page:
		b = t.locks(t.model.dynamic, b)
	case page == ultralightCCounter && t.model.desKey:
		value := binary.LittleEndian.Uint16(t.at(page))
		sum := uint32(value) + uint32(b[0]&0x0F)
		if value == 0 {
			sum = uint32(binary.LittleEndian.Uint16(b))
		}
		if sum > 0xFFFF {
			return naked(nakOperation)
		}
		b = []byte{byte(sum), byte(sum >> 8), 0, 0}
	default:
		guarded = false
	}
	if !t.program(page, b, guarded) {
		return gone()
	}
	return kept(page, t.at(page))
}

// password carries out PWD_AUTH.
func (t *type2) password(b []byte) reply {
	limit := int(t.access() & 0x07)
	if limit != 0 && t.failures >= limit {
		return naked(nakOperation)
	}
	if !bytes.Equal(b, t.at(t.model.config+2)) {
		t.failures++
		return naked(nakArgument)
	}
	t.failures, t.authenticated = 0, true
	return framed(t.at(t.model.config + 3)[:2]...)
}

// count carries out the commands of one-way counters, and refuses all that is
// none of them. An NTAG has only the counter 2, of its readings, and that only
// when it is switched on.
func (t *type2) count(cmd []byte) reply {
	if len(cmd) < 2 || cmd[1] > 2 || t.model.counters == 1 && cmd[1] != 2 {
		return naked(nakArgument)
	}
	n := &t.counters[cmd[1]]
	switch {
	case cmd[0] == 0x39 && len(cmd) == 2 && t.model.counters == 1 &&
		(t.access()&0x10 == 0 || t.access()&0x08 != 0 && !t.authenticated):
		return naked(nakArgument)
	case cmd[0] == 0x39 && len(cmd) == 2:
		return framed(byte(*n), byte(*n>>8), byte(*n>>16))
	case cmd[0] == 0x3E && len(cmd) == 2 && t.model.counters == 3:
		return framed(0xBD) // no tearing was seen
	case cmd[0] == 0xA5 && len(cmd) == 6 && t.model.counters == 3:
		sum := *n + binary.LittleEndian.Uint32(cmd[2:])&0xFFFFFF
		if sum > 0xFFFFFF {
			return naked(nakOperation)
		}
		*n = sum
		return acked()
	}
	return naked(nakArgument)
}
