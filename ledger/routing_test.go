package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// op is an operation with its needs.
func op(id string, needs ...string) Operation {
	return Operation{ID: id, Task: "do-" + id, Place: "at-" + id, Needs: needs, MaxReturns: 1}
}

func TestCheckRouting(t *testing.T) {
	with := func(f func(*Operation)) []Operation {
		o := op("a")
		f(&o)
		return []Operation{o}
	}
	limit := func(f func(*Limit)) []Operation {
		l := Limit{Name: "bore", Min: 1, Max: 2, Unit: "mm", OnFail: Return}
		f(&l)
		return with(func(o *Operation) { o.Limits = []Limit{l} })
	}
	wide := func(n int) []Operation {
		var r []Operation
		for i := range n {
			r = append(r, op(fmt.Sprintf("o%d", i)))
		}
		return r
	}
	consumed := op("join", "a")
	consumed.ConsumedBy = "gearbox"
	tests := []struct {
		name    string
		routing []Operation
		field   string // of the error; empty: sound
	}{
		{"one operation", []Operation{op("a")}, ""},
		{"a diamond", []Operation{op("a"), op("b", "a"), op("c", "a"), op("d", "b", "c")}, ""},
		{"needs named before they stand", []Operation{op("b", "a"), op("a")}, ""},
		{"16 at once", wide(16), ""},
		{"17 at once", wide(17), "routing"},
		{"64 in a row", chain(64), ""},
		{"65 operations", chain(65), "routing"},
		{"an id with a space", []Operation{op("a b")}, "routing[0].id"},
		{"no task", with(func(o *Operation) { o.Task = "" }), "routing[0].task"},
		{"no place", with(func(o *Operation) { o.Place = "" }), "routing[0].place"},
		{"two of one id", []Operation{op("a"), op("a")}, "routing[1].id"},
		{"a need that is not there", []Operation{op("a"), op("b", "x")}, "routing[1].needs[0]"},
		{"needs itself", []Operation{op("a", "a")}, "routing[0].needs[0]"},
		{"needs one twice", []Operation{op("a"), op("b", "a", "a")}, "routing[1].needs[1]"},
		{"a circle of two", []Operation{op("a", "b"), op("b", "a")}, "routing[0].needs"},
		{"a circle of three behind a start", []Operation{op("s"), op("a", "c"), op("b", "a"), op("c", "b")}, "routing[1].needs"},
		{"consumed at the end", []Operation{op("a"), consumed}, ""},
		{"something follows the consumption", []Operation{op("a"), consumed, op("z", "join")}, "routing[2].needs[0]"},
		{"something can be left out by the consumption", []Operation{op("a"), op("b", "a"), consumed}, "routing[2].needs"},
		{"consumes and is consumed", with(func(o *Operation) { o.ConsumedBy, o.Inputs = "x", []Need{{Product: "p", Count: 1}} }), "routing[0].consumed_by"},
		{"64 inputs", with(func(o *Operation) { o.Inputs = []Need{{Product: "p", Count: 60}, {Product: "q", Count: 4}} }), ""},
		{"65 inputs", with(func(o *Operation) { o.Inputs = []Need{{Product: "p", Count: 60}, {Product: "q", Count: 5}} }), "routing[0].inputs[1].count"},
		{"no input", with(func(o *Operation) { o.Inputs = []Need{{Product: "p"}} }), "routing[0].inputs[0].count"},
		{"an input count beyond all", with(func(o *Operation) { o.Inputs = []Need{{Product: "p", Count: 1 << 62}} }), "routing[0].inputs[0].count"},
		{"an input twice", with(func(o *Operation) { o.Inputs = []Need{{Product: "p", Count: 1}, {Product: "p", Count: 1}} }), "routing[0].inputs[1].product"},
		{"a limit upside down", limit(func(l *Limit) { l.Min = 3 }), "routing[0].limits[0].min"},
		{"a limit of one value", limit(func(l *Limit) { l.Min = 2 }), ""},
		{"a limit that accepts", limit(func(l *Limit) { l.OnFail = Accept }), "routing[0].limits[0].on_fail"},
		{"a limit without unit", limit(func(l *Limit) { l.Unit = "" }), "routing[0].limits[0].unit"},
		{"a limit's exponent", limit(func(l *Limit) { l.Exponent = 19 }), "routing[0].limits[0].exponent"},
		{"a weight in kg", limit(func(l *Limit) { l.Name, l.Unit = "weight", "kg" }), ""},
		{"a weight in mm", limit(func(l *Limit) { l.Name = "weight" }), "routing[0].limits[0].unit"},
		{"a weight of nothing", limit(func(l *Limit) { l.Name, l.Unit, l.Min, l.Max = "weight", "g", 0, 0 }), "routing[0].limits[0].max"},
		{"two limits of a name", with(func(o *Operation) {
			l := Limit{Name: "bore", Max: 1, Unit: "mm", OnFail: Return}
			o.Limits = []Limit{l, l}
		}), "routing[0].limits[1].name"},
		{"16 returns", with(func(o *Operation) { o.MaxReturns = 16 }), ""},
		{"17 returns", with(func(o *Operation) { o.MaxReturns = 17 }), "routing[0].max_returns"},
		{"a dwell of a day", with(func(o *Operation) { o.Dwell = MaxDwell }), ""},
		{"a dwell longer than a day", with(func(o *Operation) { o.Dwell = MaxDwell + 1 }), "routing[0].dwell"},
		{"a dwell before zero", with(func(o *Operation) { o.Dwell = -1 }), "routing[0].dwell"},
		{"three signers", with(func(o *Operation) { o.Signers = 3 }), "routing[0].signers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckRouting(tt.routing)
			var fe *FieldError
			switch {
			case tt.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.field != "" && (!errors.As(err, &fe) || fe.Field != tt.field):
				t.Errorf("got %v, want an error at %s", err, tt.field)
			}
		})
	}
}

