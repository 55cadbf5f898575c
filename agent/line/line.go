package line

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"traveler.example/agent"
	"traveler.example/drivers/emulate"
	"traveler.example/ledger"
)

// Config says how a line is built.
type Config struct {
	// Dir holds the network and one directory for each gateway, below gateways/.
	// It must be empty or not exist yet.
	Dir string
	// Daemon is the path of travelerd; see FindDaemon.
	Daemon string
	// Wrap, if any, returns the command under which a gateway's daemon runs, such
	// as a tracer; the daemon and its arguments follow.
	Wrap func(gateway string) []string
	// Broker is the host:port of a broker that runs already. Empty: intake's gateway
	// hosts one.
	Broker string
	// Gateways are the names of those that are built, of Places; nil: all of them.
	Gateways []string
	// Readers are the devices of the stations' readers, of ReaderKinds, in turn; nil:
	// all are a PN532. Every piece has a tag for each.
	Readers []string
	// UnsafeNoSync lets the gateways show lights before the disk has flushed. For
	// tests that prove that the flush is needed.
	UnsafeNoSync bool
	// OnLight is called for every light, by one goroutine of each station; nil:
	// nobody is called. It must return quickly.
	OnLight func(Light)
}

// Line is a line of gateways. Its methods may be called from any goroutine.
type Line struct {
	cfg      Config
	network  *agent.Network
	broker   string // host:port of the broker itself
	stations []*Station
	log      *peoplesLog
	tags     *emulate.Tags // of all things, with what is stored on them
}

// The people of the line; their keys lie in the network's people.
const (
	Planner  = "planner"
	Quality  = "quality"
	Operator = "operator"
)

// Badge is the tag of the operator's badge, known at every station.
const Badge = "04BADE0C0FFEE1"

// FindDaemon returns the path of travelerd: beside the program that runs, or
// found in PATH.
func FindDaemon() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "travelerd")
		if info, err := os.Stat(beside); err == nil && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	path, err := exec.LookPath("travelerd")
	if err != nil {
		return "", fmt.Errorf("travelerd is neither beside this program nor in PATH: %w", err)
	}
	return filepath.Abs(path)
}

// New founds a network in cfg.Dir with the gateways, all of them witnesses, and its
// people, and plugs in the devices. Nothing runs yet. Close it after use.
func New(cfg Config) (_ *Line, err error) {
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("directory of the line: %w", err)
	}
	if err := mustBeEmpty(cfg.Dir); err != nil {
		return nil, err
	}
	l := &Line{cfg: cfg, log: &peoplesLog{watch: cfg.OnLight}, tags: emulate.NewTags()}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.broker = cfg.Broker; l.broker == "" {
		if l.broker, err = freePort(); err != nil {
			return nil, fmt.Errorf("finding a port for the broker: %w", err)
		}
	}
	signers, err := l.found()
	if err != nil {
		return nil, err
	}
	for _, p := range cfg.places() {
		if err := l.build(p, signers); err != nil {
			return nil, fmt.Errorf("gateway %s: %w", p.Gateway, err)
		}
	}
	return l, nil
}

// places are those whose gateways are built.
func (c Config) places() []Place {
	places := Places()
	if c.Gateways != nil {
		places = slices.DeleteFunc(places, func(p Place) bool { return !slices.Contains(c.Gateways, p.Gateway) })
	}
	for i := range places {
		places[i].Broker = places[i].Broker && c.Broker == ""
	}
	return places
}

func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("directory of the line: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("directory of the line: %s is not empty: %w", dir, os.ErrExist)
	}
	return nil
}

// freePort returns an address of loopback that is free now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// found founds the network and lets its people in.
func (l *Line) found() ([]crypto.Signer, error) {
	now := time.Now().UnixMilli()
	n, err := agent.Found(l.cfg.Dir, agent.Founding{Name: "demo", Admins: []string{"admin"}, Time: now})
	if err != nil {
		return nil, err
	}
	l.network = n
	signers, err := n.Signers()
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name string
		role ledger.Role
	}{{Planner, ledger.RolePlanner}, {Quality, ledger.RoleQuality}, {Operator, ledger.RoleOperator}} {
		if _, err := n.AddPerson(now, p.name, p.role, agent.KeyForm{}, signers...); err != nil {
			return nil, fmt.Errorf("letting %s in: %w", p.name, err)
		}
	}
	return signers, nil
}

