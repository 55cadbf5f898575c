package replica

import (
	"sync"

	"traveler.example/ledger"
)

// orderCache keeps the orders looked at last as they were parsed: every scan asks
// for one, and parsing it again took half of the time to decide. What an id names
// never changes, so nothing in it is ever wrong.
type orderCache struct {
	mu  sync.Mutex
	txs map[ledger.TxID]ledger.Tx
}

// maxCachedOrders bounds the cache to half a MiB: a transaction has at most 8 KiB.
const maxCachedOrders = 64

// get returns an order from the cache; else it reads and keeps it.
func (c *orderCache) get(id ledger.TxID, read func() (ledger.Tx, error)) (ledger.Tx, error) {
	c.mu.Lock()
	t, ok := c.txs[id]
	c.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := read()
	if _, is := t.Body.(ledger.Order); err != nil || !is {
		return t, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.txs == nil || len(c.txs) >= maxCachedOrders {
		c.txs = map[ledger.TxID]ledger.Tx{}
	}
	c.txs[id] = t
	return t, nil
}
