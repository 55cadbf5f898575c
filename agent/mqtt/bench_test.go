package mqtt

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func BenchmarkRoundTrip(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			g := connected(b, k.up(b), "g", "plant/#")
			payload := make([]byte, 400)
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				began := time.Now()
				if err := g.Publish(b.Context(), "plant/x", false, payload); err != nil {
					b.Fatal(err)
				}
				g.receive(b)
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkThroughput has 64 publishers that wait for their acknowledgements
// and one subscriber on another connection.
func BenchmarkThroughput(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			address := k.up(b)
			to := connected(b, address, "to", "plant/#")
			from := connected(b, address, "from")
			payload := make([]byte, 400)
			var next sync.WaitGroup
			work := make(chan struct{})
			for range 64 {
				next.Go(func() {
					for range work {
						if err := from.Publish(b.Context(), "plant/x", false, payload); err != nil {
							b.Error(err)
						}
					}
				})
			}
			next.Go(func() { // brokers may drop what floods them: count, do not wait for the last
				for range to.Messages() {
				}
			})
			b.ResetTimer()
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			for from.Stats().Published < uint64(b.N) {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(to.Stats().Received)/b.Elapsed().Seconds(), "received/s")
			b.ReportMetric(float64(from.Stats().Published)/b.Elapsed().Seconds(), "published/s")
			b.StopTimer()
			to.stop()
			next.Wait()
		})
	}
}
