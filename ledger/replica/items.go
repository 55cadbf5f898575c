package replica

import (
	"slices"

	"traveler.example/ledger"
)

// renew works an item's record out again from its nodes and bindings, and keeps
// the lists by which items are found.
func (e *engine) renew(item ledger.ItemID) error {
	key := keyItem + str(item)
	old, ok, err := read[itemRecord](e, key)
	if err != nil || !ok {
		return err
	}
	nodes, err := nodesOf(e, item)
	if err != nil {
		return err
	}
	for i, rests := range restsOf(nodes) {
		if rests != nodes[i].Rests {
			nodes[i].Rests = rests
			save(e, nodeKey(item, nodes[i].Tx), nodeRecord(nodes[i]))
		}
	}
	rec := old
	rec.Heads = headsOf(nodes)
	if rec.Tags, err = e.tagsOf(rec.Bindings); err != nil {
		return err
	}
	rec.Standing, rec.Station, rec.Reported = standingOf(nodes, rec.Heads)
	e.relist(item, old, rec)
	save(e, key, rec)
	e.changed[item] = true
	return nil
}

// unlisted is the standing of an item taken in by the transaction just judged,
// until its record is renewed.
const unlisted Standing = 0xff

func (e *engine) relist(item ledger.ItemID, old, rec itemRecord) {
	if old.Standing != rec.Standing {
		if old.Standing != unlisted {
			e.delete(keyStanding + string(rune(old.Standing)) + str(item))
			e.count(func(c *counters) { c.Items[old.Standing]-- })
		}
		e.put(keyStanding+string(rune(rec.Standing))+str(item), present)
		e.count(func(c *counters) { c.Items[rec.Standing]++ })
	}
	if old.Station != rec.Station {
		if old.Station != "" {
			e.delete(keyInWork + old.Station + "\x00" + str(item))
		}
		if rec.Station != "" {
			e.put(keyInWork+rec.Station+"\x00"+str(item), present)
		}
	}
}

