package agent

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// view answers the station's questions from one snapshot of the replica.
type view struct {
	a *Agent
	v *replica.View
}

// Here is the station as profile and roster have it.
func (w view) Here() ledger.Here {
	s := w.a.cfg.Station
	here := ledger.Here{
		Gateway: w.a.key, Station: s.ID, Mode: s.Mode, MinDwell: s.MinDwell.Milliseconds(),
		SilentAfter: s.SilentAfter.Milliseconds(),
	}
	if as, ok := w.v.Roster().Assigned(w.a.key, s.ID); ok {
		here.WorkCentre, here.Intake = as.WorkCentre, as.Intake
	}
	return here
}

// Operator returns the key of the one person of that name whom the roster has as
// an operator.
func (w view) Operator(name string) (ledger.KeyID, bool) {
	ids := w.v.Roster().Named(name)
	if len(ids) != 1 || !w.v.Roster().Has(ids[0].ID, ledger.RoleOperator) {
		return ledger.KeyID{}, false
	}
	return ids[0].ID, true
}

// Scan gathers what the ledger knows about a tag, and what the note that was read
// from it adds.
func (w view) Scan(tag string, note []byte) (ledger.Scan, error) {
	open, closed, err := w.v.Tag(tag)
	if err != nil {
		return ledger.Scan{}, err
	}
	scan := ledger.Scan{Tag: tag, CutOff: w.cutOff()}
	if open, err = w.noted(&scan, open, note); err != nil {
		return ledger.Scan{}, err
	}
	if scan.Open, err = Sheets(w.v, open); err != nil {
		return ledger.Scan{}, err
	}
	if scan.Closed, err = Sheets(w.v, closed); err != nil {
		return ledger.Scan{}, err
	}
	if scan.InWorkHere, err = w.inWork(); err != nil {
		return ledger.Scan{}, err
	}
	if scan.Intake, err = w.intake(tag); err != nil {
		return ledger.Scan{}, err
	}
	if heard := w.a.heard.Load(); heard != nil {
		scan.PeersKnown, scan.PeersHeard = true, w.a.parts.Now().Sub(*heard).Milliseconds()
	}
	if w.a.broker.Load() != nil { // else nothing is on its way
		scan.Missing = w.a.lag.Load()
	}
	return scan, nil
}

// inWork returns the items in work here by this gateway, in order of acceptance.
func (w view) inWork() ([]ledger.Sheet, error) {
	items, err := w.inWorkNoted()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(items, func(a, b ledger.Item) int {
		ha, _ := a.Head()
		hb, _ := b.Head()
		return cmp.Compare(ha.Time, hb.Time)
	})
	return Sheets(w.v, items)
}

// intake says what a new item with this tag would be made for.
func (w view) intake(tag string) (*ledger.IntakeFor, error) {
	rule, ok := w.a.cfg.Station.Intake.For(tag)
	if !ok {
		return nil, nil
	}
	order, ok, err := OrderInForce(w.v, rule.Order)
	if err != nil {
		return nil, err
	}
	if !ok { // an order without a routing is one that has not arrived
		return &ledger.IntakeFor{Order: ledger.Order{ID: rule.Order}}, nil
	}
	in := &ledger.IntakeFor{
		Order: order.Order, OrderTx: order.Tx, Cancelled: order.Cancelled,
		Product: rule.Product, Lot: rule.Lot,
	}
	if in.ReplacedBy, err = orderName(w.v, order.ReplacedBy); err != nil {
		return nil, err
	}
	if rule.LabelPrefix != "" {
		in.Label = rule.LabelPrefix + tag
	}
	return in, nil
}

// OrderInForce returns the order of that id that counts and that nothing takes
// the place of; where all were replaced or cancelled, the first that counts.
func OrderInForce(v *replica.View, id string) (replica.WorkOrder, bool, error) {
	orders, err := v.OrderNamed(id)
	orders = slices.DeleteFunc(orders, func(o replica.WorkOrder) bool { return !o.Counted })
	if err != nil || len(orders) == 0 {
		return replica.WorkOrder{}, false, err
	}
	for _, o := range orders {
		if !o.Cancelled && len(o.ReplacedBy) == 0 {
			return o, true, nil
		}
	}
	return orders[0], true, nil
}

// orderName is the id of the first of some orders; empty for none.
func orderName(v *replica.View, txs []ledger.TxID) (string, error) {
	for _, tx := range txs {
		o, ok, err := v.Order(tx)
		if err != nil || ok {
			return o.Order.ID, err
		}
	}
	return "", nil
}

