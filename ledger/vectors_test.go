package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var updateVectors = flag.Bool("update-vectors", false, "write testdata/vectors*.json anew")

// vectors is testdata/vectors.json (PROTOCOL.md §15).
type vectors struct {
	Protocol     int               `json:"protocol"`
	Keys         []keyVector       `json:"keys"`
	Genesis      genesisVector     `json:"genesis"`
	Statements   []statementVector `json:"statements"`
	Transactions []txVector        `json:"transactions"`
	Blocks       []blockVector     `json:"blocks"`
	Roots        []rootVector      `json:"roots"`
	Frontiers    []frontierVector  `json:"frontiers"`
	Evidence     []evidenceVector  `json:"evidence"`
}

type keyVector struct {
	Name   string `json:"name"`
	Seed   string `json:"seed,omitempty"`
	Alg    int    `json:"alg"`
	Public string `json:"public"`
	KeyID  string `json:"key_id"`
	PKCS8  string `json:"pkcs8,omitempty"` // an RSA key's private half
}

type genesisVector struct {
	Fields  any    `json:"fields"`
	Raw     string `json:"raw"`
	Network string `json:"network"`
}

type statementVector struct {
	Name   string `json:"name"`
	Fields any    `json:"fields"`
	Raw    string `json:"raw"`
	Signed string `json:"signed"` // the digest
	Hash   string `json:"hash"`
}

type txVector struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Fields any    `json:"fields"`
	Raw    string `json:"raw"`
	Signed string `json:"signed,omitempty"` // the digest
	ID     string `json:"id"`
}

type blockVector struct {
	Name   string   `json:"name"`
	Fields any      `json:"fields"`
	Raw    string   `json:"raw"`
	Signed string   `json:"signed"` // the digest
	Hash   string   `json:"hash"`
	IDs    []string `json:"ids"`
}

type rootVector struct {
	IDs  []string `json:"ids"`
	Root string   `json:"root"`
}

type frontierVector struct {
	Fields any    `json:"fields"`
	Raw    string `json:"raw"`
	Signed string `json:"signed"`
}

type evidenceVector struct {
	Name   string `json:"name"`
	Fields any    `json:"fields"`
	Raw    string `json:"raw"`
	Author string `json:"author"`
	Height uint64 `json:"height"`
	A      string `json:"a"`
	B      string `json:"b"`
}

// snake writes a Go field's name as PROTOCOL.md does.
func snake(name string) string {
	if name == "ID" {
		return "id"
	}
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// fieldTree shows a value of a wire type under the names of PROTOCOL.md §4.
func fieldTree(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			omit := strings.Contains(f.Tag.Get("cbor"), "omit")
			if f.PkgPath != "" || omit && (v.Field(i).IsZero() || v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() == 0) {
				continue
			}
			out[snake(f.Name)] = fieldTree(v.Field(i))
		}
		return out
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			raw := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(raw), v)
			return hex.EncodeToString(raw)
		}
		out := []any{}
		for i := range v.Len() {
			out = append(out, fieldTree(v.Index(i)))
		}
		return out
	}
	return v.Interface()
}

func treeOf(v any) any { return fieldTree(reflect.ValueOf(v)) }

func txTree(t Tx) any {
	tree := treeOf(t.wire()).(map[string]any)
	if _, unknown := t.Body.(Unknown); !unknown {
		tree["body"] = treeOf(t.Body)
	}
	return tree
}

func signedTree(t testing.TB, s SignedHeader) map[string]any {
	t.Helper()
	h, err := parseHeader(s.Header, s.Sig)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"header": treeOf(h), "sig": hex.EncodeToString(s.Sig)}
}

// vectorWorld makes every object of the vectors, the same in every run.
type vectorWorld struct {
	p          *testPlant
	statements []Statement
	names      []string
	txs        []Tx
	txNames    []string
	main       *plantChain
	other      *plantChain
	joined     Block
	fork       int // height at which other leaves main
}

func newVectorWorld(t testing.TB) *vectorWorld {
	w := &vectorWorld{p: newTestPlant(t)}
	w.sayAll(t)
	w.txAll(t)
	w.sealAll(t)
	return w
}

