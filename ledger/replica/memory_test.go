package replica

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestShare lets disks that drift apart share what they have in common: what each
// holds stays what it was, and equal ones end as one.
func TestShare(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		pool := NewPool()
		disks := []*Memory{{pool: pool}, {pool: pool}, {pool: pool}}
		want := make([]map[string]string, len(disks))
		put := func(i int, key, value string) {
			var w tree
			if w.put(key, []byte(value)); value == "" {
				w = tree{}
				w.put(key, nil)
			}
			if err := disks[i].commit(&w); err != nil {
				t.Fatal(err)
			}
			if want[i] == nil {
				want[i] = map[string]string{}
			}
			if want[i][key] = value; value == "" {
				delete(want[i], key)
			}
		}
		for step := range 1500 {
			key, value := fmt.Sprintf("k%d", rng.IntN(300)), fmt.Sprintf("v%d", rng.IntN(3))
			if rng.IntN(5) == 0 {
				value = ""
			}
			old := disks[step%3].snapshot()
			before := entriesOf(t, old, "", "")
			if rng.IntN(4) == 0 { // one alone
				put(step%3, key, value)
			} else {
				for i := range disks {
					put(i, key, value)
				}
			}
			if got := entriesOf(t, old, "", ""); fmt.Sprint(got) != fmt.Sprint(before) {
				t.Fatalf("seed %d step %d: a snapshot changed", seed, step)
			}
		}
		for i, d := range disks {
			got := entriesOf(t, d.snapshot(), "", "")
			if len(got) != len(want[i]) {
				t.Fatalf("seed %d: disk %d holds %d entries, want %d", seed, i, len(got), len(want[i]))
			}
			for key, value := range want[i] {
				if v, _ := d.entries.get(key); string(v) != value {
					t.Fatalf("seed %d: disk %d: %s is %q, want %q", seed, i, key, v, value)
				}
			}
		}
	}
}

func TestEqualDisksShareAll(t *testing.T) {
	pool := NewPool()
	disks := []*Memory{{pool: pool}, {pool: pool}}
	for i := range 10 * shareEvery {
		for n := range disks {
			var w tree
			// The order of writes is not the same.
			k := i
			if n == 1 {
				k = 10*shareEvery - 1 - i
			}
			w.put(fmt.Sprintf("k%d", k), bytes.Repeat([]byte{byte(k)}, 40))
			if err := disks[n].commit(&w); err != nil {
				t.Fatal(err)
			}
		}
	}
	if disks[0].entries.root != disks[1].entries.root {
		t.Error("equal disks take memory twice")
	}
}

func TestFailedCommitAndOldCopy(t *testing.T) {
	broken := errors.New("broken")
	stored := false
	m := &Memory{Fault: func() (bool, error) { return stored, broken }}
	var w tree
	w.put("a", []byte("1"))
	if err := m.commit(&w); !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	if _, ok := m.entries.get("a"); ok {
		t.Error("what failed was stored")
	}
	stored = true
	if err := m.commit(&w); !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	if _, ok := m.entries.get("a"); !ok {
		t.Error("what failed and was stored is not there")
	}
	old := m.Copy()
	m.Fault = nil
	w.put("b", []byte("2"))
	if err := m.commit(&w); err != nil {
		t.Fatal(err)
	}
	if _, ok := old.entries.get("b"); ok {
		t.Error("a later commit is in the old copy")
	}
}
