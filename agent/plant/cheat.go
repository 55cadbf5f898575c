package plant

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// cheat is somebody with a key, enrolled or not, and with a broker that does what
// he wants. He tells each gateway another story and answers nothing.
type cheat struct {
	plant  *plant
	name   string
	key    ed25519.PrivateKey
	id     ledger.KeyID
	topics peer.Topics

	head   ledger.Mark
	marks  map[ledger.Hash]ledger.Mark
	serial uint64 // of his attacks
}

func cheatName(i int) string { return fmt.Sprintf("mallory-%d", i+1) }

// invite lets the cheats in: those whom the roster has, and one stranger.
func (p *plant) invite() {
	for i := range p.plan.Cheats + 1 {
		name := cheatName(i)
		if p.plan.Cheats == 0 {
			return
		}
		if i == p.plan.Cheats {
			name = "stranger"
		}
		key := identity(name)
		id := publicKey(name).ID()
		start := ledger.GenesisMark(p.genesis.Network(), id)
		p.cheats = append(p.cheats, &cheat{
			plant: p, name: name, key: key, id: id, topics: peer.TopicsOf(p.genesis.Network()),
			head: start, marks: map[ledger.Hash]ledger.Mark{start.Ref.Hash: start},
		})
	}
}

// cheating reports whether a key is a cheat's.
func (p *plant) cheating(id ledger.KeyID) bool {
	return slices.ContainsFunc(p.cheats, func(c *cheat) bool { return c.id == id })
}

// attack does one of the things that cheats do.
func (c *cheat) attack() {
	c.serial++
	r := dice(c.plant.plan.Seed, "attack "+c.name, c.serial)
	attacks := []struct {
		name string
		do   func(*rand.Rand) error
	}{
		{"two blocks at one height", c.branch},
		{"a block with a garbage signature under a signed one", c.garbage},
		{"frontiers in the name of others", c.forgeFrontiers},
		{"a verdict without authority", c.usurp},
		{"an order with a swapped signature", c.swapSignature},
		{"objects of another network", c.replayForeign},
		{"a flood", c.flood},
		{"height 10⁹", c.exaggerate},
		{"evidence against an honest gateway", c.slander},
	}
	a := attacks[r.IntN(len(attacks))]
	c.plant.trace.say(c.name, "attacks with %s", a.name)
	c.plant.broker.count(func(n *Counts) { n.Attacks++ })
	if err := a.do(r); err != nil {
		c.plant.fail("%s attacks with %s: %w", c.name, a.name, err)
	}
}

// seal makes a block after prev.
func (c *cheat) seal(prev ledger.Mark, txs ...ledger.Tx) (ledger.UnverifiedBlock, error) {
	net := c.plant.genesis.Network()
	cites, err := c.plant.gateways[0].replica.Register().Cite(prev.Roster)
	if err != nil {
		return ledger.UnverifiedBlock{}, err
	}
	skip, err := ledger.SkipFrom(prev, func(h ledger.Hash) (ledger.Mark, bool) { m, ok := c.marks[h]; return m, ok })
	if err != nil {
		return ledger.UnverifiedBlock{}, err
	}
	b, err := ledger.Seal(net, c.key, ledger.Draft{
		Prev: prev, Skip: skip, Time: time.Now().UnixMilli(), Roster: cites, Txs: txs,
	})
	if err == nil {
		c.learn(b.UnverifiedBlock)
	}
	return b.UnverifiedBlock, err
}

func (c *cheat) learn(b ledger.UnverifiedBlock) { c.marks[b.Hash()] = ledger.MarkOf(b) }

// tell sends a block to some gateways; nil: to all.
func (c *cheat) tell(names []string, blocks ...ledger.UnverifiedBlock) {
	for _, b := range blocks {
		c.send(names, c.topics.Block(c.id), b.Raw())
	}
}

func (c *cheat) send(names []string, topic string, payload []byte) {
	c.plant.broker.inject(c.name, names, mqtt.Message{Topic: topic, Payload: payload})
}

// halves parts the gateways in two.
func (c *cheat) halves(r *rand.Rand) (one, other []string) {
	all := c.plant.draw(r, len(c.plant.gateways))
	return all[:len(all)/2], all[len(all)/2:]
}

// remark is an order of the cheat's own: void, since he is no planner.
func (c *cheat) remark(words string) (ledger.Tx, error) {
	return ledger.NewTx(c.plant.genesis.Network(), ledger.Tx{
		Sender: c.id, Time: time.Now().UnixMilli(), Body: ledger.Order{ID: "WO-0", Product: "nothing", Design: words, Quantity: 1, Routing: c.plant.routing(0)},
	})
}

