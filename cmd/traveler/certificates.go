package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traveler.example/agent"
)

const day = 24 * time.Hour

func (a *app) certificatesCommand() *cobra.Command {
	return a.group("certificates", "Make and renew what encrypts the way to the brokers",
		`A network's own CA vouches for its brokers and gateways to each other. What a
broker's machine needs, with configuration and access list for Mosquitto, comes
to lie in DIR/certificates/brokers/NAME; what a board needs beside its key.`,
		a.certificatesInit(), a.certificatesBroker(), a.certificatesGateway(), a.certificatesRenew(), a.certificatesList())
}

// lifetimeFlag defines --days.
func lifetimeFlag(c *cobra.Command, usual time.Duration) *int {
	return c.Flags().Int("days", int(usual/day), "how many days new certificates hold")
}

// maxDays bounds --days: 50 years.
const maxDays = 50 * 365

func lifetime(days int) (time.Duration, error) {
	if days < 1 || days > maxDays {
		return 0, usage(hintf(fmt.Errorf("--days %d is no lifetime", days), "1 to %d", maxDays))
	}
	return time.Duration(days) * day, nil
}

func (a *app) certificatesInit() *cobra.Command {
	var keys *keyFlags
	var days *int
	c := a.command("init", "Make the network's CA, and certificates for its gateways",
		`Make a CA in DIR/certificates, and a certificate for each gateway that has been
let in; gateway add makes those of later ones. The CA's key is protected by a
passphrase unless --clear is given; it is needed here only.`,
		func(_ context.Context, _ []string) error {
			life, err := lifetime(*days)
			if err != nil {
				return err
			}
			form, err := keys.form(a)
			if err != nil {
				return err
			}
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			ca, err := n.FoundAuthority(a.now(), life, form)
			if err != nil {
				return err
			}
			if _, err := ca.IssueGateways(a.now(), 0); err != nil {
				return err
			}
			return a.listCertificates(n, "next: traveler network certificates broker NAME --host HOST --dir "+n.Dir)
		})
	days = lifetimeFlag(c, agent.CALifetime)
	keys = a.newKeyFlags(c, false)
	return c
}

// openAuthority is the CA of the network in --dir, and how long what it makes is to
// hold.
func (a *app) openAuthority(days int) (n *agent.Network, ca *agent.Authority, life time.Duration, err error) {
	if life, err = lifetime(days); err != nil {
		return nil, nil, 0, err
	}
	if n, err = a.openNetwork(); err != nil {
		return nil, nil, 0, err
	}
	ca, err = n.OpenAuthority()
	if errors.Is(err, fs.ErrNotExist) {
		err = hintf(err, "traveler network certificates init makes one")
	}
	return n, ca, life, err
}

func (a *app) certificatesBroker() *cobra.Command {
	var hosts []string
	var port uint16
	var installed string
	var days *int
	c := a.command("broker NAME --host HOST", "Prepare the machine of a broker",
		`Make key and certificate of a broker and write the configuration and access list
of its Mosquitto. Each gateway is let in by its certificate and may publish its
own topics only; gateways that are let in later need no change of the list.

Copy the files to the broker's machine and make key and list readable by
Mosquitto's user. Gateways name the broker by one of its hosts.`,
		func(_ context.Context, args []string) error {
			n, ca, life, err := a.openAuthority(*days)
			if err != nil {
				return err
			}
			if err := ca.IssueBroker(args[0], hosts, installed, port, a.now(), life); err != nil {
				return err
			}
			dir := filepath.Join(n.Dir, agent.CertificatesName, agent.BrokersName, args[0])
			return a.listCertificates(n, fmt.Sprintf("copy the files in %s to %s on the broker's machine; its include_dir or -c takes %s", dir, installed, agent.MosquittoName))
		})
	c.Example = "  traveler network certificates broker hall-1 --host broker.plant --host 10.0.0.5"
	c.Flags().StringArrayVar(&hosts, "host", nil, "name or address by which gateways reach it; may be given again")
	c.Flags().Uint16Var(&port, "port", agent.MosquittoPort, "port that it listens on")
	c.Flags().StringVar(&installed, "install-dir", agent.MosquittoDir, "directory of the files on the broker's machine")
	days = lifetimeFlag(c, agent.CertificateLifetime)
	_ = c.MarkFlagRequired("host") // the flag is defined above
	return c
}

