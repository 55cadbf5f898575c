package dialogue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// order has the planner issue an order at a gateway; each line below is an
// operation: ID TASK at PLACE, then needs=, returns=, dwell=, signers=,
// consumed-by=, part=PRODUCT/COUNT and limits NAME=MIN..MAXUNIT[:set-aside].
func (s *scene) order(c *command) error {
	o := ledger.Order{ID: c.args[0], Product: c.option("product", "bracket"), Quantity: 1}
	for _, l := range c.body {
		op, err := operation(l)
		if err != nil {
			return err
		}
		o.Routing = append(o.Routing, op)
	}
	if old := c.option("replaces", ""); old != "" {
		tx, err := s.orderTx(s.where(c), old)
		if err != nil {
			return err
		}
		o.Replaces = tx.Tx
	}
	return s.submit(c, planner, ledger.Tx{Body: o})
}

func operation(text string) (ledger.Operation, error) {
	c, err := parseCommand(text, 0)
	if err != nil {
		return ledger.Operation{}, err
	}
	if len(c.args) != 3 || c.args[1] != "at" {
		return ledger.Operation{}, fmt.Errorf("operation %q: ID TASK at PLACE is needed", text)
	}
	op := ledger.Operation{ID: c.name, Task: c.args[0], Place: c.args[2], Needs: c.list("needs"), ConsumedBy: c.option("consumed-by", "")}
	returns, err1 := strconv.ParseUint(c.option("returns", "1"), 10, 4)
	signers, err2 := strconv.ParseUint(c.option("signers", "0"), 10, 4)
	dwell, err3 := duration("dwell", c.option("dwell", "0s"))
	if err := cmp.Or(err1, err2, err3); err != nil {
		return op, fmt.Errorf("operation %q: %w", text, err)
	}
	op.MaxReturns, op.Signers, op.Dwell = uint8(returns), uint8(signers), dwell.Milliseconds()
	for _, p := range c.list("part") {
		product, count, _ := strings.Cut(p, "/")
		n, err := strconv.ParseInt(cmp.Or(count, "1"), 10, 32)
		if err != nil {
			return op, fmt.Errorf("operation %q: %w", text, err)
		}
		op.Inputs = append(op.Inputs, ledger.Need{Product: product, Count: n})
	}
	for key, value := range c.options {
		if c.used[key] {
			continue
		}
		l, err := limit(key, c.option(key, value))
		if err != nil {
			return op, err
		}
		op.Limits = append(op.Limits, l)
	}
	slices.SortFunc(op.Limits, func(a, b ledger.Limit) int { return cmp.Compare(a.Name, b.Name) })
	return op, nil
}

func limit(name, text string) (ledger.Limit, error) {
	bounds, fails, _ := strings.Cut(text, ":")
	low, rest, _ := strings.Cut(bounds, "..")
	high, unit := splitUnit(rest)
	least, e1, err1 := ledger.ParseDecimal(low)
	most, e2, err2 := ledger.ParseDecimal(high)
	if err1 != nil || err2 != nil || unit == "" || e1 != e2 {
		return ledger.Limit{}, fmt.Errorf("limit %s=%q: MIN..MAXUNIT is needed, both with the same digits after the point", name, text)
	}
	l := ledger.Limit{Name: name, Min: least, Max: most, Exponent: e1, Unit: unit, OnFail: ledger.Return}
	if fails == "set-aside" {
		l.OnFail = ledger.SetAside
	}
	return l, nil
}

// orderTx finds an order by its printed id at a gateway.
func (s *scene) orderTx(at, id string) (o replica.WorkOrder, err error) {
	b, err := s.board(at)
	if err != nil {
		return o, err
	}
	err = b.replica.Read(func(v *replica.View) error {
		orders, err := v.OrderNamed(id)
		if err == nil && len(orders) == 0 {
			err = fmt.Errorf("no order is called %s at %s", id, b.place.name)
		}
		if err == nil {
			o = orders[0]
		}
		return err
	})
	return o, err
}

// cancel has the planner cancel an order.
func (s *scene) cancel(c *command) error {
	old, err := s.orderTx(s.where(c), c.args[0])
	if err != nil {
		return err
	}
	return s.submit(c, planner, ledger.Tx{Body: ledger.Order{ID: old.Order.ID, Product: old.Order.Product, Replaces: old.Tx, Cancelled: 1}})
}

