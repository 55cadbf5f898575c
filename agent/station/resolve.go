package station

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// changed decides again what waits: a tag that still lies on its reader goes on
// by itself, of one that has left the terminal says that it can be scanned now.
func (s *step) changed() {
	if !s.decides() {
		return
	}
	for _, p := range s.m.spots {
		if c := p.first(); c != nil && c.waits && c.phase == settled {
			s.reconsider(p, c)
		}
	}
	s.announceResolved()
}

// decides reports whether the gateway is able to decide on anything.
func (s *step) decides() bool { return s.m.open && s.m.problem == "" }

// announceResolved tells which of the tags that left need not wait any more. While
// a record is under way it would be overwritten by the words that follow.
func (s *step) announceResolved() {
	if !s.decides() {
		return
	}
	for _, p := range s.m.spots {
		if c := p.first(); c != nil && c.phase == recording {
			return
		}
	}
	s.m.waiting = slices.DeleteFunc(s.m.waiting, s.resolved)
}

// reconsider decides anew, unless the answer would be the same: a light that
// waits does not flicker with every block that arrives.
func (s *step) reconsider(p *spot, c *presentation) {
	was := c.shown.Decision
	c.stale = 0
	if was.Kind == 0 { // the scan itself is still to be decided
		s.decide(p, c)
		return
	}
	c.weight = nil
	d, _, err := s.check(p.reader, c)
	if err != nil {
		s.fault(p, c, err.Error())
		return
	}
	if d.Kind == was.Kind && d.Reason == was.Reason && d.Do == was.Do {
		return
	}
	if was.Kind == ledger.UnknownTag && d.Reason == ledger.ReasonBehind {
		return // blocks are on their way all day: none of them takes back what was said
	}
	c.problem, c.alone = "", true
	s.act(p, c, d)
}

const (
	canBeScanned  = "CAN BE SCANNED NOW"
	cancelledWord = "CANCELLED"
)

// ready tells of a tag on its reader that what it waited for is here, where a
// person has to say that the work is done.
func (s *step) ready(p *spot, c *presentation, d ledger.Decision) {
	c.waits = false
	s.show(c, Signal{
		Aspect: Amber, Word: canBeScanned, Reader: p.reader, Tag: c.tag, Decision: d,
		Text: fmt.Sprintf("%s %s tag %s: lift it and scan it again", canBeScanned, d.Label, c.tag),
	})
	s.logResolved(p.reader, c.tag, d.Label)
	s.settle(p, c)
}

func (s *step) logResolved(reader, tag, name string) {
	s.log(journal.ScanResolved, name+" can be scanned now",
		Field{journal.KeyTag, tag}, Field{journal.KeyReader, reader}, Field{journal.KeyStation, s.v.Here().Station})
}

// resolved reports whether a tag that left need not wait any more, and announces
// it if there is something to do with it here.
func (s *step) resolved(w waiter) bool {
	d, _, err := s.check(w.reader, &presentation{tag: w.tag})
	if err != nil || mayResolve(d) {
		return false
	}
	if d.Kind == ledger.AlreadyDone || d.Kind == ledger.WrongPlace || d.Kind == ledger.TagInUse {
		return true
	}
	name := d.Label
	if name == "" {
		name = "tag " + w.tag
	}
	s.announce(w, name, d)
	s.logResolved(w.reader, w.tag, name)
	return true
}

// announce adds to the words on the terminal; the light stays as it is. Words
// about another tag are kept: they stay until the next scan.
func (s *step) announce(w waiter, name string, d ledger.Decision) {
	sig := s.m.last
	switch text := canBeScanned + " " + name; {
	case sig.Tag == w.tag, sig.Tag == "" && s.resting() == Idle:
		sig = Signal{Word: canBeScanned, Reader: w.reader, Tag: w.tag, Decision: d, Text: text}
	case s.m.notices < maxNotices:
		sig.Text = strings.TrimSuffix(sig.Text, ".") + "; " + text
	default:
		return
	}
	sig.Aspect, sig.Recorded = s.m.lit.Aspect, false
	s.m.notices++
	s.m.last = sig
	s.do(Show{sig})
}

// lying finds the presentation of which f holds and that is shown and still there.
func (s *step) lying(f func(ledger.Decision) bool) (*spot, *presentation) {
	for _, p := range s.m.spots {
		if c := p.first(); c != nil && c.phase == settled && c.shown != nil && f(c.shown.Decision) {
			return p, c
		}
	}
	return nil, nil
}

func (s *step) chosen(e Chosen) {
	p, c := s.lying(func(d ledger.Decision) bool {
		return d.Kind == ledger.Choose && slices.ContainsFunc(d.Choices, func(o ledger.Choice) bool { return o.Item == e.Item })
	})
	if c == nil {
		s.rest("SCAN AGAIN", "", "the item chosen does not lie on a reader: put it there, then choose")
		return
	}
	s.take(p, c, e.Item)
}

// take goes on with the item that was chosen.
func (s *step) take(p *spot, c *presentation, item ledger.ItemID) {
	c.choice, c.alone = item, false
	s.decide(p, c)
}

func (s *step) entered(e Entered) {
	shown := s.m.last.Decision
	if e.Item.IsZero() {
		e.Item = shown.Item
	}
	if e.Item.IsZero() {
		s.rest("SCAN FIRST", "", "what was entered belongs to no item: scan it, then enter the values")
		return
	}
	s.m.entered, s.m.sure = &entry{item: e.Item, form: e.Form}, time.Time{}
	p, c := s.lying(func(d ledger.Decision) bool { return d.Item == e.Item })
	if c != nil {
		c.alone, c.problem = false, ""
		s.decide(p, c)
		return
	}
	name := "the item"
	if shown.Item == e.Item {
		name = shown.Label
	}
	s.rest("ENTERED", "", "scan "+name+" to record it")
}

func (s *step) cancelled() {
	if s.m.help != nil {
		s.endHelp("")
		return
	}
	for _, p := range s.m.spots {
		if c := p.first(); c != nil && c.phase != recording {
			p.scans = nil
		}
	}
	s.m.waiting, s.m.entered = nil, nil
	s.rest(cancelledWord, "", "what lay here is not waited for any more; what is recorded stays")
	s.log(journal.ScanCancelled, "what lay on the readers was cancelled", Field{journal.KeyStation, s.v.Here().Station})
}
