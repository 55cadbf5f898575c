package replica

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"traveler.example/ledger"
)

// markAt returns the mark of a block held; genesis is block 0 of every chain
// and skips to itself.
func (e *engine) markAt(author ledger.KeyID, hash ledger.Hash) (markRecord, bool, error) {
	if hash == ledger.Hash(e.net) {
		return markRecord{Author: author, Prev: hash, Skip: hash}, true, nil
	}
	if m, ok := e.memo.marks[hash]; ok {
		return m, true, nil
	}
	m, ok, err := read[markRecord](e, keyMark+str(hash))
	if ok && err == nil {
		remember(e.memo.marks, hash, m)
	}
	return m, ok, err
}

// mustMark is markAt for a block that must be held because its child is.
func (e *engine) mustMark(author ledger.KeyID, hash ledger.Hash) (markRecord, error) {
	m, ok, err := e.markAt(author, hash)
	if err == nil && !ok {
		err = &DamageError{Author: author, Hash: hash, Key: recordNames[keyMark], Detail: "is missing though a later block of the chain is held"}
	}
	return m, err
}

func (e *engine) holds(hash ledger.Hash) (bool, error) {
	v, err := e.get(keyMark + str(hash))
	return v != nil, err
}

// tips returns the branch heads of an author, by height and hash.
func tips(r reader, author ledger.KeyID) ([]ledger.Ref, error) {
	refs, _, err := readRefs(r, keyTips+string(author[:]))
	return refs, err
}

// ancestor reports whether old is young or an ancestor of it by prev and also.
// Both are held and of one author. Below the lowest fork a chain has one block a
// height, and heights say all.
func (e *engine) ancestor(old, young ledger.Ref) (bool, error) {
	if old.Height >= young.Height {
		return old == young, nil
	}
	if old.Height == 0 {
		return true, nil
	}
	fork, err := e.fork(young.Author)
	if err != nil {
		return false, err
	}
	if len(fork) == 0 || old.Height < fork[0].Height {
		return true, nil
	}
	w := walk{e: e, old: old, seen: map[ledger.Hash]bool{}}
	return w.reaches(young)
}

// walk looks for an ancestor in a chain with branches: back by prev and skip,
// and from every joining block on the way by also.
type walk struct {
	e     *engine
	old   ledger.Ref
	joins []ledger.Ref // joining blocks above old
	read  bool
	seen  map[ledger.Hash]bool // blocks from which old was sought already
}

func (w *walk) reaches(young ledger.Ref) (bool, error) {
	pending := []ledger.Ref{young}
	for len(pending) > 0 {
		from := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if w.seen[from.Hash] {
			continue
		}
		w.seen[from.Hash] = true
		if ok, err := w.e.onPath(w.old, from); ok || err != nil {
			return ok, err
		}
		joins, err := w.joinsBelow(from)
		if err != nil {
			return false, err
		}
		pending = append(pending, joins...)
	}
	return false, nil
}

// joinsBelow returns the blocks that joining blocks on from's path by prev name
// as also, where those are not below old.
func (w *walk) joinsBelow(from ledger.Ref) ([]ledger.Ref, error) {
	if !w.read {
		prefix := keyJoin + string(from.Author[:])
		err := w.e.keys(prefix, prefix+heightKey(from.Author, w.old.Height)[keyIDSize:], func(key string) bool {
			w.joins = append(w.joins, refOf(key[1:]))
			return true
		})
		if err != nil {
			return nil, err
		}
		w.read = true
	}
	var out []ledger.Ref
	for _, j := range w.joins {
		if j.Height > from.Height {
			break
		}
		if ok, err := w.e.onPath(j, from); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		m, err := w.e.mustMark(j.Author, j.Hash)
		if err != nil {
			return nil, err
		}
		also, err := w.e.mustMark(j.Author, m.Also)
		if err != nil {
			return nil, err
		}
		if also.Height >= w.old.Height {
			out = append(out, also.ref(m.Also))
		}
	}
	return out, nil
}

// onPath reports whether old is young or on its way back by prev alone.
func (e *engine) onPath(old, young ledger.Ref) (bool, error) {
	at := young
	for at.Height > old.Height {
		m, err := e.mustMark(at.Author, at.Hash)
		if err != nil {
			return false, err
		}
		s, err := e.mustMark(at.Author, m.Skip)
		if err != nil {
			return false, err
		}
		if s.Height >= old.Height {
			at = s.ref(m.Skip)
			continue
		}
		at = ledger.Ref{Author: at.Author, Height: at.Height - 1, Hash: m.Prev}
	}
	return at == old, nil
}

// gapError says which object a block lacks.
type gapError struct {
	want      ledger.Ref
	statement ledger.Hash
}

func (g *gapError) Error() string {
	if g.statement.IsZero() {
		return fmt.Sprintf("block %s is not held", g.want)
	}
	return fmt.Sprintf("roster statement %s is not held", g.statement.Short())
}

// surroundings collects what the link rules need of what is held. Errors are
// *gapError and those of the store.
func (e *engine) surroundings(h ledger.Header) (ledger.Surroundings, error) {
	prev, ok, err := e.markAt(h.Author, h.Prev)
	if err != nil {
		return ledger.Surroundings{}, err
	}
	if !ok {
		return ledger.Surroundings{}, &gapError{want: ledger.Ref{Author: h.Author, Height: h.Height - 1, Hash: h.Prev}}
	}
	roster, err := e.register.At(h.Roster)
	if err != nil {
		return ledger.Surroundings{}, gapOf(err)
	}
	s := ledger.Surroundings{Prev: prev.mark(h.Prev), Roster: roster, Contains: e.register.Contains}
	if !h.Also.IsZero() {
		also, ok, err := e.markAt(h.Author, h.Also)
		if err != nil {
			return ledger.Surroundings{}, err
		}
		if !ok {
			return ledger.Surroundings{}, &gapError{want: ledger.Ref{Author: h.Author, Hash: h.Also}}
		}
		s.Also = also.mark(h.Also)
	}
	return s, nil
}

