package replica

import (
	"errors"
	"slices"

	"traveler.example/ledger"
)

// place notes that t stands at p and is to be judged.
func (e *engine) place(p ledger.Place, t ledger.Tx) error {
	id := t.ID()
	first, err := e.notePlacement(id, p)
	if err != nil {
		return err
	}
	remember(e.memo.txs, id, t)
	if first {
		e.count(func(c *counters) { c.Transactions++ })
	}
	e.todo = append(e.todo, job{p, id})
	return nil
}

// continuations calls each with every head that t would continue, and the item
// under which it is listed. A withdrawal also releases parts, which ones only its
// target tells: it is listed under item zero as well.
func continuations(p ledger.Place, t ledger.Tx, each func(key string, value []byte)) {
	id := t.ID()
	note := func(item ledger.ItemID, head ledger.TxID, value []byte) {
		each(keyContinues+str(item)+str(head)+placeKey(p), value)
	}
	if !t.Item.IsZero() {
		for _, h := range t.After {
			note(t.Item, h, id[:])
		}
	}
	switch b := t.Body.(type) {
	case ledger.Report:
		for _, in := range b.Inputs {
			note(in.Item, in.Head, id[:])
		}
	case ledger.Withdraw:
		for _, h := range t.After {
			note(ledger.ItemID{}, h, append(id[:], t.Item[:]...))
		}
	}
}

// noteContinuations lists what a placement that cannot be judged would continue.
// What a valid one continues stands in the nodes of the items.
func (e *engine) noteContinuations(p ledger.Place, t ledger.Tx) {
	continuations(p, t, func(key string, value []byte) {
		e.put(key, value)
		if len(value) > hashSize {
			e.count(func(c *counters) { c.Releases++ })
		}
	})
}

func (e *engine) dropContinuations(p ledger.Place, t ledger.Tx) {
	continuations(p, t, func(key string, value []byte) {
		e.delete(key)
		if len(value) > hashSize {
			e.count(func(c *counters) { c.Releases-- })
		}
	})
}

// judge decides one placement, if that is not done yet, and calls up what
// waited for the decision.
func (e *engine) judge(j job) error {
	rec, ok, err := readTxRecord(e, j.tx)
	if err != nil || !ok {
		return err
	}
	old, ok, err := placedAt(e, j.tx, rec, j.place)
	if err != nil || !ok || old.Status == Valid || old.Status == Void || old.Status == Carried {
		return err
	}
	t, err := e.txAt(j.place, j.tx)
	if err != nil {
		return err
	}
	m, err := e.mustMark(j.place.Author, j.place.Block)
	if err != nil {
		return err
	}
	roster, err := e.register.At(m.Roster)
	if err != nil {
		return err
	}
	before := &past{engine: e, at: j.place}
	var effects []ledger.Node
	effects, e.why = ledger.Apply(e.net, ledger.Placement{Tx: t, Sealer: j.place.Author, Roster: roster}, before)
	now, err := outcome(e.why, before.held)
	if err != nil {
		return err
	}
	return e.decide(j, t, &rec, old, now, effects)
}

// outcome is what becomes of a placement after what Apply said of it.
func outcome(why error, held []ledger.TxID) (placedRecord, error) {
	var void *ledger.VoidError
	var wait *ledger.WaitError
	switch {
	case why == nil:
		return placedRecord{Status: Valid}, nil
	case errors.As(why, &void):
		return placedRecord{Status: Void, Reason: void.Reason}, nil
	case errors.As(why, &wait):
		if len(held) == 0 {
			held = []ledger.TxID{wait.For}
		}
		slices.SortFunc(held, compareHashes)
		return placedRecord{Status: Waiting, For: slices.Compact(held)}, nil
	case errors.Is(why, ledger.ErrUnknownKind):
		return placedRecord{Status: Carried}, nil
	}
	return placedRecord{}, why
}

// decide writes what becomes of a placement, of which old was written before.
func (e *engine) decide(j job, t ledger.Tx, rec *txRecord, old, now placedRecord, effects []ledger.Node) error {
	judged := len(old.For) > 0 // before, and counted
	if judged {
		e.count(func(c *counters) { c.Placements[Waiting]-- })
	}
	for _, x := range old.For {
		e.delete(keyWaits + str(x) + str(j.tx) + placeKey(j.place))
	}
	e.count(func(c *counters) { c.Placements[now.Status]++ })
	for _, x := range now.For {
		e.put(keyWaits+str(x)+str(j.tx)+placeKey(j.place), present)
	}
	switch undecided := now.Status == Waiting || now.Status == Carried; {
	case undecided && !judged:
		e.noteContinuations(j.place, t)
	case judged && !undecided:
		e.dropContinuations(j.place, t)
	}
	if j.place == rec.First {
		rec.Placed = now
	} else {
		save(e, keyPlaced+str(j.tx)+placeKey(j.place), now)
	}
	switch now.Status {
	case Void:
		e.put(keyVoid+placeKey(j.place), append(j.tx[:], now.Reason...))
	case Valid:
		if err := e.accept(j.place, t, rec, merged(effects)); err != nil {
			return err
		}
	}
	save(e, keyTx+str(j.tx), *rec)
	if now.Status == Void || now.Status == Valid {
		return e.wake(j.tx)
	}
	return nil
}

// wake has everything judged again that waits for tx.
func (e *engine) wake(tx ledger.TxID) error {
	if e.total.Placements[Waiting] == 0 {
		return nil
	}
	waiting, err := keysOf(e, keyWaits+str(tx))
	for _, w := range waiting {
		e.todo = append(e.todo, job{placeOf(w[hashSize:]), hashOf(w)})
	}
	return err
}

