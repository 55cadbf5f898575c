package replica

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"traveler.example/ledger"
)

// FuzzSalvage reads files that are what a store's never were.
func FuzzSalvage(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add(make([]byte, 64), uint8(1))
	header := make([]byte, logHeader)
	f.Add(append(header, 0x40, 0, 41, 3, 0, 'b'), uint8(0))
	f.Add(append(header, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), uint8(1))
	f.Add([]byte{0, 0, 0, 9, 8, 0, 16, 1, 0, 0, 0, 4}, uint8(2))
	f.Add([]byte{'B', 'd', 'g', 'r', 0, 0, 0, 8, 0, 0, 0, 4, 1, 2, 3, 4}, uint8(3))
	names := []string{"00001.mem", "000001.vlog", "000001.sst", manifestName}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, names[int(which)%len(names)]), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := newSalvage(dir, ledger.NetworkID{1}, func(Finding) {})
		if err := s.read(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, ref := range s.kept() {
			_, _ = s.sound(keyBlock, ref.Hash, s.blocks[ref.Hash])
		}
	})
}

// FuzzNthTx takes transactions out of bytes that are no block.
func FuzzNthTx(f *testing.F) {
	f.Add([]byte{0x83, 0x41, 1, 0x41, 2, 0x81, 0x42, 3, 4}, 0)
	f.Add([]byte{0x83, 0x40, 0x40, 0x9a, 0xff, 0xff, 0xff, 0xff}, 5)
	f.Add([]byte{0x83, 0x5a, 0xff, 0xff, 0xff, 0xff}, 0)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > ledger.MaxBlockTxs {
			return
		}
		if tx, ok := nthTx(b, n); ok && len(tx) > len(b) {
			t.Error("longer than what it lies in")
		}
	})
}

// TestNthTx compares it with the block parsed.
func TestNthTx(t *testing.T) {
	p := started(t, inMemory, 1)
	g := p.gateways[0]
	var txs []ledger.Tx
	for range 30 {
		txs = append(txs, g.intake(p.order, "L"))
	}
	b := g.append(txs...)
	for i, tx := range txs {
		if raw, ok := nthTx(b.Raw(), i); !ok || string(raw) != string(tx.Raw()) {
			t.Errorf("transaction %d", i)
		}
	}
	if _, ok := nthTx(b.Raw(), 30); ok {
		t.Error("a transaction after the last")
	}
}
