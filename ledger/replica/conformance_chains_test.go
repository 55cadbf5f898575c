package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"traveler.example/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformanceOfChains is the part of the suite about blocks, witnesses and
// the roster.
func TestConformanceOfChains(t *testing.T) {
	stores := map[string]opener{"memory": inMemory, "badger": onBadger}
	suite := map[string]func(*testing.T, opener){
		"gap":            testGap,
		"unsigned range": testUnsignedRange,
		"refused":        testRefused,
		"branches":       testBranches,
		"evidence":       testEvidence,
		"confirmation":   testConfirmation,
		"confirmed fork": testConfirmedFork,
		"revocation":     testRevocation,
		"full disk":      testFullDisk,
		"not enrolled":   testNotEnrolled,
		"group":          testGroup,
		"rebuild":        testRebuild,
	}
	for name, open := range stores {
		for what, test := range suite {
			t.Run(name+"/"+what, func(t *testing.T) { test(t, open) })
		}
	}
}

// grow seals n items on one gateway.
func (g *gateway) grow(n int) []ledger.TxID {
	g.tb.Helper()
	var ids []ledger.TxID
	for range n {
		in := g.intake(g.order, "L")
		g.append(in)
		ids = append(ids, in.ID())
	}
	return ids
}

// reader is a replica without a key.
func (p *plant) reader(open opener) *gateway {
	return &gateway{plant: p, name: "reader", r: open(p.tb, p.options(nil))}
}

func testGap(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	g.grow(3)
	chain := g.blocks(g.id)
	r := p.reader(open)
	give := func(o Object) Result {
		res, err := r.r.Ingest(context.Background(), o)
		p.check(err)
		return res
	}
	res := give(chain[0])
	if len(res.Gaps) != 1 || res.Gaps[0].Statement != p.statements[0].Hash() {
		t.Fatalf("without its roster: %+v", res)
	}
	r.take(p.allStatements()...)
	res = give(chain[2])
	b2 := chain[1].(ledger.UnverifiedBlock)
	if len(res.Gaps) != 1 || res.Gaps[0].Want != b2.Ref() || len(res.Blocks) != 0 {
		t.Fatalf("without its prev: %+v", res)
	}
	r.read(func(v *View) error {
		if st, err := v.Stats(); err != nil || st.Blocks != 0 {
			t.Errorf("a gap was stored: %+v %v", st, err)
		}
		return nil
	})
	if res = r.take(chain...); len(res.Blocks) != len(chain) {
		t.Errorf("in one batch: %+v", res)
	}
	if res = r.take(chain...); len(res.Blocks) != 0 {
		t.Errorf("given twice: %+v", res)
	}
}

// unsigned spoils the signature of a block: its hash changes with it.
func unsigned(t *testing.T, p *plant, g *gateway, prev ledger.Block, txs ...ledger.Tx) ledger.Block {
	t.Helper()
	g2 := *g
	g2.key = brokenSigner{g.key.(ed25519.PrivateKey)}
	return p.seal(&g2, prev, nil, txs...)
}

func testUnsignedRange(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	chain := g.blocks(g.id)
	head := chain[len(chain)-1].(ledger.UnverifiedBlock).Trusted()
	bad := unsigned(t, p, g, head, g.intake(p.order, "L-1"))
	r := p.reader(open)
	r.take(append(p.allStatements(), chain...)...)
	res, err := r.r.Ingest(context.Background(), bad.UnverifiedBlock)
	p.check(err)
	if len(res.Gaps) != 1 || res.Gaps[0].Want != bad.Ref() || !errors.Is(res.Gaps[0].Err, ledger.ErrSignature) {
		t.Fatalf("alone: %+v", res)
	}
	good := p.sealOn(g, bad, []ledger.Block{bad})
	res = r.take(bad.UnverifiedBlock, good.UnverifiedBlock)
	if len(res.Blocks) != 2 {
		t.Errorf("with a signed descendant: %+v", res)
	}
}

