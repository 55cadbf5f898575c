package ledger

import (
	"fmt"
	"strings"
	"testing"
)

// row is one scan with its story.
type row struct {
	name string
	here Here
	scan Scan
}

func intakeFor(order Order) func(*Scan) {
	return func(s *Scan) { s.Intake = &IntakeFor{Order: order, OrderTx: named(order.ID), Lot: "L-3"} }
}

func intakeRows() []row {
	here := intakeStation()
	return []row{
		{"a new tag at intake", here, scanned().with(intakeFor(bracketOrder()))},
		{"a new item with a printed id, no tag", here, scanned().with(intakeFor(bracketOrder())).with(func(s *Scan) { s.Tag, s.Intake.Label = "", "BR-8" })},
		{"neither tag nor printed id", here, scanned().with(intakeFor(bracketOrder())).with(func(s *Scan) { s.Tag = "" })},
		{"a tag id that no transaction can carry", here, scanned().with(intakeFor(bracketOrder())).with(func(s *Scan) { s.Tag = "with space" })},
		{"a tag that a finished item had is free", here, scanned().with(intakeFor(bracketOrder())).with(func(s *Scan) { s.Closed = []Sheet{finished().sheet} })},
		{"taken in a moment ago", here, scanned(bracket()).with(intakeFor(bracketOrder()))},
		{"the tag of an item in work", here, scanned(drilled().accept("deburr", "bench-1", keyHere)).with(intakeFor(bracketOrder()))},
		{"the tag of an item in conflict", here, scanned(drilled().fork(keyOther)).with(intakeFor(bracketOrder()))},
		{"a tag with two open items at intake", here, scanned(drilled(), gearbox("GB-1")).with(intakeFor(bracketOrder()))},
		{"no order set", here, scanned()},
		{"the order is cancelled before intake", here, scanned().with(intakeFor(bracketOrder())).with(func(s *Scan) { s.Intake.Cancelled = true })},
		{"the order is replaced before intake", here, scanned().with(intakeFor(bracketOrder())).with(func(s *Scan) { s.Intake.ReplacedBy = "WO-2" })},
		{"the order has not arrived at intake", here, scanned().with(intakeFor(Order{ID: "WO-1"}))},
		{"a gateway that is not assigned for intake", Here{Gateway: keyHere, Station: "intake-1", Mode: ModeIntake}, scanned().with(intakeFor(bracketOrder()))},
	}
}

func finished() *history {
	return deburred().accept("weigh", "scale-1", keyHere).report("weigh", "scale-1", Report{Weight: 110_000}).
		accept("inspect", "inspect-1", keyHere).report("inspect", "inspect-1", Report{}).
		accept("pack", "pack-1", keyHere).report("pack", "pack-1", Report{})
}

// twin is another item of the same printed id.
func twin(h *history, differs func(*Sheet)) *history {
	it := &h.sheet.Item
	it.ID = named("the other " + it.Label)
	it.Nodes[0].Tx, it.Nodes[0].Item, it.HeadIDs = it.ID, it.ID, []TxID{it.ID}
	if differs != nil {
		differs(&h.sheet)
	}
	return h
}

