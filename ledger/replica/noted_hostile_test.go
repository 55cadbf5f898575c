package replica

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"slices"
	"testing"

	"traveler.example/ledger"
)

// signedNote is the note of whatever an insider says that he did.
func (g *gateway) signedNote(tag string, report ledger.Tx) []byte {
	g.tb.Helper()
	n, err := ledger.NewNote(g.net, g.key, tag, report, g.routing())
	g.check(err)
	return n.Raw()
}

func (g *gateway) routing() []ledger.Operation {
	g.tb.Helper()
	var out []ledger.Operation
	g.read(func(v *View) error {
		o, _, err := v.Order(g.order)
		out = o.Order.Routing
		return err
	})
	return out
}

// never is a report that its author shows to nobody, or that he may not make.
func (g *gateway) never(item ledger.ItemID, operation string) ledger.Tx {
	g.tb.Helper()
	o := optionA
	o.Operation = operation
	return g.report(item, ledger.TxID{1}, o, optionB)
}

// goesBy asks whether a note that lies on a tag is gone by.
func (g *gateway) goesBy(item ledger.ItemID, tag string, raw []byte) *ledger.NoteError {
	g.tb.Helper()
	n, err := ledger.ParseNote(raw)
	g.check(err)
	var out Noted
	g.read(func(v *View) error {
		it, _, err := v.Item(item)
		if err != nil {
			return err
		}
		h, err := ledger.VerifyNote(v.net, v.roster, n, tag, []ledger.Item{it}, nil)
		if err != nil {
			return err
		}
		out, err = v.Noted(it, &h)
		return err
	})
	return out.Refused
}

func wantFault(t *testing.T, what string, got *ledger.NoteError, want ledger.NoteFault) {
	t.Helper()
	switch {
	case got == nil && want != "":
		t.Errorf("%s: the note is gone by, want %s", what, want)
	case got != nil && got.Fault != want:
		t.Errorf("%s: %v, want %q", what, got, want)
	}
}

// TestNoteOfVoidReport has a report that is here and void: a note makes nothing of it.
func TestNoteOfVoidReport(t *testing.T) {
	p := started(t, inMemory, 3)
	g, h, m := p.gateways[0], p.gateways[1], p.gateways[2]
	in := g.intake(p.order, "L-1", "tag-1")
	g.append(in)
	acc := g.accept(in.ID(), in.ID(), optionA)
	g.append(acc)
	p.share()
	forged := m.report(in.ID(), acc.ID(), optionA, optionB) // the item is in work at g
	note := m.signedNote("tag-1", forged)
	wantFault(t, "unheard", h.goesBy(in.ID(), "tag-1", note), "")

	h.take(m.sealed(forged))
	if s := h.status(forged.ID()); s.Status != Void {
		t.Fatalf("the report: %+v", s)
	}
	wantFault(t, "void", h.goesBy(in.ID(), "tag-1", note), ledger.NoteContradicted)
	h.refuses(h.acceptOn(in.ID(), note, "tag-1", optionB))
}

// sealed is a block of this gateway that no honest program would seal.
func (g *gateway) sealed(txs ...ledger.Tx) Object {
	g.tb.Helper()
	prev := ledger.GenesisMark(g.net, g.id)
	b, err := ledger.Seal(g.net, g.key, ledger.Draft{
		Prev: prev, Skip: must(ledger.SkipFrom(prev, func(ledger.Hash) (ledger.Mark, bool) { return prev, true })),
		Time: g.now.Add(1), Clock: ledger.ClockSynchronised, Roster: g.roster, Txs: txs,
	})
	g.check(err)
	return b.UnverifiedBlock
}

// TestNoteBesideHeldReport has a report that is here and waits: its note has to
// say what it says.
func TestNoteBesideHeldReport(t *testing.T) {
	p, item, _ := cutOff(t, inMemory, 3)
	h, m := p.gateways[1], p.gateways[2]
	waits := m.report(item, ledger.TxID{7}, optionA) // finished: nothing is offered
	h.take(m.sealed(waits))
	if s := h.status(waits.ID()); s.Status != Waiting {
		t.Fatalf("%+v", s)
	}
	id := waits.ID()
	raw := m.forged(item, "tag-1", func(raw []byte) { copy(raw[13:], id[:]) })
	wantFault(t, "it offers what the report does not", h.goesBy(item, "tag-1", raw), ledger.NoteContradicted)
}

// forged is the note of g with one option, changed and signed anew.
func (g *gateway) forged(item ledger.ItemID, tag string, change func(raw []byte)) []byte {
	g.tb.Helper()
	raw := bytes.Clone(g.signedNote(tag, g.never(item, "a")))
	change(raw)
	words := append([]byte{0x83, 0x58, 49}, raw[:49]...)
	words = append(append(words, 0x58, 32), item[:]...)
	words = append(append(words, 0x60+byte(len(tag))), tag...)
	d := sha256.Sum256(slices.Concat([]byte("traveler/1/note/1\x00"), g.net[:], words))
	sig, err := g.key.Sign(nil, d[:], crypto.Hash(0))
	g.check(err)
	copy(raw[49:], sig)
	return raw
}

