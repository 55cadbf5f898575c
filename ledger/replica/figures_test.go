package replica

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"traveler.example/ledger"
)

// The benchmarks named Figure… are the rows of README's table. Each measures its
// limit in the same run, turn about with what it judges, and reports the ratio
// that the table shows. Sizes are small; TRAVELER_BENCH=long makes them those of
// the table.
func figureSize(short, long int) int {
	if os.Getenv("TRAVELER_BENCH") == "long" {
		return long
	}
	return short
}

// rounds is how often product and limit take turns.
const rounds = 5

// median of some ratios.
func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// recorder is a store that keeps what the last commit wrote.
type recorder struct {
	store
	last map[string][]byte
}

func (s *recorder) commit(writes *tree) error {
	s.last = map[string][]byte{}
	writes.scan("", func(k string, v []byte) bool { s.last[k] = v; return true })
	return s.store.commit(writes)
}

// commitOfOne is what the store is given for one transaction in its own block.
func commitOfOne(b *testing.B) map[string][]byte {
	b.Helper()
	g := benchPlant(b, onBadger)
	rec := &recorder{store: g.r.store}
	g.r.store = rec
	g.append(g.intake(g.order, "L-0", "T-0"))
	return maps.Clone(rec.last)
}

// bareStore is the product's store without the product.
func bareStore(b *testing.B) *onDisk {
	b.Helper()
	p := newPlant(b, 1)
	r, err := newReplica(p.options(nil))
	p.check(err)
	s, err := openBadger(filepath.Join(b.TempDir(), "store"), r.o)
	p.check(err)
	b.Cleanup(func() { p.check(s.close()) })
	return s
}

// alike makes writes of the same number and sizes under keys of their own.
func alike(writes map[string][]byte, n int) *tree {
	var t tree
	tag := fmt.Sprintf("%08x", n)
	for k, v := range writes {
		key := []byte(k)
		copy(key[max(1, len(key)/2-len(tag)):], tag)
		if len(key) < 2*len(tag) { // a record that every commit replaces
			key = []byte(k)
		}
		t.put(string(key), v)
	}
	return &t
}

// shared runs do(0) … do(n-1) by so many at once, and returns how long it took.
func shared(workers, n int, do func(i int)) time.Duration {
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	began := time.Now()
	for range workers {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// BenchmarkFigureB_Append seals intakes of so many callers at once. x-native is
// how many times as many are durable in a second as by as many native writers of
// Badger, each a transaction of its own with what one intake writes; x-raw the
// same against one appending and flushing a file.
func BenchmarkFigureB_Append(b *testing.B) {
	one := commitOfOne(b)
	for _, waiting := range []int{1, 32, 256} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			g, native := benchPlant(b, durable), bareStore(b)
			raw, err := os.Create(filepath.Join(b.TempDir(), "raw"))
			g.check(err)
			defer raw.Close()
			each := max(b.N/rounds, min(20, figureSize(2000, 20_000)/waiting)*waiting, figureSize(40, 400))
			var ours, natives, raws time.Duration
			var xNative, xRaw []float64
			for round := range rounds {
				txs := make([]ledger.Tx, each)
				for i := range txs {
					txs[i] = g.intake(g.order, "L", fmt.Sprintf("T-%d-%d", round, i))
				}
				o := shared(waiting, each, func(i int) {
					if _, err := g.r.Append(context.Background(), Batch{Txs: txs[i : i+1]}); err != nil {
						b.Error(err)
					}
				})
				n := shared(waiting, each, func(i int) {
					if err := native.commit(alike(one, round*each+i)); err != nil {
						b.Error(err)
					}
				})
				r := shared(1, min(each, 500), func(int) { flushed(b, raw, 400) }) * time.Duration(each) / time.Duration(min(each, 500))
				ours, natives, raws = ours+o, natives+n, raws+r
				xNative, xRaw = append(xNative, float64(n)/float64(o)), append(xRaw, float64(r)/float64(o))
			}
			total := float64(rounds * each)
			b.ReportMetric(median(xNative), "x-native")
			b.ReportMetric(median(xRaw), "x-raw")
			b.ReportMetric(float64(ours.Nanoseconds())/total, "ns/op")
			b.ReportMetric(float64(natives.Nanoseconds())/total, "native-ns/op")
			b.ReportMetric(float64(raws.Nanoseconds())/total, "raw-ns/op")
		})
	}
}

// flushed appends bytes to a file and flushes them: what the disk can do.
func flushed(b *testing.B, f *os.File, bytes int) {
	if _, err := f.Write(make([]byte, bytes)); err != nil {
		b.Error(err)
	}
	if err := syscall.Fdatasync(int(f.Fd())); err != nil {
		b.Error(err)
	}
}

// workload makes transactions as a station does: each item is taken in, taken up
// and reported finished.
type workload struct {
	g     *gateway
	n     int
	item  ledger.ItemID
	last  ledger.TxID
	whole bool // reports carry three measurements and a weight, and name who signed off
}

func (w *workload) next() ledger.Tx {
	var t ledger.Tx
	switch w.n % 3 {
	case 0:
		t = w.g.intake(w.g.order, fmt.Sprintf("RAW-%08d", w.n), fmt.Sprintf("04%012X", w.n))
		w.item = t.ID()
	case 1:
		t = w.g.accept(w.item, w.last, optionA)
	case 2:
		if t = w.g.report(w.item, w.last, optionA); w.whole {
			t = w.g.measured(t)
		}
	}
	w.n, w.last = w.n+1, t.ID()
	return t
}

