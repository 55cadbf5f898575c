package agent

import (
	"iter"
	"slices"

	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// view is what the peer's machine may see. Its lists are gathered anew only when
// something was committed since.
func (l *syncLoop) view(v *replica.View, commits uint64) (peer.View, error) {
	if l.seen.at != commits || l.seen.view.Store == nil {
		w, err := l.gather(v)
		if err != nil {
			return w, err
		}
		l.seen.at, l.seen.view = commits, w
	}
	w := l.seen.view
	w.Store = store{v, l.parts.Replica.Register(), l.damagedBlocks()}
	return w, nil
}

func (l *syncLoop) gather(v *replica.View) (peer.View, error) {
	register := l.parts.Replica.Register()
	w, err := l.enrolledIn(v.Roster(), register)
	if err != nil {
		return w, err
	}
	w.Store = store{v, register, l.damagedBlocks()}
	if w.Heads, err = v.Heads(); err != nil {
		return w, err
	}
	branches, err := v.Evidence()
	if len(branches) == 0 {
		return w, err
	}
	w.Last = slices.Clone(w.Last)
	for _, b := range branches {
		w.Evidence = append(w.Evidence, b.Author)
	}
	w.Last = append(w.Last, w.Evidence...)
	slices.SortFunc(w.Evidence, compareKeys)
	slices.SortFunc(w.Last, compareKeys)
	w.Last = slices.Compact(w.Last)
	return w, err
}

// enrolledIn is what a view takes from the roster, which changes seldom.
func (l *syncLoop) enrolledIn(roster *ledger.Roster, register *ledger.Register) (peer.View, error) {
	if l.seen.roster == roster {
		return l.seen.enrolled, nil
	}
	w := peer.View{Witnesses: roster.Witnesses()}
	var err error
	if w.Roster, err = register.Cite(nil); err != nil {
		return w, err
	}
	for _, i := range roster.Identities() {
		switch {
		case i.Roles&ledger.RoleGateway == 0:
		case i.Revoked:
			w.Last = append(w.Last, i.ID)
		default:
			w.Gateways = append(w.Gateways, i.ID)
		}
	}
	slices.SortFunc(w.Gateways, compareKeys)
	slices.SortFunc(w.Last, compareKeys)
	l.seen.roster, l.seen.enrolled = roster, w
	return w, nil
}

func compareKeys(a, b ledger.KeyID) int { return slices.Compare(a[:], b[:]) }

// store answers the peer's machine; what is damaged is not held.
type store struct {
	v        *replica.View
	register *ledger.Register
	damaged  []ledger.Ref
}

// damagedBlocks are in their chains and cannot be read.
func (l *syncLoop) damagedBlocks() []ledger.Ref { return l.parts.Replica.Damage().Blocks }

func (s store) Has(h ledger.Hash) bool {
	if slices.ContainsFunc(s.damaged, func(r ledger.Ref) bool { return r.Hash == h }) {
		return false
	}
	_, ok, err := s.v.Mark(h)
	return ok && err == nil
}

func (s store) Block(h ledger.Hash) (ledger.Block, bool) {
	b, ok, err := s.v.Block(h)
	return b, ok && err == nil
}

func (s store) Blocks(author ledger.KeyID, from, to uint64) iter.Seq[ledger.Block] {
	return func(yield func(ledger.Block) bool) {
		for b, err := range s.v.Chain(author, from) {
			if err != nil || b.Header().Height > to || !yield(b) {
				return
			}
		}
	}
}

func (s store) Statement(h ledger.Hash) (ledger.Statement, bool) { return s.register.Statement(h) }

func (s store) Evidence(author ledger.KeyID) (ledger.Evidence, bool) {
	e, ok, err := s.v.EvidenceObject(author)
	return e, ok && err == nil
}
