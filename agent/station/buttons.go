package station

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// Act is what a button stands for.
type Act uint8

// The acts of buttons. Choose1 and the eight that follow it stand for the options of
// CHOOSE by their number.
const (
	Confirm Act = 1  // takes the option that the light shows
	Next    Act = 2  // has the light show the next option
	Cancel  Act = 3  // leaves the question, ends a call for help, gives up what waits
	Call    Act = 4  // calls for help
	Choose1 Act = 11 // has the light show option 1, and pushed again takes it
	Choose9 Act = 19
)

// option is the number of the option that an act stands for; 0: none.
func (a Act) option() int {
	if a < Choose1 || a > Choose9 {
		return 0
	}
	return int(a-Choose1) + 1
}

const (
	// reaction is how long a person needs at least to see what the light shows. A
	// push before that takes nothing: it was meant for something else, or for
	// nothing.
	reaction = 300 * time.Millisecond
	// sureFor is for how long a second push of cancel gives up what was entered.
	sureFor = 10 * time.Second
)

// Help is a call for help.
type Help struct {
	Who    []string  // on shift at that moment; none: nobody was
	Button string    // that was pushed
	Since  time.Time // when
}

// Help returns the call for help that stands; ok is false if there is none.
func (m *Machine) Help() (h Help, ok bool) {
	if m.help == nil {
		return Help{}, false
	}
	return *m.help, true
}

// can reports whether the station has a button for an act.
func (s *step) can(a Act) bool { return slices.Contains(s.m.cfg.Acts, a) }

func (s *step) pushed(e Pushed) {
	switch p, c := s.question(); {
	case e.Act == Call:
		s.callHelp(e)
	case c != nil && e.Act == Cancel:
		s.leave(p, c)
	case e.Act == Cancel:
		s.giveUp(e)
	case c != nil:
		s.answer(p, c, e)
	case e.Act == Next: // one lies there that other words have covered
		if p, c := s.lying(asks); c != nil {
			s.mark(p, c, max(c.marked, 1))
		}
	}
}

func asks(d ledger.Decision) bool { return d.Kind == ledger.Choose }

// question finds the CHOOSE that the terminal shows; nil: it shows something else,
// and nobody can mean to answer what he does not see.
func (s *step) question() (*spot, *presentation) {
	if !asks(s.m.last.Decision) {
		return nil, nil
	}
	p := s.m.spot(s.m.last.Reader)
	c := p.first()
	if c == nil || c.gone || c.phase != settled || c.tag != s.m.last.Tag || c.shown == nil || !asks(c.shown.Decision) {
		return nil, nil
	}
	return p, c
}

// answer shows an option or takes the one that is shown.
func (s *step) answer(p *spot, c *presentation, e Pushed) {
	choices := c.shown.Decision.Choices
	n := e.Act.option()
	switch {
	case e.Act == Next:
		s.mark(p, c, c.marked%len(choices)+1)
	case n > len(choices): // there is none of that number: the light says how many there are
	case n > 0 && n != c.marked:
		s.mark(p, c, n)
	case c.marked == 0 || e.At.Before(c.since.Add(reaction)):
	default:
		s.take(p, c, choices[c.marked-1].Item)
	}
}

// mark shows one of the choices. Nothing is taken by that.
func (s *step) mark(p *spot, c *presentation, n int) {
	d := c.shown.Decision
	c.marked = n
	takes := fmt.Sprintf("push choose-%d again to take it", n)
	if s.can(Confirm) {
		takes = "confirm takes it"
	}
	if s.can(Next) {
		takes += ", next shows another"
	}
	s.show(c, Signal{
		Aspect: aspects[d.Signal()], Word: wordOf(d), Reader: p.reader, Tag: c.tag, Decision: d,
		Text: fmt.Sprintf("%s %d of %d: %s (tag %s): %s", wordOf(d), n, len(d.Choices), choiceWords(d.Choices[n-1]), c.tag, takes),
	})
}

// inPrintedOrder sorts choices as a person who holds the items looks for them.
func inPrintedOrder(choices []ledger.Choice) {
	slices.SortStableFunc(choices, func(a, b ledger.Choice) int { return strings.Compare(a.Label, b.Label) })
}

