package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/agent/flash"
	profiles "traveler.example/firmware-profiles"
)

// flashFlags are the flags of flash.
type flashFlags struct {
	job    flash.Job
	batch  string
	dryRun bool
}

func (a *app) flashCommand() *cobra.Command {
	var f flashFlags
	c := a.command("flash [NAME] --root DIR", "Put a gateway onto the card of its board",
		`Write all that a board needs onto its card, mounted at the directory --root:
programs, profile, genesis, roster, key or ticket, certificates, units, device
rules, message catalog, and on a Raspberry Pi the lines of config.txt. They come
from the network's directory (--dir), as gateway add or gateway ticket left it.
Then everything is read back and compared.

Mount the boot partition below the root, where the board's system has it
(boot/firmware). A key on the card is never overwritten, nor is its ledger; a card
of another gateway is refused. Doing it again writes only what has changed.

The programs must fit the board. They are looked for beside this one and in
bin/linux-…, where make cross puts them, or --binary names travelerd.

A batch file has for each card

  [[board]]
  gateway = "G-DRILL-1"
  root    = "/media/cards/1"
  binary  = "bin/linux-arm64"   # may be left out`,
		func(ctx context.Context, args []string) error { return a.flash(ctx, f, args) })
	c.Example = `  traveler flash G-DRILL-1 --root /mnt --dry-run
  traveler flash G-DRILL-1 --root /mnt
  traveler flash --batch boards.toml`
	flags := c.Flags()
	flags.StringVar(&f.job.Root, "root", "", "`DIR` at which the card's root partition is mounted, or any directory with etc and usr")
	flags.StringVar(&f.job.Binary, "binary", "", "travelerd for the board, or the directory in which it lies")
	flags.StringVar(&f.batch, "batch", "", "`FILE` that lists many cards")
	flags.BoolVar(&f.dryRun, "dry-run", false, "list every file with size, mode and owner, and write nothing")
	return c
}

// jobs are the cards that the command line or the batch file names.
func (f flashFlags) jobs(args []string) ([]flash.Job, error) {
	switch {
	case f.batch != "" && (len(args) > 0 || f.job.Root != "" || f.job.Binary != ""):
		return nil, usage(hintf(errors.New("--batch is given together with a single card"), "the batch file names gateway, root and binary of each card"))
	case f.batch != "":
		return flash.ReadBatch(f.batch)
	case len(args) == 0:
		return nil, usage(hintf(errors.New("which gateway the card is for is not said"), "traveler flash NAME --root DIR; traveler gateway list shows the names"))
	case f.job.Root == "":
		return nil, usage(hintf(errors.New("where the card is mounted is not said"), "add --root DIR"))
	}
	f.job.Gateway = args[0]
	return []flash.Job{f.job}, nil
}

// card is a card with what is to be on it.
type card struct {
	job    flash.Job
	target *flash.Target
	plan   flash.Plan
	done   bool // written, read back and equal
}

// flash plans all cards before it writes the first: what is refused costs nothing.
func (a *app) flash(ctx context.Context, f flashFlags, args []string) (err error) {
	jobs, err := f.jobs(args)
	if err != nil {
		return err
	}
	n, err := a.openNetwork()
	if err != nil {
		return err
	}
	var cards []card
	defer func() {
		for _, c := range cards {
			err = errors.Join(err, c.target.Close())
		}
	}()
	var refused []error
	held := make(shelf)
	for _, j := range jobs {
		c, err := planCard(n, j, held)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		cards = append(cards, c)
	}
	if len(refused) > 0 {
		return firstHint(refused)
	}
	if f.dryRun {
		return a.print(flashedOf(cards, true), func(w io.Writer) { showPlans(w, cards) })
	}
	failed := a.writeCards(ctx, cards)
	perr := a.print(flashedOf(cards, false), func(w io.Writer) { showFlashed(w, cards) })
	return errors.Join(firstHint(failed), perr)
}

// shelf holds programs that were read: fifty cards take the same few.
type shelf map[[2]string][]flash.Program

func (s shelf) programs(arch profiles.Arch, binary string) ([]flash.Program, error) {
	want := [2]string{string(arch), binary}
	if held, ok := s[want]; ok {
		return held, nil
	}
	self, err := os.Executable()
	if err != nil && binary == "" {
		return nil, hintf(fmt.Errorf("finding this program: %w", err), "name travelerd with --binary")
	}
	found, err := flash.FindPrograms(arch, binary, self)
	if errors.Is(err, agent.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil, hintf(err, "build it (make cross), or name it with --binary")
	} else if err != nil {
		return nil, err
	}
	s[want] = found
	return found, nil
}

// planCard decides what is to be on one card.
func planCard(n *agent.Network, j flash.Job, held shelf) (card, error) {
	b, err := flash.Read(n, j.Gateway)
	if err != nil {
		return card{}, explainBoard(j.Gateway, err)
	}
	programs, err := held.programs(b.Profile.Boot.Arch, j.Binary)
	if err != nil {
		return card{}, err
	}
	t, err := flash.Open(j.Root)
	if err != nil {
		return card{}, err
	}
	p, err := t.Plan(b, programs)
	if err != nil {
		return card{}, errors.Join(explainCard(err), t.Close())
	}
	return card{job: j, target: t, plan: p}, nil
}

