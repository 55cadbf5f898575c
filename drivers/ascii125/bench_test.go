package ascii125_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/emulate"
)

// BenchmarkEvent measures the time from the last byte of a frame to the Arrived
// event, on a pseudo-terminal: an emulator without a pace writes a frame at once.
func BenchmarkEvent(b *testing.B) {
	device, err := emulate.NewASCII125(emulate.ASCII125Config{})
	if err != nil {
		b.Fatal(err)
	}
	socket, err := emulate.Plug(filepath.Join(b.TempDir(), "reader"), device)
	if err != nil {
		b.Fatal(err)
	}
	defer socket.Close()
	reader, err := ascii125.New(ascii125.Config{
		Name: "bench", Open: drivers.Serial{Path: socket.Path(), Baud: ascii125.DefaultBaud}.Open,
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
	next := func(k drivers.Kind) {
		for e := range events {
			if e.Kind == k {
				return
			}
		}
	}
	next(drivers.Up)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		time.Sleep(time.Duration(i*7%65) * time.Millisecond) // at every phase of a scan
		started := time.Now()
		if err := device.Present("0A00F1B2C3"); err != nil {
			b.Fatal(err)
		}
		next(drivers.Arrived)
		took = append(took, time.Since(started))
		device.Remove("")
		next(drivers.Departed)
	}
	slices.Sort(took)
	ms := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	b.ReportMetric(ms(0.50), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op") // of no meaning here: it counts the departures
}

func BenchmarkFeed(b *testing.B) {
	stream := []byte(rdmA + id12A + animal)
	var p ascii125.Parser
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Feed(stream)) != 3 {
			b.Fatal("frames were lost")
		}
	}
}
