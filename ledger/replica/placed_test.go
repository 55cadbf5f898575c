package replica

import (
	"maps"
	"testing"

	"traveler.example/ledger"
)

// TestPlacementsInAnyOrder notes and judges the placements of one transaction in
// every order: the records are the same, and the lowest place lies in the
// transaction's own.
func TestPlacementsInAnyOrder(t *testing.T) {
	tx := ledger.TxID{9}
	places := []ledger.Place{
		{Author: ledger.KeyID{1}, Height: 1, Block: ledger.Hash{7}},
		{Author: ledger.KeyID{1}, Height: 2, Block: ledger.Hash{5}},
		{Author: ledger.KeyID{2}, Height: 1, Block: ledger.Hash{6}, Index: 3},
	}
	var want map[string]string
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}} {
		e := &engine{overlay: overlay{base: &memorySnapshot{}}, memo: newMemo()}
		for i, n := range order {
			first, err := e.notePlacement(tx, places[n])
			if err != nil || first != (i == 0) {
				t.Fatalf("%v: placement %d is first: %v, %v", order, i, first, err)
			}
			if first, err = e.notePlacement(tx, places[n]); err != nil || first {
				t.Fatalf("%v: noted twice: %v, %v", order, first, err)
			}
		}
		placed, err := placements(e, tx)
		if err != nil || len(placed) != len(places) {
			t.Fatalf("%v: %v, %v", order, placed, err)
		}
		for i, q := range placed {
			if q.Place != places[i] || q.Status != Waiting {
				t.Errorf("%v: placement %d is %+v", order, i, q)
			}
		}
		got := map[string]string{}
		e.writes.scan("", func(k string, v []byte) bool { got[k] = string(v); return true })
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v: %q, first order gave %q", order, got, want)
		}
	}
}
