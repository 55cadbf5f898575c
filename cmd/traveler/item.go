package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) itemCommand() *cobra.Command {
	return a.group("item", "Show items, correct and rule on them",
		"Show items and rule on them. An item is named by its id or the beginning of it, by its printed id, or by its tag.",
		a.itemShow(), a.itemList(), a.itemDispose(), a.itemWithdraw(), a.itemAmend(), a.itemBind())
}

func (a *app) itemShow() *cobra.Command {
	return a.command("show ID | TAG | LABEL", "Show the traveler of an item: its whole signed history", "",
		func(ctx context.Context, args []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				it, err := d.Item(ctx, args[0])
				if err != nil {
					return explainItem(args[0], err)
				}
				return a.print(it, func(w io.Writer) { showItem(w, it) })
			})
		})
}

// explainItem says what to do about an item that cannot be named so.
func explainItem(name string, err error) error {
	err = naming("item", name, err)
	switch {
	case errors.Is(err, agent.ErrNotFound):
		return hintf(err, "traveler item list shows the items that this gateway knows; traveler peers whether it is behind")
	case errors.Is(err, agent.ErrAmbiguous):
		return hintf(err, "give more of the id: traveler item list shows the ids")
	}
	return err
}

// showItem prints the sheet that went with the item, in the order of its life.
func showItem(w io.Writer, it agent.ItemDocument) {
	fmt.Fprintf(w, "TRAVELER %s\n\n", it.Label)
	s := newSheet(w)
	s.value("item", it.ID.String())
	s.value("product", it.Product)
	s.value("order", it.Order)
	s.value("lot", it.Lot)
	s.value("tags", strings.Join(it.Tags, ", "))
	s.value("state", it.State)
	s.value("where", strings.Join(it.Where, " or "))
	s.value("part of", it.Into)
	s.value("parts", strings.Join(it.Parts, ", "))
	if it.RestsRevoked {
		s.value("note", "rests on a revoked block: quality must rule")
	}
	s.value("by a note", it.OnNote)
	s.flush()
	if len(it.Heads) > 1 {
		showHeads(w, it.Heads)
	}
	showHistory(w, it.History)
}

func showHeads(w io.Writer, heads []agent.HeadLine) {
	fmt.Fprintf(w, "\nIN CONFLICT: %d histories; quality rules which goes on\n", len(heads))
	t := newTable(w, "HEAD", "KIND", "AUTHOR", "STATE")
	for _, h := range heads {
		t.row(h.Tx.Short(), h.Kind, h.Author, h.State)
	}
	t.flush()
}

func showHistory(w io.Writer, history []agent.EntryLine) {
	if len(history) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "TIME", "STATION", "WHAT", "BY", "STATUS", "TX")
	unsynchronised := false
	for _, e := range history {
		unsynchronised = unsynchronised || e.Clock != clockSynchronised
		by := e.Author
		if len(e.Operators) > 0 {
			by += " (" + strings.Join(e.Operators, ", ") + ")"
		}
		status := e.Status
		if e.Reason != "" {
			status += ": " + e.Reason
		}
		t.row(stamped(e.Time, e.Clock), orDash(nonEmpty(e.Station)), e.What, by, status, e.Tx.Short())
	}
	t.flush()
	if unsynchronised {
		fmt.Fprintln(w, legendClock)
	}
}

// nonEmpty is the words that say something.
func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

// phases are what items are listed by; held is nonconforming or in conflict.
var phases = []string{"expected", "in-work", "nonconforming", "finished", "scrapped", "consumed", "in-conflict", "held"}

