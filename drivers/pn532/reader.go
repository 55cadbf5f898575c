// Package pn532 drives readers on NXP's PN532 over a serial port (HSU), SPI
// ([SPI]) or I2C ([I2C]): it reports ISO/IEC 14443 A tags with identifiers of 4,
// 7 and 10 bytes, up to two at once, and reads and writes what they hold, two
// looks at the field apart. Source: NXP UM0701-02, PN532 user manual; section
// numbers in comments are its own.
//
// The chip is asked for tags at a steady pace with a finite number of tries, so
// every question is answered in a known time and silence means trouble. Trouble
// is met in steps: abort and ask again; wake the chip and apply the settings
// anew; close the port and open it again. Only the last is an outage.
package pn532

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

const (
	// DefaultBaud is what the chip speaks after power-up (6.2.5).
	DefaultBaud = 115200
	// DefaultInterval is the time from one look at the field to the next, while a
	// tag is in it, or where the chip cannot say by itself that it has found one. A
	// look takes about 13 ms on the line and in the air.
	DefaultInterval = 20 * time.Millisecond

	settleScans  = 3                      // looks before Up; a tag that lies there is found by one of them
	pingInterval = 5 * time.Second        // between checks that the chip is still the same
	faultPause   = 10 * time.Second       // at most one Fault event in this time
	closeGrace   = 500 * time.Millisecond // for a last command when the run ends
	carrierPause = 6 * time.Millisecond   // field off long enough to reset tags: ISO/IEC 14443-3 asks for 5.1 ms
)

// Config describes one reader. Name and Open are needed.
type Config struct {
	Name string         // Info.Name
	Port string         // Info.Port: where Open leads, for people
	Open drivers.Opener // drivers.Serial{Path: …, Baud: pn532.DefaultBaud}.Open, SPI{…}.Open or I2C{…}.Open
	// Interval is the time between looks at the field; 0 means DefaultInterval.
	Interval time.Duration
	// Presence sets when a tag counts as departed.
	Presence drivers.PresenceConfig
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
	// Keys are tried on MIFARE Classic besides the public ones.
	Keys []nfctag.Key
}

// Reader is a PN532 on a port. It implements [drivers.Memory].
type Reader struct {
	cfg    Config
	memory *nfctag.Memory

	mu    sync.Mutex
	model string
}

// New returns a reader that is opened by Run.
func New(cfg Config) (*Reader, error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("pn532: reader has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("pn532: reader %q has no port", cfg.Name)
	case cfg.Interval < 0:
		return nil, fmt.Errorf("pn532: reader %q: interval %v is negative", cfg.Name, cfg.Interval)
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	cfg.Supervisor.Name = cfg.Name
	return &Reader{cfg: cfg, memory: nfctag.NewMemory(cfg.Name, cfg.Keys)}, nil
}

// Info implements [drivers.Device]. Model is the chip with its firmware, such
// as "PN532 v1.6".
func (r *Reader) Info() drivers.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return drivers.Info{Name: r.cfg.Name, Driver: "pn532", Port: r.cfg.Port, Model: r.model}
}

// Run implements [drivers.Device].
func (r *Reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	presence := drivers.NewPresence(r.cfg.Name, r.cfg.Presence)
	return r.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		port, err := r.cfg.Open(ctx)
		if err != nil {
			return err
		}
		s := &session{
			Reader: r, Outbox: drivers.Outbox{Reader: r.cfg.Name, Pause: faultPause}, presence: presence, out: out,
			pause: time.NewTimer(time.Hour), tick: time.NewTimer(time.Hour),
		}
		s.link = newLink(port)
		defer s.link.close()
		defer s.pause.Stop()
		defer s.tick.Stop()
		defer drivers.Guard(ctx, port, closeGrace)()
		return s.run(ctx, up)
	}, out)
}

// session is one connection to the chip, from an open port to its loss.
type session struct {
	*Reader
	drivers.Outbox
	drivers.Recoveries
	chip
	presence *drivers.Presence
	out      chan<- drivers.Event
	pause    *time.Timer
	tick     *time.Timer // when the next look is due
	down     func()      // nobody's memory is read or written from now on
	watches  bool        // the chip says when a tag comes

	nextPing time.Time
}

