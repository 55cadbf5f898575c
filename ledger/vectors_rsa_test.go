package ledger

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"testing"
)

// newRSAWorld makes the objects of testdata/vectors-rsa.json: a network in which
// Ed25519 and RSA of every size sign whatever is signed.
func newRSAWorld(t testing.TB) *vectorWorld {
	g, err := NewGenesis(Genesis{
		Name: "mixed", Time: plantTime, Threshold: 2, Recovery: plantKey("rescue-4096"),
		Admins: []Admin{{Name: "ada", Key: plantKey("ada")}, {Name: "anna", Key: plantKey("anna-3072")}},
	})
	mustNot(t, err)
	w := &vectorWorld{p: &testPlant{genesis: g, net: g.Network(), reg: NewRegister(g)}}
	enrol := func(key string, r Role) Change {
		return Change{Kind: ChangeEnrol, Name: key, Key: plantKey(key), Roles: r}
	}
	w.say(t, "enrol", []Change{
		enrol("pete-2048", RolePlanner), enrol("mill-3072", RoleGateway|RoleWitness), enrol("drill-a", RoleGateway|RoleWitness),
		enrol("wulf-4096", RoleWitness),
		{Kind: ChangeAssign, Subject: plantID("mill-3072"), Station: "mill-1", Intake: 1},
	}, "ada", "anna-3072")
	w.say(t, "ticket", []Change{{Kind: ChangeTicket, Name: "lathe", Key: plantKey("code"), Roles: RoleGateway}}, "ada", "anna-3072")
	w.say(t, "redeem", []Change{{Kind: ChangeRedeem, Subject: plantID("code"), Key: plantKey("lathe-2048")}}, "code", "lathe-2048")
	w.say(t, "admins", []Change{{Kind: ChangeAdmins, Threshold: 1, Admins: []Admin{{Name: "anna", Key: plantKey("anna-3072")}}}}, "rescue-4096")
	order := w.keep("order, signed with RSA-2048", w.p.signed(t, "pete-2048", Tx{Body: plantOrder()}))
	take := Intake{Station: "mill-1", Label: "B-0001", Order: order, Product: "bracket", Options: []Option{toDrill}}
	w.keep("intake", w.p.own(t, "mill-3072", Tx{Body: take}))
	w.main = w.p.chain("mill-3072")
	w.main.seal(t, nil, w.txs...)
	w.fork = 1
	w.other = w.main.branch(w.fork)
	w.main.seal(t, nil)
	w.main.seal(t, nil)
	w.other.seal(t, nil, w.txs[0])
	return w
}

func (w *vectorWorld) rsaEvidence(t testing.TB) Evidence {
	e, err := NewEvidence(w.p.net, []SignedHeader{w.main.blocks[1].Signed()}, []SignedHeader{w.other.blocks[1].Signed()})
	mustNot(t, err)
	return e
}

func (w *vectorWorld) rsaFrontier(t testing.TB) Frontier {
	f, err := SignFrontier(w.p.net, plantSigner("wulf-4096"), plantTime, []Ref{w.main.blocks[2].Ref(), w.other.blocks[1].Ref()})
	mustNot(t, err)
	return f
}

func (w *vectorWorld) rsaVectors(t testing.TB) vectors {
	v := w.objects(t, "ada", "anna-3072", "rescue-4096", "pete-2048", "mill-3072", "drill-a", "wulf-4096", "code", "lathe-2048")
	v.Roots = []rootVector{}
	v.Frontiers = []frontierVector{w.frontierVector(w.rsaFrontier(t))}
	v.Evidence = []evidenceVector{w.evidenceVector(t, "direct", w.rsaEvidence(t))}
	return v
}

// weakModuli are moduli that every reader refuses, made from a good one.
func weakModuli() []struct {
	Why   string
	Bytes []byte
} {
	good := plantKey("pete-2048").Bytes
	with := func(n *big.Int) []byte { return n.FillBytes(make([]byte, len(good))) }
	multiple := func(p int64) []byte { // the next multiple of p below
		n, factor := new(big.Int).SetBytes(good), big.NewInt(p)
		n.Sub(n, new(big.Int).Mod(n, factor))
		if n.Bit(0) == 0 {
			n.Sub(n, factor)
		}
		return with(n)
	}
	even := bytes.Clone(good)
	even[len(even)-1] &^= 1
	return []struct {
		Why   string
		Bytes []byte
	}{
		{"a modulus of 1024 bits", good[:128]},
		{"a modulus of 2047 bits in 256 bytes", with(new(big.Int).Rsh(new(big.Int).SetBytes(good), 1))},
		{"a modulus with a zero byte in front", append([]byte{0}, good...)},
		{"a modulus of 2056 bits", append(bytes.Clone(good), 0x01)},
		{"a modulus of 8192 bits", bytes.Repeat(good, 4)},
		{"an even modulus", even},
		{"a modulus with the factor 3", multiple(3)},
		{"a modulus with the factor 751", multiple(751)},
		{"no modulus", []byte{}},
	}
}

