package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

const (
	fullEvery     = 10 * time.Minute
	leastInterval = 2 * time.Second
	headsOfOne    = 8 // heads of one author that a frontier names at most
)

// cadence is when this gateway's frontiers go out, if it is a witness.
type cadence struct {
	fullAt time.Time // zero: at once
	nextAt time.Time // the soonest for a partial one
	dirty  bool      // something was committed since, or could not be said yet
	said   []ledger.Ref
	turn   int // rotates the heads of authors with many
}

// restart makes the next frontier a full one: it comes after connecting.
func (c *cadence) restart() { c.fullAt, c.said = time.Time{}, nil }

// repeat makes the next frontier a full one, as soon as the interval allows.
func (c *cadence) repeat() {
	if c.nextAt.Before(c.fullAt) {
		c.fullAt = c.nextAt
	}
}

// frontiers signs a frontier when one is due.
func (m *Machine) frontiers(now time.Time, v View, next *alarm) {
	c := &m.cadence
	if !among(v.Witnesses, m.config.Self) || len(v.Heads) == 0 {
		return
	}
	if next.reached(now, c.fullAt) {
		c.fullAt = now.Add(m.spread(fullEvery))
		next.no(c.fullAt)
		c.said = nil
		m.sayHeads(now, v, v.Heads, true)
		return
	}
	if !c.dirty || !next.reached(now, c.nextAt) {
		return
	}
	if changed := c.changed(v.Heads); len(changed) > 0 {
		m.sayHeads(now, v, changed, false)
	}
	// Of an author with many heads the others come in the next one.
	if c.dirty = len(c.changed(v.Heads)) > 0; c.dirty {
		next.no(c.nextAt)
	}
}

// changed returns the heads that were not said since the last full frontier.
func (c *cadence) changed(heads []ledger.Ref) []ledger.Ref {
	var out []ledger.Ref
	for _, h := range heads {
		if _, ok := slices.BinarySearchFunc(c.said, h, compareRefs); !ok {
			out = append(out, h)
		}
	}
	return out
}

// sayHeads signs frontiers of heads, at most headsOfOne of an author.
func (m *Machine) sayHeads(now time.Time, v View, heads []ledger.Ref, full bool) {
	c := &m.cadence
	c.turn++
	chosen := rotate(heads, c.turn)
	for part := range slices.Chunk(chosen, ledger.MaxFrontierHeads) {
		m.do(SignFrontier{Topic: m.topics.Frontier(m.config.Self), Retained: full, Heads: part})
	}
	c.said = append(slices.DeleteFunc(c.said, func(r ledger.Ref) bool {
		_, ok := slices.BinarySearchFunc(v.Heads, r, compareRefs)
		return !ok
	}), chosen...)
	slices.SortFunc(c.said, compareRefs)
	c.nextAt = now.Add(m.spread(Interval(len(v.Witnesses), len(v.Gateways))))
	c.dirty = full && len(chosen) < len(heads)
}

// rotate returns heads with at most headsOfOne of each author, others of them
// with each turn.
func rotate(heads []ledger.Ref, turn int) []ledger.Ref {
	var out []ledger.Ref
	for from := 0; from < len(heads); {
		to := from
		for to < len(heads) && heads[to].Author == heads[from].Author {
			to++
		}
		n := to - from
		for i := range min(n, headsOfOne) {
			out = append(out, heads[from+(turn*headsOfOne+i)%n])
		}
		from = to
	}
	slices.SortFunc(out, compareRefs)
	return out
}

// Interval is the least time between two frontiers of one witness in a network
// of so many witnesses and gateways: max(2 s, W·N/300 s), before jitter. All
// gateways together then receive at most 300 frontiers a second.
func Interval(witnesses, gateways int) time.Duration {
	return max(leastInterval, time.Duration(witnesses)*time.Duration(gateways)*time.Second/300)
}
