package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) rosterCommand() *cobra.Command {
	return a.group("roster", "Show and sign the statements of admins",
		`Show and sign the statements by which admins let in, revoke and replace. Where
more admins must sign than have their keys on one machine, a command with
--draft FILE writes the statement to a file; the others sign it on theirs, and
anybody submits it.`,
		a.rosterShow(), a.rosterLog(), a.rosterSign(), a.rosterSubmit())
}

// rosterFlags say who signs a change of the roster, and whether it waits in a
// file for more signatures.
type rosterFlags struct {
	admins   []string
	keys     []string
	draft    string
	recovery string // file of the recovery key, where it may sign
}

func (f *rosterFlags) define(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.admins, "sign", nil, "name of an admin who signs; may be given again (default: those whose keys are here)")
	flags.StringArrayVar(&f.keys, "sign-key", nil, "`FILE` of an admin's key that is not in the network's directory; may be given again")
	flags.StringVar(&f.draft, "draft", "", "write the statement to `FILE`, for other admins to sign (traveler roster sign)")
}

// signers opens the keys that sign, before anything is written.
func (f rosterFlags) signers(n *agent.Network) (agent.AtHand, error) {
	if f.recovery != "" {
		return f.recoverySigner(n)
	}
	h, err := n.KeysAtHand(f.admins, f.keys)
	if err != nil || f.draft != "" {
		return h, err
	}
	return h, hintf(h.Short(), "keys of admins stand in %s; with --draft FILE the statement waits in a file for their signatures", filepath.Join(n.Dir, agent.KeysName))
}

func (f rosterFlags) recoverySigner(n *agent.Network) (agent.AtHand, error) {
	if len(f.admins)+len(f.keys) > 0 {
		return agent.AtHand{}, usage(hintf(errors.New("--recovery and --sign are both given"), "the recovery key signs alone"))
	}
	key, err := agent.LoadKey(f.recovery, n.Unlock)
	if err != nil {
		return agent.AtHand{}, err
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return agent.AtHand{}, err
	}
	if !pub.Equal(n.Genesis.Recovery) {
		return agent.AtHand{}, hintf(fmt.Errorf("%w: the key in %s is not the recovery key of network %s", agent.ErrNotPermitted, f.recovery, n.Genesis.Name),
			"genesis names the one recovery key; the file was made by network init")
	}
	return agent.AtHand{Signers: []crypto.Signer{key}, Names: []string{"the recovery key"}, Needed: 1}, nil
}

// changed is what came of a change of the roster: a statement, or a draft.
type changed struct {
	Statement ledger.Hash `json:"statement,omitzero"`
	Draft     string      `json:"draft,omitempty"`
	Signed    []string    `json:"signed,omitempty"` // of a draft
	Needs     int         `json:"needs,omitempty"`  // signatures that a draft lacks
}

// say writes what was done, or that it waits for signatures.
func (c changed) say(w io.Writer, done string) {
	if c.Draft == "" {
		fmt.Fprintln(w, done)
		return
	}
	fmt.Fprintf(w, "once it is signed and submitted: %s\n", done)
	fmt.Fprintf(w, "the draft is in %s, signed by %s\n", c.Draft, orNobody(c.Signed))
	if c.Needs > 0 {
		fmt.Fprintf(w, "next: %s must sign: traveler roster sign %s --key KEY\n", count(int64(c.Needs), "more admin"), c.Draft)
	} else {
		fmt.Fprintf(w, "next: traveler roster submit %s\n", c.Draft)
	}
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nobody yet"
	}
	return strings.Join(names, ", ")
}

// changeRoster signs what was prepared and spreads it, or writes the draft.
func (a *app) changeRoster(ctx context.Context, n *agent.Network, f rosterFlags, h agent.AtHand, p agent.Prepared) (changed, error) {
	at := a.now().UnixMilli()
	if f.draft == "" {
		s, err := n.Perform(at, p, h.Signers...)
		if err != nil {
			return changed{}, explainRefusal(err)
		}
		return changed{Statement: s.Hash()}, a.handOver(ctx, s)
	}
	d, err := n.Draft(at, p.Changes, h.Signers...)
	if err == nil {
		err = n.SaveDraft(f.draft, d, false)
	}
	if err != nil {
		return changed{}, errors.Join(err, p.Undo())
	}
	return changed{Draft: f.draft, Signed: h.Names, Needs: max(0, h.Needed-len(h.Signers))}, nil
}

