package ledger

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// refusedVector is an entry of testdata/vectors-refused.json.
type refusedVector struct {
	Object string `json:"object"`
	Why    string `json:"why"`
	At     string `json:"at"` // form, signature or links
	Raw    string `json:"raw"`
}

// refused makes the negative vectors, each from a good object.
func (w *vectorWorld) refused(t testing.TB) []refusedVector {
	var out []refusedVector
	add := func(object, why, at string, raw []byte) {
		out = append(out, refusedVector{Object: object, Why: why, At: at, Raw: hex.EncodeToString(raw)})
	}
	tx, block, st := w.txs[0], w.main.blocks[1], w.statements[0]
	w.refusedForms(t, add)

	flip := func(raw []byte, fromEnd int) []byte {
		c := bytes.Clone(raw)
		c[len(c)-fromEnd] ^= 1
		return c
	}
	add("transaction", "last bit of the sender's signature flipped", "signature", flip(tx.Raw(), 1))
	add("statement", "last bit of the second signature flipped", "signature", flip(st.Raw(), 1))
	f := w.frontier(t)
	add("frontier", "last bit of the signature flipped", "signature", flip(f.Raw(), 1))
	add("block", "first bit of the signature flipped", "signature", encode(blockWire{
		Header: block.signed.Header, Sig: append([]byte{block.signed.Sig[0] ^ 1}, block.signed.Sig[1:]...), Txs: rawsOf(block.Txs()),
	}))
	body := tx.wire()
	sig, err := sign(plantSigner("paula"), digest(labelTx, w.p.net, unsignedTx(tx)))
	mustNot(t, err)
	body.Sig = sig
	add("transaction", "signed under the label traveler/1/tx instead of traveler/1/tx/sig", "signature", encode(body))
	sig, err = sign(plantSigner("paula"), digest(labelTxSig, NetworkID{}, unsignedTx(tx)))
	mustNot(t, err)
	body.Sig = sig
	add("transaction", "signed for the network of all zero", "signature", encode(body))
	sig, err = sign(plantSigner("drill-b"), block.sigDigest)
	mustNot(t, err)
	add("block", "signed with another gateway's key", "signature", encode(blockWire{Header: block.signed.Header, Sig: sig, Txs: rawsOf(block.Txs())}))

	e := w.evidence(t)
	d := e["direct"]
	add("evidence", "both sides are one block", "links", encode(Evidence{Version: Version, A: d.A, B: d.A}))
	add("evidence", "the higher hash stands first", "links", encode(Evidence{Version: Version, A: d.B, B: d.A}))
	add("evidence", "heights differ", "links", must(NewEvidence(w.p.net, d.A, []SignedHeader{w.main.blocks[9].Signed()})).Raw())
	add("evidence", "a header does not link to the one before", "links", encode(Evidence{Version: Version, A: []SignedHeader{d.A[0], w.main.blocks[5].Signed()}, B: d.B}))
	l := e["linked"]
	for _, side := range [][]SignedHeader{l.A, l.B} {
		if bytes.Equal(side[0].Sig, bytes.Repeat([]byte{7}, 64)) {
			add("evidence", "a side ends in a header without a good signature", "links",
				must(NewEvidence(w.p.net, side[:1], []SignedHeader{w.main.blocks[20].Signed()})).Raw())
		}
	}
	return out
}

func rawsOf(txs []Tx) [][]byte {
	raws := make([][]byte, len(txs))
	for i, t := range txs {
		raws[i] = t.Raw()
	}
	return raws
}

func unsignedTx(t Tx) []byte {
	w := t.wire()
	w.Sig = nil
	return encode(w)
}

