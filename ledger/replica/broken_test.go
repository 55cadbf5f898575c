package replica

import (
	"crypto"
	"crypto/ed25519"
	"io"
)

// brokenSigner makes signatures that do not verify.
type brokenSigner struct{ ed25519.PrivateKey }

func (b brokenSigner) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	sig, err := b.PrivateKey.Sign(r, d, o)
	sig[0] ^= 1
	return sig, err
}
