// Package ascii125 drives readers that tell of a tag in hex digits over a serial
// line and hear nothing: RDM6300 and ID-12LA/20LA for EM4100 tags at 125 kHz,
// WL-134 for FDX-B tags at 134.2 kHz. Which of them sits on the port shows by
// what it says; no byte is ever written.
//
// They read one tag at a time; two at once hide each other. A reader that
// repeats a tag while it is there (RDM6300) gives sessions as other readers do:
// the tag departs when it was not heard of for the absence. A reader that tells
// of a tag once, when it comes (ID-12LA, WL-134), cannot say when it left: its
// tag departs [DefaultHold] after it was last told of, and one that comes again
// before goes on in its session. What lies on such a reader when its port is
// opened stays unknown until it is presented again.
//
// Since these readers cannot be asked, silence is no fault, and a cut wire looks
// like an empty field. What can be noticed is an unplugged adapter (an outage),
// damaged frames, and bytes that make no frame, as at a wrong baud rate (each a
// Fault).
package ascii125

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
	// DefaultBaud is what all of them speak: 8N1, the WL-134 8N2, which a line set
	// to one stop bit hears as well.
	DefaultBaud = 9600
	// RepeatInterval is the time from one frame of an RDM6300 to the next.
	RepeatInterval = 65 * time.Millisecond
	// DefaultHold is how long a tag stays that is told of once.
	DefaultHold = 2 * time.Second

	settleTime = 4 * RepeatInterval // listening before Up; a tag that lies there is told of by then
	quiet      = 4 * RepeatInterval // a frame takes 31 ms at most: what broke off before is no frame
	noiseFloor = 8                  // bytes; fewer come from plugs and are not worth a word
	noiseLimit = 4 * maxFrame       // bytes without a frame in between that are worth one at once
	faultPause = 10 * time.Second   // at most one Fault event in this time
)

// Repeat says how often a reader tells of a tag.
type Repeat uint8

// The ways to repeat.
const (
	RepeatAuto  Repeat = iota // as readers of its framing usually do
	RepeatWhile               // again and again while the tag is there
	RepeatNever               // once, when the tag comes
)

// Config describes one reader. Name and Open are needed.
type Config struct {
	Name string         // Info.Name
	Port string         // Info.Port: where Open leads, for people
	Open drivers.Opener // for example drivers.Serial{Path: …, Baud: ascii125.DefaultBaud}.Open
	// Framing is the only one that is taken; 0 takes each.
	Framing Framing
	// Repeat is for readers that differ from others of their framing.
	Repeat Repeat
	// Presence sets when a tag counts as departed. A scan is RepeatInterval long;
	// Absence 0 means drivers.DefaultAbsence where the reader repeats, DefaultHold
	// where it does not.
	Presence drivers.PresenceConfig
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Reader is a reader on a serial port. It implements [drivers.Reader].
type Reader struct {
	cfg Config

	mu    sync.Mutex
	model string
}

// New returns a reader that is opened by Run.
func New(cfg Config) (*Reader, error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("ascii125: reader has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("ascii125: reader %q has no port", cfg.Name)
	case cfg.Framing > WL134:
		return nil, fmt.Errorf("ascii125: reader %q: %v is unknown", cfg.Name, cfg.Framing)
	case cfg.Repeat > RepeatNever:
		return nil, fmt.Errorf("ascii125: reader %q: repeat(%d) is unknown", cfg.Name, cfg.Repeat)
	}
	cfg.Supervisor.Name = cfg.Name
	r := &Reader{cfg: cfg}
	if cfg.Framing != 0 {
		r.model = cfg.Framing.String()
	}
	return r, nil
}

// Info implements [drivers.Device]. Model is the profile's framing, or that of
// the last frame, and empty before.
func (r *Reader) Info() drivers.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return drivers.Info{Name: r.cfg.Name, Driver: "ascii125", Port: r.cfg.Port, Model: r.model}
}

// Run implements [drivers.Device]. Up says that the port is open; no more can be
// known of a reader that cannot be asked.
func (r *Reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	presence := drivers.NewPresence(r.cfg.Name, r.cfg.Presence)
	return r.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		port, err := r.cfg.Open(ctx)
		if err != nil {
			return err
		}
		defer port.Close()
		defer drivers.Guard(ctx, port, 0)()
		s := &session{Reader: r, Outbox: drivers.Outbox{Reader: r.cfg.Name, Pause: faultPause}, port: port, presence: presence, out: out}
		return s.run(ctx, up)
	}, out)
}

