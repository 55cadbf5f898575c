package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

const (
	maxFlights   = 8                // asks outstanding
	maxGateAsks  = 3                // of them for the own heads at the start
	askTimeout   = 2 * time.Second  // doubled for each ask that the gateway left unanswered
	lateAnswer   = time.Minute      // so long an answer is taken
	nobodyThere  = 2 * time.Second  // until it is tried again to find a holder
	lastEvery    = time.Second      // asks for authors under evidence, and batches of their blocks
	compareSoon  = 3 * time.Second  // after connecting
	compareAgain = 10 * time.Second // after a comparison that was not answered
	compareEvery = time.Minute
	compareAfter = 2 * time.Second // of heads that differ
	maxDigests   = 32              // of the own heads, remembered
)

// asking is what is being asked.
type asking struct {
	flights []flight
	lastAt  time.Time // when an author under evidence may be asked for again

	compareAt time.Time // when heads may be compared with a gateway again
	paging    ledger.KeyID
	after     ledger.KeyID // paging goes on with authors after this one

	digests []Digest // of the own heads, the newest last
	stale   bool     // the newest digest is of heads before the last commit
}

// flight is an ask without an answer yet.
type flight struct {
	to       ledger.KeyID
	deadline time.Time
	compares bool // it asks for all heads
}

// draft is an ask being put together.
type draft struct {
	to  *peer
	ask Ask
}

func (a *asking) restart(now time.Time, soon time.Duration) {
	a.flights, a.paging, a.after = nil, ledger.KeyID{}, ledger.KeyID{}
	a.compareAt, a.stale = now.Add(soon), true
}

// forget has heads compared anew with every gateway, whatever it told: not all of
// what was held here is any more.
func (m *Machine) forget(now time.Time) {
	a := &m.asking
	a.digests, a.stale = nil, true
	if at := now.Add(m.spread(compareSoon)); at.Before(a.compareAt) {
		a.compareAt = at
	}
	for _, p := range m.peers.list {
		p.uncompared = true
	}
}

func (a *asking) busy(id ledger.KeyID) bool {
	return slices.ContainsFunc(a.flights, func(f flight) bool { return f.to == id })
}

// pump asks for what is due.
func (m *Machine) pump(now time.Time, v View, next *alarm) {
	m.expire(now, v, next)
	var drafts []*draft
	m.askOwnHeads(now, &drafts)
	m.askAllHeads(now, v, &drafts, next)
	m.askRanges(now, v, &drafts, next)
	m.askHashes(now, v, &drafts, next)
	for _, d := range drafts {
		m.send(now, d, next)
	}
	if len(drafts) > 0 {
		m.wants.turn++
	}
}

// expire takes asks that were not answered in time.
func (m *Machine) expire(now time.Time, v View, next *alarm) {
	for _, f := range slices.Clone(m.asking.flights) {
		if !next.reached(now, f.deadline) {
			continue
		}
		if p := m.peers.get(f.to); p != nil {
			p.deaf++
		}
		if f.compares {
			m.asking.compareAt = now.Add(m.spread(compareAgain))
		}
		m.land(f.to)
		m.unanswered(now, v, f.to)
	}
}

// extend gives a gateway that was asked ahead the time in which this one was busy
// committing what it gave before.
func (a *asking) extend(now time.Time, to ledger.KeyID) {
	for i, f := range a.flights {
		if until := now.Add(askTimeout); f.to == to && f.deadline.Before(until) {
			a.flights[i].deadline = until
		}
	}
}

func (m *Machine) land(from ledger.KeyID) {
	m.asking.flights = slices.DeleteFunc(m.asking.flights, func(f flight) bool { return f.to == from })
}

// unanswered gives back what was asked of a gateway that did not answer.
func (m *Machine) unanswered(now time.Time, v View, from ledger.KeyID) {
	for _, a := range slices.Clone(m.wants.authors) {
		if a.flight == from {
			m.fruitless(now, v, a)
		}
	}
	for _, w := range m.wants.hashes {
		if w.flight == from {
			m.failed(now, w)
		}
	}
	if m.asking.paging == from {
		m.asking.paging = ledger.KeyID{}
	}
}

