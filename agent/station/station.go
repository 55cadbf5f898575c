// Package station is the decision machine of one station: tags, weights,
// badges and answers of the ledger come in, effects come out. It has no I/O and
// no clock, and keeps only what the ledger does not have: what lies on the readers,
// since when the light said ACCEPTED, who is on shift, what was entered and not
// yet recorded, and which tags wait.
//
// The rules that everything here serves:
//
//   - Nothing is shown that is not on disk. A decision with something to record
//     becomes an Append; its light is shown when the answer is in, and is a
//     fault if the answer is not Durable.
//   - Nothing stays green for a thing that has gone. The light belongs to the
//     tag shown last; it rests when this tag leaves its reader, and while that
//     reader is down it shows nothing but a fault. The words on the terminal
//     stay until the next scan.
//   - Of several tags on one reader the one put there last counts; the words
//     say so. A tag that comes while a record is under way is decided after it.
//   - A hand-off note is asked for where a report seems to be missing, before
//     anything is recorded or shown. It is written after the light, and nothing
//     waits for that.
//   - What waits may resolve itself, as far as the item is only taken up: work
//     is completed by a person's act, a scan or a form, never by itself.
//   - A button that is brushed by a sleeve does no harm: it answers only what the
//     light asks, and what it would take is shown before it is taken.
package station

