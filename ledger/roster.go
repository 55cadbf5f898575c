package ledger

import (
	"slices"
	"strings"
	"sync"
)

// Identity is somebody or something with a name and a key, for ever.
type Identity struct {
	Name     string
	Key      PublicKey
	ID       KeyID
	Roles    Role
	Enrolled Hash // the statement that enrolled it
	Revoked  bool
	Heads    []Hash // of a revoked one: sorted hashes of its blocks up to which its chain counts
}

// Assignment gives a station to a gateway.
type Assignment struct {
	Gateway    KeyID
	Station    string
	WorkCentre string // empty: the station belongs to none
	Intake     bool   // it takes items in
	Statement  Hash   // the statement that says so
}

// Ticket is an enrolment prepared for a board that still has to make its key:
// whoever knows the one-time code redeems it.
type Ticket struct {
	Code       KeyID // of the key derived from the one-time code
	Name       string
	Roles      Role
	Station    string // empty: none
	WorkCentre string
	Intake     bool
	Statement  Hash    // what a redemption builds on, at least
	Redeemed   []KeyID // sorted keys that redeemed it; more than one: doubled
	Revoked    bool    // nobody redeems it any more
	Kept       []Hash  // of a revoked one: sorted redemptions that count all the same
}

// Doubled is a name borne by several keys or a station given to several
// gateways, none of them revoked, because statements that did not know of each
// other said so. It stands until all but one are revoked.
type Doubled struct {
	Station string // or
	Name    string
	Keys    []KeyID // sorted
}

// Roster is who is who, and who has which station, as one closure of statements
// says: the statements cited and all they build on. It never changes and may be
// shared between goroutines. Slices returned are the caller's own.
type Roster struct {
	state
	heads     []Hash
	admins    []Admin
	threshold uint8
	contested []Hash
	uncounted []Hash
	witnesses func() []KeyID
}

// newRoster reads the closure of hs.
func newRoster(g Genesis, hs []*entry) *Roster {
	f, _ := forceAt(hs)
	r := &Roster{heads: hashesOf(tips(hs)), admins: g.Admins, threshold: g.Threshold, contested: hashesOf(f.contested)}
	if f.turn != nil {
		r.admins, r.threshold = f.turn.admins()
	}
	var uncounted []*entry
	r.state, uncounted = f.counted(hs)
	r.uncounted = hashesOf(uncounted)
	r.witnesses = sync.OnceValue(func() []KeyID {
		var all []KeyID
		for k := range r.people.all() {
			if id := keyOf(k); r.Has(id, RoleWitness) {
				all = append(all, id)
			}
		}
		return all
	})
	return r
}

// hashesOf returns the sorted hashes of statements.
func hashesOf(hs []*entry) []Hash {
	out := make([]Hash, len(hs))
	for i, h := range hs {
		out[i] = h.hash
	}
	slices.SortFunc(out, compare)
	return out
}

// Heads returns the sorted hashes of the statements nothing else in the closure
// builds on: what a block cites. Genesis alone has none.
func (r *Roster) Heads() []Hash { return slices.Clone(r.heads) }

// Identity returns the identity with that key, revoked or not.
func (r *Roster) Identity(id KeyID) (Identity, bool) {
	e, ok := r.people.get(treeKey(id))
	if !ok {
		return Identity{}, false
	}
	return r.identity(id, e), true
}

func (r *Roster) identity(id KeyID, e *enrolment) Identity {
	heads, revoked := r.Revoked(id)
	key := PublicKey{Alg: e.key.Alg, Bytes: slices.Clone(e.key.Bytes)}
	return Identity{Name: e.name, Key: key, ID: id, Roles: e.roles, Enrolled: e.at.hash, Revoked: revoked, Heads: heads}
}

// Named returns who bears a name, sorted by key id: those not revoked or, if
// there is none, the revoked ones. More than one not revoked: doubled.
func (r *Roster) Named(name string) []Identity {
	var in, out []Identity
	for _, id := range r.names.value(name) {
		switch i, ok := r.Identity(id); {
		case !ok || i.Name != name:
		case i.Revoked:
			out = append(out, i)
		default:
			in = append(in, i)
		}
	}
	if len(in) > 0 {
		return in
	}
	return out
}

