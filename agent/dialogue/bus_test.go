package dialogue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/mqtt"
)

// link is a gateway's end of the bus, for one life of the gateway. The scene's
// lock guards it.
type link struct {
	board     *board
	filters   []string
	will      mqtt.Message
	messages  chan mqtt.Message
	states    chan mqtt.State
	connected bool
	ended     bool
}

const (
	backlog   = 4096
	brokerURL = "mqtt://plant"
)

var errNoRoute = errors.New("no route to the broker")

// publication is a message on its way into the broker, or one that a connection
// is given at its beginning.
type publication struct {
	at     time.Time
	from   *board // nil: somebody else
	serial int
	to     *link // only to this one, with all that is retained
	m      mqtt.Message
}

// flight is a message on its way to one gateway.
type flight struct {
	from, to *board
	link     *link
	m        mqtt.Message
}

// kept is a retained message of one half of the broker.
type kept struct {
	mqtt.Message
	serial int
}

// broker passes messages on when the scene lets them, one after the other. It
// may fall into two halves that do not hear each other.
type broker struct {
	links   []*link
	arrived []publication // not looked at yet
	flying  []flight
	apart   map[*board]bool // from the broker
	half    map[*board]int  // nil: whole
	halves  [2][]kept
	serial  int
}

// Messages implements agent.Bus.
func (l *link) Messages() <-chan mqtt.Message { return l.messages }

// Run implements agent.Bus.
func (l *link) Run(ctx context.Context) error {
	s := l.board.scene
	s.mu.Lock()
	s.broker.links = append(s.broker.links, l)
	if s.broker.apart[l.board] {
		l.tell(mqtt.State{Err: errNoRoute})
	} else {
		s.connect(l)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker.links = slices.DeleteFunc(s.broker.links, func(o *link) bool { return o == l })
	l.connected, l.ended = false, true
	close(l.messages)
	return nil
}

// Publish implements agent.Bus.
func (l *link) Publish(_ context.Context, topic string, retained bool, payload []byte) error {
	s := l.board.scene
	l.board.notice()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.connected {
		return fmt.Errorf("publish %s: %w", topic, mqtt.ErrOffline)
	}
	m := mqtt.Message{Topic: topic, Payload: slices.Clone(payload), Retained: retained}
	s.publish(l.board, m)
	s.sayLocked(l.board, published, func() (string, string) { return s.words.message(m) })
	return nil
}

// publish hands a message to the broker. The lock is held.
func (s *scene) publish(from *board, m mqtt.Message) {
	s.broker.serial++
	s.broker.arrived = append(s.broker.arrived, publication{at: time.Now(), from: from, serial: s.broker.serial, m: m})
	s.stir()
}

// connect begins a connection. The lock is held.
func (s *scene) connect(l *link) {
	l.connected = true
	l.tell(mqtt.State{Connected: true, Broker: brokerURL})
	s.broker.serial++
	s.broker.arrived = append(s.broker.arrived, publication{at: time.Now(), from: l.board, serial: s.broker.serial, to: l})
	s.stir()
}

// disconnect ends it, and the broker publishes the will. The lock is held.
func (s *scene) disconnect(l *link) {
	l.connected = false
	l.tell(mqtt.State{Err: errNoRoute})
	s.publish(l.board, l.will)
}

func (l *link) tell(state mqtt.State) {
	select {
	case l.states <- state:
	default:
	}
}

// sort takes what has arrived and sends it on its way. Within one instant the
// order is that of the gateways, not of their goroutines. The lock is held.
func (b *broker) sort() {
	slices.SortStableFunc(b.arrived, func(x, y publication) int {
		if c := x.at.Compare(y.at); c != 0 {
			return c
		}
		if c := x.from.index() - y.from.index(); c != 0 {
			return c
		}
		return x.serial - y.serial
	})
	slices.SortFunc(b.links, func(x, y *link) int { return x.board.index() - y.board.index() })
	for _, p := range b.arrived {
		half := b.half[p.from]
		if p.to != nil {
			for _, k := range b.halves[half] {
				b.send(p.from, p.to, k.Message)
			}
			continue
		}
		if p.m.Retained {
			b.keep(half, p)
		}
		p.m.Retained = false
		for _, l := range b.links {
			if b.half[l.board] == half {
				b.send(p.from, l, p.m)
			}
		}
	}
	b.arrived = nil
}

func (b *broker) keep(half int, p publication) {
	list := slices.DeleteFunc(b.halves[half], func(k kept) bool { return k.Topic == p.m.Topic })
	b.halves[half] = append(list, kept{p.m, p.serial})
}

func (b *broker) send(from *board, l *link, m mqtt.Message) {
	if !l.connected || !subscribed(l.filters, m.Topic) {
		return
	}
	b.flying = append(b.flying, flight{from: from, to: l.board, link: l, m: m})
}

func subscribed(filters []string, topic string) bool {
	return slices.ContainsFunc(filters, func(f string) bool {
		base, any := strings.CutSuffix(f, "+")
		rest, ok := strings.CutPrefix(topic, base)
		return ok && (rest == "" || any && !strings.Contains(rest, "/"))
	})
}

// arrive hands a message over, unless the connection has ended. The lock is held.
func (f flight) arrive() {
	if f.link.connected && !f.link.ended {
		select {
		case f.link.messages <- f.m:
		default: // a gateway that is too slow loses it
		}
	}
}

// part makes the broker fall into halves: those given and the rest. Nobody
// notices.
func (b *broker) part(some []*board) {
	b.half = map[*board]int{}
	for _, g := range some {
		b.half[g] = 1
	}
	b.halves[1] = slices.Clone(b.halves[0])
}

// merge makes it whole. Of what both halves retain the later message stays.
func (b *broker) merge() {
	b.half = nil
	for _, k := range b.halves[1] {
		i := slices.IndexFunc(b.halves[0], func(o kept) bool { return o.Topic == k.Topic })
		if i < 0 {
			b.halves[0] = append(b.halves[0], k)
		} else if b.halves[0][i].serial < k.serial {
			b.halves[0][i] = k
		}
	}
	b.halves[1] = nil
}