// merged makes one node of several effects on one item: a withdrawal of two
// reports that consumed the same part.
func merged(effects []ledger.Node) []ledger.Node {
	out := effects[:0:0]
	for _, n := range effects {
		at := slices.IndexFunc(out, func(o ledger.Node) bool { return o.Item == n.Item })
		if at < 0 {
			out = append(out, n)
			continue
		}
		for _, h := range n.After {
			if !slices.Contains(out[at].After, h) {
				out[at].After = append(out[at].After, h)
			}
		}
		out[at].Depth = max(out[at].Depth, n.Depth)
	}
	return out
}

// accept writes what a valid placement does, and notes it in the transaction's
// record. The effects of a transaction are the same in all its valid placements
// and are written once.
func (e *engine) accept(p ledger.Place, t ledger.Tx, rec *txRecord, effects []ledger.Node) error {
	counted, err := e.counts(blockOf(p))
	if err != nil {
		return err
	}
	if rec.Valid {
		switch {
		case rec.Uncounted && counted:
			rec.Place = p
			return e.setCounted(t.ID(), rec, true)
		case rec.Uncounted == !counted && p.Less(rec.Place):
			rec.Place = p
		}
		return nil
	}
	rec.Valid, rec.validRecord = true, validRecord{Place: p, Uncounted: !counted}
	for _, n := range effects {
		if !counted {
			n.Uncounted = 1
		}
		e.saveNode(n)
		rec.Items = append(rec.Items, n.Item)
	}
	item, err := e.index(t, counted)
	if err != nil {
		return err
	}
	if !item.IsZero() && !slices.Contains(rec.Items, item) {
		rec.Items = append(rec.Items, item)
	}
	for _, item := range rec.Items {
		e.stale[item] = true
	}
	if len(rec.Items) == 1 && rec.Items[0] == t.ItemID() {
		rec.OwnItem, rec.Items = true, nil
	}
	return nil
}

// itemsOf returns the items whose records depend on whether a valid transaction
// counts.
func (e *engine) itemsOf(tx ledger.TxID, rec *txRecord) ([]ledger.ItemID, error) {
	if !rec.OwnItem {
		return rec.Items, nil
	}
	t, err := e.txAt(rec.Place, tx)
	return []ledger.ItemID{t.ItemID()}, err
}

// setCounted notes whether a valid transaction counts, in its record and in those
// of its items.
func (e *engine) setCounted(tx ledger.TxID, rec *txRecord, counted bool) error {
	rec.Uncounted = !counted
	items, err := e.itemsOf(tx, rec)
	if err != nil {
		return err
	}
	for _, item := range items {
		e.stale[item] = true
		if err := e.countBinding(item, tx, counted); err != nil {
			return err
		}
		n, ok, err := e.node(item, tx)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if n.Uncounted = 1; counted {
			n.Uncounted = 0
		}
		e.saveNode(n)
	}
	return nil
}

// countBinding notes in an item's record whether one of its bindings counts.
func (e *engine) countBinding(item ledger.ItemID, tx ledger.TxID, counted bool) error {
	key := keyItem + str(item)
	rec, ok, err := read[itemRecord](e, key)
	if err != nil || !ok {
		return err
	}
	at := slices.IndexFunc(rec.Bindings, func(b binding) bool { return b.Tx == tx })
	if at >= 0 {
		rec.Bindings[at].Uncounted = !counted
		save(e, key, rec)
	}
	return nil
}

// index writes what look-ups need of a valid transaction, and returns the item
// whose record it may change, if that is not among its effects.
func (e *engine) index(t ledger.Tx, counted bool) (ledger.ItemID, error) {
	id := t.ID()
	switch b := t.Body.(type) {
	case ledger.Order:
		e.put(keyOrder+b.ID+"\x00"+str(id), present)
		if !b.Replaces.IsZero() {
			e.put(keyReplaced+str(b.Replaces)+str(id), []byte{1 + b.Cancelled})
		}
	case ledger.Intake:
		rec := itemRecord{
			Label: b.Label, Product: b.Product, Lot: b.Lot, Standing: unlisted,
			Bindings: []binding{{Tx: id, Tags: b.Tags, Uncounted: !counted}},
		}
		e.put(keyLabel+b.Label+"\x00"+str(id), present)
		e.bindTags(b.Tags, id, present)
		save(e, keyItem+str(id), rec)
	case ledger.Bind:
		e.put(keyAbout+str(t.Item)+str(id), []byte{byte(t.Kind)})
		e.bindTags(b.Tags, id, t.Item[:])
		return t.Item, e.addBinding(t.Item, binding{Tx: id, Tags: b.Tags, Supersedes: b.Supersedes, Uncounted: !counted})
	case ledger.Amend, ledger.Misroute:
		e.put(keyAbout+str(t.Item)+str(id), []byte{byte(t.Kind)})
		return t.Item, nil
	}
	return ledger.ItemID{}, nil
}

func (e *engine) bindTags(tags []string, tx ledger.TxID, value []byte) {
	for _, tag := range tags {
		e.put(keyTag+tag+"\x00"+str(tx), value)
	}
}

// addBinding lists a bind in the record of its item, where those that it
// supersedes stand: a bind names bindings of its own item only.
func (e *engine) addBinding(item ledger.ItemID, b binding) error {
	key := keyItem + str(item)
	rec, ok, err := read[itemRecord](e, key)
	if err != nil {
		return err
	}
	if !ok {
		return damaged(key, "is missing though the item was bound to tags")
	}
	rec.Bindings = append(rec.Bindings, b)
	slices.SortFunc(rec.Bindings, func(a, b binding) int { return compareHashes(a.Tx, b.Tx) })
	save(e, key, rec)
	return nil
}
