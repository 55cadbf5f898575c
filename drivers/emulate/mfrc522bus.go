package emulate

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// maxSPIClock is the fastest clock of the chip (data sheet, 8.1.2).
const maxSPIClock = 10 * physic.MegaHertz

// spiPort is the host's SPI port with an MFRC522 on it.
type spiPort struct {
	device    *MFRC522
	limit     physic.Frequency
	connected bool
	closed    bool
}

func (p *spiPort) String() string { return "emulated SPI" }

// Close implements io.Closer.
func (p *spiPort) Close() error {
	p.device.mu.Lock()
	defer p.device.mu.Unlock()
	if p.closed {
		return errors.New("port is closed already")
	}
	p.closed, p.device.open = true, false
	return nil
}

// LimitSpeed implements spi.PortCloser.
func (p *spiPort) LimitSpeed(f physic.Frequency) error {
	if f <= 0 {
		return fmt.Errorf("speed %v is not above zero", f)
	}
	p.limit = f
	return nil
}

// Connect implements spi.Port. It refuses what the chip would not understand.
func (p *spiPort) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	if p.limit > 0 && (f == 0 || p.limit < f) {
		f = p.limit
	}
	switch {
	case p.connected:
		return nil, errors.New("port is connected already")
	case mode != spi.Mode0:
		return nil, fmt.Errorf("%v: an MFRC522 speaks mode 0, highest bit first", mode)
	case bits != 8:
		return nil, fmt.Errorf("%d bits a word: an MFRC522 speaks 8", bits)
	case f <= 0 || f > maxSPIClock:
		return nil, fmt.Errorf("%v: an MFRC522 takes a clock up to %v", f, maxSPIClock)
	}
	p.connected = true
	return &spiConn{port: p, clock: f}, nil
}

// spiConn is the connection to the chip.
type spiConn struct {
	port  *spiPort
	clock physic.Frequency
}

func (c *spiConn) String() string      { return c.port.String() }
func (c *spiConn) Duplex() conn.Duplex { return conn.Full }

// TxPackets implements spi.Conn. Chip select goes up between packets.
func (c *spiConn) TxPackets(packets []spi.Packet) error {
	for _, p := range packets {
		if p.KeepCS {
			return errors.New("the chip takes a transfer that goes on for one address only")
		}
		if err := c.Tx(p.W, p.R); err != nil {
			return err
		}
	}
	return nil
}

// Tx implements conn.Conn: one transfer, with chip select low from its first
// byte to its last (data sheet, 8.1.2). Bit 7 of the first byte tells a read,
// in which each further byte is the address of the next value, from a write, in
// which all of them are values for one address.
func (c *spiConn) Tx(w, r []byte) error {
	if len(w) == 0 || len(r) != 0 && len(r) != len(w) {
		return fmt.Errorf("transfer of %d bytes out and %d in", len(w), len(r))
	}
	d := c.port.device
	if d.cfg.Paced {
		time.Sleep(8 * time.Duration(len(w)) * c.clock.Period())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.port.closed {
		return errors.New("port is closed")
	}
	now := time.Now()
	d.transfers++
	if ok, instead := d.reachable(now); !ok {
		for i := range r {
			r[i] = instead
		}
		return nil
	}
	d.chip.advance(now)
	if w[0]&0x80 == 0 {
		clear(r)
		for _, v := range w[1:] {
			d.chip.write(addressed(w[0]), v)
		}
	} else {
		for i := range w[1:] {
			v := d.chip.read(addressed(w[i]))
			if len(r) > 0 {
				r[i+1] = v
			}
		}
	}
	d.chip.settle()
	return nil
}

func addressed(b byte) byte { return b >> 1 & 0x3F }

// hostPin is what every pin says of itself.
type hostPin string

func (p hostPin) String() string { return string(p) }

// Name implements pin.Pin.
func (p hostPin) Name() string { return string(p) }

// Number implements pin.Pin.
func (hostPin) Number() int { return -1 }

// Function implements pin.Pin.
func (hostPin) Function() string { return "" }

// Halt implements conn.Resource.
func (hostPin) Halt() error { return nil }

// resetPin drives NRSTPD.
type resetPin struct {
	hostPin
	device *MFRC522
}

// PWM implements gpio.PinOut.
func (resetPin) PWM(gpio.Duty, physic.Frequency) error {
	return errors.New("a reset pin is high or low")
}

// Out implements gpio.PinOut.
func (p resetPin) Out(l gpio.Level) error {
	d := p.device
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heldReset = l == gpio.Low
	d.hung = d.hung && !d.heldReset
	d.chip.powerUp(time.Now())
	return nil
}

// irqPin is the IRQ pin of the chip, as an input of the host.
type irqPin struct {
	hostPin
	device *MFRC522
	wake   chan struct{}

	edge  gpio.Edge // all below under the lock of the device
	level gpio.Level
	edges int
}

// Pull implements gpio.PinIn.
func (*irqPin) Pull() gpio.Pull { return gpio.PullUp }

// DefaultPull implements gpio.PinIn.
func (*irqPin) DefaultPull() gpio.Pull { return gpio.PullUp }

// In implements gpio.PinIn.
func (p *irqPin) In(_ gpio.Pull, edge gpio.Edge) error {
	p.device.mu.Lock()
	defer p.device.mu.Unlock()
	p.edge, p.edges = edge, 0
	p.stir()
	return nil
}

// Read implements gpio.PinIn.
func (p *irqPin) Read() gpio.Level {
	p.device.mu.Lock()
	defer p.device.mu.Unlock()
	p.device.chip.advance(time.Now())
	return p.level
}

// set moves the pin. Called under the lock of the device.
func (p *irqPin) set(l gpio.Level) {
	if l == p.level || p.device.faults.on(FaultStuckIRQ) {
		return
	}
	p.level = l
	if p.edge == gpio.BothEdges || p.edge == gpio.RisingEdge && l || p.edge == gpio.FallingEdge && !l {
		p.edges++
	}
	p.stir()
}

func (p *irqPin) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// WaitForEdge implements gpio.PinIn. Edges that came before count once.
func (p *irqPin) WaitForEdge(timeout time.Duration) bool {
	end := time.Now().Add(timeout)
	for {
		next, edge := p.look()
		if edge {
			return true
		}
		wait := next
		if left := time.Until(end); timeout >= 0 && left < wait {
			if left <= 0 {
				return false
			}
			wait = left
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		}
		timer.Stop()
	}
}

// look takes an edge, if there is one, and else says when the chip moves next.
func (p *irqPin) look() (next time.Duration, edge bool) {
	d := p.device
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.chip.advance(now)
	if p.edges > 0 {
		p.edges = 0
		return 0, true
	}
	return d.chip.next(now), false
}
