package replica

import (
	"errors"
	"slices"

	"traveler.example/ledger"
)

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
	note   *ledger.Handover // once it was verified
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
	looked, of := 0, map[ledger.KeyID]int{}
	err := v.r.scan(prefix, "", func(key string, value []byte) bool {
		looked++
		p := placeOf(key[len(prefix)+hashSize:])
		room := len(all)-of[v.own] < maxNotedPending-maxNotedOfOne || p.Author == v.own
		if len(value) >= hashSize && room && of[p.Author] < maxNotedOfOne && v.roster.Has(p.Author, ledger.RoleGateway) {
			of[p.Author]++
			all = append(all, found{p, ledger.TxID(value[:hashSize])})
		}
		return looked < maxNotedLook
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
	for notes := 0; ; {
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
		if notes++; notes > maxNotedNotes {
			return nil
		}
		next, err := w.nextNote()
		if err != nil || next == nil {
			return err
		}
		if _, err := w.goBy(*next, false); err != nil {
			return err
		}
	}
}

// nextNote returns the note of a verdict that still waits: of one whose report is
// in no block here before all others, then what is in work here, which nobody's
// note takes away, and of those the one at which least was done, for that is the
// earlier one.
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
		if rank := w.rank(h, p.sealer); note == nil || rank < best {
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

func (w *notedWorld) rank(h *ledger.Handover, sealer ledger.KeyID) int {
	rank := 0
	if sealer != w.v.own {
		rank = ledger.MaxOperations + 1
	}
	if slices.ContainsFunc(w.pending, func(p pending) bool { return p.tx.ID() == h.Note.Report }) {
		rank += 2 * (ledger.MaxOperations + 1)
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
	if p.note != nil { // signatures are checked once
		return p.note, nil
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
	p.note = &h
	return p.note, nil
}

// ruledAfter reports whether quality ruled on the item after that moment: what
// was accepted on a note whose report never came ends by that.
func (w *notedWorld) ruledAfter(it ledger.Item, at int64) bool {
	return slices.ContainsFunc(it.Nodes, func(n ledger.Node) bool {
		return n.Kind == ledger.KindDisposition && n.Uncounted == 0 && n.Time > at
	})
}

// goBy puts what a note stands for into its item's history; fresh: nobody here has
// gone by it yet, and its author has to be assigned to what it reports.
func (w *notedWorld) goBy(h ledger.Handover, fresh bool) (*ledger.NoteError, error) {
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
	if err == nil {
		err = w.held(h, order)
	}
	if err == nil && fresh {
		err = h.Assigned(*it, order, w.v.roster)
	}
	var fault *ledger.NoteError
	if err == nil {
		w.add(n)
	} else if !errors.As(err, &fault) {
		return nil, err
	}
	return fault, nil
}

// held refuses a note whose report is here and says otherwise, or counts for
// nothing.
func (w *notedWorld) held(h ledger.Handover, order ledger.Order) error {
	report, ok, err := w.v.Tx(h.Note.Report)
	if err != nil || !ok || report.Valid {
		return err
	}
	var void ledger.VoidReason
	if !slices.ContainsFunc(report.Placed, func(p Placed) bool { return p.Status != Void }) {
		void = report.Placed[0].Reason
	}
	return h.Held(report.Tx, void, order)
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
