package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// inWork answers for an item that some gateway has taken up.
func (v visit) inWork() Decision {
	st := v.state
	switch {
	case st.By == v.here.Gateway && st.Station == v.here.Station:
		return v.inWorkHere()
	case st.Station == v.here.Station:
		d := v.answer(Wait, ReasonOtherGateway)
		d.Operation, d.Task = st.Operation, st.Task
		d.Expected = "the item in work by this gateway"
		d.Found = fmt.Sprintf("gateway %s took it up at this station", st.By.Short())
		d.Do = "Finish it there; if that board is dead, quality lets this one continue."
		return d
	}
	d := v.answer(WrongPlace, ReasonInWorkElsewhere)
	d.Operation, d.Task = st.Operation, st.Task
	d.Where = []string{st.Station}
	d.Found = fmt.Sprintf("it is in work at %s (%s), not reported yet", st.Station, st.Operation)
	for _, o := range NextOptions(v.sheet.Order, v.line, st.Operation) {
		if v.here.serves(o.Place) {
			d.Kind = Wait
			d.Expected = fmt.Sprintf("the report of %s from %s", st.Operation, st.Station)
			d.Do = fmt.Sprintf("Leave it here until %s has completed it, then scan again.", st.Station) + v.orderNote()
			return d
		}
	}
	d.Expected = "the item at " + st.Station
	d.Do = fmt.Sprintf("Take it back to %s.", st.Station) + v.orderNote()
	d.Propose = v.misroute()
	return d
}

// inWorkHere completes the operation, or says what it waits for.
func (v visit) inWorkHere() Decision {
	op, _ := v.sheet.Order.operationOf(v.state.Operation)
	if op.ConsumedBy != "" {
		return v.part(v.state.Operation, v.state.Task, ReasonInputOf)
	}
	dwell := max(op.Dwell, v.here.MinDwell)
	switch {
	case v.scan.Gate == GateIn:
		return v.acceptedBefore(ReasonEntranceOnly, "it is in work here", "Work on it and scan it at the exit reader to complete it.")
	case v.scan.Fresh:
		return v.acceptedBefore(ReasonAlreadyAccepted, "it is in work here since before this station started", "Work on it; the next scan completes it.")
	case v.scan.SinceAccept < dwell:
		return v.acceptedBefore(ReasonDwell, fmt.Sprintf("already accepted %s ago", seconds(v.scan.SinceAccept)),
			fmt.Sprintf("Work on it; a scan in %s completes it.", secondsUp(dwell-v.scan.SinceAccept)))
	}
	after := Proposal{Item: v.sheet.Item.ID, After: slices.Clone(v.sheet.Item.HeadIDs), Operators: v.scan.operators()}
	return v.complete(op, v.state.Task, after)
}

// acceptedBefore repeats ACCEPT and records nothing.
func (v visit) acceptedBefore(reason, found, do string) Decision {
	d := v.answer(Accepted, reason)
	d.Operation, d.Task = v.state.Operation, v.state.Task
	d.Expected = fmt.Sprintf("%s at %s", v.state.Operation, v.here.Station)
	d.Found, d.Do = found, do+v.orderNote()
	return d
}

// complete reports operation op; p is the proposal to fill in.
func (v visit) complete(op Operation, task string, p Proposal) Decision {
	if d, waits := v.unready(op, task); waits {
		return d
	}
	r := Report{Station: v.here.Station, Operation: op.ID, Task: task, Outcome: OutcomeOK, Weight: v.scan.weight()}
	r.Options = NextOptions(v.sheet.Order, v.line, op.ID)
	if f := v.scan.Form; f != nil {
		r.Measurements, r.Note = f.Measurements, f.Note
		if f.Failed {
			r.Outcome, r.Failure = OutcomeFail, f.Failure
		}
	}
	if r.Outcome == OutcomeOK {
		inputs, missing := v.inputs(op)
		if len(missing) > 0 {
			return v.missingInputs(op, task, missing)
		}
		r.Inputs = inputs
		if len(r.Options) == 0 {
			// Nobody comes after the last operation who would check its values.
			if failed, ok := failedLimit(op, r); !ok {
				r.Outcome, r.Failure, r.Inputs = OutcomeFail, clip(failed.reason()), nil
			}
		}
	}
	if err := r.check(); err != nil {
		return v.formInvalid(op, task, err)
	}
	p.Body = r
	return v.reported(r, []Proposal{p})
}

