package agent

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// noted puts items in the state that they have if their notes are true, and adds
// to the scan what the note on its tag says.
func (w view) noted(scan *ledger.Scan, open []ledger.Item, raw []byte) ([]ledger.Item, error) {
	note, refused, err := w.verify(scan.Tag, open, raw)
	if err != nil {
		return nil, err
	}
	scan.NoteRefused = refused
	out := slices.Clone(open)
	for i, it := range open {
		var on *ledger.Handover
		if note != nil && note.Item == it.ID {
			on = note
		}
		n, err := w.v.Noted(it, on)
		if err != nil {
			return nil, err
		}
		out[i] = n.Item
		if on == nil {
			continue
		}
		scan.NoteRefused = n.Refused
		if head, ok := n.Item.Head(); ok && head.Noted != nil && head.Tx == note.Note.Report {
			scan.Note, scan.NoteOf, scan.NoteBy = raw, head.Tx, note.Author.Name
		}
	}
	return out, nil
}

// verify judges the bytes that a tag carries as a note about one of its items.
func (w view) verify(tag string, open []ledger.Item, raw []byte) (*ledger.Handover, *ledger.NoteError, error) {
	if raw == nil {
		return nil, nil, nil
	}
	n, err := ledger.ParseNote(raw)
	if err != nil {
		return nil, faultOf(err), nil
	}
	var failed error
	h, err := ledger.VerifyNote(w.a.parts.Genesis.Network(), w.v.Roster(), n, tag, open, func(prefix [8]byte) (string, bool) {
		var its []ledger.Item
		if its, failed = w.v.ItemsBeginning(hex.EncodeToString(prefix[:]), 1); len(its) == 0 {
			return "", false
		}
		return its[0].Label, true
	})
	if err != nil || failed != nil {
		return nil, faultOf(err), failed
	}
	return &h, nil, nil
}

func faultOf(err error) *ledger.NoteError {
	var fault *ledger.NoteError
	errors.As(err, &fault)
	return fault
}

// onNoteWords says how an item stands if its notes are true; empty: it has none.
func onNoteWords(v *replica.View, it ledger.Item) (string, error) {
	n, err := v.Noted(it, nil)
	if err != nil || len(n.On) == 0 {
		return "", err
	}
	state, where := stateWords(n.Item, names{v.Roster()})
	if len(where) > 0 {
		state += " at " + strings.Join(where, " or ")
	}
	var reports []string
	for _, id := range n.On {
		reports = append(reports, id.Short())
	}
	return fmt.Sprintf("%s, on a note of its tag; not here: %s", state, strings.Join(reports, ", ")), nil
}

// cutOff reports whether somebody who may know more of an item is out of reach.
func (w view) cutOff() bool {
	if w.a.broker.Load() == nil || w.a.lag.Load() > 0 {
		return true
	}
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	for _, as := range w.v.Roster().Assignments() {
		if as.Gateway == w.a.key || !w.v.Roster().Has(as.Gateway, ledger.RoleGateway) {
			continue
		}
		if !w.a.claims[as.Gateway].online {
			return true
		}
	}
	return false
}

// inWorkNoted returns the items that are in work here by this gateway if their
// notes are true.
func (w view) inWorkNoted() ([]ledger.Item, error) {
	items, err := w.v.InWorkAt(w.a.cfg.Station.ID)
	if err != nil {
		return nil, err
	}
	waiting, err := w.v.NotedItems(w.a.key)
	if err != nil {
		return nil, err
	}
	for _, it := range waiting {
		if !slices.ContainsFunc(items, func(o ledger.Item) bool { return o.ID == it.ID }) {
			items = append(items, it)
		}
	}
	var out []ledger.Item
	for _, it := range items {
		n, err := w.v.Noted(it, nil)
		if err != nil {
			return nil, err
		}
		if st := n.Item.State(); st.Phase == ledger.InWork && st.By == w.a.key && st.Station == w.a.cfg.Station.ID {
			out = append(out, n.Item)
		}
	}
	return out, nil
}

// remember notes what this gateway has accepted on notes.
func (l *syncLoop) rememberNotes() {
	if l.parts.Notes == nil && len(l.notes.txs) == 0 && l.notes.looked {
		return
	}
	l.notes.looked = true                                  // what was accepted under another profile is matched, too
	_ = l.parts.Replica.Read(func(v *replica.View) error { // damage is told where it matters
		waiting, err := v.OnNotes(l.key)
		for _, t := range waiting {
			l.notes.note(t)
		}
		return err
	})
}

