package peer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// TestUnenrolled: the blocks of a gateway without the role are refused, it is
// asked a bounded number of times, and harms nobody.
func TestUnenrolled(t *testing.T) {
	r := newRig(t, "a*", "b*")
	ns := r.start("a", "b", "z")
	r.run(5 * time.Second)
	r.seal(ns[2], 30)
	r.disconnect(ns[2])
	r.seal(ns[2], 300)
	r.seal(ns[0], 30)
	r.run(time.Second)
	r.connect(ns[2])
	r.run(10 * time.Minute)
	if !r.alike(ns[:2]...) {
		t.Error("the others are not alike")
	}
	for _, n := range ns[:2] {
		if n.asks > 80 {
			t.Errorf("%s asked %d times", n.name, n.asks)
		}
	}
}

// TestDropped: what cannot be right is dropped with its cause, counted, logged
// once a minute, and changes nothing.
func TestDropped(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n, other := r.start("a")[0], newShelf(r.genesis, r.statements)
	r.run(5 * time.Second)
	block := other.blocks[other.seal("b", ledger.Hash{}, nil).Hash].Raw()
	frontier := must(ledger.SignFrontier(r.genesis.Network(), signer("b"), 1, nil)).Raw()
	topics, me := r.topics(), n.id
	foreign := TopicsOf(ledger.NetworkID{1})
	b := idOf("b")
	for _, tc := range []struct {
		name, topic string
		payload     []byte
		want        Cause
	}{
		{"another network", foreign.Block(b), block, CauseNetwork},
		{"another protocol", "traveler/2/block/" + b.String(), block, CauseNetwork},
		{"unknown channel", strings.Replace(topics.Block(b), "block", "blocks", 1), block, CauseTopic},
		{"no key id", topics.Roster() + "/x", block, CauseTopic},
		{"short key id", strings.TrimSuffix(topics.Block(b), "0")[:40], block, CauseTopic},
		{"key id in capitals", strings.TrimSuffix(topics.Block(b), b.String()) + strings.ToUpper(b.String()), block, CauseTopic},
		{"more levels", topics.Block(b) + "/x", block, CauseTopic},
		{"block of another author", topics.Block(me), block, CauseAuthor},
		{"frontier of another witness", topics.Frontier(me), frontier, CauseAuthor},
		{"empty", topics.Block(b), nil, CausePayload},
		{"garbage", topics.Block(b), []byte("garbage"), CausePayload},
		{"cut", topics.Block(b), block[:len(block)-1], CausePayload},
		{"oversized", topics.Block(b), make([]byte, ledger.MaxBlock+1), CausePayload},
		{"garbage frontier", topics.Frontier(b), []byte{0xa0}, CausePayload},
		{"garbage evidence", topics.Evidence(b), []byte{0xa0}, CausePayload},
		{"garbage status", topics.Status(b), []byte{1}, CausePayload},
		{"oversized status", topics.Status(b), make([]byte, MaxHint+1), CausePayload},
		{"garbage roster", topics.Roster(), []byte{0xa0}, CausePayload},
		{"garbage ask", topics.Ask(me), []byte{0xa0}, CausePayload},
		{"garbage give", topics.Give(me), []byte{0xa0}, CausePayload},
		{"ask to another", topics.Ask(b), Ask{From: b}.Encode(), CauseTopic},
		{"give to another", topics.Give(b), Give{From: b}.Encode(), CauseTopic},
		{"give not asked for", topics.Give(me), Give{From: b, Blocks: [][]byte{block}}.Encode(), CauseUnasked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.now = r.now.Add(time.Minute)
			before, logs, sent := n.m.Dropped(tc.want), len(n.logs), len(n.sent)
			for range 3 {
				r.step(n, Message{Topic: tc.topic, Payload: tc.payload})
			}
			if got := n.m.Dropped(tc.want) - before; got != 3 {
				t.Errorf("%d of 3 counted as %v", got, tc.want)
			}
			logged := slices.DeleteFunc(slices.Clone(n.logs[logs:]), func(l Log) bool { return l.Event != journal.MessageDropped })
			if len(logged) != 1 || logged[0].Cause != tc.want.String() {
				t.Errorf("logged %+v", logged)
			}
			for _, p := range n.sent[sent:] {
				if p.Topic != topics.Status(me) {
					t.Errorf("answered on %s", p.Topic)
				}
			}
		})
	}
	if len(n.store.blocks) != 0 {
		t.Error("a block was taken")
	}
	r.now = r.now.Add(time.Minute)
	r.step(n, Message{Topic: topics.Block(b), Payload: []byte("again")})
	if l := n.logs[len(n.logs)-1]; l.LeftOut != 2 {
		t.Errorf("left out %d, want the two not logged before: %+v", l.LeftOut, l)
	}
}

