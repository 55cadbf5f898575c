package ledger_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"testing"
)

// second is the second reader at the vectors.
type second struct {
	t       *testing.T
	tables  tables
	network []byte
	keys    map[string]crypto.PublicKey // by key id
}

type object = map[string]any

func newSecond(t *testing.T) (*second, object) { return newSecondOf(t, "vectors.json") }

// newSecondOf is the second reader at the vectors of a file.
func newSecondOf(t *testing.T, file string) (*second, object) {
	t.Helper()
	s := &second{t: t, tables: readTables(t), keys: map[string]crypto.PublicKey{}}
	v := readJSON(t, "testdata/"+file).(object)
	for _, k := range v["keys"].([]any) {
		k := k.(object)
		public := s.bytes(k["public"])
		id := sha256.Sum256(append([]byte{byte(k["alg"].(int64))}, public...))
		s.equal(k["key_id"], hex.EncodeToString(id[:16]), "key %s: id", k["name"])
		s.keys[k["key_id"].(string)] = s.publicKey(k)
	}
	g := v["genesis"].(object)
	raw := s.bytes(g["raw"])
	s.fields("genesis", raw, g["fields"])
	id := sha256.Sum256(raw)
	s.network = id[:]
	s.equal(g["network"], hex.EncodeToString(s.network), "network id")
	return s, v
}

// publicKey is the key of a vector as the standard library has it, compared with
// the private half.
func (s *second) publicKey(k object) crypto.PublicKey {
	s.t.Helper()
	public := s.bytes(k["public"])
	if k["alg"] == int64(1) {
		if !bytes.Equal(ed25519.NewKeyFromSeed(s.bytes(k["seed"])).Public().(ed25519.PublicKey), public) {
			s.t.Errorf("key %s: the public key is not that of the seed", k["name"])
		}
		return ed25519.PublicKey(public)
	}
	private, err := x509.ParsePKCS8PrivateKey(s.bytes(k["pkcs8"]))
	if err != nil {
		s.t.Fatal(err)
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(public), E: 65537}
	if !key.Equal(private.(*rsa.PrivateKey).Public()) || len(public) != key.Size() {
		s.t.Errorf("key %s: the public key is not that of the private one", k["name"])
	}
	return key
}

func readJSON(t *testing.T, path string) any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return integers(v)
}

// integers turns JSON numbers into int64.
func integers(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			panic(fmt.Sprintf("vectors hold the number %s", v))
		}
		return n
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case object:
		for k := range v {
			v[k] = integers(v[k])
		}
	}
	return v
}

func (s *second) bytes(v any) []byte {
	s.t.Helper()
	raw, err := hex.DecodeString(v.(string))
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s *second) equal(got, want any, what string, args ...any) {
	s.t.Helper()
	if !reflect.DeepEqual(got, want) {
		s.t.Errorf("%s is %v, want %v", fmt.Sprintf(what, args...), got, want)
	}
}

// fields reads raw and compares field by field with the vector.
func (s *second) fields(kind string, raw []byte, want any) object {
	s.t.Helper()
	got, err := s.tables.read(kind, raw)
	if err != nil {
		s.t.Fatalf("%s: %v", kind, err)
	}
	s.compare(kind, any(got), want)
	v, _ := readCBOR(raw)
	if !bytes.Equal(writeCBOR(v), raw) {
		s.t.Errorf("%s: written again it differs", kind)
	}
	return got
}

func (s *second) compare(at string, got, want any) {
	s.t.Helper()
	if g, ok := got.(object); ok {
		w, _ := want.(object)
		for k := range w {
			if _, ok := g[k]; !ok {
				s.t.Errorf("%s.%s is in the vector and not in the bytes", at, k)
			}
		}
		for k := range g {
			s.compare(at+"."+k, g[k], w[k])
		}
		return
	}
	if g, ok := got.([]any); ok {
		w, _ := want.([]any)
		s.equal(len(g), len(w), "length of %s", at)
		for i := range min(len(g), len(w)) {
			s.compare(fmt.Sprintf("%s[%d]", at, i), g[i], w[i])
		}
		return
	}
	s.equal(got, want, "%s", at)
}

