package agent

import (
	"context"
	"errors"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers/wedge"
)

// Hardware is what a gateway reaches devices by that are not behind a serial port
// or the network. The zero value has none.
type Hardware struct {
	// Board opens what is wired to the board. In a program that is a *board.Board
	// (traveler.example/drivers/board).
	Board Board
	// Input opens an input device that types. nil: the kernel's, for this program
	// alone.
	Input func(ctx context.Context, path string) (wedge.Source, error)
}

func (h Hardware) input(ctx context.Context, path string) (wedge.Source, error) {
	if h.Input == nil {
		return wedge.Evdev{Path: path}.Open(ctx)
	}
	return h.Input(ctx, path)
}

// Board opens pins by name, such as "GPIO25", and SPI ports and I2C buses by the
// path of their device node.
type Board interface {
	Pin(name string) (gpio.PinIO, error)
	SPI(ctx context.Context, path string) (spi.PortCloser, error)
	I2C(ctx context.Context, path string) (i2c.BusCloser, error)
}

// noBoard stands where no board is given.
type noBoard struct{}

var errNoBoard = errors.New("this program was given no board")

func (noBoard) Pin(string) (gpio.PinIO, error)                      { return nil, errNoBoard }
func (noBoard) SPI(context.Context, string) (spi.PortCloser, error) { return nil, errNoBoard }
func (noBoard) I2C(context.Context, string) (i2c.BusCloser, error)  { return nil, errNoBoard }

func (h Hardware) board() Board {
	if h.Board == nil {
		return noBoard{}
	}
	return h.Board
}
