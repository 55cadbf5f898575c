package emulate

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// pn532Chip is a PN532 under power: what it forgets when the power goes.
type pn532Chip struct {
	*PN532
	wire   *wire
	frames hostFrames

	awake     bool // SAMConfiguration was done since power-up
	carrier   bool
	retries   byte // MxRtyPassiveActivation; 0xFF means without end
	rats      bool // automatic RATS
	registers map[uint16]byte

	targets []*target // by logical number, from 1 on
	active  int       // the number of the one that is selected; 0 means none
	halted  []*target // that were told to be quiet, in the session that began then
	heard   map[*card]*heardTag

	pending   *search // a look at the field that goes on until a tag comes
	deadline  <-chan time.Time
	last      []byte // the last response, for a NACK
	commands  int
	looks     int
	exchanges int
}

// search is a look at the field under way.
type search struct {
	limit  int
	wanted []byte               // only this cascaded identifier; nil means any
	answer func([]*card) []byte // makes the response
}

func (c *pn532Chip) powerUp() {
	c.frames = hostFrames{asleep: true}
	c.awake = false
	c.forget()
}

// forget puts the settings back to those of power-up.
func (c *pn532Chip) forget() {
	c.carrier, c.retries, c.rats = false, 0xFF, true
	c.registers = map[uint16]byte{}
	c.heard = map[*card]*heardTag{}
	c.release()
	c.abandon()
}

func (c *pn532Chip) abandon() { c.pending, c.deadline = nil, nil }

func (c *pn532Chip) loop(chunks <-chan []byte) {
	for {
		select {
		case chunk, ok := <-chunks:
			if !ok {
				return
			}
			c.blink()
			for _, f := range c.frames.feed(chunk) {
				c.hear(f)
			}
			if c.frames.woke {
				c.frames.woke = false
				c.tell(Act{Verb: DidWake})
			}
		case <-c.changed:
			c.blink()
			if c.pending != nil {
				c.air(emptyTry) // the try under way is for nobody
				if c.look(c.pending) {
					c.abandon()
				}
			}
		case <-c.deadline:
			c.respond(c.pending.answer(nil))
			c.abandon()
		}
	}
}

// blink lets the faults happen that happen once.
func (c *pn532Chip) blink() {
	if c.faults.take(FaultForget) {
		c.forget()
	}
	if c.faults.take(FaultReset) {
		c.powerUp()
	}
}

// hear takes one frame of the host. Any frame ends the command under way.
func (c *pn532Chip) hear(f hostFrame) {
	if c.faults.on(FaultSilence) {
		return
	}
	switch {
	case f.ack:
		if c.pending != nil {
			c.tell(Act{Verb: DidAbort})
		}
		c.abandon()
	case f.nack:
		c.tell(Act{Verb: DidNack})
		c.send(c.last)
	case f.bad:
		c.abandon()
		c.send(pn532Syntax)
	default:
		c.abandon()
		c.command(f.command)
	}
}

func (c *pn532Chip) command(cmd []byte) {
	if c.commands++; c.faults.on(FaultDropAck) && c.commands%2 == 1 {
		return
	}
	if c.faults.take(FaultStale) {
		id, _ := newCard(StaleTag, "")
		c.send(chipFrame(append([]byte{0x4B, 1}, c.target(1, id)...)))
	}
	c.send(pn532Ack)
	response, s := c.execute(cmd)
	switch {
	case s != nil:
		if c.look(s) {
			c.abandon()
		} else {
			c.pending = s
		}
	case response == nil:
		c.send(pn532Syntax)
	default:
		c.respond(response)
	}
}

func (c *pn532Chip) respond(response []byte) {
	c.last = chipFrame(response)
	if !c.faults.on(FaultChecksum) {
		c.send(c.last)
		return
	}
	damaged := bytes.Clone(c.last)
	damaged[len(damaged)-3] ^= 0x10 // the last byte before the checksum
	c.send(damaged)
}

