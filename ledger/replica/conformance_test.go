package replica

import (
	"context"
	"errors"
	"slices"
	"testing"

	"traveler.example/ledger"
)

// TestConformance runs one suite over both stores.
func TestConformance(t *testing.T) {
	stores := map[string]opener{"memory": inMemory, "badger": onBadger}
	suite := map[string]func(*testing.T, opener){
		"append and read": testAppendAndRead,
		"stale":           testStale,
		"own chain":       testOwnChain,
		"conflict":        testConflict,
		"withdraw":        testWithdraw,
		"assembly":        testAssembly,
		"tags":            testTags,
		"again":           testAgain,
		"waiting":         testWaiting,
		"note":            testNote,
		"note of clone":   testNoteOfClone,
		"note ruled":      testNoteRuled,
		"note chain":      testNoteChain,
		"note of part":    testNoteOfPart,
	}
	for name, open := range stores {
		for what, test := range suite {
			t.Run(name+"/"+what, func(t *testing.T) { test(t, open) })
		}
	}
}

// started is a plant of n gateways that all hold one order.
func started(t *testing.T, open opener, n int) *plant {
	t.Helper()
	p := newPlant(t, n)
	p.start(open)
	order := p.orderFor("WO-1")
	p.gateways[0].append(order)
	p.share()
	p.order = order.ID()
	return p
}

func testAppendAndRead(t *testing.T, open opener) {
	p := started(t, open, 2)
	g := p.gateways[0]
	in := g.intake(p.order, "L-1", "tag-1")
	b := g.append(in)
	if b.Header().Height != 2 || len(b.Txs()) != 1 {
		t.Fatalf("sealed in %s with %d transactions", b.Ref(), len(b.Txs()))
	}
	it := g.item(in.ID())
	if it.State().Phase != ledger.Expected || it.Label != "L-1" || !slices.Equal(it.Tags, []string{"tag-1"}) {
		t.Fatalf("item %+v", it)
	}
	acc := g.accept(in.ID(), in.ID(), optionA)
	rep := g.report(in.ID(), acc.ID(), optionA, optionB)
	g.append(acc, rep)
	g.read(func(v *View) error {
		open, closed, err := v.Tag("tag-1")
		if err != nil || len(open) != 1 || len(closed) != 0 || open[0].State().Phase != ledger.Expected {
			t.Errorf("tag: %v %v %v", open, closed, err)
		}
		byLabel, err := v.Label("L-1")
		if err != nil || len(byLabel) != 1 {
			t.Errorf("label: %v %v", byLabel, err)
		}
		var pool []PoolEntry
		for e, err := range v.Pool() {
			if err != nil {
				return err
			}
			pool = append(pool, e)
		}
		if len(pool) != 1 || pool[0].Conflict {
			t.Errorf("pool: %v", pool)
		}
		o, ok, err := v.Order(p.order)
		if err != nil || !ok || o.Order.ID != "WO-1" || !o.Counted {
			t.Errorf("order: %+v %v %v", o, ok, err)
		}
		st, err := v.Stats()
		if err != nil || st.Blocks != 3 || st.Transactions != 4 || st.Items[Expected] != 1 || st.Statements != 1 {
			t.Errorf("stats: %+v %v", st, err)
		}
		return nil
	})
	// The second station takes it on and finishes.
	h := p.gateways[1]
	p.share()
	acc2 := h.accept(in.ID(), rep.ID(), optionB)
	h.append(acc2)
	h.read(func(v *View) error {
		items, err := v.InWorkAt("s1")
		if err != nil || len(items) != 1 {
			t.Errorf("in work: %v %v", items, err)
		}
		return nil
	})
	h.append(h.report(in.ID(), acc2.ID(), optionB))
	p.share()
	p.agree()
	g.read(func(v *View) error {
		open, closed, err := v.Tag("tag-1")
		if err != nil || len(open) != 0 || len(closed) != 1 || closed[0].State().Phase != ledger.Finished {
			t.Errorf("tag of a finished item: %v %v %v", open, closed, err)
		}
		return nil
	})
}

func (g *gateway) stale(b Batch) error {
	g.tb.Helper()
	_, err := g.r.Append(context.Background(), b)
	if !errors.Is(err, ErrStale) {
		g.tb.Fatalf("want ErrStale, got %v", err)
	}
	return err
}

func testStale(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	in := g.intake(p.order, "L-1")
	g.append(in)
	acc := g.accept(in.ID(), in.ID(), optionA)
	g.append(acc)
	before, err := g.r.DumpHash()
	p.check(err)

	g.stale(Batch{Txs: []ledger.Tx{g.accept(in.ID(), in.ID(), optionA)}})
	refused := errors.New("the tag is taken")
	in2 := g.intake(p.order, "L-2")
	err = g.stale(Batch{Txs: []ledger.Tx{in2}, Guard: func(v *View) error {
		if items, err := v.Label("L-1"); err != nil || len(items) != 1 {
			t.Errorf("the guard sees %v %v", items, err)
		}
		return refused
	}})
	if !errors.Is(err, refused) {
		t.Errorf("the guard's error is lost: %v", err)
	}
	// A batch is sealed whole or not at all.
	in3 := g.intake(p.order, "L-3")
	err = g.stale(Batch{Txs: []ledger.Tx{in3, g.report(in.ID(), acc.ID(), optionB)}})
	var void *ledger.VoidError
	if !errors.As(err, &void) || void.Reason != ledger.VoidPosition {
		t.Errorf("want a void position, got %v", err)
	}
	after, err := g.r.DumpHash()
	p.check(err)
	if before != after {
		t.Error("a refused append changed the views")
	}
	// The same transactions again: the block that holds them.
	b := g.append(acc)
	if b.Header().Height != 3 {
		t.Errorf("a repeated append was sealed again in %s", b.Ref())
	}
}

