package emulate

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// What the chip does on the air: its timer, frames, answers, authentication.

// period is one round of the timer (8.5).
func (c *mfrc522Chip) period() time.Duration {
	prescaler := int64(c.reg[rcTMode]&0x0F)<<8 | int64(c.reg[rcTPrescaler])
	reload := int64(c.reg[rcTReloadHi])<<8 | int64(c.reg[rcTReloadLo])
	return time.Duration((2*prescaler + 1) * (reload + 1) * int64(time.Second) / carrier)
}

func (c *mfrc522Chip) startTimer(at time.Time) {
	c.cancel(true)
	if c.faults.on(FaultNoTimer) {
		return
	}
	c.later(at.Add(c.period()), true, func() { c.irq |= irqTimer })
}

// counter is where the timer stands on its way down.
func (c *mfrc522Chip) counter() uint16 {
	i := slices.IndexFunc(c.events, func(e chipEvent) bool { return e.timer })
	if i < 0 {
		return 0
	}
	left := min(c.events[i].at.Sub(c.now), c.period())
	prescaler := int64(c.reg[rcTMode]&0x0F)<<8 | int64(c.reg[rcTPrescaler])
	return uint16(int64(left) * carrier / int64(time.Second) / (2*prescaler + 1))
}

// auto reports whether the timer follows what is on the air.
func (c *mfrc522Chip) auto() bool { return c.reg[rcTMode]&0x80 != 0 }

// authenticate carries out MFAuthent once its twelve bytes are there (10.3.1.9).
// It ends by itself only if the tag takes part to the end.
func (c *mfrc522Chip) authenticate() {
	if len(c.fifo) < 12 || c.waiting {
		return
	}
	args := c.fifo[:12]
	c.fifo = c.fifo[12:]
	keyB, block := args[0]&0x01 != 0, args[1]
	ok := false
	for _, t := range c.hearing() {
		if t.authenticate(c.now, c.crypto, keyB, block, [6]byte(args[2:]), [4]byte(args[8:])) {
			ok = true
		}
	}
	ok = ok && args[0]&^0x01 == 0x60 && !c.faults.on(FaultFaint)
	if !ok { // a cipher that was on stays on until the host ends it (9.3.1.9)
		if c.auto() {
			c.startTimer(c.now.Add(authTime / 2))
		}
		return
	}
	c.tell(Act{Verb: DidConfigure, Text: fmt.Sprintf("opened block %d", block)})
	c.later(c.now.Add(authTime), false, func() {
		c.crypto = true
		c.finish()
	})
}

// hearing returns the tags that the field reaches with frames that they
// understand: type A wants 100 % modulation and 106 kbit/s.
func (c *mfrc522Chip) hearing() []*airTag {
	if !c.carrier || c.reg[rcTxASK]&0x40 == 0 || (c.reg[rcTxMode]|c.reg[rcRxMode])&0x70 != 0 || c.flickers(c.now) {
		return nil
	}
	return c.tags
}

// send puts the FIFO on the air once a command that sends has been started and
// StartSend is set, in whatever order. The host has to clear StartSend itself.
func (c *mfrc522Chip) send() {
	if c.command != rcTransceive && c.command != rcTransmit || c.reg[rcBitFraming]&startSend == 0 || c.waiting || len(c.fifo) == 0 {
		return
	}
	f := bitFrame{bytes: bytes.Clone(c.fifo), bits: 8 * len(c.fifo)}
	if last := int(c.reg[rcBitFraming] & 0x07); last != 0 {
		f.bits -= 8 - last
		f.bytes[len(f.bytes)-1] &= 1<<last - 1
	} else if c.reg[rcTxMode]&0x80 != 0 {
		f = wholeFrame(withCRC(f.bytes))
	}
	c.fifo = nil
	c.waiting = true
	sent := c.now.Add(airTime(f.bits))
	c.later(sent, false, func() { c.irq |= irqTx })
	if c.auto() {
		c.startTimer(sent)
	}
	if c.command == rcTransmit {
		c.later(sent, false, func() { c.waiting = false; c.finish() })
		c.air(f)
		return
	}
	answers := c.air(f)
	if len(answers) == 0 || c.receiverOff {
		return
	}
	got, collision := overlay(answers)
	begins := sent.Add(frameDelay + got.thought)
	if c.auto() {
		c.later(begins.Add(5*bitTime), false, func() { c.cancel(true) })
	}
	c.later(begins.Add(airTime(got.bits)), false, func() { c.receive(f, got.bitFrame, collision) })
}

