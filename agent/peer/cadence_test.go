package peer

import (
	"slices"
	"testing"
	"time"

	"traveler.example/ledger"
)

func TestInterval(t *testing.T) {
	for _, tc := range []struct {
		witnesses, gateways int
		want                time.Duration
	}{{1, 1, 2 * time.Second}, {21, 21, 2 * time.Second}, {21, 100, 7 * time.Second}, {21, 1000, 70 * time.Second}} {
		if got := Interval(tc.witnesses, tc.gateways); got != tc.want {
			t.Errorf("%d witnesses, %d gateways: %v, want %v", tc.witnesses, tc.gateways, got, tc.want)
		}
	}
}

// TestCadence: a full retained frontier after connecting and every ten minutes,
// in between what changed, at once after a pause and else after the interval.
func TestCadence(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n := r.add("a", newShelf(r.genesis, r.statements))
	n.store.seal("b", ledger.Hash{}, nil)
	r.run(time.Second)
	if len(n.signed) != 0 {
		t.Fatal("signed without a connection")
	}
	r.connect(n)
	if len(n.signed) != 1 || !n.signed[0].Retained || len(n.signed[0].Heads) != 1 {
		t.Fatalf("after connecting: %+v", n.signed)
	}
	r.run(5 * time.Second)
	r.seal(n, 1)
	if len(n.signed) != 2 || n.signed[1].Retained || !slices.Equal(n.signed[1].Heads, []ledger.Ref{n.store.view().top(n.id)}) {
		t.Fatalf("after a pause, at once and only what changed: %+v", n.signed[1:])
	}
	r.seal(n, 3)
	r.run(time.Second)
	if len(n.signed) != 2 {
		t.Fatal("a second one within the interval")
	}
	r.run(2 * time.Second)
	if len(n.signed) != 3 || !slices.Equal(n.signed[2].Heads, []ledger.Ref{n.store.view().top(n.id)}) {
		t.Fatalf("after the interval: %+v", n.signed[2:])
	}
	r.run(5 * time.Minute)
	if len(n.signed) != 3 {
		t.Fatal("signed though nothing changed")
	}
	r.run(10 * time.Minute)
	if len(n.signed) != 4 || !n.signed[3].Retained || len(n.signed[3].Heads) != 2 {
		t.Fatalf("after ten minutes: %+v", n.signed[3:])
	}
	r.disconnect(n)
	r.seal(n, 1)
	r.run(time.Hour)
	r.connect(n)
	if len(n.signed) != 5 || !n.signed[4].Retained {
		t.Fatalf("after connecting again: %+v", n.signed[4:])
	}
}

// TestNoWitness: a gateway without the role signs none, and one with nothing
// held waits until it holds something.
func TestNoWitness(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "c")
	r.run(15 * time.Minute)
	if len(ns[0].signed)+len(ns[1].signed) != 0 {
		t.Fatal("an empty frontier was signed")
	}
	r.seal(ns[1], 1)
	r.run(time.Second)
	if len(ns[1].signed) != 0 || len(ns[0].signed) != 1 || !ns[0].signed[0].Retained {
		t.Fatalf("%+v, %+v", ns[0].signed, ns[1].signed)
	}
}

// TestManyHeads: of an author with twenty heads eight are named in a frontier,
// all of them in three.
func TestManyHeads(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n := r.add("a", newShelf(r.genesis, r.statements))
	base := n.store.seal("b", ledger.Hash{}, nil)
	for range 20 {
		n.store.seal("b", base.Hash, nil)
	}
	r.connect(n)
	r.run(time.Minute)
	named := map[ledger.Hash]bool{}
	for _, f := range n.signed {
		if len(f.Heads) > headsOfOne {
			t.Errorf("%d heads in one", len(f.Heads))
		}
		for _, h := range f.Heads {
			named[h.Hash] = true
		}
	}
	if len(n.signed) != 3 || len(named) != 20 {
		t.Errorf("%d frontiers name %d heads", len(n.signed), len(named))
	}
}

// TestStatusSpared: a frontier that names the own head tells all what a status
// would.
func TestStatusSpared(t *testing.T) {
	r := newRig(t, "a*", "b")
	n := r.start("a", "b")[1]
	r.run(time.Minute)
	statuses := func() (count int) {
		for _, p := range n.sent {
			if p.Topic == r.topics().Status(n.id) {
				count++
			}
		}
		return count
	}
	before := statuses()
	for range 3 {
		r.seal(n, 1)
		r.run(10 * time.Second)
	}
	if got := statuses() - before; got > 1 {
		t.Errorf("%d statuses in half a minute, though a witness named every head", got)
	}
}

// TestStatusCadence: the status follows an own head that nobody is heard to hold
// within three seconds, one for many blocks, and comes every minute.
func TestStatusCadence(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	n := r.start("c")[0]
	statuses := func() (out []Status) {
		for _, p := range n.sent {
			if p.Topic == r.topics().Status(n.id) {
				out = append(out, must(ParseStatus(p.Payload)))
			}
		}
		return out
	}
	r.run(time.Second)
	first := len(statuses())
	r.seal(n, 10)
	r.run(headWithin + 100*time.Millisecond)
	all := statuses()
	if len(all) != first+1 || all[first].Height != 10 || all[first].Held != DigestOf(n.store.heads) {
		t.Fatalf("%+v", all[first:])
	}
	r.run(10 * time.Minute)
	if got := len(statuses()) - len(all); got < 8 || got > 13 {
		t.Errorf("%d statuses in ten minutes", got)
	}
	r.step(n, Stopping{})
	all = statuses()
	if last := all[len(all)-1]; last.Offline != 1 || last.Height != 10 {
		t.Errorf("at the end %+v", last)
	}
	if topic, will := n.m.Will(); topic != r.topics().Status(n.id) || must(ParseStatus(will)).Offline != 1 {
		t.Error("the will is no offline status")
	}
}
