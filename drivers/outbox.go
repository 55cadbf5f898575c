package drivers

import (
	"context"
	"fmt"
	"time"
)

// Outbox holds what a device has to say until it is taken. One goroutine owns it.
type Outbox struct {
	// Reader is the device's name, for its events and errors.
	Reader string
	// Pause is the least time between two Fault events.
	Pause time.Duration
	// Events wait to be taken, in order.
	Events []Event

	next time.Time // when the next Fault may be told
}

// Fault adds a Fault event, unless one was added less than Pause ago: what lasts
// would be told with every look.
func (o *Outbox) Fault(now time.Time, err error) {
	if now.Before(o.next) {
		return
	}
	o.next = now.Add(o.Pause)
	o.Report(now, err)
}

// Report adds a Fault event in any case.
func (o *Outbox) Report(now time.Time, err error) {
	o.Events = append(o.Events, Event{Kind: Fault, Reader: o.Reader, At: now, Err: fmt.Errorf("%s: %w", o.Reader, err)})
}

// Send hands the events over. It returns the error of ctx if that ends before.
func (o *Outbox) Send(ctx context.Context, out chan<- Event) error {
	for i := range o.Events {
		select {
		case out <- o.Events[i]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o.Sent()
	return nil
}

// Sent empties the outbox: a device that does something else while events wait
// hands them over by itself.
func (o *Outbox) Sent() {
	clear(o.Events)
	o.Events = o.Events[:0]
}

// Recoveries bounds how often in a row a device is brought back without opening
// its port anew. The zero value is ready.
type Recoveries struct {
	last   time.Time
	streak int
}

const (
	streakPause = 2 * time.Second // recoveries closer than this make a streak
	streakLimit = 4               // longest streak before the port is opened anew
)

// Begin counts a recovery from cause. It returns an error that wraps cause once
// there were too many in a row.
func (r *Recoveries) Begin(now time.Time, cause error) error {
	if now.Sub(r.last) > streakPause {
		r.streak = 0
	}
	if r.streak++; r.streak > streakLimit {
		return fmt.Errorf("%d recoveries in a row: %w", streakLimit, cause)
	}
	return nil
}

// Done says that the device is back.
func (r *Recoveries) Done(now time.Time) { r.last = now }
