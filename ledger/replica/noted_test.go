package replica

import (
	"context"
	"errors"
	"slices"
	"testing"

	"traveler.example/ledger"
)

// note writes the hand-off note of a report that g has made.
func (g *gateway) note(report ledger.Tx, tag string) []byte {
	g.tb.Helper()
	var order ledger.Order
	g.read(func(v *View) error {
		o, _, err := v.Order(g.order)
		order = o.Order
		return err
	})
	n, err := ledger.NewNote(g.net, g.key, tag, report, order.Routing)
	g.check(err)
	return n.Raw()
}

// acceptOn is a verdict on the strength of a note.
func (g *gateway) acceptOn(item ledger.ItemID, note []byte, tag string, o ledger.Option) ledger.Tx {
	g.tb.Helper()
	n, err := ledger.ParseNote(note)
	g.check(err)
	return g.tx(ledger.Tx{Item: item, After: []ledger.TxID{n.Report}, Body: ledger.Verdict{
		Station: g.station, Operation: o.Operation, Task: o.Task, Ruling: ledger.Accept, Tag: tag, Note: note,
	}})
}

// noted reads an item as it stands if its notes are true.
func (g *gateway) noted(id ledger.ItemID) Noted {
	g.tb.Helper()
	var out Noted
	g.read(func(v *View) error {
		it, _, err := v.Item(id)
		if err == nil {
			out, err = v.Noted(it, nil)
		}
		return err
	})
	return out
}

func (g *gateway) refuses(tx ledger.Tx) {
	g.tb.Helper()
	if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{tx}}); !errors.Is(err, ErrStale) {
		g.tb.Fatalf("%s seals it: %v", g.name, err)
	}
}

// cutOff is an item that g0 has reported while nobody heard it.
func cutOff(t *testing.T, open opener, gateways int) (p *plant, item ledger.ItemID, report ledger.Tx) {
	t.Helper()
	p = started(t, open, gateways)
	g := p.gateways[0]
	in := g.intake(p.order, "L-1", "tag-1", "tag-2")
	g.append(in)
	p.share()
	acc := g.accept(in.ID(), in.ID(), optionA)
	report = g.report(in.ID(), acc.ID(), optionA, optionB)
	g.append(acc, report)
	return p, in.ID(), report
}

func testNote(t *testing.T, open opener) {
	p, item, report := cutOff(t, open, 3)
	g, h := p.gateways[0], p.gateways[1]
	note := g.note(report, "tag-1")

	copied := h.acceptOn(item, note, "tag-2", optionB)
	h.refuses(copied)
	h.refuses(h.accept(item, report.ID(), optionB)) // no note at all

	acc := h.acceptOn(item, note, "tag-1", optionB)
	h.append(acc)
	if s := h.status(acc.ID()); s.Status != Waiting || !slices.Equal(s.For, []ledger.TxID{report.ID()}) {
		t.Fatalf("the verdict: %+v", s)
	}
	if s := h.item(item).State(); s.Phase != ledger.Expected || s.Options[0] != optionA {
		t.Fatalf("the shared view has gone by the note: %+v", s)
	}
	n := h.noted(item)
	if s := n.Item.State(); s.Phase != ledger.InWork || s.By != h.id || !slices.Equal(n.On, []ledger.TxID{report.ID()}) {
		t.Fatalf("on the note: %+v", n)
	}
	h.refuses(h.acceptOn(item, note, "tag-1", optionB)) // a second time

	done := h.report(item, acc.ID(), optionB)
	h.append(done)
	if s := h.noted(item).Item.State(); s.Phase != ledger.Finished {
		t.Fatalf("after its own report: %+v", s)
	}
	h.read(func(v *View) error {
		items, err := v.NotedItems(h.id)
		if len(items) != 1 || items[0].ID != item {
			t.Errorf("items on notes: %v", items)
		}
		return err
	})
	// Whoever hears h and not g sees the same.
	other := p.gateways[2]
	other.take(h.blocks(h.id)...)
	if s := other.noted(item).Item.State(); s.Phase != ledger.Finished {
		t.Errorf("elsewhere: %+v", s)
	}
	p.share()
	p.agree()
	for _, g := range p.gateways {
		if n := g.noted(item); len(n.On) != 0 || n.Item.State().Phase != ledger.Finished || n.Item.InConflict() {
			t.Errorf("%s after the report has come: %+v", g.name, n)
		}
		if s := g.status(acc.ID()); s.Status != Valid {
			t.Errorf("%s: %+v", g.name, s)
		}
	}
}

