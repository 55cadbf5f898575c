package stacklight

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3"

	"traveler.example/drivers"
)

// PinNames names the pins of a stack light as the board calls them, such as
// "GPIO17".
type PinNames struct {
	Red, Amber, Green string
	// ActiveLow: a lamp is lit when its pin is low, as most relay boards want it.
	ActiveLow bool
}

// Pins are the outputs of a stack light.
type Pins struct {
	Red, Amber, Green gpio.PinOut
	ActiveLow         bool
}

// step is one part of a rhythm: which lamps are lit, and for how long.
type step struct {
	red, amber, green bool
	hold              time.Duration // 0: until the next signal
}

// rhythm returns what an aspect looks like. No two have the same rhythm, so
// that they are told apart without colours, and none flashes more than three
// times a second.
func rhythm(a drivers.Aspect) []step {
	const ms = time.Millisecond
	switch a {
	case drivers.AspectIdle:
		return []step{{}}
	case drivers.AspectGreen:
		return []step{{green: true}}
	case drivers.AspectAmber:
		return []step{{amber: true, hold: 1000 * ms}, {hold: 1000 * ms}}
	case drivers.AspectRed:
		return []step{{red: true, hold: 200 * ms}, {hold: 200 * ms}}
	}
	// A fault, and whatever else is not known here.
	blink, gap := step{red: true, amber: true, hold: 150 * ms}, step{hold: 200 * ms}
	return []step{blink, gap, blink, {hold: 1200 * ms}}
}

// GPIO is a stack light of three lamps on pins: green steady, red blinking fast,
// amber blinking slowly, and for a fault red and amber in double blinks.
type GPIO struct {
	pins Pins
	show chan showing
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

// showing is one Show on its way to the goroutine that owns the pins.
type showing struct {
	aspect drivers.Aspect
	result chan<- error
}

// OpenGPIO finds the pins by their names and returns a dark light. Close it to
// end it.
func OpenGPIO(names PinNames) (*GPIO, error) {
	if _, err := host.Init(); err != nil {
		return nil, fmt.Errorf("stacklight: open GPIO of this board: %w", err)
	}
	pins := Pins{ActiveLow: names.ActiveLow}
	for _, p := range []struct {
		lamp, name string
		pin        *gpio.PinOut
	}{{"red", names.Red, &pins.Red}, {"amber", names.Amber, &pins.Amber}, {"green", names.Green, &pins.Green}} {
		found := gpioreg.ByName(p.name)
		if found == nil {
			return nil, fmt.Errorf("stacklight: this board has no pin %q for the %s lamp", p.name, p.lamp)
		}
		*p.pin = found
	}
	return NewGPIO(pins)
}

// NewGPIO returns a dark light on pins. Close it to end it.
func NewGPIO(pins Pins) (*GPIO, error) {
	if pins.Red == nil || pins.Amber == nil || pins.Green == nil {
		return nil, errors.New("stacklight: red, amber and green need a pin each")
	}
	g := &GPIO{pins: pins, show: make(chan showing), quit: make(chan struct{}), done: make(chan struct{})}
	if err := g.light(step{}); err != nil {
		return nil, err
	}
	go g.run()
	return g, nil
}

// Show implements [drivers.Light]. An error of a lamp that failed while it
// blinked is reported by the next Show.
func (g *GPIO) Show(ctx context.Context, s drivers.Signal) error {
	result := make(chan error, 1)
	select {
	case g.show <- showing{s.Aspect, result}:
		return <-result
	case <-g.done:
		return fmt.Errorf("show %v: %w", s.Aspect, drivers.ErrClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close puts all lamps out and ends the blinking.
func (g *GPIO) Close() error {
	g.once.Do(func() { close(g.quit) })
	<-g.done
	return g.light(step{})
}

func (g *GPIO) run() {
	defer close(g.done)
	var failed error
	steps, i := rhythm(drivers.AspectIdle), 0
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-g.quit:
			return
		case s := <-g.show:
			steps, i = rhythm(s.aspect), 0
			s.result <- errors.Join(failed, g.light(steps[0]))
			failed = nil
		case <-timer.C:
			i = (i + 1) % len(steps)
			if err := g.light(steps[i]); err != nil {
				failed = err
			}
		}
		timer.Stop()
		if d := steps[i].hold; d > 0 {
			timer.Reset(d)
		}
	}
}

// light sets the lamps. Those that go out do so before others are lit: two
// verdicts are never seen at once.
func (g *GPIO) light(s step) error {
	lamps := []struct {
		name string
		pin  gpio.PinOut
		lit  bool
	}{{"red", g.pins.Red, s.red}, {"amber", g.pins.Amber, s.amber}, {"green", g.pins.Green, s.green}}
	var errs []error
	for _, lit := range []bool{false, true} {
		for _, l := range lamps {
			if l.lit != lit {
				continue
			}
			if err := l.pin.Out(gpio.Level(lit != g.pins.ActiveLow)); err != nil {
				errs = append(errs, fmt.Errorf("stacklight: %s lamp on pin %s: %w", l.name, l.pin.Name(), err))
			}
		}
	}
	return errors.Join(errs...)
}
