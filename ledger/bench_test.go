package ledger

import "testing"

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
