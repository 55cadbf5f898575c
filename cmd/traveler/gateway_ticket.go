package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) gatewayTicket() *cobra.Command {
	var f gatewayFlags
	c := a.command("ticket NAME --station ID", "Prepare a board that makes its own key",
		`Write the directory of a board without a key, but with a one-time code, and the
statement that keeps name and station for it. At its first start the board makes
its key and enrols itself with the code; no private key ever leaves it. The other
gateways hear of it over the broker.

The code works once. Keep it as a key until then: who has it may enrol another
board in this name, which is shown as doubled. gateway revoke NAME --ticket takes
it back.`,
		func(ctx context.Context, args []string) error {
			f.draft.Gateway, f.draft.Ticket = args[0], true
			return a.ticketGateway(ctx, f)
		})
	c.Example = "  traveler gateway ticket G-SAW --station SAW-1 --profile drilling --board rpi-4 --broker mqtt://g-intake:1883"
	f.define(c)
	_ = c.MarkFlagRequired("station") // the flag is defined above
	f.roster.define(c)
	return c
}

// ticketed is what gateway ticket prints for programs.
type ticketed struct {
	Name    string `json:"name"`
	Code    string `json:"code"`
	Station string `json:"station"`
	Path    string `json:"path"`
	changed
}

func (a *app) ticketGateway(ctx context.Context, f gatewayFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	if err := completeDraft(&f.draft); err != nil {
		return err
	}
	h, err := f.roster.signers(n)
	if err != nil {
		return err
	}
	code, err := agent.NewTicketCode(nil)
	if err != nil {
		return err
	}
	prepared, err := n.PrepareTicket(f.draft.Text(), f.witness || !f.noWitness && n.WitnessByDefault(), code)
	if err != nil {
		return explainProfile(err)
	}
	done, err := a.changeRoster(ctx, n, f.roster, h, prepared)
	if err != nil {
		return err
	}
	out := ticketed{Name: f.draft.Gateway, Code: code.String(), Station: f.draft.Station, Path: n.Board(f.draft.Gateway), changed: done}
	return a.print(out, func(w io.Writer) {
		done.say(w, fmt.Sprintf("a ticket for gateway %s at station %s is ready", out.Name, out.Station))
		sh := newSheet(w)
		sh.value("  code", out.Code)
		sh.value("  directory", out.Path)
		sh.flush()
		fmt.Fprintf(w, "the code is also in %s/%s, and is shown this once; it enrols one board\n", out.Path, agent.TicketName)
		fmt.Fprintf(w, "next: put the directory onto the board and start travelerd there; then remove %s/%s here\n", out.Path, agent.TicketName)
	})
}

// ticketNamed finds the ticket of a name that is not revoked.
func ticketNamed(n *agent.Network, name string) (ledger.Ticket, bool) {
	for _, t := range n.Register.Current().Tickets() {
		if t.Name == name && !t.Revoked {
			return t, true
		}
	}
	return ledger.Ticket{}, false
}

// revokeTicket takes a ticket back, but for the boards that stay.
func (a *app) revokeTicket(ctx context.Context, name string, f rosterFlags, k keepFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	t, ok := ticketNamed(n, name)
	if !ok {
		return hintf(fmt.Errorf("ticket of %q: %w", name, agent.ErrNotFound), "traveler roster log shows the tickets, and which are revoked")
	}
	h, err := f.signers(n)
	if err != nil {
		return err
	}
	kept, err := boardsKept(n.Register.Current(), t, k.keep)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("the ticket of %s is revoked; of its %s %d stay", name, count(int64(len(t.Redeemed)), "board"), len(kept))
	if len(t.Redeemed) == 0 {
		words = fmt.Sprintf("the ticket of %s is revoked; no board has redeemed it", name)
	}
	if err := a.confirm(k.yes || f.draft != "", words+". It cannot be undone. Is that right?"); err != nil {
		return err
	}
	done, err := a.changeRoster(ctx, n, f, h, agent.Prepared{Changes: []ledger.Change{{Kind: ledger.ChangeRevoke, Subject: t.Code, Heads: kept}}})
	if err != nil {
		return err
	}
	return a.print(done, func(w io.Writer) { done.say(w, words) })
}

// boardsKept are the redemptions of the boards that stay, sorted.
func boardsKept(r *ledger.Roster, t ledger.Ticket, keep []string) ([]ledger.Hash, error) {
	if len(keep) == 0 && len(t.Redeemed) > 0 {
		var keys []string
		for _, k := range t.Redeemed {
			keys = append(keys, k.String())
		}
		return nil, usage(hintf(fmt.Errorf("the ticket of %s has been redeemed by %s: which of them stay is not said", t.Name, strings.Join(keys, " and ")),
			"--keep KEY for each that stays, --keep all or --keep none"))
	}
	var kept []ledger.Hash
	for _, word := range keep {
		if word == "none" {
			continue
		}
		found := 0
		for _, k := range t.Redeemed {
			if word == "all" || len(word) >= 6 && strings.HasPrefix(k.String(), strings.ToLower(word)) {
				found++
				who, _ := r.Identity(k)
				kept = append(kept, who.Enrolled)
			}
		}
		switch {
		case word == "all":
		case found == 0:
			return nil, hintf(fmt.Errorf("--keep %s: %w: no board with this key redeemed the ticket", word, agent.ErrNotFound), "traveler gateway list shows the keys")
		case found > 1:
			return nil, fmt.Errorf("--keep %s: %w", word, agent.ErrAmbiguous)
		}
	}
	if slices.Contains(keep, "none") && len(kept) > 0 {
		return nil, usage(hintf(errors.New("--keep none is given with boards that stay"), "leave one out"))
	}
	slices.SortFunc(kept, func(x, y ledger.Hash) int { return slices.Compare(x[:], y[:]) })
	return slices.Compact(kept), nil
}
