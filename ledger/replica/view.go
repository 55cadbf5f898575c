package replica

import (
	"iter"
	"slices"
	"strings"

	"traveler.example/ledger"
)

// View is one consistent state of the replica. It is valid only inside the
// function to which Read or a Guard gave it, and in one goroutine. Everything it
// returns is the caller's own. Every method may return a *DamageError, which
// names what in the store is not what was written.
type View struct {
	r        reader
	net      ledger.NetworkID
	register *ledger.Register
	roster   *ledger.Roster
	draft    map[ledger.TxID]ledger.Tx
	space    func() (store, free, reserve int64)
	orders   *orderCache
	own      ledger.KeyID // the gateway whose replica this is; zero: nobody's
}

// Roster returns the roster in force: of all statements held.
func (v *View) Roster() *ledger.Roster { return v.roster }

// Item returns an item with its whole history.
func (v *View) Item(id ledger.ItemID) (ledger.Item, bool, error) {
	rec, ok, err := read[itemRecord](v.r, keyItem+str(id))
	if err != nil || !ok {
		return ledger.Item{}, false, err
	}
	it, err := v.item(id, rec)
	return it, err == nil, err
}

func (v *View) item(id ledger.ItemID, rec itemRecord) (ledger.Item, error) {
	nodes, err := nodesOf(v.r, id)
	if err != nil {
		return ledger.Item{}, err
	}
	it := ledger.Item{ID: id, Label: rec.Label, Product: rec.Product, Lot: rec.Lot, Nodes: nodes, HeadIDs: rec.Heads}
	if !it.Closed() {
		it.Tags = rec.Tags
	}
	return it, nil
}

