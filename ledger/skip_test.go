package ledger

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"testing"
)

// bareChain is a chain of n marks without blocks; a hash is its height.
type bareChain []Mark

func heightHash(h uint64) (out Hash) {
	out[31] = 1
	binary.BigEndian.PutUint64(out[:], h)
	return out
}

func newBareChain(t testing.TB, n int) bareChain {
	t.Helper()
	c := bareChain{{Ref: Ref{Hash: heightHash(0)}, Skip: heightHash(0)}}
	for h := 1; h <= n; h++ {
		skip, err := SkipFrom(c[h-1], c.mark)
		if err != nil {
			t.Fatal(err)
		}
		c = append(c, Mark{Ref: Ref{Height: uint64(h), Hash: heightHash(uint64(h))}, Skip: skip})
	}
	return c
}

func (c bareChain) mark(h Hash) (Mark, bool) {
	at := binary.BigEndian.Uint64(h[:])
	if at >= uint64(len(c)) {
		return Mark{}, false
	}
	return c[at], true
}

// path is the number of headers from one height down to another.
func (c bareChain) path(from, to uint64) int {
	steps := 0
	for from > to {
		if skip := binary.BigEndian.Uint64(c[from].Skip[:]); skip >= to {
			from = skip
		} else {
			from--
		}
		steps++
	}
	return steps
}

// TestSkipPath: from block 100,000 every block is some tens of headers away.
func TestSkipPath(t *testing.T) {
	const n = 100_000
	c := newBareChain(t, n)
	most := 3 * bits.Len(n)
	longest := 0
	for to := range uint64(n) {
		longest = max(longest, c.path(n, to))
	}
	if longest > most {
		t.Errorf("the longest path from %d has %d headers, want at most %d", n, longest, most)
	}
	for h := 1; h <= n; h += 997 {
		for to := 0; to < h; to += 1 + h/50 {
			if got := c.path(uint64(h), uint64(to)); got > 3*bits.Len(uint(h)) {
				t.Fatalf("from %d to %d: %d headers", h, to, got)
			}
		}
	}
	t.Logf("the longest path from %d has %d headers", n, longest)
}

// TestSkipExample holds the worked example of PROTOCOL.md §7 to the rule.
func TestSkipExample(t *testing.T) {
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(text), "skips: ")
	line, _, _ = strings.Cut(line, "\n")
	pairs := strings.Fields(line)
	if !ok || len(pairs) < 20 {
		t.Fatalf("no example of 20 blocks: %q", line)
	}
	c := newBareChain(t, len(pairs))
	for i, p := range pairs {
		from, to, _ := strings.Cut(p, "→")
		h, err1 := strconv.Atoi(from)
		s, err2 := strconv.Atoi(to)
		if err := errors.Join(err1, err2); err != nil || h != i+1 || c[h].Skip != heightHash(uint64(s)) {
			t.Errorf("%s: %v; block %d skips to %d", p, err, i+1, binary.BigEndian.Uint64(c[i+1].Skip[:]))
		}
	}
}

// TestSkipGap: what the rule has to look up and does not find is a gap.
func TestSkipGap(t *testing.T) {
	c := newBareChain(t, 12)
	for _, missing := range []Hash{c[11].Skip, c[10].Skip} {
		_, err := SkipFrom(c[11], func(h Hash) (Mark, bool) {
			m, ok := c.mark(h)
			return m, ok && h != missing
		})
		var gap *GapError
		if !errors.As(err, &gap) || gap.Missing[0] != missing {
			t.Errorf("without %s: %v", missing.Short(), err)
		}
	}
}
