package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/scale"
	"traveler.example/drivers/stacklight"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Gateway is an agent with all that a profile gives it, and what has to be
// closed when it has ended.
type Gateway struct {
	*Agent
	closers []io.Closer
}

// Close closes the replica, the control socket and the lights. Call it after Run
// has returned.
func (g *Gateway) Close() error {
	var err error
	for i := len(g.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, g.closers[i].Close())
	}
	return err
}

// Assemble builds a gateway on real parts from its profile. What is not there at
// the moment (a reader, a broker, the network) is no error: it is waited for.
// What cannot be worked without (key, genesis, replica) is.
func Assemble(ctx context.Context, p profiles.Profile, version string, j *journal.Journal) (*Gateway, error) {
	b := &builder{p: p, j: j, g: &Gateway{}}
	err := b.build(ctx, version)
	if err != nil {
		return nil, errors.Join(err, b.g.Close())
	}
	return b.g, nil
}

// ErrSetUp says that key, genesis or roster of the board must be mended before
// another start makes sense.
var ErrSetUp = errors.New("the gateway's files must be mended")

type builder struct {
	p     profiles.Profile
	j     *journal.Journal
	g     *Gateway
	cfg   Config
	parts Parts
	key   ledger.KeyID
}

func (b *builder) build(ctx context.Context, version string) error {
	b.parts.Journal, b.parts.Now, b.parts.Clock = b.j, time.Now, SystemClock
	if err := b.identity(ctx); err != nil {
		return err
	}
	if err := b.replica(ctx); err != nil {
		return err
	}
	b.configure(version)
	if err := b.devices(); err != nil {
		return err
	}
	if err := b.bus(ctx); err != nil {
		return err
	}
	a, err := New(b.cfg, b.parts)
	if err != nil {
		return err
	}
	b.g.Agent = a
	return b.control(ctx)
}

// identity reads genesis and key.
func (b *builder) identity(ctx context.Context) error {
	g, err := LoadGenesis(b.p.GenesisFile)
	if err != nil {
		b.j.Event(ctx, journal.GenesisRefused, "the genesis file cannot be used: "+err.Error(),
			slog.String(journal.KeyPath, b.p.GenesisFile), slog.Any(journal.KeyError, err))
		return fmt.Errorf("%w: %w", ErrSetUp, err)
	}
	key, err := LoadKey(b.p.KeyFile)
	if err != nil {
		b.j.Event(ctx, journal.KeyRefused, "the key file cannot be used: "+err.Error(),
			slog.String(journal.KeyPath, b.p.KeyFile), slog.Any(journal.KeyError, err))
		return fmt.Errorf("%w: %w", ErrSetUp, err)
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return err
	}
	b.parts.Genesis, b.parts.Signer, b.key = g, key, pub.ID()
	return nil
}

// replica opens the store and hands it the roster statements that came with the
// board.
func (b *builder) replica(ctx context.Context) error {
	if b.p.Ledger.UnsafeNoSync {
		b.j.Event(ctx, journal.ReplicaUnsynced, "the replica runs without flushing to the disk: a power cut loses what was shown as done",
			slog.String(journal.KeyPath, b.p.DataDir))
	}
	if err := os.MkdirAll(b.p.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the replica's directory: %w", err)
	}
	r, err := replica.Open(b.p.DataDir, replica.Options{
		Genesis: b.parts.Genesis, Signer: b.parts.Signer, Log: b.j.Logger(),
		UnsafeNoSync: b.p.Ledger.UnsafeNoSync, Reserve: int64(b.p.Ledger.FreeSpaceReserve),
		Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), SystemClock() },
	})
	if err != nil {
		id := journal.ReplicaDamaged
		switch {
		case errors.Is(err, replica.ErrLocked):
			id = journal.ReplicaBusy
		case errors.Is(err, replica.ErrFull):
			id = journal.ReplicaFull
		}
		b.j.Event(ctx, id, "the replica cannot be opened: "+err.Error(), slog.String(journal.KeyPath, b.p.DataDir), slog.Any(journal.KeyError, err))
		return err
	}
	b.parts.Replica = r
	b.g.closers = append(b.g.closers, r)
	return b.roster(ctx)
}

