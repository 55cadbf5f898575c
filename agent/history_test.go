package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// bench is an order of two operations at the intake's own bench.
func benchOrder(id string) ledger.Order {
	return ledger.Order{ID: id, Product: "BRACKET", Quantity: 3, Routing: []ledger.Operation{
		{ID: "10", Task: "drill", Place: "BENCH-1", MaxReturns: 1}, {ID: "20", Task: "pack", Place: "PACK-1", Needs: []string{"10"}, MaxReturns: 1},
	}}
}

// book writes histories into the replica of the intake, which serves BENCH-1 too.
type book struct {
	t testing.TB
	p *plant
	r *replica.Replica
}

func newBook(t testing.TB, p *plant) *book { return &book{t, p, p.replica("intake", nil)} }

func (b *book) order(o ledger.Order) ledger.Tx {
	b.t.Helper()
	return b.p.append(b.r, b.p.signed("paula", ledger.Tx{Body: o}))
}

func (b *book) intake(order ledger.Tx, label string, tags ...string) ledger.Tx {
	b.t.Helper()
	o := order.Body.(ledger.Order)
	return b.p.seal("intake", b.r, ledger.Tx{Body: ledger.Intake{
		Station: "INTAKE-1", Label: label, Tags: tags, Order: order.ID(), Product: o.Product, Options: ledger.FirstOptions(o),
	}})
}

func (b *book) accept(item, after ledger.TxID) ledger.Tx {
	b.t.Helper()
	return b.p.seal("intake", b.r, ledger.Tx{Item: item, After: []ledger.TxID{after}, Body: ledger.Verdict{
		Station: "BENCH-1", Operation: "10", Task: "drill", Ruling: ledger.Accept,
	}})
}

func (b *book) report(item, after ledger.TxID, r ledger.Report) ledger.Tx {
	b.t.Helper()
	r.Station, r.Operation, r.Task = "BENCH-1", "10", "drill"
	if r.Outcome == 0 {
		r.Outcome = ledger.OutcomeOK
	}
	if r.Outcome == ledger.OutcomeOK && r.Options == nil {
		r.Options = []ledger.Option{{Task: "pack", Operation: "20", Place: "PACK-1"}}
	}
	return b.p.seal("intake", b.r, ledger.Tx{Item: item, After: []ledger.TxID{after}, Body: r})
}

func (b *book) amend(item, about ledger.TxID, a ledger.Amend) ledger.Tx {
	b.t.Helper()
	return b.p.seal("intake", b.r, ledger.Tx{Item: item, About: []ledger.TxID{about}, Body: a})
}

func (b *book) withdraw(item, target ledger.TxID) ledger.Tx {
	b.t.Helper()
	return b.p.seal("intake", b.r, ledger.Tx{
		Item: item, After: []ledger.TxID{target}, Body: ledger.Withdraw{Target: target, Reason: "by mistake"},
	})
}

func (b *book) sheet(item ledger.ItemID) (s ledger.Sheet) {
	b.t.Helper()
	must(b.t, b.r.Read(func(v *replica.View) error {
		it, _, err := v.Item(item)
		if err == nil {
			s, err = SheetOf(v, it)
		}
		return err
	}))
	return s
}

func TestSheetShowsWhatWasAmended(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := newBook(t, p)
		item := b.intake(b.order(benchOrder("WO-1")), "L-1", tagA).ID()
		if s := b.sheet(item); s.Report != nil || s.Verdict != nil || s.Order.ID != "WO-1" {
			t.Errorf("after intake: %+v", s)
		}
		accepted := b.accept(item, item)
		if s := b.sheet(item); s.Report != nil || s.Verdict == nil || s.Verdict.Ruling != ledger.Accept {
			t.Errorf("after acceptance: %+v", s)
		}
		bore := ledger.Measurement{Name: "bore", Value: 1203, Exponent: -2, Unit: "mm"}
		depth := ledger.Measurement{Name: "depth", Value: 4, Unit: "mm"}
		reported := b.report(item, accepted.ID(), ledger.Report{Measurements: []ledger.Measurement{bore}, Weight: 12_500, Note: "first"})
		b.amend(item, reported.ID(), ledger.Amend{Measurements: []ledger.Measurement{depth}, Weight: 13_000, Reason: "the scale was not tared"})
		time.Sleep(time.Second)
		bore.Value = 1204
		b.amend(item, reported.ID(), ledger.Amend{Measurements: []ledger.Measurement{bore}, Note: "second", Failure: "scratched", Reason: "mistyped"})
		s := b.sheet(item)
		if s.Report == nil || s.Verdict != nil {
			t.Fatalf("after the report: %+v", s)
		}
		r := s.Report
		if r.Weight != 13_000 || r.Note != "second" || r.Failure != "scratched" || !slices.Equal(r.Measurements, []ledger.Measurement{bore, depth}) {
			t.Errorf("amended report: %+v", r)
		}
		withdrawn := b.withdraw(item, reported.ID())
		if s := b.sheet(item); s.Report != nil || s.Verdict == nil || s.Verdict.Ruling != ledger.Accept {
			t.Errorf("after the withdrawal: %+v", s)
		}
		again := b.report(item, withdrawn.ID(), ledger.Report{Weight: 9, Outcome: ledger.OutcomeFail, Failure: "cracked"})
		if s := b.sheet(item); s.Report == nil || s.Report.Weight != 9 || s.Report.Failure != "cracked" {
			t.Errorf("after the second report %s: %+v", again.ID(), s)
		}
	})
}

