package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"traveler.example/agent"
)

func (a *app) ledgerCommand() *cobra.Command {
	return a.group("ledger", "The auditor's and maintenance's view of the ledger", "",
		a.ledgerLog(), a.ledgerShow(), a.ledgerVerify(), a.ledgerRebuild(), a.ledgerForsake(), a.ledgerStats())
}

func (a *app) ledgerLog() *cobra.Command {
	var q agent.BlockQuery
	c := a.command("log", "List blocks by author and height", "",
		func(ctx context.Context, _ []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				blocks, err := d.Blocks(ctx, q)
				if err != nil {
					return err
				}
				return a.print(list(blocks), func(w io.Writer) { showBlocks(w, blocks, q) })
			})
		})
	c.Flags().StringVar(&q.Author, "author", "", "only blocks of this gateway: name or key")
	c.Flags().Uint64Var(&q.From, "from", 0, "first height")
	c.Flags().IntVar(&q.Limit, "limit", 100, "most lines, 1 to 1000")
	return c
}

func showBlocks(w io.Writer, blocks []agent.BlockLine, q agent.BlockQuery) {
	if len(blocks) == 0 {
		fmt.Fprintln(w, "no such blocks")
		return
	}
	t := newTable(w, "AUTHOR", "HEIGHT", "BLOCK", "TIME", "TXS", "STATUS", "NOTES")
	unsynchronised := false
	for _, b := range blocks {
		unsynchronised = unsynchronised || b.Clock != clockSynchronised
		t.row(b.Author, fmt.Sprint(b.Height), b.Hash.Short(), stamped(b.Time, b.Clock), fmt.Sprint(b.Txs), blockStatus(b),
			strings.Join(nonEmpty(yes(b.Joins, "joins a branch"), yes(!b.Counted, "does not count")), ", "))
	}
	t.flush()
	if unsynchronised {
		fmt.Fprintln(w, legendClock)
	}
	if len(blocks) == q.Limit {
		fmt.Fprintln(w, "there may be more: name an --author and go on --from a height, or raise --limit")
	}
}

func blockStatus(b agent.BlockLine) string {
	if b.Confirmed {
		return fmt.Sprintf("Confirmed %d of %d", b.Covered, b.Witnesses)
	}
	return fmt.Sprintf("Sealed, %d of %d", b.Covered, b.Witnesses)
}

func (a *app) ledgerShow() *cobra.Command {
	return a.command("show BLOCK | AUTHOR/HEIGHT | TRANSACTION", "Show a block or a transaction in full", "",
		func(ctx context.Context, args []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				b, err := d.Block(ctx, args[0])
				if err == nil {
					return a.print(b, func(w io.Writer) { showBlock(w, b) })
				}
				if !errors.Is(err, agent.ErrNotFound) {
					return naming("block", args[0], err)
				}
				t, err := d.Transaction(ctx, args[0])
				if errors.Is(err, agent.ErrNotFound) || errors.Is(err, agent.ErrRefused) { // not there, or nothing that can be
					return hintf(fmt.Errorf("no block and no transaction %s: %w", args[0], agent.ErrNotFound),
						"traveler ledger log lists blocks, traveler item show the transactions of an item")
				}
				if err != nil {
					return naming("transaction", args[0], err)
				}
				return a.print(t, func(w io.Writer) { showTx(w, t) })
			})
		})
}

func showBlock(w io.Writer, b agent.BlockDocument) {
	s := newSheet(w)
	s.value("block", b.Hash.String())
	s.value("author", b.Author)
	s.value("height", fmt.Sprint(b.Height))
	s.value("time", when(b.Time)+", clock "+b.Clock)
	s.value("status", strings.Join(nonEmpty(blockStatus(b.BlockLine), yes(!b.Counted, "does not count")), ", "))
	s.value("prev", b.Prev.String())
	if b.Also != nil {
		s.value("also", b.Also.String())
	}
	s.value("skip", b.Skip.String())
	s.value("root", b.Root.String())
	for _, h := range b.Roster {
		s.value("roster", h.String())
	}
	s.value("size", count(int64(b.Bytes), "byte"))
	s.flush()
	for _, t := range b.Body {
		fmt.Fprintln(w)
		showTx(w, t)
	}
}

func showTx(w io.Writer, t agent.TxDocument) {
	s := newSheet(w)
	s.value("transaction", t.ID.String())
	s.value("kind", t.Kind)
	s.value("sender", t.Sender+yes(t.Signed, ", signed apart from the block"))
	s.value("time", when(t.Time)+", clock "+t.Clock)
	if t.Item != nil {
		s.value("item", t.Item.String())
	}
	for _, id := range t.After {
		s.value("after", id.String())
	}
	for _, id := range t.About {
		s.value("about", id.String())
	}
	for _, p := range t.Places {
		status := p.Status
		if p.Reason != "" {
			status += ": " + p.Reason
		}
		s.value("sealed", fmt.Sprintf("%s, block %d (%s), place %d: %s", p.Author, p.Height, p.Block.Short(), p.Index, status))
	}
	s.flush()
	if text, err := json.MarshalIndent(t.Body, "", "  "); err == nil && t.Body != nil {
		fmt.Fprintf(w, "%s\n", text)
	}
}

func (a *app) ledgerStats() *cobra.Command {
	return a.command("stats", "Count what the ledger holds and foretell when the disk is full", "",
		func(ctx context.Context, _ []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				stats, err := d.Stats(ctx)
				if err != nil {
					return err
				}
				return a.print(stats, func(w io.Writer) { showStats(w, stats) })
			})
		})
}

func showStats(w io.Writer, st agent.StatsDocument) {
	s := newSheet(w)
	s.value("blocks", fmt.Sprint(st.Blocks))
	s.value("transactions", fmt.Sprintf("%d (%d void, %d waiting)", st.Transactions, st.Void, st.Waiting))
	s.value("pool", fmt.Sprint(st.Pool))
	s.value("statements", fmt.Sprint(st.Statements))
	for _, state := range slices.Sorted(maps.Keys(st.Items)) {
		s.value("items "+state, fmt.Sprint(st.Items[state]))
	}
	s.value("on disk", humanize.IBytes(uint64(max(st.Bytes, 0)))+", "+humanize.IBytes(uint64(max(st.FreeBytes, 0)))+" free")
	s.value("full in", forecast(st.DaysUntilFull))
	s.value("views", st.Views)
	s.flush()
	if len(st.Chains) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "CHAIN", "KEY", "HEIGHT", "CONFIRMED", "BLOCKS", "BRANCHES")
	for _, c := range st.Chains {
		t.row(c.Author, c.Key.Short(), fmt.Sprint(c.Height), fmt.Sprint(c.Confirmed), fmt.Sprint(c.Blocks), fmt.Sprint(c.Branches))
	}
	t.flush()
}

func forecast(days int64) string {
	if days < 0 {
		return "cannot be foretold yet"
	}
	return count(days, "day")
}
