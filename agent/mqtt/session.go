package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Times of one connection.
const (
	connectTimeout = 3 * time.Second  // dial, handshake and subscription together
	writeTimeout   = 5 * time.Second  // one packet into the socket: 64 KiB over 100 kbit/s
	publishTimeout = 5 * time.Second  // from Publish to the broker's acknowledgement
	handTimeout    = time.Second      // until the library takes a message
	keepAlive      = 10 * time.Second // silence after which the broker is asked
	pingTimeout    = 5 * time.Second  // silence after that which means it is gone
	goodbye        = 300 * time.Millisecond
)

// unacknowledgedLimit is how many messages in a row may stay unacknowledged
// before a connection that still answers pings counts as lost.
const unacknowledgedLimit = 8

// session is one connection to one broker, from dial to goodbye. It is never
// reused: a client of the library that was disconnected may panic when it
// connects again, and its publish tokens may complete without an error after
// it reconnects by itself although nothing was acknowledged.
type session struct {
	broker broker
	home   bool
	client paho.Client
	conn   net.Conn

	requests chan request
	lost     chan error    // holds the reason once the connection is over
	done     chan struct{} // closed by close
	sender   sync.WaitGroup
	unacked  int // failed messages in a row; guarded by mu
	mu       sync.Mutex
}

// request is one message on its way to the goroutine that hands it over.
type request struct {
	topic    string
	retained bool
	payload  []byte
	handed   chan paho.Token // capacity 1
}

// open connects to a broker and subscribes; receive is called for each message
// by one goroutine of the connection and must not block.
func (b *Bus) open(ctx context.Context, to broker) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no answer within %v", connectTimeout))
	defer cancel()
	conn, err := b.dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", to.name, err)
	}
	s := &session{
		broker:   to,
		home:     to == b.brokers[0],
		requests: make(chan request),
		lost:     make(chan error, 1),
		done:     make(chan struct{}),
	}
	gated := &gatedConn{
		Conn:    conn,
		gate:    newGate(conn, b.config.MaxPayload, len(b.config.Filters)),
		timeout: writeTimeout,
	}
	s.conn = gated
	s.client = paho.NewClient(s.options(b.config, b.receive))
	// The library's handshake knows no context: closing the connection ends it.
	unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = s.join(ctx, b.config.Filters)
	// A connection that ctx closed must not be used: the library does not take
	// the end of a connection closed on this side for a loss.
	if !unhook() {
		err = context.Cause(ctx)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("connect to %s: %w", to.name, refusal(err, gated.failure()))
	}
	s.sender.Go(s.send)
	return s, nil
}

func (s *session) options(c Config, receive func(Message)) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: "mqtt", Host: s.broker.address}}
	o.SetClientID(c.ClientID)
	o.SetProtocolVersion(4) // explicit, or the library falls back to 3.1 by itself
	o.SetCleanSession(true)
	o.SetStore(noStore{})
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetOrderMatters(true) // else a goroutine for each message
	o.SetConnectTimeout(connectTimeout)
	o.SetWriteTimeout(handTimeout)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingTimeout)
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return s.conn, nil })
	// Set even though every filter is ours: the library never acknowledges a
	// message that finds no handler.
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		receive(Message{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained()})
	})
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { s.fail(err) })
	if w := c.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, 1, w.Retained)
	}
	return o
}

// join does the handshake and subscribes.
func (s *session) join(ctx context.Context, filters []string) error {
	connect := s.client.Connect()
	<-connect.Done()
	if err := connect.Error(); err != nil {
		return err
	}
	if len(filters) == 0 {
		return ctx.Err()
	}
	qos := make(map[string]byte, len(filters))
	for _, filter := range filters {
		qos[filter] = 1
	}
	token := s.client.SubscribeMultiple(qos, nil)
	select {
	case <-token.Done():
	case err := <-s.lost:
		return fmt.Errorf("subscribe: %w", err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := token.Error(); err != nil {
		// A lost connection completes the token first and gives its reason after.
		select {
		case err = <-s.lost:
		case <-ctx.Done():
		}
		return fmt.Errorf("subscribe: %w", err)
	}
	granted := token.(*paho.SubscribeToken).Result()
	for _, filter := range slices.Compact(slices.Sorted(slices.Values(filters))) {
		if code, ok := granted[filter]; !ok || code > 2 {
			return fmt.Errorf("%w: it refused the subscription to %q: check its access list", ErrRefused, filter)
		}
	}
	return ctx.Err()
}

// fail marks the connection as lost; the first reason stays.
func (s *session) fail(err error) {
	select {
	case s.lost <- err:
	default:
	}
}

// send hands messages to the library, which may hold its caller for handTimeout
// whatever the caller's context says.
func (s *session) send() {
	for {
		select {
		case r := <-s.requests:
			r.handed <- s.client.Publish(r.topic, 1, r.retained, r.payload)
		case <-s.done:
			return
		}
	}
}

// publish sends one message and waits for the broker's acknowledgement.
func (s *session) publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, fmt.Errorf("%w within %v", ErrUnacknowledged, publishTimeout))
	defer cancel()
	// The library may still read the payload after this call gave up.
	r := request{topic, retained, bytes.Clone(payload), make(chan paho.Token, 1)}
	select {
	case s.requests <- r:
	case <-s.done:
		return ErrOffline
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := s.acknowledged(ctx, r)
	s.judge(err)
	return err
}

func (s *session) acknowledged(ctx context.Context, r request) error {
	var token paho.Token
	select {
	case token = <-r.handed:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return fmt.Errorf("%w: the connection ended", ErrUnacknowledged)
	}
	select {
	case <-token.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return fmt.Errorf("%w: the connection ended", ErrUnacknowledged)
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnacknowledged, err)
	}
	return nil
}

// judge ends a connection over which nothing is acknowledged any more. A
// caller that lost patience says nothing about the broker.
func (s *session) judge(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.unacked = 0
	case errors.Is(err, ErrUnacknowledged):
		s.unacked++
	}
	if s.unacked == unacknowledgedLimit {
		s.fail(fmt.Errorf("the last %d messages: %w", s.unacked, ErrUnacknowledged))
	}
}

// close says goodbye if there is someone to say it to, and returns when every
// goroutine of the connection is gone, within two seconds.
func (s *session) close() {
	close(s.done)
	s.client.Disconnect(uint(goodbye.Milliseconds()))
	// A stalled broker outlasts the goodbye: without the connection the library
	// finishes at once, and a second call waits for that.
	_ = s.conn.Close()
	s.client.Disconnect(uint(time.Second.Milliseconds()))
	s.sender.Wait()
}

// noStore keeps nothing: the library would otherwise hold every message until
// it is acknowledged, and messages of a hostile broker with it.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
