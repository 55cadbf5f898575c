package ledger

import (
	"errors"
	"testing"
)

func TestFrontier(t *testing.T) {
	p := staffed(t)
	heads := []Ref{{Author: KeyID{2}, Height: 1, Hash: Hash{9}}, {Author: KeyID{1}, Height: 7, Hash: Hash{5}}, {Author: KeyID{1}, Height: 7, Hash: Hash{4}}}
	f, err := SignFrontier(p.net, plantSigner("wanda"), plantTime, heads)
	if err != nil {
		t.Fatal(err)
	}
	if heads[0].Author != (KeyID{2}) {
		t.Error("the caller's heads were sorted")
	}
	if f.Entries[0].Hash != (Hash{4}) || f.Entries[2].Author != (KeyID{2}) {
		t.Errorf("entries are not sorted: %v", f.Entries)
	}
	if err := f.Verify(p.net, p.reg.Current()); err != nil {
		t.Error(err)
	}
	if again, err := ParseFrontier(f.Raw()); err != nil || again.Verify(p.net, p.reg.Current()) != nil {
		t.Errorf("parsed again: %v", err)
	}

	if err := f.Verify(NetworkID{1}, p.reg.Current()); !errors.Is(err, ErrSignature) {
		t.Errorf("another network: %v", err)
	}
	moved := f
	moved.Entries = append([]Ref(nil), f.Entries...)
	moved.Entries[1].Height++
	if err := moved.Verify(p.net, p.reg.Current()); !errors.Is(err, ErrSignature) {
		t.Errorf("an entry changed: %v", err)
	}
	g, err := SignFrontier(p.net, plantSigner("drill-a"), plantTime, heads)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Verify(p.net, p.reg.Current()); !errors.Is(err, ErrNoWitness) {
		t.Errorf("no witness: %v", err)
	}
	p.say(t, Change{Kind: ChangeRevoke, Subject: plantID("wanda")})
	if err := f.Verify(p.net, p.reg.Current()); err == nil {
		t.Error("a revoked witness still counts")
	}

	var refused *FieldError
	if _, err := SignFrontier(p.net, plantSigner("wanda"), plantTime, append(heads, heads[0])); !errors.As(err, &refused) {
		t.Errorf("a head twice: %v", err)
	}
	many := repeat(MaxFrontierHeads+1, func(i int) Ref { return Ref{Author: KeyID{1}, Height: uint64(i) + 1, Hash: Hash{1}} })
	if _, err := SignFrontier(p.net, plantSigner("wanda"), plantTime, many); !errors.As(err, &refused) || refused.Field != "entries" {
		t.Errorf("too many heads: %v", err)
	}
	if full, err := SignFrontier(p.net, plantSigner("wanda"), plantTime, many[1:]); err != nil || len(full.Raw()) > MaxFrontier {
		t.Errorf("as many as may be: %v", err)
	}
}

// TestPlaceOrder: author, height, block, index, in this rank.
func TestPlaceOrder(t *testing.T) {
	rising := []Place{
		{Author: KeyID{1}, Height: 1, Block: Hash{1}, Index: 1},
		{Author: KeyID{1}, Height: 1, Block: Hash{1}, Index: 2},
		{Author: KeyID{1}, Height: 1, Block: Hash{2}, Index: 0},
		{Author: KeyID{1}, Height: 2, Block: Hash{0}, Index: 0},
		{Author: KeyID{2}, Height: 1, Block: Hash{0}, Index: 0},
	}
	for i, p := range rising {
		for j, q := range rising {
			if p.Less(q) != (i < j) {
				t.Errorf("%v below %v: %v", p, q, p.Less(q))
			}
		}
	}
}
