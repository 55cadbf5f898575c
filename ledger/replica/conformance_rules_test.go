package replica

import (
	"testing"

	"traveler.example/ledger"
)

// TestConformanceOfRules is the part of the suite about what a simpler rule would
// get wrong.
func TestConformanceOfRules(t *testing.T) {
	stores := map[string]opener{"memory": inMemory, "badger": onBadger}
	suite := map[string]func(*testing.T, opener){
		"thief below the cut": testThiefBelowTheCut,
		"joined word":         testJoinedWord,
		"stale after a peer":  testStaleAfterPeer,
		"strange head":        testStrangeHead,
	}
	for name, open := range stores {
		for what, test := range suite {
			t.Run(name+"/"+what, func(t *testing.T) { test(t, open) })
		}
	}
}

// A revocation names head hashes. Whoever stole the key forks below them: at a
// height that counts, in a block that does not.
func testThiefBelowTheCut(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	g.grow(3)
	thief := p.fork(g, 2, open)
	stolen := thief.intake(p.order, "STOLEN", "tag-of-the-thief")
	thief.append(stolen)
	blocks := g.blocks(g.id)
	last := blocks[len(blocks)-1].(ledger.UnverifiedBlock)
	h.take(blocks...)
	h.take(thief.blocks(g.id)...)
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: g.id, Heads: []ledger.Hash{last.Hash()}})
	h.take(p.allStatements()...)
	h.read(func(v *View) error {
		s, _, err := v.Tx(stolen.ID())
		if err != nil || s.Counted || !s.Placed[0].Uncounted {
			t.Errorf("the thief's intake at height %d counts below the cut at %d: %+v %v", s.Placed[0].Place.Height, last.Ref().Height, s, err)
		}
		kept, _, err := v.Tx(last.Txs()[0].ID())
		if err != nil || !kept.Counted {
			t.Errorf("the named head does not count: %+v %v", kept, err)
		}
		return nil
	})
}

// What a joined branch has said counts as said before: by also, not by prev alone.
func testJoinedWord(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	g.grow(2)
	backup := p.fork(g, len(g.blocks(g.id)), open)
	item := g.blocks(g.id)[1].(ledger.UnverifiedBlock).Txs()[0].ID()
	g.grow(2) // the higher branch is prev
	first := backup.accept(item, item, optionA)
	backup.append(first)
	g.take(backup.blocks(g.id)...)
	joined, ok, err := g.r.JoinBranches(t.Context())
	if err != nil || !ok || joined.Header().Also.IsZero() {
		t.Fatalf("join: %v %v", ok, err)
	}
	second := g.accept(item, item, optionA)
	again := p.seal(g, joined, nil, second)
	h.take(g.blocks(g.id)...)
	h.take(again.UnverifiedBlock)
	if s := h.status(second.ID()); s.Status != Void || s.Reason != ledger.VoidRepeated {
		t.Errorf("a second word after the join: %+v", s)
	}
	if heads := h.item(item).HeadIDs; len(heads) != 1 || heads[0] != first.ID() {
		t.Errorf("heads %v", heads)
	}
}

// What a peer has said since the decision makes it stale, though it would be
// valid: this chain has said nothing yet.
func testStaleAfterPeer(t *testing.T, open opener) {
	p := started(t, open, 4)
	g0, g2 := p.gateways[0], p.gateways[2] // both serve w0
	in := g0.intake(p.order, "L-1")
	g0.append(in)
	p.share()
	decided := g0.accept(in.ID(), in.ID(), optionA)
	g2.append(g2.accept(in.ID(), in.ID(), optionA))
	g0.take(g2.blocks(g2.id)...)
	g0.stale(Batch{Txs: []ledger.Tx{decided}})
	if it := g0.item(in.ID()); it.InConflict() {
		t.Errorf("this gateway made a conflict of its own: heads %v", it.HeadIDs)
	}
}

// A witness speaks of the block whose hash it names, not of a height.
func testStrangeHead(t *testing.T, open opener) {
	p := started(t, open, 3)
	g := p.gateways[0]
	g.grow(2)
	p.share()
	blocks := g.blocks(g.id)
	last := blocks[len(blocks)-1].(ledger.UnverifiedBlock).Ref()
	strange := last
	strange.Hash[0] ^= 1
	for _, w := range p.gateways {
		g.take(p.frontier(w, strange))
	}
	for _, b := range blocks {
		if n, m, ok := g.confirmation(b.(ledger.UnverifiedBlock).Ref()); ok {
			t.Errorf("height %d confirmed %d of %d by frontiers about another block", b.(ledger.UnverifiedBlock).Ref().Height, n, m)
		}
	}
	for _, w := range p.gateways {
		g.take(p.frontier(w, last))
	}
	if n, m, ok := g.confirmation(last); !ok {
		t.Errorf("not confirmed: %d of %d", n, m)
	}
}
