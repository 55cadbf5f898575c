package button_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"traveler.example/drivers"
	"traveler.example/drivers/button"
	"traveler.example/drivers/emulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// rig is a button that runs, with what it says and the hand that pushes it.
type rig struct {
	*emulate.Button
	t      *testing.T
	events chan drivers.Event
	cancel func()
	ended  chan struct{}
	start  time.Time
	said   []drivers.Event
}

// withButton runs a test in virtual time.
func withButton(t *testing.T, cfg button.Config, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{Button: emulate.NewButton("GPIO5", cfg.ActiveLow), t: t}
		cfg.Open = func(context.Context) (gpio.PinIn, error) { return r.Button, nil }
		r.run(cfg)
		test(r)
		r.end()
	})
}

func (r *rig) run(cfg button.Config) {
	r.t.Helper()
	cfg.Name, cfg.Port = "confirm", "GPIO5"
	b, err := button.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	if i := b.Info(); i != (drivers.Info{Name: "confirm", Driver: "button", Port: "GPIO5"}) {
		r.t.Errorf("info %+v", i)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel, r.events, r.ended, r.start = cancel, make(chan drivers.Event, 64), make(chan struct{}), time.Now()
	go func() {
		defer close(r.ended)
		if err := b.Run(ctx, r.events); err != nil {
			r.t.Errorf("run ended with %v", err)
		}
	}()
}

// end ends the run and checks that it takes no second.
func (r *rig) end() {
	r.t.Helper()
	r.cancel()
	began := time.Now()
	<-r.ended
	if took := time.Since(began); took > time.Second {
		r.t.Errorf("run ended after %v, want at most 1 s", took)
	}
}

func (r *rig) do(command string) {
	r.t.Helper()
	if err := r.Do(command); err != nil {
		r.t.Fatal(err)
	}
}

// heard lists what was said since the last call: kinds with their times in ms since
// the start.
func (r *rig) heard() string {
	r.t.Helper()
	var text []string
	for {
		select {
		case e := <-r.events:
			if e.Reader != "confirm" || e.Tag != (drivers.Tag{}) || (e.Err != nil) != (e.Kind == drivers.Fault || e.Kind == drivers.Down) {
				r.t.Errorf("event %+v", e)
			}
			r.said = append(r.said, e)
			text = append(text, fmt.Sprintf("%v@%d", e.Kind, e.At.Sub(r.start).Milliseconds()))
		default:
			return strings.Join(text, " ")
		}
	}
}

func (r *rig) expect(want string) {
	r.t.Helper()
	if got := r.heard(); got != want {
		r.t.Errorf("heard %q, want %q", got, want)
	}
}

// play pushes the button down and lets it go in turn, after each of the times.
func (r *rig) play(times ...time.Duration) {
	for i, d := range times {
		time.Sleep(d)
		if i%2 == 0 {
			r.Press()
		} else {
			r.Release()
		}
	}
	time.Sleep(time.Second)
}

// The contact bounces for 5 ms, so what is due 25 ms after it comes to rest is due
// 30 ms after it moves, and is seen by the next sample, up to 2 ms later.
func TestPresses(t *testing.T) {
	long := button.Config{Long: 800 * ms}
	for _, tt := range []struct {
		name  string
		cfg   button.Config
		times []time.Duration
		want  string
	}{
		{"told when it goes down", button.Config{}, []time.Duration{1000 * ms, 200 * ms}, "up@0 pressed@1031"},
		{"told when it comes up, if it could be held", long, []time.Duration{1000 * ms, 200 * ms}, "up@0 pressed@1231"},
		{"held", long, []time.Duration{1000 * ms, 5000 * ms}, "up@0 held@1805"},
		{"just not held", long, []time.Duration{1000 * ms, 770 * ms}, "up@0 pressed@1801"},
		{"several", button.Config{}, []time.Duration{1000 * ms, 100 * ms, 100 * ms, 100 * ms}, "up@0 pressed@1031 pressed@1231"},
		{"a pulse is none", button.Config{}, []time.Duration{1000 * ms, 15 * ms}, "up@0"},
		{"a gap is none", button.Config{}, []time.Duration{1000 * ms, 200 * ms, 10 * ms, 200 * ms}, "up@0 pressed@1031"},
		{"longer debounce", button.Config{Debounce: 100 * ms}, []time.Duration{1000 * ms, 80 * ms, 500 * ms, 200 * ms}, "up@0 pressed@1686"},
	} {
		for _, activeLow := range []bool{false, true} {
			for _, external := range []bool{false, true} {
				cfg := tt.cfg
				cfg.ActiveLow, cfg.ExternalPull = activeLow, external
				withButton(t, cfg, func(r *rig) {
					r.play(tt.times...)
					if got := r.heard(); !near(got, tt.want) {
						t.Errorf("%s, active low %v: heard %q, want %q", tt.name, activeLow, got, tt.want)
					}
				})
			}
		}
	}
}

// near compares what was heard, but for 3 ms.
func near(got, want string) bool {
	g, w := strings.Fields(got), strings.Fields(want)
	return slices.EqualFunc(g, w, func(a, b string) bool {
		var x, y int
		ka, ta, _ := strings.Cut(a, "@")
		kb, tb, _ := strings.Cut(b, "@")
		fmt.Sscan(ta, &x)
		fmt.Sscan(tb, &y)
		return ka == kb && max(x-y, y-x) <= 3
	})
}

// However the contact bounces, one press is one.
func TestBounces(t *testing.T) {
	for _, pattern := range [][]time.Duration{
		nil,
		{ms},
		{ms / 10, ms / 10, ms / 10, ms / 10, ms / 10, ms / 10},
		{20 * ms, 1 * ms, 20 * ms, 1 * ms},
		{1 * ms, 20 * ms, 1 * ms, 20 * ms, 1 * ms},
	} {
		withButton(t, button.Config{}, func(r *rig) {
			r.Bounce(pattern...)
			for range 5 {
				r.play(300*ms, 300*ms)
			}
			if n := strings.Count(r.heard(), "pressed"); n != 5 {
				t.Errorf("%v: %d presses, want 5", pattern, n)
			}
		})
	}
}

func TestStuckIsOneFault(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  button.Config
		want string
	}{
		"plain": {button.Config{Stuck: 10 * time.Second}, "up@0 pressed@1026 fault@11000"},
		"long":  {button.Config{Stuck: 10 * time.Second, Long: time.Second}, "up@0 held@2000 fault@11000"},
	} {
		withButton(t, tt.cfg, func(r *rig) {
			time.Sleep(time.Second)
			r.do("fault stuck")
			time.Sleep(5 * time.Minute)
			if got := r.heard(); !near(got, tt.want) {
				t.Errorf("%s: heard %q, want %q", name, got, tt.want)
			}
			if e := r.said[len(r.said)-1]; !errors.Is(e.Err, button.ErrStuck) {
				t.Errorf("fault %v, want ErrStuck", e.Err)
			}
			r.do("fault stuck off")
			time.Sleep(time.Second)
			r.expect("")
			r.play(0, 100*ms)
			if got := r.heard(); !strings.HasPrefix(got, "pressed@") || strings.Contains(got, " ") {
				t.Errorf("%s: freed again heard %q, want one press", name, got)
			}
		})
	}
}

