// Package llrp drives fixed UHF readers over the network by LLRP, the Low Level
// Reader Protocol of EPCglobal (GS1), version 1.0.1, which readers of version
// 1.1 speak as well. Section numbers in comments are those of LLRP 1.0.1.
//
// A reader takes one client at a time and has several antennas, and antennas
// are what a station thinks in: one looks at the way in, another at the way
// out. So one [Portal] is the connection to a device, and each [Reader] of it is
// some of the antennas under a name of their own. The connection stands while at
// least one of the readers runs.
//
// The reader keeps an inventory going by itself and reports what it sees; tags
// come and go by time. A departure is decided only when the reader speaks, be it
// a keepalive: a reader that fell silent says nothing about its tags. Clocks of
// readers are not trusted: times are those of the last byte that came here.
package llrp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"traveler.example/drivers"
)

// What the zero values of Config and ReaderConfig stand for.
const (
	DefaultKeepalive  = time.Second
	DefaultAbsence    = 1500 * time.Millisecond
	DefaultPopulation = 32
)

const (
	closeGrace = 500 * time.Millisecond // for taking leave when the run ends
	farewell   = 400 * time.Millisecond // of it for the reader's answers
	settleTime = time.Second            // after the start of an inventory; a tag that lies there is seen by then
	maxReaders = 16
)

// Config describes one device. Name, Open and at least one reader are needed.
type Config struct {
	Name string         // of the device, in errors
	Port string         // Info.Port of its readers: where Open leads, for people
	Open drivers.Opener // for example Network{Address: …}.Open
	// Readers are the groups of antennas, each a reader of its own.
	Readers []ReaderConfig
	// Session of the Gen2 inventory, 0 to 3. In 0 a tag answers in every round,
	// which presence rests on; in 2 and 3 a tag is silent for long after each
	// answer, so that Absence has to be longer than that.
	Session uint8
	// Population is how many tags are expected at once; 0 means DefaultPopulation.
	Population uint16
	// ReportEvery has the reader gather what it sees and be asked for it so
	// often; 0 has it report each tag at once.
	ReportEvery time.Duration
	// Keepalive is how often the reader has to give a sign of life; after three
	// of them without one it counts as lost. 0 means DefaultKeepalive.
	Keepalive time.Duration
	// Takeover deletes inventories of other programs, too, that are left on the
	// reader. Without it they are left alone, and if they take up all the room
	// that the reader has, it stays down with a reason that says so.
	Takeover bool
	// Supervisor paces reconnection; its Name is set by New.
	Supervisor drivers.Supervisor
}

// ReaderConfig describes some antennas of a device as one reader.
type ReaderConfig struct {
	Name     string // Info.Name
	Antennas []Antenna
	// MinReads is how often a tag has to be read before it arrives; 0 means 1.
	MinReads int
	// Dwell is how long a tag has to be seen before it arrives: longer than one
	// takes that is only carried past.
	Dwell time.Duration
	// Absence is how long a tag has to be unseen to count as departed, and for
	// its reads to be forgotten before it arrived; 0 means DefaultAbsence.
	Absence time.Duration
	// Crowd is the most sessions at once; 0 means drivers.DefaultCrowd.
	Crowd int
}

// Antenna is one antenna of a device.
type Antenna struct {
	ID uint16 // its number on the device, from 1
	// Power is what it sends with, in 1/100 dBm: the next lower that the reader
	// can; 0 leaves it as it is set on the reader.
	Power int
	// Weakest is the signal, in dBm, below which a tag is a neighbour's and not
	// here; 0 lets every tag count.
	Weakest int8
}

// Portal is the connection to one device.
type Portal struct {
	cfg     Config
	readers []*Reader

	lifecycle sync.Mutex // held while the connection is started or ended
	running   int        // readers; under lifecycle
	end       func()     // ends the connection and waits for it; under lifecycle

	mu        sync.Mutex
	listeners []*listener
	live      *session // set while the inventory runs
	model     string
	lost      error // the last loss, until the next connection; nil at first
}