func (c *pn532Chip) send(frame []byte) {
	c.wire.write(frame)
}

// execute carries out a command. It returns the response, or the search that
// will make it, or neither if the command is not one of the chip's.
func (c *pn532Chip) execute(cmd []byte) ([]byte, *search) {
	code, args := cmd[0], cmd[1:]
	response := []byte{code + 1}
	switch code {
	case 0x00: // Diagnose
		return c.diagnose(response, args), nil
	case 0x02: // GetFirmwareVersion: PN532 v1.6, ISO 18092, 14443 A and B
		return append(response, 0x32, 0x01, 0x06, 0x07), nil
	case 0x04: // GetGeneralStatus: no error, field, targets at 106 kbit/s, no SAM
		response = append(response, 0x00, oneIf(c.carrier), byte(len(c.targets)))
		for i := range c.targets {
			response = append(response, byte(i+1), 0x00, 0x00, 0x00)
		}
		return append(response, 0x80), nil
	case 0x06: // ReadRegister
		return c.readRegisters(response, args), nil
	case 0x08: // WriteRegister
		return c.writeRegisters(response, args), nil
	case 0x12: // SetParameters
		if len(args) == 1 {
			c.rats = args[0]&0x10 != 0
			c.tell(Act{Verb: DidConfigure, Text: fmt.Sprintf("parameters %02X", args[0])})
		}
		return response, nil
	case 0x14: // SAMConfiguration
		if !c.awake {
			c.awake = true
			c.tell(Act{Verb: DidConfigure, Text: "normal mode"})
		}
		return response, nil
	case 0x16: // PowerDown
		c.frames.asleep = true
		return append(response, 0x00), nil
	case 0x32: // RFConfiguration
		return c.configureRF(response, args), nil
	case 0x40: // InDataExchange
		return c.dataExchange(response, args), nil
	case 0x42: // InCommunicateThru
		return append(response, c.communicateThru(args)...), nil
	case 0x44, 0x52, 0x54, 0x4E: // InDeselect, InRelease, InSelect, InPSL
		return append(response, c.choose(code, args)), nil
	case 0x46, 0x50, 0x56: // InJumpForPSL, InATR, InJumpForDEP: nobody speaks DEP here
		return append(response, statusTimeout), nil
	case 0x4A:
		return c.listPassive(args)
	case 0x60:
		return c.autoPoll(args)
	}
	return nil, nil
}

// diagnose carries out the self tests, which find the chip well, the one of the
// line, and the one that asks whether a tag with ISO/IEC 14443-4 is still there.
func (c *pn532Chip) diagnose(response, args []byte) []byte {
	switch {
	case len(args) > 0 && args[0] == 0x00:
		return append(response, args...)
	case len(args) > 0 && args[0] == 0x06 && (c.selected() == nil || c.selected().sak&0x20 == 0):
		return append(response, statusTimeout)
	}
	return append(response, 0x00)
}

func (c *pn532Chip) configureRF(response, args []byte) []byte {
	switch {
	case len(args) == 2 && args[0] == 0x01:
		on := args[1]&0x01 != 0
		if c.carrier && !on {
			c.tell(Act{Verb: DidRelease, Text: "field off"})
		}
		if !on {
			c.powerless()
		}
		c.carrier = on
	case len(args) == 4 && args[0] == 0x05:
		c.retries = args[3]
		c.tell(Act{Verb: DidConfigure, Text: fmt.Sprintf("retries %d", c.retries)})
	}
	return response
}

// listPassive carries out InListPassiveTarget. Only type A is emulated: of the
// other modulations nobody is ever in the field.
//
// A paced chip hears the host during many tries, since any command ends them.
func (c *pn532Chip) listPassive(args []byte) ([]byte, *search) {
	if len(args) < 2 || args[0] == 0 || args[0] > 2 {
		return nil, nil
	}
	s := &search{limit: int(args[0]), answer: c.list}
	if args[1] != 0x00 {
		s.limit = 0
	}
	if len(args) > 2 {
		s.wanted = bytes.Clone(args[2:])
	}
	if c.cfg.Paced && c.retries > fewTries && c.retries != 0xFF {
		c.deadline = time.After(time.Duration(c.retries) * emptyTry)
	}
	return nil, s
}

