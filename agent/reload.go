package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	profiles "traveler.example/firmware-profiles"
)

// reload is another profile with the parts that are made for it.
type reload struct {
	profile profiles.Profile
	made    *builder
	done    chan struct{} // closed when it is in force
}

// Reload puts another profile of the gateway, read from file, in force while it
// runs. Replica, key and control socket stay, and so do the readers, the scale,
// the lights, the buttons and the embedded broker whose sections have not changed: what is
// scanned meanwhile is decided. The bus connects anew. New roster statements in
// the profile's files are taken.
//
// If the profile cannot be used nothing changes and the error says why. What only
// a restart can change stays as it was. The journal is told of either.
func (g *Gateway) Reload(ctx context.Context, file string, p profiles.Profile) error {
	waiting := keep(&p, g.profile)
	r, err := g.prepare(ctx, p)
	if err == nil {
		select {
		case g.reloads <- r:
		case <-g.over:
			err = errors.Join(errors.New("the gateway is ending"), r.made.made.without(g.fittings).close())
		}
	}
	if err == nil {
		select {
		case <-r.done:
		case <-g.over:
			err = errors.New("the gateway is ending")
		}
	}
	path, j := slog.String(journal.KeyPath, file), g.parts.Journal
	if err != nil {
		j.Event(ctx, journal.ProfileRefused, "the profile cannot be used, the one before stays in force: "+err.Error(), path, slog.Any(journal.KeyError, err))
		return fmt.Errorf("reloading %s: %w", file, err)
	}
	j.Event(ctx, journal.ProfileReloaded, "the profile "+file+" is in force", path)
	if len(waiting) > 0 {
		keys := strings.Join(waiting, ", ")
		j.Event(ctx, journal.ProfileRestartNeeded, "not in force before a restart: "+keys+"; remedy: systemctl restart travelerd",
			path, slog.String(journal.KeyReason, keys))
	}
	return nil
}

// keep gives p the values of old that only a restart can change, and returns the
// keys in which they differ.
func keep(p *profiles.Profile, old profiles.Profile) (keys []string) {
	for _, v := range []struct {
		key      string
		now, old *string
	}{
		{"gateway", &p.Gateway, &old.Gateway},
		{"data_dir", &p.DataDir, &old.DataDir},
		{"key_file", &p.KeyFile, &old.KeyFile},
		{"ticket_file", &p.TicketFile, &old.TicketFile},
		{"genesis_file", &p.GenesisFile, &old.GenesisFile},
		{"control_socket", &p.ControlSocket, &old.ControlSocket},
	} {
		if *v.now != *v.old {
			keys = append(keys, v.key)
			*v.now = *v.old
		}
	}
	if p.Ledger != old.Ledger {
		keys = append(keys, "ledger")
		p.Ledger = old.Ledger
	}
	return keys
}

// prepare makes what is new in a profile. It changes nothing that runs.
func (g *Gateway) prepare(ctx context.Context, p profiles.Profile) (*reload, error) {
	now := g.parts
	b := &builder{p: p, j: now.Journal, hardware: g.hardware, version: g.version, g: g, key: g.key}
	b.parts = Parts{
		Genesis: now.Genesis, Signer: now.Signer, Replica: now.Replica, Journal: now.Journal, Now: now.Now, Clock: now.Clock,
	}
	if err := g.enrolNew(ctx, p.Roster); err != nil {
		return nil, err
	}
	if err := b.fit(ctx); err != nil {
		return nil, err
	}
	if g.control != nil {
		b.parts.Services = append(b.parts.Services, g.control)
	}
	return &reload{profile: p, made: b, done: make(chan struct{})}, nil
}

// enrolNew takes the statements of roster files that are not known here.
func (g *Gateway) enrolNew(ctx context.Context, files []string) error {
	register := g.parts.Replica.Register()
	statements, err := LoadStatements(register.Network(), files...)
	if err != nil {
		return err
	}
	for len(statements) > 0 {
		left := statements[:0:0]
		for _, s := range statements {
			if _, known := register.Statement(s.Hash()); known {
				continue
			}
			switch err := g.enrol(ctx, s.Raw()); {
			case errors.Is(err, ErrConflict): // what it builds on may follow
				left = append(left, s)
			case errors.Is(err, ErrRefused):
				g.parts.Journal.Event(ctx, journal.RosterRefused, "a roster statement does not count: "+err.Error(), slog.String(journal.KeyReason, err.Error()))
			case err != nil:
				return err
			}
		}
		if len(left) == len(statements) {
			break // told when what it builds on comes, from wherever
		}
		statements = left
	}
	return nil
}

// adopt exchanges parts while the agent does not run.
func (g *Gateway) adopt(ctx context.Context, r *reload, failed chan<- error) {
	old, made := g.fittings, r.made.made
	gone, added := old.without(made), made.without(old)
	gone.stop() // before the new ones open the same ports
	if err := gone.close(); err != nil {
		g.parts.Journal.Logger().DebugContext(ctx, "closing what the profile no longer names", slog.Any(journal.KeyError, err))
	}
	g.reconfigure(r.made.cfg, r.made.parts, gone)
	g.profile, g.fittings = r.profile, made
	added.start(ctx, g.events, failed)
}

// reconfigure gives the agent another configuration and other parts between two
// runs. What its machines know goes on.
func (a *Agent) reconfigure(cfg Config, parts Parts, gone fittings) {
	cfg.Machine.Notes = parts.Notes != nil
	next := &station.Reconfigured{Config: cfg.Machine}
	var others []string // than readers, that are gone or exchanged
	for _, x := range gone {
		next.Lost = append(next.Lost, x.readers...)
		switch of := x.of.(type) {
		case profiles.Scale:
			others = append(others, a.cfg.Weighs.Name)
		case profiles.Button:
			others = append(others, of.Name)
		}
	}
	next.Relit = !slices.EqualFunc(a.parts.Lights, parts.Lights, func(x, y NamedLight) bool { return x == y })
	states := a.devices
	a.devices = statesOf(parts)
	for i, d := range a.devices {
		lost := slices.Contains(next.Lost, d.Name) || slices.Contains(others, d.Name)
		j := slices.IndexFunc(states, func(s DeviceState) bool { return s.Name == d.Name })
		if j >= 0 && !lost {
			a.devices[i] = states[j]
		}
	}
	a.cfg, a.parts = cfg, parts
	a.station.next, a.station.gone = next, slices.DeleteFunc(others, func(name string) bool {
		return slices.ContainsFunc(a.devices, func(d DeviceState) bool { return d.Name == name })
	})
	a.broker.Store(nil)
	a.ended = make(chan struct{})
}
