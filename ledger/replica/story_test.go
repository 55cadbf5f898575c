package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"traveler.example/ledger"
)

// story is a history that really happened among gateways, as the objects that
// they would give a newcomer.
type story struct {
	plant   *plant
	objects []Object // blocks and statements
}

// teller makes a story: gateways that work, share now and then, fork, cheat, are
// enrolled, revoked and counted again.
type teller struct {
	*plant
	rng   *rand.Rand
	items []ledger.ItemID
	extra []*gateway // second boards with the key of the first
}

// tell makes a story of about that many blocks.
func tell(tb testing.TB, seed uint64, blocks int) *story {
	tb.Helper()
	p := newPlant(tb, 5)
	t := &teller{plant: p, rng: rand.New(rand.NewPCG(seed, 1))}
	p.start(inMemory)
	order := p.orderFor("WO-1")
	p.order = order.ID()
	// One order sealed by two gateways.
	p.gateways[0].append(order)
	p.gateways[1].append(order)
	p.share()
	events := map[int]func(){
		blocks * 2 / 10: t.enrolLate,
		blocks * 3 / 10: t.forkOne,
		blocks * 4 / 10: t.cheat,
		blocks * 5 / 10: func() { p.share() },
		blocks * 6 / 10: t.revoke,
		blocks * 7 / 10: t.meet,
		blocks * 8 / 10: t.widen,
	}
	for step := range blocks {
		if event := events[step]; event != nil {
			event()
		}
		boards := append(slices.Clone(p.gateways), t.extra...)
		g := boards[t.rng.IntN(len(boards))]
		if t.rng.IntN(6) == 0 {
			t.hear(g, boards[t.rng.IntN(len(boards))])
		}
		t.work(g)
	}
	t.meet()
	s := &story{plant: p, objects: p.allStatements()}
	for _, g := range p.gateways {
		s.objects = append(s.objects, p.gateways[0].blocks(g.id)...)
	}
	return s
}

// hear gives one gateway some chain of another.
func (t *teller) hear(to, from *gateway) {
	author := t.gateways[t.rng.IntN(len(t.gateways))]
	if to == from || to.id == author.id && to.r != author.r {
		return
	}
	res, err := to.r.Ingest(context.Background(), append(t.allStatements(), from.blocks(author.id)...)...)
	t.check(err)
	if len(res.Refused) > 0 {
		t.tb.Fatalf("refused: %v", res.Refused)
	}
}

// meet brings everybody to the same state and joins all branches.
func (t *teller) meet() {
	for range 3 {
		for _, g := range t.gateways {
			g.take(t.allStatements()...)
			for _, b := range t.extra {
				g.take(b.blocks(b.id)...)
			}
			if _, _, err := g.r.JoinBranches(context.Background()); err != nil && !errors.Is(err, ledger.ErrAuthor) {
				t.check(err)
			}
		}
		t.share()
	}
	t.extra = nil
	t.agree()
}

// work has a gateway do one thing that it may do, or try one that is stale.
func (t *teller) work(g *gateway) {
	if len(t.items) == 0 || t.rng.IntN(4) == 0 {
		t.seal(g, g.intake(t.order, "L", []string{"t1", "t2", "t3"}[t.rng.IntN(3)]))
		return
	}
	for range 8 {
		id := t.items[t.rng.IntN(len(t.items))]
		var it ledger.Item
		var held bool
		g.read(func(v *View) (err error) {
			it, held, err = v.Item(id)
			return err
		})
		if !held || len(it.HeadIDs) == 0 {
			continue
		}
		if txs := t.next(g, it); len(txs) > 0 {
			t.seal(g, txs...)
			return
		}
	}
	t.seal(g, g.tx(ledger.Tx{Item: t.items[0], Body: ledger.Misroute{Station: g.station}}))
}

// next proposes what comes next for an item at a gateway.
func (t *teller) next(g *gateway, it ledger.Item) []ledger.Tx {
	head, one := it.Head()
	switch {
	case !one || it.State().Phase == ledger.Nonconforming:
		if t.rng.IntN(2) == 0 {
			return nil
		}
		ruling := t.dispose(it.ID, []ledger.Ruling{ledger.ReworkAt, ledger.UseAsIs, ledger.Scrap}[t.rng.IntN(3)], it.HeadIDs...)
		if t.rng.IntN(2) == 0 { // sealed twice
			t.seal(t.gateways[t.rng.IntN(len(t.gateways))], ruling)
		}
		return []ledger.Tx{ruling}
	case head.State.Phase == ledger.Expected:
		return t.takeUp(g, it, head)
	case head.State.Phase == ledger.InWork && head.State.By == g.id && head.State.Station == g.station:
		return t.workOn(g, it, head)
	}
	return nil
}

