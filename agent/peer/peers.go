package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

const (
	// maxStrangers bounds what is kept of gateways that the roster does not
	// know: new ones whose enrolment is not here yet, or liars.
	maxStrangers = 64
	// silentAfter: a gateway not heard for so long is not asked first.
	silentAfter = 3 * time.Minute
	// deafAfter unanswered asks in a row a gateway counts as not there.
	deafAfter = 2
)

// Peer is what is known of another gateway.
type Peer struct {
	ID     ledger.KeyID
	Online bool      // by its own word or by what it sent, and not silent since
	Heard  time.Time // when it was heard last, retained messages aside; zero: never
	Height uint64    // of its own chain, by its last status
	Head   ledger.Hash
}

// peer is a gateway heard of.
type peer struct {
	Peer
	held       Digest    // by its last status; zero: never told
	unlike     time.Time // since when that differs from all that was held here; zero: it does not, as far as was looked
	uncompared bool      // heads are to be compared with it, whatever it told
	seen       time.Time // when the last message of it came, retained ones too
	asked      time.Time // when it was asked last
	deaf       int       // asks in a row without an answer
	gated      bool      // it was asked for this gateway's own heads
}

// peers are all gateways heard of, sorted by id.
type peers struct{ list []*peer }

func (p *peers) find(id ledger.KeyID) (int, bool) {
	return slices.BinarySearchFunc(p.list, id, func(p *peer, id ledger.KeyID) int { return compareKeys(p.ID, id) })
}

func (p *peers) get(id ledger.KeyID) *peer {
	if i, ok := p.find(id); ok {
		return p.list[i]
	}
	return nil
}

// Peers returns what is known of the other gateways, sorted by id.
func (m *Machine) Peers(now time.Time) []Peer {
	out := make([]Peer, len(m.peers.list))
	for i, p := range m.peers.list {
		out[i] = p.Peer
		out[i].Online = p.reachable(now)
	}
	return out
}

func (p *peer) reachable(now time.Time) bool {
	return p.Online && p.deaf < deafAfter && now.Sub(p.seen) < silentAfter
}

// meet returns the entry of a gateway, made if need be. A stranger beyond the
// bound takes the place of the one heard longest ago.
func (m *Machine) meet(now time.Time, v View, id ledger.KeyID) *peer {
	i, ok := m.peers.find(id)
	if ok {
		return m.peers.list[i]
	}
	if !among(v.Gateways, id) {
		m.makeRoom(now, v, id)
		i, _ = m.peers.find(id)
	}
	p := &peer{Peer: Peer{ID: id}}
	m.peers.list = slices.Insert(m.peers.list, i, p)
	return p
}

func (m *Machine) makeRoom(now time.Time, v View, newcomer ledger.KeyID) {
	strangers, oldest := 0, -1
	for i, p := range m.peers.list {
		if among(v.Gateways, p.ID) {
			continue
		}
		strangers++
		if oldest < 0 || p.seen.Before(m.peers.list[oldest].seen) {
			oldest = i
		}
	}
	if strangers >= maxStrangers {
		m.peers.list = slices.Delete(m.peers.list, oldest, oldest+1)
		m.drop(now, CauseStrangers, newcomer, "the one heard longest ago is forgotten")
	}
}

// heard notes a sign of life. A retained message is none: its sender may be
// long gone. Who is back has missed what was said meanwhile, frontiers too.
func (m *Machine) heard(now time.Time, v View, id ledger.KeyID, retained bool) *peer {
	p := m.meet(now, v, id)
	p.seen = now
	if !retained {
		if !p.Online {
			m.cadence.repeat()
		}
		p.Online, p.Heard, p.deaf = true, now, 0
		m.watch.hear(now)
	}
	return p
}
