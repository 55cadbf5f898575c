package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrConfig is wrapped by every error about a Config: the field, its value and
// the remedy stand in the message.
var ErrConfig = errors.New("bus configuration")

// Defaults of the zero values in Config and their reasons.
const (
	// DefaultMaxPayload leaves room for a give batch: 64 KiB, or one block of
	// 64 KiB with its envelope.
	DefaultMaxPayload = 128 << 10
	// DefaultQueue is about a tenth of a second of a broker at full speed.
	DefaultQueue = 1024
	// DefaultQueueBytes keeps a flood of large messages from small boards.
	DefaultQueueBytes = 8 << 20
	// DefaultHomeInterval is how often the home broker is tried from another one.
	DefaultHomeInterval = 30 * time.Second
)

// topicLimit is the longest topic MQTT can carry, in bytes (section 1.5.3).
const topicLimit = 65535

// Message is one application message.
type Message struct {
	Topic   string
	Payload []byte
	// Retained tells, for a received message, that the broker held it from
	// before the subscription; for a will, that the broker shall hold it.
	Retained bool
}

// Config says how a Bus reaches its brokers. Brokers and ClientID are needed,
// everything else has a default.
type Config struct {
	// Brokers are addresses like mqtt://10.0.0.5:1883 (port 1883 if none is
	// given) or, over TLS, mqtts://broker.plant:8883 (port 8883), tried in this
	// order; the first is home. A bus never speaks plain where it was told to
	// encrypt.
	Brokers []string
	// TLS is what connections to mqtts brokers rest on: the authorities that may
	// vouch for a broker, this side's certificate, and the time at which
	// certificates are judged. The name of the server is always that of the URL,
	// and nothing below TLS 1.2 is spoken. nil: no mqtts broker is accepted.
	TLS *tls.Config
	// Allowed is asked before each connection over TLS; its error, which wraps
	// ErrUntrusted, is why none is made: an own certificate that has expired.
	// nil allows.
	Allowed func() error
	// ClientID must differ between gateways: a broker ends the older of two
	// connections that bear one id.
	ClientID string
	// Will is published by the broker when the connection ends without a
	// goodbye. An orderly stop does not trigger it: publish the last status
	// before ending Run's context.
	Will *Message
	// Filters are subscribed with QoS 1 on every connection before it counts as
	// connected. A broker that refuses one of them is not used.
	Filters []string
	// Dial opens the network connection; nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// OnState is called by Run for every change of state: exactly one call for a
	// change, in order, never two at a time. It must return quickly.
	OnState func(State)
	// Log receives failed attempts at level debug; changes of state are for
	// OnState to tell. nil discards.
	Log *slog.Logger
	// Queue and QueueBytes bound the received messages that wait for the
	// consumer, in messages and in bytes of topic and payload. Beyond that the
	// oldest is dropped and counted: of two statements the newer is the truer,
	// and a missing block is asked for again.
	Queue      int
	QueueBytes int
	// MaxPayload in bytes, both ways. Larger ones are never held in memory:
	// incoming ones are acknowledged, dropped and counted.
	MaxPayload int
	// HomeInterval is how often the home broker is tried from another one.
	HomeInterval time.Duration
	// Jitter returns a number in [0,n) to spread reconnections; nil means
	// math/rand. Only Run calls it, never two at a time.
	Jitter func(n int64) int64
}

