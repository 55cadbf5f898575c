package drivers

import "time"

// The presence limits that a zero PresenceConfig stands for.
const (
	DefaultMisses  = 3
	DefaultAbsence = 400 * time.Millisecond
	DefaultCrowd   = 256
)

// PresenceConfig sets when a tag counts as gone.
type PresenceConfig struct {
	// Misses is how many scans in a row have to miss a tag; 0 means DefaultMisses.
	Misses int
	// Absence is how long it has to be unseen as well; 0 means DefaultAbsence.
	Absence time.Duration
	// Crowd is the most sessions at once; 0 means DefaultCrowd.
	Crowd int
}

// Presence turns reads into sessions. A tag arrives once, however often it is
// read, and departs only after Misses scans in a row did not find it and
// Absence has passed since it was last seen: readers miss a tag that lies still
// every dozen reads or so, and neither count nor time alone tells that from a
// tag that has gone.
//
// A tag that is missed by every other look, or comes and goes again and again
// within moments, is weak: that is said once in a session, as a Fault that wraps
// ErrWeak and names it, and its absence is then judged with more patience, so that
// it does not flap.
//
// It is pure: times are handed in and should carry the monotonic clock; a step
// back counts as no time at all. A Presence starts settling: tags found before
// Settled lay there already and are Present. It is not safe for concurrent use.
type Presence struct {
	reader   string
	cfg      PresenceConfig
	settling bool
	crowded  bool
	sessions []session // few; a slice keeps their order and costs nothing when idle
	lapses   []lapse   // of tags that departed lately, the latest last
}

type session struct {
	tag    Tag
	since  time.Time // last seen, or the end of the last interruption
	reads  int
	misses int
	seen   bool // in the scan under way
	silent bool // not announced yet: found while settling
	weak   bool

	recent, breaks, missed int // of late: reads, times that it was missed and seen again, scans that missed it
	returns                int // how often it has come back directly
}

// NewPresence returns an empty, settling Presence whose events carry the name
// of the reader.
func NewPresence(reader string, cfg PresenceConfig) *Presence {
	if cfg.Misses <= 0 {
		cfg.Misses = DefaultMisses
	}
	if cfg.Absence <= 0 {
		cfg.Absence = DefaultAbsence
	}
	if cfg.Crowd <= 0 {
		cfg.Crowd = DefaultCrowd
	}
	return &Presence{reader: reader, cfg: cfg, settling: true}
}

// Scan takes in one completed look at the field, the tags that it found, and
// the time of the last byte of the answer. It appends the events that follow to
// dst. Tags that arrive in one look do so in the order of their identifiers,
// whatever the order in which the reader tells of them. Tags beyond the limit of
// the crowd are left out, with one ErrCrowded Fault until there is room again.
func (p *Presence) Scan(dst []Event, at time.Time, tags ...Tag) []Event {
	before := len(dst)
	for _, tag := range tags {
		dst = p.See(dst, at, tag)
	}
	if len(tags) > 1 {
		inOrder(dst[before:])
	}
	return p.Sweep(dst, at)
}

// See takes in one tag of a look that goes on, for readers that report tags one
// by one: an arrival need not wait for the end of the look. Sweep ends the look.
func (p *Presence) See(dst []Event, at time.Time, tag Tag) []Event {
	for i := range p.sessions {
		s := &p.sessions[i]
		if s.tag == tag {
			s.noteBreak()
			s.since, s.misses, s.seen = at, 0, true
			s.reads++
			if !s.weak && s.isWeak() {
				s.weak = true
				dst = append(dst, p.weakness(at, s))
			}
			return dst
		}
	}
	if len(p.sessions) >= p.cfg.Crowd {
		if !p.crowded {
			p.crowded = true
			dst = append(dst, Event{Kind: Fault, Reader: p.reader, At: at, Err: ErrCrowded})
		}
		return dst
	}
	s := session{tag: tag, since: at, reads: 1, seen: true, silent: p.settling, recent: 1, returns: p.returns(tag, at)}
	s.weak = s.returns >= weakReturns
	p.sessions = append(p.sessions, s)
	if p.settling {
		return dst
	}
	dst = append(dst, Event{Kind: Arrived, Reader: p.reader, Tag: tag, At: at, Reads: 1})
	if s.weak {
		dst = append(dst, p.weakness(at, &s))
	}
	return dst
}

// Sweep ends a look: tags in session that See was not told of since the last
// Sweep were missed by it.
func (p *Presence) Sweep(dst []Event, at time.Time) []Event {
	keep := p.sessions[:0]
	for _, s := range p.sessions {
		if !s.seen {
			s.misses++
			if s.misses >= p.cfg.Misses && at.Sub(s.since) >= p.hold(&s) {
				p.crowded = false
				p.lapse(&s, at)
				if !s.silent {
					dst = append(dst, Event{Kind: Departed, Reader: p.reader, Tag: s.tag, At: at, Reads: s.reads})
				}
				continue
			}
		}
		s.seen = false
		keep = append(keep, s)
	}
	clear(p.sessions[len(keep):])
	p.sessions = keep
	return dst
}

// Settle begins settling again, after an outage: sessions go on, and a tag that
// was not there before is Present.
func (p *Presence) Settle() { p.settling = true }

// Settled ends settling and appends a Present event for each tag that was found
// since Settle, in the order in which they were found.
func (p *Presence) Settled(dst []Event) []Event {
	p.settling = false
	for i := range p.sessions {
		if s := &p.sessions[i]; s.silent {
			s.silent = false
			dst = append(dst, Event{Kind: Present, Reader: p.reader, Tag: s.tag, At: s.since, Reads: s.reads})
		}
	}
	return dst
}

// Resume says that the reader could not look at the field until now: what was
// missed before does not count, and absence is measured from here.
func (p *Presence) Resume(at time.Time) {
	for i := range p.sessions {
		p.sessions[i].misses = 0
		p.sessions[i].since = at
	}
}

// SetAbsence changes how long a tag has to be unseen, sessions under way
// included: for readers that show only by what they say how often they say it.
func (p *Presence) SetAbsence(d time.Duration) { p.cfg.Absence = d }

// Empty reports whether no tag is in session.
func (p *Presence) Empty() bool { return len(p.sessions) == 0 }

// Missing reports whether the last scan did not find a tag that is in session.
func (p *Presence) Missing() bool {
	for i := range p.sessions {
		if p.sessions[i].misses > 0 {
			return true
		}
	}
	return false
}
