package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Errors a caller decides on.
var (
	// ErrOffline: no broker is connected and the message was not sent.
	ErrOffline = errors.New("no broker is connected")
	// ErrUnacknowledged: the message may or may not have reached the broker.
	ErrUnacknowledged = errors.New("the broker did not acknowledge")
	// ErrTooLarge: the payload exceeds MaxPayload and was not sent.
	ErrTooLarge = errors.New("payload too large")
	// ErrTopic: the topic or filter is not one MQTT allows.
	ErrTopic = errors.New("unusable topic")
	// ErrRan: Run was called a second time.
	ErrRan = errors.New("the bus ran already")
	// ErrRefused: the broker answered and does not let this gateway in: by its
	// answer to CONNECT (section 3.2.2.3), to a subscription, or by an alert of
	// TLS (RFC 8446, section 6.2).
	ErrRefused = errors.New("the broker refuses this gateway")
	// ErrUntrusted: this side does not go on, since a certificate does not hold:
	// the broker's is of another authority, for another name or expired, or
	// Allowed said so.
	ErrUntrusted = errors.New("the connection is not trusted")
)

// State is what OnState is told: connected to Broker, or disconnected from it.
// Err is why, and nil at an orderly stop. Before the first connection one State
// without Broker tells that no broker could be reached.
type State struct {
	Connected bool
	Broker    string
	Err       error
	// Barred tells something else: Broker was reached and will not be used until
	// a person mends what Err says, which wraps ErrRefused or ErrUntrusted.
	// Connected then means nothing. It is told once until Broker is connected
	// or the reason changes from one of the two to the other.
	Barred bool
}

// Stats counts since the start of the bus.
type Stats struct {
	Received  uint64 // messages taken from brokers, refused ones included
	Dropped   uint64 // messages the consumer was too slow for
	Refused   uint64 // messages larger than MaxPayload or with an ill-formed topic
	Published uint64 // messages a broker acknowledged
	Connects  uint64 // connections that were made
}

// Bus is a connection to a message broker that comes back by itself.
type Bus struct {
	config   Config
	brokers  []broker
	queue    *queue
	messages chan Message

	ran     atomic.Bool
	current atomic.Pointer[session]

	told  bool  // a state was reported; owned by Run, as is last
	last  State // the state reported last
	tries int   // failures in a row; owned by Run

	// barred is why each broker was not used, ErrRefused or ErrUntrusted. It
	// belongs to Run, and while that waits for it to the goroutine that seeks
	// the home broker.
	barred map[broker]error

	received, refused, published, connects atomic.Uint64
}

// New returns a bus that Run connects. The error wraps ErrConfig.
func New(config Config) (*Bus, error) {
	config = config.withDefaults()
	brokers, err := config.check()
	if err != nil {
		return nil, err
	}
	return &Bus{
		config:   config,
		brokers:  brokers,
		queue:    newQueue(config.Queue, config.QueueBytes),
		messages: make(chan Message),
		barred:   make(map[broker]error),
	}, nil
}

// Messages returns the received messages in the order of arrival. The channel
// is closed when Run returns. A slow consumer loses the oldest messages and
// delays nothing.
func (b *Bus) Messages() <-chan Message { return b.messages }

// Stats returns the counters.
func (b *Bus) Stats() Stats {
	return Stats{
		Received:  b.received.Load(),
		Dropped:   b.queue.drops(),
		Refused:   b.refused.Load(),
		Published: b.published.Load(),
		Connects:  b.connects.Load(),
	}
}

// Publish sends a message with QoS 1 and returns once the broker has it. It
// waits at most five seconds, or until ctx ends. While no broker is connected
// it returns ErrOffline at once: nothing is queued, since what matters is in
// the chain already. After ErrUnacknowledged or the error of ctx the message
// may have gone out all the same. The payload is copied. Safe for concurrent
// use; messages of concurrent calls have no order.
func (b *Bus) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	if err := checkTopic(topic); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if len(payload) > b.config.MaxPayload {
		return fmt.Errorf("publish %s: %w: %d bytes, at most %d", topic, ErrTooLarge, len(payload), b.config.MaxPayload)
	}
	s := b.current.Load()
	if s == nil {
		return fmt.Errorf("publish %s: %w", topic, ErrOffline)
	}
	if err := s.publish(ctx, topic, retained, payload); err != nil {
		return fmt.Errorf("publish %s to %s: %w", topic, s.broker.name, err)
	}
	b.published.Add(1)
	return nil
}