// session is one connection to the reader, from an open port to its loss.
type session struct {
	*Reader
	drivers.Outbox
	port     drivers.Port
	parser   Parser
	presence *drivers.Presence
	out      chan<- drivers.Event
	in       [256]byte

	framing Framing // of the last frame; 0 before
	last    Frame   // that was undamaged
	tag     drivers.Tag
	refused error     // why last has no tag
	scanEnd time.Time // of the scan under way
	seen    bool      // in it
	heard   time.Time // the last byte
}

func (s *session) run(ctx context.Context, up func()) error {
	now := time.Now()
	s.presence.Settle()
	s.presence.Resume(now)
	s.scanEnd = now.Add(RepeatInterval)
	for settled := now.Add(settleTime); time.Now().Before(settled); {
		if err := s.poll(); err != nil {
			return err
		}
	}
	up()
	s.Events = s.presence.Settled(s.Events)
	for {
		if err := s.Send(ctx, s.out); err != nil {
			return err
		}
		if err := s.poll(); err != nil {
			return err
		}
	}
}

// poll waits for bytes until the scan under way ends, and takes in what came.
func (s *session) poll() error {
	if late := time.Now(); late.Sub(s.scanEnd) > RepeatInterval { // held up by whoever takes the events
		s.presence.Resume(late)
		s.scanEnd = late.Add(RepeatInterval)
	}
	if err := s.port.SetReadDeadline(s.scanEnd); err != nil {
		return err
	}
	n, err := s.port.Read(s.in[:])
	now := time.Now()
	if n > 0 {
		s.heard = now
		for _, f := range s.parser.Feed(s.in[:n]) {
			s.take(f, now)
		}
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.listen(now)
	return nil
}

// take passes a frame on to presence.
func (s *session) take(f Frame, now time.Time) {
	switch {
	case f.Damaged:
		s.Fault(now, fmt.Errorf("%w: a frame of %v with a wrong checksum was dropped; if it comes often, hold tags nearer and keep the antenna away from motors and screens",
			drivers.ErrProtocol, f.Framing))
		return
	case s.cfg.Framing != 0 && f.Framing != s.cfg.Framing:
		s.Fault(now, fmt.Errorf("%w: a frame of %v was dropped, the profile says %v; correct the profile or the cabling",
			drivers.ErrProtocol, f.Framing, s.cfg.Framing))
		return
	case f.Framing != s.framing:
		s.identified(f.Framing)
	}
	if f != s.last {
		s.last = f
		s.tag, s.refused = f.Tag()
	}
	if s.refused != nil {
		s.Fault(now, s.refused)
		return
	}
	s.seen = true
	s.Events = s.presence.Scan(s.Events, now, s.tag)
}

// identified adapts to what the reader turned out to be.
func (s *session) identified(f Framing) {
	s.framing = f
	s.mu.Lock()
	s.model = f.String()
	s.mu.Unlock()
	if s.cfg.Presence.Absence > 0 {
		return
	}
	if s.cfg.Repeat == RepeatNever || s.cfg.Repeat == RepeatAuto && f.once() {
		s.presence.SetAbsence(DefaultHold)
	} else {
		s.presence.SetAbsence(drivers.DefaultAbsence)
	}
}

// listen ends a scan in which no frame came, and judges what was no frame.
func (s *session) listen(now time.Time) {
	if !now.Before(s.scanEnd) {
		if !s.seen {
			s.Events = s.presence.Scan(s.Events, now)
		}
		s.seen = false
		s.scanEnd = now.Add(RepeatInterval)
	}
	noise := s.parser.Noise()
	over := noise > 0 && now.Sub(s.heard) >= quiet
	if over && noise >= noiseFloor || noise >= noiseLimit {
		s.Fault(now, fmt.Errorf("%w, or is another one (%w): %d bytes came that are no frame; set the port to %d baud 8N1, and check that the reader sends ASCII (not Wiegand or magnetic stripe)",
			drivers.ErrSpeed, drivers.ErrProtocol, noise, DefaultBaud))
	}
	if over {
		s.parser.Reset()
	}
}
