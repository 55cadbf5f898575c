package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"
	"sync"
	"testing"
)

// plantTime is a fixed instant: 2026-11-22 12:00 UTC.
const plantTime = 1795348800000

// rsaSigners are the RSA keys of the tests, by name. They are kept in a file
// because crypto/rsa makes another one every time.
var rsaSigners = sync.OnceValue(func() map[string]*rsa.PrivateKey {
	keys := map[string]*rsa.PrivateKey{}
	rest := must(os.ReadFile("testdata/keys-rsa.pem"))
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keys
		}
		keys[block.Headers["Name"]] = must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
	}
})

// plantSigner is the key of a name, the same in every run: Ed25519, but for the
// names in testdata/keys-rsa.pem.
func plantSigner(name string) crypto.Signer {
	if key, ok := rsaSigners()[name]; ok {
		return key
	}
	return plantSeed(name)
}

func plantSeed(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("traveler test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func plantKey(name string) PublicKey {
	return must(PublicKeyOf(plantSigner(name)))
}

func plantID(name string) KeyID { return plantKey(name).ID() }

// plantHash is a hash that stands for nothing.
func plantHash(name string) Hash { return sha256.Sum256([]byte("traveler test hash " + name)) }

// testPlant is a network with its register. Its gateways are gate (intake),
// drill-a and drill-b (one work centre), press and spare (no station); office is
// a gateway that is planner and quality, too; paula plans, quinn is quality, wanda
// a witness.
type testPlant struct {
	genesis Genesis
	net     NetworkID
	reg     *Register
}

func newTestPlant(t testing.TB) *testPlant {
	t.Helper()
	g, err := NewGenesis(Genesis{
		Name: "vectors", Time: plantTime, Threshold: 2, Recovery: plantKey("recovery"), Nonce: [16]byte{1, 2, 3},
		Admins: []Admin{{Name: "ada", Key: plantKey("ada")}, {Name: "ben", Key: plantKey("ben")}, {Name: "cy", Key: plantKey("cy")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &testPlant{genesis: g, net: g.Network(), reg: NewRegister(g)}
}

// staffed adds the people and stations of the plant.
func staffed(t testing.TB) *testPlant {
	p := newTestPlant(t)
	p.say(t, plantStaff()...)
	p.say(t, plantStations()...)
	return p
}

func plantStaff() []Change {
	enrol := func(name string, r Role) Change {
		return Change{Kind: ChangeEnrol, Name: name, Key: plantKey(name), Roles: r}
	}
	return []Change{
		enrol("gate", RoleGateway|RoleWitness), enrol("drill-a", RoleGateway), enrol("drill-b", RoleGateway),
		enrol("press", RoleGateway|RoleWitness), enrol("spare", RoleGateway), enrol("office", RoleGateway|RolePlanner|RoleQuality),
		enrol("paula", RolePlanner), enrol("quinn", RoleQuality), enrol("olga", RoleOperator), enrol("wanda", RoleWitness),
	}
}

func plantStations() []Change {
	assign := func(gateway, station, centre string, intake uint8) Change {
		return Change{Kind: ChangeAssign, Subject: plantID(gateway), Station: station, WorkCentre: centre, Intake: intake}
	}
	return []Change{
		assign("gate", "entrance", "", 1), assign("drill-a", "drill-1", "drilling", 0), assign("drill-b", "drill-2", "drilling", 0),
		assign("press", "press-1", "", 0), assign("office", "office-1", "", 1),
	}
}

// statement makes a statement on all heads, signed by two admins or by those named.
func (p *testPlant) statement(t testing.TB, changes []Change, signers ...string) Statement {
	t.Helper()
	if signers == nil {
		signers = []string{"ada", "ben"}
	}
	var keys []crypto.Signer
	for _, s := range signers {
		keys = append(keys, plantSigner(s))
	}
	s, err := SignStatement(p.net, Statement{BuildsOn: p.reg.Heads(), Changes: changes, Time: plantTime}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// say makes a statement and adds it to the register.
func (p *testPlant) say(t testing.TB, changes ...Change) Statement {
	t.Helper()
	s := p.statement(t, changes)
	if err := p.reg.Add(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// own makes a transaction that its sender seals himself.
func (p *testPlant) own(t testing.TB, sender string, tx Tx) Tx {
	t.Helper()
	tx.Sender = plantID(sender)
	if tx.Time == 0 {
		tx.Time = plantTime
	}
	out, err := NewTx(p.net, tx)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signed makes a transaction with its sender's own signature.
func (p *testPlant) signed(t testing.TB, sender string, tx Tx) Tx {
	t.Helper()
	if tx.Time == 0 {
		tx.Time = plantTime
	}
	out, err := SignTx(p.net, tx, plantSigner(sender))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// plantOrder is an order for two operations: drill, then press in a part.
func plantOrder() Order {
	return Order{
		ID: "WO-1", Product: "bracket", Design: "bore 12 mm, deburred", Document: plantHash("drawing"), Quantity: 10,
		Routing: []Operation{
			{
				ID: "10", Task: "drill", Place: "drilling", MaxReturns: 1, Dwell: 2000, Signers: 1,
				Limits: []Limit{{Name: "bore", Min: 1195, Max: 1205, Exponent: -2, Unit: "mm", OnFail: Return}},
			},
			{ID: "20", Task: "press", Place: "press-1", Needs: []string{"10"}, Inputs: []Need{{Product: "bush", Count: 2}}},
		},
	}
}

// plantChain seals blocks of one author by the rules of PROTOCOL.md §7.
type plantChain struct {
	p      *testPlant
	author string
	marks  map[Hash]Mark
	head   Mark
	blocks []Block
}

func (p *testPlant) chain(author string) *plantChain {
	g := GenesisMark(p.net, plantID(author))
	return &plantChain{p: p, author: author, marks: map[Hash]Mark{g.Ref.Hash: g}, head: g}
}

// branch is a second chain that goes on from the block at height.
func (c *plantChain) branch(height int) *plantChain {
	b := &plantChain{p: c.p, author: c.author, marks: c.marks, head: GenesisMark(c.p.net, plantID(c.author))}
	b.blocks = append(b.blocks, c.blocks[:height]...)
	if height > 0 {
		b.head = MarkOf(c.blocks[height-1].UnverifiedBlock)
	}
	return b
}

func (c *plantChain) mark(h Hash) (Mark, bool) {
	m, ok := c.marks[h]
	return m, ok
}

func (c *plantChain) seal(t testing.TB, also *Mark, txs ...Tx) Block {
	t.Helper()
	skip, err := SkipFrom(c.head, c.mark)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Seal(c.p.net, plantSigner(c.author), Draft{
		Prev: c.head, Also: also, Skip: skip, Time: plantTime + int64(c.head.Ref.Height), Clock: ClockSynchronised,
		Roster: c.p.reg.Heads(), Txs: txs,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.head = MarkOf(b.UnverifiedBlock)
	c.marks[b.Hash()] = c.head
	c.blocks = append(c.blocks, b)
	return b
}
