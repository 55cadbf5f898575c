package station

import (
	"cmp"
	"fmt"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// decide asks the ledger about the first presentation of a reader, and records
// or shows what it says.
func (s *step) decide(p *spot, c *presentation) {
	switch {
	case s.m.problem != "":
		s.fault(p, c, s.m.problem)
		return
	case !s.m.open:
		s.undecided(p, c, Amber, "WAIT", "this gateway is starting; leave the tag on the reader")
		return
	}
	d, asks, err := s.check(p.reader, c)
	if err != nil {
		s.fault(p, c, err.Error())
		return
	}
	if asks && s.readNote(p, c, d) {
		return
	}
	s.act(p, c, d)
}

// check asks the ledger's Check about a tag on a reader, and whether a note on the
// tag could change the answer.
func (s *step) check(reader string, c *presentation) (d ledger.Decision, asks bool, err error) {
	scan, err := s.v.Scan(c.tag, c.note)
	if err != nil {
		return ledger.Decision{}, false, err
	}
	c.open = make([]ledger.ItemID, len(scan.Open))
	for i, sheet := range scan.Open {
		c.open[i] = sheet.Item.ID
	}
	if scan.Intake != nil {
		c.order = scan.Intake.Order.ID
	}
	c.refused = scan.NoteRefused
	s.complete(&scan, reader, c)
	d = ledger.Check(s.v.Here(), scan)
	inPrintedOrder(d.Choices)
	return d, ledger.AsksNote(s.v.Here(), scan, d), nil
}

// complete adds to a scan what only the station knows.
func (s *step) complete(scan *ledger.Scan, reader string, c *presentation) {
	scan.Gate, scan.Choice = s.m.cfg.Gates[reader], c.choice
	for _, b := range s.m.shift {
		if person, ok := s.v.Operator(b.Name); ok {
			scan.Badges = append(scan.Badges, person)
		}
	}
	if c.weight != nil {
		scan.Weight, scan.Weighed = *c.weight, true
	}
	item := c.choice
	if len(c.open) == 1 {
		item = c.open[0]
	}
	since, known := s.m.since(item, s.now)
	scan.SinceAccept, scan.Fresh = since, !known
	if f := s.m.entered; f != nil && f.item == item {
		scan.Form = &f.form
	}
}

// act does what a decision says: weigh, record or show.
func (s *step) act(p *spot, c *presentation, d ledger.Decision) {
	if d.Reason == ledger.ReasonWeight {
		if c.weight == nil && c.problem == "" && s.weigh(p, c, d) {
			return
		}
		d.Found = cmp.Or(c.problem, d.Found)
	}
	if c.unread != "" && (d.Kind == ledger.Wait || d.Kind == ledger.UnknownTag || d.Kind == ledger.WrongPlace) {
		d.Found += "; the note on its tag cannot be read: " + c.unread
	}
	switch {
	case len(d.Propose) == 0:
		s.decided(p, c, d)
	case c.alone && completes(d):
		s.ready(p, c, d)
	default:
		s.m.serial++
		c.phase, c.serial, c.pending = recording, s.m.serial, d
		s.do(Append{Serial: c.serial, Tag: c.tag, Open: c.open, Proposals: d.Propose})
	}
}

// completes reports whether a decision would report work on an item that was
// taken up before.
func completes(d ledger.Decision) bool {
	if len(d.Propose) == 0 {
		return false
	}
	_, is := d.Propose[0].Body.(ledger.Report)
	return is
}

// weigh asks the scale, or says in c why it cannot.
func (s *step) weigh(p *spot, c *presentation, d ledger.Decision) bool {
	switch busy := s.onScale(); {
	case !s.m.cfg.Scale:
		c.problem = "this station has no scale"
	case c.gone:
		c.problem = "it was lifted before it was weighed"
	case busy != "":
		c.problem = fmt.Sprintf("tag %s is being weighed", busy)
	default:
		s.m.serial++
		c.phase, c.serial, c.pending, c.waits = weighing, s.m.serial, d, false
		s.do(Weigh{Serial: c.serial})
		d.Found, d.Do = "it is being weighed", "Leave it on the scale until the light changes."
		s.show(c, s.signal(p, c, d))
		return true
	}
	return false
}

// onScale returns the tag that is being weighed; empty: none.
func (s *step) onScale() string {
	for _, p := range s.m.spots {
		if c := p.first(); c != nil && c.phase == weighing {
			return c.tag
		}
	}
	return ""
}

func (s *step) weighed(e Weighed) {
	p, c := s.awaited(weighing, e.Serial)
	if c == nil {
		return // lifted, or overtaken by another tag: that has been said
	}
	c.phase = settled
	if c.problem = e.Problem; e.Problem == "" {
		c.weight = &e.Milligrams
	}
	s.decide(p, c)
}

func (s *step) sealed(e Sealed) {
	p, c := s.awaited(recording, e.Serial)
	if c == nil {
		return
	}
	d := c.pending
	c.phase, c.pending = settled, ledger.Decision{}
	switch {
	case e.Outcome == Durable:
		c.failed = false
		s.decided(p, c, d)
	case e.Outcome == Stale && c.stale < maxStale:
		c.stale++
		s.decide(p, c) // also if the tag has left: it was scanned, and that is not lost
	default:
		c.failed = true
		s.fault(p, c, cmp.Or(e.Detail, "scan it again"))
	}
	s.announceResolved()
}

// awaited finds the presentation that an answer is for. A serial is given once.
func (s *step) awaited(ph phase, serial int) (*spot, *presentation) {
	for _, p := range s.m.spots {
		if c := p.first(); c != nil && c.phase == ph && c.serial == serial {
			return p, c
		}
	}
	return nil, nil
}

// decided shows a decision whose record, if it has one, is on disk.
func (s *step) decided(p *spot, c *presentation, d ledger.Decision) {
	for _, proposal := range d.Propose {
		if _, is := proposal.Body.(ledger.Report); is {
			s.m.forget(d.Item)
			if s.m.entered != nil && s.m.entered.item == d.Item {
				s.m.entered = nil
			}
		}
	}
	if d.Kind == ledger.Accepted {
		// From this light on the dwell runs; a repeated light does not start it again.
		if _, known := s.m.since(d.Item, s.now); !known || len(d.Propose) > 0 {
			s.m.remember(d.Item, s.now)
		}
	}
	c.waits, c.marked = mayResolve(d), 0
	s.show(c, s.signal(p, c, d))
	s.journal(p, c, d)
	s.noteJournal(p, c, d)
	s.handOver(p, c, d)
	s.settle(p, c)
}

// mayResolve reports whether the answer may change while the item is not
// touched. Nobody weighs it then.
func mayResolve(d ledger.Decision) bool {
	switch d.Kind {
	case ledger.Wait:
		return d.Reason != ledger.ReasonWeight
	case ledger.Conflict, ledger.UnknownTag:
		return true
	}
	return false
}

// settle ends the decision about the first presentation of a reader. What has
// left, or is followed by another tag, is let go, and the next one decided.
func (s *step) settle(p *spot, c *presentation) {
	c.phase, c.pending = settled, ledger.Decision{}
	if !c.gone && len(p.scans) == 1 {
		return
	}
	s.drop(p)
	if c.gone {
		s.darken(p.reader, c.tag)
	}
	if next := p.first(); next != nil {
		s.decide(p, next)
	}
}

func (s *step) fault(p *spot, c *presentation, why string) {
	s.undecided(p, c, Fault, "FAULT", "nothing was recorded: "+why)
}

// undecided shows why nothing was decided; it is, once that is over.
func (s *step) undecided(p *spot, c *presentation, a Aspect, word, why string) {
	sig := Signal{Aspect: a, Word: word, Reader: p.reader, Tag: c.tag, Text: fmt.Sprintf("%s tag %s: %s", word, c.tag, why)}
	if c.shown == nil || c.shown.Text != sig.Text { // said once, however often it is tried
		s.show(c, sig)
		s.log(journal.ScanWait, sig.Text, Field{journal.KeyTag, c.tag}, Field{journal.KeyReader, p.reader},
			Field{journal.KeyStation, s.v.Here().Station}, Field{journal.KeyReason, why})
	}
	c.waits = true
	s.settle(p, c)
}