// measured is a report with what a station of the demo puts into it.
func (g *gateway) measured(t ledger.Tx) ledger.Tx {
	body := t.Body.(ledger.Report)
	body.Weight = 1_234_500
	body.Measurements = []ledger.Measurement{
		{Name: "diameter", Value: 12_003, Exponent: -3, Unit: "mm"},
		{Name: "roughness", Value: 16, Exponent: -1, Unit: "um"},
		{Name: "torque", Value: 425, Exponent: -1, Unit: "N.m"},
	}
	return g.tx(ledger.Tx{Item: t.Item, After: t.After, Operators: []ledger.KeyID{{1}}, Body: body})
}

func (w *workload) take(n int) []ledger.Tx {
	txs := make([]ledger.Tx, n)
	for i := range txs {
		txs[i] = w.next()
	}
	return txs
}

// chainOf makes a chain of blocks of one transaction each, as bytes.
func chainOf(b *testing.B, g *gateway, blocks int) [][]byte {
	b.Helper()
	w := &workload{g: g}
	for range blocks {
		g.append(w.next())
	}
	var raws [][]byte
	for _, o := range g.blocks(g.id) {
		raws = append(raws, o.(ledger.UnverifiedBlock).Raw())
	}
	return raws
}

// parsed is a block from its bytes.
func parsed(b *testing.B, net ledger.NetworkID, raw []byte) ledger.UnverifiedBlock {
	u, err := ledger.ParseBlock(net, raw)
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// storeOnly writes blocks under their hashes and nothing else.
func storeOnly(b *testing.B, s *onDisk, blocks ...ledger.UnverifiedBlock) {
	var t tree
	for _, u := range blocks {
		t.put(keyBlock+str(u.Hash()), u.Raw())
	}
	if err := s.commit(&t); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFigureC_LiveIngest takes a peer's live blocks one by one, from bytes
// to durable. ratio is its speed as a part of that of verifying, decoding and
// storing each block alone.
func BenchmarkFigureC_LiveIngest(b *testing.B) {
	from := benchPlant(b, inMemory)
	raws := chainOf(b, from, max(b.N, figureSize(500, 5000)))
	to, bare := &gateway{plant: from.plant, r: durable(b, from.options(nil))}, bareStore(b)
	to.take(from.allStatements()...)
	roster := to.r.Roster()
	var ours, limit time.Duration
	var ratios []float64
	for part := range slices.Chunk(raws, (len(raws)+rounds-1)/rounds) {
		var o, l time.Duration
		for _, raw := range part {
			began := time.Now()
			u := parsed(b, from.net, raw)
			if _, err := u.Verify(roster); err != nil {
				b.Fatal(err)
			}
			storeOnly(b, bare, u)
			l += time.Since(began)
			began = time.Now()
			to.take(parsed(b, from.net, raw))
			o += time.Since(began)
		}
		ours, limit = ours+o, limit+l
		ratios = append(ratios, float64(l)/float64(o))
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(float64(ours.Nanoseconds())/float64(len(raws)), "ns/op")
	b.ReportMetric(float64(limit.Nanoseconds())/float64(len(raws)), "limit-ns/op")
}

// giveSize is what peers put into one give.
const giveSize = 64 << 10

// gives cuts a chain into gives.
func gives(raws [][]byte) [][][]byte {
	var out [][][]byte
	size := giveSize
	for _, raw := range raws {
		if size+len(raw) > giveSize {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], raw)
		size += len(raw)
	}
	return out
}

// BenchmarkFigureD_CatchUp takes a long chain give by give, from bytes to
// durable. ratio is its speed as a part of that of hashing, decoding and storing
// the same gives alone; x-signatures how many times as fast it is as checking the
// blocks' signatures one by one, x-one-by-one as taking block by block, each with
// its own signature and commit (of the first tenth).
func BenchmarkFigureD_CatchUp(b *testing.B) {
	blocks := figureSize(10_000, 100_000)
	from := benchPlant(b, inMemory)
	all := gives(chainOf(b, from, blocks))
	b.ResetTimer()
	for range b.N {
		open := func() *gateway {
			g := &gateway{plant: from.plant, r: durable(b, from.options(nil))}
			g.take(from.allStatements()...)
			return g
		}
		to, single, bare := open(), open(), bareStore(b)
		roster := to.r.Roster()
		var ours, limit, signatures, singly time.Duration
		var checked, alone int
		for i, give := range all {
			began := time.Now()
			var us []ledger.UnverifiedBlock
			for _, raw := range give {
				us = append(us, parsed(b, from.net, raw))
			}
			storeOnly(b, bare, us...)
			limit += time.Since(began)

			began = time.Now()
			objects := make([]Object, len(give))
			for i, raw := range give {
				objects[i] = parsed(b, from.net, raw)
			}
			to.take(objects...)
			ours += time.Since(began)

			if i > len(all)/10 {
				continue
			}
			began = time.Now()
			for _, u := range us {
				if _, err := u.Verify(roster); err != nil {
					b.Fatal(err)
				}
			}
			signatures, checked = signatures+time.Since(began), checked+len(us)
			began = time.Now()
			for _, u := range us {
				single.take(u)
			}
			singly, alone = singly+time.Since(began), alone+len(us)
		}
		n := float64(blocks)
		b.ReportMetric(float64(limit)/float64(ours), "ratio")
		b.ReportMetric(float64(signatures)/float64(checked)*n/float64(ours), "x-signatures")
		b.ReportMetric(float64(singly)/float64(alone)*n/float64(ours), "x-one-by-one")
		b.ReportMetric(float64(ours.Nanoseconds())/n, "ns/block")
		b.ReportMetric(float64(limit.Nanoseconds())/n, "limit-ns/block")
	}
}
