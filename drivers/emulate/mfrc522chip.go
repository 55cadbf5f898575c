package emulate

import (
	"slices"
	"time"
)

// Registers of the chip (data sheet, 9.2), as far as they do something here.
const (
	rcCommand    = 0x01
	rcComIEn     = 0x02
	rcDivIEn     = 0x03
	rcComIrq     = 0x04
	rcDivIrq     = 0x05
	rcError      = 0x06
	rcStatus1    = 0x07
	rcStatus2    = 0x08
	rcFIFOData   = 0x09
	rcFIFOLevel  = 0x0A
	rcWaterLevel = 0x0B
	rcControl    = 0x0C
	rcBitFraming = 0x0D
	rcColl       = 0x0E
	rcMode       = 0x11
	rcTxMode     = 0x12
	rcRxMode     = 0x13
	rcTxControl  = 0x14
	rcTxASK      = 0x15
	rcCRCHigh    = 0x21
	rcCRCLow     = 0x22
	rcTMode      = 0x2A
	rcTPrescaler = 0x2B
	rcTReloadHi  = 0x2C
	rcTReloadLo  = 0x2D
	rcTCounterHi = 0x2E
	rcTCounterLo = 0x2F
	rcVersion    = 0x37
)

// Commands (10.3).
const (
	rcIdle       = 0x0
	rcCalcCRC    = 0x3
	rcTransmit   = 0x4
	rcNoChange   = 0x7
	rcReceive    = 0x8
	rcTransceive = 0xC
	rcMFAuthent  = 0xE
	rcSoftReset  = 0xF
)

// Bits of ComIrqReg, ErrorReg and others.
const (
	irqTx, irqRx, irqIdle, irqHigh, irqLow, irqErr, irqTimer = 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01

	errWrite, errOverflow, errCollision, errCRC, errParity, errFraming = 0x80, 0x10, 0x08, 0x04, 0x02, 0x01

	fifoSize        = 64
	collNotValid    = 0x20
	startSend       = 0x80
	crcIRq          = 0x04
	valuesAfterColl = 0x80
)

// startUp is how long the oscillator takes after the chip got its power, or was
// let out of hard power-down; until then PowerDown reads 1 and nothing is
// accepted (8.8). A soft reset does not stop the oscillator.
const startUp = 500 * time.Microsecond

// authTime is how long the three passes of authentication are on the air.
const authTime = 2200 * time.Microsecond

// resetValues are those that are not zero (table 20 ff.).
func resetValues() map[byte]byte {
	return map[byte]byte{
		rcComIEn: 0x80, rcWaterLevel: 0x08, rcColl: valuesAfterColl,
		rcMode: 0x3F, rcTxControl: 0x80, 0x16: 0x10, 0x17: 0x84, 0x18: 0x84, 0x19: 0x4D, 0x1C: 0x62,
		0x1F: 0xEB, 0x24: 0x26, 0x26: 0x48, 0x27: 0x88, 0x28: 0x20, 0x29: 0x20, 0x36: 0x40,
	}
}

// mfrc522Chip is what the chip knows while it has power. Everything happens
// under the lock of the device. What takes time is put down as an event, and
// events happen when somebody looks.
type mfrc522Chip struct {
	*MFRC522
	now    time.Time // of what happens
	ready  time.Time
	reg    [64]byte // what is plainly stored
	fifo   []byte
	events []chipEvent

	command     byte
	receiverOff bool
	irq, divIrq byte
	err         byte
	position    byte // CollPos with CollPosNotValid
	lastBits    byte
	crypto      bool
	crc         uint16
	waiting     bool // for the end of a frame that was or is being sent
	carrier     bool

	resolved, commands int // anticollisions and commands, for the faults
}

// chipEvent is what will happen by itself.
type chipEvent struct {
	at    time.Time
	timer bool // of the timer; else of the command
	do    func()
}

