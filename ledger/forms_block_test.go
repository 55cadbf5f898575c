package ledger

import (
	"bytes"
	"testing"
)

func (b *formBook) blockForms() {
	const at = "block.header."
	b.header("header.version", at+"version = 2", func(h *Header) { h.Version = 2 })
	b.header("header.author", at+"author: is missing", func(h *Header) { h.Author = KeyID{} })
	b.header("header.height", at+"height = 0: lies outside 1…281474976710656", func(h *Header) { h.Height = 0 })
	b.header("header.height", at+"height = 281474976710657", func(h *Header) { h.Height = MaxHeight + 1 })
	b.header("header.height", "", func(h *Header) { h.Height = MaxHeight })
	b.header("header.prev", at+"prev: is missing", func(h *Header) { h.Prev = Hash{} })
	b.header("header.also", "is prev: it joins another branch", func(h *Header) { h.Also = h.Prev })
	b.header("header.skip", at+"skip: is missing", func(h *Header) { h.Skip = Hash{} })
	b.header("header.time", at+"time = -1: lies before 1970", func(h *Header) { h.Time = -1 })
	b.header("header.time", "", func(h *Header) { h.Time = 0 })
	b.header("header.clock", at+"clock = 2", func(h *Header) { h.Clock = 2 })
	b.header("header.roster", at+"roster = 0: is empty", func(h *Header) { h.Roster = nil })
	b.header("header.roster", at+"roster = 17: has more than 16", func(h *Header) { h.Roster = manyHashes(17) })
	b.header("header.roster", "", func(h *Header) { h.Roster = manyHashes(16) })
	b.header("header.roster", at+"roster[1]", func(h *Header) { h.Roster = []Hash{{2}, {1}} })
	b.header("header.root", "block.root = ", func(h *Header) { h.Root[31] ^= 1 })
	b.header("header.count", "block.count = 1: the block has 0 transactions", func(h *Header) { h.Count = 1 })
	b.header("header.count", at+"count = 257: has more than 256", func(h *Header) { h.Count = 257 })

	b.block("block.header", "block.header: is empty", func(w *blockWire) { w.Header = nil })
	b.block("block.header", "block.header: cannot be read", func(w *blockWire) { w.Header = append(bytes.Clone(w.Header), 0) })
	b.block("block.sig", "block.sig = 0: a signature has 1 to 512", func(w *blockWire) { w.Sig = nil })
	b.block("block.sig", "block.sig = 513", func(w *blockWire) { w.Sig = make([]byte, 513) })
	b.block("block.sig", "", func(w *blockWire) { w.Sig = make([]byte, 512) })
	b.block("block.txs", "block.txs[1]: transaction: cannot be read", func(w *blockWire) { w.Txs[1] = w.Txs[1][:9] })
	b.block("block.txs", "block.root", func(w *blockWire) { w.Txs[0], w.Txs[1] = w.Txs[1], w.Txs[0] })
	b.block("block.txs", "", withTxs(b.w, 256, 8))
	b.block("block.txs", "block.txs = 257", withTxs(b.w, 257, 8))
	b.block("block.txs", "block.txs = 257: has more than 256", func(w *blockWire) { w.Txs = repeat(257, func(int) []byte { return []byte{0} }) })
	b.block("block.txs", "", withBytes(b.w, MaxBlock))
	b.block("block.txs", `block = "65537 bytes": is larger than 65536`, withBytes(b.w, MaxBlock+1))
}

// withTxs is a block of n transactions with bodies of some bytes.
func withTxs(world *vectorWorld, n, body int) func(*blockWire) {
	return func(w *blockWire) {
		h := world.main.blocks[0].Header()
		var ids []TxID
		w.Txs = nil
		for i := range n {
			t := must(NewTx(world.p.net, Tx{Sender: KeyID{1}, Time: int64(i), Body: Unknown{Number: 99, Bytes: make([]byte, body)}}))
			ids, w.Txs = append(ids, t.ID()), append(w.Txs, t.Raw())
		}
		h.Root, h.Count = MerkleRoot(ids), uint16(n)
		w.Header = encode(h)
	}
}

