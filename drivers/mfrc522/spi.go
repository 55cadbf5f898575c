package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spireg"
	"periph.io/x/host/v3"

	"traveler.example/drivers"
)

// SPI returns a [Config].Open for a port of this board: "/dev/spidev0.0", or
// "SPI0.0" for the same. The port is locked by flock(2) on its device node, so
// that a second user of it, who would garble both, is told drivers.ErrBusy.
func SPI(name string) func(ctx context.Context) (spi.PortCloser, error) {
	return func(ctx context.Context) (spi.PortCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := host.Init(); err != nil {
			return nil, fmt.Errorf("open SPI of this board: %w", err)
		}
		lock, err := lockNode("/dev/spidev" + strings.TrimPrefix(strings.TrimPrefix(name, "/dev/spidev"), "SPI"))
		if err != nil {
			return nil, fmt.Errorf("open SPI port %q: %w", name, err)
		}
		port, err := spireg.Open(name)
		if err != nil {
			unix.Close(lock)
			return nil, fmt.Errorf("open SPI port %q (is SPI enabled on this board?): %w", name, err)
		}
		return &lockedPort{PortCloser: port, lock: lock}, nil
	}
}

func lockNode(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return -1, fmt.Errorf("%s: %w: another program holds its lock", path, drivers.ErrBusy)
		}
		return -1, fmt.Errorf("%s: lock: %w", path, err)
	}
	return fd, nil
}

// lockedPort is a port with the lock of its device node.
type lockedPort struct {
	spi.PortCloser
	lock int
}

// Close implements io.Closer.
func (p *lockedPort) Close() error {
	err := p.PortCloser.Close()
	unix.Close(p.lock)
	return err
}

// Pin finds a pin of this board by its name, such as "GPIO25", for Config.IRQ
// and Config.Reset.
func Pin(name string) (gpio.PinIO, error) {
	if _, err := host.Init(); err != nil {
		return nil, fmt.Errorf("mfrc522: open GPIO of this board: %w", err)
	}
	pin := gpioreg.ByName(name)
	if pin == nil {
		return nil, fmt.Errorf("mfrc522: this board has no pin %q", name)
	}
	return pin, nil
}
