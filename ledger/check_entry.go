package ledger

import (
	"fmt"
	"slices"
)

// expected judges an item whose option number index may be taken here: accept,
// return or set aside.
func (v visit) expected(index int, o Option) Decision {
	op, _ := v.sheet.Order.operationOf(o.Operation)
	if v.unwanted(op) {
		return v.notNeeded(o)
	}
	if v.scan.Gate == GateOut {
		d := v.answer(Wait, ReasonExitOnly)
		d.Operation, d.Task = o.Operation, o.Task
		d.Expected = "an item in work here"
		d.Found = fmt.Sprintf("it is expected for %s, nobody has taken it up", o.Operation)
		d.Do = "Scan it at the entrance reader first."
		return d
	}
	verdict := Verdict{
		Station: v.here.Station, Operation: o.Operation, Task: o.Task, Option: uint8(index), Ruling: Accept,
		Tag: v.scan.seenTag(), Weight: v.scan.weight(), Note: v.note(),
	}
	return v.onNote(v.entry(op, o, verdict))
}

// entry judges what is expected here: return, set aside or accept.
func (v visit) entry(op Operation, o Option, verdict Verdict) Decision {
	if d, stop := v.judgeReport(op, verdict); stop {
		return d
	}
	p := v.verdict(verdict)
	switch {
	case op.ConsumedBy != "":
		d := v.part(o.Operation, o.Task, ReasonInput)
		d.Propose = []Proposal{p}
		return d
	case v.here.Mode == ModePortal && v.scan.Gate != GateIn:
		return v.portal(op, o, p)
	}
	return v.accept(op, o, p)
}

// verdict proposes a verdict on the head.
func (v visit) verdict(b Verdict) Proposal {
	return Proposal{Item: v.sheet.Item.ID, After: slices.Clone(v.sheet.Item.HeadIDs), Operators: v.scan.operators(), Body: b}
}

func (v visit) accept(op Operation, o Option, p Proposal) Decision {
	d := v.answer(Accepted, ReasonExpected)
	d.Operation, d.Task, d.Propose = o.Operation, o.Task, []Proposal{p}
	d.Expected = fmt.Sprintf("%s at %s", o.Operation, o.Place)
	d.Found = "the item, in order"
	d.Do = fmt.Sprintf("Do %s, then scan again.", o.Task)
	switch {
	case v.head.Kind == KindVerdict && v.head.Ruling == Return:
		d.Reason, d.Found = ReasonRework, "returned for rework"
		if r := v.sheet.Verdict; r != nil {
			d.Found = "returned for rework: " + r.Reason
		}
		d.Do = fmt.Sprintf("Rework: do %s again, then scan again.", o.Task)
	case v.head.Kind == KindDisposition:
		d.Reason, d.Found = ReasonRuled, fmt.Sprintf("quality ruled %s", v.head.Ruling)
	}
	if _, missing := v.inputs(op); len(missing) > 0 {
		d.Missing = missing
		d.Do = fmt.Sprintf("Do %s: scan %s, then this item again.", o.Task, needWords(missing))
	}
	d.Do += v.orderNote()
	return d
}

// portal takes the item up and reports its operation in one step. An assembly
// that lacks parts is taken up only, so that its parts find it.
func (v visit) portal(op Operation, o Option, p Proposal) Decision {
	d := v.complete(op, o.Task, Proposal{Item: v.sheet.Item.ID, Follows: true, Operators: v.scan.operators()})
	if d.Reason == ReasonMissingInputs {
		d = v.accept(op, o, p)
		d.Reason = ReasonMissingInputs
		return d
	}
	if len(d.Propose) > 0 {
		d.Propose = append([]Proposal{p}, d.Propose...)
	}
	return d
}

// judgeReport makes the checks of an entry; stop is false where all hold or
// none is due.
func (v visit) judgeReport(op Operation, verdict Verdict) (d Decision, stop bool) {
	fromReport := v.head.ownReport()
	if !fromReport && v.head.Kind != KindIntake {
		return Decision{}, false // a return or quality sent it here: judged already
	}
	if missing := v.missingNeeds(op); missing != "" {
		return v.setAside(verdict, failure{
			check: ReasonNeeds, expected: missing + " done before " + op.ID, found: "it is not done", onFail: SetAside,
		}), true
	}
	if fromReport {
		switch before, _ := v.sheet.Order.operationOf(v.head.Operation); {
		case v.sheet.Report != nil:
			if f, ok := failedLimit(before, *v.sheet.Report); !ok {
				return v.failed(verdict, f), true
			}
		case v.head.Noted == nil: // a note's author has judged its values by the same limits
			return v.waitReport(op, verdict.Task), true
		}
	}
	l, ok := op.weightLimit()
	switch {
	case !ok:
		return Decision{}, false
	case v.scan.weight() == 0:
		return v.waitWeight(op.ID, verdict.Task, l), true
	case !l.allows(v.scan.weight(), -3, l.gram()):
		return v.failed(verdict, weightFailure(l, v.scan.weight())), true
	}
	return Decision{}, false
}

func (v visit) missingNeeds(op Operation) string {
	done := Done(v.line, v.sheet.Order.Routing)
	for _, n := range op.Needs {
		if !done[n] {
			return n
		}
	}
	return ""
}

func (v visit) waitReport(op Operation, task string) Decision {
	d := v.answer(Wait, ReasonReport)
	d.Operation, d.Task = op.ID, task
	d.Expected = fmt.Sprintf("the report of %s%s", v.head.Operation, at(v.head.Station))
	d.Found = "it has not arrived here"
	d.Do = "Leave the item here until this station hears from the others, then scan again."
	return d
}

// failed returns the item to the station that reported it, or sets it aside: as
// the limit says, where there is nobody to return it to, and once the operation
// has been returned as often as its routing allows.
func (v visit) failed(verdict Verdict, f failure) Decision {
	if f.onFail != Return || !v.head.ownReport() || v.head.Station == "" {
		return v.setAside(verdict, f)
	}
	reported, _ := v.sheet.Order.operationOf(v.head.Operation)
	if n := Returns(v.line, reported.ID); n >= int(reported.MaxReturns) {
		if n > 0 {
			f.found += fmt.Sprintf(", after %s of %s", times(n, "return"), reported.ID)
		}
		return v.setAside(verdict, f)
	}
	verdict.Ruling, verdict.Reason = Return, clip(f.reason())
	d := v.rejected(Returned, verdict, f)
	d.Where = []string{v.head.Station}
	d.Do = fmt.Sprintf("Take it back to %s for rework of %s.", v.head.Station, v.head.Operation) + v.orderNote()
	return d
}

func (v visit) setAside(verdict Verdict, f failure) Decision {
	verdict.Ruling, verdict.Reason = SetAside, clip(f.reason())
	d := v.rejected(PutAside, verdict, f)
	d.Do = "Put the item aside for quality." + v.orderNote()
	return d
}

func (v visit) rejected(kind DecisionKind, verdict Verdict, f failure) Decision {
	d := v.answer(kind, ReasonLimit)
	if f.check == ReasonNeeds {
		d.Reason = ReasonNeeds
	}
	d.Check, d.Expected, d.Found = f.check, f.expected, f.found
	d.Operation, d.Task = verdict.Operation, verdict.Task
	d.Propose = []Proposal{v.verdict(verdict)}
	return d
}
