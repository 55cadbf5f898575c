package ledger

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"filippo.io/edwards25519"
)

// TestKeyCheck refuses every key of small order, canonical or not, and takes an
// honest one.
func TestKeyCheck(t *testing.T) {
	if err := plantKey("ada").Check(); err != nil {
		t.Error(err)
	}
	// A point outside the prime-order group times the group's order generates the
	// small-order points; y = 3 is such a point.
	mixed, err := new(edwards25519.Point).SetBytes(append([]byte{3}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	minusOne := edwards25519.NewScalar().Subtract(edwards25519.NewScalar(), one(t))
	torsion := new(edwards25519.Point).ScalarMult(minusOne, mixed)
	torsion.Add(torsion, mixed) // [ℓ−1]P + P
	seen := map[string]bool{}
	for p, i := edwards25519.NewIdentityPoint(), 0; i < 8; i++ {
		seen[string(p.Bytes())] = true
		var f *FieldError
		if err := (PublicKey{Alg: Ed25519, Bytes: p.Bytes()}).Check(); !errors.As(err, &f) || f.Field != "bytes" {
			t.Errorf("small order %x: %v", p.Bytes(), err)
		}
		p = new(edwards25519.Point).Add(p, torsion)
	}
	if len(seen) != 8 {
		t.Errorf("%d small-order points were tried, want all 8", len(seen))
	}
}

func one(t *testing.T) *edwards25519.Scalar {
	t.Helper()
	s, err := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNamesInText(t *testing.T) {
	h, k := plantHash("x"), plantID("ada")
	raw, err := json.Marshal(map[string]any{"h": h, "k": k, "p": Expected})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"h":"%s","k":"%s","p":"expected"}`, h, k); string(raw) != want {
		t.Errorf("%s, want %s", raw, want)
	}
	if got, err := ParseHash(h.String()); err != nil || got != h {
		t.Errorf("%s: %v", got, err)
	}
	if got, err := ParseKeyID(k.String()); err != nil || got != k {
		t.Errorf("%s: %v", got, err)
	}
	for _, bad := range []string{"", "abc", h.String() + "00", "g" + h.String()[1:]} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("hash %q was taken", bad)
		}
	}
	words := []any{
		KindOrder, KindMisroute, Kind(0), Kind(42), Accept, Scrap, Ruling(0), Ruling(9), Consumed, Phase(9), ChangeEnrol, ChangeKind(0), ChangeKind(9),
		RoleGateway | RoleQuality, Role(0),
	}
	want := []string{
		"order", "misroute", "kind-0", "kind-42", "accept", "scrap", "ruling-0", "ruling-9", "consumed", "unknown", "enrol", "change 0", "change 9",
		"gateway,quality", "",
	}
	var got []string
	for _, w := range words {
		got = append(got, fmt.Sprint(w))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i, name := range roleNames {
		if r, err := ParseRole(name); err != nil || r != 1<<i {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
	for k, known := range map[Kind]bool{0: false, KindOrder: true, KindMisroute: true, 10: false, 255: false} {
		if k.Known() != known {
			t.Errorf("%s known: %v", k, !known)
		}
	}
	if (PublicKey{Alg: Ed25519}).IsZero() || (PublicKey{Bytes: []byte{1}}).IsZero() || !(PublicKey{Bytes: []byte{}}).IsZero() {
		t.Error("a key is absent when it has neither algorithm nor bytes")
	}
	if _, err := ParseRole("boss"); err == nil {
		t.Error("a role that is none was taken")
	}
}

// TestStrangeKeysVerifyNothing: a key that Check refuses neither verifies nor
// panics, wherever it came from.
func TestStrangeKeysVerifyNothing(t *testing.T) {
	d := plantHash("message")
	sig, err := sign(plantSigner("ada"), d)
	if err != nil {
		t.Fatal(err)
	}
	good := plantKey("ada")
	if err := good.verify(d, sig); err != nil {
		t.Error(err)
	}
	for _, k := range []PublicKey{{}, {Alg: RSA, Bytes: good.Bytes}, {Alg: 3, Bytes: good.Bytes}, {Alg: Ed25519}, {Alg: Ed25519, Bytes: good.Bytes[:31]}} {
		if err := k.verify(d, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%+v: %v", k, err)
		}
	}
	for _, s := range [][]byte{nil, sig[:63], append(sig[:64:64], 0)} {
		if err := good.verify(d, s); !errors.Is(err, ErrSignature) {
			t.Errorf("signature of %d bytes: %v", len(s), err)
		}
	}
}

// TestRSAKeys: keys of the three sizes sign and verify, whoever holds them; what
// is weak, or of another form, is no key.
func TestRSAKeys(t *testing.T) {
	d := plantHash("message")
	for name, bits := range map[string]int{"pete-2048": 2048, "mill-3072": 3072, "wulf-4096": 4096} {
		key := plantKey(name)
		mustNot(t, key.Check())
		if got := key.Describe(); got != fmt.Sprintf("RSA-%d", bits) {
			t.Errorf("%s is %s", name, got)
		}
		sig, err := sign(token{plantSigner(name)}, d)
		mustNot(t, err)
		if len(sig) != bits/8 {
			t.Errorf("%s: a signature of %d bytes", name, len(sig))
		}
		mustNot(t, key.verify(d, sig))
		for _, bad := range [][]byte{nil, sig[1:], append([]byte{0}, sig...), make([]byte, len(sig)), bytes.Repeat([]byte{0xff}, len(sig))} {
			if err := key.verify(d, bad); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %d other bytes: %v", name, len(bad), err)
			}
		}
		for _, other := range []PublicKey{plantKey("anna-3072"), {Alg: Ed25519, Bytes: key.Bytes}, {Alg: RSA}} {
			if err := other.verify(d, sig); !errors.Is(err, ErrSignature) {
				t.Errorf("%s's signature under %s: %v", name, other.Describe(), err)
			}
		}
	}
	for _, w := range weakModuli() {
		key := PublicKey{Alg: RSA, Bytes: w.Bytes}
		var f *FieldError
		if err := key.Check(); !errors.As(err, &f) || f.Object != "key" || f.Field != "bytes" {
			t.Errorf("%s: %v", w.Why, err)
		}
		if err := key.verify(d, make([]byte, len(w.Bytes))); !errors.Is(err, ErrSignature) {
			t.Errorf("%s verifies: %v", w.Why, err)
		}
	}
}

// token is a key that only signs, as one in hardware does.
type token struct{ crypto.Signer }

// odd is a key with another exponent than the ledger's.
type odd struct{ token }

func (o odd) Public() crypto.PublicKey {
	k := *o.token.Public().(*rsa.PublicKey)
	k.E = 3
	return &k
}

func TestPublicKeyOf(t *testing.T) {
	if _, err := PublicKeyOf(odd{token{plantSigner("pete-2048")}}); err == nil || !strings.Contains(err.Error(), "65537") {
		t.Errorf("exponent 3: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	mustNot(t, err)
	if _, err := PublicKeyOf(other); err == nil {
		t.Error("an ECDSA key was taken")
	}
	if got := (PublicKey{Alg: 9}).Describe(); got != "algorithm 9" {
		t.Error(got)
	}
}

// manyAdmins are admins with the largest keys. The moduli have no known factors:
// nobody signs with them here.
func manyAdmins(n int) []Admin {
	modulus := new(big.Int).SetBytes(plantKey("wulf-4096").Bytes)
	return repeat(n, func(i int) Admin {
		key := PublicKey{Alg: RSA}
		for key.Check() != nil {
			key.Bytes = modulus.Sub(modulus, big.NewInt(2)).Bytes()
		}
		return Admin{Name: fmt.Sprintf("%s-%02d", longText(61), i), Key: key}
	})
}

// TestRSALimits: the objects with the most and largest keys and signatures still
// fit, and what does not is refused before it is anybody's.
func TestRSALimits(t *testing.T) {
	g, err := NewGenesis(Genesis{Name: "n", Admins: manyAdmins(64), Threshold: 33, Recovery: plantKey("rescue-4096")})
	mustNot(t, err)
	if _, err := ParseGenesis(g.Raw()); err != nil {
		t.Error(err)
	}
	p := newTestPlant(t)
	change := []Change{{Kind: ChangeAdmins, Admins: manyAdmins(64), Threshold: 33}}
	for n, fits := range map[int]bool{51: true, 52: false} {
		s := Statement{Version: Version, Changes: change, BuildsOn: manyHashes(16), Time: plantTime, Sigs: repeat(n, func(i int) StatementSig {
			return StatementSig{Key: KeyID{byte(i), 1}, Sig: make([]byte, 512)}
		})}
		if _, err := ParseStatement(p.net, encode(s)); (err == nil) != fits {
			t.Errorf("%d signatures: %v", n, err)
		}
	}
	w := newRSAWorld(t)
	long := plantOrder()
	long.Design = longText(2048)
	if tx := w.p.signed(t, "wulf-4096", Tx{Body: long}); len(tx.Sig) != 512 {
		t.Errorf("a signature of %d bytes", len(tx.Sig))
	}
}
