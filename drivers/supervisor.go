package drivers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// The backoff between attempts to open a device: the first wait, the longest
// wait, and how long a device has to stay up for the next outage to start from
// the first wait again. A device that comes up and fails at once is therefore
// not retried without end at full speed.
const (
	BackoffMin    = 100 * time.Millisecond
	BackoffMax    = 5 * time.Second
	BackoffStable = 5 * time.Second
)

// Supervisor keeps one device open. The zero value of every field but Name is
// useful.
type Supervisor struct {
	Name string // reported as Event.Reader
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits for d or the end of ctx; nil means a timer.
	Sleep func(ctx context.Context, d time.Duration)
	// Jitter returns a number in [0, 1) by which waits are spread, so that the
	// devices of one unplugged hub do not retry in step; nil means random.
	Jitter func() float64
	// Diagnose, if set, looks for the reason why a device does not answer: it is
	// called while the port is closed, at the second failed attempt in a row and
	// then ever more rarely, until it finds one. An error that it returns is sent
	// as Diagnosed.
	Diagnose func(ctx context.Context) error
}

// Serve is one connection to a device, from opening its port to closing it. It
// calls up once the device answers and has its settings, and returns when the
// device is lost or ctx has ended, with everything closed.
type Serve func(ctx context.Context, up func()) error

// Run calls serve again and again until ctx ends, with backoff between the
// calls. It sends one Up event when serve comes up and one Down event, with the
// error of the first failure, when it is lost or could not be opened at first;
// repeated failures in one outage are silent. It returns nil once ctx has ended
// and serve has returned.
func (s Supervisor) Run(ctx context.Context, serve Serve, out chan<- Event) error {
	r := supervision{Supervisor: s.defaults(), out: out}
	for ctx.Err() == nil {
		r.attempt(ctx, serve)
	}
	return nil
}

func (s Supervisor) defaults() Supervisor {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Sleep == nil {
		s.Sleep = sleep
	}
	if s.Jitter == nil {
		s.Jitter = rand.Float64
	}
	return s
}

// supervision is the state of one Run.
type supervision struct {
	Supervisor
	out   chan<- Event
	state Kind // Up, Down, Diagnosed, or zero before the first of them
	wait  time.Duration

	failed int // attempts in a row
	next   int // the one after which Diagnose is called
}

func (r *supervision) attempt(ctx context.Context, serve Serve) {
	var upAt time.Time
	err := serve(ctx, func() {
		upAt = r.Now()
		r.failed, r.next = 0, 2
		r.report(ctx, Up, nil)
	})
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = errors.New("connection ended")
	}
	if !upAt.IsZero() && r.Now().Sub(upAt) >= BackoffStable {
		r.wait = 0
	}
	if r.state != Diagnosed {
		r.report(ctx, Down, fmt.Errorf("%s: %w", r.Name, err))
	}
	r.diagnose(ctx, err)
	r.Sleep(ctx, r.backoff())
}

// diagnose looks for the reason why a device does not answer, unless err is
// reason enough.
func (r *supervision) diagnose(ctx context.Context, err error) {
	r.failed++
	answers := !errors.Is(err, ErrSilent) && !errors.Is(err, ErrProtocol)
	if r.Diagnose == nil || r.state != Down || answers || r.failed < max(r.next, 2) {
		return
	}
	r.next = 2 * r.failed
	if found := r.Diagnose(ctx); found != nil && ctx.Err() == nil {
		r.report(ctx, Diagnosed, fmt.Errorf("%s: %w", r.Name, found))
	}
}

// report sends k unless the receiver was told so already.
func (r *supervision) report(ctx context.Context, k Kind, err error) {
	if r.state == k {
		return
	}
	r.state = k
	select {
	case r.out <- Event{Kind: k, Reader: r.Name, At: r.Now(), Err: err}:
	case <-ctx.Done():
	}
}

// backoff doubles the wait up to BackoffMax and spreads it over its upper half.
func (r *supervision) backoff() time.Duration {
	r.wait = min(max(2*r.wait, BackoffMin), BackoffMax)
	if r.wait == BackoffMin {
		return r.wait + time.Duration(r.Jitter()*float64(BackoffMin/2))
	}
	return r.wait/2 + time.Duration(r.Jitter()*float64(r.wait/2))
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