func (b *builder) roster(ctx context.Context) error {
	statements, err := LoadStatements(b.parts.Genesis.Network(), b.p.Roster...)
	if err != nil {
		b.j.Event(ctx, journal.RosterRefused, "a roster file cannot be used: "+err.Error(), slog.String(journal.KeyReason, err.Error()))
		return fmt.Errorf("%w: %w", ErrSetUp, err)
	}
	// In the order in which they build on each other, whatever their names.
	register := ledger.NewRegister(b.parts.Genesis)
	if err := AddStatements(register, statements); err != nil {
		b.j.Event(ctx, journal.RosterRefused, "a roster statement does not count: "+err.Error(), slog.String(journal.KeyReason, err.Error()))
	}
	var objects []replica.Object
	for _, s := range register.Statements() {
		objects = append(objects, s)
	}
	if len(objects) == 0 {
		return nil
	}
	if _, err := b.parts.Replica.Ingest(ctx, objects...); err != nil && !errors.Is(err, replica.ErrFull) {
		return err
	}
	return nil
}

var (
	stationModes = map[profiles.Mode]ledger.Mode{
		profiles.ModeIntake: ledger.ModeIntake, profiles.ModeInOut: ledger.ModeInOut, profiles.ModePortal: ledger.ModePortal,
	}
	readerGates = map[profiles.Role]ledger.Gate{
		profiles.RoleBoth: ledger.GateBoth, profiles.RoleIn: ledger.GateIn, profiles.RoleOut: ledger.GateOut,
	}
)

