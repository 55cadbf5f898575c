package station

import (
	"cmp"
	"slices"
	"strings"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// readNote asks for the note on the tag of a presentation, once. It reports
// whether an answer will come; the pending decision is what holds without one.
func (s *step) readNote(p *spot, c *presentation, d ledger.Decision) bool {
	if !s.m.cfg.Notes || c.asked || c.gone {
		return false
	}
	s.m.serial++
	c.asked, c.phase, c.serial, c.pending, c.waits = true, reading, s.m.serial, d, false
	s.do(ReadNote{Serial: c.serial, Reader: p.reader, Tag: c.tag})
	return true
}

func (s *step) noteRead(e NoteRead) {
	p, c := s.awaited(reading, e.Serial)
	if c == nil {
		return // lifted, or overtaken by another tag: that has been said
	}
	c.phase, c.pending = settled, ledger.Decision{}
	c.note, c.unread = slices.Clone(e.Note), e.Problem
	c.unjudged = c.note != nil
	s.decide(p, c)
}

// handOver has the note of what was recorded here written to the tag, as long as it
// lies there: whoever comes next may be cut off. A scan of what is done already
// writes it again.
func (s *step) handOver(p *spot, c *presentation, d ledger.Decision) {
	again := d.Reason == ledger.ReasonDoneHere || d.Reason == ledger.ReasonTakenIn // the note may have been torn
	if !s.m.cfg.Notes || !again && (len(d.Propose) == 0 || d.Kind != ledger.TakenIn && d.Kind != ledger.Completed || len(d.Where) == 0) {
		return
	}
	label := cmp.Or(d.Label, c.tag)
	if c.gone {
		s.noteWritten(NoteWritten{
			Reader: p.reader, Tag: c.tag, Item: label, Problem: "it was lifted before that",
			Remedy: "Leave the tag on the reader until the light has changed.",
		})
		return
	}
	s.do(WriteNote{Reader: p.reader, Tag: c.tag, Item: d.Item, Label: label})
}

// noteWritten tells what became of a note. The report is on the disk whatever
// that was. What a kind of tags has no room for is said once, not for every piece.
func (s *step) noteWritten(e NoteWritten) {
	p := s.m.spot(e.Reader)
	was := p.unwritten
	if e.Kind == "" {
		p.unwritten = e.Problem
	} else if p.toldOf(e.Kind + ": " + e.Problem) {
		return
	}
	fields := []Field{{journal.KeyItem, e.Item}, {journal.KeyTag, e.Tag}, {journal.KeyReader, e.Reader}}
	switch {
	case e.Problem == "":
		s.log(journal.NoteWritten, "the hand-off note of "+e.Item+" is on tag "+e.Tag, fields...)
	case e.Kind == "" && e.Problem == was:
	default:
		fields = append(fields, Field{journal.KeyReason, e.Problem}, Field{journal.KeyRemedy, e.Remedy})
		words := "no hand-off note on tag " + e.Tag + " of " + e.Item + ": " + e.Problem
		if e.Kind != "" {
			words += " (" + e.Kind + ")"
		}
		s.log(journal.NoteUnwritten, words, fields...)
		if !e.Aside {
			s.tellUnwritten(e)
		}
	}
}

// toldOf reports whether a problem of a kind of tags was told before at this
// reader, and notes that it is.
func (p *spot) toldOf(problem string) bool {
	if slices.Contains(p.kinds, problem) {
		return true
	}
	if len(p.kinds) == maxKinds {
		p.kinds = slices.Delete(p.kinds, 0, 1)
	}
	p.kinds = append(p.kinds, problem)
	return false
}

// tellUnwritten adds to the words about a piece that its tag carries no note; the
// light stays as it is.
func (s *step) tellUnwritten(e NoteWritten) {
	sig := s.m.last
	if sig.Tag != e.Tag || sig.Reader != e.Reader {
		return
	}
	sig.Text = strings.TrimSuffix(sig.Text, ".") + "; no note is on the tag: " + e.Problem
	sig.Aspect, sig.Recorded = s.m.lit.Aspect, false
	s.m.last = sig
	s.do(Show{sig})
}

// noteJournal tells what was made of the note on a tag, once for each note read.
func (s *step) noteJournal(p *spot, c *presentation, d ledger.Decision) {
	refused := c.refused
	if !c.unjudged || refused == nil && !d.OnNote {
		return
	}
	c.unjudged = false
	fields := []Field{{journal.KeyItem, cmp.Or(d.Label, unsaid)}, {journal.KeyTag, c.tag}, {journal.KeyReader, p.reader}}
	switch {
	case d.OnNote:
		s.log(journal.NoteAccepted, d.Label+" goes on without its report: "+d.Found, append(fields, Field{journal.KeyFound, d.Found})...)
	case refused.Fault == ledger.NoteContradicted:
		s.log(journal.NoteContradicted, "the note on tag "+c.tag+" is contradicted: "+refused.Detail,
			append(fields, Field{journal.KeyFound, refused.Detail})...)
	default:
		s.log(journal.NoteRefused, "the note on tag "+c.tag+" is not gone by: "+refused.Detail,
			append(fields, Field{journal.KeyReason, string(refused.Fault)}, Field{journal.KeyFound, refused.Detail}, Field{journal.KeyRemedy, refused.Remedy()})...)
	}
}