func (a *app) itemList() *cobra.Command {
	var q agent.ItemQuery
	c := a.command("list", "List items", "",
		func(ctx context.Context, _ []string) error {
			if q.Phase != "" && !slices.Contains(phases, q.Phase) {
				return usage(hintf(fmt.Errorf("--phase %q is no phase of an item", q.Phase), "one of %s", strings.Join(phases, ", ")))
			}
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				items, err := d.Items(ctx, q)
				if err != nil {
					return err
				}
				return a.print(list(items), func(w io.Writer) { showItems(w, items, q) })
			})
		})
	c.Flags().StringVar(&q.Phase, "phase", "", "only items in this phase: "+strings.Join(phases, ", "))
	c.Flags().IntVar(&q.Limit, "limit", 100, "most lines, 1 to 1000")
	c.Flags().StringVar(&q.After, "after", "", "go on after this item id, the last of the page before")
	return c
}

func showItems(w io.Writer, items []agent.ItemLine, q agent.ItemQuery) {
	if len(items) == 0 {
		fmt.Fprintln(w, "no such items")
		return
	}
	t := newTable(w, "ITEM", "LABEL", "PRODUCT", "ORDER", "STATE", "WHERE")
	for _, it := range items {
		t.row(it.ID.Short(), it.Label, it.Product, orDash(nonEmpty(it.Order)), it.State, strings.Join(it.Where, ", "))
	}
	t.flush()
	if len(items) == q.Limit {
		fmt.Fprintf(w, "there may be more: --after %s\n", items[len(items)-1].ID)
	}
}

// rulings are those of a disposition, in the CLI's spelling.
var rulings = []ledger.Ruling{ledger.ReworkAt, ledger.ReturnTo, ledger.ContinueAt, ledger.UseAsIs, ledger.Scrap}

func rulingNames() string {
	words := make([]string, len(rulings))
	for i, r := range rulings {
		words[i] = r.String()
	}
	return strings.Join(words, ", ")
}

// ruling is quality's word as the command line has it.
type ruling struct {
	word, operation, task, place, order, reason, key string
}

func (a *app) itemDispose() *cobra.Command {
	var r ruling
	c := a.command("dispose ITEM --ruling RULING --reason TEXT --key QUALITYKEY", "Rule on an item in any state",
		`Rule on an item: what is nonconforming, in conflict or in the wrong hands goes on
as quality says. The disposition continues every head of the item, so it also
ends a conflict.

  rework-at, return-to, continue-at   do --operation (again); task and place come
                                      from the item's order unless they are given
  use-as-is                           go on as its last report offered
  scrap                               it ends here`, func(ctx context.Context, args []string) error { return a.dispose(ctx, args[0], r) })
	c.Example = `  traveler item dispose BR-0007 --ruling rework-at --operation drill --reason "burr at hole 3" --key people/quinn.key
  traveler item dispose BR-0009 --ruling scrap --reason "cracked" --key people/quinn.key`
	flags := c.Flags()
	flags.StringVar(&r.word, "ruling", "", "one of "+rulingNames())
	flags.StringVar(&r.operation, "operation", "", "operation that is to be done")
	flags.StringVar(&r.task, "task", "", "task of that operation (default: the order's)")
	flags.StringVar(&r.place, "place", "", "station or work centre (default: the order's)")
	flags.StringVar(&r.order, "order", "", "id of the order that the item follows from now on")
	flags.StringVar(&r.reason, "reason", "", "why")
	flags.StringVar(&r.key, "key", "", "file of a key with the role quality")
	for _, name := range []string{"ruling", "reason", "key"} {
		_ = c.MarkFlagRequired(name) // the flags are defined above
	}
	return c
}

// disposed is what item dispose and item withdraw print for programs.
type disposed struct {
	agent.Receipt
	Item  ledger.ItemID `json:"item"`
	Label string        `json:"label"`
	State string        `json:"state"` // before
}

