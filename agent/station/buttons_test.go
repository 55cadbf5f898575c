package station_test

import (
	"testing"
	"time"

	"traveler.example/agent/station"
	"traveler.example/ledger"
)

// push pushes a button a second after the light has changed.
func push(act station.Act) func(*gateway) {
	return func(g *gateway) {
		g.p.now = g.p.now.Add(time.Second)
		pushNow(act)(g)
	}
}

func pushNow(act station.Act) func(*gateway) {
	return func(g *gateway) { g.step(station.Pushed{Button: "knob", Act: act, At: g.p.now}) }
}

// inTurn does several things, one after the other.
func inTurn(all ...func(*gateway)) func(*gateway) {
	return func(g *gateway) {
		for _, f := range all {
			f(g)
		}
	}
}

// shared is a line whose drill has buttons, and where tag T2 means T2 and T3.
func shared(t *testing.T, acts ...station.Act) (*plant, *gateway) {
	t.Helper()
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	p.signed("quinn", ledger.Tx{Item: drill.item("T3").ID, Body: ledger.Bind{Tags: []string{"T2"}}})
	p.deliver()
	drill.cfg.Acts = acts
	drill.restart()
	return p, drill
}

func TestChooseByButtons(t *testing.T) {
	p, drill := shared(t, station.Next, station.Confirm, station.Cancel)
	tell(t, p,
		row{what: "nothing is asked", at: drill, do: inTurn(push(station.Confirm), push(station.Next), push(station.Cancel), push(station.Choose1))},
		row{
			what: "asked", at: drill, do: put("T2"), lights: "amber", logs: "scan.choose",
			says: "CHOOSE tag T2: expected one open item with this tag; found 2: 1 T2, 2 T3; next shows one after the other, confirm takes the one shown; Choose the item",
		},
		row{what: "no option is shown yet", at: drill, do: push(station.Confirm), says: "found 2:"},
		row{what: "the first", at: drill, do: push(station.Next), lights: "amber", says: "CHOOSE 1 of 2: T2 (tag T2): confirm takes it, next shows another"},
		row{what: "too quick to have been seen", at: drill, do: pushNow(station.Confirm), says: "CHOOSE 1 of 2"},
		row{what: "the second", at: drill, do: push(station.Next), lights: "amber", says: "CHOOSE 2 of 2: T3"},
		row{what: "round", at: drill, do: inTurn(push(station.Next), pushNow(station.Next)), lights: "amber amber", says: "CHOOSE 2 of 2: T3"},
		row{what: "taken", at: drill, do: push(station.Confirm), lights: "green", says: "ACCEPTED T3 tag T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "once", at: drill, after: time.Minute, do: inTurn(push(station.Confirm), push(station.Next), push(station.Cancel)), says: "ACCEPTED T3"},
		row{what: "asked anew: nothing is marked", at: drill, do: inTurn(lift("T2"), put("T2"), push(station.Confirm)), lights: "idle amber", says: "found 2:", logs: "scan.choose"},
		row{what: "left", at: drill, do: push(station.Cancel), lights: "idle", says: "CANCELLED tag T2: nothing was chosen", logs: "scan.cancelled"},
		row{what: "no question is left", at: drill, do: inTurn(push(station.Next), push(station.Confirm), push(station.Cancel)), says: "CANCELLED"},
		row{what: "it can be scanned again", at: drill, do: inTurn(lift("T2"), put("T2")), lights: "amber", says: "found 2:", logs: "scan.choose"},
	)
}

// A question is answered only by who sees it.
func TestCoveredQuestion(t *testing.T) {
	p, drill := shared(t, station.Next, station.Confirm, station.Cancel)
	tell(t, p,
		row{what: "an option is shown", at: drill, do: inTurn(put("T2"), push(station.Next)), lights: "amber amber", says: "CHOOSE 1 of 2: T2", logs: "scan.choose"},
		row{what: "covered by another scan", at: drill, do: putOn("side", "T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "confirm and cancel do not mean it", at: drill, do: inTurn(push(station.Confirm), push(station.Cancel)), says: "ACCEPTED T1"},
		row{what: "next shows it again", at: drill, do: push(station.Next), lights: "amber", says: "CHOOSE 1 of 2: T2"},
		row{what: "the disk fills", at: drill, do: func(g *gateway) { g.free.Store(0); g.watch() }, lights: "fault", says: "FAULT"},
		row{what: "and nothing is taken", at: drill, do: inTurn(push(station.Next), push(station.Confirm)), lights: "amber fault", says: "FAULT tag T2: nothing was recorded", logs: "scan.wait"},
		row{what: "space: the item chosen", at: drill, do: func(g *gateway) { g.free.Store(1 << 40); g.watch() }, lights: "idle green", says: "ACCEPTED T2 tag T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "lifted, then pushed", at: drill, do: inTurn(lift("T2"), put("T2"), lift("T2"), push(station.Next), push(station.Confirm)), lights: "idle amber idle", says: "CHOOSE", logs: "scan.choose"},
	)
}

// News of a tag that has left are no question, though they lead to one.
func TestNewsAreNoQuestion(t *testing.T) {
	p, drill := shared(t, station.Next, station.Confirm)
	tell(t, p,
		row{what: "one that waits, and has left", at: drill, do: tap("X9"), lights: "red idle", says: "UNKNOWN TAG", logs: "scan.unknown-tag"},
		row{what: "an option is shown", at: drill, do: inTurn(put("T2"), push(station.Next)), lights: "amber amber", says: "CHOOSE 1 of 2: T2", logs: "scan.choose"},
		row{what: "covered", at: drill, do: inTurn(down("side"), up("side")), lights: "fault idle", says: "READER BACK side"},
		row{what: "the other tag means two items now", at: drill, do: func(g *gateway) {
			for _, label := range []string{"T1", "T3"} {
				p.signed("quinn", ledger.Tx{Item: g.item(label).ID, Body: ledger.Bind{Tags: []string{"X9"}}})
			}
			g.p.deliver()
		}, lights: "idle", says: "CAN BE SCANNED NOW tag X9", logs: "scan.resolved", seals: "bind, bind"},
		row{what: "confirm does not mean what lies there", at: drill, do: push(station.Confirm), says: "CAN BE SCANNED NOW tag X9"},
	)
}

// What is chosen may have changed meanwhile: it is asked again, or decided.
func TestChoiceThatHasGone(t *testing.T) {
	p, drill := shared(t, station.Next, station.Confirm)
	drill.hold = true
	tell(t, p,
		row{what: "one is taken", at: drill, do: inTurn(put("T2"), push(station.Next), push(station.Confirm)), lights: "amber amber", says: "CHOOSE 1 of 2", logs: "scan.choose"},
		row{what: "pushes while it is recorded answer nothing", at: drill, do: inTurn(push(station.Confirm), push(station.Next)), says: "CHOOSE 1 of 2"},
		row{what: "recorded", at: drill, do: release, lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept drill"},
	)
}

func TestChooseByNumber(t *testing.T) {
	for _, tt := range []struct {
		name      string
		acts      []station.Act
		how, says string
	}{
		{"numbers alone", []station.Act{station.Choose1, station.Choose1 + 1}, "push its number twice", "push choose-2 again to take it"},
		{"with confirm", []station.Act{station.Choose1 + 1, station.Confirm}, "push its number, then confirm", "confirm takes it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, drill := shared(t, tt.acts...)
			tell(t, p,
				row{what: "asked", at: drill, do: put("T2"), lights: "amber", says: "found 2: 1 T2, 2 T3|" + tt.how, logs: "scan.choose"},
				row{what: "there is no third", at: drill, do: inTurn(push(station.Choose1+2), push(station.Choose9)), says: "found 2:"},
				row{what: "shown first", at: drill, do: push(station.Choose1 + 1), lights: "amber", says: "CHOOSE 2 of 2: T3|" + tt.says},
				row{what: "a bounce takes nothing", at: drill, do: pushNow(station.Choose1 + 1), says: "CHOOSE 2 of 2"},
				row{what: "another", at: drill, do: push(station.Choose1), lights: "amber", says: "CHOOSE 1 of 2: T2"},
				row{what: "pushed again", at: drill, do: push(station.Choose1), lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept drill"},
			)
		})
	}
}

// Cancel takes back nothing that is recorded, and loses nothing by one push.
func TestCancelButton(t *testing.T) {
	p := newLine(t, bored(), "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "work in hand", at: drill, do: inTurn(put("T1"), push(station.Cancel)), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "values entered", at: drill, do: enters(bore(1200)), lights: "green-again", says: "ACCEPTED (already)", logs: "scan.too-soon"},
		row{what: "one push", at: drill, do: push(station.Cancel), lights: "idle", says: "CANCEL? what was entered is lost: push cancel again"},
		row{what: "a bounce is no second", at: drill, do: pushNow(station.Cancel), lights: "idle", says: "CANCEL?"},
		row{what: "nor is one after a while", at: drill, after: time.Minute, do: push(station.Cancel), lights: "idle", says: "CANCEL?"},
		row{what: "they are still there", at: drill, after: time.Minute, do: inTurn(lift("T1"), put("T1")), lights: "green", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill"},
		row{what: "another, entered", at: drill, do: inTurn(lift("T1"), tap("T2"), enters(bore(1200))), lights: "idle green idle idle", says: "ENTERED scan T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "twice", at: drill, do: inTurn(push(station.Cancel), push(station.Cancel)), lights: "idle idle", says: "CANCELLED what lay here", logs: "scan.cancelled"},
		row{what: "given up", at: drill, after: time.Minute, do: put("T2"), lights: "amber", says: "WAIT T2|measurements: bore", logs: "scan.wait"},
		row{what: "what waits is given up at once: it can be scanned again", at: drill, do: push(station.Cancel), lights: "idle", says: "CANCELLED", logs: "scan.cancelled"},
		row{what: "nothing is left to cancel", at: drill, do: push(station.Cancel), says: "CANCELLED"},
	)
}

func TestHelp(t *testing.T) {
	p, drill := shared(t, station.Call, station.Next, station.Confirm, station.Cancel)
	drill.cfg.Badges["BADGE-MARTA"] = station.Badge{Name: "marta"} // in the profile, no operator
	at := p.now.Add(time.Second)
	tell(t, p,
		row{what: "by nobody on shift", at: drill, do: push(station.Call), lights: "amber", says: "HELP CALLED a badge or cancel ends it", logs: "help.called"},
	)
	if h, ok := drill.machine.Help(); !ok || h.Button != "knob" || len(h.Who) != 0 || !h.Since.Equal(at) {
		t.Errorf("help %+v, %t", h, ok)
	}
	tell(t, p,
		row{what: "called again: since then", at: drill, do: push(station.Call), lights: "amber", says: "HELP CALLED"},
		row{what: "cancelled", at: drill, do: push(station.Cancel), lights: "idle", says: "HELP ENDED it was cancelled", logs: "help.ended"},
		row{what: "on shift", at: drill, do: tap("BADGE-OLGA"), lights: "green-again idle", says: "ON SHIFT", logs: "badge.login"},
		row{what: "an option is shown", at: drill, do: inTurn(put("T2"), push(station.Next)), lights: "amber amber", says: "CHOOSE 1 of 2", logs: "scan.choose"},
		row{what: "called over a question", at: drill, do: push(station.Call), lights: "amber", says: "HELP CALLED by olga; ", logs: "help.called"},
		row{what: "confirm does not mean the question now", at: drill, do: push(station.Confirm), says: "HELP CALLED"},
		row{what: "the badge of somebody who is no operator", at: drill, do: put("BADGE-MARTA"), lights: "idle amber", says: "CHOOSE 1 of 2", logs: "help.ended"},
		row{what: "the question goes on", at: drill, do: push(station.Confirm), lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "called over work in hand", at: drill, do: push(station.Call), lights: "amber", says: "HELP CALLED by olga", logs: "help.called"},
		row{what: "her own badge ends it, not her shift", at: drill, do: put("BADGE-OLGA"), lights: "idle green-again", says: "ACCEPTED T2", logs: "help.ended"},
		row{what: "and it rests when the tag has left", at: drill, do: lift("T2"), lights: "idle", says: "ACCEPTED T2"},
	)
	if shift := drill.machine.Shift(); len(shift) != 1 {
		t.Errorf("on shift: %v", shift)
	}
}

// While help is called scans are answered, and the light comes back to amber. A
// fault goes before.
func TestWorkGoesOnWhileHelpIsCalled(t *testing.T) {
	p, drill := shared(t, station.Call, station.Cancel)
	tell(t, p,
		row{what: "called", at: drill, do: push(station.Call), lights: "amber", says: "HELP CALLED", logs: "help.called"},
		row{what: "a scan", at: drill, do: tap("T1"), lights: "green amber", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "the reader goes", at: drill, do: down("bench"), lights: "fault", says: "READER DOWN"},
		row{what: "called again", at: drill, do: push(station.Call), lights: "fault", says: "HELP CALLED"},
		row{what: "and comes", at: drill, do: up("bench"), lights: "amber", says: "READER BACK bench; help is called"},
		row{what: "a scan stands there", at: drill, after: time.Minute, do: put("T1"), lights: "green", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill"},
		row{what: "the other reader goes", at: drill, do: inTurn(push(station.Call), down("side")), lights: "amber fault", says: "READER DOWN"},
		row{what: "cancelled at the desk: no green over a fault", at: drill, do: func(g *gateway) { g.step(station.Cancelled{}) }, lights: "fault", says: "HELP ENDED it was cancelled; reader side is down", logs: "help.ended"},
		row{what: "the next word cancels as ever", at: drill, do: func(g *gateway) { g.step(station.Cancelled{}) }, lights: "fault", says: "CANCELLED", logs: "scan.cancelled"},
	)
	if _, ok := drill.machine.Help(); ok {
		t.Error("help is still called")
	}
}
