package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

func (a *app) gatewayCommand() *cobra.Command {
	return a.group("gateway", "Let gateways in, replace and revoke them", "",
		a.gatewayAdd(), a.gatewayTicket(), a.gatewayList(), a.gatewayReplace(), a.gatewayRevoke(), a.gatewayWiden())
}

// gatewayFlags are the flags of gateway add.
type gatewayFlags struct {
	draft     agent.ProfileDraft
	witness   bool
	noWitness bool
	roster    rosterFlags
	keys      *keyFlags
}

func (a *app) gatewayAdd() *cobra.Command {
	var f gatewayFlags
	c := a.command("add NAME --station ID", "Let a gateway in and prepare its directory",
		`Make a gateway's key and write all that its board needs into
DIR/gateways/NAME: profile.toml, gateway.key, genesis.cbor and roster.
An admin's key in DIR/keys signs the enrolment. The board's key is in clear, for
a board must start with nobody there; with --new-passphrase-file the daemon
needs that passphrase, too (travelerd --help).

With --socket the enrolment is also handed to that running gateway, which
spreads it; gateways that are up need no restart.`,
		func(ctx context.Context, args []string) error {
			f.draft.Gateway = args[0]
			return a.addGateway(ctx, f)
		})
	c.Example = `  traveler gateway add G-INTAKE --station INTAKE-1 --intake --order WO-1 --listen 0.0.0.0:1883
  traveler gateway add G-DRILL-1 --station DRILL-1 --profile drilling --board rpi-4 --broker mqtt://g-intake:1883`
	f.define(c)
	_ = c.MarkFlagRequired("station") // the flag is defined above
	f.roster.define(c)
	f.keys = a.newKeyFlags(c, true)
	f.keys.board = true
	f.keys.algorithm(c)
	return c
}

// define defines the flags that describe a gateway.
func (f *gatewayFlags) define(c *cobra.Command) {
	flags, d := c.Flags(), &f.draft
	flags.StringVar(&d.Station, "station", "", "id of the station that it serves")
	flags.StringVar(&d.WorkCentre, "work-centre", "", "work centre that the station belongs to (default: the station profile's)")
	flags.BoolVar(&d.Intake, "intake", false, "the station takes new items in")
	flags.BoolVar(&f.witness, "witness", false, fmt.Sprintf("its word counts for confirmation (default: the first %d gateways)", agent.DefaultWitnesses))
	flags.BoolVar(&f.noWitness, "no-witness", false, "its word does not count for confirmation")
	c.MarkFlagsMutuallyExclusive("witness", "no-witness")
	f.defineBoard(c)
}

// defineBoard defines those that describe the board alone.
func (f *gatewayFlags) defineBoard(c *cobra.Command) {
	flags, d := c.Flags(), &f.draft
	flags.StringVar(&d.Order, "order", "", "work order that an intake makes items for")
	flags.StringVar(&d.Profile, "profile", "", "station profile: a built-in name or a file (default: intake with --intake, else one PN532, in-out)")
	flags.StringVar(&d.Board, "board", "", "board profile: a built-in name or a file (default: generic of this machine's kind)")
	flags.StringArrayVar(&d.Brokers, "broker", nil, "URL of a broker, such as mqtt://broker:1883; may be given again, tried in order")
	flags.StringVar(&d.Listen, "listen", "", "HOST:PORT on which the gateway itself serves a broker")
	flags.StringToStringVar(&d.Ports, "port", nil, "device of a port role, such as reader0=/dev/serial/by-id/…; may be given again")
}

// added is what gateway add and identity add print for programs.
type added struct {
	Name    string       `json:"name"`
	Key     ledger.KeyID `json:"key"`
	Roles   string       `json:"roles"`
	Station string       `json:"station,omitempty"`
	Path    string       `json:"path"` // of a gateway's directory, of a person's key
	changed
}

func (a *app) addGateway(ctx context.Context, f gatewayFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	if err := completeDraft(&f.draft); err != nil {
		return err
	}
	form, err := f.keys.form(a)
	if err != nil {
		return err
	}
	h, err := f.roster.signers(n)
	if err != nil {
		return err
	}
	prepared, err := n.PrepareGateway(f.draft.Text(), f.witness || !f.noWitness && n.WitnessByDefault(), form)
	if err != nil {
		return explainProfile(err)
	}
	done, err := a.changeRoster(ctx, n, f.roster, h, prepared)
	if err != nil {
		return err
	}
	out := newlyAdded(prepared.Changes[0], done)
	out.Station, out.Path = f.draft.Station, n.Board(f.draft.Gateway)
	return a.print(out, func(w io.Writer) {
		done.say(w, fmt.Sprintf("gateway %s is let in for station %s", out.Name, out.Station))
		sh := newSheet(w)
		sh.value("  key", out.Key.String())
		sh.value("  roles", out.Roles)
		sh.value("  directory", out.Path)
		sh.flush()
		fmt.Fprintln(w, protectedWord(form))
		fmt.Fprintf(w, "next: travelerd --profile %s\n", filepath.Join(out.Path, agent.ProfileName))
	})
}