func (c *cheat) branch(r *rand.Rand) error {
	one, other := c.halves(r)
	var next ledger.Mark
	for _, names := range [][]string{one, other} {
		t, err := c.remark(fmt.Sprint("to ", names))
		if err != nil {
			return err
		}
		b, err := c.seal(c.head, t)
		if err != nil {
			return err
		}
		c.tell(names, b)
		next = ledger.MarkOf(b)
	}
	c.head = next
	return nil
}

// garbage spoils the signature of a block and has the next one, which is signed,
// link to it. The successor comes first, to one half; the other gets only it.
func (c *cheat) garbage(r *rand.Rand) error {
	t, err := c.remark("garbage")
	if err != nil {
		return err
	}
	b, err := c.seal(c.head, t)
	if err != nil {
		return err
	}
	spoilt, err := respoil(c.plant.genesis.Network(), b)
	if err != nil {
		return err
	}
	c.learn(spoilt)
	after, err := c.seal(ledger.MarkOf(spoilt))
	if err != nil {
		return err
	}
	one, other := c.halves(r)
	c.tell(one, after, spoilt)
	c.tell(other, b)
	c.head = ledger.MarkOf(after)
	return nil
}

// blockForm is a block's canonical form.
type blockForm struct {
	_      struct{} `cbor:",toarray"`
	Header []byte
	Sig    []byte
	Txs    [][]byte
}

// respoil returns the block with another signature, which is none.
func respoil(net ledger.NetworkID, b ledger.UnverifiedBlock) (ledger.UnverifiedBlock, error) {
	var form blockForm
	if err := cbor.Unmarshal(b.Raw(), &form); err != nil {
		return ledger.UnverifiedBlock{}, err
	}
	form.Sig = slices.Clone(form.Sig)
	form.Sig[7] ^= 0x40
	raw, err := canonicalForm(form)
	if err != nil {
		return ledger.UnverifiedBlock{}, err
	}
	return ledger.ParseBlock(net, raw)
}

// canonicalForm encodes as the protocol wants.
func canonicalForm(v any) ([]byte, error) {
	mode, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, NilContainers: cbor.NilContainerAsEmpty}.EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}

// heads are those that a gateway holds.
func (c *cheat) heads() (heads []ledger.Ref, err error) {
	err = c.plant.gateways[0].replica.Read(func(v *replica.View) (err error) {
		heads, err = v.Heads()
		return err
	})
	return heads, err
}

func (c *cheat) forgeFrontiers(*rand.Rand) error {
	heads, err := c.heads()
	if err != nil {
		return err
	}
	for _, g := range c.plant.gateways {
		f, err := ledger.SignFrontier(c.plant.genesis.Network(), c.key, time.Now().UnixMilli(), heads)
		if err != nil {
			return err
		}
		f.Witness = g.id
		raw, err := canonicalForm(f)
		if err != nil {
			return err
		}
		c.send(nil, c.topics.Frontier(g.id), raw)
	}
	return nil
}

// usurp accepts an item that another station is to accept, and rules on it in
// quality's name.
func (c *cheat) usurp(*rand.Rand) error {
	net := c.plant.genesis.Network()
	var it ledger.Item
	err := c.plant.gateways[0].replica.Read(func(v *replica.View) error {
		for i, err := range v.ItemsIn(replica.Expected, ledger.ItemID{}, 1) {
			if err != nil {
				return err
			}
			it = i
		}
		return nil
	})
	if err != nil || len(it.HeadIDs) == 0 {
		return err
	}
	o := it.State().Options[0]
	verdict, err := ledger.NewTx(net, ledger.Tx{
		Sender: c.id, Time: time.Now().UnixMilli(), Item: it.ID, After: it.HeadIDs[:1],
		Body: ledger.Verdict{Station: "intake", Operation: o.Operation, Task: o.Task, Ruling: ledger.Accept},
	})
	if err != nil {
		return err
	}
	ruling, err := ledger.SignTx(net, ledger.Tx{
		Time: time.Now().UnixMilli(), Item: it.ID, After: it.HeadIDs[:1],
		Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "because I say so"},
	}, c.key)
	if err != nil {
		return err
	}
	ruling.Sender = publicKey(quality).ID()
	if ruling, err = ledger.NewTx(net, ruling); err != nil {
		return err
	}
	b, err := c.seal(c.head, verdict, ruling)
	if err == nil {
		c.head = ledger.MarkOf(b)
		c.tell(nil, b)
	}
	return err
}

func (c *cheat) swapSignature(r *rand.Rand) error {
	t := c.plant.orders[r.IntN(len(c.plant.orders))]
	t.Sig = slices.Clone(t.Sig)
	t.Sig[r.IntN(len(t.Sig))] ^= 1
	t, err := ledger.NewTx(c.plant.genesis.Network(), t)
	if err != nil {
		return err
	}
	b, err := c.seal(c.head, t)
	if err == nil {
		c.head = ledger.MarkOf(b)
		c.tell(nil, b)
	}
	return err
}

