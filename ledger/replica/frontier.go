package replica

import (
	"bytes"
	"container/heap"
	"slices"

	"traveler.example/ledger"
)

// maxPending bounds the entries kept of one witness about one author whose
// blocks are not held yet.
const maxPending = 8

// testify joins a verified frontier to what its witness said before. It reports
// whether that says anything new; where it may confirm more of a chain, the chain
// has grown.
func (e *engine) testify(f ledger.Frontier) (news bool, err error) {
	roster := e.register.Current()
	for _, entry := range f.Entries {
		if _, ok := roster.Identity(entry.Author); !ok {
			continue // a stranger: the witness says it again once the roster is here
		}
		key := keyFrontier + string(entry.Author[:]) + string(f.Witness[:])
		old, _, err := readRefs(e, key)
		if err != nil {
			return false, err
		}
		refs, err := e.joined(old, entry)
		if err != nil {
			return false, err
		}
		if slices.Equal(old, refs) {
			continue
		}
		save(e, key, refsRecord(refs))
		news = true
		e.memo.heard(entry.Author)
		if more, err := e.unconfirmed(entry); err != nil {
			return false, err
		} else if more {
			e.grown[entry.Author] = true
		}
	}
	return news, nil
}

// unconfirmed reports whether a block is held and lies above what is confirmed of
// its chain. When a block that is not held comes, its chain has grown anyway.
func (e *engine) unconfirmed(r ledger.Ref) (bool, error) {
	if held, err := e.holds(r.Hash); err != nil || !held {
		return false, err
	}
	confirmed, _, err := readRefs(e, keyConfirmed+string(r.Author[:]))
	if err != nil {
		return false, err
	}
	known, err := e.below(r, confirmed)
	return !known, err
}

// joined adds a head to heads of the same author: of those held only the ones
// that no other has as an ancestor stay, of the others the highest few.
func (e *engine) joined(refs []ledger.Ref, add ...ledger.Ref) ([]ledger.Ref, error) {
	var held, pending []ledger.Ref
	for _, r := range append(slices.Clone(refs), add...) {
		m, ok, err := e.markAt(r.Author, r.Hash)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			pending = append(pending, r)
		case m.Height == r.Height && m.Author == r.Author:
			held = append(held, r)
		}
	}
	slices.SortFunc(pending, compareRefs)
	pending = slices.Compact(pending)
	pending = pending[max(len(pending)-maxPending, 0):]
	held, err := e.maximal(held)
	if err != nil {
		return nil, err
	}
	out := append(held, pending...)
	slices.SortFunc(out, compareRefs)
	return out, nil
}