func (a *app) dispose(ctx context.Context, item string, r ruling) error {
	body, err := r.body()
	if err != nil {
		return err
	}
	return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
		heads, err := d.Rule(ctx, item)
		if err != nil {
			return explainItem(item, err)
		}
		if err := r.complete(ctx, d, heads.Item, &body); err != nil {
			return err
		}
		receipt, err := a.submit(ctx, d, r.key, ledger.RoleQuality, ledger.Tx{Item: heads.Item, After: heads.Heads, Body: body})
		if err != nil {
			return err
		}
		return a.print(disposed{receipt, heads.Item, heads.Label, heads.State}, func(w io.Writer) {
			fmt.Fprintf(w, "%s, which was %s: %s\n%s\n", heads.Label, heads.State, describeRuling(body), receiptLine(receipt))
		})
	})
}

// body is the disposition as far as the command line has it.
func (r ruling) body() (ledger.Disposition, error) {
	i := slices.IndexFunc(rulings, func(x ledger.Ruling) bool { return x.String() == r.word })
	if i < 0 {
		return ledger.Disposition{}, usage(hintf(fmt.Errorf("--ruling %q is no ruling", r.word), "one of %s", rulingNames()))
	}
	d := ledger.Disposition{Ruling: rulings[i], Operation: r.operation, Task: r.task, Place: r.place, Reason: r.reason}
	moves := d.Ruling == ledger.ReworkAt || d.Ruling == ledger.ReturnTo || d.Ruling == ledger.ContinueAt
	switch {
	case moves && r.operation == "":
		return d, usage(hintf(fmt.Errorf("--ruling %s needs an operation", r.word), "add --operation; traveler order show ID lists them"))
	case !moves && r.operation+r.task+r.place != "":
		return d, usage(hintf(fmt.Errorf("--ruling %s takes no operation, task or place", r.word), "leave them out, or rule rework-at, return-to or continue-at"))
	}
	return d, nil
}

// complete looks up the order named, and what the order says of the operation
// where the command line says nothing.
func (r ruling) complete(ctx context.Context, d agent.Desk, item ledger.ItemID, body *ledger.Disposition) error {
	name := r.order
	if body.Operation != "" && (body.Task == "" || body.Place == "") && name == "" {
		it, err := d.Item(ctx, item.String())
		if err != nil {
			return explainItem(item.Short(), err)
		}
		name = it.Order
	}
	if name == "" {
		return nil
	}
	order, err := d.Order(ctx, name)
	if err != nil {
		return hintf(naming("order", name, err), "traveler order list shows the orders; without its order name --task and --place")
	}
	if r.order != "" {
		body.Order = order.Tx
	}
	if body.Operation == "" {
		return nil
	}
	i := slices.IndexFunc(order.Order.Routing, func(op ledger.Operation) bool { return op.ID == body.Operation })
	if i < 0 {
		return hintf(fmt.Errorf("order %s has no operation %q: %w", order.ID, body.Operation, agent.ErrNotFound), "traveler order show %s lists them", order.ID)
	}
	op := order.Order.Routing[i]
	if body.Task == "" {
		body.Task = op.Task
	}
	if body.Place == "" {
		body.Place = op.Place
	}
	return nil
}

func describeRuling(d ledger.Disposition) string {
	words := strings.ReplaceAll(d.Ruling.String(), "-", " ")
	if d.Operation != "" {
		words += fmt.Sprintf(" %s: %s (%s)", d.Place, d.Operation, d.Task)
	}
	return words + ", because: " + d.Reason
}

func (a *app) itemWithdraw() *cobra.Command {
	var reason string
	c := a.command("withdraw ITEM --reason TEXT", "Have the gateway take back its own last word on an item",
		"Have the gateway that is asked take back its own last report or acceptance, if nobody has continued it.",
		func(ctx context.Context, args []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				receipt, err := d.Withdraw(ctx, args[0], reason)
				if err != nil {
					return explainItem(args[0], err)
				}
				return a.print(receipt, func(w io.Writer) {
					fmt.Fprintf(w, "the last word on %s is taken back: %s\n", args[0], receiptLine(receipt))
				})
			})
		})
	c.Flags().StringVar(&reason, "reason", "", "why")
	_ = c.MarkFlagRequired("reason") // the flag is defined above
	return c
}
