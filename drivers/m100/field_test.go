package m100_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/m100"
)

// floor is a reader at work in virtual time.
type floor struct {
	*testing.T
	*bench
	reader *m100.Reader
	events chan drivers.Event
	mu     sync.Mutex
	wrote  []byte // by the host
}

// tap records what the host writes.
type tap struct {
	drivers.Port
	f *floor
}

func (p tap) Write(b []byte) (int, error) {
	p.f.mu.Lock()
	p.f.wrote = append(p.f.wrote, b...)
	p.f.mu.Unlock()
	return p.Port.Write(b)
}

// frames returns what the host wrote since it was asked last.
func (f *floor) frames() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var p m100.Parser
	var words []string
	for _, b := range f.wrote {
		words = append(words, strings.Fields(spell(p.Feed([]byte{b})))...)
	}
	f.wrote = nil
	return strings.Join(words, " ")
}

// onFloor runs check with a reader that is up on an emulated module.
func onFloor(t *testing.T, device emulate.M100Config, cfg m100.Config, check func(*floor)) {
	t.Helper()
	device.Paced = true
	synctest.Test(t, func(t *testing.T) {
		f := &floor{T: t, bench: newBench(t, device), events: make(chan drivers.Event, 256)}
		cfg.Name = "gate"
		cfg.Open = func(ctx context.Context) (drivers.Port, error) {
			p, err := f.open(ctx)
			return tap{p, f}, err
		}
		reader, err := m100.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		f.reader = reader
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		defer wait.Wait()
		defer cancel()
		wait.Go(func() { reader.Run(ctx, f.events) })
		f.expect(drivers.Up, "")
		check(f)
	})
}

func (f *floor) expect(k drivers.Kind, tag string) drivers.Event {
	f.Helper()
	select {
	case e := <-f.events:
		if e.Kind != k || e.Tag.ID != tag {
			f.Fatalf("event %v %v (%v), want %v %s", e.Kind, e.Tag, e.Err, k, tag)
		}
		return e
	case <-time.After(time.Minute):
		f.Fatalf("no event, want %v %s", k, tag)
	}
	return drivers.Event{}
}

// quiet makes sure that nothing is said for some time.
func (f *floor) quiet(d time.Duration) {
	f.Helper()
	select {
	case e := <-f.events:
		f.Fatalf("event %v %v (%v), want none", e.Kind, e.Tag, e.Err)
	case <-time.After(d):
	}
}

func (f *floor) do(commands ...string) {
	f.Helper()
	for _, c := range commands {
		if err := f.device.Do(c); err != nil {
			f.Fatal(err)
		}
	}
}

func TestNeighboursTagIsToldOnceAndNeverArrives(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{Filter: m100.Filter{MinRSSI: -65}}, func(f *floor) {
		f.do("fault neighbour", "present "+otherEPC+" ucode-8 -72")
		e := f.expect(drivers.Fault, "")
		if !errors.Is(e.Err, m100.ErrNeighbour) || !strings.Contains(e.Err.Error(), "dBm") {
			f.Errorf("told %v, want a neighbour's tag", e.Err)
		}
		f.quiet(40 * time.Second)
		if n := f.reader.Neighbours(); n != 2 {
			f.Errorf("%d neighbours, want 2", n)
		}
		f.do("present " + itemEPC) // at -55 dBm
		f.expect(drivers.Arrived, itemEPC)
		f.do("rssi " + otherEPC + " -60") // the other one is carried here
		f.expect(drivers.Arrived, otherEPC)
		f.do("rssi " + otherEPC + " -70") // a hand before the antenna
		f.quiet(3 * time.Second)
		f.do("rssi " + otherEPC + " -72") // carried away again
		f.expect(drivers.Departed, otherEPC)
		f.quiet(20 * time.Second)
	})
}