func (t *teller) takeUp(g *gateway, it ledger.Item, head ledger.Node) []ledger.Tx {
	for _, o := range head.State.Options {
		if !g.r.Roster().Serves(g.id, g.station, o.Place) {
			continue
		}
		if head.Kind == ledger.KindReport && t.rng.IntN(6) == 0 {
			return []ledger.Tx{g.tx(ledger.Tx{Item: it.ID, After: []ledger.TxID{head.Tx}, Body: ledger.Verdict{
				Station: g.station, Operation: o.Operation, Task: o.Task, Ruling: ledger.SetAside, Reason: "scratched",
			}})}
		}
		return []ledger.Tx{g.accept(it.ID, head.Tx, o)}
	}
	return nil
}

func (t *teller) workOn(g *gateway, it ledger.Item, head ledger.Node) []ledger.Tx {
	after := []ledger.TxID{head.Tx}
	o := ledger.Option{Task: head.State.Task, Operation: head.State.Operation}
	switch t.rng.IntN(6) {
	case 0:
		return []ledger.Tx{g.tx(ledger.Tx{Item: it.ID, After: after, Body: ledger.Withdraw{Target: head.Tx}})}
	case 1:
		return []ledger.Tx{g.tx(ledger.Tx{Item: it.ID, About: after, Body: ledger.Bind{Tags: []string{"t9"}, Supersedes: []ledger.TxID{it.ID}}})}
	case 2:
		return t.assemble(g, it, head)
	case 3:
		return []ledger.Tx{g.tx(ledger.Tx{Item: it.ID, About: after, Body: ledger.Amend{Note: "seen", Reason: "typo"}})}
	}
	rep := g.report(it.ID, head.Tx, o, optionB)
	if o.Operation == "b" {
		rep = g.report(it.ID, head.Tx, o)
	}
	return []ledger.Tx{rep}
}

// assemble consumes whatever else lies in work here.
func (t *teller) assemble(g *gateway, it ledger.Item, head ledger.Node) []ledger.Tx {
	var inputs []ledger.Input
	g.read(func(v *View) error {
		parts, err := v.InWorkAt(g.station)
		for _, part := range parts {
			if h, ok := part.Head(); ok && part.ID != it.ID && h.State.By == g.id && len(inputs) < 2 {
				inputs = append(inputs, ledger.Input{Item: part.ID, Head: h.Tx})
			}
		}
		return err
	})
	return []ledger.Tx{g.tx(ledger.Tx{Item: it.ID, After: []ledger.TxID{head.Tx}, Body: ledger.Report{
		Station: g.station, Operation: head.State.Operation, Task: head.State.Task, Outcome: ledger.OutcomeOK,
		Options: []ledger.Option{optionB}, Inputs: inputs,
	}})}
}

// seal appends; what is stale by now, or a gateway that may not seal, is left.
func (t *teller) seal(g *gateway, txs ...ledger.Tx) {
	_, err := g.r.Append(context.Background(), Batch{Txs: txs})
	if err != nil {
		if !errors.Is(err, ErrStale) && !errors.Is(err, ledger.ErrAuthor) {
			t.check(err)
		}
		return
	}
	for _, tx := range txs {
		if tx.Kind == ledger.KindIntake {
			t.items = append(t.items, tx.ID())
		}
	}
}

// enrolLate adds a witness and a station in a statement that not everybody gets
// at once.
func (t *teller) enrolLate() {
	t.state(ledger.Change{Kind: ledger.ChangeEnrol, Name: "late", Key: public(keyOf("late")), Roles: ledger.RoleWitness},
		ledger.Change{Kind: ledger.ChangeAssign, Subject: t.gateways[4].id, Station: "s8", WorkCentre: "w1"})
	t.gateways[4].take(t.allStatements()...)
}

// forkOne lets a restored backup of the fourth board work beside it.
func (t *teller) forkOne() {
	g := t.gateways[3]
	t.extra = append(t.extra, t.fork(g, len(g.blocks(g.id))/2, inMemory))
}

