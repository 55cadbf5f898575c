package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 digest (FIPS 180-4; paper §V-A). The zero Hash means absent.
type Hash [32]byte

// TxID names a transaction: the hash of its bytes, own signature included.
type TxID = Hash

// ItemID names an item for ever: the TxID of the intake that took it in.
type ItemID = Hash

// NetworkID is the hash of the genesis bytes. It is bound into every hash and
// signature of the network and carried in none.
type NetworkID Hash

// KeyID names an identity: the first 16 bytes of the hash of its public key.
type KeyID [16]byte

// IsZero reports whether h is absent.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns h as 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 8 hexadecimal digits, for people; never for comparison.
func (h Hash) Short() string { return hex.EncodeToString(h[:4]) }

// MarshalText writes h as hexadecimal, for JSON.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (h *Hash) UnmarshalText(text []byte) error { return unhex(h[:], text, "hash") }

// IsZero reports whether k is absent.
func (k KeyID) IsZero() bool { return k == KeyID{} }

// String returns k as 32 hexadecimal digits.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// Short returns the first 8 hexadecimal digits, for people; never for comparison.
func (k KeyID) Short() string { return hex.EncodeToString(k[:4]) }

// MarshalText writes k as hexadecimal, for JSON.
func (k KeyID) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (k *KeyID) UnmarshalText(text []byte) error { return unhex(k[:], text, "key id") }

// String returns the network id as 64 hexadecimal digits.
func (n NetworkID) String() string { return Hash(n).String() }

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	err := h.UnmarshalText([]byte(s))
	return h, err
}

// ParseKeyID reads 32 hexadecimal digits.
func ParseKeyID(s string) (KeyID, error) {
	var k KeyID
	err := k.UnmarshalText([]byte(s))
	return k, err
}

func unhex(dst, text []byte, what string) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("%s %.80q: want %d hexadecimal digits, found %d characters", what, text, 2*len(dst), len(text))
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fmt.Errorf("%s %.80q: %w", what, text, err)
	}
	return nil
}

// label separates the uses of one hash function (PROTOCOL.md §2).
type label string

const (
	labelTx           label = "traveler/1/tx"
	labelTxSig        label = "traveler/1/tx/sig"
	labelBlock        label = "traveler/1/block"
	labelBlockSig     label = "traveler/1/block/sig"
	labelFrontierSig  label = "traveler/1/frontier/sig"
	labelStatement    label = "traveler/1/roster"
	labelStatementSig label = "traveler/1/roster/sig"
	labelNote         label = "traveler/1/note/1"
)

// digest is SHA-256(label || 0x00 || network id || parts…).
func digest(l label, net NetworkID, parts ...[]byte) Hash {
	h := sha256.New()
	h.Write([]byte(l))
	h.Write([]byte{0})
	h.Write(net[:])
	for _, p := range parts {
		h.Write(p)
	}
	var out Hash
	h.Sum(out[:0])
	return out
}