// replayForeign takes what was signed with this key in another network, whose
// first bytes are the same as far as topics go.
func (c *cheat) replayForeign(*rand.Rand) error {
	g, err := ledger.NewGenesis(ledger.Genesis{
		Name: "elsewhere", Time: 1, Threshold: 1, Recovery: publicKey("recovery"),
		Admins: []ledger.Admin{{Name: admin, Key: publicKey(admin)}},
	})
	if err != nil {
		return err
	}
	roster, err := ledger.SignStatement(g.Network(), ledger.Statement{Time: 1, Changes: []ledger.Change{
		{Kind: ledger.ChangeEnrol, Name: "eve", Key: publicKey("eve"), Roles: ledger.RoleGateway | ledger.RoleQuality},
	}}, identity(admin))
	if err != nil {
		return err
	}
	b, err := ledger.Seal(g.Network(), c.key, ledger.Draft{
		Prev: ledger.GenesisMark(g.Network(), c.id), Skip: ledger.Hash(g.Network()), Time: 1, Roster: []ledger.Hash{roster.Hash()},
	})
	if err != nil {
		return err
	}
	f, err := ledger.SignFrontier(g.Network(), c.key, 1, []ledger.Ref{b.Ref()})
	if err != nil {
		return err
	}
	c.tell(nil, b.UnverifiedBlock)
	c.send(nil, c.topics.Frontier(c.id), f.Raw())
	for _, to := range c.plant.gateways {
		c.send(nil, c.topics.Give(to.id), peer.Give{From: c.id, Statements: [][]byte{roster.Raw()}, Blocks: [][]byte{b.Raw()}}.Encode())
	}
	return nil
}

// flood sends questions, blocks that link to nothing, and junk.
func (c *cheat) flood(r *rand.Rand) error {
	net := c.plant.genesis.Network()
	for range 100 {
		var junk ledger.Hash
		for i := range junk {
			junk[i] = byte(r.Uint32())
		}
		to := c.plant.gateways[r.IntN(len(c.plant.gateways))]
		ask := peer.Ask{From: c.id, Ranges: []peer.Range{{Author: to.id, From: 1, To: ledger.MaxHeight}}, Hashes: []ledger.Hash{junk}, All: 1}
		c.send(nil, c.topics.Ask(to.id), ask.Encode())
		c.send(nil, c.topics.Give(to.id), junk[:])
		c.send(nil, c.topics.Block(to.id), junk[:r.IntN(len(junk))])
		b, err := ledger.Seal(net, c.key, ledger.Draft{
			Prev: ledger.Mark{Ref: ledger.Ref{Author: c.id, Height: uint64(r.IntN(1 << 30)), Hash: junk}}, Skip: junk, Time: 1, Roster: []ledger.Hash{junk},
		})
		if err != nil {
			return err
		}
		c.tell(nil, b.UnverifiedBlock)
	}
	return nil
}

// exaggerate claims a height that nobody has.
func (c *cheat) exaggerate(r *rand.Rand) error {
	var entries []ledger.Ref
	for _, g := range c.plant.gateways {
		ref := ledger.Ref{Author: g.id, Height: 1e9}
		ref.Hash[0], ref.Hash[1] = byte(r.Uint32()), 1
		if !slices.ContainsFunc(entries, func(e ledger.Ref) bool { return e.Author == g.id }) {
			entries = append(entries, ref)
		}
		c.send(nil, c.topics.Status(g.id), peer.Status{Height: ref.Height, Head: ref.Hash}.Encode())
	}
	f, err := ledger.SignFrontier(c.plant.genesis.Network(), c.key, time.Now().UnixMilli(), entries)
	if err != nil {
		return err
	}
	c.send(nil, c.topics.Frontier(c.id), f.Raw())
	c.send(nil, c.topics.Status(c.id), peer.Status{Height: 1e9, Head: entries[0].Hash}.Encode())
	return nil
}

// slander makes evidence against an honest gateway of a block of its own and one
// in its name.
func (c *cheat) slander(r *rand.Rand) error {
	g := c.plant.gateways[r.IntN(len(c.plant.gateways))]
	var honest ledger.UnverifiedBlock
	err := g.replica.Read(func(v *replica.View) error {
		for b, err := range v.Chain(g.id, 1) {
			honest = b.UnverifiedBlock
			return err
		}
		return nil
	})
	if err != nil || honest.Raw() == nil {
		return err
	}
	forged, err := respoil(c.plant.genesis.Network(), honest)
	if err != nil {
		return err
	}
	ev, err := ledger.NewEvidence(c.plant.genesis.Network(), []ledger.SignedHeader{honest.Signed()}, []ledger.SignedHeader{forged.Signed()})
	if err != nil {
		return err
	}
	c.send(nil, c.topics.Evidence(g.id), ev.Raw())
	c.send(nil, c.topics.Block(g.id), forged.Raw())
	return nil
}
