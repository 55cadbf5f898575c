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

// keepFlags say up to where the chain of a revoked gateway counts.
type keepFlags struct {
	keep    []string
	dataDir string
	yes     bool
}

func (f *keepFlags) define(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.keep, "keep", nil, "last block that counts: hash or beginning of it, all (those held), or none; may be given again (default all)")
	flags.StringVar(&f.dataDir, "data-dir", "", "`DIR` of a stopped gateway that tells which blocks there are, in the place of --socket")
	flags.BoolVar(&f.yes, "yes", false, "do it without asking")
}

// identityNamed finds who is meant by a name or key id among those with a role.
func identityNamed(n *agent.Network, word string, gateway bool) (ledger.Identity, error) {
	roster := n.Register.Current()
	of := func(i ledger.Identity) bool { return (i.Roles&ledger.RoleGateway != 0) == gateway }
	found := slices.DeleteFunc(roster.Named(word), func(i ledger.Identity) bool { return !of(i) })
	if len(found) == 0 && len(word) >= 6 {
		for _, i := range roster.Identities() {
			if of(i) && strings.HasPrefix(i.ID.String(), strings.ToLower(word)) {
				found = append(found, i)
			}
		}
	}
	kind, lists := "gateway", "traveler gateway list"
	if !gateway {
		kind, lists = "person", "traveler identity list"
	}
	switch len(found) {
	case 0:
		return ledger.Identity{}, hintf(fmt.Errorf("%s %q: %w in the roster", kind, word, agent.ErrNotFound), "%s shows names and keys", lists)
	case 1:
		return found[0], nil
	}
	var keys []string
	for _, i := range found {
		keys = append(keys, i.ID.String())
	}
	return ledger.Identity{}, hintf(fmt.Errorf("%s %q: %w: the name is borne by the keys %s", kind, word, agent.ErrAmbiguous, strings.Join(keys, " and ")),
		"give the key id; traveler status at the station shows its own")
}

