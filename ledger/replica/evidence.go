package replica

import (
	"cmp"
	"slices"

	"traveler.example/ledger"
)

// maxProof bounds the headers on one side of evidence made here.
const maxProof = 64

// EvidenceObject returns evidence against an author as peers exchange it: made
// of the blocks held where there are two at one height, else as it came from a
// peer.
func (v *View) EvidenceObject(author ledger.KeyID) (ledger.Evidence, bool, error) {
	fork, forked, err := readRefs(v.r, keyFork+string(author[:]))
	if err != nil {
		return ledger.Evidence{}, false, err
	}
	if forked {
		var sides [][]ledger.SignedHeader
		for _, r := range fork {
			side, err := v.proof(r)
			if err != nil {
				return ledger.Evidence{}, false, err
			}
			if side != nil {
				sides = append(sides, side)
			}
		}
		if len(sides) >= 2 {
			ev, err := ledger.NewEvidence(v.net, sides[0], sides[1])
			return ev, err == nil, err
		}
	}
	key := keyTestimony + string(author[:])
	raw, err := v.r.get(key)
	if err != nil || raw == nil {
		return ledger.Evidence{}, false, err
	}
	ev, err := ledger.ParseEvidence(raw)
	if err != nil {
		return ledger.Evidence{}, false, damaged(key, err.Error())
	}
	return ev, true, nil
}

// proof returns the header of a block and those that link to it, up to the first
// whose own signature holds; nil where none is near.
func (v *View) proof(r ledger.Ref) ([]ledger.SignedHeader, error) {
	var side []ledger.SignedHeader
	for len(side) < maxProof {
		b, ok, err := v.Block(r.Hash)
		if err != nil || !ok {
			return nil, err
		}
		side = append(side, b.Signed())
		roster, err := v.register.At(b.Header().Roster)
		if err != nil {
			return nil, err
		}
		if _, err := b.Verify(roster); err == nil {
			return side, nil
		}
		child, ok, err := v.child(r)
		if err != nil || !ok {
			return nil, err
		}
		r = child
	}
	return nil, nil
}

// child returns a block that names r as its prev or also.
func (v *View) child(r ledger.Ref) (ledger.Ref, bool, error) {
	next, err := v.Refs(r.Author, r.Height+1)
	if err != nil {
		return ledger.Ref{}, false, err
	}
	joins, err := keysOf(v.r, keyJoin+string(r.Author[:]))
	for _, j := range joins {
		next = append(next, refOf(string(r.Author[:])+j))
	}
	for _, n := range next {
		m, ok, err := read[markRecord](v.r, keyMark+str(n.Hash))
		if err != nil {
			return ledger.Ref{}, false, err
		}
		if ok && (m.Prev == r.Hash || m.Also == r.Hash) {
			return n, true, nil
		}
	}
	return ledger.Ref{}, false, err
}

func sortByTime(txs []ledger.Tx) {
	slices.SortStableFunc(txs, func(a, b ledger.Tx) int { return cmp.Compare(a.Time, b.Time) })
}
