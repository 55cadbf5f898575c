package station

import (
	"slices"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// The bounds of what the machine remembers, beside one entry for each reader.
const (
	maxTags     = 64   // tags known to lie on one reader
	maxQueue    = 8    // scans on one reader while a record is under way
	maxWaiting  = 32   // tags gone while they waited
	maxNotices  = 8    // of them announced beside other words
	maxAccepted = 1024 // items with the time of their light
	maxStale    = 8    // decisions anew before a scan is given up
	maxShift    = 8    // operators on shift
	maxKinds    = 16   // problems of kinds of tags on one reader
)

// Machine is the state of one station. Step is its only method that changes it.
type Machine struct {
	cfg      Config
	open     bool   // the gateway may seal
	problem  string // why nothing can be stored; empty: it can
	serial   int
	spots    []*spot // by reader, in the order in which they were first heard of
	accepted []accept
	shift    []Badge
	waiting  []waiter
	entered  *entry
	lit      Signal    // what the light shows
	last     Signal    // what the terminal shows
	notices  int       // announced in it since the last scan
	help     *Help     // called; nil: not
	sure     time.Time // since when the terminal asks whether to give up what was entered
}

// spot is a reader and what lies on it.
type spot struct {
	reader string
	down   bool
	tags   []string // in the field, badges left out, in order of arrival
	// unwritten is why the last note could not be written; empty: it was.
	unwritten string
	kinds     []string // problems of kinds of tags that were told
	// scans holds the one that is decided or shown and, while its record is
	// under way, those that came after it.
	scans []*presentation
}

// phase says what a presentation waits for.
type phase uint8

const (
	settled   phase = iota // shown, or not yet looked at
	weighing               // for the scale
	reading                // for the note on the tag
	recording              // for the disk
)

// presentation is one tag put on a reader and what became of it.
type presentation struct {
	tag      string
	gone     bool // has left, or its reader is down
	phase    phase
	serial   int             // of the answer awaited
	pending  ledger.Decision // that rests on it
	stale    int
	weight   *int64            // mg
	problem  string            // why there is none
	note     []byte            // read from the tag
	asked    bool              // for its note
	unread   string            // why there is none
	refused  *ledger.NoteError // why it is not gone by
	unjudged bool              // what was made of the note has not been told
	choice   ledger.ItemID
	open     []ledger.ItemID // what the decision rests on
	order    string          // id of the order of a new item
	shown    *Signal
	since    time.Time // when the light last showed it
	marked   int       // of the choices, from 1, the one that the light shows; 0: none
	waits    bool      // may resolve itself
	failed   bool      // could not be recorded: that something changed does not mean that it can be now
	alone    bool      // decided anew without an act of a person
}

type accept struct {
	item ledger.ItemID
	at   time.Time // of the light
}

// waiter is a tag that left while it waited.
type waiter struct{ reader, tag string }

// entry is a form that was filled in and not yet recorded.
type entry struct {
	item ledger.ItemID
	form ledger.Form
}

// New returns a station that is not yet open: until Opened, scans wait.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Last returns what the terminal shows.
func (m *Machine) Last() Signal { return m.last }

// Shift returns who is on shift, the latest last.
func (m *Machine) Shift() []Badge { return slices.Clone(m.shift) }

// Down returns the readers that do not answer.
func (m *Machine) Down() []string {
	var names []string
	for _, s := range m.spots {
		if s.down {
			names = append(names, s.reader)
		}
	}
	return names
}

// On returns the tags that lie on a reader, badges left out, in the order in which
// they came: the last one counts.
func (m *Machine) On(reader string) []string {
	for _, s := range m.spots {
		if s.reader == reader {
			return slices.Clone(s.tags)
		}
	}
	return nil
}

// Step takes one event at now, which carries the monotonic clock, and returns
// what is to be done in order. Between an Append and its Sealed other events may
// come; a gateway that answers at once makes them rare.
func (m *Machine) Step(now time.Time, v View, e Event) []Effect {
	s := &step{m: m, now: now, v: v}
	switch e := e.(type) {
	case Arrived:
		s.arrived(e)
	case Present:
		s.present(e)
	case Departed:
		s.departed(e)
	case Unnamed:
		s.unnamed(e)
	case ReaderDown:
		s.readerDown(e)
	case ReaderUp:
		s.readerUp(e)
	case ReaderExplained:
		s.readerExplained(e)
	case Weak:
		s.weak(e)
	case Weighed:
		s.weighed(e)
	case NoteRead:
		s.noteRead(e)
	case NoteWritten:
		s.noteWritten(e)
	case Sealed:
		s.sealed(e)
	case Changed:
		s.changed()
	case Opened:
		m.open = true
		s.changed()
	case Chosen:
		s.chosen(e)
	case Entered:
		s.entered(e)
	case Stored:
		s.stored(e)
	case Cancelled:
		s.cancelled()
	case Pushed:
		s.pushed(e)
	case Reconfigured:
		s.reconfigured(e)
	}
	return s.effects
}

// step is one call of Step.
type step struct {
	m       *Machine
	now     time.Time
	v       View
	effects []Effect
}

func (s *step) do(e Effect) { s.effects = append(s.effects, e) }

func (s *step) log(id journal.ID, words string, fields ...Field) {
	s.do(Log{ID: id, Words: words, Fields: fields})
}

// show puts a signal on light and terminal; c is the presentation it speaks of,
// nil: none.
func (s *step) show(c *presentation, sig Signal) {
	if c != nil {
		c.shown, c.since = &sig, s.now
	}
	s.m.lit, s.m.last, s.m.notices = sig, sig, 0
	s.do(Show{sig})
}

// rest shows words of the station itself, with no thing on it.
func (s *step) rest(word, reader, text string) {
	s.show(nil, Signal{Aspect: s.resting(), Word: word, Reader: reader, Text: word + " " + text})
}

// resting is what the light shows for nothing: a fault while there is one, amber
// while help is called.
func (s *step) resting() Aspect {
	switch {
	case s.m.problem != "" || len(s.m.Down()) > 0:
		return Fault
	case s.m.help != nil:
		return Amber
	}
	return Idle
}

// darken lets the light rest if it shows the tag on that reader.
func (s *step) darken(reader, tag string) {
	if s.m.lit.Reader != reader || s.m.lit.Tag != tag {
		return
	}
	s.m.lit = Signal{Aspect: s.resting(), Quiet: true, Reader: reader}
	s.do(Show{s.m.lit})
}

func (m *Machine) spot(reader string) *spot {
	for _, s := range m.spots {
		if s.reader == reader {
			return s
		}
	}
	s := &spot{reader: reader}
	m.spots = append(m.spots, s)
	return s
}

// first is the presentation that is decided or shown; nil: none.
func (p *spot) first() *presentation {
	if len(p.scans) == 0 {
		return nil
	}
	return p.scans[0]
}

func (p *spot) enter(tag string) {
	p.leave(tag)
	if len(p.tags) < maxTags {
		p.tags = append(p.tags, tag)
	}
}

func (p *spot) leave(tag string) {
	p.tags = slices.DeleteFunc(p.tags, func(t string) bool { return t == tag })
}

func (m *Machine) since(item ledger.ItemID, now time.Time) (ms int64, known bool) {
	for _, a := range m.accepted {
		if a.item == item {
			return now.Sub(a.at).Milliseconds(), true
		}
	}
	return 0, false
}

// remember notes that the light has said ACCEPTED for item at this moment.
func (m *Machine) remember(item ledger.ItemID, now time.Time) {
	m.forget(item)
	if len(m.accepted) == maxAccepted {
		m.accepted = slices.Delete(m.accepted, 0, 1)
	}
	m.accepted = append(m.accepted, accept{item: item, at: now})
}

func (m *Machine) forget(item ledger.ItemID) {
	m.accepted = slices.DeleteFunc(m.accepted, func(a accept) bool { return a.item == item })
}

// wait keeps a tag that left, to say when it can be scanned.
func (m *Machine) wait(reader, tag string) {
	m.unwait(tag)
	if len(m.waiting) == maxWaiting {
		m.waiting = slices.Delete(m.waiting, 0, 1)
	}
	m.waiting = append(m.waiting, waiter{reader: reader, tag: tag})
}

func (m *Machine) unwait(tag string) {
	m.waiting = slices.DeleteFunc(m.waiting, func(w waiter) bool { return w.tag == tag })
}
