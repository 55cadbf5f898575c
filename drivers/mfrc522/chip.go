package mfrc522

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"

	"traveler.example/drivers"
)

const (
	// startLimit bounds the wait for a chip after a reset; its oscillator takes
	// about 1 ms with the usual crystal (data sheet, 8.8.2).
	startLimit = 50 * time.Millisecond
	startPause = 2 * time.Millisecond
	// resetPulse holds NRSTPD low; 100 ns are asked for (8.8.1).
	resetPulse = time.Millisecond

	// Field off long enough to reset tags, and on long enough for them to hear:
	// ISO/IEC 14443-3 asks for 5.1 ms and 5 ms.
	carrierPause = 6 * time.Millisecond
	carrierWake  = 5200 * time.Microsecond
)

// chip drives the registers. One goroutine owns it.
type chip struct {
	bus
	gain    byte        // RxGain, in its place in RFCfgReg
	irq     gpio.PinIn  // nil: none, or it is not to be trusted
	reset   gpio.PinOut // nil: none
	pause   *time.Timer // for short waits
	version byte        // of the chip found last
	ticks   uint16      // what the timer is set to
	carrier bool        // the field is on
	secret  bool        // the cipher of MIFARE Classic may be on
	left    bool        // the FIFO may hold something
	missed  int         // answers in a row that the IRQ pin did not tell of
	deafIRQ bool        // the IRQ pin was given up, and that is still to be said
	at      time.Time   // when the last answer was seen to be complete
	answer  [fifoSize]byte
	frame   [fifoSize]byte // under construction
}

// settings are all registers that differ from what a reset leaves, the field
// apart.
func (c *chip) settings() [13]setting {
	return [...]setting{
		{regTxMode, 0x00},
		{regRxMode, 0x00}, // 106 kbit/s, no CRC by the chip: it is made and checked here
		{regModWidth, 0x26},
		{regTMode, timerAuto},
		{regTPrescaler, timerPrescaler},
		{regTReloadHi, byte(c.ticks >> 8)},
		{regTReloadLo, byte(c.ticks)},
		{regTxASK, 0x40}, // 100 % modulation, which type A wants
		{regMode, 0x3D},  // CRC preset 6363
		{regColl, 0x00},  // bits behind a collision read 0
		{regRFCfg, c.gain | 0x08},
		{regComIEn, comIEn},
		{regDivIEn, divIEn},
	}
}

// start resets the chip, makes sure that there is one, applies the settings and
// switches the field on.
func (c *chip) start(ctx context.Context) error {
	if err := c.softReset(ctx); err != nil {
		return err
	}
	return c.configure(ctx)
}

// hardStart does the same by the reset pin.
func (c *chip) hardStart(ctx context.Context) error {
	if err := c.reset.Out(gpio.Low); err != nil {
		return fmt.Errorf("reset pin %s: %w", c.reset.Name(), err)
	}
	c.sleep(ctx, resetPulse)
	if err := c.reset.Out(gpio.High); err != nil {
		return fmt.Errorf("reset pin %s: %w", c.reset.Name(), err)
	}
	return c.start(ctx)
}

func (c *chip) softReset(ctx context.Context) error {
	if err := c.write(regCommand, cmdSoftReset); err != nil {
		return err
	}
	c.carrier, c.secret, c.left = false, false, true
	deadline := time.Now().Add(startLimit)
	for {
		c.sleep(ctx, startPause)
		if err := ctx.Err(); err != nil {
			return err
		}
		var v [2]byte
		if err := c.read(v[:], regCommand, regVersion); err != nil {
			return err
		}
		present := v[1] != 0x00 && v[1] != 0xFF
		if present && v[0]&powerDown == 0 {
			c.version = v[1]
			return nil
		}
		if time.Now().After(deadline) {
			if present {
				return fmt.Errorf("%w: %s does not come out of reset", drivers.ErrSilent, model(v[1]))
			}
			return absent(v[1])
		}
	}
}

// absent is the error of a bus on which every register reads the same.
func absent(value byte) error {
	return fmt.Errorf("%w: VersionReg reads %02X, as it does without a chip; check its supply, chip select, MISO and reset", drivers.ErrSilent, value)
}

func (c *chip) configure(ctx context.Context) error {
	c.ticks = pollTicks
	for _, s := range c.settings() {
		if err := c.write(s.register, s.value); err != nil {
			return err
		}
	}
	if err := c.radiate(ctx, true); err != nil {
		return err
	}
	return c.ping()
}

// radiate switches the carrier, and waits as long as tags need to notice.
func (c *chip) radiate(ctx context.Context, on bool) error {
	value, wait := byte(txControl&^antenna), carrierPause
	if on {
		value, wait = txControl, carrierWake
	}
	if err := c.write(regTxControl, value); err != nil {
		return err
	}
	c.carrier = on
	c.sleep(ctx, wait)
	return ctx.Err()
}

// ping makes sure that the chip is there, is the same one, and has its settings.
func (c *chip) ping() error {
	var list [15]byte
	var got [15]byte
	settings := c.settings()
	for i, s := range settings {
		list[i] = s.register
	}
	list[13], list[14] = regTxControl, regVersion
	if err := c.read(got[:], list[:]...); err != nil {
		return err
	}
	if err := c.check(got[14], got[13], got[3]); err != nil {
		return err
	}
	for i, s := range settings {
		if v := got[i]; s.register == regColl && v&0x80 == 0 || v == s.value {
			continue
		}
		return fmt.Errorf("%w: %s reads %02X in register %02X where %02X was set", drivers.ErrForgot, model(c.version), got[i], s.register, s.value)
	}
	return nil
}

// check judges what every answer of the chip comes with.
func (c *chip) check(version, control, mode byte) error {
	switch {
	case version == 0x00 || version == 0xFF:
		return absent(version)
	case version != c.version:
		return fmt.Errorf("%w: version %02X was %02X before", drivers.ErrProtocol, version, c.version)
	case mode != timerAuto || control&antenna == 0 == c.carrier:
		return drivers.ErrForgot
	}
	return nil
}

// resync stops whatever the chip does and makes sure that it is well otherwise.
func (c *chip) resync() error {
	if err := c.write(regCommand, cmdIdle); err != nil {
		return err
	}
	if err := c.write(regFIFOLevel, flushFIFO); err != nil {
		return err
	}
	if err := c.stopCipher(); err != nil {
		return err
	}
	c.left = false
	return c.ping()
}

func (c *chip) stopCipher() error {
	c.secret = false
	return c.write(regStatus2, 0x00)
}

func (c *chip) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	c.pause.Reset(d)
	select {
	case <-c.pause.C:
	case <-ctx.Done():
		c.pause.Stop()
	}
}