import (
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// View is what the machine may read of the gateway at one instant.
type View interface {
	// Here is the station as the roster and the profile have it now.
	Here() ledger.Here
	// Scan fills in what the ledger knows about a tag and, with the note that was
	// read from it (nil: none was), what the note adds. Reader, weight, badges and
	// times are the machine's own to add.
	Scan(tag string, note []byte) (ledger.Scan, error)
	// Operator returns the key of the one person of that name whom the roster
	// has as an operator.
	Operator(name string) (ledger.KeyID, bool)
}

// Badge is a person's badge.
type Badge struct {
	Person ledger.KeyID // of somebody on shift; not needed in a Config: the roster is asked when the badge is tapped
	Name   string       // in the roster
}

// Config is what the profile fixes until it is changed.
type Config struct {
	Gates    map[string]ledger.Gate // by reader; a reader not named here both accepts and completes
	Badges   map[string]Badge       // by tag
	TaskText map[string]string      // what the operator is told at a task
	Scale    bool                   // the station has a scale
	Notes    bool                   // tags are read and written: hand-off notes pass on them
	Acts     []Act                  // what the buttons of the station stand for
}

// Event is something that happened.
type Event interface{ event() }

// The events of a station.
type (
	// Arrived: a tag was put on a reader.
	Arrived struct{ Reader, Tag string }
	// Present: a tag lay on the reader when it came up; nobody scanned it.
	Present struct{ Reader, Tag string }
	// Departed: a tag has left the reader.
	Departed struct{ Reader, Tag string }
	// Unnamed: a tag was put on a reader, and what counts of it there cannot be told.
	// Tag is its identifier. It leaves as any other.
	Unnamed struct{ Reader, Tag, Why, Remedy string }
	// ReaderDown and ReaderUp: a reader was lost, is back.
	ReaderDown struct{ Reader, Why string }
	ReaderUp   struct{ Reader string }
	// ReaderExplained: it was found out why a reader that is down does not answer.
	ReaderExplained struct{ Reader, Why string }
	// Weak: a tag that lies on a reader is read only now and then.
	Weak struct{ Reader, Tag string }
	// Weighed answers Weigh. Problem is empty or says why there is no weight.
	Weighed struct {
		Serial     int
		Milligrams int64
		Problem    string
	}
	// Sealed answers Append.
	Sealed struct {
		Serial  int
		Outcome Outcome
		Detail  string
	}
	// NoteRead answers ReadNote. Note is what the tag carries, whatever it is; nil:
	// nothing. Problem is empty or says why it could not be read.
	NoteRead struct {
		Serial  int
		Note    []byte
		Problem string
	}
	// NoteWritten answers WriteNote. Problem is empty or says why nothing is on the
	// tag, Remedy what to do. Kind, if any, is the kind of tags that all have the
	// problem: it is told once. Aside: nobody at the station can do anything about
	// it, so that the journal alone is told.
	NoteWritten struct {
		Reader, Tag, Item string
		Problem, Remedy   string
		Kind              string
		Aside             bool
	}
	// Changed: the ledger has something new, or the roster.
	Changed struct{}
	// Opened: the gateway may seal (its own chain was asked for).
	Opened struct{}
	// Chosen answers CHOOSE with an item.
	Chosen struct{ Item ledger.ItemID }
	// Entered is what an operator filled in for an item; zero: for the one that
	// the terminal shows. If the item does not lie on a reader it holds for its
	// next scan.
	Entered struct {
		Item ledger.ItemID
		Form ledger.Form
	}
	// Stored tells whether blocks can be made durable; Problem is empty when
	// they can.
	Stored struct{ Problem string }
	// Cancelled gives up what lies on the readers and waits. What is recorded
	// stays; a withdrawal takes it back. While help is called it ends that call, and
	// nothing else.
	Cancelled struct{}
	// Pushed: a button was pushed At that moment, of the clock that Step is given.
	Pushed struct {
		Button string
		Act    Act
		At     time.Time
	}
	// Reconfigured: the profile has changed. Lost are the readers in whose place
	// is another now, or none; Relit: the lights are others.
	Reconfigured struct {
		Config Config
		Lost   []string
		Relit  bool
	}
)

func (Arrived) event()         {}
func (Present) event()         {}
func (Departed) event()        {}
func (Unnamed) event()         {}
func (ReaderDown) event()      {}
func (ReaderUp) event()        {}
func (ReaderExplained) event() {}
func (Weak) event()            {}
func (Weighed) event()         {}
func (Sealed) event()          {}
func (NoteRead) event()        {}
func (NoteWritten) event()     {}
func (Changed) event()         {}
func (Opened) event()          {}
func (Chosen) event()          {}
func (Entered) event()         {}
func (Stored) event()          {}
func (Cancelled) event()       {}
func (Pushed) event()          {}
func (Reconfigured) event()    {}

// Outcome of an Append.
type Outcome uint8

// The outcomes.
const (
	Durable Outcome = 1 // on disk, in this gateway's chain
	Stale   Outcome = 2 // the ledger has moved on; decide anew
	Failed  Outcome = 3 // not recorded; nothing may be shown but a fault
)

// Effect is something to be done, in order.
type Effect interface{ effect() }

// The effects of a station.
type (
	// Append seals proposals in one block and answers with Sealed.
	Append struct {
		Serial    int
		Tag       string
		Open      []ledger.ItemID // the open items with the tag when it was decided; Stale if they are others now
		Proposals []ledger.Proposal
	}
	// Show puts a signal on the lights and, unless Quiet, on the terminal.
	Show struct{ Signal Signal }
	// Weigh asks the scale and answers with Weighed.
	Weigh struct{ Serial int }
	// ReadNote reads the hand-off note from a tag that lies on a reader and answers
	// with NoteRead, soon and in any case.
	ReadNote struct {
		Serial      int
		Reader, Tag string
	}
	// WriteNote writes to a tag the hand-off note of the last statement about the
	// item that this gateway has sealed, and answers with NoteWritten. Nothing
	// waits for it.
	WriteNote struct {
		Reader, Tag string
		Item        ledger.ItemID // zero: the item that was taken in with this tag
		Label       string        // its printed id
	}
	// Log writes an event of the journal.
	Log struct {
		ID     journal.ID
		Words  string
		Fields []Field
	}
)

func (Append) effect()    {}
func (Show) effect()      {}
func (Weigh) effect()     {}
func (ReadNote) effect()  {}
func (WriteNote) effect() {}
func (Log) effect()       {}

// Field is a field of a journal event.
type Field struct{ Key, Value string }

// Aspect is what the light shows.
type Aspect uint8

// The aspects.
const (
	Idle  Aspect = 0
	Green Aspect = 1
	Amber Aspect = 2
	Red   Aspect = 3
	Fault Aspect = 4 // the station itself is out of order
)

var aspectNames = [...]string{"idle", "green", "amber", "red", "fault"}

// String returns the aspect's name.
func (a Aspect) String() string {
	if int(a) < len(aspectNames) {
		return aspectNames[a]
	}
	return "unknown"
}

// Signal is what the operator sees. The words stay until the next scan; the
// light goes idle when the tag has left.
type Signal struct {
	Aspect   Aspect
	Quiet    bool   // the light only: the words on the terminal stay
	Word     string // ACCEPTED, COMPLETED, WRONG STATION, …
	Reader   string
	Tag      string
	Recorded bool // claims a new record in the ledger; a repeated ACCEPTED does not
	Decision ledger.Decision
	Text     string // one line: what it is and what to do
}
