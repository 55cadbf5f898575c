package replica

import (
	"context"
	"errors"
	"testing"

	"traveler.example/ledger"
)

// TestChangesAfterCommitsOnly: what is refused, and what is held already, is no
// news. A station looks again at every change: it would try what is refused
// without end.
func TestChangesAfterCommitsOnly(t *testing.T) {
	for name, open := range map[string]opener{"memory": inMemory, "badger": onBadger} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, 1)
			g := &gateway{plant: p, name: "new", key: keyOf("new"), id: idOf(keyOf("new")), station: "s9"}
			g.r = open(t, p.options(g.key))
			g.take(p.allStatements()...)
			again := func() { g.take(p.allStatements()...) } // rounds come one after the other: those before are over
			again()
			changed, stop := g.r.Changes()
			defer stop()
			if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{p.orderFor("WO-1")}}); !errors.Is(err, ledger.ErrAuthor) {
				t.Fatalf("a stranger seals: %v", err)
			}
			again()
			select {
			case <-changed:
				t.Error("a refusal was announced as a change")
			default:
			}
			g.take(p.state(ledger.Change{Kind: ledger.ChangeEnrol, Name: "new", Key: public(g.key), Roles: ledger.RoleGateway}))
			again()
			select {
			case <-changed:
			default:
				t.Error("a statement was not announced as a change")
			}
		})
	}
}