// explainRefusal says what to do about a statement that the roster cannot have.
func explainRefusal(err error) error {
	switch {
	case err == nil || !errors.Is(err, ledger.ErrRefused):
		return err
	case strings.Contains(err.Error(), "revoke that gateway in this statement"):
		return hintf(err, "a station moves only with the revocation of the gateway that has it: traveler gateway replace OLD NEW does both; gateway list shows who has it")
	}
	return err
}

func (a *app) rosterShow() *cobra.Command {
	return a.command("show FILE", "Show in words what a draft changes and who has signed it", "",
		func(_ context.Context, args []string) error {
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			_, doc, err := loadDraft(n, args[0])
			if err != nil {
				return err
			}
			return a.print(doc, func(w io.Writer) { showDraft(w, args[0], doc) })
		})
}

func loadDraft(n *agent.Network, file string) (ledger.StatementDraft, agent.StatementDocument, error) {
	d, err := n.LoadDraft(file)
	if err != nil {
		return d, agent.StatementDocument{}, err
	}
	doc, err := n.DescribeDraft(d)
	var gap *ledger.GapError
	if errors.As(err, &gap) {
		err = hintf(fmt.Errorf("%w: the draft builds on statements that %s lacks: %w", agent.ErrConflict, n.Dir, err),
			"copy the files of %s from the machine where the draft was made, then repeat", filepath.Join("DIR", agent.RosterName))
	}
	return d, doc, err
}

func showDraft(w io.Writer, file string, doc agent.StatementDocument) {
	fmt.Fprintf(w, "draft %s of %s\n", file, when(doc.Time))
	for _, c := range doc.Changes {
		fmt.Fprintf(w, "  %s\n", c)
	}
	fmt.Fprintf(w, "signed by %s", orNobody(doc.Signed))
	if doc.Needs > 0 {
		fmt.Fprintf(w, "; %s must sign", count(int64(doc.Needs), "more admin"))
	}
	fmt.Fprintln(w)
}

func (a *app) rosterLog() *cobra.Command {
	return a.command("log", "List the roster's statements, who signed them and which count",
		"List the roster's statements of a network's directory (--dir), or as a running gateway has them (--socket):\nwhat each changes, who signed it, and whether it counts.",
		func(ctx context.Context, _ []string) error {
			all, err := a.statements(ctx)
			if err != nil {
				return err
			}
			return a.print(list(all), func(w io.Writer) { showStatements(w, all) })
		})
}

func (a *app) statements(ctx context.Context) ([]agent.StatementDocument, error) {
	if a.socket == "" {
		n, err := a.openNetwork()
		if err != nil {
			return nil, err
		}
		return n.Statements(), nil
	}
	var all []agent.StatementDocument
	err := a.withDesk(ctx, func(ctx context.Context, d agent.Desk) (err error) {
		all, err = d.Statements(ctx)
		return err
	})
	return all, err
}

func showStatements(w io.Writer, all []agent.StatementDocument) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no statements yet: genesis alone says who the admins are")
	}
	for _, s := range all {
		fmt.Fprintf(w, "%s  %s  signed by %s\n", s.Hash.Short(), when(s.Time), orNobody(s.Signed))
		for _, c := range s.Changes {
			fmt.Fprintf(w, "          %s\n", c)
		}
		if !s.Counts {
			fmt.Fprintf(w, "          does not count: %s\n", s.Why)
		}
	}
}

