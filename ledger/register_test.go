package ledger

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestRules holds every rule against a statement that keeps it and one that
// breaks it. Each case builds on the same short history.
func TestRules(t *testing.T) {
	two := []string{"ada", "ben"}
	small := PublicKey{Alg: Ed25519, Bytes: make([]byte, 32)}
	key := func(name, key string) Change {
		return Change{Kind: ChangeEnrol, Name: name, Key: public(key), Roles: RoleGateway}
	}
	for _, c := range []struct {
		name    string
		by      []string
		changes []Change
		rule    string // empty: held
	}{
		{"signed by the threshold", two, []Change{set("p", 1)}, ""},
		{"signed by all", []string{"ada", "ben", "cy"}, []Change{set("p", 1)}, ""},
		{"signed by too few", []string{"ada"}, []Change{set("p", 1)}, "statement.sigs = 1: 2 of the 3 admins in force must sign"},
		{"a stranger's signature more", []string{"ada", "ben", "eve"}, []Change{set("p", 1)}, "no admin where this statement builds"},
		{"a stranger alone", []string{"eve"}, []Change{set("p", 1)}, "no admin where this statement builds"},
		{"recovery key for admins", []string{"recovery"}, []Change{elect("dee")}, ""},
		{"recovery key for more", []string{"recovery"}, []Change{elect("dee"), set("p", 1)}, "changes[1] = parameter: the recovery key alone changes admins"},
		{"recovery key among admins", []string{"ada", "ben", "recovery"}, []Change{elect("dee")}, "no admin"},

		{"new name and key", two, []Change{gateway("new")}, ""},
		{"name given", two, []Change{key("press", "k")}, `changes[0].name = "press": has been given before`},
		{"name revoked", two, []Change{key("gone", "k")}, "has been given before"},
		{"name of a ticket", two, []Change{key("mill", "k")}, "has been given before"},
		{"key given", two, []Change{key("new", "press")}, "changes[0].key = " + id("press").String() + ": has been enrolled before"},
		{"key revoked", two, []Change{key("new", "gone")}, "has been enrolled before"},
		{"key of a ticket", two, []Change{key("new", "code")}, "has been enrolled before"},
		{"same name and key again", two, []Change{gateway("press")}, "has been given before"},
		{"name twice in one statement", two, []Change{gateway("new"), key("new", "k")}, "changes[1].name"},
		{"key twice in one statement", two, []Change{gateway("new"), key("newer", "new")}, "changes[1].key"},

		{"free station", two, []Change{assign("oven", "S2")}, ""},
		{"another station of a gateway", two, []Change{assign("press", "S2")}, ""},
		{"same station and gateway", two, []Change{{Kind: ChangeAssign, Subject: id("press"), Station: "S1", WorkCentre: "w", Intake: 1}}, ""},
		{"gateway enrolled by the statement", two, []Change{gateway("new"), assign("new", "S2")}, ""},
		{"station given", two, []Change{assign("oven", "S1")}, "is given to " + id("press").String()},
		{"station of a gateway revoked before", two, []Change{assign("oven", "S0")}, ""},
		{"station moves with the revocation", two, []Change{revoke("press"), assign("oven", "S1")}, ""},
		{"revocation comes too late", two, []Change{assign("oven", "S1"), revoke("press")}, "revoke that gateway in this statement"},
		{"station to two gateways", two, []Change{assign("oven", "S2"), assign("press", "S2")}, "is given to"},
		{"station to two, one revoked", two, []Change{assign("oven", "S2"), revoke("oven"), assign("press", "S2")}, "given to two gateways by this statement"},
		{"station to a person", two, []Change{assign("quinn", "S2")}, "is no gateway but quality"},
		{"station to a stranger", two, []Change{assign("eve", "S2")}, "is not enrolled"},
		{"station to a revoked gateway", two, []Change{assign("gone", "S2")}, `"gone": is revoked`},
		{"station to a gateway this statement revokes", two, []Change{revoke("oven"), assign("oven", "S2")}, "is revoked"},

		{"revoke", two, []Change{revoke("press", Hash{1})}, ""},
		{"revoke again", two, []Change{revoke("gone", Hash{1})}, ""},
		{"revoke what this statement enrols", two, []Change{gateway("new"), revoke("new")}, ""},
		{"revoke a stranger", two, []Change{revoke("eve")}, "is not enrolled: only identities"},

		{"change admins", two, []Change{elect("ada", "ben"), gateway("new")}, ""},
		{"change admins twice", two, []Change{elect("ada"), elect("ben")}, "changes[1] = admins: a statement changes the admins once"},
		{"recovery key as admin", two, []Change{elect("ada", "recovery")}, "changes[0].admins[1] = \"recovery\": has the recovery key"},

		{"ticket", two, []Change{ticketFor("saw", "code2", "S2")}, ""},
		{"ticket without station", two, []Change{ticketFor("saw", "code2", "")}, ""},
		{"ticket for a name given", two, []Change{ticketFor("press", "code2", "")}, "has been given before"},
		{"ticket for a code given", two, []Change{ticketFor("saw", "code", "")}, "has been enrolled before"},
		{"ticket for a key enrolled", two, []Change{ticketFor("saw", "press", "")}, "has been enrolled before"},
		{"ticket for a station given", two, []Change{ticketFor("saw", "code2", "S1")}, "is given to"},
		{"two tickets for one station", two, []Change{ticketFor("saw", "code2", "S2"), ticketFor("lathe", "code3", "S2")}, "two gateways by this statement"},

		{"redeem", []string{"code", "mill"}, []Change{redeem("code", "mill")}, ""},
		{"redeem with the code alone", []string{"code"}, []Change{redeem("code", "mill")}, "signed by the ticket's code and by the board's new key"},
		{"redeem with the board alone", []string{"mill"}, []Change{redeem("code", "mill")}, "signed by the ticket's code and by"},
		{"redeem with an admin more", []string{"code", "mill", "ada"}, []Change{redeem("code", "mill")}, "neither the ticket's code"},
		{"redeem to the code itself", []string{"code"}, []Change{redeem("code", "code")}, "signed by the ticket's code and by"},
		{"redeem no ticket", []string{"eve", "mill"}, []Change{redeem("eve", "mill")}, "is no ticket's code"},
		{"redeem a used ticket", []string{"used", "mill"}, []Change{redeem("used", "mill")}, "the ticket of lamp has been redeemed"},
		{"redeem to a key enrolled", []string{"code", "press"}, []Change{redeem("code", "press")}, "changes[0].key"},
		{"redeem where the station is gone", []string{"late", "mill"}, []Change{redeem("late", "mill")}, "is given to"},
		{"redeem a revoked ticket", []string{"void", "mill"}, []Change{redeem("void", "mill")}, "the ticket is revoked"},
		{"revoke a ticket", two, []Change{revoke("code")}, ""},
		{"revoke a ticket this statement issues", two, []Change{ticketFor("saw", "code2", ""), revoke("code2")}, ""},
		{"revoke a ticket twice", two, []Change{revoke("void", Hash{1})}, ""},
		{"small-order key", nil, []Change{{Kind: ChangeEnrol, Name: "weak", Key: small, Roles: RoleGateway}}, "small order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := found(t, "ada", "ben", "cy")
			on := p.say(nil, gateway("press"), gateway("oven"), gateway("gone"), enrol("quinn", RoleQuality),
				assign("press", "S1"), assign("gone", "S0"), ticketFor("mill", "code", "S8"), ticketFor("lamp", "used", ""), ticketFor("late", "late", "S9"), ticketFor("hood", "void", ""), revoke("void"))
			on = p.signedBy("used", "lamp").say(on, redeem("used", "lamp"))
			on = p.say(on, revoke("gone"), assign("press", "S9"))
			s, err := SignStatement(p.genesis.Network(), Statement{BuildsOn: on, Changes: c.changes}, seats(c.by)...)
			if err != nil { // refused at the first door
				if c.rule == "" || !strings.Contains(err.Error(), c.rule) {
					t.Errorf("SignStatement = %v, want %q", err, c.rule)
				}
				return
			}
			before := p.register.Statements()
			err = p.register.Add(s)
			if c.rule == "" {
				want(t, "Add", err, nil)
				want(t, "Add again", p.register.Add(s), nil)
				return
			}
			wantRefused(t, err, c.rule)
			want(t, "statements held", len(p.register.Statements()), len(before))
		})
	}
}

