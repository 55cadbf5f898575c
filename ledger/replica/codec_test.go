package replica

import (
	"reflect"
	"testing"

	"traveler.example/ledger"
)

// TestCodec writes records with every form of a hash and reads them again; cut
// short anywhere, or with a byte too much, they are damage.
func TestCodec(t *testing.T) {
	item, tx, other := ledger.Hash{1}, ledger.Hash{2}, ledger.Hash{3}
	key := nodeKey(item, tx)
	n := nodeRecord{
		Kind: ledger.KindReport, Sender: ledger.KeyID{7}, After: []ledger.TxID{item, other}, Of: other, Station: "s", Time: 1 << 40, Depth: 300,
		State: ledger.State{Phase: ledger.Expected, Options: []ledger.Option{{Task: "drill", Operation: "a", Place: "w0"}}},
	}
	raw := encode(key, n)
	var got nodeRecord
	if err := decode(key, raw, &got); err != nil || !reflect.DeepEqual(got, n) {
		t.Fatalf("%+v: %v", got, err)
	}
	for cut := range raw {
		var got nodeRecord
		if err := decode(key, raw[:cut], &got); err == nil {
			t.Errorf("%d bytes of %d are read as %+v", cut, len(raw), got)
		}
	}
	if err := decode(key, append(raw, 0), &got); err == nil {
		t.Error("a byte too much is read")
	}
}

// FuzzRecords reads any bytes as every record: none panics or takes memory
// beyond what it reads, and what is read is written the same.
func FuzzRecords(f *testing.F) {
	key := keyItem + str(ledger.Hash{1})
	f.Add(encode(key, itemRecord{Label: "L", Bindings: []binding{{Tx: ledger.Hash{1}, Tags: []string{"T"}}}, Heads: []ledger.TxID{{2}}}))
	f.Add(encode(key, txRecord{First: ledger.Place{Author: ledger.KeyID{1}, Height: 9}, Valid: true, validRecord: validRecord{Items: []ledger.ItemID{{1}}}}))
	f.Add(encode(key, refsRecord{{Author: ledger.KeyID{1}, Height: 2, Hash: ledger.Hash{3}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		again[itemRecord](t, key, raw)
		again[nodeRecord](t, key, raw)
		again[txRecord](t, key, raw)
		again[placedRecord](t, key, raw)
		again[markRecord](t, key, raw)
		again[refsRecord](t, key, raw)
		again[counters](t, key, raw)
		again[samplesRecord](t, key, raw)
	})
}

func again[T any, R record[T]](t *testing.T, key string, raw []byte) {
	var v, w T
	if decode[T, R](key, raw, &v) != nil {
		return
	}
	if err := decode[T, R](key, encode[T, R](key, v), &w); err != nil || !reflect.DeepEqual(v, w) {
		t.Errorf("%+v is read again as %+v: %v", v, w, err)
	}
}
