package peer

import (
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
)

// longChain is a gateway that holds so many blocks of its own which nobody heard of.
func longChain(r *rig, blocks int) *node {
	n := r.start("a")[0]
	r.disconnect(n)
	r.seal(n, blocks)
	r.connect(n)
	return n
}

// TestCatchUpIsNotPaced: who goes through a chain for the first time is given it as
// fast as it takes it, though it has used up all that its pace allows.
func TestCatchUpIsNotPaced(t *testing.T) {
	r := newRig(t, "a*", "b*")
	a := longChain(r, 1500)
	b := r.start("b")[0]
	for len(b.store.blocks) == 0 {
		r.run(10 * time.Millisecond)
	}
	a.m.giving.asker(r.now, b.id).pace.theoretical = r.now.Add(time.Minute)
	asks := b.asks
	if r.converge(time.Second, a, b); b.asks-asks < 3 {
		t.Errorf("%d asks more: the chain is too short to show a pace", b.asks-asks)
	}
}

// TestAsksAhead: the next range is asked for before the one before is committed,
// and no more than one.
func TestAsksAhead(t *testing.T) {
	r := newRig(t, "a*", "b*")
	a := longChain(r, 2000)
	b := r.start("b")[0]
	uncommitted, most := 0, 0
	r.trace = func(from *node, p Publish) {
		if from == b && strings.Contains(p.Topic, "/ask/") {
			ask, err := ParseAsk(p.Payload)
			if err != nil {
				t.Error(err)
			}
			for _, x := range ask.Ranges {
				if held := uint64(len(b.store.blocks)); x.From > held+1 {
					t.Errorf("asks from %d with %d held or on their way", x.From, held)
				}
			}
		}
		if w := b.m.wants.author(a.id); w != nil && !w.flight.IsZero() && w.given {
			uncommitted++
		} else if w != nil {
			most = max(most, len(b.m.asking.flights))
		}
	}
	r.converge(10*time.Second, a, b)
	if uncommitted == 0 {
		t.Error("never asked ahead")
	}
	if most > 1 {
		t.Errorf("%d asks at once with one gateway", most)
	}
}

// TestAnswersThatGoOn: whose ask goes on where its last answer ended is answered at
// once; who asks for the same again, for what is not there, for hashes beside, or
// is a stranger, is answered at its pace.
func TestAnswersThatGoOn(t *testing.T) {
	r := newRig(t, "a*", "b*")
	n := r.start("a")[0]
	r.seal(n, 10)
	known := &asker{id: idOf("b")}
	v := n.store.view()
	ranges := func(from uint64) Ask {
		return Ask{From: idOf("b"), Ranges: []Range{{Author: n.id, From: from, To: 10}}}
	}
	beside := ranges(6)
	beside.Hashes = []ledger.Hash{{1}}
	known.freshAt = r.now
	known.note([]reached{{n.id, 5}})
	for name, c := range map[string]struct {
		by   *asker
		ask  Ask
		at   time.Time
		want bool
	}{
		"goes on":               {known, ranges(6), r.now, true},
		"the same again":        {known, ranges(5), r.now, false},
		"nothing is there":      {known, ranges(11), r.now, false},
		"hashes beside":         {known, beside, r.now, false},
		"no ranges":             {known, Ask{From: idOf("b"), All: 1}, r.now, false},
		"a stranger":            {&asker{}, ranges(6), r.now, false},
		"again, but much later": {&asker{id: idOf("b"), freshAt: r.now, reached: []reached{{n.id, 5}}}, ranges(1), r.now.Add(freshAgain), true},
	} {
		if got := c.by.goesOn(c.at, v, c.ask); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for i := range 2 * MaxRanges {
		known.note([]reached{{ledger.KeyID{byte(i), 1}, 1}})
	}
	if len(known.reached) > MaxRanges {
		t.Errorf("%d chains are remembered", len(known.reached))
	}
}
