package station

import (
	"fmt"
	"slices"

	"traveler.example/agent/journal"
)

func (s *step) arrived(e Arrived) {
	p := s.m.spot(e.Reader)
	if b, ok := s.m.cfg.Badges[e.Tag]; ok {
		s.badge(p, e.Tag, b.Name)
		return
	}
	p.enter(e.Tag)
	for i, c := range p.scans {
		if c.tag == e.Tag && (i > 0 || c.phase != settled) {
			c.gone = false // still being decided: the answer speaks of this tag too
			return
		}
	}
	s.put(p, &presentation{tag: e.Tag})
}

// put makes a presentation the one that counts on its reader, at once or after
// the record that is under way.
func (s *step) put(p *spot, c *presentation) {
	for first := p.first(); first != nil && first.phase != recording; first = p.first() {
		s.release(p) // which may let the next one be decided
	}
	s.m.unwait(c.tag)
	if len(p.scans) > maxQueue {
		s.liftAgain(p, c.tag, "too many tags at once")
		return
	}
	p.scans = append(p.scans, c)
	if len(p.scans) == 1 {
		s.decide(p, c)
	}
}

// release lets go of what is on a reader, unless its record is under way.
func (s *step) release(p *spot) {
	c := p.first()
	if c == nil || c.phase == recording {
		return
	}
	c.gone = true
	if c.phase == weighing {
		c.problem = "it was lifted, or another tag was put there, before it was weighed"
		s.act(p, c, c.pending)
		return
	}
	if c.phase == reading {
		c.unread = "it was lifted before that"
		s.act(p, c, c.pending)
		return
	}
	s.drop(p)
}

// drop forgets the first presentation of a reader; if it waited, it is told when
// it can be scanned.
func (s *step) drop(p *spot) {
	c := p.scans[0]
	p.scans = slices.Delete(p.scans, 0, 1)
	if c.waits && !c.failed {
		s.m.wait(p.reader, c.tag)
	}
}

func (s *step) present(e Present) {
	if _, ok := s.m.cfg.Badges[e.Tag]; !ok {
		s.m.spot(e.Reader).enter(e.Tag)
	}
	s.liftAgain(s.m.spot(e.Reader), e.Tag, "it lay on the reader when it came up")
}

// liftAgain answers for a tag that is not decided on.
func (s *step) liftAgain(p *spot, tag, why string) {
	const word = "LIFT AND SCAN AGAIN"
	s.show(nil, Signal{
		Aspect: Amber, Word: word, Reader: p.reader, Tag: tag, Text: fmt.Sprintf("%s tag %s: %s", word, tag, why),
	})
	s.log(journal.ScanLiftAgain, "lift tag "+tag+" and scan it again: "+why,
		Field{journal.KeyTag, tag}, Field{journal.KeyReader, p.reader})
}

// unnamed answers for a tag of which nobody knows whose it is. It takes the place of
// what was shown before, as every tag does.
func (s *step) unnamed(e Unnamed) {
	p := s.m.spot(e.Reader)
	s.release(p)
	const word = "UNREADABLE TAG"
	aspect := Amber
	if p.down {
		aspect = Fault
	}
	s.show(nil, Signal{
		Aspect: aspect, Word: word, Reader: e.Reader, Tag: e.Tag, Text: fmt.Sprintf("%s tag %s: %s; %s", word, e.Tag, e.Why, e.Remedy),
	})
	s.log(journal.ScanUnnamed, "tag "+e.Tag+" names no item here: "+e.Why, Field{journal.KeyTag, e.Tag}, Field{journal.KeyReader, e.Reader},
		Field{journal.KeyReason, e.Why}, Field{journal.KeyRemedy, e.Remedy})
}

func (s *step) departed(e Departed) {
	p := s.m.spot(e.Reader)
	p.leave(e.Tag)
	for _, c := range p.scans {
		c.gone = c.gone || c.tag == e.Tag
	}
	if c := p.first(); c != nil && c.tag == e.Tag {
		s.release(p) // else the record is on its way to the disk: its light is still due
	}
	s.darken(e.Reader, e.Tag)
}

