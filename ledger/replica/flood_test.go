package replica

import (
	"errors"
	"fmt"
	"testing"

	"traveler.example/ledger"
)

// TestRedemptionFlood: of the redemptions that a leaked code signs without end a
// replica takes only so many, and says why.
func TestRedemptionFlood(t *testing.T) {
	p := newPlant(t, 1)
	p.start(inMemory)
	g, code := p.gateways[0], keyOf("code")
	ticket := p.state(ledger.Change{Kind: ledger.ChangeTicket, Name: "saw", Key: public(code), Roles: ledger.RoleGateway})
	g.take(ticket)
	var flood []Object
	for n := range ledger.MaxRedemptions + 3 {
		board := keyOf(fmt.Sprint("board", n))
		flood = append(flood, must(ledger.SignStatement(g.r.Register().Network(), ledger.Statement{
			BuildsOn: []ledger.Hash{ticket.Hash()},
			Changes:  []ledger.Change{{Kind: ledger.ChangeRedeem, Subject: idOf(code), Key: public(board)}},
		}, code, board)))
	}
	r := must(g.r.Ingest(t.Context(), flood...))
	if len(r.Statements) != ledger.MaxRedemptions || len(r.Refused) != 3 || !errors.Is(r.Refused[0].Err, ledger.ErrRegisterFull) {
		t.Errorf("%d taken, refused %v", len(r.Statements), r.Refused)
	}
}