// powerUp is a reset after which the oscillator has to start.
func (c *mfrc522Chip) powerUp(now time.Time) {
	c.reset(now)
	c.ready = now.Add(startUp)
}

// reset brings every register to its reset value, and takes the field away.
func (c *mfrc522Chip) reset(now time.Time) {
	*c = mfrc522Chip{MFRC522: c.MFRC522, now: now, irq: irqIdle | irqLow, position: collNotValid, crc: 0xFFFF, receiverOff: true}
	for r, v := range resetValues() {
		c.reg[r] = v
	}
	for _, t := range c.tags {
		t.lose(now.Add(c.cfg.Wake))
	}
	c.settle()
}

// advance lets everything happen that was due by now.
func (c *mfrc522Chip) advance(now time.Time) {
	for len(c.events) > 0 && !c.events[0].at.After(now) {
		e := c.events[0]
		c.events = c.events[1:]
		c.now = e.at
		e.do()
		c.settle()
	}
	if now.After(c.now) {
		c.now = now
	}
}

// next returns how long it takes until something happens by itself.
func (c *mfrc522Chip) next(now time.Time) time.Duration {
	if len(c.events) == 0 {
		return time.Hour
	}
	return c.events[0].at.Sub(now)
}

func (c *mfrc522Chip) later(at time.Time, timer bool, do func()) {
	i := slices.IndexFunc(c.events, func(e chipEvent) bool { return e.at.After(at) })
	if i < 0 {
		i = len(c.events)
	}
	c.events = slices.Insert(c.events, i, chipEvent{at, timer, do})
}

func (c *mfrc522Chip) cancel(timer bool) {
	c.events = slices.DeleteFunc(c.events, func(e chipEvent) bool { return e.timer == timer })
}

// settle brings the water marks and the IRQ pin up to date.
func (c *mfrc522Chip) settle() {
	if mark := int(c.reg[rcWaterLevel] & 0x3F); len(c.fifo) <= mark {
		c.irq |= irqLow
	} else if fifoSize-len(c.fifo) <= mark {
		c.irq |= irqHigh
	}
	inverted := c.reg[rcComIEn]&0x80 != 0
	c.MFRC522.irq.set(c.requesting() != inverted)
}

func (c *mfrc522Chip) requesting() bool {
	return c.irq&c.reg[rcComIEn]&0x7F != 0 || c.divIrq&c.reg[rcDivIEn]&0x14 != 0
}

func (c *mfrc522Chip) read(r byte) byte {
	switch r {
	case rcCommand:
		v := c.command
		if c.receiverOff {
			v |= 0x20
		}
		if c.now.Before(c.ready) {
			v |= 0x10
		}
		return v
	case rcComIrq:
		return c.irq
	case rcDivIrq:
		return c.divIrq
	case rcError:
		return c.err
	case rcStatus1:
		return c.status1()
	case rcStatus2:
		return c.reg[r]&0xC0 | oneIf(c.crypto)<<3
	case rcFIFOData:
		if len(c.fifo) == 0 {
			return 0
		}
		v := c.fifo[0]
		c.fifo = c.fifo[1:]
		return v
	case rcFIFOLevel:
		return byte(len(c.fifo))
	case rcControl:
		return 0x10 | c.lastBits
	case rcColl:
		return c.reg[r]&valuesAfterColl | c.position
	case rcCRCHigh:
		return byte(c.crc >> 8)
	case rcCRCLow:
		return byte(c.crc)
	case rcTCounterHi:
		return byte(c.counter() >> 8)
	case rcTCounterLo:
		return byte(c.counter())
	case rcVersion:
		return c.cfg.Version
	}
	return c.reg[r]
}

func (c *mfrc522Chip) status1() byte {
	v := byte(0x20) // the CRC coprocessor is always done
	if c.crc == 0 {
		v |= 0x40
	}
	if c.requesting() {
		v |= 0x10
	}
	if slices.ContainsFunc(c.events, func(e chipEvent) bool { return e.timer }) {
		v |= 0x08
	}
	return v | c.irq&(irqHigh|irqLow)>>2
}

