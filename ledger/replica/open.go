package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"traveler.example/ledger"
)

// Open opens the replica in a directory, which is made if it is not there. It
// returns ErrLocked if another process has it open, ErrFull if too little space
// is left even to open it, and an error for a ledger of another network. The
// ends of all chains are read; what is damaged there is logged and taken back
// from peers, and where the own chain has lost its end Append refuses with a
// *DamageError until it is back.
func Open(dir string, o Options) (*Replica, error) {
	r, err := newReplica(o)
	if err != nil {
		return nil, err
	}
	copied := ""
	if o.ReadOnly {
		if dir, err = privateCopy(dir, o.TempDir); err != nil {
			return nil, err
		}
		copied = dir
	}
	if r.disk, err = openDisk(dir, r.o); err != nil {
		return nil, errors.Join(err, removeCopy(copied))
	}
	r.disk.copied = copied
	s, err := r.openStore(dir)
	if err != nil {
		return nil, errors.Join(err, r.disk.close())
	}
	r.store = s
	if err = r.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the ledger in %s: %w", dir, err), s.close(), r.disk.close())
	}
	return r, nil
}

// storeName is the directory of Badger's files.
const storeName = "store"

// openStore opens Badger's directory. Where its tables are damaged, which would
// end the process, it is replaced by a new one with all that can be saved.
func (r *Replica) openStore(dir string) (*onDisk, error) {
	at := filepath.Join(dir, storeName)
	if err := finishReplacing(at); err != nil {
		return nil, err
	}
	if err := checkTables(at); err != nil {
		r.log.Error("the store is damaged; a new one is made of what can be saved", "err", err)
		if err := r.replaceStore(at); err != nil {
			return nil, fmt.Errorf("saving the damaged store in %s: %w", at, err)
		}
	}
	return openBadger(at, r.o)
}

// checkTables reads every table: Badger ends the process where one is damaged.
func checkTables(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		index, err := tableIndex(b)
		for _, block := range index {
			if _, failed := tableBlock(b, block); failed != nil {
				err = failed
			}
		}
		if err != nil {
			return &DamageError{Key: "table " + filepath.Base(name), Detail: err.Error()}
		}
	}
	return nil
}

// Endings of a store that is being made and of one that was replaced.
const (
	newEnding     = ".new"
	damagedEnding = ".damaged"
)

// finishReplacing completes a replacement that was interrupted: a new store is
// whole once the old one has been moved away, and worth nothing before.
func finishReplacing(at string) error {
	_, err := os.Stat(at)
	if err == nil {
		return os.RemoveAll(at + newEnding)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(at+newEnding, at); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// replaceStore puts all sound blocks and statements into a new store, keeps the
// damaged one beside it, and has the views rebuilt.
func (r *Replica) replaceStore(at string) error {
	old := newSalvage(at, r.net, func(f Finding) {
		r.log.Error("damage", "check", f.Check, "author", f.Author.Short(), "height", f.Height, "fault", f.Fault)
	})
	if err := old.read(context.Background()); err != nil {
		return err
	}
	fresh, err := openBadger(at+newEnding, r.o)
	if err != nil {
		return err
	}
	err = errors.Join(old.pour(fresh, r.net), fresh.close())
	if err != nil {
		return errors.Join(err, os.RemoveAll(at+newEnding))
	}
	if err := os.RemoveAll(at + damagedEnding); err != nil {
		return err
	}
	if err := os.Rename(at, at+damagedEnding); err != nil {
		return err
	}
	return os.Rename(at+newEnding, at)
}

// pour writes what is sound into a new store.
func (s *salvage) pour(to store, net ledger.NetworkID) error {
	var w tree
	size := 0
	w.put(keyFormat, append([]byte{format}, net[:]...))
	w.put(keyDirty, present)
	for kind, traces := range map[string]map[ledger.Hash]*trace{keyBlock: s.blocks, keyStatement: s.statements} {
		for h, t := range traces {
			raw, ok := s.sound(kind, h, t)
			if !ok {
				continue
			}
			w.put(kind+str(h), raw)
			if size += len(raw) + perEntry; size < to.limit() {
				continue
			}
			if err := to.commit(&w); err != nil {
				return err
			}
			w, size = tree{}, 0
		}
	}
	return to.commit(&w)
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

func removeCopy(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}
