package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// council is a network's admins at work on one register.
type council struct {
	testing.TB
	genesis  Genesis
	register *Register
	signers  []crypto.Signer // who signs unless told otherwise
}

func seat(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) PublicKey {
	return PublicKey{Alg: Ed25519, Bytes: seat(name).Public().(ed25519.PublicKey)}
}

func id(name string) KeyID { return public(name).ID() }

func adminsNamed(names ...string) (all []Admin) {
	for _, n := range names {
		all = append(all, Admin{Name: n, Key: public(n)})
	}
	return all
}

// found founds a network: more than half of the admins named sign, the recovery
// key is that of "recovery".
func found(t testing.TB, admins ...string) *council {
	t.Helper()
	g, err := NewGenesis(Genesis{
		Name: "plant", Time: 1, Admins: adminsNamed(admins...), Threshold: uint8(len(admins)/2 + 1), Recovery: public("recovery"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &council{TB: t, genesis: g, register: NewRegister(g)}
	return c.signedBy(admins[:len(admins)/2+1]...)
}

func (c *council) signedBy(names ...string) *council {
	other := *c
	other.signers = nil
	for _, n := range names {
		other.signers = append(other.signers, seat(n))
	}
	return &other
}

// draft signs a statement that builds on on.
func (c *council) draft(on []Hash, changes ...Change) Statement {
	c.Helper()
	s, err := SignStatement(c.genesis.Network(), Statement{BuildsOn: on, Changes: changes, Time: 1}, c.signers...)
	if err != nil {
		c.Fatal(err)
	}
	return s
}

// say holds a statement that builds on on and must be valid.
func (c *council) say(on []Hash, changes ...Change) []Hash {
	c.Helper()
	s := c.draft(on, changes...)
	if err := c.register.Add(s); err != nil {
		c.Fatal(err)
	}
	return []Hash{s.Hash()}
}

func (c *council) at(heads ...[]Hash) *Roster {
	c.Helper()
	r, err := c.register.At(slices.Concat(heads...))
	if err != nil {
		c.Fatal(err)
	}
	return r
}

func enrol(name string, roles Role) Change {
	return Change{Kind: ChangeEnrol, Name: name, Key: public(name), Roles: roles}
}

func gateway(name string) Change { return enrol(name, RoleGateway|RoleWitness) }

func assign(name, station string) Change {
	return Change{Kind: ChangeAssign, Subject: id(name), Station: station}
}

func revoke(name string, heads ...Hash) Change {
	return Change{Kind: ChangeRevoke, Subject: id(name), Heads: heads}
}

func elect(names ...string) Change {
	return Change{Kind: ChangeAdmins, Admins: adminsNamed(names...), Threshold: uint8(len(names)/2 + 1)}
}

func set(name string, v int64) Change { return Change{Kind: ChangeParameter, Name: name, Value: v} }

func ticketFor(name, code, station string) Change {
	return Change{Kind: ChangeTicket, Name: name, Key: public(code), Roles: RoleGateway, Station: station}
}

func redeem(code, key string) Change {
	return Change{Kind: ChangeRedeem, Subject: id(code), Key: public(key)}
}

func join(heads ...[]Hash) []Hash { return slices.Concat(heads...) }

func names(r *Roster) string {
	var all []string
	for _, i := range r.Identities() {
		s := i.Name
		if i.Revoked {
			s = "-" + s
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func want(t testing.TB, what string, got, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("%s = %v, want %v", what, got, wanted)
	}
}

func TestRosterAnswers(t *testing.T) {
	c := found(t, "ada")
	first := c.say(nil, gateway("press"), gateway("oven"), enrol("quinn", RoleQuality), set("max_returns", 2), set("zero", 0))
	second := c.say(first, Change{Kind: ChangeAssign, Subject: id("press"), Station: "S1", WorkCentre: "pressing", Intake: 1}, assign("press", "S2"), assign("oven", "S3"))
	r := c.register.Current()

	want(t, "Heads", r.Heads(), second)
	want(t, "names", names(r), "oven press quinn")
	quinn, ok := r.Identity(id("quinn"))
	want(t, "Identity", quinn, Identity{Name: "quinn", Key: public("quinn"), ID: id("quinn"), Roles: RoleQuality, Enrolled: first[0]})
	want(t, "found", ok, true)
	_, ok = r.Identity(id("nobody"))
	want(t, "nobody found", ok, false)
	want(t, "Named", r.Named("quinn"), []Identity{quinn})
	want(t, "Has gateway", r.Has(id("press"), RoleGateway), true)
	want(t, "Has both", r.Has(id("press"), RoleGateway|RoleWitness), true)
	want(t, "Has not both", r.Has(id("quinn"), RoleGateway|RoleQuality), false)
	want(t, "Has nothing", r.Has(id("press"), 0), false)
	want(t, "stranger Has", r.Has(id("nobody"), RoleGateway), false)
	s1 := Assignment{Gateway: id("press"), Station: "S1", WorkCentre: "pressing", Intake: true, Statement: second[0]}
	s2 := Assignment{Gateway: id("press"), Station: "S2", Statement: second[0]}
	s3 := Assignment{Gateway: id("oven"), Station: "S3", Statement: second[0]}
	want(t, "Station", r.Station("S1"), []Assignment{s1})
	want(t, "Assignments", r.Assignments(), []Assignment{s1, s2, s3})
	got, ok := r.Assigned(id("press"), "S2")
	want(t, "Assigned", got, s2)
	want(t, "assigned", ok, true)
	_, ok = r.Assigned(id("oven"), "S1")
	want(t, "other's station assigned", ok, false)
	for _, s := range []struct {
		gateway, station, place string
		serves                  bool
	}{
		{"press", "S1", "S1", true},
		{"press", "S1", "pressing", true},
		{"press", "S2", "pressing", false},
		{"press", "S2", "", false}, // no work centre is not a place
		{"press", "S1", "S2", false},
		{"oven", "S1", "S1", false},
	} {
		want(t, fmt.Sprint("Serves ", s), r.Serves(id(s.gateway), s.station, s.place), s.serves)
	}
	witnesses := []KeyID{id("press"), id("oven")}
	slices.SortFunc(witnesses, compareKeys)
	want(t, "Witnesses", r.Witnesses(), witnesses)
	v, ok := r.Parameter("zero")
	want(t, "Parameter zero", []any{v, ok}, []any{int64(0), true})
	v, ok = r.Parameter("none")
	want(t, "Parameter none", []any{v, ok}, []any{int64(0), false})
	admins, threshold := r.Admins()
	want(t, "Admins", []any{admins, threshold}, []any{adminsNamed("ada"), uint8(1)})

	want(t, "older roster", c.at(first).Assignments(), []Assignment(nil))
	want(t, "genesis roster", []any{names(c.at()), len(c.at().Heads())}, []any{"", 0})
}

func TestRevocation(t *testing.T) {
	c := found(t, "ada")
	base := c.say(nil, gateway("press"), assign("press", "S1"), gateway("spare"))
	h1, h2, h3 := Hash{1}, Hash{2}, Hash{3}
	left := c.say(base, revoke("press", h1, h3))
	right := c.say(base, revoke("press", h2))
	r := c.at(left, right)
	heads, revoked := r.Revoked(id("press"))
	want(t, "union of concurrent heads", []any{heads, revoked}, []any{[]Hash{h1, h2, h3}, true})
	i, _ := r.Identity(id("press"))
	want(t, "identity", []any{i.Revoked, i.Heads}, []any{true, []Hash{h1, h2, h3}})
	want(t, "Has", r.Has(id("press"), RoleGateway), false)
	want(t, "Station", len(r.Station("S1"))+len(r.Assignments()), 0)
	want(t, "Serves", r.Serves(id("press"), "S1", "S1"), false)
	want(t, "Witnesses", r.Witnesses(), []KeyID{id("spare")})
	want(t, "Named shows a revoked bearer if there is no other", len(r.Named("press")), 1)

	narrower := c.say(left, revoke("press"))
	heads, _ = c.at(narrower).Revoked(id("press"))
	want(t, "heads after a revocation that names none", heads, []Hash{h1, h3})
	_, revoked = c.at(base).Revoked(id("press"))
	want(t, "revoked before", revoked, false)

	moved := c.say(left, assign("spare", "S1"))
	want(t, "station after", c.at(moved).Station("S1")[0].Gateway, id("spare"))
}

func TestConcurrentStatementsAllCount(t *testing.T) {
	c := found(t, "ada")
	base := c.say(nil, gateway("press"), gateway("oven"), ticketFor("mill", "code", "S9"))
	left := c.say(base, assign("press", "S1"), Change{Kind: ChangeEnrol, Name: "quinn", Key: public("q1"), Roles: RoleQuality}, set("p", 1))
	right := c.say(base, assign("oven", "S1"), Change{Kind: ChangeEnrol, Name: "quinn", Key: public("q2"), Roles: RoleQuality}, set("p", 2))
	m1 := c.signedBy("code", "m1").say(base, redeem("code", "m1"))
	m2 := c.signedBy("code", "m2").say(base, redeem("code", "m2"))

	sorted := func(names ...string) (keys []KeyID) {
		for _, n := range names {
			keys = append(keys, id(n))
		}
		slices.SortFunc(keys, compareKeys)
		return keys
	}
	r := c.at(left, right, m1, m2)
	want(t, "Doubled", r.Doubled(), []Doubled{
		{Station: "S1", Keys: sorted("press", "oven")},
		{Station: "S9", Keys: sorted("m1", "m2")},
		{Name: "mill", Keys: sorted("m1", "m2")},
		{Name: "quinn", Keys: sorted("q1", "q2")},
	})
	want(t, "Named", len(r.Named("quinn")), 2)
	ticket, _ := r.Ticket(id("code"))
	want(t, "Redeemed", ticket.Redeemed, sorted("m1", "m2"))
	want(t, "Tickets", r.Tickets(), []Ticket{ticket})
	later := max(left[0].String(), right[0].String())
	p, _ := r.Parameter("p")
	want(t, "parameter of the higher hash", p == 1, later == left[0].String())

	end := c.say(join(left, right, m1, m2), revoke("oven"), revoke("q2"), revoke("m1"))
	r = c.at(end)
	want(t, "Doubled after revocation", r.Doubled(), []Doubled(nil))
	want(t, "quinn", r.Named("quinn")[0].ID, id("q1"))
	want(t, "S9", r.Station("S9")[0].Gateway, id("m2"))
}

func TestReassignmentLatestWins(t *testing.T) {
	at := func(centre string) Change {
		return Change{Kind: ChangeAssign, Subject: id("press"), Station: "S1", WorkCentre: centre}
	}
	c := found(t, "ada")
	base := c.say(nil, gateway("press"), at("one"))
	deep := c.say(c.say(base, at("two")), at("three"))
	flat := c.say(base, at("four"))
	want(t, "deeper wins", c.at(flat, deep).Station("S1")[0].WorkCentre, "three")
	twin := c.say(base, at("five"))
	winner := "four"
	if compare(twin[0], flat[0]) > 0 {
		winner = "five"
	}
	want(t, "of equal depth the higher hash wins", c.at(flat, twin).Station("S1")[0].WorkCentre, winner)
	both := c.say(base, at("six"), at("seven"))
	want(t, "in one statement the last wins", c.at(both).Station("S1")[0].WorkCentre, "seven")
}

// TestAdminChangeCuts: what the replaced admins say beside the change counts
// only once the new ones build on it.
func TestAdminChangeCuts(t *testing.T) {
	c := found(t, "ada")
	bob := c.signedBy("bob")
	base := c.say(nil, gateway("old"), ticketFor("mill", "code", ""))
	turn := c.say(base, elect("bob"), gateway("with"))
	beside := c.say(base, gateway("beside"), ticketFor("saw", "code2", ""))
	board := c.signedBy("code", "mill").say(base, redeem("code", "mill"))
	ghost := c.signedBy("code2", "saw").say(beside, redeem("code2", "saw"))
	plain := bob.say(turn, gateway("new"))

	want(t, "without the change", names(c.at(beside)), "beside old")
	r := c.at(plain, beside, board, ghost)
	want(t, "cut, but a counted ticket's board", names(r), "mill new old with")
	uncounted := []Hash{beside[0], ghost[0]}
	slices.SortFunc(uncounted, compare)
	want(t, "Uncounted", r.Uncounted(), uncounted)
	admins, _ := r.Admins()
	want(t, "Admins", admins[0].Name, "bob")

	adopted := bob.say(join(turn, beside), set("p", 1))
	r = c.at(plain, adopted, board, ghost)
	want(t, "adopted", names(r), "beside mill new old saw with")
	want(t, "Uncounted after", r.Uncounted(), []Hash{})

	err := c.register.Add(c.draft(plain, set("p", 2)))
	wantRefused(t, err, "no admin where this statement builds")
}

func TestConcurrentAdminChanges(t *testing.T) {
	inForce := func(r *Roster) string {
		admins, _ := r.Admins()
		return admins[0].Name
	}
	c := found(t, "ada")
	base := c.say(nil, gateway("old"))
	a, b := c.say(base, elect("anna")), c.say(base, elect("bert"))
	under := c.signedBy("anna").say(a, gateway("under"))
	contested := []Hash{a[0], b[0]}
	slices.SortFunc(contested, compare)
	r := c.at(under, b)
	want(t, "former set in force", inForce(r), "ada")
	want(t, "Contested", r.Contested(), contested)
	want(t, "all count meanwhile", names(r), "old under")
	wantRefused(t, c.register.Add(c.signedBy("anna").draft(join(a, b), set("p", 1))), "no admin")
	wantRefused(t, c.register.Add(c.signedBy("bert").draft(join(a, b), elect("bert"))), "no admin")

	plain := c.say(join(a, b), gateway("meanwhile"))
	want(t, "the former set goes on", []any{names(c.at(plain)), inForce(c.at(plain))}, []any{"meanwhile old", "ada"})

	decided := c.say(join(a, b), elect("carl"))
	r = c.at(decided, under, plain)
	want(t, "the former set decides", []any{inForce(r), len(r.Contested()), names(r)}, []any{"carl", 0, "old"})

	recovered := c.signedBy("recovery").say(join(a, b), elect("dora"))
	r = c.at(recovered, decided, under, plain)
	want(t, "the recovery key decides", []any{inForce(r), len(r.Contested()), names(r)}, []any{"dora", 0, "old"})
	late := c.say(base, elect("mallory"))
	want(t, "replaced admins cannot contest it", inForce(c.at(recovered, late)), "dora")
	later := c.signedBy("dora").say(recovered, elect("emil"))
	want(t, "nor what follows", inForce(c.at(later, late)), "emil")
	second := c.signedBy("recovery").say(a, elect("fred"))
	r = c.at(later, second)
	want(t, "but the recovery key can contest itself", []any{inForce(r), len(r.Contested())}, []any{"ada", 4})
	third := c.signedBy("recovery").say(join(later, second), elect("gina"))
	want(t, "and decide", inForce(c.at(third, late, under)), "gina")
}

func wantRefused(t testing.TB, err error, rule string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), rule) || !strings.HasPrefix(err.Error(), ErrRefused.Error()) {
		t.Errorf("error = %v, want ErrRefused with %q", err, rule)
	}
}