// draft returns the ask that goes to p, nil while another one is outstanding
// with it or too many are.
func (m *Machine) draft(p *peer, drafts *[]*draft) *draft {
	if i := slices.IndexFunc(*drafts, func(d *draft) bool { return d.to == p }); i >= 0 {
		return (*drafts)[i]
	}
	if m.asking.busy(p.ID) || len(m.asking.flights)+len(*drafts) >= maxFlights {
		return nil
	}
	d := &draft{to: p, ask: Ask{From: m.config.Self}}
	*drafts = append(*drafts, d)
	return d
}

// askOwnHeads asks, at the start, what others hold of the own chain.
func (m *Machine) askOwnHeads(now time.Time, drafts *[]*draft) {
	if m.gate.open || m.gate.answered {
		return
	}
	for _, p := range m.peers.list {
		if len(m.asking.flights)+len(*drafts) >= maxGateAsks {
			return
		}
		if p.gated || !p.reachable(now) {
			continue
		}
		if d := m.draft(p, drafts); d != nil {
			p.gated = true
			d.ask.Authors = []ledger.KeyID{m.config.Self}
		}
	}
}

// askAllHeads compares heads with a gateway that does not hold the same.
func (m *Machine) askAllHeads(now time.Time, v View, drafts *[]*draft, next *alarm) {
	s := &m.asking
	p := m.peers.get(s.paging)
	if p == nil {
		if !next.reached(now, s.compareAt) {
			return
		}
		s.after = ledger.KeyID{}
		if p = m.unlike(now, v, next); p == nil {
			return
		}
	}
	d := m.draft(p, drafts)
	if d == nil {
		return
	}
	d.ask.All, d.ask.After, p.uncompared = 1, s.after, false
	s.paging, s.compareAt = ledger.KeyID{}, now.Add(m.spread(compareEvery))
}

// unlike returns a gateway whose last status shows heads that were never all
// that was held here, each in its turn. Who told what was held here before has
// nothing to give, and what was told a moment ago may be on its way.
func (m *Machine) unlike(now time.Time, v View, next *alarm) *peer {
	var first *peer
	n := len(m.peers.list)
	for i := range n {
		p := m.peers.list[(m.wants.turn+i)%n]
		switch {
		case !p.uncompared && (p.held == Digest{} || m.hasHeld(v, p.held)):
			p.unlike = time.Time{}
			continue
		case p.unlike.IsZero():
			p.unlike = now
		}
		if p.reachable(now) && !m.asking.busy(p.ID) && next.reached(now, p.unlike.Add(compareAfter)) && first == nil {
			first = p
		}
	}
	return first
}

// hasHeld reports whether a digest is of what is held here or was of late.
func (m *Machine) hasHeld(v View, d Digest) bool {
	m.digest(v)
	return slices.Contains(m.asking.digests, d)
}

// digest returns that of the own heads.
func (m *Machine) digest(v View) Digest {
	s := &m.asking
	if s.stale || len(s.digests) == 0 {
		d := DigestOf(v.Heads)
		s.digests = slices.DeleteFunc(s.digests, func(old Digest) bool { return old == d })
		s.digests, s.stale = append(s.digests[max(0, len(s.digests)+1-maxDigests):], d), false
	}
	return s.digests[len(s.digests)-1]
}

// askRanges asks for what is missing of chains: the own one first, those under
// evidence last.
func (m *Machine) askRanges(now time.Time, v View, drafts *[]*draft, next *alarm) {
	var last []*author
	for _, a := range m.inTurn() {
		switch {
		case !a.flight.IsZero() || !a.asksAhead() && !m.isDue(now, v, a, next):
		case among(v.Last, a.id) && a.id != m.config.Self:
			last = append(last, a)
		default:
			m.askRange(now, v, a, drafts, next)
		}
	}
	for _, a := range last {
		if next.reached(now, m.asking.lastAt) && m.askRange(now, v, a, drafts, next) {
			m.asking.lastAt = now.Add(lastEvery)
		}
	}
}