// cheat has the first gateway continue heads that it continued already, outside
// its replica.
func (t *teller) cheat() {
	g := t.gateways[0]
	g.take(t.allStatements()...)
	var txs []ledger.Tx
	for _, id := range t.items {
		it, held := ledger.Item{}, false
		g.read(func(v *View) (err error) {
			it, held, err = v.Item(id)
			return err
		})
		for _, n := range it.Nodes {
			if held && len(n.After) == 1 && n.Sender == g.id && len(txs) < 5 {
				txs = append(txs, g.accept(id, n.After[0], optionA))
			}
		}
	}
	head, _ := g.r.Own()
	for _, o := range g.blocks(g.id) {
		if b := o.(ledger.UnverifiedBlock); b.Hash() == head.Hash {
			g.take(t.plant.seal(g, b.Trusted(), nil, txs...).UnverifiedBlock)
		}
	}
}

// revoke leaves out the third gateway's blocks after a third of its chain.
func (t *teller) revoke() {
	g := t.gateways[2]
	chain := g.blocks(g.id)
	if len(chain) == 0 {
		return
	}
	head := chain[len(chain)/3].(ledger.UnverifiedBlock).Hash()
	t.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: g.id, Heads: []ledger.Hash{head}})
	t.gateways[0].take(t.allStatements()...)
}

// widen lets its blocks up to two thirds of its chain count again.
func (t *teller) widen() {
	g := t.gateways[2]
	chain := g.blocks(g.id)
	if len(chain) == 0 {
		return
	}
	head := chain[len(chain)*2/3].(ledger.UnverifiedBlock).Hash()
	t.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: g.id, Heads: []ledger.Hash{head}})
	t.gateways[0].take(t.allStatements()...)
}

// signatures remembers which blocks verify, so that a thousand deliveries cost
// one check of each.
type signatures struct{ known sync.Map }

func (s *signatures) verify(b ledger.UnverifiedBlock, r *ledger.Roster) (ledger.Block, error) {
	if _, ok := s.known.Load(b.Hash()); ok {
		return b.Trusted(), nil
	}
	v, err := b.Verify(r)
	if err == nil {
		s.known.Store(b.Hash(), true)
	}
	return v, err
}

// deliver gives all objects of a story to an empty replica in an order of its
// own: in batches of 1 to 64 with repetitions, most when they fit and some too
// early; what was a gap is given again.
func (s *story) deliver(r *Replica, rng *rand.Rand) error {
	left := slices.Clone(s.objects)
	rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	held := map[ledger.Hash]bool{ledger.Hash(s.plant.net): true, {}: true}
	for len(left) > 0 {
		size := 1 + rng.IntN(64)
		var batch []Object
		var later []Object
		early := rng.IntN(8)
		for _, o := range left {
			switch {
			case len(batch) < size && fits(o, held):
				batch = append(batch, o)
			case len(batch) < size && early > 0 && rng.IntN(40) == 0:
				early--
				batch = append(batch, o)
			default:
				later = append(later, o)
			}
		}
		if rng.IntN(3) == 0 {
			batch = append(batch, s.objects[rng.IntN(len(s.objects))])
		}
		res, err := r.Ingest(context.Background(), batch...)
		if err != nil {
			return err
		}
		if len(res.Refused) > 0 {
			return res.Refused[0].Err
		}
		for _, b := range res.Blocks {
			held[b.Hash] = true
		}
		for _, h := range res.Statements {
			held[h] = true
		}
		left = later
		for _, o := range batch {
			if !held[hashIn(o)] && !slices.ContainsFunc(left, func(l Object) bool { return hashIn(l) == hashIn(o) }) {
				left = append(left, o)
			}
		}
	}
	return nil
}

func hashIn(o Object) ledger.Hash {
	switch o := o.(type) {
	case ledger.UnverifiedBlock:
		return o.Hash()
	case ledger.Statement:
		return o.Hash()
	}
	return ledger.Hash{}
}

// fits reports whether all that an object needs was taken before.
func fits(o Object, held map[ledger.Hash]bool) bool {
	switch o := o.(type) {
	case ledger.UnverifiedBlock:
		h := o.Header()
		return held[h.Prev] && held[h.Also] && !slices.ContainsFunc(h.Roster, func(r ledger.Hash) bool { return !held[r] })
	case ledger.Statement:
		return !slices.ContainsFunc(o.BuildsOn, func(r ledger.Hash) bool { return !held[r] })
	}
	return true
}
