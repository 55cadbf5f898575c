package replica

import (
	"errors"
	"slices"

	"traveler.example/ledger"
)

// place notes that t stands at p, what it would continue, and that it is to be
// judged.
func (e *engine) place(p ledger.Place, t ledger.Tx) error {
	id := t.ID()
	first := true
	err := e.keys(keyPlaced+str(id), "", func(string) bool { first = false; return false })
	if err != nil {
		return err
	}
	remember(e.memo.txs, id, t)
	save(e, keyPlaced+str(id)+placeKey(p), placedRecord{Status: Waiting})
	if first {
		e.count(func(c *counters) { c.Transactions++ })
	}
	e.noteContinuations(p, t)
	e.todo = append(e.todo, job{p, id})
	return nil
}

// noteContinuations lists every head that t would continue under the item whose
// head it is. A withdrawal also releases parts, which ones only its target tells:
// it is listed under item zero as well.
func (e *engine) noteContinuations(p ledger.Place, t ledger.Tx) {
	id := t.ID()
	note := func(item ledger.ItemID, head ledger.TxID, value []byte) {
		e.put(keyContinues+str(item)+str(head)+placeKey(p), value)
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
			e.count(func(c *counters) { c.Releases++ })
		}
	}
}

// judge decides one placement, if that is not done yet, and calls up what
// waited for the decision.
func (e *engine) judge(j job) error {
	key := keyPlaced + str(j.tx) + placeKey(j.place)
	old, ok, err := read[placedRecord](e, key)
	if err != nil || !ok || old.Status == Valid || old.Status == Void || old.Status == Carried {
		return err
	}
	if len(old.For) > 0 { // judged before, and counted
		e.count(func(c *counters) { c.Placements[Waiting]-- })
	}
	for _, x := range old.For {
		e.delete(keyWaits + str(x) + str(j.tx) + placeKey(j.place))
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
	return e.decide(key, j, t, effects, before.held, e.why)
}

// decide writes what Apply said of a placement.
func (e *engine) decide(key string, j job, t ledger.Tx, effects []ledger.Node, held []ledger.TxID, err error) error {
	var void *ledger.VoidError
	var wait *ledger.WaitError
	rec := placedRecord{Status: Valid}
	switch {
	case err == nil:
	case errors.As(err, &void):
		rec = placedRecord{Status: Void, Reason: void.Reason}
	case errors.As(err, &wait):
		if len(held) == 0 {
			held = []ledger.TxID{wait.For}
		}
		slices.SortFunc(held, compareHashes)
		rec = placedRecord{Status: Waiting, For: slices.Compact(held)}
	case errors.Is(err, ledger.ErrUnknownKind):
		rec = placedRecord{Status: Carried}
	default:
		return err
	}
	save(e, key, rec)
	e.count(func(c *counters) { c.Placements[rec.Status]++ })
	switch rec.Status {
	case Waiting:
		for _, x := range rec.For {
			e.put(keyWaits+str(x)+str(j.tx)+placeKey(j.place), present)
		}
		return nil
	case Void:
		e.put(keyVoid+placeKey(j.place), append(j.tx[:], rec.Reason...))
		return e.wake(j.tx)
	case Valid:
		if err := e.accept(j.place, t, merged(effects)); err != nil {
			return err
		}
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

// accept writes what a valid placement does. The effects of a transaction are
// the same in all its valid placements and are written once.
func (e *engine) accept(p ledger.Place, t ledger.Tx, effects []ledger.Node) error {
	counted, err := e.counts(blockOf(p))
	if err != nil {
		return err
	}
	key := keyValid + str(t.ID())
	v, known, err := read[validRecord](e, key)
	if err != nil {
		return err
	}
	if known {
		switch {
		case v.Uncounted && counted:
			v.Place = p
			return e.setCounted(t.ID(), v, true)
		case v.Uncounted == !counted && p.Less(v.Place):
			v.Place = p
			save(e, key, v)
		}
		return nil
	}
	v = validRecord{Place: p, Uncounted: !counted}
	for _, n := range effects {
		if !counted {
			n.Uncounted = 1
		}
		save(e, nodeKey(n.Item, n.Tx), nodeRecord(n))
		v.Items = append(v.Items, n.Item)
	}
	items, err := e.index(t)
	if err != nil {
		return err
	}
	for _, item := range items {
		if !slices.Contains(v.Items, item) {
			v.Items = append(v.Items, item)
		}
	}
	for _, item := range v.Items {
		e.stale[item] = true
	}
	save(e, key, v)
	return nil
}

// setCounted writes whether a valid transaction counts.
func (e *engine) setCounted(tx ledger.TxID, v validRecord, counted bool) error {
	v.Uncounted = !counted
	save(e, keyValid+str(tx), v)
	for _, item := range v.Items {
		e.stale[item] = true
		n, ok, err := readNode(e, item, tx)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if n.Uncounted = 1; counted {
			n.Uncounted = 0
		}
		save(e, nodeKey(item, tx), nodeRecord(n))
	}
	return nil
}

// index writes what look-ups need of a valid transaction, and returns the items
// beside its effects whose records it may change.
func (e *engine) index(t ledger.Tx) ([]ledger.ItemID, error) {
	id := t.ID()
	switch b := t.Body.(type) {
	case ledger.Order:
		e.put(keyOrder+b.ID+"\x00"+str(id), present)
		if !b.Replaces.IsZero() {
			e.put(keyReplaced+str(b.Replaces)+str(id), []byte{1 + b.Cancelled})
		}
		return nil, nil
	case ledger.Intake:
		rec := itemRecord{Label: b.Label, Product: b.Product, Lot: b.Lot, Bindings: []binding{{Tx: id, Tags: b.Tags}}, Standing: unlisted}
		e.put(keyLabel+b.Label+"\x00"+str(id), present)
		e.bindTags(b.Tags, id, id)
		save(e, keyItem+str(id), rec)
		return []ledger.ItemID{id}, nil
	case ledger.Bind:
		return e.indexBind(t, b)
	case ledger.Amend, ledger.Misroute:
		e.put(keyAbout+str(t.Item)+str(id), []byte{byte(t.Kind)})
		return []ledger.ItemID{t.Item}, nil
	}
	return nil, nil
}

func (e *engine) bindTags(tags []string, tx ledger.TxID, item ledger.ItemID) {
	for _, tag := range tags {
		e.put(keyTag+tag+"\x00"+str(tx), item[:])
	}
}

func (e *engine) indexBind(t ledger.Tx, b ledger.Bind) ([]ledger.ItemID, error) {
	id := t.ID()
	e.put(keyAbout+str(t.Item)+str(id), []byte{byte(t.Kind)})
	e.bindTags(b.Tags, id, t.Item)
	key := keyItem + str(t.Item)
	rec, ok, err := read[itemRecord](e, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, damaged(key, "is missing though the item was bound to tags")
	}
	rec.Bindings = append(rec.Bindings, binding{Tx: id, Tags: b.Tags})
	slices.SortFunc(rec.Bindings, func(a, b binding) int { return compareHashes(a.Tx, b.Tx) })
	save(e, key, rec)
	items := []ledger.ItemID{t.Item}
	for _, s := range b.Supersedes {
		e.put(keySuperseded+str(s)+str(id), present)
		old, ok, err := e.validTx(s)
		if err != nil {
			return nil, err
		}
		if ok {
			items = append(items, old.ItemID())
		}
	}
	return items, nil
}

// past is what Apply may look at when it judges the placement at.
type past struct {
	engine *engine
	at     ledger.Place
	held   []ledger.TxID // earlier words of the sealer that still wait
}

// Node returns the effect of a valid transaction on an item.
func (p *past) Node(item ledger.ItemID, tx ledger.TxID) (ledger.Node, bool, error) {
	return readNode(p.engine, item, tx)
}

// Tx returns a valid transaction.
func (p *past) Tx(id ledger.TxID) (ledger.Tx, bool, error) { return p.engine.validTx(id) }

// Continued looks for earlier words of the sealer about a head. One that is
// valid decides at once; else all that still wait must be decided first.
func (p *past) Continued(item ledger.ItemID, head ledger.TxID, but ledger.TxID) (by ledger.TxID, waiting bool, err error) {
	p.held = nil
	lists := []ledger.ItemID{item, {}}
	if p.engine.total.Releases == 0 {
		lists = lists[:1]
	}
	for _, of := range lists {
		by, err := p.continuedUnder(of, item, head, but)
		if err != nil || !by.IsZero() {
			p.held = nil
			return by, false, err
		}
	}
	if len(p.held) == 0 {
		return ledger.TxID{}, false, nil
	}
	return p.held[0], true, nil
}

// continuedUnder reads one list of continuations, and returns a valid one.
func (p *past) continuedUnder(list, item ledger.ItemID, head, but ledger.TxID) (ledger.TxID, error) {
	e := p.engine
	prefix := keyContinues + str(list) + str(head)
	type candidate struct {
		place ledger.Place
		tx    ledger.TxID
		item  ledger.ItemID
	}
	var cs []candidate
	err := e.scan(prefix+string(p.at.Author[:]), "", func(key string, value []byte) bool {
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
		return ledger.TxID{}, err
	}
	for _, c := range cs {
		if ok, err := p.before(c.place); err != nil {
			return ledger.TxID{}, err
		} else if !ok {
			continue
		}
		if list.IsZero() { // a withdrawal: it releases the part if its target consumed it
			if n, ok, err := p.Node(item, head); err != nil {
				return ledger.TxID{}, err
			} else if !ok || n.Of != c.item {
				continue
			}
		}
		rec, _, err := read[placedRecord](e, keyPlaced+str(c.tx)+placeKey(c.place))
		if err != nil {
			return ledger.TxID{}, err
		}
		switch rec.Status {
		case Valid:
			if list.IsZero() {
				if yes, err := p.releases(c.tx, item, head); err != nil {
					return ledger.TxID{}, err
				} else if !yes {
					continue
				}
			}
			return c.tx, nil
		case Waiting, Carried:
			p.held = append(p.held, c.tx)
		}
	}
	return ledger.TxID{}, nil
}

// releases reports whether a valid withdrawal continues a head of a part: one
// that it takes back, or the one that it keeps where both consumed the part.
func (p *past) releases(withdrawal ledger.TxID, part ledger.ItemID, head ledger.TxID) (bool, error) {
	n, _, err := p.Node(part, withdrawal)
	return slices.Contains(n.After, head), err
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
