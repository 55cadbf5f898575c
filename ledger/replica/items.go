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
	nodes, err := e.nodes(item)
	if err != nil {
		return err
	}
	for i, rests := range restsOf(nodes) {
		if n := nodes[i]; rests != n.Rests {
			n.Rests = rests
			e.saveNode(n)
		}
	}
	rec := old
	rec.Heads = headsOf(nodes)
	rec.Tags = tagsOf(rec.Bindings)
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

// tagsOf returns the tags of the bindings in force, sorted.
func tagsOf(bindings []binding) []string {
	var tags []string
	for _, b := range inForce(bindings) {
		tags = append(tags, b.Tags...)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// inForce returns the counted bindings of an item that no counted one supersedes.
func inForce(bindings []binding) []binding {
	var gone []ledger.TxID
	for _, b := range bindings {
		if !b.Uncounted {
			gone = append(gone, b.Supersedes...)
		}
	}
	var out []binding
	for _, b := range bindings {
		if !b.Uncounted && !slices.Contains(gone, b.Tx) {
			out = append(out, b)
		}
	}
	return out
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
	rec, ok, err := readTxRecord(e, tx)
	if err != nil || !ok || !rec.Valid {
		return err
	}
	placed, err := placementsOf(e, tx, rec)
	if err != nil {
		return err
	}
	was := rec.validRecord
	rec.Uncounted = true
	found := false
	for _, p := range placed {
		if p.Status != Valid {
			continue
		}
		counted, err := e.counts(blockOf(p.Place))
		if err != nil {
			return err
		}
		if !found || rec.Uncounted && counted {
			rec.Place, rec.Uncounted, found = p.Place, !counted, true
		}
	}
	if rec.Uncounted != was.Uncounted {
		if err := e.setCounted(tx, &rec, !rec.Uncounted); err != nil {
			return err
		}
	} else if rec.Place == was.Place {
		return nil
	}
	save(e, keyTx+str(tx), rec)
	return nil
}