func (c Config) withDefaults() Config {
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.OnState == nil {
		c.OnState = func(State) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Jitter == nil {
		c.Jitter = rand.Int64N
	}
	c.Queue = defaulted(c.Queue, DefaultQueue)
	c.QueueBytes = defaulted(c.QueueBytes, DefaultQueueBytes)
	c.MaxPayload = defaulted(c.MaxPayload, DefaultMaxPayload)
	c.HomeInterval = defaulted(c.HomeInterval, DefaultHomeInterval)
	return c
}

func defaulted[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// check returns the network addresses of the brokers, or the first fault.
func (c Config) check() ([]broker, error) {
	if len(c.Brokers) == 0 {
		return nil, fmt.Errorf("%w: no broker: name at least one as mqtt://host:port", ErrConfig)
	}
	if c.ClientID == "" || len(c.ClientID) > topicLimit || !utf8.ValidString(c.ClientID) {
		return nil, fmt.Errorf("%w: client id %.40q: needs a text of 1 to %d bytes", ErrConfig, c.ClientID, topicLimit)
	}
	brokers := make([]broker, 0, len(c.Brokers))
	for _, text := range c.Brokers {
		b, err := parseBroker(text)
		if err != nil {
			return nil, err
		}
		if b.server != "" && c.TLS == nil {
			return nil, fmt.Errorf("%w: broker %q asks for TLS and there are no certificates: name them, or write mqtt://", ErrConfig, text)
		}
		brokers = append(brokers, b)
	}
	for _, filter := range c.Filters {
		if err := checkFilter(filter); err != nil {
			return nil, fmt.Errorf("%w: filter: %w", ErrConfig, err)
		}
	}
	if c.Will == nil {
		return brokers, nil
	}
	if err := checkTopic(c.Will.Topic); err != nil {
		return nil, fmt.Errorf("%w: will: %w", ErrConfig, err)
	}
	// A CONNECT packet carries the will in a 16-bit length (section 3.1.3.3).
	if len(c.Will.Payload) > min(c.MaxPayload, topicLimit) {
		return nil, fmt.Errorf("%w: will: %w: %d bytes", ErrConfig, ErrTooLarge, len(c.Will.Payload))
	}
	return brokers, nil
}

// broker is one parsed address: name as the profile has it, address to dial,
// and over TLS the name that the server's certificate must bear.
type broker struct{ name, address, server string }

// ports are the schemes that are served, with the port that stands for each.
var ports = map[string]string{"mqtt": "1883", schemeTLS: "8883"}

const schemeTLS = "mqtts"

func parseBroker(text string) (broker, error) {
	u, err := url.Parse(text)
	if err != nil {
		return broker{}, fmt.Errorf("%w: broker %q: %w: write mqtt://host:port", ErrConfig, text, err)
	}
	usual, served := ports[u.Scheme]
	port := u.Port()
	if port == "" {
		port = usual
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case !served:
		return broker{}, fmt.Errorf("%w: broker %q: scheme %q is not served: write mqtt://host:port, or mqtts://host:port for TLS", ErrConfig, text, u.Scheme)
	case u.Hostname() == "":
		return broker{}, fmt.Errorf("%w: broker %q: no host: write mqtt://host:port", ErrConfig, text)
	case err != nil || number == 0:
		return broker{}, fmt.Errorf("%w: broker %q: port %q: use 1 to 65535", ErrConfig, text, port)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return broker{}, fmt.Errorf("%w: broker %q: only host and port are served: write mqtt://host:port", ErrConfig, u.Redacted())
	}
	b := broker{name: text, address: net.JoinHostPort(u.Hostname(), port)}
	if u.Scheme == schemeTLS {
		b.server = u.Hostname()
	}
	return b, nil
}

// checkTopic holds a topic to what every broker takes: one that is sent all
// the same is dropped without a word by some and ends the connection at others.
func checkTopic(topic string) error {
	switch {
	case topic == "" || len(topic) > topicLimit:
		return fmt.Errorf("%w: %d bytes: use 1 to %d", ErrTopic, len(topic), topicLimit)
	case !utf8.ValidString(topic) || strings.ContainsRune(topic, 0):
		return fmt.Errorf("%w %.80q: not UTF-8 text without NUL", ErrTopic, topic)
	case strings.ContainsAny(topic, "+#"):
		return fmt.Errorf("%w %.80q: wildcards + and # belong to filters", ErrTopic, topic)
	case topic[0] == '$':
		return fmt.Errorf("%w %.80q: topics that begin with $ belong to the broker", ErrTopic, topic)
	}
	return nil
}

// checkFilter applies section 4.7.1: + fills a level, # fills the last one.
func checkFilter(filter string) error {
	if filter == "" || len(filter) > topicLimit || !utf8.ValidString(filter) || strings.ContainsRune(filter, 0) {
		return fmt.Errorf("%w %.80q: not UTF-8 text of 1 to %d bytes without NUL", ErrTopic, filter, topicLimit)
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		wild := strings.ContainsAny(level, "+#")
		if wild && len(level) > 1 || level == "#" && i < len(levels)-1 {
			return fmt.Errorf("%w %.80q: + and # stand alone in a level, # only in the last", ErrTopic, filter)
		}
	}
	return nil
}