func TestOrderInForce(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := newBook(t, p)
		inForce := func(id string) (replica.WorkOrder, bool) {
			var o replica.WorkOrder
			var ok bool
			must(t, b.r.Read(func(v *replica.View) (err error) {
				o, ok, err = OrderInForce(v, id)
				return err
			}))
			return o, ok
		}
		if _, ok := inForce("WO-1"); ok {
			t.Error("an order that nobody gave")
		}
		first := b.order(benchOrder("WO-1"))
		item := b.intake(first, "L-1", tagA).ID()
		newer := benchOrder("WO-1")
		newer.Quantity, newer.Replaces = 7, first.ID()
		second := b.order(newer)
		if o, ok := inForce("WO-1"); !ok || o.Tx != second.ID() || o.Order.Quantity != 7 {
			t.Errorf("replaced by its like: %+v", o)
		}
		other := benchOrder("WO-2")
		other.Replaces = second.ID()
		b.order(other)
		if o, ok := inForce("WO-1"); !ok || len(o.ReplacedBy) != 1 {
			t.Errorf("replaced by another: %+v", o)
		}
		if s := b.sheet(item); s.ReplacedBy != "WO-1" || s.OrderCancelled {
			t.Errorf("an item keeps its order: %+v", s)
		}
		gone := benchOrder("WO-3")
		third := b.order(gone)
		held := b.intake(third, "L-3", tagB).ID()
		b.order(ledger.Order{ID: "WO-3", Product: "BRACKET", Replaces: third.ID(), Cancelled: 1})
		if o, ok := inForce("WO-3"); !ok || !o.Cancelled {
			t.Errorf("cancelled: %+v", o)
		}
		if s := b.sheet(held); !s.OrderCancelled {
			t.Errorf("an item of a cancelled order: %+v", s)
		}
	})
}

func TestIntakeRules(t *testing.T) {
	rules := IntakeRules{
		{TagPrefix: "04", Order: "WO-4", LabelPrefix: "BR-"}, {TagPrefix: "05"}, {TagPrefix: "0", Order: "WO-0"},
	}
	for tag, want := range map[string]string{"04AA": "WO-4", "05AA": "WO-0", "0": "WO-0", "14AA": "", "": ""} {
		got, ok := rules.For(tag)
		if got.Order != want || ok != (want != "") {
			t.Errorf("%q: %+v, %v; want %q", tag, got, ok, want)
		}
	}
	if _, ok := IntakeRules(nil).For("04"); ok {
		t.Error("no rules, and one fits")
	}
}

// TestIntakeByRule takes in by the rules of the profile, and waits while the
// order is not here, is cancelled or replaced.
func TestIntakeByRule(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake", func(c *Config, _ *Parts) {
			c.Station.Intake = IntakeRules{{TagPrefix: "04", Order: "WO-4", Product: "CASTING", Lot: "LOT-9", LabelPrefix: "BR-"}, {TagPrefix: "05", Order: "WO-5"}}
		}).run()
		b.shows("04AA", "WAIT")
		four := b.order(benchOrder("WO-4"))
		five := b.order(benchOrder("WO-5"))
		b.shows("04AA", "TAKEN IN")
		b.shows("05AA", "TAKEN IN")
		b.shows("06AA", "WAIT")
		if it := itemOf(t, b.replica, "04AA"); it.Label != "BR-04AA" || it.Product != "CASTING" || it.Lot != "LOT-9" {
			t.Errorf("%+v", it)
		}
		if it := itemOf(t, b.replica, "05AA"); it.Label != "05AA" || it.Product != "BRACKET" || it.Lot != "" {
			t.Errorf("%+v", it)
		}
		b.order(ledger.Order{ID: "WO-4", Product: "BRACKET", Replaces: four.ID(), Cancelled: 1})
		b.shows("04BB", "WAIT")
		newer := benchOrder("WO-6")
		newer.Replaces = five.ID()
		b.order(newer)
		b.shows("05BB", "WAIT")
	})
}

