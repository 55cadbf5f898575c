package replica

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"traveler.example/ledger"
)

// durable opens a replica that flushes every commit, as a gateway does.
func durable(tb testing.TB, o Options) *Replica {
	tb.Helper()
	r, err := Open(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return r
}

func benchPlant(b *testing.B, open opener) *gateway {
	b.Helper()
	p := newPlant(b, 1)
	p.start(open)
	order := p.orderFor("WO-1")
	p.gateways[0].append(order)
	p.order = order.ID()
	return p.gateways[0]
}

// BenchmarkRawAppend is what the disk can do: 400 bytes and a flush.
func BenchmarkRawAppend(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	record := make([]byte, 400)
	for b.Loop() {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend seals intakes from so many callers at once; ns/op is for one.
func BenchmarkAppend(b *testing.B) {
	for name, open := range map[string]opener{"memory": inMemory, "badger": durable} {
		for _, writers := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/%d", name, writers), func(b *testing.B) {
				g := benchPlant(b, open)
				txs := make(chan ledger.Tx, writers)
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for tx := range txs {
							if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{tx}}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				made := make([]ledger.Tx, b.N)
				for i := range made {
					made[i] = g.tx(ledger.Tx{Body: ledger.Intake{
						Station: g.station, Label: fmt.Sprint("L-", i), Tags: []string{fmt.Sprint("T-", i)},
						Order: g.order, Product: "part", Options: []ledger.Option{optionA},
					}})
				}
				b.ResetTimer()
				for _, tx := range made {
					txs <- tx
				}
				close(txs)
				wg.Wait()
			})
		}
	}
}

// BenchmarkIngest takes a peer's live blocks, one transaction each, one by one.
func BenchmarkIngest(b *testing.B) {
	for name, open := range map[string]opener{"memory": inMemory, "badger": durable} {
		b.Run(name, func(b *testing.B) {
			from := benchPlant(b, inMemory)
			to := &gateway{plant: from.plant, r: open(b, from.options(nil))}
			to.take(from.allStatements()...)
			from.grow(b.N)
			chain := from.blocks(from.id)
			to.take(chain[0])
			b.ResetTimer()
			for _, block := range chain[1:] {
				if _, err := to.r.Ingest(context.Background(), block); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLookUp reads an item by its tag among a thousand.
func BenchmarkLookUp(b *testing.B) {
	for name, open := range map[string]opener{"memory": inMemory, "badger": durable} {
		b.Run(name, func(b *testing.B) {
			g := benchPlant(b, open)
			var batch []ledger.Tx
			for i := range 1000 {
				batch = append(batch, g.intake(g.order, fmt.Sprint("L-", i), fmt.Sprint("T-", i)))
				if len(batch) == 100 {
					g.append(batch...)
					batch = nil
				}
			}
			i := 0
			for b.Loop() {
				i = (i + 7) % 1000
				err := g.r.Read(func(v *View) error {
					open, _, err := v.Tag(fmt.Sprint("T-", i))
					if len(open) != 1 {
						b.Fatalf("tag of %d items", len(open))
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
