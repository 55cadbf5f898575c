package ledger

import (
	"container/heap"
	"slices"
)

// entry is a statement in the register with all that follows from it and from
// what it builds on. Nothing in it changes once it is held.
type entry struct {
	Statement
	depth    int // 1 on genesis, else one more than the deepest it builds on
	parents  []*entry
	under    force    // in force where it builds: who had to sign it
	after    force    // in force once it is said
	turns    []*entry // changes of admins in its closure, itself included, sorted
	recovery bool     // signed by the recovery key
	ticket   Hash     // of a redemption: the statement that issued its ticket
	effects  []Change // what it says, a redemption spelled out
	all      state    // what its closure says if all of it counts
}

func (h *entry) compare(o *entry) int {
	return stamp{depth: h.depth, hash: h.hash}.compare(stamp{depth: o.depth, hash: o.hash})
}

func (h *entry) isTurn() bool {
	return slices.ContainsFunc(h.Changes, func(c Change) bool { return c.Kind == ChangeAdmins })
}

// admins returns the set that a change of admins names.
func (h *entry) admins() ([]Admin, uint8) {
	for _, c := range h.Changes {
		if c.Kind == ChangeAdmins {
			return c.Admins, c.Threshold
		}
	}
	return nil, 0
}

// with joins what h itself says.
func (s state) with(h *entry) state {
	for i, c := range h.effects {
		s = s.join(stamp{h.depth, h.hash, i}, c)
	}
	return s
}

// descend visits closures deepest first: the statements light and all they build
// on, but for those that shade, or a statement whose visit returned true, builds
// on. Whatever builds on a statement is visited before it. It ends as soon as
// only shaded ones are left, so its cost is that of the difference.
func descend(light, shade []*entry, visit func(*entry) (shades bool)) {
	d := descent{shaded: make(map[*entry]bool, 2*(len(light)+len(shade)))}
	d.meet(shade, true)
	d.meet(light, false)
	for d.light > 0 {
		h := heap.Pop(&d.queue).(*entry)
		shaded := d.shaded[h]
		if !shaded {
			d.light--
			shaded = visit(h)
		}
		d.meet(h.parents, shaded)
	}
}

type descent struct {
	queue  deepest
	shaded map[*entry]bool // of every statement met
	light  int             // how many in the queue are not shaded
}

func (d *descent) meet(hs []*entry, shaded bool) {
	for _, h := range hs {
		was, met := d.shaded[h]
		switch {
		case !met:
			d.shaded[h] = shaded
			heap.Push(&d.queue, h)
			if !shaded {
				d.light++
			}
		case shaded && !was:
			d.shaded[h] = true
			d.light--
		}
	}
}

// deepest is a heap.Interface.
type deepest []*entry

func (d deepest) Len() int           { return len(d) }
func (d deepest) Less(i, j int) bool { return d[i].compare(d[j]) > 0 }
func (d deepest) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deepest) Push(h any)        { *d = append(*d, h.(*entry)) }
func (d *deepest) Pop() any {
	last := len(*d) - 1
	h := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return h
}

// tips returns those of hs that no other of them builds on, sorted by hash.
func tips(hs []*entry) []*entry {
	if len(hs) < 2 {
		return hs
	}
	var top []*entry
	descend(hs, nil, func(h *entry) bool {
		top = append(top, h)
		return true
	})
	slices.SortFunc(top, func(a, b *entry) int { return compare(a.hash, b.hash) })
	return top
}

// within reports whether the closure of outer holds that of inner.
func within(outer, inner []*entry) bool {
	all := true
	descend(inner, outer, func(*entry) bool {
		all = false
		return true
	})
	return all
}

// allOf is what the closure of hs says if all of it counts. It takes the deepest
// one's state and adds what that does not build on.
func allOf(hs []*entry) state {
	if len(hs) == 0 {
		return state{}
	}
	base := slices.MaxFunc(hs, (*entry).compare)
	s := base.all
	descend(hs, []*entry{base}, func(h *entry) bool {
		s = s.with(h)
		return false
	})
	return s
}
