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

// testify joins a verified frontier to what its witness said before. It returns
// the authors about whom it says something new.
func (e *engine) testify(f ledger.Frontier) ([]ledger.KeyID, error) {
	var about []ledger.KeyID
	roster := e.register.Current()
	for _, entry := range f.Entries {
		if _, ok := roster.Identity(entry.Author); !ok {
			continue // a stranger: the witness says it again once the roster is here
		}
		key := keyFrontier + string(entry.Author[:]) + string(f.Witness[:])
		old, _, err := readRefs(e, key)
		if err != nil {
			return nil, err
		}
		refs, err := e.joined(old, entry)
		if err != nil {
			return nil, err
		}
		if slices.Equal(old, refs) {
			continue
		}
		save(e, key, refsRecord(refs))
		if !slices.Contains(about, entry.Author) {
			about = append(about, entry.Author)
		}
	}
	return about, nil
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
	if all, err := e.allConfirmed(author); all || err != nil {
		return err
	}
	words, err := e.words(author)
	if err != nil {
		return err
	}
	majority := len(e.register.Current().Witnesses())/2 + 1
	if len(words) < majority {
		return nil
	}
	key := keyConfirmed + string(author[:])
	old, _, err := readRefs(e, key)
	if err != nil {
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

// words returns what the witnesses of the current roster say of an author, as
// far as the blocks are held, and joins what has arrived meanwhile.
func (e *engine) words(author ledger.KeyID) (map[ledger.KeyID][]ledger.Ref, error) {
	prefix := keyFrontier + string(author[:])
	all := map[string][]ledger.Ref{}
	err := scanRefs(e, prefix, "", func(key string, refs []ledger.Ref) bool {
		all[key] = refs
		return true
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	words := map[ledger.KeyID][]ledger.Ref{}
	for _, w := range e.register.Current().Witnesses() {
		key := prefix + string(w[:])
		old, ok := all[key]
		if !ok {
			continue
		}
		refs, err := e.joined(old)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(old, refs) {
			save(e, key, refsRecord(refs))
		}
		for _, r := range refs {
			held, err := e.holds(r.Hash)
			if err != nil {
				return nil, err
			}
			if held {
				words[w] = append(words[w], r)
			}
		}
	}
	return words, nil
}

// covered returns the highest blocks that a majority covers and old does not. In
// a chain without branches that is the block at the majority's height.
func (e *engine) covered(author ledger.KeyID, words map[ledger.KeyID][]ledger.Ref, old []ledger.Ref, majority int) ([]ledger.Ref, error) {
	_, forked, err := readRefs(e, keyFork+string(author[:]))
	if err != nil {
		return nil, err
	}
	if forked {
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
	words, err := e.words(block.Author)
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