// sealOn is seal above blocks that no replica holds.
func (p *plant) sealOn(g *gateway, prev ledger.Block, known []ledger.Block, txs ...ledger.Tx) ledger.Block {
	p.tb.Helper()
	marks := map[ledger.Hash]ledger.Mark{ledger.Hash(p.net): ledger.GenesisMark(p.net, g.id)}
	for _, from := range p.gateways {
		for _, o := range from.blocks(g.id) {
			b := o.(ledger.UnverifiedBlock)
			marks[b.Hash()] = ledger.MarkOf(b)
		}
	}
	for _, b := range known {
		marks[b.Hash()] = ledger.MarkOf(b.UnverifiedBlock)
	}
	d := ledger.Draft{Prev: ledger.MarkOf(prev.UnverifiedBlock), Roster: p.roster, Txs: txs}
	var err error
	d.Skip, err = ledger.SkipFrom(d.Prev, func(h ledger.Hash) (ledger.Mark, bool) { m, ok := marks[h]; return m, ok })
	p.check(err)
	d.Time, d.Clock = p.clock()
	b, err := ledger.Seal(p.net, g.key, d)
	p.check(err)
	return b
}

func testRefused(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	r := p.reader(open)
	r.take(p.allStatements()...)
	d := ledger.Draft{Prev: ledger.GenesisMark(p.net, g.id), Skip: ledger.Hash{1}, Roster: p.roster, Time: 1}
	wrongSkip, err := ledger.Seal(p.net, g.key, d)
	p.check(err)
	d.Skip = ledger.Hash(p.net)
	stranger, err := ledger.Seal(p.net, keyOf("stranger"), d)
	p.check(err)
	notGateway, err := ledger.Seal(p.net, p.planner, d)
	p.check(err)
	res, err := r.r.Ingest(context.Background(), wrongSkip.UnverifiedBlock, stranger.UnverifiedBlock, notGateway.UnverifiedBlock, 42)
	p.check(err)
	if len(res.Refused) != 4 || len(res.Blocks)+len(res.Gaps) != 0 {
		t.Fatalf("%+v", res)
	}
}

// fork gives gateway g a second branch from its first n blocks, as a restored
// backup would seal it, and returns the blocks of both.
func (p *plant) fork(g *gateway, keep int, open opener) (backup *gateway) {
	p.tb.Helper()
	copied := *g
	copied.name, copied.r = g.name+"'", open(p.tb, p.options(g.key))
	copied.take(p.allStatements()...)
	for _, o := range g.blocks(g.id)[:keep] {
		copied.take(o)
	}
	for _, other := range p.gateways {
		if other != g {
			copied.take(g.blocks(other.id)...)
		}
	}
	return &copied
}

func testBranches(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	g.grow(3)
	backup := p.fork(g, 2, open)
	item := g.blocks(g.id)[1].(ledger.UnverifiedBlock).Txs()[0].ID()
	// Both boards take the same item to work: both words are valid.
	a, b := g.accept(item, item, optionA), backup.accept(item, item, optionA)
	g.append(a)
	backup.append(b)
	h.take(g.blocks(g.id)...)
	res := h.take(backup.blocks(g.id)...)
	if !slices.Equal(res.Evidence, []ledger.KeyID{g.id}) {
		t.Errorf("evidence %v", res.Evidence)
	}
	h.read(func(v *View) error {
		heads, err := v.HeadsOf(g.id)
		if err != nil || len(heads) != 2 {
			t.Errorf("heads %v %v", heads, err)
		}
		return nil
	})
	if it := h.item(item); !it.InConflict() {
		t.Errorf("heads %v", it.HeadIDs)
	}
	// The gateway learns of its branch and joins it in its next block.
	if res := g.take(backup.blocks(g.id)...); !res.OwnBranch {
		t.Error("the own branch was not noticed")
	}
	if _, branches := g.r.Own(); len(branches) != 2 {
		t.Fatalf("branches %v", branches)
	}
	joined, ok, err := g.r.JoinBranches(context.Background())
	if err != nil || !ok || joined.Header().Also.IsZero() {
		t.Fatalf("join: %v %v", ok, err)
	}
	if head, branches := g.r.Own(); len(branches) != 1 || head != joined.Ref() {
		t.Errorf("after the join: %v %v", head, branches)
	}
	if _, ok, err := g.r.JoinBranches(context.Background()); ok || err != nil {
		t.Errorf("a join of nothing: %v %v", ok, err)
	}
	// A third word on the same head is void in the joined chain.
	g.stale(Batch{Txs: []ledger.Tx{g.accept(item, item, optionA)}})
	keeps := g.tx(ledger.Tx{Item: item, After: g.item(item).HeadIDs, Body: ledger.Withdraw{Keeps: a.ID()}})
	g.append(keeps)
	h.take(g.blocks(g.id)...)
	if s := h.item(item).State(); s.Phase != ledger.InWork {
		t.Errorf("after the withdrawal: %+v", s)
	}
	gh, err := g.r.DumpHash()
	p.check(err)
	hh, err := h.r.DumpHash()
	p.check(err)
	if gh != hh {
		t.Error("the dumps differ")
	}
}

