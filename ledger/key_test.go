package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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
	for _, k := range []PublicKey{{}, {Alg: 2, Bytes: good.Bytes}, {Alg: Ed25519}, {Alg: Ed25519, Bytes: good.Bytes[:31]}} {
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
