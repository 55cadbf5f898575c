package peer

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// Each dialogue begins with two or more gateways, some running, and ends with
// all of those returned holding the same within the time given.
var dialogues = []struct {
	name   string
	within time.Duration
	play   func(r *rig) []*node
}{
	{"live", 100 * time.Millisecond, func(r *rig) []*node {
		ns := r.start("a*", "b*", "c")
		r.run(5 * time.Second)
		r.seal(ns[0], 1)
		r.seal(ns[1], 2)
		r.seal(ns[2], 3)
		return ns
	}},
	{"sealed while away", time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*", "c")
		r.run(5 * time.Second)
		r.disconnect(ns[0])
		r.seal(ns[0], 100)
		r.seal(ns[1], 3)
		r.run(time.Hour)
		r.connect(ns[0])
		return ns
	}},
	{"a shift away", 10 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*", "c")
		r.disconnect(ns[0])
		r.seal(ns[0], 400)
		r.seal(ns[1], 200)
		r.run(8 * time.Hour)
		r.connect(ns[0])
		return ns
	}},
	{"500 blocks from another holder while their author is away", 10 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*")
		r.seal(ns[0], 500)
		r.run(5 * time.Second)
		r.disconnect(ns[0])
		return append(r.start("c"), ns[1])
	}},
	{"only a gateway that is no witness holds them, its author is away", 10 * time.Second, func(r *rig) []*node {
		r.forgetful = true
		ns := r.start("a", "b")
		r.seal(ns[0], 20)
		r.run(time.Second)
		r.disconnect(ns[0])
		return append(r.start("c"), ns[1])
	}},
	{"heads of more authors than one answer holds", time.Minute, func(r *rig) []*node {
		r.forgetful = true
		n := r.start("a")[0]
		for i := range 560 {
			name := fmt.Sprintf("x%d", i)
			r.enrol(name)
			must(0, n.store.register.Add(r.statements[len(r.statements)-1]))
			n.store.seal(name, ledger.Hash{}, nil)
		}
		return append(r.start("c"), n)
	}},
	{"a new gateway with nothing but genesis", 10 * time.Second, func(r *rig) []*node {
		for i := range 300 {
			r.enrol(fmt.Sprintf("former-%d", i))
		}
		ns := r.start("a*", "b*")
		r.seal(ns[0], 30)
		r.seal(ns[1], 30)
		r.run(time.Minute)
		r.enrol("new")
		joiner := r.add("new", newShelf(r.genesis, nil))
		must(0, ns[0].store.register.Add(r.statements[len(r.statements)-1]))
		r.step(ns[0], Committed{Statements: []ledger.Hash{r.statements[len(r.statements)-1].Hash()}})
		r.connect(joiner)
		return append(ns, joiner)
	}},
	{"two versions of one chain, apart for 40 and 90 blocks", 20 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*", "c")
		r.seal(ns[0], 30)
		r.run(time.Second)
		r.disconnect(ns[0])
		fork := ns[1].store.view().top(ns[0].id)
		r.seal(ns[0], 40)
		for range 90 {
			fork = ns[1].store.seal("a", fork.Hash, nil)
			r.step(ns[1], Committed{Blocks: []ledger.Ref{fork}})
		}
		r.run(10 * time.Second)
		r.connect(ns[0])
		return ns
	}},
	{"a chain that joins its branches", 20 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*", "c")
		r.disconnect(ns[2])
		s := ns[0].store
		base := s.seal("a", ledger.Hash{}, nil)
		x, y := s.seal("a", base.Hash, nil), s.seal("a", base.Hash, nil)
		y = s.seal("a", y.Hash, nil)
		also := ledger.MarkOf(s.blocks[x.Hash].UnverifiedBlock)
		join := s.seal("a", y.Hash, &also)
		r.step(ns[0], Committed{Sealed: []ledger.Ref{base, x, y, join}})
		r.run(10 * time.Second)
		r.connect(ns[2])
		return ns
	}},
	{"a block that cites statements not here", 3 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*")
		r.run(5 * time.Second)
		for i := range 5 {
			s := r.enrol(fmt.Sprintf("more-%d", i))
			must(0, ns[0].store.register.Add(s))
		}
		r.seal(ns[0], 3)
		return ns
	}},
	{"statements said at two places", 3 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*")
		r.run(5 * time.Second)
		fork := len(r.statements)
		for i, n := range ns {
			r.statements = r.statements[:fork]
			s := r.enrol(fmt.Sprintf("side-%d", i))
			must(0, n.store.register.Add(s))
			r.step(n, Committed{Statements: []ledger.Hash{s.Hash()}})
		}
		return ns
	}},
	{"a card restored from a backup", 3 * time.Second, func(r *rig) []*node {
		ns := r.start("a*", "b*", "c")
		r.seal(ns[0], 50)
		r.run(time.Second)
		r.disconnect(ns[0])
		ns[0].store = newShelf(r.genesis, r.statements)
		r.reboot(ns[0])
		r.connect(ns[0])
		return ns
	}},
}