// configure turns the profile into what the machines need.
func (b *builder) configure(version string) {
	p := b.p
	b.cfg = Config{
		Name: p.Gateway, Version: version, Dir: p.DataDir,
		Station: Station{ID: p.Work.Station, Mode: stationModes[p.Work.Mode], MinDwell: p.Work.MinimumDwell},
		Machine: station.Config{
			Gates: map[string]ledger.Gate{}, Badges: map[string]station.Badge{}, TaskText: map[string]string{}, Scale: p.Scale != nil,
		},
		Peer: peer.Config{Network: b.parts.Genesis.Network(), Self: b.key, Rand: rand.Int64N},
	}
	if p.Offline.UnknownTag == profiles.UnknownTagWait {
		b.cfg.Station.SilentAfter = p.Offline.After
	}
	for _, r := range p.Readers {
		b.cfg.Machine.Gates[r.Name] = readerGates[r.Role]
	}
	for _, t := range p.Tasks {
		b.cfg.Machine.TaskText[t.Name] = t.Text
	}
	for tag, name := range p.Badges {
		b.cfg.Machine.Badges[tag] = station.Badge{Name: name}
	}
	for _, r := range append(slices.Clip(p.Intake.Rules), profiles.IntakeRule{IntakeValues: p.Intake.IntakeValues}) {
		b.cfg.Station.Intake = append(b.cfg.Station.Intake, IntakeRule{
			TagPrefix: r.TagPrefix, Order: orElse(r.Order, p.Intake.Order), Product: orElse(r.Product, p.Intake.Product),
			Lot: orElse(r.Lot, p.Intake.Lot), LabelPrefix: orElse(r.LabelPrefix, p.Intake.LabelPrefix),
		})
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (b *builder) devices() error {
	for _, r := range b.p.Readers {
		reader, err := pn532.New(pn532.Config{
			Name: r.Name, Port: r.Port, Open: drivers.Serial{Path: r.Port, Baud: r.Baud}.Open,
			Presence: drivers.PresenceConfig{Misses: r.Misses, Absence: r.Hold},
		})
		if err != nil {
			return err
		}
		b.parts.Readers = append(b.parts.Readers, reader)
	}
	if s := b.p.Scale; s != nil {
		b.cfg.Weighs = Weighing{Name: "scale", Deadline: s.Deadline, EmptyBelow: int64(s.EmptyBelow), Capacity: int64(s.Capacity)}
		device, err := scale.New(scale.Config{
			Name: b.cfg.Weighs.Name, Port: s.Port, Open: drivers.Serial{Path: s.Port, Baud: s.Baud}.Open, Patience: s.Deadline,
		})
		if err != nil {
			return err
		}
		b.parts.Scale = device
	}
	for _, l := range b.p.Lights {
		light, err := b.light(l)
		if err != nil {
			return fmt.Errorf("light %s: %w", l.Name, err)
		}
		b.parts.Lights = append(b.parts.Lights, NamedLight{Name: l.Name, Light: light})
	}
	return nil
}

func (b *builder) light(l profiles.Light) (drivers.Light, error) {
	switch {
	case l.Kind == profiles.LightGPIO:
		g, err := stacklight.OpenGPIO(stacklight.PinNames{Red: l.Red, Amber: l.Amber, Green: l.Green, ActiveLow: l.ActiveLow})
		if err != nil {
			return nil, err
		}
		b.g.closers = append(b.g.closers, g)
		return g, nil
	case l.Path != "":
		return stacklight.OpenLines(l.Path, time.Now)
	default:
		return stacklight.NewLines(os.NewFile(uintptr(l.Descriptor), l.Name), time.Now), nil
	}
}

// bus connects to the brokers of the profile, and serves one if it says so.
func (b *builder) bus(ctx context.Context) error {
	if len(b.p.Broker.URLs) == 0 {
		return nil
	}
	if b.p.Broker.Listen != "" {
		b.parts.Services = append(b.parts.Services, b.serveBroker)
	}
	topics := peer.TopicsOf(b.parts.Genesis.Network())
	states := make(chan mqtt.State, 64)
	bus, err := mqtt.New(mqtt.Config{
		Brokers: b.p.Broker.URLs, ClientID: b.p.Broker.ClientID, Filters: topics.Filters(b.key), Log: b.j.Logger(),
		Will: &mqtt.Message{Topic: topics.Status(b.key), Payload: peer.Status{Offline: 1}.Encode(), Retained: true},
		OnState: func(s mqtt.State) {
			select {
			case states <- s:
			default: // 64 changes unread: the loop has ended
			}
		},
	})
	if err != nil {
		return err
	}
	b.parts.Bus, b.parts.BusStates = bus, states
	return nil
}

// serveBroker runs the embedded broker, and tries again while its port is taken.
func (b *builder) serveBroker(ctx context.Context) error {
	outages := b.j.Outages()
	address := b.p.Broker.Listen
	for ctx.Err() == nil {
		l, err := mqtt.Listen(ctx, address)
		if err == nil {
			b.listening(ctx, outages, l)
			err = mqtt.RunBroker(ctx, l, mqtt.BrokerConfig{Log: b.j.Logger()})
		}
		if err != nil && ctx.Err() == nil {
			outages.Down(ctx, journal.BrokerFailed, "", "this gateway cannot serve the broker: "+err.Error(),
				slog.String(journal.KeyBroker, address), slog.Any(journal.KeyError, err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

func (b *builder) listening(ctx context.Context, outages *journal.Outages, l net.Listener) {
	at := slog.String(journal.KeyBroker, l.Addr().String())
	if !outages.Up(ctx, journal.BrokerFailed, "", "this gateway serves the broker on "+l.Addr().String(), at) {
		b.j.Event(ctx, journal.BrokerListening, "this gateway serves the broker on "+l.Addr().String(), at)
	}
}

func (b *builder) control(ctx context.Context) error {
	if b.p.ControlSocket == "" {
		return nil
	}
	l, err := ListenControl(b.p.ControlSocket)
	if err != nil {
		return err
	}
	b.g.closers = append(b.g.closers, closing{l})
	b.g.parts.Services = append(b.g.parts.Services, func(ctx context.Context) error { return b.g.ServeControl(ctx, l) })
	return nil
}

// closing is a listener that whoever served it may have closed already.
type closing struct{ net.Listener }

func (c closing) Close() error {
	if err := c.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Words sums a gateway up in one line, for STATUS= and a terminal.
func (s Status) Words() string {
	var parts []string
	if s.Problem != "" {
		parts = append(parts, "FAULT: "+s.Problem)
	}
	parts = append(parts, fmt.Sprintf("station %s, %d items", s.Station, s.Items))
	for _, r := range s.Readers {
		if !r.Up {
			parts = append(parts, "reader "+r.Name+" DOWN")
		}
	}
	if s.Broker == "" {
		parts = append(parts, "no broker")
	} else {
		parts = append(parts, "broker "+s.Broker)
	}
	parts = append(parts, fmt.Sprintf("lag %d, confirmed %d of %d blocks", s.Lag, s.Confirmed, s.Blocks))
	return strings.Join(parts, "; ")
}
