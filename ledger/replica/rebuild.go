package replica

import (
	"context"
	"errors"

	"traveler.example/ledger"
)

// Rebuild works all shared views out again from the blocks and statements held.
// Appends, ingests and readers wait meanwhile; once begun it goes on to its end,
// whatever becomes of ctx. If the process ends before it does, the next open
// rebuilds again.
func (r *Replica) Rebuild(ctx context.Context) error {
	_, err := r.ask(ctx, &request{rebuild: true})
	return err
}

// rebuildNow is Rebuild without a committer.
func (r *Replica) rebuildNow() error {
	s, err := r.newSession()
	if err != nil {
		s.close()
		return err
	}
	defer func() { s.close() }()
	if err := s.rebuild(); err != nil {
		return err
	}
	return s.end()
}

// rebuild drops every record that follows from others, lists the blocks that are
// there, and takes them again, each chain from its first block on.
func (s *session) rebuild() error {
	s.anew = true
	s.e.total, s.e.counted = counters{}, true
	if err := s.dirtyStep(); err != nil {
		return err
	}
	for i := range len(sharedDerived) {
		if err := s.drop(sharedDerived[i : i+1]); err != nil {
			return err
		}
	}
	if err := s.flush(true); err != nil { // what was dropped may be damaged: it is not to be walked over
		return err
	}
	s.e.total, s.e.counted = counters{}, true
	s.e.memo = newMemo()
	s.r.memo = s.e.memo
	if err := s.listBlocks(); err != nil {
		return err
	}
	if err := s.takeAll(); err != nil {
		return err
	}
	s.e.count(func(c *counters) { c.Statements = uint64(len(s.e.register.Statements())) })
	return s.work()
}

// dirtyStep commits with the mark that the views are not whole, once the commit
// has grown large.
func (s *session) dirtyStep() error {
	if s.dirty && s.e.bytes < s.r.store.limit() {
		return nil
	}
	return s.flush(true)
}

// drop deletes every record under a prefix.
func (s *session) drop(prefix string) error {
	for {
		keys, err := pageOf(s.e, prefix, prefix)
		if err != nil {
			return err
		}
		for _, k := range keys {
			s.e.delete(k)
		}
		if err := s.dirtyStep(); err != nil {
			return err
		}
		if len(keys) < pageSize {
			return nil
		}
	}
}

// listBlocks writes the chain index anew from the blocks themselves. It leaves
// out, and logs, what is no longer what its key says.
func (s *session) listBlocks() error {
	from := keyBlock
	for {
		keys, err := pageOf(s.e, keyBlock, from)
		if err != nil {
			return err
		}
		for _, key := range keys {
			raw, err := s.e.get(key)
			if err == nil {
				var u ledger.UnverifiedBlock
				if u, err = ledger.ParseBlock(s.e.net, raw); err == nil && str(u.Hash()) == key[1:] {
					s.e.put(keyChain+refKey(u.Ref()), present)
					continue
				}
			}
			s.r.log.Error("a block is damaged and left out", "err", damaged(key, "its bytes are not what was written"), "cause", err)
			s.e.delete(key)
		}
		if err := s.dirtyStep(); err != nil {
			return err
		}
		if len(keys) < pageSize {
			return nil
		}
		from = keys[len(keys)-1] + "\x00"
	}
}

// takeAll inserts the blocks listed, by author and height. One whose ancestors
// are lost is kept aside until they are back.
func (s *session) takeAll() error {
	from := keyChain
	for {
		keys, err := pageOf(s.e, keyChain, from)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := s.takeAgain(refOf(key[1:])); err != nil {
				return err
			}
			if _, err := s.e.settle(s.r.store.limit()); err != nil {
				return err
			}
			if err := s.dirtyStep(); err != nil {
				return err
			}
		}
		if len(keys) < pageSize {
			return nil
		}
		from = keys[len(keys)-1] + "\x00"
	}
}

func (s *session) takeAgain(ref ledger.Ref) error {
	b, ok, err := readBlock(s.e, s.e.net, ref)
	if err != nil || !ok {
		return err
	}
	err = s.e.fits(b.UnverifiedBlock)
	var gap *gapError
	lacking := errors.As(err, &gap)
	if lacking || errors.Is(err, ledger.ErrLinks) || errors.Is(err, ledger.ErrAuthor) {
		if lacking {
			s.e.orphan(b.UnverifiedBlock, gap)
		}
		s.r.log.Error("a block has lost its ancestors and is left out until they are back", "block", ref.String(), "err", err)
		s.e.delete(keyChain + refKey(ref))
		s.e.delete(keyBlock + str(ref.Hash))
		return nil
	}
	if err != nil {
		return err
	}
	return s.e.insert(sealingOf(b.UnverifiedBlock))
}
