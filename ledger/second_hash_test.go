package ledger_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
)

// The curve of RFC 8032 §5.1 over math/big: slow, and owing nothing to anybody.
var (
	fieldP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), fieldP)
		return d.Mod(d.Mul(d, big.NewInt(-121665)), fieldP)
	}()
)

// checkKey refuses what §2 refuses: no point, not canonical, small order.
func checkKey(alg int64, hexKey string) error {
	raw, err := hex.DecodeString(hexKey)
	switch {
	case alg == 2 && err == nil:
		return checkModulus(raw)
	case alg != 1:
		return fmt.Errorf("key of algorithm %d", alg)
	}
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("key of %d bytes", len(raw))
	}
	big32 := make([]byte, 32)
	for i, b := range raw {
		big32[31-i] = b
	}
	sign := big32[0] >> 7
	big32[0] &= 0x7f
	y := new(big.Int).SetBytes(big32)
	if y.Cmp(fieldP) >= 0 {
		return errors.New("key is not in canonical encoding")
	}
	mod := func(v *big.Int) *big.Int { return v.Mod(v, fieldP) }
	yy := mod(new(big.Int).Mul(y, y))
	u := mod(new(big.Int).Sub(yy, big.NewInt(1)))
	v := mod(new(big.Int).Add(new(big.Int).Mul(curveD, yy), big.NewInt(1)))
	xx := mod(u.Mul(u, new(big.Int).ModInverse(v, fieldP)))
	x := new(big.Int).ModSqrt(xx, fieldP)
	if x == nil {
		return errors.New("key is no point of the curve")
	}
	if x.Bit(0) != uint(sign) {
		if x.Sign() == 0 {
			return errors.New("key is not in canonical encoding")
		}
		x.Sub(fieldP, x)
	}
	for range 3 { // doubled three times: [8]A
		x, y = double(x, y)
	}
	if x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0 {
		return errors.New("key is of small order")
	}
	return nil
}

// double adds a point to itself by the affine law of the twisted Edwards curve.
func double(x, y *big.Int) (*big.Int, *big.Int) {
	xy, xx, yy := new(big.Int).Mul(x, y), new(big.Int).Mul(x, x), new(big.Int).Mul(y, y)
	k := new(big.Int).Mul(xx, yy)
	k.Mod(k.Mul(k, curveD), fieldP)
	over := func(num, den *big.Int) *big.Int {
		den.ModInverse(den.Mod(den, fieldP), fieldP)
		return num.Mod(num.Mul(num, den), fieldP)
	}
	one := big.NewInt(1)
	return over(xy.Lsh(xy, 1), new(big.Int).Add(one, k)), over(yy.Add(yy, xx), new(big.Int).Sub(one, k))
}

// hashOf is digest of §2.
func hashOf(label string, network []byte, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(network)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// rootOf is the tree hash of RFC 6962 §2.1.
func rootOf(leaves [][]byte) []byte {
	if len(leaves) == 0 {
		h := sha256.Sum256(nil)
		return h[:]
	}
	var level [][]byte
	for _, l := range leaves {
		h := sha256.Sum256(append([]byte{0}, l...))
		level = append(level, h[:])
	}
	// Level by level, an odd one rising unchanged: the same tree, another way.
	for len(level) > 1 {
		var up [][]byte
		for i := 0; i+1 < len(level); i += 2 {
			h := sha256.Sum256(append(append([]byte{1}, level[i]...), level[i+1]...))
			up = append(up, h[:])
		}
		if len(level)%2 == 1 {
			up = append(up, level[len(level)-1])
		}
		level = up
	}
	return level[0]
}

// checkModulus judges an RSA key by §2.
func checkModulus(raw []byte) error {
	n := new(big.Int).SetBytes(raw)
	if bits := n.BitLen(); bits != 8*len(raw) || bits != 2048 && bits != 3072 && bits != 4096 {
		return fmt.Errorf("modulus of %d bits in %d bytes", bits, len(raw))
	}
	product := big.NewInt(1)
	for p := int64(2); p < 752; p++ {
		if big.NewInt(p).ProbablyPrime(0) { // exact below 2^64
			product.Mul(product, big.NewInt(p))
		}
	}
	if common := new(big.Int).GCD(nil, nil, n, product); common.Cmp(big.NewInt(1)) != 0 {
		return fmt.Errorf("modulus with the factor %s", common)
	}
	return nil
}
