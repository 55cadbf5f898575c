package plant

import (
	"math/rand/v2"
	"slices"
	"time"

	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// What cheats say that no chain of theirs has: of other networks, of heights that
// nobody has, against honest gateways, and noise.

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
