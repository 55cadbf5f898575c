package m100_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/m100"
)

// BenchmarkArrival measures the time from a tag's entry into the field to the
// Arrived event, on a pseudo-terminal with the pace of a real line at 115200
// baud and of the air. The last byte of the notice is read, at the latest, when
// Event.At says; event-ms is the time from then to the event's receipt.
func BenchmarkArrival(b *testing.B) {
	device := emulate.NewM100(emulate.M100Config{Paced: true})
	socket, err := emulate.Plug(filepath.Join(b.TempDir(), "reader"), device)
	if err != nil {
		b.Fatal(err)
	}
	defer socket.Close()
	reader, err := m100.New(m100.Config{
		Name: "bench", Open: drivers.Serial{Path: socket.Path(), Baud: m100.DefaultBaud}.Open,
		Presence: drivers.PresenceConfig{Misses: 1, Absence: time.Millisecond}, // departures are not what is measured
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	events := make(chan drivers.Event, 16)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { reader.Run(ctx, events) })
	next := func(k drivers.Kind) drivers.Event {
		for {
			if e := <-events; e.Kind == k {
				return e
			}
		}
	}
	next(drivers.Up)
	var took, event []time.Duration
	for i := 0; b.Loop(); i++ {
		time.Sleep(time.Duration(i*7%20) * time.Millisecond) // at every phase of the round
		started := time.Now()
		if err := device.Present(itemEPC, ""); err != nil {
			b.Fatal(err)
		}
		e := next(drivers.Arrived)
		took, event = append(took, time.Since(started)), append(event, time.Since(e.At))
		device.Remove("")
		next(drivers.Departed)
	}
	ms := func(all []time.Duration, q float64) float64 {
		slices.Sort(all)
		return float64(all[int(q*float64(len(all)-1))]) / float64(time.Millisecond)
	}
	b.ReportMetric(ms(took, 0.50), "p50-ms")
	b.ReportMetric(ms(took, 0.99), "p99-ms")
	b.ReportMetric(ms(event, 0.99), "event-p99-ms")
	b.ReportMetric(0, "ns/op") // of no meaning here: it counts the departures
}

func BenchmarkFrameFeed(b *testing.B) {
	stream := unhex(b, "bb02220011c9340030751feb705c5904e3d50d703a76ef7ebb01ff000115167e")
	var p m100.Parser
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Feed(stream)) != 2 {
			b.Fatal("frames were lost")
		}
	}
}

// A module that was left at another speed is found and brought to the right one.
func TestWrongBaudIsMended(t *testing.T) {
	t.Parallel()
	device := emulate.NewM100(emulate.M100Config{Baud: 9600, AA: true})
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	openAt := func(ctx context.Context, baud int) (drivers.Port, error) {
		return drivers.Serial{Path: socket.Path(), Baud: baud}.Open(ctx)
	}
	open := func(ctx context.Context) (drivers.Port, error) { return openAt(ctx, m100.DefaultBaud) }
	var told sync.Map
	defer device.Observe(func(a emulate.Act) { told.Store(a.String(), true) })()
	reader, err := m100.New(m100.Config{Name: "gate", Open: open, OpenAt: openAt})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan drivers.Event, 16)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { reader.Run(ctx, events) })
	if e := <-events; e.Kind != drivers.Up {
		t.Fatalf("%v %v, want up", e.Kind, e.Err)
	}
	if want := fmt.Sprintf("host configure baud %d", m100.DefaultBaud); func() bool { _, ok := told.Load(want); return !ok }() {
		t.Errorf("the module was not told its speed: %q", want)
	}
}
