package ledger

import "iter"

// tree is an ordered map that never changes: put returns a new one that shares
// all but a path with the old. A roster of 4,096 identities is therefore kept
// for every statement at the price of some tens of nodes each. It is an AVL
// tree without deletion: rosters only grow.
type tree[V any] struct {
	root *branch[V]
	size int
}

type branch[V any] struct {
	key         string
	value       V
	left, right *branch[V]
	height      int8
}

func (t tree[V]) get(key string) (V, bool) {
	for b := t.root; b != nil; {
		switch {
		case key < b.key:
			b = b.left
		case key > b.key:
			b = b.right
		default:
			return b.value, true
		}
	}
	var none V
	return none, false
}

func (t tree[V]) has(key string) bool {
	_, ok := t.get(key)
	return ok
}

// value is get for maps whose zero value says enough.
func (t tree[V]) value(key string) V {
	v, _ := t.get(key)
	return v
}

func (t tree[V]) put(key string, v V) tree[V] {
	root, added := t.root.put(key, v)
	if added {
		t.size++
	}
	t.root = root
	return t
}

// all yields the entries in the order of their keys.
func (t tree[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { t.root.walk(yield) }
}

func (b *branch[V]) walk(yield func(string, V) bool) bool {
	return b == nil || b.left.walk(yield) && yield(b.key, b.value) && b.right.walk(yield)
}

func (b *branch[V]) put(key string, v V) (root *branch[V], added bool) {
	if b == nil {
		return &branch[V]{key: key, value: v, height: 1}, true
	}
	c := *b
	switch {
	case key < b.key:
		c.left, added = b.left.put(key, v)
	case key > b.key:
		c.right, added = b.right.put(key, v)
	default:
		c.value = v
		return &c, false
	}
	return c.balanced(), added
}

// balanced restores the AVL invariant of a fresh branch, one of whose sides may
// have grown by one. The side that grew is fresh too, so both may be changed.
func (b *branch[V]) balanced() *branch[V] {
	switch lean := b.left.tall() - b.right.tall(); {
	case lean > 1:
		if b.left.left.tall() < b.left.right.tall() {
			b.left = b.left.turnLeft()
		}
		return b.turnRight()
	case lean < -1:
		if b.right.right.tall() < b.right.left.tall() {
			b.right = b.right.turnRight()
		}
		return b.turnLeft()
	}
	return b.measured()
}

func (b *branch[V]) turnRight() *branch[V] {
	up := b.left
	b.left, up.right = up.right, b
	b.measured()
	return up.measured()
}

func (b *branch[V]) turnLeft() *branch[V] {
	up := b.right
	b.right, up.left = up.left, b
	b.measured()
	return up.measured()
}

func (b *branch[V]) tall() int8 {
	if b == nil {
		return 0
	}
	return b.height
}

func (b *branch[V]) measured() *branch[V] {
	b.height = 1 + max(b.left.tall(), b.right.tall())
	return b
}
