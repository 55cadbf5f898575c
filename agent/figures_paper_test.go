package agent

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// workOf makes the transactions of items one after the other: taken in, taken up,
// reported.
type workOf struct {
	book  *book
	order ledger.Tx
	n     int
	item  ledger.TxID
	last  ledger.TxID
}

func (w *workOf) scan() {
	var t ledger.Tx
	switch w.n % 3 {
	case 0:
		t = w.book.intake(w.order, fmt.Sprintf("RAW-%08d", w.n), fmt.Sprintf("04%012X", w.n))
		w.item = t.ID()
	case 1:
		t = w.book.accept(w.item, w.last)
	case 2:
		t = w.book.report(w.item, w.last, ledger.Report{})
	}
	w.n, w.last = w.n+1, t.ID()
}

// passedOn takes what a replica has sealed beyond a height to another one, as
// bytes.
func passedOn(b *testing.B, p *plant, from, to *replica.Replica, after uint64) {
	var raws [][]byte
	must(b, from.Read(func(v *replica.View) error {
		for block, err := range v.Chain(keyID("intake"), after+1) {
			if err != nil {
				return err
			}
			raws = append(raws, block.Raw())
		}
		return nil
	}))
	for some := range slices.Chunk(raws, 150) {
		var objects []replica.Object
		for _, raw := range some {
			objects = append(objects, decoded(b, p.genesis.Network(), raw))
		}
		r, err := to.Ingest(context.Background(), objects...)
		must(b, err)
		if len(r.Blocks) != len(some) {
			b.Fatalf("not taken: %+v", r)
		}
	}
}

// BenchmarkFigureJ_Paper has the paper's algorithm and Traveler's do the same: a
// scan is signed, validated and appended here, and then held, checked, by one
// other node. x-appended and x-held are how many times as fast Traveler is, with
// neither on a disk, since the paper keeps nothing; x-durable-appended and
// x-durable-held compare what Traveler does with every step flushed to disks with
// the paper's in memory. The paper's chain is sent, decoded and checked as a whole
// for each block that comes. Both sides skip the network itself.
func BenchmarkFigureJ_Paper(b *testing.B) {
	lengths := []int{100, 1000}
	if figureSize(0, 1) == 1 {
		lengths = append(lengths, 10_000)
	}
	for _, length := range lengths {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			scans := max(b.N, 9)
			paper := newPaperLine(b)
			for range length {
				paper.scan(b)
			}
			must(b, paper.there.resolve())
			memory, disk := newSides(b, length, false), newSides(b, length, true)
			var times [3][2][]time.Duration
			b.ResetTimer()
			for range scans {
				for i, do := range [3][2]func(){
					{func() { paper.scan(b) }, func() { must(b, paper.there.resolve()) }},
					{memory.scan, memory.pass},
					{disk.scan, disk.pass},
				} {
					began := time.Now()
					do[0]()
					times[i][0] = append(times[i][0], time.Since(began))
					do[1]()
					times[i][1] = append(times[i][1], time.Since(began))
				}
			}
			b.StopTimer()
			var p50 [3][2]float64
			for i := range times {
				for j := range times[i] {
					slices.Sort(times[i][j])
					p50[i][j] = float64(at(times[i][j], 50))
				}
			}
			for j, what := range []string{"appended", "held"} {
				b.ReportMetric(p50[0][j]/p50[1][j], "x-"+what)
				b.ReportMetric(p50[0][j]/p50[2][j], "x-durable-"+what)
				b.ReportMetric(p50[0][j]/1000, "paper-"+what+"-µs")
				b.ReportMetric(p50[1][j]/1000, what+"-µs")
				b.ReportMetric(p50[2][j]/1000, "durable-"+what+"-µs")
			}
		})
	}
}

// sides are a gateway's replica that scans and one that takes its blocks.
type sides struct {
	scan, pass func()
}

func newSides(b *testing.B, length int, durable bool) sides {
	p := newPlant(b)
	open := func(name string) *replica.Replica {
		if durable {
			return p.onDisk(b, name, diskDir(b))
		}
		return p.replica(name, nil)
	}
	here, there := open("intake"), open("drill-1")
	k := &book{b, p, here}
	w := &workOf{book: k, order: k.order(benchOrder("WO-1"))}
	for range length - 1 {
		w.scan()
	}
	height := uint64(length)
	passedOn(b, p, here, there, 0)
	return sides{w.scan, func() {
		passedOn(b, p, here, there, height)
		height++
	}}
}