// TestNoteOfStranger has the note of a gateway that serves no place of the operation.
func TestNoteOfStranger(t *testing.T) {
	p, item, report := cutOff(t, inMemory, 4)
	g, h, m := p.gateways[0], p.gateways[1], p.gateways[3]
	wantFault(t, "assigned", h.goesBy(item, "tag-1", g.note(report, "tag-1")), "")
	wantFault(t, "not assigned", h.goesBy(item, "tag-1", m.signedNote("tag-1", m.never(item, "a"))), ledger.NoteAuthor)
}

// TestNoteStolen has an insider put verdicts on notes of his own beside an honest
// one: the work in hand of the honest station stays.
func TestNoteStolen(t *testing.T) {
	p := started(t, inMemory, 8)
	g, h, m := p.gateways[0], p.gateways[1], p.gateways[2]
	for i := 1; i < 8; i += 2 { // an honest station whose places come last
		if k := p.gateways[i]; bytes.Compare(m.id[:], k.id[:]) < 0 {
			h = k
		}
	}
	if bytes.Compare(m.id[:], h.id[:]) > 0 {
		t.Fatal("the insider comes last")
	}
	wide := p.signed(p.planner, ledger.Tx{Body: ledger.Order{ID: "WO-2", Product: "part", Quantity: 1, Routing: []ledger.Operation{
		{ID: "a", Task: "drill", Place: "w0"},
		{ID: "b", Task: "mill", Place: "w1", Needs: []string{"a"}},
		{ID: "c", Task: "paint", Place: "w0"},
	}}})
	optionC := ledger.Option{Task: "paint", Operation: "c", Place: "w0"}
	p.order = wide.ID()
	in := g.intake(p.order, "L-1", "tag-1")
	item := in.ID()
	g.append(wide, in)
	p.share()
	first := g.accept(item, item, optionA)
	report := g.report(item, first.ID(), optionA, optionB, optionC)
	g.append(first, report)
	note := g.note(report, "tag-1")
	acc := h.acceptOn(item, note, "tag-1", optionB)
	h.append(acc)
	for _, forge := range []struct {
		name string
		as   ledger.TxID
	}{{"the same report", report.ID()}, {"a report of his own", ledger.TxID{9}}} {
		w0 := sha256.Sum256([]byte("w0"))
		raw := m.forged(item, "tag-1", func(raw []byte) {
			copy(raw[13:], forge.as[:])
			copy(raw[45:], []byte{2, 0, w0[0], w0[1]}) // c is done, a is not
		})
		own := newPlantMember(p, h)
		own.take(m.sealed(m.acceptOn(item, raw, "tag-1", optionA)))
		if it := own.noted(item).Item; !slices.Contains(it.HeadIDs, acc.ID()) {
			t.Errorf("%s: the station's own work is gone: %+v", forge.name, it.State())
		}
	}
}

// newPlantMember is a copy of a gateway's board with all that it holds.
func newPlantMember(p *plant, of *gateway) *gateway {
	k := *of
	k.r = inMemory(p.tb, p.options(of.key))
	k.take(p.allStatements()...)
	for _, g := range p.gateways {
		k.take(of.blocks(g.id)...)
	}
	return &k
}

// TestNoteFreed has quality rule on an item whose report is lost with its board.
func TestNoteFreed(t *testing.T) {
	p, item, report := cutOff(t, inMemory, 2)
	g, h := p.gateways[0], p.gateways[1]
	acc := h.acceptOn(item, g.note(report, "tag-1"), "tag-1", optionB)
	h.append(acc)
	h.append(h.report(item, acc.ID(), optionB))
	// g's board is lost for ever: quality goes on from the intake.
	ruled := p.signed(p.quality, ledger.Tx{Item: item, After: []ledger.TxID{item}, Body: ledger.Disposition{
		Ruling: ledger.ContinueAt, Operation: "b", Task: "mill", Place: "w1", Reason: "lost",
	}})
	h.append(ruled)
	wantFault(t, "the note of the lost report", h.goesBy(item, "tag-1", g.note(report, "tag-1")), ledger.NoteOld)
	again := h.accept(item, ruled.ID(), optionB)
	h.append(again)
	if s := h.status(again.ID()); s.Status != Valid {
		t.Fatalf("the item is not free: %+v", s)
	}
	done := h.report(item, again.ID(), optionB)
	h.append(done)
	if s := h.noted(item); len(s.On) != 0 || s.Item.State().Phase != ledger.Finished || h.status(done.ID()).Status != Valid {
		t.Errorf("%+v", s.Item.State())
	}
	// The board is found again after all: nobody's word is picked.
	p.share()
	p.agree()
	if it := h.item(item); !it.InConflict() {
		t.Errorf("heads %v", it.HeadIDs)
	}
}

