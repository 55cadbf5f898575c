package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
)

// Algorithm is a signature algorithm of an identity.
type Algorithm uint8

// The signature algorithms of protocol 1 (PROTOCOL.md §2).
const (
	Ed25519 Algorithm = 1 // RFC 8032 over a 32-byte digest
	RSA     Algorithm = 2 // RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2; paper §V-B)
)

// ErrSignature is returned when a signature does not fit its key and message.
var ErrSignature = errors.New("signature does not verify")

// PublicKey is an identity's public key in the one encoding of its algorithm: an
// Ed25519 key as RFC 8032 has it, of an RSA key the modulus (its exponent is
// always 65537).
type PublicKey struct {
	_     struct{} `cbor:",toarray"`
	Alg   Algorithm
	Bytes []byte
}

// PublicKeyOf returns the public half of s in this package's form. RSA keys whose
// exponent is not 65537 have none.
func PublicKeyOf(s crypto.Signer) (PublicKey, error) {
	switch k := s.Public().(type) {
	case ed25519.PublicKey:
		return PublicKey{Alg: Ed25519, Bytes: k}, nil
	case *rsa.PublicKey:
		return publicRSA(k)
	default:
		return PublicKey{}, fmt.Errorf("key of type %T: Ed25519 and RSA keys sign in protocol 1", k)
	}
}

// Describe names algorithm and size for people: Ed25519, RSA-3072.
func (k PublicKey) Describe() string {
	switch k.Alg {
	case Ed25519:
		return "Ed25519"
	case RSA:
		return fmt.Sprintf("RSA-%d", 8*len(k.Bytes))
	}
	return fmt.Sprintf("algorithm %d", k.Alg)
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
// lengths, Ed25519 points not in canonical encoding or of small order, under
// which one signature fits every message, and RSA moduli of other sizes than
// 2048, 3072 and 4096 bits or with a small factor. Every replica applies it when
// it judges a roster statement.
func (k PublicKey) Check() error {
	switch k.Alg {
	case Ed25519:
		return k.checkEd25519()
	case RSA:
		return k.checkRSA()
	}
	return refuse("key", "alg", k.Alg, "unknown signature algorithm: 1 is Ed25519, 2 is RSA")
}

func (k PublicKey) checkEd25519() error {
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
	ok := false
	switch k.Alg {
	case Ed25519:
		ok = len(k.Bytes) == ed25519.PublicKeySize && ed25519.Verify(k.Bytes, d[:], sig)
	case RSA:
		ok = k.verifyRSA(d, sig)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// sign signs digest d. Ed25519 signs the 32 bytes of the digest as its message.
// RSA takes the digest for the SHA-256 that it is, so that a key in hardware,
// which is handed a hash, signs the same.
func sign(s crypto.Signer, d Hash) ([]byte, error) {
	hash := crypto.Hash(0)
	if _, ok := s.Public().(*rsa.PublicKey); ok {
		hash = crypto.SHA256
	}
	sig, err := s.Sign(rand.Reader, d[:], hash)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig, nil
}