func (s *session) run(ctx context.Context, up func()) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	s.identified()
	s.presence.Settle()
	s.presence.Resume(time.Now())
	for range settleScans {
		if err := s.look(ctx); err != nil {
			return err
		}
	}
	up()
	s.watches = s.bus == nil || s.bus.interrupts() // a bus that has to be asked all the time would cost more
	s.down = s.memory.Open()
	defer s.down()
	s.Events = s.presence.Settled(s.Events)
	s.nextPing = time.Now().Add(pingInterval)
	if err := s.send(ctx); err != nil {
		return s.farewell(ctx, err)
	}
	for {
		started := time.Now()
		if err := s.step(ctx); err != nil {
			return s.farewell(ctx, err)
		}
		if err := s.send(ctx); err != nil { // before the rest: a light waits for it
			return s.farewell(ctx, err)
		}
		if err := s.rest(ctx, s.cfg.Interval-time.Since(started)); err != nil {
			return s.farewell(ctx, err)
		}
	}
}

// rest does what is asked of tags' memory until d is over. Where looks take all
// the time there is, one job is done between two of them.
func (s *session) rest(ctx context.Context, d time.Duration) error {
	s.tick.Reset(max(d, 0))
	for {
		select {
		case job := <-s.memory.Jobs():
			if err := s.serve(ctx, job); err != nil || d <= 0 {
				return err
			}
			continue
		default:
		}
		select {
		case job := <-s.memory.Jobs():
			if err := s.serve(ctx, job); err != nil {
				return err
			}
		case <-s.tick.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *session) identified() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model = fmt.Sprintf("PN532 v%d.%d", s.firmware[1], s.firmware[2])
}

// step looks at the field once, checks the chip's health when it is due, and
// recovers from what goes wrong, if it can.
func (s *session) step(ctx context.Context) error {
	err := s.look(ctx)
	if err == nil && time.Now().After(s.nextPing) {
		s.nextPing = time.Now().Add(pingInterval)
		err = s.ping(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return s.meet(ctx, err)
}

// meet recovers from trouble of the chip, if it can.
func (s *session) meet(ctx context.Context, err error) error {
	if !errors.Is(err, drivers.ErrSilent) && !errors.Is(err, drivers.ErrProtocol) {
		return err // the port itself
	}
	return s.recover(ctx, err)
}

func (s *session) look(ctx context.Context) error {
	if s.presence.Missing() {
		if err := s.restartTags(ctx); err != nil {
			return err
		}
	}
	look := s.list
	if s.watches && s.presence.Empty() {
		look = s.watch
	}
	tags, at, err := look(ctx)
	if errors.Is(err, drivers.ErrTagID) {
		s.Fault(time.Now(), err)
		err = nil
	}
	if err == nil {
		s.Events = s.presence.Scan(s.Events, at, tags...)
	}
	return err
}

// restartTags takes the field away for a moment, lest a tag that still lies
// there be taken for gone because the last look left it halted.
func (s *session) restartTags(ctx context.Context) error {
	if err := s.field(ctx, 0x00); err != nil {
		return err
	}
	s.sleep(ctx, carrierPause)
	return s.field(ctx, 0x01)
}

// recover brings the chip back without closing the port: first by aborting what
// it does, then by waking it like a new one. Settings are applied either way,
// since a chip whose supply blinked answers well and has forgotten them. That it
// did shows by a look without an end, as a chip with the tries of power-up takes
// it, or by its sleep.
func (s *session) recover(ctx context.Context, cause error) error {
	if err := s.Begin(time.Now(), cause); err != nil {
		return err
	}
	err := s.resync(ctx)
	if err == nil {
		err = s.ping(ctx)
	}
	forgot := errors.Is(err, drivers.ErrSilent) || err == nil && errors.Is(cause, errNoResponse)
	if err == nil {
		err = s.settings(ctx)
	}
	if err != nil {
		err = s.start(ctx)
	}
	if err == nil && forgot && errors.Is(cause, drivers.ErrSilent) {
		cause = fmt.Errorf("%w: %w", drivers.ErrForgot, cause)
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

// send hands the events over. Whoever takes them may ask for a tag's memory
// before it takes the next; should the chip be lost over that, no event is.
func (s *session) send(ctx context.Context) error {
	jobs, trouble := s.memory.Jobs(), error(nil)
	for i := 0; i < len(s.Events); {
		select {
		case s.out <- s.Events[i]:
			i++
		case job := <-jobs:
			if trouble = s.serve(ctx, job); trouble != nil {
				jobs = nil
				s.down()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.Sent()
	return trouble
}

// farewell leaves the chip with its field off when the run ends in order.
func (s *session) farewell(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if s.resync(context.WithoutCancel(ctx)) == nil {
		_ = s.field(context.WithoutCancel(ctx), 0x00) // best effort: nobody listens any more
	}
	return err
}

func (s *session) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	s.pause.Reset(d)
	select {
	case <-s.pause.C:
	case <-ctx.Done():
	}
}
