// Package wedge drives readers that type what they read like a keyboard:
// scanners of bar codes, and USB readers of tags. It reads their keys from the
// kernel's input device (evdev), which it holds alone, so that no console sees
// them.
//
// Such a reader fires once and does not say when a code or tag left, so each
// line is a moment: the tag arrives and departs at once. A line that repeats the
// one before within the cooldown is the same moment, as when a trigger is held.
//
// Nothing can be asked of a keyboard, and silence is no fault. What can be
// noticed is that it was unplugged (an outage), and lines that are no code (each
// a Fault, with nothing reported of them).
package wedge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"traveler.example/drivers"
)

const (
	// DefaultGap ends a line where the profile says that a gap does. Readers type a
	// key every 1 to 20 ms.
	DefaultGap = 100 * time.Millisecond
	// DefaultCooldown is how long the same line again is the same moment.
	DefaultCooldown = time.Second

	staleLine  = 2 * time.Second // without a key: the end of the line will not come
	faultPause = time.Second     // at most one Fault event in this time
)

// End says what ends a line.
type End uint8

// The ends.
const (
	EndKey End = iota // Enter or Tab; a line without is dropped
	// EndGap: Enter, Tab, or no key for the gap. For readers that cannot be set to
	// send either: two codes within one gap come out as one.
	EndGap
)

// Config describes one reader. Name and Open are needed.
type Config struct {
	Name string // Info.Name
	Port string // Info.Port: where Open leads, for people
	// Open opens the input device, for example Evdev{Path: …}.Open. It is called
	// anew after each loss.
	Open func(ctx context.Context) (Source, error)
	// Layout is that of the reader; empty means US.
	Layout Layout
	// Content says what a line is. Prefix and Suffix are taken off before; a line
	// without them is no code.
	Content        Content
	Prefix, Suffix string
	// Technology is that of the tags where the content is an identifier; empty
	// means drivers.LF125. Reversed: the reader writes their bytes last first.
	Technology drivers.Technology
	Reversed   bool
	// End says what ends a line, Gap how long a gap is; 0 means DefaultGap.
	End End
	Gap time.Duration
	// Cooldown is how long the same line again is the same moment; 0 means
	// DefaultCooldown.
	Cooldown time.Duration
	// EventSize is that of the input device; 0 means NativeSize.
	EventSize int
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Reader is a reader that types. It implements [drivers.Reader].
type Reader struct {
	cfg Config

	mu    sync.Mutex
	model string
}

// New returns a reader that is opened by Run.
func New(cfg Config) (*Reader, error) {
	cfg.defaults()
	_, layoutErr := newKeyboard(cfg.Layout)
	switch {
	case cfg.Name == "":
		return nil, errors.New("wedge: reader has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("wedge: reader %q has no device", cfg.Name)
	case layoutErr != nil:
		return nil, fmt.Errorf("wedge: reader %q: %w", cfg.Name, layoutErr)
	case cfg.Content > ContentDecimal:
		return nil, fmt.Errorf("wedge: reader %q: content(%d) is unknown", cfg.Name, cfg.Content)
	case cfg.End > EndGap:
		return nil, fmt.Errorf("wedge: reader %q: end(%d) is unknown", cfg.Name, cfg.End)
	case cfg.Gap < 0 || cfg.Cooldown < 0:
		return nil, fmt.Errorf("wedge: reader %q: gap %v or cooldown %v is negative", cfg.Name, cfg.Gap, cfg.Cooldown)
	case cfg.EventSize != EventSize32 && cfg.EventSize != EventSize64:
		return nil, fmt.Errorf("wedge: reader %q: events of %d bytes, only %d and %d are possible", cfg.Name, cfg.EventSize, EventSize32, EventSize64)
	}
	return &Reader{cfg: cfg}, nil
}

func (c *Config) defaults() {
	c.Supervisor.Name = c.Name
	if c.Layout == "" {
		c.Layout = US
	}
	if c.Technology == "" {
		c.Technology = drivers.LF125
	}
	if c.Gap == 0 {
		c.Gap = DefaultGap
	}
	if c.End == EndKey {
		c.Gap = staleLine
	}
	if c.Cooldown == 0 {
		c.Cooldown = DefaultCooldown
	}
	if c.EventSize == 0 {
		c.EventSize = NativeSize
	}
}

// Info implements [drivers.Device]. Model is the name of the input device with
// its USB vendor and product, empty until first contact.
func (r *Reader) Info() drivers.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return drivers.Info{Name: r.cfg.Name, Driver: "wedge", Port: r.cfg.Port, Model: r.model}
}

// Run implements [drivers.Device]. Up says that the device is held.
func (r *Reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	return r.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		source, err := r.cfg.Open(ctx)
		if err != nil {
			return err
		}
		defer source.Close()
		defer drivers.Guard(ctx, source, 0)()
		r.mu.Lock()
		r.model = source.Model()
		r.mu.Unlock()
		decoder, err := NewDecoder(r.cfg.Layout)
		if err != nil {
			return err
		}
		s := &session{Reader: r, Outbox: drivers.Outbox{Reader: r.cfg.Name, Pause: faultPause}, source: source, parser: NewParser(r.cfg.EventSize), decoder: decoder, out: out}
		return s.run(ctx, up)
	}, out)
}

// session is one connection to the device.
type session struct {
	*Reader
	drivers.Outbox
	source  Source
	parser  *Parser
	decoder *Decoder
	out     chan<- drivers.Event
	in      [64 * EventSize64]byte

	last   drivers.Tag // the tag of the last moment
	lastAt time.Time
}

func (s *session) run(ctx context.Context, up func()) error {
	up()
	for {
		if err := s.poll(); err != nil {
			return err
		}
		if err := s.Send(ctx, s.out); err != nil {
			return err
		}
	}
}

// poll waits for keys, or for the gap after a line that has begun.
func (s *session) poll() error {
	var deadline time.Time
	if s.decoder.Pending() {
		deadline = time.Now().Add(s.cfg.Gap)
	}
	if err := s.source.SetReadDeadline(deadline); err != nil {
		return err
	}
	n, err := s.source.Read(s.in[:])
	now := time.Now()
	for _, e := range s.parser.Feed(s.in[:n]) {
		if line, ended := s.decoder.Feed(e); ended {
			s.take(line, now)
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.gap(now)
		return nil
	}
	return err
}

// gap ends a line after which no key came.
func (s *session) gap(now time.Time) {
	line, ended := s.decoder.End()
	if ended && line.Err == nil && s.cfg.End == EndKey {
		line.Err = errCutOff
	}
	if ended {
		s.take(line, now)
	}
}

// take makes a moment of a line.
func (s *session) take(line Line, now time.Time) {
	tag, err := drivers.Tag{}, line.Err
	if err == nil {
		tag, err = s.cfg.tag(line.Text)
	}
	if err != nil {
		s.Fault(now, err)
		return
	}
	again := tag == s.last && now.Sub(s.lastAt) < s.cfg.Cooldown
	s.last, s.lastAt = tag, now
	if again {
		return
	}
	moment := drivers.Event{Kind: drivers.Arrived, Reader: s.cfg.Name, Tag: tag, At: now, Reads: 1}
	s.Events = append(s.Events, moment)
	moment.Kind = drivers.Departed
	s.Events = append(s.Events, moment)
}
