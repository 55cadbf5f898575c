package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) adminsCommand() *cobra.Command {
	return a.group("admins", "Change who admits and how many must sign",
		`Change who admits and how many must sign: more than half of the admins in force
sign that as every statement, or the recovery key alone (--recovery FILE).

Two changes of admins that were made without knowledge of each other both wait:
neither applies until the former admins, or the recovery key, make one more. Any
of these commands does that: it builds on both.`,
		a.adminsAdd(), a.adminsRemove(), a.adminsThreshold())
}

// adminFlags are those of every change of admins.
type adminFlags struct {
	roster    rosterFlags
	threshold uint8 // 0: as it was, but always more than half
	yes       bool
}

func (f *adminFlags) define(c *cobra.Command) {
	f.roster.define(c)
	c.Flags().StringVar(&f.roster.recovery, "recovery", "", "`FILE` of the recovery key, which decides alone")
	c.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
}

func (a *app) adminsAdd() *cobra.Command {
	var f adminFlags
	var public string
	var keys *keyFlags
	c := a.command("add NAME", "Make somebody an admin",
		`Make somebody an admin: with a new key in DIR/keys/NAME.key, or with the public
half of the key that this person made elsewhere (traveler key new, key show).`,
		func(ctx context.Context, args []string) error { return a.addAdmin(ctx, args[0], public, keys, f) })
	c.Example = "  traveler network admins add dora --public 5f0c… --recovery /media/safe/recovery.key"
	f.define(c)
	c.Flags().StringVar(&public, "public", "", "public half of the admin's own key, hexadecimal, as key show prints it")
	c.Flags().Uint8Var(&f.threshold, "threshold", 0, "how many admins must sign from now on (default: as before, and always more than half)")
	keys = a.newKeyFlags(c, true)
	keys.algorithm(c)
	return c
}

func (a *app) addAdmin(ctx context.Context, name, public string, keys *keyFlags, f adminFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	admins, _ := n.Register.Current().Admins()
	if slices.ContainsFunc(admins, func(x ledger.Admin) bool { return x.Name == name }) {
		return hintf(fmt.Errorf("%s: %w: there is an admin of this name", name, agent.ErrConflict), "traveler network show lists the admins")
	}
	h, err := f.roster.signers(n)
	if err != nil {
		return err
	}
	admin, prepared := ledger.Admin{Name: name}, agent.Prepared{}
	if public != "" {
		admin.Key, err = parsePublic(public)
	} else {
		var form agent.KeyForm
		if form, err = keys.form(a); err != nil {
			return err
		}
		admin, prepared, err = n.PrepareAdmin(name, form)
	}
	if err != nil {
		return err
	}
	return a.changeAdmins(ctx, n, f, h, prepared, append(admins, admin))
}

// parsePublic reads a public key as key show prints it: 32 bytes are Ed25519,
// more an RSA modulus.
func parsePublic(text string) (ledger.PublicKey, error) {
	raw, err := hex.DecodeString(text)
	key := ledger.PublicKey{Alg: ledger.Ed25519, Bytes: raw}
	if len(raw) > 32 {
		key.Alg = ledger.RSA
	}
	if err == nil {
		err = key.Check()
	}
	if err != nil {
		return key, usage(hintf(fmt.Errorf("--public is no public key: %w", err), "traveler key show FILE prints it on the machine that has the key"))
	}
	return key, nil
}

func (a *app) adminsRemove() *cobra.Command {
	var f adminFlags
	c := a.command("remove NAME", "Let somebody be admin no longer",
		`Let somebody be admin no longer. What this admin signed and nobody built upon
counts only once the others build on it; the next statement does.`,
		func(ctx context.Context, args []string) error {
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			admins, _ := n.Register.Current().Admins()
			left := slices.DeleteFunc(slices.Clone(admins), func(x ledger.Admin) bool { return x.Name == args[0] })
			if len(left) == len(admins) {
				return hintf(naming("admin", args[0], agent.ErrNotFound), "traveler network show lists the admins")
			}
			if len(left) == 0 {
				return hintf(fmt.Errorf("%s is the last admin: %w", args[0], agent.ErrConflict), "add the successor first: traveler network admins add NAME")
			}
			h, err := f.roster.signers(n)
			if err != nil {
				return err
			}
			return a.changeAdmins(ctx, n, f, h, agent.Prepared{}, left)
		})
	f.define(c)
	c.Flags().Uint8Var(&f.threshold, "threshold", 0, "how many admins must sign from now on (default: as before, as far as there are so many)")
	return c
}

func (a *app) adminsThreshold() *cobra.Command {
	var f adminFlags
	c := a.command("threshold N", "Say how many admins must sign",
		"Say how many of the admins must sign every change of the roster: more than half, at most all.",
		func(ctx context.Context, args []string) error {
			most, err := strconv.ParseUint(args[0], 10, 8)
			if err != nil || most == 0 {
				return usage(hintf(fmt.Errorf("%q is no number of admins", args[0]), "a number from 1 up, more than half of the admins"))
			}
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			h, err := f.roster.signers(n)
			if err != nil {
				return err
			}
			f.threshold = uint8(most)
			admins, _ := n.Register.Current().Admins()
			return a.changeAdmins(ctx, n, f, h, agent.Prepared{}, admins)
		})
	f.define(c)
	return c
}

// changeAdmins has the admins from now on be these.
func (a *app) changeAdmins(ctx context.Context, n *agent.Network, f adminFlags, h agent.AtHand, p agent.Prepared, admins []ledger.Admin) error {
	roster := n.Register.Current()
	_, threshold := roster.Admins()
	least := uint8(len(admins)/2 + 1)
	if threshold = min(max(threshold, least), uint8(len(admins))); f.threshold != 0 {
		threshold = f.threshold
	}
	if threshold < least || int(threshold) > len(admins) {
		return errors.Join(p.Undo(), usage(hintf(fmt.Errorf("%d of %d admins cannot be what must sign", threshold, len(admins)),
			"more than half of the admins must sign, and at most all: %d to %d", least, len(admins))))
	}
	contested := len(roster.Contested())
	if contested > 0 && !a.json {
		fmt.Fprintf(a.out, "%d changes of admins were made at the same time; this one decides: it builds on all of them\n", contested)
	}
	var names []string
	for _, x := range admins {
		names = append(names, x.Name)
	}
	words := fmt.Sprintf("admins are from now on %s; %d of %d must sign", orNobody(names), threshold, len(admins))
	if err := a.confirm(f.yes || f.roster.draft != "", words+". Is that right?"); err != nil {
		return errors.Join(p.Undo(), err)
	}
	p.Changes = []ledger.Change{{Kind: ledger.ChangeAdmins, Admins: admins, Threshold: threshold}}
	done, err := a.changeRoster(ctx, n, f.roster, h, p)
	if err != nil {
		return misused(err)
	}
	return a.print(done, func(w io.Writer) {
		done.say(w, words)
		if done.Draft == "" {
			fmt.Fprintf(w, "the other admins need the new statement before they sign anything: roster in %s\n", filepath.Clean(n.Dir))
		}
	})
}
