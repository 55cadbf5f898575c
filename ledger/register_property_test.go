package ledger

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// dump writes all that a roster says.
func dump(r *Roster) string {
	var b strings.Builder
	for _, i := range r.Identities() {
		fmt.Fprintln(&b, "identity", i.Name, i.ID, i.Roles, i.Enrolled, i.Revoked, i.Heads)
	}
	for _, a := range r.Assignments() {
		fmt.Fprintln(&b, "assignment", a.Station, a.Gateway, a.WorkCentre, a.Intake, a.Statement)
	}
	for n, p := range r.params.all() {
		fmt.Fprintln(&b, "parameter", n, p.value)
	}
	admins, threshold := r.Admins()
	fmt.Fprintln(&b, "admins", admins, threshold)
	fmt.Fprintln(&b, "uncounted", r.Uncounted())
	return b.String()
}

// dumpMore adds what the plain reading below does not tell.
func dumpMore(r *Roster) string {
	return dump(r) + fmt.Sprintln(r.Heads(), r.Contested(), r.Doubled(), r.Tickets(), r.Witnesses())
}

// TestAnyOrder lets several admins, who each hold a part, say random things; the
// statements then arrive elsewhere in random orders. All registers must say the
// same, and the same as a plain reading of the rules.
func TestAnyOrder(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		all := babble(found(t, "a0", "a1", "a2"), rng, 36)
		first := replay(t, all.genesis, all.register.Statements())
		if len(first.Statements()) != len(all.register.Statements()) {
			t.Fatalf("seed %d: %d statements held of %d", seed, len(first.Statements()), len(all.register.Statements()))
		}
		if got, plain := dump(first.Current()), readPlainly(all.genesis, first.Statements()); got != plain {
			t.Fatalf("seed %d: Current says\n%s\nthe plain reading\n%s", seed, got, plain)
		}
		for range 3 {
			shuffled := first.Statements()
			rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			other := replay(t, all.genesis, shuffled)
			want(t, fmt.Sprint("Statements, seed ", seed), hashList(other), hashList(first))
			want(t, fmt.Sprint("Heads, seed ", seed), other.Heads(), first.Heads())
			want(t, fmt.Sprint("Current, seed ", seed), dumpMore(other.Current()), dumpMore(first.Current()))
		}
		checkClosures(t, seed, first, rng)
		r := first.Current()
		seen["statements"] += len(first.Statements())
		seen["uncounted"] += len(r.Uncounted())
		seen["contested"] += len(r.Contested())
		seen["doubled"] += len(r.Doubled())
		seen["redeemed"] += r.redeemed.size
		seen["revoked"] += r.revoked.size
	}
	t.Log("seen:", seen)
	for _, what := range []string{"uncounted", "contested", "doubled", "redeemed", "revoked"} {
		if seen[what] < 10 {
			t.Errorf("%s came up %d times only: the random statements are too tame", what, seen[what])
		}
	}
}

// checkClosures reads random closures, plainly too, and holds the shortcuts of
// force to the long way.
func checkClosures(t *testing.T, seed uint64, r *Register, rng *rand.Rand) {
	t.Helper()
	held := r.Statements()
	for range 3 {
		heads := []Hash{held[rng.IntN(len(held))].Hash(), held[rng.IntN(len(held))].Hash()}
		roster, err := r.At(heads)
		if err != nil {
			t.Fatal(err)
		}
		closure := slices.DeleteFunc(r.Statements(), func(s Statement) bool {
			in, _ := r.Contains(heads, []Hash{s.Hash()})
			return !in
		})
		if got, plain := dump(roster), readPlainly(r.genesis, closure); got != plain {
			t.Fatalf("seed %d: At(%v) says\n%s\nthe plain reading\n%s", seed, heads, got, plain)
		}
	}
	for _, h := range r.order {
		if long := walk(h.turns); long.turn != h.after.turn || long.recovery != h.after.recovery {
			t.Fatalf("seed %d: after %s %v is in force, the walk finds %v", seed, h.hash.Short(), h.after.turn, long.turn)
		}
	}
}

func hashList(r *Register) (all []Hash) {
	for _, s := range r.Statements() {
		all = append(all, s.Hash())
	}
	return all
}

// replay holds statements that come in any order, each given again until its
// gaps are closed.
func replay(t *testing.T, g Genesis, waiting []Statement) *Register {
	t.Helper()
	r := NewRegister(g)
	for len(waiting) > 0 {
		before := len(waiting)
		waiting = slices.DeleteFunc(slices.Clone(waiting), func(s Statement) bool {
			err := r.Add(s)
			var gap *GapError
			if err != nil && !errors.As(err, &gap) {
				t.Fatal(err)
			}
			return err == nil
		})
		if len(waiting) == before {
			t.Fatal("gaps are never closed")
		}
	}
	return r
}

