package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/m100"
	"traveler.example/drivers/mfrc522"
	"traveler.example/drivers/nfctag"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/wedge"
	profiles "traveler.example/firmware-profiles"
)

// readers fits the readers, in the order of the profile.
func (b *builder) readers() error {
	for _, r := range b.p.Readers {
		var reader drivers.Reader
		var err error
		if r.Device == profiles.DeviceLLRP {
			reader, err = b.portalReader(r)
		} else {
			reader, err = b.reader(r)
		}
		if err != nil {
			return err
		}
		b.parts.Readers = append(b.parts.Readers, reader)
	}
	return nil
}

// reader fits a reader that has its port for itself.
func (b *builder) reader(r profiles.Reader) (drivers.Reader, error) {
	x, err := b.fitted("reader "+r.Name, r, func(x *fitting) error {
		reader, err := b.newReader(r)
		if err != nil {
			return err
		}
		x.part, x.run, x.readers = reader, reader.Run, []string{r.Name}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return x.part.(drivers.Reader), nil
}

// newReader makes the driver of a reader. It opens nothing but finds pins, which a
// board has or never will.
func (b *builder) newReader(r profiles.Reader) (drivers.Reader, error) {
	switch r.Device {
	case profiles.DevicePN532:
		return b.newPN532(r)
	case profiles.DeviceMFRC522:
		return b.newMFRC522(r)
	case profiles.DeviceASCII125:
		return ascii125.New(ascii125.Config{
			Name: r.Name, Port: r.Port, Open: serial(r, r.Baud), Presence: presence(r),
			Framing: asciiFramings[r.Framing], Repeat: asciiRepeats[r.Repeat],
		})
	case profiles.DeviceM100:
		return newM100(r)
	case profiles.DeviceWedge:
		return b.newWedge(r)
	}
	return nil, fmt.Errorf("device %q has no driver here", r.Device)
}

// serial opens a reader's serial port at a line speed.
func serial(r profiles.Reader, baud int) drivers.Opener {
	return drivers.Serial{Path: r.Port, Baud: baud}.Open
}

func presence(r profiles.Reader) drivers.PresenceConfig {
	return drivers.PresenceConfig{Misses: r.Misses, Absence: r.Hold}
}

// spiPort opens a reader's port on SPI.
func (b *builder) spiPort(r profiles.Reader) func(context.Context) (spi.PortCloser, error) {
	return func(ctx context.Context) (spi.PortCloser, error) { return b.hardware.board().SPI(ctx, r.Port) }
}

func clock(r profiles.Reader) physic.Frequency { return physic.Frequency(r.Clock) * physic.Hertz }

// wires are the pins of a chip; nil where they are not wired.
type wires struct {
	irq   gpio.PinIn
	reset gpio.PinOut
}

func (b *builder) wires(r profiles.Reader) (w wires, err error) {
	if r.IRQ != "" {
		if w.irq, err = b.hardware.board().Pin(r.IRQ); err != nil {
			return w, fmt.Errorf("irq: %w", err)
		}
	}
	if r.Reset != "" {
		if w.reset, err = b.hardware.board().Pin(r.Reset); err != nil {
			return w, fmt.Errorf("reset: %w", err)
		}
	}
	return w, nil
}

// classicKeys reads the keys of MIFARE Classic; the profile was checked.
func classicKeys(r profiles.Reader) ([]nfctag.Key, error) {
	keys := make([]nfctag.Key, len(r.Keys))
	for i, text := range r.Keys {
		if n, err := hex.Decode(keys[i][:], []byte(text)); err != nil || n != len(keys[i]) {
			return nil, errors.New("keys: one has not 12 hexadecimal digits")
		}
	}
	return keys, nil
}

func (b *builder) newPN532(r profiles.Reader) (drivers.Reader, error) {
	w, err := b.wires(r)
	if err != nil {
		return nil, err
	}
	keys, err := classicKeys(r)
	if err != nil {
		return nil, err
	}
	open, supervisor := serial(r, r.Baud), drivers.Supervisor{}
	switch r.Wiring() {
	case profiles.WiringSerial:
		supervisor.Diagnose = diagnosis("pn532", drivers.Serial{Path: r.Port, Baud: r.Baud})
	case profiles.WiringSPI:
		open = func(ctx context.Context) (drivers.Port, error) {
			port := func() (spi.PortCloser, error) { return b.spiPort(r)(ctx) }
			return pn532.SPI{Port: port, Speed: clock(r), IRQ: w.irq, Reset: w.reset}.Open(ctx)
		}
	case profiles.WiringI2C:
		open = func(ctx context.Context) (drivers.Port, error) {
			bus := func() (i2c.BusCloser, error) { return b.hardware.board().I2C(ctx, r.Port) }
			return pn532.I2C{Bus: bus, IRQ: w.irq, Reset: w.reset}.Open(ctx)
		}
	}
	return pn532.New(pn532.Config{Name: r.Name, Port: r.Port, Open: open, Presence: presence(r), Supervisor: supervisor, Keys: keys})
}

func (b *builder) newMFRC522(r profiles.Reader) (drivers.Reader, error) {
	w, err := b.wires(r)
	if err != nil {
		return nil, err
	}
	keys, err := classicKeys(r)
	if err != nil {
		return nil, err
	}
	return mfrc522.New(mfrc522.Config{
		Name: r.Name, Port: r.Port, Open: b.spiPort(r), Clock: clock(r), IRQ: w.irq, Reset: w.reset,
		Gain: r.Gain, Presence: presence(r), Keys: keys,
	})
}

var (
	asciiFramings = map[profiles.Framing]ascii125.Framing{
		profiles.FramingRDM6300: ascii125.RDM6300, profiles.FramingID12: ascii125.ID12, profiles.FramingWL134: ascii125.WL134,
	}
	asciiRepeats = map[profiles.Repeat]ascii125.Repeat{
		profiles.RepeatWhile: ascii125.RepeatWhile, profiles.RepeatOnce: ascii125.RepeatNever,
	}
	wedgeContents = map[profiles.Content]wedge.Content{
		profiles.ContentCode: wedge.ContentCode, profiles.ContentHex: wedge.ContentHex, profiles.ContentDecimal: wedge.ContentDecimal,
	}
)

func newM100(r profiles.Reader) (drivers.Reader, error) {
	cfg := m100.Config{
		Name: r.Name, Port: r.Port, Open: serial(r, r.Baud), Baud: r.Baud,
		OpenAt:   func(ctx context.Context, baud int) (drivers.Port, error) { return serial(r, baud)(ctx) },
		Power:    int(r.Power),
		Filter:   m100.Filter{MinRSSI: int(r.MinRSSI) / 100, MinReads: r.MinReads, Dwell: r.Dwell},
		Presence: presence(r), Supervisor: drivers.Supervisor{Diagnose: diagnosis("m100", drivers.Serial{Path: r.Port, Baud: r.Baud})},
	}
	if r.Region != "" {
		region, err := m100.ParseRegion(string(r.Region))
		if err != nil {
			return nil, err
		}
		cfg.Region = region
	}
	return m100.New(cfg)
}

func (b *builder) newWedge(r profiles.Reader) (drivers.Reader, error) {
	cfg := wedge.Config{
		Name: r.Name, Port: r.Port, Layout: wedge.Layout(r.Layout), Content: wedgeContents[r.Content],
		Open:   func(ctx context.Context) (wedge.Source, error) { return b.hardware.input(ctx, r.Port) },
		Prefix: r.Prefix, Suffix: r.Suffix, Technology: drivers.Technology(r.Technology), Reversed: r.Reversed,
		Cooldown: r.Cooldown,
	}
	if r.Gap > 0 {
		cfg.End, cfg.Gap = wedge.EndGap, r.Gap
	}
	return wedge.New(cfg)
}