func testEvidence(t *testing.T, open opener) {
	p := started(t, open, 2)
	g, h := p.gateways[0], p.gateways[1]
	backup := p.fork(g, 1, open)
	g.grow(1)
	backup.grow(1)
	h.take(g.blocks(g.id)...)
	h.take(backup.blocks(g.id)...)
	var ev ledger.Evidence
	h.read(func(v *View) error {
		views, err := v.Evidence()
		if err != nil || len(views) != 1 || views[0].Author != g.id || views[0].Height != 2 || len(views[0].Blocks) != 2 {
			t.Errorf("view: %+v %v", views, err)
		}
		made, ok, err := v.EvidenceObject(g.id)
		if err != nil || !ok {
			t.Fatalf("object: %v %v", ok, err)
		}
		ev = made
		return nil
	})
	// One who holds neither branch knows it from the object.
	r := p.reader(open)
	r.take(p.allStatements()...)
	if res := r.take(ev); !slices.Equal(res.Evidence, []ledger.KeyID{g.id}) {
		t.Errorf("%+v", res)
	}
	if res := r.take(ev); len(res.Evidence) != 0 {
		t.Errorf("given twice: %+v", res)
	}
	r.read(func(v *View) error {
		passed, ok, err := v.EvidenceObject(g.id)
		if err != nil || !ok || !bytes.Equal(passed.Raw(), ev.Raw()) {
			t.Errorf("passed on: %v %v", ok, err)
		}
		return nil
	})
}

func (p *plant) frontier(w *gateway, heads ...ledger.Ref) ledger.Frontier {
	p.tb.Helper()
	f, err := ledger.SignFrontier(p.net, w.key, p.now.Add(1), heads)
	p.check(err)
	return f
}

func (g *gateway) confirmation(b ledger.Ref) (n, m int, ok bool) {
	g.tb.Helper()
	g.read(func(v *View) (err error) {
		n, m, ok, err = v.Confirmation(b)
		return err
	})
	return n, m, ok
}

func testConfirmation(t *testing.T, open opener) {
	p := started(t, open, 3)
	g := p.gateways[0]
	g.grow(3)
	chain := g.blocks(g.id)
	ref := func(height int) ledger.Ref { return chain[height-1].(ledger.UnverifiedBlock).Ref() }
	if n, m, ok := g.confirmation(ref(4)); n != 0 || m != 3 || ok {
		t.Fatalf("%d of %d %v", n, m, ok)
	}
	g.take(p.frontier(p.gateways[1], ref(3)))
	res := g.take(p.frontier(p.gateways[2], ref(4)), p.frontier(p.gateways[2], ref(2)))
	if len(res.Frontiers) != 1 {
		t.Errorf("an older frontier is news: %v", res.Frontiers)
	}
	if n, _, ok := g.confirmation(ref(3)); n != 2 || !ok {
		t.Errorf("block 3: %d %v", n, ok)
	}
	if n, _, ok := g.confirmation(ref(4)); n != 1 || ok {
		t.Errorf("block 4: %d %v", n, ok)
	}
	// A witness is ahead of what is held: its word counts once the block is here.
	r := p.reader(open)
	r.take(p.allStatements()...)
	r.take(chain[0], p.frontier(p.gateways[1], ref(3)), p.frontier(p.gateways[2], ref(4)))
	if _, _, ok := r.confirmation(ref(1)); ok {
		t.Error("confirmed by blocks that are not held")
	}
	r.take(chain[1:]...)
	if n, _, ok := r.confirmation(ref(3)); n != 2 || !ok {
		t.Errorf("once held: %d %v", n, ok)
	}
	// Witnesses go; what was confirmed stays so.
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: p.gateways[2].id})
	r.take(p.allStatements()...)
	if n, m, ok := r.confirmation(ref(3)); n != 1 || m != 2 || !ok {
		t.Errorf("after a witness went: %d of %d %v", n, m, ok)
	}
	// A stranger's word is refused.
	other := &gateway{plant: p, key: keyOf("stranger")}
	bad, err := r.r.Ingest(context.Background(), p.frontier(other, ref(4)))
	if err != nil || len(bad.Refused) != 1 {
		t.Errorf("%+v %v", bad, err)
	}
}

