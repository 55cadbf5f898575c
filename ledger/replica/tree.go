package replica

// tree is an ordered map whose copies are free: a treap with path copying. A
// branch that this copy made itself is changed in place, so a batch of writes
// copies every path once. Priorities are hashes of the keys: the shape does not
// depend on the order of writes.
type tree struct {
	root *branch
	mine *token
}

// token marks the branches that one copy of a tree made. It is not empty, so
// that two tokens never share an address.
type token struct{ _ byte }

type branch struct {
	key         string
	value       []byte
	priority    uint64
	left, right *branch
	owner       *token
}

// copied returns a second tree with the same entries; from now on each changes
// alone.
func (t *tree) copied() tree {
	t.mine = new(token)
	return tree{root: t.root, mine: new(token)}
}

func (t *tree) get(key string) ([]byte, bool) {
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
	return nil, false
}

func (t *tree) put(key string, value []byte) {
	if t.mine == nil {
		t.mine = new(token)
	}
	t.root = t.insert(t.root, key, value, priorityOf(key))
}

// replace is put, and returns what was there before.
func (t *tree) replace(key string, value []byte) (old []byte, before bool) {
	old, before = t.get(key)
	t.put(key, value)
	return old, before
}

func (t *tree) delete(key string) {
	if t.mine == nil {
		t.mine = new(token)
	}
	t.root = t.remove(t.root, key)
}

// scan yields the entries with keys ≥ from in order; it reports whether yield
// wanted all.
func (t *tree) scan(from string, yield func(string, []byte) bool) bool {
	return t.root.scan(from, yield)
}

func (b *branch) scan(from string, yield func(string, []byte) bool) bool {
	for b != nil && b.key < from {
		b = b.right
	}
	if b == nil {
		return true
	}
	return b.left.scan(from, yield) && yield(b.key, b.value) && b.right.scan(from, yield)
}

func (t *tree) own(b *branch) *branch {
	if b.owner == t.mine {
		return b
	}
	c := *b
	c.owner = t.mine
	return &c
}

func (t *tree) insert(b *branch, key string, value []byte, priority uint64) *branch {
	switch {
	case b == nil:
		return &branch{key: key, value: value, priority: priority, owner: t.mine}
	case key == b.key:
		b = t.own(b)
		b.value = value
	case priority > b.priority:
		left, right := t.split(b, key)
		return &branch{key: key, value: value, priority: priority, left: left, right: right, owner: t.mine}
	case key < b.key:
		b = t.own(b)
		b.left = t.insert(b.left, key, value, priority)
	default:
		b = t.own(b)
		b.right = t.insert(b.right, key, value, priority)
	}
	return b
}

// split parts b into what lies before and after key, which is not in it.
func (t *tree) split(b *branch, key string) (left, right *branch) {
	if b == nil {
		return nil, nil
	}
	b = t.own(b)
	if b.key < key {
		b.right, right = t.split(b.right, key)
		return b, right
	}
	left, b.left = t.split(b.left, key)
	return left, b
}

func (t *tree) remove(b *branch, key string) *branch {
	switch {
	case b == nil:
		return nil
	case key == b.key:
		return t.merge(b.left, b.right)
	case key < b.key:
		left := t.remove(b.left, key)
		if left == b.left {
			return b
		}
		b = t.own(b)
		b.left = left
	default:
		right := t.remove(b.right, key)
		if right == b.right {
			return b
		}
		b = t.own(b)
		b.right = right
	}
	return b
}

func (t *tree) merge(left, right *branch) *branch {
	switch {
	case left == nil:
		return right
	case right == nil:
		return left
	case left.priority > right.priority:
		left = t.own(left)
		left.right = t.merge(left.right, right)
		return left
	default:
		right = t.own(right)
		right.left = t.merge(left, right.left)
		return right
	}
}

// priorityOf is FNV-1a with a final mix.
func priorityOf(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	h ^= h >> 31
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}