// TestForgedBlock: a block with a bad signature is not held, and its author is
// asked about it a bounded number of times.
func TestForgedBlock(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b")
	r.seal(ns[0], 3)
	r.run(5 * time.Second)
	ref := newShelf(r.genesis, r.statements)
	for b := range ns[0].store.Blocks(ns[0].id, 1, 9) {
		ref.put(b)
	}
	next := ref.blocks[ref.seal("a", ledger.Hash{}, nil).Hash]
	forged := bytes.Clone(next.Raw())
	at := bytes.Index(forged, next.Signed().Sig)
	forged[at+7] ^= 1
	asks := ns[1].asks
	for range 10 {
		r.inject(Publish{Topic: r.topics().Block(ns[0].id), Payload: forged})
	}
	r.run(10 * time.Minute)
	if len(ns[1].store.blocks) != 3 {
		t.Error("the forged block is held")
	}
	if n := ns[1].asks - asks; n > 25 {
		t.Errorf("%d asks", n)
	}
	r.seal(ns[0], 1)
	r.converge(time.Second, ns...)
}

// TestLies: claims of what does not exist cost a bounded number of asks and do
// not hold up what does.
func TestLies(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b")
	r.run(5 * time.Second)
	quiet := ns[1].asks
	for i := range 600 {
		lie := Status{Height: ledger.MaxHeight - uint64(i), Head: ledger.Hash{1, byte(i), byte(i >> 8)}, Roster: []ledger.Hash{{2, byte(i), byte(i >> 8)}}}
		r.step(ns[1], Message{Topic: r.topics().Status(ns[0].id), Payload: lie.Encode()})
	}
	r.seal(ns[0], 5)
	r.converge(time.Second, ns...)
	r.lose = func(_ int, p Publish) bool { return strings.Contains(p.Topic, "/block/") }
	r.seal(ns[0], 5)
	r.converge(10*time.Second, ns...)
	if n := len(ns[1].m.wants.authors[0].claims); n > maxClaims {
		t.Errorf("%d claims kept", n)
	}
	r.run(20 * time.Minute)
	if n := len(ns[1].m.wants.authors) + len(ns[1].m.wants.hashes); n != 0 {
		t.Errorf("%d lies are still believed", n)
	}
	if n := ns[1].asks - quiet; n > 300 {
		t.Errorf("%d asks", n)
	}
}

// TestFloodOfAsks: an asker who floods gets 8 answers a second, all strangers
// together as much as one, and memory stays bounded.
func TestFloodOfAsks(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n := r.start("a")[0]
	r.seal(n, 200)
	ask := func(from ledger.KeyID) {
		a := Ask{From: from, Ranges: []Range{{Author: n.id, From: 1, To: ledger.MaxHeight}}}
		r.step(n, Message{Topic: r.topics().Ask(n.id), Payload: a.Encode()})
	}
	answers := func(to func(topic string) bool) (count int) {
		for _, p := range n.sent {
			if strings.Contains(p.Topic, "/give/") && to(p.Topic) {
				count++
			}
		}
		return count
	}
	b := r.topics().Give(idOf("b"))
	for i := range 10_000 {
		ask(idOf("b"))
		ask(ledger.KeyID{9, byte(i), byte(i >> 8)})
		r.run(time.Millisecond)
	}
	known := answers(func(topic string) bool { return topic == b })
	strangers := answers(func(topic string) bool { return topic != b })
	for who, got := range map[string]int{"the known asker": known, "strangers": strangers} {
		if most := askerBurst + 8*10 + 1; got > most || got < 8*10 {
			t.Errorf("%s got %d answers in 10 s, want 80 to %d", who, got, most)
		}
	}
	if len(n.m.giving.pending) > strangersDue+1 || len(n.m.giving.askers) > 2 || len(n.m.peers.list) > maxStrangers+1 {
		t.Errorf("%d pending, %d askers, %d peers kept", len(n.m.giving.pending), len(n.m.giving.askers), len(n.m.peers.list))
	}
	if n.m.Dropped(CauseAsks) == 0 || n.m.Dropped(CauseStrangers) == 0 {
		t.Error("nothing was counted as dropped")
	}
	sent := len(n.sent)
	r.run(time.Minute)
	if left := len(n.sent) - sent; left > strangersDue+5 {
		t.Errorf("%d messages after the flood", left)
	}
}

