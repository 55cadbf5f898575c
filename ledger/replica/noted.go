package replica

import (
	"errors"
	"slices"

	"traveler.example/ledger"
)

// A hand-off note stands for a report that is not here (PROTOCOL.md §16). What is
// sealed on its strength waits for the report like everything whose ancestors are
// missing; the shared views know nothing of it. Here is how the item stands if
// the notes are true: a view of this replica's own, made anew at each look.

// Bounds of what one look takes in.
const (
	maxNotedItems   = 64    // joined by parts and assemblies
	maxNotedPending = 256   // statements that wait
	maxNotedOfOne   = 64    // of them, of one gateway on one item; as many are kept for this one's own
	maxNotedNotes   = 32    // notes tried
	maxNotedLook    = 4096  // index entries looked through for one item
	maxNotedSearch  = 32768 // and for the items of one gateway
)

// Noted is an item as it stands if its notes are true.
type Noted struct {
	Item ledger.Item
	On   []ledger.TxID // the reports that notes stand for; none: the item as the ledger has it
	// Refused says why the note given is not gone by; nil: it is, or was not needed.
	Refused *ledger.NoteError
}

// Noted returns an item as it stands if the notes that waiting verdicts carry are
// true and, if one is given, the note on its tag.
func (v *View) Noted(it ledger.Item, note *ledger.Handover) (Noted, error) {
	w, err := v.newNotedWorld(it)
	if err != nil {
		return Noted{}, err
	}
	if note == nil && len(w.pending) == 0 {
		return Noted{Item: it}, nil
	}
	if err := w.settle(); err != nil {
		return Noted{}, err
	}
	out := Noted{}
	if note != nil {
		if out.Refused, err = w.goBy(*note, true); err != nil {
			return Noted{}, err
		}
	}
	for _, joined := range w.items {
		for _, n := range joined.Nodes {
			if n.Noted != nil {
				out.On = append(out.On, n.Tx)
			}
		}
	}
	if len(out.On) == 0 { // what waits, waits for other things
		out.Item = it
		return out, nil
	}
	slices.SortFunc(out.On, compareHashes)
	out.Item = *w.items[it.ID]
	return out, nil
}

// NotedItems returns the items about which statements of a gateway wait, by id.
func (v *View) NotedItems(gateway ledger.KeyID) ([]ledger.Item, error) {
	var ids []ledger.ItemID
	err := v.waitingOf(gateway, func(item ledger.ItemID, _ ledger.Place, _ ledger.TxID) {
		if !item.IsZero() && !slices.Contains(ids, item) {
			ids = append(ids, item)
		}
	})
	if err != nil {
		return nil, err
	}
	var items []ledger.Item
	for _, id := range ids {
		it, ok, err := v.Item(id)
		if err != nil {
			return nil, err
		}
		if ok {
			items = append(items, it)
		}
	}
	return items, nil
}

// OnNotes returns the verdicts of a gateway that rest on notes and wait for the
// reports.
func (v *View) OnNotes(gateway ledger.KeyID) ([]ledger.Tx, error) {
	places := map[ledger.TxID]ledger.Place{}
	err := v.waitingOf(gateway, func(_ ledger.ItemID, p ledger.Place, tx ledger.TxID) { places[tx] = p })
	if err != nil {
		return nil, err
	}
	var out []ledger.Tx
	for id, p := range places {
		t, err := v.txOf(id, p)
		if err != nil {
			return nil, err
		}
		if b, is := t.Body.(ledger.Verdict); is && len(b.Note) > 0 {
			out = append(out, t)
		}
	}
	sortByTime(out)
	return out, nil
}

// waitingOf calls each with what waits of a gateway, and the items concerned.
func (v *View) waitingOf(gateway ledger.KeyID, each func(ledger.ItemID, ledger.Place, ledger.TxID)) error {
	c, _, err := read[counters](v.r, keyCounters)
	if err != nil || c.Placements[Waiting] == 0 {
		return err
	}
	looked := 0
	first := ledger.ItemID{len(ledger.ItemID{}) - 1: 1} // beyond what is listed under no item
	return v.r.scan(keyContinues, keyContinues+str(first), func(key string, value []byte) bool {
		looked++
		if p := placeOf(key[1+2*hashSize:]); p.Author == gateway && len(value) >= hashSize {
			each(hashOf(key[1:]), p, ledger.TxID(value[:hashSize]))
		}
		return looked < maxNotedSearch
	})
}

// admitsOnNote reports whether a statement that waits may be sealed here: it goes
// on from reports that are not here, for which notes stand, and would be valid if
// they came.
func (v *View) admitsOnNote(t ledger.Tx) (bool, error) {
	it, ok, err := v.Item(t.Item)
	if err != nil || !ok {
		return false, err
	}
	n, err := v.Noted(it, nil)
	return len(n.On) > 0 && atTx(n.Item.Nodes, t.ID()) >= 0, err
}

// notedHeads returns the heads of an item if its notes are true, that of t, which
// continues it, included.
func (v *View) notedHeads(item ledger.ItemID, t ledger.Tx) ([]ledger.TxID, error) {
	it, ok, err := v.Item(item)
	if err != nil || !ok {
		return nil, err
	}
	var note *ledger.Handover
	if b, is := t.Body.(ledger.Verdict); is && len(b.Note) > 0 && t.Item == item {
		n, err := ledger.ParseNote(b.Note)
		if err != nil {
			return nil, nil
		}
		h, err := ledger.VerifyNote(v.net, v.roster, n, b.Tag, []ledger.Item{it}, nil)
		if err != nil {
			return nil, nil
		}
		note = &h
	}
	n, err := v.Noted(it, note)
	return n.Item.HeadIDs, err
}

// onNote reports whether what waits may be sealed all the same: it rests on a
// hand-off note.
func (s *session) onNote(t ledger.Tx, why error) (bool, error) {
	var wait *ledger.WaitError
	if !errors.As(why, &wait) || t.Item.IsZero() {
		return false, nil
	}
	return s.view().admitsOnNote(t)
}