func (v visit) formInvalid(op Operation, task string, err error) Decision {
	d := v.answer(Wait, ReasonFormInvalid)
	d.Operation, d.Task = op.ID, task
	d.Expected = "values that can be recorded"
	d.Found = err.Error()
	d.Do = "Correct what was entered, then scan again."
	return d
}

// reported says what a report means for the operator.
func (v visit) reported(r Report, ps []Proposal) Decision {
	d := v.answer(Completed, ReasonDone)
	d.Operation, d.Task, d.Propose = r.Operation, r.Task, ps
	d.Expected = fmt.Sprintf("%s done at %s", r.Operation, r.Station)
	d.Found = "done" + consumedWords(len(r.Inputs))
	switch {
	case r.Outcome == OutcomeFail:
		d.Kind, d.Reason = PutAside, ReasonFailed
		d.Found = "it failed"
		if r.Failure != "" {
			d.Found += ": " + r.Failure
		}
		d.Do = "Put the item aside for quality." + v.orderNote()
	case len(r.Options) == 0:
		d.Reason = ReasonFinished
		d.Do = "Finished: hand it on." + v.orderNote()
	default:
		d.Where = places(r.Options)
		d.Do = "Take it to " + described(r.Options) + "." + v.orderNote()
	}
	return d
}

func consumedWords(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", with 1 part built in"
	}
	return fmt.Sprintf(", with %d parts built in", n)
}

// unready says what a completion waits for before anything is reported.
func (v visit) unready(op Operation, task string) (Decision, bool) {
	failed := v.scan.Form != nil && v.scan.Form.Failed
	signed := len(v.scan.operators())
	switch {
	case signed < int(op.Signers):
		d := v.answer(Wait, ReasonBadge)
		d.Operation, d.Task = op.ID, task
		d.Expected = fmt.Sprintf("%d operators signed on", op.Signers)
		if op.Signers == 1 {
			d.Expected = "an operator signed on"
		}
		d.Found = "nobody"
		if signed > 0 {
			d.Found = times(signed, "operator")
		}
		d.Do = "Tap your badge, then scan the item again."
		return d, true
	case failed:
		return Decision{}, false
	}
	if missing := v.unmeasured(op); len(missing) > 0 {
		d := v.answer(Wait, ReasonForm)
		d.Operation, d.Task = op.ID, task
		d.Expected = "measurements: " + strings.Join(missing, ", ")
		d.Found = "none entered"
		if v.scan.Form != nil {
			d.Found = times(len(v.scan.Form.Measurements), "measurement") + ", not these"
		}
		d.Do = "Measure and enter them, then scan the item again."
		return d, true
	}
	if l, ok := op.weightLimit(); ok && v.scan.weight() == 0 {
		return v.waitWeight(op.ID, task, l), true
	}
	return Decision{}, false
}

// unmeasured lists the limits of op for which nothing was entered.
func (v visit) unmeasured(op Operation) []string {
	var missing []string
	for _, l := range op.Limits {
		if l.Name == WeightLimit {
			continue
		}
		if f := v.scan.Form; f == nil || !measured(f.Measurements, l.Name) {
			missing = append(missing, l.Name)
		}
	}
	return missing
}

func measured(ms []Measurement, name string) bool {
	for _, m := range ms {
		if m.Name == name {
			return true
		}
	}
	return false
}

func (v visit) waitWeight(operation, task string, l Limit) Decision {
	d := v.answer(Wait, ReasonWeight)
	d.Operation, d.Task, d.Check = operation, task, WeightLimit
	d.Expected = "a weight of " + l.words()
	d.Found = "nothing on the scale"
	d.Do = "Put the item on the scale and wait until it is still."
	return d
}
