package emulate

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// What a host begins a transfer on SPI with (UM0701-02, 6.2).
const (
	pn532SPIWrite   = 0x01
	pn532SPIStatus  = 0x02
	pn532SPIRead    = 0x03
	pn532SPIFastest = 5 * physic.MegaHertz
	// pn532SPIWake is how long a chip that sleeps has to be selected until it wakes.
	pn532SPIWake = 2 * time.Millisecond
)

// PN532SPI is an emulated PN532 on SPI. It has power from the start; Close ends
// it.
type PN532SPI struct{ *pn532Bus }

// NewPN532SPI puts a chip on SPI.
func NewPN532SPI(device *PN532) *PN532SPI { return &PN532SPI{newPN532Bus(device)} }

// Open opens the host's end, as spireg.Open does.
func (s *PN532SPI) Open() (spi.PortCloser, error) { return &pn532SPIPort{chip: s}, nil }

// pn532SPIPort is the host's end. It implements spi.PortCloser and spi.Conn. Without
// power, the line from the chip floats high, and nobody notices.
type pn532SPIPort struct {
	chip *PN532SPI

	mu     sync.Mutex
	speed  physic.Frequency
	lsb    bool // the host turns the bits around itself
	closed bool
}

func (p *pn532SPIPort) String() string { return "emulated PN532 on SPI" }

// LimitSpeed implements spi.PortCloser.
func (p *pn532SPIPort) LimitSpeed(physic.Frequency) error { return nil }

// Connect implements spi.Port.
func (p *pn532SPIPort) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	switch {
	case f <= 0 || f > pn532SPIFastest:
		return nil, fmt.Errorf("a PN532 cannot do %s, at most %s", f, pn532SPIFastest)
	case mode&^spi.LSBFirst != spi.Mode0:
		return nil, fmt.Errorf("a PN532 does not speak mode %s", mode)
	case bits != 8:
		return nil, fmt.Errorf("a PN532 does not speak words of %d bits", bits)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.speed != 0 || p.closed {
		return nil, errors.New("SPI port is connected already, or closed")
	}
	p.speed, p.lsb = f, mode&spi.LSBFirst != 0
	return p, nil
}

// Close implements io.Closer.
func (p *pn532SPIPort) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// Duplex implements conn.Conn.
func (p *pn532SPIPort) Duplex() conn.Duplex { return conn.Full }

// TxPackets implements spi.Conn.
func (p *pn532SPIPort) TxPackets(packets []spi.Packet) error {
	for _, x := range packets {
		if x.KeepCS {
			return errors.New("this SPI port cannot keep a chip selected")
		}
		if err := p.Tx(x.W, x.R); err != nil {
			return err
		}
	}
	return nil
}

// Tx implements conn.Conn.
func (p *pn532SPIPort) Tx(w, r []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("SPI port is closed")
	}
	if len(w) != 0 && len(r) != 0 && len(w) != len(r) {
		return fmt.Errorf("%d bytes to write and %d to read at once", len(w), len(r))
	}
	out, in := make([]byte, max(len(w), len(r))), make([]byte, max(len(w), len(r)))
	copy(out, w)
	p.turn(out)
	p.transfer(out, in)
	p.turn(in)
	copy(r, in)
	return nil
}

// turn brings bytes from the host's order of bits into the chip's, or back.
func (p *pn532SPIPort) turn(b []byte) {
	if !p.lsb {
		for i, x := range b {
			b[i] = bits.Reverse8(x)
		}
	}
}

func (p *pn532SPIPort) transfer(out, in []byte) {
	for i := range in {
		in[i] = 0xFF
	}
	box := p.chip.powered()
	if box == nil || len(out) == 0 {
		return
	}
	if time.Duration(len(out))*8*p.speed.Period() >= pn532SPIWake {
		box.tell(pn532WakeByte)
	}
	switch out[0] {
	case pn532SPIWrite:
		box.forgetFrames()
		box.tell(out[1:]...)
	case pn532SPIStatus:
		for i := range in[1:] {
			in[1+i] = oneIf(box.ready())
		}
	case pn532SPIRead:
		box.fetch(in[1:], true)
	}
}