func seats(names []string) (all []crypto.Signer) {
	if len(names) == 0 {
		names = []string{"ada", "ben"}
	}
	for _, n := range names {
		all = append(all, seat(n))
	}
	return all
}

func TestRedemptionAfterTheNameWasDoubled(t *testing.T) {
	c := found(t, "ada")
	ticket := c.say(nil, ticketFor("mill", "code", ""))
	other := c.say(nil, gateway("mill"))
	board := c.signedBy("code", "board")
	wantRefused(t, c.register.Add(board.draft(join(ticket, other), redeem("code", "board"))), "given to another key meanwhile")
	alone := board.say(ticket, redeem("code", "board"))
	want(t, "Doubled", len(c.at(alone, other).Doubled()), 1)
}

func TestIdentityLimit(t *testing.T) {
	c := found(t, "ada")
	var on []Hash
	var batch []Change
	for i := range MaxIdentities {
		n := fmt.Sprintf("g%d", i)
		if i%2 == 0 {
			batch = append(batch, ticketFor(n, n, ""))
		} else {
			batch = append(batch, gateway(n))
		}
		if len(batch) == 256 {
			on, batch = c.say(on, batch...), nil
		}
	}
	wantRefused(t, c.register.Add(c.draft(on, gateway("more"))), "at most 4096 identities")
	c.signedBy("g0", "board").say(on, redeem("g0", "board")) // has its place already
}

