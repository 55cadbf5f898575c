package station_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"traveler.example/agent/station"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// step lets the machine take an event and does its effects, as the agent does.
func (g *gateway) step(e station.Event) {
	for queue := []station.Event{e}; len(queue) > 0; queue = queue[1:] {
		var effects []station.Effect
		g.durable = nil
		if sealed, is := queue[0].(station.Sealed); is && sealed.Outcome == station.Durable {
			e := g.asked[sealed.Serial]
			g.durable = &e
		}
		err := g.replica.Read(func(v *replica.View) error {
			effects = g.machine.Step(g.p.now, view{g, v}, queue[0])
			return nil
		})
		if err != nil {
			g.p.t.Fatal(err)
		}
		for _, effect := range effects {
			switch e := effect.(type) {
			case station.Append:
				if g.hold {
					g.held = append(g.held, e)
				} else {
					queue = append(queue, g.append(e))
				}
			case station.Show:
				g.show(e.Signal)
			case station.Weigh:
				g.weighs = append(g.weighs, e.Serial)
			case station.Log:
				g.logs = append(g.logs, e)
			}
		}
	}
}

func (g *gateway) show(s station.Signal) {
	if s.Recorded && (g.durable == nil || g.durable.Tag != s.Tag || len(g.durable.Proposals) != len(s.Decision.Propose)) {
		g.p.t.Fatalf("%s shows %q as recorded, which it is not", g.name, s.Text)
	}
	g.light = s
	g.shows = append(g.shows, s)
}

// append answers as the agent does.
func (g *gateway) append(e station.Append) station.Sealed {
	answer := station.Sealed{Serial: e.Serial, Outcome: station.Durable}
	txs, err := g.transactions(e.Proposals)
	if g.between != nil {
		g.between()
	}
	if err == nil {
		err = g.breaks
	}
	if err == nil {
		err = g.seal(replica.Batch{Txs: txs, Guard: g.guard(e)})
	}
	switch {
	case errors.Is(err, replica.ErrStale):
		answer.Outcome, answer.Detail = station.Stale, "other stations keep changing this item: scan it again"
	case err != nil:
		answer.Outcome, answer.Detail = station.Failed, err.Error()
	default:
		g.asked[e.Serial] = e
	}
	return answer
}

// release answers the appends that were held.
func (g *gateway) release() {
	for len(g.held) > 0 {
		e := g.held[0]
		g.held = g.held[1:]
		g.step(g.append(e))
	}
}

func (g *gateway) transactions(ps []ledger.Proposal) ([]ledger.Tx, error) {
	var txs []ledger.Tx
	var previous ledger.TxID
	for _, p := range ps {
		at, clock := g.replica.Stamp()
		t, err := ledger.NewTx(g.p.net, p.Tx(g.key, at, clock, previous))
		if err != nil {
			return nil, err
		}
		txs, previous = append(txs, t), t.ID()
	}
	return txs, nil
}

func (g *gateway) guard(e station.Append) func(*replica.View) error {
	return func(v *replica.View) error {
		open, _, err := v.Tag(e.Tag)
		if err == nil && !slices.EqualFunc(open, e.Open, func(it ledger.Item, id ledger.ItemID) bool { return it.ID == id }) {
			err = replica.ErrStale
		}
		return err
	}
}

func (g *gateway) seal(b replica.Batch) error {
	block, err := g.replica.Append(g.p.t.Context(), b)
	if err != nil {
		return err
	}
	g.blocks = append(g.blocks, block)
	for _, t := range b.Txs {
		g.p.sealed = append(g.p.sealed, inWords(t))
	}
	return nil
}

