package ledger

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// rsaExponent is the public exponent of every RSA key of the ledger.
const rsaExponent = 65537

// leastFactor: a modulus with a prime factor below it is refused, as NIST SP
// 800-89 §5.3.3 has it.
const leastFactor = 752

func publicRSA(k *rsa.PublicKey) (PublicKey, error) {
	if k.E != rsaExponent {
		return PublicKey{}, fmt.Errorf("RSA key with the exponent %d: it has to be %d", k.E, rsaExponent)
	}
	return PublicKey{Alg: RSA, Bytes: k.N.Bytes()}, nil
}

func (k PublicKey) checkRSA() error {
	switch len(k.Bytes) {
	case 2048 / 8, 3072 / 8, 4096 / 8:
	default:
		return refuse("key", "bytes", fmt.Sprintf("%d bytes", len(k.Bytes)), "an RSA modulus has 2048, 3072 or 4096 bits: 256, 384 or 512 bytes")
	}
	if k.Bytes[0]&0x80 == 0 {
		return refuse("key", "bytes", k.Bytes, "is a modulus of fewer bits than its bytes have")
	}
	n := new(big.Int).SetBytes(k.Bytes)
	factor, rest := new(big.Int), new(big.Int)
	for p := int64(2); p < leastFactor; p++ { // a composite p divides only after one of its factors
		if rest.Mod(n, factor.SetInt64(p)).Sign() == 0 {
			return refuse("key", "bytes", k.Bytes, "is a modulus with the factor %d", p)
		}
	}
	return nil
}

// verifyRSA checks a signature over the message of which d is the SHA-256.
func (k PublicKey) verifyRSA(d Hash, sig []byte) bool {
	if k.checkRSA() != nil { // the library takes moduli of any length
		return false
	}
	pub := rsa.PublicKey{N: new(big.Int).SetBytes(k.Bytes), E: rsaExponent}
	return rsa.VerifyPKCS1v15(&pub, crypto.SHA256, d[:], sig) == nil
}
