package ledger

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"sort"
)

// Frontier is a witness's signed word that it holds and has checked every chain
// up to these heads. Frontiers of a witness are joined entry by entry: a
// partial one is as good as a full one, and replay does no harm.
type Frontier struct {
	Version uint8  `cbor:"1,keyasint"`
	Witness KeyID  `cbor:"2,keyasint"`
	Time    int64  `cbor:"3,keyasint"` // ms since 1970 UTC: evidence, never a rule
	Entries []Ref  `cbor:"4,keyasint,omitempty"`
	Sig     []byte `cbor:"5,keyasint,omitempty"`

	raw []byte
}

// Raw returns the bytes as they were parsed or made.
func (f Frontier) Raw() []byte { return f.raw }

// SignFrontier makes a frontier of at most MaxFrontierHeads heads.
func SignFrontier(net NetworkID, witness crypto.Signer, at int64, heads []Ref) (Frontier, error) {
	pub, err := PublicKeyOf(witness)
	if err != nil {
		return Frontier{}, err
	}
	f := Frontier{Version: Version, Witness: pub.ID(), Time: at, Entries: append([]Ref(nil), heads...)}
	sort.Slice(f.Entries, func(i, j int) bool { return refLess(f.Entries[i], f.Entries[j]) })
	if f.Sig, err = sign(witness, f.sigDigest(net)); err != nil {
		return Frontier{}, err
	}
	return ParseFrontier(encode(f))
}

// ParseFrontier reads a frontier and checks its form.
func ParseFrontier(raw []byte) (Frontier, error) {
	var f Frontier
	if err := decode("frontier", raw, MaxFrontier, &f); err != nil {
		return Frontier{}, err
	}
	c := fields{object: "frontier"}
	c.need(f.Version == Version, "version", f.Version, "this program knows protocol %d only", Version)
	c.need(!f.Witness.IsZero(), "witness", nil, "is missing")
	c.need(f.Time >= 0, "time", f.Time, "lies before 1970")
	c.most("entries", len(f.Entries), MaxFrontierHeads)
	c.need(len(f.Sig) > 0 && len(f.Sig) <= 512, "sig", len(f.Sig), "a signature has 1 to 512 bytes")
	for i, e := range f.Entries {
		at := fmt.Sprintf("entries[%d]", i)
		c.need(!e.Author.IsZero() && !e.Hash.IsZero(), at, e, "names an author and a head")
		c.need(e.Height > 0 && e.Height <= MaxHeight, at+".height", e.Height, "lies outside 1…%d", uint64(MaxHeight))
		c.need(i == 0 || refLess(f.Entries[i-1], e), at, e, "is out of order or repeated: entries are sorted")
	}
	if c.err != nil {
		return Frontier{}, c.err
	}
	f.raw = append([]byte(nil), raw...)
	return f, nil
}

// ErrNoWitness: the roster does not have a frontier's signer as a witness. A
// roster that is not complete may lack it.
var ErrNoWitness = errors.New("is no witness in this roster")

// Verify checks the witness's signature and role in r. Without the role the
// error wraps [ErrNoWitness].
func (f Frontier) Verify(net NetworkID, r *Roster) error {
	if !r.Has(f.Witness, RoleWitness) {
		return fmt.Errorf("frontier: %s %w", f.Witness.Short(), ErrNoWitness)
	}
	id, _ := r.Identity(f.Witness)
	if err := id.Key.verify(f.sigDigest(net), f.Sig); err != nil {
		return fmt.Errorf("frontier of %s: %w", id.Name, err)
	}
	return nil
}

func (f Frontier) sigDigest(net NetworkID) Hash {
	f.Sig = nil
	return digest(labelFrontierSig, net, encode(f))
}

// refLess orders heads by author, height, hash.
func refLess(a, b Ref) bool {
	if c := bytes.Compare(a.Author[:], b.Author[:]); c != 0 {
		return c < 0
	}
	if a.Height != b.Height {
		return a.Height < b.Height
	}
	return compare(a.Hash, b.Hash) < 0
}