// signed returns what a signature of an object without one field covers.
func (s *second) signed(label string, raw []byte, sigKey int64) []byte {
	v, err := readCBOR(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return hashOf(label, s.network, writeCBOR(without(v, sigKey)))
}

func (s *second) verify(key any, digest []byte, sig any) bool {
	s.t.Helper()
	switch public := s.keys[key.(string)].(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, digest, s.bytes(sig))
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, s.bytes(sig)) == nil
	}
	return false
}

func TestSecondReaderStatements(t *testing.T) {
	s, v := newSecond(t)
	s.equal(len(s.statements(v)), 7, "kinds of change")
}

// TestSecondReaderRSA reads the objects of a network in which RSA signs, too.
func TestSecondReaderRSA(t *testing.T) {
	s, v := newSecondOf(t, "vectors-rsa.json")
	s.equal(len(s.statements(v)), 5, "kinds of change")
	for _, x := range v["transactions"].([]any) {
		s.transaction(x.(object))
	}
	for _, x := range v["blocks"].([]any) {
		s.block(x.(object))
	}
	s.frontiersAndEvidence(v)
}

// statements reads all statements and returns the kinds of change in them.
func (s *second) statements(v object) map[int64]bool {
	kinds := map[int64]bool{}
	var before string
	for _, x := range v["statements"].([]any) {
		x := x.(object)
		raw := s.bytes(x["raw"])
		f := s.fields("statement", raw, x["fields"])
		d := s.signed("traveler/1/roster/sig", raw, 5)
		s.equal(x["signed"], hex.EncodeToString(d), "%s: digest", x["name"])
		s.equal(x["hash"], hex.EncodeToString(hashOf("traveler/1/roster", s.network, raw)), "%s: hash", x["name"])
		for _, g := range f["sigs"].([]any) {
			if !s.verify(g.(object)["key"], d, g.(object)["sig"]) {
				s.t.Errorf("%s: signature of %s", x["name"], g.(object)["key"])
			}
		}
		for _, c := range f["changes"].([]any) {
			kinds[c.(object)["kind"].(int64)] = true
		}
		if before != "" {
			s.equal(f["builds_on"], []any{before}, "%s: builds_on", x["name"])
		}
		before = x["hash"].(string)
	}
	return kinds
}

func TestSecondReaderTransactions(t *testing.T) {
	s, v := newSecond(t)
	seen := map[any]int{}
	for _, x := range v["transactions"].([]any) {
		if s.transaction(x.(object)) {
			seen["signed"]++
		}
		seen[x.(object)["kind"]]++
	}
	for _, k := range kinds {
		if seen[k] == 0 {
			t.Errorf("no vector of a %s", k)
		}
	}
	if seen["kind-42"] == 0 || seen["signed"] == 0 {
		t.Error("no vector of an unknown kind or a signed one")
	}
}

// transaction reads a transaction and reports whether it has a signature.
func (s *second) transaction(x object) bool {
	raw := s.bytes(x["raw"])
	f := s.fields("transaction", raw, x["fields"])
	s.equal(x["id"], hex.EncodeToString(hashOf("traveler/1/tx", s.network, raw)), "%s: id", x["name"])
	if name, known := kinds[f["kind"].(int64)]; known {
		s.equal(x["kind"], name, "%s: kind", x["name"])
	}
	sig, ok := f["sig"]
	if ok {
		d := s.signed("traveler/1/tx/sig", raw, 11)
		s.equal(x["signed"], hex.EncodeToString(d), "%s: digest", x["name"])
		if !s.verify(f["sender"], d, sig) {
			s.t.Errorf("%s: the sender's signature", x["name"])
		}
	}
	return ok
}