func TestTagOnItsWayIsNoNeighbour(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{Filter: m100.Filter{MinRSSI: -65}}, func(f *floor) {
		f.do("present " + itemEPC + " ucode-8 -80")
		for rssi := -80; rssi < -65; rssi++ {
			f.do(fmt.Sprintf("rssi %s %d", itemEPC, rssi))
			f.quiet(100 * time.Millisecond)
		}
		f.do("rssi " + itemEPC + " -64")
		f.expect(drivers.Arrived, itemEPC)
	})
}

func TestFlickeringTagDoesNotArriveByChance(t *testing.T) {
	cfg := m100.Config{Filter: m100.Filter{MinReads: 6, Dwell: 200 * time.Millisecond}}
	onFloor(t, emulate.M100Config{}, cfg, func(f *floor) {
		f.do("fault neighbour") // three reads or so within the dwell
		if e := f.expect(drivers.Fault, ""); !errors.Is(e.Err, m100.ErrNeighbour) {
			f.Errorf("told %v, want a neighbour's tag", e.Err)
		}
		f.do("present " + itemEPC)
		before := time.Now()
		f.expect(drivers.Arrived, itemEPC)
		if took := time.Since(before); took > 200*time.Millisecond {
			f.Errorf("six reads took %v", took)
		}
		f.quiet(20 * time.Second)
	})
}

func TestLessPowerHearsFewerTags(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{Power: 1500}, func(f *floor) {
		f.do("present "+otherEPC+" ucode-8 -72", "present "+itemEPC)
		f.expect(drivers.Arrived, itemEPC)
		f.quiet(5 * time.Second)
	})
}

func TestWeakTagStays(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
		f.do("fault weak", "present "+itemEPC)
		f.expect(drivers.Arrived, itemEPC)
		if e := f.expect(drivers.Fault, itemEPC); !errors.Is(e.Err, drivers.ErrWeak) {
			f.Errorf("told of %v, want ErrWeak", e.Err)
		}
		f.quiet(20 * time.Second)
		f.do("remove")
		f.expect(drivers.Departed, itemEPC)
	})
}

func TestLostSettingsAreAppliedAgain(t *testing.T) {
	cfg := m100.Config{Power: 2000, Region: m100.RegionEurope}
	for _, tt := range []struct{ fault, told string }{
		{emulate.FaultForget, "region is cn900, not eu"},
		{emulate.FaultReset, "stopped polling"},
		{emulate.FaultDropFirst, "stopped polling"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			onFloor(t, emulate.M100Config{}, cfg, func(f *floor) {
				f.do("present " + itemEPC)
				f.expect(drivers.Arrived, itemEPC)
				if sent := f.frames(); !strings.Contains(sent, "B0.07.03") || !strings.Contains(sent, "B0.b6.07d0") {
					f.Errorf("settings were not applied at the start: %s", sent)
				}
				f.do("fault " + tt.fault)
				if e := f.expect(drivers.Fault, ""); !errors.Is(e.Err, drivers.ErrForgot) || !strings.Contains(e.Err.Error(), tt.told) {
					f.Errorf("told %v, want ErrForgot and %q", e.Err, tt.told)
				}
				if sent := f.frames(); !strings.Contains(sent, "B0.07.03") || !strings.Contains(sent, "B0.b6.07d0") {
					f.Errorf("settings were not applied again: %s", sent)
				}
				f.quiet(20 * time.Second) // the tag was there all the time
			})
		})
	}
}

func TestHealthIsCheckedWhileIdle(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
		f.frames()
		f.quiet(11 * time.Second)
		if got, want := f.frames(), strings.TrimSpace(strings.Repeat("B0.28. B0.03.00 B0.03.01 B0.08. B0.b7. B0.27.22ffff ", 2)); got != want {
			f.Errorf("in eleven idle seconds the host said %s, want %s", got, want)
		}
	})
}

func TestImpossiblePowerIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, emulate.M100Config{Paced: true})
		reader, err := m100.New(m100.Config{Name: "gate", Open: b.open, Power: 3300})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := make(chan drivers.Event, 1)
		go reader.Run(ctx, events)
		if e := <-events; e.Kind != drivers.Down || !strings.Contains(e.Err.Error(), "power is 26.00 dBm, not 33.00 dBm") {
			t.Errorf("%v %v, want it to be down for its power", e.Kind, e.Err)
		}
	})
}