// Run keeps the bus connected until ctx ends, then says goodbye to the broker
// and returns nil within two seconds, with no goroutine left. It may be called
// once.
func (b *Bus) Run(ctx context.Context) error {
	if b.ran.Swap(true) {
		return ErrRan
	}
	var pump sync.WaitGroup
	pump.Go(func() { b.queue.pump(ctx, b.messages) })
	defer pump.Wait()

	var s *session
	for {
		if s == nil {
			s = b.connect(ctx)
		}
		if s == nil {
			b.report(State{Broker: b.last.Broker})
			return nil
		}
		s = b.serve(ctx, s)
	}
}

// connect tries the brokers in order, round after round. It returns nil when
// ctx ends.
func (b *Bus) connect(ctx context.Context) *session {
	for {
		if !sleep(ctx, wait(b.tries, b.config.Jitter)) {
			return nil
		}
		var failed []error
		for _, to := range b.brokers {
			s, err := b.open(ctx, to)
			if err == nil {
				return s
			}
			if ctx.Err() != nil {
				return nil
			}
			b.config.Log.DebugContext(ctx, "Broker not reached", "broker", to.name, "error", err)
			b.bar(to, err)
			failed = append(failed, err)
		}
		b.tries++
		b.report(State{Err: errors.Join(failed...)})
	}
}

// serve stays on s until it is lost, the home broker is back, or ctx ends. It
// returns the connection that takes its place, if there is one.
func (b *Bus) serve(ctx context.Context, s *session) (next *session) {
	began := time.Now()
	b.adopt(s)

	found := make(chan *session, 1)
	seeking, stop := context.WithCancel(ctx)
	defer stop()
	var seeker sync.WaitGroup
	if !s.home {
		seeker.Go(func() { b.seekHome(seeking, found) })
	}
	var lost error
	select {
	case <-ctx.Done():
	case next = <-found:
	case lost = <-s.lost:
		b.current.Store(nil)
	}
	stop()
	seeker.Wait()
	if next == nil {
		select {
		case next = <-found:
		default:
		}
	}
	if ctx.Err() != nil {
		b.current.Store(nil)
		if next != nil {
			next.close()
			next = nil
		}
	}
	if next != nil {
		// The new connection is up before the old one goes: no gap, and what
		// arrives over both is a duplicate like any other.
		b.adopt(next)
	}
	s.close()
	if lost != nil {
		if next == nil {
			b.report(State{Broker: s.broker.name, Err: lost})
		}
		b.tries++
		if time.Since(began) >= steady {
			b.tries = 1
		}
	}
	return next
}

// adopt makes s the connection that Publish uses.
func (b *Bus) adopt(s *session) {
	if b.current.Swap(s) == s {
		return
	}
	b.connects.Add(1)
	delete(b.barred, s.broker)
	b.report(State{Connected: true, Broker: s.broker.name})
}

// seekHome connects to the home broker as soon as it answers.
func (b *Bus) seekHome(ctx context.Context, found chan<- *session) {
	for sleep(ctx, b.config.HomeInterval) {
		s, err := b.open(ctx, b.brokers[0])
		if err == nil {
			found <- s
			return
		}
		b.config.Log.DebugContext(ctx, "Home broker not reached", "broker", b.brokers[0].name, "error", err)
		if ctx.Err() == nil {
			b.bar(b.brokers[0], err)
		}
	}
}

// bar tells that a broker was reached in vain, if it was, and once.
func (b *Bus) bar(to broker, err error) {
	for _, why := range []error{ErrRefused, ErrUntrusted} {
		if errors.Is(err, why) && b.barred[to] != why {
			b.barred[to] = why
			b.config.OnState(State{Broker: to.name, Err: err, Barred: true})
		}
	}
}

// report tells a state unless nothing but the reason changed.
func (b *Bus) report(s State) {
	same := s.Connected == b.last.Connected && (!s.Connected || s.Broker == b.last.Broker)
	stopUntold := !b.told && !s.Connected && s.Err == nil
	if b.told && same || stopUntold {
		return
	}
	b.told, b.last = true, s
	b.config.OnState(s)
}

// receive takes a message from a connection. It must not block.
func (b *Bus) receive(m Message) {
	b.received.Add(1)
	if len(m.Payload) > b.config.MaxPayload || checkReceived(m.Topic) != nil {
		b.refused.Add(1)
		return
	}
	b.queue.put(m)
}

// checkReceived is checkTopic but for the broker's own topics, which a
// subscription may ask for.
func checkReceived(topic string) error {
	if topic != "" && topic[0] == '$' {
		topic = topic[1:]
	}
	return checkTopic(topic)
}
