package plant

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// history makes objects that a network might hold, lawful and unlawful ones, by
// sealing them one by one. What exists so far it knows from the model.
type history struct {
	t          *testing.T
	rng        *rand.Rand
	genesis    ledger.Genesis
	model      *Model
	world      *mWorld
	objects    []replica.Object
	statements []ledger.Hash
	authors    []*author
	keys       map[string]crypto.Signer // by name
	orders     []ledger.TxID
	foreign    []ledger.Tx // signed by people, sealed before
	time       int64
	serial     int
}

// author is a gateway with all blocks of its chain.
type author struct {
	name, station string
	key           crypto.Signer
	id            ledger.KeyID
	blocks        []ledger.UnverifiedBlock
	tips          []ledger.UnverifiedBlock
}

func (h *history) key(name string) crypto.Signer {
	if h.keys[name] == nil {
		seed := sha256.Sum256([]byte(name))
		h.keys[name] = ed25519.NewKeyFromSeed(seed[:])
	}
	return h.keys[name]
}

func (h *history) public(name string) ledger.PublicKey {
	k, err := ledger.PublicKeyOf(h.key(name))
	h.check(err)
	return k
}

func (h *history) id(name string) ledger.KeyID { return h.public(name).ID() }

func (h *history) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) one(n int) bool { return h.rng.IntN(n) == 0 }

// pick returns a member of a list that is not empty.
func pick[T any](h *history, list []T) T { return list[h.rng.IntN(len(list))] }

func (h *history) now() int64 { h.time++; return h.time }

const historyGateways = 4

// newHistory founds a network of three admins, people, and gateways g0 to g3
// with stations s0 to s3 in work centres w0 and w1.
func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 7)), keys: map[string]crypto.Signer{}, time: 1_700_000_000_000}
	var err error
	h.genesis, err = ledger.NewGenesis(ledger.Genesis{
		Name: "history", Admins: h.admins("ada", "ben", "cy"), Threshold: 2, Recovery: h.public("recovery"),
	})
	h.check(err)
	h.model, err = NewModel(h.genesis.Raw())
	h.check(err)
	changes := []ledger.Change{
		{Kind: ledger.ChangeEnrol, Name: "planner", Key: h.public("planner"), Roles: ledger.RolePlanner},
		{Kind: ledger.ChangeEnrol, Name: "quality", Key: h.public("quality"), Roles: ledger.RoleQuality},
	}
	for i := range historyGateways {
		g := &author{name: fmt.Sprintf("g%d", i), station: fmt.Sprintf("s%d", i)}
		g.key, g.id = h.key(g.name), h.id(g.name)
		h.authors = append(h.authors, g)
		changes = append(changes,
			ledger.Change{Kind: ledger.ChangeEnrol, Name: g.name, Key: h.public(g.name), Roles: ledger.RoleGateway | ledger.RoleWitness},
			ledger.Change{Kind: ledger.ChangeAssign, Subject: g.id, Station: g.station, WorkCentre: fmt.Sprintf("w%d", i%2), Intake: 1})
	}
	h.state(nil, []string{"ada", "ben"}, changes...)
	h.look()
	return h
}

func (h *history) admins(names ...string) []ledger.Admin {
	var out []ledger.Admin
	for _, n := range names {
		out = append(out, ledger.Admin{Name: n, Key: h.public(n)})
	}
	return out
}

// state makes a statement, sound or not.
func (h *history) state(on []ledger.Hash, signers []string, changes ...ledger.Change) {
	var keys []crypto.Signer
	for _, n := range signers {
		keys = append(keys, h.key(n))
	}
	s, err := ledger.SignStatement(h.genesis.Network(), ledger.Statement{BuildsOn: on, Changes: changes, Time: h.now()}, keys...)
	h.check(err)
	h.check(h.model.Add(s.Raw()))
	h.objects = append(h.objects, s)
	h.statements = append(h.statements, s.Hash())
}

// look has the model work out what there is.
func (h *history) look() { h.world = newModelWorld(h.model) }

// seal adds a block to an author's chain: after its latest block, or sometimes an
// older one; another branch is joined now and then.
func (h *history) seal(g *author, txs ...ledger.Tx) {
	net := h.genesis.Network()
	marks := map[ledger.Hash]ledger.Mark{}
	genesis := ledger.GenesisMark(net, g.id)
	marks[genesis.Ref.Hash] = genesis
	for _, b := range g.blocks {
		marks[b.Hash()] = ledger.MarkOf(b)
	}
	d := ledger.Draft{Prev: genesis, Time: h.now(), Roster: h.cite(), Txs: txs}
	if len(g.tips) > 0 {
		d.Prev = ledger.MarkOf(pick(h, g.tips))
	}
	if len(g.blocks) > 1 && h.one(8) {
		d.Prev = ledger.MarkOf(pick(h, g.blocks))
	}
	if len(g.tips) > 1 && h.one(2) {
		slices.SortFunc(g.tips, func(a, b ledger.UnverifiedBlock) int { return compareBlocks(h.held(a), h.held(b)) })
		also := ledger.MarkOf(g.tips[0])
		d.Prev, d.Also = ledger.MarkOf(g.tips[len(g.tips)-1]), &also
		if d.Prev.Ref.Height == also.Ref.Height && d.Prev.Ref.Hash.String() > also.Ref.Hash.String() {
			d.Prev, also = also, d.Prev
			d.Also = &also
		}
	}
	var err error
	d.Skip, err = ledger.SkipFrom(d.Prev, func(k ledger.Hash) (ledger.Mark, bool) { m, ok := marks[k]; return m, ok })
	h.check(err)
	b, err := ledger.Seal(net, g.key, d)
	h.check(err)
	h.check(h.model.Add(b.Raw()))
	h.objects = append(h.objects, b.UnverifiedBlock)
	h.look()
	if !h.held(b.UnverifiedBlock).held {
		return
	}
	g.blocks = append(g.blocks, b.UnverifiedBlock)
	g.tips = append(slices.DeleteFunc(g.tips, func(t ledger.UnverifiedBlock) bool {
		return t.Hash() == d.Prev.Ref.Hash || d.Also != nil && t.Hash() == d.Also.Ref.Hash
	}), b.UnverifiedBlock)
}

func (h *history) held(b ledger.UnverifiedBlock) *mBlock {
	hash := b.Hash()
	return h.model.blocks[string(hash[:])]
}

// cite returns the heads of the statements held, sometimes of the first ones
// only.
func (h *history) cite() []ledger.Hash {
	if h.one(12) {
		return h.statements[:1]
	}
	return h.rosterHeads()
}

func (h *history) rosterHeads() []ledger.Hash {
	return hashesOf(h.world.register.heads(keySet(h.world.register.held)))
}

func hashesOf(list []string) []ledger.Hash {
	var out []ledger.Hash
	for _, s := range list {
		out = append(out, ledger.Hash([]byte(s)))
	}
	return out
}