// air gives the tags a frame and returns their answers.
func (c *mfrc522Chip) air(f bitFrame) []airAnswer {
	var answers []airAnswer
	for _, t := range c.hearing() {
		was := t.state
		if was == airActive && c.faults.on(FaultWeak) {
			if c.commands++; c.commands%3 == 0 {
				continue // it did not reach the tag
			}
		}
		a, ok := t.hear(c.now, f, c.crypto)
		if ok && (!c.faults.on(FaultFaint) || f.bits < 8) {
			answers = append(answers, a)
		}
		if was != airActive && t.state == airActive {
			t.card.read++
			c.tell(Act{Verb: DidRead, Tag: t.id(), Count: t.card.read})
		}
	}
	return answers
}

// receive takes in an answer to the frame f.
func (c *mfrc522Chip) receive(f, got bitFrame, collision int) {
	c.waiting = false
	c.irq |= irqRx
	c.position = collNotValid
	known := 0 // bits of the identifier that the host has sent
	if resolving := len(f.bytes) >= 2 && f.bits < 56 && (f.bytes[0]|0x06)&^0x0F == 0x90; resolving {
		known = f.bits - 16
		c.resolved++
		if c.faults.on(FaultCollision) && collision == 0 && c.resolved%2 == 0 {
			collision = 1 + 11*c.resolved%got.bits
		}
	}
	got = c.disturb(got)
	if collision > 0 {
		got = c.collide(got, collision, known)
	}
	align := int(c.reg[rcBitFraming] >> 4 & 0x07)
	shifted := bitFrame{bytes: make([]byte, (align+got.bits+7)/8), bits: align + got.bits}
	for i := range got.bits {
		shifted.bytes[(align+i)/8] |= got.bit(i) << ((align + i) % 8)
	}
	c.lastBits = byte(shifted.bits % 8)
	c.store(shifted)
}

// store puts a received frame into the FIFO, checked if the host wants that.
func (c *mfrc522Chip) store(f bitFrame) {
	b := f.bytes
	if c.reg[rcRxMode]&0x80 != 0 {
		plain, ok := f.uncrc()
		if !ok {
			c.fail(errCRC)
			plain = b[:max(0, len(b)-2)]
		}
		b = plain
	}
	if room := fifoSize - len(c.fifo); len(b) > room {
		b = b[:room]
		c.fail(errOverflow)
	}
	c.fifo = append(c.fifo, b...)
}

// disturb plays the faults of the air, in a third of the answers.
func (c *mfrc522Chip) disturb(got bitFrame) bitFrame {
	garbage := c.faults.on(FaultGarbage)
	if !garbage && (!c.faults.on(FaultChecksum) || got.bits < 24) || c.dice.IntN(3) != 0 {
		return got
	}
	got.bytes = bytes.Clone(got.bytes)
	got.bytes[0] ^= 0x04
	if garbage {
		c.fail(errParity)
	}
	return got
}

// collide ends an answer in a collision, at a bit counted from 1.
func (c *mfrc522Chip) collide(got bitFrame, at, known int) bitFrame {
	c.fail(errCollision)
	if c.reg[rcColl]&valuesAfterColl == 0 {
		got.bytes = bytes.Clone(got.bytes)
		for i := at; i < got.bits; i++ {
			got.bytes[i/8] &^= 1 << (i % 8)
		}
		got.bytes[(at-1)/8] |= 1 << ((at - 1) % 8)
	}
	position := at + int(c.reg[rcBitFraming]>>4&0x07)
	if c.cfg.CountFromUID {
		position = at + known
	}
	if position <= 32 {
		c.position = byte(position & 0x1F)
	}
	return got
}