// Identities returns everybody ever enrolled, revoked or not, sorted by name,
// then key id.
func (r *Roster) Identities() []Identity {
	all := make([]Identity, 0, r.people.size)
	for k, e := range r.people.all() {
		all = append(all, r.identity(keyOf(k), e))
	}
	slices.SortStableFunc(all, func(a, b Identity) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Has reports whether id is enrolled with that role (with all of them, if role
// is a set) and not revoked.
func (r *Roster) Has(id KeyID, role Role) bool {
	e, ok := r.people.get(treeKey(id))
	return ok && role != 0 && e.roles&role == role && !r.isRevoked(id)
}

// Station returns the assignments of a station to gateways not revoked, sorted
// by gateway. More than one: doubled.
func (r *Roster) Station(station string) []Assignment {
	var in []Assignment
	for _, a := range r.stations.value(station) {
		if !r.isRevoked(a.Gateway) {
			in = append(in, a.Assignment)
		}
	}
	return in
}

// Assigned returns the assignment of a station to a gateway not revoked.
func (r *Roster) Assigned(gateway KeyID, station string) (Assignment, bool) {
	for _, a := range r.stations.value(station) {
		if a.Gateway == gateway {
			return a.Assignment, !r.isRevoked(gateway)
		}
	}
	return Assignment{}, false
}

// Assignments returns all assignments to gateways not revoked, sorted by
// station, then gateway.
func (r *Roster) Assignments() []Assignment {
	var all []Assignment
	for station := range r.stations.all() {
		all = append(all, r.Station(station)...)
	}
	return all
}

// Serves reports whether the gateway has the station and place names it or its
// work centre.
func (r *Roster) Serves(gateway KeyID, station, place string) bool {
	a, ok := r.Assigned(gateway, station)
	return ok && place != "" && (place == a.Station || place == a.WorkCentre)
}

// Witnesses returns the sorted keys of the witnesses not revoked. A block is
// confirmed when more than half of them have covered it.
func (r *Roster) Witnesses() []KeyID { return slices.Clone(r.witnesses()) }

// Revoked reports whether a key is revoked and, if so, which of its block
// hashes still count with all before them: the sorted union of all revocations.
// A key whose ticket is revoked is revoked with it, unless its redemption is
// named there; of a ticket's code the hashes are such redemptions.
func (r *Roster) Revoked(id KeyID) (heads []Hash, revoked bool) {
	heads = r.revoked.value(treeKey(id))
	return slices.Clone(heads), r.isRevoked(id)
}

// Doubled returns what two statements gave twice: stations, then names, each
// sorted.
func (r *Roster) Doubled() []Doubled {
	var all []Doubled
	for station := range r.stations.all() {
		var keys []KeyID
		for _, a := range r.Station(station) {
			keys = append(keys, a.Gateway)
		}
		if len(keys) > 1 {
			all = append(all, Doubled{Station: station, Keys: keys})
		}
	}
	for name, bearers := range r.names.all() {
		if len(bearers) < 2 {
			continue
		}
		var keys []KeyID
		for _, i := range r.Named(name) {
			if !i.Revoked {
				keys = append(keys, i.ID)
			}
		}
		if len(keys) > 1 {
			all = append(all, Doubled{Name: name, Keys: keys})
		}
	}
	return all
}

// Parameter returns a parameter of the network, if a statement set it.
func (r *Roster) Parameter(name string) (int64, bool) {
	p, ok := r.params.get(name)
	return p.value, ok
}

// Ticket returns the ticket of a one-time code's key.
func (r *Roster) Ticket(code KeyID) (Ticket, bool) {
	t, ok := r.ticket(code)
	if !ok {
		return Ticket{}, false
	}
	kept, revoked := r.revoked.get(treeKey(code))
	return Ticket{
		Revoked: revoked, Kept: slices.Clone(kept),
		Code: code, Name: t.Name, Roles: t.Roles, Station: t.Station, WorkCentre: t.WorkCentre, Intake: t.Intake == 1,
		Statement: t.at.hash, Redeemed: slices.Clone(r.redeemed.value(treeKey(code))),
	}, true
}

// Tickets returns all tickets, redeemed or not, sorted by name, then code.
func (r *Roster) Tickets() []Ticket {
	all := make([]Ticket, 0, r.tickets.size)
	for code := range r.tickets.all() {
		t, _ := r.Ticket(keyOf(code))
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b Ticket) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Admins returns the admins in force, in the order their statement or genesis
// lists them, and how many of them must sign a statement.
func (r *Roster) Admins() (admins []Admin, threshold uint8) {
	return slices.Clone(r.admins), r.threshold
}

// Contested returns the sorted changes of admins that do not know of each other
// and of which, therefore, none applies. A statement that builds on all of them
// and changes the admins ends it, signed by the former admins or by the
// recovery key.
func (r *Roster) Contested() []Hash { return slices.Clone(r.contested) }

// Uncounted returns the sorted statements of the closure that do not count yet:
// signed under admins since replaced, and nothing signed under the new ones
// builds on them.
func (r *Roster) Uncounted() []Hash { return slices.Clone(r.uncounted) }
