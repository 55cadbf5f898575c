package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) gatewayReplace() *cobra.Command {
	var f gatewayFlags
	var k keepFlags
	c := a.command("replace OLD NEW", "Put a new board in the place of a gateway",
		`Let a new gateway in and revoke the old one in one statement: its stations, with
work centre and intake, go to the new one. The new board's directory is written
as gateway add does. Its profile is the old one's from DIR/gateways/OLD under the
new name; with --profile, --board, --broker or --listen it is made of these.

The old chain counts up to what the gateway of --socket (or --data-dir) holds, or
what --keep says. What the old one had in work quality gives to the new one.`,
		func(ctx context.Context, args []string) error { return a.replaceGateway(ctx, args[0], args[1], f, k) })
	c.Example = "  traveler gateway replace G-DRILL-1 G-DRILL-1B --socket /run/traveler/control.sock"
	f.defineBoard(c)
	f.roster.define(c)
	k.define(c)
	f.keys = a.newKeyFlags(c, true)
	f.keys.board = true
	f.keys.algorithm(c)
	return c
}

// replaced is what gateway replace prints for programs.
type replaced struct {
	added
	Replaces agent.ChainEnd `json:"replaces"`
	Stations []string       `json:"stations"`
}

func (a *app) replaceGateway(ctx context.Context, old, name string, f gatewayFlags, k keepFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	who, err := identityNamed(n, old, true)
	if err != nil {
		return err
	}
	if who.Revoked {
		return hintf(fmt.Errorf("%s is revoked already: %w: its stations are free", who.Name, agent.ErrConflict), "traveler gateway add %s --station ID", name)
	}
	form, err := f.keys.form(a)
	if err != nil {
		return err
	}
	h, err := f.roster.signers(n)
	if err != nil {
		return err
	}
	profile, err := successor(n, who, name, f.draft)
	if err != nil {
		return err
	}
	end, err := a.chainEnd(ctx, who, k)
	if err != nil {
		return err
	}
	if !a.json {
		showEnd(a.out, end)
	}
	if err := a.confirm(k.yes || f.roster.draft != "", "replace "+who.Name+" by "+name+" so? It cannot be undone."); err != nil {
		return err
	}
	prepared, err := n.PrepareReplacement(who, end.Heads, profile, form)
	if err != nil {
		return explainProfile(err)
	}
	done, err := a.changeRoster(ctx, n, f.roster, h, prepared)
	if err != nil {
		return err
	}
	out := replaced{added: newlyAdded(prepared.Changes[1], done), Replaces: end}
	out.Path = n.Board(name)
	for _, c := range prepared.Changes[2:] {
		out.Stations = append(out.Stations, c.Station)
	}
	out.Station = out.Stations[0]
	return a.print(out, func(w io.Writer) {
		done.say(w, fmt.Sprintf("gateway %s takes the place of %s at %s", name, who.Name, strings.Join(out.Stations, ", ")))
		showHeld(w, end, out.Station)
		fmt.Fprintln(w, protectedWord(form))
		fmt.Fprintf(w, "next: travelerd --profile %s\n", filepath.Join(out.Path, agent.ProfileName))
	})
}

// successor is the profile of the board that takes the place of another.
func successor(n *agent.Network, old ledger.Identity, name string, d agent.ProfileDraft) ([]byte, error) {
	given := d.Profile+d.Board+d.Listen+d.Order != "" || len(d.Brokers)+len(d.Ports) > 0
	if !given {
		text, err := n.SuccessorProfile(old.Name, name)
		if errors.Is(err, fs.ErrNotExist) {
			err = usage(hintf(fmt.Errorf("the profile of %s is not in this directory: %w", old.Name, err), "describe the new board: --profile, --board, --broker, --listen"))
		}
		return text, err
	}
	stations := n.Register.Current().Assignments()
	i := slices.IndexFunc(stations, func(as ledger.Assignment) bool { return as.Gateway == old.ID })
	if i < 0 {
		return nil, hintf(fmt.Errorf("%s has no station: %w", old.Name, agent.ErrConflict), "traveler gateway revoke %s, and gateway add for the new one", old.Name)
	}
	d.Gateway, d.Station, d.WorkCentre, d.Intake = name, stations[i].Station, stations[i].WorkCentre, stations[i].Intake
	if err := completeDraft(&d); err != nil {
		return nil, err
	}
	return d.Text(), nil
}
