package ledger

import (
	"fmt"
	"math/bits"
)

// Limits of an operation beside those in codec.go.
const (
	MaxReturnsLimit = 16            // returns of an operation before it is set aside
	MaxDwell        = 24 * 3600_000 // ms
	WeightLimit     = "weight"      // the limit's name that means the station's scale
	maxExponent     = 18            // of a limit, as of a measurement
)

// CheckRouting reports the first rule that a routing breaks, as a *FieldError
// whose field begins with routing[i]: ids and their uniqueness, needs that exist
// and do not go in a circle, limits, bounds, and that no operation can be left
// out or offered together with more others than a report can name.
func CheckRouting(routing []Operation) error {
	f := fields{object: "order"}
	f.most("routing", len(routing), MaxOperations)
	if f.err != nil {
		return f.err
	}
	for i, op := range routing {
		f.operation(fmt.Sprintf("routing[%d]", i), op)
		for _, o := range routing[:i] {
			f.need(o.ID != op.ID, fmt.Sprintf("routing[%d].id", i), op.ID, "is the id of two operations")
		}
	}
	f.graph(routing)
	return f.err
}

func (f *fields) operation(at string, op Operation) {
	f.id(at+".id", op.ID)
	f.id(at+".task", op.Task)
	f.id(at+".place", op.Place)
	for j, need := range op.Needs {
		field := fmt.Sprintf("%s.needs[%d]", at, j)
		f.id(field, need)
		f.need(need != op.ID, field, need, "an operation cannot need itself")
		for _, n := range op.Needs[:j] {
			f.need(n != need, field, need, "is needed twice")
		}
	}
	f.inputs(at, op.Inputs)
	f.most(at+".limits", len(op.Limits), MaxMeasurements)
	for j, l := range op.Limits {
		f.limit(fmt.Sprintf("%s.limits[%d]", at, j), l)
		for _, o := range op.Limits[:j] {
			f.need(o.Name != l.Name, fmt.Sprintf("%s.limits[%d].name", at, j), l.Name, "has two limits in one operation")
		}
	}
	f.need(op.MaxReturns <= MaxReturnsLimit, at+".max_returns", op.MaxReturns, "is more than %d", MaxReturnsLimit)
	f.need(op.Dwell >= 0 && op.Dwell <= MaxDwell, at+".dwell", op.Dwell, "lies outside 0…%d ms (24 h)", int64(MaxDwell))
	f.need(op.Signers <= MaxOperators, at+".signers", op.Signers, "is more than %d", MaxOperators)
	f.optionalID(at+".consumed_by", op.ConsumedBy)
	f.need(op.ConsumedBy == "" || len(op.Inputs) == 0, at+".consumed_by", op.ConsumedBy, "an operation that consumes parts is not consumed itself")
}

func (f *fields) inputs(at string, inputs []Need) {
	var total int64
	for j, in := range inputs {
		field := fmt.Sprintf("%s.inputs[%d]", at, j)
		f.id(field+".product", in.Product)
		f.need(in.Count >= 1 && in.Count <= MaxInputs, field+".count", in.Count, "lies outside 1…%d", MaxInputs)
		for _, o := range inputs[:j] {
			f.need(o.Product != in.Product, field+".product", in.Product, "is listed twice: give one count")
		}
		if f.err != nil {
			return
		}
		total += in.Count
		f.need(total <= MaxInputs, field+".count", total, "an operation consumes at most %d parts in all", MaxInputs)
	}
}

func (f *fields) limit(at string, l Limit) {
	f.id(at+".name", l.Name)
	f.id(at+".unit", l.Unit)
	f.need(l.Exponent >= -maxExponent && l.Exponent <= maxExponent, at+".exponent", l.Exponent, "lies outside -18…18")
	f.need(l.Min <= l.Max, at+".min", l.Min, "is more than the maximum %d", l.Max)
	f.need(l.OnFail == Return || l.OnFail == SetAside, at+".on_fail", l.OnFail, "is return (2) or set-aside (3)")
	if l.Name == WeightLimit {
		_, ok := gramExponent(l.Unit)
		f.need(ok, at+".unit", l.Unit, "weights are in g, mg or kg")
		f.need(l.Max > 0, at+".max", l.Max, "a weight limit allows a weight above zero")
	}
}

// graph checks needs once every operation is sound in itself.
func (f *fields) graph(routing []Operation) {
	if f.err != nil {
		return
	}
	at := make(map[string]int, len(routing))
	for i, op := range routing {
		at[op.ID] = i
	}
	for i, op := range routing {
		for j, need := range op.Needs {
			field := fmt.Sprintf("routing[%d].needs[%d]", i, j)
			k, ok := at[need]
			f.need(ok, field, need, "is no operation of this routing")
			f.need(!ok || routing[k].ConsumedBy == "", field, need, "consumes the item: no operation can follow it")
		}
	}
	if f.err != nil {
		return
	}
	before := ancestors(routing, at)
	for i, op := range routing {
		f.need(before[i]&(1<<i) == 0, fmt.Sprintf("routing[%d].needs", i), op.ID, "needs go in a circle")
	}
	if f.err != nil {
		return
	}
	f.consumption(routing, before)
	width := antichain(before)
	f.need(width <= MaxOptions, "routing", width, "operations can be ready at once, a report offers at most %d: let some need others", MaxOptions)
}

