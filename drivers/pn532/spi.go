package pn532

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
)

// DefaultSPISpeed is a fifth of what the chip can do (6.2: 5 MHz), for wires
// as they are.
const DefaultSPISpeed = physic.MegaHertz

// What a transfer on SPI begins with (6.2), as the chip hears it: least
// significant bit first.
const (
	spiWrite  = 0x01
	spiStatus = 0x02
	spiRead   = 0x03
	spiReady  = 0x01 // bit of the status
)

// SPI names a chip on SPI. Its Open is a [drivers.Opener].
//
// Mode 0, least significant bit first (6.2; libnfc, drivers/pn532_spi.c, and Adafruit's
// library agree): the bits are turned around here, since the controllers of
// most boards send the most significant one first and nothing else.
type SPI struct {
	// Port opens the port, anew for each connection, for example with
	// spireg.Open of periph.io/x/conn/v3/spi/spireg.
	Port func() (spi.PortCloser, error)
	// Speed of the clock; 0 means DefaultSPISpeed.
	Speed physic.Frequency
	// IRQ is the chip's pin P70_IRQ; nil means that the chip is asked whether it
	// is ready.
	IRQ gpio.PinIn
	// Reset is the chip's pin RSTPDN, driven low at each Open; nil means none.
	Reset gpio.PinOut
}

// Open implements [drivers.Opener].
func (s SPI) Open(ctx context.Context) (drivers.Port, error) {
	if s.Port == nil {
		return nil, errors.New("open SPI: no port given")
	}
	if s.Speed == 0 {
		s.Speed = DefaultSPISpeed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	port, err := s.Port()
	if err != nil {
		return nil, fmt.Errorf("open SPI: %w", err)
	}
	conn, err := port.Connect(s.Speed, spi.Mode0, 8)
	if err == nil {
		err = pins(ctx, s.IRQ, s.Reset)
	}
	if err != nil {
		port.Close()
		return nil, fmt.Errorf("open SPI %s at %s: %w", port, s.Speed, err)
	}
	bus := &spiBus{port: port, conn: conn}
	bus.grow(1 + int(wakeTime/(8*s.Speed.Period())) + 1)
	return newBusPort(bus, s.IRQ), nil
}

type spiBus struct {
	mu   sync.Mutex // Close waits for the transfer under way
	port spi.PortCloser
	conn spi.Conn
	// out and in are long enough for a frame, and for the chip to wake while as
	// much is transferred.
	out, in []byte
}

func (b *spiBus) grow(n int) {
	n = max(n, 1+maxFrame+8)
	b.out, b.in = make([]byte, n), make([]byte, n)
}

// transfer sends an operation with data, and returns what came meanwhile behind
// the operation's byte. Both have the most significant bit first.
func (b *spiBus) transfer(operation byte, data []byte, n int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, in := b.out[:1+n], b.in[:1+n]
	clear(out)
	out[0] = bits.Reverse8(operation)
	for i, x := range data {
		out[1+i] = bits.Reverse8(x)
	}
	if err := b.conn.Tx(out, in); err != nil {
		return nil, fmt.Errorf("SPI: %w", err)
	}
	for i, x := range in {
		in[i] = bits.Reverse8(x)
	}
	return in[1:], nil
}

// ready implements bus. A line that floats high says nothing.
func (b *spiBus) ready() (bool, error) {
	status, err := b.transfer(spiStatus, nil, 1)
	return err == nil && status[0] != 0xFF && status[0]&spiReady != 0, err
}

// wake selects the chip for as long as it takes to wake: by a question that does
// no harm, with a long answer (libnfc, drivers/pn532_spi.c, does so by going
// slow).
func (b *spiBus) wake() error {
	_, err := b.transfer(spiStatus, nil, len(b.out)-1)
	return err
}

func (b *spiBus) fetch(dst []byte) (int, error) {
	in, err := b.transfer(spiRead, nil, len(dst))
	return copy(dst, in), err
}

func (b *spiBus) send(data []byte) error {
	_, err := b.transfer(spiWrite, data, len(data))
	return err
}

func (b *spiBus) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.port.Close()
}
