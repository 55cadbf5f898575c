package station

import (
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// strange is a view in which no tag is known; it keeps the note it was given last.
type strange struct {
	somewhere
	note *[]byte
}

func (s strange) Here() ledger.Here { return ledger.Here{Station: "PACK-1", Mode: ledger.ModeInOut} }

func (s strange) Scan(tag string, note []byte) (ledger.Scan, error) {
	*s.note = note
	return ledger.Scan{Tag: tag}, nil
}

// noteStation is an open station whose reader reads and writes tags.
func noteStation(notes bool) (*Machine, func(Event) []Effect, *[]byte) {
	m, v := New(Config{Notes: notes}), strange{note: new([]byte)}
	now := time.Now()
	step := func(e Event) []Effect {
		now = now.Add(time.Millisecond)
		return m.Step(now, v, e)
	}
	step(Opened{})
	return m, step, v.note
}

// find returns the first effect of a kind.
func find[E Effect](effects []Effect) (found E, ok bool) {
	for _, e := range effects {
		if x, is := e.(E); is {
			return x, true
		}
	}
	return found, false
}

func shown(effects []Effect) string {
	s, _ := find[Show](effects)
	return s.Signal.Text
}

// TestNoteBeforeTheLight holds that the note is asked for before anything is
// shown, and only where it may help.
func TestNoteBeforeTheLight(t *testing.T) {
	_, step, note := noteStation(true)
	effects := step(Arrived{Reader: "in", Tag: "T-1"})
	ask, ok := find[ReadNote](effects)
	if !ok || len(effects) != 1 || ask.Reader != "in" || ask.Tag != "T-1" {
		t.Fatalf("effects %+v", effects)
	}
	if effects := step(NoteRead{Serial: ask.Serial + 7, Note: []byte{1}}); len(effects) != 0 {
		t.Errorf("an answer to nobody: %+v", effects)
	}
	effects = step(NoteRead{Serial: ask.Serial, Note: []byte{1, 2}})
	if !strings.HasPrefix(shown(effects), "UNKNOWN TAG") || string(*note) != "\x01\x02" {
		t.Errorf("shows %q with note %x", shown(effects), *note)
	}
	if effects := step(NoteRead{Serial: ask.Serial, Note: []byte{3}}); len(effects) != 0 {
		t.Errorf("a second answer: %+v", effects)
	}
	if effects := step(Changed{}); len(effects) != 0 {
		t.Errorf("nothing has changed, and the tag is asked again: %+v", effects)
	}
	_, step, _ = noteStation(false)
	if got := shown(step(Arrived{Reader: "in", Tag: "T-1"})); !strings.HasPrefix(got, "UNKNOWN TAG") {
		t.Errorf("without notes: %q", got)
	}
}

// TestNoteNotRead has tags that go, or do not answer, while their notes are read.
func TestNoteNotRead(t *testing.T) {
	tests := []struct {
		name  string
		then  func(serial int) Event
		want  string // words about T-1
		after string // begin of the words that stay
	}{
		{"lifted", func(int) Event { return Departed{Reader: "in", Tag: "T-1"} }, "cannot be read: it was lifted", "UNKNOWN TAG"},
		{"too slow", func(n int) Event { return NoteRead{Serial: n, Problem: "the tag did not answer in time"} }, "did not answer in time", "UNKNOWN TAG"},
		{"another tag", func(int) Event { return Arrived{Reader: "in", Tag: "T-2"} }, "cannot be read: it was lifted", "UNKNOWN TAG"},
		{"reader lost", func(int) Event { return ReaderDown{Reader: "in", Why: "unplugged"} }, "cannot be read", "READER DOWN"},
	}
	for _, tt := range tests {
		m, step, _ := noteStation(true)
		ask, _ := find[ReadNote](step(Arrived{Reader: "in", Tag: "T-1"}))
		effects := step(tt.then(ask.Serial))
		if got := shown(effects); !strings.Contains(got, tt.want) || !strings.Contains(got, "T-1") {
			t.Errorf("%s: shows %q", tt.name, got)
		}
		if got := m.Last().Text; !strings.HasPrefix(got, tt.after) {
			t.Errorf("%s: %q stays", tt.name, got)
		}
		if n := m.Awaiting(); tt.name != "another tag" && n != 0 {
			t.Errorf("%s: %d answers are waited for", tt.name, n)
		}
	}
}

// TestNoteOfKind tells once what a kind of tags has no room for, whatever comes in
// between, and leaves the light alone where nobody there can do anything.
func TestNoteOfKind(t *testing.T) {
	_, step, _ := noteStation(true)
	ask, _ := find[ReadNote](step(Arrived{Reader: "in", Tag: "T-1"}))
	step(NoteRead{Serial: ask.Serial})
	for i, s := range []struct {
		kind, problem string
		aside         bool
		log, light    bool
	}{
		{"Ultralight", "no room", false, true, true},
		{"", "", false, true, false},
		{"Ultralight", "no room", false, false, false},
		{"NTAG213", "no room", false, true, true},
		{"NTAG213", "locked", true, true, false},
		{"Ultralight", "no room", false, false, false},
	} {
		effects := step(NoteWritten{Reader: "in", Tag: "T-1", Item: "T-1", Kind: s.kind, Problem: s.problem, Aside: s.aside})
		_, log := find[Log](effects)
		if _, light := find[Show](effects); log != s.log || light != s.light {
			t.Errorf("%d %+v: log %t, light %t", i, s, log, light)
		}
	}
	m, step, _ := noteStation(true)
	for n := range 3 * maxKinds {
		step(NoteWritten{Reader: "in", Tag: "T-1", Item: "T-1", Kind: string(rune('A' + n)), Problem: "no room"})
	}
	if n := len(m.spot("in").kinds); n != maxKinds {
		t.Errorf("%d kinds are remembered", n)
	}
}

// TestNoteReadAnew has the profile change while a note is read: whoever was to
// answer has ended, so the tag is asked again, or nothing is waited for.
func TestNoteReadAnew(t *testing.T) {
	_, step, note := noteStation(true)
	first, _ := find[ReadNote](step(Arrived{Reader: "in", Tag: "T-1"}))
	again, ok := find[ReadNote](step(Reconfigured{Config: Config{Notes: true}}))
	if !ok || again.Serial == first.Serial {
		t.Fatalf("not asked again: %+v", again)
	}
	if effects := step(NoteRead{Serial: first.Serial, Problem: "late"}); len(effects) != 0 {
		t.Errorf("the one who has ended answers: %+v", effects)
	}
	if got := shown(step(NoteRead{Serial: again.Serial, Note: []byte{1}})); !strings.HasPrefix(got, "UNKNOWN TAG") || string(*note) != "\x01" {
		t.Errorf("shows %q", got)
	}
	m, step, _ := noteStation(true)
	step(Arrived{Reader: "in", Tag: "T-1"})
	if got := shown(step(Reconfigured{})); !strings.HasPrefix(got, "UNKNOWN TAG") || m.Awaiting() != 0 {
		t.Errorf("notes are written no more: %q, %d answers are waited for", got, m.Awaiting())
	}
}

// TestNoteWritten tells of each note that is on its tag, and once for each cause
// of those that are not.
func TestNoteWritten(t *testing.T) {
	_, step, _ := noteStation(true)
	told := func(problem string) (ids []journal.ID) {
		for _, e := range step(NoteWritten{Reader: "in", Tag: "T-1", Item: "T-1", Problem: problem, Remedy: "do"}) {
			if l, is := e.(Log); is {
				ids = append(ids, l.ID)
			}
		}
		return ids
	}
	for i, s := range []struct {
		problem string
		want    journal.ID
	}{
		{"", journal.NoteWritten},
		{"no room", journal.NoteUnwritten},
		{"no room", ""},
		{"locked", journal.NoteUnwritten},
		{"", journal.NoteWritten},
		{"locked", journal.NoteUnwritten},
	} {
		if got := told(s.problem); s.want == "" && len(got) != 0 || s.want != "" && (len(got) != 1 || got[0] != s.want) {
			t.Errorf("%d %q: tells %v, want %s", i, s.problem, got, s.want)
		}
	}
}
