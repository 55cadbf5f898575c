package station

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// wordOf is what light, terminal, journal and CLI call a decision: the past
// tense once it is recorded.
func wordOf(d ledger.Decision) string {
	word := d.Kind.String()
	switch d.Kind {
	case ledger.Accepted:
		word = "ACCEPTED"
	case ledger.Completed:
		word = "COMPLETED"
	}
	if d.OnNote && d.Signal() == ledger.Green {
		word += " ON TAG"
	}
	return word
}

var aspects = map[ledger.SignalClass]Aspect{ledger.Green: Green, ledger.Amber: Amber, ledger.Red: Red}

// signal puts a decision into what the operator sees. While the reader is down
// the light is a fault: nobody knows what lies there.
func (s *step) signal(p *spot, c *presentation, d ledger.Decision) Signal {
	sig := Signal{
		Aspect: aspects[d.Signal()], Word: wordOf(d), Reader: p.reader, Tag: c.tag,
		Recorded: len(d.Propose) > 0, Decision: d,
	}
	if p.down {
		sig.Aspect = Fault
	}
	sig.Text = s.about(p, c, d) + ": " + strings.Join(s.why(d), "; ")
	return sig
}

// about is the beginning of the words: what is said of which item and tag.
func (s *step) about(p *spot, c *presentation, d ledger.Decision) string {
	var b strings.Builder
	b.WriteString(wordOf(d))
	switch {
	case d.Check != "":
		fmt.Fprintf(&b, " (%s)", d.Check)
	case repeated(d):
		b.WriteString(" (already)")
	}
	if d.Label != "" {
		fmt.Fprintf(&b, " %s", d.Label)
	}
	fmt.Fprintf(&b, " tag %s", c.tag)
	if n := len(p.tags); n > 1 {
		fmt.Fprintf(&b, " (the last put of %d on %s)", n, p.reader)
	}
	return b.String()
}

// why is the rest of the words: what was expected and found, where that is news,
// and what to do.
func (s *step) why(d ledger.Decision) []string {
	var parts []string
	if d.Expected != "" && d.Signal() != ledger.Green {
		parts = append(parts, "expected "+d.Expected)
	}
	switch {
	case d.Found == "":
	case repeated(d), d.OnNote && d.Signal() == ledger.Green:
		parts = append(parts, d.Found)
	case asks(d):
		parts = append(parts, "found "+numbered(d.Choices))
	case d.Signal() != ledger.Green:
		parts = append(parts, "found "+d.Found)
	}
	if how := s.howToChoose(); asks(d) && how != "" {
		parts = append(parts, how)
	}
	if do := s.whatToDo(d); do != "" {
		parts = append(parts, do)
	}
	return parts
}

// repeated reports whether a decision says again what is recorded already.
func repeated(d ledger.Decision) bool {
	return d.Kind == ledger.Accepted && len(d.Propose) == 0
}

// whatToDo puts the station's own words for its task in the place of the general
// ones; what a decision says beside them stays.
func (s *step) whatToDo(d ledger.Decision) string {
	text := s.m.cfg.TaskText[d.Task]
	if d.Kind != ledger.Accepted || text == "" || d.Reason == ledger.ReasonDwell {
		return d.Do
	}
	general := fmt.Sprintf("Do %s, then scan again.", d.Task)
	if rest, ok := strings.CutPrefix(d.Do, general); ok {
		return text + rest
	}
	if d.Do == "" {
		return text
	}
	return text + " (" + d.Do + ")"
}

// eventOf maps a decision to its event in the journal.
func eventOf(d ledger.Decision) journal.ID {
	switch {
	case d.Reason == ledger.ReasonDwell:
		return journal.ScanTooSoon
	case repeated(d):
		return journal.ScanRepeated
	case d.Reason == ledger.ReasonInput:
		return journal.ScanPartAdded
	case d.Reason == ledger.ReasonNotNeeded:
		return journal.ScanWrongPart
	}
	switch d.Kind {
	case ledger.TakenIn:
		return journal.ScanTakenIn
	case ledger.TagInUse:
		return journal.ScanTagInUse
	case ledger.Accepted:
		return journal.ScanAccepted
	case ledger.Completed:
		return journal.ScanCompleted
	case ledger.Returned, ledger.PutAside:
		return journal.ScanRejected
	case ledger.WrongPlace:
		return journal.ScanWrongStation
	case ledger.Conflict:
		return journal.ScanConflict
	case ledger.Choose:
		return journal.ScanChoose
	case ledger.UnknownTag:
		return journal.ScanUnknownTag
	case ledger.AlreadyDone:
		return journal.ScanAlreadyDone
	}
	return journal.ScanWait
}

// unsaid stands for a field that an event promises and a decision leaves open,
// such as the item of a tag that has several.
const unsaid = "-"

// journal writes one line for a scan, with the fields that its event promises.
func (s *step) journal(p *spot, c *presentation, d ledger.Decision) {
	id := eventOf(d)
	have := map[string]string{
		journal.KeyItem: d.Label, journal.KeyTag: c.tag, journal.KeyReader: p.reader, journal.KeyStation: s.v.Here().Station,
		journal.KeyOrder: c.order, journal.KeyTask: d.Task, journal.KeyDecision: wordOf(d), journal.KeyReason: d.Reason,
		journal.KeyExpected: d.Expected, journal.KeyFound: d.Found, journal.KeyRemedy: d.Do,
	}
	def, _ := journal.Lookup(id)
	var fields []Field
	for _, key := range def.Fields {
		fields = append(fields, Field{key, cmp.Or(have[key], unsaid)})
	}
	for _, key := range [...]string{journal.KeyItem, journal.KeyReason, journal.KeyRemedy} {
		if have[key] != "" && !slices.Contains(def.Fields, key) {
			fields = append(fields, Field{key, have[key]})
		}
	}
	s.log(id, c.shown.Text, fields...)
}
