package emulate

import (
	"fmt"
	"slices"
	"time"
)

// The status bytes of a PN532 (UM0701-02, 7.1).
const (
	statusTimeout = 0x01 // nobody answered
	statusCRC     = 0x02 // also what four bits without a CRC look like
	statusCollide = 0x06 // two tags answered differently
	statusParam   = 0x10
	statusFormat  = 0x13 // the answer does not fit the command: libnfc's "Invalid Received Frame"
	statusMifare  = 0x14 // authentication failed
	statusContext = 0x27 // not acceptable in this state
)

// What the air takes, when a chip is paced: a command, and a write.
const (
	exchangeTime = 2 * time.Millisecond
	writeTime    = 5 * time.Millisecond
)

// target is a tag that the chip has initialised and given a logical number.
type target struct {
	*card
	session int  // of the card that the chip knows of; in another one the tag does not listen
	parked  bool // deselected, to be selected again on demand
}

// take makes tags the targets 1 and 2. The last one is selected, the first one
// was halted to find it.
func (c *pn532Chip) take(found []*card) {
	if t := c.selected(); t != nil {
		t.reset() // the request to all tags ends what it was at
	}
	c.targets = nil
	for i, x := range found {
		x.reset()
		c.targets = append(c.targets, &target{card: x, session: x.session(), parked: i < len(found)-1})
	}
	c.active = len(c.targets)
	if len(found) > 0 {
		// The firmware sets the contactless unit up for type A.
		c.registers[regTxMode] |= 0x80
		c.registers[regRxMode] |= 0x80
		c.registers[regStatus2] &^= crypto1On
	}
}

// release lets go of all targets.
func (c *pn532Chip) release() {
	c.powerless()
	c.targets, c.active = nil, 0
}

// powerless takes the field from all tags.
func (c *pn532Chip) powerless() {
	for _, x := range c.field() {
		x.reset()
	}
	c.halted = nil
}

// halts reports whether a tag is still as quiet as it was told to be.
func (c *pn532Chip) halts(x *card) bool {
	return slices.ContainsFunc(c.halted, func(t *target) bool { return t.card == x && t.session == x.session() })
}

// selected returns the target that listens now; nil means none.
func (c *pn532Chip) selected() *target {
	if c.active == 0 {
		return nil
	}
	t := c.targets[c.active-1]
	if t.parked || t.card.session() != t.session {
		return nil
	}
	return t
}

// park deselects the active target, if it still listens.
func (c *pn532Chip) park() {
	if c.active == 0 {
		return
	}
	if t := c.selected(); t != nil {
		t.reset()
		c.halted = slices.DeleteFunc(c.halted, func(h *target) bool { return h.card == t.card || h.session != h.card.session() })
		c.halted = append(c.halted, &target{card: t.card, session: t.card.session()})
	}
	c.targets[c.active-1].parked = true
	c.registers[regStatus2] &^= crypto1On
}

// selectTarget selects a target by its number and returns a status byte.
func (c *pn532Chip) selectTarget(number int) byte {
	if number < 1 || number > len(c.targets) {
		return statusContext
	}
	t := c.targets[number-1]
	if c.active != number {
		c.park()
	}
	c.active = number
	if !t.parked {
		return 0x00 // the chip knows no better, even if the tag has left
	}
	if !slices.Contains(c.field(), t.card) {
		return statusTimeout
	}
	t.reset()
	t.session, t.parked = t.card.session(), false
	return 0x00
}

// choose carries out InDeselect, InRelease, InSelect and InPSL. Number 0 means
// all targets to the first two, which succeed without one.
func (c *pn532Chip) choose(code byte, args []byte) byte {
	if len(args) == 0 {
		return statusParam
	}
	number := int(args[0])
	switch {
	case code == 0x54 || code == 0x4E:
		return c.selectTarget(number)
	case number > len(c.targets):
		return statusContext
	}
	c.tell(Act{Verb: DidRelease})
	if number == 0 || number == c.active {
		c.park()
	}
	if code == 0x52 && (number == 0 || number == len(c.targets)) {
		c.targets = c.targets[:max(0, number-1)] // the other one keeps its number
		c.active = 0
	}
	return 0x00
}

