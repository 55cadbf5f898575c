package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// ErrAddressInUse: another program, or another broker, holds the address.
var ErrAddressInUse = errors.New("address in use")

// BrokerConfig bounds the embedded broker. Zero values mean the defaults named
// at each field.
type BrokerConfig struct {
	// Clients connected at a time: 128. A plant beyond that runs a broker of
	// its own.
	Clients int
	// MaxPayload in bytes of one message: DefaultMaxPayload. A client that
	// sends more is disconnected.
	MaxPayload int
	// Inflight messages for one client, sent or waiting but not acknowledged:
	// 1024. Beyond that its messages are dropped.
	Inflight int
	// Subscriptions of one client: 64. Further ones are refused.
	Subscriptions int
	// Retained topics: 4096, and RetainedBytes of their topics and payloads
	// together: 16 MiB. Beyond that a message is delivered but not retained.
	Retained, RetainedBytes int
	// WriteTimeout after which a client that does not read is disconnected: two
	// seconds. While it stalls, it can hold up the others.
	WriteTimeout time.Duration
	// TLS, if given, is spoken on every connection, and each client must show a
	// certificate of one of its ClientCAs. nil: in clear.
	TLS *tls.Config
	// Log receives what the broker says, at debug and warn, without payloads,
	// and a repeated warning once a minute. nil discards.
	Log *slog.Logger
}

// Defaults of BrokerConfig.
const (
	defaultClients       = 128
	defaultInflight      = 1024
	defaultSubscriptions = 64
	defaultRetained      = 4096
	defaultRetainedBytes = 16 << 20
	defaultSlow          = 2 * time.Second
)

// helloTimeout is how long a connection may stay without a CONNECT packet.
const helloTimeout = 5 * time.Second

// statusInterval is how often the broker renews its $SYS topics. Each time
// stops the world to read the memory statistics.
const statusInterval = time.Minute

func (c BrokerConfig) withDefaults() BrokerConfig {
	c.Clients = defaulted(c.Clients, defaultClients)
	c.MaxPayload = defaulted(c.MaxPayload, DefaultMaxPayload)
	c.Inflight = min(defaulted(c.Inflight, defaultInflight), 65535)
	c.Subscriptions = defaulted(c.Subscriptions, defaultSubscriptions)
	c.Retained = defaulted(c.Retained, defaultRetained)
	c.RetainedBytes = defaulted(c.RetainedBytes, defaultRetainedBytes)
	c.WriteTimeout = defaulted(c.WriteTimeout, defaultSlow)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Listen opens a TCP address such as 127.0.0.1:1883 for RunBroker. The error
// wraps ErrAddressInUse if the port is taken.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen for MQTT: %w: stop the program that holds it or choose another port: %w", ErrAddressInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT on %q: %w", address, err)
	}
	return l, nil
}

// RunBroker serves MQTT 3.1.1 and 5 on l until ctx ends, then disconnects its
// clients, closes l and returns nil within two seconds. Anyone who reaches l
// (with TLS: and has a certificate) may publish and subscribe everything: without
// TLS listen on loopback or on the network of the plant only. Retained messages live in memory; every session ends with its
// connection. Messages to one client may overtake each other, and a publisher
// has its acknowledgement before the subscribers have the message.
func RunBroker(ctx context.Context, l net.Listener, config BrokerConfig) error {
	config = config.withDefaults()
	if config.TLS != nil {
		l = secureListener{l, serverTLS(config.TLS)}
	}
	server := mochi.New(&mochi.Options{
		Capabilities:           config.capabilities(),
		Logger:                 slog.New(newBrokerLog(config.Log.Handler())),
		SysTopicResendInterval: int64(statusInterval / time.Second),
	})
	door := newDoor(l, config)
	err := server.AddHook(newGuard(config), nil)
	if err == nil {
		err = server.AddListener(door)
	}
	if err == nil {
		err = server.Serve()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start the MQTT broker: %w", err), l.Close())
	}
	<-ctx.Done()
	err = server.Close()
	door.wait()
	if err != nil {
		return fmt.Errorf("stop the MQTT broker: %w", err)
	}
	return nil
}

func (c BrokerConfig) capabilities() *mochi.Capabilities {
	limits := mochi.NewDefaultServerCapabilities()
	limits.MaximumClients = int64(c.Clients)
	limits.MaximumClientWritesPending = int32(c.Inflight)
	limits.MaximumInflight = uint16(c.Inflight)
	// The longest topic, the properties of MQTT 5 and the header beside it.
	limits.MaximumPacketSize = uint32(c.MaxPayload + topicLimit + 1024)
	// One setting expires messages in flight and deletes retained ones of that
	// age. Those in flight end with the connection and are bounded in number;
	// a roster retained for months must stay.
	limits.MaximumMessageExpiryInterval = 0
	limits.MaximumSessionExpiryInterval = 0
	limits.TopicAliasMaximum = 0
	limits.SharedSubAvailable = 0
	return limits
}
