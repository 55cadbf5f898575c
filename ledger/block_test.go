package ledger

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// around is what a replica would hold around block b of c.
func (c *plantChain) around(t testing.TB, b Block) Surroundings {
	t.Helper()
	h := b.Header()
	r, err := c.p.reg.At(h.Roster)
	if err != nil {
		t.Fatal(err)
	}
	s := Surroundings{Prev: c.marks[h.Prev], Mark: c.mark, Ancestor: c.ancestor, Contains: c.p.reg.Contains, Roster: r}
	if !h.Also.IsZero() {
		s.Also = c.marks[h.Also]
	}
	return s
}

func (c *plantChain) ancestor(old, young Ref) bool {
	for _, b := range c.blocks {
		if b.Hash() == old.Hash {
			return old.Height <= young.Height
		}
	}
	return false
}

// resealed is block b with a changed header, signed by author.
func (c *plantChain) resealed(t testing.TB, b Block, author string, change func(*Header)) UnverifiedBlock {
	t.Helper()
	h := b.Header()
	change(&h)
	raw := encode(h)
	sig, err := sign(plantSigner(author), headerDigest(c.p.net, raw))
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseBlock(c.p.net, encode(blockWire{Header: raw, Sig: sig, Txs: rawsOf(b.Txs())}))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestCheckLinks breaks each rule of PROTOCOL.md §7 in turn.
func TestCheckLinks(t *testing.T) {
	p := staffed(t)
	old := p.reg.Heads()
	c := p.chain("drill-a")
	for range 6 {
		c.seal(t, nil)
	}
	side := c.branch(3)
	side.seal(t, nil, p.own(t, "drill-a", Tx{Body: Unknown{Number: 99}}))
	p.say(t, Change{Kind: ChangeParameter, Name: "p", Value: 1})
	c.seal(t, nil)
	also := side.head
	join := c.seal(t, &also)
	for _, b := range append(c.blocks[:len(c.blocks):len(c.blocks)], side.blocks[3]) {
		if err := b.CheckLinks(c.around(t, b)); err != nil {
			t.Fatalf("good block %s: %v", b.Ref(), err)
		}
	}
	other := p.chain("drill-b")
	foreign := other.seal(t, nil)
	c.marks[foreign.Hash()] = other.head

	seventh, eighth := c.blocks[6], join
	cases := []struct {
		name, rule string
		is         error
		b          UnverifiedBlock
		change     func(*Surroundings)
	}{
		{"height", "height follows 6", ErrLinks, c.resealed(t, seventh, "drill-a", func(h *Header) { h.Height++ }), nil},
		{"skip", "and must be", ErrLinks, c.resealed(t, seventh, "drill-a", func(h *Header) { h.Skip = h.Prev }), nil},
		{"another author's prev", "is a block of", ErrLinks, seventh.UnverifiedBlock, func(s *Surroundings) { s.Prev = other.head }},
		{"another block as prev", "prev", ErrLinks, seventh.UnverifiedBlock, func(s *Surroundings) { s.Prev = MarkOf(c.blocks[4].UnverifiedBlock) }},
		{"also of another author", "is no block of this author", ErrLinks, c.resealed(t, eighth, "drill-a", func(h *Header) { h.Also = foreign.Hash() }), func(s *Surroundings) { s.Also = other.head }},
		{"also is genesis", "is no block of this author", ErrLinks, c.resealed(t, eighth, "drill-a", func(h *Header) { h.Also = Hash(p.net) }), func(s *Surroundings) { s.Also = GenesisMark(p.net, plantID("drill-a")) }},
		{"also not held", "is no block of this author", ErrLinks, eighth.UnverifiedBlock, func(s *Surroundings) { s.Also = Mark{} }},
		{"also is an ancestor", "is an ancestor of prev", ErrLinks, c.resealed(t, eighth, "drill-a", func(h *Header) { h.Also = c.blocks[1].Hash() }), func(s *Surroundings) { s.Also = MarkOf(c.blocks[1].UnverifiedBlock) }},
		{"also higher than prev", "is higher than prev", ErrLinks, eighth.UnverifiedBlock, func(s *Surroundings) { s.Also.Ref.Height = 9 }},
		{"roster shrinks", "leaves out statements", ErrLinks, c.resealed(t, eighth, "drill-a", func(h *Header) { h.Roster = old }), nil},
		{"author has no role", "no gateway role", ErrAuthor, seventh.UnverifiedBlock, func(s *Surroundings) { s.Roster = newTestPlant(t).reg.Current() }},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			s := c.around(t, Block{x.b})
			if x.change != nil {
				x.change(&s)
			}
			if err := x.b.CheckLinks(s); !errors.Is(err, x.is) || !strings.Contains(err.Error(), x.rule) {
				t.Errorf("got %v, want %v: %s", err, x.is, x.rule)
			}
		})
	}
	for hash, ok := range map[Hash]bool{{0x00, 1}: false, {0xff, 1}: true} {
		t.Run(fmt.Sprintf("also as high as prev, hash %s", hash.Short()), func(t *testing.T) {
			b := c.resealed(t, eighth, "drill-a", func(h *Header) { h.Also = hash })
			s := c.around(t, Block{b})
			s.Also = Mark{Ref: Ref{Author: plantID("drill-a"), Height: s.Prev.Ref.Height, Hash: hash}, Roster: old}
			if err := b.CheckLinks(s); (err == nil) != ok {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("skip not held", func(t *testing.T) {
		s := c.around(t, seventh)
		s.Mark = func(Hash) (Mark, bool) { return Mark{}, false }
		var gap *GapError
		if err := seventh.CheckLinks(s); !errors.As(err, &gap) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("statement not held", func(t *testing.T) {
		s := c.around(t, seventh)
		s.Contains = newTestPlant(t).reg.Contains
		var gap *GapError
		if err := seventh.CheckLinks(s); !errors.As(err, &gap) {
			t.Errorf("got %v", err)
		}
	})
}

// TestAuthentic: one signature vouches for a whole chain, and nothing less.
func TestAuthentic(t *testing.T) {
	p := staffed(t)
	r := p.reg.Current()
	c := p.chain("drill-a")
	good := c.seal(t, nil)
	forged := good.UnverifiedBlock
	forged.signed.Sig = make([]byte, 64)
	forged, err := ParseBlock(p.net, encode(blockWire{Header: forged.signed.Header, Sig: forged.signed.Sig}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := good.UnverifiedBlock.Verify(r); err != nil {
		t.Errorf("good block: %v", err)
	}
	if _, err := forged.Verify(r); !errors.Is(err, ErrSignature) {
		t.Errorf("forged block: %v", err)
	}
	if forged.Hash() == good.Hash() {
		t.Error("a block's hash covers its signature")
	}
	if _, err := good.Verify(newTestPlant(t).reg.Current()); !errors.Is(err, ErrAuthor) {
		t.Errorf("stranger: %v", err)
	}
	next := c.seal(t, nil)
	onForged := c.resealed(t, next, "drill-a", func(h *Header) { h.Prev = forged.Hash() })
	if run, err := VerifyRange([]UnverifiedBlock{forged, onForged}, r); err != nil || len(run) != 2 || run[0].Hash() != forged.Hash() {
		t.Errorf("a signed descendant vouches: %v", err)
	}
	if _, err := VerifyRange([]UnverifiedBlock{forged, next.UnverifiedBlock}, r); !errors.Is(err, ErrLinks) {
		t.Errorf("a run that does not link: %v", err)
	}
	if _, err := VerifyRange([]UnverifiedBlock{good.UnverifiedBlock, c.resealed(t, next, "drill-b", func(*Header) {})}, r); !errors.Is(err, ErrSignature) {
		t.Errorf("a run with a bad last signature: %v", err)
	}
	if run, err := VerifyRange(nil, r); run != nil || err != nil {
		t.Errorf("no run: %v", err)
	}
	if b, err := good.UnverifiedBlock.VouchedBy(next); err != nil || b.Hash() != good.Hash() {
		t.Errorf("vouched for: %v", err)
	}
	if _, err := forged.VouchedBy(next); !errors.Is(err, ErrLinks) {
		t.Errorf("not named: %v", err)
	}
	side := c.branch(0).seal(t, nil, p.own(t, "drill-a", Tx{Body: Unknown{Number: 99}}))
	also := MarkOf(side.UnverifiedBlock)
	if b, err := side.UnverifiedBlock.VouchedBy(c.seal(t, &also)); err != nil || b.Ref() != side.Ref() {
		t.Errorf("vouched for by also: %v", err)
	}
}

// TestSealRefuses what ParseBlock would, before it is anybody's.
func TestSealRefuses(t *testing.T) {
	p := staffed(t)
	d := Draft{Prev: GenesisMark(p.net, plantID("drill-a")), Skip: Hash(p.net), Time: -1, Roster: p.reg.Heads()}
	var f *FieldError
	if _, err := Seal(p.net, plantSigner("drill-a"), d); !errors.As(err, &f) || f.Field != "time" {
		t.Errorf("got %v", err)
	}
	d.Time = 0
	d.Txs = repeat(MaxBlockTxs+1, func(i int) Tx { return p.own(t, "drill-a", Tx{Time: int64(i) + 1, Body: Unknown{Number: 99}}) })
	if _, err := Seal(p.net, plantSigner("drill-a"), d); !errors.As(err, &f) {
		t.Errorf("257 transactions: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Seal(p.net, other, Draft{}); err == nil || !strings.Contains(err.Error(), "Ed25519 and RSA keys sign") {
		t.Errorf("ECDSA: %v", err)
	}
}