func TestDocumentsOfAnItem(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := newBook(t, p)
		order := b.order(benchOrder("WO-1"))
		part := b.intake(order, "P-1", tagB).ID()
		item := b.intake(order, "L-1", tagA, "04CC").ID()
		accepted := b.accept(item, item)
		reported := b.report(item, accepted.ID(), ledger.Report{
			Weight: 12_500, Measurements: []ledger.Measurement{{Name: "bore", Value: 1203, Exponent: -2, Unit: "mm"}},
			Inputs: []ledger.Input{{Item: part, Head: part}},
		})
		d := &desk{replica: b.r, genesis: p.genesis, name: "intake", key: keyID("intake")}
		doc, err := d.Item(context.Background(), "L-1")
		must(t, err)
		if !slices.Equal(doc.Parts, []string{"P-1"}) || doc.State != "expected" || !slices.Equal(doc.Where, []string{"PACK-1"}) || doc.Order != "WO-1" {
			t.Errorf("%+v", doc)
		}
		const want = "drill done; 12.5 g; bore 12.03 mm; consumed P-1; next PACK-1"
		if last := doc.History[len(doc.History)-1]; last.What != want || last.Station != "BENCH-1" || last.Status != "Sealed (0 of 4)" || last.Author != "intake" {
			t.Errorf("%+v, want %s", last, want)
		}
		if p, err := d.Item(context.Background(), "P-1"); err != nil || p.Into != "L-1" || p.State != "consumed" {
			t.Errorf("the part: %+v, %v", p, err)
		}
		late := b.amend(item, reported.ID(), ledger.Amend{Weight: 12_600, Reason: "late"})
		time.Sleep(time.Second)
		b.p.append(b.r, p.signed("quinn", ledger.Tx{Item: item, Body: ledger.Bind{Tags: []string{"04CC"}}}))
		withdrawn := b.withdraw(item, reported.ID())
		doc, err = d.Item(context.Background(), "L-1")
		must(t, err)
		if len(doc.Parts) != 0 || doc.State != "in work (drill)" || len(doc.Heads) != 1 || doc.Heads[0].Tx != withdrawn.ID() {
			t.Errorf("a report withdrawn gives its parts back: %+v", doc)
		}
		kinds := make([]string, len(doc.History))
		for i, e := range doc.History {
			kinds[i] = e.Kind
		}
		if !slices.Equal(kinds, []string{"intake", "verdict", "report", "withdraw", "amend", "bind"}) {
			t.Errorf("history %v with amendment %s", kinds, late.ID().Short())
		}
	})
}

func TestFindAnItem(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := newBook(t, p)
		order := b.order(benchOrder("WO-1"))
		one := b.intake(order, "L-1", tagA).ID()
		b.intake(order, "TWIN", "04DD")
		b.intake(order, "TWIN", "04DD")
		tests := []struct {
			id   string
			want ledger.ItemID
			err  error
		}{
			{"L-1", one, nil},
			{tagA, one, nil},
			{"04:a1:b2:c3:d4:e5:80", one, nil},
			{one.String(), one, nil},
			{one.String()[:8], one, nil},
			{one.String()[:5], one, ErrNotFound},
			{"", one, ErrNotFound},
			{"no-such-thing", one, ErrNotFound},
			{"ffffffffff", one, ErrNotFound},
			{"TWIN", one, ErrAmbiguous},
			{"04DD", one, ErrAmbiguous},
			{string(make([]byte, 300)), one, ErrNotFound},
			{"%\x00/..", one, ErrNotFound},
		}
		for _, tt := range tests {
			err := b.r.Read(func(v *replica.View) error {
				it, err := find(v, tt.id)
				if err == nil && it.ID != tt.want {
					t.Errorf("%q is %s", tt.id, it.Label)
				}
				return err
			})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("%q: %v, want %v", tt.id, err, tt.err)
			}
		}
	})
}

