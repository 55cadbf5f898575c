package ledger

import (
	"errors"
	"strings"
	"testing"
)

// knows answers with the key of one author alone.
func knows(name string) func(KeyID) (PublicKey, bool) {
	return func(k KeyID) (PublicKey, bool) { return plantKey(name), k == plantID(name) }
}

// TestEvidence: two versions of a chain, by themselves or by links, name their
// author; nothing less does.
func TestEvidence(t *testing.T) {
	p := staffed(t)
	c := p.chain("drill-a")
	for range 15 {
		c.seal(t, nil)
	}
	side := c.branch(9)
	for range 6 {
		side.seal(t, nil, p.own(t, "drill-a", Tx{Body: Unknown{Number: 99}}))
	}
	signed := func(bs ...Block) (out []SignedHeader) {
		for _, b := range bs {
			out = append(out, b.Signed())
		}
		return out
	}
	// A forged block that a signed one names by each of its three links.
	blank := c.resealed(t, side.blocks[9], "drill-b", func(*Header) {})
	vouching := map[string]func(*Header){
		"prev": func(h *Header) { h.Prev = blank.Hash() },
		"also": func(h *Header) { h.Also = blank.Hash() },
		"skip": func(h *Header) { h.Skip = blank.Hash() },
	}
	for link, change := range vouching {
		v := c.resealed(t, side.blocks[10], "drill-a", change)
		e, err := NewEvidence(p.net, signed(c.blocks[9]), []SignedHeader{blank.Signed(), v.Signed()})
		if err != nil {
			t.Fatal(err)
		}
		a, b, err := e.Verify(p.net, knows("drill-a"))
		if err != nil || a.Author != plantID("drill-a") || a.Height != 10 || compare(a.Hash, b.Hash) >= 0 {
			t.Errorf("linked by %s: %s, %s, %v", link, a, b, err)
		}
	}

	a, b := signed(c.blocks[9]), signed(side.blocks[9])
	cases := []struct {
		name, want string
		a, b       []SignedHeader
		key        string
		net        NetworkID
	}{
		{"two blocks of one height", "", a, b, "drill-a", p.net},
		{"the same the other way round", "", b, a, "drill-a", p.net},
		{"a way of links on both sides", "", signed(c.blocks[9:15]...), signed(side.blocks[9:15]...), "drill-a", p.net},
		{"one block", "is the same block", a, a, "drill-a", p.net},
		{"one block, with and without links", "is the same block", a, signed(c.blocks[9:11]...), "drill-a", p.net},
		{"two heights", "is at another height", a, signed(side.blocks[10]), "drill-a", p.net},
		{"a stranger", "is not known", a, b, "drill-b", p.net},
		{"another network", "signature does not verify", a, b, "drill-a", NetworkID{1}},
		{"a bad signature at the end", "signature does not verify", a, []SignedHeader{blank.Signed()}, "drill-a", p.net},
		{"a gap in the links", "does not link to the one before", a, signed(side.blocks[9], side.blocks[13]), "drill-a", p.net},
		{"links the wrong way", "does not link to the one before", a, signed(side.blocks[9], side.blocks[8]), "drill-a", p.net},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			e, err := NewEvidence(p.net, x.a, x.b)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = e.Verify(x.net, knows(x.key))
			if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("got %v, want %q", err, x.want)
			}
		})
	}

	t.Run("two authors", func(t *testing.T) {
		other := p.chain("drill-b")
		for range 10 {
			other.seal(t, nil)
		}
		e, err := NewEvidence(p.net, a, signed(other.blocks[9]))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = e.Verify(p.net, func(k KeyID) (PublicKey, bool) {
			if k == plantID("drill-a") {
				return plantKey("drill-a"), true
			}
			return plantKey("drill-b"), true
		})
		if err == nil || !strings.Contains(err.Error(), "is of another author") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a link of another author", func(t *testing.T) {
		v := c.resealed(t, side.blocks[10], "drill-b", func(h *Header) { h.Author, h.Prev = plantID("drill-b"), blank.Hash() })
		e, err := NewEvidence(p.net, a, []SignedHeader{blank.Signed(), v.Signed()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.Verify(p.net, knows("drill-a")); !errors.Is(err, ErrLinks) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an empty side", func(t *testing.T) {
		var f *FieldError
		if _, err := NewEvidence(p.net, a, nil); !errors.As(err, &f) {
			t.Errorf("got %v", err)
		}
	})
}