// block reads a block and returns its header and hash.
func (s *second) block(x object) (header object, hash string) {
	raw := s.bytes(x["raw"])
	f := s.fields("block", raw, x["fields"])
	h := f["header"].(object)
	v, _ := readCBOR(raw)
	parts := v.([]any)
	hash = hex.EncodeToString(hashOf("traveler/1/block", s.network, writeCBOR(parts[:2])))
	s.equal(x["hash"], hash, "hash of block %d", h["height"])
	d := hashOf("traveler/1/block/sig", s.network, parts[0].([]byte))
	s.equal(x["signed"], hex.EncodeToString(d), "digest of block %d", h["height"])
	if !s.verify(h["author"], d, f["sig"]) {
		s.t.Errorf("block %d: signature", h["height"])
	}
	var ids [][]byte
	for i, tx := range parts[2].([]any) {
		ids = append(ids, hashOf("traveler/1/tx", s.network, tx.([]byte)))
		s.equal(x["ids"].([]any)[i], hex.EncodeToString(ids[i]), "id %d", i)
	}
	s.equal(h["root"], hex.EncodeToString(rootOf(ids)), "root of block %d", h["height"])
	return h, hash
}

func TestSecondReaderBlocks(t *testing.T) {
	s, v := newSecond(t)
	genesis := v["genesis"].(object)["network"].(string)
	height := map[string]int64{genesis: 0}
	skip := map[string]string{genesis: genesis}
	joins := 0
	blocks := append([]any(nil), v["blocks"].([]any)...)
	// The branch first, so that its join finds it.
	blocks = append(blocks[:20:20], append(append([]any(nil), blocks[24:]...), blocks[20:24]...)...)
	for _, x := range blocks {
		h, hash := s.block(x.(object))
		p := h["prev"].(string)
		at, ok := height[p]
		if !ok {
			t.Fatalf("block %d: prev is not among the vectors", h["height"])
		}
		s.equal(h["height"], at+1, "height")
		want, sk := p, skip[p]
		if at-height[sk] == height[sk]-height[skip[sk]] {
			want = skip[sk]
		}
		s.equal(h["skip"], want, "skip of block %d", h["height"])
		if also, ok := h["also"].(string); ok {
			joins++
			if height[also] == 0 || height[also] > at || also == p {
				t.Errorf("block %d joins %s at height %d", h["height"], also, height[also])
			}
		}
		height[hash], skip[hash] = at+1, want
	}
	s.equal(joins, 1, "number of joins")
	for _, r := range v["roots"].([]any) {
		r := r.(object)
		var ids [][]byte
		for _, id := range r["ids"].([]any) {
			ids = append(ids, s.bytes(id))
		}
		s.equal(r["root"], hex.EncodeToString(rootOf(ids)), "root of %d ids", len(ids))
	}
}

func TestSecondReaderFrontiersAndEvidence(t *testing.T) {
	s, v := newSecond(t)
	s.frontiersAndEvidence(v)
}

func (s *second) frontiersAndEvidence(v object) {
	for _, x := range v["frontiers"].([]any) {
		x := x.(object)
		raw := s.bytes(x["raw"])
		f := s.fields("frontier", raw, x["fields"])
		d := s.signed("traveler/1/frontier/sig", raw, 5)
		s.equal(x["signed"], hex.EncodeToString(d), "frontier: digest")
		if !s.verify(f["witness"], d, f["sig"]) {
			s.t.Error("frontier: signature")
		}
	}
	for _, x := range v["evidence"].([]any) {
		x := x.(object)
		raw := s.bytes(x["raw"])
		s.fields("evidence", raw, x["fields"])
		author, height, a, b, err := s.evidence(raw)
		if err != nil {
			s.t.Fatal(err)
		}
		s.equal(x["author"], author, "author of the evidence")
		s.equal(x["height"], height, "height of the evidence")
		s.equal(x["a"], a, "first block of the evidence")
		s.equal(x["b"], b, "second block of the evidence")
	}
}

