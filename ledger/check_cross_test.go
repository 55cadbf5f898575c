package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// phased is an item in one of the places where an item can be, for the crossing.
type phased struct {
	name string
	h    *history
}

func phases() []phased {
	consumed := partHere("G-1", "gear").move(Node{Kind: KindReport, Of: named("GB-1"), Station: "asm-1", State: State{Phase: Consumed, Into: named("GB-1")}})
	return []phased{
		{"taken in", bracket()},
		{"drilling", bracket().accept("drill", "drill-1", keyHere)},
		{"drilled", drilled()},
		{"drilled wrong", drilled().edit(func(s *Sheet) { *s.Report = withBore(*s.Report, 1209) })},
		{"drill returned", drilled().reject(Return, "bench-1", "bore")},
		{"deburring", drilled().accept("deburr", "bench-1", keyHere)},
		{"deburring by another", drilled().accept("deburr", "bench-2", keyOther)},
		{"deburr withdrawn", withdrawnReport()},
		{"deburred", deburred()},
		{"set aside", drilled().reject(SetAside, "bench-1", "bore")},
		{"failed", bracket().accept("drill", "drill-1", keyHere).report("drill", "drill-1", Report{Outcome: OutcomeFail})},
		{"ruled rework", deburred().rule(ReworkAt, "deburr", "benches")},
		{"ruled use as is", drilled().reject(SetAside, "bench-1", "bore").rule(UseAsIs, "", "")},
		{"in conflict", drilled().fork(keyOther)},
		{"on a revoked block", drilled().edit(func(s *Sheet) { s.Item.Nodes[len(s.Item.Nodes)-1].Rests = 1 })},
		{"nothing counted", drilled().edit(func(s *Sheet) { s.Item.HeadIDs = nil })},
		{"gear waiting", partHere("G-1", "gear")},
		{"assembling", parentHere("GB-1")},
		{"finished", finished()},
		{"scrapped", drilled().rule(Scrap, "", "")},
		{"consumed", consumed},
	}
}

type setting struct {
	name  string
	apply func(*Here, *Sheet, *Scan)
}

func places4() []setting {
	at := func(name, centre string) setting {
		return setting{name, func(h *Here, _ *Sheet, _ *Scan) { h.Station, h.WorkCentre = name, centre }}
	}
	return []setting{at("drill-1", ""), at("bench-1", "benches"), at("scale-1", ""), at("asm-1", ""), at("intake-1", "")}
}

func modes() []setting {
	mode := func(name string, m Mode) setting {
		return setting{name, func(h *Here, _ *Sheet, _ *Scan) { h.Mode, h.Intake = m, m == ModeIntake }}
	}
	return []setting{mode("in-out", ModeInOut), mode("portal", ModePortal), mode("intake", ModeIntake)}
}

func orders() []setting {
	return []setting{
		{"in force", func(*Here, *Sheet, *Scan) {}},
		{"cancelled", func(_ *Here, s *Sheet, _ *Scan) { s.OrderCancelled = true }},
		{"replaced", func(_ *Here, s *Sheet, _ *Scan) { s.ReplacedBy = "WO-2" }},
		{"missing", func(_ *Here, s *Sheet, _ *Scan) { s.Order = Order{} }},
	}
}

// circumstances are all combinations of what the scan itself brings; the first
// is the usual one.
func circumstances() []setting {
	on := func(f func(*Scan)) func(*Here, *Sheet, *Scan) { return func(_ *Here, _ *Sheet, s *Scan) { f(s) } }
	none := func(*Here, *Sheet, *Scan) {}
	axes := [][]setting{
		{{"", none}, {"entrance", on(func(s *Scan) { s.Gate = GateIn })}, {"exit", on(func(s *Scan) { s.Gate = GateOut })}},
		{{"", none}, {"fresh", on(func(s *Scan) { s.Fresh = true })}},
		{{"", none}, {"soon", on(func(s *Scan) { s.SinceAccept = 900 })}},
		{{"weighed", on(weighed(110_000))}, {"unweighed", none}, {"heavy", on(weighed(130_000))}},
		{{"signed", on(signedOn(badge1, badge2))}, {"unsigned", none}},
		{
			{"form", on(func(s *Scan) { s.Form = &Form{Measurements: bore(1201).Measurements} })},
			{"no form", none},
			{"failed", on(func(s *Scan) { s.Form = &Form{Failed: true, Failure: "broke"} })},
		},
	}
	all := []setting{{"", none}}
	for _, axis := range axes {
		var next []setting
		for _, a := range all {
			for _, b := range axis {
				next = append(next, setting{strings.TrimSpace(a.name + " " + b.name), func(h *Here, sh *Sheet, s *Scan) {
					a.apply(h, sh, s)
					b.apply(h, sh, s)
				}})
			}
		}
		all = next
	}
	return all
}

