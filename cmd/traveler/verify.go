package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// errFault: the ledger does not hold what it should.
var errFault = errors.New("ledger has a fault")

// verified is what ledger verify prints for programs.
type verified struct {
	Dir    string    `json:"dir"`
	OK     bool      `json:"ok"`
	Checks []checked `json:"checks"`
	Faults int       `json:"faults"`
	First  *checked  `json:"first_fault,omitempty"`
}

type checked struct {
	Check   string       `json:"check"`
	OK      bool         `json:"ok"`
	Detail  string       `json:"detail,omitempty"` // what was checked
	Fault   string       `json:"fault,omitempty"`
	Author  string       `json:"author,omitempty"` // name, else key
	Height  uint64       `json:"height,omitempty"`
	Through uint64       `json:"through,omitempty"` // last height, where it speaks of several
	Hash    *ledger.Hash `json:"hash,omitempty"`
}

func (c checked) String() string {
	what := c.Check
	if c.Author != "" {
		what += " of " + c.Author
	}
	switch {
	case c.Through > c.Height:
		what += fmt.Sprintf(" from height %d to %d", c.Height, c.Through)
	case c.Height > 0:
		what += fmt.Sprintf(" at height %d", c.Height)
	}
	if c.Hash != nil {
		what += " (" + c.Hash.Short() + ")"
	}
	if words := c.Fault + c.Detail; words != "" {
		what += ": " + words
	}
	return what
}

// gatewayDir is the gateway's directory that a command on the files themselves
// works on.
func (a *app) gatewayDir() (string, error) {
	if a.dir == "" {
		return "", usage(hintf(errors.New("no directory is named"), "add --dir DIR, the gateway's directory with %s and %s in it", agent.GenesisName, agent.DataName))
	}
	return a.dir, nil
}

func (a *app) ledgerVerify() *cobra.Command {
	return a.command("verify --dir DIR", "Check a ledger from genesis on",
		`Check every block, signature, link and view of a gateway's ledger, on a private
copy: the directory is not written to, and need not have been closed cleanly.
A line is printed for each check; the first fault is named and the exit code is 1.`, func(ctx context.Context, _ []string) error { return a.verifyLedger(ctx) })
}

func (a *app) verifyLedger(ctx context.Context) error {
	dir, err := a.gatewayDir()
	if err != nil {
		return err
	}
	g, err := agent.LoadGenesis(filepath.Join(dir, agent.GenesisName))
	if err != nil {
		return err
	}
	name := namesOf(g, filepath.Join(dir, agent.RosterName))
	doc := verified{Dir: dir, Checks: []checked{}}
	bar := a.progress("verifying " + dir)
	err = replica.Verify(ctx, filepath.Join(dir, agent.DataName), replica.Options{Genesis: g}, func(f replica.Finding) {
		c := checked{Check: f.Check, OK: f.Fault == "", Detail: f.Detail, Fault: f.Fault, Height: f.Height, Through: f.Through}
		if !f.Author.IsZero() {
			c.Author = name(f.Author)
		}
		if !f.Hash.IsZero() {
			c.Hash = &f.Hash
		}
		if doc.Checks = append(doc.Checks, c); !c.OK {
			if doc.Faults++; doc.First == nil {
				doc.First = &c
			}
		}
		if !a.json {
			bar.aside(func() { a.printCheck(c) })
		}
	})
	bar.end()
	return a.verdict(doc, err)
}

func (a *app) printCheck(c checked) {
	word := a.painted("ok   ", green)
	if !c.OK {
		word = a.painted("FAULT", red)
	}
	fmt.Fprintf(a.out, "%s  %s\n", word, c)
}

// verdict ends a verification: faults found are the outcome, and so is a
// verification that could not be carried through.
func (a *app) verdict(doc verified, err error) error {
	doc.OK = doc.Faults == 0 && err == nil
	if a.json {
		if perr := a.printJSON(doc); perr != nil {
			return perr
		}
	}
	const restore = "take the gateway out of service, keep a copy of the directory, and let a new one catch up from its peers"
	switch {
	case doc.First != nil:
		return hintf(fmt.Errorf("%w: %s: %s", errFault, doc.Dir, doc.First), restore)
	case errors.Is(err, replica.ErrDamaged):
		return hintf(fmt.Errorf("%w: %s: %w", errFault, doc.Dir, err), restore)
	case err != nil:
		return fmt.Errorf("verifying %s: %w", doc.Dir, err)
	}
	if !a.json {
		fmt.Fprintf(a.out, "%s: ok, %s\n", doc.Dir, count(int64(len(doc.Checks)), "check"))
	}
	return nil
}

// namesOf returns the name of a key as a roster directory has it, or the key's
// first digits: verification must not depend on the roster's files.
func namesOf(g ledger.Genesis, dir string) func(ledger.KeyID) string {
	register := ledger.NewRegister(g)
	if statements, err := agent.LoadStatements(g.Network(), dir); err == nil {
		_ = agent.AddStatements(register, statements) // what is missing only costs a name
	}
	roster := register.Current()
	return func(k ledger.KeyID) string {
		if who, ok := roster.Identity(k); ok {
			return who.Name
		}
		return k.Short()
	}
}

// rebuilt is what ledger rebuild prints for programs.
type rebuilt struct {
	Dir   string `json:"dir"`
	Views string `json:"views"`
}

func (a *app) ledgerRebuild() *cobra.Command {
	return a.command("rebuild --dir DIR", "Make a stopped gateway's views anew from its blocks",
		`Make the views (items, tags, orders …) of a stopped gateway anew from its blocks
and statements, which are not touched. This writes to the directory.`, func(ctx context.Context, _ []string) error { return a.rebuildLedger(ctx) })
}

func (a *app) rebuildLedger(ctx context.Context) (err error) {
	dir, err := a.gatewayDir()
	if err != nil {
		return err
	}
	g, err := agent.LoadGenesis(filepath.Join(dir, agent.GenesisName))
	if err != nil {
		return err
	}
	r, err := replica.Open(filepath.Join(dir, agent.DataName), replica.Options{Genesis: g})
	if err != nil {
		return fmt.Errorf("rebuilding %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bar := a.progress("rebuilding " + dir)
	err = r.Rebuild(ctx)
	bar.end()
	if err != nil {
		return fmt.Errorf("rebuilding %s: %w", dir, err)
	}
	views, err := r.DumpHash()
	if err != nil {
		return fmt.Errorf("rebuilding %s: %w", dir, err)
	}
	return a.print(rebuilt{dir, views}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: views made anew, hash %s\n", dir, views)
	})
}
