// Package scale drives scales that speak MT-SICS (Mettler Toledo Standard
// Interface Command Set, reference manual 11780711) over a serial port. It
// reports stable weights in whole milligrams and nothing else: a moving load,
// another unit or a value below zero is an error, never a weight.
package scale

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"traveler.example/drivers"
)

const (
	// DefaultBaud is what scales are set to when they leave the works.
	DefaultBaud = 9600
	// DefaultPatience is how long Weigh waits for the load to come to rest. A
	// scale itself gives up after some ten seconds.
	DefaultPatience = 12 * time.Second

	answerLimit  = time.Second     // for commands that do not wait for the load
	attempts     = 2               // for such commands
	pingInterval = 5 * time.Second // between checks that the scale is there
	readSlice    = 50 * time.Millisecond
	staleLimit   = time.Millisecond // for input nobody asked for, such as its print key
	closeGrace   = 300 * time.Millisecond
)

// Config describes one scale. Name and Open are needed.
type Config struct {
	Name string         // Info.Name
	Port string         // Info.Port: where Open leads, for people
	Open drivers.Opener // for example drivers.Serial{Path: …, Baud: scale.DefaultBaud}.Open
	// Patience is the longest wait of Weigh; 0 means DefaultPatience.
	Patience time.Duration
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Scale is a scale on a port. It implements [drivers.Device] and
// [drivers.Scale].
type Scale struct {
	cfg      Config
	requests chan request

	mu    sync.Mutex
	model string
	live  chan struct{} // closed when the connection ends; nil while there is none
}

// request is one Weigh on its way to the goroutine that owns the port.
type request struct {
	ctx   context.Context
	reply chan<- reply
}

type reply struct {
	weight drivers.Weight
	err    error
}

// New returns a scale that is opened by Run.
func New(cfg Config) (*Scale, error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("scale: it has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("scale %q has no port", cfg.Name)
	case cfg.Patience < 0:
		return nil, fmt.Errorf("scale %q: patience %v is negative", cfg.Name, cfg.Patience)
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	cfg.Supervisor.Name = cfg.Name
	return &Scale{cfg: cfg, requests: make(chan request)}, nil
}

// Info implements [drivers.Device]. Model carries the serial number.
func (s *Scale) Info() drivers.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return drivers.Info{Name: s.cfg.Name, Driver: "scale", Port: s.cfg.Port, Model: s.model}
}

// Weigh implements [drivers.Scale]. When ctx ends first, the command is
// cancelled at the scale as well.
func (s *Scale) Weigh(ctx context.Context) (drivers.Weight, error) {
	s.mu.Lock()
	live := s.live
	s.mu.Unlock()
	if live == nil {
		return 0, fmt.Errorf("weigh on %s: %w", s.cfg.Name, drivers.ErrDown)
	}
	answer := make(chan reply, 1)
	select {
	case s.requests <- request{ctx, answer}:
	case <-live:
		return 0, fmt.Errorf("weigh on %s: %w", s.cfg.Name, drivers.ErrDown)
	case <-ctx.Done():
		return 0, fmt.Errorf("weigh on %s: %w", s.cfg.Name, ctx.Err())
	}
	r := <-answer // always comes: the owner of the port replies before it does anything else
	if r.err != nil {
		return 0, fmt.Errorf("weigh on %s: %w", s.cfg.Name, r.err)
	}
	return r.weight, nil
}

// Run implements [drivers.Device].
func (s *Scale) Run(ctx context.Context, out chan<- drivers.Event) error {
	return s.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		port, err := s.cfg.Open(ctx)
		if err != nil {
			return err
		}
		defer port.Close()
		defer drivers.Guard(ctx, port, closeGrace)()
		c := &connection{port: port}
		serial, err := c.ask(ctx, "@")
		if err != nil {
			return err
		}
		live := make(chan struct{})
		s.connected(live, "MT-SICS "+serial)
		defer close(live)
		defer s.connected(nil, "")
		up()
		return s.serve(ctx, c)
	}, out)
}

// connected notes that a connection began, or, without live, that it ended.
func (s *Scale) connected(live chan struct{}, model string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = live
	if model != "" {
		s.model = model
	}
}

