package replica

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"

	badger "github.com/dgraph-io/badger/v4"

	"traveler.example/ledger"
)

// salvage reads the records of a store from its files, without the store: what
// Badger leaves out in silence, or dies of, is found and named here. Formats:
// Badger v4 memtable.go and structs.go (logs), table/table.go and
// table/builder.go (tables).
type salvage struct {
	dir   string
	net   ledger.NetworkID
	fault func(Finding)

	blocks     map[ledger.Hash]*trace
	statements map[ledger.Hash]*trace
	local      map[string]*trace // this replica's own records
	broken     bool              // a table or write-ahead log lost records
	unopened   error             // a file that is there could not be opened
}

// trace is what the files say of one block or statement.
type trace struct {
	ref     ledger.Ref // of a block, where a record names it
	named   uint64     // version of the latest record that names it
	dropped uint64     // version of the latest deletion
	stored  uint64     // version of the latest record of its bytes
	in      location   // of that record's bytes
	pointer bool       // the bytes lie in a value log
	loose   location   // bytes in a value log to which no record may point
}

// location is a range of a file.
type location struct {
	file string
	at   int64
	size int
}

// Marks of an entry, and the record of the end of a transaction.
const (
	metaDelete  = 1 << 0
	metaPointer = 1 << 1
	logHeader   = 20 // bytes before the first entry of a log
	pointerSize = 12
	maxKey      = 1 << 10
	maxValue    = 1 << 20
	tsSize      = 8
)

func newSalvage(dir string, net ledger.NetworkID, fault func(Finding)) *salvage {
	return &salvage{dir: dir, net: net, fault: fault, blocks: map[ledger.Hash]*trace{}, statements: map[ledger.Hash]*trace{}, local: map[string]*trace{}}
}

