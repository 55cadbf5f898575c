package pn532_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/pn532"
)

// plugged is an emulated chip on a bus.
type plugged interface {
	io.Closer
	Unplug() error
	Replug() error
	IRQ() gpio.PinIn
	Reset() gpio.PinOut
}

// onBus plugs a chip into SPI or I2C, with its pins connected or not.
func onBus(device *emulate.PN532, name string, pins bool) (plugged, drivers.Opener) {
	if name == "SPI" {
		chip := emulate.NewPN532SPI(device)
		c := pn532.SPI{Port: chip.Open}
		if pins {
			c.IRQ, c.Reset, c.Speed = chip.IRQ(), chip.Reset(), 5*physic.MegaHertz
		}
		return chip, c.Open
	}
	chip := emulate.NewPN532I2C(device)
	c := pn532.I2C{Bus: chip.Open}
	if pins {
		c.IRQ, c.Reset = chip.IRQ(), chip.Reset()
	}
	return chip, c.Open
}

func newBusRig(t *testing.T, name string, pins bool) drivertest.Rig {
	device := emulate.NewPN532(emulate.PN532Config{})
	chip, open := onBus(device, name, pins)
	t.Cleanup(func() { chip.Close() })
	r := rig(t, device, open)
	r.Fragment, r.Baud, r.Limits = "", "", drivertest.Limits{Whole: true, Clocked: true}
	r.Unplug, r.Replug = chip.Unplug, chip.Replug
	return r
}

// TestReaderOnBuses runs the behaviours of readers over SPI and I2C, with and
// without the pins, in virtual time.
func TestReaderOnBuses(t *testing.T) {
	for _, bus := range []string{"SPI", "I2C"} {
		for _, pins := range []bool{false, true} {
			t.Run(bus+map[bool]string{true: " with pins"}[pins], func(t *testing.T) {
				for _, b := range drivertest.Readers() {
					t.Run(b.Name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { b.Check(t, newBusRig(t, bus, pins)) })
					})
				}
			})
		}
	}
}

// A pin for interrupts that was never connected must not make a chip dumb.
func TestDeadInterruptPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewPN532(emulate.PN532Config{})
		chip, other := emulate.NewPN532SPI(device), emulate.NewPN532SPI(emulate.NewPN532(emulate.PN532Config{}))
		defer chip.Close()
		defer other.Close()
		reader, err := pn532.New(pn532.Config{Name: "bench", Open: pn532.SPI{Port: chip.Open, IRQ: other.IRQ()}.Open})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, ended := make(chan drivers.Event, 16), make(chan struct{})
		go func() { defer close(ended); reader.Run(ctx, events) }()
		defer func() { cancel(); <-ended }()
		if e := <-events; e.Kind != drivers.Up {
			t.Fatalf("event %v (%v), want up", e.Kind, e.Err)
		}
		if err := device.Present("04A1B2C3D4E580", ""); err != nil {
			t.Fatal(err)
		}
		if e := <-events; e.Kind != drivers.Arrived {
			t.Fatalf("event %v (%v), want arrived", e.Kind, e.Err)
		}
	})
}

var errBroken = errors.New("broken")

func TestOpenOfBuses(t *testing.T) {
	chip := emulate.NewPN532SPI(emulate.NewPN532(emulate.PN532Config{}))
	defer chip.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		open drivers.Opener
		want error
	}{
		"no SPI port":   {t.Context(), pn532.SPI{}.Open, nil},
		"no I2C bus":    {t.Context(), pn532.I2C{}.Open, nil},
		"absent SPI":    {t.Context(), pn532.SPI{Port: func() (spi.PortCloser, error) { return nil, errBroken }}.Open, errBroken},
		"absent I2C":    {t.Context(), pn532.I2C{Bus: func() (i2c.BusCloser, error) { return nil, errBroken }}.Open, errBroken},
		"SPI too fast":  {t.Context(), pn532.SPI{Port: chip.Open, Speed: 6 * physic.MegaHertz}.Open, nil},
		"SPI cancelled": {ended, pn532.SPI{Port: chip.Open}.Open, context.Canceled},
	} {
		port, err := tt.open(tt.ctx)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v; want %v", name, port, err, tt.want)
		}
	}
}

// What a port of a bus promises to the link: a deadline ends a read, Close ends
// it too, and a chip that was taken away is an error of the write on I2C.
func TestBusPort(t *testing.T) {
	for _, bus := range []string{"SPI", "I2C"} {
		t.Run(bus, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip, open := onBus(emulate.NewPN532(emulate.PN532Config{}), bus, false)
				defer chip.Close()
				port, err := open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 16)
				port.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				if n, err := port.Read(b); n != 0 || err == nil {
					t.Errorf("read %d bytes, %v; want the end of the deadline", n, err)
				}
				chip.Unplug()
				_, err = port.Write([]byte{0, 0, 0xFF, 0, 0xFF, 0})
				if got := errors.Is(err, drivers.ErrUnplugged); got != (bus == "I2C") {
					t.Errorf("write to a chip that is gone: %v", err)
				}
				port.SetReadDeadline(time.Time{})
				time.AfterFunc(time.Second, func() { port.Close() })
				if _, err := port.Read(b); !errors.Is(err, drivers.ErrClosed) {
					t.Errorf("read from a closed port: %v", err)
				}
				if err := port.Close(); err != nil {
					t.Errorf("second Close: %v", err)
				}
				if _, err := port.Write(b); !errors.Is(err, drivers.ErrClosed) {
					t.Errorf("write to a closed port: %v", err)
				}
			})
		})
	}
}
