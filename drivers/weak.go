package drivers

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// weakBreaks is how often a tag has to be missed and seen again before it may
	// count as weak: one that is brought near or taken away passes the edge of the
	// field for a few looks.
	weakBreaks = 12
	// weakReturns is how often a tag has to come back directly.
	weakReturns = 3
	// weakReturn is how soon after its departure that is. A person who lifts a tag
	// to put it there again, and again, takes longer.
	weakReturn = 1500 * time.Millisecond
	// weakPatience is by how much the absence of a weak tag is longer.
	weakPatience = 4
	// weakWindow is about how many reads are looked back on.
	weakWindow = 64
	// maxLapses bounds how many tags are remembered after they departed.
	maxLapses = 16
)

// lapse is a tag that departed.
type lapse struct {
	tag     Tag
	at      time.Time
	returns int // how often it had come back directly before
}

// noteBreak takes in that the tag is seen.
func (s *session) noteBreak() {
	if s.recent++; s.recent > weakWindow {
		s.recent, s.breaks, s.missed = s.recent/2, s.breaks/2, s.missed/2
	}
	if s.misses > 0 {
		s.breaks++
		s.missed += s.misses
	}
}

// isWeak reports whether the tag was missed by at least every third look of late.
func (s *session) isWeak() bool { return s.breaks >= weakBreaks && 2*s.missed >= s.recent }

// hold is how long a tag has to be unseen.
func (p *Presence) hold(s *session) time.Duration {
	if s.weak {
		return weakPatience * p.cfg.Absence
	}
	return p.cfg.Absence
}

func (p *Presence) weakness(at time.Time, s *session) Event {
	how := fmt.Sprintf("of the last %d looks %d missed it", s.recent+s.missed, s.missed)
	if s.returns >= weakReturns {
		how = "it came and went again and again"
	}
	return Event{Kind: Fault, Reader: p.reader, Tag: s.tag, At: at, Reads: s.reads, Err: fmt.Errorf("%s: %w: %s: %s; move it closer to the reader, or turn it",
		p.reader, ErrWeak, s.tag, how)}
}

// lapse remembers a departure.
func (p *Presence) lapse(s *session, at time.Time) {
	p.lapses = slices.DeleteFunc(p.lapses, func(l lapse) bool { return l.tag == s.tag })
	if len(p.lapses) == maxLapses {
		p.lapses = slices.Delete(p.lapses, 0, 1)
	}
	p.lapses = append(p.lapses, lapse{tag: s.tag, at: at, returns: s.returns})
}

// returns is how often a tag that comes now has come back directly, this time
// included.
func (p *Presence) returns(tag Tag, at time.Time) int {
	for _, l := range p.lapses {
		if l.tag == tag && at.Sub(l.at) <= weakReturn {
			return l.returns + 1
		}
	}
	return 0
}

// inOrder sorts the events of one look by tag; what speaks of none comes last.
func inOrder(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int {
		if a.Tag.ID == "" || b.Tag.ID == "" {
			return -cmp.Compare(len(a.Tag.ID), len(b.Tag.ID))
		}
		return cmp.Compare(a.Tag.ID, b.Tag.ID)
	})
}
