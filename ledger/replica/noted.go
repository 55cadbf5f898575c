package replica

import (
	"slices"

	"traveler.example/ledger"
)

// A hand-off note stands for a report that is not here (PROTOCOL.md §16). What is
// sealed on its strength waits for the report like everything whose ancestors are
// missing; the shared views know nothing of it. Here is how the item stands if
// the notes are true: a view of this replica's own, made anew at each look.

// Bounds of what one look takes in.
const (
	maxNotedItems   = 64   // joined by parts and assemblies
	maxNotedPending = 256  // statements that wait
	maxNotedLook    = 4096 // index entries looked through for the items of one gateway
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
		if out.Refused, err = w.goBy(*note); err != nil {
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
	return v.r.scan(keyContinues, "", func(key string, value []byte) bool {
		looked++
		if p := placeOf(key[1+2*hashSize:]); p.Author == gateway && len(value) >= hashSize {
			each(hashOf(key[1:]), p, ledger.TxID(value[:hashSize]))
		}
		return looked < maxNotedLook
	})
}

// notedWorld is what statements that wait are tried on.
type notedWorld struct {
	v       *View
	items   map[ledger.ItemID]*ledger.Item
	pending []pending
	err     error // of the store, met inside Apply
}

// pending is a placement that waits.
type pending struct {
	tx     ledger.Tx
	sealer ledger.KeyID
	tried  bool // its note was gone by, or refused
	done   bool
}

// newNotedWorld gathers what waits about an item, and about those that it is
// joined with by it.
func (v *View) newNotedWorld(it ledger.Item) (*notedWorld, error) {
	w := &notedWorld{v: v, items: map[ledger.ItemID]*ledger.Item{it.ID: &it}}
	for queue := []ledger.ItemID{it.ID}; len(queue) > 0; queue = queue[1:] {
		waiting, err := v.waitingOn(queue[0])
		if err != nil {
			return nil, err
		}
		for _, p := range waiting {
			if len(w.pending) == maxNotedPending || w.knows(p) {
				continue
			}
			w.pending = append(w.pending, p)
			for _, other := range itemsOf(p.tx) {
				if _, known := w.items[other]; known || len(w.items) == maxNotedItems {
					continue
				}
				o, ok, err := v.Item(other)
				if err != nil {
					return nil, err
				}
				if ok {
					w.items[other] = &o
					queue = append(queue, other)
				}
			}
		}
	}
	return w, nil
}

func itemsOf(t ledger.Tx) []ledger.ItemID {
	ids := []ledger.ItemID{t.Item}
	if b, ok := t.Body.(ledger.Report); ok {
		for _, in := range b.Inputs {
			ids = append(ids, in.Item)
		}
	}
	return ids
}

func (w *notedWorld) knows(p pending) bool {
	return slices.ContainsFunc(w.pending, func(o pending) bool { return o.tx.ID() == p.tx.ID() && o.sealer == p.sealer })
}

// waitingOn returns what would continue heads of an item, in the order of places.
func (v *View) waitingOn(item ledger.ItemID) ([]pending, error) {
	type found struct {
		place ledger.Place
		tx    ledger.TxID
	}
	var all []found
	prefix := keyContinues + str(item)
	err := v.r.scan(prefix, "", func(key string, value []byte) bool {
		if len(value) >= hashSize {
			all = append(all, found{placeOf(key[len(prefix)+hashSize:]), ledger.TxID(value[:hashSize])})
		}
		return len(all) < maxNotedPending
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b found) int {
		switch {
		case a.place.Less(b.place):
			return -1
		case b.place.Less(a.place):
			return 1
		}
		return 0
	})
	var out []pending
	for _, f := range all {
		if !v.roster.Has(f.place.Author, ledger.RoleGateway) {
			continue
		}
		t, err := v.txOf(f.tx, f.place)
		if err != nil {
			return nil, err
		}
		out = append(out, pending{tx: t, sealer: f.place.Author})
	}
	return out, nil
}

// settle applies what waits, as far as notes carry it.
func (w *notedWorld) settle() error {
	for {
		progress := false
		for i := range w.pending {
			if p := &w.pending[i]; !p.done && w.apply(p.tx, p.sealer) == nil {
				p.done, progress = true, true
			}
		}
		if w.err != nil {
			return w.err
		}
		if progress {
			continue
		}
		next, err := w.nextNote()
		if err != nil || next == nil {
			return err
		}
		if _, err := w.goBy(*next); err != nil {
			return err
		}
	}
}

// nextNote returns the note of a verdict that still waits: of one whose report is
// in no block here before all others, and of those the one at which least was
// done, for that is the earlier one.
func (w *notedWorld) nextNote() (*ledger.Handover, error) {
	best, note := -1, (*ledger.Handover)(nil)
	for i := range w.pending {
		p := &w.pending[i]
		h, err := w.noteOf(p)
		if err != nil {
			return nil, err
		}
		if h == nil {
			continue
		}
		if rank := w.rank(h); note == nil || rank < best {
			best, note = rank, h
		}
	}
	for i := range w.pending {
		if p := &w.pending[i]; note != nil && len(p.tx.After) == 1 && p.tx.After[0] == note.Note.Report {
			p.tried = true
		}
	}
	return note, nil
}

func (w *notedWorld) rank(h *ledger.Handover) int {
	rank := 0
	if slices.ContainsFunc(w.pending, func(p pending) bool { return p.tx.ID() == h.Note.Report }) {
		rank = ledger.MaxOperations + 1
	}
	it := w.items[h.Item]
	order, err := w.order(*it)
	if err != nil {
		return rank
	}
	if n, err := h.Node(*it, order, w.v.roster); err == nil {
		rank += len(n.Noted)
	}
	return rank
}

// noteOf returns the note that a waiting verdict rests on; nil: none that is
// signed as it should be, or one that quality has ruled after.
func (w *notedWorld) noteOf(p *pending) (*ledger.Handover, error) {
	b, is := p.tx.Body.(ledger.Verdict)
	it := w.items[p.tx.Item]
	if p.done || p.tried || !is || len(b.Note) == 0 || it == nil {
		return nil, nil
	}
	n, err := ledger.ParseNote(b.Note)
	if err != nil || n.Report != p.tx.After[0] {
		p.tried = true
		return nil, nil
	}
	h, err := ledger.VerifyNote(w.v.net, w.v.roster, n, b.Tag, []ledger.Item{*it}, nil)
	h.Here = w.v.own
	if err != nil || w.ruledAfter(*it, p.tx.Time) {
		p.tried = true
		return nil, nil
	}
	return &h, nil
}

// ruledAfter reports whether quality ruled on the item after that moment: what
// was accepted on a note whose report never came ends by that.
func (w *notedWorld) ruledAfter(it ledger.Item, at int64) bool {
	return slices.ContainsFunc(it.Nodes, func(n ledger.Node) bool {
		return n.Kind == ledger.KindDisposition && n.Uncounted == 0 && n.Time > at
	})
}

// goBy puts what a note stands for into its item's history.
func (w *notedWorld) goBy(h ledger.Handover) (*ledger.NoteError, error) {
	h.Here = w.v.own
	it := w.items[h.Item]
	if slices.Contains(it.HeadIDs, h.Note.Report) {
		return nil, nil // the report is here
	}
	order, err := w.order(*it)
	if err != nil {
		return nil, err
	}
	n, err := h.Node(*it, order, w.v.roster)
	if err != nil {
		fault, _ := err.(*ledger.NoteError)
		return fault, nil
	}
	w.add(n)
	return nil, nil
}

// order returns the order in force at an item's first head.
func (w *notedWorld) order(it ledger.Item) (ledger.Order, error) {
	if len(it.HeadIDs) == 0 {
		return ledger.Order{}, nil
	}
	o, _, err := w.v.Order(it.OrderOf(it.HeadIDs[0]))
	return o.Order, err
}

// apply judges a statement on top of what the notes say, by the rules of §6.
func (w *notedWorld) apply(t ledger.Tx, sealer ledger.KeyID) error {
	effects, err := ledger.Apply(w.v.net, ledger.Placement{Tx: t, Sealer: sealer, Roster: w.v.roster}, w)
	if err != nil {
		return err
	}
	for _, n := range merged(effects) {
		w.add(n)
	}
	return nil
}

func (w *notedWorld) add(n ledger.Node) {
	it := w.items[n.Item]
	if it == nil || atTx(it.Nodes, n.Tx) >= 0 {
		return
	}
	more := *it
	more.Nodes = append(slices.Clone(it.Nodes), n)
	ledger.SortNodes(more.Nodes)
	more.HeadIDs = headsOf(more.Nodes)
	*it = more
}

// Node implements ledger.Ancestors.
func (w *notedWorld) Node(item ledger.ItemID, tx ledger.TxID) (ledger.Node, bool, error) {
	it := w.items[item]
	if it == nil {
		o, ok, err := w.v.Item(item)
		if err != nil || !ok {
			return ledger.Node{}, false, w.failed(err)
		}
		it = &o
	}
	n, ok := it.Node(tx)
	return n, ok, nil
}

// Tx implements ledger.Ancestors.
func (w *notedWorld) Tx(id ledger.TxID) (ledger.Tx, bool, error) {
	rec, ok, err := readValid(w.v.r, id)
	if err != nil || !ok {
		return ledger.Tx{}, false, w.failed(err)
	}
	t, err := w.v.txOf(id, rec.Place)
	return t, err == nil, w.failed(err)
}

// Continued implements ledger.Ancestors: of one chain only the first word about a
// head is gone by. What waits is listed in the order of chains.
func (w *notedWorld) Continued(item ledger.ItemID, head, but ledger.TxID) (ledger.TxID, bool, error) {
	at := slices.IndexFunc(w.pending, func(p pending) bool { return p.tx.ID() == but })
	it := w.items[item]
	if it == nil || at < 0 {
		return ledger.TxID{}, false, nil
	}
	sealer := w.pending[at].sealer
	for _, n := range it.Nodes {
		if n.Tx != but && n.Sender == sealer && slices.Contains(n.After, head) {
			return n.Tx, false, nil
		}
	}
	for _, p := range w.pending[:at] {
		if !p.done && p.sealer == sealer && p.tx.Item == item && slices.Contains(p.tx.After, head) {
			return p.tx.ID(), true, nil
		}
	}
	return ledger.TxID{}, false, nil
}

func (w *notedWorld) failed(err error) error {
	if err != nil {
		w.err = err
	}
	return err
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