func inWords(t ledger.Tx) string {
	switch b := t.Body.(type) {
	case ledger.Intake:
		return "intake " + b.Label
	case ledger.Verdict:
		return b.Ruling.String() + " " + b.Operation
	case ledger.Report:
		s := "report " + b.Operation
		if b.Outcome == ledger.OutcomeFail {
			s += " failed"
		}
		if len(b.Inputs) > 0 {
			s += fmt.Sprintf(" with %d parts", len(b.Inputs))
		}
		if len(t.Operators) > 0 {
			s += " signed"
		}
		return s
	case ledger.Order:
		return "order " + b.ID
	}
	return t.Kind.String()
}

// view answers from one snapshot, as the agent's does.
type view struct {
	g *gateway
	v *replica.View
}

func (w view) Here() ledger.Here {
	here := w.g.here
	if as, ok := w.v.Roster().Assigned(w.g.key, here.Station); ok {
		here.WorkCentre, here.Intake = as.WorkCentre, as.Intake
	}
	return here
}

func (w view) Operator(name string) (ledger.KeyID, bool) {
	ids := w.v.Roster().Named(name)
	if len(ids) != 1 || !w.v.Roster().Has(ids[0].ID, ledger.RoleOperator) {
		return ledger.KeyID{}, false
	}
	return ids[0].ID, true
}

func (w view) Scan(tag string, note []byte) (ledger.Scan, error) {
	open, closed, err := w.v.Tag(tag)
	if err = cmp.Or(w.g.damage, err); err != nil {
		return ledger.Scan{}, err
	}
	inWork, err := w.v.InWorkAt(w.g.here.Station)
	if err != nil {
		return ledger.Scan{}, err
	}
	slices.SortStableFunc(inWork, func(a, b ledger.Item) int {
		ha, _ := a.Head()
		hb, _ := b.Head()
		return cmp.Compare(ha.Time, hb.Time)
	})
	return ledger.Scan{
		Tag: tag, Open: w.sheets(open), Closed: w.sheets(closed), InWorkHere: w.sheets(inWork), Intake: w.intake(), PeersKnown: true, Missing: w.g.missing,
	}, nil
}

func (w view) intake() *ledger.IntakeFor {
	if w.g.intake == nil {
		return nil
	}
	in := *w.g.intake
	if o, ok, _ := w.v.Order(w.g.p.orders[in.Order.ID]); ok {
		in.Order, in.OrderTx, in.Cancelled, in.ReplacedBy = o.Order, o.Tx, o.Cancelled, w.replaced(o)
	}
	return &in
}

func (w view) replaced(o replica.WorkOrder) string {
	if len(o.ReplacedBy) == 0 {
		return ""
	}
	by, _, _ := w.v.Order(o.ReplacedBy[0])
	return by.Order.ID
}

func (w view) sheets(items []ledger.Item) (out []ledger.Sheet) {
	for _, it := range items {
		s := ledger.Sheet{Item: it, OrderTx: it.OrderOf(it.HeadIDs[0])}
		if o, ok, _ := w.v.Order(s.OrderTx); ok {
			s.Order, s.OrderCancelled, s.ReplacedBy = o.Order, o.Cancelled, w.replaced(o)
		}
		for _, n := range it.Lineage(it.HeadIDs[0]) {
			t, _, _ := w.v.Tx(n.Tx)
			switch b := t.Tx.Body.(type) {
			case ledger.Report:
				if n.Of.IsZero() {
					s.Report = w.amended(n.Tx, b)
				}
				s.Verdict = nil
			case ledger.Verdict:
				s.Verdict = &b
			case ledger.Withdraw:
			default:
				s.Verdict = nil
			}
		}
		out = append(out, s)
	}
	return out
}

func (w view) amended(id ledger.TxID, r ledger.Report) *ledger.Report {
	amendments, _ := w.v.Amendments(id)
	for _, t := range amendments {
		for _, m := range t.Body.(ledger.Amend).Measurements {
			i := slices.IndexFunc(r.Measurements, func(o ledger.Measurement) bool { return o.Name == m.Name })
			r.Measurements = slices.Clone(r.Measurements)
			r.Measurements[i] = m
		}
	}
	return &r
}