func TestHostileStatements(t *testing.T) {
	c := found(t, "ada", "ben")
	base := c.say(nil, gateway("press"))
	good, other := c.draft(base, gateway("a")), c.draft(base, gateway("b"))
	net := c.genesis.Network()
	// forge encodes what no signer made.
	forge := func(s Statement) Statement {
		f, err := ParseStatement(net, encode(s))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	swapped := good
	swapped.Sigs = other.Sigs
	wantRefused(t, c.register.Add(forge(swapped)), "sigs[0]")
	if err := c.register.Add(forge(swapped)); !errors.Is(err, ErrSignature) {
		t.Errorf("swapped signatures: %v, want ErrSignature", err)
	}
	crossed := good
	crossed.Sigs = []StatementSig{{Key: good.Sigs[0].Key, Sig: good.Sigs[1].Sig}, good.Sigs[1]}
	wantRefused(t, c.register.Add(forge(crossed)), "sigs[0]")
	edited := good
	edited.Changes = []Change{gateway("eve")}
	wantRefused(t, c.register.Add(forge(edited)), "sigs[0]")
	moved := good
	moved.BuildsOn = nil
	wantRefused(t, c.register.Add(forge(moved)), "sigs[0]")

	wantRefused(t, c.register.Add(Statement{}), "not parsed for network")
	foreign := found(t, "eve")
	wantRefused(t, c.register.Add(foreign.draft(nil, gateway("a"))), "not parsed for network")
	wantRefused(t, c.register.Add(forge(foreign.draft(nil, gateway("a")))), "no admin")
	want(t, "held", c.register.Heads(), base)
}

func TestGaps(t *testing.T) {
	c := found(t, "ada")
	one := c.say(nil, gateway("a"))
	two := c.say(one, gateway("b"))
	three := c.draft(two, gateway("c"))
	late := NewRegister(c.genesis)
	wantGap := func(err error, missing ...Hash) {
		t.Helper()
		var gap *GapError
		if !errors.As(err, &gap) || !slices.Equal(gap.Missing, missing) {
			t.Errorf("error = %v, want a gap of %v", err, missing)
		}
	}
	wantGap(late.Add(three), two...)
	want(t, "gap of one", late.Add(three).Error(), two[0].String()+" is not held yet")
	_, err := late.At(join(one, two))
	wantGap(err, one[0], two[0])
	want(t, "gap of two", err.Error(), "2 objects are not held yet, the first is "+one[0].String())
	_, err = late.Contains(one, nil)
	wantGap(err, one...)
	_, err = late.Cite(two)
	wantGap(err, two...)
	want(t, "held", len(late.Statements()), 0)
	for _, s := range append(c.register.Statements(), three) {
		want(t, "Add in order", late.Add(s), nil)
	}
	want(t, "Heads", late.Heads(), []Hash{three.Hash()})
	got, ok := late.Statement(two[0])
	want(t, "Statement", []any{got.Hash(), ok}, []any{two[0], true})
	_, ok = late.Statement(Hash{9})
	want(t, "unknown statement", ok, false)
	want(t, "Network", late.Network(), c.genesis.Network())
}

func TestContains(t *testing.T) {
	c := found(t, "ada")
	base := c.say(nil, gateway("a"))
	left, right := c.say(base, gateway("b")), c.say(base, gateway("c"))
	both := c.say(join(left, right), gateway("d"))
	for _, x := range []struct {
		outer, inner []Hash
		want         bool
	}{
		{nil, nil, true},
		{base, nil, true},
		{nil, base, false},
		{base, base, true},
		{left, base, true},
		{base, left, false},
		{left, right, false},
		{both, join(left, right), true},
		{join(left, right), both, false},
		{join(left, right), left, true},
		{left, join(left, right), false},
	} {
		got, err := c.register.Contains(x.outer, x.inner)
		want(t, fmt.Sprint("Contains ", x.outer, x.inner), []any{got, err}, []any{x.want, error(nil)})
	}
	want(t, "heads of a list with ancestors and repetition", c.at(base, both, left, both).Heads(), both)
}

// TestCite: forty boards join at once, and a block still cites at most 16 heads.
func TestCite(t *testing.T) {
	c := found(t, "ada")
	base := c.say(nil, gateway("a"))
	var last []Hash
	for i := range 40 {
		last = c.say(base, gateway(fmt.Sprint("g", i)))
	}
	want(t, "Heads", len(c.register.Heads()), 40)
	cited, err := c.register.Cite(last)
	want(t, "Cite", []any{len(cited), err}, []any{MaxRosterHeads, error(nil)})
	ok, _ := c.register.Contains(cited, last)
	want(t, "holds what it must", ok, true)
	sorted := slices.IsSortedFunc(cited, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	want(t, "sorted, as a block must cite them", sorted, true)
	for round := 0; len(c.register.Heads()) > 1; round++ {
		if round > 3 {
			t.Fatal("statements that build on what Cite says do not join all heads")
		}
		cited, _ = c.register.Cite(nil)
		c.say(cited, set("p", 1))
	}
	cited, err = c.register.Cite(last)
	want(t, "Cite of few", []any{cited, err}, []any{c.register.Heads(), error(nil)})
}

func TestRegisterLimits(t *testing.T) {
	c := found(t, "ada")
	s := c.draft(nil, gateway("a"))
	c.register.bytes = MaxRegister
	if err := c.register.Add(s); !errors.Is(err, ErrRegisterFull) || errors.Is(err, ErrRefused) {
		t.Errorf("Add to a full register = %v, want ErrRegisterFull", err)
	}
	c.register.bytes = 0
	on := c.say(nil, gateway("a"))
	for i := range 2 * cachedRosters {
		on = c.say(on, set("p", int64(i)))
		c.at(on)
	}
	want(t, "rosters remembered", []int{len(c.register.rosters), len(c.register.oldest)}, []int{cachedRosters, cachedRosters})
	if first, again := c.at(on), c.register.Current(); first != again {
		t.Error("a roster remembered is read again")
	}
}

func TestRegisterIsSafeForConcurrentUse(t *testing.T) {
	c := found(t, "ada")
	var all []Statement
	var on []Hash
	for i := range 30 {
		s := c.draft(on, gateway(fmt.Sprint("g", i)))
		all, on = append(all, s), c.say(on, gateway(fmt.Sprint("g", i)))
	}
	shared := NewRegister(c.genesis)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, s := range all {
				if err := shared.Add(s); err != nil {
					t.Error(err)
				}
				r := shared.Current()
				r.Witnesses()
				if ok, err := shared.Contains(shared.Heads(), r.Heads()); !ok || err != nil {
					t.Error("what is held shrank", err)
				}
			}
		})
	}
	group.Wait()
	want(t, "names", names(shared.Current()), names(c.register.Current()))
}