// submit has somebody sign a transaction and hand it to a gateway.
func (s *scene) submit(c *command, who string, t ledger.Tx) error {
	b, err := s.running(s.where(c))
	if err != nil {
		return err
	}
	t.Time = time.Now().UnixMilli()
	if t, err = ledger.SignTx(s.genesis.Network(), t, identity(who)); err != nil {
		return err
	}
	err = s.await(func(ctx context.Context) error {
		_, err := b.life.agent.Desk().Submit(ctx, t.Raw())
		return err
	})
	return s.refusal(b, err)
}

// carry takes the signed order from a gateway (from=) to another, on a stick: the
// same transaction is sealed twice.
func (s *scene) carry(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	from := c.option("from", "")
	o, err := s.orderTx(from, c.args[1])
	if err != nil {
		return err
	}
	source, err := s.board(from)
	if err != nil {
		return err
	}
	var raw []byte
	err = source.replica.Read(func(v *replica.View) error {
		sealed, _, err := v.Tx(o.Tx)
		raw = sealed.Tx.Raw()
		return err
	})
	if err != nil {
		return err
	}
	return s.refusal(b, s.await(func(ctx context.Context) error {
		_, err := b.life.agent.Desk().Submit(ctx, raw)
		return err
	}))
}

var rulings = map[string]ledger.Ruling{
	"rework-at": ledger.ReworkAt, "return-to": ledger.ReturnTo, "continue-at": ledger.ContinueAt, "use-as-is": ledger.UseAsIs, "scrap": ledger.Scrap,
}

// dispose has quality rule on all heads of an item: to= is OPERATION/TASK/PLACE,
// order= the order that it follows from now on.
func (s *scene) dispose(c *command) error {
	b, err := s.running(s.where(c))
	if err != nil {
		return err
	}
	ruling, ok := rulings[c.args[1]]
	if !ok {
		return fmt.Errorf("%q is no ruling", c.args[1])
	}
	heads, err := b.life.agent.Desk().Rule(context.Background(), c.args[0])
	if err != nil {
		return err
	}
	d := ledger.Disposition{Ruling: ruling, Reason: c.args[2]}
	if to := strings.Split(c.option("to", ""), "/"); len(to) == 3 {
		d.Operation, d.Task, d.Place = to[0], to[1], to[2]
	}
	if id := c.option("order", ""); id != "" {
		o, err := s.orderTx(s.where(c), id)
		if err != nil {
			return err
		}
		d.Order = o.Tx
	}
	after := heads.Heads
	if first := c.option("first", ""); first != "" { // the head whose history goes on
		after, err = s.headFirst(b, heads.Item, first)
		if err != nil {
			return err
		}
	}
	return s.submit(c, c.option("by", quality), ledger.Tx{Item: heads.Item, After: after, Body: d})
}

// headFirst returns an item's heads, that of an author before the others.
func (s *scene) headFirst(b *board, item ledger.ItemID, author string) (after []ledger.TxID, err error) {
	err = b.replica.Read(func(v *replica.View) error {
		it, _, err := v.Item(item)
		for _, n := range it.Heads() {
			if s.words.name(n.Sender) == author {
				after = append([]ledger.TxID{n.Tx}, after...)
			} else {
				after = append(after, n.Tx)
			}
		}
		return err
	})
	return after, err
}

// bind has quality give an item a tag, in the place of those it had.
func (s *scene) bind(c *command) error {
	b, err := s.running(s.where(c))
	if err != nil {
		return err
	}
	heads, err := b.life.agent.Desk().Rule(context.Background(), c.args[0])
	if err != nil {
		return err
	}
	return s.submit(c, quality, ledger.Tx{Item: heads.Item, Body: ledger.Bind{Tags: []string{c.args[1]}, Supersedes: []ledger.TxID{heads.Item}}})
}

func (s *scene) withdraw(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	return s.refusal(b, s.await(func(ctx context.Context) error {
		_, err := b.life.agent.Desk().Withdraw(ctx, c.args[1], c.args[2])
		return err
	}))
}

// amend has a gateway give other values for its last report on an item.
func (s *scene) amend(c *command) error {
	b, err := s.running(c.args[0])
	if err != nil {
		return err
	}
	body := ledger.Amend{Reason: c.args[2]}
	if body.Measurements, err = measurements(c, "in"); err != nil {
		return err
	}
	return s.refusal(b, s.await(func(ctx context.Context) error {
		_, err := b.life.agent.Desk().Amend(ctx, c.args[1], body)
		return err
	}))
}
