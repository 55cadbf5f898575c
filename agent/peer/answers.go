package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

// answered takes the envelope of an answer; in is what it brings that is not held,
// and held names the blocks that are.
func (m *Machine) answered(now time.Time, v View, g Give, in Ingest, held []ledger.Ref) {
	m.land(g.From)
	for _, h := range g.Heads {
		m.claim(now, v, h, g.From)
	}
	if among(g.Told, m.config.Self) {
		m.gate.answered = true
	}
	if !g.Next.IsZero() {
		m.asking.paging, m.asking.after = g.From, g.Next
	}
	for _, a := range slices.Clone(m.wants.authors) {
		if a.flight == g.From {
			var brought, known uint64
			for _, b := range in.Blocks {
				if b.Header().Author == a.id {
					brought = max(brought, b.Header().Height)
				}
			}
			for _, r := range held {
				if r.Author == a.id {
					known = max(known, r.Height)
				}
			}
			m.rangeAnswered(now, v, a, g, in, brought, known)
		}
	}
	for _, w := range m.wants.hashes {
		if w.flight == g.From {
			m.hashAnswered(now, w, g, in)
		}
	}
}

// rangeAnswered takes an answer that brought blocks up to a height, zero if none, and
// others up to a height that were known.
func (m *Machine) rangeAnswered(now time.Time, v View, a *author, g Give, in Ingest, brought, known uint64) {
	a.flight = ledger.KeyID{}
	switch {
	case brought > 0:
		if a.ahead = 0; a.flows && !a.given && g.More == 1 && !among(v.Last, a.id) {
			a.ahead = brought
		}
		a.given, a.due, a.beside = true, now.Add(ingesting), 0
	case g.More == 1 && a.above(known):
		a.due = now
	case g.More == 1 && known == 0 && (among(v.Last, a.id) || len(g.Blocks)+len(g.Statements) == 0):
		a.due = now.Add(lastEvery) // who gives nothing and holds more serves this author last
	case in.beside(g, &a.beside):
		a.due = now
	default:
		m.fruitless(now, v, a)
	}
}

// beside reports whether an answer that brought nothing of what was asked for may
// be asked to go on at once: it brought something else, there is more, and that is
// not the same excuse for ever. An answer full of what is held is none: claims of
// what does not exist lead to such.
func (in Ingest) beside(g Give, times *int) bool {
	*times++
	return g.More == 1 && len(in.Blocks)+len(in.Statements) > 0 && *times%maxTries != 0
}

func (m *Machine) hashAnswered(now time.Time, w *want, g Give, in Ingest) {
	w.flight = ledger.KeyID{}
	brought := len(in.Statements) > 0
	if w.kind == wantBlock {
		brought = slices.ContainsFunc(in.Blocks, func(b ledger.UnverifiedBlock) bool { return b.Hash() == w.hash })
	}
	switch {
	case brought:
		w.given, w.due, w.beside = true, now.Add(ingesting), 0
	case in.beside(g, &w.beside):
		w.due = now
	default:
		m.failed(now, w)
	}
}
