package m100

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"traveler.example/drivers"
)

const (
	settleLooks   = 3                      // looks before Up, beyond those that the filter needs
	settleLimit   = time.Second            // for a module that says nothing of an empty field
	lookLimit     = time.Second            // a look that went on for longer has ended: no round is so long
	listenSlice   = 50 * time.Millisecond  // how long a request for memory may wait
	quietLimit    = 300 * time.Millisecond // polling says something each round, and no round is longer
	checkInterval = 5 * time.Second        // between checks of the module's health
	faultPause    = 10 * time.Second       // at most one Fault event of a kind in this time
	closeGrace    = 500 * time.Millisecond // for a last command when the run ends
)

// session is one connection to the module, from an open port to its loss.
type session struct {
	*Reader
	drivers.Outbox
	drivers.Recoveries
	module
	presence *drivers.Presence
	sieve    *sieve
	out      chan<- drivers.Event

	look      uint64    // the number of the look under way
	lookSince time.Time // when it began
	tellsNone bool      // the module says so when a round found nothing

	nextCheck     time.Time
	nextNeighbour time.Time
}

func (s *session) run(ctx context.Context, up func()) error {
	if err := s.start(ctx, s.lastFraming()); err != nil {
		return err
	}
	s.identified(s.module.model, s.framing)
	if err := s.settle(ctx); err != nil {
		return err
	}
	up()
	s.Events = s.presence.Settled(s.Events)
	s.nextCheck = time.Now().Add(checkInterval)
	live := make(chan struct{})
	s.connected(live)
	defer close(live)
	defer s.connected(nil)
	for {
		if err := s.Send(ctx, s.out); err != nil {
			return s.farewell(ctx, err)
		}
		if err := s.step(ctx); err != nil {
			return s.farewell(ctx, err)
		}
	}
}