// explainBoard says what to do about a network's directory that has no whole board.
func explainBoard(name string, err error) error {
	var faults profiles.Faults
	switch {
	case errors.As(err, &faults):
		return hintf(err, "mend the profile; traveler profile check lists every fault")
	case errors.Is(err, agent.ErrNotFound):
		return hintf(err, "traveler gateway list shows the gateways; gateway add and gateway ticket prepare the directory of one")
	case errors.Is(err, agent.ErrConflict):
		return hintf(err, "traveler roster log tells what became of it; gateway replace, or a new gateway ticket, prepares another board")
	case errors.Is(err, agent.ErrCertificate):
		return hintf(err, "traveler network certificates gateway %s makes its certificate", name)
	}
	return err
}

// explainCard says what to do about a card that is not to be written.
func explainCard(err error) error {
	if errors.Is(err, agent.ErrConflict) {
		return hintf(err, "is it the right card? To use it for this gateway, write the system anew; traveler gateway replace puts a new board in the place of one")
	}
	return err
}

// firstHint is all errors as one, with the hint and the exit code of the first.
func firstHint(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	_, hint := judge(errs[0])
	return hintf(errors.Join(errs...), "%s", hint)
}

// writeCards writes and verifies one card after the other, and goes on after one that
// fails: the others have nothing to do with it.
func (a *app) writeCards(ctx context.Context, cards []card) (failed []error) {
	for i := range cards {
		c := &cards[i]
		bar := a.progress(fmt.Sprintf("card %d of %d: %s", i+1, len(cards), c.job.Gateway))
		err := c.target.Write(ctx, c.plan)
		if err == nil {
			err = c.target.Verify(ctx, c.plan)
		}
		bar.end()
		if c.done = err == nil; !c.done {
			failed = append(failed, fmt.Errorf("card of %s: %w", c.job.Gateway, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

// flashed is what flash prints for programs, for each card.
type flashed struct {
	Gateway string        `json:"gateway"`
	Station string        `json:"station"`
	Board   string        `json:"board"`
	Arch    string        `json:"arch,omitempty"`
	Key     string        `json:"key,omitempty"` // empty: the board makes it
	Root    string        `json:"root"`
	DryRun  bool          `json:"dry_run"`
	OK      bool          `json:"ok"`
	Bytes   int64         `json:"bytes"`
	Files   []flashedFile `json:"files"`
	Notes   []string      `json:"notes"`
}

type flashedFile struct {
	Path   string `json:"path"`
	Size   int    `json:"size"`
	Mode   string `json:"mode"`
	Owner  string `json:"owner"`
	Action string `json:"action"`
	Target string `json:"target,omitempty"` // of a link
}

func flashedOf(cards []card, dry bool) []flashed {
	all := []flashed{}
	for _, c := range cards {
		b := c.plan.Board
		d := flashed{
			Gateway: b.Name, Station: b.Profile.Work.Station, Board: b.Profile.BoardName, Arch: string(b.Profile.Boot.Arch), Key: keyWord(b, ""),
			Root: c.job.Root, DryRun: dry, OK: dry || c.done, Bytes: c.plan.Size(), Files: []flashedFile{}, Notes: list(c.plan.Notes),
		}
		for _, f := range c.plan.Files {
			d.Files = append(d.Files, flashedFile{f.Path, len(f.Text), modeWord(f), string(f.Owner), string(f.Action), f.Target})
		}
		all = append(all, d)
	}
	return all
}

// keyWord is the id of a board's key, or what stands for one that is not made yet.
func keyWord(b flash.Board, unmade string) string {
	if b.Ticketed() {
		return unmade
	}
	return b.Key.String()
}

// modeWord shows a mode as ls does; FAT has none.
func modeWord(f flash.File) string {
	switch {
	case f.Owner == flash.OwnerMount:
		return "-"
	case f.Mode&fs.ModeSymlink != 0:
		return "l" + strings.Repeat("rwx", 3)
	}
	return f.Mode.String()
}

// showPlans lists what would be written.
func showPlans(w io.Writer, cards []card) {
	for i, c := range cards {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "gateway %s onto %s\n", c.job.Gateway, c.job.Root)
		t := newTable(w, "FILE", "SIZE", "MODE", "OWNER", "IT IS")
		for _, f := range c.plan.Files {
			name := f.Path
			if f.Target != "" {
				name += " -> " + f.Target
			}
			t.row(name, fmt.Sprint(len(f.Text)), modeWord(f), string(f.Owner), string(f.Action))
		}
		t.flush()
		showNotes(w, c.plan.Notes)
		fmt.Fprintf(w, "%s, %s; nothing was written\n", count(int64(len(c.plan.Files)), "file"), humanize.IBytes(uint64(c.plan.Size())))
	}
}

func showNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
}

// showFlashed tells what was written, and what to write onto the boards' labels.
func showFlashed(w io.Writer, cards []card) {
	labels := newTable(w, "LABEL", "STATION", "BOARD", "KEY")
	shown := false
	for _, c := range cards {
		p := c.plan
		if !c.done {
			continue
		}
		shown = true
		fmt.Fprintf(w, "gateway %s is on %s: %d written, %d as they were, %d kept; all read back and compared (%s)\n", c.job.Gateway, c.job.Root,
			p.Count(flash.ActionNew)+p.Count(flash.ActionChange), p.Count(flash.ActionSame), p.Count(flash.ActionKeep), humanize.IBytes(uint64(p.Size())))
		showNotes(w, p.Notes)
		board := p.Board.Profile.BoardName
		if board == "" {
			board = "-"
		}
		labels.row(p.Board.Name, p.Board.Profile.Work.Station, board, keyWord(p.Board, "made at the first start"))
	}
	if !shown {
		return
	}
	fmt.Fprintln(w)
	labels.flush()
	fmt.Fprintln(w, "\nnext: unmount the card, put it into its board and switch the board on")
}
