package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/orderfile"
)

func (a *app) orderCommand() *cobra.Command {
	return a.group("order", "Issue work orders and show them", "",
		a.orderAdd(), a.orderCancel(), a.orderCheck(), a.orderShow(), a.orderList())
}

// readOrder reads an order file, "-" for standard input.
func (a *app) readOrder(name string) (orderfile.File, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return orderfile.File{}, fmt.Errorf("reading the order: %w", err)
		}
		defer f.Close() // only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, orderfile.MaxSize+1))
	if err != nil {
		return orderfile.File{}, fmt.Errorf("reading the order: %w", err)
	}
	f, err := orderfile.Read(name, text)
	var wrong *orderfile.Error
	if errors.As(err, &wrong) {
		return orderfile.File{}, hintf(err, "mend the file there; traveler order check FILE reads it without a gateway")
	}
	return f, err
}

func (a *app) orderAdd() *cobra.Command {
	var key, replaces, cancel string
	c := a.command("add [FILE] --key PLANNERKEY", "Issue a work order",
		`Read a work order (TOML; - is standard input), check its routing, sign it with a
planner's key and have the gateway seal it. An order is never changed: a new one
replaces it, and items under way keep the order that they began with.`,
		func(ctx context.Context, args []string) error {
			switch {
			case cancel != "" && (len(args) > 0 || replaces != ""):
				return usage(hintf(errors.New("--cancel goes with neither FILE nor --replaces"), "cancel first, then add, or add with --replaces"))
			case cancel != "":
				return a.cancelOrder(ctx, cancel, key)
			case len(args) == 0:
				return usage(hintf(errors.New("no order file is named"), "traveler order add FILE --key PLANNERKEY"))
			}
			return a.addOrder(ctx, args[0], replaces, key)
		})
	c.Example = "  traveler order add wo-2041.toml --key people/pat.key\n  traveler order add wo-2042.toml --replaces WO-2041 --key people/pat.key"
	c.Flags().StringVar(&key, "key", "", "file of a planner's key")
	c.Flags().StringVar(&replaces, "replaces", "", "id of the order that this one takes the place of")
	c.Flags().StringVar(&cancel, "cancel", "", "id of an order to cancel, in place of FILE; see order cancel")
	_ = c.MarkFlagRequired("key") // the flag is defined above
	return c
}

func (a *app) orderCancel() *cobra.Command {
	var key string
	c := a.command("cancel ID --key PLANNERKEY", "Cancel a work order",
		"Cancel a work order: no new items are taken in for it. Items under way stay as they are until quality rules on them.", func(ctx context.Context, args []string) error { return a.cancelOrder(ctx, args[0], key) })
	c.Flags().StringVar(&key, "key", "", "file of a planner's key")
	_ = c.MarkFlagRequired("key") // the flag is defined above
	return c
}

// issued is what order add and order cancel print for programs.
type issued struct {
	agent.Receipt
	Order    string `json:"order"`
	Replaces string `json:"replaces,omitempty"`
}

func (a *app) addOrder(ctx context.Context, file, replaces, key string) error {
	f, err := a.readOrder(file)
	if err != nil {
		return err
	}
	if replaces != "" {
		f.Replaces, f.Order.Replaces = replaces, ledger.TxID{}
	}
	return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
		if f.Replaces != "" {
			old, err := d.Order(ctx, f.Replaces)
			if err != nil {
				return fmt.Errorf("what is to be replaced: %w", explainOrder(f.Replaces, err))
			}
			f.Order.Replaces = old.Tx
		}
		if err := checkNewOrder(ctx, d, f.Order); err != nil {
			return err
		}
		receipt, err := a.submit(ctx, d, key, ledger.RolePlanner, ledger.Tx{Body: f.Order})
		if err != nil {
			return err
		}
		return a.print(issued{receipt, f.Order.ID, f.Replaces}, func(w io.Writer) {
			fmt.Fprintf(w, "order %s is issued: %s\n", f.Order.ID, receiptLine(receipt))
		})
	})
}

// explainOrder says what to do about an order that cannot be had.
func explainOrder(name string, err error) error {
	err = naming("order", name, err)
	if errors.Is(err, agent.ErrNotFound) {
		return hintf(err, "traveler order list shows the orders that this gateway knows")
	}
	return err
}

// checkNewOrder refuses a second order of an id that is in force: stations that
// look for the id could not tell which is meant.
func checkNewOrder(ctx context.Context, d agent.Desk, o ledger.Order) error {
	old, err := d.Order(ctx, o.ID)
	switch {
	case errors.Is(err, agent.ErrNotFound):
		return nil
	case err != nil:
		return err
	case old.ID != o.ID || old.Cancelled || old.ReplacedBy != "" || old.Tx == o.Replaces:
		return nil
	}
	return hintf(fmt.Errorf("%w: order %s is in force already (transaction %s)", agent.ErrConflict, o.ID, old.Tx.Short()),
		"add --replaces %s, or give the new order another id", o.ID)
}

