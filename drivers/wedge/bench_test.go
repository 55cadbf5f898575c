package wedge_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/drivers"
	"traveler.example/drivers/wedge"
)

// BenchmarkEvent measures the time from the last key of a code, Enter, to the
// Arrived event, on descriptors of the kernel.
func BenchmarkEvent(b *testing.B) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	line, host := os.NewFile(uintptr(fds[0]), "device"), os.NewFile(uintptr(fds[1]), "host")
	defer line.Close()
	reader, err := wedge.New(wedge.Config{
		Name: "bench", EventSize: wedge.EventSize64, Cooldown: time.Nanosecond,
		Open: func(context.Context) (wedge.Source, error) { return wedge.NewSource(host, ""), nil },
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
	code, enter := raw(wedge.EventSize64, keys("5 6 7 8 9 10")...), raw(wedge.EventSize64, keys("28")...)
	var took []time.Duration
	for b.Loop() {
		line.Write(code)
		time.Sleep(time.Millisecond)
		started := time.Now()
		line.Write(enter)
		next(drivers.Departed) // after Arrived, and nothing is left over
		took = append(took, time.Since(started))
	}
	slices.Sort(took)
	ms := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	b.ReportMetric(ms(0.50), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op") // of no meaning here: it counts the pauses
}