// badge starts or ends a person's shift. While help is called it says who has come,
// and nothing else: whoever called is not sent off shift by that.
func (s *step) badge(p *spot, tag, name string) {
	if s.m.help != nil {
		s.endHelp(name)
		return
	}
	sig := Signal{Aspect: Green, Word: "ON SHIFT", Reader: p.reader, Tag: tag}
	who, where := Field{journal.KeyOperator, name}, Field{journal.KeyReader, p.reader}
	i := slices.IndexFunc(s.m.shift, func(o Badge) bool { return o.Name == name })
	person, enrolled := s.v.Operator(name)
	switch {
	case i >= 0:
		s.m.shift = slices.Delete(s.m.shift, i, i+1)
		sig.Word = "OFF SHIFT"
		s.log(journal.BadgeLogout, name+" is off shift", who)
	case !enrolled:
		const why = "the roster has no operator of that name"
		sig.Aspect, sig.Word = Red, "BADGE REFUSED"
		s.log(journal.BadgeRefused, "badge of "+name+" refused: "+why, who, where, Field{journal.KeyReason, why})
		name += ": " + why
	default:
		if len(s.m.shift) == maxShift {
			s.m.shift = slices.Delete(s.m.shift, 0, 1)
		}
		s.m.shift = append(s.m.shift, Badge{Person: person, Name: name})
		s.log(journal.BadgeLogin, name+" is on shift", who, where)
	}
	sig.Text = sig.Word + " " + name
	if p.down {
		sig.Aspect = Fault
	}
	s.show(nil, sig)
	s.changed()
}

func (s *step) readerDown(e ReaderDown) {
	p := s.m.spot(e.Reader)
	if p.down {
		return
	}
	p.down = true
	for _, c := range p.scans {
		c.gone = true
	}
	s.release(p)
	s.sayDown(p, e.Why)
}

// readerExplained says it once more, now that more is known.
func (s *step) readerExplained(e ReaderExplained) {
	if p := s.m.spot(e.Reader); p.down {
		s.sayDown(p, e.Why)
	}
}

func (s *step) sayDown(p *spot, why string) {
	s.rest("READER DOWN", p.reader, fmt.Sprintf("%s: %s; nothing on it is seen until it answers again", p.reader, why))
}

// weak asks to have a tag moved, beside what is shown of it.
func (s *step) weak(e Weak) {
	lit, sig := s.m.lit, s.m.last
	if lit.Reader != e.Reader || lit.Tag != e.Tag || sig.Reader != e.Reader || sig.Tag != e.Tag {
		return
	}
	sig.Aspect = lit.Aspect
	sig.Text += "; hold it closer to " + e.Reader + ", it is read only now and then"
	s.m.lit, s.m.last = sig, sig
	s.do(Show{sig})
}

// readerUp ends an outage. What was said of tags before it holds: one that still
// lies there goes on in silence, and has to be lifted to be seen as a scan.
func (s *step) readerUp(e ReaderUp) {
	p := s.m.spot(e.Reader)
	if !p.down {
		return
	}
	p.down = false
	text := p.reader
	if len(p.tags) > 0 {
		text += ": lift what lies on it and scan it again"
	}
	s.rest("READER BACK", p.reader, text+s.trouble())
}

// trouble says what else is out of order.
func (s *step) trouble() string {
	text := ""
	for _, reader := range s.m.Down() {
		text += "; reader " + reader + " is down"
	}
	if s.m.problem != "" {
		text += "; nothing can be recorded: " + s.m.problem
	}
	if s.m.help != nil {
		text += "; help is called"
	}
	return text
}

func (s *step) stored(e Stored) {
	was := s.m.problem
	s.m.problem = e.Problem
	switch {
	case e.Problem != "" && was == "":
		s.rest("FAULT", "", "nothing can be recorded: "+e.Problem)
	case e.Problem == "" && was != "":
		s.rest("READY", "", "scans are recorded again"+s.trouble())
		s.changed()
	}
}
