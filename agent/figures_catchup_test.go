package agent

import (
	"fmt"
	"testing"
	"time"

	badger "github.com/dgraph-io/badger/v4"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// giveSize is what a give is filled to.
const giveSize = 64 << 10

// chainOnDisk makes a chain of one transaction a block: each item is taken in,
// taken up and reported. It returns the blocks in the portions in which a peer
// gives them.
func chainOnDisk(b *testing.B, p *plant, r *replica.Replica, blocks int) (gives [][][]byte) {
	k := &book{b, p, r}
	order := k.order(benchOrder("WO-1"))
	for n := 1; n < blocks; n++ {
		item := k.intake(order, fmt.Sprintf("RAW-%08d", n), fmt.Sprintf("04%012X", n)).ID()
		if n++; n < blocks {
			accepted := k.accept(item, item)
			if n++; n < blocks {
				k.report(item, accepted.ID(), ledger.Report{})
			}
		}
	}
	size := giveSize
	must(b, r.Read(func(v *replica.View) error {
		for block, err := range v.Chain(keyID("intake"), 1) {
			if err != nil {
				return err
			}
			if raw := block.Raw(); size+len(raw) > giveSize {
				gives, size = append(gives, [][]byte{raw}), len(raw)
			} else {
				gives[len(gives)-1], size = append(gives[len(gives)-1], raw), size+len(raw)
			}
		}
		return nil
	}))
	return gives
}

// decoded is a block from its bytes, hashed.
func decoded(b *testing.B, net ledger.NetworkID, raw []byte) ledger.UnverifiedBlock {
	u, err := ledger.ParseBlock(net, raw)
	must(b, err)
	return u
}

// stored commits blocks under their hashes and nothing else.
func stored(b *testing.B, db *badger.DB, blocks ...ledger.UnverifiedBlock) {
	txn := db.NewTransaction(true)
	defer txn.Discard()
	for _, u := range blocks {
		h := u.Hash()
		must(b, txn.Set(h[:], u.Raw()))
	}
	must(b, txn.Commit())
}

// decodeAndStore is the limit: the gives decoded and stored, and nothing else.
func decodeAndStore(b *testing.B, net ledger.NetworkID, gives [][][]byte) time.Duration {
	db := benchBadger(b, diskDir(b))
	defer db.Close()
	began := time.Now()
	for _, give := range gives {
		var us []ledger.UnverifiedBlock
		for _, raw := range give {
			us = append(us, decoded(b, net, raw))
		}
		stored(b, db, us...)
	}
	return time.Since(began)
}

// oneByOne checks the signature of each block of some gives; with storing, each
// has a commit of its own as well.
func oneByOne(b *testing.B, p *plant, roster *ledger.Roster, gives [][][]byte, storing bool) (took time.Duration, blocks int) {
	db := benchBadger(b, diskDir(b))
	defer db.Close()
	began := time.Now()
	for _, give := range gives {
		var us []ledger.UnverifiedBlock
		for _, raw := range give {
			u := decoded(b, p.genesis.Network(), raw)
			_, err := u.Verify(roster)
			must(b, err)
			if us = append(us, u); storing {
				stored(b, db, u)
			}
			blocks++
		}
		if !storing {
			stored(b, db, us...)
		}
	}
	return time.Since(began), blocks
}

// BenchmarkFigureD_CatchUpOverMosquitto has a gateway that holds nothing join one
// that holds a long chain of a single author: the case without any other giver to
// ask at the same time. Giver, joiner and broker share this machine. The time
// runs from the joiner's first ask for blocks to its last block being durable; what passes
// before it asks is wait-ms.
//
// ratio is its speed as a part of that of hashing, decoding and storing the same
// portions in a bare Badger, measured before and after. x-one-by-one is how many
// times as fast it is as hashing, decoding, checking its signature and storing
// for one block after the other (of the first tenth), x-signatures the same with
// one commit a portion.
func BenchmarkFigureD_CatchUpOverMosquitto(b *testing.B) {
	blocks := figureSize(5000, 100_000)
	p := newPlant(b)
	from := p.onDisk(b, "intake", diskDir(b), func(o *replica.Options) { o.UnsafeNoSync = true })
	gives := chainOnDisk(b, p, from, blocks)
	tenth := gives[:(len(gives)+9)/10]
	address := mosquitto(b)
	giver := p.wire(b, "intake", address, Station{ID: "BENCH-1", Mode: ledger.ModeInOut}, from)
	b.ResetTimer()
	for range b.N {
		limit := decodeAndStore(b, p.genesis.Network(), gives)
		gave := giver.sent.number("give")
		began := time.Now()
		joiner := p.wire(b, "drill-1", address, Station{ID: "DRILL-1", Mode: ledger.ModeInOut}, p.onDisk(b, "drill-1", diskDir(b)))
		eventually(b, "the chain is held", func() bool {
			time.Sleep(time.Millisecond)
			return joiner.head(b, "intake").Height == uint64(blocks)
		})
		took := time.Since(joiner.sent.since("ask for blocks"))
		b.ReportMetric(float64(joiner.sent.since("ask for blocks").Sub(began).Milliseconds()), "wait-ms")
		gave = giver.sent.number("give") - gave
		joiner.stop()
		limit = (limit + decodeAndStore(b, p.genesis.Network(), gives)) / 2
		singly, n := oneByOne(b, p, from.Roster(), tenth, true)
		signatures, _ := oneByOne(b, p, from.Roster(), tenth, false)

		each := float64(took) / float64(blocks)
		b.ReportMetric(float64(limit)/float64(took), "ratio")
		b.ReportMetric(float64(singly)/float64(n)/each, "x-one-by-one")
		b.ReportMetric(float64(signatures)/float64(n)/each, "x-signatures")
		b.ReportMetric(each, "ns/block")
		b.ReportMetric(float64(limit)/float64(blocks), "limit-ns/block")
		b.ReportMetric(float64(gave), "gives")
		b.ReportMetric(float64(len(gives)), "portions")
	}
}
