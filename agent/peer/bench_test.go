package peer

import (
	"fmt"
	"testing"
	"time"

	"traveler.example/ledger"
)

// BenchmarkScan measures what one sealed scan costs on the wire, published by all
// gateways together, when each of them scans once in ten seconds: blocks,
// frontiers, statuses and whatever asking it leads to.
func BenchmarkScan(b *testing.B) {
	for _, size := range []int{2, 5, 20} {
		b.Run(fmt.Sprintf("%d-gateways", size), func(b *testing.B) {
			var names []string
			for i := range size {
				names = append(names, fmt.Sprintf("g%d*", i))
			}
			r := newRig(b, names...)
			ns := r.start(names...)
			r.run(30 * time.Second)
			r.bytes, r.messages = 0, 0
			scans := 0
			b.ResetTimer()
			for b.Loop() {
				for _, n := range ns {
					r.seal(n, 1)
					r.run(10 * time.Second / time.Duration(size))
					scans++
				}
			}
			b.ReportMetric(float64(r.bytes)/float64(scans), "published-B/scan")
			b.ReportMetric(float64(r.messages)/float64(scans), "delivered-msgs/scan")
		})
	}
}

// BenchmarkStep is the cost of one live block of another gateway for a machine
// in a network of a hundred, replica aside.
func BenchmarkStep(b *testing.B) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("g%d", i))
	}
	r := newRig(b, names...)
	n := r.start("g0")[0]
	other := newShelf(r.genesis, r.statements)
	block := other.blocks[other.seal("g1", ledger.Hash{}, nil).Hash]
	v := n.store.view()
	e := Message{Topic: r.topics().Block(idOf("g1")), Payload: block.Raw()}
	b.ReportAllocs()
	for b.Loop() {
		n.m.Step(r.now, v, e)
	}
}
