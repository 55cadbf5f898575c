package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

const (
	statusEvery  = time.Minute
	statusWithin = time.Second      // of a change of the roster
	headWithin   = 3 * statusWithin // of a change of the own head, unless somebody's frontier names it

	maxOutbox   = 256                    // own blocks not published yet
	outboxBurst = 32                     // of them at a time
	outboxEvery = 100 * time.Millisecond // and then the next
)

// saying is what this gateway tells of itself.
type saying struct {
	outbox   []ledger.Ref // sealed and not published yet, in order
	outboxAt time.Time
	statusAt time.Time
	head     ledger.Ref    // as the last status told it
	named    ledger.Ref    // the own head, as another's frontier named it last
	headAt   time.Time     // when a head that nobody was heard to hold is told
	roster   []ledger.Hash // as the last roster message told it
	evidence []ledger.KeyID
}

// atOnce makes everything due: the broker may remember nothing.
func (s *saying) atOnce(now time.Time) {
	s.statusAt, s.outboxAt = now, now
	s.roster, s.evidence = nil, nil
}

// sealed queues own blocks. Too many are not worth sending one by one: whoever
// misses the first could use none of the others.
func (s *saying) sealed(refs []ledger.Ref) {
	s.outbox = append(s.outbox, refs...)
	if len(s.outbox) > maxOutbox {
		s.outbox = nil
	}
}

// say publishes what is due. The status comes after the blocks that it shows,
// or it would be answered with asks for them.
func (m *Machine) say(now time.Time, v View, next *alarm) {
	s := &m.saying
	m.sendOutbox(now, v, next)
	m.publishEvidence(v)
	if len(v.Roster) > 0 && !slices.Equal(s.roster, v.Roster) {
		s.roster = slices.Clone(v.Roster)
		s.statusWithin(now)
		m.publish(m.topics.Roster(), true, Heads{From: m.config.Self, Heads: v.roster()}.Encode())
	}
	own := v.top(m.config.Self)
	if m.untold(own) && s.headAt.IsZero() {
		s.headAt = now.Add(headWithin)
	} else if !m.untold(own) {
		s.headAt = time.Time{}
	}
	due := next.reached(now, s.statusAt)
	if !s.headAt.IsZero() {
		due = next.reached(now, s.headAt) || due
	}
	if len(s.outbox) == 0 && due {
		s.head, s.headAt, s.statusAt = own, time.Time{}, now.Add(m.spread(statusEvery))
		next.no(s.statusAt)
		m.publish(m.topics.Status(m.config.Self), true, m.status(v).Encode())
	}
}

// untold reports whether nobody can know of the own head but by its block, which
// may have been lost. A frontier that names it reaches all as a status does, so a
// status is spared then.
func (m *Machine) untold(own ledger.Ref) bool {
	return own != m.saying.head && own != m.saying.named
}

func (s *saying) statusWithin(now time.Time) {
	if soon := now.Add(statusWithin); soon.Before(s.statusAt) {
		s.statusAt = soon
	}
}

func (m *Machine) status(v View) Status {
	own := v.top(m.config.Self)
	return Status{Height: own.Height, Head: own.Hash, Roster: v.roster(), Held: m.digest(v)}
}

// goodbye tells that this gateway ends in order.
func (m *Machine) goodbye(v View) {
	if !m.connected {
		return
	}
	s := m.status(v)
	s.Offline = 1
	m.publish(m.topics.Status(m.config.Self), true, s.Encode())
	m.connected = false
}

func (m *Machine) sendOutbox(now time.Time, v View, next *alarm) {
	s := &m.saying
	if len(s.outbox) == 0 || !next.reached(now, s.outboxAt) {
		return
	}
	n := min(len(s.outbox), outboxBurst)
	for _, ref := range s.outbox[:n] {
		if b, ok := v.Store.Block(ref.Hash); ok {
			m.publish(m.topics.Block(ref.Author), false, b.Raw())
		}
	}
	s.outbox = slices.Delete(s.outbox, 0, n)
	if len(s.outbox) > 0 {
		s.outboxAt = now.Add(outboxEvery)
		next.no(s.outboxAt)
	}
}

// publishEvidence publishes evidence that is new here or that a broker may have
// forgotten.
func (m *Machine) publishEvidence(v View) {
	for _, id := range v.Evidence {
		if among(m.saying.evidence, id) {
			continue
		}
		if e, ok := v.Store.Evidence(id); ok {
			m.publish(m.topics.Evidence(id), true, e.Raw())
		}
	}
	if len(m.saying.evidence) != len(v.Evidence) {
		m.saying.evidence = slices.Clone(v.Evidence)
	}
}