func TestDialogues(t *testing.T) {
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			r := newRig(t, "a*", "b*", "c")
			ns := d.play(r)
			took := r.converge(d.within, ns...)
			bytes, messages := r.bytes, r.messages
			t.Logf("alike after %v, %d messages delivered, %d bytes published", took, messages, bytes)
			r.run(30 * time.Second)
			for _, n := range ns {
				if lag := n.m.Lag(n.store.view()); lag != 0 {
					t.Errorf("%s still misses %d blocks", n.name, lag)
				}
				for c := range causes {
					if n.m.Dropped(c) > 0 {
						t.Errorf("%s dropped %d messages: %v", n.name, n.m.Dropped(c), n.logs)
					}
				}
			}
		})
	}
}

// TestForgetfulBroker plays every dialogue over a broker that retains nothing:
// what holds then comes by the statuses of each minute.
func TestForgetfulBroker(t *testing.T) {
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			r := newRig(t, "a*", "b*", "c")
			r.forgetful = true
			r.converge(d.within+3*time.Minute, d.play(r)...)
		})
	}
}

// TestLossOfAnyMessage loses one delivery at each position in turn; of dialogues
// of many messages at twelve positions.
func TestLossOfAnyMessage(t *testing.T) {
	for _, d := range dialogues {
		if strings.HasPrefix(d.name, "heads of") || strings.HasPrefix(d.name, "a new") || strings.HasPrefix(d.name, "500") {
			continue // as the others, and too long for so many rounds
		}
		t.Run(d.name, func(t *testing.T) {
			r := newRig(t, "a*", "b*", "c")
			r.converge(d.within, d.play(r)...)
			count, every := r.messages, 1
			if most := 100; count > most {
				every = count / 12
			}
			worst := time.Duration(0)
			for lost := 1; lost <= count; lost += every {
				r := newRig(t, "a*", "b*", "c")
				r.lose = func(n int, _ Publish) bool { return n == lost }
				ns := d.play(r)
				worst = max(worst, r.converge(2*time.Minute, ns...))
			}
			t.Logf("%d messages, alike after %v at worst", count, worst)
		})
	}
}

// TestMayhem loses a third of all deliveries, doubles a third and reorders a
// third.
func TestMayhem(t *testing.T) {
	for _, d := range dialogues {
		if strings.HasPrefix(d.name, "heads of") {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			r := newRig(t, "a*", "b*", "c")
			fate := rand.New(rand.NewPCG(7, 7))
			r.lose = func(int, Publish) bool { return fate.IntN(3) == 0 }
			r.twice = func(int) (bool, bool) { return fate.IntN(3) == 0, fate.IntN(3) == 0 }
			r.converge(30*time.Minute, d.play(r)...)
		})
	}
}