func TestChatterIsOneFault(t *testing.T) {
	withButton(t, button.Config{}, func(r *rig) {
		time.Sleep(time.Second)
		r.do("fault chatter")
		time.Sleep(time.Minute)
		if got := r.heard(); !near(got, "up@0 fault@3001") {
			t.Errorf("heard %q, want one fault after two seconds", got)
		}
		if e := r.said[len(r.said)-1]; !errors.Is(e.Err, button.ErrChatter) {
			t.Errorf("fault %v, want ErrChatter", e.Err)
		}
		r.do("fault chatter off")
		time.Sleep(time.Second)
		r.play(0, 100*ms)
		if got := r.heard(); strings.Count(got, "pressed") != 1 || strings.Contains(got, "fault") {
			t.Errorf("calm again heard %q, want one press", got)
		}
	})
}

// What is down at the start was not pressed just now.
func TestDownAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{Button: emulate.NewButton("GPIO5", true), t: t}
		r.Press()
		time.Sleep(time.Second)
		r.run(button.Config{ActiveLow: true, Long: time.Second, Open: func(context.Context) (gpio.PinIn, error) { return r.Button, nil }})
		time.Sleep(10 * time.Second)
		r.Release()
		time.Sleep(time.Second)
		r.expect("up@0")
		r.play(0, 100*ms)
		if got := r.heard(); strings.Count(got, "pressed") != 1 {
			t.Errorf("heard %q, want one press", got)
		}
		r.end()
	})
}

// A pin that another program holds is one outage, and comes back by itself.
func TestPinIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{Button: emulate.NewButton("GPIO5", false), t: t}
		r.do("fault pin")
		r.run(button.Config{Open: func(context.Context) (gpio.PinIn, error) { return r.Button, nil }})
		time.Sleep(time.Minute)
		r.expect("down@0")
		if err := r.said[0].Err; !strings.Contains(err.Error(), "set up pin GPIO5 for input") {
			t.Errorf("down because of %v", err)
		}
		r.do("fault pin off")
		time.Sleep(time.Minute)
		if got := r.heard(); !strings.HasPrefix(got, "up@") {
			t.Errorf("heard %q, want up", got)
		}
		r.end()
	})
}

