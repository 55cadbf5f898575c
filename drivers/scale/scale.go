// Package scale drives scales over a serial port that speak MT-SICS (Mettler
// Toledo Standard Interface Command Set, reference manual 11780711) or the
// standard format of A&D (manuals of EK-L, HV-G, FX-i, HR-A). It reports stable
// weights in whole milligrams and nothing else: a moving load, another unit or a
// value below zero is an error, never a weight.
package scale

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"traveler.example/drivers"
)

const (
	// DefaultBaud is what MT-SICS scales are set to when they leave the works, with
	// 8 data bits and no parity.
	DefaultBaud = 9600
	// DefaultBaudAD is the same for A&D, with 7 data bits and even parity.
	DefaultBaudAD = 2400
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

// Protocol is what a scale speaks.
type Protocol uint8

// The protocols. MT-SICS is the one that a scale can be cancelled in, so that a
// tare ends where a Weigh is cancelled or the load does not come to rest: the
// command that does it also resets the scale.
const (
	// Detect asks for MT-SICS first and then for A&D at each connection, on the
	// configured port only. Neither question changes a weight.
	Detect Protocol = iota
	SICS
	AD
)

// String returns "detect", "MT-SICS" or "A&D".
func (p Protocol) String() string {
	switch p {
	case Detect:
		return "detect"
	case SICS:
		return "MT-SICS"
	case AD:
		return "A&D"
	}
	return fmt.Sprintf("protocol(%d)", uint8(p))
}

// Config describes one scale. Name and Open are needed.
type Config struct {
	Name string         // Info.Name
	Port string         // Info.Port: where Open leads, for people
	Open drivers.Opener // for example drivers.Serial{Path: …, Baud: scale.DefaultBaud}.Open
	// Protocol is what the scale speaks.
	Protocol Protocol
	// Patience is the longest wait of Weigh, Zero and Tare; 0 means
	// DefaultPatience.
	Patience time.Duration
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Scale is a scale on a port. It implements [drivers.Device] and
// [drivers.Tarer].
type Scale struct {
	cfg      Config
	requests chan request

	mu    sync.Mutex
	model string
	live  chan struct{} // closed when the connection ends; nil while there is none
}

// action is what a scale can be asked to do.
type action uint8

const (
	weigh action = iota
	zero
	tare
	clearTare
)

func (a action) String() string {
	return [...]string{"weigh", "zero", "tare", "clear the tare"}[a]
}

// request is one action on its way to the goroutine that owns the port.
type request struct {
	ctx    context.Context
	action action
	reply  chan<- reply
}

type reply struct {
	weight drivers.Weight
	err    error
}

// dialect is a protocol at work.
type dialect interface {
	// hello asks once whether the scale speaks it and returns what it is; the error
	// wraps ErrSilent or ErrProtocol if it does not.
	hello(ctx context.Context, c *connection) (model string, err error)
	// ping makes sure that the scale is still there.
	ping(ctx context.Context, c *connection) error
	// do carries out a request. It ends with the first of both contexts and
	// returns, as lost, the reason why the connection is of no more use.
	do(run context.Context, r request, c *connection, patience time.Duration) (_ drivers.Weight, err, lost error)
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
	case cfg.Protocol > AD:
		return nil, fmt.Errorf("scale %q: no %v, there are detect, MT-SICS and A&D", cfg.Name, cfg.Protocol)
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	cfg.Supervisor.Name = cfg.Name
	return &Scale{cfg: cfg, requests: make(chan request)}, nil
}

// Info implements [drivers.Device]. Model is the protocol, with MT-SICS the serial
// number as well.
func (s *Scale) Info() drivers.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return drivers.Info{Name: s.cfg.Name, Driver: "scale", Port: s.cfg.Port, Model: s.model}
}

// Weigh implements [drivers.Scale]. When ctx ends first, the command is
// cancelled at the scale as well.
func (s *Scale) Weigh(ctx context.Context) (drivers.Weight, error) { return s.request(ctx, weigh) }

// Zero implements [drivers.Tarer].
func (s *Scale) Zero(ctx context.Context) error { return s.control(ctx, zero) }

// Tare implements [drivers.Tarer].
func (s *Scale) Tare(ctx context.Context) error { return s.control(ctx, tare) }

// ClearTare implements [drivers.Tarer]. Scales of A&D that do not confirm commands
// cannot be trusted to have done it: ErrSilent, set them to send codes (erCd 1).
func (s *Scale) ClearTare(ctx context.Context) error { return s.control(ctx, clearTare) }

func (s *Scale) control(ctx context.Context, a action) error {
	_, err := s.request(ctx, a)
	return err
}

func (s *Scale) request(ctx context.Context, a action) (drivers.Weight, error) {
	s.mu.Lock()
	live := s.live
	s.mu.Unlock()
	if live == nil {
		return 0, fmt.Errorf("%v on %s: %w", a, s.cfg.Name, drivers.ErrDown)
	}
	answer := make(chan reply, 1)
	select {
	case s.requests <- request{ctx, a, answer}:
	case <-live:
		return 0, fmt.Errorf("%v on %s: %w", a, s.cfg.Name, drivers.ErrDown)
	case <-ctx.Done():
		return 0, fmt.Errorf("%v on %s: %w", a, s.cfg.Name, ctx.Err())
	}
	r := <-answer // always comes: the owner of the port replies before it does anything else
	if r.err != nil {
		return 0, fmt.Errorf("%v on %s: %w", a, s.cfg.Name, r.err)
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
		speaks, model, err := s.greet(ctx, c)
		if err != nil {
			return err
		}
		live := make(chan struct{})
		s.connected(live, model)
		defer close(live)
		defer s.connected(nil, "")
		up()
		return s.serve(ctx, c, speaks)
	}, out)
}

// greet finds out what the scale speaks, among what it may.
func (s *Scale) greet(ctx context.Context, c *connection) (dialect, string, error) {
	dialects := map[Protocol][]dialect{Detect: {sics{}, ad{}}, SICS: {sics{}}, AD: {ad{}}}[s.cfg.Protocol]
	var failed error
	for range attempts {
		for _, d := range dialects {
			model, err := d.hello(ctx, c)
			if err == nil {
				return d, model, nil
			}
			if !errors.Is(err, drivers.ErrSilent) && !errors.Is(err, drivers.ErrProtocol) {
				return nil, "", err
			}
			failed = err
		}
	}
	if s.cfg.Protocol == Detect {
		failed = fmt.Errorf("%w: no answer to MT-SICS nor to A&D; check cable, baud rate, parity and what the scale is set to", drivers.ErrSilent)
	}
	return nil, "", failed
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

func (s *Scale) serve(ctx context.Context, c *connection, speaks dialect) error {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ping.C:
			if err := speaks.ping(ctx, c); err != nil {
				return err
			}
		case r := <-s.requests:
			weight, err, lost := speaks.do(ctx, r, c, s.cfg.Patience)
			r.reply <- reply{weight, err}
			if lost != nil {
				return lost
			}
		}
	}
}