func testOwnChain(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	in := g.intake(p.order, "L-1")
	g.append(in)
	first := g.accept(in.ID(), in.ID(), optionA)
	second := g.accept(in.ID(), in.ID(), optionA)
	b := g.append(first)
	// A block that a careless author sealed: it continues the same head again.
	again := p.seal(g, b, nil, second)
	p.share()
	h.take(again.UnverifiedBlock)
	if s := h.status(second.ID()); s.Status != Void || s.Reason != ledger.VoidRepeated {
		t.Fatalf("second word: %+v", s)
	}
	if heads := h.item(in.ID()).HeadIDs; len(heads) != 1 || heads[0] != first.ID() {
		t.Errorf("heads %v", heads)
	}
	h.read(func(v *View) error {
		n := 0
		for p, err := range v.Voids(ledger.Place{}, 0) {
			if err != nil || p.Tx != second.ID() || p.Reason != ledger.VoidRepeated {
				t.Errorf("void %+v %v", p, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d voids", n)
		}
		return nil
	})
}

// seal makes a block outside any replica: what a cheat, a careless author or a
// restored backup would.
func (p *plant) seal(g *gateway, prev ledger.Block, also *ledger.Block, txs ...ledger.Tx) ledger.Block {
	p.tb.Helper()
	marks := map[ledger.Hash]ledger.Mark{ledger.Hash(p.net): ledger.GenesisMark(p.net, g.id)}
	for _, from := range p.gateways {
		for _, o := range from.blocks(g.id) {
			b := o.(ledger.UnverifiedBlock)
			marks[b.Hash()] = ledger.MarkOf(b)
		}
	}
	d := ledger.Draft{Prev: ledger.GenesisMark(p.net, g.id), Roster: p.roster, Txs: txs}
	if prev.Raw() != nil {
		d.Prev = ledger.MarkOf(prev.UnverifiedBlock)
	}
	if also != nil {
		m := ledger.MarkOf(also.UnverifiedBlock)
		d.Also = &m
	}
	marks[d.Prev.Ref.Hash] = d.Prev
	var err error
	d.Skip, err = ledger.SkipFrom(d.Prev, func(h ledger.Hash) (ledger.Mark, bool) { m, ok := marks[h]; return m, ok })
	p.check(err)
	d.Time, d.Clock = p.clock()
	b, err := ledger.Seal(p.net, g.key, d)
	p.check(err)
	return b
}

func testConflict(t *testing.T, open opener) {
	p := started(t, open, 4)
	g0, g2 := p.gateways[0], p.gateways[2] // both serve w0
	in := g0.intake(p.order, "L-1")
	g0.append(in)
	p.share()
	a, b := g0.accept(in.ID(), in.ID(), optionA), g2.accept(in.ID(), in.ID(), optionA)
	g0.append(a)
	g2.append(b)
	p.share()
	p.agree()
	it := g0.item(in.ID())
	if !it.InConflict() {
		t.Fatalf("heads %v", it.HeadIDs)
	}
	g0.read(func(v *View) error {
		for e, err := range v.Pool() {
			if err != nil || !e.Conflict {
				t.Errorf("pool %+v %v", e, err)
			}
		}
		return nil
	})
	ruling := p.dispose(in.ID(), ledger.ReworkAt, it.HeadIDs...)
	p.gateways[1].append(ruling)
	p.share()
	p.agree()
	if s := g2.item(in.ID()).State(); s.Phase != ledger.Expected {
		t.Errorf("after the ruling: %+v", s)
	}
}

func testWithdraw(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	in := g.intake(p.order, "L-1")
	acc := g.accept(in.ID(), in.ID(), optionA)
	g.append(in, acc)
	g.append(g.tx(ledger.Tx{Item: in.ID(), After: []ledger.TxID{acc.ID()}, Body: ledger.Withdraw{Target: acc.ID()}}))
	if s := g.item(in.ID()).State(); s.Phase != ledger.Expected {
		t.Fatalf("after the withdrawal: %+v", s)
	}
	g.read(func(v *View) error {
		items, err := v.InWorkAt(g.station)
		if err != nil || len(items) != 0 {
			t.Errorf("still in work: %v %v", items, err)
		}
		return nil
	})
}

func testAssembly(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	part, whole := g.intake(p.order, "P"), g.intake(p.order, "W")
	accPart, accWhole := g.accept(part.ID(), part.ID(), optionA), g.accept(whole.ID(), whole.ID(), optionA)
	g.append(part, whole, accPart, accWhole)
	build := g.tx(ledger.Tx{Item: whole.ID(), After: []ledger.TxID{accWhole.ID()}, Body: ledger.Report{
		Station: g.station, Operation: "a", Task: "drill", Outcome: ledger.OutcomeOK, Options: []ledger.Option{optionB},
		Inputs: []ledger.Input{{Item: part.ID(), Head: accPart.ID()}},
	}})
	g.append(build)
	if s := g.item(part.ID()).State(); s.Phase != ledger.Consumed || s.Into != whole.ID() {
		t.Fatalf("part: %+v", s)
	}
	// A consumed part is ruled on by quality, then the assembly cannot be
	// withdrawn past that by the same chain.
	g.append(g.tx(ledger.Tx{Item: whole.ID(), After: []ledger.TxID{build.ID()}, Body: ledger.Withdraw{Target: build.ID()}}))
	if s := g.item(part.ID()).State(); s.Phase != ledger.InWork {
		t.Errorf("part after the withdrawal: %+v", s)
	}
	// The part is free for another assembly.
	build2 := g.tx(ledger.Tx{Item: whole.ID(), After: []ledger.TxID{g.item(whole.ID()).HeadIDs[0]}, Body: ledger.Report{
		Station: g.station, Operation: "a", Task: "drill", Outcome: ledger.OutcomeOK, Options: []ledger.Option{optionB},
		Inputs: []ledger.Input{{Item: part.ID(), Head: g.item(part.ID()).HeadIDs[0]}},
	}})
	g.append(build2)
	if s := g.item(part.ID()).State(); s.Phase != ledger.Consumed {
		t.Errorf("part after the second assembly: %+v", s)
	}
}

func testTags(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	in := g.intake(p.order, "L-1", "old")
	g.append(in)
	acc := g.accept(in.ID(), in.ID(), optionA)
	bind := g.tx(ledger.Tx{Item: in.ID(), About: []ledger.TxID{acc.ID()}, Body: ledger.Bind{Tags: []string{"new"}, Supersedes: []ledger.TxID{in.ID()}}})
	g.append(acc, bind)
	find := func(tag string) (open, closed []ledger.Item) {
		g.read(func(v *View) (err error) {
			open, closed, err = v.Tag(tag)
			return err
		})
		return open, closed
	}
	if open, closed := find("old"); len(open)+len(closed) != 0 {
		t.Errorf("the old tag is still in force: %v %v", open, closed)
	}
	if open, _ := find("new"); len(open) != 1 || !slices.Equal(open[0].Tags, []string{"new"}) {
		t.Errorf("the new tag: %v", open)
	}
	// Finishing frees the tag for the next item.
	g.append(g.report(in.ID(), acc.ID(), optionA))
	in2 := g.intake(p.order, "L-2", "new")
	g.append(in2)
	if open, closed := find("new"); len(open) != 1 || open[0].ID != in2.ID() || len(closed) != 1 {
		t.Errorf("the tag used again: %v %v", open, closed)
	}
}

func testAgain(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	order := p.orderFor("WO-2")
	g.append(order)
	h.append(order)
	p.share()
	p.agree()
	g.read(func(v *View) error {
		s, ok, err := v.Tx(order.ID())
		if err != nil || !ok || len(s.Placed) != 2 || !s.Counted {
			t.Fatalf("%+v %v %v", s, ok, err)
		}
		if s.Placed[0].Again || !s.Placed[1].Again || s.Place() != s.Placed[0].Place {
			t.Errorf("displayed at %v of %+v", s.Place(), s.Placed)
		}
		return nil
	})
}

func testWaiting(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	in := g.intake(p.order, "L-1")
	acc := g.accept(in.ID(), in.ID(), optionA)
	rep := g.report(in.ID(), acc.ID(), optionA, optionB)
	g.append(in, acc, rep)
	h.take(g.blocks(g.id)...)
	acc2 := h.accept(in.ID(), rep.ID(), optionB)
	h.append(acc2)

	// A replica that hears the second chain first.
	late := &gateway{plant: p, name: "late", r: open(t, p.options(nil))}
	late.take(p.allStatements()...)
	late.take(h.blocks(h.id)...)
	if s := late.status(acc2.ID()); s.Status != Waiting || !slices.Equal(s.For, []ledger.TxID{rep.ID()}) {
		t.Fatalf("%+v", s)
	}
	late.read(func(v *View) error {
		n := 0
		for w, err := range v.Waiting() {
			if err != nil || w.Tx != acc2.ID() {
				t.Errorf("waiting %+v %v", w, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d wait", n)
		}
		return nil
	})
	res := late.take(g.blocks(g.id)...)
	if !slices.Contains(res.Changed, in.ID()) {
		t.Errorf("changed %v", res.Changed)
	}
	if s := late.item(in.ID()).State(); s.Phase != ledger.InWork || s.Station != "s1" {
		t.Errorf("%+v", s)
	}
}
