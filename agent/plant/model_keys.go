package plant

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"

	"filippo.io/edwards25519"
)

// The role bits that rules read (§4.1).
const (
	roleGateway = 1
	rolePlanner = 8
	roleQuality = 16
)

// mKey is a public key as objects carry it.
type mKey struct {
	alg   int64
	bytes string
}

func modelKey(o mObject) mKey { return mKey{o.num("alg"), o.str("bytes")} }

// id is the first 16 bytes of SHA-256(algorithm byte ‖ public key bytes).
func (k mKey) id() string {
	sum := sha(append([]byte{byte(k.alg)}, k.bytes...))
	return string(sum[:16])
}

// sound tells whether every reader must take the key (§2).
func (k mKey) sound() bool {
	if k.alg == 2 {
		return k.soundModulus()
	}
	p, err := new(edwards25519.Point).SetBytes([]byte(k.bytes))
	return err == nil && string(p.Bytes()) == k.bytes &&
		new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 0
}

func (k mKey) soundModulus() bool {
	n := new(big.Int).SetBytes([]byte(k.bytes))
	if size := len(k.bytes); size != 256 && size != 384 && size != 512 || n.BitLen() != 8*size {
		return false
	}
	for divisor := int64(2); divisor < 752; divisor++ {
		if new(big.Int).Mod(n, big.NewInt(divisor)).Sign() == 0 {
			return false
		}
	}
	return true
}

// verify checks a signature over the 32 bytes of a digest, once for all times.
func (m *Model) verify(k mKey, digest, sig string) bool {
	memo := k.bytes + digest + sig
	if good, known := m.sigs[memo]; known {
		return good
	}
	good := false
	switch k.alg {
	case 1:
		good = len(sig) == ed25519.SignatureSize && ed25519.Verify([]byte(k.bytes), []byte(digest), []byte(sig))
	case 2:
		public := rsa.PublicKey{N: new(big.Int).SetBytes([]byte(k.bytes)), E: 65537}
		good = rsa.VerifyPKCS1v15(&public, crypto.SHA256, []byte(digest), []byte(sig)) == nil
	}
	m.sigs[memo] = good
	return good
}
