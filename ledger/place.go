package ledger

import "bytes"

func compare(a, b Hash) int { return bytes.Compare(a[:], b[:]) }

// Place is where a transaction stands: the index-th of a block.
type Place struct {
	_      struct{} `cbor:",toarray"`
	Author KeyID
	Height uint64
	Block  Hash
	Index  uint16
}

// Less is the one order of places on all replicas: author, height, block hash,
// index. Never time, never arrival.
func (p Place) Less(q Place) bool {
	if c := bytes.Compare(p.Author[:], q.Author[:]); c != 0 {
		return c < 0
	}
	if p.Height != q.Height {
		return p.Height < q.Height
	}
	if c := compare(p.Block, q.Block); c != 0 {
		return c < 0
	}
	return p.Index < q.Index
}
