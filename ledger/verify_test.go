package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// listed is a chain as a store lists it.
func (c *plantChain) listed() []RawBlock {
	var out []RawBlock
	for _, b := range c.blocks {
		out = append(out, RawBlock{Ref: b.Ref(), Raw: b.Raw()})
	}
	return out
}

// spoiled is block b with a signature that does not hold; its hash changes.
func spoiled(t *testing.T, net NetworkID, b Block) Block {
	t.Helper()
	sig := slices.Clone(b.signed.Sig)
	sig[0] ^= 1
	u, err := ParseBlock(net, encode(blockWire{Header: b.signed.Header, Sig: sig, Txs: rawsOf(b.Txs())}))
	if err != nil {
		t.Fatal(err)
	}
	return Block{u}
}

func verifyAll(p *testPlant, blocks []RawBlock) (ChainReport, []string, []error) {
	var at []string
	var errs []error
	r := Verify(p.reg, slices.Values(blocks), func(f Fault) {
		at, errs = append(at, fmt.Sprintf("%d-%d", f.Height, f.Through)), append(errs, f.Err)
	})
	return r, at, errs
}

// TestVerifySound walks two chains, one with a branch that is joined.
func TestVerifySound(t *testing.T) {
	p := staffed(t)
	c := p.chain("gate")
	for range 5 {
		c.seal(t, nil)
	}
	b := c.branch(2)
	side := b.seal(t, nil, p.signed(t, "paula", Tx{Body: plantOrder()}))
	also := MarkOf(side.UnverifiedBlock)
	c.seal(t, &also)
	blocks := append(c.listed(), RawBlock{Ref: side.Ref(), Raw: side.Raw()})
	slices.SortFunc(blocks, func(a, b RawBlock) int { return int(a.Ref.Height) - int(b.Ref.Height) })
	d := p.chain("press")
	d.seal(t, nil)
	r, at, errs := verifyAll(p, append(blocks, d.listed()...))
	if r != (ChainReport{Chains: 2, Blocks: 8, Transactions: 1, Signatures: 2, Vouched: 6}) {
		t.Errorf("%+v: %v %v", r, at, errs)
	}
}

// TestVerifyFaults breaks a chain of six in one place each time.
func TestVerifyFaults(t *testing.T) {
	p := staffed(t)
	c := p.chain("gate")
	for range 6 {
		c.seal(t, nil)
	}
	other := p.chain("press").seal(t, nil)
	stranger := newTestPlant(t)
	for _, f := range []struct {
		name   string
		change func([]RawBlock) []RawBlock
		at     []string
		want   error
	}{
		{"lost", func(b []RawBlock) []RawBlock { b[2].Raw = nil; b[2].Err = errors.New("bad sector"); return b }, []string{"3-3"}, ErrBlockLost},
		{"range lost", func(b []RawBlock) []RawBlock { return slices.Delete(b, 1, 4) }, []string{"2-4"}, ErrBlockLost},
		{"beginning lost", func(b []RawBlock) []RawBlock { return b[2:] }, []string{"1-2"}, ErrBlockLost},
		{"unreadable", func(b []RawBlock) []RawBlock { b[3].Raw = b[3].Raw[:40]; return b }, []string{"4-4"}, ErrBlockBroken},
		{"nameless", func(b []RawBlock) []RawBlock { b = append(b, RawBlock{Raw: []byte{1}}); return b }, []string{"0-0"}, ErrBlockBroken},
		{"another", func(b []RawBlock) []RawBlock { b[3].Ref.Hash[0] ^= 1; return b }, []string{"4-4"}, ErrBlockHash},
		{"foreign", func(b []RawBlock) []RawBlock { b[5].Raw = other.Raw(); return b }, []string{"6-6"}, ErrBlockHash},
		{"out of order", func(b []RawBlock) []RawBlock { return append(b, b[0]) }, []string{"1-1"}, ErrOutOfOrder},
		{"head not signed", func(b []RawBlock) []RawBlock {
			u := spoiled(t, p.net, c.blocks[5])
			b[5] = RawBlock{Ref: u.Ref(), Raw: u.Raw()}
			return b
		}, []string{"6-6"}, ErrUnvouched},
		{"wrong skip", func(b []RawBlock) []RawBlock {
			u := c.resealed(t, c.blocks[5], "gate", func(h *Header) { h.Skip = h.Prev })
			if u.Header().Skip == c.blocks[5].Header().Skip {
				t.Fatal("the right skip")
			}
			b[5] = RawBlock{Ref: u.Ref(), Raw: u.Raw()}
			return b
		}, []string{"6-6"}, ErrLinks},
		{"unknown roster", func(b []RawBlock) []RawBlock {
			u := c.resealed(t, c.blocks[5], "gate", func(h *Header) { h.Roster = []Hash{plantHash("nowhere")} })
			b[5] = RawBlock{Ref: u.Ref(), Raw: u.Raw()}
			return b
		}, []string{"6-6"}, ErrRosterGap},
	} {
		t.Run(f.name, func(t *testing.T) {
			_, at, errs := verifyAll(p, f.change(c.listed()))
			if !slices.Equal(at, f.at) || !errors.Is(errs[0], f.want) {
				t.Errorf("faults at %v: %v", at, errs)
			}
		})
	}
	if r, _, _ := verifyAll(stranger, c.listed()); r.Faults != 6 {
		t.Errorf("in another network: %+v", r)
	}
}

// TestVerifyVouched: a signed block vouches for those before it, on both
// branches that it joins.
func TestVerifyVouched(t *testing.T) {
	p := staffed(t)
	c := p.chain("gate")
	c.seal(t, nil)
	bad := spoiled(t, p.net, c.seal(t, nil))
	c.blocks[1], c.head = bad, MarkOf(bad.UnverifiedBlock)
	c.marks[bad.Hash()] = c.head
	if r, at, _ := verifyAll(p, c.listed()); r.Faults != 1 || at[0] != "2-2" {
		t.Errorf("alone: %+v %v", r, at)
	}
	c.seal(t, nil)
	r, at, errs := verifyAll(p, c.listed())
	if r.Faults != 0 || r.Vouched != 2 || r.Signatures != 1 {
		t.Errorf("%+v %v %v", r, at, errs)
	}
}

// TestVerifyWindows: a block whose own signature fails is cleared by one that is
// checked long after it, and only by one that builds on it.
func TestVerifyWindows(t *testing.T) {
	p := staffed(t)
	c := p.chain("gate")
	for range windowSize - 1 {
		c.seal(t, nil)
	}
	bad := spoiled(t, p.net, c.seal(t, nil)) // the youngest of its window
	c.blocks[windowSize-1], c.head = bad, MarkOf(bad.UnverifiedBlock)
	c.marks[bad.Hash()] = c.head
	if r, at, _ := verifyAll(p, c.listed()); r.Faults != 1 || at[0] != fmt.Sprintf("%d-%[1]d", windowSize) || r.Signatures != 1 {
		t.Errorf("alone: %+v %v", r, at)
	}
	for range windowSize + 3 {
		c.seal(t, nil)
	}
	r, at, errs := verifyAll(p, c.listed())
	if r.Faults != 0 || r.Signatures != 3 || r.Vouched != r.Blocks-3 {
		t.Errorf("%+v %v %v", r, at, errs)
	}
}