func (c *mfrc522Chip) write(r, v byte) {
	if c.now.Before(c.ready) {
		return
	}
	switch r {
	case rcCommand:
		c.receiverOff = v&0x20 != 0
		c.start(v & 0x0F)
	case rcComIrq:
		c.irq = marked(c.irq, v&0x7F, v&0x80 != 0)
	case rcDivIrq:
		c.divIrq = marked(c.divIrq, v&0x14, v&0x80 != 0)
	case rcFIFOData:
		c.push(v)
	case rcFIFOLevel:
		if v&0x80 != 0 {
			c.fifo = nil
			c.err &^= errOverflow
		}
	case rcControl:
		if v&0x80 != 0 {
			c.cancel(true)
		}
		if v&0x40 != 0 {
			c.startTimer(c.now)
		}
	case rcBitFraming:
		c.reg[r] = v
		c.send()
	case rcColl:
		c.reg[r] = v & valuesAfterColl
	case rcStatus2:
		c.reg[r] = v & 0xC0
		c.crypto = c.crypto && v&0x08 != 0
	case rcTxControl:
		c.reg[r] = v
		c.radiate(v&0x03 != 0)
	case rcError, rcStatus1, rcCRCHigh, rcCRCLow, rcTCounterHi, rcTCounterLo, rcVersion: // read only
	default:
		c.reg[r] = v
	}
}

// marked sets or clears the marked bits: Set1 and Set2 of the IRQ registers.
func marked(old, bits byte, set bool) byte {
	if set {
		return old | bits
	}
	return old &^ bits
}

func (c *mfrc522Chip) push(v byte) {
	switch {
	case c.waiting || c.command == rcMFAuthent && len(c.fifo) >= 12:
		c.fail(errWrite)
	case len(c.fifo) == fifoSize:
		c.fail(errOverflow)
		return
	}
	c.fifo = append(c.fifo, v)
	switch c.command {
	case rcCalcCRC:
		c.digest()
	case rcMFAuthent:
		c.authenticate()
	}
}

func (c *mfrc522Chip) fail(err byte) {
	c.err |= err
	c.irq |= irqErr
}

// radiate switches the field. Tags lose their power with it.
func (c *mfrc522Chip) radiate(on bool) {
	if on == c.carrier {
		return
	}
	c.carrier = on
	for _, t := range c.tags {
		t.lose(c.now.Add(c.cfg.Wake))
	}
	if on {
		c.tell(Act{Verb: DidConfigure, Text: "field on"})
	} else {
		c.tell(Act{Verb: DidRelease, Text: "field off"})
	}
}

// start carries out a write to CommandReg.
func (c *mfrc522Chip) start(command byte) {
	if command == rcNoChange {
		return
	}
	c.cancel(false)
	c.waiting = false
	c.command = command
	switch command {
	case rcIdle: // the host's own Idle raises no IRQ
	case rcCalcCRC:
		c.err = 0
		c.crc = [4]uint16{0x0000, 0x6363, 0xA671, 0xFFFF}[c.reg[rcMode]&0x03]
		c.digest()
	case rcReceive:
		c.err = 0
	case rcTransmit, rcTransceive:
		c.err = 0
		c.send()
	case rcMFAuthent:
		c.err = 0
		c.authenticate()
	case rcSoftReset:
		c.tell(Act{Verb: DidWake, Text: "by a soft reset"})
		c.reset(c.now)
	default:
		c.finish()
	}
}

// finish ends a command by itself.
func (c *mfrc522Chip) finish() {
	c.command = rcIdle
	c.irq |= irqIdle
}

// digest feeds the FIFO to the CRC coprocessor, which goes on until it is told
// to stop.
func (c *mfrc522Chip) digest() {
	c.crc = crcA(c.crc, c.fifo)
	c.fifo = nil
	c.divIrq |= crcIRq
}
