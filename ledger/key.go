package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
)

// Algorithm is a signature algorithm of an identity.
type Algorithm uint8

// Ed25519 is RFC 8032 over a 32-byte digest. Number 2 is kept for
// RSASSA-PKCS1-v1_5 with SHA-256 (paper §V-B).
const Ed25519 Algorithm = 1

// ErrSignature is returned when a signature does not fit its key and message.
var ErrSignature = errors.New("signature does not verify")

// PublicKey is an identity's public key: algorithm and its standard encoding.
type PublicKey struct {
	_     struct{} `cbor:",toarray"`
	Alg   Algorithm
	Bytes []byte
}

// PublicKeyOf returns the public half of s in this package's form.
func PublicKeyOf(s crypto.Signer) (PublicKey, error) {
	switch k := s.Public().(type) {
	case ed25519.PublicKey:
		return PublicKey{Alg: Ed25519, Bytes: k}, nil
	default:
		return PublicKey{}, fmt.Errorf("key of type %T: only Ed25519 keys sign in protocol 1", k)
	}
}

// MarshalCBOR writes the key as the array [alg, bytes]. The key writes itself
// because the CBOR library leaves an absent array out of a map only then: a
// change without a key has no field for it (PROTOCOL.md §3).
func (k PublicKey) MarshalCBOR() ([]byte, error) {
	return encMode.Marshal(struct {
		_     struct{} `cbor:",toarray"`
		Alg   Algorithm
		Bytes []byte
	}{Alg: k.Alg, Bytes: k.Bytes})
}

// ID is the first 16 bytes of SHA-256(algorithm byte || public key).
func (k PublicKey) ID() KeyID {
	h := sha256.New()
	h.Write([]byte{byte(k.Alg)})
	h.Write(k.Bytes)
	return KeyID(h.Sum(nil)[:16])
}

// Equal reports whether two keys are the same.
func (k PublicKey) Equal(o PublicKey) bool {
	return k.Alg == o.Alg && string(k.Bytes) == string(o.Bytes)
}

// Check refuses keys that no careful signer makes: unknown algorithms, wrong
// lengths, points not in canonical encoding and points of small order, under
// which one signature fits every message. Every replica applies it when it
// judges a roster statement.
func (k PublicKey) Check() error {
	if k.Alg != Ed25519 {
		return refuse("key", "alg", k.Alg, "unknown signature algorithm: 1 is Ed25519")
	}
	if len(k.Bytes) != ed25519.PublicKeySize {
		return refuse("key", "bytes", k.Bytes, "an Ed25519 public key has %d bytes", ed25519.PublicKeySize)
	}
	p, err := new(edwards25519.Point).SetBytes(k.Bytes)
	if err != nil {
		return refuse("key", "bytes", k.Bytes, "is not a point of the curve")
	}
	if string(p.Bytes()) != string(k.Bytes) {
		return refuse("key", "bytes", k.Bytes, "is not the point's canonical encoding (RFC 8032 §5.1.2)")
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return refuse("key", "bytes", k.Bytes, "is a point of small order: one signature would fit every message")
	}
	return nil
}

// verify checks sig over digest d.
func (k PublicKey) verify(d Hash, sig []byte) error {
	if k.Alg != Ed25519 || len(k.Bytes) != ed25519.PublicKeySize || !ed25519.Verify(k.Bytes, d[:], sig) {
		return ErrSignature
	}
	return nil
}

// sign signs digest d. Ed25519 signs the 32 bytes of the digest as its message.
func sign(s crypto.Signer, d Hash) ([]byte, error) {
	sig, err := s.Sign(rand.Reader, d[:], crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig, nil
}