// itemsNamed reads the items whose ids end the keys under prefix, by id.
func (v *View) itemsNamed(prefix string) ([]ledger.Item, error) {
	ids, err := keysOf(v.r, prefix)
	if err != nil {
		return nil, err
	}
	items := make([]ledger.Item, 0, len(ids))
	for _, id := range ids {
		it, ok, err := v.Item(hashOf(id))
		if err == nil && !ok {
			err = damaged(keyItem+id, "is missing though an index names it")
		}
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	return items, nil
}

// Tag returns the open items for which the tag is in force, by id, and the
// closed ones that had it last, the latest last.
func (v *View) Tag(tag string) (open, closed []ledger.Item, err error) {
	var ids []ledger.ItemID
	err = v.r.scan(keyTag+tag+"\x00", "", func(key string, value []byte) bool {
		if len(value) != hashSize { // an intake: the item is itself
			value = []byte(key[len(key)-hashSize:])
		}
		if !slices.Contains(ids, ledger.ItemID(value)) {
			ids = append(ids, ledger.ItemID(value))
		}
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(ids, compareHashes)
	for _, id := range ids {
		rec, ok, err := read[itemRecord](v.r, keyItem+str(id))
		if err != nil {
			return nil, nil, err
		}
		if !ok || !slices.Contains(rec.Tags, tag) {
			continue
		}
		it, err := v.item(id, rec)
		if err != nil {
			return nil, nil, err
		}
		if it.Closed() {
			closed = append(closed, it)
		} else {
			open = append(open, it)
		}
	}
	slices.SortStableFunc(closed, func(a, b ledger.Item) int { return int(min(max(lastTime(a)-lastTime(b), -1), 1)) })
	return open, closed, nil
}

func lastTime(it ledger.Item) int64 {
	h, _ := it.Head()
	return h.Time
}

// Items yields items by id, from the first after `after`, at most limit; 0: all.
func (v *View) Items(after ledger.ItemID, limit int) iter.Seq2[ledger.Item, error] {
	return v.page(keyItem, after, limit)
}

// ItemsIn is Items of one standing.
func (v *View) ItemsIn(s Standing, after ledger.ItemID, limit int) iter.Seq2[ledger.Item, error] {
	return v.page(keyStanding+string(rune(s)), after, limit)
}

// pageSize bounds how many ids are held in memory while a list is walked.
const pageSize = 256

func (v *View) page(prefix string, after ledger.ItemID, limit int) iter.Seq2[ledger.Item, error] {
	return func(yield func(ledger.Item, error) bool) {
		from, left := prefix, limit
		if !after.IsZero() {
			from = prefix + str(after) + "\x00"
		}
		for {
			keys, err := pageOf(v.r, prefix, from)
			if err != nil {
				yield(ledger.Item{}, err)
				return
			}
			for _, key := range keys {
				if limit > 0 && left == 0 {
					return
				}
				left--
				it, ok, err := v.Item(hashOf(key[len(prefix):]))
				if err == nil && !ok {
					err = damaged(keyItem+key[len(prefix):], "is missing though an index names it")
				}
				if !yield(it, err) || err != nil {
					return
				}
			}
			if len(keys) < pageSize {
				return
			}
			from = keys[len(keys)-1] + "\x00"
		}
	}
}

// pageOf collects at most pageSize keys with a prefix, from a key on.
func pageOf(r reader, prefix, from string) ([]string, error) {
	keys := make([]string, 0, pageSize)
	err := r.keys(prefix, from, func(key string) bool {
		keys = append(keys, key)
		return len(keys) < pageSize
	})
	return keys, err
}

// Label returns the items with that printed id, by item id.
func (v *View) Label(label string) ([]ledger.Item, error) {
	return v.itemsNamed(keyLabel + label + "\x00")
}

// InWorkAt returns the items in work at a station, by item id. In what order
// they were taken up, their heads tell.
func (v *View) InWorkAt(station string) ([]ledger.Item, error) {
	return v.itemsNamed(keyInWork + station + "\x00")
}

// Pool yields the paper's transaction pool: first the items in conflict, then
// those whose last report has no verdict, each by id.
func (v *View) Pool() iter.Seq2[PoolEntry, error] {
	return func(yield func(PoolEntry, error) bool) {
		for _, s := range []Standing{InConflict, Expected} {
			for it, err := range v.ItemsIn(s, ledger.ItemID{}, 0) {
				head, _ := it.Head()
				if err == nil && s == Expected && head.Kind != ledger.KindReport {
					continue
				}
				if !yield(PoolEntry{Item: it, Conflict: s == InConflict}, err) || err != nil {
					return
				}
			}
		}
	}
}

// Order returns an order, as a valid transaction states it.
func (v *View) Order(tx ledger.TxID) (WorkOrder, bool, error) {
	rec, ok, err := readValid(v.r, tx)
	if err != nil || !ok {
		return WorkOrder{}, false, err
	}
	t, err := v.orders.get(tx, func() (ledger.Tx, error) { return v.txOf(tx, rec.Place) })
	if err != nil {
		return WorkOrder{}, false, err
	}
	body, ok := t.Body.(ledger.Order)
	if !ok {
		return WorkOrder{}, false, nil
	}
	o := WorkOrder{Tx: tx, Sender: t.Sender, Time: t.Time, Order: body, Counted: !rec.Uncounted}
	by, err := v.successors(tx)
	o.ReplacedBy, o.Cancelled = by.replacing, by.cancelled
	return o, err == nil, err
}

type successors struct {
	replacing []ledger.TxID
	cancelled bool
}

func (v *View) successors(tx ledger.TxID) (s successors, err error) {
	type successor struct {
		tx     ledger.TxID
		cancel bool
	}
	var all []successor
	prefix := keyReplaced + str(tx)
	err = v.r.scan(prefix, "", func(key string, value []byte) bool {
		all = append(all, successor{hashOf(key[len(prefix):]), len(value) == 1 && value[0] == 2})
		return true
	})
	for _, o := range all {
		counted, failed := txCounts(v.r, o.tx)
		switch {
		case failed != nil:
			return s, failed
		case counted && o.cancel:
			s.cancelled = true
		case counted:
			s.replacing = append(s.replacing, o.tx)
		}
	}
	return s, err
}

// OrderNamed returns the orders of that order id, cancellations left out, by
// transaction.
func (v *View) OrderNamed(id string) ([]WorkOrder, error) {
	txs, err := keysOf(v.r, keyOrder+id+"\x00")
	if err != nil {
		return nil, err
	}
	var out []WorkOrder
	for _, tx := range txs {
		o, _, err := v.Order(hashOf(tx))
		if err != nil {
			return nil, err
		}
		if o.Order.Cancelled == 0 {
			out = append(out, o)
		}
	}
	return out, nil
}

// Orders yields orders by order id and transaction, cancellations left out, from
// the first id greater than after, at most limit; 0: all.
func (v *View) Orders(after string, limit int) iter.Seq2[WorkOrder, error] {
	return func(yield func(WorkOrder, error) bool) {
		from, given := keyOrder, 0
		if after != "" {
			from = keyOrder + after + "\x01"
		}
		for {
			keys, err := pageOf(v.r, keyOrder, from)
			if err != nil {
				yield(WorkOrder{}, err)
				return
			}
			for _, key := range keys {
				o, _, err := v.Order(hashOf(key[strings.IndexByte(key, 0)+1:]))
				if err == nil && o.Order.Cancelled == 1 {
					continue
				}
				if limit > 0 && given == limit || !yield(o, err) || err != nil {
					return
				}
				given++
			}
			if len(keys) < pageSize {
				return
			}
			from = keys[len(keys)-1] + "\x00"
		}
	}
}
