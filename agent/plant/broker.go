package plant

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"

	"traveler.example/agent/mqtt"
)

// Noise is how often, in a thousand deliveries, each fault befalls one.
type Noise struct{ Loss, Duplicate, Late, Swap int }

// Counts tells how often each fault befell a run.
type Counts struct {
	Lost, Duplicated, Reordered, Delayed int // deliveries
	Partitions, Heals                    int
	Cut                                  int // deliveries that a partition swallowed
	Delivered                            int
	Stops                                int // gateways stopped or struck down
}

// broker passes messages on between links and keeps the retained ones. It may
// fall into two halves that do not hear each other.
type broker struct {
	seed  uint64
	clock *clockwork
	trace *trace

	mu      sync.Mutex
	links   []*link // by name, those that run
	noise   Noise
	noisy   bool
	halves  [2][]kept       // what each half retains; only the first while whole
	half    map[string]int  // the half of a gateway; nil: whole
	apart   map[string]bool // gateways that cannot reach the broker
	serials map[string]uint64
	newest  map[string]uint64 // by pair, the highest serial delivered
	counts  Counts
	flying  int // deliveries under way
}

// kept is a retained message.
type kept struct {
	mqtt.Message
	at time.Time
}

func newBroker(seed uint64, n Noise, c *clockwork, t *trace) *broker {
	return &broker{
		seed: seed, noise: n, clock: c, trace: t,
		apart: map[string]bool{}, serials: map[string]uint64{}, newest: map[string]uint64{},
	}
}

// next counts what happens between a pair, or to one. The lock is held.
func (b *broker) next(about string) uint64 {
	b.serials[about]++
	return b.serials[about]
}

// setNoise begins and ends the time in which deliveries suffer.
func (b *broker) setNoise(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noisy = on
	b.trace.say("faults", "noise %t", on)
}

// publish passes a message on. The lock is held. Who is the source of the lines
// in the trace: the caller's goroutine.
func (b *broker) publish(who, from string, m mqtt.Message) {
	half := b.half[from]
	if m.Retained {
		b.keep(half, m)
	}
	m.Retained = false
	for _, to := range b.links {
		if !to.connected || !to.subscribed(m.Topic) {
			continue
		}
		if b.half[to.name] != half {
			b.counts.Cut++
			continue
		}
		b.send(who, from, to, m)
	}
}

func (b *broker) keep(half int, m mqtt.Message) {
	list := slices.DeleteFunc(b.halves[half], func(k kept) bool { return k.Topic == m.Topic })
	if len(m.Payload) > 0 {
		list = append(list, kept{m, time.Now()})
	}
	b.halves[half] = list
}

// send draws the fate of one delivery. The lock is held.
func (b *broker) send(who, from string, to *link, m mqtt.Message) {
	pair := from + ">" + to.name
	serial := b.next(pair)
	r := dice(b.seed, "fate "+pair, serial)
	wait := between(r, 300*time.Microsecond, 5*time.Millisecond)
	if !b.noisy {
		b.fly(wait, pair, serial, to, m)
		return
	}
	n := b.noise
	switch roll := r.IntN(1000); {
	case roll < n.Loss:
		b.counts.Lost++
		b.trace.say(who, "lost %s #%d", pair, serial)
		return
	case roll < n.Loss+n.Duplicate:
		b.counts.Duplicated++
		b.trace.say(who, "duplicated %s #%d", pair, serial)
		b.fly(wait+between(r, 0, 2*time.Second), pair, serial, to, m)
	case roll < n.Loss+n.Duplicate+n.Late:
		wait += between(r, time.Second, 12*time.Second)
		b.counts.Delayed++
		b.trace.say(who, "delayed %s #%d by %v", pair, serial, wait)
	case roll < n.Loss+n.Duplicate+n.Late+n.Swap:
		wait += between(r, 5*time.Millisecond, 150*time.Millisecond)
	}
	b.fly(wait, pair, serial, to, m)
}

// fly has a message arrive after wait. The lock is held.
func (b *broker) fly(wait time.Duration, pair string, serial uint64, to *link, m mqtt.Message) {
	connection := to.lost
	b.flying++
	b.clock.after(wait, "deliver "+pair, serial, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flying--
		if !to.connected || to.dead || to.lost != connection {
			b.counts.Cut++
			return
		}
		order := ""
		if serial < b.newest[pair] {
			b.counts.Reordered++
			order = " out of order"
		}
		b.newest[pair] = max(b.newest[pair], serial)
		b.counts.Delivered++
		b.trace.say(to.name+"/bus", "receives %s #%d %s%s", pair, serial, describe(m), order)
		to.push(m)
	})
}

// describe names a message by topic and a checksum of its bytes.
func describe(m mqtt.Message) string {
	parts := strings.Split(m.Topic, "/")
	topic := m.Topic
	if len(parts) > 3 {
		topic = strings.Join(parts[3:], "/")
	}
	if i := strings.LastIndexByte(topic, '/'); i >= 0 && len(topic) > i+9 {
		topic = topic[:i+9]
	}
	if m.Retained {
		topic += " retained"
	}
	return fmt.Sprintf("%s %d bytes %08x", topic, len(m.Payload), crc32.ChecksumIEEE(m.Payload))
}

// split makes the broker fall into halves: those named and the rest.
func (b *broker) split(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Partitions++
	b.trace.say("faults", "partition: %s cut from the others", strings.Join(names, ", "))
	b.half = map[string]int{}
	for _, n := range names {
		b.half[n], b.half[n+willOf] = 1, 1
	}
	b.halves[1] = slices.Clone(b.halves[0])
}

// merge makes the broker whole again. Of what both halves retain the later
// message stays.
func (b *broker) merge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Heals++
	b.trace.say("faults", "heal: all hear each other")
	b.half = nil
	for _, k := range b.halves[1] {
		i := slices.IndexFunc(b.halves[0], func(o kept) bool { return o.Topic == k.Topic })
		switch {
		case i < 0:
			b.halves[0] = append(b.halves[0], k)
		case b.halves[0][i].at.Before(k.at):
			b.halves[0][i] = k
		}
	}
	b.halves[1] = nil
}

// cut takes gateways off the broker. Neither side notices at once.
func (b *broker) cut(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Partitions++
	b.trace.say("faults", "partition: %s cut from the broker", strings.Join(names, ", "))
	for _, n := range names {
		b.apart[n] = true
	}
	for _, l := range b.links {
		if b.apart[l.name] && l.connected {
			b.kill(l)
		}
	}
}

// heal lets gateways reach the broker again. If it forgets, it was restarted and
// retains nothing.
func (b *broker) heal(forgets bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Heals++
	b.trace.say("faults", "heal: all reach the broker, which forgot what it retained: %t", forgets)
	clear(b.apart)
	if forgets {
		b.halves[0] = nil
	}
	for _, l := range b.links {
		l.dead = false // of those that did not notice
	}
}

// Counts returns what befell the run so far.
func (b *broker) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// inFlight reports how many deliveries are under way.
func (b *broker) inFlight() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flying
}