func (a *app) cancelOrder(ctx context.Context, id, key string) error {
	return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
		old, err := d.Order(ctx, id)
		if err != nil {
			return explainOrder(id, err)
		}
		if old.Cancelled {
			return hintf(fmt.Errorf("%w: order %s is cancelled already", agent.ErrConflict, old.ID), "nothing is left to do")
		}
		receipt, err := a.submit(ctx, d, key, ledger.RolePlanner, ledger.Tx{
			Body: ledger.Order{ID: old.ID, Product: old.Product, Replaces: old.Tx, Cancelled: 1},
		})
		if err != nil {
			return err
		}
		return a.print(issued{receipt, old.ID, ""}, func(w io.Writer) {
			fmt.Fprintf(w, "order %s is cancelled: %s\n", old.ID, receiptLine(receipt))
			if old.Items > 0 {
				fmt.Fprintf(w, "%s for it: traveler item list shows where they are\n", count(int64(old.Items), "item"))
			}
		})
	})
}

// checkedOrder is what order check prints for programs.
type checkedOrder struct {
	File     string       `json:"file"`
	Order    ledger.Order `json:"order"`
	Replaces string       `json:"replaces,omitempty"`
}

func (a *app) orderCheck() *cobra.Command {
	return a.command("check FILE", "Check an order file without a gateway", "",
		func(_ context.Context, args []string) error {
			f, err := a.readOrder(args[0])
			if err != nil {
				return err
			}
			return a.print(checkedOrder{args[0], f.Order, f.Replaces}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: ok: order %s, product %s, %s\n\n", args[0], f.Order.ID, f.Order.Product, count(int64(len(f.Order.Routing)), "operation"))
				showRouting(w, f.Order.Routing)
			})
		})
}

func (a *app) orderShow() *cobra.Command {
	return a.command("show ID", "Show a work order and its routing", "",
		func(ctx context.Context, args []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				o, err := d.Order(ctx, args[0])
				if err != nil {
					return explainOrder(args[0], err)
				}
				return a.print(o, func(w io.Writer) { showOrder(w, o) })
			})
		})
}

func showOrder(w io.Writer, o agent.OrderDocument) {
	s := newSheet(w)
	s.value("order", o.ID)
	s.value("product", o.Product)
	s.value("design", o.Order.Design)
	if !o.Order.Document.IsZero() {
		s.value("document", o.Order.Document.String())
	}
	if o.Quantity > 0 {
		s.value("quantity", fmt.Sprint(o.Quantity))
	}
	s.value("items", fmt.Sprint(o.Items))
	s.value("planner", o.Planner)
	s.value("state", orderState(o))
	s.value("transaction", o.Tx.String())
	s.flush()
	if len(o.Order.Routing) > 0 {
		fmt.Fprintln(w)
		showRouting(w, o.Order.Routing)
	}
}

func orderState(o agent.OrderDocument) string {
	switch {
	case o.Cancelled:
		return "cancelled"
	case o.ReplacedBy != "":
		return "replaced by " + o.ReplacedBy
	}
	return "in force"
}

func showRouting(w io.Writer, routing []ledger.Operation) {
	t := newTable(w, "OPERATION", "TASK", "PLACE", "NEEDS", "INPUTS", "LIMITS")
	for _, op := range routing {
		t.row(op.ID, op.Task, op.Place, orDash(op.Needs), orDash(inputs(op)), orDash(limits(op)))
	}
	t.flush()
}

func inputs(op ledger.Operation) []string {
	var all []string
	for _, in := range op.Inputs {
		all = append(all, fmt.Sprintf("%d %s", in.Count, in.Product))
	}
	return all
}

func limits(op ledger.Operation) []string {
	var all []string
	for _, l := range op.Limits {
		all = append(all, fmt.Sprintf("%s %s…%s %s, else %s", l.Name,
			ledger.FormatDecimal(l.Min, int(l.Exponent)), ledger.FormatDecimal(l.Max, int(l.Exponent)), l.Unit, strings.ReplaceAll(l.OnFail.String(), "-", " ")))
	}
	return all
}

func (a *app) orderList() *cobra.Command {
	return a.command("list", "List work orders", "",
		func(ctx context.Context, _ []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				orders, err := d.Orders(ctx)
				if err != nil {
					return err
				}
				return a.print(list(orders), func(w io.Writer) {
					if len(orders) == 0 {
						fmt.Fprintln(w, "no orders yet")
						return
					}
					t := newTable(w, "ORDER", "PRODUCT", "QUANTITY", "ITEMS", "PLANNER", "STATE")
					for _, o := range orders {
						quantity := "-"
						if o.Quantity > 0 {
							quantity = fmt.Sprint(o.Quantity)
						}
						t.row(o.ID, o.Product, quantity, fmt.Sprint(o.Items), o.Planner, orderState(o))
					}
					t.flush()
				})
			})
		})
}
