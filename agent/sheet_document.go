package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"traveler.example/ledger"
	"traveler.example/ledger/orderfile"
	"traveler.example/ledger/replica"
)

// Item is the traveler of one item.
func (d *desk) Item(ctx context.Context, id string) (ItemDocument, error) {
	var doc ItemDocument
	err := d.replica.Read(func(v *replica.View) error {
		it, err := find(v, id)
		if err != nil {
			return err
		}
		doc, err = itemDocument(v, it)
		return err
	})
	return doc, err
}

func itemDocument(v *replica.View, it ledger.Item) (ItemDocument, error) {
	n := names{v.Roster()}
	line, err := itemLine(v, it)
	if err != nil {
		return ItemDocument{}, err
	}
	doc := ItemDocument{ItemLine: line, Lot: it.Lot}
	if doc.OnNote, err = onNoteWords(v, it); err != nil {
		return ItemDocument{}, err
	}
	for _, h := range it.Heads() {
		doc.Heads = append(doc.Heads, HeadLine{Tx: h.Tx, Kind: h.Kind.String(), Author: n.of(h.Sender), State: h.State.Phase.String()})
		doc.RestsRevoked = doc.RestsRevoked || h.Rests == 1
	}
	if s := it.State(); s.Phase == ledger.Consumed {
		if parent, ok, err := v.Item(s.Into); err != nil {
			return doc, err
		} else if ok {
			doc.Into = parent.Label
		}
	}
	stand := standing(it)
	for _, node := range it.Nodes {
		entry, parts, err := entryOf(v, n, node.Tx)
		if err != nil {
			return doc, err
		}
		doc.History = append(doc.History, entry)
		if node.Of.IsZero() && stand[node.Tx] {
			doc.Parts = append(doc.Parts, parts...)
		}
	}
	spoken, err := v.About(it.ID)
	if err != nil {
		return doc, err
	}
	slices.SortStableFunc(spoken, func(a, b ledger.Tx) int { return cmp.Compare(a.Time, b.Time) })
	for _, t := range spoken {
		entry, _, err := entryOf(v, n, t.ID())
		if err != nil {
			return doc, err
		}
		doc.History = append(doc.History, entry)
	}
	return doc, nil
}

// standing are the transactions of an item that were not withdrawn: a report taken
// back has given its parts back.
func standing(it ledger.Item) map[ledger.TxID]bool {
	stand := map[ledger.TxID]bool{}
	for _, head := range it.HeadIDs {
		for _, n := range it.Lineage(head) {
			stand[n.Tx] = true
		}
	}
	return stand
}

// entryOf is one line of an item's history, and the printed ids of the parts
// that it consumed.
func entryOf(v *replica.View, n names, id ledger.TxID) (EntryLine, []string, error) {
	sealed, ok, err := v.Tx(id)
	if err != nil || !ok {
		return EntryLine{Tx: id, Status: "missing"}, nil, err
	}
	t, place := sealed.Tx, sealed.Place()
	e := EntryLine{
		Tx: id, Kind: t.Kind.String(), Author: n.of(t.Sender), Operators: n.ofAll(t.Operators), Time: t.Time, Clock: clockWord(t.Clock),
		Block: fmt.Sprintf("%s/%d", n.of(place.Author), place.Height),
	}
	var parts []string
	e.What, e.Station, parts, err = wordsOf(v, t.Body)
	if err != nil {
		return e, nil, err
	}
	covered, of, sure, err := v.Confirmation(ledger.Ref{Author: place.Author, Height: place.Height, Hash: place.Block})
	if err != nil {
		return e, nil, err
	}
	e.Confirmed = sure
	switch {
	case sealed.Valid && sure:
		e.Status = fmt.Sprintf("Confirmed %d of %d", covered, of)
	case sealed.Valid:
		e.Status = fmt.Sprintf("Sealed (%d of %d)", covered, of)
	default:
		e.Status, e.Reason = placedWords(sealed.Placed)
	}
	return e, parts, nil
}

// placedWords says why a transaction does not count.
func placedWords(ps []replica.Placed) (status, reason string) {
	for _, p := range ps {
		switch p.Status {
		case replica.Waiting:
			var for_ []string
			for _, h := range p.For {
				for_ = append(for_, h.Short())
			}
			return "Waiting", "for " + strings.Join(for_, ", ")
		case replica.Void:
			status, reason = "Void", string(p.Reason)
		case replica.Carried:
			status, reason = "Carried", "its kind is not known to this program"
		}
	}
	return status, reason
}