// evidence judges by §8.
func (s *second) evidence(raw []byte) (author any, height any, a, b string, err error) {
	v, err := readCBOR(raw)
	if err != nil {
		return nil, nil, "", "", err
	}
	var heads []object
	var hashes []string
	for _, key := range []int64{2, 3} {
		head, hash, err := s.side(v.(cborMap).values[key].([]any))
		if err != nil {
			return nil, nil, "", "", err
		}
		heads, hashes = append(heads, head), append(hashes, hash)
	}
	if heads[0]["author"] != heads[1]["author"] || heads[0]["height"] != heads[1]["height"] || hashes[0] >= hashes[1] {
		return nil, nil, "", "", fmt.Errorf("the two sides do not contradict each other")
	}
	return heads[0]["author"], heads[0]["height"], hashes[0], hashes[1], nil
}

func (s *second) side(side []any) (first object, hash string, err error) {
	var below string
	for i, x := range side {
		pair := x.([]any)
		h, err := s.tables.read("header", pair[0].([]byte))
		if err != nil {
			return nil, "", err
		}
		linked := h["prev"] == below || h["also"] == below || h["skip"] == below
		if i > 0 && (!linked || h["author"] != first["author"]) {
			return nil, "", fmt.Errorf("header %d does not link", i)
		}
		below = hex.EncodeToString(hashOf("traveler/1/block", s.network, writeCBOR(pair)))
		if i == 0 {
			first, hash = h, below
		}
		if i == len(side)-1 {
			d := hashOf("traveler/1/block/sig", s.network, pair[0].([]byte))
			if !s.verify(h["author"], d, hex.EncodeToString(pair[1].([]byte))) {
				return nil, "", fmt.Errorf("the last header's signature does not verify")
			}
		}
	}
	return first, hash, nil
}

// TestSecondReaderRefuses holds the second reader to the negative vectors.
func TestSecondReaderRefuses(t *testing.T) {
	for good, bad := range map[string]string{"vectors.json": "vectors-refused.json", "vectors-rsa.json": "vectors-rsa-refused.json"} {
		s, _ := newSecondOf(t, good)
		s.refuses(readJSON(t, "testdata/"+bad).([]any))
	}
}

func (s *second) refuses(vectors []any) {
	t := s.t
	for _, x := range vectors {
		x := x.(object)
		kind, why, raw := x["object"].(string), x["why"], s.bytes(x["raw"])
		f, err := s.tables.read(kind, raw)
		if err == nil && kind == "block" {
			err = s.rootFits(f, raw)
		}
		if x["at"] == "form" {
			if err == nil {
				t.Errorf("%s, %s: taken", kind, why)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, %s: refused by its form: %v", kind, why, err)
			continue
		}
		if s.authentic(kind, f, raw) {
			t.Errorf("%s, %s: taken", kind, why)
		}
	}
}

func (s *second) rootFits(f object, raw []byte) error {
	v, err := readCBOR(raw)
	if err != nil {
		return err
	}
	var ids [][]byte
	for _, tx := range v.([]any)[2].([]any) {
		ids = append(ids, hashOf("traveler/1/tx", s.network, tx.([]byte)))
	}
	if root := hex.EncodeToString(rootOf(ids)); root != f["header"].(object)["root"] {
		return fmt.Errorf("root is %s", root)
	}
	return nil
}

func (s *second) authentic(kind string, f object, raw []byte) bool {
	switch kind {
	case "transaction":
		return s.verify(f["sender"], s.signed("traveler/1/tx/sig", raw, 11), f["sig"])
	case "frontier":
		return s.verify(f["witness"], s.signed("traveler/1/frontier/sig", raw, 5), f["sig"])
	case "statement":
		d := s.signed("traveler/1/roster/sig", raw, 5)
		for _, g := range f["sigs"].([]any) {
			if !s.verify(g.(object)["key"], d, g.(object)["sig"]) {
				return false
			}
		}
		return true
	case "block":
		v, _ := readCBOR(raw)
		h := f["header"].(object)
		return s.verify(h["author"], hashOf("traveler/1/block/sig", s.network, v.([]any)[0].([]byte)), f["sig"])
	case "evidence":
		_, _, _, _, err := s.evidence(raw)
		return err == nil
	}
	return true
}
