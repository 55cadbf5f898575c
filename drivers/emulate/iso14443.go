package emulate

import (
	"bytes"
	"time"
)

// The air between a reader and tags of ISO/IEC 14443 type A at 106 kbit/s, bit
// by bit: part 3 of the standard, whose clauses comments name.

const (
	// carrier is the frequency of the field, in Hz.
	carrier = 13_560_000
	// bitTime is how long one bit takes: 128 periods of the carrier.
	bitTime = 128 * time.Second / carrier
	// frameDelay lies between the last pause of a reader and the first
	// modulation of a tag: 1236 periods after a one (6.2.1.1).
	frameDelay = 1236 * time.Second / carrier
	// wakeTime is the longest that a tag may take from entering the field to
	// hearing a request (part 3, 5): a reader that does not wait shows.
	wakeTime = 5 * time.Millisecond
	// thinkTime and programTime are what commands of an active tag take: to look
	// something up and to write a page or block (NTAG213/215/216 data sheet, 10:
	// 4.1 ms).
	thinkTime   = 400 * time.Microsecond
	programTime = 4100 * time.Microsecond
)

// airTime is how long a frame of n bits is on the air, with the parity bit of
// each byte, start and end.
func airTime(n int) time.Duration { return time.Duration(n+n/8+2) * bitTime }

// bitFrame is a frame on the air without parity: bits from the lowest of the
// first byte on. The bits of the last byte that do not count are zero.
type bitFrame struct {
	bytes []byte
	bits  int
}

func wholeFrame(b []byte) bitFrame { return bitFrame{bytes: b, bits: 8 * len(b)} }

func (f bitFrame) bit(i int) byte { return f.bytes[i/8] >> (i % 8) & 1 }

// from returns the bits from the n-th on, counted from 0.
func (f bitFrame) from(n int) bitFrame {
	out := bitFrame{bytes: make([]byte, (f.bits-n+7)/8), bits: f.bits - n}
	for i := range out.bits {
		out.bytes[i/8] |= f.bit(n+i) << (i % 8)
	}
	return out
}

// startsWith reports whether f begins with the bits of g.
func (f bitFrame) startsWith(g bitFrame) bool {
	if g.bits > f.bits {
		return false
	}
	for i := range g.bits {
		if f.bit(i) != g.bit(i) {
			return false
		}
	}
	return true
}

// airCRC is CRC_A (6.2.4, annex B).
func airCRC(b []byte) [2]byte {
	crc := crcA(0x6363, b)
	return [2]byte{byte(crc), byte(crc >> 8)}
}

// crcA is CRC_A from any start.
func crcA(crc uint16, b []byte) uint16 {
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			carry := crc & 1
			crc >>= 1
			if carry == 1 {
				crc ^= 0x8408
			}
		}
	}
	return crc
}

func withCRC(b []byte) []byte {
	crc := airCRC(b)
	return append(bytes.Clone(b), crc[:]...)
}

// uncrc takes the checksum off a frame of whole bytes, if it is right.
func (f bitFrame) uncrc() ([]byte, bool) {
	n := len(f.bytes) - 2
	if f.bits%8 != 0 || n < 1 || airCRC(f.bytes[:n]) != [2]byte(f.bytes[n:]) {
		return nil, false
	}
	return f.bytes[:n], true
}

// airState is a state of a tag (6.3).
type airState int

const (
	airIdle airState = iota
	airReady
	airActive
	airHalt
)

// airTag is a tag in the field.
type airTag struct {
	*card
	state  airState
	level  int  // in READY: cascade level 1 to 3
	star   bool // it came from HALT, and falls back there
	cipher bool // MIFARE Classic: it understands only what is encrypted
	awake  time.Time
}

// airAnswer is what a tag sends, and how long it thought about it.
type airAnswer struct {
	bitFrame
	thought time.Duration
}

// lose takes the power from a tag until it is awake again.
func (t *airTag) lose(awake time.Time) {
	t.card.reset()
	t.state, t.level, t.star, t.cipher, t.awake = airIdle, 0, false, false, awake
}

// fall leaves READY or ACTIVE for where the tag came from.
func (t *airTag) fall() {
	t.state, t.level, t.cipher = airIdle, 0, false
	if t.star {
		t.state = airHalt
	}
	t.card.reset()
}