// TestSameRunSameMessages: nothing in a machine depends on the order of a map.
func TestSameRunSameMessages(t *testing.T) {
	trace := func(d int) string {
		r := newRig(t, "a*", "b*", "c")
		h := sha256.New()
		r.trace = func(from *node, p Publish) {
			fmt.Fprintf(h, "%s %v %s %v %x\n", from.name, r.now, p.Topic, p.Retained, p.Payload)
		}
		dialogues[d].play(r)
		r.run(time.Minute)
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	for d := range dialogues {
		if dialogues[d].within > 3*time.Second {
			continue
		}
		if first, second := trace(d), trace(d); first != second {
			t.Errorf("%s: two runs differ", dialogues[d].name)
		}
	}
}

// TestEvidence: what one gateway holds against an author all come to hold, with
// the blocks of both sides.
func TestEvidence(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b", "c")
	r.seal(ns[0], 10)
	r.run(5 * time.Second)
	base := ns[1].store.chains[ns[0].id][7]
	x := ns[1].store.seal("a", base.Hash, nil)
	y := ns[1].store.chains[ns[0].id][8]
	if x.Height != y.Height {
		t.Fatal(x, y)
	}
	b := ns[1].store.blocks
	e := must(ledger.NewEvidence(r.genesis.Network(), []ledger.SignedHeader{b[x.Hash].Signed()}, []ledger.SignedHeader{b[y.Hash].Signed()}))
	ns[1].store.evidence[ns[0].id] = e
	r.step(ns[1], Committed{Evidence: []Fork{{A: x, B: y}}})
	r.converge(10*time.Second, ns...)
	for _, n := range ns {
		if len(n.store.evidence) != 1 {
			t.Errorf("%s holds no evidence", n.name)
		}
	}
	if i := slices.IndexFunc(r.retained, func(p Publish) bool { return p.Topic == r.topics().Evidence(ns[0].id) }); i < 0 {
		t.Error("evidence is not retained")
	}
	sent := len(ns[2].sent)
	r.run(9 * time.Second)
	for _, p := range ns[2].sent[sent:] {
		if strings.Contains(p.Topic, "/evidence/") {
			t.Error("evidence is published again without need")
		}
	}
}

// TestNothingBeforeItIsDurable: a block goes out in the step that reports it as
// sealed, and not for being in the store.
func TestNothingBeforeItIsDurable(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b")
	r.run(5 * time.Second)
	ref := ns[0].store.seal("a", ledger.Hash{}, nil)
	r.step(ns[0], Tick{})
	blocks := func() (n int) {
		for _, p := range ns[0].sent {
			if p.Topic == r.topics().Block(ns[0].id) {
				n++
			}
		}
		return n
	}
	if blocks() != 0 {
		t.Fatal("published before it was reported as committed")
	}
	r.step(ns[0], Committed{Sealed: []ledger.Ref{ref}})
	if blocks() != 1 {
		t.Fatalf("%d blocks published", blocks())
	}
}

// TestLag: a gateway that stays behind says so, and says when it no longer is.
func TestLag(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b")
	r.run(5 * time.Second)
	r.lose = func(_ int, p Publish) bool {
		return strings.Contains(p.Topic, "/block/") || strings.Contains(p.Topic, "/give/")
	}
	r.seal(ns[0], 7)
	r.run(3 * time.Second)
	if lag := ns[1].m.Lag(ns[1].store.view()); lag != 7 {
		t.Errorf("lag is %d", lag)
	}
	for range 20 {
		r.run(time.Second)
		r.seal(ns[0], 1)
	}
	r.lose = nil
	r.converge(2*time.Minute, ns...)
	r.run(time.Second)
	want := []journal.ID{journal.SyncBehind, journal.SyncCaughtUp}
	var got []journal.ID
	for _, l := range ns[1].logs {
		got = append(got, l.Event)
	}
	if !slices.Equal(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}
}

// TestSilence: a connection on which nobody is heard is told once, and its end.
func TestSilence(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b")
	r.run(5 * time.Second)
	r.disconnect(ns[1])
	r.run(10 * time.Minute)
	if peers := ns[0].m.Peers(r.now); len(peers) != 1 || peers[0].Online {
		t.Errorf("peers %+v", peers)
	}
	r.connect(ns[1])
	r.run(time.Second)
	if l := ns[0].logs; len(l) != 2 || l[0].Event != journal.PeerSilent || l[1].Event != journal.PeerBack {
		t.Errorf("logged %v", l)
	}
}
