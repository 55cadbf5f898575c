package replica

import (
	"slices"

	"traveler.example/ledger"
)

// past is what Apply may look at when it judges the placement at.
type past struct {
	engine *engine
	at     ledger.Place
	held   []ledger.TxID // earlier words of the sealer that still wait
}

// Node returns the effect of a valid transaction on an item.
func (p *past) Node(item ledger.ItemID, tx ledger.TxID) (ledger.Node, bool, error) {
	return p.engine.node(item, tx)
}

// Tx returns a valid transaction.
func (p *past) Tx(id ledger.TxID) (ledger.Tx, bool, error) { return p.engine.validTx(id) }

// Continued looks for earlier words of the sealer about a head. One that is
// valid decides at once; else all that still wait must be decided first.
func (p *past) Continued(item ledger.ItemID, head ledger.TxID, but ledger.TxID) (by ledger.TxID, waiting bool, err error) {
	p.held = nil
	if by, err = p.continuedBy(item, head, but); err != nil || !by.IsZero() {
		return by, false, err
	}
	total := &p.engine.total
	if total.Placements[Waiting]+total.Placements[Carried] == 0 {
		return ledger.TxID{}, false, nil
	}
	lists := []ledger.ItemID{item, {}}
	if total.Releases == 0 {
		lists = lists[:1]
	}
	for _, of := range lists {
		if err := p.hold(of, item, head, but); err != nil {
			return ledger.TxID{}, false, err
		}
	}
	if len(p.held) == 0 {
		return ledger.TxID{}, false, nil
	}
	return p.held[0], true, nil
}

// continuedBy looks among the nodes of the item: there every valid transaction
// stands that continues the head, a withdrawal that releases it too.
func (p *past) continuedBy(item ledger.ItemID, head, but ledger.TxID) (ledger.TxID, error) {
	nodes, err := p.engine.nodes(item)
	if err != nil {
		return ledger.TxID{}, err
	}
	for _, n := range nodes {
		if n.Tx == but || !slices.Contains(n.After, head) {
			continue
		}
		placed, err := placements(p.engine, n.Tx)
		if err != nil {
			return ledger.TxID{}, err
		}
		for _, c := range placed {
			if c.Status != Valid || c.Place.Author != p.at.Author {
				continue
			}
			if ok, err := p.before(c.Place); ok || err != nil {
				return n.Tx, err
			}
		}
	}
	return ledger.TxID{}, nil
}

// hold adds to held what is listed as not judged yet.
func (p *past) hold(list, item ledger.ItemID, head, but ledger.TxID) error {
	prefix := keyContinues + str(list) + str(head)
	type candidate struct {
		place ledger.Place
		tx    ledger.TxID
		item  ledger.ItemID
	}
	var cs []candidate
	err := p.engine.scan(prefix+string(p.at.Author[:]), "", func(key string, value []byte) bool {
		if len(value) < hashSize || ledger.TxID(value[:hashSize]) == but {
			return true
		}
		c := candidate{place: placeOf(key[len(prefix):]), tx: ledger.TxID(value[:hashSize])}
		if len(value) == 2*hashSize {
			c.item = ledger.ItemID(value[hashSize:])
		}
		cs = append(cs, c)
		return true
	})
	if err != nil {
		return err
	}
	for _, c := range cs {
		if ok, err := p.before(c.place); err != nil {
			return err
		} else if !ok {
			continue
		}
		if list.IsZero() { // a withdrawal: it releases the part if its target consumed it
			if n, ok, err := p.Node(item, head); err != nil {
				return err
			} else if !ok || n.Of != c.item {
				continue
			}
		}
		p.held = append(p.held, c.tx)
	}
	return nil
}

// before reports whether a place of the same author lies before the one judged:
// earlier in its block, or in an ancestor of it.
func (p *past) before(c ledger.Place) (bool, error) {
	if c.Block == p.at.Block {
		return c.Index < p.at.Index, nil
	}
	if c.Height >= p.at.Height {
		return false, nil
	}
	return p.engine.ancestor(blockOf(c), blockOf(p.at))
}