// build lets a gateway in and plugs in its devices.
func (l *Line) build(p Place, signers []crypto.Signer) error {
	dir := l.network.Board(p.Gateway)
	s := &Station{Place: p, dir: dir, log: l.log, watchers: map[*watcher]bool{}, kind: l.cfg.readerAt(p.Gateway)}
	var err error
	if s.field, err = newField(s.kind, l.tags); err != nil {
		return err
	}
	if s.cable, err = newCable(l.broker); err != nil {
		return fmt.Errorf("network cable: %w", err)
	}
	l.stations = append(l.stations, s)
	profile := profileOf(p, s.kind, l.broker, s.cable.address(), l.cfg.UnsafeNoSync)
	if _, err := l.network.AddGateway(time.Now().UnixMilli(), profile, true, agent.KeyForm{}, signers...); err != nil {
		return err
	}
	if s.reader, err = emulate.Plug(filepath.Join(dir, readerName), s.field); err != nil {
		return err
	}
	s.field.Observe(s.hostDid)
	if p.Scale {
		s.pan = emulate.NewScale()
		if s.scale, err = emulate.Plug(filepath.Join(dir, scaleName), s.pan); err != nil {
			return err
		}
	}
	s.process = process{
		argv: []string{l.cfg.Daemon, "--profile", filepath.Join(dir, agent.ProfileName)}, dir: dir,
		journal: filepath.Join(dir, "journal.log"), light: s.watchLight,
		lost: func(reason string) { l.log.trouble(p.Gateway, "%s", reason) },
	}
	if l.cfg.Wrap != nil {
		s.process.argv = append(l.cfg.Wrap(p.Gateway), s.process.argv...)
	}
	return nil
}

// Dir is the directory of the line's network.
func (l *Line) Dir() string { return l.cfg.Dir }

// Network is the line's network as its administrator has it.
func (l *Line) Network() *agent.Network { return l.network }

// Stations returns the stations in the order of the line.
func (l *Line) Stations() []*Station { return l.stations }

// Station returns the station that a gateway serves; nil: there is none.
func (l *Line) Station(gateway string) *Station {
	for _, s := range l.stations {
		if s.Gateway == gateway {
			return s
		}
	}
	return nil
}

// Desk asks the running gateway of that name; close it after use.
func (l *Line) Desk(gateway string) (agent.Desk, error) {
	s := l.Station(gateway)
	if s == nil {
		return nil, fmt.Errorf("gateway %q: %w", gateway, agent.ErrNotFound)
	}
	return s.Desk()
}

// Lights returns the people's log: every light that was seen, in order.
func (l *Line) Lights() []Light { return l.log.seen() }

// Troubles returns what must not happen: lights that cannot be read, gateways
// that ended by themselves.
func (l *Line) Troubles() []string { return l.log.troubled() }

// LightsName is the file of the line's directory that has the people's log.
const LightsName = "lights.log"

// Start starts every gateway and returns when all of them may seal.
func (l *Line) Start(ctx context.Context) error {
	for _, s := range l.stations {
		if err := s.Start(); err != nil {
			return err
		}
	}
	for _, s := range l.stations {
		if err := s.Await(ctx, startLimit, func(st agent.Status) bool { return st.Open }); err != nil {
			return fmt.Errorf("gateway %s does not start: %w (its journal: %s)", s.Gateway, err, s.Journal())
		}
	}
	return nil
}

const (
	startLimit = 60 * time.Second
	askPause   = 100 * time.Millisecond
	askLimit   = 10 * time.Second
)

// Status asks the gateway how it is.
func (s *Station) Status(ctx context.Context) (agent.Status, error) {
	var st agent.Status
	err := s.ask(ctx, func(ctx context.Context, d agent.Desk) (err error) {
		st, err = d.Status(ctx)
		return err
	})
	return st, err
}

// ask has f ask the gateway's desk, within a bounded time.
func (s *Station) ask(ctx context.Context, f func(context.Context, agent.Desk) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	d, err := s.Desk()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return f(ctx, d)
}

// Await returns when the gateway answers and its status is as wanted.
func (s *Station) Await(ctx context.Context, within time.Duration, wanted func(agent.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		st, err := s.Status(ctx)
		if err == nil && wanted(st) {
			return nil
		}
		if err := sleep(ctx, askPause); err != nil {
			return err
		}
	}
}

// Stop ends all gateways in order, at the same time. The error names those that
// did not.
func (l *Line) Stop() error {
	errs := make([]error, len(l.stations))
	var all sync.WaitGroup
	for i, s := range l.stations {
		all.Go(func() { errs[i] = s.Stop() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close stops what still runs and takes the devices away. The directories stay.
func (l *Line) Close() error {
	err := l.Stop()
	for _, s := range l.stations {
		for _, device := range []*emulate.Socket{s.reader, s.scale} {
			if device != nil {
				err = errors.Join(err, device.Close())
			}
		}
		s.cable.close()
	}
	return err
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
