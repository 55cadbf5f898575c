package peer

import (
	"fmt"
	"testing"
	"time"

	"traveler.example/ledger"
)

// TestBranchBehindWhatIsHeld: the way back to where a branch begins may lead below
// more blocks than one answer holds, all of them held already. The asking goes on
// above them, whether or not the author is under evidence yet.
func TestBranchBehindWhatIsHeld(t *testing.T) {
	const top = 1500
	for _, begins := range []uint64{100, 480, 980, 1490} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("from %d, known %t", begins, known), func(t *testing.T) {
				r := newRig(t, "a*", "b*", "x")
				one, two := newShelf(r.genesis, r.statements), newShelf(r.genesis, r.statements)
				var fork, last ledger.Ref
				for h := uint64(1); h <= top; h++ {
					last = two.seal("x", last.Hash, nil)
					one.put(two.blocks[last.Hash])
					if h+1 == begins {
						fork = last
					}
				}
				branch := fork
				for branch.Height < top {
					branch = two.seal("x", branch.Hash, nil)
				}
				a, b := r.add("a", one), r.add("b", two)
				if known {
					for _, n := range []*node{a, b} {
						n.store.evidence[idOf("x")] = ledger.Evidence{}
					}
				}
				r.connect(a, b)
				r.converge(5*time.Minute, a, b)
			})
		}
	}
}