func chain(n int) []Operation {
	r := []Operation{op("o0")}
	for i := 1; i < n; i++ {
		r = append(r, op(fmt.Sprintf("o%d", i), fmt.Sprintf("o%d", i-1)))
	}
	return r
}

// TestWidth compares the matching with the widest set of ready operations over
// all sets that can be done, for random small routings.
func TestWidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + rng.IntN(8)
		var routing []Operation
		at := map[string]int{}
		for i := range n {
			o := op(fmt.Sprintf("o%d", i))
			for j := range i {
				if rng.IntN(3) == 0 {
					o.Needs = append(o.Needs, routing[j].ID)
				}
			}
			at[o.ID] = i
			routing = append(routing, o)
		}
		if got, want := antichain(ancestors(routing, at)), widest(routing, at); got != want {
			t.Fatalf("width %d, by trying all sets %d: %+v", got, want, routing)
		}
	}
}

func widest(routing []Operation, at map[string]int) int {
	most := 0
	for set := range 1 << len(routing) {
		done, closed := map[string]bool{}, true
		for i, o := range routing {
			if set&(1<<i) == 0 {
				continue
			}
			done[o.ID] = true
			for _, need := range o.Needs {
				closed = closed && set&(1<<at[need]) != 0
			}
		}
		if closed {
			most = max(most, len(readyAfter(Order{Routing: routing}, done)))
		}
	}
	return most
}

