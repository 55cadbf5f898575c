package replica

import (
	"encoding/binary"

	"traveler.example/ledger"
)

// validTx returns a transaction that is valid somewhere.
func (e *engine) validTx(id ledger.TxID) (ledger.Tx, bool, error) {
	v, ok, err := readValid(e, id)
	if err != nil || !ok {
		return ledger.Tx{}, false, err
	}
	t, err := e.txAt(v.Place, id)
	return t, err == nil, err
}

// txAt returns the transaction that stands at a place.
func (e *engine) txAt(p ledger.Place, id ledger.TxID) (ledger.Tx, error) {
	if t, ok := e.draft[id]; ok {
		return t, nil
	}
	if t, ok := e.memo.txs[id]; ok {
		return t, nil
	}
	t, err := readTx(e, e.net, p, id)
	if err == nil {
		remember(e.memo.txs, id, t)
	}
	return t, err
}

// readTx takes one transaction out of a block. Its hash is computed again and
// compared, so the rest of the block needs no reading.
func readTx(r reader, net ledger.NetworkID, p ledger.Place, id ledger.TxID) (ledger.Tx, error) {
	damage := func(detail string) error {
		return &DamageError{Author: p.Author, Height: p.Height, Hash: p.Block, Key: recordNames[keyBlock], Detail: detail}
	}
	raw, err := r.get(keyBlock + str(p.Block))
	if err != nil {
		return ledger.Tx{}, at(err, blockOf(p))
	}
	if raw == nil {
		return ledger.Tx{}, damage("is missing")
	}
	bytes, ok := nthTx(raw, int(p.Index))
	if !ok {
		return ledger.Tx{}, damage("its transactions cannot be told apart")
	}
	t, err := ledger.ParseTx(net, bytes)
	if err != nil {
		return ledger.Tx{}, damage(err.Error())
	}
	if t.ID() != id {
		return ledger.Tx{}, damage("transaction " + id.Short() + " hashes to " + t.ID().Short())
	}
	return t, nil
}

// nthTx finds transaction n in a block's canonical bytes: an array of header,
// signature and an array of transactions, each a byte string.
func nthTx(raw []byte, n int) ([]byte, bool) {
	c := cursor{raw}
	if size, ok := c.head(4); !ok || size != 3 {
		return nil, false
	}
	for range 2 {
		if _, ok := c.bytes(); !ok {
			return nil, false
		}
	}
	if size, ok := c.head(4); !ok || n >= size {
		return nil, false
	}
	for range n {
		if _, ok := c.bytes(); !ok {
			return nil, false
		}
	}
	return c.bytes()
}

// cursor walks canonical CBOR (RFC 8949 §3).
type cursor struct{ rest []byte }

// head reads the head of a data item of one major type.
func (c *cursor) head(major byte) (int, bool) {
	if len(c.rest) == 0 || c.rest[0]>>5 != major {
		return 0, false
	}
	low := c.rest[0] & 0x1f
	c.rest = c.rest[1:]
	switch {
	case low < 24:
		return int(low), true
	case low == 24 && len(c.rest) >= 1:
		n := int(c.rest[0])
		c.rest = c.rest[1:]
		return n, true
	case low == 25 && len(c.rest) >= 2:
		n := int(binary.BigEndian.Uint16(c.rest))
		c.rest = c.rest[2:]
		return n, true
	case low == 26 && len(c.rest) >= 4:
		n := binary.BigEndian.Uint32(c.rest)
		c.rest = c.rest[4:]
		return int(n), n <= ledger.MaxBlock
	}
	return 0, false
}

func (c *cursor) bytes() ([]byte, bool) {
	n, ok := c.head(2)
	if !ok || n > len(c.rest) {
		return nil, false
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b, true
}
