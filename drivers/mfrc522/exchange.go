package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traveler.example/drivers"
)

// Time on the air at 106 kbit/s: ISO/IEC 14443-3, 6.2.
const (
	bitTime = 9440 * time.Nanosecond // 128 periods of 13.56 MHz
	// frameDelay is from the end of a request to the beginning of its answer.
	frameDelay = 91 * time.Microsecond
)

// How long the chip waits for the first bits of an answer, in its timer's ticks.
const (
	pollTicks    = 40   // 1 ms: answers to requests, anticollision and SELECT come within 0.1 ms
	commandTicks = 1000 // 25 ms: NTAG21x takes up to 10 ms to write, MIFARE Classic about as long
)

const (
	// chipGrace is how much longer than its timer a chip may take before it counts
	// as silent: for a host that is busy, and a slow oscillator.
	chipGrace = 60 * time.Millisecond
	// recheck is the pause between looks at a chip that is not done.
	recheck = time.Millisecond
	// lateness is what tags and the chip take beyond that, in a common answer.
	lateness = 40 * time.Microsecond
	// irqTrust is how many answers in a row the IRQ pin may miss.
	irqTrust = 3
)

// What can be wrong with an exchange on the air; none of it is the chip's fault.
var (
	errNoAnswer = errors.New("no tag answers")
	errCollided = errors.New("several tags answer at once")
	errDamaged  = errors.New("the answer of a tag came damaged")
)

// onAir reports whether an error speaks of tags and the air, not of the chip.
func onAir(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errCollided) || errors.Is(err, errDamaged)
}

// frameTime is how long n bits are on the air, with parity, start and end.
func frameTime(n int) time.Duration { return time.Duration(n+n/8+2) * bitTime }

// The registers that are read after each command, all in one transfer.
const (
	stIrq = iota
	stError
	stLevel
	stControl
	stColl
	stStatus2
	stTxControl
	stTMode
	stVersion
	statusSize
)

type status [statusSize]byte

// status reads how the command stands. A chip that has gone, or has lost its
// settings, shows here.
func (c *chip) status() (status, error) {
	var s status
	err := c.read(s[:], regComIrq, regError, regFIFOLevel, regControl, regColl, regStatus2, regTxControl, regTMode, regVersion)
	if err == nil {
		err = c.check(s[stVersion], s[stTxControl], s[stTMode])
	}
	return s, err
}

// frame is one thing to say to tags.
type frame struct {
	bytes    []byte
	lastBits int // of the last byte that are sent; 0: all. What is received begins at the same place of a byte
	expect   int // bits of the usual answer; 0: silence is usual
	ticks    uint16
}

// answer is what came back: bytes, how many bits of the last one count (0: all),
// and where the first collision is, counted from 1; 0 if nobody knows.
type answer struct {
	bytes     []byte
	lastBits  int
	collision int
}

// transceive sends a frame and returns the answer, valid until the next call.
// Errors of the air are errNoAnswer, errDamaged and, with what came before the
// collision, errCollided.
func (c *chip) transceive(ctx context.Context, f frame) (answer, error) {
	framing := byte(f.lastBits<<4 | f.lastBits)
	if err := c.prepare(f.ticks, f.bytes); err != nil {
		return answer{}, err
	}
	// StartSend stays set after a frame; a command that finds it so would send at
	// once, with the framing of the last one.
	for _, s := range [...]setting{{regBitFraming, framing}, {regCommand, cmdTransceive}, {regBitFraming, framing | startSend}} {
		if err := c.write(s.register, s.value); err != nil {
			return answer{}, err
		}
	}
	sending := frameTime(8 * len(f.bytes))
	first := sending + frameDelay + frameTime(f.expect) + lateness
	longest := sending + time.Duration(f.ticks)*timerTick
	if f.expect == 0 {
		first = longest
	}
	s, err := c.wait(ctx, irqRx|irqIdle|irqTimer, first, longest)
	if err != nil {
		return answer{}, err
	}
	return c.take(s)
}

// prepare brings the chip to where a command can begin, with its bytes in the
// FIFO.
func (c *chip) prepare(ticks uint16, b []byte) error {
	if len(b) > fifoSize {
		return fmt.Errorf("frame of %d bytes, the chip takes %d", len(b), fifoSize)
	}
	if err := c.write(regCommand, cmdIdle); err != nil {
		return err
	}
	if ticks != c.ticks {
		if err := c.write(regTReloadHi, byte(ticks>>8)); err != nil {
			return err
		}
		if err := c.write(regTReloadLo, byte(ticks)); err != nil {
			return err
		}
		c.ticks = ticks
	}
	if err := c.write(regComIrq, irqAll); err != nil {
		return err
	}
	if c.left {
		if err := c.write(regFIFOLevel, flushFIFO); err != nil {
			return err
		}
	}
	c.left = true
	return c.write(regFIFOData, b...)
}

