package ledger

import (
	"fmt"
	"slices"
	"testing"
)

// TestRevokedTicket: who revokes a ticket says which of its redemptions count.
// The boards that came by others are revoked with it, wherever they are known.
func TestRevokedTicket(t *testing.T) {
	p := found(t, "ada")
	base := p.say(nil, ticketFor("mill", "code", "S9"))
	m1 := p.signedBy("code", "m1").say(base, redeem("code", "m1"))
	m2 := p.signedBy("code", "m2").say(base, redeem("code", "m2"))
	none := p.say(base, revoke("code"))

	r := p.at(m1, m2, none)
	want(t, "m1 is a gateway", r.Has(id("m1"), RoleGateway), false)
	want(t, "Station", len(r.Station("S9")), 0)
	want(t, "Doubled", len(r.Doubled()), 0)
	heads, revoked := r.Revoked(id("m2"))
	want(t, "Revoked", revoked && len(heads) == 0, true)
	ticket, _ := r.Ticket(id("code"))
	want(t, "ticket revoked", ticket.Revoked, true)
	want(t, "kept", len(ticket.Kept), 0)
	want(t, "without the revocation", p.at(m1, m2).Has(id("m1"), RoleGateway), true)

	// Another admin, who does not know of the first word, keeps one of them.
	one := p.say(base, revoke("code", m1[0]))
	r = p.at(m1, m2, none, one)
	want(t, "m1 is kept", r.Has(id("m1"), RoleGateway), true)
	want(t, "m2 is not", r.Has(id("m2"), RoleGateway), false)
	want(t, "S9", r.Station("S9")[0].Gateway, id("m1"))
	ticket, _ = r.Ticket(id("code"))
	want(t, "kept", slices.Equal(ticket.Kept, m1), true)

	// What was kept can be revoked as every gateway, and its blocks by heads.
	end := p.say(join(m1, none, one), revoke("m1", Hash{7}))
	heads, revoked = p.at(end).Revoked(id("m1"))
	want(t, "Revoked", revoked && slices.Equal(heads, []Hash{{7}}), true)
}

// TestLeakedCode: whoever knows a code signs redemptions without end. They take
// no place of others, crowd no admin's word out of what is cited, and are taken
// up to a limit, past which only those come in that admins have named.
func TestLeakedCode(t *testing.T) {
	p := found(t, "ada")
	base := p.say(nil, ticketFor("mill", "code", "S9"), ticketFor("saw", "code2", ""))
	signed := func(n int) Statement {
		board := fmt.Sprint("board", n)
		s, err := SignStatement(p.genesis.Network(), Statement{BuildsOn: base, Changes: []Change{redeem("code", board)}}, seats([]string{"code", board})...)
		want(t, "SignStatement", err, nil)
		return s
	}
	admin := p.say(base, set("p", 1))
	for n := range MaxRedemptions {
		s := signed(n)
		want(t, "Crowded", p.register.Crowded(s), false)
		want(t, "Add", p.register.Add(s), nil)
	}
	cited, err := p.register.Cite(nil)
	want(t, "Cite", err, nil)
	want(t, "heads cited", len(cited), MaxRosterHeads)
	want(t, "the admin's word is cited", slices.Contains(cited, admin[0]), true)

	more := signed(MaxRedemptions)
	want(t, "one more is crowded", p.register.Crowded(more), true)
	other := p.signedBy("code2", "saw").say(base, redeem("code2", "saw"))
	want(t, "another ticket's is held", p.at(other).Has(id("saw"), RoleGateway), true)
	_ = p.say(admin, revoke("code", more.Hash()))
	want(t, "one that is named is not crowded", p.register.Crowded(more), false)
	want(t, "Add", p.register.Add(more), nil)
	r := p.register.Current()
	want(t, "S9", len(r.Station("S9")), 1)
	want(t, "it counts", r.Has(id(fmt.Sprint("board", MaxRedemptions)), RoleGateway), true)
	want(t, "places taken", r.identities(), 2)
	s, _ := p.register.Statement(admin[0])
	if p.register.Crowded(s) {
		t.Error("an admin's statement is crowded")
	}
}

func TestStatementDraft(t *testing.T) {
	p := found(t, "ada", "ben", "cy")
	net := p.genesis.Network()
	base := p.say(nil, set("p", 1))
	d, err := NewStatementDraft(Statement{BuildsOn: base, Changes: []Change{gateway("press")}, Time: 5})
	want(t, "NewStatementDraft", err, nil)
	if _, err := d.Statement(net); err == nil {
		t.Error("a draft that nobody signed is a statement")
	}
	for _, name := range []string{"ben", "ada", "ben"} { // ben signs twice
		d, err = d.Sign(net, seats([]string{name})...)
		want(t, "Sign", err, nil)
		d, err = ParseStatementDraft(d.Raw())
		want(t, "ParseStatementDraft", err, nil)
	}
	want(t, "signatures", len(d.Content().Sigs), 2)
	for name, signs := range map[string]bool{"ada": true, "ben": true, "cy": false} {
		got, err := d.Signed(net, public(name))
		want(t, name+" has signed", got, signs)
		want(t, name, err, nil)
	}
	if _, err := d.Signed(NetworkID{1}, public("ada")); err == nil {
		t.Error("a signature holds in another network")
	}
	s, err := d.Statement(net)
	want(t, "Statement", err, nil)
	want(t, "Add", p.register.Add(s), nil)

	for name, raw := range map[string][]byte{"nothing": nil, "more": append(d.Raw(), 0), "no map": {0x80}} {
		if _, err := ParseStatementDraft(raw); err == nil {
			t.Errorf("%s is a draft", name)
		}
	}
	if _, err := NewStatementDraft(Statement{}); err == nil {
		t.Error("a draft that says nothing")
	}
}
