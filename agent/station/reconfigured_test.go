package station_test

import (
	"testing"

	"traveler.example/agent/station"
)

// another is the same station under a profile that says something else about a
// task.
func another(lost []string, relit bool) func(*gateway) {
	return func(g *gateway) {
		g.step(station.Reconfigured{Config: station.Config{TaskText: map[string]string{"drill-it": "Use the new drill."}, Scale: true}, Lost: lost, Relit: relit})
	}
}

// TestReconfigured changes the profile under what lies on the readers: it stays
// what it was, nothing is recorded for it, and what waited for the scale is
// weighed anew.
func TestReconfigured(t *testing.T) {
	p := newLine(t, weighed(), "drill-1", "scale-1")
	drill, scale := p.at("drill-1"), p.at("scale-1")
	p.does("drill-1", "T2")
	tell(t, p,
		row{what: "accepted", at: drill, do: put("T1"), lights: "green", says: "ACCEPTED T1", logs: "scan.accepted", seals: "accept drill"},
		row{what: "the light goes on", at: drill, do: another(nil, false), says: "ACCEPTED T1"},
		row{what: "another light shows it, too", at: drill, do: another(nil, true), lights: "green-again", says: "ACCEPTED T1"},
		row{what: "the tag leaves", at: drill, do: lift("T1"), lights: "idle", says: "ACCEPTED T1"},
		row{what: "the new words are said", at: drill, do: tap("T1"), lights: "green-again idle", says: "T1", logs: "scan.too-soon"},

		row{what: "put on the scale", at: scale, do: put("T2"), lights: "amber", says: "being weighed"},
		row{what: "it is weighed anew", at: scale, do: another(nil, false), lights: "amber", says: "being weighed"},
		row{what: "in range", at: scale, do: weighs(110_000, ""), lights: "green", says: "ACCEPTED T2", logs: "scan.accepted", seals: "accept weigh"},
		row{what: "its reader is another: nothing stays green", at: scale, do: another([]string{"bench"}, false), lights: "idle", says: "ACCEPTED T2"},
		row{what: "what lies there was not scanned", at: scale, do: func(g *gateway) { g.step(station.Present{Reader: "bench", Tag: "T2"}) }, lights: "amber", says: "LIFT AND SCAN AGAIN", logs: "scan.lift-again"},
	)
	if down := scale.machine.Down(); len(down) > 0 {
		t.Errorf("readers that are gone are down: %v", down)
	}
}
