package pn532

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"traveler.example/drivers"
)

// I2CAddress is the chip's address (6.2), without the bit of the direction.
const I2CAddress = 0x24

// I2C names a chip on I2C. Its Open is a [drivers.Opener].
//
// Each read begins with a byte whose bit 0 says whether a frame follows (6.2;
// libnfc, drivers/pn532_i2c.c, and Adafruit's library agree); a frame has to be
// taken in one read.
type I2C struct {
	// Bus opens the bus, anew for each connection, for example with i2creg.Open
	// of periph.io/x/conn/v3/i2c/i2creg. The chip can do 400 kHz.
	Bus func() (i2c.BusCloser, error)
	// IRQ is the chip's pin P70_IRQ; nil means that the chip is asked whether it
	// is ready.
	IRQ gpio.PinIn
	// Reset is the chip's pin RSTPDN, driven low at each Open; nil means none.
	Reset gpio.PinOut
}

// Open implements [drivers.Opener].
func (c I2C) Open(ctx context.Context) (drivers.Port, error) {
	if c.Bus == nil {
		return nil, errors.New("open I2C: no bus given")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := c.Bus()
	if err != nil {
		return nil, fmt.Errorf("open I2C: %w", err)
	}
	if err := pins(ctx, c.IRQ, c.Reset); err != nil {
		b.Close()
		return nil, fmt.Errorf("open I2C %s: %w", b, err)
	}
	return newBusPort(&i2cBus{bus: b}, c.IRQ), nil
}

type i2cBus struct {
	mu  sync.Mutex // Close waits for the transfer under way
	bus i2c.BusCloser
	in  [1 + maxFrame + 8]byte
}

// read fills what is asked for, if the chip is ready.
func (b *i2cBus) read(n int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.in[:1+n]
	if err := b.bus.Tx(I2CAddress, nil, in); err != nil {
		return nil, fmt.Errorf("I2C: %w", err)
	}
	if in[0] == 0xFF || in[0]&0x01 == 0 {
		return nil, nil
	}
	return in[1:], nil
}

// ready implements bus: the first byte alone may be read as often as one likes.
func (b *i2cBus) ready() (bool, error) {
	in, err := b.read(0)
	return in != nil, err
}

func (b *i2cBus) wake() error {
	_, err := b.ready()
	return err
}

func (b *i2cBus) fetch(dst []byte) (int, error) {
	in, err := b.read(len(dst))
	return copy(dst, in), err
}

func (b *i2cBus) send(data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.bus.Tx(I2CAddress, data, nil); err != nil {
		return fmt.Errorf("I2C: %w", err)
	}
	return nil
}

func (b *i2cBus) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bus.Close()
}
