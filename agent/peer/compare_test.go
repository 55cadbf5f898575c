package peer

import (
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
)

// comparisons counts the asks of a node for all heads.
func comparisons(n *node) (count int) {
	for _, p := range n.sent {
		if !strings.Contains(p.Topic, "/ask/") {
			continue
		}
		if must(ParseAsk(p.Payload)).All == 1 {
			count++
		}
	}
	return count
}

// TestNoComparisonForOwnWork: a gateway that has just sealed differs from what
// the others told a while ago. That they know less is no reason to ask.
func TestNoComparisonForOwnWork(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b", "c")
	r.run(time.Minute)
	before := make([]int, len(ns))
	for i, n := range ns {
		before[i] = comparisons(n)
	}
	for i := range 100 {
		r.seal(ns[i%3], 1+i%2)
		r.run(11 * time.Second)
	}
	for i, n := range ns {
		if more := comparisons(n) - before[i]; more > 0 {
			t.Errorf("%s compared heads %d times though nothing was missing", n.name, more)
		}
	}
}

// TestComparisonFindsAnAbsentAuthor: neither is a witness, so that only the
// digest shows that the other holds blocks of one who has left, also to one who
// goes on with its own work.
func TestComparisonFindsAnAbsentAuthor(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	r.forgetful = true
	ns := r.start("a", "b", "c")
	r.run(time.Minute)
	r.disconnect(ns[2])
	r.seal(ns[0], 5)
	r.run(time.Second)
	r.disconnect(ns[0])
	r.connect(ns[2])
	for range 20 {
		r.run(4 * time.Second)
		r.seal(ns[2], 1)
	}
	if got := ns[2].store.view().top(ns[0].id).Height; got != 5 {
		t.Errorf("%d of the 5 blocks of an absent author were found", got)
	}
}

// TestComparisonAfterDamage: what was held once and can no longer be read is no
// sign that another who told the same has nothing to give.
func TestComparisonAfterDamage(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	ns := r.start("a", "b")
	r.seal(ns[0], 3)
	r.run(2 * time.Minute)
	held := DigestOf(ns[1].store.heads)
	r.seal(ns[1], 1)
	if !ns[1].m.hasHeld(ns[1].store.view(), held) {
		t.Fatal("the digest before the last commit is not remembered")
	}
	r.step(ns[1], Missing{Blocks: []ledger.Ref{ns[1].store.view().top(ns[0].id)}})
	if ns[1].m.hasHeld(ns[1].store.view(), held) {
		t.Error("damage left the digests of better days")
	}
}
