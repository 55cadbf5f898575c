package line

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// The faults that a run can be given.
const (
	FaultWrongStation = "wrong-station" // items are carried to stations where they do not belong
	FaultBadWeight    = "bad-weight"    // one assembly fails the scale once, another twice
	FaultBrokerLoss   = "broker-loss"   // a gateway loses its broker and works on
	FaultReaderUnplug = "reader-unplug" // readers are unplugged during work
	FaultKill         = "kill"          // gateways are killed, the broker's host among them
	FaultIsland       = "island"        // the last three stations are cut off from everybody and pass items on over their tags
)

// AllFaults lists them in the order of their description.
func AllFaults() []string {
	return []string{FaultWrongStation, FaultBadWeight, FaultBrokerLoss, FaultReaderUnplug, FaultKill, FaultIsland}
}

// ErrPlan is wrapped by every refusal of what a run was asked for.
var ErrPlan = errors.New("run")

// ParseFaults reads a list of faults, divided by commas.
func ParseFaults(list string) ([]string, error) {
	var out []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || slices.Contains(out, name):
		case !slices.Contains(AllFaults(), name):
			return nil, fmt.Errorf("%w: no fault %q, there are: %s", ErrPlan, name, strings.Join(AllFaults(), ", "))
		default:
			out = append(out, name)
		}
	}
	return out, nil
}

// piece is a thing that gets a tag: a housing, a pin or a cover.
type piece struct {
	tag     string
	product string
	detour  *detour  // nil: it is carried rightly
	weights []string // of a housing: grams at each visit to the scale; the last stays
}

// detour is a wrong way: when the piece is sent to a place, it is first carried
// to another gateway.
type detour struct {
	sentTo string // station or work centre
	to     string // gateway
}

// plan is what a run will do, as far as it can be known before.
type plan struct {
	pieces []piece // in the order of their intake
	faults []string
}

// Bounds of a run. One assembly is a housing, a pin and a cover.
const (
	perAssembly = 3
	leastItems  = 6
	mostItems   = 3000
)

const (
	rightWeight = "1250.00"
	lightWeight = "1178.50" // some screws are missing
)

// makePlan lays out a run of so many intakes.
func makePlan(items int, seed uint64, faults []string) (plan, error) {
	if items < leastItems || items > mostItems || items%perAssembly != 0 {
		return plan{}, fmt.Errorf("%w: %d items; an assembly is %d (housing, pin, cover), so give a multiple of %d from %d to %d",
			ErrPlan, items, perAssembly, perAssembly, leastItems, mostItems)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	p := plan{faults: faults}
	for n := range items / perAssembly {
		for _, product := range []string{"housing", "pin", "cover"} {
			p.pieces = append(p.pieces, piece{tag: tagOf(product, n, random), product: product})
		}
	}
	if p.has(FaultBadWeight) {
		p.housing(0).weights = []string{lightWeight, rightWeight}
		p.housing(1).weights = []string{lightWeight, lightWeight}
	}
	if p.has(FaultWrongStation) {
		p.misroute(random)
	}
	return p, nil
}

func (p plan) has(fault string) bool { return slices.Contains(p.faults, fault) }

// housing returns the n-th housing.
func (p plan) housing(n int) *piece { return &p.pieces[n*perAssembly] }

func (p plan) assemblies() int { return len(p.pieces) / perAssembly }

// tagOf makes a tag's identifier: its product's prefix, its number, and digits
// that nobody can guess. Pins have tags of 4 bytes, the others of 7.
func tagOf(product string, n int, random *rand.Rand) string {
	switch product {
	case "pin":
		return fmt.Sprintf("%s%03X%03X", pinPrefix, n, random.IntN(1<<12))
	case "cover":
		return fmt.Sprintf("%s%03X%08X", coverPrefix, n, random.Uint32())
	}
	return fmt.Sprintf("%s%03X%08X", housingPrefix, n, random.Uint32())
}

// misroute gives about one piece in ten a wrong way, two at least. No wrong way
// leads to the station that made the last report of the piece, which would say
// ALREADY DONE and rightly so.
func (p plan) misroute(random *rand.Rand) {
	ways := map[string][]detour{
		"housing": {
			{"DRILLING", Packing},
			{"DRILLING", Dock},
			{"ASSEMBLY", Inspection},
			{"INSPECTION", Packing},
			{"PACKING", Assembly},
			{"PACKING", Dock},
			{"DOCK", Assembly},
		},
		"cover": {{"ASSEMBLY", Drilling1}, {"ASSEMBLY", Packing}, {"ASSEMBLY", Inspection}},
	}
	for n := range max(2, len(p.pieces)/10) {
		// A housing and a cover in turn, spread over the run.
		at, product := n*p.assemblies()/max(2, len(p.pieces)/10), "housing"
		step := 0
		if n%2 == 1 {
			product, step = "cover", 2
		}
		way := ways[product][random.IntN(len(ways[product]))]
		p.pieces[at*perAssembly+step].detour = &way
	}
}

// claims is about how many lights of a smooth run claim a record: a housing is
// taken in, passes five operations with two lights and one with one, a pin and a
// cover are drilled or not and built in.
func (p plan) claims() int { return p.assemblies() * (1 + 2*5 + 1 + 4 + 2) }