// withBytes is a block of exactly n bytes.
func withBytes(world *vectorWorld, n int) func(*blockWire) {
	return func(w *blockWire) {
		withTxs(world, 8, 8000)(w)
		short := n - len(encode(*w))
		var last Tx
		for pad := short - 70; ; pad++ {
			last = must(NewTx(world.p.net, Tx{Sender: KeyID{1}, Time: 23, Body: Unknown{Number: 99, Bytes: make([]byte, pad)}}))
			all := *w
			all.Txs = append(all.Txs[:8:8], last.Raw())
			if len(encode(all)) == n {
				break
			}
			if pad > short {
				panic("no block of that size")
			}
		}
		w.Txs = append(w.Txs[:8:8], last.Raw())
		h := world.main.blocks[0].Header()
		var ids []TxID
		for _, raw := range w.Txs {
			ids = append(ids, must(ParseTx(world.p.net, raw)).ID())
		}
		h.Root, h.Count = MerkleRoot(ids), uint16(len(ids))
		w.Header = encode(h)
	}
}

func (b *formBook) frontierForms(t testing.TB) {
	b.frontier(t, "frontier.version", "frontier.version = 9", func(f *Frontier) { f.Version = 9 })
	b.frontier(t, "frontier.witness", "frontier.witness: is missing", func(f *Frontier) { f.Witness = KeyID{} })
	b.frontier(t, "frontier.time", "frontier.time = -2: lies before 1970", func(f *Frontier) { f.Time = -2 })
	b.frontier(t, "frontier.time", "", func(f *Frontier) { f.Time = 0 })
	refs := func(n int) func(*Frontier) {
		return func(f *Frontier) {
			f.Entries = repeat(n, func(i int) Ref { return Ref{Author: KeyID{1}, Height: uint64(i) + 1, Hash: Hash{1}} })
		}
	}
	b.frontier(t, "frontier.entries", "", refs(0))
	b.frontier(t, "frontier.entries", "", refs(512))
	b.frontier(t, "frontier.entries", "frontier.entries = 513: has more than 512", refs(513))
	b.frontier(t, "frontier.entries", "frontier.entries[1] = ", func(f *Frontier) { f.Entries[1] = f.Entries[0] })
	b.frontier(t, "frontier.sig", "frontier.sig = 0: a signature has 1 to 512", func(f *Frontier) { f.Sig = nil })
	b.frontier(t, "frontier.sig", "frontier.sig = 513", func(f *Frontier) { f.Sig = make([]byte, 513) })
	b.frontier(t, "ref.author", "names an author and a head", func(f *Frontier) { f.Entries[0].Author = KeyID{} })
	b.frontier(t, "ref.height", "frontier.entries[0].height = 0: lies outside", func(f *Frontier) { f.Entries[0].Height = 0 })
	b.frontier(t, "ref.height", "frontier.entries[0].height = 281474976710657", func(f *Frontier) { f.Entries[0].Height = MaxHeight + 1 })
	b.frontier(t, "ref.hash", "names an author and a head", func(f *Frontier) { f.Entries[0].Hash = Hash{} })

	b.evidence(t, "evidence.version", "evidence.version = 0", func(e *Evidence) { e.Version = 0 })
	b.evidence(t, "evidence.a", "evidence.a = 0: is empty", func(e *Evidence) { e.A = nil })
	b.evidence(t, "evidence.b", "evidence.b = 0: is empty", func(e *Evidence) { e.B = nil })
	b.evidence(t, "signed header.header", "evidence.a[0]: block.header: is empty", func(e *Evidence) { e.A[0].Header = nil })
	b.evidence(t, "signed header.sig", "evidence.b[1]: block.sig = 0", func(e *Evidence) { e.B[1].Sig = nil })
	b.evidence(t, "evidence.a", "is larger than 65536 bytes", func(e *Evidence) { e.A = repeat(400, func(int) SignedHeader { return e.A[0] }) })
}