// New returns a portal whose readers open it when they run.
func New(cfg Config) (*Portal, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("llrp: %w", err)
	}
	if cfg.Keepalive == 0 {
		cfg.Keepalive = DefaultKeepalive
	}
	if cfg.Population == 0 {
		cfg.Population = DefaultPopulation
	}
	cfg.Supervisor.Name = cfg.Name
	p := &Portal{cfg: cfg}
	for _, r := range cfg.Readers {
		if r.Absence == 0 {
			r.Absence = DefaultAbsence
		}
		if r.Crowd == 0 {
			r.Crowd = drivers.DefaultCrowd
		}
		r.Antennas = slices.Clone(r.Antennas)
		p.readers = append(p.readers, &Reader{portal: p, cfg: r})
	}
	return p, nil
}

func (c Config) check() error {
	switch {
	case c.Name == "":
		return errors.New("device has no name")
	case c.Open == nil:
		return fmt.Errorf("device %q has no port", c.Name)
	case len(c.Readers) == 0 || len(c.Readers) > maxReaders:
		return fmt.Errorf("device %q has %d readers, name 1 to %d", c.Name, len(c.Readers), maxReaders)
	case c.Session > 3:
		return fmt.Errorf("device %q: session %d, Gen2 has 0 to 3", c.Name, c.Session)
	case c.Keepalive < 0 || c.Keepalive > time.Hour || c.Keepalive > 0 && c.Keepalive < time.Millisecond:
		return fmt.Errorf("device %q: keepalive of %v, choose 1 ms to 1 h", c.Name, c.Keepalive)
	case c.ReportEvery < 0:
		return fmt.Errorf("device %q: report every %v is negative", c.Name, c.ReportEvery)
	}
	names, antennas := map[string]bool{}, map[uint16]string{}
	for _, r := range c.Readers {
		if r.Name == "" || names[r.Name] {
			return fmt.Errorf("device %q: reader name %q is empty or used twice", c.Name, r.Name)
		}
		names[r.Name] = true
		if err := r.check(antennas); err != nil {
			return fmt.Errorf("device %q: reader %q: %w", c.Name, r.Name, err)
		}
	}
	return nil
}

func (r ReaderConfig) check(taken map[uint16]string) error {
	switch {
	case len(r.Antennas) == 0:
		return errors.New("it has no antenna")
	case r.MinReads < 0 || r.Dwell < 0 || r.Absence < 0 || r.Crowd < 0:
		return fmt.Errorf("a limit is negative: minimum reads %d, dwell %v, absence %v, crowd %d", r.MinReads, r.Dwell, r.Absence, r.Crowd)
	}
	for _, a := range r.Antennas {
		switch {
		case a.ID == 0:
			return errors.New("antenna 0: they are counted from 1")
		case taken[a.ID] != "":
			return fmt.Errorf("antenna %d is also one of reader %q", a.ID, taken[a.ID])
		case a.Power < 0 || a.Power > 10_000:
			return fmt.Errorf("antenna %d: %s is no power to send with", a.ID, decibels(a.Power))
		}
		taken[a.ID] = r.Name
	}
	return nil
}

// Readers returns the readers of the device, in the order of Config.Readers.
func (p *Portal) Readers() []*Reader { return slices.Clone(p.readers) }

// listener is a reader whose Run is under way.
type listener struct {
	reader *Reader
	inbox  chan fact
	gone   <-chan struct{}
}

// backlog is how many facts may wait for a reader before the device is held up.
const backlog = 16

// join makes a reader a listener and sees to it that the connection stands. It
// is told at once what holds now. Leave returns once the reader is told nothing
// any more; for the last one that is when the connection has ended.
func (p *Portal) join(ctx context.Context, r *Reader) (inbox <-chan fact, leave func()) {
	l := &listener{reader: r, inbox: make(chan fact, backlog), gone: ctx.Done()}
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	p.mu.Lock()
	switch {
	case p.live != nil:
		l.inbox <- fact{kind: factConnected, at: time.Now()}
	case p.lost != nil:
		l.inbox <- fact{kind: factLost, at: time.Now(), err: p.lost}
	}
	p.listeners = append(p.listeners, l)
	p.mu.Unlock()
	if p.running++; p.running == 1 {
		p.start()
	}
	return l.inbox, func() { p.leave(l) }
}

