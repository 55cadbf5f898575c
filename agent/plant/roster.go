package plant

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// decree has the admins state changes on top of what a gateway holds, and hands
// the statement to that gateway.
func (p *plant) decree(g *gateway, what string, changes ...ledger.Change) {
	p.hand(g, what, func() (ledger.Statement, error) {
		register := g.replica.Register()
		heads, err := register.Cite(nil)
		if err != nil {
			return ledger.Statement{}, err
		}
		roster, err := register.At(heads)
		if err != nil {
			return ledger.Statement{}, err
		}
		admins, threshold := roster.Admins()
		var signers []crypto.Signer
		for _, a := range admins[:threshold] {
			signers = append(signers, identity(a.Name))
		}
		s := ledger.Statement{BuildsOn: heads, Changes: changes, Time: time.Now().UnixMilli()}
		return ledger.SignStatement(p.genesis.Network(), s, signers...)
	})
}

// retryAfter is when somebody tries again at a desk, or goes on to what follows
// from a statement. It is no round number: what a gateway does a second after
// something would fall into the same instant.
const retryAfter = time.Second + 389*time.Microsecond + 17*time.Nanosecond

// hand makes a statement as soon as a gateway runs, and gives it to its desk.
func (p *plant) hand(g *gateway, what string, make func() (ledger.Statement, error)) {
	v := g.life
	if v == nil || g.disk.troubled() {
		p.at(retryAfter, func() { p.hand(g, what, make) })
		return
	}
	s, err := make()
	if err != nil {
		p.fail("%s at %s: %w", what, g.board, err)
		return
	}
	p.errand(func() {
		switch err := v.agent.Desk().Enrol(context.Background(), s.Raw()); {
		case errors.Is(err, replica.ErrClosed), errors.Is(err, replica.ErrReadBack), errors.Is(err, agent.ErrUnreachable):
			p.clock.after(retryAfter, "hand "+what, 0, func() { p.hand(g, what, make) })
		case err != nil:
			p.fail("%s at %s: %w", what, g.board, err)
		default:
			p.trace.add("desk", false, "%s: stated at %s", what, g.board)
		}
	})
}

// enrol has the gateway of a station enrolled and puts it up.
func (p *plant) enrol(s Station) {
	p.decree(p.office(), "enrolment of "+s.Name, enrolment(s)...)
	p.at(200*time.Millisecond, func() { p.join(s) })
}

// office is the gateway at which admins, planner and quality have their desk: the
// first that runs well.
func (p *plant) office() *gateway {
	for _, g := range slices.Backward(p.gateways) {
		if g.life != nil && !p.outcasts[g.id] && !p.forkers[g.id] && !g.disk.troubled() {
			return g
		}
	}
	return p.gateways[0]
}

// reform changes the roster at two gateways that may not hear each other.
func (p *plant) reform(shift int, here, there *gateway) {
	name := func(who string) string { return fmt.Sprintf("%s-%d", who, shift) }
	person := func(who string, roles ledger.Role) ledger.Change {
		return ledger.Change{Kind: ledger.ChangeEnrol, Name: name(who), Key: publicKey(name(who)), Roles: roles}
	}
	p.decree(here, "an operator", person("oscar", ledger.RoleOperator))
	p.decree(there, "an auditor", person("anna", ledger.RoleAuditor))
	p.decree(there, "a parameter", ledger.Change{Kind: ledger.ChangeParameter, Name: parameterName(shift % 16), Value: int64(400 + shift)})
	if shift == 0 {
		p.decree(here, "three admins, of whom two sign", ledger.Change{Kind: ledger.ChangeAdmins, Admins: council(), Threshold: 2})
	}
}

// schism has admins be replaced in two ways that do not know of each other.
func (p *plant) schism(shift int, here, there *gateway) {
	if here == there {
		return
	}
	council := func(who ...string) ledger.Change {
		c := ledger.Change{Kind: ledger.ChangeAdmins, Threshold: 2}
		for _, name := range append(who, admin) {
			c.Admins = append(c.Admins, ledger.Admin{Name: name, Key: publicKey(name)})
		}
		return c
	}
	p.decree(here, fmt.Sprintf("the admins of one half, shift %d", shift), council("dora"))
	p.decree(there, fmt.Sprintf("the admins of the other half, shift %d", shift), council("emil", "fritz"))
}

// decide has the recovery key say who the admins are, on top of all that is
// contested.
func (p *plant) decide() (stated bool) {
	office := p.office()
	if len(office.replica.Roster().Contested()) == 0 {
		return false
	}
	p.decisions++
	p.hand(office, "decision by the recovery key", func() (ledger.Statement, error) {
		heads, err := office.replica.Register().Cite(nil)
		if err != nil {
			return ledger.Statement{}, err
		}
		return ledger.SignStatement(p.genesis.Network(), ledger.Statement{
			BuildsOn: heads, Time: time.Now().UnixMilli(), Changes: []ledger.Change{{Kind: ledger.ChangeAdmins, Threshold: 2, Admins: council()}},
		}, identity("recovery"))
	})
	return true
}

