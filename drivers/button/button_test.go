package button_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/gpio"

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
