package plant

import (
	"cmp"
	"maps"
	"slices"
)

// mRoster is what a set of statements says (§9): who is who, who has which
// station, and which admins decide.
type mRoster struct {
	people    map[string]mPerson // by key id
	names     map[string]map[string]bool
	revoked   map[string]map[string]bool // by key id: the heads that stay
	assigned  map[string]mAssignment     // by station and gateway, see place
	params    map[string]int64
	tickets   map[string][]mTicket // by key id of the code, latest last
	redeemed  map[string]map[string]bool
	admins    []mAdmin
	threshold int
	uncounted []string
	contested []string
}

type mPerson struct {
	name  string
	key   mKey
	roles int64
	code  string // of the ticket by which it came
	by    string // the statement
}

type mAssignment struct {
	gateway, station, centre string
	intake                   bool
}

type mTicket struct {
	name, station, centre, statement string
	key                              mKey
	roles                            int64
	intake                           bool
}

// mSaid is a statement held with what its place in the graph means.
type mSaid struct {
	*mStatement
	depth    int
	ancestry map[string]bool // hashes of all it builds on, not itself
	recovery bool            // signed by the recovery key
	under    mForce          // in force where it builds
	ticket   string          // of a redemption: the statement of its ticket
}

// mForce says which changes of admins are in force: "" is genesis.
type mForce struct {
	recovery, turn string
	contested      []string
}

func (s *mSaid) isTurn() bool { return s.turn() != nil }

func (s *mSaid) turn() mObject {
	for _, c := range s.changes {
		if c.num("kind") == 4 {
			return c
		}
	}
	return nil
}

func (s *mSaid) redeems() bool { return s.changes[0].num("kind") == 7 }

// knows tells whether s is the statement or builds on it.
func (s *mSaid) knows(hash string) bool { return s.hash == hash || s.ancestry[hash] }

// mRegister is every statement held.
type mRegister struct {
	model *Model
	held  map[string]*mSaid
	at    map[string]*mRoster // rosters worked out, by the statements cited
}

// register finds the statements held: those of which all that they build on is
// held and which the rules of §9 allow there.
func (m *Model) register() *mRegister {
	r := &mRegister{model: m, held: map[string]*mSaid{}, at: map[string]*mRoster{}}
	refused := map[string]bool{}
	for again := true; again; {
		again = false
		for _, hash := range sortedKeys(m.statements) {
			s := m.statements[hash]
			if r.held[hash] != nil || refused[hash] || !r.holds(s.buildsOn) {
				continue
			}
			again = true
			said := &mSaid{mStatement: s, depth: 1, ancestry: r.closure(s.buildsOn)}
			for parent := range said.ancestry {
				said.depth = max(said.depth, r.held[parent].depth+1)
			}
			if r.allows(said) {
				r.held[hash] = said
			} else {
				refused[hash] = true
			}
		}
	}
	return r
}

func (r *mRegister) holds(hashes []string) bool {
	return !slices.ContainsFunc(hashes, func(h string) bool { return r.held[h] == nil })
}

// closure returns the statements named and all that they build on.
func (r *mRegister) closure(heads []string) map[string]bool {
	all := map[string]bool{}
	for _, h := range heads {
		all[h] = true
		maps.Copy(all, r.held[h].ancestry)
	}
	return all
}

// heads returns the statements of a set on which no other of it builds.
func (r *mRegister) heads(set map[string]bool) []string {
	heads := maps.Clone(set)
	for h := range set {
		for older := range r.held[h].ancestry {
			delete(heads, older)
		}
	}
	return sortedKeys(heads)
}

// inOrder returns the statements of a set by depth, then hash.
func (r *mRegister) inOrder(set map[string]bool) []*mSaid {
	var all []*mSaid
	for h := range set {
		all = append(all, r.held[h])
	}
	slices.SortFunc(all, func(a, b *mSaid) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.hash, b.hash))
	})
	return all
}

// force finds the admins in force in a closure.
func (r *mRegister) force(set map[string]bool) mForce {
	var turns []*mSaid
	for _, s := range r.inOrder(set) {
		if s.isTurn() {
			turns = append(turns, s)
		}
	}
	var f mForce
	var words, rivals []string
	f.recovery, words = walkTurns(turns, "", func(t *mSaid) (string, bool) { return t.under.recovery, t.recovery })
	f.turn, rivals = walkTurns(turns, f.recovery, func(t *mSaid) (string, bool) { return t.under.turn, !t.recovery })
	contested := map[string]bool{}
	for _, h := range rivals {
		contested[h] = true
	}
	undecided := func(h string) bool { return f.turn == "" || !r.held[f.turn].knows(h) }
	if slices.ContainsFunc(words, undecided) {
		for _, h := range words {
			contested[h] = true
		}
	}
	f.contested = sortedKeys(contested)
	return f
}

// walkTurns goes from one change of admins to the next while one follows that
// knows of all others at its place, and returns the rivals at which it ended.
func walkTurns(turns []*mSaid, from string, parent func(*mSaid) (string, bool)) (string, []string) {
	for {
		var next []*mSaid
		for _, t := range turns {
			if p, inTree := parent(t); inTree && p == from {
				next = append(next, t)
			}
		}
		var rivals []string
		for _, t := range next {
			if !slices.ContainsFunc(next, func(o *mSaid) bool { return o != t && o.knows(t.hash) }) {
				rivals = append(rivals, t.hash)
			}
		}
		if len(rivals) != 1 {
			return from, rivals
		}
		from = rivals[0]
	}
}