// babble has three offices, each with its own register, make n statements; now
// and then one passes what it holds to another. It returns a council that holds all.
func babble(c *council, rng *rand.Rand, n int) *council {
	offices := []*Register{NewRegister(c.genesis), NewRegister(c.genesis), NewRegister(c.genesis)}
	pass := func(from, to *Register) {
		for _, s := range from.Statements() {
			if err := to.Add(s); err != nil {
				c.Fatal(err)
			}
		}
	}
	for i := range n {
		office := offices[rng.IntN(len(offices))]
		say(c, office, rng, i)
		if rng.IntN(4) == 0 {
			pass(office, offices[rng.IntN(len(offices))])
		}
	}
	for _, o := range offices {
		pass(o, c.register)
	}
	return c
}

// say makes one statement that may well be refused, on a random part of what the
// office holds.
func say(c *council, office *Register, rng *rand.Rand, i int) {
	on, _ := office.Cite(nil)
	if held := office.Statements(); len(held) > 0 && rng.IntN(3) == 0 {
		on = []Hash{held[rng.IntN(len(held))].Hash()}
	}
	roster, err := office.At(on)
	if err != nil {
		c.Fatal(err)
	}
	change, by := invent(roster, rng, i)
	s := c.signedBy(by...).draft(on, change)
	if err := office.Add(s); err != nil && !errors.Is(err, ErrRefused) {
		c.Fatal(err)
	}
}

func invent(r *Roster, rng *rand.Rand, i int) (c Change, by []string) {
	admins, threshold := r.Admins()
	for _, a := range admins[:threshold] {
		by = append(by, a.Name)
	}
	name := fmt.Sprint("g", rng.IntN(8))
	station := fmt.Sprint("S", rng.IntN(3))
	switch rng.IntN(10) {
	case 0, 1:
		return Change{Kind: ChangeEnrol, Name: name, Key: public(fmt.Sprint(name, rng.IntN(2))), Roles: RoleGateway | RoleWitness}, by
	case 2, 3, 4:
		ids := r.Identities()
		if len(ids) == 0 {
			return set("p", int64(i)), by
		}
		subject := ids[rng.IntN(len(ids))].ID
		if rng.IntN(3) == 0 {
			return Change{Kind: ChangeRevoke, Subject: subject, Heads: []Hash{{byte(i + 1)}}}, by
		}
		return Change{Kind: ChangeAssign, Subject: subject, Station: station, WorkCentre: fmt.Sprint("w", i)}, by
	case 5:
		return Change{Kind: ChangeTicket, Name: name, Key: public("code" + name), Roles: RoleGateway, Station: station}, by
	case 6, 7:
		board := fmt.Sprint("board", i)
		return redeem("code"+name, board), []string{"code" + name, board}
	case 8:
		tickets := r.Tickets()
		if len(tickets) == 0 || rng.IntN(2) == 0 {
			return set(station, int64(i)), by
		}
		t := tickets[rng.IntN(len(tickets))]
		revoked := Change{Kind: ChangeRevoke, Subject: t.Code}
		if len(t.Redeemed) > 0 && rng.IntN(2) == 0 {
			who, _ := r.Identity(t.Redeemed[0])
			revoked.Heads = []Hash{who.Enrolled}
		}
		return revoked, by
	}
	if rng.IntN(3) == 0 {
		by = []string{"recovery"}
	}
	k := rng.IntN(6)
	return elect(fmt.Sprint("a", k), fmt.Sprint("a", k+1)), by
}

// plain is a second reading of the rules by sets and nothing else: slow, and
// without a line in common with the register.
type plain struct {
	genesis Genesis
	of      map[Hash]Statement
	before  map[Hash]map[Hash]bool // all it builds on, at any distance
	depth   map[Hash]int
	under   map[Hash][2]Hash // recovery change and change of admins in force where it builds
}

func readPlainly(g Genesis, ordered []Statement) string {
	p := plain{g, map[Hash]Statement{}, map[Hash]map[Hash]bool{}, map[Hash]int{}, map[Hash][2]Hash{}}
	all := map[Hash]bool{}
	for _, s := range ordered {
		h := s.Hash()
		p.of[h], p.before[h], all[h] = s, map[Hash]bool{}, true
		for _, on := range s.BuildsOn {
			p.before[h][on] = true
			maps.Copy(p.before[h], p.before[on])
			p.depth[h] = max(p.depth[h], p.depth[on]+1)
		}
		p.under[h] = p.inForce(p.before[h])
	}
	return p.fold(all)
}

func (p plain) elects(h Hash) bool { return p.of[h].Changes[0].Kind == ChangeAdmins }

func (p plain) recovers(h Hash) bool { return p.of[h].Sigs[0].Key == p.genesis.Recovery.ID() }

func (p plain) inForce(closure map[Hash]bool) (at [2]Hash) {
	for tree := range 2 {
		for {
			last := []Hash{}
			for h := range closure {
				if p.elects(h) && p.recovers(h) == (tree == 0) && p.under[h][tree] == at[tree] {
					last = append(last, h)
				}
			}
			last = slices.DeleteFunc(slices.Clone(last), func(h Hash) bool {
				return slices.ContainsFunc(last, func(o Hash) bool { return p.before[o][h] })
			})
			if len(last) != 1 {
				break
			}
			at[tree] = last[0]
		}
		if tree == 0 {
			at[1] = at[0]
		}
	}
	return at
}

