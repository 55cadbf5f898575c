// Package m100 drives serial UHF readers on the M100 and QM100 chips: modules
// sold as M100, QM100, R200, YRM100, JRD-4035 and others. It reports EPC Gen2
// (ISO/IEC 18000-63) tags by their EPC, and reads and writes their memory.
// Source: Invelion, Communication Protocol V2.1, whose section numbers comments
// give; R200 user protocol V2.3.3; EPC Radio-Frequency Identity Protocols,
// Generation-2 UHF RFID.
//
// The module is kept in multiple polling (command 27) all the time. A poll of
// one round (22) has no end that can be told once it found a tag: notices come
// and then nothing, so each round would cost a wait, and each the way of a
// command to the module and back. Multiple polling has neither: a tag is
// reported at the end of the round that found it, and an empty round says so,
// which makes the stream its own sign of life. It is stopped (28) for a moment
// when the module's health is checked and when memory is read or written;
// the stop is answered like any command, and what is said of tags meanwhile is
// heard.
//
// Trouble is met in steps: stop and check; find the framing and apply the
// settings anew; close the port and open it again. Only the last is an outage.
package m100

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"traveler.example/drivers"
)

// DefaultBaud is what modules speak after power-up.
const DefaultBaud = 115200

// MaxPower is the highest transmit power that can be asked for, in hundredths of
// a dBm: what the law allows anywhere. Few modules can make it.
const MaxPower = 3600

// Config describes one reader. Name and Open are needed.
type Config struct {
	Name string         // Info.Name
	Port string         // Info.Port: where Open leads, for people
	Open drivers.Opener // for example drivers.Serial{Path: …, Baud: m100.DefaultBaud}.Open
	// Baud is the speed at which Open opens; 0 means DefaultBaud. It matters only
	// with OpenAt.
	Baud int
	// OpenAt opens the same port at another speed. With it, a module that does not
	// answer at Baud is looked for at the others and told to speak at Baud.
	OpenAt func(ctx context.Context, baud int) (drivers.Port, error)

	// Region is the band that the law of the place allows; 0 leaves the module's.
	Region Region
	// Power is the transmit power in hundredths of a dBm: 2000 is 20 dBm, up to
	// MaxPower; 0 leaves the module's. Less power is the best filter against
	// neighbours' tags.
	Power int
	// Q makes rounds of 2^Q slots, 1 to 15; 0 means DefaultQ. Fewer slots are
	// quicker, more find more tags at once.
	Q int
	// Filter tells this station's tags from its neighbours'.
	Filter Filter
	// Access is the access password of tags whose memory is locked; 0 sends none.
	Access uint32
	// Sleep puts the module to sleep when the run ends.
	Sleep bool

	// Presence sets when a tag counts as departed.
	Presence drivers.PresenceConfig
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// Reader is a module on a port. It implements [drivers.Memory].
type Reader struct {
	cfg      Config
	requests chan request

	mu         sync.Mutex
	model      string
	spoke      Framing       // the module's framing last time; 0 before the first
	live       chan struct{} // closed when the connection ends; nil without one
	neighbours int
}

var _ drivers.Memory = (*Reader)(nil)

// New returns a reader that is opened by Run.
func New(cfg Config) (*Reader, error) {
	fail := func(format string, args ...any) (*Reader, error) {
		return nil, fmt.Errorf("m100: reader %q: %w", cfg.Name, fmt.Errorf(format, args...))
	}
	switch {
	case cfg.Name == "":
		return nil, errors.New("m100: reader has no name")
	case cfg.Open == nil:
		return nil, fmt.Errorf("m100: reader %q has no port", cfg.Name)
	case cfg.Power < 0 || cfg.Power > MaxPower:
		return fail("power %s is not between 0 and %s", dBm(cfg.Power), dBm(MaxPower))
	case cfg.Q < 0 || cfg.Q > 15:
		return fail("Q %d is not between 0 and 15", cfg.Q)
	case cfg.Filter.MinRSSI > 0 || cfg.Filter.MinRSSI < -128:
		return fail("threshold %d dBm is not between -128 and 0; tags answer at -80 to -30", cfg.Filter.MinRSSI)
	case cfg.Filter.MinReads < 0 || cfg.Filter.Dwell < 0:
		return fail("filter of %d reads within %v is negative", cfg.Filter.MinReads, cfg.Filter.Dwell)
	case cfg.Baud < 0 || cfg.Baud%100 != 0 || cfg.Baud/100 > 0xFFFF:
		return fail("baud rate %d cannot be told to a module, which counts in hundreds", cfg.Baud)
	}
	if cfg.Baud == 0 {
		cfg.Baud = DefaultBaud
	}
	if cfg.Q == 0 {
		cfg.Q = DefaultQ
	}
	cfg.Supervisor.Name = cfg.Name
	return &Reader{cfg: cfg, requests: make(chan request)}, nil
}

// Info implements [drivers.Device]. Model is what the module says of itself and
// its framing, such as "M100 26dBm V1.0 V2.3.5 (BB..7E)".
func (r *Reader) Info() drivers.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return drivers.Info{Name: r.cfg.Name, Driver: "m100", Port: r.cfg.Port, Model: r.model}
}

