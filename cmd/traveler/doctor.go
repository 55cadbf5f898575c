package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/agent/doctor"
	"traveler.example/drivers/board"
	profiles "traveler.example/firmware-profiles"
)

// defaultProfile is where the unit's daemon has its profile.
const defaultProfile = "/etc/traveler/profile.toml"

// errUnwell: the examination has findings that need a person.
var errUnwell = errors.New("this board needs a person")

func (a *app) doctorCommand() *cobra.Command {
	var file, root string
	c := a.command("doctor", "Find what is wrong with a board, and say the remedy",
		`Find what is wrong with this gateway's board: profile, firmware, ports and their
rights, readers and scale, clock, disk and card, daemon, broker and certificates,
roster and ledger. Each finding comes with its remedy; the exit code is 1 if one of
them needs a person.

It works without the daemon, too: then the readers and the scale of the profile are
greeted on their ports. With --root it looks at the files of a card that is mounted.
As root it sees more.`,
		func(ctx context.Context, _ []string) error {
			w := a.surroundings()
			if root != "" {
				w.Root, w.Live = root, false
			}
			facts, err := w.Gather(ctx, file, a.givenSocket())
			if err != nil {
				return err
			}
			report := doctor.Examine(facts)
			if err := a.print(report, func(out io.Writer) { a.showReport(out, report) }); err != nil || report.OK {
				return err
			}
			return unwell(report)
		})
	c.Flags().StringVar(&file, "profile", defaultProfile, "the gateway's profile")
	c.Flags().StringVar(&root, "root", "", "where the board's files are mounted; the running system is left alone")
	return c
}

// givenSocket is the control socket that was named; empty: that of the profile.
func (a *app) givenSocket() string {
	if a.socket == "" {
		return a.env("TRAVELER_SOCKET")
	}
	return a.socket
}

// probeWithin is how long each device has to answer, and one that does not to be found
// out.
const probeWithin = 8 * time.Second

// runningSystem is the board that this program runs on.
func runningSystem() doctor.World {
	w := doctor.System(version())
	w.Journal = func(ctx context.Context) ([]byte, error) {
		return exec.CommandContext(ctx, "journalctl", "-k", "-b", "-n", "20000", "-o", "json", "--no-pager", "--quiet").Output()
	}
	w.Probe = func(ctx context.Context, p profiles.Profile) ([]agent.Probed, error) {
		return agent.Probe(ctx, p, agent.Hardware{Board: new(board.Board)}, probeWithin)
	}
	return w
}

// unwell says how many findings need a person.
func unwell(r doctor.Report) error {
	var faults, warnings int64
	for _, f := range r.Findings() {
		switch f.Severity {
		case doctor.Fault:
			faults++
		case doctor.Warning:
			warnings++
		}
	}
	return hintf(fmt.Errorf("%w: %s, %s", errUnwell, count(faults, "fault"), count(warnings, "warning")),
		"do what stands beside each finding, the first first; then look again")
}

func (a *app) showReport(w io.Writer, r doctor.Report) {
	t := newTable(w)
	for _, c := range r.Checks {
		t.row(string(c.State), c.Name, c.Summary)
	}
	t.flush()
	for _, f := range r.Findings() {
		fmt.Fprintf(w, "\n%s  %s: %s\n", a.painted(strings.ToUpper(string(f.Severity)), paint[f.Severity]), f.Check, f.What)
		if f.Since != 0 {
			fmt.Fprintf(w, "  since   %s\n", when(f.Since))
		}
		fmt.Fprintf(w, "  remedy  %s\n", f.Remedy)
	}
}

// paint is the colour of a severity.
var paint = map[doctor.Severity]string{doctor.Fault: red, doctor.Warning: amber, doctor.Note: green}
