package emulate

import (
	"maps"
	"slices"
	"time"
)

// communicateThru carries out InCommunicateThru: a frame as it is, with a CRC or
// without, as the registers say. Hosts use it for commands that the firmware does
// not know, and for an anticollision of their own.
func (c *pn532Chip) communicateThru(cmd []byte) []byte {
	if len(cmd) == 0 {
		return []byte{statusTimeout}
	}
	if c.registers[regTxMode]&0x80 != 0 {
		cmd = withCRC(cmd)
	}
	f := wholeFrame(cmd)
	if odd := int(c.registers[regBitFraming] & 0x07); odd != 0 {
		f.bits -= 8 - odd
	}
	if c.registers[regManualRCV]&0x10 != 0 {
		f = bitFrame{bytes: []byte{0}, bits: 1} // without parity nobody understands it
	}
	if b, ok := f.uncrc(); ok && c.selected() != nil {
		r, status := c.exchange(b)
		if status != 0x00 {
			return []byte{status}
		}
		return c.received(r.onAir())
	}
	answer, collision := c.shout(f)
	if collision {
		return []byte{statusCollide}
	}
	return c.received(answer)
}

// onAir is the frame that a reply makes, empty if there is none.
func (r reply) onAir() bitFrame {
	switch r.kind {
	case frame:
		return wholeFrame(withCRC(r.data))
	case acknowledge:
		return bitFrame{bytes: []byte{r.nibble}, bits: 4}
	}
	return bitFrame{}
}

// received makes of what came over the air what the host is told.
func (c *pn532Chip) received(f bitFrame) []byte {
	c.registers[regControl] = c.registers[regControl]&^0x07 | byte(f.bits%8)
	switch {
	case f.bits == 0:
		return []byte{statusTimeout}
	case c.registers[regRxMode]&0x80 == 0:
		return append([]byte{0x00}, f.bytes...)
	}
	b, ok := f.uncrc()
	if !ok {
		return []byte{statusCRC}
	}
	return append([]byte{0x00}, b...)
}

// heardTag is a tag that a host speaks to by itself, and the session of the card
// that its state is of.
type heardTag struct {
	airTag
	session int
}

// shout sends a frame to all tags in the field and returns the answer, empty if
// there is none, or that there are several.
func (c *pn532Chip) shout(f bitFrame) (answer bitFrame, collision bool) {
	if !c.carrier {
		return bitFrame{}, false
	}
	c.air(exchangeTime)
	field := c.field()
	maps.DeleteFunc(c.heard, func(x *card, _ *heardTag) bool { return !slices.Contains(field, x) })
	var answers []airAnswer
	for _, x := range field {
		t := c.hearing(x)
		if a, ok := t.hear(time.Now(), f, c.registers[regStatus2]&crypto1On != 0); ok {
			answers = append(answers, a)
		}
		t.session = x.session()
	}
	if len(answers) == 0 {
		return bitFrame{}, false
	}
	got, at := overlay(answers)
	return got.bitFrame, at != 0
}

// hearing returns a tag in the state that it is in: the one that the last frame
// left it in, or the one that the firmware has put it into since.
func (c *pn532Chip) hearing(x *card) *heardTag {
	if t := c.heard[x]; t != nil && t.session == x.session() {
		return t
	}
	t := &heardTag{airTag: airTag{card: x, state: airIdle}}
	switch {
	case c.selected() != nil && c.selected().card == x:
		t.state, t.cipher = airActive, x.encrypts()
	case c.halts(x):
		t.state = airHalt
	}
	c.heard[x] = t
	return t
}
