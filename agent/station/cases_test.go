package station_test

import (
	"errors"
	"testing"
	"time"

	"traveler.example/agent/station"
	"traveler.example/ledger"
)

// newLine is a plant with three items of one order on their way to the drill.
func newLine(t *testing.T, o ledger.Order, stations ...string) *plant {
	t.Helper()
	p := newPlant(t, append([]string{"entrance"}, stations...)...)
	p.order(o)
	p.takeIn(o.ID, "T1", "T2", "T3")
	return p
}

// A tag that lies on the reader when the daemon or the reader comes up is
// present, not scanned.
func TestCase01PresentTag(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "it lies there at the start", at: drill, do: lies("T1"), lights: "amber", says: "LIFT AND SCAN AGAIN tag T1", logs: "scan.lift-again"},
		row{what: "the ledger changes", at: drill, do: func(g *gateway) { g.step(station.Changed{}) }, says: "LIFT AND SCAN AGAIN"},
		row{what: "it is lifted", at: drill, do: lift("T1"), lights: "idle", says: "LIFT AND SCAN AGAIN"},
		row{what: "and scanned", at: drill, do: put("T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "the reader goes", at: drill, after: time.Minute, do: down("bench"), lights: "fault", says: "READER DOWN bench: it was unplugged"},
		row{what: "and is back", at: drill, do: up("bench"), lights: "idle", says: "READER BACK bench: lift what lies on it"},
		row{what: "with another tag on it", at: drill, do: lies("T2"), lights: "amber", says: "LIFT AND SCAN AGAIN tag T2", logs: "scan.lift-again"},
		row{what: "the one that lay there in silence is lifted", at: drill, do: lift("T1"), says: "tag T2"},
		row{what: "and scanned: that is an act", at: drill, do: put("T1"), lights: "green", says: "COMPLETED T1|(the last put of 2 on bench)", logs: "scan.completed", seals: "report drill"},
	)
}

// A nervous second tap does not complete work.
func TestCase02Dwell(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "first tap, slow disk", at: drill, do: func(g *gateway) { hold(g); tap("T1")(g) }},
		row{
			what: "durable after 5 s: shown, though it has left", at: drill, after: 5 * time.Second, do: func(g *gateway) { g.hold = false; release(g) },
			lights: "green idle", says: "ACCEPTED T1 tag T1: Do drill-it, then scan again.", logs: "scan.accepted", seals: "accept drill",
		},
		row{
			what: "second tap 1 s after the light", at: drill, after: time.Second, do: tap("T1"), lights: "green-again idle",
			says: "ACCEPTED (already) T1|already accepted 1 s ago|a scan in 1 s completes it", logs: "scan.too-soon",
		},
		row{
			what: "the third does not wait longer for that", at: drill, after: time.Second, do: tap("T1"), lights: "green idle",
			says: "COMPLETED T1|Take it to press-1", logs: "scan.completed", seals: "report drill",
		},
	)
}

// After a restart the first scan of work in hand repeats ACCEPTED.
func TestCase02Restart(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "accepted", at: drill, do: tap("T1"), lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "the daemon starts again", at: drill, after: time.Hour, do: restart},
		row{what: "first scan", at: drill, do: tap("T1"), lights: "green-again idle", says: "ACCEPTED (already) T1|the next scan completes it", logs: "scan.repeated"},
		row{what: "the dwell runs from that light", at: drill, after: time.Second, do: tap("T1"), lights: "green-again idle", says: "already accepted 1 s ago", logs: "scan.too-soon"},
		row{what: "next scan", at: drill, after: time.Second, do: tap("T1"), lights: "green idle", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill"},
	)
}

