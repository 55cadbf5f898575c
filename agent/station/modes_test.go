package station_test

import (
	"errors"
	"testing"
	"time"

	"traveler.example/agent/station"
	"traveler.example/ledger"
)

// weighed is an order whose second operation weighs what comes in.
func weighed() ledger.Order {
	weigh := op("weigh", "scale-1", "drill")
	weigh.Limits = []ledger.Limit{{Name: ledger.WeightLimit, Min: 100, Max: 120, Unit: "g", OnFail: ledger.Return}}
	return ledger.Order{ID: "WO-w", Product: "bracket", Routing: []ledger.Operation{op("drill", "drill-1"), weigh}}
}

// A weight outside its limits at the entry: back to the reporter, rework, and set
// aside when it fails again.
func TestScale(t *testing.T) {
	p := newLine(t, weighed(), "drill-1", "scale-1")
	drill, scale := p.at("drill-1"), p.at("scale-1")
	p.does("drill-1", "T1")
	tell(t, p,
		row{what: "put on the scale", at: scale, do: put("T1"), lights: "amber", says: "WAIT (weight) T1|expected a weight of 100 to 120 g|it is being weighed"},
		row{what: "not still", at: scale, do: weighs(0, "the weight is not stable"), lights: "amber", says: "found the weight is not stable|Put the item on the scale", logs: "scan.wait"},
		row{what: "news do not weigh", at: scale, do: func(g *gateway) { g.step(station.Changed{}) }, says: "not stable"},
		row{what: "a late answer", at: scale, do: weighs(110_000, ""), says: "not stable"},
		row{what: "scanned again", at: scale, do: func(g *gateway) { lift("T1")(g); put("T1")(g) }, lights: "idle amber", says: "being weighed"},
		row{what: "too heavy", at: scale, do: weighs(150_000, ""), lights: "red", says: "RETURN (weight) T1|expected 100 to 120 g|found 150.000 g|Take it back to drill-1 for rework", logs: "scan.rejected", seals: "return weigh"},
		row{what: "again", at: scale, do: func(g *gateway) { lift("T1")(g); put("T1")(g) }, lights: "idle amber", says: "ALREADY DONE T1|returned from here", logs: "scan.already-done"},
		row{what: "rework", at: drill, do: func(g *gateway) { deliver(g); tap("T1")(g) }, lights: "green idle", says: "ACCEPTED T1|do drill-it again", logs: "scan.accepted", seals: "accept drill"},
		row{what: "done again", at: drill, after: time.Minute, do: tap("T1"), lights: "green idle", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill"},
		row{what: "news do not take it up: it was answered", at: scale, do: deliver, says: "ALREADY DONE"},
		row{what: "scanned", at: scale, do: func(g *gateway) { lift("T1")(g); put("T1")(g) }, lights: "idle amber", says: "being weighed"},
		row{what: "too light: the second failure", at: scale, do: weighs(50_000, ""), lights: "red", says: "SET ASIDE (weight) T1|found 50.000 g, after 1 return of drill|Put the item aside for quality", logs: "scan.rejected", seals: "set-aside weigh"},
		row{what: "held", at: scale, do: tap("T1"), lights: "amber idle", says: "WAIT T1|until quality has ruled", logs: "scan.wait"},
	)
}

func TestScaleAndLiftedItems(t *testing.T) {
	p := newLine(t, weighed(), "drill-1", "scale-1")
	scale := p.at("scale-1")
	p.does("drill-1", "T1")
	p.does("drill-1", "T2")
	tell(t, p,
		row{what: "lifted while it is weighed", at: scale, do: tap("T1"), lights: "amber amber idle", says: "WAIT (weight) T1|before it was weighed", logs: "scan.wait"},
		row{what: "the answer comes late", at: scale, do: weighs(110_000, ""), says: "WAIT (weight) T1"},
		row{what: "lifted and put back", at: scale, do: func(g *gateway) { tap("T1")(g); put("T1")(g) }, lights: "amber amber idle amber", says: "being weighed", logs: "scan.wait"},
		row{what: "seen twice", at: scale, do: put("T1"), says: "being weighed"},
		row{what: "another tag on the other reader", at: scale, do: putOn("side", "T2"), lights: "amber", says: "WAIT (weight) T2|tag T1 is being weighed", logs: "scan.wait"},
		row{what: "the first is weighed", at: scale, do: weighs(110_000, ""), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept weigh"},
		row{
			what: "the other in its place: overtaken by a third", at: scale, do: func(g *gateway) { put("T2")(g); put("X9")(g) }, lights: "amber amber idle red",
			says: "UNKNOWN TAG tag X9", logs: "scan.wait scan.unknown-tag",
		},
		row{what: "its answer is for nobody", at: scale, do: weighs(110_000, ""), says: "UNKNOWN TAG"},
		row{what: "an answer that nobody asked for", at: scale, do: func(g *gateway) {
			g.step(station.Weighed{Serial: 999})
			g.step(station.Sealed{Serial: 999, Outcome: station.Durable})
		}, says: "UNKNOWN TAG"},
		row{
			what: "the reader goes while it weighs", at: scale, do: func(g *gateway) { put("T2")(g); down("bench")(g) }, lights: "amber fault fault fault",
			says: "READER DOWN", logs: "scan.wait",
		},
	)
}

// Tags that come one after another while the first is recorded and the next one
// weighed: each is decided, the last counts.
func TestScaleAndQueue(t *testing.T) {
	p := newLine(t, weighed(), "drill-1", "scale-1")
	scale := p.at("scale-1")
	p.does("drill-1", "T1")
	p.does("drill-1", "T2")
	tell(t, p,
		row{what: "one is being recorded", at: scale, do: func(g *gateway) { hold(g); put("T1")(g); weighs(110_000, "")(g) }, lights: "amber", says: "being weighed"},
		row{what: "two more", at: scale, do: func(g *gateway) { put("T2")(g); put("X8")(g) }, says: "being weighed"},
		row{what: "recorded: the second is weighed", at: scale, do: release, lights: "green amber", says: "WAIT (weight) T2", logs: "scan.accepted", seals: "accept weigh"},
		row{what: "a fourth ends that", at: scale, do: put("X9"), lights: "amber idle red red", says: "UNKNOWN TAG tag X9 (the last put of 4 on bench)", logs: "scan.wait scan.unknown-tag scan.unknown-tag"},
		row{what: "it is lifted", at: scale, do: lift("X9"), lights: "idle", says: "UNKNOWN TAG tag X9"},
	)
}

func TestNoScale(t *testing.T) {
	p := newLine(t, weighed(), "drill-1", "scale-1")
	scale := p.at("scale-1")
	scale.cfg.Scale = false
	scale.restart()
	p.does("drill-1", "T1")
	tell(t, p, row{what: "nothing to weigh with", at: scale, do: put("T1"), lights: "amber", says: "found this station has no scale", logs: "scan.wait"})
}

// A portal does both in one scan; gates at an in-out station let a reader do one.
func TestPortalAndGates(t *testing.T) {
	o := bracket()
	o.Routing = append(o.Routing, op("box", "pack-1", "press"))
	p := newLine(t, o, "drill-1", "press-1", "pack-1")
	drill, press, pack := p.at("drill-1"), p.at("press-1"), p.at("pack-1")
	press.here.Mode = ledger.ModePortal
	pack.cfg.Gates["door-in"], pack.cfg.Gates["door-out"] = ledger.GateIn, ledger.GateOut
	pack.restart()
	tell(t, p,
		row{what: "portal, too early", at: press, do: tap("T1"), lights: "red idle", says: "WRONG STATION T1|Take it to drill-1", logs: "scan.wrong-station", seals: "misroute"},
		row{what: "drilled", at: drill, do: func(*gateway) { p.does("drill-1", "T1") }, lights: "green idle green idle", says: "COMPLETED", logs: "scan.accepted scan.completed", seals: "accept drill, report drill"},
		row{what: "portal: accepted and completed", at: press, do: tap("T1"), lights: "green idle", says: "COMPLETED T1|Take it to pack-1", logs: "scan.completed", seals: "accept press, report press"},
		row{what: "portal again", at: press, do: tap("T1"), lights: "amber idle", says: "ALREADY DONE T1", logs: "scan.already-done"},
		row{what: "at the exit first", at: pack, do: func(g *gateway) { deliver(g); putOn("door-out", "T1")(g) }, lights: "amber", says: "WAIT T1|Scan it at the entrance reader first", logs: "scan.wait"},
		row{what: "at the entrance", at: pack, do: func(g *gateway) { liftFrom("door-out", "T1")(g); putOn("door-in", "T1")(g) }, lights: "idle green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept box"},
		row{what: "at the entrance again", at: pack, after: time.Minute, do: putOn("door-in", "T1"), lights: "green-again", says: "ACCEPTED (already) T1|exit reader to complete it", logs: "scan.repeated"},
		row{what: "at the exit", at: pack, do: putOn("door-out", "T1"), lights: "green", says: "COMPLETED T1|Finished", logs: "scan.completed", seals: "report box"},
	)
}

// Badges begin and end shifts; who must sign off is asked for.
func TestBadges(t *testing.T) {
	o := bracket()
	o.Routing[0].Signers = 1
	p := newLine(t, o, "drill-1")
	drill := p.at("drill-1")
	tell(t, p,
		row{what: "accepted", at: drill, do: tap("T1"), lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "nobody signs", at: drill, after: time.Minute, do: put("T1"), lights: "amber", says: "WAIT T1|an operator signed on|Tap your badge", logs: "scan.wait"},
		row{what: "somebody unknown", at: drill, do: tap("BADGE-MALLORY"), lights: "red idle", says: "BADGE REFUSED mallory", logs: "badge.refused"},
		row{what: "on shift: that completes nothing", at: drill, do: tap("BADGE-OLGA"), lights: "green-again amber", says: "CAN BE SCANNED NOW T1", logs: "badge.login scan.resolved"},
		row{what: "a scan does", at: drill, do: func(g *gateway) { lift("T1")(g); put("T1")(g) }, lights: "idle green", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill signed"},
		row{what: "a badge that lies there is no scan", at: drill, do: lies("BADGE-OLGA"), lights: "amber", says: "LIFT AND SCAN AGAIN", logs: "scan.lift-again"},
		row{what: "off shift", at: drill, do: put("BADGE-OLGA"), lights: "green-again", says: "OFF SHIFT olga", logs: "badge.logout"},
	)
	if shift := drill.machine.Shift(); len(shift) != 0 {
		t.Errorf("on shift: %v", shift)
	}
}

// A full disk: nothing is shown as recorded; the scan that lies there is decided
// when there is space again.
func TestFullDisk(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	full := func(g *gateway) { g.free.Store(0) }
	tell(t, p,
		row{what: "full, which only the scan finds out", at: drill, do: func(g *gateway) { full(g); put("T1")(g) }, lights: "fault", says: "FAULT tag T1: nothing was recorded: disk is too full", logs: "scan.wait"},
		row{what: "the watch knows, too", at: drill, do: (*gateway).watch, lights: "fault", says: "FAULT nothing can be recorded: disk is too full"},
		row{what: "told twice", at: drill, do: (*gateway).watch, says: "FAULT nothing"},
		row{what: "another scan", at: drill, do: func(g *gateway) { putOn("side", "T2")(g); liftFrom("side", "T2")(g) }, lights: "fault fault", says: "FAULT tag T2", logs: "scan.wait"},
		row{what: "news", at: drill, do: func(g *gateway) { g.step(station.Changed{}) }, says: "FAULT tag T2"},
		row{
			what: "space again", at: drill, do: func(g *gateway) { g.free.Store(1 << 40); g.watch() }, lights: "idle green green-again",
			says: "ACCEPTED T1|CAN BE SCANNED NOW T2", logs: "scan.accepted scan.resolved", seals: "accept drill",
		},
	)
}

// A store that cannot be read decides nothing, and says so once.
func TestDamagedStore(t *testing.T) {
	p := newLine(t, bracket(), "drill-1", "press-1")
	press := p.at("press-1")
	tap("T1")(p.at("drill-1"))
	p.deliver()
	damaged := func(g *gateway) { g.damage = errors.New("damaged block of drill-1 at height 1") }
	tell(t, p,
		row{what: "one waits", at: press, do: put("T1"), lights: "amber", says: "WAIT T1", logs: "scan.wait"},
		row{what: "one waits that is lifted", at: press, do: func(g *gateway) { putOn("side", "X9")(g); liftFrom("side", "X9")(g) }, lights: "red idle", says: "UNKNOWN TAG", logs: "scan.unknown-tag"},
		row{what: "news that cannot be read", at: press, do: func(g *gateway) { damaged(g); g.step(station.Changed{}) }, lights: "fault", says: "FAULT tag T1: nothing was recorded: damaged block", logs: "scan.wait"},
		row{what: "more of them", at: press, do: func(g *gateway) { g.step(station.Changed{}) }, says: "FAULT tag T1"},
		row{what: "mended", at: press, do: func(g *gateway) { g.damage = nil; g.step(station.Changed{}) }, lights: "amber", says: "WAIT T1", logs: "scan.wait"},
	)
}

// What changes between decision and disk is decided anew, not for ever.
func TestStale(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill, entrance := p.at("drill-1"), p.at("entrance")
	ruled := func() {
		it := entrance.item("T1")
		p.signed("quinn", ledger.Tx{Item: it.ID, After: it.HeadIDs, Body: ledger.Disposition{
			Ruling: ledger.ReworkAt, Operation: "drill", Task: "drill-it", Place: "drill-1", Reason: "again",
		}})
		b := entrance.blocks[len(entrance.blocks)-1]
		if _, err := drill.replica.Ingest(t.Context(), b.UnverifiedBlock); err != nil {
			t.Fatal(err)
		}
		drill.known["entrance"] = len(entrance.blocks)
	}
	left := 0
	drill.between = func() {
		if left > 0 {
			left--
			ruled()
		}
	}
	again := func(n int) func(*gateway) {
		return func(g *gateway) {
			left = n
			put("T1")(g)
		}
	}
	tell(t, p,
		row{what: "quality rules at the same moment", at: drill, do: func(g *gateway) { again(1)(g); p.sealed = p.sealed[1:] }, lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
	)
	p.deliver()
	p.ruled("T1", ledger.Disposition{Ruling: ledger.ReworkAt, Operation: "drill", Task: "drill-it", Place: "drill-1", Reason: "again"})
	tell(t, p,
		row{what: "and does not stop", at: drill, do: func(g *gateway) { again(100)(g); p.sealed = nil }, lights: "fault", says: "FAULT tag T1: nothing was recorded: other stations keep changing this item", logs: "scan.wait"},
		row{what: "until it does", at: drill, do: func(g *gateway) { left = 0; g.step(station.Changed{}) }, lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
	)
	if left > 100-8 {
		t.Errorf("given up after %d attempts", 100-left)
	}
}

// Values are entered for the item that the terminal shows, or for one that is named.
func TestEntered(t *testing.T) {
	p := newLine(t, bored(), "drill-1")
	drill := p.at("drill-1")
	failed := ledger.Form{Failed: true, Failure: "drill broke"}
	tell(t, p,
		row{what: "for nothing", at: drill, do: enters(failed), lights: "idle", says: "SCAN FIRST"},
		row{what: "accepted", at: drill, do: put("T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "too soon, but kept", at: drill, do: enters(bore(1200)), lights: "green-again", says: "ACCEPTED (already) T1", logs: "scan.too-soon"},
		row{what: "another item does not take it", at: drill, do: putOn("side", "T2"), lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept drill"},
		row{what: "nor at its completion", at: drill, after: time.Minute, do: putOn("side", "T2"), lights: "amber", says: "WAIT T2|measurements: bore", logs: "scan.wait"},
		row{what: "the one meant does", at: drill, do: put("T1"), lights: "green", says: "COMPLETED T1", logs: "scan.completed", seals: "report drill"},
		row{
			what: "by name, while it lies there", at: drill, do: func(g *gateway) { g.step(station.Entered{Item: g.item("T2").ID, Form: failed}) }, lights: "red",
			says: "SET ASIDE T2|it failed: drill broke", logs: "scan.rejected", seals: "report drill failed",
		},
		row{what: "the report is withdrawn", at: drill, do: mustBe(func(g *gateway) error { return g.withdraw("T2") }), says: "SET ASIDE", seals: "withdraw"},
		row{what: "in work again", at: drill, do: putOn("side", "T2"), lights: "green-again", says: "ACCEPTED (already) T2", logs: "scan.repeated"},
		row{what: "what was recorded once is not entered again", at: drill, after: time.Minute, do: putOn("side", "T2"), lights: "amber", says: "WAIT T2|measurements: bore", logs: "scan.wait"},
	)
}