func tagRows() []row {
	consumed := partHere("G-1", "gear").move(Node{
		Kind: KindReport, Of: named("GB-1"), Station: "asm-1", State: State{Phase: Consumed, Into: named("GB-1")},
	})
	unwaiting := Here{Gateway: keyHere, Station: "drill-1", Mode: ModeInOut}
	closedOnly := func(h *history) Scan { return scanned().with(func(s *Scan) { s.Closed = []Sheet{h.sheet} }) }
	return []row{
		{"an unknown tag", station("drill-1"), scanned()},
		{"an unknown tag, peers silent too long", station("drill-1"), scanned().with(func(s *Scan) { s.PeersHeard = 300_000 })},
		{"an unknown tag, no peer ever heard", station("drill-1"), scanned().with(func(s *Scan) { s.PeersKnown = false })},
		{"an unknown tag while blocks of other stations are missing here", station("drill-1"), scanned().with(func(s *Scan) { s.Missing = 2 })},
		{"an unknown tag, blocks missing and peers silent too long", station("drill-1"), scanned().with(func(s *Scan) { s.Missing, s.PeersHeard = 2, 300_000 })},
		{"an unknown tag, a block missing where silence is not waited for", unwaiting, scanned().with(func(s *Scan) { s.Missing = 1 })},
		{"an unknown tag, no peer ever heard where silence is not waited for", unwaiting, scanned().with(func(s *Scan) { s.Missing, s.PeersKnown = 1, false })},
		{"two open items on a tag", station("drill-1"), scanned(bracket(), gearbox("GB-1"))},
		{"two open items of one printed id, of two products", station("drill-1"), scanned(bracket(), twin(gearbox("BR-7"), nil))},
		{"two open items of one printed id, for two orders", station("drill-1"), scanned(bracket(), twin(bracket(), func(s *Sheet) { s.Order.ID = "WO-9" }))},
		{"two open items of one printed id, taken in at two stations", station("drill-1"), scanned(bracket(), twin(bracket(), func(s *Sheet) { s.Item.Nodes[0].Station = "yard" }), gearbox("GB-1"))},
		{"two open items of one printed id, taken in at two times", station("drill-1"), scanned(bracket(), twin(bracket(), func(s *Sheet) { s.Item.Nodes[0].Time = 1_795_327_260_000 }))},
		{"two open items that nothing but their ids tells apart", station("drill-1"), scanned(bracket(), twin(bracket(), nil))},
		{"two open items, one chosen", station("drill-1"), scanned(bracket(), gearbox("GB-1")).with(func(s *Scan) { s.Choice = named("BR-7") })},
		{"a finished item", station("drill-1"), closedOnly(finished())},
		{"a scrapped item", station("drill-1"), closedOnly(drilled().rule(Scrap, "", ""))},
		{"a consumed part", station("drill-1"), closedOnly(consumed)},
		{"an item in conflict", station("drill-1"), scanned(drilled().fork(keyOther))},
		{"an item that rests on a revoked block", station("bench-1"), scanned(drilled().edit(func(s *Sheet) { s.Item.Nodes[len(s.Item.Nodes)-1].Rests = 1 }))},
	}
}

func entryRows() []row {
	atBench, atScale := benchStation("bench-1"), station("scale-1")
	returned := drilled().edit(func(s *Sheet) { *s.Report = withBore(*s.Report, 1209) }).reject(Return, "bench-1", "bore: expected 11.98 to 12.03 mm, found 12.09 mm")
	reworked := returned.clone().accept("drill", "drill-1", keyHere).report("drill", "drill-1", bore(1210))
	return []row{
		{"first operation, expected here", station("drill-1"), scanned(bracket())},
		{"expected at this station's work centre", atBench, scanned(drilled())},
		{"expected here, bore on the limit in another exponent", atBench, scanned(drilled().edit(func(s *Sheet) {
			s.Report.Measurements = []Measurement{{Name: "bore", Value: 12030, Exponent: -3, Unit: "mm"}}
		}))},
		{"bore too large: returned", atBench, scanned(drilled().edit(func(s *Sheet) { *s.Report = withBore(*s.Report, 1209) }))},
		{"bore too large again: set aside", atBench, scanned(reworked)},
		{"bore not measured", atBench, scanned(drilled().edit(func(s *Sheet) { s.Report.Measurements = nil }))},
		{"bore in inches", atBench, scanned(drilled().edit(func(s *Sheet) { s.Report.Measurements[0].Unit = "[in_i]" }))},
		{"a flatness that sets aside", station("pack-1"), scanned(packable(90))},
		{"the report before has not arrived", atBench, scanned(drilled().edit(func(s *Sheet) { s.Report = nil }))},
		{"returned item, back at its station", station("drill-1"), scanned(returned)},
		{"returned item at a third station", station("pack-1"), scanned(returned)},
		{"returned item at the station that returned it", atBench, scanned(returned)},
		{"needs not done: offered too early", station("pack-1"), scanned(drilled().edit(func(s *Sheet) {
			s.Item.Nodes[len(s.Item.Nodes)-1].State.Options = []Option{{Task: "box-up", Operation: "pack", Place: "pack-1"}}
		}))},
		{"weight limit, nothing weighed", atScale, scanned(deburred())},
		{"weight within limits", atScale, scanned(deburred()).with(weighed(110_000))},
		{"weight at the upper limit", atScale, scanned(deburred()).with(weighed(120_000))},
		{"weight over the limit by 1 mg: returned", atScale, scanned(deburred()).with(weighed(120_001))},
		{"weight over the limit after a return: set aside", atScale, scanned(deburred().reject(Return, "scale-1", "weight").
			accept("deburr", "bench-1", keyHere).report("deburr", "bench-1", Report{})).with(weighed(130_000))},
		{"the weight reported before was too much", station("inspect-1"), scanned(weighedAs(121_000))},
		{"no weight was reported before", station("inspect-1"), scanned(weighedAs(0))},
		{"the weight reported before was right, the limit in kg", station("inspect-1"), scanned(weighedAs(110_000).edit(func(s *Sheet) {
			l := &s.Order.Routing[2].Limits[0]
			l.Unit, l.Exponent = "kg", -3
		}))},
		{"weight limit at the first operation, nobody to return to", station("drill-1"), scanned(takeIn("BR-7", weighedFirst())).with(weighed(1))},
		{"quality sent it here again", station("drill-1"), scanned(drilled().rule(ReworkAt, "drill", "drill-1"))},
		{"quality uses it as is: its values are not judged again", atBench, scanned(drilled().
			edit(func(s *Sheet) { *s.Report = withBore(*s.Report, 1209) }).reject(SetAside, "bench-1", "bore").rule(UseAsIs, "", ""))},
		{"an acceptance withdrawn: expected again and judged again", atBench, scanned(withdrawnAccept())},
		{"the exit reader does not accept", atBench, scanned(drilled()).with(func(s *Scan) { s.Gate = GateOut })},
		{"the order has not arrived", atBench, scanned(drilled().edit(func(s *Sheet) { s.Order = Order{} }))},
		{"the order is cancelled", atBench, scanned(drilled().edit(func(s *Sheet) { s.OrderCancelled = true }))},
		{"the order is replaced: the item keeps it", atBench, scanned(drilled().edit(func(s *Sheet) { s.ReplacedBy = "WO-2" }))},
	}
}

