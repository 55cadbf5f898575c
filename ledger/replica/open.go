package replica

import (
	"errors"
	"fmt"
	"os"
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
	s, err := openBadger(dir, r.o)
	if err != nil {
		return nil, errors.Join(err, r.disk.close())
	}
	r.store = s
	if s.lostTables() {
		err = r.rebuildLost()
	}
	if err == nil {
		err = r.start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the ledger in %s: %w", dir, err), s.close(), r.disk.close())
	}
	return r, nil
}

// rebuildLost marks the views for rebuilding: a part of them was lost.
func (r *Replica) rebuildLost() error {
	r.log.Error("tables of the store are damaged and were left out; the views are rebuilt from what is left")
	var w tree
	w.put(keyDirty, present)
	return r.store.commit(&w)
}

func removeCopy(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}
