package line

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"traveler.example/agent"
	"traveler.example/drivers/emulate"
)

// Station is one station of the line: the gateway that serves it, its devices,
// its light and its network cable. One person at a time presents tags; all else
// may be called by anybody.
type Station struct {
	Place

	dir     string
	process process
	reader  *emulate.Socket
	kind    string // of its reader
	field   field
	scale   *emulate.Socket // nil: none
	pan     *emulate.Scale
	cable   *cable
	log     *peoplesLog

	mu        sync.Mutex
	presented *Presentation // nil: nothing lies on the reader
	watchers  map[*watcher]bool
}

// Dir is the gateway's directory, as travelerd and traveler --dir take it.
func (s *Station) Dir() string { return s.dir }

// Socket is the path of the gateway's control socket.
func (s *Station) Socket() string { return filepath.Join(s.dir, agent.SocketName) }

// Journal is the path of the file that has the gateway's journal.
func (s *Station) Journal() string { return s.process.journal }

// Desk asks the running gateway; close it after use.
func (s *Station) Desk() (agent.Desk, error) { return agent.Dial(s.Socket()) }

// Start starts the gateway; it is started again whenever it dies, until Stop.
func (s *Station) Start() error {
	if err := s.process.start(); err != nil {
		return fmt.Errorf("gateway %s: %w", s.Gateway, err)
	}
	return nil
}

// Stop ends the gateway in order, within five seconds. Its devices stay.
func (s *Station) Stop() error {
	if err := s.process.end(); err != nil {
		return fmt.Errorf("gateway %s: %w", s.Gateway, err)
	}
	return nil
}

// Kill ends the gateway as a power cut would. It is started again after a moment.
func (s *Station) Kill() error {
	if err := s.process.kill(); err != nil {
		return fmt.Errorf("killing gateway %s: %w", s.Gateway, err)
	}
	return nil
}

// PID is the gateway's process; 0: it does not run.
func (s *Station) PID() int { return s.process.pid() }

// CutBroker pulls the cable between the gateway and its broker until
// RestoreBroker.
func (s *Station) CutBroker() { s.cable.pull() }

// RestoreBroker plugs the cable in again.
func (s *Station) RestoreBroker() { s.cable.plug() }

// UnplugReader takes the reader off its port until ReplugReader.
func (s *Station) UnplugReader() error { return s.reader.Unplug() }

// ReplugReader plugs the reader in again; what lies on it still lies there.
func (s *Station) ReplugReader() error { return s.reader.Replug() }

// Load puts grams on the station's scale, as its display shows them, such as
// "1250.00".
func (s *Station) Load(grams string) error {
	if s.pan == nil {
		return fmt.Errorf("station %s has no scale", s.Station)
	}
	return s.pan.Weigh(grams, "g", true)
}

// Scan presents a tag, waits for the light's answer and takes the tag away. The
// error is ErrNoLight if nothing is shown within a few seconds.
func (s *Station) Scan(ctx context.Context, tag string) (Light, error) {
	p, err := s.Present(tag)
	if err != nil {
		return Light{}, err
	}
	defer p.Lift(ctx)
	return p.Next(ctx, patience)
}

// ErrNoLight: the light said nothing about a tag that was presented.
var ErrNoLight = errors.New("the light says nothing")

const (
	// patience is how long a person waits for a light before scanning again.
	patience = 3 * time.Second
	// darkness is how long a person waits for the light to go out.
	darkness = 1500 * time.Millisecond
)

// Presentation is a tag that lies on a reader.
type Presentation struct {
	station *Station
	tag     string
	watcher *watcher

	// guarded by station.mu
	read     time.Time // when the host had read the tag's last byte for the first time
	answered bool
	delay    time.Duration // from read to the first light; 0: not measured
}

