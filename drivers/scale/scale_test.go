package scale_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/scale"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a scale that runs, and the emulated one at the other end.
type bench struct {
	*scale.Scale
	device *emulate.Scale
	events chan drivers.Event
}

func (b *bench) expect(t *testing.T, k drivers.Kind) drivers.Event {
	t.Helper()
	select {
	case e := <-b.events:
		if e.Kind != k || e.Reader != "bench" {
			t.Fatalf("event %+v, want %v", e, k)
		}
		return e
	case <-time.After(time.Minute):
		t.Fatalf("no event, want %v", k)
	}
	return drivers.Event{}
}

// start runs a scale on port openers; an opener of nil means cables in memory.
func start(t *testing.T, device *emulate.Scale, open drivers.Opener) *bench {
	return startWith(t, device, open, scale.SICS)
}

func startWith(t *testing.T, device *emulate.Scale, open drivers.Opener, protocol scale.Protocol) *bench {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	if open == nil {
		open = func(context.Context) (drivers.Port, error) {
			host, end := drivertest.Cable()
			wait.Go(func() { device.Serve(ctx, end) })
			return host, nil
		}
	}
	s, err := scale.New(scale.Config{Name: "bench", Port: "cable", Open: open, Protocol: protocol})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{s, device, make(chan drivers.Event, 16)}
	wait.Go(func() {
		if err := s.Run(ctx, b.events); err != nil {
			t.Errorf("run ended with %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wait.Wait() })
	return b
}

func TestWeighOnPTY(t *testing.T) {
	device := emulate.NewScale()
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "scale"), device)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	b := start(t, device, drivers.Serial{Path: socket.Path(), Baud: scale.DefaultBaud}.Open)
	b.expect(t, drivers.Up)
	device.Weigh("1.020", "kg", true)
	if w, err := b.Weigh(t.Context()); w != 1_020_000 || err != nil {
		t.Errorf("weighs %v, %v; want 1.02 kg", w, err)
	}
	if i := b.Info(); i.Model != "MT-SICS B021002593" || i.Driver != "scale" || i.Port != "cable" {
		t.Errorf("info %+v", i)
	}
	socket.Unplug()
	b.expect(t, drivers.Down)
	if _, err := b.Weigh(t.Context()); !errors.Is(err, drivers.ErrDown) {
		t.Errorf("weighing while unplugged: %v, want ErrDown", err)
	}
	socket.Replug()
	b.expect(t, drivers.Up)
	if w, err := b.Weigh(t.Context()); w != 1_020_000 || err != nil {
		t.Errorf("weighs %v, %v after replug; want 1.02 kg", w, err)
	}
}

func TestWeigh(t *testing.T) {
	for _, tt := range []struct {
		do   []string
		want drivers.Weight
		err  error
	}{
		{[]string{"weigh 12.5 g"}, 12_500, nil},
		{[]string{"weigh 12.5 g", "fault fragment"}, 12_500, nil},
		{[]string{"weigh 12.5 g", "fault delay"}, 12_500, nil},
		{[]string{"weigh 12.5 g unstable"}, 0, drivers.ErrUnstable},
		{[]string{"weigh 12.5 ozs"}, 0, drivers.ErrUnit},
		{[]string{"weigh -12.5 g"}, 0, drivers.ErrNegative},
		{[]string{"weigh 12.5678 g"}, 0, drivers.ErrPrecision},
		{[]string{"fault overload"}, 0, drivers.ErrOverload},
		{[]string{"fault underload"}, 0, drivers.ErrUnderload},
		{[]string{"fault syntax"}, 0, scale.ErrScale},
		{[]string{"fault garbage"}, 0, drivers.ErrProtocol},
		{[]string{"fault silence"}, 0, drivers.ErrSilent},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, emulate.NewScale(), nil)
			b.expect(t, drivers.Up)
			for _, command := range tt.do {
				if err := b.device.Do(command); err != nil {
					t.Fatal(err)
				}
			}
			if w, err := b.Weigh(t.Context()); w != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("%q: %v, %v; want %v, %v", tt.do, w, err, tt.want, tt.err)
			}
		})
	}
}

// A load that comes to rest within the scale's patience is weighed.
func TestWeighWaitsForRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, emulate.NewScale(), nil)
		b.expect(t, drivers.Up)
		b.device.Weigh("99", "g", false)
		time.AfterFunc(4*time.Second, func() { b.device.Weigh("12.5", "g", true) })
		if w, err := b.Weigh(t.Context()); w != 12_500 || err != nil {
			t.Errorf("weighs %v, %v; want 12.5 g", w, err)
		}
	})
}

// A cancelled weighing is cancelled at the scale: the load that comes to rest
// later is not the answer to the next one.
func TestWeighCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, emulate.NewScale(), nil)
		b.expect(t, drivers.Up)
		aborted := 0
		b.device.Observe(func(a emulate.Act) {
			if a.Verb == emulate.DidAbort {
				aborted++
			}
		})
		b.device.Weigh("99", "g", false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Weigh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if aborted != 1 {
			t.Errorf("%d commands aborted at the scale, want 1", aborted)
		}
		b.device.Weigh("12.5", "g", true)
		if w, err := b.Weigh(t.Context()); w != 12_500 || err != nil {
			t.Errorf("weighs %v, %v; want 12.5 g", w, err)
		}
	})
}

// A scale that falls silent while nobody weighs is noticed, once, and is back
// when it speaks.
func TestSilenceIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, emulate.NewScale(), nil)
		b.expect(t, drivers.Up)
		b.device.Fault(emulate.FaultSilence, true)
		if e := b.expect(t, drivers.Down); !errors.Is(e.Err, drivers.ErrSilent) {
			t.Errorf("down because of %v, want ErrSilent", e.Err)
		}
		time.Sleep(time.Minute)
		b.device.Fault(emulate.FaultSilence, false)
		b.expect(t, drivers.Up)
	})
}

func TestEndsWhileWeighing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		host, end := drivertest.Cable()
		device := emulate.NewScale()
		s, err := scale.New(scale.Config{Name: "bench", Open: func(context.Context) (drivers.Port, error) { return host, nil }})
		if err != nil {
			t.Fatal(err)
		}
		events, ended := make(chan drivers.Event, 4), make(chan struct{})
		go device.Serve(t.Context(), end)
		go func() { defer close(ended); s.Run(ctx, events) }()
		<-events
		device.Weigh("1", "g", false)
		result := make(chan error, 1)
		go func() { _, err := s.Weigh(t.Context()); result <- err }()
		time.Sleep(2 * time.Second)
		cancel()
		started := time.Now()
		<-ended
		if took := time.Since(started); took > time.Second {
			t.Errorf("run ended after %v, want at most 1 s", took)
		}
		if err := <-result; !errors.Is(err, drivers.ErrDown) {
			t.Errorf("weighing ended with %v, want ErrDown", err)
		}
	})
}
