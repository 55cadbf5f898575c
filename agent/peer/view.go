package peer

import (
	"iter"

	"traveler.example/ledger"
)

// View is what the replica holds at the moment of a step. Its slices are sorted
// by their bytes, are not changed by the machine, and may be shared between
// steps until something is committed.
type View struct {
	Heads     []ledger.Ref   // branch heads of all authors, by author, height, hash
	Roster    []ledger.Hash  // roster heads; of more than [ledger.MaxRosterHeads] those that cover most (Register.Cite)
	Gateways  []ledger.KeyID // with the gateway role in the current roster
	Witnesses []ledger.KeyID // with the witness role in the current roster
	Evidence  []ledger.KeyID // authors named by evidence that is held
	Last      []ledger.KeyID // authors served and asked for last: under evidence or revoked
	Store     Store
}

// Store reads what is held. What it cannot read, because it is damaged, it
// reports elsewhere and answers as not held.
type Store interface {
	// Has reports whether a block is held, by its hash.
	Has(block ledger.Hash) bool
	// Block returns a block by its hash.
	Block(hash ledger.Hash) (ledger.Block, bool)
	// Blocks yields the blocks of author at heights from…to on all branches, by
	// height, hash. It reads as it goes: a caller may ask for a long range and
	// stop early.
	Blocks(author ledger.KeyID, from, to uint64) iter.Seq[ledger.Block]
	// Statement returns a roster statement by its hash.
	Statement(hash ledger.Hash) (ledger.Statement, bool)
	// Evidence returns evidence against author.
	Evidence(author ledger.KeyID) (ledger.Evidence, bool)
}

// headsOf returns the branch heads of author, by height, hash.
func (v View) headsOf(author ledger.KeyID) []ledger.Ref {
	from := lowerBound(v.Heads, author)
	to := from
	for to < len(v.Heads) && v.Heads[to].Author == author {
		to++
	}
	return v.Heads[from:to]
}

// lowerBound returns the index of author's first head.
func lowerBound(heads []ledger.Ref, author ledger.KeyID) int {
	lo, hi := 0, len(heads)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if compareKeys(heads[mid].Author, author) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// top returns the highest head of author, of several the lowest hash; the zero
// Ref if nothing is held.
func (v View) top(author ledger.KeyID) ledger.Ref {
	var top ledger.Ref
	for _, h := range v.headsOf(author) {
		if h.Height > top.Height {
			top = h
		}
	}
	return top
}

// holds reports whether a block or statement is held.
func (v View) holds(h ledger.Hash, kind wantKind) bool {
	if kind == wantStatement {
		_, ok := v.Store.Statement(h)
		return ok
	}
	return v.Store.Has(h)
}

// roster returns the roster heads as messages carry them.
func (v View) roster() []ledger.Hash {
	heads := setOf(v.Roster)
	return heads[:min(len(heads), ledger.MaxRosterHeads)]
}
