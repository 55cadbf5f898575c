package replica

import (
	"bytes"
	"strings"

	"traveler.example/ledger"
)

// reader reads one consistent state of a store.
type reader interface {
	// get returns nil where there is no such key. The value is not to be changed.
	get(key string) ([]byte, error)
	// scan yields the entries whose keys begin with prefix and are ≥ from, in
	// order, until yield returns false.
	scan(prefix, from string, yield func(key string, value []byte) bool) error
	// keys is scan without the values, which may be damaged.
	keys(prefix, from string, yield func(key string) bool) error
	close()
}

// store is an ordered map from non-empty keys to non-empty values, written by
// one goroutine.
type store interface {
	snapshot() reader
	// commit applies all writes or none, and is durable once it returns. After
	// an error it is not known which.
	commit(writes *tree) error
	// limit is how many bytes one commit may hold.
	limit() int
	// reopen reads the state back from the disk after a failed commit.
	reopen() error
	size() int64
	close() error
}

// late is a snapshot that is taken at the first look: taking one wakes two of
// Badger's goroutines, and many a view is never looked at.
type late struct {
	store store
	taken reader
}

func (l *late) snapshot() reader {
	if l.taken == nil {
		l.taken = l.store.snapshot()
	}
	return l.taken
}

func (l *late) get(key string) ([]byte, error) { return l.snapshot().get(key) }

func (l *late) scan(prefix, from string, yield func(string, []byte) bool) error {
	return l.snapshot().scan(prefix, from, yield)
}

func (l *late) keys(prefix, from string, yield func(string) bool) error {
	return l.snapshot().keys(prefix, from, yield)
}

func (l *late) close() {
	if l.taken != nil {
		l.taken.close()
	}
}

// overlay is a state with writes on top of it that are not committed yet.
type overlay struct {
	base   reader
	writes tree // nil values are deletions
	bytes  int  // estimate of what a commit of the writes takes
	log    []overwritten
}

// overwritten is what a write replaced in the overlay.
type overwritten struct {
	key    string
	value  []byte
	before bool // there was a write of the key before
}

// perEntry is what an entry costs in the store beside key and value.
const perEntry = 48

// mark remembers the writes so far, for undo.
type mark struct {
	log   int
	bytes int
}

func (o *overlay) mark() mark { return mark{len(o.log), o.bytes} }

// undo takes back the writes since m, the latest first.
func (o *overlay) undo(m mark) {
	for ; len(o.log) > m.log; o.log = o.log[:len(o.log)-1] {
		if w := o.log[len(o.log)-1]; w.before {
			o.writes.put(w.key, w.value)
		} else {
			o.writes.delete(w.key)
		}
	}
	o.bytes = m.bytes
}

func (o *overlay) get(key string) ([]byte, error) {
	if v, ok := o.writes.get(key); ok {
		return v, nil
	}
	return o.base.get(key)
}

func (o *overlay) put(key string, value []byte) { o.write(key, value) }

func (o *overlay) delete(key string) { o.write(key, nil) }

func (o *overlay) write(key string, value []byte) {
	old, before := o.writes.replace(key, value)
	o.log = append(o.log, overwritten{key, old, before})
	o.bytes += perEntry + len(key) + len(value)
}

// rename puts a hash in the place of another one, of which the base knows
// nothing, in all keys and values. It cannot be undone.
func (o *overlay) rename(old, hash ledger.Hash) {
	var found []overwritten
	o.writes.scan("", func(key string, value []byte) bool {
		if strings.Contains(key, str(old)) || bytes.Contains(value, old[:]) {
			found = append(found, overwritten{key: key, value: value})
		}
		return true
	})
	for _, w := range found {
		key := strings.ReplaceAll(w.key, str(old), str(hash))
		if key != w.key {
			o.writes.delete(w.key)
		}
		if w.value != nil { // the base has nothing to delete under such a key
			o.writes.put(key, bytes.ReplaceAll(w.value, old[:], hash[:]))
		}
	}
	o.log = nil
}

func (o *overlay) scan(prefix, from string, yield func(string, []byte) bool) error {
	return o.merge(prefix, from, yield, func(each func(string, []byte) bool) error { return o.base.scan(prefix, from, each) })
}

func (o *overlay) keys(prefix, from string, yield func(string) bool) error {
	return o.merge(prefix, from, func(k string, _ []byte) bool { return yield(k) }, func(each func(string, []byte) bool) error {
		return o.base.keys(prefix, from, func(k string) bool { return each(k, nil) })
	})
}

// merge yields the entries of the base that below walks, and the writes in their
// place and between them.
func (o *overlay) merge(prefix, from string, yield func(string, []byte) bool, below func(func(string, []byte) bool) error) error {
	type entry struct {
		key   string
		value []byte
	}
	var over []entry
	o.writes.scan(max(prefix, from), func(k string, v []byte) bool {
		if !strings.HasPrefix(k, prefix) {
			return false
		}
		over = append(over, entry{k, v})
		return true
	})
	more, at := true, 0
	// before yields the writes up to a key of the base, and reports whether one
	// of them stands in its place.
	before := func(key string) (replaced bool) {
		for ; more && at < len(over) && over[at].key <= key; at++ {
			replaced = over[at].key == key
			if over[at].value != nil {
				more = yield(over[at].key, over[at].value)
			}
		}
		return replaced
	}
	err := below(func(k string, v []byte) bool {
		if !before(k) && more {
			more = yield(k, v)
		}
		return more
	})
	for ; err == nil && more && at < len(over); at++ {
		if over[at].value != nil {
			more = yield(over[at].key, over[at].value)
		}
	}
	return err
}

func (o *overlay) close() {}
