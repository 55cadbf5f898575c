package station

import (
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// somewhere is a view that knows nothing but its name.
type somewhere struct{}

func (somewhere) Here() ledger.Here                        { return ledger.Here{Station: "bench-1"} }
func (somewhere) Scan(string, []byte) (ledger.Scan, error) { return ledger.Scan{}, nil }
func (somewhere) Operator(string) (ledger.KeyID, bool)     { return ledger.KeyID{}, false }
func fieldOf(fs []Field, key string) (v string, n int) {
	for _, f := range fs {
		if f.Key == key {
			v, n = f.Value, n+1
		}
	}
	return v, n
}

var reasons = []string{
	"", ledger.ReasonNewItem, ledger.ReasonTagInUse, ledger.ReasonExpected, ledger.ReasonDwell, ledger.ReasonInput, ledger.ReasonInputOf,
	ledger.ReasonAlreadyAccepted, ledger.ReasonEntranceOnly, ledger.ReasonNotNeeded, ledger.ReasonLimit, ledger.ReasonNeeds, ledger.ReasonFailed,
	ledger.ReasonWeight, ledger.ReasonUnrecordable, ledger.ReasonMissingInputs, ledger.ReasonManyItems,
}

// Every event has the fields that its definition promises, once each, whatever a
// decision leaves open; and words begin with the decision.
func TestEventsKeepTheirPromises(t *testing.T) {
	p, c := &spot{reader: "bench", tags: []string{"T1"}}, &presentation{tag: "T1", order: "WO-1"}
	full := ledger.Decision{
		Check: "bore", Label: "BR-1", Operation: "drill", Task: "drill-it", Expected: "12 mm", Found: "20 mm", Do: "Take it back.",
		Propose: []ledger.Proposal{{Body: ledger.Misroute{Station: "bench-1"}}},
	}
	for kind := ledger.TakenIn; kind <= ledger.AlreadyDone; kind++ {
		for _, reason := range reasons {
			for _, d := range []ledger.Decision{{}, full} {
				d.Kind, d.Reason = kind, reason
				s := &step{m: New(Config{}), v: somewhere{}}
				sig := s.signal(p, c, d)
				c.shown = &sig
				s.journal(p, c, d)
				l := s.effects[0].(Log)
				def, ok := journal.Lookup(l.ID)
				if !ok {
					t.Fatalf("%s (%s): %q is no event", kind, reason, l.ID)
				}
				for _, key := range def.Fields {
					if v, n := fieldOf(l.Fields, key); v == "" || n != 1 {
						t.Errorf("%s (%s): %s has %s %d times, %q", kind, reason, l.ID, key, n, v)
					}
				}
				if !strings.HasPrefix(sig.Text, wordOf(d)) || l.Words != sig.Text || sig.Word != wordOf(d) {
					t.Errorf("%s: %q, journal %q", kind, sig.Text, l.Words)
				}
				if (sig.Aspect == Green) != (d.Signal() == ledger.Green) {
					t.Errorf("%s is %s", kind, sig.Aspect)
				}
			}
		}
	}
}

func TestWords(t *testing.T) {
	record := []ledger.Proposal{{Body: ledger.Verdict{}}}
	dwell := ledger.Decision{Kind: ledger.Accepted, Reason: ledger.ReasonDwell, Label: "BR-1", Task: "drill-it", Expected: "drill", Found: "already accepted 1 s ago", Do: "Work on it; a scan in 1 s completes it."}
	tests := []struct {
		name string
		d    ledger.Decision
		tags int
		want string
	}{
		{"a new record tells the task", ledger.Decision{Kind: ledger.Accepted, Reason: ledger.ReasonExpected, Label: "BR-1", Task: "drill-it", Expected: "e", Found: "f", Do: "Do it, then scan again.", Propose: record}, 1, "ACCEPTED BR-1 tag T: Drill four holes (Do it, then scan again.)"},
		{"a repeated one tells why", dwell, 1, "ACCEPTED (already) BR-1 tag T: already accepted 1 s ago; Work on it; a scan in 1 s completes it."},
		{"which of several tags counts", dwell, 2, "ACCEPTED (already) BR-1 tag T (the last put of 2 on bench): already accepted 1 s ago; Work on it; a scan in 1 s completes it."},
		{"a failed check is named", ledger.Decision{Kind: ledger.Returned, Check: "bore", Label: "BR-1", Expected: "12 mm", Found: "20 mm", Do: "Take it back.", Propose: record}, 1, "RETURN (bore) BR-1 tag T: expected 12 mm; found 20 mm; Take it back."},
		{"no item", ledger.Decision{Kind: ledger.UnknownTag, Expected: "a tag of an item", Found: "another"}, 1, "UNKNOWN TAG tag T: expected a tag of an item; found another"},
	}
	for _, tt := range tests {
		s := &step{m: New(Config{TaskText: map[string]string{"drill-it": "Drill four holes"}}), v: somewhere{}}
		p := &spot{reader: "bench", tags: slices.Repeat([]string{"T"}, tt.tags)}
		if got := s.signal(p, &presentation{tag: "T"}, tt.d).Text; got != tt.want {
			t.Errorf("%s:\n got  %s\n want %s", tt.name, got, tt.want)
		}
	}
}

func TestNamesOfAspects(t *testing.T) {
	for a, want := range map[Aspect]string{Idle: "idle", Green: "green", Amber: "amber", Red: "red", Fault: "fault", 9: "unknown"} {
		if got := a.String(); got != want {
			t.Errorf("aspect %d is %q, want %q", a, got, want)
		}
	}
}

// The time of a light is forgotten for the item that was lit longest ago.
func TestRememberedLights(t *testing.T) {
	m := New(Config{})
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	item := func(i int) ledger.ItemID { return ledger.ItemID{byte(i >> 8), byte(i), 1} }
	for i := range maxAccepted + 10 {
		m.remember(item(i), start.Add(time.Duration(i)*time.Second))
	}
	if _, known := m.since(item(9), start); known || len(m.accepted) != maxAccepted {
		t.Errorf("%d lights are remembered, the tenth: %v", len(m.accepted), known)
	}
	if ms, known := m.since(item(10), start.Add(time.Minute)); !known || ms != 50_000 {
		t.Errorf("%d ms since the eleventh light, known: %v", ms, known)
	}
}

// TestTheStationsOwnWords replaces the general words for a task and keeps what a
// decision says beside them.
func TestTheStationsOwnWords(t *testing.T) {
	t.Parallel()
	s := &step{m: New(Config{TaskText: map[string]string{"drill": "Drill and deburr, then scan again."}})}
	for _, row := range []struct{ task, do, want string }{
		{"drill", "Do drill, then scan again.", "Drill and deburr, then scan again."},
		{"drill", "Do drill, then scan again. Works to WO-1, replaced by WO-2.", "Drill and deburr, then scan again. Works to WO-1, replaced by WO-2."},
		{"drill", "Scan the parts.", "Drill and deburr, then scan again. (Scan the parts.)"},
		{"pack", "Do pack, then scan again.", "Do pack, then scan again."},
	} {
		got := s.whatToDo(ledger.Decision{Kind: ledger.Accepted, Task: row.task, Do: row.do})
		if got != row.want {
			t.Errorf("%q becomes %q, want %q", row.do, got, row.want)
		}
	}
}