func (w *vectorWorld) say(t testing.TB, name string, changes []Change, signers ...string) {
	t.Helper()
	s := w.p.statement(t, changes, signers...)
	if err := w.p.reg.Add(s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	w.statements, w.names = append(w.statements, s), append(w.names, name)
}

func (w *vectorWorld) sayAll(t testing.TB) {
	w.say(t, "enrol", plantStaff())
	w.say(t, "assign", plantStations(), "ada", "ben", "cy")
	w.say(t, "parameter", []Change{{Kind: ChangeParameter, Name: "retention-days", Value: 3650}, {Kind: ChangeParameter, Name: "none"}})
	w.say(t, "ticket", []Change{{
		Kind: ChangeTicket, Name: "saw", Key: plantKey("code"), Roles: RoleGateway, Station: "saw-1", WorkCentre: "sawing", Intake: 1,
	}})
	w.say(t, "redeem", []Change{{Kind: ChangeRedeem, Subject: plantID("code"), Key: plantKey("saw")}}, "code", "saw")
	heads := []Hash{plantHash("head-1"), plantHash("head-2")}
	if compare(heads[0], heads[1]) > 0 {
		heads[0], heads[1] = heads[1], heads[0]
	}
	w.say(t, "revoke", []Change{{Kind: ChangeRevoke, Subject: plantID("spare"), Heads: heads}, {Kind: ChangeRevoke, Subject: plantID("olga")}})
	admins := []Admin{{Name: "ada", Key: plantKey("ada")}, {Name: "ben", Key: plantKey("ben")}}
	w.say(t, "admins", []Change{{Kind: ChangeAdmins, Admins: admins, Threshold: 2}}, "recovery")
}

func (w *vectorWorld) keep(name string, tx Tx) TxID {
	w.txs, w.txNames = append(w.txs, tx), append(w.txNames, name)
	return tx.ID()
}

func (w *vectorWorld) txAll(t testing.TB) {
	p := w.p
	order := w.keep("order, signed by the planner", p.signed(t, "paula", Tx{Body: plantOrder(), Clock: ClockSynchronised}))
	w.keep("order, cancelled", p.signed(t, "paula", Tx{Body: Order{ID: "WO-0", Product: "bracket", Replaces: order, Cancelled: 1}}))
	take := Intake{Station: "entrance", Label: "B-0001", Tags: []string{"E2801160", "04A1B2C3"}, Order: order, Product: "bracket", Lot: "L7", Options: []Option{toDrill}}
	item := w.keep("intake", p.own(t, "gate", Tx{Body: take}))
	accepted := w.keep("verdict, accept", p.own(t, "drill-a", Tx{
		Item: item, After: []TxID{item}, Operators: []KeyID{plantID("olga"), plantID("wanda")},
		Body: Verdict{Station: "drill-1", Operation: "10", Task: "drill", Ruling: Accept, Tag: "E2801160", Weight: 120500, Note: []byte{1, 2, 3}},
	}))
	done := w.keep("report, ok", p.own(t, "drill-a", Tx{Item: item, After: []TxID{accepted}, Clock: ClockSynchronised, Body: Report{
		Station: "drill-1", Operation: "10", Task: "drill", Outcome: OutcomeOK, Weight: 119000, Options: []Option{toPress, toDrill}, Note: "Bohrung entgratet ✓",
		Measurements: []Measurement{{Name: "bore", Value: 1203, Exponent: -2, Unit: "mm"}, {Name: "drift", Value: -7, Unit: "um"}},
	}}))
	w.keep("report, fail", p.own(t, "drill-a", Tx{Item: item, After: []TxID{accepted}, Body: Report{
		Station: "drill-1", Operation: "10", Task: "drill", Outcome: OutcomeFail, Failure: "bit broken",
	}}))
	w.keep("report with inputs", p.own(t, "press", Tx{Item: item, After: []TxID{done}, Body: Report{
		Station: "press-1", Operation: "20", Task: "press", Outcome: OutcomeOK,
		Inputs: []Input{{Item: plantHash("part-1"), Head: plantHash("head-1")}, {Item: plantHash("part-2"), Head: plantHash("head-2")}},
	}}))
	back := w.keep("verdict, return", p.own(t, "press", Tx{Item: item, After: []TxID{done}, Body: Verdict{
		Station: "press-1", Operation: "20", Task: "press", Option: 0, Ruling: Return, Reason: "bore too wide",
	}}))
	w.keep("verdict, set aside", p.own(t, "press", Tx{Item: item, After: []TxID{done}, Body: Verdict{
		Station: "press-1", Operation: "10", Task: "drill", Option: 1, Ruling: SetAside, Reason: "cracked",
	}}))
	w.keep("disposition, signed by quality", p.signed(t, "quinn", Tx{Item: item, After: []TxID{back, done}, Body: Disposition{
		Ruling: ReworkAt, Operation: "10", Task: "drill", Place: "drill-2", Order: order, Reason: "ream to 12 mm",
	}}))
	w.keep("disposition, own", p.own(t, "office", Tx{Item: item, After: []TxID{done}, Body: Disposition{Ruling: Scrap, Reason: "cracked"}}))
	w.keep("withdraw, target", p.own(t, "drill-a", Tx{Item: item, After: []TxID{done}, Body: Withdraw{Target: done, Reason: "wrong piece"}}))
	w.keep("withdraw, keeps", p.own(t, "drill-a", Tx{Item: item, After: []TxID{done, back}, Body: Withdraw{Keeps: done}}))
	w.keep("amend", p.own(t, "drill-a", Tx{Item: item, About: []TxID{done}, Body: Amend{
		Measurements: []Measurement{{Name: "bore", Value: 1202, Exponent: -2, Unit: "mm"}}, Weight: 119001, Failure: "none", Note: "n", Reason: "misread",
	}}))
	w.keep("bind", p.own(t, "drill-a", Tx{Item: item, About: []TxID{accepted}, Body: Bind{Tags: []string{"E2801161"}, Supersedes: []TxID{item}}}))
	w.keep("misroute", p.own(t, "press", Tx{Item: item, Body: Misroute{Station: "press-1", Tag: "E2801160"}}))
	w.keep("unknown kind", p.own(t, "gate", Tx{
		Item: item, After: []TxID{done}, About: []TxID{accepted}, Body: Unknown{Number: 42, Bytes: []byte{0xa1, 0x01, 0x02}},
	}))
}

// sealAll makes drill-a's chain: 24 blocks, of which 22 and 23 stand on a branch
// from 20 on as well, joined by the last one.
func (w *vectorWorld) sealAll(t testing.TB) {
	w.main = w.p.chain("drill-a")
	w.main.seal(t, nil, w.txs[:4]...)
	w.main.seal(t, nil, w.txs[4])
	w.main.seal(t, nil)
	w.main.seal(t, nil, w.txs[5:]...)
	for len(w.main.blocks) < 20 {
		w.main.seal(t, nil)
	}
	w.fork = 20
	w.other = w.main.branch(w.fork)
	w.other.seal(t, nil, w.txs[6])
	w.other.seal(t, nil)
	w.main.seal(t, nil, w.txs[7])
	w.main.seal(t, nil)
	w.main.seal(t, nil)
	also := w.other.head
	w.joined = w.main.seal(t, &also)
}

func (w *vectorWorld) blocks() []Block {
	return append(append([]Block(nil), w.main.blocks...), w.other.blocks[w.fork:]...)
}

func (w *vectorWorld) evidence(t testing.TB) map[string]Evidence {
	a, b := w.main.blocks[20].Signed(), w.other.blocks[20].Signed()
	direct, err := NewEvidence(w.p.net, []SignedHeader{a}, []SignedHeader{b})
	if err != nil {
		t.Fatal(err)
	}
	broken := SignedHeader{Header: b.Header, Sig: bytes.Repeat([]byte{7}, 64)}
	// A block without a good signature of its own, vouched for by one after it.
	h := w.other.blocks[21].Header()
	h.Prev, h.Skip = broken.hash(w.p.net), plantHash("skip")
	raw := encode(h)
	sig, err := sign(plantSigner("drill-a"), headerDigest(w.p.net, raw))
	if err != nil {
		t.Fatal(err)
	}
	linked, err := NewEvidence(w.p.net, []SignedHeader{a, w.main.blocks[21].Signed()}, []SignedHeader{broken, {Header: raw, Sig: sig}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Evidence{"direct": direct, "linked": linked}
}

func (w *vectorWorld) frontier(t testing.TB) Frontier {
	f, err := SignFrontier(w.p.net, plantSigner("wanda"), plantTime, []Ref{
		w.main.blocks[22].Ref(), w.other.blocks[21].Ref(), {Author: plantID("gate"), Height: 7, Hash: plantHash("gate/7")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (w *vectorWorld) vectors(t testing.TB) vectors {
	v := w.objects(t,
		"ada", "ben", "cy", "recovery", "gate", "drill-a", "drill-b", "press", "spare", "office", "paula", "quinn", "olga", "wanda", "code", "saw")
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 17} {
		r := rootVector{IDs: []string{}}
		var ids []TxID
		for i := range n {
			ids = append(ids, plantHash(string(rune('a'+i))))
			r.IDs = append(r.IDs, ids[i].String())
		}
		r.Root = MerkleRoot(ids).String()
		v.Roots = append(v.Roots, r)
	}
	v.Frontiers = []frontierVector{w.frontierVector(w.frontier(t))}
	e := w.evidence(t)
	for _, name := range []string{"direct", "linked"} {
		v.Evidence = append(v.Evidence, w.evidenceVector(t, name, e[name]))
	}
	return v
}

// objects are the vectors of the keys named, and of genesis, statements,
// transactions and blocks.
func (w *vectorWorld) objects(t testing.TB, keys ...string) vectors {
	v := vectors{Protocol: Version}
	for _, name := range keys {
		v.Keys = append(v.Keys, keyVectorOf(t, name))
	}
	g := w.p.genesis
	v.Genesis = genesisVector{Fields: treeOf(g), Raw: hex.EncodeToString(g.Raw()), Network: w.p.net.String()}
	for i, s := range w.statements {
		v.Statements = append(v.Statements, statementVector{
			Name: w.names[i], Fields: treeOf(s), Raw: hex.EncodeToString(s.Raw()), Signed: s.sigDigest(w.p.net).String(), Hash: s.Hash().String(),
		})
	}
	for i, tx := range w.txs {
		x := txVector{Name: w.txNames[i], Kind: tx.Kind.String(), Fields: txTree(tx), Raw: hex.EncodeToString(tx.Raw()), ID: tx.ID().String()}
		if len(tx.Sig) > 0 {
			x.Signed = tx.sigDigest(w.p.net).String()
		}
		v.Transactions = append(v.Transactions, x)
	}
	for i, b := range w.blocks() {
		v.Blocks = append(v.Blocks, w.blockVector(t, i, b))
	}
	return v
}

func keyVectorOf(t testing.TB, name string) keyVector {
	k := plantKey(name)
	v := keyVector{Name: name, Alg: int(k.Alg), Public: hex.EncodeToString(k.Bytes), KeyID: k.ID().String()}
	if s, ok := plantSigner(name).(ed25519.PrivateKey); ok {
		v.Seed = hex.EncodeToString(s.Seed())
		return v
	}
	der, err := x509.MarshalPKCS8PrivateKey(plantSigner(name))
	mustNot(t, err)
	v.PKCS8 = hex.EncodeToString(der)
	return v
}

func (w *vectorWorld) frontierVector(f Frontier) frontierVector {
	return frontierVector{Fields: treeOf(f), Raw: hex.EncodeToString(f.Raw()), Signed: f.sigDigest(w.p.net).String()}
}

func (w *vectorWorld) blockVector(t testing.TB, i int, b Block) blockVector {
	name := "chain"
	if i >= len(w.main.blocks) {
		name = "branch"
	}
	fields := signedTree(t, b.Signed())
	txs, ids := []any{}, []string{}
	for _, tx := range b.Txs() {
		txs, ids = append(txs, txTree(tx)), append(ids, tx.ID().String())
	}
	fields["txs"] = txs
	return blockVector{
		Name: name, Fields: fields, Raw: hex.EncodeToString(b.Raw()), Signed: b.sigDigest.String(), Hash: b.Hash().String(), IDs: ids,
	}
}

func (w *vectorWorld) evidenceVector(t testing.TB, name string, e Evidence) evidenceVector {
	author := w.main.author
	a, b, err := e.Verify(w.p.net, func(k KeyID) (PublicKey, bool) { return plantKey(author), k == plantID(author) })
	if err != nil {
		t.Fatal(err)
	}
	side := func(hs []SignedHeader) []any {
		var out []any
		for _, h := range hs {
			out = append(out, signedTree(t, h))
		}
		return out
	}
	fields := map[string]any{"version": Version, "a": side(e.A), "b": side(e.B)}
	return evidenceVector{
		Name: name, Fields: fields, Raw: hex.EncodeToString(e.Raw()), Author: a.Author.String(), Height: a.Height, A: a.Hash.String(), B: b.Hash.String(),
	}
}

// TestVectors holds the program to the vectors committed. They were made once;
// a change of a byte in them is a change of the protocol.
func TestVectors(t *testing.T) {
	w := newVectorWorld(t)
	compareVectors(t, "vectors.json", w.vectors(t))
	compareVectors(t, "vectors-refused.json", w.refused(t))
	r := newRSAWorld(t)
	compareVectors(t, "vectors-rsa.json", r.rsaVectors(t))
	compareVectors(t, "vectors-rsa-refused.json", r.rsaRefused(t))
}

func compareVectors(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name)
	if *updateVectors {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := differsAt(got, want)
		t.Errorf("%s differs at byte %d: …%.80q…, want …%.80q…", path, at, got[at:], want[at:])
	}
}