func withBore(r Report, hundredths int64) Report {
	r.Measurements = bore(hundredths).Measurements
	return r
}

func weighedAs(mg int64) *history {
	return deburred().accept("weigh", "scale-1", keyHere).report("weigh", "scale-1", Report{Weight: mg})
}

func withdrawnAccept() *history {
	h := drilled()
	return h.accept("deburr", "bench-1", keyHere).withdraw(h.sheet.Report)
}

func weighedFirst() Order {
	o := bracketOrder()
	o.Routing[0].Limits = []Limit{{Name: "weight", Min: 100, Max: 120, Unit: "g", OnFail: Return}}
	return o
}

// packable is inspected with that flatness and weighed, in this order reversed.
func packable(flatness int64) *history {
	return deburred().accept("weigh", "scale-1", keyHere).report("weigh", "scale-1", Report{Weight: 110_000}).
		accept("inspect", "inspect-1", keyHere).
		report("inspect", "inspect-1", Report{Measurements: []Measurement{{Name: "flatness", Value: flatness, Unit: "um"}}})
}

func (h *history) clone() *history {
	c := *h
	c.sheet.Item.Nodes = append([]Node(nil), h.sheet.Item.Nodes...)
	c.sheet.Item.HeadIDs = append([]TxID(nil), h.sheet.Item.HeadIDs...)
	return &c
}

