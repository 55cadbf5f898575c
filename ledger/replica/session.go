package replica

import (
	"errors"
	"fmt"

	"traveler.example/ledger"
)

// session is one round of the committer: what several requests do, in one
// commit where the store can hold it.
type session struct {
	r       *Replica
	e       *engine
	dirty   bool     // the store says that its views are being rebuilt
	anew    bool     // the views were made anew of the blocks that there are
	wrote   bool     // something was committed
	replies []func() // given once everything is durable
}

func (r *Replica) newSession() (*session, error) {
	e, err := newEngine(r.store.snapshot(), r.register.Load(), r.memo)
	return &session{r: r, e: e}, err
}

func (s *session) close() { s.e.base.close() }

// work brings all views to where nothing is left to do, over several commits if
// one cannot hold it. Between those the store is marked dirty: an open that finds
// the mark rebuilds the views.
func (s *session) work() error {
	for {
		done, err := s.e.settle(s.r.store.limit())
		if err == nil && done {
			if len(s.e.recalls) == 0 {
				return nil
			}
			if err = s.e.recallNext(s.r.store.limit()); err == nil && s.e.bytes < s.r.store.limit() {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := s.flush(true); err != nil {
			return err
		}
	}
}

// relieve commits what is done so far, once that has grown large.
func (s *session) relieve() error {
	if s.e.bytes < s.r.store.limit() {
		return nil
	}
	if err := s.work(); err != nil {
		return err
	}
	return s.flush(false)
}

// errCommit marks an error after which it is not known what the store holds.
var errCommit = errors.New("commit failed")

// flush commits the writes so far and goes on above them.
func (s *session) flush(dirty bool) error {
	if err := s.commit(dirty); err != nil || s.e.writes.root == nil {
		return err
	}
	next, err := newEngine(s.r.store.snapshot(), s.e.register, s.e.memo)
	if err != nil {
		next.base.close()
		return err
	}
	next.follow(s.e)
	s.e.base.close()
	s.e = next
	return nil
}

// commit makes the writes so far durable.
func (s *session) commit(dirty bool) error {
	if dirty && !s.dirty {
		s.e.put(keyDirty, present)
	} else if s.dirty && !dirty {
		s.e.delete(keyDirty)
	}
	s.dirty = dirty
	s.e.finish()
	if s.e.writes.root == nil {
		return nil
	}
	if err := s.r.store.commit(&s.e.writes); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	s.wrote = true
	if held := s.e.total.Blocks; s.anew || held > s.r.held.Load() {
		s.r.held.Store(held)
	}
	return nil
}

// end confirms what may be confirmed now and commits.
func (s *session) end() error {
	if err := s.work(); err != nil {
		return err
	}
	for author := range s.e.grown {
		if err := s.e.confirm(author); err != nil {
			return err
		}
	}
	clear(s.e.grown)
	if err := s.sampleGrowth(); err != nil {
		return err
	}
	return s.commit(false)
}

const (
	msPerDay   = 24 * 3600 * 1000
	maxSamples = 32
)

// sampleGrowth notes once a day how much is held, where anything else is written.
func (s *session) sampleGrowth() error {
	if s.r.o.Now == nil || !s.e.counted {
		return nil
	}
	ms, _ := s.r.o.Now()
	day := ms / msPerDay
	samples, _, err := read[samplesRecord](s.e, keyGrowth)
	if err != nil {
		return err
	}
	if n := len(samples); n > 0 && samples[n-1].Day >= day {
		return nil
	}
	samples = append(samples, sample{Day: day, Bytes: s.e.total.Bytes})
	save(s.e, keyGrowth, samples[max(len(samples)-maxSamples, 0):])
	return nil
}

// view shows the state that the session has reached.
func (s *session) view() *View {
	return &View{
		r: s.e, net: s.e.net, register: s.e.register, roster: s.e.register.Current(), draft: s.e.draft, space: s.r.space,
		orders: &s.r.orders, own: s.r.own,
	}
}

// allStand reports whether a block's transactions are all valid where they stand,
// or wait for a report for which a note stands.
func (s *session) allStand(b ledger.Block) (bool, error) {
	for i, t := range b.Txs() {
		p := ledger.Place{Author: b.Header().Author, Height: b.Header().Height, Block: b.Hash(), Index: uint16(i)}
		rec, _, err := readTxRecord(s.e, t.ID())
		if err != nil {
			return false, err
		}
		placed, _, err := placedAt(s.e, t.ID(), rec, p)
		if err != nil || placed.Status != Valid && placed.Status != Waiting {
			return false, err
		}
	}
	return true, nil
}