func testConfirmedFork(t *testing.T, open opener) {
	p := started(t, open, 3)
	g := p.gateways[0]
	g.grow(1)
	backup := p.fork(g, 2, open)
	g.grow(2)
	backup.grow(1)
	h := p.gateways[1]
	h.take(append(g.blocks(g.id), backup.blocks(g.id)...)...)
	head, _ := g.r.Own()
	other, _ := backup.r.Own()
	below := g.blocks(g.id)[1].(ledger.UnverifiedBlock).Ref()
	h.take(p.frontier(p.gateways[1], head), p.frontier(p.gateways[2], other))
	for _, c := range []struct {
		ref  ledger.Ref
		n    int
		want bool
	}{{below, 2, true}, {head, 1, false}, {other, 1, false}} {
		if n, _, ok := h.confirmation(c.ref); n != c.n || ok != c.want {
			t.Errorf("%s: %d %v", c.ref, n, ok)
		}
	}
	h.take(p.frontier(p.gateways[2], head, other))
	if n, _, ok := h.confirmation(head); n != 2 || !ok {
		t.Errorf("both know one branch: %d %v", n, ok)
	}
	if _, _, ok := h.confirmation(other); ok {
		t.Error("the other branch is confirmed by one")
	}
}

func testRevocation(t *testing.T, open opener) {
	p := started(t, open, 4)
	g0, g1, g2 := p.gateways[0], p.gateways[1], p.gateways[2]
	in := g1.intake(p.order, "L-1", "tag")
	g1.append(in)
	p.share()
	acc := g2.accept(in.ID(), in.ID(), optionA)
	g2.append(acc)
	rep := g2.report(in.ID(), acc.ID(), optionA, optionB)
	last := g2.append(rep)
	p.share()
	acc1 := g1.accept(in.ID(), rep.ID(), optionB)
	g1.append(acc1)
	p.share()
	p.agree()

	// None of the second gateway's blocks counts.
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: g2.id})
	for _, g := range p.gateways {
		g.take(p.allStatements()...)
	}
	p.agree()
	it := g0.item(in.ID())
	if n, _ := it.Node(rep.ID()); n.Uncounted != 1 {
		t.Errorf("report %+v", n)
	}
	if len(it.HeadIDs) != 1 || it.HeadIDs[0] != acc1.ID() || it.State().Phase != ledger.Nonconforming {
		t.Errorf("heads %v in %+v", it.HeadIDs, it.State())
	}
	g0.read(func(v *View) error {
		st, err := v.Stats()
		if err != nil || st.Items[Nonconforming] != 1 {
			t.Errorf("%+v %v", st, err)
		}
		s, _, err := v.Tx(rep.ID())
		if err != nil || !s.Valid || s.Counted || !s.Placed[0].Uncounted {
			t.Errorf("%+v %v", s, err)
		}
		return nil
	})
	// A late replica that gets the revocation first has the same.
	late := p.reader(open)
	late.take(p.allStatements()...)
	for _, from := range p.gateways {
		late.take(g0.blocks(from.id)...)
	}
	want, err := g0.r.DumpHash()
	p.check(err)
	if got, err := late.r.DumpHash(); err != nil || got != want {
		t.Errorf("the late replica differs: %v", err)
	}
	// Quality rules, then the revocation is widened: all blocks count again.
	g0.append(p.dispose(in.ID(), ledger.ReworkAt, acc1.ID()))
	if s := g0.item(in.ID()).State(); s.Phase != ledger.Expected {
		t.Errorf("after the ruling %+v", s)
	}
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: g2.id, Heads: []ledger.Hash{last.Hash()}})
	g0.take(p.allStatements()...)
	late.take(p.allStatements()...)
	late.take(g0.blocks(g0.id)...)
	if n, _ := g0.item(in.ID()).Node(rep.ID()); n.Uncounted != 0 {
		t.Errorf("report after the widening %+v", n)
	}
	want, err = g0.r.DumpHash()
	p.check(err)
	if got, err := late.r.DumpHash(); err != nil || got != want {
		t.Errorf("the late replica differs after the widening: %v", err)
	}
	// A revoked gateway seals no more.
	g2.take(p.allStatements()...)
	if _, err := g2.r.Append(context.Background(), Batch{Txs: []ledger.Tx{g2.intake(p.order, "L-9")}}); !errors.Is(err, ledger.ErrAuthor) {
		t.Errorf("revoked, it sealed: %v", err)
	}
}