func mustNot(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refusedForms are bytes that no reader may take.
func (w *vectorWorld) refusedForms(t testing.TB, add func(object, why, at string, raw []byte)) {
	g := w.p.genesis.Raw()
	add("genesis", "version 1 in two bytes instead of one", "form", bytes.Replace(g, []byte{0xa7, 0x01, 0x01}, []byte{0xa7, 0x01, 0x18, 0x01}, 1))
	add("genesis", "key 1 in two bytes instead of one", "form", bytes.Replace(g, []byte{0xa7, 0x01, 0x01}, []byte{0xa7, 0x18, 0x01, 0x01}, 1))
	add("genesis", "map of indefinite length", "form", append(append([]byte{0xbf}, g[1:]...), 0xff))
	add("genesis", "an unknown key 8", "form", append(append([]byte{0xa8}, g[1:]...), 0x08, 0x00))
	add("genesis", "the last key is missing", "form", append([]byte{0xa6}, g[1:len(g)-18]...))
	add("genesis", "a tag around the map", "form", append([]byte{0xc1}, g...))
	add("genesis", "a byte after the end", "form", append(bytes.Clone(g), 0x00))
	add("genesis", "the last byte is missing", "form", g[:len(g)-1])
	add("genesis", "version null", "form", bytes.Replace(g, []byte{0xa7, 0x01, 0x01}, []byte{0xa7, 0x01, 0xf6}, 1))
	add("genesis", "version as the float 1.0", "form", bytes.Replace(g, []byte{0xa7, 0x01, 0x01}, []byte{0xa7, 0x01, 0xf9, 0x3c, 0x00}, 1))
	add("genesis", "version 2", "form", bytes.Replace(g, []byte{0xa7, 0x01, 0x01}, []byte{0xa7, 0x01, 0x02}, 1))
	threshold := w.p.genesis
	threshold.Threshold = 1
	add("genesis", "1 of 3 admins suffices", "form", encode(threshold))
	m := w.statements[2].Raw() // keys 1 and 2 first
	add("statement", "keys 1 and 2 in the wrong order", "form", append(append([]byte{m[0]}, m[3:3+2+34]...), append([]byte{1, 1}, m[3+2+34:]...)...))
	for _, k := range []struct{ why, key string }{
		{"a key of small order: the identity", "0100000000000000000000000000000000000000000000000000000000000000"},
		{"a key of small order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"},
		{"a key that is not in canonical encoding (y = p + 3)", "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
		{"a key that is no point of the curve", "0200000000000000000000000000000000000000000000000000000000000000"},
		{"a key of 31 bytes", "01000000000000000000000000000000000000000000000000000000000000"},
	} {
		s := w.statements[0]
		raw, err := hex.DecodeString(k.key)
		mustNot(t, err)
		s.Changes = []Change{{Kind: ChangeEnrol, Name: "mallory", Key: PublicKey{Alg: Ed25519, Bytes: raw}, Roles: RoleGateway}}
		add("statement", k.why, "form", encode(s))
	}
	s := w.statements[0]
	s.Changes = []Change{{Kind: ChangeEnrol, Name: "mallory", Key: PublicKey{Alg: 3, Bytes: plantKey("ada").Bytes}, Roles: RoleGateway}}
	add("statement", "a key of algorithm 3", "form", encode(s))
	tx := w.txs[2].wire()
	tx.Body = append(bytes.Clone(tx.Body), 0)
	add("transaction", "a byte after the end of the body", "form", encode(tx))
	tx = w.txs[2].wire()
	tx.Item = plantHash("x")
	add("transaction", "an intake that names an item", "form", encode(tx))
	b := w.main.blocks[1]
	add("block", "a transaction twice, root and count of one", "form", encode(blockWire{
		Header: b.signed.Header, Sig: b.signed.Sig, Txs: append(rawsOf(b.Txs()), rawsOf(b.Txs())...),
	}))
	h := b.Header()
	h.Root[0] ^= 1
	add("block", "first bit of the root flipped", "form", encode(blockWire{Header: encode(h), Sig: b.signed.Sig, Txs: rawsOf(b.Txs())}))
	h = b.Header()
	h.Also = h.Prev
	add("block", "also is prev", "form", encode(blockWire{Header: encode(h), Sig: b.signed.Sig, Txs: rawsOf(b.Txs())}))
	f := w.frontier(t)
	f.Entries[0], f.Entries[1] = f.Entries[1], f.Entries[0]
	add("frontier", "entries out of order", "form", encode(f))
	e := w.evidence(t)["direct"]
	e.B = nil
	add("evidence", "an empty side", "form", encode(e))
}

// TestRefusedVectors holds the program to the negative vectors.
func TestRefusedVectors(t *testing.T) {
	w := newVectorWorld(t)
	r := w.p.reg.Current()
	key := func(name string) func(KeyID) (PublicKey, bool) {
		return func(k KeyID) (PublicKey, bool) { return plantKey(name), k == plantID(name) }
	}
	for _, v := range w.refused(t) {
		raw, err := hex.DecodeString(v.Raw)
		mustNot(t, err)
		form, later := parseAs(v.Object, w.p.net, raw, func(parsed any) error {
			switch o := parsed.(type) {
			case Statement:
				return NewRegister(w.p.genesis).Add(o)
			case Tx:
				return o.VerifySignature(w.p.net, plantKey("paula"))
			case UnverifiedBlock:
				_, err := o.Verify(r)
				return err
			case Frontier:
				return o.Verify(w.p.net, r)
			case Evidence:
				_, _, err := o.Verify(w.p.net, key("drill-a"))
				return err
			}
			return nil
		})
		if v.At == "form" && form == nil || v.At != "form" && (form != nil || later == nil) {
			t.Errorf("%s, %s: form %v, later %v; want it refused by its %s", v.Object, v.Why, form, later, v.At)
		}
	}
}

// parseAs parses an object by its name and then judges it further.
func parseAs(object string, net NetworkID, raw []byte, further func(any) error) (form, later error) {
	var parsed any
	switch object {
	case "genesis":
		parsed, form = ParseGenesis(raw)
	case "statement":
		parsed, form = ParseStatement(net, raw)
	case "transaction":
		parsed, form = ParseTx(net, raw)
	case "block":
		parsed, form = ParseBlock(net, raw)
	case "frontier":
		parsed, form = ParseFrontier(raw)
	case "evidence":
		parsed, form = ParseEvidence(raw)
	}
	if form != nil {
		return form, nil
	}
	return nil, further(parsed)
}