// A mistaken completion or acceptance is withdrawn by its author.
func TestCase03Withdraw(t *testing.T) {
	p := newLine(t, bracket(), "drill-1", "press-1")
	drill, press := p.at("drill-1"), p.at("press-1")
	p.does("drill-1", "T1")
	taken := func(g *gateway) error { return g.withdraw("T1") }
	tell(t, p,
		row{what: "not by another", at: press, do: func(g *gateway) {
			if err := g.withdraw("T1"); err == nil {
				t.Error("press-1 took back the report of drill-1")
			}
		}},
		row{what: "the report is withdrawn", at: drill, after: time.Minute, do: mustBe(taken), seals: "withdraw"},
		row{what: "the item is in work again", at: drill, do: tap("T1"), lights: "green-again idle", says: "ACCEPTED (already) T1|it is in work here", logs: "scan.repeated"},
		row{what: "the next station knows", at: press, do: func(g *gateway) { deliver(g); put("T1")(g) }, lights: "amber", says: "WAIT T1|the report of drill from drill-1", logs: "scan.wait"},
		row{what: "done in earnest", at: drill, after: time.Minute, do: tap("T1"), lights: "green idle", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill"},
		row{what: "the next station goes on by itself", at: press, do: deliver, lights: "green", says: "ACCEPTED T1 tag T1: Do press-it", logs: "scan.accepted", seals: "accept press"},
		row{what: "too late for the author", at: drill, do: func(g *gateway) {
			if err := g.withdraw("T1"); err == nil {
				t.Error("drill-1 took back what press-1 accepted")
			}
		}},
		row{what: "the acceptance is withdrawn", at: press, do: mustBe(taken), seals: "withdraw"},
		row{what: "and can be made again", at: press, do: put("T1"), lights: "green", says: "ACCEPTED T1 tag T1: Do press-it", logs: "scan.accepted", seals: "accept press"},
	)
}

// bored is bracket with a limit on what is drilled.
func bored() ledger.Order {
	o := bracket()
	o.Routing[0].Limits = []ledger.Limit{{Name: "bore", Min: 1195, Max: 1205, Exponent: -2, Unit: "mm", OnFail: ledger.Return}}
	return o
}

// A mistyped value is amended at any time.
func TestCase03Amend(t *testing.T) {
	p := newLine(t, bored(), "drill-1", "press-1")
	drill, press := p.at("drill-1"), p.at("press-1")
	for _, tag := range []string{"T1", "T2"} {
		tell(t, p,
			row{what: "accepted", at: drill, after: time.Second, do: tap(tag), lights: "green idle", says: "ACCEPTED " + tag, logs: "scan.accepted", seals: "accept drill"},
			row{what: "not measured", at: drill, after: time.Minute, do: tap(tag), lights: "amber idle", says: "WAIT " + tag + "|measurements: bore", logs: "scan.wait"},
			row{what: "mistyped while it is not there", at: drill, do: enters(bore(2000)), lights: "idle", says: "ENTERED scan " + tag},
			row{what: "completed with it", at: drill, do: tap(tag), lights: "green idle", says: "COMPLETED " + tag, logs: "scan.completed", seals: "report drill"},
		)
	}
	amended := func(g *gateway) error {
		return g.word("T1", func(head ledger.Node) ledger.Tx {
			return ledger.Tx{About: []ledger.TxID{head.Tx}, Body: ledger.Amend{Measurements: bore(1200).Measurements, Reason: "20 was 12"}}
		})
	}
	tell(t, p,
		row{what: "amended", at: drill, do: mustBe(amended), seals: "amend"},
		row{what: "the right value passes", at: press, do: func(g *gateway) { deliver(g); tap("T1")(g) }, lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept press"},
		row{what: "the wrong one does not", at: press, do: put("T2"), lights: "red", says: "RETURN (bore) T2|expected 11.95 to 12.05 mm|found 20.00 mm|Take it back to drill-1", logs: "scan.rejected", seals: "return press"},
	)
}

// Tags are reused and swapped.
func TestCase05Tags(t *testing.T) {
	o := bracket()
	o.Routing = o.Routing[:1]
	p := newLine(t, o, "drill-1")
	entrance, drill := p.at("entrance"), p.at("drill-1")
	tell(t, p,
		row{what: "taken in twice", at: entrance, do: tap("T1"), lights: "amber idle", says: "ALREADY DONE T1|it is taken in as T1", logs: "scan.already-done"},
		row{what: "accepted", at: drill, do: tap("T1"), lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "its tag is not free", at: entrance, do: func(g *gateway) { deliver(g); tap("T1")(g) }, lights: "red idle", says: "TAG IN USE T1|in work at drill-1", logs: "scan.tag-in-use"},
		row{what: "finished", at: drill, after: time.Minute, do: tap("T1"), lights: "green idle", says: "COMPLETED T1|Finished", logs: "scan.completed", seals: "report drill"},
		row{what: "known as finished", at: drill, do: tap("T1"), lights: "amber idle", says: "ALREADY DONE T1|its tag is free", logs: "scan.already-done"},
		row{what: "so it is free", at: entrance, do: func(g *gateway) { deliver(g); tap("T1")(g) }, lights: "green idle", says: "TAKEN IN T1", logs: "scan.taken-in", seals: "intake T1"},
		row{what: "and the new item is meant", at: drill, do: func(g *gateway) { deliver(g); tap("T1")(g) }, lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
	)
	second, third := drill.item("T2"), drill.item("T3")
	bind := p.signed("quinn", ledger.Tx{Item: third.ID, Body: ledger.Bind{Tags: []string{"T2"}}})
	p.deliver()
	choose := func(id ledger.ItemID) func(*gateway) {
		return func(g *gateway) { g.step(station.Chosen{Item: id}) }
	}
	tell(t, p,
		row{what: "two open items on one tag", at: drill, do: put("T2"), lights: "amber", says: "CHOOSE tag T2|Choose the item", logs: "scan.choose"},
		row{what: "a choice that is none", at: drill, do: choose(ledger.ItemID{1}), lights: "idle", says: "SCAN AGAIN"},
		row{what: "chosen", at: drill, do: choose(third.ID), lights: "green", says: "ACCEPTED T3 tag T2", logs: "scan.accepted", seals: "accept drill"},
		row{
			what: "lifted and put back: it has to be chosen again", at: drill, after: time.Minute, do: func(g *gateway) { lift("T2")(g); put("T2")(g) },
			lights: "idle amber", says: "CHOOSE tag T2", logs: "scan.choose",
		},
		row{what: "at intake", at: entrance, do: tap("T2"), lights: "red idle", says: "TAG IN USE tag T2", logs: "scan.tag-in-use"},
		row{what: "the binding is superseded", at: entrance, do: func(g *gateway) {
			p.signed("quinn", ledger.Tx{Item: third.ID, Body: ledger.Bind{Tags: []string{"T4"}, Supersedes: []ledger.TxID{bind}}})
			deliver(g)
		}, says: "TAG IN USE", seals: "bind"},
		row{what: "now one is meant", at: drill, do: func(g *gateway) { lift("T2")(g); tap("T2")(g) }, lights: "idle green idle", says: "ACCEPTED T2 tag T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "and the other has its own", at: drill, do: tap("T4"), lights: "green idle", says: "COMPLETED T3 tag T4", logs: "scan.completed", seals: "report drill"},
	)
	if second.ID == third.ID {
		t.Error("one item")
	}
}

// Nothing stays green for a thing that has gone.
func TestCase07Light(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "accepted", at: drill, do: put("T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "departed: the words stay", at: drill, do: lift("T1"), lights: "idle", says: "ACCEPTED T1"},
		row{what: "departed twice", at: drill, do: lift("T1"), says: "ACCEPTED T1"},
		row{what: "another", at: drill, do: put("T2"), lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "its reader goes: red before green", at: drill, do: down("bench"), lights: "fault", says: "READER DOWN bench"},
		row{what: "told twice", at: drill, do: down("bench"), says: "READER DOWN bench"},
		row{what: "the other reader works", at: drill, do: putOn("side", "T3"), lights: "green", says: "ACCEPTED T3", logs: "scan.accepted", seals: "accept drill"},
		row{what: "then the fault shows again", at: drill, do: liftFrom("side", "T3"), lights: "fault", says: "ACCEPTED T3"},
		row{what: "the second goes, too", at: drill, do: down("side"), lights: "fault", says: "READER DOWN side"},
		row{what: "one is back", at: drill, do: up("bench"), lights: "fault", says: "READER BACK bench|reader side is down"},
		row{what: "both are back", at: drill, do: up("side"), lights: "idle", says: "READER BACK side"},
		row{what: "told twice", at: drill, do: up("side"), says: "READER BACK side"},
	)
}

func TestCase07LightOfARecordUnderWay(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	drill.hold = true
	tell(t, p,
		row{what: "on its way to the disk", at: drill, do: put("T1")},
		row{what: "the reader goes meanwhile", at: drill, do: down("bench"), lights: "fault", says: "READER DOWN"},
		row{what: "recorded: no green", at: drill, do: release, lights: "fault fault", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "back", at: drill, do: up("bench"), lights: "idle", says: "READER BACK bench"},
		row{what: "another, whose reader goes and comes", at: drill, do: func(g *gateway) { put("T2")(g); down("bench")(g); up("bench")(g) }, lights: "fault idle", says: "READER BACK"},
		row{what: "recorded: said, but nobody knows whether it lies there", at: drill, do: release, lights: "green idle", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "two at once", at: drill, after: time.Minute, do: func(g *gateway) { put("T1")(g); put("T3")(g); lift("T1")(g) }, says: "ACCEPTED T2"},
		row{
			what: "each has its light, in order", at: drill, do: release, lights: "green idle green", says: "ACCEPTED T3",
			logs: "scan.completed scan.accepted", seals: "report drill, accept drill",
		},
		row{what: "the disk fails", at: drill, after: time.Minute, do: func(g *gateway) {
			g.breaks = errors.New("input/output error")
			put("T3")(g)
			release(g)
		}, lights: "fault", says: "FAULT tag T3: nothing was recorded: input/output error", logs: "scan.wait"},
		row{what: "and again: said once", at: drill, do: func(g *gateway) { g.step(station.Changed{}); release(g) }, says: "FAULT tag T3"},
		row{what: "and works again: the scan counts", at: drill, do: func(g *gateway) {
			g.breaks = nil
			g.step(station.Changed{})
			release(g)
		}, lights: "green", says: "COMPLETED T3", logs: "scan.completed", seals: "report drill"},
	)
}

// Two tags on one reader: the last put there counts.
func TestCase07TwoTags(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "one", at: drill, do: put("T1"), lights: "green", says: "ACCEPTED T1 tag T1: ", logs: "scan.accepted", seals: "accept drill"},
		row{what: "an unknown one beside it", at: drill, do: put("X9"), lights: "red", says: "UNKNOWN TAG tag X9 (the last put of 2 on bench)", logs: "scan.unknown-tag"},
		row{what: "the first is lifted: the light is the other's", at: drill, do: lift("T1"), says: "UNKNOWN TAG"},
		row{what: "the other is lifted", at: drill, do: lift("X9"), lights: "idle", says: "UNKNOWN TAG"},
		row{
			what: "one that waits is covered", at: drill, do: func(g *gateway) { put("X9")(g); put("T2")(g) }, lights: "red green",
			says: "ACCEPTED T2 tag T2 (the last put of 2 on bench)", logs: "scan.unknown-tag scan.accepted", seals: "accept drill",
		},
		row{what: "the last is lifted: nothing happens to the one below", at: drill, after: time.Minute, do: lift("T2"), lights: "idle", says: "ACCEPTED T2"},
		row{what: "nor on news", at: drill, do: func(g *gateway) { g.step(station.Changed{}) }, says: "ACCEPTED T2"},
	)
}
