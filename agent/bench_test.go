package agent

import (
	"context"
	"crypto"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"traveler.example/agent/journal"
	"traveler.example/agent/peer"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// litLight passes on what it shows.
type litLight chan drivers.Signal

func (l litLight) Show(_ context.Context, s drivers.Signal) error {
	l <- s
	return nil
}

// benchStation is a station that takes in new items on a real store that flushes.
type benchStation struct {
	b      *testing.B
	reader *fakeReader
	light  litLight
	close  func()
	scans  int
}

func newBenchStation(b *testing.B, dir string) *benchStation {
	p := newPlant(b)
	r, err := replica.Open(dir, replica.Options{
		Genesis: p.genesis, Signer: privateKey("intake"),
		Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), ledger.ClockSynchronised },
	})
	must(b, err)
	p.know(r)
	p.append(r, p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")}))
	s := &benchStation{b: b, reader: newReader("bench"), light: make(litLight)}
	a, err := New(Config{
		Name: "intake", Station: Station{ID: "INTAKE-1", Mode: ledger.ModeIntake, Intake: IntakeRules{{Order: "WO-1"}}},
		Peer: peer.Config{Network: p.genesis.Network(), Self: keyID("intake"), Rand: func(n int64) int64 { return n / 2 }},
	}, Parts{
		Genesis: p.genesis, Signer: privateKey("intake"), Replica: r, Readers: []drivers.Reader{s.reader},
		Lights:  []NamedLight{{"lamp", s.light}},
		Journal: journal.New(&record{t: b, who: "intake"}, time.Now), Now: time.Now, Clock: func() ledger.Clock { return ledger.ClockSynchronised },
	})
	must(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	<-a.opened
	s.close = func() {
		cancel()
		<-s.light // the last one: idle
		must(b, <-ended)
		must(b, r.Close())
	}
	return s
}

// scan lays a new tag on the reader and returns how long it takes to the light.
func (s *benchStation) scan() time.Duration {
	tag := fmt.Sprintf("04%012X", s.scans)
	s.scans++
	began := time.Now()
	s.reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tag}}
	shown := <-s.light
	took := time.Since(began)
	if shown.Aspect != drivers.AspectGreen {
		s.b.Fatalf("shows %+v", shown)
	}
	s.reader.events <- drivers.Event{Kind: drivers.Departed, Reader: "bench", Tag: drivers.Tag{ID: tag}}
	<-s.light
	return took
}

// benchBadger opens a bare store with the options that the replica gives it.
func benchBadger(b *testing.B, dir string) *badger.DB {
	db, err := badger.Open(badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithMemTableSize(8 << 20).WithNumMemtables(2).
		WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(4).
		WithBlockCacheSize(0).WithIndexCacheSize(0).WithCompression(options.None).
		WithValueThreshold(8 << 10).WithValueLogFileSize(16 << 20).
		WithBaseTableSize(2 << 20).WithBaseLevelSize(10 << 20).WithNumCompactors(2).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).WithVerifyValueChecksum(true).
		WithDetectConflicts(false).WithMetricsEnabled(false).WithNumGoroutines(1).
		WithLogger(nil))
	must(b, err)
	return db
}

// written is one key of a commit; deleted: without a value.
type written struct {
	key, value []byte
	deleted    bool
}

// commitOfScan is what a replica's store was given for one scan: the last commit
// but one that is found in its files.
func commitOfScan(b *testing.B) []written {
	dir := b.TempDir()
	s := newBenchStation(b, dir)
	for range 50 {
		s.scan()
	}
	s.close()
	db := benchBadger(b, filepath.Join(dir, "store"))
	defer db.Close()
	commits := map[uint64][]written{}
	must(b, db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.AllVersions = true
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			value, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			v := it.Item().Version()
			commits[v] = append(commits[v], written{it.Item().KeyCopy(nil), value, it.Item().IsDeletedOrExpired()})
		}
		return nil
	}))
	versions := slices.Sorted(maps.Keys(commits))
	return commits[versions[len(versions)-2]]
}

// BenchmarkFigureA_ScanToLight takes in new items: from the reader's event, by way
// of a durable block, to the light. In between it gives a bare Badger one commit
// of what a scan writes, under keys of its own, and makes one signature: what is
// above that is the gateway's own work; and it appends 400 bytes to a file and
// flushes them. p50-ratio and p99-ratio are scan to commit and signature, raw-ratio
// is the median's to the flush. Ratios of medians are the median of five parts of
// the run, that of the 99th percentiles is of the whole.
func BenchmarkFigureA_ScanToLight(b *testing.B) {
	const parts = 5
	writes, key := commitOfScan(b), privateKey("intake")
	s := newBenchStation(b, b.TempDir())
	defer s.close()
	db := benchBadger(b, b.TempDir())
	defer db.Close()
	raw, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	must(b, err)
	defer raw.Close()
	var all [3][]time.Duration
	var p50, toRaw []float64
	n := 0
	b.ResetTimer()
	for range parts {
		var times [3][]time.Duration
		for range max(b.N/parts, figureSize(60, 400)) {
			n++
			times[0] = append(times[0], s.scan())
			began := time.Now()
			commitAlike(b, db, writes, uint64(n))
			_, err := key.Sign(nil, writes[0].key, crypto.Hash(0))
			must(b, err)
			times[1] = append(times[1], time.Since(began))
			began = time.Now()
			_, err = raw.Write(make([]byte, 400))
			must(b, err)
			must(b, syscall.Fdatasync(int(raw.Fd())))
			times[2] = append(times[2], time.Since(began))
		}
		for i := range times {
			all[i] = append(all[i], times[i]...)
			slices.Sort(times[i])
		}
		ratio := func(to int) float64 { return float64(at(times[0], 50)) / float64(at(times[to], 50)) }
		p50, toRaw = append(p50, ratio(1)), append(toRaw, ratio(2))
	}
	b.StopTimer()
	for name, ratios := range map[string][]float64{"p50-ratio": p50, "raw-ratio": toRaw} {
		slices.Sort(ratios)
		b.ReportMetric(ratios[parts/2], name)
	}
	report(b, "scan", all[0])
	report(b, "commit", all[1])
	report(b, "raw", all[2])
	b.ReportMetric(float64(at(all[0], 99))/float64(at(all[1], 99)), "p99-ratio")
}

// commitAlike commits the writes with a number in the middle of long keys, which
// makes them new ones.
func commitAlike(b *testing.B, db *badger.DB, writes []written, n uint64) {
	txn := db.NewTransaction(true)
	defer txn.Discard()
	for _, w := range writes {
		key := slices.Clone(w.key)
		if len(key) > 24 {
			binary.BigEndian.PutUint64(key[len(key)/2:], n)
		}
		if w.deleted {
			must(b, txn.Delete(key))
		} else {
			must(b, txn.Set(key, w.value))
		}
	}
	must(b, txn.Commit())
}

// at is a percentile of sorted times.
func at(times []time.Duration, percent int) time.Duration {
	return times[min(len(times)-1, len(times)*percent/100)]
}

func report(b *testing.B, name string, times []time.Duration) {
	slices.Sort(times)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(at(times, percent).Nanoseconds())/1000, fmt.Sprintf("%s-p%d-µs", name, percent))
	}
}