// hear gives the tag a frame and returns its answer, if it has one.
func (t *airTag) hear(now time.Time, f bitFrame, cipher bool) (airAnswer, bool) {
	if now.Before(t.awake) {
		return airAnswer{}, false
	}
	request, wakeup := isShort(f, cipher, 0x26), isShort(f, cipher, 0x52)
	switch t.state {
	case airIdle, airHalt:
		if wakeup || request && t.state == airIdle {
			t.star, t.state, t.level = t.state == airHalt, airReady, 1
			return airAnswer{bitFrame: wholeFrame([]byte{t.atqa[1], t.atqa[0]})}, true
		}
	case airReady:
		if !cipher && len(f.bytes) >= 2 && f.bytes[0] == selectCode(t.level) {
			return t.anticollision(f)
		}
		t.fall()
	case airActive:
		if b, ok := f.uncrc(); ok && cipher == t.cipher {
			return t.active(b)
		}
		t.fall()
	}
	return airAnswer{}, false
}

func isShort(f bitFrame, cipher bool, code byte) bool {
	return !cipher && f.bits == 7 && f.bytes[0] == code
}

// selectCode is SEL of a cascade level.
func selectCode(level int) byte { return 0x93 + 2*byte(level-1) }

// part is UID CLn with its check byte, and whether more follows (6.5.4).
func (t *airTag) part() (b []byte, more bool) {
	all := t.cascaded()
	b = bytes.Clone(all[4*(t.level-1) : 4*t.level])
	return append(b, b[0]^b[1]^b[2]^b[3]), 4*t.level < len(all)
}

// anticollision answers ANTICOLLISION and SELECT (6.5.3). A tag that another
// one's ANTICOLLISION is meant for stays where it is; another one's SELECT sends
// it back.
func (t *airTag) anticollision(f bitFrame) (airAnswer, bool) {
	own, more := t.part()
	valid := 8*int(f.bytes[1]>>4) + int(f.bytes[1]&0x0F) - 16
	if valid == 40 {
		b, ok := f.uncrc()
		if !ok || len(b) != 7 || !bytes.Equal(b[2:], own) {
			t.fall()
			return airAnswer{}, false
		}
		return t.selected(more)
	}
	if valid < 0 || valid > 40 || f.bits != 16+valid {
		t.fall()
		return airAnswer{}, false
	}
	if !wholeFrame(own).startsWith(f.from(16)) {
		return airAnswer{}, false
	}
	return airAnswer{bitFrame: wholeFrame(own).from(valid)}, true
}

func (t *airTag) selected(more bool) (airAnswer, bool) {
	sak := t.sak &^ 0x04
	if more {
		t.level++
		sak = 0x04
	} else {
		t.card.reset()
		t.state = airActive
	}
	return airAnswer{bitFrame: wholeFrame(withCRC([]byte{sak}))}, true
}

// active gives a selected tag a command.
func (t *airTag) active(cmd []byte) (airAnswer, bool) {
	if bytes.Equal(cmd, []byte{0x50, 0x00}) { // HLTA: never answered (6.4.3)
		t.card.reset()
		t.state, t.cipher = airHalt, false
		return airAnswer{}, false
	}
	r := t.command(cmd)
	if r.left {
		t.fall()
	}
	switch r.kind {
	case frame:
		return airAnswer{wholeFrame(withCRC(r.data)), thinkTime}, true
	case acknowledge:
		thought := thinkTime
		if r.nibble == ackNibble {
			thought = programTime
		}
		return airAnswer{bitFrame{[]byte{r.nibble}, 4}, thought}, true
	}
	return airAnswer{}, false
}

// authenticate takes the tag's part in the three passes of MIFARE Classic. A tag
// that refuses says nothing.
func (t *airTag) authenticate(now time.Time, cipher, keyB bool, block byte, key [6]byte, uid [4]byte) bool {
	if now.Before(t.awake) || t.state == airIdle || t.state == airHalt {
		return false
	}
	if t.state != airActive || t.cipher != cipher || !t.card.authenticate(keyB, block, key, uid) {
		t.fall()
		return false
	}
	t.cipher = true
	return true
}

// overlay is what a reader receives when several tags answer at once: bits up to
// the first in which they differ, and the number of that one, counted from 1; 0
// if there is none. A bit beyond the end of the shorter answer differs too.
func overlay(answers []airAnswer) (got airAnswer, collision int) {
	got = airAnswer{bitFrame{bytes.Clone(answers[0].bytes), answers[0].bits}, answers[0].thought}
	for _, other := range answers[1:] {
		got.thought = max(got.thought, other.thought)
		for i := range max(got.bits, other.bits) {
			if i < min(got.bits, other.bits) && got.bit(i) == other.bit(i) {
				continue
			}
			if collision == 0 || i+1 < collision {
				collision = i + 1
			}
			break
		}
		if other.bits > got.bits {
			got.bitFrame = bitFrame{bytes.Clone(other.bytes), other.bits}
		}
	}
	return got, collision
}