// council is the admins of whom two sign.
func council() []ledger.Admin {
	return []ledger.Admin{{Name: admin, Key: publicKey(admin)}, {Name: "bert", Key: publicKey("bert")}, {Name: "cleo", Key: publicKey("cleo")}}
}

// ratify has the admins in force state something on top of statements that do not
// count, because they were signed under the admins before them: now they count.
func (p *plant) ratify() (stated bool) {
	office := p.office()
	waiting := len(office.replica.Roster().Uncounted())
	if waiting > 0 {
		p.decree(office, "ratification", ledger.Change{Kind: ledger.ChangeParameter, Name: parameterName(15), Value: int64(waiting)})
	}
	return waiting > 0
}

// ticket has a board enrol itself with a one-time code, which an admin has signed
// a ticket for.
func (p *plant) ticket(s Station) {
	office, code := p.office(), "code of "+s.Name
	c := ledger.Change{
		Kind: ledger.ChangeTicket, Name: s.Name, Key: publicKey(code), Roles: ledger.RoleGateway | ledger.RoleWitness,
		Station: s.Name, WorkCentre: s.Centre,
	}
	p.decree(office, "a ticket for "+s.Name, c)
	p.at(retryAfter, func() { p.redeem(office, s, publicKey(code).ID(), identity(code)) })
}

// redeem waits until the ticket is known at the office, redeems it there and puts
// the board up.
func (p *plant) redeem(office *gateway, s Station, code ledger.KeyID, key crypto.Signer) {
	ticket, ok := office.replica.Roster().Ticket(code)
	if !ok {
		p.at(retryAfter, func() { p.redeem(office, s, code, key) })
		return
	}
	p.hand(office, "redemption by "+s.Name, func() (ledger.Statement, error) {
		return ledger.SignStatement(p.genesis.Network(), ledger.Statement{
			BuildsOn: []ledger.Hash{ticket.Statement}, Time: time.Now().UnixMilli(),
			Changes: []ledger.Change{{Kind: ledger.ChangeRedeem, Subject: code, Key: publicKey(s.Name)}},
		}, key, identity(s.Name))
	})
	p.at(500*time.Millisecond, func() { p.join(s) })
}

// join puts up a new gateway. Its board came with the statements that the office
// holds; all else it learns from the others.
func (p *plant) join(s Station) {
	office := p.office()
	if _, ok := office.replica.Roster().Identity(publicKey(s.Name).ID()); !ok {
		p.at(500*time.Millisecond, func() { p.join(s) })
		return
	}
	p.put(s, s.Name, office)
}

// put puts up a board with the statements that a gateway holds.
func (p *plant) put(s Station, board string, from *gateway) {
	g, err := p.newBoard(s, board, from.replica.Register().Statements())
	if err == nil {
		p.gateways = append(p.gateways, g)
		err = g.start()
	}
	if err != nil {
		p.fail("%s joins: %w", board, err)
	}
}

// outlaw revokes a gateway that works on alone: only what others hold of its chain
// counts.
func (p *plant) outlaw(g, office *gateway) {
	if office.disk.troubled() || office.life == nil {
		p.at(retryAfter, func() { p.outlaw(g, office) })
		return
	}
	p.outcasts[g.id] = true
	p.decree(office, "revocation of "+g.Name, p.revocation(g, office))
}

// revocation names the heads of a chain as a gateway holds them.
func (p *plant) revocation(g, at *gateway) ledger.Change {
	c := ledger.Change{Kind: ledger.ChangeRevoke, Subject: g.id}
	err := at.replica.Read(func(v *replica.View) error {
		heads, err := v.HeadsOf(g.id)
		for _, h := range heads {
			c.Heads = append(c.Heads, h.Hash)
		}
		return err
	})
	if err != nil {
		p.fail("reading the heads of %s: %w", g.Name, err)
	}
	slices.SortFunc(c.Heads, compareHashes)
	return c
}

// forgive lets all count that a revoked gateway had sealed, as far as it came.
func (p *plant) forgive() (stated bool) {
	for _, g := range p.gateways {
		office := p.office()
		if c := p.revocation(g, office); p.outcasts[g.id] && !p.forgiven(office, c) {
			p.decree(office, "wider revocation of "+g.Name, c)
			stated = true
		}
	}
	return stated
}

func (p *plant) forgiven(at *gateway, c ledger.Change) bool {
	heads, _ := at.replica.Roster().Revoked(c.Subject)
	return !slices.ContainsFunc(c.Heads, func(h ledger.Hash) bool { return !slices.Contains(heads, h) })
}

func compareHashes(a, b ledger.Hash) int { return slices.Compare(a[:], b[:]) }

// forked reports whether keys are in use from which two versions of a chain come.
func (p *plant) forked() bool { return len(p.forkers)+len(p.cheats) > 0 }