// testNoteOfClone has one note gone by at two stations: the ledger picks neither.
func testNoteOfClone(t *testing.T, open opener) {
	p, item, report := cutOff(t, open, 4)
	note := p.gateways[0].note(report, "tag-1")
	a, b := p.gateways[1], p.gateways[3] // both in w1
	first, second := a.acceptOn(item, note, "tag-1", optionB), b.acceptOn(item, note, "tag-1", optionB)
	a.append(first)
	b.append(second)
	b.take(a.blocks(a.id)...)
	if n := b.noted(item); !n.Item.InConflict() || len(n.On) != 1 {
		t.Errorf("two who meet before the report comes: %+v", n.Item.HeadIDs)
	}
	p.share()
	p.agree()
	heads := []ledger.TxID{first.ID(), second.ID()}
	slices.SortFunc(heads, compareHashes)
	if it := a.item(item); !slices.Equal(it.HeadIDs, heads) {
		t.Errorf("heads %v, want %v", it.HeadIDs, heads)
	}
}

// testNoteRuled has quality rule on an item whose noted report never comes.
func testNoteRuled(t *testing.T, open opener) {
	p, item, report := cutOff(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	h.append(h.acceptOn(item, g.note(report, "tag-1"), "tag-1", optionB))
	h.append(p.dispose(item, ledger.Scrap, item))
	if n := h.noted(item); len(n.On) != 0 || n.Item.State().Phase != ledger.Scrapped {
		t.Errorf("%+v", n)
	}
}

// testNoteChain passes an item on over two notes, and the blocks of the second
// come back before those of the first.
func testNoteChain(t *testing.T, open opener) {
	p, item, report := cutOff(t, open, 3)
	g, h, k := p.gateways[0], p.gateways[1], p.gateways[2]
	acc := h.acceptOn(item, g.note(report, "tag-1"), "tag-1", optionB)
	rework := h.tx(ledger.Tx{Item: item, After: []ledger.TxID{acc.ID()}, Body: ledger.Report{
		Station: h.station, Operation: "b", Task: "mill", Outcome: ledger.OutcomeFail, Failure: "bent",
	}})
	h.append(acc, rework)
	k.take(h.blocks(h.id)...)
	if n := k.noted(item); n.Item.State().Phase != ledger.Nonconforming {
		t.Errorf("%+v", n.Item.State())
	}
	// g's chain without the report's block: still on the note.
	k.take(g.blocks(g.id)[:2]...)
	if n := k.noted(item); len(n.On) != 1 {
		t.Errorf("%+v", n.On)
	}
	p.share()
	p.agree()
	if s := k.item(item).State(); s.Phase != ledger.Nonconforming {
		t.Errorf("%+v", s)
	}
}

// testNoteOfPart builds a part in that is here by a note only.
func testNoteOfPart(t *testing.T, open opener) {
	p, part, report := cutOff(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	acc := h.acceptOn(part, g.note(report, "tag-1"), "tag-1", optionB)
	whole := h.tx(ledger.Tx{Body: ledger.Intake{
		Station: h.station, Label: "L-2", Order: p.order, Product: "whole", Options: []ledger.Option{optionB},
	}})
	took := h.accept(whole.ID(), whole.ID(), optionB)
	h.append(acc, whole, took)
	built := h.tx(ledger.Tx{Item: whole.ID(), After: []ledger.TxID{took.ID()}, Body: ledger.Report{
		Station: h.station, Operation: "b", Task: "mill", Outcome: ledger.OutcomeOK, Inputs: []ledger.Input{{Item: part, Head: acc.ID()}},
	}})
	h.append(built)
	if s := h.noted(part).Item.State(); s.Phase != ledger.Consumed || s.Into != whole.ID() {
		t.Errorf("the part: %+v", s)
	}
	if s := h.noted(whole.ID()).Item.State(); s.Phase != ledger.Finished {
		t.Errorf("the assembly: %+v", s)
	}
	p.share()
	p.agree()
	if s := g.item(part).State(); s.Phase != ledger.Consumed || g.status(built.ID()).Status != Valid {
		t.Errorf("after the report has come: %+v", s)
	}
}
