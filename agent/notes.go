package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/drivers/ndef"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Notes reads and writes hand-off notes on tags that lie on a reader. Both return
// soon after ctx ends, which it does when the tag is lifted.
type Notes interface {
	// ReadNote returns the note that a tag carries, unjudged; nil: it carries none.
	// Errors wrap those of drivers.
	ReadNote(ctx context.Context, reader string, tag drivers.Tag) ([]byte, error)
	// WriteNote puts a note of at most ledger.MaxHandoff bytes in the place of the
	// one before, and reads it back. Errors wrap those of drivers.
	WriteNote(ctx context.Context, reader string, tag drivers.Tag, note []byte) error
}

// How long a tag may take. Who waits for a note that is read stands before a dark
// light; nobody waits for one that is written.
const (
	noteReadLimit  = time.Second
	noteWriteLimit = 3 * time.Second
	maxNoteWork    = 4   // requests to one reader, of which one is under way
	maxLying       = 256 // tags remembered for requests
)

// notePad is what the station's loop keeps for notes. It is the loop's alone.
type notePad struct {
	lying map[spot]*lying
	work  map[string]*noteReader
}

// spot is a tag on a reader.
type spot struct{ reader, tag string }

// lying is a tag in the field, and what ends with its going.
type lying struct {
	tag  drivers.Tag
	name string         // by which the station knows it; empty: it does not
	came *drivers.Event // how it came, while its name is on its way; else nil
	gone context.Context
	lift context.CancelFunc
}

// noteReader lets one request at a time to a reader.
type noteReader struct {
	turn  chan struct{} // holds one
	under chan struct{} // one for each request
}

// laid notes that a tag lies on a reader; nil: nobody wants to know, or there are
// too many.
func (l *stationLoop) laid(reader string, tag drivers.Tag) *lying {
	if l.parts.Notes == nil && l.cfg.Identities[reader] == "" {
		return nil
	}
	if l.pad.lying == nil {
		l.pad.lying, l.pad.work = map[spot]*lying{}, map[string]*noteReader{}
	}
	l.lifted(reader, tag.ID)
	if len(l.pad.lying) >= maxLying {
		return nil
	}
	x := &lying{tag: tag}
	x.gone, x.lift = context.WithCancel(context.Background()) // a reload does not lift it
	l.pad.lying[spot{reader, tag.ID}] = x
	return x
}

// known returns the tag that the station knows by a name; nil: it has gone.
func (l *stationLoop) known(reader, name string) *lying {
	for at, x := range l.pad.lying {
		if at.reader == reader && x.name == name {
			return x
		}
	}
	return nil
}

// lifted ends what was under way with a tag; empty: with all tags of a reader.
func (l *stationLoop) lifted(reader, tag string) {
	for at, x := range l.pad.lying {
		if at.reader == reader && (tag == "" || at.tag == tag) {
			x.lift()
			delete(l.pad.lying, at)
		}
	}
}

var (
	errLifted   = fmt.Errorf("%w: it was lifted", drivers.ErrTagGone)
	errNoteBusy = errors.New("the reader is busy with other tags")
	errTooSlow  = errors.New("the tag did not answer in time")
)

// onTag does something with a tag on a reader beside the station's loop: one at a
// time on each reader, within a limit, and not beyond the tag's going. then is
// called in any case, unless the station ends before.
func (l *stationLoop) onTag(ctx context.Context, reader string, x *lying, limit time.Duration, do func(context.Context, drivers.Tag) error, then func(error)) {
	if x == nil {
		l.work.Go(func() { then(errLifted) })
		return
	}
	r := l.pad.work[reader]
	if r == nil {
		r = &noteReader{turn: make(chan struct{}, 1), under: make(chan struct{}, maxNoteWork)}
		l.pad.work[reader] = r
	}
	select {
	case r.under <- struct{}{}:
	default:
		l.work.Go(func() { then(errNoteBusy) })
		return
	}
	l.work.Go(func() {
		defer func() { <-r.under }()
		bounded, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		defer context.AfterFunc(x.gone, cancel)()
		var err error
		select {
		case r.turn <- struct{}{}:
			if err = bounded.Err(); err == nil {
				err = do(bounded, x.tag)
			}
			<-r.turn
		case <-bounded.Done():
			err = bounded.Err()
		}
		switch {
		case ctx.Err() != nil:
			return // the station has ended: nobody waits
		case err != nil && x.gone.Err() != nil:
			err = errLifted
		case errors.Is(err, context.DeadlineExceeded):
			err = errTooSlow
		}
		then(err)
	})
}

func (l *stationLoop) readNote(ctx context.Context, e station.ReadNote) {
	var raw []byte
	l.onTag(ctx, e.Reader, l.known(e.Reader, e.Tag), noteReadLimit, func(ctx context.Context, tag drivers.Tag) (err error) {
		raw, err = l.parts.Notes.ReadNote(ctx, e.Reader, tag)
		return err
	}, func(err error) {
		answer := station.NoteRead{Serial: e.Serial}
		switch {
		case err == nil:
			answer.Note = raw
		case errors.Is(err, drivers.ErrNoArea): // a tag without memory carries none
		default:
			answer.Problem, _ = noteWords(err)
		}
		l.post(ctx, answer)
	})
}

