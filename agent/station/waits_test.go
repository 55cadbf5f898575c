package station_test

import (
	"testing"
	"time"

	"traveler.example/agent/station"
	"traveler.example/ledger"
)

// gearbox is an order for an assembly of two different parts, and the orders of
// the parts.
func gearbox() []ledger.Order {
	assemble := op("assemble", "asm-1")
	assemble.Inputs = []ledger.Need{{Product: "gear", Count: 1}, {Product: "shaft", Count: 1}}
	orders := []ledger.Order{{ID: "WO-box", Product: "gearbox", Routing: []ledger.Operation{assemble, op("run", "bench-1", "assemble")}}}
	for _, part := range []string{"gear", "shaft"} {
		join := op("join", "asm-1")
		join.ConsumedBy = "gearbox"
		orders = append(orders, ledger.Order{ID: "WO-" + part, Product: part, Routing: []ledger.Operation{join}})
	}
	return orders
}

func newAssembly(t *testing.T) *plant {
	p := newPlant(t, "entrance", "asm-1")
	for _, o := range gearbox() {
		p.order(o)
	}
	p.takeIn("WO-box", "B1", "B2")
	p.takeIn("WO-gear", "G1", "G2")
	p.takeIn("WO-shaft", "S1")
	return p
}

// Assembly: which scan is the parent is shown, missing inputs are counted down, a
// wrong part is named, cancel is possible.
func TestCase08Assembly(t *testing.T) {
	p := newAssembly(t)
	asm := p.at("asm-1")
	withdrawn := func(label string) func(*gateway) {
		return mustBe(func(g *gateway) error { return g.withdraw(label) })
	}
	tell(t, p,
		row{what: "the parent", at: asm, do: tap("B1"), lights: "green idle", says: "ACCEPTED B1|scan 1 × gear, 1 × shaft, then this item again", logs: "scan.accepted", seals: "accept assemble"},
		row{what: "too early", at: asm, after: time.Minute, do: tap("B1"), lights: "amber idle", says: "WAIT B1|found 0 of them, missing: 1 × gear, 1 × shaft", logs: "scan.wait"},
		row{what: "a part", at: asm, do: tap("G1"), lights: "green idle", says: "ACCEPTED G1|It is for B1; still missing: 1 × shaft", logs: "scan.part-added", seals: "accept join"},
		row{what: "the part again", at: asm, after: time.Minute, do: tap("G1"), lights: "green-again idle", says: "ACCEPTED (already) G1|still missing: 1 × shaft", logs: "scan.repeated"},
		row{what: "one too many of them", at: asm, do: tap("G2"), lights: "amber idle", says: "WAIT G2|for B1: 1 × shaft|wrong part: G2 (gear)|Put this part back", logs: "scan.wrong-part"},
		row{what: "count down", at: asm, do: tap("B1"), lights: "amber idle", says: "found 1 of them, missing: 1 × shaft", logs: "scan.wait"},
		row{what: "the mistaken part is withdrawn", at: asm, do: withdrawn("G1"), seals: "withdraw"},
		row{what: "and is missing again", at: asm, do: put("B1"), lights: "amber", says: "found 0 of them", logs: "scan.wait"},
		row{what: "the waits are given up", at: asm, do: func(g *gateway) { g.step(station.Cancelled{}) }, lights: "idle", says: "CANCELLED", logs: "scan.cancelled"},
		row{what: "other gear, on the other reader", at: asm, do: func(g *gateway) { lift("B1")(g); putOn("side", "G2")(g) }, lights: "green", says: "ACCEPTED G2|It is for B1", logs: "scan.part-added", seals: "accept join"},
		row{what: "the assembly waits on the bench", at: asm, do: put("B1"), lights: "amber", says: "WAIT B1|missing: 1 × shaft", logs: "scan.wait"},
		row{what: "the last part", at: asm, do: putOn("side", "S1"), lights: "green", says: "ACCEPTED S1|It is for B1, which now has all its parts: build it in and scan B1", logs: "scan.part-added", seals: "accept join"},
		row{what: "news complete nothing by themselves", at: asm, do: func(g *gateway) { g.step(station.Changed{}) }, lights: "amber", says: "CAN BE SCANNED NOW B1|lift it and scan it again", logs: "scan.resolved"},
		row{what: "nor more news", at: asm, do: func(g *gateway) { g.step(station.Changed{}) }, says: "CAN BE SCANNED NOW B1"},
		row{what: "built in", at: asm, do: func(g *gateway) { lift("B1")(g); put("B1")(g) }, lights: "idle green", says: "COMPLETED B1|Take it to bench-1", logs: "scan.completed", seals: "report assemble with 2 parts"},
		row{what: "the part is gone into it", at: asm, do: tap("S1"), lights: "amber idle", says: "ALREADY DONE S1|it became part of", logs: "scan.already-done"},
		row{what: "a mistake", at: asm, do: withdrawn("B1"), seals: "withdraw"},
		row{what: "the parts are released", at: asm, do: tap("S1"), lights: "green-again idle", says: "ACCEPTED (already) S1|It is for B1", logs: "scan.repeated"},
		row{what: "and so is the parent", at: asm, do: func(g *gateway) { lift("B1")(g); tap("B1")(g) }, lights: "green-again idle", says: "ACCEPTED (already) B1", logs: "scan.repeated"},
		row{what: "complete", at: asm, after: time.Minute, do: tap("B1"), lights: "green idle", says: "COMPLETED B1", logs: "scan.completed", seals: "report assemble with 2 parts"},
		row{what: "the next parent", at: asm, do: tap("B2"), lights: "green idle", says: "ACCEPTED B2", logs: "scan.accepted", seals: "accept assemble"},
		row{what: "is the wrong one", at: asm, do: withdrawn("B2"), seals: "withdraw"},
		row{what: "and can be taken up again", at: asm, do: tap("B2"), lights: "green idle", says: "ACCEPTED B2", logs: "scan.accepted", seals: "accept assemble"},
	)
}

