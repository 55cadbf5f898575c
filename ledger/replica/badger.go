package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Sizes that suit small boards: little memory, small maps, few bytes written for
// one stored.
const (
	memTableSize   = 8 << 20
	valueLogSize   = 16 << 20
	valueThreshold = 8 << 10 // a block of 32 reports lies in the table: it costs one flush, not two
)

// onDisk is the store of a gateway: Badger, with a checksum of our own under
// every value, because Badger returns some damaged values as empty ones.
type onDisk struct {
	dir     string
	o       Options
	log     *badgerLog
	mu      sync.RWMutex // held for writing while db is replaced
	db      *badger.DB
	quit    chan struct{}
	cleaned sync.WaitGroup
}

// sizes may be made smaller by tests.
type sizes struct {
	memTable, valueLog int64
	inline             int64 // values up to this size lie in the tables
}

// badger sets Badger up. It checks what it reads, block by block; whole tables are
// checked here, at open and by the mender.
func (o Options) badger(dir string, log badger.Logger) badger.Options {
	s := o.sizes
	if s == (sizes{}) {
		s = sizes{memTableSize, valueLogSize, valueThreshold}
	}
	return badger.DefaultOptions(dir).
		WithSyncWrites(!o.UnsafeNoSync).
		WithMemTableSize(s.memTable).WithNumMemtables(2).
		WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(4).
		WithBlockCacheSize(0).WithIndexCacheSize(0).WithCompression(options.None).
		WithValueThreshold(s.inline).WithValueLogFileSize(s.valueLog).
		WithBaseTableSize(2 << 20).WithBaseLevelSize(10 << 20).WithNumCompactors(2).
		WithChecksumVerificationMode(options.OnBlockRead).WithVerifyValueChecksum(true).
		WithDetectConflicts(false).WithMetricsEnabled(false).WithNumGoroutines(1).
		WithLogger(log)
}

func openBadger(dir string, o Options) (*onDisk, error) {
	s := &onDisk{dir: dir, o: o, log: &badgerLog{log: o.Log}, quit: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.cleaned.Add(1)
	go s.clean()
	return s, nil
}

func (s *onDisk) open() (err error) {
	defer recovered("opening the store", &err)
	if err = errors.Join(finishReplacing(s.dir), dropUnborn(s.dir), tablesThere(s.dir)); err != nil {
		return err
	}
	if s.db, err = badger.Open(s.o.badger(s.dir, s.log)); err != nil {
		s.db = nil
		return fmt.Errorf("opening the store in %s: %w", s.dir, err)
	}
	return nil
}

// recovered makes an error of a panic of the store.
func recovered(doing string, err *error) {
	if p := recover(); p != nil {
		*err = &DamageError{Key: "store", Detail: fmt.Sprintf("%s: %.300v", doing, p)}
	}
}

// recoveredUnless is recovered for a scan: a panic of the caller's own function
// goes on.
func recoveredUnless(ours *bool, err *error) {
	if p := recover(); p != nil {
		if *ours {
			panic(p)
		}
		*err = &DamageError{Key: "store", Detail: fmt.Sprintf("reading: %.300v", p)}
	}
}

// cleanEvery is how often value log files are rewritten that hold mostly values
// replaced since.
const cleanEvery = 10 * time.Minute

func (s *onDisk) clean() {
	defer s.cleaned.Done()
	tick := time.NewTicker(cleanEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.cleanOnce()
		case <-s.quit:
			return
		}
	}
}

func (s *onDisk) cleanOnce() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	free := s.o.FreeBytes
	if free == nil {
		free = freeBytes
	}
	if n, err := free(s.dir); err != nil || n < storeNeeds+valueLogSize || s.db == nil {
		return
	}
	var err error
	defer func() {
		if err != nil && !errors.Is(err, badger.ErrNoRewrite) {
			s.o.Log.Warn("value log was not cleaned", "err", err)
		}
	}()
	defer recovered("cleaning the value log", &err)
	err = s.db.RunValueLogGC(0.5)
}

func (s *onDisk) limit() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return int(s.db.MaxBatchSize() / 3)
}

func (s *onDisk) snapshot() reader {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return noStore{}
	}
	return &badgerSnapshot{s.db.NewTransaction(false)}
}

// noStore answers while the store could not be opened again.
type noStore struct{}

func (noStore) get(string) ([]byte, error)                           { return nil, ErrReadBack }
func (noStore) scan(string, string, func(string, []byte) bool) error { return ErrReadBack }
func (noStore) keys(string, string, func(string) bool) error         { return ErrReadBack }
func (noStore) close()                                               {}

// commit writes one Badger transaction. Where one cannot hold the writes, it
// writes several under the mark that makes the next open rebuild the views.
func (s *onDisk) commit(writes *tree) (err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrReadBack
	}
	s.log.unflushed.Store(false)
	defer func() {
		if err == nil && s.log.unflushed.Load() {
			err = errUnflushed
		}
	}()
	defer recovered("committing", &err)
	txn := s.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	err = each(writes, func(key string, value []byte) error { return set(txn, key, value) })
	if errors.Is(err, badger.ErrTxnTooBig) {
		return s.commitParts(writes)
	}
	if err != nil {
		return err
	}
	return txn.Commit()
}

