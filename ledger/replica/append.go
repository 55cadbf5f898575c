package replica

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"traveler.example/ledger"
)

// Append seals transactions in this gateway's next block, with what other
// callers append at the same moment. It is durable once it returns the block.
// Each transaction must be valid there and, where it moves an item, continue
// only current heads; what rests on a hand-off note must be so if the note is
// true, see [View.Noted], and waits until the note's report is here; else, or if the Guard refuses, nothing is sealed and the
// error wraps ErrStale (and the Guard's, or a *ledger.VoidError). Transactions
// that count already are not sealed again: the block returned is the one that
// holds the first of them. Other errors: ErrNoKey, ErrFull, ErrReadBack,
// ErrDamaged while the own chain's end is lost, ledger.ErrAuthor while the
// roster does not let this gateway seal, ErrClosed. When the context ends first,
// the transactions may still be sealed.
func (r *Replica) Append(ctx context.Context, b Batch) (ledger.Block, error) {
	if len(b.Txs) == 0 {
		return ledger.Block{}, errors.New("nothing to append: the batch has no transactions")
	}
	if r.o.Signer == nil {
		return ledger.Block{}, ErrNoKey
	}
	rep, err := r.ask(ctx, &request{batch: &b})
	return rep.block, err
}

// JoinBranches seals an empty block if this gateway's chain has more than one
// head, so that they grow together without waiting for work. It reports whether
// it did; with more than two heads it is called again.
func (r *Replica) JoinBranches(ctx context.Context) (ledger.Block, bool, error) {
	if r.o.Signer == nil {
		return ledger.Block{}, false, ErrNoKey
	}
	rep, err := r.ask(ctx, &request{batch: &Batch{}})
	return rep.block, rep.block.Raw() != nil, err
}

// draft is the block that is being filled.
type draft struct {
	prev   ledger.Mark
	also   *ledger.Mark
	skip   ledger.Hash
	roster []ledger.Hash
	ref    ledger.Ref // its hash stands in for the one that sealing gives
	txs    []ledger.Tx
	bytes  int
}

// Sizes of a block beside its transactions, at most: header with all roster
// heads, signature (512 bytes with RSA-4096), and the head of each transaction's
// byte string.
const (
	blockOverhead = 2048
	txOverhead    = 3
)

func (d *draft) holds(txs []ledger.Tx) bool {
	n := d.bytes
	for _, t := range txs {
		n += len(t.Raw()) + txOverhead
	}
	return len(d.txs)+len(txs) <= ledger.MaxBlockTxs && n <= ledger.MaxBlock-blockOverhead
}

// appends seals as many blocks as the requests need.
func (s *session) appends(reqs []*request) error {
	for len(reqs) > 0 {
		n, err := s.sealNext(reqs)
		if err != nil {
			return err
		}
		reqs = reqs[n:]
		if err := s.relieve(); err != nil {
			return err
		}
	}
	return nil
}

// sealNext fills one block from the first requests and seals it. It returns how
// many requests are answered. Every request is tried in a draft first, on top of
// those before it; what it wrote is undone if it is stale. What the draft wrote
// then becomes the sealed block's.
func (s *session) sealNext(reqs []*request) (int, error) {
	start := s.e.point()
	d, err := s.newDraft()
	if err != nil {
		s.e.back(start)
		return s.answerAll(reqs, err)
	}
	s.e.draft = map[ledger.TxID]ledger.Tx{}
	var sealed []*request
	n := 0
	for ; n < len(reqs) && (len(d.txs) == 0 || d.holds(reqs[n].batch.Txs)); n++ {
		ok, err := s.try(d, reqs[n])
		if err != nil {
			return 0, err
		}
		if ok {
			sealed = append(sealed, reqs[n])
		}
	}
	s.e.draft = nil
	if len(sealed) == 0 {
		s.e.back(start)
		return n, nil
	}
	return n, s.seal(d, sealed, start)
}

// answerAll refuses all requests for a reason that is not the store's.
func (s *session) answerAll(reqs []*request, err error) (int, error) {
	if !errors.Is(err, ledger.ErrAuthor) && !errors.Is(err, errNoRoster) {
		return 0, err
	}
	for _, q := range reqs {
		q.answer(reply{err: err})
	}
	return len(reqs), nil
}

