package plant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/mqtt"
)

// link is one gateway's end of the bus, for one life of the gateway. The
// broker's lock guards it.
type link struct {
	broker  *broker
	name    string
	filters []string
	will    mqtt.Message

	messages chan mqtt.Message
	states   chan mqtt.State

	connected bool          // as the gateway knows
	dead      bool          // nothing passes, and nobody has noticed yet
	ended     bool          // Run has returned
	lost      chan struct{} // closed when the connection is given up
}

// backlog bounds the messages that wait for a gateway, as a bus does.
const backlog = 4096

// willOf marks what the broker publishes in a gateway's name.
const willOf = " will"

var errNoRoute = errors.New("no route to the broker")

func (b *broker) link(name string, filters []string, will mqtt.Message) *link {
	return &link{
		broker: b, name: name, filters: filters, will: will,
		messages: make(chan mqtt.Message, backlog), states: make(chan mqtt.State, 64),
	}
}

// Messages implements agent.Bus.
func (l *link) Messages() <-chan mqtt.Message { return l.messages }

// Run implements agent.Bus: it stays connected, as far as the broker can be
// reached, until ctx ends.
func (l *link) Run(ctx context.Context) error {
	b := l.broker
	b.mu.Lock()
	b.links = append(b.links, l)
	slices.SortFunc(b.links, func(x, y *link) int { return strings.Compare(x.name, y.name) })
	b.reach(l, 20*time.Millisecond, 300*time.Millisecond)
	b.mu.Unlock()

	<-ctx.Done()

	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = slices.DeleteFunc(b.links, func(o *link) bool { return o == l })
	if l.connected && l.dead {
		b.leaveWill(l)
	}
	l.connected, l.ended = false, true
	close(l.messages)
	return nil
}

// Publish implements agent.Bus. It returns when the broker has acknowledged.
func (l *link) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	b := l.broker
	b.mu.Lock()
	connected, dead, lost := l.connected, l.dead, l.lost
	r := dice(b.seed, "publish "+l.name, b.next("publish "+l.name))
	if connected && !dead {
		m := mqtt.Message{Topic: topic, Payload: slices.Clone(payload), Retained: retained}
		b.trace.say(l.name+"/sync", "publishes %s", describe(m))
		b.publish(l.name+"/sync", l.name, m)
	}
	b.mu.Unlock()
	switch {
	case !connected:
		return fmt.Errorf("publish %s: %w", topic, mqtt.ErrOffline)
	case dead:
		select {
		case <-lost:
			return fmt.Errorf("publish %s: %w", topic, mqtt.ErrOffline)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	acknowledged := time.NewTimer(between(r, 200*time.Microsecond, 2*time.Millisecond))
	defer acknowledged.Stop()
	select {
	case <-acknowledged.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) subscribed(topic string) bool {
	return slices.ContainsFunc(l.filters, func(f string) bool {
		base, any := strings.CutSuffix(f, "+")
		rest, ok := strings.CutPrefix(topic, base)
		return ok && (rest == "" || any && !strings.Contains(rest, "/"))
	})
}

// push hands a message over; a gateway that is too slow loses it. The lock is
// held.
func (l *link) push(m mqtt.Message) {
	if l.ended {
		return
	}
	select {
	case l.messages <- m:
	default:
		l.broker.trace.say(l.name+"/bus", "has no room for a message")
	}
}

func (l *link) tell(s mqtt.State) {
	l.broker.trace.say(l.name+"/bus", "connected: %t", s.Connected)
	select {
	case l.states <- s:
	default:
	}
}

// reach tries to connect after a while, again and again. The lock is held.
func (b *broker) reach(l *link, least, most time.Duration) {
	about := "reach " + l.name
	serial := b.next(about)
	b.clock.after(between(dice(b.seed, about, serial), least, most), about, serial, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch {
		case l.ended || l.connected:
		case b.apart[l.name]:
			l.tell(mqtt.State{Err: errNoRoute})
			b.reach(l, 500*time.Millisecond, 2*time.Second)
		default:
			b.connect(l)
		}
	})
}

// connect makes the connection; what is retained follows. The lock is held.
func (b *broker) connect(l *link) {
	l.connected, l.dead, l.lost = true, false, make(chan struct{})
	l.tell(mqtt.State{Connected: true, Broker: "mqtt://plant"})
	for _, k := range b.parts[b.part[l.name]] {
		if b.quiet {
			b.hand(l, []mqtt.Message{k.Message})
		} else if l.subscribed(k.Topic) {
			b.send("broker", "broker", l, k.Message)
		}
	}
}

// kill lets nothing pass any more. After a while both ends notice. The lock is
// held.
func (b *broker) kill(l *link) {
	l.dead = true
	lost := l.lost
	about := "notice " + l.name
	serial := b.next(about)
	b.clock.after(between(dice(b.seed, about, serial), 300*time.Millisecond, 6*time.Second), about, serial, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if l.ended || !l.connected || !l.dead || l.lost != lost {
			return
		}
		l.connected = false
		close(l.lost)
		l.tell(mqtt.State{Broker: "mqtt://plant", Err: errNoRoute})
		b.leaveWill(l)
		b.reach(l, 100*time.Millisecond, time.Second)
	})
}

// strike cuts a gateway that is about to die without a word.
func (b *broker) strike(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.connected {
		l.dead = true
	}
}

// leaveWill publishes the will of a gateway that vanished, once the broker's own
// patience is over. The lock is held.
func (b *broker) leaveWill(l *link) {
	about := l.name + willOf
	serial := b.next("leave " + about)
	b.clock.after(between(dice(b.seed, about, serial), 100*time.Millisecond, 3*time.Second), about, serial, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.trace.say(about, "is published")
		b.publish(about, about, l.will)
	})
}