// TestItemsByPage pages through all items and through those held, whose kinds
// are two.
func TestItemsByPage(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := newBook(t, p)
		order := b.order(benchOrder("WO-1"))
		held := map[ledger.ItemID]bool{}
		for i := range 12 {
			item := b.intake(order, "L-"+string(rune('A'+i))).ID()
			if i%2 == 0 {
				accepted := b.accept(item, item)
				b.report(item, accepted.ID(), ledger.Report{Outcome: ledger.OutcomeFail, Failure: "cracked"})
				held[item] = true
			}
		}
		d := &desk{replica: b.r, genesis: p.genesis}
		for phase, want := range map[string]int{"": 12, "held": 6, "nonconforming": 6, "expected": 6, "in conflict": 0, "finished": 0} {
			var seen []ledger.ItemID
			q := ItemQuery{Phase: phase, Limit: 2}
			for {
				lines, err := d.Items(context.Background(), q)
				must(t, err)
				if len(lines) > 2 {
					t.Fatalf("%q: %d lines, asked for 2", phase, len(lines))
				}
				for _, l := range lines {
					seen = append(seen, l.ID)
					q.After = l.ID.String()
				}
				if len(lines) == 0 {
					break
				}
			}
			slices.SortFunc(seen, func(a, b ledger.ItemID) int { return slices.Compare(a[:], b[:]) })
			if n := len(slices.Compact(seen)); n != want || len(seen) != want {
				t.Errorf("%q: %d items, want %d", phase, n, want)
			}
		}
		for _, q := range []ItemQuery{{Phase: "lost"}, {After: "xyz"}} {
			if _, err := d.Items(context.Background(), q); !errors.Is(err, ErrRefused) {
				t.Errorf("%+v: %v", q, err)
			}
		}
		if lines, err := d.Items(context.Background(), ItemQuery{Limit: -1}); err != nil || len(lines) != 12 {
			t.Errorf("%d lines, %v", len(lines), err)
		}
	})
}

// TestHeldPagesMixKinds holds one page to both kinds of what is held.
func TestHeldPagesMixKinds(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		intake, _, _ := conflicted(t, p)
		b := &book{t, p, intake.replica}
		bench := b.order(benchOrder("WO-2"))
		for i := range 5 {
			item := b.intake(bench, "L-"+string(rune('A'+i))).ID()
			b.report(item, b.accept(item, item).ID(), ledger.Report{Outcome: ledger.OutcomeFail, Failure: "cracked"})
		}
		var all []ledger.ItemID
		for q := (ItemQuery{Phase: "held", Limit: 1}); ; {
			lines, err := intake.Desk().Items(context.Background(), q)
			must(t, err)
			if len(lines) == 0 {
				break
			}
			if len(lines) > 1 {
				t.Fatalf("%d lines, asked for 1", len(lines))
			}
			all = append(all, lines[0].ID)
			q.After = lines[0].ID.String()
		}
		if len(all) != 6 {
			t.Errorf("%d of 6 items held", len(all))
		}
	})
}

// TestWhatDoesNotCountSaysWhy shows a transaction that waits and one that is void.
func TestWhatDoesNotCountSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		there, here := newBook(t, p), newBook(t, p)
		item := there.intake(there.order(benchOrder("WO-1")), "L-1", tagA).ID()
		late := p.seal("intake", there.r, ledger.Tx{Item: item, Body: ledger.Misroute{Station: "INTAKE-1"}})
		drill := p.replica("drill-1", nil)
		_, err := drill.Ingest(context.Background(), chain(t, there.r, "intake")...)
		must(t, err)
		waits := p.seal("drill-1", drill, ledger.Tx{Item: item, Body: ledger.Misroute{Station: "DRILL-1"}})
		_, err = here.r.Ingest(context.Background(), chain(t, drill, "drill-1")...)
		must(t, err)
		d := &desk{replica: here.r, genesis: p.genesis}
		doc, err := d.Transaction(context.Background(), waits.ID().String())
		must(t, err)
		if len(doc.Places) != 1 || doc.Places[0].Status != "waiting" || !strings.Contains(doc.Places[0].Reason, item.Short()) || doc.Places[0].Author != "drill-1" {
			t.Errorf("%+v", doc.Places)
		}
		if s, err := d.Status(context.Background()); err != nil || s.Waiting != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		if s, err := d.Stats(context.Background()); err != nil || s.Waiting != 1 || s.Blocks != 1 || len(s.Chains) != 1 || s.Chains[0].Height != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		if _, err := d.Transaction(context.Background(), late.ID().String()); !errors.Is(err, ErrNotFound) {
			t.Errorf("what is not here: %v", err)
		}
		for want, placed := range map[string]replica.Placed{
			"Void author": {Status: replica.Void, Reason: ledger.VoidAuthor}, "Carried its kind is not known to this program": {Status: replica.Carried},
			" ": {Status: replica.Valid},
		} {
			if status, reason := placedWords([]replica.Placed{placed}); status+" "+reason != want {
				t.Errorf("%s %s, want %s", status, reason, want)
			}
		}
	})
}