func workRows() []row {
	atBench := benchStation("bench-1")
	deburring := func() *history { return drilled().accept("deburr", "bench-1", keyHere) }
	drilling := func() *history { return bracket().accept("drill", "drill-1", keyHere) }
	failed := drilling().report("drill", "drill-1", Report{Outcome: OutcomeFail, Failure: "drill broke"})
	form := func(f Form) func(*Scan) { return func(s *Scan) { s.Form = &f } }
	return []row{
		{"in work: completed", atBench, scanned(deburring()).with(signedOn(badge1))},
		{"in work: completed by two, the latest of three badges", atBench, scanned(deburring()).with(signedOn(badge1, KeyID{0xb3}, badge2, badge2))},
		{"in work: nobody signed on", atBench, scanned(deburring())},
		{"first scan since the start", atBench, scanned(deburring()).with(signedOn(badge1)).with(func(s *Scan) { s.Fresh = true })},
		{"a second tap after 2 s", atBench, scanned(deburring()).with(signedOn(badge1)).with(func(s *Scan) { s.SinceAccept = 2400 })},
		{"a second tap just short of the dwell", atBench, scanned(deburring()).with(signedOn(badge1)).with(func(s *Scan) { s.SinceAccept = 4999 })},
		{"a second tap at the dwell", atBench, scanned(deburring()).with(signedOn(badge1)).with(func(s *Scan) { s.SinceAccept = 5000 })},
		{"the entrance reader does not complete", atBench, scanned(deburring()).with(func(s *Scan) { s.Gate = GateIn })},
		{"bore not entered", station("drill-1"), scanned(drilling())},
		{"bore entered", station("drill-1"), scanned(drilling()).with(form(Form{Measurements: bore(1200).Measurements}))},
		{"other values entered", station("drill-1"), scanned(drilling()).with(form(Form{Measurements: []Measurement{{Name: "depth", Value: 5, Unit: "mm"}}}))},
		{"a value entered that cannot be recorded", station("drill-1"), scanned(drilling()).with(form(Form{
			Measurements: []Measurement{{Name: "bore", Value: 1, Unit: "not a unit"}},
		}))},
		{"the operation failed", station("drill-1"), scanned(drilling()).with(form(Form{Failed: true, Failure: "drill broke"}))},
		{"a failed report: held", station("drill-1"), scanned(failed)},
		{"set aside: held", station("pack-1"), scanned(packable(90).reject(SetAside, "pack-1", "flatness: expected 0 to 50 um, found 90 um"))},
		{"weighed on completion", station("scale-1"), scanned(deburred().accept("weigh", "scale-1", keyHere)).with(weighed(111_250))},
		{"not weighed on completion", station("scale-1"), scanned(deburred().accept("weigh", "scale-1", keyHere))},
		{"the last operation", station("pack-1"), scanned(packable(40).accept("pack", "pack-1", keyHere))},
		{"the last operation outside its own limit", station("inspect-1"), scanned(takeIn("PL-1", inspectOnly()).accept("inspect", "inspect-1", keyHere)).
			with(form(Form{Measurements: []Measurement{{Name: "flatness", Value: 51, Unit: "um"}}}))},
		{"a report withdrawn: in work again", atBench, scanned(withdrawnReport()).with(signedOn(badge1))},
		{"in work for another gateway at this station", atBench, scanned(drilled().accept("deburr", "bench-1", keyOther))},
		{"in work elsewhere, this station is next", station("scale-1"), scanned(deburring())},
		{"in work elsewhere, this station is not next", station("pack-1"), scanned(deburring())},
		{"expected elsewhere", station("pack-1"), scanned(drilled())},
		{"expected at one of several", station("pack-1"), scanned(deburred())},
		{"reported from here, expected elsewhere", station("drill-1"), scanned(drilled())},
		{"in work, order cancelled", atBench, scanned(deburring().edit(func(s *Sheet) { s.OrderCancelled = true })).with(signedOn(badge1))},
		{"in work, order replaced", atBench, scanned(deburring().edit(func(s *Sheet) { s.ReplacedBy = "WO-2" })).with(signedOn(badge1))},
		{"portal: one scan does both", withCentre(portal("bench-1")), scanned(drilled()).with(signedOn(badge1))},
		{"portal: nobody signed on", withCentre(portal("bench-1")), scanned(drilled())},
		{"portal: a check fails", withCentre(portal("bench-1")), scanned(drilled().edit(func(s *Sheet) { *s.Report = withBore(*s.Report, 1209) }))},
		{"portal: the entrance reader", withCentre(portal("bench-1")), scanned(drilled()).with(func(s *Scan) { s.Gate = GateIn })},
	}
}

func withCentre(h Here) Here {
	h.WorkCentre = "benches"
	return h
}

func inspectOnly() Order {
	op := bracketOrder().Routing[3]
	op.Needs = nil
	return Order{ID: "WO-5", Product: "plate", Routing: []Operation{op}}
}

func withdrawnReport() *history {
	h := drilled()
	before := h.sheet.Report
	return h.accept("deburr", "bench-1", keyHere).report("deburr", "bench-1", Report{}).withdraw(before)
}

