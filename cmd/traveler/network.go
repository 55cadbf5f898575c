package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
)

// inClear is what every command says that makes a key in clear.
const inClear = "the private key is in clear, readable by its owner only"

func (a *app) networkCommand() *cobra.Command {
	return a.group("network", "Found a network and show it", "", a.networkInit(), a.networkShow(), a.adminsCommand(), a.certificatesCommand())
}

// networkDir is the directory of the network.
func (a *app) networkDir() string {
	if a.dir == "" {
		return "."
	}
	return a.dir
}

func (a *app) openNetwork() (*agent.Network, error) {
	n, err := agent.OpenNetwork(a.networkDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hintf(fmt.Errorf("no network in %s: %w", a.networkDir(), err), "traveler network init NAME founds one; --dir names the directory of another")
	}
	if err == nil {
		n.Unlock = a.unlock
	}
	return n, err
}

func (a *app) networkInit() *cobra.Command {
	var admins []string
	var recovery string
	var keys *keyFlags
	c := a.command("init NAME", "Found a network",
		`Found a network: make the keys of its admins, a recovery key and genesis.

Of several admins more than half must sign every change of the roster. The
recovery key decides if they no longer can; it belongs in a safe, not here.
The keys are protected by passphrases unless --clear is given. With
--passphrase-file or --passphrase-fd all have the same one: change that of each
with traveler key passphrase.`,
		func(_ context.Context, args []string) error {
			form, err := keys.form(a)
			if err != nil {
				return err
			}
			return a.initNetwork(agent.Founding{Name: args[0], Admins: admins, Recovery: recovery, Time: a.now().UnixMilli(), Keys: form})
		})
	c.Example = "  traveler network init plant-7 --dir plant-7\n  traveler network init plant-7 --admin anna --admin ben --admin cora"
	c.Flags().StringArrayVar(&admins, "admin", []string{"admin"}, "name of an admin; may be given again")
	c.Flags().StringVar(&recovery, "recovery", "", "file for the recovery key (default DIR/"+agent.RecoveryName+")")
	keys = a.newKeyFlags(c, false)
	keys.algorithm(c)
	return c
}

// founded is what network init prints for programs.
type founded struct {
	agent.RosterDocument
	Dir      string   `json:"dir"`
	Keys     []string `json:"keys"`
	Recovery string   `json:"recovery"`
}

func (a *app) initNetwork(f agent.Founding) error {
	n, err := agent.Found(a.networkDir(), f)
	if err != nil {
		return misused(err)
	}
	doc := founded{RosterDocument: n.Document(), Dir: n.Dir, Recovery: f.Recovery}
	if doc.Recovery == "" {
		doc.Recovery = filepath.Join(n.Dir, agent.RecoveryName)
	}
	for _, admin := range f.Admins {
		doc.Keys = append(doc.Keys, filepath.Join(n.Dir, agent.KeysName, admin+".key"))
	}
	return a.print(doc, func(w io.Writer) {
		fmt.Fprintf(w, "network %s is founded\n", f.Name)
		s := newSheet(w)
		s.value("  id", doc.NetworkID)
		s.value("  genesis", filepath.Join(n.Dir, agent.GenesisName))
		s.value("  admin keys", strings.Join(doc.Keys, ", "))
		s.value("  recovery key", doc.Recovery)
		s.flush()
		fmt.Fprintln(w, protectedWords(f.Keys))
		fmt.Fprintf(w, "move %s off this machine now: whoever has it can replace the admins\n", doc.Recovery)
		fmt.Fprintf(w, "next: traveler gateway add NAME --station ID --dir %s\n", n.Dir)
	})
}

func (a *app) networkShow() *cobra.Command {
	return a.command("show", "Show a network: admins, gateways, people, stations",
		"Show the network of a directory (--dir), or as a running gateway has it (--socket).",
		func(ctx context.Context, _ []string) error {
			doc, err := a.roster(ctx)
			if err != nil {
				return err
			}
			return a.print(doc, func(w io.Writer) { showNetwork(w, doc) })
		})
}

// roster is the roster of the gateway that --socket names, else of the network's
// directory.
func (a *app) roster(ctx context.Context) (agent.RosterDocument, error) {
	if a.socket == "" {
		n, err := a.openNetwork()
		if err != nil {
			return agent.RosterDocument{}, err
		}
		return n.Document(), nil
	}
	var doc agent.RosterDocument
	err := a.withDesk(ctx, func(ctx context.Context, d agent.Desk) (err error) {
		doc, err = d.Roster(ctx)
		return err
	})
	return doc, err
}

func showNetwork(w io.Writer, doc agent.RosterDocument) {
	s := newSheet(w)
	s.value("network", doc.Network)
	s.value("id", doc.NetworkID)
	s.value("admins", fmt.Sprintf("%s (%d of %d must sign)", strings.Join(doc.Admins, ", "), doc.Threshold, len(doc.Admins)))
	s.value("statements", fmt.Sprint(doc.Statements))
	s.value("gateways", fmt.Sprint(len(gatewaysOf(doc))))
	s.value("people", fmt.Sprint(len(peopleOf(doc))))
	s.value("doubled", strings.Join(doc.Doubled, ", "))
	s.flush()
	showRosterTroubles(w, doc)
	if gateways := gatewaysOf(doc); len(gateways) > 0 {
		fmt.Fprintln(w)
		showGateways(w, gateways)
	}
	if people := peopleOf(doc); len(people) > 0 {
		fmt.Fprintln(w)
		showPeople(w, people)
	}
}