// Present puts a tag on the reader: its identifier in hex, as the station's reader
// tells it.
func (s *Station) Present(tag string) (*Presentation, error) {
	p := &Presentation{station: s, tag: strings.ToUpper(tag), watcher: newWatcher()}
	s.mu.Lock()
	if s.presented != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("station %s: tag %s still lies on the reader", s.Station, s.presented.tag)
	}
	s.presented = p
	s.watchers[p.watcher] = true
	s.mu.Unlock()
	if err := s.field.present(p.tag); err != nil {
		s.forget(p)
		return nil, fmt.Errorf("station %s: %w", s.Station, err)
	}
	return p, nil
}

func (s *Station) forget(p *Presentation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, p.watcher)
	s.presented = nil
}

// Next returns the next light that answers the presentation, or says that the
// station is out of order. The error is ErrNoLight after the time given.
func (p *Presentation) Next(ctx context.Context, within time.Duration) (Light, error) {
	return p.watcher.wait(ctx, within, func(l Light) bool {
		switch l.Word {
		case "", ReaderBack, Ready:
			return false
		case ScanNow:
			return l.Tag == p.tag && l.says("lift it")
		case OnShift, OffShift, BadgeRefused, ReaderDown:
			return true
		}
		return l.Tag == p.tag && !l.Notice() || l.Tag == "" && l.Word == Fault
	})
}

// Delay is the time from the last byte that the host read of the tag to the
// light; ok is false if either was not seen.
func (p *Presentation) Delay() (d time.Duration, ok bool) {
	p.station.mu.Lock()
	defer p.station.mu.Unlock()
	return p.delay, p.delay > 0
}

// Lift takes the tag away and waits for the light to go out, but not for ever.
func (p *Presentation) Lift(ctx context.Context) {
	s := p.station
	p.watcher.drain()
	if err := s.field.remove(p.tag); err == nil {
		_, _ = p.watcher.wait(ctx, darkness, func(l Light) bool { return l.Word == "" || l.Word == ReaderDown || l.Word == Fault })
	}
	s.forget(p)
}

// hostDid hears what the gateway does to its reader.
func (s *Station) hostDid(a emulate.Act) {
	if a.Verb != emulate.DidRead {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.presented; p != nil && p.tag == a.Tag && p.read.IsZero() {
		p.read = now
	}
}

// watchLight reads the light of one run of the gateway.
func (s *Station) watchLight(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 64<<10)
	for lines.Scan() {
		now := time.Now()
		l, err := ParseLight(lines.Text())
		if err != nil {
			s.log.trouble(s.Gateway, "%v", err)
			continue
		}
		l.Gateway, l.At = s.Gateway, now
		s.seen(l)
	}
	_, _ = io.Copy(io.Discard, r) // a line too long for a light must not block the gateway
}

func (s *Station) seen(l Light) {
	s.log.add(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.presented; p != nil && !p.answered && l.Tag == p.tag && l.Word != ScanNow && !l.Notice() {
		p.answered = true
		if !p.read.IsZero() {
			p.delay = l.At.Sub(p.read)
		}
	}
	for w := range s.watchers {
		w.put(l)
	}
}

// watch collects the lights of the station from now on, until stop.
func (s *Station) watch() (w *watcher, stop func()) {
	w = newWatcher()
	s.mu.Lock()
	s.watchers[w] = true
	s.mu.Unlock()
	return w, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
	}
}

// watcher holds the lights that somebody has not looked at yet.
type watcher struct {
	mu     sync.Mutex
	lights []Light
	more   chan struct{}
}

func newWatcher() *watcher { return &watcher{more: make(chan struct{}, 1)} }

func (w *watcher) put(l Light) {
	w.mu.Lock()
	w.lights = append(w.lights, l)
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watcher) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lights = nil
}

// wait returns the first light that is wanted and passes over the others.
func (w *watcher) wait(ctx context.Context, within time.Duration, want func(Light) bool) (Light, error) {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		w.mu.Lock()
		for len(w.lights) > 0 {
			l := w.lights[0]
			w.lights = w.lights[1:]
			if want(l) {
				w.mu.Unlock()
				return l, nil
			}
		}
		w.mu.Unlock()
		select {
		case <-w.more:
		case <-timeout.C:
			return Light{}, ErrNoLight
		case <-ctx.Done():
			return Light{}, ctx.Err()
		}
	}
}