func (a *app) certificatesGateway() *cobra.Command {
	var hosts []string
	var days *int
	c := a.command("gateway NAME", "Make the certificate of one gateway",
		`Make the certificate of a gateway, or a new one for the key that it has. gateway
add does it by itself once the network has a CA.`,
		func(_ context.Context, args []string) error {
			n, ca, life, err := a.openAuthority(*days)
			if err != nil {
				return err
			}
			if err := ca.IssueGateway(args[0], a.now(), life, hosts...); err != nil {
				return err
			}
			return a.listCertificates(n, "copy "+strings.Join([]string{agent.CACertName, agent.BoardCertName, agent.BoardCertKeyName}, ", ")+" in "+n.Board(args[0])+" to the board")
		})
	c.Flags().StringArrayVar(&hosts, "host", nil, "name or address of the broker that it serves itself; may be given again")
	days = lifetimeFlag(c, agent.CertificateLifetime)
	return c
}

func (a *app) certificatesRenew() *cobra.Command {
	var days *int
	c := a.command("renew [NAME]", "Renew certificates that expire within 30 days, or one",
		`Make new certificates for the keys that are there: of the broker or gateway NAME,
or of all whose certificate expires within 30 days. Copy the files to their
machines again, then systemctl reload travelerd on a board, and reload Mosquitto
on a broker's.`,
		func(_ context.Context, args []string) error {
			_, ca, life, err := a.openAuthority(*days)
			if err != nil {
				return err
			}
			renewed, err := ca.Renew(a.now(), life, args...)
			if err != nil {
				return err
			}
			return a.printCertificates(renewed, yes(len(renewed) == 0, "none expires within 30 days"))
		})
	days = lifetimeFlag(c, agent.CertificateLifetime)
	return c
}

func (a *app) certificatesList() *cobra.Command {
	return a.command("list", "List certificates and until when they hold", "",
		func(_ context.Context, _ []string) error {
			n, err := a.openNetwork()
			if err != nil {
				return err
			}
			return a.listCertificates(n, "")
		})
}

func (a *app) listCertificates(n *agent.Network, next string) error {
	all, err := n.Certificates(a.now())
	if errors.Is(err, fs.ErrNotExist) {
		return hintf(err, "traveler network certificates init makes a CA")
	}
	if err != nil {
		return err
	}
	return a.printCertificates(all, next)
}

func (a *app) printCertificates(all []agent.IssuedCertificate, next string) error {
	if all == nil {
		all = []agent.IssuedCertificate{}
	}
	return a.print(all, func(w io.Writer) {
		if len(all) > 0 {
			t := newTable(w)
			t.row("KIND", "NAME", "UNTIL", "DAYS", "STATE", "HOSTS", "FILE")
			for _, c := range all {
				t.row(c.Kind, orDash(nonEmpty(c.Name)), time.UnixMilli(c.Until).UTC().Format(time.DateOnly), fmt.Sprint(c.Days), c.State, orDash(c.Hosts), c.File)
			}
			t.flush()
		}
		if next != "" {
			fmt.Fprintln(w, next)
		}
	})
}

// certificateWords sums up a certificate of a running gateway.
func certificateWords(c agent.CertificateState) string {
	until := fmt.Sprintf("%s until %s", c.What, time.UnixMilli(c.Until).UTC().Format(time.DateOnly))
	switch c.State {
	case agent.CertificateExpired:
		return until + ", EXPIRED"
	case agent.CertificateExpiring:
		return fmt.Sprintf("%s, %d days left: renew it", until, c.Days)
	}
	return until
}