func (a *app) rosterSign() *cobra.Command {
	var f rosterFlags
	var yes bool
	c := a.command("sign FILE", "Sign a draft, after it has been shown in words",
		`Show in words what a draft changes, and sign it with an admin's key: the file
that --key names, else the keys in DIR/keys (of those that --sign names).
The network's directory needs no key but that: a copy of genesis.cbor and roster
on the admin's own machine is enough.`,
		func(_ context.Context, args []string) error { return a.signDraft(args[0], f, yes) })
	c.Example = "  traveler roster sign new-gateway.draft --key /media/ben/ben.key"
	c.Flags().StringArrayVar(&f.admins, "sign", nil, "name of an admin whose key is in DIR/keys; may be given again")
	c.Flags().StringArrayVar(&f.keys, "key", nil, "`FILE` of an admin's key; may be given again")
	c.Flags().StringVar(&f.recovery, "recovery", "", "`FILE` of the recovery key, which decides alone about admins")
	c.Flags().BoolVar(&yes, "yes", false, "sign without asking")
	return c
}

func (a *app) signDraft(file string, f rosterFlags, yes bool) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	d, doc, err := loadDraft(n, file)
	if err != nil {
		return err
	}
	if !a.json {
		showDraft(a.out, file, doc)
	}
	f.draft = file // fewer than the threshold may sign
	h, err := f.signers(n)
	if err != nil {
		return err
	}
	if len(h.Signers) == 0 {
		return hintf(h.Short(), "name the file of an admin's key with --key")
	}
	if err := a.confirm(yes, "sign this as "+strings.Join(h.Names, ", ")+"?"); err != nil {
		return err
	}
	if d, err = d.Sign(n.Genesis.Network(), h.Signers...); err != nil {
		return err
	}
	if doc, err = n.DescribeDraft(d); err != nil {
		return err
	}
	if err := n.SaveDraft(file, d, true); err != nil {
		return err
	}
	return a.print(doc, func(w io.Writer) {
		fmt.Fprintf(w, "signed by %s now\n", orNobody(doc.Signed))
		if doc.Needs > 0 {
			fmt.Fprintf(w, "next: %s must sign: traveler roster sign %s --key KEY\n", count(int64(doc.Needs), "more admin"), file)
		} else {
			fmt.Fprintf(w, "next: traveler roster submit %s\n", file)
		}
	})
}

func (a *app) rosterSubmit() *cobra.Command {
	return a.command("submit FILE", "Make a draft that enough admins have signed a statement of the roster",
		`Check a draft and write it as a statement to the network's roster and to every
gateway's directory. With --socket it is also handed to that running gateway,
which spreads it. What other admins have said meanwhile does not matter: both
count, and the next statement builds on both.`,
		func(ctx context.Context, args []string) error {
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			d, doc, err := loadDraft(n, args[0])
			if err != nil {
				return err
			}
			if doc.Needs > 0 {
				return hintf(fmt.Errorf("%w: %s must sign the draft; signed by %s", agent.ErrNotPermitted, count(int64(doc.Needs), "more admin"), orNobody(doc.Signed)),
					"traveler roster sign %s --key KEY", args[0])
			}
			s, err := n.SubmitDraft(d)
			if err != nil {
				return explainRefusal(err)
			}
			if err := a.handOver(ctx, s); err != nil {
				return err
			}
			return a.print(changed{Statement: s.Hash()}, func(w io.Writer) {
				fmt.Fprintf(w, "statement %s holds:\n", s.Hash().Short())
				for _, c := range doc.Changes {
					fmt.Fprintf(w, "  %s\n", c)
				}
			})
		})
}

// showRosterTroubles tells what of the roster waits for an admin, and the remedy.
func showRosterTroubles(w io.Writer, doc agent.RosterDocument) {
	if len(doc.Contested) > 0 {
		fmt.Fprintf(w, "\n%d changes of admins were made at the same time, and none of them applies: the admins above go on.\n", len(doc.Contested))
		fmt.Fprintf(w, "They decide, or the recovery key: traveler network admins add, remove or threshold (--recovery FILE)\n")
	}
	if len(doc.Uncounted) > 0 {
		fmt.Fprintf(w, "\n%s not count yet: traveler roster log says which and why\n", does(len(doc.Uncounted), "statement"))
	}
	for _, t := range doc.Tickets {
		if len(t.Redeemed) > 1 && !t.Revoked {
			fmt.Fprintf(w, "\nthe ticket of %s was used by %d boards: traveler gateway revoke KEY takes out those that are not yours\n", t.Name, len(t.Redeemed))
		}
	}
}

func does(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " does"
	}
	return count(int64(n), noun) + " do"
}
