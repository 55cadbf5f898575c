// Package agent is one gateway: it lets a station's machine and a peer's machine
// decide, and does what they say. All effects of a gateway stand here, in the
// order that keeps its promise: durable first, then shown, then published.
package agent

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Config is what a gateway is; see the profile.
type Config struct {
	Name    string // in the roster
	Version string // of the program
	Dir     string // of the replica, for the journal; empty: in memory
	Station Station
	Machine station.Config
	Peer    peer.Config
	Weighs  Weighing
	// Identities say by what the items of a reader's tags are known, by its name;
	// a reader that is not named: by what it reports.
	Identities map[string]profiles.Identity
}

// Weighing bounds what a weight may be.
type Weighing struct {
	Name       string // of the scale
	Deadline   time.Duration
	EmptyBelow int64 // mg: less is an empty pan
	Capacity   int64 // mg: more is not believed; 0: no bound
}

// Bus carries messages between gateways. It may lose, repeat and reorder them.
type Bus interface {
	// Publish sends now or fails; nothing is queued.
	Publish(ctx context.Context, topic string, retained bool, payload []byte) error
	// Messages is closed when the bus has ended.
	Messages() <-chan mqtt.Message
	// Run connects and reconnects until ctx ends.
	Run(ctx context.Context) error
}

// NamedLight is a light with the name that the journal uses. Its Show returns
// when its context ends: a lamp that hangs holds up neither scans nor the end.
type NamedLight struct {
	Name string
	drivers.Light
}

// ScaleDevice is a scale with its connection.
type ScaleDevice interface {
	drivers.Scale
	drivers.Device
}

// Parts are the world of a gateway, handed in so that a whole plant can run in
// one test.
type Parts struct {
	Genesis ledger.Genesis
	Signer  crypto.Signer // the gateway's key
	Replica *replica.Replica
	// Bus may be nil: the gateway then works alone for ever.
	Bus Bus
	// BusStates tells each change of the connection.
	BusStates <-chan mqtt.State
	// Certificates are those that TLS to brokers rests on; nil: none. Judge is the
	// time at which they are judged.
	Certificates *Certificates
	Judge        func() time.Time
	Readers      []drivers.Reader
	Scale        ScaleDevice // nil: none
	Lights       []NamedLight
	Notes        Notes // nil: no tag is read or written
	Buttons      []Button
	Journal      *journal.Journal
	Now          func() time.Time // with the monotonic clock
	Wall         func() time.Time // the clock that people and servers set; nil: that of Now
	Clock        func() ledger.Clock
	// Services run beside the loops until the gateway ends: an embedded broker.
	Services []func(context.Context) error
	// Events come from readers, scale and buttons that somebody else runs, and
	// outlive a Run; nil: the agent runs them itself.
	Events chan drivers.Event
}

// Agent is one gateway.
type Agent struct {
	cfg   Config
	parts Parts
	key   ledger.KeyID
	start time.Time

	outages *journal.Outages
	limiter *journal.Limiter

	station stationLoop
	sync    syncLoop

	heard   atomic.Pointer[time.Time] // last word of a peer
	broker  atomic.Pointer[string]    // connected to; nil: none
	problem atomic.Pointer[string]    // why nothing can be recorded
	beats   [2]atomic.Int64           // of the two loops, ms since start by the monotonic clock
	commits atomic.Uint64             // attempts to commit so far
	lag     atomic.Int64              // blocks known to exist that are missing here
	opened  chan struct{}             // closed when the start gate opens: this gateway may seal
	ended   chan struct{}             // closed when the gateway is told to end

	mu      sync.Mutex
	devices []DeviceState
	claims  map[ledger.KeyID]claim // by peer: what it says of itself
}

// claim is a peer's last status.
type claim struct {
	height uint64
	online bool
	at     time.Time
}

