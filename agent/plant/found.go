package plant

import (
	"context"
	"crypto"
	"errors"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

const (
	orderID  = "WO-1"
	drilling = "drilling" // work centre of the two

	firstDrill, secondDrill = "drill-1", "drill-2"

	// dwell is the least time that the order wants between taking up and
	// completing.
	dwell = 2 * time.Second

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
	return p.state(changes)
}

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
	return []ledger.Change{
		{Kind: ledger.ChangeEnrol, Name: s.Name, Key: publicKey(s.Name), Roles: ledger.RoleGateway | ledger.RoleWitness}, as,
	}
}

// routing is drill, inspect, pack.
func routing() []ledger.Operation {
	return []ledger.Operation{
		{ID: "10", Task: "drill", Place: drilling, MaxReturns: 1, Dwell: dwell.Milliseconds()},
		{ID: "20", Task: "inspect", Place: "inspection", Needs: []string{"10"}, Dwell: dwell.Milliseconds()},
		{ID: "30", Task: "pack", Place: "packing", Needs: []string{"20"}, Dwell: dwell.Milliseconds()},
	}
}

// sendOrder has the planner's order sealed at the intake.
func (p *plant) sendOrder() {
	t, err := ledger.SignTx(p.genesis.Network(), ledger.Tx{
		Time: time.Now().UnixMilli(), Body: ledger.Order{ID: orderID, Product: "bracket", Quantity: int64(p.plan.Items), Routing: routing()},
	}, identity(planner))
	if err != nil {
		p.fail("signing the order: %w", err)
		return
	}
	p.submit(p.gateways[0], "order", t)
}

// submit hands a signed transaction to a gateway; as long as that is starting it
// is asked again.
func (p *plant) submit(g *gateway, what string, t ledger.Tx) {
	v := g.life
	if v == nil {
		return
	}
	p.errands.Go(func() {
		for {
			receipt, err := v.agent.Desk().Submit(context.Background(), t.Raw())
			switch {
			case errors.Is(err, agent.ErrUnreachable):
				time.Sleep(time.Second)
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

// enrol makes the statement for gateways that join and hands it to the intake.
func (p *plant) enrol(s Station) {
	v := p.gateways[0].life
	if v == nil { // switched off at the moment
		p.at(time.Second, func() { p.enrol(s) })
		return
	}
	if err := p.state(enrolment(s)); err != nil {
		p.fail("enrolling %s: %w", s.Name, err)
		return
	}
	statement := p.founding[len(p.founding)-1]
	p.errands.Go(func() {
		if err := v.agent.Desk().Enrol(context.Background(), statement.Raw()); err != nil {
			p.fail("enrolling %s: %w", s.Name, err)
			return
		}
		p.trace.add("desk", false, "%s enrolled", s.Name)
	})
	p.at(200*time.Millisecond, func() { p.join(s) })
}
