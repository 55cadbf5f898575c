package station_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/ledger"
)

// row is one step of a story: what happens, and what is seen of it.
type row struct {
	what   string
	at     *gateway
	after  time.Duration // that passes before
	do     func(*gateway)
	lights string // all aspects that the light shows, in order; "green-again" claims no record
	says   string // parts of the words on the terminal afterwards, separated by |
	logs   string // events in the journal
	seals  string // what was sealed by all gateways, separated by commas
}

func tell(t *testing.T, p *plant, rows ...row) {
	t.Helper()
	for i, r := range rows {
		what := fmt.Sprintf("step %d (%s)", i+1, r.what)
		p.now = p.now.Add(r.after)
		r.at.shows, r.at.logs, p.sealed = nil, nil, nil
		r.do(r.at)
		var lights []string
		for _, s := range r.at.shows {
			word := s.Aspect.String()
			if s.Aspect == station.Green && !s.Recorded {
				word = "green-again"
			}
			lights = append(lights, word)
		}
		if got := strings.Join(lights, " "); got != r.lights {
			t.Errorf("%s: light %q, want %q", what, got, r.lights)
		}
		last := r.at.machine.Last().Text
		for part := range strings.SplitSeq(r.says, "|") {
			if !strings.Contains(last, part) {
				t.Errorf("%s: terminal says %q, want %q in it", what, last, part)
			}
		}
		var logs []string
		for _, l := range r.at.logs {
			logs = append(logs, string(l.ID))
			promised(t, l)
		}
		if got := strings.Join(logs, " "); got != r.logs {
			t.Errorf("%s: journal %q, want %q", what, got, r.logs)
		}
		if got := strings.Join(p.sealed, ", "); got != r.seals {
			t.Errorf("%s: sealed %q, want %q", what, got, r.seals)
		}
	}
}

// promised checks that an event has the fields that its definition names.
func promised(t tester, l station.Log) {
	def, ok := journal.Lookup(l.ID)
	if !ok {
		t.Errorf("%s is no event", l.ID)
	}
	for _, key := range def.Fields {
		i := slices.IndexFunc(l.Fields, func(f station.Field) bool { return f.Key == key })
		if i < 0 || l.Fields[i].Value == "" {
			t.Errorf("%s lacks %s: %+v", l.ID, key, l.Fields)
		}
	}
}

// What happens at a station.

func put(tag string) func(*gateway)  { return putOn("bench", tag) }
func lift(tag string) func(*gateway) { return liftFrom("bench", tag) }

func putOn(reader, tag string) func(*gateway) {
	return func(g *gateway) { g.step(station.Arrived{Reader: reader, Tag: tag}) }
}

func liftFrom(reader, tag string) func(*gateway) {
	return func(g *gateway) { g.step(station.Departed{Reader: reader, Tag: tag}) }
}

// tap puts a tag there and lifts it.
func tap(tag string) func(*gateway) {
	return func(g *gateway) {
		put(tag)(g)
		lift(tag)(g)
	}
}

func lies(tag string) func(*gateway) {
	return func(g *gateway) { g.step(station.Present{Reader: "bench", Tag: tag}) }
}

func down(reader string) func(*gateway) {
	return func(g *gateway) { g.step(station.ReaderDown{Reader: reader, Why: "it was unplugged"}) }
}

func up(reader string) func(*gateway) {
	return func(g *gateway) { g.step(station.ReaderUp{Reader: reader}) }
}

// weighs answers the scale's last question.
func weighs(mg int64, problem string) func(*gateway) {
	return func(g *gateway) {
		serial := 0
		if n := len(g.weighs); n > 0 {
			serial = g.weighs[n-1]
		}
		g.step(station.Weighed{Serial: serial, Milligrams: mg, Problem: problem})
	}
}

func enters(f ledger.Form) func(*gateway) {
	return func(g *gateway) { g.step(station.Entered{Form: f}) }
}

func bore(hundredths int64) ledger.Form {
	return ledger.Form{Measurements: []ledger.Measurement{{Name: "bore", Value: hundredths, Exponent: -2, Unit: "mm"}}}
}

func deliver(g *gateway) { g.p.deliver() }
func release(g *gateway) { g.release() }
func hold(g *gateway)    { g.hold = true }
func restart(g *gateway) { g.restart() }

// mustBe runs what has to succeed.
func mustBe(f func(*gateway) error) func(*gateway) {
	return func(g *gateway) {
		if err := f(g); err != nil {
			g.p.t.Error(err)
		}
	}
}

// watch is the agent's look at the storage.
func (g *gateway) watch() {
	problem := ""
	if err := g.replica.Ready(); err != nil {
		problem = err.Error()
	}
	g.step(station.Stored{Problem: problem})
}

// Orders and items.

func op(id, place string, needs ...string) ledger.Operation {
	return ledger.Operation{ID: id, Task: id + "-it", Place: place, Needs: needs, MaxReturns: 1}
}

// bracket is an order for drilling, then pressing.
func bracket() ledger.Order {
	return ledger.Order{ID: "WO-1", Product: "bracket", Routing: []ledger.Operation{op("drill", "drill-1"), op("press", "press-1", "drill")}}
}

// takeIn takes items in for an order at the first gateway; their printed ids are
// their tags.
func (p *plant) takeIn(order string, tags ...string) {
	p.t.Helper()
	g := p.gateways[0]
	g.intake = &ledger.IntakeFor{Order: ledger.Order{ID: order}}
	for _, tag := range tags {
		p.now = p.now.Add(time.Second)
		tap(tag)(g)
		if g.machine.Last().Word != "TAKEN IN" {
			p.t.Fatalf("taking in %s: %s", tag, g.machine.Last().Text)
		}
	}
	p.deliver()
}

// does lets a station accept and complete an item.
func (p *plant) does(name, tag string) {
	p.t.Helper()
	for _, want := range []string{"ACCEPTED", "COMPLETED"} {
		p.now = p.now.Add(3 * time.Second)
		tap(tag)(p.at(name))
		if got := p.at(name).machine.Last(); got.Word != want {
			p.t.Fatalf("%s at %s: %s, want %s", tag, name, got.Text, want)
		}
	}
	p.deliver()
}