func (p *Portal) leave(l *listener) {
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	p.mu.Lock()
	p.listeners = slices.DeleteFunc(slices.Clone(p.listeners), func(x *listener) bool { return x == l })
	p.mu.Unlock()
	if p.running--; p.running == 0 {
		p.end()
		p.mu.Lock()
		p.lost = nil
		p.mu.Unlock()
	}
}

// start begins connecting. The connection is no reader's, so it has a context
// of its own, which ends with the last reader.
func (p *Portal) start() {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	// Each reader tells of the outages itself, in order with its tags; what the
	// supervisor says of them is for nobody.
	said := make(chan drivers.Event)
	wait.Go(func() {
		for range said {
		}
	})
	wait.Go(func() {
		defer close(said)
		_ = p.cfg.Supervisor.Run(ctx, func(ctx context.Context, up func()) error { // ends with nil
			err := p.serve(ctx, up)
			if ctx.Err() == nil {
				p.disconnected(ctx, err)
			}
			return err
		}, said)
	})
	p.end = func() {
		cancel()
		wait.Wait()
	}
}

// A reader needs a moment to notice that its last client has gone: a program that
// was started anew, or this one under another profile, is no other client. So the
// first of an outage's refusals are not told.
const (
	partingTries = 4
	partingPause = 250 * time.Millisecond
)

func (p *Portal) serve(ctx context.Context, up func()) error {
	p.mu.Lock()
	tries := partingTries
	if p.lost != nil {
		tries = 1
	}
	p.mu.Unlock()
	for {
		err := p.connect(ctx, up)
		if tries--; tries == 0 || !errors.Is(err, errTaken) {
			return err
		}
		select {
		case <-time.After(partingPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// connect is one connection, from opening it to closing it.
func (p *Portal) connect(ctx context.Context, up func()) error {
	port, err := p.cfg.Open(ctx)
	if err != nil {
		return err
	}
	l := newLink(port)
	defer l.close()
	defer drivers.Guard(ctx, port, closeGrace)()
	return newSession(p, l).run(ctx, up)
}

// connected makes s the one that reads and writes tags.
func (p *Portal) connected(ctx context.Context, s *session) {
	p.mu.Lock()
	p.live, p.lost = s, nil
	p.mu.Unlock()
	p.tellAll(ctx, fact{kind: factConnected, at: time.Now()})
}

func (p *Portal) disconnected(ctx context.Context, err error) {
	err = fmt.Errorf("%s: %w", p.cfg.Name, err)
	p.mu.Lock()
	p.live, p.lost = nil, err
	p.mu.Unlock()
	p.tellAll(ctx, fact{kind: factLost, at: time.Now(), err: err})
}

// tellAll tells every reader that runs.
func (p *Portal) tellAll(ctx context.Context, f fact) (stalled bool) {
	for _, l := range p.audience() {
		stalled = l.tell(ctx, f) || stalled
	}
	return stalled
}

// tell tells one reader, if it runs.
func (p *Portal) tell(ctx context.Context, r *Reader, f fact) (stalled bool) {
	for _, l := range p.audience() {
		if l.reader == r {
			return l.tell(ctx, f)
		}
	}
	return false
}

// audience returns a list that is never changed, only replaced.
func (p *Portal) audience() []*listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listeners[:len(p.listeners):len(p.listeners)]
}

// tell waits until the reader takes f, and reports whether it had to wait.
func (l *listener) tell(ctx context.Context, f fact) (stalled bool) {
	select {
	case l.inbox <- f:
		return false
	default:
	}
	select {
	case l.inbox <- f:
	case <-l.gone:
	case <-ctx.Done():
	}
	return true
}
