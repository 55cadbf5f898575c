package llrp

import (
	"context"
	"fmt"
	"time"

	"traveler.example/drivers"
)

// Reader is some antennas of a [Portal]. It implements [drivers.Memory].
type Reader struct {
	portal *Portal
	cfg    ReaderConfig
}

// Info implements [drivers.Device]. Model is the device's maker, model and
// firmware, such as "Impinj Speedway R420 5.14.0.240".
func (r *Reader) Info() drivers.Info {
	r.portal.mu.Lock()
	defer r.portal.mu.Unlock()
	return drivers.Info{Name: r.cfg.Name, Driver: "llrp", Port: r.portal.cfg.Port, Model: r.portal.model}
}

// Run implements [drivers.Device]. Readers of one portal that run at the same
// time share its connection, and a receiver of one that is slow holds up the
// others as well.
func (r *Reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	inbox, leave := r.portal.join(ctx, r)
	defer leave()
	v := newView(r.cfg)
	for {
		select {
		case f := <-inbox:
			for _, e := range v.take(f) {
				select {
				case out <- e:
				case <-ctx.Done():
					return nil
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// fact is what a connection tells its readers, in the order in which it
// happened.
type fact struct {
	kind factKind
	at   time.Time // last byte of the message that says it
	err  error     // factLost, factFault

	tag     drivers.Tag // factSeen, and the rest
	antenna uint16
	rssi    int8
	reads   int
}

type factKind uint8

const (
	factConnected factKind = iota + 1 // the inventory runs
	factSeen                          // a tag was read
	factHeard                         // the reader spoke, and said all it has seen until then
	factStalled                       // events were held up by a receiver, and so was listening
	factFault                         // something is wrong that is no outage
	factLost                          // the connection is lost or could not be made
)

// view turns facts into the events of one reader. It is pure.
type view struct {
	cfg      ReaderConfig
	presence *drivers.Presence
	filter   filter
	events   []drivers.Event
	held     []drivers.Event // departures found while settling: what was said stands until Up
	state    drivers.Kind    // Up, Down, or zero before the first of them
	open     bool            // the inventory runs
	settled  time.Time       // when settling ends; zero when it has
	weak     bool            // a tag that is too weak was told of
}

func newView(cfg ReaderConfig) *view {
	return &view{
		cfg: cfg, filter: newFilter(cfg),
		// Reports do not come in looks at the field that a tag could miss several
		// of: time alone decides.
		presence: drivers.NewPresence(cfg.Name, drivers.PresenceConfig{Misses: 1, Absence: cfg.Absence, Crowd: cfg.Crowd}),
	}
}

// take returns the events that follow from f, valid until the next call.
func (v *view) take(f fact) []drivers.Event {
	v.events = v.events[:0]
	if !v.open && (f.kind == factSeen || f.kind == factHeard) {
		return nil // said before the inventory was ours
	}
	switch f.kind {
	case factConnected:
		v.open = true
		v.presence.Settle()
		v.resume(f.at)
		v.settled = f.at.Add(settleTime + v.cfg.Dwell)
		v.weak = false
	case factSeen:
		v.seen(f)
	case factHeard:
		v.filter.forget(f.at)
		dst := v.pending()
		*dst = v.presence.Sweep(*dst, f.at)
		v.settle(f.at)
	case factStalled:
		v.resume(f.at)
	case factFault:
		v.fault(f.at, f.err)
	case factLost:
		v.open, v.settled = false, time.Time{}
		v.report(drivers.Down, f.at, f.err)
	}
	return v.events
}

func (v *view) resume(at time.Time) {
	v.presence.Resume(at)
	v.filter.resume(at)
}

func (v *view) seen(f fact) {
	switch v.filter.judge(f) {
	case seenHere:
		dst := v.pending()
		*dst = v.presence.See(*dst, f.at, f.tag)
	case seenWeak:
		if !v.weak {
			v.weak = true
			v.fault(f.at, fmt.Errorf("%w: %v on antenna %d at %d dBm is too weak to be here, and is left out with all that are so; if it is here, lower the limit of that antenna", drivers.ErrNeighbour, f.tag, f.antenna, f.rssi))
		}
	case seenCrowded:
		v.fault(f.at, drivers.ErrCrowded)
	}
}

// pending is where the events of presence go: while settling they have to wait.
func (v *view) pending() *[]drivers.Event {
	if v.settled.IsZero() {
		return &v.events
	}
	return &v.held
}

// settle ends settling when it is time: what lies there is present.
func (v *view) settle(at time.Time) {
	if v.settled.IsZero() || at.Before(v.settled) {
		return
	}
	v.settled = time.Time{}
	v.report(drivers.Up, at, nil)
	v.events = v.presence.Settled(v.events)
	v.events = append(v.events, v.held...)
	v.held = nil
}

func (v *view) report(k drivers.Kind, at time.Time, err error) {
	if v.state == k {
		return
	}
	v.state = k
	v.events = append(v.events, drivers.Event{Kind: k, Reader: v.cfg.Name, At: at, Err: err})
}

func (v *view) fault(at time.Time, err error) {
	v.events = append(v.events, drivers.Event{Kind: drivers.Fault, Reader: v.cfg.Name, At: at, Err: fmt.Errorf("%s: %w", v.cfg.Name, err)})
}
