package pn532_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/pn532"
)

// BenchmarkArrival measures the time from a tag's entry into the field to the
// Arrived event, on a pseudo-terminal with the pace of a real line at 115200
// baud and of the air; and from the last byte of the answer to the event.
func BenchmarkArrival(b *testing.B) {
	device := emulate.NewPN532(emulate.PN532Config{Paced: true})
	socket, err := emulate.Plug(filepath.Join(b.TempDir(), "reader"), device)
	if err != nil {
		b.Fatal(err)
	}
	defer socket.Close()
	reader, err := pn532.New(pn532.Config{
		Name: "bench", Open: drivers.Serial{Path: socket.Path(), Baud: pn532.DefaultBaud}.Open,
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
		time.Sleep(time.Duration(i*7%20) * time.Millisecond) // at every phase of the interval
		started := time.Now()
		if err := device.Present("04A1B2C3D4E580", ""); err != nil {
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
	stream := unhex(b, "0000ff00ff000000ff0cf4d54b010100040804deadbeef9600")
	var p pn532.Parser
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Feed(stream)) != 2 {
			b.Fatal("frames were lost")
		}
	}
}
