package plant

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

const (
	admin   = "ada"
	planner = "paula"
	quality = "quinn"
)

// found makes the genesis and the statement that enrols all who are there from
// the start.
func (p *plant) found() error {
	var err error
	p.genesis, err = ledger.NewGenesis(ledger.Genesis{
		Name: "plant", Time: time.Now().UnixMilli(), Threshold: 1, Recovery: publicKey("recovery"),
		Admins: []ledger.Admin{{Name: admin, Key: publicKey(admin)}},
	})
	if err != nil {
		return err
	}
	changes := []ledger.Change{
		{Kind: ledger.ChangeEnrol, Name: planner, Key: publicKey(planner), Roles: ledger.RolePlanner},
		{Kind: ledger.ChangeEnrol, Name: quality, Key: publicKey(quality), Roles: ledger.RoleQuality},
	}
	for _, s := range p.plan.Stations {
		if !s.Joins {
			changes = append(changes, enrolment(s)...)
		}
	}
	for i := range p.plan.Cheats {
		changes = append(changes, ledger.Change{
			Kind: ledger.ChangeEnrol, Name: cheatName(i), Key: publicKey(cheatName(i)), Roles: ledger.RoleGateway | ledger.RoleWitness,
		})
	}
	for part := range slices.Chunk(changes, changesAtOnce) {
		if err := p.state(part); err != nil {
			return err
		}
	}
	return nil
}

// changesAtOnce keeps a statement far below its limit in bytes.
const changesAtOnce = 400

// state signs a statement on all before it.
func (p *plant) state(changes []ledger.Change) error {
	s := ledger.Statement{Changes: changes, Time: time.Now().UnixMilli()}
	if n := len(p.founding); n > 0 {
		s.BuildsOn = []ledger.Hash{p.founding[n-1].Hash()}
	}
	s, err := ledger.SignStatement(p.genesis.Network(), s, []crypto.Signer{identity(admin)}...)
	p.founding = append(p.founding, s)
	return err
}

func enrolment(s Station) []ledger.Change {
	as := ledger.Change{Kind: ledger.ChangeAssign, Subject: publicKey(s.Name).ID(), Station: s.Name, WorkCentre: s.Centre}
	if s.Intake {
		as.Intake = 1
	}
	roles := ledger.RoleGateway | ledger.RoleWitness
	if s.Mute {
		roles = ledger.RoleGateway
	}
	return []ledger.Change{{Kind: ledger.ChangeEnrol, Name: s.Name, Key: publicKey(s.Name), Roles: roles}, as}
}

// sendOrders has the planner's orders sealed at the intakes.
func (p *plant) sendOrders() {
	for line := range p.lines() {
		orders := []ledger.Order{{ID: orderOf(line), Product: bracket, Quantity: int64(p.plan.Items), Routing: p.routing(line)}}
		if p.plan.Parts {
			orders = append(orders, ledger.Order{ID: partOrderOf(line), Product: lid, Quantity: int64(p.plan.Items), Routing: partRouting(line)})
		}
		for _, o := range orders {
			t, err := ledger.SignTx(p.genesis.Network(), ledger.Tx{Time: time.Now().UnixMilli(), Body: o}, identity(planner))
			if err != nil {
				p.fail("signing the order: %w", err)
				return
			}
			p.orders = append(p.orders, t)
			p.submit(p.serving(line, stepIntake)[0], "order", t)
		}
	}
}

// errand has somebody go to a desk. No two stand there at one moment: which comes
// first would be nobody's.
func (p *plant) errand(do func()) {
	p.pending.Add(1)
	now := time.Now()
	p.errandAt = p.errandAt.Add(23*time.Millisecond + 11*time.Nanosecond)
	if p.errandAt.Before(now) {
		p.errandAt = now
	}
	p.at(p.errandAt.Sub(now), func() {
		p.errands.Go(func() {
			defer p.pending.Add(-1)
			do()
		})
	})
}

// submit hands a signed transaction to a gateway; as long as that is starting it
// is asked again.
func (p *plant) submit(g *gateway, what string, t ledger.Tx) {
	v := g.life
	if v == nil {
		return
	}
	p.errand(func() {
		for {
			receipt, err := v.agent.Desk().Submit(context.Background(), t.Raw())
			switch {
			case errors.Is(err, agent.ErrUnreachable):
				time.Sleep(retryAfter)
				select {
				case <-v.ended:
					return
				default:
					continue
				}
			case err != nil:
				p.fail("%s submitted at %s: %w", what, g.Name, err)
			default:
				p.trace.add("desk", false, "%s sealed at %s in block %d", what, g.Name, receipt.Height)
				p.checks.promised(g, receipt.Block)
			}
			return
		}
	})
}