func (w *vectorWorld) rsaRefused(t testing.TB) []refusedVector {
	var out []refusedVector
	add := func(object, why, at string, raw []byte) {
		out = append(out, refusedVector{Object: object, Why: why, At: at, Raw: hex.EncodeToString(raw)})
	}
	for _, k := range weakModuli() {
		s := w.statements[0]
		s.Changes = []Change{{Kind: ChangeEnrol, Name: "mallory", Key: PublicKey{Alg: RSA, Bytes: k.Bytes}, Roles: RoleGateway}}
		add("statement", k.Why, "form", encode(s))
	}
	g := w.p.genesis
	g.Recovery = PublicKey{Alg: RSA, Bytes: plantKey("ada").Bytes}
	add("genesis", "an RSA recovery key of 32 bytes", "form", encode(g))
	tx := w.txs[0]
	for _, s := range w.forgedSigs(t, tx) {
		body := tx.wire()
		body.Sig = s.sig
		add("transaction", s.why, "signature", encode(body))
	}
	b := w.main.blocks[1]
	other, err := sign(plantSigner("anna-3072"), b.sigDigest)
	mustNot(t, err)
	add("block", "signed with another RSA key of the same size", "signature", encode(blockWire{Header: b.signed.Header, Sig: other, Txs: [][]byte{}}))
	f := w.rsaFrontier(t)
	f.Sig = bytes.Clone(f.Sig)
	f.Sig[511] ^= 1
	add("frontier", "last bit of the signature flipped", "signature", encode(f))
	return out
}

type forgedSig struct {
	why string
	sig []byte
}

// forgedSigs are signatures near the right one of a transaction of pete.
func (w *vectorWorld) forgedSigs(t testing.TB, tx Tx) []forgedSig {
	key := plantSigner("pete-2048").(*rsa.PrivateKey)
	d := tx.sigDigest(w.p.net)
	flipped := bytes.Clone(tx.Sig)
	flipped[len(flipped)-1] ^= 1
	over := new(big.Int).Add(new(big.Int).SetBytes(tx.Sig), key.N)
	sha := sha512.Sum512(d[:])
	as := func(hash crypto.Hash, digest []byte) []byte {
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, hash, digest) // deterministic: rand only blinds
		mustNot(t, err)
		return sig
	}
	hashed := crypto.SHA256.New()
	hashed.Write(d[:])
	return []forgedSig{
		{"last bit of the signature flipped", flipped},
		{"a zero byte in front of the signature", append([]byte{0}, tx.Sig...)},
		{"a signature without its last byte", tx.Sig[:len(tx.Sig)-1]},
		{"the signature plus the modulus", over.Bytes()},
		{"signed with SHA-512", as(crypto.SHA512, sha[:])},
		{"signed without the name of the hash", as(crypto.Hash(0), d[:])},
		{"signed over the hash of the digest", as(crypto.SHA256, hashed.Sum(nil))},
	}
}

// TestRSARefusedVectors holds the program to the negative vectors of RSA, and to
// taking what they were made of.
func TestRSARefusedVectors(t *testing.T) {
	w := newRSAWorld(t)
	mustNot(t, w.txs[0].VerifySignature(w.p.net, plantKey("pete-2048")))
	for _, v := range w.rsaRefused(t) {
		raw, err := hex.DecodeString(v.Raw)
		mustNot(t, err)
		form, later := parseAs(v.Object, w.p.net, raw, func(parsed any) error {
			switch o := parsed.(type) {
			case Tx:
				return o.VerifySignature(w.p.net, plantKey("pete-2048"))
			case UnverifiedBlock:
				_, err := o.Verify(w.p.reg.Current())
				return err
			case Frontier:
				return o.Verify(w.p.net, w.p.reg.Current())
			}
			return nil
		})
		if v.At == "form" && form == nil || v.At != "form" && (form != nil || later == nil) {
			t.Errorf("%s, %s: form %v, later %v; want it refused by its %s", v.Object, v.Why, form, later, v.At)
		}
	}
}
