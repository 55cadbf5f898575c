package pn532

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"

	"traveler.example/drivers"
)

const (
	// wakeTime is what the chip needs from being addressed to hearing. Libraries
	// that are proven on boards, Adafruit's and Seeed's, take 2 ms on SPI.
	wakeTime = 2 * time.Millisecond
	// resetTime is how long the reset pin is held, and how long the chip then
	// needs until it answers.
	resetTime = 10 * time.Millisecond
	// pollMin and pollMax are the times between questions whether the chip is
	// ready, where it has no pin to say so.
	pollMin = 200 * time.Microsecond
	pollMax = 2 * time.Millisecond
	// edgeSlice bounds one wait for the pin, so that Close is seen and an edge
	// that was missed does no harm.
	edgeSlice = 20 * time.Millisecond
	// busTries is how often a transfer is tried: a chip that sleeps may not
	// acknowledge its address the first time.
	busTries = 3
)

// bus carries frames to and from a chip that has to be asked whether it has one.
type bus interface {
	// ready reports whether the chip has a frame. It may fetch it as well.
	ready() (bool, error)
	// fetch reads a frame into b and returns how much of b it filled.
	fetch(b []byte) (int, error)
	// wake addresses the chip for long enough to wake it.
	wake() error
	// send writes a frame.
	send(b []byte) error
	close() error
}

// busPort makes a [drivers.Port] of a bus. What it reads are frames one by one,
// without what buses give behind their end.
type busPort struct {
	bus
	irq    gpio.PinIn // low while the chip has a frame; nil: it is polled
	expect int        // the longest frame that is expected
	buf    [maxFrame + 8]byte
	left   []byte

	deadline time.Time
	pause    *time.Timer
	closing  atomic.Bool
	closed   chan struct{}
}

func newBusPort(b bus, irq gpio.PinIn) *busPort {
	return &busPort{bus: b, irq: irq, expect: maxFrame, pause: time.NewTimer(time.Hour), closed: make(chan struct{})}
}

// pins sets up the optional pins, and resets the chip if it can.
func pins(ctx context.Context, irq gpio.PinIn, reset gpio.PinOut) error {
	if irq != nil {
		if err := irq.In(gpio.PullUp, gpio.FallingEdge); err != nil {
			return fmt.Errorf("set up the IRQ pin %s: %w", irq, err)
		}
	}
	if reset == nil {
		return nil
	}
	for _, level := range []gpio.Level{gpio.Low, gpio.High} {
		if err := reset.Out(level); err != nil {
			return fmt.Errorf("reset by pin %s: %w", reset, err)
		}
		select {
		case <-time.After(resetTime):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Wake wakes the chip by addressing it. Serial lines have a preamble for that.
func (p *busPort) Wake() error {
	if err := p.wake(); err != nil && p.closing.Load() {
		return drivers.ErrClosed
	} // else an error is the chip's, which did not hear yet
	p.rest(wakeTime)
	return nil
}

// interrupts reports whether the chip has to drive its IRQ pin.
func (p *busPort) interrupts() bool { return p.irq != nil }

// Expect says how long the next answer may be.
func (p *busPort) Expect(n int) { p.expect = min(max(n, len(ackFrame)), maxFrame) }

// SetReadDeadline implements [drivers.Port].
func (p *busPort) SetReadDeadline(t time.Time) error {
	p.deadline = t
	return nil
}

// Write implements [drivers.Port].
func (p *busPort) Write(b []byte) (int, error) {
	p.left = nil // it answers something older
	var err error
	for range busTries {
		if p.closing.Load() {
			return 0, drivers.ErrClosed
		}
		if err = p.send(b); err == nil {
			return len(b), nil
		}
		p.rest(wakeTime)
	}
	return 0, fmt.Errorf("%w: %w", drivers.ErrUnplugged, err)
}

// Read implements [drivers.Port].
func (p *busPort) Read(b []byte) (int, error) {
	for wait := pollMin; ; wait = min(2*wait, pollMax) {
		if len(p.left) > 0 {
			n := copy(b, p.left)
			p.left = p.left[n:]
			return n, nil
		}
		if p.closing.Load() {
			return 0, drivers.ErrClosed
		}
		left := time.Until(p.deadline)
		if !p.deadline.IsZero() && left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		if p.deadline.IsZero() {
			left = edgeSlice
		}
		p.signal(min(left, edgeSlice))
		if p.take(); len(p.left) == 0 {
			p.rest(min(wait, left))
		}
	}
}

// signal waits for the IRQ pin, if there is one. The bus is asked afterwards even
// if the pin said nothing: one that was never connected must not make a chip
// dumb.
func (p *busPort) signal(limit time.Duration) {
	if p.irq != nil && p.irq.Read() == gpio.High {
		p.irq.WaitForEdge(limit)
	}
}

// take reads a frame if there is one. A transfer that fails is one of a chip
// that is not ready: if it stays so, it is silent.
func (p *busPort) take() {
	ready, err := p.ready()
	if err != nil || !ready {
		return
	}
	buf := p.buf[:min(p.expect+1, len(p.buf))]
	n, err := p.fetch(buf)
	if err == nil {
		p.left = cut(buf[:n])
	}
}

// cut returns the frame in b without what lies around it: a whole one if there
// is any, else what begins like one, and nothing of a line that floats.
func cut(b []byte) []byte {
	var rest []byte
	for i := range b {
		f, size, more := parse(b[i:])
		switch {
		case size > 0 && f.Kind != FrameCorrupt:
			return b[i : i+size]
		case rest == nil && (size > 0 || more && i+1 < len(b)):
			rest = b[i:]
		}
	}
	return rest
}

func (p *busPort) rest(d time.Duration) {
	p.pause.Reset(d)
	select {
	case <-p.pause.C:
	case <-p.closed:
	}
}

// Close implements [drivers.Port].
func (p *busPort) Close() error {
	if p.closing.Swap(true) {
		return nil
	}
	close(p.closed)
	return p.bus.close()
}
