package ledger

import (
	"slices"
	"testing"
	"time"
)

func BenchmarkSignTx(b *testing.B) {
	p := newTestPlant(b)
	k := plantSigner("paula")
	for b.Loop() {
		if _, err := SignTx(p.net, Tx{Time: plantTime, Body: plantOrder()}, k); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyTx(b *testing.B) {
	p := newTestPlant(b)
	tx, k := p.signed(b, "paula", Tx{Body: plantOrder()}), plantKey("paula")
	for b.Loop() {
		if err := tx.VerifySignature(p.net, k); err != nil {
			b.Fatal(err)
		}
	}
}

func benchReport(b *testing.B, p *testPlant) Tx {
	return p.own(b, "drill-a", Tx{Item: plantHash("item"), After: []TxID{plantHash("after")}, Body: goodReport})
}

func BenchmarkEncodeTx(b *testing.B) {
	w := benchReport(b, newTestPlant(b)).wire()
	b.SetBytes(int64(len(encode(w))))
	for b.Loop() {
		encode(w)
	}
}

func BenchmarkParseTx(b *testing.B) {
	p := newTestPlant(b)
	tx := benchReport(b, p)
	b.SetBytes(int64(len(tx.Raw())))
	for b.Loop() {
		if _, err := ParseTx(p.net, tx.Raw()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBlock seals, parses and verifies a block of one report and of many.
func BenchmarkBlock(b *testing.B) {
	for _, n := range []struct {
		name string
		txs  int
	}{{"1", 1}, {"100", 100}} {
		p := staffed(b)
		var txs []Tx
		for i := range n.txs {
			txs = append(txs, p.own(b, "drill-a", Tx{Item: plantHash("item"), After: []TxID{plantHash("after")}, Time: plantTime + int64(i), Body: goodReport}))
		}
		d := Draft{Prev: GenesisMark(p.net, plantID("drill-a")), Skip: Hash(p.net), Time: plantTime, Roster: p.reg.Heads(), Txs: txs}
		block, err := Seal(p.net, plantSigner("drill-a"), d)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("seal/"+n.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Seal(p.net, plantSigner("drill-a"), d); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parse/"+n.name, func(b *testing.B) {
			b.SetBytes(int64(len(block.Raw())))
			for b.Loop() {
				if _, err := ParseBlock(p.net, block.Raw()); err != nil {
					b.Fatal(err)
				}
			}
		})
		r := p.reg.Current()
		b.Run("verify/"+n.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := block.Verify(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFigureE_Verify walks a chain of 10,000 blocks. ratio is its time as a
// part of that of reading the same blocks and checking their signatures one by
// one, turn about five times.
func BenchmarkFigureE_Verify(b *testing.B) {
	const blocks, rounds = 10_000, 5
	p := staffed(b)
	c := p.chain("drill-a")
	for i := range blocks {
		c.seal(b, nil, p.own(b, "drill-a", Tx{Item: plantHash("item"), After: []TxID{plantHash("after")}, Time: plantTime + int64(i), Body: goodReport}))
	}
	chain, roster := c.listed(), p.reg.Current()
	b.ResetTimer()
	for range b.N {
		var ours, limit time.Duration
		var ratios []float64
		for range rounds {
			began := time.Now()
			for _, raw := range chain {
				u, err := ParseBlock(p.net, raw.Raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := u.Verify(roster); err != nil {
					b.Fatal(err)
				}
			}
			l := time.Since(began)
			began = time.Now()
			if r := Verify(p.reg, slices.Values(chain), func(f Fault) { b.Error(f) }); r.Blocks != blocks {
				b.Fatalf("%+v", r)
			}
			o := time.Since(began)
			ours, limit, ratios = ours+o, limit+l, append(ratios, float64(o)/float64(l))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[rounds/2], "ratio")
		b.ReportMetric(float64(ours.Nanoseconds())/rounds/blocks, "ns/block")
		b.ReportMetric(float64(limit.Nanoseconds())/rounds/blocks, "limit-ns/block")
	}
}
