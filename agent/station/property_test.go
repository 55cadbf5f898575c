package station_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traveler.example/agent/station"
	"traveler.example/ledger"
)

// TestRandomEvents feeds random events to a station whose disk and scale answer
// late, fail and go stale. Whatever happens: nothing panics; a record is claimed
// only upon its durable answer (gateway.show checks that), and every answer shows
// something; nothing is awaited that was answered; memory is bounded; and when
// all has left the light rests.
func TestRandomEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPlant(rt, "entrance", "asm-1")
		o := weighed()
		for i := range o.Routing {
			o.Routing[i].Place = "asm-1"
		}
		for _, o := range append(gearbox(), o) {
			p.order(o)
		}
		p.takeIn("WO-w", "T1", "T2")
		p.takeIn("WO-box", "B1")
		p.takeIn("WO-gear", "G1")
		p.takeIn("WO-shaft", "S1")
		p.signed("quinn", ledger.Tx{Item: p.at("entrance").item("T1").ID, Body: ledger.Bind{Tags: []string{"T2"}}})
		p.deliver()
		p.sealed = nil
		r := &random{rt: rt, p: p, g: p.at("asm-1")}
		r.g.hold = true
		for i := range rapid.IntRange(10, 80).Draw(rt, "events") {
			p.now = p.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, fmt.Sprintf("after %d", i))) * time.Millisecond)
			r.happens()
			if part := r.g.machine.Oversized(); part != "" {
				rt.Fatalf("%s grow beyond their bound", part)
			}
		}
		r.settles()
	})
}

type random struct {
	rt *rapid.T
	p  *plant
	g  *gateway
}

func (r *random) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(r.rt, label)
}

func (r *random) reader() string { return r.pick("reader", "bench", "side") }

func (r *random) tag() string {
	return r.pick("tag", "T1", "T2", "B1", "G1", "S1", "X9", "BADGE-OLGA", "BADGE-MALLORY", "")
}

func (r *random) happens() {
	g := r.g
	switch rapid.IntRange(0, 18).Draw(r.rt, "event") {
	case 0, 1, 2, 3:
		g.step(station.Arrived{Reader: r.reader(), Tag: r.tag()})
	case 4, 5:
		g.step(station.Departed{Reader: r.reader(), Tag: r.tag()})
	case 6:
		g.step(station.Present{Reader: r.reader(), Tag: r.tag()})
	case 7:
		g.step(station.ReaderDown{Reader: r.reader(), Why: "it was unplugged"})
	case 8:
		g.step(station.ReaderUp{Reader: r.reader()})
	case 9, 10:
		r.answer(nil)
	case 11:
		r.answer(errors.New("input/output error"))
	case 12:
		if n := len(g.weighs); n > 0 {
			serial := rapid.SampledFrom(g.weighs).Draw(r.rt, "serial")
			problem := r.pick("problem", "", "", "not still")
			g.step(station.Weighed{Serial: serial, Milligrams: rapid.Int64Range(0, 200_000).Draw(r.rt, "mg"), Problem: problem})
		}
	case 13:
		g.step(station.Changed{})
	case 14:
		g.step(station.Stored{Problem: r.pick("storage", "", "", "disk is full")})
	case 15:
		r.person()
	case 16:
		label := r.pick("label", "T1", "T2", "B1", "G1", "S1")
		_ = g.withdraw(label) // allowed or not
		g.step(station.Changed{})
	case 17, 18:
		r.pushes()
	}
}

// person does something at the terminal.
func (r *random) person() {
	id := r.g.item(r.pick("item", "T1", "T2", "B1")).ID
	switch r.pick("act", "enter", "enter for", "choose", "cancel", "open") {
	case "enter":
		r.g.step(station.Entered{Form: ledger.Form{Failed: true}})
	case "enter for":
		r.g.step(station.Entered{Item: id, Form: bore(1200)})
	case "choose":
		r.g.step(station.Chosen{Item: id})
	case "cancel":
		r.g.step(station.Cancelled{})
	case "open":
		r.g.step(station.Opened{})
	}
}