// The first command of a module that sleeps is lost, and what it was told
// before.
func TestSleepAndWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, emulate.M100Config{Paced: true, AA: true})
		var acts []string
		defer b.device.Observe(func(a emulate.Act) { acts = append(acts, a.String()) })()
		reader, err := m100.New(m100.Config{Name: "gate", Open: b.openSame(), Power: 2000, Sleep: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			events, ended := make(chan drivers.Event, 8), make(chan struct{})
			go func() { defer close(ended); reader.Run(ctx, events) }()
			if e := <-events; e.Kind != drivers.Up {
				t.Fatalf("%v %v, want up", e.Kind, e.Err)
			}
			cancel()
			<-ended
			synctest.Wait()
		}
		acts = slices.DeleteFunc(acts, func(a string) bool { return strings.Contains(a, "abort") })
		want := []string{"host configure power 2000", "host release sleep", "host woke", "host configure power 2000", "host release sleep"}
		if !slices.Equal(acts, want) {
			t.Errorf("the module saw %q, want %q", acts, want)
		}
		if m := reader.Info().Model; m != "M100 V1.00 V2.3.5 (AA..DD)" {
			t.Errorf("model %q", m)
		}
	})
}

// openSame returns an opener of one cable to a module that stays under power.
func (b *bench) openSame() drivers.Opener {
	port, err := b.open(context.Background())
	return func(context.Context) (drivers.Port, error) { return keepOpen{port}, err }
}

type keepOpen struct{ drivers.Port }

func (keepOpen) Close() error { return nil }

// A module that polls for a host that went away is found in the midst of it.
func TestFindsModuleThatPolls(t *testing.T) {
	for name, aa := range framings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, emulate.M100Config{Paced: true, AA: aa})
				open := b.openSame()
				port, err := open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				framing := m100.FramingBB
				if aa {
					framing = m100.FramingAA
				}
				command, err := m100.AppendFrame(nil, m100.Frame{Framing: framing, Command: 0x27, Params: []byte{0x22, 0xFF, 0xFF}})
				if err != nil {
					t.Fatal(err)
				}
				port.Write(command)
				time.Sleep(time.Second)
				reader, err := m100.New(m100.Config{Name: "gate", Open: open})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				events := make(chan drivers.Event, 8)
				go reader.Run(ctx, events)
				if e := <-events; e.Kind != drivers.Up {
					t.Errorf("%v %v, want up", e.Kind, e.Err)
				}
			})
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	open := func(context.Context) (drivers.Port, error) { return nil, nil }
	for _, tt := range []struct {
		cfg  m100.Config
		want string
	}{
		{m100.Config{Open: open}, "no name"},
		{m100.Config{Name: "r"}, "no port"},
		{m100.Config{Name: "r", Open: open, Power: 4000}, "power 40.00 dBm"},
		{m100.Config{Name: "r", Open: open, Power: -1}, "power"},
		{m100.Config{Name: "r", Open: open, Q: 16}, "Q 16"},
		{m100.Config{Name: "r", Open: open, Filter: m100.Filter{MinRSSI: 60}}, "threshold 60 dBm"},
		{m100.Config{Name: "r", Open: open, Filter: m100.Filter{MinReads: -1}}, "negative"},
		{m100.Config{Name: "r", Open: open, Baud: 9601}, "baud rate 9601"},
	} {
		if _, err := m100.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.want)
		}
	}
	for _, name := range []string{"cn900", "us", "eu", "cn800", "kr"} {
		if r, err := m100.ParseRegion(name); err != nil || r.String() != name {
			t.Errorf("region %s: %v, %v", name, r, err)
		}
	}
	if _, err := m100.ParseRegion("moon"); err == nil {
		t.Error("a region on the moon")
	}
}