func (s *Scale) serve(ctx context.Context, c *connection) error {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ping.C:
			if _, err := c.ask(ctx, "I4"); err != nil {
				return err
			}
		case r := <-s.requests:
			weight, err, lost := c.weigh(ctx, r.ctx, s.cfg.Patience)
			r.reply <- reply{weight, err}
			if lost != nil {
				return lost
			}
		}
	}
}

// connection is an open port with a scale behind it.
type connection struct {
	port  drivers.Port
	lines Lines
	ready []string
	buf   [256]byte
}

// ask sends a command that the scale answers with its serial number, I4, and
// returns that. Other lines that come before are of older commands.
func (c *connection) ask(ctx context.Context, command string) (string, error) {
	for range attempts {
		if err := c.send(command); err != nil {
			return "", err
		}
		deadline := time.Now().Add(answerLimit)
		for {
			line, err := c.line(ctx, deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return "", err
			}
			if serial, ok := strings.CutPrefix(line, "I4 A "); ok {
				return strings.Trim(serial, `"`), nil
			}
		}
	}
	return "", fmt.Errorf("%w: nothing came back for %d times %s; check cable, baud rate and that it is set to MT-SICS", drivers.ErrSilent, attempts, command)
}

// weigh asks for one stable weight. It ends with the first of both contexts and
// returns, as lost, the reason why the connection is of no more use.
func (c *connection) weigh(run, request context.Context, patience time.Duration) (_ drivers.Weight, err, lost error) {
	ctx, cancel := context.WithCancelCause(request)
	defer cancel(nil)
	defer context.AfterFunc(run, func() { cancel(drivers.ErrDown) })()
	if err := c.stale(); err != nil {
		return 0, err, err
	}
	if err := c.send("S"); err != nil {
		return 0, err, err
	}
	line, err := c.answer(ctx, time.Now().Add(patience))
	if err == nil {
		weight, err := ParseWeight(line)
		return weight, err, nil
	}
	timeout := errors.Is(err, os.ErrDeadlineExceeded)
	if !timeout && ctx.Err() == nil {
		return 0, err, err
	}
	// The scale may still wait for its load: cancel, and see whether it is there.
	if _, lost = c.ask(run, "@"); lost != nil && run.Err() == nil {
		return 0, lost, lost
	}
	if timeout {
		return 0, fmt.Errorf("%w: the load did not come to rest within %v", drivers.ErrUnstable, patience), nil
	}
	return 0, context.Cause(ctx), nil
}

// answer returns the next line that can answer the command S.
func (c *connection) answer(ctx context.Context, deadline time.Time) (string, error) {
	for {
		line, err := c.line(ctx, deadline)
		if err != nil || !strings.HasPrefix(line, "I4 ") {
			return line, err
		}
	}
}

// line returns the next line, or os.ErrDeadlineExceeded, or ctx's error.
func (c *connection) line(ctx context.Context, deadline time.Time) (string, error) {
	for len(c.ready) == 0 {
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if !now.Before(deadline) {
			return "", os.ErrDeadlineExceeded
		}
		slice := now.Add(readSlice)
		if deadline.Before(slice) {
			slice = deadline
		}
		if err := c.read(slice); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return "", err
		}
	}
	line := c.ready[0]
	c.ready = c.ready[1:]
	return line, nil
}

// stale throws away what came unasked.
func (c *connection) stale() error {
	for range 16 { // a scale that never stops talking is met by the answers that make no sense
		err := c.read(time.Now().Add(staleLimit))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
	}
	c.ready, c.lines = nil, Lines{}
	return nil
}

func (c *connection) read(deadline time.Time) error {
	if err := c.port.SetReadDeadline(deadline); err != nil {
		return err
	}
	n, err := c.port.Read(c.buf[:])
	c.ready = append(c.ready, c.lines.Feed(c.buf[:n])...)
	if n > 0 {
		return nil
	}
	return err
}

func (c *connection) send(command string) error {
	_, err := c.port.Write([]byte(command + "\r\n"))
	return err
}
