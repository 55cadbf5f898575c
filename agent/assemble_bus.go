package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/drivers"
)

// bus connects to the brokers of the profile, and serves one if it says so. A
// gateway whose certificates cannot be used works alone.
func (b *builder) bus(ctx context.Context) error {
	if len(b.p.Broker.URLs) == 0 {
		return nil
	}
	certificates, err := LoadCertificates(b.p.Broker)
	if err != nil {
		b.j.Event(ctx, journal.CertificateRefused, err.Error(), slog.String(journal.KeyPath, b.p.Broker.CAFile), slog.Any(journal.KeyError, err))
		if b.g.Agent != nil {
			return err // there is one that works
		}
		return nil
	}
	b.parts.Certificates = certificates
	b.parts.Judge = b.judge(certificates).at
	var secured *tls.Config
	var allowed func() error
	if certificates != nil {
		secured = certificates.tls(b.parts.Judge)
		allowed = func() error { return certificates.allowed(b.parts.Judge()) }
	}
	if b.p.Broker.Listen != "" {
		if err := b.serve(secured, certificates); err != nil {
			return err
		}
	}
	topics := peer.TopicsOf(b.parts.Genesis.Network())
	states := make(chan mqtt.State, 64)
	bus, err := mqtt.New(mqtt.Config{
		Brokers: b.p.Broker.URLs, ClientID: b.p.Broker.ClientID, Filters: topics.Filters(b.key), Log: b.j.Logger(),
		TLS: secured, Allowed: allowed,
		Will: &mqtt.Message{Topic: topics.Status(b.key), Payload: peer.Status{Offline: 1}.Encode(), Retained: true},
		OnState: func(s mqtt.State) {
			select {
			case states <- s:
			default: // 64 changes unread: the loop has ended
			}
		},
	})
	if err != nil {
		return err
	}
	b.parts.Bus, b.parts.BusStates = bus, states
	return nil
}

func (b *builder) judge(c *Certificates) judgement {
	floor := BuildTime()
	others := []time.Time{time.UnixMilli(b.parts.Genesis.Time)}
	if c != nil {
		others = append(others, c.issued())
	}
	for _, t := range others {
		if t.After(floor) {
			floor = t
		}
	}
	return judgement{now: b.parts.Now, clock: b.parts.Clock, floor: floor, replica: b.parts.Replica}
}

// served are the settings of the embedded broker.
type served struct{ listen, certificates string }

// serve fits the embedded broker.
func (b *builder) serve(secured *tls.Config, c *Certificates) error {
	of := served{listen: b.p.Broker.Listen}
	if c != nil {
		of.certificates = string(c.key)
	}
	_, err := b.fitted("embedded broker", of, func(x *fitting) error {
		x.run = func(ctx context.Context, _ chan<- drivers.Event) error {
			serveBroker(ctx, b.j, of.listen, secured)
			return nil
		}
		return nil
	})
	return err
}

// serveBroker runs the embedded broker, and tries again while its port is taken.
func serveBroker(ctx context.Context, j *journal.Journal, address string, secured *tls.Config) {
	outages := j.Outages()
	for ctx.Err() == nil {
		l, err := mqtt.Listen(ctx, address)
		if err == nil {
			at := slog.String(journal.KeyBroker, l.Addr().String())
			if !outages.Up(ctx, journal.BrokerFailed, "", "this gateway serves the broker on "+l.Addr().String(), at) {
				j.Event(ctx, journal.BrokerListening, "this gateway serves the broker on "+l.Addr().String(), at)
			}
			err = mqtt.RunBroker(ctx, l, mqtt.BrokerConfig{Log: j.Logger(), TLS: secured})
		}
		if err != nil && ctx.Err() == nil {
			outages.Down(ctx, journal.BrokerFailed, "", "this gateway cannot serve the broker: "+err.Error(),
				slog.String(journal.KeyBroker, address), slog.Any(journal.KeyError, err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// control opens the control socket, which stays while the profile changes.
func (b *builder) control() error {
	if b.p.ControlSocket == "" {
		return nil
	}
	l, err := ListenControl(b.p.ControlSocket)
	if err != nil {
		return err
	}
	socket := l.(*net.UnixListener) // as net.Listen documents for unix
	b.g.closers = append(b.g.closers, closing{l})
	b.g.control = func(ctx context.Context) error { return b.g.ServeControl(ctx, &lent{UnixListener: socket}) }
	b.g.parts.Services = append(b.g.parts.Services, b.g.control)
	return nil
}

// lent is a listener for one server, whose end leaves it open: those who connect
// then wait for the next.
type lent struct {
	*net.UnixListener
	mu     sync.Mutex
	begun  bool
	closed bool
}

// Accept implements net.Listener.
func (l *lent) Accept() (net.Conn, error) {
	l.mu.Lock()
	if !l.begun && !l.closed {
		l.begun = true
		_ = l.SetDeadline(time.Time{}) // the one before has ended by a deadline
	}
	l.mu.Unlock()
	c, err := l.UnixListener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed && err != nil {
		err = net.ErrClosed
	}
	return c, err
}

// Close implements net.Listener.
func (l *lent) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.SetDeadline(time.Unix(1, 0))
}

// closing is a listener that whoever served it may have closed already.
type closing struct{ net.Listener }

func (c closing) Close() error {
	if err := c.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