// New puts a gateway together. Nothing runs yet.
func New(cfg Config, parts Parts) (*Agent, error) {
	if parts.Replica == nil || parts.Journal == nil || parts.Signer == nil || parts.Now == nil || parts.Clock == nil {
		return nil, errors.New("agent: replica, journal, key and clock are needed")
	}
	if cfg.Machine.Scale != (parts.Scale != nil) {
		return nil, fmt.Errorf("agent: the station's machine counts on a scale: %t; there is one: %t", cfg.Machine.Scale, parts.Scale != nil)
	}
	a := &Agent{
		cfg: cfg, parts: parts, key: cfg.Peer.Self, start: parts.Now(),
		outages: parts.Journal.Outages(), limiter: parts.Journal.AtMostOnceAMinute(),
		claims: map[ledger.KeyID]claim{}, opened: make(chan struct{}), ended: make(chan struct{}),
	}
	a.devices = statesOf(parts)
	a.cfg.Machine.Notes = parts.Notes != nil
	a.station = stationLoop{Agent: a, machine: station.New(a.cfg.Machine), inbox: make(chan station.Event, 64), later: make(chan func())}
	a.sync = syncLoop{
		Agent: a, machine: peer.New(cfg.Peer), topics: peer.TopicsOf(cfg.Peer.Network), wake: make(chan struct{}, 1),
		named: map[ledger.KeyID]bool{},
	}
	return a, nil
}

func stateOf(i drivers.Info) DeviceState {
	return DeviceState{Name: i.Name, Port: i.Port, Model: i.Model}
}

// statesOf are the devices that come and go, of which nothing has been heard yet.
func statesOf(parts Parts) []DeviceState {
	var states []DeviceState
	for _, r := range parts.Readers {
		states = append(states, stateOf(r.Info()))
	}
	if parts.Scale != nil {
		states = append(states, stateOf(parts.Scale.Info()))
	}
	for _, b := range parts.Buttons {
		states = append(states, stateOf(b.Info()))
	}
	return states
}

// Run runs the gateway until ctx ends, and returns when all of it has ended: nil
// after an orderly stop, else what it could not go on without. It is called once,
// and again only after reconfigure.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1) // the first failure, which ends the rest
	var all sync.WaitGroup
	run := func(what string, f func(context.Context) error) {
		all.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				select {
				case failed <- fmt.Errorf("%s: %w", what, err):
				default:
				}
				cancel()
			}
		})
	}
	devices := a.parts.Events
	if devices == nil {
		devices = make(chan drivers.Event, maxDeviceEvents)
		for _, r := range a.parts.Readers {
			run("reader "+r.Info().Name, func(ctx context.Context) error { return r.Run(ctx, devices) })
		}
		if a.parts.Scale != nil {
			run("scale", func(ctx context.Context) error { return a.parts.Scale.Run(ctx, devices) })
		}
		for _, b := range a.parts.Buttons {
			run("button "+b.Info().Name, func(ctx context.Context) error { return b.Run(ctx, devices) })
		}
	}
	for _, service := range a.parts.Services {
		run("service", service)
	}
	run("station", func(ctx context.Context) error { return a.station.run(ctx, devices) })
	run("sync", a.sync.run)
	run("watch", a.watch)
	run("end", func(ctx context.Context) error {
		<-ctx.Done()
		close(a.ended)
		return nil
	})
	all.Wait()
	a.limiter.Settle(context.WithoutCancel(ctx))
	a.outages.Settle(context.WithoutCancel(ctx))
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// maxDeviceEvents wait for the station before a device has to.
const maxDeviceEvents = 64

