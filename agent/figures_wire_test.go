package agent

import (
	"strings"
	"testing"
	"time"

	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/drivers"
	"traveler.example/ledger"
)

// apart is how far from each other the scans of a quiet line are: by then all that
// a scan leads to has been said, frontiers included.
const apart = 3 * time.Second

// tap counts the bytes of topics and payloads, by channel.
type tap map[string]struct{ messages, topics, payloads int }

// listen takes what comes until nothing has for a while.
func (t tap) listen(messages <-chan mqtt.Message, quiet time.Duration) {
	for {
		select {
		case m := <-messages:
			channel := strings.Split(m.Topic, "/")[3]
			c := t[channel]
			c.messages, c.topics, c.payloads = c.messages+1, c.topics+len(m.Topic), c.payloads+len(m.Payload)
			t[channel] = c
		case <-time.After(quiet):
			return
		}
	}
}

// BenchmarkFigureH_WireBytes tells what one operation costs on the wire of a
// quiet line: a scan that accepts an item and, three seconds later, the one that
// reports it, counted by a client that is subscribed to everything. B is the
// topics and payloads of all messages but frontiers, which depend on the number
// of witnesses; block-B is what the two scans themselves publish, status-B what tells
// of the new heads, frontier-B what the frontiers of the two gateways come to.
func BenchmarkFigureH_WireBytes(b *testing.B) {
	items := max(b.N, figureSize(1, 20))
	p := newPlant(b)
	address := mosquitto(b)
	r := p.onDisk(b, "intake", diskDir(b))
	k := &book{b, p, r}
	order := k.order(benchOrder("WO-1"))
	tags := make([]string, items)
	for i := range tags {
		tags[i] = "0455667788" + string([]byte{'0' + byte(i/10%10), '0' + byte(i%10)})
		k.intake(order, "L-"+tags[i], tags[i])
	}
	w := p.wire(b, "intake", address, Station{ID: "BENCH-1", Mode: ledger.ModeInOut}, r)
	other := p.wire(b, "drill-1", address, Station{ID: "DRILL-1", Mode: ledger.ModeInOut}, p.onDisk(b, "drill-1", diskDir(b)))
	eventually(b, "both hold the same", func() bool { return other.head(b, "intake") == w.head(b, "intake") })
	bus, _ := busTo(b, address, "tap", peer.TopicsOf(p.genesis.Network()).All())
	tap{}.listen(bus.Messages(), 2*apart)

	heard := tap{}
	b.ResetTimer()
	for _, tag := range tags {
		for range 2 {
			w.scan(b, tag, drivers.AspectGreen)
			heard.listen(bus.Messages(), apart)
		}
	}
	b.StopTimer()
	total, n := 0, float64(items)
	for channel, c := range heard {
		if channel != "frontier" {
			total += c.topics + c.payloads
		}
		b.ReportMetric(float64(c.topics+c.payloads)/n, channel+"-B")
		b.ReportMetric(float64(c.topics)/n, channel+"-topic-B")
		b.ReportMetric(float64(c.messages)/n, channel+"-msgs")
	}
	b.ReportMetric(float64(total)/n, "B")
	b.ReportMetric(0, "ns/op") // scans are apart, not slow
}
