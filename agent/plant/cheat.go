package plant

import (
	"crypto/ed25519"
	"errors"
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
	var gap *ledger.GapError
	switch {
	case errors.As(err, &gap): // that gateway has lost, with its disk, what the cheat heard there
		cites = prev.Roster
	case err != nil:
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
