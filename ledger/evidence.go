package ledger

import "fmt"

// Evidence shows two versions of one author's chain: two different blocks at
// one height, each authentic by its own signature or by links to a signed
// descendant. It names the author and changes nothing else (PROTOCOL.md §8).
type Evidence struct {
	Version uint8          `cbor:"1,keyasint"`
	A       []SignedHeader `cbor:"2,keyasint"` // the block, then what links to it, up to a signed one
	B       []SignedHeader `cbor:"3,keyasint"`

	raw []byte
}

// NewEvidence puts two proofs together, the one with the lower block hash first.
func NewEvidence(net NetworkID, a, b []SignedHeader) (Evidence, error) {
	if len(a) == 0 || len(b) == 0 {
		return Evidence{}, refuse("evidence", "", nil, "needs a block on each side")
	}
	if compare(a[0].hash(net), b[0].hash(net)) > 0 {
		a, b = b, a
	}
	return ParseEvidence(encode(Evidence{Version: Version, A: a, B: b}))
}

// ParseEvidence reads evidence and checks its form.
func ParseEvidence(raw []byte) (Evidence, error) {
	var e Evidence
	if err := decode("evidence", raw, MaxEvidence, &e); err != nil {
		return Evidence{}, err
	}
	if e.Version != Version {
		return Evidence{}, refuse("evidence", "version", e.Version, "this program knows protocol %d only", Version)
	}
	for at, side := range [][]SignedHeader{e.A, e.B} {
		name := string(rune('a' + at))
		if len(side) == 0 {
			return Evidence{}, refuse("evidence", name, 0, "is empty")
		}
		for i, s := range side {
			if _, err := parseHeader(s.Header, s.Sig); err != nil {
				return Evidence{}, fmt.Errorf("evidence.%s[%d]: %w", name, i, err)
			}
		}
	}
	e.raw = append([]byte(nil), raw...)
	return e, nil
}

// Raw returns the bytes as they were parsed or made.
func (e Evidence) Raw() []byte { return e.raw }

// Verify checks both sides and returns the author named and the two blocks.
// key returns the public key of an author; ok is false for a stranger.
func (e Evidence) Verify(net NetworkID, key func(KeyID) (PublicKey, bool)) (a, b Ref, err error) {
	if a, err = verifySide(net, e.A, key); err != nil {
		return Ref{}, Ref{}, fmt.Errorf("evidence.a: %w", err)
	}
	if b, err = verifySide(net, e.B, key); err != nil {
		return Ref{}, Ref{}, fmt.Errorf("evidence.b: %w", err)
	}
	switch {
	case a.Author != b.Author:
		err = refuse("evidence", "b", b, "is of another author than a")
	case a.Height != b.Height:
		err = refuse("evidence", "b", b, "is at another height than a")
	case compare(a.Hash, b.Hash) >= 0:
		err = refuse("evidence", "b", b, "is the same block as a, or out of order")
	}
	return a, b, err
}

// verifySide follows the links from the first header to the last, whose own
// signature must hold.
func verifySide(net NetworkID, side []SignedHeader, key func(KeyID) (PublicKey, bool)) (Ref, error) {
	var first Ref
	var below Hash
	for i, s := range side {
		h, err := parseHeader(s.Header, s.Sig)
		if err != nil {
			return Ref{}, err
		}
		if i == 0 {
			first = Ref{Author: h.Author, Height: h.Height, Hash: s.hash(net)}
		} else if h.Author != first.Author || (h.Prev != below && h.Also != below && h.Skip != below) {
			return Ref{}, fmt.Errorf("%w: header %d does not link to the one before", ErrLinks, i)
		}
		below = s.hash(net)
	}
	pub, ok := key(first.Author)
	if !ok {
		return Ref{}, fmt.Errorf("%w: %s is not known", ErrAuthor, first.Author.Short())
	}
	last := side[len(side)-1]
	return first, pub.verify(headerDigest(net, last.Header), last.Sig)
}