// A pin without edges is looked at often enough for a short press, and one whose
// wait hangs for any that a person makes; neither holds up the end, nor spins.
func TestPinsWithoutEdges(t *testing.T) {
	for fault, shortest := range map[string]time.Duration{"deaf": 60 * ms, "hang": 200 * ms} {
		withButton(t, button.Config{}, func(r *rig) {
			r.do("fault " + fault)
			for range 5 {
				r.play(1000*ms, shortest)
			}
			if n := strings.Count(r.heard(), "pressed"); n != 5 {
				t.Errorf("%s: %d presses, want 5", fault, n)
			}
		})
	}
}

// hung is a pin whose wait nothing ends, and that counts how often it is asked.
type hung struct {
	*emulate.Button
	free  chan struct{}
	asked atomic.Int32
}

func (h *hung) WaitForEdge(time.Duration) bool {
	h.asked.Add(1)
	<-h.free
	return false
}

func TestEndsThoughTheWaitHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := &hung{Button: emulate.NewButton("GPIO5", false), free: make(chan struct{})}
		r := &rig{Button: pin.Button, t: t}
		r.run(button.Config{Open: func(context.Context) (gpio.PinIn, error) { return pin, nil }})
		r.play(time.Second, 300*ms)
		if n := strings.Count(r.heard(), "pressed"); n != 1 {
			t.Errorf("%d presses, want 1", n)
		}
		r.end()
		close(pin.free)
		synctest.Wait()
		if n := pin.asked.Load(); n != 1 {
			t.Errorf("asked %d times for an edge, want 1", n)
		}
	})
}

// counted is a pin that counts how often it is looked at and waited for.
type counted struct {
	*emulate.Button
	reads, waits atomic.Int64
}

func (c *counted) Read() gpio.Level                 { c.reads.Add(1); return c.Button.Read() }
func (c *counted) WaitForEdge(d time.Duration) bool { c.waits.Add(1); return c.Button.WaitForEdge(d) }

// A button costs little, whatever its pin does.
func TestDoesNotSpin(t *testing.T) {
	for fault, most := range map[string]int64{"": 25, "hang": 25, "stuck": 25, "deaf": 60, "chatter": 1200} {
		synctest.Test(t, func(t *testing.T) {
			pin := &counted{Button: emulate.NewButton("GPIO5", false)}
			r := &rig{Button: pin.Button, t: t}
			r.run(button.Config{Open: func(context.Context) (gpio.PinIn, error) { return pin, nil }})
			if fault != "" {
				r.do("fault " + fault)
			}
			time.Sleep(10 * time.Second)
			reads, waits := pin.reads.Load(), pin.waits.Load()
			time.Sleep(time.Second)
			reads, waits = pin.reads.Load()-reads, pin.waits.Load()-waits
			if reads > most || waits > most {
				t.Errorf("%q: %d looks and %d waits in a second, want at most %d", fault, reads, waits, most)
			}
			r.end()
		})
	}
}

// Events wait for who takes them, and do not hold up the end.
func TestEndsUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := emulate.NewButton("GPIO5", false)
		b, err := button.New(button.Config{Name: "confirm", Open: func(context.Context) (gpio.PinIn, error) { return pin, nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out, ended := make(chan drivers.Event), make(chan struct{})
		go func() { defer close(ended); b.Run(ctx, out) }()
		<-out
		pin.Press()
		time.Sleep(time.Second)
		cancel()
		<-ended
	})
}

// The same on periph's own fake pin.
func TestOnPeriphsPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := &gpiotest.Pin{N: "GPIO6", EdgesChan: make(chan gpio.Level, 16)}
		r := &rig{Button: emulate.NewButton("unused", true), t: t}
		r.run(button.Config{ActiveLow: true, Open: func(context.Context) (gpio.PinIn, error) { return pin, nil }})
		time.Sleep(time.Second)
		pin.Lock()
		if pin.P != gpio.PullUp {
			t.Errorf("pull %v, want up", pin.P)
		}
		pin.Unlock()
		for range 3 {
			for _, l := range []gpio.Level{gpio.Low, gpio.High, gpio.Low} {
				pin.EdgesChan <- l
			}
			time.Sleep(300 * ms)
			pin.EdgesChan <- gpio.High
			time.Sleep(300 * ms)
		}
		if n := strings.Count(r.heard(), "pressed"); n != 3 {
			t.Errorf("%d presses, want 3", n)
		}
		r.end()
	})
}

func TestNewRefuses(t *testing.T) {
	open := func(context.Context) (gpio.PinIn, error) { return nil, errors.New("no such pin") }
	for _, cfg := range []button.Config{
		{},
		{Name: "confirm"},
		{Open: open},
		{Name: "confirm", Open: open, Debounce: -1},
		{Name: "confirm", Open: open, Debounce: 2 * time.Second},
		{Name: "confirm", Open: open, Long: time.Minute},
		{Name: "confirm", Open: open, Long: time.Second, Stuck: time.Second},
	} {
		if _, err := button.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
