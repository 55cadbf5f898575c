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
	Bytes                                int64 // topic and payload of what was delivered
	Stops                                int   // gateways stopped or struck down
	Crashes                              int   // brokers that were restarted and had forgotten everything
	Restored                             int   // gateways that came back with an old copy of their disk
	FailedCommits                        int
	Attacks                              int // of cheats
	Alone                                int // blocks sealed by gateways that were cut off
}

// broker is a cluster of them: it passes messages on between links and keeps the
// retained ones. It may fall into parts that do not hear each other.
type broker struct {
	seed  uint64
	clock *clockwork
	trace *trace

	mu      sync.Mutex
	links   []*link // by name, those that run
	noise   Noise
	noisy   bool
	parts   map[int][]kept  // what each part retains; only part 0 while whole
	part    map[string]int  // the part of a gateway; nil: whole
	quiet   bool            // messages are handed out to all on a beat, and no line is written
	waiting []mqtt.Message  // for the next beat
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
		parts: map[int][]kept{}, apart: map[string]bool{}, serials: map[string]uint64{}, newest: map[string]uint64{},
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
	part := b.part[from]
	if m.Retained {
		b.keep(part, m)
	}
	m.Retained = false
	if b.quiet {
		b.flood(m)
		return
	}
	for _, to := range b.links {
		if !to.connected || !to.subscribed(m.Topic) {
			continue
		}
		if b.part[to.name] != part {
			b.counts.Cut++
			continue
		}
		b.send(who, from, to, m)
	}
}

// beat is how often a quiet broker hands out what has come: what a gateway finds
// waiting it makes durable in one commit. The larger a plant, the longer.
func (b *broker) beat() time.Duration {
	return max(200, time.Duration(len(b.links))) * time.Millisecond
}

// flood has a message reach everybody at the next beat. The lock is held.
func (b *broker) flood(m mqtt.Message) {
	b.flying++
	b.waiting = append(b.waiting, m)
	if len(b.waiting) > 1 {
		return
	}
	now := time.Now()
	b.clock.after(now.Truncate(b.beat()).Add(b.beat()).Sub(now), "flood", b.next("flood"), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flying -= len(b.waiting)
		for _, to := range b.links {
			if to.connected {
				b.hand(to, b.waiting)
			}
		}
		b.waiting = nil
	})
}

// hand gives a link those of some messages that it wants. The lock is held.
func (b *broker) hand(to *link, messages []mqtt.Message) {
	for _, m := range messages {
		if to.subscribed(m.Topic) {
			b.counts.Delivered++
			b.counts.Bytes += int64(len(m.Topic) + len(m.Payload))
			to.push(m)
		}
	}
}

func (b *broker) keep(part int, m mqtt.Message) {
	list := slices.DeleteFunc(b.parts[part], func(k kept) bool { return k.Topic == m.Topic })
	if len(m.Payload) > 0 {
		list = append(list, kept{m, time.Now()})
	}
	b.parts[part] = list
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
		b.counts.Bytes += int64(len(m.Topic) + len(m.Payload))
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

// split makes the broker fall into parts: each list of names, and the rest. Each
// begins with what the part that it comes from retains.
func (b *broker) split(parts ...[]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Partitions++
	before, retained := b.part, b.parts
	b.part, b.parts = map[string]int{}, map[int][]kept{0: retained[0]}
	for i, names := range parts {
		b.trace.say("faults", "partition: %s cut from the others", strings.Join(names, ", "))
		for _, n := range names {
			b.parts[i+1] = slices.Clone(retained[before[n]])
			b.part[n], b.part[n+willOf] = i+1, i+1
		}
	}
}

// merge makes the broker whole again. Of what several parts retain the latest
// message stays.
func (b *broker) merge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Heals++
	b.trace.say("faults", "heal: all hear each other")
	whole := b.parts[0]
	for part := 1; part < len(b.parts); part++ {
		for _, k := range b.parts[part] {
			i := slices.IndexFunc(whole, func(o kept) bool { return o.Topic == k.Topic })
			switch {
			case i < 0:
				whole = append(whole, k)
			case whole[i].at.Before(k.at):
				whole[i] = k
			}
		}
	}
	b.part, b.parts = nil, map[int][]kept{0: whole}
}

// crash restarts brokers, those of the links named or all of them: connections
// and queues are gone, and so is what the last of them retained.
func (b *broker) crash(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Crashes++
	if names == nil {
		b.trace.say("faults", "every broker is restarted and has forgotten everything")
		for part := range b.parts {
			b.parts[part] = nil
		}
	} else {
		b.trace.say("faults", "the broker of %s is restarted", strings.Join(names, ", "))
	}
	for _, l := range b.links {
		if l.connected && !l.dead && (names == nil || slices.Contains(names, l.name)) {
			b.kill(l)
		}
	}
}

// inject has a message reach some links, nil: all. That is what a hostile broker,
// or a gateway that tells each another story, can do. Nothing is lost on the way.
func (b *broker) inject(who string, names []string, m mqtt.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := dice(b.seed, "inject "+who, b.next("inject "+who))
	for _, to := range b.links {
		if to.connected && !to.dead && to.subscribed(m.Topic) && (names == nil || slices.Contains(names, to.name)) {
			pair := who + ">" + to.name
			b.fly(between(r, time.Millisecond, 20*time.Millisecond), pair, b.next(pair), to, m)
		}
	}
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
		b.parts[0] = nil
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

// count changes the counts.
func (b *broker) count(change func(*Counts)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.counts)
}