// A WAIT that resolves itself turns green only while the tag is still there, else
// the terminal says "can be scanned now".
func TestCase09Wait(t *testing.T) {
	p := newLine(t, bracket(), "drill-1", "press-1")
	drill, press := p.at("drill-1"), p.at("press-1")
	for _, tag := range []string{"T1", "T2", "T3"} {
		tap(tag)(drill)
	}
	p.deliver()
	done := func(tags ...string) func(*gateway) {
		return func(*gateway) {
			for _, tag := range tags {
				tap(tag)(drill)
			}
			p.deliver()
		}
	}
	tell(t, p,
		row{what: "not reported yet", at: press, after: time.Minute, do: put("T1"), lights: "amber", says: "WAIT T1|the report of drill from drill-1", logs: "scan.wait"},
		row{what: "news of something else", at: press, do: func(g *gateway) { g.step(station.Changed{}) }, says: "WAIT T1"},
		row{what: "reported while it lies there", at: press, do: done("T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "report drill, accept press"},
		row{what: "two that are lifted", at: press, do: func(g *gateway) { lift("T1")(g); tap("T2")(g); tap("T3")(g) }, lights: "idle amber idle amber idle", says: "WAIT T3", logs: "scan.wait scan.wait"},
		row{what: "reported: no green", at: press, do: done("T2", "T3"), lights: "idle idle", says: "CAN BE SCANNED NOW T3", logs: "scan.resolved scan.resolved", seals: "report drill, report drill"},
		row{what: "told once", at: press, do: func(g *gateway) { g.step(station.Changed{}) }, says: "CAN BE SCANNED NOW"},
		row{what: "scanned", at: press, do: put("T3"), lights: "green", says: "ACCEPTED T3", logs: "scan.accepted", seals: "accept press"},
	)
}

// The words about the thing that lies there stay, and so does its light.
func TestCase09WordsBesideOthers(t *testing.T) {
	p := newLine(t, bracket(), "drill-1", "press-1")
	drill, press := p.at("drill-1"), p.at("press-1")
	tap("T1")(drill)
	p.does("drill-1", "T2")
	tell(t, p,
		row{what: "one waits and is lifted", at: press, after: time.Minute, do: tap("T1"), lights: "amber idle", says: "WAIT T1", logs: "scan.wait"},
		row{what: "another lies there", at: press, do: put("T2"), lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept press"},
		row{
			what: "the first is reported", at: press, do: func(*gateway) { tap("T1")(drill); p.deliver() }, lights: "green-again",
			says: "ACCEPTED T2|then scan again; CAN BE SCANNED NOW T1", logs: "scan.resolved", seals: "report drill",
		},
		row{what: "the other is lifted", at: press, do: lift("T2"), lights: "idle", says: "ACCEPTED T2|CAN BE SCANNED NOW T1"},
	)
}

func TestCase09WaitOfItsOwnStart(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	drill.machine = station.New(drill.cfg)
	tell(t, p,
		row{what: "starting", at: drill, do: put("T1"), lights: "amber", says: "WAIT tag T1: this gateway is starting", logs: "scan.wait"},
		row{what: "news before it may seal", at: drill, do: func(g *gateway) { g.step(station.Changed{}) }, says: "starting"},
		row{what: "another reader, lifted", at: drill, do: func(g *gateway) { putOn("side", "T2")(g); liftFrom("side", "T2")(g) }, lights: "amber idle", says: "WAIT tag T2", logs: "scan.wait"},
		row{what: "open", at: drill, do: func(g *gateway) { g.step(station.Opened{}) }, lights: "green green-again", says: "ACCEPTED T1|CAN BE SCANNED NOW T2", logs: "scan.accepted scan.resolved", seals: "accept drill"},
	)
}

// While blocks are on their way an unknown tag waits for them. What was said of it
// then is not taken back by those that come all day.
func TestCase09BlocksOnTheirWay(t *testing.T) {
	p := newLine(t, bracket(), "drill-1")
	drill := p.at("drill-1")
	news := func(missing int64) func(*gateway) {
		return func(g *gateway) { g.missing = missing; g.step(station.Changed{}) }
	}
	drill.missing = 2
	tell(t, p,
		row{what: "scanned", at: drill, do: put("T9"), lights: "amber", says: "WAIT tag T9|2 blocks of other stations are still to come|Leave the tag on the reader", logs: "scan.wait"},
		row{what: "one has come", at: drill, do: news(1), says: "WAIT tag T9"},
		row{what: "both have come", at: drill, do: news(0), lights: "red", says: "UNKNOWN TAG tag T9", logs: "scan.unknown-tag"},
		row{what: "others are on their way", at: drill, do: news(3), says: "UNKNOWN TAG tag T9"},
		row{what: "and are here", at: drill, do: news(0), says: "UNKNOWN TAG tag T9"},
		row{what: "lifted", at: drill, do: lift("T9"), lights: "idle", says: "UNKNOWN TAG tag T9"},
	)
}

// An item in conflict is held until its author or quality ends that; the part
// that was cut off shows it as soon as it knows.
func TestCase09Conflict(t *testing.T) {
	o := bracket()
	p := newLine(t, o, "drill-1", "press-1")
	p.ruled("T1", ledger.Disposition{Ruling: ledger.ContinueAt, Operation: "drill", Task: "drill-it", Place: "drill-1", Reason: "go on"})
	entrance, drill := p.at("entrance"), p.at("drill-1")
	drill.cut = true
	tell(t, p,
		row{what: "quality scraps it while the drill is cut off", at: entrance, do: func(*gateway) {
			p.ruled("T1", ledger.Disposition{Ruling: ledger.Scrap, Reason: "cracked"})
		}, says: "TAKEN IN", seals: "disposition"},
		row{what: "the drill takes it up", at: drill, do: put("T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "connected again", at: drill, do: func(g *gateway) { g.cut = false; deliver(g); lift("T1")(g) }, lights: "idle", says: "ACCEPTED T1"},
		row{what: "in conflict", at: drill, do: put("T1"), lights: "red", says: "IN CONFLICT T1|Hold the item and call quality", logs: "scan.conflict"},
		row{what: "ruled", at: drill, do: func(*gateway) {
			it := entrance.item("T1")
			p.signed("quinn", ledger.Tx{Item: it.ID, After: it.HeadIDs, Body: ledger.Disposition{
				Ruling: ledger.ReworkAt, Operation: "drill", Task: "drill-it", Place: "drill-1", Reason: "no crack",
			}})
			p.deliver()
		}, lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "disposition, accept drill"},
	)
}

// An order is changed or cancelled with items under way: what each item keeps,
// what is held, is said.
func TestCase15OrderChanged(t *testing.T) {
	p := newLine(t, bracket(), "drill-1", "press-1")
	entrance, drill := p.at("entrance"), p.at("drill-1")
	changed := bracket()
	changed.ID, changed.Replaces = "WO-2", p.orders["WO-1"]
	tell(t, p,
		row{what: "one in work", at: drill, do: tap("T1"), lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "the order is replaced", at: drill, after: time.Minute, do: func(*gateway) { p.order(changed) }, says: "ACCEPTED T1", seals: "order WO-2"},
		row{what: "what is in work keeps its order", at: drill, do: tap("T1"), lights: "green idle", says: "COMPLETED T1|It works to WO-1, replaced by WO-2.", logs: "scan.completed", seals: "report drill"},
		row{what: "so does what is expected", at: drill, do: tap("T2"), lights: "green idle", says: "ACCEPTED T2|It works to WO-1, replaced by WO-2.", logs: "scan.accepted", seals: "accept drill"},
		row{what: "new items do not", at: entrance, do: tap("T9"), lights: "amber idle", says: "WAIT tag T9|order WO-1 is replaced by WO-2|Set WO-2 as the order of this intake", logs: "scan.wait"},
		row{what: "quality puts an item under the new one", at: drill, do: func(*gateway) {
			p.ruled("T3", ledger.Disposition{Ruling: ledger.ContinueAt, Operation: "drill", Task: "drill-it", Place: "drill-1", Order: p.orders["WO-2"], Reason: "as planned"})
		}, says: "ACCEPTED T2", seals: "disposition"},
		row{what: "and it says so no more", at: drill, do: tap("T3"), lights: "green idle", says: "ACCEPTED T3 tag T3: Do drill-it, then scan again.", logs: "scan.accepted", seals: "accept drill"},
	)
}

func TestCase15OrderCancelled(t *testing.T) {
	p := newLine(t, bracket(), "drill-1", "press-1")
	entrance, drill := p.at("entrance"), p.at("drill-1")
	cancel := func(*gateway) {
		p.order(ledger.Order{ID: "WO-1x", Product: "bracket", Replaces: p.orders["WO-1"], Cancelled: 1})
	}
	tell(t, p,
		row{what: "one in work", at: drill, do: tap("T1"), lights: "green idle", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "cancelled", at: drill, after: time.Minute, do: cancel, says: "ACCEPTED T1", seals: "order WO-1x"},
		row{what: "what is in work is held", at: drill, do: tap("T1"), lights: "amber idle", says: "WAIT T1|order WO-1 is cancelled|quality scraps it or puts it under another order", logs: "scan.wait"},
		row{what: "what is expected, too", at: drill, do: put("T2"), lights: "amber", says: "WAIT T2|order WO-1 is cancelled", logs: "scan.wait"},
		row{what: "nothing new is taken in", at: entrance, do: tap("T9"), lights: "amber idle", says: "WAIT tag T9|order WO-1 is cancelled", logs: "scan.wait"},
		row{what: "another order", at: drill, do: func(*gateway) {
			o := bracket()
			o.ID = "WO-2"
			p.order(o)
			p.ruled("T2", ledger.Disposition{Ruling: ledger.ContinueAt, Operation: "drill", Task: "drill-it", Place: "drill-1", Order: p.orders["WO-2"], Reason: "for WO-2"})
		}, lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "order WO-2, disposition, accept drill"},
	)
}
