package peer

import (
	"errors"
	"slices"
	"time"

	"traveler.example/ledger"
)

// committed takes what the replica reports.
func (m *Machine) committed(now time.Time, v View, e Committed) {
	m.asking.stale = true
	m.digest(v) // remembered: what others told a moment ago may be this
	m.cadence.dirty = true
	m.saying.sealed(e.Sealed)
	m.progress(now, v, append(slices.Clip(e.Sealed), e.Blocks...))
	for _, r := range e.Refused {
		m.refuse(now, v, r)
	}
	for _, f := range e.Evidence {
		m.claim(now, v, f.A, ledger.KeyID{})
		m.claim(now, v, f.B, ledger.KeyID{})
	}
	if len(e.Gaps) > 0 {
		m.gaps(now, v, e.Gaps)
	}
	if m.sweep(v) || len(e.Statements) > 0 {
		m.arrived(now)
	}
}

// arrived makes due what may have waited for a statement, or for a block that
// was wanted by hash.
func (m *Machine) arrived(now time.Time) {
	for _, a := range m.wants.authors {
		if a.flight.IsZero() {
			a.due, a.given = now, false
		}
	}
	for _, w := range m.wants.hashes {
		if w.flight.IsZero() {
			w.due, w.given = now, false
		}
	}
}

// progress takes blocks that are now held.
func (m *Machine) progress(now time.Time, v View, refs []ledger.Ref) {
	for i, r := range refs {
		if r.Author == m.config.Self {
			m.gate.since = now
		}
		a := m.wants.author(r.Author)
		if a == nil {
			continue
		}
		if last := i+1 == len(refs) || refs[i+1].Author != r.Author; last && m.settle(v, a) {
			if a.given {
				m.asking.extend(now, a.flight)
			}
			a.progressed(now, r.Height)
		}
	}
}

// refuse remembers a block that will never be held, so that it is not asked for
// again.
func (m *Machine) refuse(now time.Time, v View, r Refusal) {
	if errors.Is(r.Err, ledger.ErrNoWitness) && m.mayBeWitness(v, r.Of.Author) {
		return // the roster is on its way, and the next frontier is as good
	}
	detail := r.Of.String()
	if r.Err != nil {
		detail = r.Err.Error()
	}
	m.drop(now, CauseRefused, r.Of.Author, detail)
	if r.Of.Hash.IsZero() || m.wants.isRefused(r.Of.Hash) {
		return
	}
	if len(m.wants.refused) >= maxRefused {
		m.wants.refused = slices.Delete(m.wants.refused, 0, 1)
	}
	m.wants.refused = append(m.wants.refused, r.Of)
	if a := m.wants.author(r.Of.Author); a != nil && m.settle(v, a) {
		m.fruitless(now, v, a)
	}
}

// mayBeWitness reports whether a frontier was refused for a statement that is not
// here, or was not a moment ago, and not for a fault of its signer.
func (m *Machine) mayBeWitness(v View, id ledger.KeyID) bool {
	return among(v.Witnesses, id) || !among(v.Gateways, id) ||
		slices.ContainsFunc(m.wants.hashes, func(w *want) bool { return w.kind == wantStatement })
}

// gaps takes dropped objects: they are wanted, and so is what they miss. Of each
// author the lowest block that did not link decides how far the next range goes
// back.
func (m *Machine) gaps(now time.Time, v View, gaps []Gap) {
	gaps = slices.Clone(gaps)
	slices.SortStableFunc(gaps, func(a, b Gap) int {
		if c := compareRefs(a.Of, b.Of); c != 0 || a.prev() == b.prev() {
			return c
		}
		if a.prev() {
			return -1
		}
		return 1
	})
	for i, g := range gaps {
		if m.isNews(g.Of) {
			m.claim(now, v, g.Of, g.Of.Author)
		}
		if g.Want.Height == 0 {
			m.want(now, v, g.Want.Hash, wantBlock, g.Of.Author)
		}
		m.want(now, v, g.Statement, wantStatement, g.Of.Author)
		if i > 0 && gaps[i-1].Of.Author == g.Of.Author {
			continue
		}
		a := m.wants.author(g.Of.Author)
		if a == nil {
			continue
		}
		if a.flows, a.ahead = false, 0; a.flight.IsZero() {
			m.stepBack(now, v, a, g)
		}
	}
}

// isNews reports whether a dropped block shows more than is known to be missing
// anyway: the blocks of an answer lie below the claim that was asked for.
func (m *Machine) isNews(of ledger.Ref) bool {
	a := m.wants.author(of.Author)
	return a == nil && !m.wants.doubtful(of.Author) ||
		a != nil && !slices.ContainsFunc(a.claims, func(c claim) bool { return c.ref.Height >= of.Height })
}

// stepBack asks for lower heights of an author whose lowest given block did not
// link. A gap above what was asked for tells nothing about how far to go back:
// the claim it left is asked for in its turn.
func (m *Machine) stepBack(now time.Time, v View, a *author, lowest Gap) {
	switch from := a.next(v).From; {
	case lowest.Of.Height > from:
	case lowest.prev() && a.back(now, v, lowest.Of.Height):
	default:
		m.fruitless(now, v, a)
	}
}
