package agent

import (
	"context"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// TestFirstAmong: of an order that several blocks seal the first one tells, and
// none where it was told before.
func TestFirstAmong(t *testing.T) {
	block := func(n byte) ledger.Ref { return ledger.Ref{Height: uint64(n), Hash: ledger.Hash{n}} }
	placed := func(ns ...byte) (all []replica.Placed) {
		for _, n := range ns {
			all = append(all, replica.Placed{Place: ledger.Place{Block: ledger.Hash{n}}})
		}
		return all
	}
	for _, tc := range []struct {
		name   string
		blocks []ledger.Ref
		placed []replica.Placed
		want   ledger.Hash
	}{
		{"sealed once", []ledger.Ref{block(1), block(2)}, placed(2), ledger.Hash{2}},
		{"sealed twice, both new", []ledger.Ref{block(2), block(1)}, placed(1, 2), ledger.Hash{1}},
		{"sealed again", []ledger.Ref{block(2)}, placed(1, 2), ledger.Hash{}},
		{"a lower block of it came later", []ledger.Ref{block(1)}, placed(1, 2), ledger.Hash{}},
		{"sealed nowhere", []ledger.Ref{block(1)}, nil, ledger.Hash{}},
	} {
		if got := firstAmong(tc.blocks, tc.placed); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestARevocationHandedInEndsAConflict: where the statement is handed in, nobody
// else tells of it.
func TestARevocationHandedInEndsAConflict(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		intake, one, two := conflicted(t, p)
		revoked := p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: keyID("drill-2")})
		must(t, intake.Desk().Enrol(context.Background(), revoked.Raw()))
		intake.journal.times(1, journal.ItemConflict, journal.ItemRuled)
		time.Sleep(10 * time.Second)
		for _, g := range []*board{intake, one, two} {
			g.journal.times(1, journal.ItemConflict, journal.ItemRuled)
		}
	})
}

// TestOwnBlocksCameBack: blocks that were lost are told of as such, another
// version of the own chain is not.
func TestOwnBlocksCameBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		topic := peer.TopicsOf(p.genesis.Network()).Block(keyID("pack"))
		versions := p.fork("pack")
		b := together(p, "pack")[0]
		for i, want := range []struct{ restored, joined int }{{1, 0}, {1, 1}} {
			time.Sleep(time.Hour) // else the journal leaves out what it told a moment ago
			p.say(topic, versions[i][0].(ledger.UnverifiedBlock).Raw())
			b.journal.times(want.restored, journal.ChainRestored)
			b.journal.times(want.joined, journal.ChainBranchJoined)
		}
		b.journal.times(1, journal.EvidenceFound)
	})
}
