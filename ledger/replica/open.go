package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	badger "github.com/dgraph-io/badger/v4"
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
	if !o.ReadOnly {
		r.menders.Go(r.mender)
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
		var d *DamageError
		if !errors.As(err, &d) {
			return nil, err
		}
		r.found(d)
		r.log.Error("the store is damaged; a new one is made of what can be saved", "err", err)
		if err := r.replaceStore(at); err != nil {
			return nil, fmt.Errorf("saving the damaged store in %s: %w", at, err)
		}
	}
	s, err := openBadger(at, r.o)
	if err == nil || !unopenable(err) {
		return s, err
	}
	r.found(&DamageError{Key: "store", Detail: err.Error()})
	r.log.Error("the store does not open; a new one is made of what can be saved", "err", err)
	if again := r.replaceStore(at); again != nil {
		return nil, errors.Join(err, fmt.Errorf("saving the damaged store in %s: %w", at, again))
	}
	return openBadger(at, r.o)
}

// dropUnborn removes logs of no length: they were being made when the process
// ended, and Badger refuses to open beside them.
func dropUnborn(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	values, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil {
		return err
	}
	for _, name := range append(logs, values...) {
		if info, err := os.Stat(name); err != nil || info.Size() > 0 {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// unopenable reports whether an error of opening lies in the files, so that
// trying again cannot help: not in a disk that is full or a limit of the system.
func unopenable(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EACCES, syscall.EROFS, syscall.EDQUOT} {
		if errors.Is(err, e) {
			return false
		}
	}
	return true
}

// checkTables reads every table that the manifest names: Badger ends the process
// where one is damaged.
func checkTables(dir string) error {
	if err := tablesThere(dir); err != nil || !exists(dir) {
		return err
	}
	live, err := liveTables(dir)
	if err != nil {
		return err
	}
	found := make([]error, len(live))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), maxTableReaders) {
		readers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(live)); i = next.Add(1) - 1 {
				_, found[i] = checkTable(filepath.Join(dir, live[i]))
			}
		})
	}
	readers.Wait()
	for _, err := range found {
		if err != nil {
			return err // the first, whoever found it
		}
	}
	return nil
}

// maxTableReaders bounds the tables held in memory at once while they are checked.
const maxTableReaders = 4

// tablesThere reports a manifest that cannot be read, and a table that is named in
// it and is not there. Badger refuses to open then, and leaves some of what it
// began running.
func tablesThere(dir string) error {
	live, err := liveTables(dir)
	if errors.Is(err, os.ErrNotExist) && !exists(dir) {
		return nil // a new one
	}
	if err != nil && (unopenable(err) || errors.Is(err, syscall.EIO)) {
		return &DamageError{Key: "manifest", Detail: err.Error()}
	}
	if err != nil {
		return err
	}
	for _, name := range live {
		if !exists(filepath.Join(dir, name)) {
			return &DamageError{Key: "table " + name, Detail: "is missing"}
		}
	}
	return nil
}

// liveTables returns the tables of a store. The end of the manifest may be a
// record cut short: what it was to say had not happened yet.
func liveTables(dir string) (names []string, err error) {
	defer recovered("reading the manifest", &err)
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir))
	if err != nil {
		return nil, err
	}
	for id := range m.Tables {
		names = append(names, fmt.Sprintf("%06d.sst", id))
	}
	slices.Sort(names)
	return names, nil
}

// checkTable reads one table and returns its size. Damage is a *DamageError.
func checkTable(name string) (size int, err error) {
	b, err := readThrough(name)
	if err != nil {
		return 0, err
	}
	index, err := tableIndex(b)
	for _, block := range index {
		if _, failed := tableBlock(b, block); failed != nil {
			err = failed
		}
	}
	if err != nil {
		return len(b), &DamageError{Key: "table " + filepath.Base(name), Detail: err.Error()}
	}
	return len(b), nil
}

// Endings of a store that is being made and of one that was replaced.
const (
	newEnding     = ".new"
	damagedEnding = ".damaged"
)

// finishReplacing completes a replacement that was interrupted: a new store is
// whole once the old one has been moved away, and worth nothing before. Where
// neither stands in its place the old one is taken back: nothing is to be opened
// that would begin empty beside it.
func finishReplacing(at string) error {
	_, err := os.Stat(at)
	if err == nil {
		return os.RemoveAll(at + newEnding)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, ending := range []string{newEnding, damagedEnding} {
		if err := os.Rename(at+ending, at); !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// syncDir makes durable what was renamed in a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func removeCopy(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}