func (l *stationLoop) writeNote(ctx context.Context, e station.WriteNote) {
	l.onTag(ctx, e.Reader, l.known(e.Reader, e.Tag), noteWriteLimit, func(ctx context.Context, tag drivers.Tag) error {
		note, err := l.ownNote(e)
		if err != nil {
			return err
		}
		return l.parts.Notes.WriteNote(ctx, e.Reader, tag, note.Raw())
	}, func(err error) {
		if errors.Is(err, errNoNotes) {
			return // the profile does not want them: there is nothing to tell
		}
		answer := station.NoteWritten{Reader: e.Reader, Tag: e.Tag, Item: e.Label}
		if err != nil {
			answer.Problem, answer.Remedy = noteWords(err)
			answer.Aside = errors.Is(err, errNoMemory)
		}
		var of *tagKindError
		if errors.As(err, &of) {
			answer.Kind = of.kind
		}
		l.post(ctx, answer)
	})
}

// ownNote makes the note of this gateway's last statement about an item.
func (l *stationLoop) ownNote(e station.WriteNote) (note ledger.Note, err error) {
	err = l.parts.Replica.Read(func(v *replica.View) error {
		it, err := itemWith(v, e)
		if err != nil {
			return err
		}
		order, _, err := v.Order(it.OrderOf(it.HeadIDs[0]))
		if err != nil {
			return err
		}
		line := it.Lineage(it.HeadIDs[0])
		i := lastNode(line, func(n ledger.Node) bool {
			return n.Sender == l.key && n.Of.IsZero() && (n.Kind == ledger.KindReport || n.Kind == ledger.KindIntake)
		})
		if i < 0 {
			return fmt.Errorf("%w: it is not this gateway's to hand over", ledger.ErrNoNote)
		}
		sealed, _, err := v.Tx(line[i].Tx)
		if err != nil {
			return err
		}
		note, err = ledger.NewNote(l.parts.Genesis.Network(), l.parts.Signer, e.Tag, sealed.Tx, order.Order.Routing)
		return err
	})
	return note, err
}

// itemWith returns the item that a note is to be written for, as it stands if its
// own notes are true.
func itemWith(v *replica.View, e station.WriteNote) (ledger.Item, error) {
	var items []ledger.Item
	var err error
	if e.Item.IsZero() {
		items, _, err = v.Tag(e.Tag)
	} else {
		var it ledger.Item
		var ok bool
		if it, ok, err = v.Item(e.Item); ok {
			items = append(items, it)
		}
	}
	if err != nil {
		return ledger.Item{}, err
	}
	if len(items) != 1 {
		return ledger.Item{}, fmt.Errorf("%w: %d items have its tag", ledger.ErrNoNote, len(items))
	}
	n, err := v.Noted(items[0], nil)
	if err == nil && len(n.Item.HeadIDs) != 1 {
		err = fmt.Errorf("%w: the item is in conflict", ledger.ErrNoNote)
	}
	return n.Item, err
}

// noteWords says why a note was not read or written, and what to do.
func noteWords(err error) (problem, remedy string) {
	const asBefore = "Nothing, while the stations hear from each other; else "
	switch {
	case errors.Is(err, errLifted), errors.Is(err, drivers.ErrTagGone):
		return "it was lifted before that", "Leave the tag on the reader until the light has changed."
	case errors.Is(err, errNoteBusy):
		return errNoteBusy.Error(), "Put one tag on the reader at a time."
	case errors.Is(err, errTooSlow):
		return errTooSlow.Error(), "Put the tag in the middle of the reader and leave it there until the light has changed."
	case errors.Is(err, errNoMemory):
		return errNoMemory.Error(), asBefore + "use a reader that can write tags, as the PN532. To hear no more of it write handoff = false to the reader's section."
	case errors.Is(err, ndef.ErrTorn):
		return "its writing was cut short", asBefore + "take the item back to the station before and scan it there again."
	case errors.Is(err, ndef.ErrUnformatted):
		return "the tag is not laid out for NDEF", asBefore + "lay the tags out for NDEF before they are used."
	case errors.Is(err, ndef.ErrNoRoom) && !errors.Is(err, drivers.ErrNoArea):
		return "the tag is full", asBefore + "take off the tag what others have written there, or use a larger one, as NTAG215."
	case errors.Is(err, drivers.ErrNoArea):
		return "the tag has no room for it", asBefore + "use tags with 144 bytes of memory or more, as NTAG213."
	case errors.Is(err, drivers.ErrLocked):
		return "the tag's memory is locked", asBefore + "use tags that are not locked."
	case errors.Is(err, drivers.ErrUnverified):
		return "the tag did not keep what was written", "Replace the tag: its memory is worn out or it lies too far away."
	case errors.Is(err, drivers.ErrDown), errors.Is(err, drivers.ErrSilent):
		return "the reader does not answer", "Check the reader's cable."
	case errors.Is(err, ledger.ErrNoNote):
		return err.Error(), asBefore + "the next station waits for the report."
	}
	return err.Error(), asBefore + "scan the item again with its tag in the middle of the reader."
}