// list makes the response to InListPassiveTarget, and selects the tags.
func (c *pn532Chip) list(found []*card) []byte {
	c.take(found)
	response := []byte{0x4B, byte(len(found))}
	for i, t := range found {
		response = append(response, c.target(i+1, t)...)
	}
	return response
}

func (c *pn532Chip) target(number int, t *card) []byte {
	b := append([]byte{byte(number), t.atqa[0], t.atqa[1], t.sak, byte(len(t.uid))}, t.uid...)
	if c.rats {
		b = append(b, t.ats...)
	}
	return b
}

// autoPoll carries out InAutoPoll: PollNr rounds of Period times 150 ms for each
// type. Of the types only those at 106 kbit/s type A find anything.
func (c *pn532Chip) autoPoll(args []byte) ([]byte, *search) {
	if len(args) < 3 {
		return nil, nil
	}
	limit := 0
	for _, t := range args[2:] {
		// 0x20 is for tags with ISO/IEC 14443-4 by the book; chips list the
		// others under it as well, and libnfc relies on that.
		if t == 0x00 || t == 0x10 || t == 0x20 {
			limit = 2
		}
	}
	if args[0] != 0xFF {
		rounds := time.Duration(args[0]) * time.Duration(args[1]) * time.Duration(len(args)-2)
		c.deadline = time.After(rounds * 150 * time.Millisecond)
	}
	return nil, &search{limit: limit, answer: func(found []*card) []byte {
		c.take(found)
		response := []byte{0x61, byte(len(found))}
		for i, t := range found {
			kind := byte(0x10)
			if t.sak&0x20 != 0 {
				kind = 0x20
			}
			data := c.target(i+1, t)
			response = append(append(response, kind, byte(len(data))), data...)
		}
		return response
	}}
}

// look looks at the field until tags are found or the retries are used up, and
// responds. It reports false if the search has to wait for a tag.
func (c *pn532Chip) look(s *search) bool {
	var found []*card
	c.looks++
	blind := c.faults.on(FaultFlicker) && c.looks%2 == 0
	for try := 0; ; try++ {
		if found = c.matching(s); len(found) > 0 && !blind {
			break
		}
		c.air(emptyTry)
		if c.deadline != nil || c.retries == 0xFF {
			return false
		}
		if try >= int(c.retries) {
			found = nil
			break
		}
	}
	c.air(selection * time.Duration(len(found)))
	c.carrier = true
	c.respond(s.answer(found))
	c.count(found)
	return true
}

// matching returns the tags that a search finds. Those that were halted answer
// only if no other does: libnfc finds the second tag by halting the first.
func (c *pn532Chip) matching(s *search) []*card {
	found := c.field()
	slices.SortStableFunc(found, func(a, b *card) int { return int(oneIf(c.halts(a))) - int(oneIf(c.halts(b))) })
	if s.wanted != nil {
		found = slices.DeleteFunc(found, func(t *card) bool { return !bytes.Equal(t.cascaded(), s.wanted) })
	}
	return found[:min(s.limit, len(found))]
}

// air lets time pass as it does between chip and tag.
func (c *pn532Chip) air(d time.Duration) {
	if c.cfg.Paced {
		pause(c.wire.ctx, d)
	}
}

// count tells that the host was told of tags.
func (c *pn532Chip) count(found []*card) {
	for _, t := range found {
		c.tell(Act{Verb: DidRead, Tag: t.id(), Count: t.told()})
	}
}

func oneIf(b bool) byte {
	if b {
		return 1
	}
	return 0
}