// wait returns the status once one of the marked interrupts is there. It looks
// after the first pause, and again until the longest has passed by far.
func (c *chip) wait(ctx context.Context, done byte, first, longest time.Duration) (status, error) {
	deadline := time.Now().Add(longest + chipGrace)
	for pause := first; ; pause = recheck {
		told := c.rest(ctx, pause, longest)
		if err := ctx.Err(); err != nil {
			return status{}, err
		}
		s, err := c.status()
		if err != nil {
			return s, err
		}
		if s[stIrq]&done != 0 {
			c.at = time.Now()
			c.rate(told)
			return s, nil
		}
		if time.Now().After(deadline) {
			if s[stIrq]&irqErr != 0 {
				return s, nil // an answer that broke off; what is wrong with it stands in ErrorReg
			}
			return s, fmt.Errorf("%w: it neither received anything nor gave up within %v", drivers.ErrSilent, longest+chipGrace)
		}
	}
}

// rest waits for the chip: by its IRQ pin if it has one, else for a time. It
// reports whether the pin told.
func (c *chip) rest(ctx context.Context, pause, longest time.Duration) bool {
	if c.irq == nil {
		c.sleep(ctx, pause)
		return false
	}
	// The pins of Linux count in whole milliseconds; less would not wait at all.
	if c.irq.WaitForEdge(longest.Truncate(time.Millisecond) + 2*time.Millisecond) {
		return true
	}
	return false
}

// rate counts answers that the IRQ pin did not tell of, and gives it up when it
// never does: a wire that is not connected makes the reader slower, not blind.
func (c *chip) rate(told bool) {
	switch {
	case c.irq == nil:
	case told:
		c.missed = 0
	default:
		if c.missed++; c.missed >= irqTrust {
			c.irq, c.deafIRQ = nil, true
		}
	}
}

// take judges a status and takes the answer out of the FIFO.
func (c *chip) take(s status) (answer, error) {
	if err := ownError(s[stError]); err != nil {
		return answer{}, err
	}
	n := int(s[stLevel])
	if n > fifoSize {
		return answer{}, fmt.Errorf("%w: FIFO of %d bytes, it has %d", drivers.ErrProtocol, n, fifoSize)
	}
	c.left = n > 0
	if s[stIrq]&irqRx == 0 && s[stError]&errCollision == 0 {
		if s[stIrq]&irqErr != 0 && s[stError] != 0 {
			return answer{}, damage(s[stError])
		}
		return answer{}, errNoAnswer
	}
	if n > 0 {
		if err := c.readFIFO(c.answer[:n]); err != nil {
			return answer{}, err
		}
		c.left = false
	}
	a := answer{bytes: c.answer[:n], lastBits: int(s[stControl] & 0x07)}
	switch bad := s[stError]; {
	case bad&errCollision != 0:
		if s[stColl]&collNotValid == 0 {
			a.collision = (int(s[stColl]&0x1F)+31)%32 + 1 // 0 stands for 32
		}
		return a, errCollided
	case bad != 0:
		return answer{}, damage(bad)
	case n == 0:
		return answer{}, fmt.Errorf("%w: it is empty", errDamaged)
	}
	return a, nil
}

// ownError returns what ErrorReg says against the chip itself (9.3.1.7).
func ownError(bits byte) error {
	switch {
	case bits&errTemperature != 0:
		return fmt.Errorf("%w: it is too hot and has switched its antenna off; give it air, or a lower supply", drivers.ErrProtocol)
	case bits&errWrite != 0:
		return fmt.Errorf("%w: it was given bytes while it was busy (ErrorReg %02X)", drivers.ErrProtocol, bits)
	case bits&errOverflow != 0:
		return fmt.Errorf("%w: its FIFO ran over (ErrorReg %02X)", drivers.ErrProtocol, bits)
	}
	return nil
}

// damage names what ErrorReg says against an answer.
func damage(bits byte) error {
	switch {
	case bits&errParity != 0:
		return fmt.Errorf("%w: parity (ErrorReg %02X)", errDamaged, bits)
	case bits&errCRC != 0:
		return fmt.Errorf("%w: checksum (ErrorReg %02X)", errDamaged, bits)
	}
	return fmt.Errorf("%w: framing (ErrorReg %02X)", errDamaged, bits)
}

// crcA is CRC_A (ISO/IEC 14443-3, annex B), lower byte first. It is made here
// and not by the chip's coprocessor, which would take six transfers for each
// frame; and not by TxCRCEn and RxCRCEn, since the answers that carry a CRC and
// those of four bits that carry none come upon the same commands.
func crcA(b []byte) [2]byte {
	crc := uint16(0x6363)
	for _, x := range b {
		x ^= byte(crc)
		x ^= x << 4
		crc = crc>>8 ^ uint16(x)<<8 ^ uint16(x)<<3 ^ uint16(x)>>4
	}
	return [2]byte{byte(crc), byte(crc >> 8)}
}

// checked returns an answer of whole bytes without its CRC.
func (a answer) checked() ([]byte, error) {
	n := len(a.bytes) - 2
	if n < 1 || a.lastBits != 0 {
		return nil, fmt.Errorf("%w: %d bytes, %d bits of the last", errDamaged, len(a.bytes), a.lastBits)
	}
	if want, got := crcA(a.bytes[:n]), [2]byte(a.bytes[n:]); want != got {
		return nil, fmt.Errorf("%w: CRC %X, its bytes make %X", errDamaged, got, want)
	}
	return a.bytes[:n], nil
}