// Sheets completes items with the order that each follows and the words of its
// head, as the station and the CLI show them.
func Sheets(v *replica.View, items []ledger.Item) ([]ledger.Sheet, error) {
	var out []ledger.Sheet
	for _, it := range items {
		s, err := SheetOf(v, it)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// SheetOf is Sheets for one item. Of an item in conflict it follows the first head.
func SheetOf(v *replica.View, it ledger.Item) (ledger.Sheet, error) {
	s := ledger.Sheet{Item: it}
	if len(it.HeadIDs) == 0 {
		return s, nil
	}
	head := it.HeadIDs[0]
	s.OrderTx = it.OrderOf(head)
	if order, ok, err := v.Order(s.OrderTx); err != nil {
		return s, err
	} else if ok {
		s.Order, s.OrderCancelled = order.Order, order.Cancelled
		if s.ReplacedBy, err = orderName(v, order.ReplacedBy); err != nil {
			return s, err
		}
	}
	line := it.Lineage(head)
	if i := lastNode(line, func(n ledger.Node) bool { return n.Kind == ledger.KindReport && n.Of.IsZero() }); i >= 0 {
		report, err := amended(v, line[i].Tx)
		if err != nil {
			return s, err
		}
		s.Report = report
	}
	if st := it.State(); st.Phase == ledger.Consumed {
		parent, _, err := v.Item(st.Into)
		if err != nil {
			return s, err
		}
		s.Into = parent.Label
	}
	// A withdrawal brings back what it stands after.
	if i := lastNode(line, func(n ledger.Node) bool { return n.Kind != ledger.KindWithdraw }); i >= 0 && line[i].Kind == ledger.KindVerdict {
		t, _, err := v.Tx(line[i].Tx)
		if err != nil {
			return s, err
		}
		if verdict, is := t.Tx.Body.(ledger.Verdict); is {
			s.Verdict = &verdict
		}
	}
	return s, nil
}

// lastNode returns the index of the last node of which f holds; -1: none.
func lastNode(line []ledger.Node, f func(ledger.Node) bool) int {
	for i := len(line) - 1; i >= 0; i-- {
		if f(line[i]) {
			return i
		}
	}
	return -1
}

// amended returns a report with its author's corrections applied in the order of
// all replicas.
func amended(v *replica.View, id ledger.TxID) (*ledger.Report, error) {
	t, ok, err := v.Tx(id)
	if err != nil || !ok {
		return nil, err
	}
	report, ok := t.Tx.Body.(ledger.Report)
	if !ok {
		return nil, nil
	}
	amendments, err := v.Amendments(id)
	if err != nil {
		return nil, err
	}
	for _, t := range amendments {
		if a, ok := t.Body.(ledger.Amend); ok {
			report = amend(report, a)
		}
	}
	return &report, nil
}

func amend(r ledger.Report, a ledger.Amend) ledger.Report {
	r.Measurements = slices.Clone(r.Measurements)
	for _, m := range a.Measurements {
		i := slices.IndexFunc(r.Measurements, func(o ledger.Measurement) bool { return o.Name == m.Name })
		if i < 0 {
			r.Measurements = append(r.Measurements, m)
		} else {
			r.Measurements[i] = m
		}
	}
	if a.Weight != 0 {
		r.Weight = a.Weight
	}
	r.Failure = cmp.Or(a.Failure, r.Failure)
	r.Note = cmp.Or(a.Note, r.Note)
	return r
}

// Station is what the profile fixes about the place that a gateway serves.
type Station struct {
	ID          string
	Mode        ledger.Mode
	MinDwell    time.Duration
	SilentAfter time.Duration // silence of all peers after which an unknown tag waits; 0: it never waits
	Intake      IntakeRules
}

// IntakeRules say what a new item is made for, by its tag.
type IntakeRules []IntakeRule

// IntakeRule holds for tags that begin with TagPrefix; the first that fits decides.
type IntakeRule struct {
	TagPrefix   string
	Order       string // its id
	Product     string // empty: the order's
	Lot         string
	LabelPrefix string // the printed id is this and the tag; empty: the tag
}

// For returns the rule for a tag.
func (rs IntakeRules) For(tag string) (IntakeRule, bool) {
	for _, r := range rs {
		if r.Order != "" && strings.HasPrefix(tag, r.TagPrefix) {
			return r, true
		}
	}
	return IntakeRule{}, false
}