// maximal leaves out blocks that are ancestors of others.
func (e *engine) maximal(refs []ledger.Ref) ([]ledger.Ref, error) {
	slices.SortFunc(refs, compareRefs)
	refs = slices.Compact(refs)
	var out []ledger.Ref
	for i, r := range slices.Backward(refs) {
		below := false
		for _, higher := range refs[i+1:] {
			ok, err := e.ancestor(r, higher)
			if err != nil {
				return nil, err
			}
			below = below || ok
		}
		if !below {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, compareRefs)
	return out, nil
}

// confirm looks whether more of an author's chain is covered by a majority of
// the witnesses now, and stores it. What was confirmed stays so.
func (e *engine) confirm(author ledger.KeyID) error {
	fork, err := e.fork(author)
	forked := len(fork) > 0
	if err != nil || !forked && e.memo.lacking[author] > 0 {
		return err
	}
	if all, err := e.allConfirmed(author); all || err != nil {
		return err
	}
	majority := len(e.register.Current().Witnesses())/2 + 1
	key := keyConfirmed + string(author[:])
	old, _, err := readRefs(e, key)
	if err != nil {
		return err
	}
	said, err := e.said(author)
	if err != nil || e.memo.lacks(author, said, old, majority) && !forked {
		return err
	}
	words, err := e.words(said)
	if err != nil || len(words) < majority {
		return err
	}
	more, err := e.covered(author, words, old, majority)
	if err != nil || len(more) == 0 {
		return err
	}
	refs, err := e.maximal(append(slices.Clone(old), more...))
	if err == nil && !slices.Equal(old, refs) {
		save(e, key, refsRecord(refs))
	}
	return err
}

// lacks works out how many more words about an author must come before a majority
// can cover more than what is confirmed, were all held that was said; it reports
// whether any must. It holds for chains without branches.
func (m *memo) lacks(author ledger.KeyID, said []saying, confirmed []ledger.Ref, majority int) bool {
	var height uint64
	for _, r := range confirmed {
		height = max(height, r.Height)
	}
	above := 0
	for _, s := range said {
		if slices.ContainsFunc(s.refs, func(r ledger.Ref) bool { return r.Height > height }) {
			above++
		}
	}
	if above >= majority {
		delete(m.lacking, author)
		return false
	}
	if m.lacking == nil {
		m.lacking = map[ledger.KeyID]int{}
	}
	m.lacking[author] = majority - above
	return true
}

// heard counts a word of a witness about an author.
func (m *memo) heard(author ledger.KeyID) {
	if n, ok := m.lacking[author]; ok && n > 0 {
		m.lacking[author] = n - 1
	}
}

// allConfirmed reports whether nothing of an author's chain is left to confirm: a
// majority has spoken, and what the others say changes nothing.
func (e *engine) allConfirmed(author ledger.KeyID) (bool, error) {
	heads, err := e.get(keyTips + string(author[:]))
	if err != nil || heads == nil {
		return false, err
	}
	confirmed, err := e.get(keyConfirmed + string(author[:]))
	return bytes.Equal(heads, confirmed), err
}

// saying is what a witness's frontiers said of an author.
type saying struct {
	key     string
	witness ledger.KeyID
	refs    []ledger.Ref
}

// said returns what the witnesses of the current roster said of an author.
func (e *engine) said(author ledger.KeyID) ([]saying, error) {
	prefix := keyFrontier + string(author[:])
	witnesses := e.register.Current().Witnesses()
	var all []saying
	err := scanRefs(e, prefix, "", func(key string, refs []ledger.Ref) bool {
		w := ledger.KeyID([]byte(key[len(prefix):]))
		_, still := slices.BinarySearchFunc(witnesses, w, func(a, b ledger.KeyID) int { return bytes.Compare(a[:], b[:]) })
		if still {
			all = append(all, saying{key, w, refs})
		}
		return true
	})
	return all, err
}

// words returns what witnesses said as far as the blocks are held, and joins what
// has arrived meanwhile.
func (e *engine) words(said []saying) (map[ledger.KeyID][]ledger.Ref, error) {
	words := map[ledger.KeyID][]ledger.Ref{}
	stands := map[ledger.Ref]bool{} // held as named: most witnesses name one head, and the same
	for _, s := range said {
		if len(s.refs) == 1 && stands[s.refs[0]] {
			words[s.witness] = s.refs
			continue
		}
		refs, err := e.joined(s.refs)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(s.refs, refs) {
			save(e, s.key, refsRecord(refs))
		}
		for _, r := range refs {
			held, err := e.holds(r.Hash)
			if err != nil {
				return nil, err
			}
			if held {
				stands[r] = true
				words[s.witness] = append(words[s.witness], r)
			}
		}
	}
	return words, nil
}

// covered returns the highest blocks that a majority covers and old does not. In
// a chain without branches that is the block at the majority's height.
func (e *engine) covered(author ledger.KeyID, words map[ledger.KeyID][]ledger.Ref, old []ledger.Ref, majority int) ([]ledger.Ref, error) {
	fork, err := e.fork(author)
	if err != nil {
		return nil, err
	}
	if len(fork) > 0 {
		return e.coveredBranches(words, old, majority)
	}
	var heads []ledger.Ref
	for _, refs := range words {
		heads = append(heads, slices.MaxFunc(refs, compareRefs))
	}
	slices.SortFunc(heads, compareRefs)
	return heads[len(heads)-majority : len(heads)-majority+1], nil
}

// maxWalk bounds the blocks looked at for one confirmation in a forked chain.
const maxWalk = 1 << 14

// coveredBranches walks back from all heads at once, highest first, and carries
// along who covers each block.
func (e *engine) coveredBranches(words map[ledger.KeyID][]ledger.Ref, old []ledger.Ref, majority int) ([]ledger.Ref, error) {
	by := map[ledger.Hash]map[ledger.KeyID]bool{}
	q := &byHeight{}
	cover := func(r ledger.Ref, who map[ledger.KeyID]bool) {
		if by[r.Hash] == nil {
			by[r.Hash] = map[ledger.KeyID]bool{}
			heap.Push(q, r)
		}
		for w := range who {
			by[r.Hash][w] = true
		}
	}
	for w, refs := range words {
		for _, r := range refs {
			cover(r, map[ledger.KeyID]bool{w: true})
		}
	}
	var found []ledger.Ref
	for steps := 0; q.Len() > 0 && steps < maxWalk; steps++ {
		r := heap.Pop(q).(ledger.Ref)
		known, err := e.below(r, append(slices.Clone(old), found...))
		if err != nil {
			return nil, err
		}
		if known || r.Height == 0 {
			continue
		}
		if len(by[r.Hash]) >= majority {
			found = append(found, r)
			continue
		}
		m, err := e.mustMark(r.Author, r.Hash)
		if err != nil {
			return nil, err
		}
		cover(ledger.Ref{Author: r.Author, Height: r.Height - 1, Hash: m.Prev}, by[r.Hash])
		if !m.Also.IsZero() {
			also, err := e.mustMark(r.Author, m.Also)
			if err != nil {
				return nil, err
			}
			cover(also.ref(m.Also), by[r.Hash])
		}
	}
	return found, nil
}

// below reports whether r is one of refs or an ancestor of one.
func (e *engine) below(r ledger.Ref, refs []ledger.Ref) (bool, error) {
	for _, h := range refs {
		if ok, err := e.ancestor(r, h); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// byHeight is a heap of blocks, highest first.
type byHeight []ledger.Ref

func (q byHeight) Len() int           { return len(q) }
func (q byHeight) Less(i, j int) bool { return compareRefs(q[i], q[j]) > 0 }
func (q byHeight) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byHeight) Push(x any)        { *q = append(*q, x.(ledger.Ref)) }
func (q *byHeight) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// Confirmation returns how many of the m witnesses of the current roster cover a
// block, and whether a majority was ever seen to: that never goes back.
func (v *View) Confirmation(block ledger.Ref) (n, m int, confirmed bool, err error) {
	e := v.engine()
	witnesses := v.roster.Witnesses()
	if held, err := e.holds(block.Hash); err != nil || !held {
		return 0, len(witnesses), false, err
	}
	refs, err := v.Confirmed(block.Author)
	if err != nil {
		return 0, len(witnesses), false, err
	}
	if confirmed, err = e.below(block, refs); err != nil {
		return 0, len(witnesses), false, err
	}
	said, err := e.said(block.Author)
	if err != nil {
		return 0, len(witnesses), false, err
	}
	words, err := e.words(said)
	for _, refs := range words {
		ok, err := e.below(block, refs)
		if err != nil {
			return 0, len(witnesses), false, err
		}
		if ok {
			n++
		}
	}
	return n, len(witnesses), confirmed, err
}

// Confirmed returns the heads up to which an author's chain is confirmed, by
// height and hash.
func (v *View) Confirmed(author ledger.KeyID) ([]ledger.Ref, error) {
	refs, _, err := readRefs(v.r, keyConfirmed+string(author[:]))
	return refs, err
}

// Covered returns what a witness's frontiers say, joined, by author, height and
// hash; blocks not held here among them.
func (v *View) Covered(witness ledger.KeyID) ([]ledger.Ref, error) {
	var out []ledger.Ref
	err := scanRefs(v.r, keyFrontier, "", func(key string, refs []ledger.Ref) bool {
		if key[len(keyFrontier)+keyIDSize:] == string(witness[:]) {
			out = append(out, refs...)
		}
		return true
	})
	return out, err
}