func crossed(p phased, settings ...setting) (Here, Scan) {
	here := Here{Gateway: keyHere, MinDwell: 2000}
	sheet := p.h.clone().sheet
	s := scanned().with(intakeFor(bracketOrder()))
	for _, set := range settings {
		set.apply(&here, &sheet, &s)
	}
	if sheet.Item.Closed() && !slices.ContainsFunc(sheet.Item.Heads(), func(n Node) bool { return n.Rests == 1 }) {
		s.Closed = []Sheet{sheet}
	} else {
		s.Open = []Sheet{sheet}
	}
	if sheet.Item.State().Phase == InWork {
		s.InWorkHere = s.Open
	}
	return here, s
}

// TestCheckCross holds every phase at every place in every mode under every
// state of the order to its golden answer, in the usual circumstances.
func TestCheckCross(t *testing.T) {
	var out strings.Builder
	usual := circumstances()[0]
	for _, p := range phases() {
		for _, o := range orders() {
			fmt.Fprintf(&out, "== %s, order %s\n", p.name, o.name)
			for _, m := range modes() {
				for _, place := range places4() {
					here, s := crossed(p, place, m, o, usual)
					d := Check(here, s)
					name := strings.Join([]string{p.name, o.name, m.name, place.name}, "/")
					invariants(t, name, here, d)
					held(t, name, m, o, p.h.sheet.Item, d)
					fmt.Fprintf(&out, "%-7s %-9s %-5s %s (%s), %d sealed\n", m.name, place.name, d.Signal(), d.Kind, d.Reason, len(d.Propose))
				}
			}
		}
	}
	golden(t, "check_cross.txt", out.String())
}

