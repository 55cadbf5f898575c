package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Assemble builds a gateway on real parts from its profile. What is not there at
// the moment (a reader, a broker, the network) is no error: it is waited for.
// What cannot be worked without (key, genesis, replica) is.
func Assemble(ctx context.Context, p profiles.Profile, keys KeySource, hw Hardware, version string, j *journal.Journal) (*Gateway, error) {
	b := &builder{p: p, keys: keys, j: j, hardware: hw, version: version, g: newGateway()}
	err := b.build(ctx)
	if err != nil {
		return nil, errors.Join(err, b.g.Close())
	}
	return b.g, nil
}

// ErrSetUp says that key, genesis or roster of the board must be mended before
// another start makes sense.
var ErrSetUp = errors.New("the gateway's files must be mended")

// builder puts a gateway together, or the parts of one that a reload changes.
type builder struct {
	p        profiles.Profile
	keys     KeySource
	j        *journal.Journal
	hardware Hardware
	version  string
	g        *Gateway
	cfg      Config
	parts    Parts
	key      ledger.KeyID
	made     fittings // for the profile: those of the gateway that stay, and new ones
}

func (b *builder) build(ctx context.Context) error {
	b.parts.Journal, b.parts.Now, b.parts.Clock = b.j, time.Now, SystemClock
	if err := b.identity(ctx); err != nil {
		return err
	}
	if err := b.replica(ctx); err != nil {
		return err
	}
	if err := b.fit(ctx); err != nil {
		return err
	}
	a, err := New(b.cfg, b.parts)
	if err != nil {
		return err
	}
	b.g.Agent, b.g.profile, b.g.version, b.g.hardware, b.g.fittings = a, b.p, b.version, b.hardware, b.made
	return b.control()
}

// fit makes what a reload may change, and nothing that is in the way of what runs
// already.
func (b *builder) fit(ctx context.Context) error {
	b.configure()
	b.parts.Events = b.g.events
	err := b.devices()
	b.parts.Notes = notesOf(b.p.Readers, b.parts.Readers)
	if err == nil {
		err = b.bus(ctx)
	}
	if err != nil {
		return errors.Join(err, b.made.without(b.g.fittings).close())
	}
	return nil
}

// identity reads genesis and key.
func (b *builder) identity(ctx context.Context) error {
	g, err := LoadGenesis(b.p.GenesisFile)
	if err != nil {
		b.j.Event(ctx, journal.GenesisRefused, "the genesis file cannot be used: "+err.Error(),
			slog.String(journal.KeyPath, b.p.GenesisFile), slog.Any(journal.KeyError, err))
		return fmt.Errorf("%w: %w", ErrSetUp, err)
	}
	b.parts.Genesis = g
	if err := b.ownKey(ctx); err != nil {
		return err
	}
	file, key, err := b.keys.load(b.p.KeyFile)
	if err != nil {
		b.j.Event(ctx, journal.KeyRefused, "the key file cannot be used: "+err.Error(),
			slog.String(journal.KeyPath, file), slog.Any(journal.KeyError, err))
		return fmt.Errorf("%w: %w", ErrSetUp, err)
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return err
	}
	b.parts.Signer, b.key = key, pub.ID()
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
	r, err := b.openReplica(ctx)
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
	if err := b.roster(ctx); err != nil {
		return err
	}
	return b.redeem(ctx)
}

// How long a start waits for space on a full disk, and how often it looks. A
// start that takes longer than the unit allows is begun again.
const (
	spaceLook = time.Second
	spaceWait = 4 * time.Minute
)

// openReplica opens the replica. On a full disk it waits: to end and be started
// again would change nothing, and the store must not be opened there.
func (b *builder) openReplica(ctx context.Context) (*replica.Replica, error) {
	outages := b.j.Outages()
	where := slog.String(journal.KeyPath, b.p.DataDir)
	for begun := time.Now(); ; {
		r, err := replica.Open(b.p.DataDir, replica.Options{
			Genesis: b.parts.Genesis, Signer: b.parts.Signer, Log: b.j.Logger(),
			UnsafeNoSync: b.p.Ledger.UnsafeNoSync, Reserve: int64(b.p.Ledger.FreeSpaceReserve),
			Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), SystemClock() },
		})
		if !errors.Is(err, replica.ErrFull) || time.Since(begun) > spaceWait {
			if err == nil {
				outages.Up(ctx, journal.ReplicaFull, "", "there is space again: the replica is open", where)
			}
			return r, err
		}
		outages.Down(ctx, journal.ReplicaFull, "", "the replica cannot be opened: "+err.Error()+"; waiting for it", where,
			slog.String(journal.KeyExpected, err.Error()))
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(spaceLook):
		}
	}
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
func (b *builder) configure() {
	p := b.p
	b.cfg = Config{
		Name: p.Gateway, Version: b.version, Dir: p.DataDir,
		Station: Station{ID: p.Work.Station, Mode: stationModes[p.Work.Mode], MinDwell: p.Work.MinimumDwell},
		Machine: station.Config{
			Gates: map[string]ledger.Gate{}, Badges: map[string]station.Badge{}, TaskText: map[string]string{}, Scale: p.Scale != nil,
		},
		Identities: map[string]profiles.Identity{},
		Peer:       peer.Config{Network: b.parts.Genesis.Network(), Self: b.key, Rand: rand.Int64N},
	}
	if p.Offline.UnknownTag == profiles.UnknownTagWait {
		b.cfg.Station.SilentAfter = p.Offline.After
	}
	for _, r := range p.Readers {
		b.cfg.Machine.Gates[r.Name] = readerGates[r.Role]
		if r.Identity != profiles.IdentityUID {
			b.cfg.Identities[r.Name] = r.Identity
		}
	}
	for _, t := range p.Tasks {
		b.cfg.Machine.TaskText[t.Name] = t.Text
	}
	for _, action := range p.Actions() {
		b.cfg.Machine.Acts = append(b.cfg.Machine.Acts, actOf(action))
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

// Words sums a gateway up in one line, for STATUS= and a terminal.
func (s Status) Words() string {
	var parts []string
	if s.Problem != "" {
		parts = append(parts, "FAULT: "+s.Problem)
	}
	if s.Help != nil {
		parts = append(parts, strings.TrimSuffix("HELP CALLED by "+strings.Join(s.Help.Who, ", "), " by "))
	}
	parts = append(parts, fmt.Sprintf("station %s, %d items", s.Station, s.Items))
	for _, r := range s.Readers {
		if !r.Up {
			parts = append(parts, "reader "+r.Name+" DOWN")
		}
	}
	for _, b := range s.Buttons {
		if !b.Up {
			parts = append(parts, "button "+b.Name+" DOWN")
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