// newDraft starts the block after the own head, joining one other branch.
func (s *session) newDraft() (*draft, error) {
	own := s.r.own
	heads, err := tips(s.e, own)
	if err != nil {
		return nil, err
	}
	d := &draft{prev: ledger.GenesisMark(s.e.net, own)}
	var cites []ledger.Hash
	order := joinOrder(heads)
	for i, h := range order[:min(len(order), 2)] {
		m, err := s.e.mustMark(own, h.Hash)
		if err != nil {
			return nil, err
		}
		mark := m.mark(h.Hash)
		if i == 0 {
			d.prev = mark
		} else {
			d.also = &mark
		}
		cites = append(cites, m.Roster...)
	}
	if me, ok := s.e.register.Current().Identity(own); ok && len(cites) == 0 {
		cites = append(cites, me.Enrolled) // the first block says by what its author is enrolled
	}
	slices.SortFunc(cites, compareHashes)
	if d.roster, err = s.e.register.Cite(slices.Compact(cites)); err != nil {
		return nil, err
	}
	if d.skip, err = s.skipAfter(d.prev); err != nil {
		return nil, err
	}
	return d, s.openDraft(d)
}

// joinOrder puts heads as the link rules want prev and also: the highest first,
// on a tie the lower hash.
func joinOrder(heads []ledger.Ref) []ledger.Ref {
	out := slices.Clone(heads)
	slices.SortFunc(out, func(a, b ledger.Ref) int {
		if a.Height != b.Height {
			return compareRefs(b, a)
		}
		return compareHashes(a.Hash, b.Hash)
	})
	return out
}

func (s *session) skipAfter(prev ledger.Mark) (ledger.Hash, error) {
	var failed error
	skip, err := ledger.SkipFrom(prev, func(h ledger.Hash) (ledger.Mark, bool) {
		m, err := s.e.mustMark(s.r.own, h)
		if err != nil {
			failed = err
		}
		return m.mark(h), err == nil
	})
	if failed != nil {
		return ledger.Hash{}, failed
	}
	return skip, err
}

var errNoRoster = errors.New("no roster statement is held: this gateway is not enrolled yet")

// openDraft makes the draft a block of the chain in the views, without
// transactions.
func (s *session) openDraft(d *draft) error {
	if len(d.roster) == 0 {
		return errNoRoster
	}
	roster, err := s.e.register.At(d.roster)
	if err != nil {
		return err
	}
	if !roster.Has(s.r.own, ledger.RoleGateway) {
		return fmt.Errorf("%w: the roster gives %s no gateway role", ledger.ErrAuthor, s.r.own.Short())
	}
	d.ref = ledger.Ref{Author: s.r.own, Height: d.prev.Ref.Height + 1, Hash: d.prev.Ref.Hash}
	for i := range d.ref.Hash { // no block has this hash: it would have to hash to its prev's complement
		d.ref.Hash[i] ^= 0xff
	}
	m := markRecord{Author: s.r.own, Height: d.ref.Height, Prev: d.prev.Ref.Hash, Skip: d.skip, Roster: d.roster}
	if d.also != nil {
		m.Also = d.also.Ref.Hash
	}
	return s.e.insert(sealing{ref: d.ref, mark: m})
}

// try adds a request to the draft. It answers the request itself if that is not
// to be sealed; the error is the store's.
func (s *session) try(d *draft, q *request) (bool, error) {
	if err := q.ctx.Err(); err != nil {
		q.answer(reply{err: err})
		return false, nil
	}
	if len(q.batch.Txs) == 0 {
		if d.also == nil {
			q.answer(reply{})
		}
		return d.also != nil, nil
	}
	if len(d.txs) == 0 && !d.holds(q.batch.Txs) {
		q.answer(reply{err: fmt.Errorf("%d transactions are more than a block holds (%d, %d KiB)", len(q.batch.Txs), ledger.MaxBlockTxs, ledger.MaxBlock>>10)})
		return false, nil
	}
	block, done, err := s.sealedBefore(q.batch.Txs)
	if err != nil || done {
		if done {
			q.answer(reply{block: block})
		}
		return false, err
	}
	undo, txs, size := s.e.point(), len(d.txs), d.bytes
	err = s.admit(d, q.batch)
	if err == nil {
		return true, nil
	}
	for _, t := range d.txs[txs:] {
		delete(s.e.draft, t.ID())
	}
	d.txs, d.bytes = d.txs[:txs], size
	s.e.back(undo)
	if !errors.Is(err, ErrStale) {
		return false, err
	}
	q.answer(reply{err: err})
	return false, nil
}

// sealedBefore finds a batch of which all counts already: an append that is
// repeated.
func (s *session) sealedBefore(txs []ledger.Tx) (ledger.Block, bool, error) {
	var first validRecord
	for i, t := range txs {
		v, ok, err := readValid(s.e, t.ID())
		if err != nil || !ok || v.Uncounted || s.e.draft[t.ID()].Raw() != nil {
			return ledger.Block{}, false, err
		}
		if i == 0 {
			first = v
		}
	}
	return readBlock(s.e, s.e.net, blockOf(first.Place))
}