// pushes pushes a button. Without a question that is shown it records nothing, with
// one nothing but what was shown before.
func (r *random) pushes() {
	acts := []station.Act{station.Confirm, station.Next, station.Cancel, station.Call, station.Choose1, station.Choose1 + 1, station.Choose9}
	act := rapid.SampledFrom(acts).Draw(r.rt, "button")
	before, held := r.g.machine.Last(), len(r.g.held)
	r.g.step(station.Pushed{Button: "knob", Act: act, At: r.p.now})
	if len(r.g.held) > held && !strings.HasPrefix(before.Text, "CHOOSE 1 of") && !strings.HasPrefix(before.Text, "CHOOSE 2 of") {
		r.rt.Fatalf("button %d had something recorded while the light said %q", act, before.Text)
	}
}

// answer answers one append that is under way; it must show something.
func (r *random) answer(failure error) {
	g := r.g
	if len(g.held) == 0 {
		return
	}
	i := rapid.IntRange(0, len(g.held)-1).Draw(r.rt, "append")
	e := g.held[i]
	g.held = slices.Delete(g.held, i, i+1)
	g.breaks = failure
	a := g.append(e)
	g.breaks = nil
	shown, held := len(g.shows), len(g.held)
	g.step(a)
	if len(g.shows) == shown && len(g.held) == held && a.Outcome == station.Durable {
		r.rt.Fatalf("the answer to %+v shows nothing", e)
	}
}

// settles answers all that is under way and takes everything away.
func (r *random) settles() {
	g := r.g
	g.step(station.Stored{})
	if _, called := g.machine.Help(); called {
		g.step(station.Cancelled{})
	}
	for _, reader := range []string{"bench", "side"} {
		g.step(station.ReaderUp{Reader: reader})
	}
	for range 100 {
		g.release()
		for _, serial := range g.weighs {
			g.step(station.Weighed{Serial: serial, Milligrams: 110_000})
		}
	}
	if n := g.machine.Awaiting(); n != 0 || len(g.held) != 0 {
		r.rt.Fatalf("%d answers are awaited for ever, %d are due", n, len(g.held))
	}
	for _, reader := range []string{"bench", "side"} {
		for _, tag := range []string{"T1", "T2", "B1", "G1", "S1", "X9", "BADGE-OLGA", "BADGE-MALLORY", ""} {
			g.step(station.Departed{Reader: reader, Tag: tag})
		}
	}
	g.release()
	if n := g.machine.Scans(); n != 0 {
		r.rt.Fatalf("%d scans lie there though all has left", n)
	}
	if g.light.Aspect != station.Idle {
		r.rt.Fatalf("all has left and works, but the light is %s: %q", g.light.Aspect, g.light.Text)
	}
}

// TestBounds floods a station.
func TestBounds(t *testing.T) {
	p := newPlant(t, "entrance", "drill-1")
	drill := p.at("drill-1")
	for i := range 3000 {
		tag := fmt.Sprintf("X%d", i)
		put(tag)(drill)
		if i%2 == 0 {
			lift(tag)(drill)
		}
	}
	p.order(bracket())
	p.takeIn("WO-1", "T1")
	drill.hold = true
	put("T1")(drill)
	for i := range 100 {
		put(fmt.Sprintf("Y%d", i))(drill)
	}
	if part := drill.machine.Oversized(); part != "" {
		t.Fatalf("%s grow beyond their bound", part)
	}
	if got := drill.machine.Last().Text; got != "LIFT AND SCAN AGAIN tag Y99: too many tags at once" {
		t.Errorf("the last tag is told %q", got)
	}
	release(drill)
	if n := drill.machine.Awaiting(); n != 0 {
		t.Errorf("%d answers are awaited", n)
	}
}