// read goes through all files of the store.
func (s *salvage) read(ctx context.Context) error {
	live, err := s.manifest()
	if err != nil {
		s.broken = true
		s.fault(Finding{Check: "manifest", Fault: err.Error()})
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var unnamed []string
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := e.Name()
		switch filepath.Ext(name) {
		case ".sst":
			if live == nil || live[name] {
				delete(live, name)
				err = s.table(name)
			} else {
				unnamed = append(unnamed, name)
			}
		case ".mem":
			err = s.log(name, false)
		case ".vlog":
			err = s.log(name, true)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name := range live {
		s.broken = true
		s.fault(Finding{Check: "table", Fault: name + " is missing: the records in it are lost"})
	}
	if !s.broken {
		return nil
	}
	return s.unnamed(unnamed)
}

// unnamed reads tables that do not belong to the store: what went into a table
// that is lost may be in one of them still. Where a compaction fails to flush the
// manifest, Badger removes the new tables although the manifest may name them,
// and the old ones no more.
func (s *salvage) unnamed(tables []string) error {
	report := s.fault
	s.fault = func(Finding) {} // one that was never finished is no damage
	defer func() { s.fault = report }()
	for _, name := range tables {
		if err := s.table(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// manifest returns the names of the tables that belong to the store.
func (s *salvage) manifest() (live map[string]bool, err error) {
	defer recovered("reading the manifest", &err)
	f, err := os.Open(filepath.Join(s.dir, manifestName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, end, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(s.dir))
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.Size() != end {
		return nil, fmt.Errorf("it ends at byte %d with what is no record", end)
	}
	live = map[string]bool{}
	for id := range m.Tables {
		live[fmt.Sprintf("%06d.sst", id)] = true
	}
	return live, nil
}

// entry is one record of a log.
type entry struct {
	meta       byte
	key, value []byte
	size       int // of the whole entry
}

// parseEntry reads the entry at the start of b. It reports whether there is one
// and whether its checksum fits; whole is false where not even its length holds.
func parseEntry(b []byte) (e entry, whole, sound bool) {
	if len(b) < 2 {
		return entry{}, false, false
	}
	e.meta = b[0]
	at := 2
	var sizes [3]uint64 // key, value, expiry
	for i := range sizes {
		v, n := binary.Uvarint(b[at:])
		if n <= 0 {
			return entry{}, false, false
		}
		sizes[i], at = v, at+n
	}
	if sizes[0] == 0 || sizes[0] > maxKey || sizes[1] > maxValue {
		return entry{}, false, false
	}
	end := at + int(sizes[0]+sizes[1])
	if end+4 > len(b) {
		return entry{}, false, false
	}
	e.key, e.value, e.size = b[at:at+int(sizes[0])], b[at+int(sizes[0]):end], end+4
	return e, true, crc32.Checksum(b[:end], castagnoli) == binary.BigEndian.Uint32(b[end:])
}

// log reads a write-ahead log or a value log. Behind a damaged entry it looks for
// the next sound one; in a write-ahead log Badger does not, and everything behind
// is lost to it.
func (s *salvage) log(name string, values bool) error {
	b, err := readThrough(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	if len(b) < logHeader {
		return nil
	}
	for at := logHeader; at < len(b); {
		e, whole, sound := parseEntry(b[at:])
		if sound {
			s.entry(location{name, int64(at), e.size}, e, values)
			at += e.size
			continue
		}
		rest := b[at:]
		if len(bytes.TrimRight(rest, "\x00")) == 0 {
			return nil
		}
		next := nextSound(rest)
		s.lostEntry(name, at, next, e, whole, values)
		if next < 0 {
			return nil
		}
		at += next
	}
	return nil
}

// nextSound returns where the next sound entry begins behind a damaged one; -1
// where there is none.
func nextSound(b []byte) int {
	for at := 1; at < len(b); at++ {
		if b[at] == 0 && b[at-1] == 0 { // no entry begins in zeros: its key is not empty
			skip := len(b[at:]) - len(bytes.TrimLeft(b[at:], "\x00"))
			at = max(at, at+skip-2)
		}
		if _, _, sound := parseEntry(b[at:]); sound {
			return at
		}
	}
	return -1
}

// lostEntry reports a damaged range of a log. The end of a log that is no record
// is a commit cut short by a power failure: nobody was told that it was durable.
func (s *salvage) lostEntry(name string, at, next int, e entry, whole, values bool) {
	f := Finding{Check: "write-ahead log"}
	if values {
		f.Check = "value log"
	} else {
		s.broken = true
	}
	if whole {
		s.nameRecord(&f, e.key)
	}
	if next < 0 {
		f.Fault = fmt.Sprintf("%s ends at byte %d with what is no record: damage, or a commit cut short", name, at)
	} else {
		f.Fault = fmt.Sprintf("%s: bytes %d to %d are damaged", name, at, at+next-1)
		if !values {
			f.Fault += "; the store reads nothing behind them"
		}
	}
	s.fault(f)
}

// nameRecord says whose record a key, as stored with its version, is.
func (s *salvage) nameRecord(f *Finding, stored []byte) {
	if len(stored) <= tsSize {
		return
	}
	d := damaged(string(stored[:len(stored)-tsSize]), "")
	f.Author, f.Height, f.Through, f.Hash = d.Author, d.Height, d.Height, d.Hash
	if t := s.blocks[d.Hash]; t != nil && f.Author.IsZero() {
		f.Author, f.Height, f.Through = t.ref.Author, t.ref.Height, t.ref.Height
	}
}

// entry takes a sound entry of a log.
func (s *salvage) entry(in location, e entry, values bool) {
	in.at += int64(e.size - 4 - len(e.value))
	in.size = len(e.value)
	if !values {
		s.record(e.key, e.meta, e.value, in)
		return
	}
	key, _, ok := splitKey(e.key)
	if !ok {
		return
	}
	if t := s.traceOf(key); t != nil {
		t.loose = in
	}
}

func splitKey(stored []byte) (key string, version uint64, ok bool) {
	n := len(stored) - tsSize
	if n <= 0 || bytes.HasPrefix(stored, []byte("!badger!")) {
		return "", 0, false
	}
	return string(stored[:n]), math.MaxUint64 - binary.BigEndian.Uint64(stored[n:]), true
}

// traceOf returns the trace of the block or statement whose bytes a key holds.
func (s *salvage) traceOf(key string) *trace {
	if key[:1] == keyLocal && key != keyDirty && key != keyFormat {
		if s.local[key] == nil {
			s.local[key] = &trace{}
		}
		return s.local[key]
	}
	if len(key) != 1+hashSize {
		return nil
	}
	switch key[:1] {
	case keyBlock:
		return traceIn(s.blocks, hashOf(key[1:]))
	case keyStatement:
		return traceIn(s.statements, hashOf(key[1:]))
	}
	return nil
}

func traceIn(m map[ledger.Hash]*trace, h ledger.Hash) *trace {
	if m[h] == nil {
		m[h] = &trace{}
	}
	return m[h]
}

// record takes a record of a table or write-ahead log.
func (s *salvage) record(stored []byte, meta byte, value []byte, in location) {
	key, version, ok := splitKey(stored)
	if !ok {
		return
	}
	if t := s.traceOf(key); t != nil {
		switch {
		case meta&metaDelete != 0:
			t.dropped = max(t.dropped, version)
		case version >= t.stored:
			t.stored, t.in, t.pointer = version, in, false
			if meta&metaPointer != 0 && len(value) == pointerSize {
				fid := binary.NativeEndian.Uint32(value)
				t.pointer = true
				t.in = location{
					file: fmt.Sprintf("%06d.vlog", fid), size: int(binary.NativeEndian.Uint32(value[4:])),
					at: int64(binary.NativeEndian.Uint32(value[8:])),
				}
			}
		}
		return
	}
	if ref, ok := refNamed(key); ok {
		t := traceIn(s.blocks, ref.Hash)
		t.ref = ref
		if meta&metaDelete == 0 {
			t.named = max(t.named, version)
		} else if key[:1] == keyChain {
			t.dropped = max(t.dropped, version)
		}
	}
}

// refNamed returns the block that a derived record's key names.
func refNamed(key string) (ledger.Ref, bool) {
	rest := key[1:]
	switch key[:1] {
	case keyChain, keyJoin:
		if len(rest) == placeSize-2 {
			return refOf(rest), true
		}
	case keyVoid:
		if len(rest) == placeSize {
			return refOf(rest), true
		}
	case keyPlaced:
		if len(rest) == hashSize+placeSize {
			return refOf(rest[hashSize:]), true
		}
	case keyContinues:
		if len(rest) == 2*hashSize+placeSize {
			return refOf(rest[2*hashSize:]), true
		}
	}
	return ledger.Ref{}, false
}

// kept lists the blocks that the store should hold, by author and height.
// Blocks that only a value log knows count where records were lost; elsewhere
// they are commits cut short.
func (s *salvage) kept() []ledger.Ref {
	var refs []ledger.Ref
	for h, t := range s.blocks {
		if t.dropped > max(t.named, t.stored) {
			continue
		}
		if t.ref == (ledger.Ref{}) {
			t.ref = s.nameless(h, t)
		}
		if t.named > 0 || t.stored > 0 || s.broken && t.ref != (ledger.Ref{}) {
			if t.ref == (ledger.Ref{}) {
				t.ref.Hash = h
			}
			refs = append(refs, t.ref)
		}
	}
	slices.SortFunc(refs, compareRefs)
	return refs
}

// nameless names a block from its own bytes.
func (s *salvage) nameless(h ledger.Hash, t *trace) ledger.Ref {
	key := keyBlock + str(h)
	raw, err := s.bytesOf(key, t)
	if err != nil {
		raw, _ = s.looseBytes(key, t)
	}
	if u, err := ledger.ParseBlock(s.net, raw); err == nil && u.Hash() == h {
		return u.Ref()
	}
	return ledger.Ref{}
}