// TestCheckInvariants tries every combination of phase, mode, place and
// circumstances.
func TestCheckInvariants(t *testing.T) {
	all := circumstances()
	inForce := orders()[0]
	for _, p := range phases() {
		for _, m := range modes() {
			for _, place := range places4() {
				for _, c := range all {
					here, s := crossed(p, place, m, c)
					d := Check(here, s)
					name := strings.Join([]string{p.name, m.name, place.name, c.name}, "/")
					invariants(t, name, here, d)
					held(t, name, m, inForce, p.h.sheet.Item, d)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// held: what waits for quality or is closed is never moved by a station.
func held(t *testing.T, name string, m, o setting, it Item, d Decision) {
	t.Helper()
	if m.name == "intake" {
		return
	}
	st := it.State()
	stopped := it.InConflict() || len(it.HeadIDs) == 0 || st.Phase == Nonconforming || st.Phase.Closed() || o.name == "cancelled" || o.name == "missing"
	if stopped && (d.Signal() == Green || len(d.Propose) > 0) {
		t.Errorf("%s: a held item is answered %s with %d proposals", name, d.Kind, len(d.Propose))
	}
}

// TestCheckIsPure: the same scan gives the same decision, and nothing given is
// changed.
func TestCheckIsPure(t *testing.T) {
	for _, rows := range [][]row{entryRows(), workRows(), assemblyRows()} {
		for _, r := range rows {
			before := fmt.Sprintf("%+v", r.scan)
			first := describe(Check(r.here, r.scan))
			if again := describe(Check(r.here, r.scan)); again != first {
				t.Errorf("%s: decided differently the second time:\n%s\n%s", r.name, first, again)
			}
			if after := fmt.Sprintf("%+v", r.scan); after != before {
				t.Errorf("%s: the scan was changed", r.name)
			}
		}
	}
}

// TestCheckHostile: whatever tag, weight, time and form come in, Check answers
// and what it proposes can be sealed, or it says that it cannot.
func TestCheckHostile(t *testing.T) {
	items := phases()
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.SampledFrom(items).Draw(rt, "phase")
		here, s := crossed(p, rapid.SampledFrom(places4()).Draw(rt, "place"), rapid.SampledFrom(modes()).Draw(rt, "mode"))
		s.Tag = rapid.String().Draw(rt, "tag")
		s.Weight, s.Weighed = rapid.Int64().Draw(rt, "weight"), rapid.Bool().Draw(rt, "weighed")
		s.SinceAccept, s.PeersHeard = rapid.Int64().Draw(rt, "since"), rapid.Int64().Draw(rt, "heard")
		s.Badges = []KeyID{{rapid.Byte().Draw(rt, "badge")}, badge1, badge1}
		s.Intake.Label, s.Intake.Lot = rapid.String().Draw(rt, "label"), rapid.StringN(0, 200, -1).Draw(rt, "lot")
		if rapid.Bool().Draw(rt, "form") {
			s.Form = &Form{Failed: rapid.Bool().Draw(rt, "failed"), Failure: rapid.String().Draw(rt, "failure"), Measurements: []Measurement{
				{Name: "bore", Value: rapid.Int64().Draw(rt, "value"), Exponent: rapid.Int8().Draw(rt, "exponent"), Unit: rapid.String().Draw(rt, "unit")},
			}}
		}
		d := Check(here, s)
		if d.Kind == 0 || d.Reason == "" || d.Do == "" || d.Expected == "" || d.Found == "" {
			rt.Fatalf("incomplete: %+v", d)
		}
		if d.Reason == ReasonUnrecordable && (d.Kind != Wait || len(d.Propose) > 0) {
			rt.Fatalf("unrecordable yet proposed: %+v", d)
		}
		for _, q := range d.Propose {
			if _, err := NewTx(NetworkID{}, q.Tx(here.Gateway, 0, 0, named("previous"))); err != nil {
				rt.Fatalf("cannot be sealed: %v", err)
			}
		}
	})
}

// TestUnrecordable: an order that no door would have let in does not make a
// promise on the light.
func TestUnrecordable(t *testing.T) {
	h := bracket()
	h.sheet.Item.Nodes[0].State.Options[0].Task = "no id"
	d := Check(station("drill-1"), scanned(h))
	if d.Kind != Wait || d.Reason != ReasonUnrecordable || len(d.Propose) > 0 || d.Found == "" {
		t.Errorf("got %s", describe(d))
	}
}

func TestReasonIsClipped(t *testing.T) {
	long := strings.Repeat("ü", 90)
	h := drilled().edit(func(s *Sheet) {
		s.Report.Measurements = []Measurement{{Name: "bore", Value: 1, Unit: strings.Repeat("m", 96)}}
		s.Order.Routing[0].Limits[0].Unit = strings.Repeat("n", 96)
		s.Order.Routing[0].Limits[0].OnFail = SetAside
	})
	d := Check(benchStation("bench-1"), scanned(h))
	if d.Kind != PutAside {
		t.Fatalf("got %s", describe(d))
	}
	if got := clip(long + long); len(got) > MaxNote || !strings.HasSuffix(got, "ü…") {
		t.Errorf("clip gives %d bytes ending %q", len(got), got[len(got)-6:])
	}
}

func TestSpans(t *testing.T) {
	for ms, want := range map[int64][2]string{
		-5: {"0 s", "0 s"}, 0: {"0 s", "0 s"}, 999: {"0 s", "1 s"}, 2000: {"2 s", "2 s"},
		119_999: {"119 s", "2 min"}, 7_199_000: {"119 min", "119 min"}, 7_200_000: {"2 h", "2 h"},
	} {
		if got := [2]string{seconds(ms), secondsUp(ms)}; got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
