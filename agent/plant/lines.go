package plant

import (
	"fmt"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// The steps of every piece.
const (
	stepIntake = iota
	stepDrill
	stepInspect
	stepPack
	steps
)

const (
	orderID  = "WO-1"
	drilling = "drilling" // work centre of the two

	firstDrill, secondDrill = "drill-1", "drill-2"

	// dwell is the least time that the order wants between taking up and
	// completing.
	dwell = 2 * time.Second
)

// Tags of pieces begin with what they are.
const (
	bracketTag = "04"
	lidTag     = "05"
)

// The products.
const (
	bracket = "bracket"
	lid     = "lid"
)

// Five returns the stations of the usual plant.
func Five() []Station { return Lines(5) }

// Lines returns n stations: lines of an intake, two that drill, inspection and
// packing, each with its own orders. What is left of a line drills for the last
// one. Fewer than five are the first ones of a line that nobody finishes.
func Lines(n int) []Station {
	var out []Station
	for line := 0; len(out)+5 <= n || line == 0; line++ {
		out = append(out,
			Station{Name: onLine("intake", line), Intake: true, Line: line, Step: stepIntake},
			drill(2*line+1, line), drill(2*line+2, line),
			Station{Name: onLine("inspection", line), Line: line, Step: stepInspect},
			Station{Name: onLine("packing", line), Line: line, Step: stepPack},
		)
	}
	last := out[len(out)-1].Line
	for i := len(out); i < n; i++ {
		out = append(out, drill(1000+i, last))
	}
	return out[:n]
}

func drill(number, line int) Station {
	return Station{Name: fmt.Sprintf("drill-%d", number), Centre: onLine(drilling, line), Line: line, Step: stepDrill}
}

// onLine is the name of a place on a line; on the first it has no number.
func onLine(name string, line int) string {
	if line == 0 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, line+1)
}

func orderOf(line int) string { return fmt.Sprintf("WO-%d", line+1) }

func partOrderOf(line int) string { return orderOf(line) + "-lids" }

func intakeRules(line int) agent.IntakeRules {
	return agent.IntakeRules{{TagPrefix: lidTag, Order: partOrderOf(line)}, {Order: orderOf(line)}}
}

// routing is drill, inspect, pack.
func (p *plant) routing(line int) []ledger.Operation {
	packing := ledger.Operation{
		ID: "30", Task: "pack", Place: onLine("packing", line), Needs: []string{"20"}, MaxReturns: 1, Dwell: dwell.Milliseconds(),
	}
	if p.plan.Parts {
		packing.Inputs = []ledger.Need{{Product: lid, Count: 1}}
	}
	if p.plan.Scales {
		packing.Limits = []ledger.Limit{{Name: ledger.WeightLimit, Min: 100, Max: 200, Unit: "g", OnFail: ledger.Return}}
	}
	return []ledger.Operation{
		{ID: "10", Task: "drill", Place: onLine(drilling, line), MaxReturns: 1, Dwell: dwell.Milliseconds()},
		{ID: "20", Task: "inspect", Place: onLine("inspection", line), Needs: []string{"10"}, MaxReturns: 1, Dwell: dwell.Milliseconds()},
		packing,
	}
}

// partRouting is that of what packing builds in.
func partRouting(line int) []ledger.Operation {
	return []ledger.Operation{{ID: "10", Task: "fit", Place: onLine("packing", line), MaxReturns: 1, ConsumedBy: bracket}}
}

// lines is how many there are.
func (p *plant) lines() int {
	n := 0
	for _, s := range p.plan.Stations {
		n = max(n, s.Line+1)
	}
	return n
}

// serving returns the gateways of a step on a line, those of other boards with the
// same key among them.
func (p *plant) serving(line, step int) []*gateway {
	var out []*gateway
	for _, g := range p.gateways {
		if g.Line == line && g.Step == step && !p.outcasts[g.id] {
			out = append(out, g)
		}
	}
	return out
}