func TestTree(t *testing.T) {
	var versions []tree[int]
	var m tree[int]
	for i := range 1000 {
		m = m.put(fmt.Sprintf("%03d", i*7%1000), i)
		versions = append(versions, m)
	}
	for n, v := range versions {
		want(t, "size", v.size, n+1)
		var keys []string
		for k := range v.all() {
			keys = append(keys, k)
		}
		if len(keys) != n+1 || !slices.IsSorted(keys) {
			t.Fatalf("version %d has %d keys, sorted %v", n, len(keys), slices.IsSorted(keys))
		}
	}
	if m.root.height > 14 { // 1.44 log2(1000)
		t.Errorf("height %d", m.root.height)
	}
	want(t, "overwritten", m.put("007", -1).value("007"), -1)
	want(t, "the old keeps its value", m.value("007"), 1)
}

// FuzzRegister gives foreign bytes to both doors: nothing panics, and what is
// held can be given to another register.
func FuzzRegister(f *testing.F) {
	c := found(f, "ada")
	base := c.say(nil, gateway("press"), ticketFor("mill", "code", "S1"))
	c.say(base, revoke("press", Hash{1}), elect("bob"))
	c.signedBy("code", "mill").say(base, redeem("code", "mill"))
	for _, s := range append(c.register.Statements(), c.draft(nil, gateway("other")), c.signedBy("eve").draft(base, set("p", 1))) {
		f.Add(s.Raw())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseStatement(c.genesis.Network(), raw)
		if err != nil {
			return
		}
		r := NewRegister(c.genesis)
		for _, known := range c.register.Statements() {
			want(t, "Add", r.Add(known), nil)
		}
		if r.Add(s) != nil {
			return
		}
		again := NewRegister(c.genesis)
		for _, held := range r.Statements() {
			want(t, "Add again", again.Add(held), nil)
		}
		want(t, "roster", dump(again.Current()), dump(r.Current()))
	})
}

func BenchmarkEnrol1000(b *testing.B) {
	c := found(b, "ada")
	var on []Hash
	for i := range 1000 {
		on = c.say(on, gateway(fmt.Sprint("g", i)), Change{Kind: ChangeParameter, Name: "n", Value: int64(i)})
	}
	all := c.register.Statements()
	b.ReportAllocs()
	for b.Loop() {
		r := NewRegister(c.genesis)
		for _, s := range all {
			if err := r.Add(s); err != nil {
				b.Fatal(err)
			}
		}
		if n := len(r.Current().Identities()); n != 1000 {
			b.Fatal(n)
		}
	}
}