// wordsOf tells what a body says, in words.
func wordsOf(v *replica.View, body ledger.Body) (what, station string, parts []string, err error) {
	switch b := body.(type) {
	case ledger.Intake:
		return fmt.Sprintf("taken in as %s (%s)", b.Label, b.Product), b.Station, nil, nil
	case ledger.Report:
		what, parts, err = reportWords(v, b)
		return what, b.Station, parts, err
	case ledger.Verdict:
		what = fmt.Sprintf("%s for %s", b.Ruling, b.Task)
		if b.Reason != "" {
			what += ": " + b.Reason
		}
		return what, b.Station, nil, nil
	case ledger.Disposition:
		what = b.Ruling.String()
		if b.Place != "" {
			what += fmt.Sprintf(" %s (%s)", b.Place, b.Task)
		}
		return what + ": " + b.Reason, b.Place, nil, nil
	case ledger.Withdraw:
		if !b.Keeps.IsZero() {
			return "keeps " + b.Keeps.Short() + ": " + b.Reason, "", nil, nil
		}
		return "takes back " + b.Target.Short() + ": " + b.Reason, "", nil, nil
	case ledger.Amend:
		return "corrects: " + b.Reason, "", nil, nil
	case ledger.Bind:
		return "tags " + strings.Join(b.Tags, ", "), "", nil, nil
	case ledger.Misroute:
		return "scanned at " + b.Station + ", where it does not belong", b.Station, nil, nil
	case ledger.Order:
		return "order " + b.ID, "", nil, nil
	}
	return "a statement of a kind that this program does not know", "", nil, nil
}

func reportWords(v *replica.View, b ledger.Report) (string, []string, error) {
	what := b.Task + " done"
	if b.Outcome == ledger.OutcomeFail {
		what = b.Task + " failed: " + b.Failure
	}
	if b.Weight > 0 {
		what += fmt.Sprintf("; %s g", thousandths(b.Weight))
	}
	for _, m := range b.Measurements {
		what += fmt.Sprintf("; %s %s %s", m.Name, ledger.FormatDecimal(m.Value, int(m.Exponent)), m.Unit)
	}
	var parts []string
	for _, in := range b.Inputs {
		label := in.Item.Short()
		it, ok, err := v.Item(in.Item)
		if err != nil {
			return "", nil, err
		}
		if ok {
			label = it.Label
		}
		parts = append(parts, label)
	}
	if len(parts) > 0 {
		what += "; consumed " + strings.Join(parts, ", ")
	}
	var next []string
	for _, o := range b.Options {
		if !slices.Contains(next, o.Place) {
			next = append(next, o.Place)
		}
	}
	switch {
	case len(next) > 0 && b.Outcome == ledger.OutcomeOK:
		what += "; next " + strings.Join(next, " or ")
	case b.Outcome == ledger.OutcomeOK:
		what += "; finished"
	}
	return what, parts, nil
}

// thousandths writes mg as g.
func thousandths(mg int64) string {
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%03d", mg/1000, mg%1000), "0"), ".")
}

// Orders lists all orders but cancellations, by id.
func (d *desk) Orders(ctx context.Context) ([]OrderDocument, error) {
	var out []OrderDocument
	err := d.replica.Read(func(v *replica.View) error {
		used, err := itemsByOrder(v)
		if err != nil {
			return err
		}
		for o, err := range v.Orders("", 0) {
			if err != nil {
				return err
			}
			doc, err := orderDocument(v, o, used)
			if err != nil {
				return err
			}
			out = append(out, doc)
		}
		return nil
	})
	return out, err
}

func itemsByOrder(v *replica.View) (map[ledger.TxID]int, error) {
	used := map[ledger.TxID]int{}
	for it, err := range v.Items(ledger.ItemID{}, 0) {
		if err != nil {
			return nil, err
		}
		if len(it.HeadIDs) > 0 {
			used[it.OrderOf(it.HeadIDs[0])]++
		}
	}
	return used, nil
}

func orderDocument(v *replica.View, o replica.WorkOrder, used map[ledger.TxID]int) (OrderDocument, error) {
	by, err := orderName(v, o.ReplacedBy)
	return OrderDocument{
		ID: o.Order.ID, Tx: o.Tx, Product: o.Order.Product, Quantity: o.Order.Quantity, Planner: names{v.Roster()}.of(o.Sender),
		Cancelled: o.Cancelled, ReplacedBy: by, Items: used[o.Tx], File: string(orderfile.Format(o.Order)), Order: o.Order,
	}, err
}

// findOrder returns the order in force with an order id, or with the only one
// that begins so.
func findOrder(v *replica.View, id string) (replica.WorkOrder, error) {
	o, ok, err := OrderInForce(v, id)
	if err != nil || ok {
		return o, err
	}
	var found []string
	for o, err := range v.Orders("", 0) {
		if err != nil {
			return replica.WorkOrder{}, err
		}
		if o.Counted && id != "" && strings.HasPrefix(o.Order.ID, id) && !slices.Contains(found, o.Order.ID) {
			found = append(found, o.Order.ID)
		}
	}
	switch len(found) {
	case 0:
		return replica.WorkOrder{}, fmt.Errorf("order %q: %w", id, ErrNotFound)
	case 1:
		o, _, err = OrderInForce(v, found[0])
		return o, err
	}
	return replica.WorkOrder{}, fmt.Errorf("order %q: %w: it means %s and %s", id, ErrAmbiguous, found[0], found[1])
}

func (d *desk) Order(ctx context.Context, id string) (OrderDocument, error) {
	var doc OrderDocument
	err := d.replica.Read(func(v *replica.View) error {
		o, err := findOrder(v, id)
		if err != nil {
			return err
		}
		used, err := itemsByOrder(v)
		if err != nil {
			return err
		}
		doc, err = orderDocument(v, o, used)
		return err
	})
	return doc, err
}