// gapOf turns a gap in the register into one of this package.
func gapOf(err error) error {
	var gap *ledger.GapError
	if errors.As(err, &gap) && len(gap.Missing) > 0 {
		return &gapError{statement: gap.Missing[0]}
	}
	return err
}

// fits holds a block to the link rules. Errors: *gapError, ledger.ErrLinks and
// ledger.ErrAuthor wrapped, and those of the store.
func (e *engine) fits(b ledger.UnverifiedBlock) error {
	h := b.Header()
	s, err := e.surroundings(h)
	if err != nil {
		return err
	}
	var failed error
	s.Mark = func(hash ledger.Hash) (ledger.Mark, bool) {
		m, ok, err := e.markAt(h.Author, hash)
		if err != nil {
			failed = err
		}
		return m.mark(hash), ok
	}
	s.Ancestor = func(old, young ledger.Ref) bool {
		ok, err := e.ancestor(old, young)
		if err != nil {
			failed = err
		}
		return ok
	}
	err = b.CheckLinks(s)
	if failed != nil {
		return failed
	}
	return gapOf(err)
}

// sealing is a block as the views see it: sealed, or a draft.
type sealing struct {
	ref  ledger.Ref
	mark markRecord
	raw  []byte
	txs  []ledger.Tx
}

func sealingOf(b ledger.UnverifiedBlock) sealing {
	h := b.Header()
	return sealing{
		ref: b.Ref(), raw: b.Raw(), txs: b.Txs(),
		mark: markRecord{Author: h.Author, Height: h.Height, Prev: h.Prev, Also: h.Also, Skip: h.Skip, Roster: h.Roster},
	}
}

// insert takes a block that fits and is authentic, and places its transactions;
// settle judges them.
func (e *engine) insert(s sealing) error {
	if err := e.link(s); err != nil {
		return err
	}
	if s.raw != nil {
		e.put(keyBlock+str(s.ref.Hash), s.raw)
	}
	e.count(func(c *counters) { c.Blocks++; c.Bytes += uint64(len(s.raw)) })
	e.grown[s.ref.Author] = true
	if e.namedHead(s.ref) {
		e.recalls = append(e.recalls, recall{author: s.ref.Author})
	}
	for i, t := range s.txs {
		p := ledger.Place{Author: s.ref.Author, Height: s.ref.Height, Block: s.ref.Hash, Index: uint16(i)}
		if err := e.place(p, t); err != nil {
			return err
		}
	}
	return nil
}

// link writes what the chain's own records say of a block.
func (e *engine) link(s sealing) error {
	save(e, keyMark+str(s.ref.Hash), s.mark)
	e.put(keyChain+refKey(s.ref), present)
	if !s.mark.Also.IsZero() {
		e.put(keyJoin+refKey(s.ref), present)
	}
	author := string(s.ref.Author[:])
	old, err := tips(e, s.ref.Author)
	if err != nil {
		return err
	}
	refs := slices.DeleteFunc(slices.Clone(old), func(r ledger.Ref) bool { return r.Hash == s.mark.Prev || r.Hash == s.mark.Also })
	refs = append(refs, s.ref)
	slices.SortFunc(refs, compareRefs)
	save(e, keyTips+author, refsRecord(refs))
	if len(refs) == 1 && len(old) <= 1 {
		return nil // it follows the only head: no fork begins here
	}
	return e.noteFork(s.ref)
}

// noteFork keeps the lowest height at which an author has two blocks.
func (e *engine) noteFork(r ledger.Ref) error {
	fork, err := e.fork(r.Author)
	if err != nil || (len(fork) > 0 && fork[0].Height < r.Height) {
		return err
	}
	at := heightKey(r.Author, r.Height)
	hashes, err := keysOf(e, keyChain+at)
	if err != nil || len(hashes) < 2 {
		return err
	}
	fork = nil
	for _, h := range hashes {
		fork = append(fork, ledger.Ref{Author: r.Author, Height: r.Height, Hash: hashOf(h)})
	}
	save(e, keyFork+string(r.Author[:]), refsRecord(fork))
	e.memo.forks[r.Author] = fork
	return nil
}

// fork returns the blocks at the lowest height at which an author has two; none
// for most.
func (e *engine) fork(author ledger.KeyID) ([]ledger.Ref, error) {
	if fork, ok := e.memo.forks[author]; ok {
		return fork, nil
	}
	fork, _, err := readRefs(e, keyFork+string(author[:]))
	if err == nil {
		remember(e.memo.forks, author, fork)
	}
	return fork, err
}

// counts reports whether the current roster lets a block count: its author is
// not revoked, or the block is one of the named heads or an ancestor of one.
func (e *engine) counts(block ledger.Ref) (bool, error) {
	heads, revoked := e.register.Current().Revoked(block.Author)
	if !revoked {
		return true, nil
	}
	for _, h := range heads {
		m, ok, err := e.markAt(block.Author, h)
		if err != nil {
			return false, err
		}
		if !ok || m.Author != block.Author {
			continue
		}
		if ok, err := e.ancestor(block, m.ref(h)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// namedHead reports whether a revocation names the block as a head that counts.
func (e *engine) namedHead(block ledger.Ref) bool {
	heads, revoked := e.register.Current().Revoked(block.Author)
	return revoked && slices.ContainsFunc(heads, func(h ledger.Hash) bool { return bytes.Equal(h[:], block.Hash[:]) })
}