// TestOneGiveHoldsTheLargest: whatever else is asked for, an answer holds at
// least one object and fits.
func TestOneGiveHoldsTheLargest(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n := r.start("a")[0]
	s := n.store
	var txs []ledger.Tx
	for i := range 240 {
		tag := fmt.Sprintf("%093d", i)
		station := strings.Repeat("s", ledger.MaxID)
		txs = append(txs, must(ledger.NewTx(s.net, ledger.Tx{Sender: n.id, Time: 1, Item: ledger.Hash{1}, Body: ledger.Misroute{Station: station, Tag: tag}})))
	}
	var refs []ledger.Ref
	for range 3 {
		mark, _ := s.mark(n.id)(refOr(s.view().top(n.id).Hash, ledger.Hash(s.net)))
		b := must(ledger.Seal(s.net, signer("a"), ledger.Draft{Prev: mark, Skip: must(ledger.SkipFrom(mark, s.mark(n.id))), Roster: s.register.Heads(), Txs: txs}))
		s.put(b)
		refs = append(refs, b.Ref())
	}
	if size := len(s.blocks[refs[0].Hash].Raw()); size < 60<<10 {
		t.Fatalf("blocks of %d bytes only", size)
	}
	a := Ask{From: idOf("b"), Ranges: []Range{{Author: n.id, From: 1, To: 3}}, Hashes: []ledger.Hash{s.register.Heads()[0]}, Authors: []ledger.KeyID{n.id}}
	g := n.m.compose(r.now, s.view(), a).Give
	if len(g.Blocks) != 1 || len(g.Statements) != 3 || g.More != 1 || len(g.Encode()) > MaxGive {
		t.Errorf("%d blocks, %d statements, more %d, %d bytes", len(g.Blocks), len(g.Statements), g.More, len(g.Encode()))
	}
	if _, err := ParseGive(g.Encode()); err != nil {
		t.Error(err)
	}
}

func refOr(a, b ledger.Hash) ledger.Hash {
	if a.IsZero() {
		return b
	}
	return a
}

// TestEvidenceLast: authors under evidence are served after the others, once a
// second, and completely in the end.
func TestEvidenceLast(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n := r.start("a")[0]
	for range 300 {
		n.store.seal("b", ledger.Hash{}, nil)
		n.store.seal("c", ledger.Hash{}, nil)
	}
	v := n.store.view()
	v.Last = []ledger.KeyID{idOf("b")}
	ranges := []Range{{Author: idOf("b"), From: 1, To: 300}, {Author: idOf("c"), From: 200, To: 300}}
	slices.SortFunc(ranges, func(a, b Range) int { return compareKeys(a.Author, b.Author) })
	a := Ask{From: idOf("x"), Ranges: ranges}
	byAuthor := func(g Give) (b, c int) {
		for _, raw := range g.Blocks {
			if must(ledger.ParseBlock(n.store.net, raw)).Header().Author == idOf("b") {
				b++
			} else {
				c++
			}
		}
		return b, c
	}
	if b, c := byAuthor(n.m.compose(r.now, v, a).Give); c != 101 || b == 0 {
		t.Errorf("first answer: %d of the one under evidence, %d of the other", b, c)
	}
	second := n.m.compose(r.now, v, a).Give
	if b, c := byAuthor(second); c != 101 || b != 0 || second.More != 1 {
		t.Errorf("second answer within a second: %d of the one under evidence, %d of the other, more %d", b, c, second.More)
	}
}

// TestLowLies: claims of other blocks at heights long held cost a bounded number
// of asks, though the answers to them are full of what is held, and do not hold
// up what is missing above.
func TestLowLies(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b")
	r.seal(ns[0], 600)
	r.run(5 * time.Second)
	r.converge(time.Second, ns...)
	quiet, bytes := ns[1].asks, r.bytes
	for i := range 20 {
		lie := Status{Height: 1 + uint64(i%4), Head: ledger.Hash{1, byte(i)}}
		if i == 3 {
			lie.Height = ledger.MaxHeight // so that the range asked for has no end
		}
		r.step(ns[1], Message{Topic: r.topics().Status(ns[0].id), Payload: lie.Encode()})
	}
	r.lose = func(_ int, p Publish) bool { return strings.Contains(p.Topic, "/block/") }
	r.seal(ns[0], 5)
	r.converge(10*time.Second, ns...)
	r.run(20 * time.Minute)
	if n := ns[1].asks - quiet; n > 150 {
		t.Errorf("%d asks", n)
	}
	if n := r.bytes - bytes; n > 20<<20 {
		t.Errorf("%d bytes", n)
	}
	if n := len(ns[1].m.wants.authors); n != 0 {
		t.Errorf("%d authors are still believed to lack something", n)
	}
}