// numbered lists choices with the numbers that buttons have for them.
func numbered(choices []ledger.Choice) string {
	list := make([]string, len(choices))
	for i, o := range choices {
		list[i] = fmt.Sprintf("%d %s", i+1, choiceWords(o))
	}
	return fmt.Sprintf("%d: %s", len(choices), strings.Join(list, ", "))
}

func choiceWords(o ledger.Choice) string {
	if o.Apart == "" {
		return o.Label
	}
	return fmt.Sprintf("%s (%s)", o.Label, o.Apart)
}

// howToChoose says how the buttons of the station answer CHOOSE; empty: they do not.
func (s *step) howToChoose() string {
	numbers := slices.ContainsFunc(s.m.cfg.Acts, func(a Act) bool { return a.option() > 0 })
	switch confirm := s.can(Confirm); {
	case s.can(Next) && confirm:
		return "next shows one after the other, confirm takes the one shown"
	case numbers && confirm:
		return "push its number, then confirm"
	case numbers:
		return "push its number twice"
	}
	return ""
}

// leave ends a question without an answer.
func (s *step) leave(p *spot, c *presentation) {
	s.drop(p)
	s.rest(cancelledWord, p.reader, fmt.Sprintf("tag %s: nothing was chosen; lift it and scan it again to choose", c.tag))
	s.log(journal.ScanCancelled, "tag "+c.tag+": nothing was chosen", Field{journal.KeyStation, s.v.Here().Station})
}

// giveUp is cancel where nothing is asked. It changes nothing where nothing waits,
// and values that somebody typed are not lost by one push.
func (s *step) giveUp(e Pushed) {
	since := e.At.Sub(s.m.sure)
	switch {
	case s.m.help != nil:
		s.endHelp("")
	case s.m.entered != nil && (since < reaction || since > sureFor):
		s.m.sure = s.now
		s.rest("CANCEL?", "", "what was entered is lost: push cancel again to give it up")
	case s.m.entered != nil || len(s.m.waiting) > 0 || s.waits():
		s.cancelled()
	}
}

// waits reports whether something on a reader waits.
func (s *step) waits() bool {
	return slices.ContainsFunc(s.m.spots, func(p *spot) bool {
		c := p.first()
		return c != nil && (c.waits || c.phase == weighing || c.phase == reading)
	})
}

// callHelp calls a person to the station. What lies on the readers is decided on as
// before; called again, the words are shown again.
func (s *step) callHelp(e Pushed) {
	called := s.m.help == nil
	if called {
		s.m.help = &Help{Button: e.Button, Since: e.At}
		for _, b := range s.m.shift {
			s.m.help.Who = append(s.m.help.Who, b.Name)
		}
	}
	by, who := "", strings.Join(s.m.help.Who, ", ")
	if who != "" {
		by = "by " + who + "; "
	} else {
		who = unsaid
	}
	s.rest("HELP CALLED", "", by+"a badge or cancel ends it")
	if called {
		s.log(journal.HelpCalled, "help is called at "+s.v.Here().Station,
			Field{journal.KeyStation, s.v.Here().Station}, Field{journal.KeyOperator, who}, Field{journal.KeyDevice, e.Button})
	}
}

// endHelp ends the call for help, by the badge of who has come or, without a name,
// by cancel. What lies on a reader is shown again.
func (s *step) endHelp(who string) {
	text := "it was cancelled"
	if who != "" {
		text = who + " has come"
	} else {
		who = unsaid
	}
	s.m.help = nil
	s.rest("HELP ENDED", "", text+s.trouble())
	s.log(journal.HelpEnded, "the call for help has ended: "+text,
		Field{journal.KeyStation, s.v.Here().Station}, Field{journal.KeyOperator, who})
	if s.resting() == Idle {
		s.showAgain()
	}
}

// showAgain shows what was shown last of that which lies on the readers.
func (s *step) showAgain() {
	var latest *presentation
	for _, p := range s.m.spots {
		c := p.first()
		if c != nil && c.shown != nil && c.phase == settled && !c.gone && (latest == nil || c.since.After(latest.since)) {
			latest = c
		}
	}
	if latest != nil {
		again := *latest.shown
		again.Recorded = false
		s.show(latest, again)
	}
}
