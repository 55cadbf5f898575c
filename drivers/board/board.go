// Package board opens what devices are wired to on the board that this program
// runs on: pins by name, SPI ports and I2C buses by the path of their device node.
// It is the one room that knows periph's host; drivers are handed what it opens.
//
// periph finds the pins of the board once in the life of a process. Ports and buses
// are looked for anew at each opening, so that one whose kernel module is loaded
// late, or whose adapter is plugged in again, needs no restart.
package board

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3"
	"periph.io/x/host/v3/sysfs"

	"traveler.example/drivers"
)

// ErrMissing: the board does not have the pin, port or bus, or it is not switched
// on. The error that wraps it says what to do.
var ErrMissing = errors.New("is not there")

// Board is the board that this program runs on. The zero value is ready; it is safe
// for concurrent use.
type Board struct {
	once   sync.Once
	failed error // of periph

	dev string // where device nodes stand; empty: /dev
}

func (b *Board) nodes() string {
	if b.dev == "" {
		return "/dev"
	}
	return b.dev
}

// Pin finds a pin by its name, such as "GPIO25". One that the board does not have
// is ErrMissing. Nothing is set up: a pin that another program holds is noticed
// when it is used.
func (b *Board) Pin(name string) (gpio.PinIO, error) {
	b.once.Do(func() { _, b.failed = host.Init() })
	if b.failed != nil {
		return nil, fmt.Errorf("find pin %q: %w", name, b.failed)
	}
	if pin := gpioreg.ByName(name); name != "" && pin != nil {
		return pin, nil
	}
	return nil, fmt.Errorf("pin %q %w: %s", name, ErrMissing, b.pinRemedy())
}

// pinRemedy says why a pin may be missing.
func (b *Board) pinRemedy() string {
	chips, _ := filepath.Glob(filepath.Join(b.nodes(), "gpiochip*")) // the pattern is well formed
	if len(chips) == 0 {
		return "this machine has no GPIO pins; name the board it is in the profile, and wire to that"
	}
	for _, chip := range chips {
		if errors.Is(unix.Access(chip, unix.R_OK|unix.W_OK), unix.EACCES) {
			return chip + " may not be opened; let the program run in the group gpio"
		}
	}
	return `gpioinfo lists the names of this board's pins, like "GPIO17"`
}

// SPI opens an SPI port by its device node, such as "/dev/spidev0.0", and locks it
// by flock(2): two users would garble each other's transfers. A node that does not
// exist is ErrMissing, one that another program has locked drivers.ErrBusy.
//
// The port may be closed more than once, which periph's own may not.
func (b *Board) SPI(ctx context.Context, path string) (spi.PortCloser, error) {
	var bus, chip int
	l, err := b.open(ctx, path, node{
		kind: "SPI port", group: "spi", pattern: "spidev%d.%d", numbers: []any{&bus, &chip},
		remedy: "switch SPI on (on a Raspberry Pi dtparam=spi=on in config.txt) and restart the board",
	})
	if err != nil {
		return nil, err
	}
	port, err := sysfs.NewSPI(bus, chip)
	if err != nil {
		l.free()
		return nil, fmt.Errorf("open SPI port %s: %w", path, err)
	}
	return &spiPort{PortCloser: port, lock: l}, nil
}

// I2C opens an I2C bus by its device node, such as "/dev/i2c-1", and locks it by
// flock(2). Errors are as of SPI.
func (b *Board) I2C(ctx context.Context, path string) (i2c.BusCloser, error) {
	var bus int
	l, err := b.open(ctx, path, node{
		kind: "I2C bus", group: "i2c", pattern: "i2c-%d", numbers: []any{&bus},
		remedy: "switch I2C on (on a Raspberry Pi dtparam=i2c_arm=on in config.txt, and the kernel module i2c-dev) and restart the board",
	})
	if err != nil {
		return nil, err
	}
	opened, err := sysfs.NewI2C(bus)
	if err != nil {
		l.free()
		return nil, fmt.Errorf("open I2C bus %s: %w", path, err)
	}
	return &i2cBus{BusCloser: opened, lock: l}, nil
}

// node describes the device nodes of one kind.
type node struct {
	kind, group, pattern string
	numbers              []any // filled from the pattern
	remedy               string
}

// open locks the device node at path, or that a link there leads to.
func (b *Board) open(ctx context.Context, path string, n node) (*lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fail := func(err error) (*lock, error) { return nil, fmt.Errorf("%s %s: %w", n.kind, path, err) }
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %s %w: %s", n.kind, path, ErrMissing, n.remedy)
	}
	if err != nil {
		return fail(err)
	}
	// periph opens by number, which must be the node that is locked here.
	if !n.matches(filepath.Base(real)) || filepath.Dir(real) != b.nodes() {
		return fail(fmt.Errorf("is no %s; it is named like /dev/%s", n.kind, strings.ReplaceAll(n.pattern, "%d", "0")))
	}
	fd, err := unix.Open(real, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.EACCES):
		return fail(fmt.Errorf("%w: let the program run in the group %s", err, n.group))
	case err != nil:
		return fail(err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fail(fmt.Errorf("%w: another program holds its lock; fuser -v %s names it", drivers.ErrBusy, real))
		}
		return fail(fmt.Errorf("lock: %w", err))
	}
	return &lock{fd: fd}, nil
}

// matches reads the numbers out of a node's name.
func (n node) matches(name string) bool {
	if _, err := fmt.Sscanf(name, n.pattern, n.numbers...); err != nil {
		return false
	}
	values := make([]any, len(n.numbers))
	for i, p := range n.numbers {
		values[i] = *p.(*int)
	}
	return fmt.Sprintf(n.pattern, values...) == name
}

// lock is the lock on a device node, freed once.
type lock struct {
	fd   int
	once sync.Once
}

func (l *lock) free() { l.once.Do(func() { unix.Close(l.fd) }) }

// spiPort is a port with the lock of its node.
type spiPort struct {
	spi.PortCloser
	lock *lock
	once sync.Once
	err  error
}

// Close implements io.Closer.
func (p *spiPort) Close() error {
	p.once.Do(func() { p.err = p.PortCloser.Close() })
	p.lock.free()
	return p.err
}

// i2cBus is a bus with the lock of its node.
type i2cBus struct {
	i2c.BusCloser
	lock *lock
	once sync.Once
	err  error
}

// Close implements io.Closer.
func (b *i2cBus) Close() error {
	b.once.Do(func() { b.err = b.BusCloser.Close() })
	b.lock.free()
	return b.err
}