// settle looks at what lies in the field already.
func (s *session) settle(ctx context.Context) error {
	s.presence.Settle()
	s.presence.Resume(time.Now())
	s.look, s.lookSince = 1, time.Now()
	if err := s.poll(); err != nil {
		return err
	}
	enough := uint64(settleLooks + s.sieve.MinReads)
	for end := time.Now().Add(settleLimit); s.look <= enough && time.Now().Before(end); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.listen(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step listens to the poll for a moment, does what is due between two looks, and
// recovers from what goes wrong, if it can.
func (s *session) step(ctx context.Context) error {
	err := s.listen(ctx)
	if err == nil {
		err = s.due(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if s.lost != nil {
		return err
	}
	return s.recover(ctx, err)
}

// listen takes in what the poll says, until there is nothing at the moment.
func (s *session) listen(ctx context.Context) error {
	f, err := s.next(time.Now().Add(listenSlice))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return s.silence(ctx)
	}
	if err != nil {
		return err
	}
	s.hear(f)
	s.hand()
	return nil
}

// due does what is waiting to be done between two looks.
func (s *session) due(ctx context.Context) error {
	now := time.Now()
	if now.After(s.nextCheck) {
		s.nextCheck = now.Add(checkInterval)
		return s.pause(ctx, s.check)
	}
	select {
	case r := <-s.requests:
		return s.serve(ctx, r)
	default:
		return nil
	}
}

// serve carries out a request and replies to it, whatever happens.
func (s *session) serve(run context.Context, r request) error {
	answer := drivers.ErrSilent
	defer func() { r.reply <- answer }()
	return s.pause(run, func(run context.Context) error {
		ctx, cancel := context.WithCancelCause(r.ctx)
		defer cancel(nil)
		defer context.AfterFunc(run, func() { cancel(drivers.ErrDown) })()
		if answer = r.do(ctx, s); answer != nil && ctx.Err() != nil {
			answer = context.Cause(ctx)
		}
		if s.lost == nil && !errors.Is(answer, drivers.ErrSilent) {
			return nil // a tag's trouble is not the module's
		}
		return answer
	})
}

// pause stops the poll, has do called, and goes on polling. Nobody looks at the
// field meanwhile, so that no tag was missed.
func (s *session) pause(ctx context.Context, do func(context.Context) error) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	s.presence.Resume(time.Now())
	return s.poll()
}

// hear takes in one frame of the poll.
func (s *session) hear(f Frame) {
	switch {
	case f.Type == TypeNotice && f.Command == cmdPoll:
		s.tagRead(f.Params)
	case f.Type == TypeResponse && f.Command == failed && len(f.Params) > 0:
		switch Failure(f.Params[0]) {
		case FailureInventory:
			s.tellsNone = true
			s.endLook()
		case FailureChannel: // it could not look
			s.presence.Resume(s.at)
			s.Fault(time.Now(), Failure(f.Params[0]))
		}
	}
}

func (s *session) tagRead(params []byte) {
	if s.at.Sub(s.lookSince) > lookLimit {
		s.endLook()
	}
	n, err := ParseNotice(params)
	if err != nil {
		s.Fault(time.Now(), err)
		return
	}
	h, verdict := s.sieve.read(s.at, n.EPC, n.RSSI)
	if h != nil {
		if h.look == s.look { // no tag answers twice in one round, not even a neighbour's
			s.endLook()
		}
		h.look = s.look
	}
	switch verdict {
	case counted:
		s.Events = s.presence.See(s.Events, s.at, h.tag)
	case neighbour:
		s.tellNeighbour(h, n.RSSI)
	case refused:
		s.Fault(time.Now(), h.bad)
	}
}

// endLook ends the look under way: what it did not find, it missed.
func (s *session) endLook() {
	s.look++
	s.lookSince = s.at
	before := len(s.Events)
	s.Events = s.presence.Sweep(s.Events, s.at)
	for _, e := range s.Events[before:] {
		s.sieve.departed(s.at, e.Tag)
	}
}

// silence is what to make of a poll that says nothing. A module that tells of
// empty rounds has stopped polling; one that does not may go on for as long as
// the field is empty, and is asked whether it does.
func (s *session) silence(ctx context.Context) error {
	now := time.Now()
	if now.Sub(s.at) < quietLimit {
		return nil
	}
	if s.tellsNone {
		return fmt.Errorf("%w: it has stopped polling", drivers.ErrSilent)
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	s.at = time.Now()
	s.endLook()
	return s.poll()
}

// recover brings the module back without closing the port: first by applying
// the settings, since a module that slept or whose supply blinked answers well
// and has forgotten them, then by searching for it like a new one.
func (s *session) recover(ctx context.Context, cause error) error {
	if err := s.Begin(time.Now(), cause); err != nil {
		return err
	}
	s.polling = true // who knows
	err := s.stop(ctx)
	if err == nil {
		if forgot := s.remembers(ctx); errors.Is(forgot, drivers.ErrForgot) && !errors.Is(cause, drivers.ErrForgot) {
			cause = fmt.Errorf("%w (%w)", forgot, cause)
		}
		err = s.apply(ctx)
	}
	if err != nil && s.lost == nil && ctx.Err() == nil {
		err = s.start(ctx, s.framing)
	}
	if err == nil {
		err = s.poll()
	}
	if err != nil {
		return errors.Join(cause, fmt.Errorf("recovery failed: %w", err))
	}
	now := time.Now()
	s.Done(now)
	s.presence.Resume(now)
	s.Fault(now, fmt.Errorf("recovered from: %w", cause))
	return nil
}

// tellNeighbour reports a neighbour's tag, once for each and not more often than
// other faults: beside a rack of tags the first few say it all.
func (s *session) tellNeighbour(h *heard, rssi int) {
	s.mu.Lock()
	s.neighbours = s.sieve.neighbours
	s.mu.Unlock()
	if s.at.Before(s.nextNeighbour) {
		return
	}
	s.nextNeighbour = s.at.Add(faultPause)
	s.Report(s.at, fmt.Errorf("%w: %s answers at %d dBm, and did not answer %d times within %v at %d dBm or above; it is the %s of its kind so far",
		ErrNeighbour, h.tag, rssi, s.sieve.MinReads, s.sieve.Dwell, s.sieve.MinRSSI, ordinal(s.sieve.neighbours)))
}

func ordinal(n int) string {
	switch {
	case n%10 == 1 && n%100 != 11:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2 && n%100 != 12:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3 && n%100 != 13:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

// farewell leaves the module with its field off when the run ends in order.
func (s *session) farewell(ctx context.Context, err error) error {
	if ctx.Err() == nil || s.lost != nil {
		return err
	}
	last := context.WithoutCancel(ctx)
	if s.stop(last) == nil && s.cfg.Sleep {
		_ = s.sleep(last) // best effort: nobody listens any more
	}
	return err
}