func (s *onDisk) commitParts(writes *tree) error {
	err := s.db.Update(func(txn *badger.Txn) error { return set(txn, keyDirty, present) })
	if err != nil {
		return err
	}
	txn := s.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	err = each(writes, func(key string, value []byte) error {
		if key == keyDirty {
			return nil
		}
		err := set(txn, key, value)
		if !errors.Is(err, badger.ErrTxnTooBig) {
			return err
		}
		if err := txn.Commit(); err != nil {
			return err
		}
		txn = s.db.NewTransaction(true)
		return set(txn, key, value)
	})
	if err != nil {
		return err
	}
	if err := txn.Commit(); err != nil {
		return err
	}
	if flag, ok := writes.get(keyDirty); ok && flag != nil {
		return nil
	}
	return s.db.Update(func(txn *badger.Txn) error { return set(txn, keyDirty, nil) })
}

func each(writes *tree, do func(string, []byte) error) error {
	var err error
	writes.scan("", func(key string, value []byte) bool {
		err = do(key, value)
		return err == nil
	})
	return err
}

func set(txn *badger.Txn, key string, value []byte) error {
	if value == nil {
		return txn.Delete([]byte(key))
	}
	return txn.Set([]byte(key), framed(key, value))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendSum(b []byte, sum uint32) []byte { return binary.BigEndian.AppendUint32(b, sum) }

// framed adds to a value the CRC-32C of key and value.
func framed(key string, value []byte) []byte {
	b := make([]byte, 0, len(value)+4)
	return appendSum(append(b, value...), sumOf(key, value))
}

func sumOf(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, value)
}

// unframed checks and removes what framed added.
func unframed(key string, b []byte) ([]byte, error) {
	n := len(b) - 4
	if n <= 0 {
		return nil, damaged(key, "the store returned nothing for it")
	}
	if binary.BigEndian.Uint32(b[n:]) != sumOf(key, b[:n]) {
		return nil, damaged(key, "its checksum does not fit")
	}
	return b[:n:n], nil
}

// reopen closes Badger, whatever state it is in, and opens it again.
func (s *onDisk) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		if err := closeBadger(s.db); err != nil {
			s.o.Log.Warn("the store did not close well", "err", err)
		}
	}
	return s.open()
}

func closeBadger(db *badger.DB) (err error) {
	defer recovered("closing the store", &err)
	return db.Close()
}

// size is what the store's files take of the disk.
func (s *onDisk) size() int64 { return sizeOf(s.dir) }

func sizeOf(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ballastName {
			return nil // a file that went meanwhile takes nothing
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return n
}

func (s *onDisk) close() error {
	close(s.quit)
	s.cleaned.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	return closeBadger(s.db)
}

type badgerSnapshot struct{ txn *badger.Txn }

func (b *badgerSnapshot) get(key string) (value []byte, err error) {
	defer recovered("reading", &err)
	item, err := b.txn.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if errors.Is(err, badger.ErrDBClosed) { // what is not asked is not damaged
		return nil, ErrReadBack
	}
	if err != nil {
		return nil, damaged(key, err.Error())
	}
	raw, err := item.ValueCopy(nil)
	if err != nil {
		return nil, damaged(key, err.Error())
	}
	return unframed(key, raw)
}

func (b *badgerSnapshot) scan(prefix, from string, yield func(string, []byte) bool) error {
	return b.walk(prefix, from, func(item *badger.Item, ours *bool) (bool, error) {
		key := string(item.Key())
		raw, err := item.ValueCopy(nil)
		if err != nil {
			return false, damaged(key, err.Error())
		}
		value, err := unframed(key, raw)
		if err != nil {
			return false, err
		}
		*ours = true
		more := yield(key, value)
		*ours = false
		return more, nil
	})
}

func (b *badgerSnapshot) keys(prefix, from string, yield func(string) bool) error {
	return b.walk(prefix, from, func(item *badger.Item, ours *bool) (bool, error) {
		key := string(item.Key())
		*ours = true
		more := yield(key)
		*ours = false
		return more, nil
	})
}

func (b *badgerSnapshot) walk(prefix, from string, each func(item *badger.Item, ours *bool) (more bool, err error)) (err error) {
	ours := false // a panic of the caller's function is not the store's
	defer recoveredUnless(&ours, &err)
	o := badger.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = []byte(prefix), false
	it := b.txn.NewIterator(o)
	defer it.Close()
	for it.Seek([]byte(max(prefix, from))); it.ValidForPrefix([]byte(prefix)); it.Next() {
		more, err := each(it.Item(), &ours)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (b *badgerSnapshot) close() { b.txn.Discard() }

// badgerLog passes on what Badger has to say. Of a value log that could not be
// flushed Badger says no more than this: the commit itself succeeds.
type badgerLog struct {
	log       *slog.Logger
	unflushed atomic.Bool
}

// unflushedWords are Badger's for it: value.go, valueLog.write.
const unflushedWords = "Error while curlf sync"

var errUnflushed = errors.New("the value log could not be flushed")

func (l *badgerLog) Errorf(f string, a ...any) {
	if strings.HasPrefix(f, unflushedWords) {
		l.unflushed.Store(true)
	}
	l.log.Error("store", "message", strings.TrimSpace(fmt.Sprintf(f, a...)))
}

func (l *badgerLog) Warningf(f string, a ...any) {
	l.log.Warn("store", "message", strings.TrimSpace(fmt.Sprintf(f, a...)))
}

func (l *badgerLog) Infof(f string, a ...any) {
	l.log.Debug("store", "message", strings.TrimSpace(fmt.Sprintf(f, a...)))
}

func (l *badgerLog) Debugf(f string, a ...any) {
	l.log.Debug("store", "message", strings.TrimSpace(fmt.Sprintf(f, a...)))
}
