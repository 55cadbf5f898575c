package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// personRoles are the roles that identity add gives.
var personRoles = []ledger.Role{ledger.RolePlanner, ledger.RoleQuality, ledger.RoleOperator, ledger.RoleAuditor}

func (a *app) identityCommand() *cobra.Command {
	return a.group("identity", "Let people in, list and revoke them", "", a.identityAdd(), a.identityList(), a.identityRevoke())
}

func (a *app) identityAdd() *cobra.Command {
	var roles []string
	var roster rosterFlags
	var keys *keyFlags
	c := a.command("add NAME --role ROLE", "Let a person in and make the person's key",
		`Make a person's key in DIR/people/NAME.key and enrol it. A planner issues work
orders, quality rules on items, an operator signs off work with a badge.
The name goes into the ledger for ever: choose a pseudonym. The key is protected
by a passphrase that only this person should know, unless --clear is given.

With --socket the enrolment is also handed to that running gateway.`,
		func(ctx context.Context, args []string) error {
			set, err := parsePersonRoles(roles)
			if err != nil {
				return err
			}
			form, err := keys.form(a)
			if err != nil {
				return err
			}
			return a.addPerson(ctx, args[0], set, form, roster)
		})
	c.Example = "  traveler identity add pat --role planner\n  traveler identity add quinn --role quality --socket /run/traveler/control.sock"
	c.Flags().StringArrayVar(&roles, "role", nil, "planner, quality, operator or auditor; may be given again")
	roster.define(c)
	_ = c.MarkFlagRequired("role") // the flag is defined above
	keys = a.newKeyFlags(c, true)
	keys.algorithm(c)
	return c
}

func parsePersonRoles(names []string) (set ledger.Role, err error) {
	for _, name := range names {
		i := slices.IndexFunc(personRoles, func(r ledger.Role) bool { return r.String() == name })
		if i < 0 {
			return 0, usage(hintf(fmt.Errorf("--role %q is no role of a person", name), "one of planner, quality, operator, auditor; gateways are let in by gateway add"))
		}
		set |= personRoles[i]
	}
	return set, nil
}

func (a *app) addPerson(ctx context.Context, name string, roles ledger.Role, form agent.KeyForm, f rosterFlags) error {
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	h, err := f.signers(n)
	if err != nil {
		return err
	}
	prepared, err := n.PreparePerson(name, roles, form)
	if err != nil {
		return err
	}
	done, err := a.changeRoster(ctx, n, f, h, prepared)
	if err != nil {
		return err
	}
	out := newlyAdded(prepared.Changes[0], done)
	out.Path = filepath.Join(n.Dir, agent.PeopleName, name+".key")
	return a.print(out, func(w io.Writer) {
		done.say(w, fmt.Sprintf("%s is let in as %s", out.Name, strings.ReplaceAll(out.Roles, ",", ", ")))
		sh := newSheet(w)
		sh.value("  key", out.Key.String())
		sh.value("  file", out.Path)
		sh.flush()
		fmt.Fprintln(w, protectedWord(form))
	})
}

// peopleOf lists the people of a roster, by name.
func peopleOf(doc agent.RosterDocument) []agent.IdentityLine {
	return slices.DeleteFunc(slices.Clone(doc.Identities), func(who agent.IdentityLine) bool {
		return slices.Contains(strings.Split(who.Roles, ","), ledger.RoleGateway.String())
	})
}

func (a *app) identityList() *cobra.Command {
	return a.command("list", "List people and their roles",
		"List the people of a network's directory (--dir), or as a running gateway has them (--socket).",
		func(ctx context.Context, _ []string) error {
			doc, err := a.roster(ctx)
			if err != nil {
				return err
			}
			people := peopleOf(doc)
			return a.print(list(people), func(w io.Writer) { showPeople(w, people) })
		})
}

func showPeople(w io.Writer, people []agent.IdentityLine) {
	if len(people) == 0 {
		fmt.Fprintln(w, "no people yet")
		return
	}
	t := newTable(w, "NAME", "KEY", "ROLES", "NOTES")
	for _, p := range people {
		t.row(p.Name, p.Key.Short(), strings.ReplaceAll(p.Roles, ",", ", "), yes(p.Revoked, "revoked"))
	}
	t.flush()
}