// watch looks after what no event tells: free space, the clock and certificates.
func (a *Agent) watch(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var expiry expiryWatch
	var damage damageWatch
	for wall, seconds := (clockWatch{}), 0; ; seconds++ {
		a.checkStorage(ctx)
		a.checkDamage(ctx, &damage)
		a.checkClock(ctx, &wall)
		if seconds%60 == 0 {
			a.checkCertificates(ctx, &expiry)
		}
		if seconds%60 == 0 {
			a.limiter.Settle(ctx)
			a.outages.Settle(ctx)
		}
		if seconds%3600 == 0 {
			a.checkGrowth(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkStorage tells the station when blocks cannot be made durable, and when
// they can again: before a scan finds out.
func (a *Agent) checkStorage(ctx context.Context) {
	now := ""
	if err := a.parts.Replica.Ready(); err != nil {
		now = err.Error()
	}
	was := ""
	if p := a.problem.Swap(&now); p != nil {
		was = *p
	}
	switch {
	case now != "" && was == "":
		a.outages.Down(ctx, journal.ReplicaFull, "", "nothing can be recorded: "+now, append(a.space(), slog.String(journal.KeyExpected, now))...)
	case now == "" && was != "":
		a.outages.Up(ctx, journal.ReplicaFull, "", "there is free space again: scans are recorded", a.space()...)
	default:
		return
	}
	a.station.post(ctx, station.Stored{Problem: now})
}

// space says where the replica lies and what is left for it.
func (a *Agent) space() []slog.Attr {
	var st replica.Stats
	_ = a.parts.Replica.Read(func(v *replica.View) (err error) { // an outage is told without it as well
		st, err = v.Stats()
		return err
	})
	return []slog.Attr{slog.String(journal.KeyPath, a.cfg.Dir), slog.Int64(journal.KeyFree, st.FreeBytes)}
}

// clockWatch compares the wall clock with the monotonic one.
type clockWatch struct{ last, lastWall time.Time }

// stepLimit is how far the two clocks may part in a second before that is a step
// and not the work of a time server.
const stepLimit = 5 * time.Second

// stepped returns by how much the wall clock was set since the last call.
func (w *clockWatch) stepped(now, wall time.Time) time.Duration {
	defer func() { w.last, w.lastWall = now, wall }()
	if w.last.IsZero() {
		return 0
	}
	by := wall.Round(0).Sub(w.lastWall.Round(0)) - now.Sub(w.last)
	if by.Abs() < stepLimit {
		return 0
	}
	return by
}

func (a *Agent) checkClock(ctx context.Context, wall *clockWatch) {
	now := a.parts.Now()
	shown := now
	if a.parts.Wall != nil {
		shown = a.parts.Wall()
	}
	if by := wall.stepped(now, shown); by != 0 {
		a.parts.Journal.Event(ctx, journal.ClockStepped, "the clock was set by "+by.Round(time.Second).String()+": dwell times and order of work are not touched",
			slog.String(journal.KeyFound, by.Round(time.Second).String()))
	}
	if a.parts.Clock() == ledger.ClockUnsynchronised {
		a.outages.Down(ctx, journal.ClockUnsynchronised, "", "the clock is not synchronised: times are evidence only, work goes on")
	} else {
		a.outages.Up(ctx, journal.ClockUnsynchronised, "", "the clock is synchronised")
	}
}

// daysWarned is how long before the disk is full maintenance is told.
const daysWarned = 14

// checkGrowth foretells a full disk while there is time to act.
func (a *Agent) checkGrowth(ctx context.Context) {
	var st replica.Stats
	err := a.parts.Replica.Read(func(v *replica.View) (err error) {
		st, err = v.Stats()
		return err
	})
	if err != nil || st.DaysLeft < 0 || st.DaysLeft > daysWarned {
		return
	}
	a.limiter.Event(ctx, journal.ReplicaFilling, "", fmt.Sprintf("the disk will be full in %d days at this pace", st.DaysLeft),
		slog.String(journal.KeyPath, a.cfg.Dir), slog.Int64(journal.KeyFree, st.FreeBytes))
}

// age is how long the gateway has been up, in ms. It does not step with the wall
// clock.
func (a *Agent) age() int64 { return a.parts.Now().Sub(a.start).Milliseconds() }

// Alive reports whether both loops have turned within the given time: what a
// watchdog may be told.
func (a *Agent) Alive(within time.Duration) bool {
	oldest := a.age() - within.Milliseconds()
	return a.beats[0].Load() >= oldest && a.beats[1].Load() >= oldest
}

func (a *Agent) isOpen() bool {
	select {
	case <-a.opened:
		return true
	default:
		return false
	}
}

func (a *Agent) deviceIs(name string, up bool, info drivers.Info) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.devices {
		if a.devices[i].Name == name {
			a.devices[i].Up = up
			if info.Model != "" {
				a.devices[i].Model = info.Model
			}
		}
	}
}

// attrs turns the station's fields into the journal's.
func attrs(fields []station.Field) []slog.Attr {
	out := make([]slog.Attr, len(fields))
	for i, f := range fields {
		out[i] = slog.String(f.Key, f.Value)
	}
	return out
}
