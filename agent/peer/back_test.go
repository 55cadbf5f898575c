package peer

import (
	"slices"
	"testing"
	"time"
)

// TestFrontierForWhoIsBack: a gateway that was away has missed frontiers that
// nobody would say again for minutes; the witnesses say all once it is heard.
func TestFrontierForWhoIsBack(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	ns := r.start("a", "b", "c")
	a, b, c := ns[0], ns[1], ns[2]
	r.run(10 * time.Second)
	topic, will := c.m.Will()
	r.disconnect(c)
	r.inject(Publish{Topic: topic, Retained: true, Payload: will})
	r.seal(a, 3)
	r.run(time.Minute)
	head := a.store.view().top(a.id)
	before := len(b.signed)
	if before == 0 || b.signed[before-1].Retained {
		t.Fatal("b said nothing of a's blocks, or all of it")
	}
	r.connect(c)
	r.run(10 * time.Second)
	said := b.signed[before:]
	if len(said) != 1 || !said[0].Retained || !slices.Contains(said[0].Heads, head) {
		t.Fatalf("after c is back b says %+v", said)
	}
	r.run(5 * time.Minute)
	if len(b.signed) != before+1 {
		t.Errorf("and says it again: %+v", b.signed[before+1:])
	}
}

// TestFrontiersOfManyWhoAreBack: however many come back, a witness says all at
// most once an interval.
func TestFrontiersOfManyWhoAreBack(t *testing.T) {
	names := []string{"a*", "b", "c", "d", "e", "f"}
	r := newRig(t, names...)
	ns := r.start("a", "b", "c", "d", "e", "f")
	r.seal(ns[0], 1)
	r.run(time.Minute)
	before := len(ns[0].signed)
	for range 20 {
		for _, n := range ns[1:] {
			topic, will := n.m.Will()
			r.disconnect(n)
			r.inject(Publish{Topic: topic, Retained: true, Payload: will})
		}
		r.connect(ns[1:]...)
		r.run(100 * time.Millisecond)
	}
	r.run(5 * time.Second)
	var full []SignFrontier
	for _, s := range ns[0].signed[before:] {
		if s.Retained {
			full = append(full, s)
		}
	}
	most := int((2*time.Second + 5*time.Second) / (leastInterval * 3 / 4))
	if len(full) < 1 || len(full) > most+1 {
		t.Errorf("%d full frontiers in 7 s, want 1 to %d", len(full), most+1)
	}
}