// counts tells which statements of a closure count, by the words of the rule.
func (p plain) counts(closure map[Hash]bool, turn Hash) map[Hash]bool {
	counted := map[Hash]bool{}
	for h := range closure {
		if p.of[h].Redemption() && !turn.IsZero() {
			continue
		}
		under := p.under[h][1]
		for under != turn && !under.IsZero() {
			under = p.under[under][1]
		}
		if under == turn || h == turn {
			counted[h] = true
			maps.Copy(counted, p.before[h])
		}
	}
	tickets := maps.Clone(counted)
	for h := range closure {
		if s := p.of[h]; s.Redemption() {
			for issued := range p.before[h] {
				c := p.of[issued].Changes[0]
				// The ticket it redeems is the latest of that code that it knows.
				if c.Kind == ChangeTicket && c.Key.ID() == s.Changes[0].Subject && issued == p.ticketOf(h) && tickets[issued] {
					counted[h] = true
				}
			}
		}
	}
	return counted
}

func (p plain) ticketOf(redemption Hash) Hash {
	var latest Hash
	for h := range p.before[redemption] {
		c := p.of[h].Changes[0]
		if c.Kind == ChangeTicket && c.Key.ID() == p.of[redemption].Changes[0].Subject && (latest.IsZero() || p.later(h, latest)) {
			latest = h
		}
	}
	return latest
}

func (p plain) later(a, b Hash) bool {
	if p.depth[a] != p.depth[b] {
		return p.depth[a] > p.depth[b]
	}
	return compare(a, b) > 0
}

// fold writes what dump writes, by telling the counted statements in order.
func (p plain) fold(closure map[Hash]bool) string {
	turn := p.inForce(closure)[1]
	counted := p.counts(closure, turn)
	told := slices.SortedFunc(maps.Keys(counted), func(a, b Hash) int {
		if p.later(a, b) {
			return 1
		}
		return -1
	})
	people, stations, params := map[KeyID]Identity{}, map[string]Assignment{}, map[string]int64{}
	revoked, came := map[KeyID]map[Hash]bool{}, map[KeyID]Hash{}
	give := func(station string, to KeyID, centre string, by Hash) {
		stations[station+to.String()] = Assignment{Gateway: to, Station: station, WorkCentre: centre, Statement: by}
	}
	for _, h := range told {
		switch c := p.of[h].Changes[0]; c.Kind {
		case ChangeEnrol:
			people[c.Key.ID()] = Identity{Name: c.Name, Roles: c.Roles, Enrolled: h}
			delete(came, c.Key.ID())
		case ChangeRedeem:
			t := p.of[p.ticketOf(h)].Changes[0]
			people[c.Key.ID()] = Identity{Name: t.Name, Roles: t.Roles, Enrolled: h}
			came[c.Key.ID()] = h
			give(t.Station, c.Key.ID(), "", h)
		case ChangeAssign:
			give(c.Station, c.Subject, c.WorkCentre, h)
		case ChangeParameter:
			params[c.Name] = c.Value
		case ChangeRevoke:
			if revoked[c.Subject] == nil {
				revoked[c.Subject] = map[Hash]bool{}
			}
			for _, head := range c.Heads {
				revoked[c.Subject][head] = true
			}
		}
	}
	for k, h := range came {
		if kept := revoked[p.of[h].Changes[0].Subject]; kept != nil && !kept[h] && revoked[k] == nil {
			revoked[k] = map[Hash]bool{}
		}
	}
	var b strings.Builder
	for _, k := range slices.SortedFunc(maps.Keys(people), func(x, y KeyID) int {
		return strings.Compare(people[x].Name+" "+x.String(), people[y].Name+" "+y.String())
	}) {
		i := people[k]
		fmt.Fprintln(&b, "identity", i.Name, k, i.Roles, i.Enrolled, revoked[k] != nil, slices.SortedFunc(maps.Keys(revoked[k]), compare))
	}
	for _, k := range slices.Sorted(maps.Keys(stations)) {
		if a := stations[k]; revoked[a.Gateway] == nil {
			fmt.Fprintln(&b, "assignment", a.Station, a.Gateway, a.WorkCentre, a.Intake, a.Statement)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(params)) {
		fmt.Fprintln(&b, "parameter", k, params[k])
	}
	admins, threshold := p.genesis.Admins, p.genesis.Threshold
	if !turn.IsZero() {
		admins, threshold = p.of[turn].Changes[0].Admins, p.of[turn].Changes[0].Threshold
	}
	fmt.Fprintln(&b, "admins", admins, threshold)
	uncounted := slices.SortedFunc(maps.Keys(closure), compare)
	fmt.Fprintln(&b, "uncounted", slices.DeleteFunc(uncounted, func(h Hash) bool { return counted[h] }))
	return b.String()
}
