// Package mfrc522 drives readers on NXP's MFRC522, and on its clones, over SPI:
// it reports ISO/IEC 14443 A tags with identifiers of 4, 7 and 10 bytes, several
// at once, and reads and writes their memory. Source: NXP data sheet MFRC522 rev.
// 3.9 and ISO/IEC 14443-3; section numbers in comments are theirs.
//
// Tags that were found are halted. A request therefore finds those that came
// since, and none of them has to be told apart from the ones that lie there;
// these are selected by their identifiers from time to time, to see that they
// still are. Waiting is done by the clock or by the IRQ pin, never in a loop.
//
// Each answer of the chip comes with its version and with settings that a reset
// clears, so that a chip that has gone, or whose supply dipped, shows at once;
// the other settings are read back twice a second. Trouble is met in steps: stop
// the command; reset the chip by software and apply the settings; open the port
// anew; pull the reset pin, if there is one. Only the last two are an outage.
package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

const (
	// DefaultInterval is the time from one look at the field to the next. A look
	// at an empty field takes 1.5 ms, and a tag is reported some 20 ms after it
	// came, on average.
	DefaultInterval = 25 * time.Millisecond
	// DefaultClock is what modules on loose wires stand; the chip takes MaxClock.
	DefaultClock = 4 * physic.MegaHertz
	// MaxClock is the fastest clock of the chip (8.1.2).
	MaxClock = 10 * physic.MegaHertz
	// DefaultGain is the receiver gain that a reset leaves, in dB.
	DefaultGain = 33

	settleScans  = 3                      // looks before Up; a tag that lies there is found by one of them
	confirmation = 100 * time.Millisecond // between looks at the tags that are known
	pingInterval = 500 * time.Millisecond // between checks of all settings
	faultPause   = 10 * time.Second       // at most one Fault event in this time
)

// Config describes one reader. Name and Open are needed.
type Config struct {
	Name string // Info.Name
	Port string // Info.Port: where Open leads, for people
	// Open opens the SPI port, for example by SPI of
	// traveler.example/drivers/board.
	Open func(ctx context.Context) (spi.PortCloser, error)
	// Clock is the speed of the bus; 0 means DefaultClock, at most MaxClock.
	Clock physic.Frequency
	// IRQ is the input that the chip's IRQ pin leads to. It may be nil: then the
	// chip is asked when it ought to be done. A pin that never moves is noticed,
	// told by a Fault, and done without.
	IRQ gpio.PinIn
	// Reset is the output that leads to NRSTPD; nil if there is none.
	Reset gpio.PinOut
	// Gain is the receiver gain in dB: 18, 23, 33, 38, 43 or 48; 0 means DefaultGain.
	Gain int
	// Interval is the time between looks at the field; 0 means DefaultInterval.
	Interval time.Duration
	// Presence sets when a tag counts as departed.
	Presence drivers.PresenceConfig
	// Keys are tried on MIFARE Classic besides the public ones.
	Keys []nfctag.Key
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Reader is an MFRC522 on an SPI port. It implements [drivers.Memory].
type Reader struct {
	*nfctag.Memory
	cfg  Config
	gain byte

	mu    sync.Mutex
	model string
}

// New returns a reader that is opened by Run.
func New(cfg Config) (*Reader, error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("mfrc522: reader has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("mfrc522: reader %q has no port", cfg.Name)
	case cfg.Interval < 0:
		return nil, fmt.Errorf("mfrc522: reader %q: interval %v is negative", cfg.Name, cfg.Interval)
	case cfg.Clock < 0 || cfg.Clock > MaxClock:
		return nil, fmt.Errorf("mfrc522: reader %q: clock %v, the chip takes up to %v", cfg.Name, cfg.Clock, MaxClock)
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Clock == 0 {
		cfg.Clock = DefaultClock
	}
	if cfg.Gain == 0 {
		cfg.Gain = DefaultGain
	}
	gain, ok := map[int]byte{18: 0x00, 23: 0x10, 33: 0x40, 38: 0x50, 43: 0x60, 48: 0x70}[cfg.Gain] // RFCfgReg (9.3.3.6)
	if !ok {
		return nil, fmt.Errorf("mfrc522: reader %q: gain of %d dB, the chip has 18, 23, 33, 38, 43 and 48", cfg.Name, cfg.Gain)
	}
	cfg.Supervisor.Name = cfg.Name
	return &Reader{Memory: nfctag.NewMemory(cfg.Name, cfg.Keys), cfg: cfg, gain: gain}, nil
}

// Info implements [drivers.Device]. Model is the chip by its version register,
// such as "MFRC522 v2.0".
func (r *Reader) Info() drivers.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return drivers.Info{Name: r.cfg.Name, Driver: "mfrc522", Port: r.cfg.Port, Model: r.model}
}

// Run implements [drivers.Device]. Transfers on the bus are bounded by the
// kernel, in contrast to those of a serial port, and so is the end of a run.
func (r *Reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	presence := drivers.NewPresence(r.cfg.Name, r.cfg.Presence)
	return r.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		port, err := r.cfg.Open(ctx)
		if err != nil {
			return err
		}
		defer port.Close() // nothing is left that its error could change
		conn, err := port.Connect(r.cfg.Clock, spi.Mode0, 8)
		if err != nil {
			return fmt.Errorf("set up SPI at %v: %w", r.cfg.Clock, err)
		}
		s := &session{Reader: r, Outbox: drivers.Outbox{Reader: r.cfg.Name, Pause: faultPause}, presence: presence, out: out, pace: time.NewTimer(time.Hour)}
		s.chip = chip{bus: bus{conn: conn}, gain: r.gain, irq: r.cfg.IRQ, reset: r.cfg.Reset, pause: time.NewTimer(time.Hour)}
		defer s.chip.pause.Stop()
		defer s.pace.Stop()
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
	pace     *time.Timer
	field    field
	live     bool // Up has been told

	nextPing time.Time
}

func (s *session) run(ctx context.Context, up func()) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.presence.Settle()
	s.presence.Resume(time.Now())
	for range settleScans {
		if err := s.look(ctx); err != nil {
			return err
		}
		s.field.confirm = time.Time{}
	}
	up()
	s.live = true
	s.Events = s.presence.Settled(s.Events)
	s.nextPing = time.Now().Add(pingInterval)
	defer s.Memory.Open()()
	for {
		if err := s.Send(ctx, s.out); err != nil {
			return s.farewell(ctx, err)
		}
		next := time.Now().Add(s.cfg.Interval)
		if err := s.step(ctx); err != nil {
			return s.farewell(ctx, err)
		}
		if err := s.idle(ctx, next); err != nil {
			return s.farewell(ctx, err)
		}
	}
}

