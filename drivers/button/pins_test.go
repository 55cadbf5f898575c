package button_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"traveler.example/drivers"
	"traveler.example/drivers/button"
	"traveler.example/drivers/emulate"
)

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
	for fault, shortest := range map[string]time.Duration{"deaf": 60 * ms, "endless": 200 * ms} {
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
	for fault, most := range map[string]int64{"": 25, "endless": 25, "stuck": 25, "deaf": 60, "chatter": 1200} {
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