// matchNotes compares what this gateway accepted on notes with what has arrived.
func (l *syncLoop) matchNotes(ctx context.Context) {
	if len(l.notes.txs) == 0 {
		return
	}
	_ = l.parts.Replica.Read(func(v *replica.View) error {
		for _, t := range l.notes.all() {
			done, err := l.matchOne(ctx, v, t)
			if err != nil {
				return err
			}
			if done {
				l.notes.drop(t)
			}
		}
		return nil
	})
}

// matchOne tells what has become of a verdict on a note; done: there is no more
// to tell.
func (l *syncLoop) matchOne(ctx context.Context, v *replica.View, t ledger.Tx) (done bool, err error) {
	sealed, ok, err := v.Tx(t.ID())
	if err != nil || !ok {
		return !ok, err
	}
	it, _, err := v.Item(t.Item)
	if err != nil {
		return false, err
	}
	report, here, err := v.Tx(t.After[0])
	if err != nil {
		return false, err
	}
	found := ""
	switch {
	case here && !report.Valid && report.Placed[0].Status == replica.Void:
		done, found = true, "the report that it stood for does not count: "+string(report.Placed[0].Reason)
	case here && report.Valid:
		order, _, err := v.Order(it.OrderOf(t.After[0]))
		if err != nil {
			return false, err
		}
		done, found = true, disagreement(t, report.Tx, order.Order)
		if found == "" && !sealed.Valid {
			found = "the acceptance on it does not count: " + string(sealed.Placed[0].Reason)
		}
	case !here:
		if found, err = l.replaced(v, it, t); err != nil || found == "" {
			return false, err
		}
	default:
		return false, nil
	}
	if found == "" {
		l.parts.Journal.Event(ctx, journal.NoteMatched, "the report that the note of "+it.Label+" stood for is here", slog.String(journal.KeyItem, it.Label))
		return done, nil
	}
	if l.notes.tell(t) {
		l.parts.Journal.Event(ctx, journal.NoteContradicted, "the note of "+it.Label+" is contradicted: "+found,
			slog.String(journal.KeyItem, it.Label), slog.String(journal.KeyFound, found))
	}
	return done, nil
}

// disagreement says where a note and the report of its id part; empty: nowhere.
func disagreement(verdict, report ledger.Tx, order ledger.Order) string {
	b, is := verdict.Body.(ledger.Verdict)
	if !is {
		return ""
	}
	n, err := ledger.ParseNote(b.Note)
	if err != nil {
		return err.Error()
	}
	return n.Disagrees(report, order.Routing)
}

// replaced says that the chain of a note's author has another report in the place
// of the one that it stands for; empty: it has not.
func (l *syncLoop) replaced(v *replica.View, it ledger.Item, verdict ledger.Tx) (string, error) {
	b, is := verdict.Body.(ledger.Verdict)
	if !is || len(it.HeadIDs) == 0 {
		return "", nil
	}
	n, err := ledger.ParseNote(b.Note)
	if err != nil {
		return "", nil
	}
	h, err := ledger.VerifyNote(l.parts.Genesis.Network(), v.Roster(), n, b.Tag, []ledger.Item{it}, nil)
	if err != nil {
		return "", nil
	}
	order, _, err := v.Order(it.OrderOf(it.HeadIDs[0]))
	if err != nil {
		return "", err
	}
	_, err = h.Node(it, order.Order, v.Roster())
	if fault := faultOf(err); fault != nil && fault.Fault == ledger.NoteContradicted {
		return fault.Detail, nil
	}
	return "", nil
}

// onNotes are the verdicts of this gateway whose reports had not arrived when it
// looked last. It is the sync loop's alone.
type onNotes struct {
	looked bool // at what was sealed before the start
	txs    []ledger.Tx
	told   map[ledger.TxID]bool // contradicted, and said so
}

// maxOnNotes bounds what is remembered; what is more is matched in silence.
const maxOnNotes = 1024

func (o *onNotes) note(t ledger.Tx) {
	if len(o.txs) < maxOnNotes && !slices.ContainsFunc(o.txs, func(x ledger.Tx) bool { return x.ID() == t.ID() }) {
		o.txs = append(o.txs, t)
	}
}

func (o *onNotes) all() []ledger.Tx {
	all := slices.Clone(o.txs)
	slices.SortStableFunc(all, func(a, b ledger.Tx) int { return cmp.Compare(a.Time, b.Time) })
	return all
}

func (o *onNotes) drop(t ledger.Tx) {
	o.txs = slices.DeleteFunc(o.txs, func(x ledger.Tx) bool { return x.ID() == t.ID() })
	delete(o.told, t.ID())
}

// tell reports whether a contradiction is news.
func (o *onNotes) tell(t ledger.Tx) bool {
	if o.told[t.ID()] {
		return false
	}
	if o.told == nil {
		o.told = map[ledger.TxID]bool{}
	}
	o.told[t.ID()] = true
	return true
}