// completeDraft fills in what the command line leaves to this machine.
func completeDraft(d *agent.ProfileDraft) error {
	if d.Board == "" {
		d.Board = "generic-" + runtime.GOARCH
		if !slices.ContainsFunc(profiles.Boards(), func(e profiles.Entry) bool { return e.Name == d.Board }) {
			return usage(hintf(errors.New("which board it is cannot be told from this machine"), "name it with --board; traveler profile list shows the built-in ones"))
		}
	}
	if d.Intake && d.Profile == "" {
		d.Profile = "intake"
	}
	if d.Intake && d.Order == "" {
		return usage(hintf(errors.New("an intake takes items in for a work order, and none is named"), "add --order ID; the order itself may be issued later"))
	}
	if len(d.Brokers) == 0 && d.Listen == "" {
		return usage(hintf(errors.New("no broker is named, by which the gateway hears its peers"), "add --broker mqtt://HOST:1883, or --listen 0.0.0.0:1883 to serve one on this gateway"))
	}
	for _, path := range []*string{&d.Board, &d.Profile} {
		if !strings.HasSuffix(*path, ".toml") && !strings.Contains(*path, "/") {
			continue
		}
		full, err := filepath.Abs(*path) // the profile that names it will lie elsewhere
		if err != nil {
			return fmt.Errorf("finding %s: %w", *path, err)
		}
		*path = full
	}
	return nil
}

// explainProfile gives faults of a drafted profile a hint that speaks of flags.
func explainProfile(err error) error {
	var faults profiles.Faults
	if errors.As(err, &faults) {
		return usage(hintf(err, "the profile is made of the flags: --station, --work-centre, --profile, --board, --port, --broker, --listen, --order"))
	}
	return err
}

// handOver gives a statement to the running gateway that --socket names, if any.
func (a *app) handOver(ctx context.Context, s ledger.Statement) error {
	if a.socket == "" {
		return nil
	}
	d, err := a.dial(a.socket)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		err = errors.Join(d.Enrol(ctx, s.Raw()), d.Close())
	}
	if err != nil {
		return hintf(fmt.Errorf("the directory is written, but the running gateway did not take the statement: %w", err),
			"the statement is in roster/%s.cbor; copy it to a gateway's roster and restart that one, and it spreads it", s.Hash())
	}
	return nil
}

// newlyAdded tells whom an enrolment lets in.
func newlyAdded(enrol ledger.Change, done changed) added {
	return added{Name: enrol.Name, Key: enrol.Key.ID(), Roles: enrol.Roles.String(), changed: done}
}

// gatewayLine is a gateway in a list.
type gatewayLine struct {
	agent.IdentityLine
	Witness  bool                `json:"witness"`
	Stations []agent.StationLine `json:"stations"`
}

// gatewaysOf lists the gateways of a roster, by name.
func gatewaysOf(doc agent.RosterDocument) []gatewayLine {
	var all []gatewayLine
	for _, who := range doc.Identities {
		roles := strings.Split(who.Roles, ",")
		if !slices.Contains(roles, ledger.RoleGateway.String()) {
			continue
		}
		g := gatewayLine{IdentityLine: who, Witness: slices.Contains(roles, ledger.RoleWitness.String()), Stations: []agent.StationLine{}}
		for _, s := range doc.Stations {
			if s.Gateway == who.Name {
				g.Stations = append(g.Stations, s)
			}
		}
		all = append(all, g)
	}
	return all
}

func (a *app) gatewayList() *cobra.Command {
	return a.command("list", "List gateways and their stations",
		"List the gateways of a network's directory (--dir), or as a running gateway has them (--socket).",
		func(ctx context.Context, _ []string) error {
			doc, err := a.roster(ctx)
			if err != nil {
				return err
			}
			gateways := gatewaysOf(doc)
			return a.print(list(gateways), func(w io.Writer) { showGateways(w, gateways) })
		})
}

func showGateways(w io.Writer, gateways []gatewayLine) {
	if len(gateways) == 0 {
		fmt.Fprintln(w, "no gateways yet")
		return
	}
	t := newTable(w, "GATEWAY", "KEY", "STATION", "WORK CENTRE", "NOTES")
	for _, g := range gateways {
		var stations, centres []string
		var notes []string
		for _, s := range g.Stations {
			stations = append(stations, s.Station)
			if s.WorkCentre != "" {
				centres = append(centres, s.WorkCentre)
			}
			if s.Intake {
				notes = append(notes, "intake")
			}
		}
		if g.Witness {
			notes = append(notes, "witness")
		}
		if g.Revoked {
			notes = append(notes, "revoked")
		}
		t.row(g.Name, g.Key.Short(), orDash(stations), orDash(centres), strings.Join(notes, ", "))
	}
	t.flush()
}

// orDash joins words, or is a dash where a table has nothing to say.
func orDash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ", ")
}