// inTurn returns the authors of whom something is missing: the own chain, then
// the others, beginning with another one each time.
func (m *Machine) inTurn() []*author {
	all := m.wants.authors
	n := len(all)
	out := make([]*author, 0, n)
	for i := range n {
		a := all[(m.wants.turn+i)%n]
		if a.id == m.config.Self {
			out = slices.Insert(out, 0, a)
		} else {
			out = append(out, a)
		}
	}
	return out
}

// isDue reports whether something of a is to be asked for now. What was given
// and led to nothing counts as an ask in vain.
func (m *Machine) isDue(now time.Time, v View, a *author, next *alarm) bool {
	if !next.reached(now, a.due) || !m.settle(v, a) {
		return false
	}
	if a.given {
		m.fruitless(now, v, a)
		return len(a.claims) > 0 && next.reached(now, a.due)
	}
	return true
}

func (m *Machine) askRange(now time.Time, v View, a *author, drafts *[]*draft, next *alarm) bool {
	c := a.claims[0]
	p := m.holder(now, c.holders, a.id, c.tries)
	if p == nil {
		a.due = now.Add(nobodyThere)
		next.no(a.due)
		return false
	}
	d := m.draft(p, drafts)
	if d == nil || len(d.ask.Ranges) >= MaxRanges {
		return false
	}
	d.ask.Ranges = append(d.ask.Ranges, a.next(v))
	a.flight = p.ID
	return true
}

// holder returns whom to ask at the given try: those who said that they hold
// it, its author, then any other, one after the other. nil: nobody is there.
func (m *Machine) holder(now time.Time, named []ledger.KeyID, author ledger.KeyID, try int) *peer {
	var list []*peer
	for _, id := range append(slices.Clip(named), author) {
		if p := m.peers.get(id); p != nil && p.reachable(now) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	n := len(m.peers.list)
	for i := range n {
		p := m.peers.list[(m.wants.turn+i)%n]
		if p.reachable(now) && !slices.Contains(list[:min(len(list), maxHolders+1)], p) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[try%len(list)]
}

func (m *Machine) askHashes(now time.Time, v View, drafts *[]*draft, next *alarm) {
	m.sweep(v)
	for _, w := range m.wants.hashes {
		if !w.flight.IsZero() || !next.reached(now, w.due) {
			continue
		}
		if w.given {
			m.failed(now, w)
			next.no(w.due)
			continue
		}
		p := m.holder(now, w.holders, ledger.KeyID{}, w.tries)
		if p == nil {
			w.due = now.Add(nobodyThere)
			next.no(w.due)
			continue
		}
		d := m.draft(p, drafts)
		if d == nil || len(d.ask.Hashes) >= MaxHashes {
			continue
		}
		d.ask.Hashes = append(d.ask.Hashes, w.hash)
		w.flight = p.ID
		if w.kind == wantStatement && d.ask.Have == nil {
			d.ask.Have = sample(v)
		}
	}
}

// sample names statements held: the roster heads, and behind each, by its first
// link, those 1, 2, 4, 8… back, so that one who lacks the newest finds what both
// hold.
func sample(v View) []ledger.Hash {
	have := v.roster()
	for _, h := range v.roster() {
		for back, stop := 1, 1; len(have) < MaxHave; back++ {
			s, ok := v.Store.Statement(h)
			if !ok || len(s.BuildsOn) == 0 {
				break
			}
			if h = s.BuildsOn[0]; back == stop {
				have, stop = append(have, h), stop*2
			}
		}
	}
	return setOf(have)
}

func (m *Machine) send(now time.Time, d *draft, next *alarm) {
	slices.SortFunc(d.ask.Ranges, func(a, b Range) int { return compareKeys(a.Author, b.Author) })
	f := flight{to: d.to.ID, deadline: now.Add(m.spread(askTimeout << min(d.to.deaf, 3))), compares: d.ask.All == 1}
	m.asking.flights = append(m.asking.flights, f)
	next.no(f.deadline)
	d.to.asked = now
	m.publish(m.topics.Ask(d.to.ID), false, d.ask.Encode())
}
