package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"traveler.example/ledger"
)

// replaceStore puts all that is sound into a new store, keeps the damaged one
// beside it as evidence, one generation, and has the views rebuilt. Until the new
// one is durable and in its place, the old one is whole under one of their names.
func (r *Replica) replaceStore(at string) error {
	if err := finishReplacing(at); err != nil {
		return err
	}
	if err := r.disk.roomBeside(at); err != nil {
		return err
	}
	old := newSalvage(at, r.net, func(f Finding) {
		r.log.Error("damage", "check", f.Check, "author", f.Author.Short(), "height", f.Height, "fault", f.Fault)
	})
	if err := old.read(context.Background()); err != nil {
		return err
	}
	fresh, err := openBadger(at+newEnding, r.o)
	if err != nil {
		return errors.Join(err, os.RemoveAll(at+newEnding))
	}
	err = errors.Join(old.pour(fresh, r.net), fresh.close(), syncDir(filepath.Dir(at)))
	if err != nil {
		return errors.Join(err, os.RemoveAll(at+newEnding))
	}
	if err := os.RemoveAll(at + damagedEnding); err != nil {
		return err
	}
	if err := os.Rename(at, at+damagedEnding); err != nil {
		return err
	}
	if err := os.Rename(at+newEnding, at); err != nil {
		return errors.Join(err, finishReplacing(at))
	}
	return syncDir(filepath.Dir(at))
}

// roomBeside refuses to make a second store where the disk has no room for it.
func (d *disk) roomBeside(at string) error {
	if d == nil || d.dir == "" {
		return nil
	}
	need := sizeOf(at) + storeNeeds
	free, err := d.free(d.dir)
	if err != nil || free >= need {
		return err
	}
	if err := errors.Join(os.RemoveAll(at+damagedEnding), os.RemoveAll(d.path(ballastName))); err != nil {
		return err
	}
	if free, err = d.free(d.dir); err != nil || free >= need {
		return err
	}
	return fmt.Errorf("%w: to save what is sound of a damaged store of %d MiB, %d MiB must be free and %d are; free some space",
		ErrFull, sizeOf(at)>>20, need>>20, free>>20)
}

// pour writes what is sound into a new store: blocks and statements, and this
// replica's own records, of which none can be had from elsewhere.
func (s *salvage) pour(to store, net ledger.NetworkID) error {
	p := &pouring{to: to}
	p.w.put(keyFormat, append([]byte{format}, net[:]...))
	p.w.put(keyDirty, present)
	taken := s.adrift()
	for h, t := range s.blocks {
		if raw, ok := s.sound(keyBlock, h, t); ok && (t.held() || taken[h]) {
			if err := p.put(keyBlock+str(h), raw); err != nil {
				return err
			}
		}
	}
	for h, t := range s.statements {
		if raw, ok := s.sound(keyStatement, h, t); ok {
			if err := p.put(keyStatement+str(h), raw); err != nil {
				return err
			}
		}
	}
	for key, t := range s.local {
		if raw, err := s.bytesOf(key, t); err == nil && t.dropped <= t.stored {
			if err := p.put(key, raw); err != nil {
				return err
			}
		}
	}
	if s.unopened != nil { // what could not be looked at is not lost
		return s.unopened
	}
	return to.commit(&p.w)
}

// pouring gathers what one commit can hold.
type pouring struct {
	to   store
	w    tree
	size int
}

func (p *pouring) put(key string, raw []byte) error {
	p.w.put(key, raw)
	if p.size += len(raw) + perEntry; p.size < p.to.limit() {
		return nil
	}
	err := p.to.commit(&p.w)
	p.w, p.size = tree{}, 0
	return err
}

// held reports whether a record says that the block or statement was committed.
func (t *trace) held() bool { return max(t.named, t.stored) > t.dropped }

// adrift chooses among the blocks that only a value log knows. Where records
// were lost they may have been committed, or their commit was cut short and
// another block took their place. Of each chain the highest are looked at first:
// a block is taken that one above names, or that stands alone at its height.
func (s *salvage) adrift() map[ledger.Hash]bool {
	taken := map[ledger.Hash]bool{}
	if !s.broken {
		return taken
	}
	type place struct {
		author ledger.KeyID
		height uint64
	}
	named := map[ledger.Hash]bool{}
	filled := map[place]bool{}
	loose := map[place][]ledger.UnverifiedBlock{}
	for h, t := range s.blocks {
		raw, ok := s.sound(keyBlock, h, t)
		if !ok || t.dropped > 0 && !t.held() {
			continue
		}
		u, err := ledger.ParseBlock(s.net, raw)
		if err != nil {
			continue
		}
		at := place{u.Ref().Author, u.Ref().Height}
		if !t.held() {
			loose[at] = append(loose[at], u)
			continue
		}
		filled[at] = true
		named[u.Header().Prev], named[u.Header().Also] = true, true
	}
	places := make([]place, 0, len(loose))
	for at := range loose {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int {
		return compareRefs(ledger.Ref{Author: b.author, Height: b.height}, ledger.Ref{Author: a.author, Height: a.height})
	})
	for _, at := range places {
		for _, u := range loose[at] {
			if named[u.Hash()] || !filled[at] && len(loose[at]) == 1 {
				taken[u.Hash()] = true
				named[u.Header().Prev], named[u.Header().Also] = true, true
			}
		}
	}
	return taken
}

// sound returns the bytes of a block or statement that hash to its name.
func (s *salvage) sound(kind string, h ledger.Hash, t *trace) ([]byte, bool) {
	key := kind + str(h)
	raw, err := s.bytesOf(key, t)
	if err != nil {
		loose, ok := s.looseBytes(key, t)
		if !ok {
			return nil, false
		}
		raw = loose
	}
	if kind == keyBlock {
		u, err := ledger.ParseBlock(s.net, raw)
		return raw, err == nil && u.Hash() == h
	}
	st, err := ledger.ParseStatement(s.net, raw)
	return raw, err == nil && st.Hash() == h
}
