package emulate

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// pn532Bus is a PN532 on a bus: what it says waits until the host fetches it,
// frame by frame. The chip is the same as on a serial line.
type pn532Bus struct {
	device *PN532
	irq    pn532IRQ

	mu     sync.Mutex
	box    *pn532Mailbox // nil without power
	cancel context.CancelFunc
	wait   sync.WaitGroup
	away   bool // unplugged
	held   bool // by the reset pin
}

func newPN532Bus(device *PN532) *pn532Bus {
	b := &pn532Bus{device: device, irq: pn532IRQ{edge: make(chan struct{}, 1)}}
	b.power(&b.held, false)
	return b
}

// Unplug takes the chip off the bus and its power away.
func (b *pn532Bus) Unplug() error { b.power(&b.away, true); return nil }

// Replug brings it back, without its settings.
func (b *pn532Bus) Replug() error { b.power(&b.away, false); return nil }

// Close takes the chip away.
func (b *pn532Bus) Close() error { return b.Unplug() }

// IRQ is the pin P70_IRQ: low while the host has something to fetch.
func (b *pn532Bus) IRQ() gpio.PinIn { return &b.irq }

// Reset is the pin RSTPDN: low takes the chip's power away.
func (b *pn532Bus) Reset() gpio.PinOut { return pn532Reset{b} }

// power sets one of the reasons why the chip may have no power, and what follows.
func (b *pn532Bus) power(reason *bool, off bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*reason = off
	switch on := !b.away && !b.held; {
	case on && b.box == nil:
		ctx, cancel := context.WithCancel(context.Background())
		box := &pn532Mailbox{irq: &b.irq, more: make(chan struct{}, 1), done: make(chan struct{})}
		b.box, b.cancel = box, cancel
		b.wait.Go(func() { _ = b.device.Serve(ctx, box) }) // it ends with ctx, and says no more than that
	case !on && b.box != nil:
		b.cancel()
		b.wait.Wait()
		b.box = nil
		b.irq.set(false)
	}
}

// powered returns the pn532Mailbox of the chip, nil without power.
func (b *pn532Bus) powered() *pn532Mailbox {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.box
}

// pn532Mailbox is the chip's end of a line, and the host's side of a bus.
type pn532Mailbox struct {
	irq  *pn532IRQ
	more chan struct{}
	once sync.Once
	done chan struct{}

	mu     sync.Mutex
	in     []byte   // for the chip
	frames [][]byte // for the host
}

// pn532WakeByte is heard by a chip that sleeps as being woken; any other skips it.
const pn532WakeByte = 0x55

// Read implements io.Reader for the chip.
func (m *pn532Mailbox) Read(p []byte) (int, error) {
	for {
		m.mu.Lock()
		n := copy(p, m.in)
		m.in = m.in[n:]
		m.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-m.more:
		case <-m.done:
			return 0, io.EOF
		}
	}
}

// Write implements io.Writer for the chip.
func (m *pn532Mailbox) Write(p []byte) (int, error) { return len(p), m.writePacket(p) }

// writePacket implements packetLine.
func (m *pn532Mailbox) writePacket(p []byte) error {
	select {
	case <-m.done:
		return io.ErrClosedPipe
	default:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.frames) < backlog {
		m.frames = append(m.frames, append([]byte(nil), p...))
	}
	m.irq.set(true)
	return nil
}

// Close implements io.Closer for the chip.
func (m *pn532Mailbox) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

// tell hands bytes of the host to the chip. What the host did not fetch by then
// is lost.
func (m *pn532Mailbox) tell(b ...byte) {
	m.mu.Lock()
	if len(m.in) < 4*longestHostFrame {
		m.in = append(m.in, b...)
	}
	m.mu.Unlock()
	select {
	case m.more <- struct{}{}:
	default:
	}
}

func (m *pn532Mailbox) forgetFrames() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames = nil
	m.irq.set(false)
}

func (m *pn532Mailbox) ready() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.frames) > 0
}

// fetch fills b with the next frame, and what comes behind it with the level of
// an idle line. Of a frame that is longer, the rest stays if keep says so.
func (m *pn532Mailbox) fetch(b []byte, keep bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	if len(m.frames) > 0 {
		n = copy(b, m.frames[0])
		if m.frames[0] = m.frames[0][n:]; len(m.frames[0]) == 0 || !keep {
			m.frames = m.frames[1:]
		}
	}
	for i := n; i < len(b); i++ {
		b[i] = 0xFF
	}
	m.irq.set(len(m.frames) > 0)
}

// pn532IRQ is an interrupt pin, active low.
type pn532IRQ struct {
	mu   sync.Mutex
	low  bool
	edge chan struct{}
}

func (p *pn532IRQ) set(low bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if low && !p.low {
		select {
		case p.edge <- struct{}{}:
		default:
		}
	}
	p.low = low
}

func (p *pn532IRQ) String() string                { return "P70_IRQ" }
func (p *pn532IRQ) Halt() error                   { return nil }
func (p *pn532IRQ) Name() string                  { return p.String() }
func (p *pn532IRQ) Number() int                   { return -1 }
func (p *pn532IRQ) Function() string              { return "In" }
func (p *pn532IRQ) In(gpio.Pull, gpio.Edge) error { return nil }
func (p *pn532IRQ) Pull() gpio.Pull               { return gpio.PullUp }
func (p *pn532IRQ) DefaultPull() gpio.Pull        { return gpio.PullUp }

// Read implements gpio.PinIn.
func (p *pn532IRQ) Read() gpio.Level {
	p.mu.Lock()
	defer p.mu.Unlock()
	return gpio.Level(!p.low)
}

// WaitForEdge implements gpio.PinIn.
func (p *pn532IRQ) WaitForEdge(timeout time.Duration) bool {
	limit := make(<-chan time.Time)
	if timeout >= 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		limit = t.C
	}
	select {
	case <-p.edge:
		return true
	case <-limit:
		return false
	}
}

// pn532Reset is a reset pin, active low.
type pn532Reset struct{ bus *pn532Bus }

func (p pn532Reset) String() string   { return "RSTPDN" }
func (p pn532Reset) Halt() error      { return nil }
func (p pn532Reset) Name() string     { return p.String() }
func (p pn532Reset) Number() int      { return -1 }
func (p pn532Reset) Function() string { return "Out" }

// Out implements gpio.PinOut.
func (p pn532Reset) Out(l gpio.Level) error { p.bus.power(&p.bus.held, l == gpio.Low); return nil }

// PWM implements gpio.PinOut.
func (p pn532Reset) PWM(gpio.Duty, physic.Frequency) error {
	return errors.New("RSTPDN is no output of pulses")
}