// begin starts the chip: by software, and if that does not help by its reset pin.
func (s *session) begin(ctx context.Context) error {
	if s.irq != nil {
		if err := s.irq.In(gpio.PullUp, gpio.FallingEdge); err != nil {
			s.Fault(time.Now(), fmt.Errorf("IRQ pin %s cannot be used, it is done without: %w", s.irq.Name(), err))
			s.irq = nil
		}
	}
	err := s.start(ctx)
	if err != nil && s.reset != nil && ctx.Err() == nil {
		err = s.hardStart(ctx)
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model = model(s.version)
	return nil
}

// step looks at the field once, checks the chip's settings when it is due, and
// recovers from what goes wrong, if it can.
func (s *session) step(ctx context.Context) error {
	err := s.look(ctx)
	if err == nil && time.Now().After(s.nextPing) {
		s.nextPing = time.Now().Add(pingInterval)
		err = s.ping()
	}
	return s.mend(ctx, err)
}

// idle does what is asked for the memory of tags until the next look is due.
func (s *session) idle(ctx context.Context, next time.Time) error {
	for {
		wait := time.Until(next)
		if wait <= 0 {
			return ctx.Err()
		}
		s.pace.Reset(wait)
		select {
		case <-s.pace.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case job := <-s.Memory.Jobs():
			if err := s.mend(ctx, s.serve(ctx, job)); err != nil {
				return err
			}
		}
	}
}

// mend brings the chip back if an error is its own, and returns one that it
// could not be brought back from.
func (s *session) mend(ctx context.Context, err error) error {
	if s.deafIRQ {
		s.deafIRQ = false
		s.Fault(time.Now(), errors.New("the IRQ pin does not tell of answers, so it is done without; check its wire, or take it out of the configuration"))
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, drivers.ErrSilent) && !errors.Is(err, drivers.ErrProtocol) {
		return err // the port itself
	}
	return s.recover(ctx, err)
}

// recover brings the chip back without closing the port: by stopping what it
// does, if it is well otherwise, or else by a reset.
func (s *session) recover(ctx context.Context, cause error) error {
	if err := s.Begin(time.Now(), cause); err != nil {
		return err
	}
	if err := s.resync(); err != nil {
		if err := s.start(ctx); err != nil {
			return errors.Join(cause, fmt.Errorf("recovery failed: %w", err))
		}
	}
	now := time.Now()
	s.Done(now)
	s.presence.Resume(now)
	s.field.confirm = time.Time{}
	s.Fault(now, fmt.Errorf("recovered from: %w", cause))
	return nil
}

// farewell leaves the chip with its field off when the run ends in order.
func (s *session) farewell(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		_ = s.write(regCommand, cmdIdle) // best effort: nobody listens any more
		_ = s.write(regTxControl, txControl&^antenna)
	}
	return err
}