// chainEnd asks a gateway what it holds of the chain, and what would count.
func (a *app) chainEnd(ctx context.Context, who ledger.Identity, f keepFlags) (agent.ChainEnd, error) {
	keep := slices.DeleteFunc(slices.Clone(f.keep), func(w string) bool { return w == "all" })
	if slices.Contains(keep, "none") {
		if len(f.keep) > 1 {
			return agent.ChainEnd{}, usage(hintf(errors.New("--keep none is given with other blocks"), "leave one out"))
		}
		keep = []string{ledger.Hash{}.String()} // an ancestor of nothing
	}
	open := func() (agent.Desk, error) { return a.dial(a.socket) }
	switch {
	case f.dataDir != "" && a.socket != "":
		return agent.ChainEnd{}, usage(hintf(errors.New("--data-dir and --socket are both given"), "--socket asks a running travelerd, --data-dir reads a stopped gateway's directory"))
	case f.dataDir != "":
		open = func() (agent.Desk, error) { return a.openDirectory(f.dataDir) }
	case a.socket == "":
		return unheldEnd(who, keep)
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	d, err := open()
	if err != nil {
		return agent.ChainEnd{}, err
	}
	end, err := d.Chain(ctx, who.ID.String(), keep)
	if errors.Is(err, agent.ErrNotFound) && !slices.ContainsFunc(keep, func(w string) bool { return err != nil && strings.Contains(err.Error(), w) }) {
		err = hintf(err, "that gateway has not heard of it yet; ask another one, or name whole hashes with --keep and no --socket")
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return end, err
	}
	end.Heads = slices.DeleteFunc(end.Heads, ledger.Hash.IsZero)
	return end, nil
}

// unheldEnd takes whole hashes on trust where no gateway is asked.
func unheldEnd(who ledger.Identity, keep []string) (agent.ChainEnd, error) {
	end := agent.ChainEnd{Gateway: who.Name, Key: who.ID, Held: -1, Heads: []ledger.Hash{}, Items: []agent.ItemLine{}}
	if len(keep) == 0 {
		return end, usage(hintf(fmt.Errorf("up to which block the chain of %s counts cannot be told: no gateway is asked that holds it", who.Name),
			"--socket names a running gateway, --data-dir a stopped one's directory; or --keep HASH, or --keep none"))
	}
	for _, word := range keep {
		h, err := ledger.ParseHash(word)
		if err != nil {
			return end, usage(hintf(fmt.Errorf("--keep %q is no whole hash, and no gateway is asked that could complete it", word), "add --socket or --data-dir, or give all 64 digits"))
		}
		if !h.IsZero() {
			end.Heads = append(end.Heads, h)
		}
	}
	slices.SortFunc(end.Heads, func(x, y ledger.Hash) int { return slices.Compare(x[:], y[:]) })
	end.Heads = slices.Compact(end.Heads)
	return end, nil
}

// showEnd tells what will count of a chain and what no longer.
func showEnd(w io.Writer, end agent.ChainEnd) {
	var heads []string
	for _, h := range end.Heads {
		heads = append(heads, h.Short())
	}
	switch {
	case len(heads) == 0 && end.Held != 0:
		fmt.Fprintf(w, "no block of %s counts any more\n", end.Gateway)
	case end.Held == 0:
		fmt.Fprintf(w, "no block of %s is held there; blocks of it that come later do not count\n", end.Gateway)
	default:
		fmt.Fprintf(w, "the chain of %s counts up to %s\n", end.Gateway, strings.Join(heads, ", "))
	}
	switch {
	case end.Held < 0:
	case end.Beyond == 0:
		fmt.Fprintf(w, "all %s held of it count\n", count(int64(end.Held), "block"))
	default:
		fmt.Fprintf(w, "%d of its %s held no longer count; items that rest on them are nonconforming until quality rules\n", end.Beyond, count(int64(end.Held), "block"))
	}
}

// showHeld tells who goes on with what a gateway has in work.
func showHeld(w io.Writer, end agent.ChainEnd, successor string) {
	if len(end.Items) == 0 {
		return
	}
	fmt.Fprintf(w, "%s in work there; quality lets a gateway go on with each:\n", count(int64(len(end.Items)), "item"))
	place := "PLACE"
	if successor != "" {
		place = successor
	}
	for _, it := range end.Items {
		fmt.Fprintf(w, "  traveler item dispose %s --ruling continue-at --operation OPERATION --place %s --reason TEXT --key QUALITYKEY\n", it.Label, place)
	}
}

// revoked is what gateway revoke and widen print for programs.
type revoked struct {
	agent.ChainEnd
	changed
}

func (a *app) gatewayRevoke() *cobra.Command {
	var f rosterFlags
	var k keepFlags
	var ticket bool
	c := a.command("revoke NAME | KEY", "Declare that a gateway's word no longer counts",
		`Revoke a gateway: its chain counts up to the blocks named, and nothing after
them. By default those are all that the gateway of --socket (or --data-dir) holds.
A block that comes to light later can be added (gateway widen), none taken away.
Its station goes to another gateway with gateway replace.

With --ticket it is the ticket of that name that is revoked, before a board has
redeemed it or after: --keep then names the keys of boards that stay.`,
		func(ctx context.Context, args []string) error {
			if ticket {
				return a.revokeTicket(ctx, args[0], f, k)
			}
			return a.revokeGateway(ctx, args[0], f, k)
		})
	c.Example = "  traveler gateway revoke G-DRILL-1 --socket /run/traveler/control.sock\n  traveler gateway revoke G-SAW --ticket"
	f.define(c)
	k.define(c)
	c.Flags().BoolVar(&ticket, "ticket", false, "revoke the ticket of that name")
	return c
}

func (a *app) revokeGateway(ctx context.Context, word string, f rosterFlags, k keepFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	who, err := identityNamed(n, word, true)
	if err != nil {
		if _, open := ticketNamed(n, word); open {
			err = hintf(err, "no board has redeemed the ticket of %s: traveler gateway revoke %s --ticket", word, word)
		}
		return err
	}
	if who.Revoked {
		return hintf(fmt.Errorf("%s is revoked already: %w", who.Name, agent.ErrConflict), "traveler gateway widen %s HEAD lets more of its blocks count", who.Name)
	}
	h, err := f.signers(n)
	if err != nil {
		return err
	}
	end, err := a.chainEnd(ctx, who, k)
	if err != nil {
		return err
	}
	if !a.json {
		showEnd(a.out, end)
		showHeld(a.out, end, "")
	}
	return a.revoke(ctx, n, f, k, h, who, end, who.Name+" is revoked")
}

func (a *app) revoke(ctx context.Context, n *agent.Network, f rosterFlags, k keepFlags, h agent.AtHand, who ledger.Identity, end agent.ChainEnd, words string) error {
	if err := a.confirm(k.yes || f.draft != "", "revoke "+who.Name+" (key "+who.ID.Short()+") so? It cannot be undone."); err != nil {
		return err
	}
	done, err := a.changeRoster(ctx, n, f, h, agent.Prepared{Changes: []ledger.Change{{Kind: ledger.ChangeRevoke, Subject: who.ID, Heads: end.Heads}}})
	if err != nil {
		return misused(err)
	}
	return a.print(revoked{end, done}, func(w io.Writer) { done.say(w, words) })
}

func (a *app) gatewayWiden() *cobra.Command {
	var f rosterFlags
	var k keepFlags
	c := a.command("widen NAME HEAD…", "Let more blocks of a revoked gateway count",
		`Let more blocks of a revoked gateway count: those named and all before them. So
honest work that came to light after the revocation is not lost.`,
		func(ctx context.Context, args []string) error {
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			who, err := identityNamed(n, args[0], true)
			if err != nil {
				return err
			}
			if !who.Revoked {
				return hintf(fmt.Errorf("%s is not revoked: %w: all its blocks count", who.Name, agent.ErrConflict), "traveler gateway list shows who is revoked")
			}
			h, err := f.signers(n)
			if err != nil {
				return err
			}
			for _, head := range who.Heads {
				k.keep = append(k.keep, head.String())
			}
			k.keep = append(k.keep, args[1:]...)
			end, err := a.chainEnd(ctx, who, k)
			if err != nil {
				return err
			}
			if !a.json {
				showEnd(a.out, end)
			}
			return a.revoke(ctx, n, f, k, h, who, end, "more of "+who.Name+" counts")
		})
	f.define(c)
	c.Flags().StringVar(&k.dataDir, "data-dir", "", "`DIR` of a stopped gateway that holds the blocks, in the place of --socket")
	c.Flags().BoolVar(&k.yes, "yes", false, "do it without asking")
	return c
}

func (a *app) identityRevoke() *cobra.Command {
	var f rosterFlags
	var yes bool
	c := a.command("revoke NAME | KEY", "Declare that a person's word no longer counts",
		`Revoke a person: what the person signs counts no longer in any block that is
sealed after the gateways know of it. What is sealed already stays. The name and
the key are never given again: a person with a new key gets a new name.`,
		func(ctx context.Context, args []string) error {
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			who, err := identityNamed(n, args[0], false)
			if err != nil {
				return err
			}
			if who.Revoked {
				return hintf(fmt.Errorf("%s is revoked already: %w", who.Name, agent.ErrConflict), "traveler identity list shows who is")
			}
			h, err := f.signers(n)
			if err != nil {
				return err
			}
			if err := a.confirm(yes || f.draft != "", fmt.Sprintf("revoke %s (%s)? It cannot be undone.", who.Name, who.Roles)); err != nil {
				return err
			}
			done, err := a.changeRoster(ctx, n, f, h, agent.Prepared{Changes: []ledger.Change{{Kind: ledger.ChangeRevoke, Subject: who.ID}}})
			if err != nil {
				return err
			}
			out := added{Name: who.Name, Key: who.ID, Roles: who.Roles.String(), changed: done}
			return a.print(out, func(w io.Writer) {
				done.say(w, who.Name+" is revoked: what is sealed stays, what comes does not count")
			})
		})
	f.define(c)
	c.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	return c
}