// roster reads the closure of statements held.
func (r *mRegister) roster(cited []string) *mRoster {
	key := ""
	for _, h := range cited {
		key += h
	}
	if known := r.at[key]; known != nil {
		return known
	}
	set := r.closure(cited)
	f := r.force(set)
	out := newModelRoster()
	counts := r.countsIn(set, f)
	for _, s := range r.inOrder(set) {
		if counts[s.hash] {
			out.say(s)
		} else {
			out.uncounted = append(out.uncounted, s.hash)
		}
	}
	slices.Sort(out.uncounted)
	out.contested = f.contested
	out.admins, out.threshold = r.adminsOf(f)
	r.at[key] = out
	return out
}

func (r *mRegister) adminsOf(f mForce) ([]mAdmin, int) {
	if f.turn == "" {
		return r.model.genesis.admins, r.model.genesis.threshold
	}
	c := r.held[f.turn].turn()
	return modelAdmins(c), int(c.num("threshold"))
}

// countsIn tells which statements of a closure count: the change of admins in
// force, what was signed under it, and what these build on; and the redemptions
// of tickets that count.
func (r *mRegister) countsIn(set map[string]bool, f mForce) map[string]bool {
	counts := map[string]bool{}
	for h := range set {
		s := r.held[h]
		if f.turn == "" || h == f.turn || !s.redeems() && r.descends(s.under.turn, f.turn) {
			counts[h] = true
			maps.Copy(counts, s.ancestry)
		}
	}
	boards := map[string]bool{}
	for h := range set {
		if s := r.held[h]; s.redeems() && counts[s.ticket] {
			boards[h] = true
		}
	}
	maps.Copy(counts, boards)
	return counts
}

// descends tells whether a change of admins is another or was signed under it,
// or under one that was, and so on.
func (r *mRegister) descends(turn, from string) bool {
	for ; turn != ""; turn = r.held[turn].under.turn {
		if turn == from {
			return true
		}
	}
	return false
}

func newModelRoster() *mRoster {
	return &mRoster{
		people: map[string]mPerson{}, names: map[string]map[string]bool{}, revoked: map[string]map[string]bool{},
		assigned: map[string]mAssignment{}, params: map[string]int64{}, tickets: map[string][]mTicket{},
		redeemed: map[string]map[string]bool{},
	}
}

// say adds a whole statement. Statements are said by depth, then hash, so that
// the latest of one thing is the one said last.
func (r *mRoster) say(s *mSaid) {
	for _, c := range s.changes {
		r.sayChange(s, c)
	}
}

func (r *mRoster) sayChange(s *mSaid, c mObject) {
	switch c.num("kind") {
	case 1:
		r.enrol(mPerson{name: c.str("name"), key: modelKey(c.obj("key")), roles: c.num("roles"), by: s.hash})
	case 2:
		r.assign(mAssignment{c.str("subject"), c.str("station"), c.str("work_centre"), c.num("intake") == 1})
	case 3:
		addTo(r.revoked, c.str("subject"), c.strs("heads")...)
	case 5:
		r.params[c.str("name")] = c.num("value")
	case 6:
		t := mTicket{
			name: c.str("name"), station: c.str("station"), centre: c.str("work_centre"), statement: s.hash,
			key: modelKey(c.obj("key")), roles: c.num("roles"), intake: c.num("intake") == 1,
		}
		r.tickets[t.key.id()] = append(r.tickets[t.key.id()], t)
		addTo(r.names, t.name, t.key.id())
	case 7:
		code, key := c.str("subject"), modelKey(c.obj("key"))
		t := r.ticketOf(code, s.ticket)
		addTo(r.redeemed, code, key.id())
		r.enrol(mPerson{name: t.name, key: key, roles: t.roles, code: code, by: s.hash})
		if t.station != "" {
			r.assign(mAssignment{key.id(), t.station, t.centre, t.intake})
		}
	}
}

func (r *mRoster) enrol(p mPerson) {
	r.people[p.key.id()] = p
	addTo(r.names, p.name, p.key.id())
}

func (r *mRoster) assign(a mAssignment) { r.assigned[a.station+"\x00"+a.gateway] = a }

func (r *mRoster) ticketOf(code, statement string) mTicket {
	for _, t := range r.tickets[code] {
		if t.statement == statement {
			return t
		}
	}
	return mTicket{}
}

func addTo(sets map[string]map[string]bool, key string, members ...string) {
	if sets[key] == nil {
		sets[key] = map[string]bool{}
	}
	for _, m := range members {
		sets[key][m] = true
	}
}

// isRevoked: by itself, or with the ticket by which it came, unless that
// revocation names its redemption.
func (r *mRoster) isRevoked(key string) bool {
	if r.revoked[key] != nil {
		return true
	}
	p, enrolled := r.people[key]
	if !enrolled || p.code == "" || r.revoked[p.code] == nil {
		return false
	}
	return !r.revoked[p.code][p.by]
}

// has tells whether a key is enrolled with a role and not revoked.
func (r *mRoster) has(key string, role int64) bool {
	return r.people[key].roles&role != 0 && !r.isRevoked(key)
}

// serves tells whether a station is the gateway's and a place names it or its
// work centre.
func (r *mRoster) serves(gateway, station, place string) bool {
	a, given := r.assigned[station+"\x00"+gateway]
	return given && !r.isRevoked(gateway) && place != "" && (place == a.station || place == a.centre)
}
