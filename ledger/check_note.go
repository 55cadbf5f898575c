package ledger

import "fmt"

// AsksNote reports whether a hand-off note on the tag could change an answer: it
// is asked for where a report seems to be missing, and costs no time where the
// ledger knows. What belongs elsewhere is believed at once while all peers are
// in reach; intake takes in tags that carry none. What is expected here is taken
// up at once, unless another station might have done it already, unheard.
func AsksNote(here Here, s Scan, d Decision) bool {
	if here.Mode == ModeIntake {
		return false
	}
	switch d.Reason {
	case ReasonUnknownTag, ReasonBehind, ReasonPeersSilent, ReasonNoteUnusable:
		return true
	case ReasonInWorkElsewhere:
		return d.Kind == Wait || s.CutOff
	case ReasonElsewhere, ReasonDoneHere, ReasonReturnedHere:
		return s.CutOff
	}
	return s.CutOff && s.shared(here, d)
}

// shared reports whether a decision takes up what is offered to others as well.
func (s Scan) shared(here Here, d Decision) bool {
	if d.OnNote || len(d.Propose) == 0 {
		return false
	}
	if v, is := d.Propose[0].Body.(Verdict); !is || v.Ruling != Accept {
		return false
	}
	for _, sheet := range s.Open {
		if sheet.Item.ID != d.Item {
			continue
		}
		os := sheet.Item.State().Options
		return len(os) > 1 || len(os) == 1 && os[0].Place != here.Station
	}
	return false
}

// note is the hand-off note that a verdict on the head carries; nil: the report
// itself is here.
func (v visit) note() []byte {
	if v.head.Noted == nil || v.head.Tx != v.scan.NoteOf {
		return nil
	}
	return v.scan.Note
}

// onNote says of a decision on the tag's note that it is one.
func (v visit) onNote(d Decision) Decision {
	if v.note() == nil || len(d.Propose) == 0 {
		return d
	}
	d.OnNote = true
	for _, n := range v.sheet.Item.Nodes {
		if n.Kind == KindDisposition { // else it would end what is taken up now
			d.Propose[0].NotBefore = max(d.Propose[0].NotBefore, n.Time)
		}
	}
	if d.Kind != Accepted && d.Kind != Completed {
		return d
	}
	d.Found = fmt.Sprintf("the note of %s on the tag; its report has not arrived", v.scan.NoteBy)
	if d.Reason == ReasonExpected {
		d.Reason = ReasonNote
	}
	return d
}

// refusedNote says why the note on the tag does not help where it could have. A
// note that cannot be judged here may well be true: the item waits, and is neither
// sent back nor taken in a second time.
func refusedNote(here Here, s Scan, d Decision) Decision {
	n := s.NoteRefused
	if n == nil || d.Signal() == Green || d.Kind == AlreadyDone && n.Fault == NoteTruncated || !AsksNote(here, s, d) {
		return d // what is done here is written again
	}
	d.Found += "; " + n.Detail
	switch n.Fault {
	case NoteOld: // it says nothing that the ledger does not
	case NoteUnknownItem, NoteTruncated, NoteVersion, NoteAuthor:
		d.Kind, d.Reason, d.Do, d.Propose = Wait, ReasonNoteUnusable, n.Remedy(), nil
	default:
		if d.Kind == Wait || d.Kind == UnknownTag {
			d.Do = n.Remedy()
		}
	}
	return d
}