// nodesOf reads the history of an item in the one order of all replicas.
func nodesOf(r reader, item ledger.ItemID) ([]ledger.Node, error) {
	var nodes []ledger.Node
	var failed error
	err := r.scan(keyNode+str(item), "", func(key string, value []byte) bool {
		var n nodeRecord
		failed = decode(key, value, &n)
		n.Item, n.Tx = item, hashOf(key[1+hashSize:])
		nodes = append(nodes, ledger.Node(n))
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	ledger.SortNodes(nodes)
	return nodes, err
}

// headsOf returns the counted nodes that no counted node continues, directly or
// through uncounted ones. nodes are sorted; a node lies deeper than what it
// continues.
func headsOf(nodes []ledger.Node) []ledger.TxID {
	continued := make(map[ledger.TxID]bool, len(nodes))
	var heads []ledger.TxID
	for _, n := range slices.Backward(nodes) {
		counted := n.Uncounted == 0
		if counted && !continued[n.Tx] {
			heads = append(heads, n.Tx)
		}
		if counted || continued[n.Tx] {
			for _, h := range n.After {
				continued[h] = true
			}
		}
	}
	slices.SortFunc(heads, compareHashes)
	return heads
}

// restsOf tells for each node whether it continues an uncounted one, or one
// that rests, with no counted disposition between.
func restsOf(nodes []ledger.Node) []uint8 {
	unsound := make(map[ledger.TxID]bool, len(nodes))
	out := make([]uint8, len(nodes))
	for i, n := range nodes {
		ruled := n.Kind == ledger.KindDisposition && n.Uncounted == 0
		for _, h := range n.After {
			if unsound[h] && !ruled {
				out[i] = 1
			}
		}
		unsound[n.Tx] = out[i] == 1 || n.Uncounted == 1
	}
	return out
}

// standingOf says under which standing an item is listed, at which station it is
// in work, and whether its last report has no verdict yet.
func standingOf(nodes []ledger.Node, heads []ledger.TxID) (s Standing, station string, reported bool) {
	switch len(heads) {
	case 0:
		return NoHead, "", false
	case 1:
	default:
		return InConflict, "", false
	}
	at := slices.IndexFunc(nodes, func(n ledger.Node) bool { return n.Tx == heads[0] })
	head := nodes[at]
	if head.Rests == 1 {
		return Nonconforming, "", false
	}
	if s = Standing(head.State.Phase); s == InWork {
		station = head.State.Station
	}
	return s, station, head.Kind == ledger.KindReport && s == Expected
}

// tagsOf returns the tags of the counted bindings that no counted one
// supersedes, sorted.
func (e *engine) tagsOf(bindings []binding) ([]string, error) {
	var tags []string
	for _, b := range bindings {
		if len(b.Tags) == 0 {
			continue
		}
		counted, err := txCounts(e, b.Tx)
		if err != nil {
			return nil, err
		}
		gone, err := superseded(e, b.Tx)
		if err != nil {
			return nil, err
		}
		if counted && !gone {
			tags = append(tags, b.Tags...)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// txCounts reports whether a transaction is valid in a block that counts.
func txCounts(r reader, tx ledger.TxID) (bool, error) {
	v, ok, err := read[validRecord](r, keyValid+str(tx))
	return ok && !v.Uncounted, err
}

func superseded(r reader, b ledger.TxID) (bool, error) {
	by, err := keysOf(r, keySuperseded+str(b))
	if err != nil {
		return false, err
	}
	for _, tx := range by {
		if ok, err := txCounts(r, hashOf(tx)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// recount works out again which transactions in the blocks of one author count,
// from a key of the chain index on, while the commit stays below limit bytes. It
// returns where to go on; empty: nowhere.
func (e *engine) recount(author ledger.KeyID, from string, limit int) (next string, err error) {
	keys, err := keysOf(e, keyChain+string(author[:]))
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k < from {
			continue
		}
		if e.bytes >= limit {
			return k, nil
		}
		ref := refOf(string(author[:]) + k)
		if err := e.recountBlock(ref); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (e *engine) recountBlock(ref ledger.Ref) error {
	b, ok, err := readBlock(e, e.net, ref)
	if err == nil && !ok {
		err = at(damaged(keyBlock+str(ref.Hash), "is missing"), ref)
	}
	if err != nil {
		return err
	}
	for _, t := range b.Txs() {
		if err := e.recountTx(t.ID()); err != nil {
			return err
		}
	}
	return nil
}

// recountTx looks at all valid placements of a transaction again.
func (e *engine) recountTx(tx ledger.TxID) error {
	v, ok, err := read[validRecord](e, keyValid+str(tx))
	if err != nil || !ok {
		return err
	}
	placed, err := placements(e, tx)
	if err != nil {
		return err
	}
	best, found := validRecord{Uncounted: true, Items: v.Items}, false
	for _, p := range placed {
		if p.Status != Valid {
			continue
		}
		counted, err := e.counts(blockOf(p.Place))
		if err != nil {
			return err
		}
		if !found || best.Uncounted && counted {
			best.Place, best.Uncounted, found = p.Place, !counted, true
		}
	}
	if best.Uncounted == v.Uncounted {
		if best.Place != v.Place {
			save(e, keyValid+str(tx), best)
		}
		return nil
	}
	return e.setCounted(tx, best, !best.Uncounted)
}

// placements reads all placements of a transaction, in the order of places.
func placements(r reader, tx ledger.TxID) ([]Placed, error) {
	var out []Placed
	var failed error
	prefix := keyPlaced + str(tx)
	err := r.scan(prefix, "", func(key string, value []byte) bool {
		var rec placedRecord
		if failed = decode(key, value, &rec); failed != nil {
			return false
		}
		out = append(out, Placed{Place: placeOf(key[len(prefix):]), Tx: tx, Status: rec.Status, Reason: rec.Reason, For: rec.For})
		return true
	})
	if err == nil {
		err = failed
	}
	return out, err
}
