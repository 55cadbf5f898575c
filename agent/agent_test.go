package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/ledger"
)

func TestNewRefusesWhatIsNotWhole(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake")
		for name, spoil := range map[string]func(*Config, *Parts){
			"no replica":             func(_ *Config, parts *Parts) { parts.Replica = nil },
			"no journal":             func(_ *Config, parts *Parts) { parts.Journal = nil },
			"no key":                 func(_ *Config, parts *Parts) { parts.Signer = nil },
			"no clock":               func(_ *Config, parts *Parts) { parts.Clock = nil },
			"a scale that is not":    func(c *Config, _ *Parts) { c.Machine.Scale = true },
			"a scale nobody reckons": func(_ *Config, parts *Parts) { parts.Scale = &fakeScale{} },
		} {
			cfg, parts := b.cfg, b.parts
			spoil(&cfg, &parts)
			if _, err := New(cfg, parts); err == nil {
				t.Errorf("%s: put together", name)
			}
		}
	})
}

// TestAPartThatFailsEndsTheGateway whatever its error looks like.
func TestAPartThatFailsEndsTheGateway(t *testing.T) {
	for _, why := range []error{errors.New("no such device"), fmt.Errorf("deep inside: %w", context.Canceled), context.DeadlineExceeded} {
		bubble(t, func(t *testing.T, p *plant) {
			b := p.gateway("intake")
			b.reader.fails = why
			err := b.Run(context.Background())
			if !errors.Is(err, why) || !strings.HasPrefix(err.Error(), "reader bench: ") {
				t.Errorf("ended with %v, want %v", err, why)
			}
		})
	}
}

func TestAnOrderlyEndIsNoError(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		if took, err := b.stop(); err != nil || took > time.Second {
			t.Errorf("took %v: %v", took, err)
		}
		if last := b.light.last(); last.Aspect != drivers.AspectIdle {
			t.Errorf("the light goes on showing %+v", last)
		}
		if _, err := b.Desk().Submit(context.Background(), p.signed("paula", ledger.Tx{Body: drilling("WO-1")}).Raw()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("a gateway that has ended seals: %v", err)
		}
	})
}

// set returns t with the wall clock set by whole seconds and the monotonic clock
// left alone, as settimeofday(2) does. See the layout of [time.Time].
func set(t time.Time, by time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t))
	*wall += uint64(by/time.Second) << 30
	return t
}

// clocks returns the time of a bubble with the monotonic clock, which time in a
// bubble lacks. The wall clock is ahead by what by says.
func clocks(real time.Time, by *atomic.Int64) func() time.Time {
	began := time.Now()
	return func() time.Time { return set(real.Add(time.Since(began)), time.Duration(by.Load())) }
}

func TestSteppedClock(t *testing.T) {
	began := time.Now()
	steps := []struct {
		after, by, want time.Duration
	}{
		{0, 0, 0},
		{time.Second, 0, 0},
		{time.Second, 4 * time.Second, 0},
		{time.Second, time.Hour, time.Hour},
		{time.Second, 0, 0},
		{time.Second, -2 * time.Hour, -2 * time.Hour},
		{8 * time.Hour, 0, 0},
	}
	var w clockWatch
	var after, by time.Duration
	for i, s := range steps {
		after, by = after+s.after, by+s.by
		at := set(began.Add(after), by)
		if got := w.stepped(at, at); got != s.want {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
	}
}

func TestClockIsWatched(t *testing.T) {
	real := time.Now()
	bubble(t, func(t *testing.T, p *plant) {
		var by, clock atomic.Int64
		b := p.gateway("intake", func(_ *Config, parts *Parts) {
			parts.Now = clocks(real, &by)
			parts.Clock = func() ledger.Clock { return ledger.Clock(clock.Load()) }
		}).run()
		time.Sleep(3 * time.Second)
		b.journal.times(1, journal.ClockUnsynchronised)
		b.journal.times(0, journal.ClockStepped)
		by.Store(int64(20 * 365 * 24 * time.Hour))
		clock.Store(int64(ledger.ClockSynchronised))
		time.Sleep(3 * time.Second)
		b.journal.times(1, journal.ClockUnsynchronised, journal.ClockBack, journal.ClockStepped)
		if !b.Alive(2 * time.Second) {
			t.Error("a step of the clock stops a watchdog's food")
		}
		if s, err := b.Brief(); err != nil || s.Clock != "synchronised" {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

// stuckLight hangs for good, against its contract.
type stuckLight struct{ release chan struct{} }

func (l stuckLight) Show(context.Context, drivers.Signal) error {
	<-l.release
	return nil
}

// TestAliveSeesAStandstill also when the wall clock goes back meanwhile.
func TestAliveSeesAStandstill(t *testing.T) {
	real := time.Now()
	bubble(t, func(t *testing.T, p *plant) {
		var by atomic.Int64
		stuck := stuckLight{make(chan struct{})}
		b := p.gateway("intake", func(_ *Config, parts *Parts) {
			parts.Now = clocks(real, &by)
			parts.Lights = []NamedLight{{"stuck", stuck}}
		}).run()
		time.Sleep(time.Minute)
		if !b.Alive(2 * time.Second) {
			t.Error("not alive with nothing to do")
		}
		b.reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tagA}}
		by.Store(-int64(time.Hour))
		time.Sleep(10 * time.Second)
		if b.Alive(2 * time.Second) {
			t.Error("alive although the station stands still")
		}
		close(stuck.release)
		time.Sleep(time.Second)
		if !b.Alive(2 * time.Second) {
			t.Error("not alive again")
		}
	})
}

func TestStatusInWords(t *testing.T) {
	s := Status{
		Problem: "the disk is full", Station: "DRILL-1", Items: 3, Readers: []DeviceState{{Name: "in"}, {Name: "out", Up: true}},
		Broker: "mqtt://one", Lag: 2, Confirmed: 4, Blocks: 5,
	}
	const want = "FAULT: the disk is full; station DRILL-1, 3 items; reader in DOWN; broker mqtt://one; lag 2, confirmed 4 of 5 blocks"
	if got := s.Words(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := (Status{}).Words(); !strings.Contains(got, "no broker") {
		t.Error(got)
	}
}

// TestNoForecastNoWarning: how many days are left is the replica's to tell; where
// it cannot, nothing is said.
func TestNoForecastNoWarning(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		b.journal.times(0, journal.ReplicaFilling)
	})
}
