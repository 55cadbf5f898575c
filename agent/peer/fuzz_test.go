package peer

import (
	"testing"
	"time"

	"traveler.example/ledger"
)

// fuzzChannels gives a fuzzer short numbers for topics.
var fuzzChannels = [...]func(Topics, ledger.KeyID) string{
	Topics.Block, Topics.Frontier, Topics.Ask, Topics.Give, Topics.Evidence, Topics.Status,
	func(t Topics, _ ledger.KeyID) string { return t.Roster() },
}

// FuzzMessage feeds a machine that runs, and is asking, with one hostile message
// and lets it go on for a while: nothing panics, what it says is well-formed, and
// what it remembers is bounded.
func FuzzMessage(f *testing.F) {
	for channel, payload := range seedMessages(f) {
		f.Add(uint8(channel), payload)
	}
	f.Fuzz(func(t *testing.T, channel uint8, payload []byte) {
		r := newRig(t, "a*", "b*")
		ns := r.start("a", "b")
		r.seal(ns[0], 2)
		r.run(time.Second)
		r.disconnect(ns[1])
		n := ns[0]
		n.m.peers.get(ns[1].id).asked = r.now
		id := []ledger.KeyID{ns[1].id, n.id}[channel>>7]
		topic := fuzzChannels[int(channel&0x7f)%len(fuzzChannels)](r.topics(), id)
		r.trace = func(_ *node, p Publish) { parsesAsSent(t, r, p) }
		r.step(n, Message{Topic: topic, Payload: payload})
		r.run(5 * time.Second)
		if m := n.m; len(m.peers.list) > 2+maxStrangers || len(m.wants.hashes) > maxWants || len(m.wants.authors) > 2+maxStrangers {
			t.Errorf("%d peers, %d hashes, %d authors are kept", len(m.peers.list), len(m.wants.hashes), len(m.wants.authors))
		}
	})
}

// seedMessages returns one good payload for each channel.
func seedMessages(tb testing.TB) [][]byte {
	r := newRig(tb, "a*", "b*")
	s := newShelf(r.genesis, r.statements)
	base := s.seal("b", ledger.Hash{}, nil)
	x, y := s.seal("b", base.Hash, nil), s.seal("b", base.Hash, nil)
	a, b := s.blocks[x.Hash], s.blocks[y.Hash]
	return [][]byte{
		a.Raw(),
		must(ledger.SignFrontier(s.net, signer("b"), 1, s.heads)).Raw(),
		Ask{From: idOf("b"), Ranges: []Range{{Author: idOf("a"), From: 1, To: 9}}, Hashes: s.register.Heads(), Authors: []ledger.KeyID{idOf("a")}, All: 1}.Encode(),
		Give{From: idOf("b"), Blocks: [][]byte{b.Raw(), a.Raw()}, Told: []ledger.KeyID{idOf("a")}, Heads: s.heads, More: 1}.Encode(),
		must(ledger.NewEvidence(s.net, []ledger.SignedHeader{a.Signed()}, []ledger.SignedHeader{b.Signed()})).Raw(),
		Status{Height: 2, Head: x.Hash, Roster: s.register.Heads(), Held: DigestOf(s.heads)}.Encode(),
		Heads{From: idOf("b"), Heads: s.register.Heads()}.Encode(),
	}
}

// parsesAsSent holds what a machine publishes to the parsers of the wire.
func parsesAsSent(t *testing.T, r *rig, p Publish) {
	channel, _, cause := r.topics().parse(p.Topic)
	if cause != 0 {
		t.Errorf("published on %s: %v", p.Topic, cause)
	}
	var err error
	switch channel {
	case channelAsk:
		_, err = ParseAsk(p.Payload)
	case channelGive:
		_, err = ParseGive(p.Payload)
	case channelStatus:
		_, err = ParseStatus(p.Payload)
	case channelRoster:
		_, err = ParseHeads(p.Payload)
	case channelBlock:
		_, err = ledger.ParseBlock(r.genesis.Network(), p.Payload)
	case channelFrontier:
		_, err = ledger.ParseFrontier(p.Payload)
	}
	if err != nil {
		t.Errorf("published on %s: %v", p.Topic, err)
	}
}
