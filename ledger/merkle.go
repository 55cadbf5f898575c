package ledger

import "crypto/sha256"

// MerkleRoot is the RFC 6962 §2.1 tree hash over transaction ids: leaves are
// SHA-256(0x00 || id), inner nodes SHA-256(0x01 || left || right). The root of
// no ids is SHA-256 of nothing.
func MerkleRoot(ids []TxID) Hash {
	switch len(ids) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, ids[0][:]...))
	}
	k := 1
	for k*2 < len(ids) {
		k *= 2
	}
	left, right := MerkleRoot(ids[:k]), MerkleRoot(ids[k:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}