func assemblyRows() []row {
	asm := station("asm-1")
	a, b := parentHere("GB-1"), parentHere("GB-2")
	g1, g2, g3, s1 := partHere("G-1", "gear"), partHere("G-2", "gear"), partHere("G-3", "gear"), partHere("S-1", "shaft")
	cancelled := partHere("G-4", "gear").edit(func(s *Sheet) { s.OrderCancelled = true })
	again := parentHere("GB-3").report("assemble", "asm-1", Report{}).rule(ReworkAt, "assemble", "asm-1").accept("assemble", "asm-1", keyHere)
	return []row{
		{"assembly: the parent is accepted", asm, scanned(gearbox("GB-1"))},
		{"assembly: the parent is accepted, a gear is here already", asm, scanned(gearbox("GB-1")).with(inWork(g1))},
		{"assembly: a part before its parent", asm, scanned(part("G-1", "gear"))},
		{"assembly: a part for the parent", asm, scanned(part("G-1", "gear")).with(inWork(a))},
		{"assembly: the last part", asm, scanned(part("S-1", "shaft")).with(inWork(a, g1, g2))},
		{"assembly: a third gear, a shaft is missing", asm, scanned(part("G-3", "gear")).with(inWork(a, g1, g2))},
		{"assembly: a part too many", asm, scanned(part("G-3", "gear")).with(inWork(a, g1, g2, s1))},
		{"assembly: a third gear is for the second parent", asm, scanned(part("G-3", "gear")).with(inWork(a, b, g1, g2))},
		{"assembly: a waiting part is scanned again", asm, scanned(g1).with(inWork(a, g1))},
		{"assembly: a waiting part without parent is scanned again", asm, scanned(g1).with(inWork(g1))},
		{"assembly: parts are missing", asm, scanned(a).with(inWork(a, g1))},
		{"assembly: complete", asm, scanned(a).with(inWork(a, g1, g2, g3, s1))},
		{"assembly: the second parent gets what the first leaves", asm, scanned(b).with(inWork(a, b, g1, g2, g3, s1))},
		{"assembly: a part of a cancelled order is not built in", asm, scanned(a).with(inWork(a, g1, cancelled, s1))},
		{"assembly: it failed, parts stay", asm, scanned(a).with(inWork(a, g1)).with(func(s *Scan) { s.Form = &Form{Failed: true} })},
		{"assembly: a failed part is returned", asm, scanned(part("G-1", "gear").edit(limitOnCut)).with(inWork(a))},
		{"assembly: reworked, its parts are in it already", asm, scanned(again)},
		{"assembly in a portal: all parts here", portal("asm-1"), scanned(gearbox("GB-1")).with(inWork(g1, g2, s1))},
		{"assembly in a portal: parts missing", portal("asm-1"), scanned(gearbox("GB-1")).with(inWork(g1))},
		{"assembly in a portal: a part is only taken up", portal("asm-1"), scanned(part("G-1", "gear")).with(inWork(a))},
	}
}

func limitOnCut(s *Sheet) {
	s.Order.Routing[0].Limits = []Limit{{Name: "length", Min: 1, Max: 2, Unit: "mm", OnFail: Return}}
}

// TestCheckRows holds every story to its golden decision; read testdata/check.txt
// to review them.
func TestCheckRows(t *testing.T) {
	var out strings.Builder
	seen := map[string]bool{}
	for _, rows := range [][]row{tagRows(), intakeRows(), entryRows(), workRows(), assemblyRows()} {
		for _, r := range rows {
			if seen[r.name] {
				t.Errorf("two rows are named %q", r.name)
			}
			seen[r.name] = true
			d := Check(r.here, r.scan)
			invariants(t, r.name, r.here, d)
			fmt.Fprintf(&out, "== %s\n%s\n", r.name, describe(d))
		}
	}
	golden(t, "check.txt", out.String())
}

// TestCheckEveryReason makes sure that the rows show every reason there is but
// the belt that no sound order reaches.
func TestCheckEveryReason(t *testing.T) {
	shown := map[string]bool{}
	kinds := map[DecisionKind]bool{}
	for _, rows := range [][]row{tagRows(), intakeRows(), entryRows(), workRows(), assemblyRows()} {
		for _, r := range rows {
			d := Check(r.here, r.scan)
			shown[d.Reason], kinds[d.Kind] = true, true
		}
	}
	for _, reason := range []string{
		ReasonNewItem, ReasonTagInUse, ReasonTakenIn, ReasonNotIntake, ReasonNoOrder, ReasonNoLabel, ReasonOrderCancelled,
		ReasonOrderReplaced, ReasonOrderMissing, ReasonExpected, ReasonRework, ReasonRuled, ReasonInput, ReasonInputOf,
		ReasonAlreadyAccepted, ReasonEntranceOnly, ReasonDwell, ReasonMissingInputs, ReasonDone, ReasonFinished, ReasonFailed,
		ReasonLimit, ReasonNeeds, ReasonElsewhere, ReasonInWorkElsewhere, ReasonOtherGateway, ReasonExitOnly, ReasonNotNeeded,
		ReasonBadge, ReasonWeight, ReasonForm, ReasonFormInvalid, ReasonReport, ReasonNonconforming, ReasonRevoked,
		ReasonConflict, ReasonManyItems, ReasonUnknownTag, ReasonPeersSilent, ReasonBehind, ReasonDoneHere, ReasonReturnedHere, ReasonScrapped, ReasonConsumed,
	} {
		if !shown[reason] {
			t.Errorf("no row shows reason %q", reason)
		}
	}
	for k := TakenIn; k <= AlreadyDone; k++ {
		if !kinds[k] {
			t.Errorf("no row shows %s", k)
		}
	}
}
