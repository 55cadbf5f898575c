package agent

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/peer"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// litLight passes on what it shows.
type litLight chan drivers.Signal

func (l litLight) Show(_ context.Context, s drivers.Signal) error {
	l <- s
	return nil
}

// BenchmarkScanToLight takes in new items on a real store that flushes: from the
// reader's event to the light, by way of the disk. For comparison it appends a
// like transaction to the same replica in between: what is above that is the
// gateway's own work. Metrics: median and 99th percentile of both, in µs, and
// the ratio of the medians.
func BenchmarkScanToLight(b *testing.B) {
	p := newPlant(b)
	r, err := replica.Open(b.TempDir(), replica.Options{
		Genesis: p.genesis, Signer: privateKey("intake"),
		Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), ledger.ClockSynchronised },
	})
	must(b, err)
	b.Cleanup(func() { must(b, r.Close()) })
	p.know(r)
	order := p.append(r, p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")}))
	reader, light := newReader("bench"), make(litLight)
	a, err := New(Config{
		Name: "intake", Station: Station{ID: "INTAKE-1", Mode: ledger.ModeIntake, Intake: IntakeRules{{Order: "WO-1"}}},
		Peer: peer.Config{Network: p.genesis.Network(), Self: keyID("intake"), Rand: func(n int64) int64 { return n / 2 }},
	}, Parts{
		Genesis: p.genesis, Signer: privateKey("intake"), Replica: r, Readers: []drivers.Reader{reader},
		Lights:  []NamedLight{{"lamp", light}},
		Journal: journal.New(&record{t: b, who: "intake"}, time.Now), Now: time.Now, Clock: func() ledger.Clock { return ledger.ClockSynchronised },
	})
	must(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	<-a.opened

	var scans, appends []time.Duration
	b.ResetTimer()
	for n := 0; b.Loop(); n++ {
		tag := fmt.Sprintf("04%012X", n)
		began := time.Now()
		reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tag}}
		shown := <-light
		scans = append(scans, time.Since(began))
		if shown.Aspect != drivers.AspectGreen {
			b.Fatalf("shows %+v", shown)
		}
		reader.events <- drivers.Event{Kind: drivers.Departed, Reader: "bench", Tag: drivers.Tag{ID: tag}}
		<-light

		began = time.Now()
		(&book{b, p, r}).intake(order, "RAW-"+tag, "05"+tag[2:])
		appends = append(appends, time.Since(began))
	}
	b.StopTimer()
	cancel()
	<-light // the last one: idle
	must(b, <-ended)
	report(b, "scan", scans)
	report(b, "append", appends)
	b.ReportMetric(float64(at(scans, 50))/float64(at(appends, 50)), "scan/append")
}

// at is a percentile of sorted times.
func at(times []time.Duration, percent int) time.Duration {
	return times[min(len(times)-1, len(times)*percent/100)]
}

func report(b *testing.B, name string, times []time.Duration) {
	slices.Sort(times)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(at(times, percent).Nanoseconds())/1000, fmt.Sprintf("%s-p%d-µs", name, percent))
	}
}
