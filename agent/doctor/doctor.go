// Package doctor finds what is wrong with a gateway's board, and says what to do.
//
// It works in two steps. [World.Gather] looks at the board and asks the daemon; what it
// saw are [Facts], plain values. [Examine] judges facts and does nothing else. So every
// judgement is tested without a board, and whoever has facts from elsewhere (a card that
// was just written, a support bundle) has them judged by the same rules.
//
// Nothing is written, and nothing of the station is touched except, where no daemon has
// them, the ports that the profile names: the devices there are greeted.
package doctor

import (
	"fmt"
	"time"
)

// Severity says how much a finding matters.
type Severity string

// The severities, the least first.
const (
	Note    Severity = "note"    // worth knowing; nobody has to do anything
	Warning Severity = "warning" // the station works; a person has to see to it
	Fault   Severity = "fault"   // the station does not do its work, or is about not to
)

// The states of a check that has no finding.
const (
	OK      Severity = "ok"
	Skipped Severity = "skipped" // it could not be made, and Summary says why
)

// ranks orders severities.
var ranks = map[Severity]int{Skipped: 0, OK: 1, Note: 2, Warning: 3, Fault: 4}

// Finding is one thing that is not as it should be.
type Finding struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Since    int64    `json:"since_ms,omitempty"` // ms since 1970 UTC; 0: not known
	Remedy   string   `json:"remedy"`
}

// Check is one thing that was looked at.
type Check struct {
	Name string `json:"name"`
	// State is the severity of the worst finding, OK or Skipped.
	State Severity `json:"state"`
	// Summary says what was seen, or why nothing was.
	Summary  string    `json:"summary"`
	Findings []Finding `json:"findings,omitempty"`
}

// Report is what came of an examination.
type Report struct {
	// OK says that no finding needs a person.
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// Findings returns all findings in the order of the checks.
func (r Report) Findings() []Finding {
	var all []Finding
	for _, c := range r.Checks {
		all = append(all, c.Findings...)
	}
	return all
}

// checks are all checks, from what the others rest on to what rests on them.
var checks = []struct {
	name string
	look func(f Facts, x *exam)
}{
	{"profile", profile},
	{"board", board},
	{"firmware", firmware},
	{"modules", modules},
	{"power", power},
	{"ports", ports},
	{"pins", pins},
	{"devices", devices},
	{"lights", lights},
	{"clock", clock},
	{"space", space},
	{"card", card},
	{"daemon", daemon},
	{"version", version},
	{"drift", drift},
	{"broker", broker},
	{"certificates", certificates},
	{"roster", roster},
	{"ledger", sync},
}

// Examine judges facts. Every check stands in the report, whatever came of it.
func Examine(f Facts) Report {
	r := Report{OK: true, Checks: make([]Check, 0, len(checks))}
	for _, c := range checks {
		x := exam{Check: Check{Name: c.name, State: OK}}
		c.look(f, &x)
		r.Checks = append(r.Checks, x.Check)
		r.OK = r.OK && ranks[x.State] < ranks[Warning]
	}
	return r
}

// exam is a check under way.
type exam struct{ Check }

// skip ends a check that cannot be made.
func (x *exam) skip(format string, args ...any) {
	x.State, x.Summary = Skipped, fmt.Sprintf(format, args...)
}

func (x *exam) seen(format string, args ...any) { x.Summary = fmt.Sprintf(format, args...) }

// found adds a finding with its remedy.
func (x *exam) found(s Severity, remedy, format string, args ...any) {
	x.foundSince(time.Time{}, s, remedy, format, args...)
}

// foundSince is found for what is known to be so since a time; zero: it is not.
func (x *exam) foundSince(since time.Time, s Severity, remedy, format string, args ...any) {
	f := Finding{Check: x.Name, Severity: s, What: fmt.Sprintf(format, args...), Remedy: remedy}
	if !since.IsZero() {
		f.Since = since.UnixMilli()
	}
	x.Findings = append(x.Findings, f)
	if ranks[s] > ranks[x.State] {
		x.State = s
	}
}