// admit checks a batch again at the moment of sealing and places it in the
// draft. It returns ErrStale wrapped, or an error of the store.
func (s *session) admit(d *draft, b *Batch) error {
	if b.Guard != nil {
		if err := b.Guard(s.view()); err != nil {
			return fmt.Errorf("%w: %w", ErrStale, err)
		}
	}
	for _, t := range b.Txs {
		if err := s.continuesHeads(t); err != nil {
			return err
		}
		p := ledger.Place{Author: d.ref.Author, Height: d.ref.Height, Block: d.ref.Hash, Index: uint16(len(d.txs))}
		d.txs, d.bytes = append(d.txs, t), d.bytes+len(t.Raw())+txOverhead
		s.e.draft[t.ID()] = t
		if err := s.e.place(p, t); err != nil {
			return err
		}
		s.e.todo = s.e.todo[:len(s.e.todo)-1]
		if err := s.e.judge(job{p, t.ID()}); err != nil {
			return err
		}
		if why := s.e.why; why != nil {
			if on, err := s.onNote(t, why); err != nil || !on {
				return errors.Join(err, fmt.Errorf("%w: %s: %w", ErrStale, t.Kind, why))
			}
		}
		if _, err := s.e.settle(maxBytes); err != nil {
			return err
		}
	}
	return nil
}

// maxBytes is no limit.
const maxBytes = math.MaxInt

// continuesHeads refuses a transaction that moves an item from elsewhere than
// its current heads.
func (s *session) continuesHeads(t ledger.Tx) error {
	if !t.Kind.Moves() || t.Kind == ledger.KindIntake {
		return nil
	}
	check := func(item ledger.ItemID, heads ...ledger.TxID) error {
		rec, ok, err := read[itemRecord](s.e, keyItem+str(item))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: item %s is not here", ErrStale, item.Short())
		}
		known := rec.Heads
		for _, h := range heads {
			if slices.Contains(known, h) {
				continue
			}
			if known, err = s.view().notedHeads(item, t); err != nil {
				return err
			}
			if !slices.Contains(known, h) {
				return fmt.Errorf("%w: %s is no head of item %s now", ErrStale, h.Short(), item.Short())
			}
		}
		return nil
	}
	if err := check(t.Item, t.After...); err != nil {
		return err
	}
	if b, ok := t.Body.(ledger.Report); ok {
		for _, in := range b.Inputs {
			if err := check(in.Item, in.Head); err != nil {
				return err
			}
		}
	}
	return nil
}

// seal signs the draft and makes its writes the block's. What went before it in
// the views is at start.
func (s *session) seal(d *draft, sealed []*request, start undoPoint) error {
	ms, clock := s.r.Stamp()
	b, err := ledger.Seal(s.e.net, s.r.o.Signer, ledger.Draft{
		Prev: d.prev, Also: d.also, Skip: d.skip, Time: ms, Clock: clock, Roster: d.roster, Txs: d.txs,
	})
	if err != nil {
		s.e.back(start)
		for _, q := range sealed {
			q.answer(reply{err: err})
		}
		return nil
	}
	if err := s.e.fits(b.UnverifiedBlock); err != nil {
		return fmt.Errorf("own block does not fit the chain: %w", err)
	}
	if err := s.adopt(d, b, start); err != nil {
		return err
	}
	for _, q := range sealed {
		s.replies = append(s.replies, func() { q.answer(reply{block: b}) })
	}
	return nil
}

// adopt puts the sealed block into the views. In a chain without branches nothing
// is ordered by the hash of its newest block: there the draft's writes are right
// once the hash takes the place of its stand-in. Else, and where one commit cannot
// hold the writes, the block goes the way of every other.
func (s *session) adopt(d *draft, b ledger.Block, start undoPoint) error {
	fork, err := s.e.fork(s.r.own)
	if err != nil {
		return err
	}
	if len(fork) == 0 && d.also == nil && s.e.bytes < s.r.store.limit() {
		s.e.rename(d.ref.Hash, b.Hash())
		delete(s.e.memo.marks, d.ref.Hash)
		s.e.put(keyBlock+str(b.Hash()), b.Raw())
		s.e.count(func(c *counters) { c.Bytes += uint64(len(b.Raw())) })
		return nil
	}
	s.e.back(start)
	if err := s.e.insert(sealingOf(b.UnverifiedBlock)); err != nil {
		return err
	}
	if err := s.work(); err != nil {
		return err
	}
	stand, err := s.allStand(b)
	if err == nil && !stand {
		err = fmt.Errorf("block %s: transactions valid in its draft are not valid in it", b.Ref())
	}
	return err
}
