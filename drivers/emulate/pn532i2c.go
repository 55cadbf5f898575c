package emulate

import (
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

const (
	pn532Address    = 0x24 // UM0701-02, 6.2
	pn532I2CFastest = 400 * physic.KiloHertz
)

// PN532I2C is an emulated PN532 on I2C. It has power from the start; Close ends
// it.
type PN532I2C struct{ *pn532Bus }

// NewPN532I2C puts a chip on I2C.
func NewPN532I2C(device *PN532) *PN532I2C { return &PN532I2C{newPN532Bus(device)} }

// Open opens the bus, as i2creg.Open does.
func (c *PN532I2C) Open() (i2c.BusCloser, error) { return &pn532I2CBus{chip: c}, nil }

// pn532I2CBus is the host's end. It implements i2c.BusCloser.
type pn532I2CBus struct {
	chip *PN532I2C

	mu     sync.Mutex
	closed bool
}

func (b *pn532I2CBus) String() string { return "emulated I2C bus" }

// SetSpeed implements i2c.Bus.
func (b *pn532I2CBus) SetSpeed(f physic.Frequency) error {
	if f <= 0 || f > pn532I2CFastest {
		return fmt.Errorf("a PN532 cannot do %s, at most %s", f, pn532I2CFastest)
	}
	return nil
}

// Close implements io.Closer.
func (b *pn532I2CBus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// errNoAcknowledge: nobody at that address took a byte.
var errNoAcknowledge = errors.New("I2C address is not acknowledged")

// Tx implements i2c.Bus. A chip that sleeps wakes by its address and holds the
// clock meanwhile. A frame is read at once, behind a byte that says that there
// is one; what is not read of it then is lost.
func (b *pn532I2CBus) Tx(addr uint16, w, r []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	box := b.chip.powered()
	switch {
	case b.closed:
		return errors.New("I2C bus is closed")
	case addr != pn532Address || box == nil:
		return fmt.Errorf("%w: %02X", errNoAcknowledge, addr)
	}
	box.tell(pn532WakeByte)
	if len(w) > 0 {
		box.forgetFrames()
		box.tell(w...)
	}
	if len(r) == 0 {
		return nil
	}
	clear(r)
	if box.ready() {
		if r[0] = 0x01; len(r) > 1 {
			box.fetch(r[1:], false)
		}
	}
	return nil
}
