package ledger

import (
	"bytes"
	"slices"
)

// state is what a set of statements says if all of them count. Every part
// either only grows or goes to the latest stamp. Joining is therefore
// commutative, associative and idempotent: the state of a set of statements
// does not depend on the order in which they came (PROTOCOL.md §9).
type state struct {
	people   tree[*enrolment]   // by key id
	names    tree[[]KeyID]      // name → every key, and every ticket's code, that ever bore it
	revoked  tree[[]Hash]       // key id → heads that still count
	stations tree[[]assignment] // station → its gateways, sorted, revoked ones too
	params   tree[parameter]    // by name
	tickets  tree[[]ticket]     // key id of the code → tickets, latest last
	redeemed tree[[]KeyID]      // key id of the code → keys that redeemed it
	boards   tree[bool]         // keys that came by a ticket
}

// stamp places a change among all others: a statement comes after all it builds
// on, because it is deeper; the hash decides between statements that do not
// know each other. It depends on the statement alone, so later stays later in
// every closure.
type stamp struct {
	depth int
	hash  Hash
	index int // of the change in its statement
}

func (s stamp) compare(o stamp) int {
	switch {
	case s.depth != o.depth:
		return s.depth - o.depth
	case s.hash != o.hash:
		return compare(s.hash, o.hash)
	}
	return s.index - o.index
}

type enrolment struct {
	at    stamp
	name  string
	key   PublicKey
	roles Role
	code  KeyID // of the ticket by which it came; zero: an admin enrolled it
}

type assignment struct {
	at stamp
	Assignment
}

type parameter struct {
	at    stamp
	value int64
}

type ticket struct {
	at stamp
	Change
}

// tree keys: key ids are kept as the 16 bytes they are.
func treeKey(id KeyID) string { return string(id[:]) }

func keyOf(treeKey string) KeyID { return KeyID([]byte(treeKey)) }

// join adds one change. A redemption is joined as the changes that its ticket
// promised: see redemption.
func (s state) join(at stamp, c Change) state {
	switch c.Kind {
	case ChangeEnrol:
		id := c.Key.ID()
		if old, ok := s.people.get(treeKey(id)); !ok || at.compare(old.at) > 0 {
			s.people = s.people.put(treeKey(id), &enrolment{at, c.Name, c.Key, c.Roles, c.Subject})
		}
		if !c.Subject.IsZero() { // of a redemption, as it is spelled out
			s.boards = s.boards.put(treeKey(id), true)
		}
		s.names = s.names.put(c.Name, union(s.names.value(c.Name), []KeyID{id}, compareKeys))
	case ChangeAssign:
		a := assignment{at, Assignment{Gateway: c.Subject, Station: c.Station, WorkCentre: c.WorkCentre, Intake: c.Intake == 1, Statement: at.hash}}
		s.stations = s.stations.put(c.Station, latestEach(s.stations.value(c.Station), a))
	case ChangeRevoke:
		s.revoked = s.revoked.put(treeKey(c.Subject), union(s.revoked.value(treeKey(c.Subject)), c.Heads, compare))
	case ChangeParameter:
		if old, ok := s.params.get(c.Name); !ok || at.compare(old.at) > 0 {
			s.params = s.params.put(c.Name, parameter{at, c.Value})
		}
	case ChangeTicket:
		code := c.Key.ID()
		s.tickets = s.tickets.put(treeKey(code), union(s.tickets.value(treeKey(code)), []ticket{{at, c}}, compareTickets))
		s.names = s.names.put(c.Name, union(s.names.value(c.Name), []KeyID{code}, compareKeys))
	case ChangeRedeem:
		s.redeemed = s.redeemed.put(treeKey(c.Subject), union(s.redeemed.value(treeKey(c.Subject)), []KeyID{c.Key.ID()}, compareKeys))
	}
	return s
}

func (s state) isRevoked(id KeyID) bool {
	if s.revoked.has(treeKey(id)) {
		return true
	}
	e, ok := s.people.get(treeKey(id))
	return ok && !e.code.IsZero() && s.disowned(e.code, e.at.hash)
}

// disowned reports whether the ticket of a code is revoked and the revocations
// do not name this redemption among those that count.
func (s state) disowned(code KeyID, redemption Hash) bool {
	kept, revoked := s.revoked.get(treeKey(code))
	return revoked && !slices.Contains(kept, redemption)
}

// ticket returns the latest ticket of a code.
func (s state) ticket(code KeyID) (ticket, bool) {
	ts := s.tickets.value(treeKey(code))
	if len(ts) == 0 {
		return ticket{}, false
	}
	return ts[len(ts)-1], true
}

// ticketIn tells whether statement h issued a ticket of that code.
func (s state) ticketIn(h Hash, code KeyID) bool {
	return slices.ContainsFunc(s.tickets.value(treeKey(code)), func(t ticket) bool { return t.at.hash == h })
}

// takenBy returns another gateway, not revoked, that has the station.
func (s state) takenBy(station string, but KeyID) (KeyID, bool) {
	for _, a := range s.stations.value(station) {
		if a.Gateway != but && !s.isRevoked(a.Gateway) {
			return a.Gateway, true
		}
	}
	return KeyID{}, false
}

// identities counts what takes a place of MaxIdentities: everybody whom admins
// ever enrolled, and every ticket, however many boards redeemed it: otherwise a
// leaked code would leave no place for others.
func (s state) identities() int { return s.people.size - s.boards.size + s.tickets.size }

func compareKeys(a, b KeyID) int { return bytes.Compare(a[:], b[:]) }

func compareTickets(a, b ticket) int { return a.at.compare(b.at) }

// union joins two sorted sets and leaves both as they were.
func union[T any](a, b []T, compare func(T, T) int) []T {
	if len(a) == 0 {
		return b
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, compare)
	return slices.CompactFunc(all, func(x, y T) bool { return compare(x, y) == 0 })
}

// latestEach keeps the latest assignment of each gateway, sorted by gateway.
func latestEach(old []assignment, a assignment) []assignment {
	at, found := slices.BinarySearchFunc(old, a, func(x, y assignment) int { return compareKeys(x.Gateway, y.Gateway) })
	switch {
	case !found:
		return slices.Insert(slices.Clone(old), at, a)
	case a.at.compare(old[at].at) <= 0:
		return old
	}
	out := slices.Clone(old)
	out[at] = a
	return out
}
