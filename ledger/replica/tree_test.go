package replica

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// entriesOf walks a reader.
func entriesOf(t *testing.T, r reader, prefix, from string) []string {
	t.Helper()
	var out, keys []string
	if err := r.scan(prefix, from, func(k string, v []byte) bool {
		out = append(out, k+"="+string(v))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if err := r.keys(prefix, from, func(k string) bool { keys = append(keys, k); return true }); err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if !strings.HasPrefix(o, keys[i]+"=") {
			t.Fatalf("keys and scan differ at %d: %s, %s", i, keys[i], o)
		}
	}
	return out
}

// TestOverlay compares tree, store and overlay with a map, copies and undo among
// the writes.
func TestOverlay(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		m := &Memory{}
		want := map[string]string{}
		o := &overlay{base: m.snapshot()}
		type saved struct {
			mark mark
			want map[string]string
		}
		var kept *saved
		for step := range 2000 {
			key := fmt.Sprintf("%c%d", 'a'+rng.IntN(3), rng.IntN(60))
			switch n := rng.IntN(100); {
			case n < 55:
				o.put(key, []byte(fmt.Sprint(step)))
				want[key] = fmt.Sprint(step)
			case n < 80:
				o.delete(key)
				delete(want, key)
			case n < 84:
				kept = &saved{o.mark(), maps.Clone(want)}
			case n < 87 && kept != nil:
				o.undo(kept.mark)
				want = maps.Clone(kept.want)
			case n < 89:
				old := m.snapshot()
				before := entriesOf(t, old, "", "")
				if err := m.commit(&o.writes); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(before, entriesOf(t, old, "", "")) {
					t.Fatal("a snapshot changed")
				}
				o, kept = &overlay{base: m.snapshot()}, nil
			default:
				if v, err := o.get(key); err != nil || string(v) != want[key] {
					t.Fatalf("seed %d step %d: %s is %q, want %q", seed, step, key, v, want[key])
				}
				prefix, from := key[:1], key
				var expect []string
				for _, k := range slices.Sorted(maps.Keys(want)) {
					if strings.HasPrefix(k, prefix) && k >= from {
						expect = append(expect, k+"="+want[k])
					}
				}
				if got := entriesOf(t, o, prefix, from); !slices.Equal(got, expect) {
					t.Fatalf("seed %d step %d: from %s: %v, want %v", seed, step, from, got, expect)
				}
			}
		}
	}
}
