package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/agent/line"
)

// demoFlags are what a demo was asked for.
type demoFlags struct {
	items     int
	faults    string
	readers   string
	seed      uint64
	keep      bool
	exit      bool
	travelerd string
}

// demoFaults is what happens in a demo unless somebody says otherwise.
const demoFaults = line.FaultWrongStation + "," + line.FaultBadWeight + "," + line.FaultBrokerLoss

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	c := a.command("demo", "A line of seven stations on this machine", `demo runs the main job on one machine: seven stations, each a travelerd of its
own with its key, profile, replica and an emulated reader on a pseudo-terminal.
People are played: they carry housings, pins and covers from intake to the dock.
At the end every replica is verified and compared, and every light that claimed a
record is looked for in the replica of another gateway.

Exit code 1 tells that anything fell short.`, func(ctx context.Context, _ []string) error {
		return a.demo(ctx, f)
	})
	flags := c.Flags()
	flags.IntVar(&f.items, "items", 12, "pieces taken in, parts included: a multiple of 3")
	flags.StringVar(&f.faults, "fault", demoFaults, "what goes wrong: "+strings.Join(line.AllFaults(), ",")+`, or ""`)
	flags.StringVar(&f.readers, "readers", line.ReaderPN532, "readers of the stations, in turn: "+strings.Join(line.ReaderKinds(), ","))
	flags.Uint64Var(&f.seed, "seed", 1, "what people choose follows from it")
	flags.BoolVar(&f.keep, "keep", false, "leave the line running until Ctrl-C")
	flags.BoolVar(&f.exit, "exit-when-done", false, "end when the work is done, as without --keep")
	flags.StringVar(&f.travelerd, "travelerd", "", "path of travelerd (default: beside this program, or in PATH)")
	c.MarkFlagsMutuallyExclusive("keep", "exit-when-done")
	return c
}

// demo runs a line and tells what came of it.
func (a *app) demo(ctx context.Context, f demoFlags) error {
	faults, err := line.ParseFaults(f.faults)
	if err != nil {
		return usage(hintf(err, "give a list divided by commas, such as --fault kill,broker-loss"))
	}
	readers, err := line.ParseReaders(f.readers)
	if err != nil {
		return usage(hintf(err, "give a list divided by commas, such as --readers pn532,ascii125,m100"))
	}
	if f.travelerd == "" {
		if f.travelerd, err = line.FindDaemon(); err != nil {
			return hintf(err, "make build puts both programs into bin/; or name it: --travelerd PATH")
		}
	}
	dir, made, err := a.demoDir()
	if err != nil {
		return err
	}
	show := newDemoScreen(a)
	cfg := line.RunConfig{
		Line: line.Config{Dir: dir, Daemon: f.travelerd, Readers: readers, OnLight: show.light}, Items: f.items, Faults: faults, Seed: f.seed,
		Phase: show.phase, Ready: show.begin,
	}
	if f.keep {
		cfg.Keep = func(ctx context.Context, l *line.Line) { a.demoKept(ctx, show, l) }
	}
	report, err := line.Run(ctx, cfg)
	show.end()
	switch {
	case errors.Is(err, line.ErrPlan):
		return usage(errors.Join(err, discard(made, dir)))
	case errors.Is(err, context.Canceled):
		return err
	}
	if a.json && report.Stations > 0 {
		if jerr := a.printJSONLine(report); jerr != nil {
			return jerr
		}
		if err == nil {
			return discard(made, dir)
		}
	} else if report.Stations > 0 {
		a.demoSummary(report, dir, show.sample)
	}
	return hintf(err, "the journals are in %s", filepath.Join(dir, agent.BoardsName, "*", "journal.log"))
}

// demoDir is the directory of the demo: the one that was named, or a new one.
func (a *app) demoDir() (dir string, made bool, err error) {
	if a.dir != "" {
		dir, err = filepath.Abs(a.dir)
		return dir, false, err
	}
	dir, err = os.MkdirTemp("", "traveler-demo-")
	return dir, true, err
}

// discard removes a directory that the demo made for itself.
func discard(made bool, dir string) error {
	if !made {
		return nil
	}
	return os.RemoveAll(dir)
}

// demoSummary tells people what a demo came to and what to try next.
func (a *app) demoSummary(r line.Report, dir, sample string) {
	s := newSheet(a.out)
	fmt.Fprintln(a.out)
	s.value("items", fmt.Sprintf("%d taken in: %d finished, %d consumed, %d scrapped", r.Items, r.Finished, r.Consumed, r.Scrapped))
	s.value("on the way", fmt.Sprintf("%d returned for rework, %d scans at a wrong station", r.Returned, r.Misrouted))
	s.value("ledger", fmt.Sprintf("%d transactions in %d blocks, %d confirmed on every replica", r.Transactions, r.Blocks, r.Confirmed))
	s.value("replicas", fmt.Sprintf("equal: %v, verify: %s", r.ReplicasEqual, r.Verify))
	s.value("lights", fmt.Sprintf("%d seen, %d of them without a record in another gateway's replica", r.LightsSeen, r.LightsMissing))
	s.value("scan to light", fmt.Sprintf("%.1f ms half of the time, %.1f ms at most but for one in a hundred", r.ScanToLight.P50, r.ScanToLight.P99))
	if r.OnTags > 0 {
		s.value("over tags", fmt.Sprintf("%d times an item went on by the note on its tag, %d of them matched by its report", r.OnTags, r.OnTagsMatched))
	}
	for _, f := range r.Faults {
		s.value(f.Kind, f.Station+": "+f.Effect)
	}
	s.flush()
	packing := filepath.Join(dir, agent.BoardsName, line.Packing)
	fmt.Fprintln(a.out, "\nTry next:")
	commands := []string{"item list --dir " + packing, "ledger verify --dir " + packing, "network show --dir " + dir}
	if sample != "" {
		commands = append(commands, "item show "+sample+" --dir "+packing)
	}
	for _, command := range commands {
		fmt.Fprintf(a.out, "  %s %s\n", os.Args[0], command)
	}
}

// demoKept tells how to talk to the line and waits for Ctrl-C.
func (a *app) demoKept(ctx context.Context, show *demoScreen, l *line.Line) {
	show.end()
	fmt.Fprintln(a.out, "\nThe line is running. Talk to it from another terminal:")
	for _, command := range []string{"status", "peers", "item list", "order list"} {
		fmt.Fprintf(a.out, "  %s %s --socket %s\n", os.Args[0], command, l.Station(line.Packing).Socket())
	}
	fmt.Fprintln(a.out, "The directories of the gateways:")
	for _, s := range l.Stations() {
		fmt.Fprintf(a.out, "  %-14s %s\n", s.Gateway, s.Dir())
	}
	fmt.Fprintf(a.out, "Ctrl-C ends it.\n")
	<-ctx.Done()
}