func TestDone(t *testing.T) {
	withdrawnSecond := func() *history {
		h := deburred()
		return h.accept("weigh", "scale-1", keyHere).report("weigh", "scale-1", Report{}).withdraw(nil)
	}
	tests := []struct {
		name  string
		h     *history
		done  string
		ready string
	}{
		{"taken in", bracket(), "", "drill"},
		{"in work", bracket().accept("drill", "drill-1", keyHere), "", "drill"},
		{"reported", drilled(), "drill", "deburr"},
		{"a fork in the routing", deburred(), "deburr drill", "weigh inspect"},
		{"one of two done", packable(1).withdraw(nil), "deburr drill weigh", "inspect"},
		{"both done", packable(1), "deburr drill inspect weigh", "pack"},
		{"all done", finished(), "deburr drill inspect pack weigh", ""},
		{"returned", deburred().reject(Return, "scale-1", "x"), "drill", "deburr"},
		{"set aside is not undone", deburred().reject(SetAside, "scale-1", "x"), "deburr drill", "weigh inspect"},
		{"failed", bracket().accept("drill", "drill-1", keyHere).report("drill", "drill-1", Report{Outcome: OutcomeFail}), "", "drill"},
		{"failed, used as is", bracket().accept("drill", "drill-1", keyHere).report("drill", "drill-1", Report{Outcome: OutcomeFail}).rule(UseAsIs, "", ""), "drill", "deburr"},
		{"taken in, used as is", bracket().rule(UseAsIs, "", ""), "", "drill"},
		{"returned, used as is", deburred().reject(Return, "scale-1", "x").rule(UseAsIs, "", ""), "deburr drill", "weigh inspect"},
		{"rework of the first undoes all", packable(1).rule(ReworkAt, "drill", "drill-1"), "", "drill"},
		{"return to the second undoes what needs it", packable(1).rule(ReturnTo, "deburr", "benches"), "drill", "deburr"},
		{"continue undoes nothing", packable(1).rule(ContinueAt, "pack", "pack-2"), "deburr drill inspect weigh", "pack"},
		{"withdrawn", withdrawnSecond(), "deburr drill", "weigh inspect"},
		{"withdrawn, then reported again", withdrawnSecond().report("weigh", "scale-1", Report{}), "deburr drill weigh", "inspect"},
		{"the assembly's report is not the part's", partHere("G-1", "gear").move(Node{Kind: KindReport, Of: named("GB"), Operation: "assemble", Outcome: OutcomeOK}), "cut", "join"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			order := tt.h.sheet.Order
			var done []string
			for id, ok := range Done(tt.h.line(), order.Routing) {
				if ok {
					done = append(done, id)
				}
			}
			slices.Sort(done)
			if got := strings.Join(done, " "); got != tt.done {
				t.Errorf("done %q, want %q", got, tt.done)
			}
			if got := operations(Ready(order, tt.h.line())); got != tt.ready {
				t.Errorf("ready %q, want %q", got, tt.ready)
			}
		})
	}
}

func operations(os []Option) string {
	var ids []string
	for _, o := range os {
		ids = append(ids, o.Operation)
	}
	return strings.Join(ids, " ")
}

// TestRawLine: a line that still holds what was withdrawn means the same.
func TestRawLine(t *testing.T) {
	h := deburred()
	h.accept("weigh", "scale-1", keyHere).report("weigh", "scale-1", Report{}).withdraw(nil)
	raw := h.sheet.Item.Nodes // in order of depth: the whole history, the withdrawn report in it
	if got := operations(Ready(h.sheet.Order, raw)); got != "weigh inspect" {
		t.Errorf("ready %q", got)
	}
}

func TestOptions(t *testing.T) {
	if got := operations(FirstOptions(bracketOrder())); got != "drill" {
		t.Errorf("first options %q", got)
	}
	if got := operations(NextOptions(bracketOrder(), drilled().line(), "deburr")); got != "weigh inspect" {
		t.Errorf("next options %q", got)
	}
	if got := NextOptions(bracketOrder(), packable(1).line(), "pack"); got != nil {
		t.Errorf("after the last operation %v", got)
	}
	want := Option{Task: "deburr-edges", Operation: "deburr", Place: "benches"}
	if got := Ready(bracketOrder(), drilled().line()); len(got) != 1 || got[0] != want {
		t.Errorf("ready %+v, want %+v", got, want)
	}
}

func TestReturns(t *testing.T) {
	h := deburred().reject(Return, "scale-1", "x")
	h.accept("deburr", "bench-1", keyHere).report("deburr", "bench-1", Report{}).reject(Return, "inspect-1", "y")
	for operation, want := range map[string]int{"drill": 0, "deburr": 2, "weigh": 0} {
		if got := Returns(h.line(), operation); got != want {
			t.Errorf("%s was returned %d times, want %d", operation, got, want)
		}
	}
}
