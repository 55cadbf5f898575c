package replica

import (
	"context"
	"errors"
	"testing"

	badger "github.com/dgraph-io/badger/v4"

	"traveler.example/ledger"
)

// spoil overwrites a record with bytes that nothing wrote; nil stands for the
// empty value that Badger returns for a damaged one.
func (g *gateway) spoil(key string, bytes []byte) {
	g.tb.Helper()
	g.check(g.r.store.(*onDisk).db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(key), bytes) }))
}

// TestDamagedRecords: what is read is never believed unless it is what was
// written. A block comes back from peers, all else from a rebuild.
func TestDamagedRecords(t *testing.T) {
	p := started(t, onBadger, 2)
	g, h := p.gateways[0], p.gateways[1]
	ids := g.grow(3)
	p.share()
	want, err := g.r.DumpHash()
	p.check(err)
	victim := g.blocks(g.id)[2].(ledger.UnverifiedBlock)
	readVictim := func() error {
		return g.r.Read(func(v *View) error {
			_, _, err := v.Tx(victim.Txs()[0].ID())
			return err
		})
	}
	for _, bytes := range [][]byte{nil, {1}, append(victim.Raw(), 1, 2, 3, 4), framed("another key", victim.Raw()), framed(keyBlock+str(victim.Hash()), []byte{1, 2})} {
		g.spoil(keyBlock+str(victim.Hash()), bytes)
		var d *DamageError
		if err := readVictim(); !errors.As(err, &d) || d.Author != g.id || d.Height != victim.Header().Height || !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes in its place: %v", len(bytes), err)
		}
		g.take(h.blocks(g.id)...)
		if err := readVictim(); err != nil {
			t.Errorf("given again: %v", err)
		}
	}
	for _, key := range []string{
		keyItem + str(ids[0]), keyNode + str(ids[0]) + str(ids[0]), keyTx + str(ids[1]), keyMark + str(victim.Hash()),
		keyTips + string(g.id[:]), keyCounters, keyChain + refKey(victim.Ref()),
	} {
		g.spoil(key, nil)
		if _, err := g.r.DumpHash(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", recordNames[key[:1]], err)
		}
		p.check(g.r.Rebuild(context.Background()))
		if got, err := g.r.DumpHash(); err != nil || got != want {
			t.Errorf("%s rebuilt: %v", recordNames[key[:1]], err)
		}
	}
	// An append that meets damage seals nothing and does not end the replica.
	g.spoil(keyItem+str(ids[0]), nil)
	acc := g.accept(ids[0], ids[0], optionA)
	if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{acc}}); !errors.Is(err, ErrDamaged) {
		t.Errorf("want ErrDamaged, got %v", err)
	}
	g.append(g.accept(ids[1], ids[1], optionA))
	p.check(g.r.Rebuild(context.Background()))
	g.append(acc)
}
