package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
)

// connection is the bus while the loop runs.
type connection struct {
	messages <-chan mqtt.Message
	end      context.CancelFunc
	ended    chan struct{}
}

// connect runs the bus under a context of its own, so that a last status can be
// published after the gateway was told to stop.
func (l *syncLoop) connect(ctx context.Context) *connection {
	c := &connection{end: func() {}, ended: make(chan struct{})}
	if l.parts.Bus == nil {
		close(c.ended)
		return c
	}
	var busCtx context.Context
	busCtx, c.end = context.WithCancel(context.WithoutCancel(ctx))
	c.messages = l.parts.Bus.Messages()
	go func() {
		defer close(c.ended)
		if err := l.parts.Bus.Run(busCtx); err != nil {
			l.outages.Down(ctx, journal.BrokerRefused, "", "the bus ended: "+err.Error(),
				slog.String(journal.KeyBroker, "every one"), slog.Any(journal.KeyError, err))
		}
	}()
	return c
}

// close ends the bus and throws away what it still delivers.
func (c *connection) close() {
	c.end()
	for c.messages != nil {
		if _, ok := <-c.messages; !ok {
			break
		}
	}
	<-c.ended
}

// farewell publishes the last status, bounded in time: an orderly stop is not a
// lost gateway.
func (l *syncLoop) farewell(ctx context.Context) {
	if l.broker.Load() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	l.step(ctx, peer.Stopping{})
}

func (l *syncLoop) state(ctx context.Context, s mqtt.State) {
	if s.Barred {
		l.barred(ctx, s)
		return
	}
	if s.Connected {
		l.broker.Store(&s.Broker)
		at := slog.String(journal.KeyBroker, s.Broker)
		l.outages.Up(ctx, journal.BrokerLost, "", "connected to broker "+s.Broker, at)
		for _, subject := range []string{"", s.Broker} {
			l.outages.Up(ctx, journal.BrokerRefused, subject, "broker "+s.Broker+" admits this gateway", at)
		}
		l.outages.Up(ctx, journal.BrokerUntrusted, s.Broker, "broker "+s.Broker+" is trusted again", at)
		if l.home != "" && l.home != s.Broker {
			l.parts.Journal.Event(ctx, journal.BrokerSwitched, "broker "+s.Broker+" is in use instead of "+l.home, at)
		}
		l.home = s.Broker
		l.step(ctx, peer.Connected{})
		return
	}
	l.broker.Store(nil)
	why := "none answers"
	if s.Err != nil {
		why = s.Err.Error()
	}
	l.outages.Down(ctx, journal.BrokerLost, "", "no broker is connected: work goes on, blocks wait here ("+why+")", slog.String(journal.KeyError, why))
	l.step(ctx, peer.Disconnected{})
	l.station.post(ctx, station.Changed{}) // what was on its way does not come now
}

// barred tells of a broker that was reached and cannot be used. An own
// certificate that has expired is an event of its own.
func (l *syncLoop) barred(ctx context.Context, s mqtt.State) {
	fields := []slog.Attr{slog.String(journal.KeyBroker, s.Broker), slog.Any(journal.KeyError, s.Err)}
	switch {
	case errors.Is(s.Err, errExpired):
	case errors.Is(s.Err, mqtt.ErrRefused):
		l.outages.Down(ctx, journal.BrokerRefused, s.Broker, s.Err.Error(), fields...)
	default:
		l.outages.Down(ctx, journal.BrokerUntrusted, s.Broker, s.Err.Error(), fields...)
	}
}
