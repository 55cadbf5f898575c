// Package button drives push buttons on GPIO pins. A press is told once, however
// much its contact bounces; a button that is kept down is told apart from one that
// is pushed; one that is stuck, or whose contact does not come to rest, is a fault
// and no press.
//
// What a press means, to confirm, to choose, to cancel, to call for help, is for
// the station to say.
package button

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"

	"traveler.example/drivers"
)

const (
	// DefaultDebounce is how long a contact has to rest. Makers of push buttons
	// promise 5 to 10 ms; worn and cheap ones take twice that.
	DefaultDebounce = 25 * time.Millisecond
	// DefaultStuck is how long a button may be down.
	DefaultStuck = time.Minute

	chatterLimit = 2 * time.Second        // the longest that a contact may bounce
	sampling     = 2 * time.Millisecond   // between samples while it bounces
	idle         = 100 * time.Millisecond // between samples while it rests: edges come first
	deafIdle     = 20 * time.Millisecond  // the same on a pin that cannot tell edges
	closeGrace   = 500 * time.Millisecond // for a wait in the kernel to end
)

// Faults of a button, as Err of a Fault event.
var (
	// ErrStuck: the button has been down for too long: something lies on it, it is
	// jammed, or its wire is short.
	ErrStuck = errors.New("button is stuck: it has been down")
	// ErrChatter: the contact opens and closes without end: it is worn, or its wire
	// loose.
	ErrChatter = errors.New("contact of the button does not come to rest: it has been bouncing")
)

// Config describes one button. Name and Open are needed.
type Config struct {
	Name string // Info.Name, and the Reader of its events
	Port string // Info.Port: the pin, for people
	// Open finds the pin. It is called anew when the pin could not be set up.
	Open func(ctx context.Context) (gpio.PinIn, error)
	// ActiveLow: the pin is low while the button is down, as with a button between
	// pin and ground.
	ActiveLow bool
	// ExternalPull: a resistor beside the button keeps the pin at its level while
	// the button is up. Else the pin's own is used: to high if ActiveLow, to low if
	// not.
	ExternalPull bool
	// Debounce is how long the contact has to rest before it counts; 0 means
	// DefaultDebounce. Shorter pulses, such as those that a motor induces, are
	// nothing.
	Debounce time.Duration
	// Long is how long a press is told as Held and no more as Pressed. With 0 there
	// is no such press, and Pressed comes when the button goes down, not when it
	// comes up.
	Long time.Duration
	// Stuck is how long the button may be down before it is a fault; 0 means
	// DefaultStuck.
	Stuck time.Duration
	// Supervisor paces attempts to set the pin up; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Button is a push button on a pin. It implements [drivers.Device]: beside Up, Down
// and Fault, its Run sends Pressed and Held.
type Button struct{ cfg Config }

// New returns a button whose pin is opened by Run.
func New(cfg Config) (*Button, error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("button: it has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("button %q has no pin", cfg.Name)
	case cfg.Debounce < 0 || cfg.Long < 0 || cfg.Stuck < 0:
		return nil, fmt.Errorf("button %q: debounce %v, long %v or stuck %v is negative", cfg.Name, cfg.Debounce, cfg.Long, cfg.Stuck)
	}
	if cfg.Debounce == 0 {
		cfg.Debounce = DefaultDebounce
	}
	if cfg.Stuck == 0 {
		cfg.Stuck = DefaultStuck
	}
	if cfg.Debounce >= chatterLimit {
		return nil, fmt.Errorf("button %q: debounce %v, must be below %v", cfg.Name, cfg.Debounce, chatterLimit)
	}
	if cfg.Long >= cfg.Stuck {
		return nil, fmt.Errorf("button %q: a long press of %v is no shorter than what counts as stuck, %v", cfg.Name, cfg.Long, cfg.Stuck)
	}
	cfg.Supervisor.Name = cfg.Name
	return &Button{cfg}, nil
}

// Info implements [drivers.Device].
func (b *Button) Info() drivers.Info {
	return drivers.Info{Name: b.cfg.Name, Driver: "button", Port: b.cfg.Port}
}

// Run implements [drivers.Device]. A button that is down when Run begins is not
// pressed until it has been let go.
//
// A pin whose WaitForEdge hangs, as some of periph's do (google/periph issue 434),
// slows the button down to ten looks a second and does not hold up the end: Halt is
// tried, and half a second later the wait is left to the kernel.
func (b *Button) Run(ctx context.Context, out chan<- drivers.Event) error {
	return b.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		pin, err := b.cfg.Open(ctx)
		if err != nil {
			return fmt.Errorf("find the pin: %w", err)
		}
		if err := pin.In(b.pull(), gpio.BothEdges); err != nil {
			return fmt.Errorf("set up pin %s for input: %w", pin.Name(), err)
		}
		up()
		w := watch(pin)
		defer w.stop()
		return b.watch(ctx, pin, w, out)
	}, out)
}

func (b *Button) pull() gpio.Pull {
	switch {
	case b.cfg.ExternalPull:
		return gpio.PullNoChange
	case b.cfg.ActiveLow:
		return gpio.PullUp
	}
	return gpio.PullDown
}

// watch samples the pin at each edge, and when something is due.
func (b *Button) watch(ctx context.Context, pin gpio.PinIn, w *watcher, out chan<- drivers.Event) error {
	closed := func() bool { return bool(pin.Read()) != b.cfg.ActiveLow }
	m := machine{debounce: b.cfg.Debounce, long: b.cfg.Long, stuck: b.cfg.Stuck}
	m.start(time.Now(), closed())
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.edge:
		case <-timer.C:
		}
		now := time.Now()
		if kind, fault := m.sample(now, closed()); kind != 0 {
			select {
			case out <- drivers.Event{Kind: kind, Reader: b.cfg.Name, At: now, Err: fault}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		wait := m.next(now)
		if w.deaf.Load() {
			wait = min(wait, deafIdle)
		}
		timer.Reset(wait)
	}
}

// watcher waits for edges in a goroutine of its own, since nothing but Halt ends
// such a wait early, and with some pins not even that.
type watcher struct {
	pin  gpio.PinIn
	edge chan struct{} // something moved
	deaf atomic.Bool   // the pin cannot wait
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

func watch(pin gpio.PinIn) *watcher {
	w := &watcher{pin: pin, edge: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *watcher) run() {
	defer close(w.done)
	for {
		started := time.Now()
		// Never 0 or below: that is "at once" for some pins and "for ever" for others.
		rest := sampling
		if w.pin.WaitForEdge(idle) {
			w.deaf.Store(false)
			select {
			case w.edge <- struct{}{}:
			default: // one that waits to be seen is enough
			}
		} else if time.Since(started) < idle/2 {
			w.deaf.Store(true) // it gave up at once: do not spin
			rest = idle
		}
		select {
		case <-w.quit:
			return
		case <-time.After(rest):
		}
	}
}

// stop ends the waiting.
func (w *watcher) stop() {
	w.once.Do(func() { close(w.quit) })
	_ = w.pin.Halt() // pins without a way to end a wait say so here, and their wait times out
	limit := time.NewTimer(closeGrace)
	defer limit.Stop()
	select {
	case <-w.done:
	case <-limit.C:
	}
}
