package peer

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	for _, tc := range []struct {
		name  string
		start func(r *rig) *node
		want  Reason
		after time.Duration // at the earliest
		until time.Duration // at the latest
	}{
		{"no broker", func(r *rig) *node {
			return r.add("a", newShelf(r.genesis, r.statements))
		}, ReasonAlone, time.Second, time.Second},
		{"nobody else", func(r *rig) *node {
			return r.start("a")[0]
		}, ReasonWaited, 3 * time.Second, 3 * time.Second},
		{"a peer has nothing of the own chain", func(r *rig) *node {
			r.start("b")
			r.run(time.Minute)
			return r.start("a")[0]
		}, ReasonAnswered, 0, 50 * time.Millisecond},
		{"a peer holds what is held here", func(r *rig) *node {
			ns := r.start("a", "b")
			r.seal(ns[0], 10)
			r.run(time.Minute)
			return r.again(ns[0])
		}, ReasonAnswered, 0, 50 * time.Millisecond},
		{"peers that do not answer", func(r *rig) *node {
			r.start("b", "c")
			r.run(time.Minute)
			r.lose = func(_ int, p Publish) bool { return strings.Contains(p.Topic, "/give/") }
			return r.start("a")[0]
		}, ReasonWaited, 3 * time.Second, 3 * time.Second},
		{"the broker comes late", func(r *rig) *node {
			n := r.add("a", newShelf(r.genesis, r.statements))
			r.run(2 * time.Second)
			r.connect(n)
			return n
		}, ReasonAlone, time.Second, time.Second},
		{"the connection breaks", func(r *rig) *node {
			n := r.add("a", newShelf(r.genesis, r.statements))
			r.connect(n)
			r.disconnect(n)
			return n
		}, ReasonWaited, 3 * time.Second, 3 * time.Second},
		{"600 own blocks are taken back first", func(r *rig) *node {
			ns := r.start("a", "b")
			r.seal(ns[0], 600)
			r.run(time.Minute)
			ns[0].store = newShelf(r.genesis, r.statements)
			return r.again(ns[0])
		}, ReasonAnswered, 0, 2 * time.Second},
		{"own blocks are claimed and never given", func(r *rig) *node {
			ns := r.start("a", "b")
			r.seal(ns[0], 10)
			r.run(time.Minute)
			ns[0].store = newShelf(r.genesis, r.statements)
			answered := false
			r.lose = func(_ int, p Publish) bool {
				lost := answered && strings.Contains(p.Topic, "/give/")
				answered = answered || strings.Contains(p.Topic, "/give/")
				return lost
			}
			return r.again(ns[0])
		}, ReasonWaited, 3 * time.Second, 3 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, "a*", "b*", "c")
			n := tc.start(r)
			began := n.m.gate.started
			r.run(30 * time.Second)
			if !slices.Equal(n.ready, []Reason{tc.want}) {
				t.Fatalf("ready %v, want once: %v", n.ready, tc.want)
			}
			if took := n.at.Sub(began); took < tc.after || took > tc.until {
				t.Errorf("after %v, want %v to %v", took, tc.after, tc.until)
			}
			if tc.want == ReasonAnswered && len(r.nodes) > 1 && !r.alike(r.nodes...) {
				t.Error("open before all own blocks were back")
			}
		})
	}
}

// again restarts a gateway over what it holds.
func (r *rig) again(n *node) *node {
	r.disconnect(n)
	r.reboot(n)
	r.connect(n)
	return n
}
