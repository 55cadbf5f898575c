package mfrc522

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// running runs a reader in virtual time until it is up.
func running(t *testing.T, cfg Config, check func(t *testing.T, device *emulate.MFRC522, events *followed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(emulate.MFRC522Config{})
		cfg.Name, cfg.Open = "bench", device.Open
		if cfg.IRQ != nil {
			cfg.IRQ = device.IRQ()
		}
		if cfg.Reset != nil {
			cfg.Reset = device.Reset()
		}
		reader, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		events := follow(t, reader)
		events.expect(t, drivers.Up, "")
		check(t, device, events)
	})
}

// A chip that fell back to its reset values is mended within a second, with one
// Fault and nothing said of tags.
func TestPowerDipIsMended(t *testing.T) {
	for _, fault := range []string{emulate.FaultForget, emulate.FaultReset} {
		running(t, Config{}, func(t *testing.T, device *emulate.MFRC522, events *followed) {
			device.Present("04A1B2C3D4E580", "")
			events.expect(t, drivers.Arrived, "04A1B2C3D4E580")
			device.Fault(fault, true)
			events.quiet(t, time.Second)
			if len(events.faults) != 1 || !errors.Is(events.faults[0], drivers.ErrProtocol) && !errors.Is(events.faults[0], drivers.ErrSilent) {
				t.Errorf("%s: faults %v, want one", fault, events.faults)
			}
			device.Present("DEADBEEF", "")
			events.expect(t, drivers.Arrived, "DEADBEEF")
		})
	}
}

// Each setting is read back, not only those that every answer comes with.
func TestEverySettingIsReadBack(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, nil, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
		for _, s := range c.settings() {
			c.write(s.register, s.value^0x90)
			if err := c.ping(); !errors.Is(err, drivers.ErrForgot) {
				t.Errorf("register %02X changed: %v, want ErrForgot", s.register, err)
			}
			c.write(s.register, s.value)
			if err := c.ping(); err != nil {
				t.Errorf("register %02X mended: %v", s.register, err)
			}
		}
	})
}

// What a reset by software does not heal, the reset pin does.
func TestHardReset(t *testing.T) {
	running(t, Config{Reset: gpio.INVALID}, func(t *testing.T, device *emulate.MFRC522, events *followed) {
		device.Fault(emulate.FaultHang, true)
		if e := events.expect(t, drivers.Down, ""); !errors.Is(e.Err, drivers.ErrSilent) {
			t.Errorf("down because of %v, want ErrSilent", e.Err)
		}
		events.expect(t, drivers.Up, "")
	})
	running(t, Config{}, func(t *testing.T, device *emulate.MFRC522, events *followed) {
		device.Fault(emulate.FaultHang, true)
		events.expect(t, drivers.Down, "")
		events.quiet(t, time.Minute)
	})
}

// An IRQ pin that never moves is told, and done without.
func TestStuckIRQ(t *testing.T) {
	running(t, Config{IRQ: gpio.INVALID}, func(t *testing.T, device *emulate.MFRC522, events *followed) {
		events.quiet(t, 10*time.Second)
		if len(events.faults) != 0 {
			t.Errorf("faults with a pin that works: %v", events.faults)
		}
		device.Fault(emulate.FaultStuckIRQ, true)
		device.Present("DEADBEEF", "")
		events.expect(t, drivers.Arrived, "DEADBEEF")
		events.quiet(t, time.Second)
		if len(events.faults) != 1 || !strings.Contains(events.faults[0].Error(), "IRQ pin") {
			t.Errorf("faults %v, want one of the IRQ pin", events.faults)
		}
	})
}

// Something that answers and cannot be read is told once it goes on, and is no
// arrival.
func TestFaintTag(t *testing.T) {
	running(t, Config{}, func(t *testing.T, device *emulate.MFRC522, events *followed) {
		device.Fault(emulate.FaultFaint, true)
		device.Present("DEADBEEF", "")
		events.quiet(t, 900*time.Millisecond)
		if len(events.faults) != 0 {
			t.Errorf("told after less than a second: %v", events.faults)
		}
		events.quiet(t, 5*time.Second)
		if len(events.faults) != 1 || !strings.Contains(events.faults[0].Error(), "nearer") {
			t.Errorf("faults %v, want one", events.faults)
		}
		device.Fault(emulate.FaultFaint, false)
		events.expect(t, drivers.Arrived, "DEADBEEF")
	})
}

func TestClonesAreNamed(t *testing.T) {
	for version, want := range map[byte]string{
		0x91: "MFRC522 v1.0", 0x92: "MFRC522 v2.0", 0x88: "FM17522", 0xB2: "FM17522_1", 0x12: "counterfeit", 0x3C: "version 3C",
	} {
		synctest.Test(t, func(t *testing.T) {
			device := emulate.NewMFRC522(emulate.MFRC522Config{Version: version})
			reader, err := New(Config{Name: "bench", Port: "SPI0.0", Open: device.Open})
			if err != nil {
				t.Fatal(err)
			}
			follow(t, reader).expect(t, drivers.Up, "")
			if got := reader.Info(); !strings.Contains(got.Model, want) || got.Driver != "mfrc522" || got.Port != "SPI0.0" {
				t.Errorf("version %02X: %+v, want %s", version, got, want)
			}
		})
	}
}

// A bus on which nothing answers says what to look at.
func TestNoChip(t *testing.T) {
	for _, fault := range []string{emulate.FaultSilence, emulate.FaultFloat} {
		synctest.Test(t, func(t *testing.T) {
			device := emulate.NewMFRC522(emulate.MFRC522Config{})
			device.Fault(fault, true)
			reader, err := New(Config{Name: "bench", Open: device.Open})
			if err != nil {
				t.Fatal(err)
			}
			e := follow(t, reader).expect(t, drivers.Down, "")
			if !errors.Is(e.Err, drivers.ErrSilent) || !strings.Contains(e.Err.Error(), "check its supply") {
				t.Errorf("%s: %v", fault, e.Err)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	open := func(context.Context) (spi.PortCloser, error) { return nil, errors.New("no port") }
	for want, cfg := range map[string]Config{
		"no name":     {Open: open},
		"no port":     {Name: "a"},
		"interval":    {Name: "a", Open: open, Interval: -1},
		"clock":       {Name: "a", Open: open, Clock: 2 * MaxClock},
		"gain of 100": {Name: "a", Open: open, Gain: 100},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}