// consumption refuses an operation that could be left out because the item is
// consumed before it.
func (f *fields) consumption(routing []Operation, before []uint64) {
	for i, end := range routing {
		if end.ConsumedBy == "" {
			continue
		}
		for j, op := range routing {
			f.need(op.ConsumedBy != "" || before[i]&(1<<j) != 0, fmt.Sprintf("routing[%d].needs", i), end.ID,
				"the item is consumed here, so operation %q could be left out: let this one need it", op.ID)
		}
	}
}

// ancestors returns, for each operation, the set of those that must come before
// it, directly or not; bit i is operation i (at most 64).
func ancestors(routing []Operation, at map[string]int) []uint64 {
	before := make([]uint64, len(routing))
	for i, op := range routing {
		for _, need := range op.Needs {
			before[i] |= 1 << at[need]
		}
	}
	for k := range routing { // Warshall's closure
		for i := range routing {
			if before[i]&(1<<k) != 0 {
				before[i] |= before[k]
			}
		}
	}
	return before
}

// antichain returns the most operations that can be ready at once: the width of
// the order, by Dilworth's theorem n minus a greatest matching.
func antichain(before []uint64) int {
	matchOf := make([]int, len(before)) // operation before which each one stands in its chain, plus one
	var try func(i int, seen *uint64) bool
	try = func(i int, seen *uint64) bool {
		for free := before[i] &^ *seen; free != 0; free = before[i] &^ *seen {
			j := bits.TrailingZeros64(free)
			*seen |= 1 << j
			if matchOf[j] == 0 || try(matchOf[j]-1, seen) {
				matchOf[j] = i + 1
				return true
			}
		}
		return false
	}
	width := len(before)
	for i := range before {
		var seen uint64
		if try(i, &seen) {
			width--
		}
	}
	return width
}

// operationOf returns the operation of that id. One that quality named beside
// the routing has no limits and no needs.
func (b Order) operationOf(id string) (Operation, bool) {
	for _, op := range b.Routing {
		if op.ID == id {
			return op, true
		}
	}
	return Operation{ID: id}, false
}

// settled is a lineage without withdrawals and what they took back: the last
// node is what the head means.
func settled(line []Node) []Node {
	out := make([]Node, 0, len(line))
	for _, n := range line {
		if n.Kind != KindWithdraw {
			out = append(out, n)
			continue
		}
		for i := range out {
			if out[i].Tx == n.Restores {
				out = out[:i+1]
				break
			}
		}
	}
	return out
}

// ownReport reports whether n is a report about the item itself, not the
// assembly's that consumed it.
func (n Node) ownReport() bool { return n.Kind == KindReport && n.Of.IsZero() }

// Done returns the ids of the operations that are done at the end of line: those
// whose latest report is ok and was not returned, or was used as is. Rework of
// an operation undoes it and all that need it. A withdrawn report is not done.
func Done(line []Node, routing []Operation) map[string]bool {
	done := make(map[string]bool, len(routing))
	last := "" // operation of the latest report
	for _, n := range settled(line) {
		switch {
		case n.Noted != nil:
			last = n.Operation
			clear(done) // what came before it is known by the note alone
			for _, op := range n.Noted {
				done[op] = true
			}
		case n.ownReport():
			last = n.Operation
			if n.Outcome == OutcomeOK {
				done[last] = true
			} else {
				undo(done, routing, last)
			}
		case n.Kind == KindVerdict && n.Ruling == Return:
			undo(done, routing, last)
		case n.Kind == KindDisposition && (n.Ruling == ReworkAt || n.Ruling == ReturnTo):
			undo(done, routing, n.Operation)
		case n.Kind == KindDisposition && n.Ruling == UseAsIs && last != "":
			done[last] = true
		}
	}
	return done
}

// undo takes operation and all that need it, directly or not, out of done.
func undo(done map[string]bool, routing []Operation, operation string) {
	undone := map[string]bool{operation: true}
	for before := 0; before < len(undone); {
		before = len(undone)
		for _, op := range routing {
			for _, need := range op.Needs {
				if undone[need] {
					undone[op.ID] = true
				}
			}
		}
	}
	for id := range undone {
		delete(done, id)
	}
}

// Ready returns an option for every operation that may be done next, in routing
// order: all that it needs is done, itself it is not.
func Ready(order Order, line []Node) []Option {
	return readyAfter(order, Done(line, order.Routing))
}

// FirstOptions returns what an intake for order offers.
func FirstOptions(order Order) []Option { return Ready(order, nil) }

// NextOptions returns what a report of completed, done, must offer at the end of
// line. None: the item is finished.
func NextOptions(order Order, line []Node, completed string) []Option {
	done := Done(line, order.Routing)
	done[completed] = true
	return readyAfter(order, done)
}

func readyAfter(order Order, done map[string]bool) []Option {
	var ready []Option
	for _, op := range order.Routing {
		if !done[op.ID] && allDone(op.Needs, done) {
			ready = append(ready, Option{Task: op.Task, Operation: op.ID, Place: op.Place})
		}
	}
	return ready
}

func allDone(needs []string, done map[string]bool) bool {
	for _, n := range needs {
		if !done[n] {
			return false
		}
	}
	return true
}

// Returns counts how often a verdict in line sent operation back.
func Returns(line []Node, operation string) int {
	count, last := 0, ""
	for _, n := range settled(line) {
		switch {
		case n.ownReport():
			last = n.Operation
		case n.Kind == KindVerdict && n.Ruling == Return && last == operation:
			count++
		}
	}
	return count
}