// Neighbours returns how many tags were taken for a neighbour's so far.
func (r *Reader) Neighbours() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.neighbours
}

// Run implements [drivers.Device].
func (r *Reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	presence := drivers.NewPresence(r.cfg.Name, r.cfg.Presence)
	sieve := newSieve(r.cfg.Filter)
	return r.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error {
		port, err := r.connect(ctx)
		if err != nil {
			return err
		}
		s := &session{Reader: r, Outbox: drivers.Outbox{Reader: r.cfg.Name, Pause: faultPause}, presence: presence, sieve: sieve, out: out}
		s.link = newLink(port)
		s.notice = s.hear
		s.want = settings{region: r.cfg.Region, power: r.cfg.Power, q: r.cfg.Q}
		defer s.link.close()
		defer drivers.Guard(ctx, port, closeGrace)()
		return s.run(ctx, up)
	}, out)
}

// bauds are the speeds at which a module is looked for that does not answer at
// its own (protocol V2.1, 2, and what newer modules come with).
var bauds = [...]int{115200, 9600, 57600, 38400, 19200, 921600}

// connect opens the port and, if it may, brings a module that speaks at another
// speed to the right one.
func (r *Reader) connect(ctx context.Context) (drivers.Port, error) {
	if r.cfg.OpenAt == nil {
		return r.cfg.Open(ctx)
	}
	found, err := r.speaks(ctx, r.cfg.Baud)
	for i := 0; i < len(bauds) && !found && err == nil; i++ {
		if bauds[i] != r.cfg.Baud {
			found, err = r.speaks(ctx, bauds[i])
		}
	}
	if err != nil {
		return nil, err
	}
	return r.cfg.Open(ctx) // silent at every speed, it is asked once more and reported
}

// speaks reports whether a module answers at a speed, and if that is not the
// right one, tells it the right one.
func (r *Reader) speaks(ctx context.Context, baud int) (bool, error) {
	port, err := r.cfg.OpenAt(ctx, baud)
	if err != nil {
		return false, err
	}
	m := &module{link: newLink(port)}
	defer m.link.close()
	defer drivers.Guard(ctx, port, closeGrace)()
	if err := m.probe(ctx, r.lastFraming()); errors.Is(err, drivers.ErrSilent) && m.lost == nil {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if baud == r.cfg.Baud {
		return true, nil
	}
	return true, m.setBaud(ctx, r.cfg.Baud)
}

// lastFraming is where a search for the framing begins.
func (r *Reader) lastFraming() Framing {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spoke == 0 {
		return FramingBB
	}
	return r.spoke
}

// connected notes that a connection began, or, without live, that it ended.
func (r *Reader) connected(live chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = live
}

func (r *Reader) identified(model string, framing Framing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spoke = framing
	r.model = fmt.Sprintf("%s (%v)", model, framing)
}

// request is something to be done between two looks at the field.
type request struct {
	ctx   context.Context
	do    func(context.Context, *session) error
	reply chan error
}

// between has do called by the owner of the port between two looks at the
// field, and returns its error.
func (r *Reader) between(ctx context.Context, do func(context.Context, *session) error) error {
	r.mu.Lock()
	live := r.live
	r.mu.Unlock()
	if live == nil {
		return drivers.ErrDown
	}
	answer := make(chan error, 1)
	select {
	case r.requests <- request{ctx, do, answer}:
	case <-live:
		return drivers.ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-answer // always comes: the owner of the port replies before it does anything else
}