func testFullDisk(t *testing.T, open opener) {
	p := newPlant(t, 1)
	g := p.gateways[0]
	free := int64(1 << 40)
	o := p.options(g.key)
	o.Reserve = 1 << 20
	o.FreeBytes = func(string) (int64, error) { return free, nil }
	g.r = open(t, o)
	g.take(p.allStatements()...)
	order := p.orderFor("WO-1")
	free = storeNeeds
	if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{order}}); !errors.Is(err, ErrFull) {
		t.Fatalf("want ErrFull, got %v", err)
	}
	if _, err := g.r.Ingest(context.Background(), p.statements[0]); !errors.Is(err, ErrFull) {
		t.Fatalf("want ErrFull, got %v", err)
	}
	g.read(func(v *View) error { _, err := v.Stats(); return err })
	free = storeNeeds + 1<<20
	g.append(order)
}

func testNotEnrolled(t *testing.T, open opener) {
	p := newPlant(t, 1)
	g := &gateway{plant: p, name: "new", key: keyOf("new"), id: idOf(keyOf("new")), station: "s9"}
	g.r = open(t, p.options(g.key))
	order := p.orderFor("WO-1")
	if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{order}}); !errors.Is(err, errNoRoster) {
		t.Errorf("without a roster: %v", err)
	}
	g.take(p.allStatements()...)
	if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{order}}); !errors.Is(err, ledger.ErrAuthor) {
		t.Errorf("a stranger: %v", err)
	}
	r := p.reader(open)
	if _, err := r.r.Append(context.Background(), Batch{Txs: []ledger.Tx{order}}); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

// testGroup has many appends wait at once: they share blocks, and each guard
// sees what was admitted before it.
func testGroup(t *testing.T, open opener) {
	p := started(t, open, 1)
	g := p.gateways[0]
	const writers = 50
	var txs []ledger.Tx
	for range writers {
		txs = append(txs, g.intake(p.order, "L", "tag"))
	}
	hold := make(chan struct{})
	errs := make(chan error, writers+1)
	go func() { // keeps the committer busy while the others queue up
		_, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{g.intake(p.order, "first")}, Guard: func(*View) error { <-hold; return nil }})
		errs <- err
	}()
	for _, tx := range txs {
		go func() {
			_, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{tx}, Guard: func(v *View) error {
				open, _, err := v.Tag("tag")
				if err == nil && len(open) > 0 {
					err = errors.New("tag in use")
				}
				return err
			}})
			errs <- err
		}()
	}
	close(hold)
	sealed := 0
	for range writers + 1 {
		if err := <-errs; err == nil {
			sealed++
		} else if !errors.Is(err, ErrStale) {
			t.Error(err)
		}
	}
	if sealed != 2 {
		t.Errorf("%d were sealed; the tag belongs to one", sealed)
	}
}

func testRebuild(t *testing.T, open opener) {
	p := started(t, open, 2)
	g := p.gateways[0]
	g.grow(5)
	p.share()
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: p.gateways[1].id})
	g.take(p.allStatements()...)
	want, err := g.r.DumpHash()
	p.check(err)
	p.check(g.r.Rebuild(context.Background()))
	if got, err := g.r.DumpHash(); err != nil || got != want {
		t.Errorf("rebuilt views differ: %v", err)
	}
	g.append(g.intake(p.order, "after"))
}