// dataExchange carries out InDataExchange. None of the tags here chains, so that
// neither side ever has more to say than one frame.
func (c *pn532Chip) dataExchange(response, args []byte) []byte {
	if len(args) < 2 || args[0]&0x40 != 0 {
		return append(response, statusParam)
	}
	if status := c.selectTarget(int(args[0])); status != 0x00 {
		return append(response, status)
	}
	return append(response, c.mifare(args[1:])...)
}

// mifare carries out a command to a tag of the MIFARE families the way the
// firmware does: it takes part in the authentication itself, and makes two steps
// of a command that has two.
func (c *pn532Chip) mifare(cmd []byte) []byte {
	second := map[byte]int{classicWrite: 16, classicIncrement: 4, classicDecrement: 4, classicRestore: 4}
	switch n, two := second[cmd[0]]; {
	case cmd[0] == 0x60 || cmd[0] == 0x61:
		return []byte{c.authenticate(cmd)}
	case two && len(cmd) != 2+n:
		return []byte{statusParam}
	case two:
		return c.twoSteps(cmd)
	}
	r, status := c.exchange(cmd)
	switch {
	case status != 0x00:
		return []byte{status}
	case r.kind == silent:
		return []byte{statusTimeout}
	case r.kind == acknowledge && r.nibble != ackNibble:
		return []byte{statusFormat}
	case r.kind == acknowledge:
		return []byte{0x00}
	}
	return append([]byte{0x00}, r.data...)
}

// authenticate answers the commands 60 and 61: block, key, and the four bytes of
// the identifier that take part.
func (c *pn532Chip) authenticate(cmd []byte) byte {
	if len(cmd) != 12 {
		return statusParam
	}
	c.registers[regStatus2] &^= crypto1On
	t := c.selected()
	if t == nil {
		return statusMifare
	}
	c.air(exchangeTime)
	if !t.authenticate(cmd[0] == 0x61, cmd[1], [6]byte(cmd[2:8]), [4]byte(cmd[8:12])) {
		return statusMifare
	}
	c.registers[regStatus2] |= crypto1On
	return 0x00
}

// twoSteps carries out a command whose operand follows the tag's consent. After
// a calculation the tag is silent when it succeeded.
func (c *pn532Chip) twoSteps(cmd []byte) []byte {
	r, status := c.exchange(cmd[:2])
	if status == 0x00 && r.kind == acknowledge && r.nibble == ackNibble {
		r, status = c.exchange(cmd[2:])
	}
	switch {
	case status != 0x00:
		return []byte{status}
	case r.kind == acknowledge && r.nibble == ackNibble:
		return []byte{0x00}
	case r.kind == silent && !r.left:
		return []byte{0x00}
	case r.kind == silent:
		return []byte{statusTimeout}
	}
	return []byte{statusFormat}
}

// exchange sends a frame to the selected tag and returns its answer, or the
// status of why there is none.
func (c *pn532Chip) exchange(cmd []byte) (reply, byte) {
	t := c.selected()
	if t == nil {
		return reply{}, statusTimeout
	}
	c.air(exchangeTime)
	c.exchanges++
	weak := c.faults.on(FaultWeak) && c.exchanges%3 == 0
	if weak && c.exchanges%2 == 0 {
		t.reset() // half a command is none, and the tag falls back
		return reply{}, statusTimeout
	}
	if t.encrypts() != (c.registers[regStatus2]&crypto1On != 0) {
		t.reset() // only one of them encrypts
		return reply{}, statusTimeout
	}
	r := t.command(cmd)
	if r.stored != nil {
		c.air(writeTime)
		c.tell(Act{Verb: DidWrite, Tag: t.id(), Text: fmt.Sprintf("%d %X", r.unit, r.stored)})
	}
	if weak && r.kind != silent {
		return reply{}, statusCRC
	}
	return r, 0x00
}
