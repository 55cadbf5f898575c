package replica

import (
	"bytes"
	"maps"
	"slices"

	"traveler.example/ledger"
)

// engine changes the views: everything that follows from blocks and statements
// is written here, on top of one state of the store, and committed at once.
type engine struct {
	overlay
	net      ledger.NetworkID
	register *ledger.Register
	memo     *memo
	draft    map[ledger.TxID]ledger.Tx // transactions of a block that is not sealed yet

	total   counters
	counted bool // total differs from the store
	todo    []job
	stale   map[ledger.ItemID]bool // items whose record is to be renewed
	changed map[ledger.ItemID]bool // items that readers should look at again
	recalls []recall
	grown   map[ledger.KeyID]bool // authors of whom blocks or frontiers came
	why     error                 // what Apply said of the placement judged last
}

// recall is a chain of which it is to be worked out again what counts.
type recall struct {
	author ledger.KeyID
	from   string // key of the chain index, without the author
}

// job is a placement to be judged.
type job struct {
	place ledger.Place
	tx    ledger.TxID
}

// memo remembers across commits what never changes, and what only the committer
// changes: nobody else uses it.
type memo struct {
	marks map[ledger.Hash]markRecord
	txs   map[ledger.TxID]ledger.Tx
	nodes map[ledger.ItemID][]ledger.Node // whole histories
	held  int                             // how much nodes hold

	forks   map[ledger.KeyID][]ledger.Ref // of authors asked about; none for most
	orphans known
	lacking map[ledger.KeyID]int // by author, how many more words must come before more can be confirmed
}

// memoSize bounds each part of a memo: marks are some 200 bytes, transactions at
// most 8 KiB and mostly below 1.
const memoSize = 512

func newMemo() *memo {
	return &memo{marks: map[ledger.Hash]markRecord{}, txs: map[ledger.TxID]ledger.Tx{}, nodes: map[ledger.ItemID][]ledger.Node{}, forks: map[ledger.KeyID][]ledger.Ref{}}
}

func remember[K comparable, V any](m map[K]V, k K, v V) {
	if len(m) >= memoSize {
		clear(m)
	}
	m[k] = v
}

func newEngine(base reader, register *ledger.Register, m *memo) (*engine, error) {
	e := &engine{
		overlay: overlay{base: base}, net: register.Network(), register: register, memo: m,
		stale: map[ledger.ItemID]bool{}, changed: map[ledger.ItemID]bool{}, grown: map[ledger.KeyID]bool{},
	}
	var err error
	e.total, _, err = read[counters](e, keyCounters)
	return e, err
}

// undoPoint is all of an engine that a request may have changed. Items named as
// changed stay so: readers look once more, and find nothing.
type undoPoint struct {
	mark
	total   counters
	counted bool
	todo    []job
	stale   map[ledger.ItemID]bool
	recalls []recall
	grown   map[ledger.KeyID]bool
}

func (e *engine) point() undoPoint {
	return undoPoint{
		e.mark(), e.total, e.counted, slices.Clone(e.todo), maps.Clone(e.stale), slices.Clone(e.recalls), maps.Clone(e.grown),
	}
}

func (e *engine) back(p undoPoint) {
	e.undo(p.mark)
	e.total, e.counted, e.todo, e.recalls = p.total, p.counted, slices.Clone(p.todo), slices.Clone(p.recalls)
	e.stale, e.grown = maps.Clone(p.stale), maps.Clone(p.grown)
	clear(e.memo.marks) // may know blocks of a draft
	e.memo.forget()
	clear(e.memo.forks)
}

// save writes a record in its encoding.
func save[T any, R record[T]](e *engine, key string, v T) { e.put(key, encode[T, R](key, v)) }

// count changes the totals.
func (e *engine) count(change func(*counters)) {
	change(&e.total)
	e.counted = true
}

// settle judges what waits to be judged and renews the records of items that
// changed, while the commit stays below limit bytes. It reports whether nothing
// is left.
func (e *engine) settle(limit int) (done bool, err error) {
	for len(e.todo) > 0 {
		if e.bytes >= limit {
			return false, nil
		}
		next := e.todo[0]
		e.todo = e.todo[1:]
		if err := e.judge(next); err != nil {
			return false, err
		}
	}
	for _, item := range sortedItems(e.stale) {
		if e.bytes >= limit {
			return false, nil
		}
		if err := e.renew(item); err != nil {
			return false, err
		}
		delete(e.stale, item)
	}
	return true, nil
}

// recallNext goes on with the first chain that is to be counted again.
func (e *engine) recallNext(limit int) error {
	next, err := e.recount(e.recalls[0].author, e.recalls[0].from, limit)
	if err != nil {
		return err
	}
	if e.recalls[0].from = next; next == "" {
		e.recalls = e.recalls[1:]
	}
	return nil
}

// follow makes e go on with what before left over, on top of a later state.
func (e *engine) follow(before *engine) {
	e.todo, e.stale, e.changed = before.todo, before.stale, before.changed
	e.recalls, e.grown, e.draft = before.recalls, before.grown, before.draft
}

// finish writes the totals.
func (e *engine) finish() {
	if e.counted {
		save(e, keyCounters, e.total)
		e.counted = false
	}
}

func sortedItems(set map[ledger.ItemID]bool) []ledger.ItemID {
	return slices.SortedFunc(maps.Keys(set), compareHashes)
}

func compareHashes(a, b ledger.Hash) int { return bytes.Compare(a[:], b[:]) }

func compareRefs(a, b ledger.Ref) int {
	if c := bytes.Compare(a.Author[:], b.Author[:]); c != 0 {
		return c
	}
	if a.Height != b.Height {
		if a.Height < b.Height {
			return -1
		}
		return 1
	}
	return compareHashes(a.Hash, b.Hash)
}
