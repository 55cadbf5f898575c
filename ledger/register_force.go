package ledger

import "slices"

// force says which admins are in force in a closure.
//
// Changes of admins form a tree: each one's parent is the change in force where
// it builds, genesis is the root. From the root the walk goes down while one
// change follows, all others at that place being built on by it. Where two
// follow that do not know of each other, neither applies and the walk ends. The
// recovery key's changes have a tree of their own that is walked first:
// otherwise admins long replaced could contest its decision for ever.
type force struct {
	recovery  *entry // the recovery key's change that the walk starts from; nil: genesis
	turn      *entry // the change of admins in force; nil: genesis
	contested []*entry
}

// forceAt finds the admins in force in the closure of hs.
func forceAt(hs []*entry) (force, []*entry) {
	if len(hs) == 0 {
		return force{}, nil
	}
	turns := hs[0].turns
	for _, h := range hs[1:] {
		if !slices.Equal(turns, h.turns) {
			turns = union(turns, h.turns, compareEntries)
		}
	}
	// The force of a closure follows from the changes of admins in it alone.
	for _, h := range hs {
		if len(h.turns) == len(turns) {
			return h.after, h.turns
		}
	}
	return walk(turns), turns
}

func compareEntries(a, b *entry) int { return compare(a.hash, b.hash) }

func walk(turns []*entry) force {
	var f force
	var words []*entry // rivals under the recovery key
	f.recovery, words = down(turns, nil, func(t *entry) (*entry, bool) { return t.under.recovery, t.recovery })
	f.turn, f.contested = down(turns, f.recovery, func(t *entry) (*entry, bool) { return t.under.turn, !t.recovery })
	// Admins who know of all of the recovery key's rival words have decided.
	if slices.ContainsFunc(words, func(t *entry) bool { return !f.turn.knows(t) }) {
		f.contested = union(f.contested, words, compareEntries)
	}
	return f
}

// down walks a tree of changes from one of them to the one in force, and returns
// the rivals at which it ended, if any.
func down(turns []*entry, from *entry, parent func(*entry) (p *entry, inTree bool)) (at *entry, rivals []*entry) {
	for at = from; ; at = rivals[0] {
		var next []*entry
		for _, t := range turns {
			if p, ok := parent(t); ok && p == at {
				next = append(next, t)
			}
		}
		rivals = slices.DeleteFunc(slices.Clone(next), func(t *entry) bool {
			return slices.ContainsFunc(next, func(o *entry) bool { return o != t && o.knows(t) })
		})
		switch len(rivals) {
		case 0:
			return at, nil
		case 1:
		default:
			return at, rivals
		}
	}
}

// knows reports whether a change of admins is t or builds on it.
func (h *entry) knows(t *entry) bool {
	if h == nil {
		return false
	}
	_, found := slices.BinarySearchFunc(h.turns, t, compareEntries)
	return found
}

// covers reports whether h was signed under the admins in force or, while those
// are contested, under admins who descend from them.
func (f force) covers(h *entry) bool {
	if f.turn == nil || h == f.turn {
		return true
	}
	for t := h.under.turn; t != nil; t = t.under.turn {
		if t == f.turn {
			return true
		}
	}
	return false
}

// counted splits the closure of hs. What counts is the change of admins in force,
// all that was signed under it, and all that these build on; further, the
// redemptions of tickets that count, alone. The rest, signed under admins since
// replaced, waits for a statement under the new ones that builds on it.
func (f force) counted(hs []*entry) (s state, uncounted []*entry) {
	if f.turn == nil {
		return allOf(hs), nil
	}
	var roots, boards []*entry
	descend(hs, nil, func(h *entry) bool {
		switch {
		case h.Redemption():
			boards = append(boards, h)
		case f.covers(h):
			roots = append(roots, h)
			return true
		default:
			uncounted = append(uncounted, h)
		}
		return false
	})
	s = allOf(roots)
	for _, b := range boards {
		if s.ticketIn(b.ticket, b.Changes[0].Subject) {
			s = s.with(b)
		} else {
			uncounted = append(uncounted, b)
		}
	}
	return s, uncounted
}
