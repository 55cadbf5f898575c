package stacklight

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"traveler.example/drivers"
)

// ErrInterrupted: a signal came while the light was tested. It is shown.
var ErrInterrupted = errors.New("test was interrupted by a signal")

// GPIO is a stack light of three lamps on pins, and perhaps a buzzer: green steady,
// red blinking fast, amber blinking slowly, and for a fault red and amber in double
// blinks. For what is heard see [Sound].
type GPIO struct {
	pins  Pins
	sound Sound
	calls chan func() // for the goroutine that owns the pins and what follows
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once

	aspect     drivers.Aspect
	look, beep track
	failed     error        // of an output, since the last signal
	testing    chan<- error // where the outcome of the test under way is waited for
}

// NewGPIO returns a dark, silent light on pins, or a buzzer that stands alone. A pin
// that cannot be driven now, as when another program holds it, is reported by Show,
// which tries it anew each time. Close it to end it.
func NewGPIO(pins Pins, sound Sound) (*GPIO, error) {
	if has := pins.parts(); has != buzzer && has&lamps != lamps {
		return nil, errors.New("stacklight: red, amber and green need a pin each, or the buzzer one if it stands alone")
	}
	g := &GPIO{
		pins: pins, sound: sound, calls: make(chan func()), quit: make(chan struct{}), done: make(chan struct{}),
		look: newTrack(), beep: newTrack(),
	}
	_ = pins.set(all, 0) // at once; run tries it again and keeps what fails for the next Show
	go g.run()
	return g, nil
}

// Show implements [drivers.Light]. An error of an output that failed while a
// pattern was played is reported by the next Show.
func (g *GPIO) Show(ctx context.Context, s drivers.Signal) error {
	var err error
	called := g.call(ctx, func() {
		g.endTest(ErrInterrupted)
		err = errors.Join(g.failed, g.show(s.Aspect, g.sound))
		g.failed = nil
	})
	if called != nil {
		return fmt.Errorf("show %v: %w", s.Aspect, called)
	}
	return err
}

// Tour names the parts of the light in the order in which Test switches them on.
func (g *GPIO) Tour() []string {
	var names []string
	for _, o := range g.pins.named() { // in the order of tour
		if o.Pin != nil {
			names = append(names, o.name)
		}
	}
	return names
}

// Test switches on each lamp and then the buzzer by itself, also if it is quiet,
// so that a person can see and hear what works; it takes 2.4 s, and 0.3 s where there
// is only a buzzer. Then the signal
// from before is shown again, without its sound. A signal that comes meanwhile is
// shown at once: [ErrInterrupted].
func (g *GPIO) Test(ctx context.Context) error {
	outcome := make(chan error, 1)
	err := g.call(ctx, func() {
		g.endTest(ErrInterrupted)
		g.testing = outcome
		g.beep.stop()
		g.note(g.pins.set(all, g.look.play(all, tour(g.pins.parts()), 1)))
	})
	if err != nil {
		return fmt.Errorf("test the light: %w", err)
	}
	select {
	case err = <-outcome:
	case <-g.done:
		err = drivers.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
		_ = g.call(context.WithoutCancel(ctx), func() {
			if g.testing == outcome {
				g.finishTest(err)
			}
		})
	}
	if err != nil {
		return fmt.Errorf("test the light: %w", err)
	}
	return nil
}

// Close puts all lamps out, silences the buzzer and ends the patterns. The outputs
// stay in that state. It may be called again.
func (g *GPIO) Close() error {
	g.once.Do(func() { close(g.quit) })
	<-g.done
	return g.pins.set(all, 0)
}

// call has the owner of the pins run f and returns when it has.
func (g *GPIO) call(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case g.calls <- func() { defer close(ran); f() }:
		<-ran
		return nil
	case <-g.done:
		return drivers.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *GPIO) run() {
	defer close(g.done)
	defer g.look.stop()
	defer g.beep.stop()
	g.note(g.show(drivers.AspectIdle, g.sound))
	for {
		select {
		case <-g.quit:
			return
		case f := <-g.calls:
			f()
		case <-g.look.timer.C:
			on, ended := g.look.next()
			if ended && g.testing != nil {
				g.finishTest(nil)
				continue
			}
			g.note(g.pins.set(g.look.which, on))
		case <-g.beep.timer.C:
			on, _ := g.beep.next()
			g.note(g.pins.set(g.beep.which, on))
		}
	}
}

// show plays both patterns of an aspect from their beginning.
func (g *GPIO) show(a drivers.Aspect, s Sound) error {
	g.aspect = a
	heard, times := s.pattern(a)
	on := g.look.play(lamps, rhythm(a), 0) | g.beep.play(buzzer, heard, times)
	return g.pins.set(all, on)
}

// note keeps the last error: a lamp that fails while it blinks fails without end.
func (g *GPIO) note(err error) {
	if err != nil {
		g.failed = err
	}
}

// endTest tells who waits for a test that it is over.
func (g *GPIO) endTest(err error) {
	if g.testing != nil {
		g.testing <- err
		g.testing = nil
	}
}

// finishTest goes back to the signal from before the test. What failed is the
// test's to tell.
func (g *GPIO) finishTest(err error) {
	err = errors.Join(err, g.failed, g.show(g.aspect, Sound{Quiet: true}))
	g.failed = nil
	g.endTest(err)
}