// TestNoteReplayed has the note of a report that never came, gone by again by
// somebody else once quality has ruled and the item has moved on.
func TestNoteReplayed(t *testing.T) {
	p, item, report := cutOff(t, inMemory, 4)
	g, h, k := p.gateways[0], p.gateways[1], p.gateways[3] // h and k serve w1
	note := g.note(report, "tag-1")
	ruled := p.signed(p.quality, ledger.Tx{Item: item, After: []ledger.TxID{item}, Body: ledger.Disposition{
		Ruling: ledger.ContinueAt, Operation: "b", Task: "mill", Place: "w1", Reason: "lost",
	}})
	h.append(ruled)
	acc := h.accept(item, ruled.ID(), optionB)
	h.append(acc)
	k.take(h.blocks(h.id)...)
	wantFault(t, "in work elsewhere", k.goesBy(item, "tag-1", note), ledger.NoteOld)
	k.refuses(k.acceptOn(item, note, "tag-1", optionB))
	h.append(h.report(item, acc.ID(), optionB, optionA))
	k.take(h.blocks(h.id)...)
	wantFault(t, "done elsewhere", k.goesBy(item, "tag-1", note), ledger.NoteOld)
	k.refuses(k.acceptOn(item, note, "tag-1", optionB))
}

// TestNoteFlood has an insider fill what waits on an item: honest work stays in
// sight, and all of it once he is revoked.
func TestNoteFlood(t *testing.T) {
	p, item, report := cutOff(t, inMemory, 4)
	g, h, m := p.gateways[0], p.gateways[1], p.gateways[3]
	acc := h.acceptOn(item, g.note(report, "tag-1"), "tag-1", optionB)
	var flood []ledger.Tx
	for i := range ledger.MaxBlockTxs {
		said := m.never(item, "a")
		raw := m.signedNote("tag-1", said)
		var low ledger.TxID
		low[1] = byte(i) // before every honest hash
		low[2] = 1
		t := m.tx(ledger.Tx{Item: item, After: []ledger.TxID{low}, Body: ledger.Verdict{
			Station: m.station, Operation: "b", Task: "mill", Ruling: ledger.Accept, Tag: "tag-1", Note: raw,
		}})
		flood = append(flood, t)
	}
	h.take(m.sealed(flood...))
	h.append(acc)
	if s := h.noted(item).Item.State(); s.Phase != ledger.InWork || s.By != h.id {
		t.Errorf("in the flood: %+v", s)
	}
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: m.id})
	h.take(p.allStatements()...)
	if s := h.noted(item).Item.State(); s.Phase != ledger.InWork || s.By != h.id {
		t.Errorf("after it: %+v", s)
	}
}

// TestNoteFloodOfMany has several insiders do so at once: what is in work here stays.
func TestNoteFloodOfMany(t *testing.T) {
	p, item, report := cutOff(t, inMemory, 8)
	g, h := p.gateways[0], p.gateways[1]
	h.append(h.acceptOn(item, g.note(report, "tag-1"), "tag-1", optionB))
	for _, m := range p.gateways[2:] {
		var flood []ledger.Tx
		for i := range maxNotedOfOne {
			raw := m.forged(item, "tag-1", func(raw []byte) { raw[13], raw[14], raw[15] = 0, byte(i), m.id[0] })
			flood = append(flood, m.acceptOn(item, raw, "tag-1", optionB))
		}
		h.take(m.sealed(flood...))
	}
	if s := h.noted(item).Item.State(); s.Phase != ledger.InWork || s.By != h.id {
		t.Errorf("in the flood: %+v", s)
	}
}

// TestNoteHidden has blocks of withdrawals that wait for what never comes: the items
// that a station holds on notes stay listed.
func TestNoteHidden(t *testing.T) {
	p, item, report := cutOff(t, inMemory, 4)
	g, h := p.gateways[0], p.gateways[1]
	h.append(h.acceptOn(item, g.note(report, "tag-1"), "tag-1", optionB))
	for _, m := range p.gateways[2:] {
		var flood []ledger.Tx
		for i := range 90 { // each listed 32 times, before every honest item
			var after []ledger.TxID
			for j := range 16 {
				after = append(after, ledger.TxID{1, byte(i), byte(j)})
			}
			flood = append(flood, m.tx(ledger.Tx{Item: ledger.ItemID{0, 1}, After: after, Body: ledger.Withdraw{Keeps: after[0]}}))
		}
		h.take(m.sealed(flood...))
	}
	h.read(func(v *View) error {
		items, err := v.NotedItems(h.id)
		if len(items) != 1 || items[0].ID != item {
			t.Errorf("items on notes: %v", items)
		}
		if err != nil {
			return err
		}
		on, err := v.OnNotes(h.id)
		if len(on) != 1 {
			t.Errorf("verdicts on notes: %v", on)
		}
		return err
	})
}
