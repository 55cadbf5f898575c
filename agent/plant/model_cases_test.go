package plant

import (
	"slices"
	"testing"
	"time"

	"traveler.example/ledger"
)

// put seals a block after the one told, or after genesis.
func (h *history) put(g *author, prev *ledger.UnverifiedBlock, txs ...ledger.Tx) *ledger.UnverifiedBlock {
	net := h.genesis.Network()
	marks := map[ledger.Hash]ledger.Mark{}
	d := ledger.Draft{Prev: ledger.GenesisMark(net, g.id), Time: h.now(), Roster: h.rosterHeads(), Txs: txs}
	marks[d.Prev.Ref.Hash] = d.Prev
	for _, b := range g.blocks {
		marks[b.Hash()] = ledger.MarkOf(b)
	}
	if prev != nil {
		d.Prev = ledger.MarkOf(*prev)
	}
	h.finish(g, d, marks)
	return &g.blocks[len(g.blocks)-1]
}

func (h *history) finish(g *author, d ledger.Draft, marks map[ledger.Hash]ledger.Mark) {
	var err error
	d.Skip, err = ledger.SkipFrom(d.Prev, func(k ledger.Hash) (ledger.Mark, bool) { m, ok := marks[k]; return m, ok })
	h.check(err)
	b, err := ledger.Seal(h.genesis.Network(), g.key, d)
	h.check(err)
	h.check(h.model.Add(b.Raw()))
	h.objects = append(h.objects, b.UnverifiedBlock)
	g.blocks = append(g.blocks, b.UnverifiedBlock)
	h.look()
}

// made makes a transaction of a gateway as it is.
func (h *history) made(g *author, t ledger.Tx) ledger.Tx {
	t.Sender, t.Time = g.id, h.now()
	made, err := ledger.NewTx(h.genesis.Network(), t)
	h.check(err)
	return made
}

func (h *history) ruled(who string, t ledger.Tx) ledger.Tx {
	t.Time = h.now()
	made, err := ledger.SignTx(h.genesis.Network(), t, h.key(who))
	h.check(err)
	return made
}

func (h *history) statusOf(t *testing.T, tx ledger.Tx) string {
	t.Helper()
	id := tx.ID()
	placed := h.world.byTx[string(id[:])]
	if len(placed) == 0 {
		t.Fatalf("%s is not held", id.Short())
	}
	if placed[0].reason != "" {
		return placed[0].status + " " + placed[0].reason
	}
	return placed[0].status
}

// bench is a piece and a part in work at the first gateway.
type bench struct {
	*history
	g           *author
	piece, part ledger.TxID
	atPiece     ledger.TxID
	atPart      ledger.TxID
	last        *ledger.UnverifiedBlock
}

func newBench(t *testing.T) *bench {
	h := newHistory(t, 1)
	b := &bench{history: h, g: h.authors[0]}
	order := h.ruled("planner", ledger.Tx{Body: ledger.Order{
		ID: "WO", Product: "part", Routing: []ledger.Operation{{ID: "a", Task: "drill", Place: "w0", MaxReturns: 1}},
	}})
	txs := []ledger.Tx{order}
	for i, label := range []string{"piece", "part"} {
		intake := h.made(b.g, ledger.Tx{Body: ledger.Intake{
			Station: "s0", Label: label, Order: order.ID(), Product: "part", Options: historyOptions[:1],
		}})
		accept := h.made(b.g, ledger.Tx{Item: intake.ID(), After: []ledger.TxID{intake.ID()}, Body: ledger.Verdict{
			Station: "s0", Operation: "a", Task: "drill", Ruling: ledger.Accept,
		}})
		txs = append(txs, intake, accept)
		if i == 0 {
			b.piece, b.atPiece = intake.ID(), accept.ID()
		} else {
			b.part, b.atPart = intake.ID(), accept.ID()
		}
	}
	b.last = h.put(b.g, nil, txs...)
	return b
}

// assembly consumes the part into the piece.
func (b *bench) assembly(note string) ledger.Tx {
	return b.made(b.g, ledger.Tx{Item: b.piece, After: []ledger.TxID{b.atPiece}, Body: ledger.Report{
		Station: "s0", Operation: "a", Task: "drill", Outcome: ledger.OutcomeOK, Note: note,
		Inputs: []ledger.Input{{Item: b.part, Head: b.atPart}},
	}})
}

// TestKeptHeadIsContinuedOnParts: a withdrawal that keeps one of two assemblies
// of one part continues both on the part, so that its sealer's chain may not
// continue the part after the one kept again.
func TestKeptHeadIsContinuedOnParts(t *testing.T) {
	b := newBench(t)
	one, two := b.assembly("one"), b.assembly("two")
	left := b.put(b.g, b.last, one)
	right := b.put(b.g, b.last, two)
	if left.Hash().String() > right.Hash().String() {
		left, right = right, left
	}
	keep := b.made(b.g, ledger.Tx{Item: b.piece, After: []ledger.TxID{one.ID(), two.ID()}, Body: ledger.Withdraw{Keeps: one.ID()}})
	rule := b.ruled("quality", ledger.Tx{Item: b.part, After: []ledger.TxID{one.ID()}, Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "lost"}})
	also, marks := ledger.MarkOf(*right), map[ledger.Hash]ledger.Mark{}
	for _, o := range b.g.blocks {
		marks[o.Hash()] = ledger.MarkOf(o)
	}
	genesis := ledger.GenesisMark(b.genesis.Network(), b.g.id)
	marks[genesis.Ref.Hash] = genesis
	b.finish(b.g, ledger.Draft{Prev: ledger.MarkOf(*left), Also: &also, Time: b.now(), Roster: b.rosterHeads(), Txs: []ledger.Tx{keep, rule}}, marks)
	for tx, want := range map[*ledger.Tx]string{&one: "valid", &two: "valid", &keep: "valid", &rule: "void own-chain"} {
		if got := b.statusOf(t, *tx); got != want {
			t.Errorf("%T is %s, want %s", tx.Body, got, want)
		}
	}
	if part := b.part; len(b.world.heads(string(part[:]))) != 1 {
		t.Error("the part is in conflict")
	}
	compareWith(t, b.model, replicaOf(t, b.genesis, b.objects))
}

// TestModelIsQuick: the plant asks for the views at every quiet point.
func TestModelIsQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	h := newHistory(t, 3)
	h.grow(150)
	began := time.Now()
	h.model.Views()
	t.Logf("%d placements in %d blocks: %v", len(h.world.placements), len(h.world.blocks), time.Since(began))
	if !slices.ContainsFunc(h.world.placements, func(p *mPlacement) bool { return p.status == "valid" }) {
		t.Error("nothing is valid")
	}
}
