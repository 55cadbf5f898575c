package ledger

import "fmt"

// fields collects the first rule that a body breaks, field by field.
type fields struct {
	object string
	err    error
}

func (f *fields) id(field, s string) {
	if f.err == nil {
		f.err = checkID(f.object, field, s)
	}
}

func (f *fields) optionalID(field, s string) {
	if f.err == nil {
		f.err = checkOptionalID(f.object, field, s)
	}
}

func (f *fields) text(field, s string, limit int) {
	if f.err == nil {
		f.err = checkText(f.object, field, s, limit)
	}
}

func (f *fields) most(field string, n, limit int) {
	if f.err == nil && n > limit {
		f.err = refuse(f.object, field, n, "has more than %d entries", limit)
	}
}

// need refuses the field unless ok holds.
func (f *fields) need(ok bool, field string, value any, rule string, args ...any) {
	if f.err == nil && !ok {
		f.err = refuse(f.object, field, value, rule, args...)
	}
}

func (f *fields) tags(tags []string) {
	f.most("tags", len(tags), MaxTags)
	for i, t := range tags {
		f.id(fmt.Sprintf("tags[%d]", i), t)
		for _, u := range tags[:i] {
			f.need(u != t, fmt.Sprintf("tags[%d]", i), t, "is named twice")
		}
	}
}

func (f *fields) options(os []Option) {
	f.most("options", len(os), MaxOptions)
	for i, o := range os {
		at := fmt.Sprintf("options[%d]", i)
		f.id(at+".task", o.Task)
		f.id(at+".operation", o.Operation)
		f.id(at+".place", o.Place)
	}
}

func (f *fields) measurements(ms []Measurement) {
	f.most("measurements", len(ms), MaxMeasurements)
	for i, m := range ms {
		at := fmt.Sprintf("measurements[%d]", i)
		f.id(at+".name", m.Name)
		f.id(at+".unit", m.Unit)
		f.need(m.Exponent >= -18 && m.Exponent <= 18, at+".exponent", m.Exponent, "lies outside -18…18")
		for _, n := range ms[:i] {
			f.need(n.Name != m.Name, at+".name", m.Name, "is measured twice")
		}
	}
}

func (f *fields) weight(mg int64) {
	f.need(mg >= 0, "weight", mg, "is negative: weights are in mg, 0 is not weighed")
}

func (b Intake) check() error {
	f := fields{object: "intake"}
	f.id("station", b.Station)
	f.id("label", b.Label)
	f.tags(b.Tags)
	f.need(!b.Order.IsZero(), "order", nil, "is missing: an item is made for an order")
	f.id("product", b.Product)
	f.optionalID("lot", b.Lot)
	f.options(b.Options)
	f.need(len(b.Options) > 0, "options", 0, "is empty: an intake says who may continue")
	return f.err
}

func (b Report) check() error {
	f := fields{object: "report"}
	f.id("station", b.Station)
	f.id("operation", b.Operation)
	f.id("task", b.Task)
	f.need(b.Outcome == OutcomeOK || b.Outcome == OutcomeFail, "outcome", b.Outcome, "is 1 (ok) or 2 (fail)")
	f.measurements(b.Measurements)
	f.weight(b.Weight)
	f.most("inputs", len(b.Inputs), MaxInputs)
	for i, in := range b.Inputs {
		at := fmt.Sprintf("inputs[%d]", i)
		f.need(!in.Item.IsZero() && !in.Head.IsZero(), at, in.Item.Short(), "names an item and its head")
		for _, o := range b.Inputs[:i] {
			f.need(o.Item != in.Item, at, in.Item.Short(), "is consumed twice")
		}
	}
	f.need(len(b.Inputs) == 0 || b.Outcome == OutcomeOK, "inputs", len(b.Inputs), "a failed operation consumes nothing")
	f.text("failure", b.Failure, MaxNote)
	f.need(b.Failure == "" || b.Outcome == OutcomeFail, "failure", b.Failure, "belongs to a failed operation")
	f.options(b.Options)
	f.text("note", b.Note, MaxNote)
	return f.err
}

func (b Verdict) check() error {
	f := fields{object: "verdict"}
	f.id("station", b.Station)
	f.id("operation", b.Operation)
	f.id("task", b.Task)
	f.need(b.Option < MaxOptions, "option", b.Option, "is not below %d", MaxOptions)
	f.need(b.Ruling >= Accept && b.Ruling <= SetAside, "ruling", b.Ruling, "a verdict accepts (1), returns (2) or sets aside (3)")
	f.text("reason", b.Reason, MaxNote)
	f.need(b.Ruling == Accept || b.Reason != "", "reason", nil, "is missing: who returns or sets aside says why")
	f.optionalID("tag", b.Tag)
	f.weight(b.Weight)
	f.most("note", len(b.Note), 128)
	return f.err
}

func (b Disposition) check() error {
	f := fields{object: "disposition"}
	f.need(b.Ruling >= ReworkAt && b.Ruling <= Scrap, "ruling", b.Ruling, "a disposition is rework-at (4) to scrap (8)")
	sends := b.Ruling <= ContinueAt
	if sends {
		f.id("operation", b.Operation)
		f.id("task", b.Task)
		f.id("place", b.Place)
	} else {
		f.need(b.Operation+b.Task+b.Place == "", "place", b.Place, "does not belong in %q", b.Ruling)
	}
	f.need(b.Reason != "", "reason", nil, "is missing")
	f.text("reason", b.Reason, MaxNote)
	return f.err
}

func (b Withdraw) check() error {
	f := fields{object: "withdraw"}
	f.need(b.Target.IsZero() != b.Keeps.IsZero(), "target", b.Target.Short(), "a withdrawal names its target or what it keeps, one of the two")
	f.text("reason", b.Reason, MaxNote)
	return f.err
}

func (b Amend) check() error {
	f := fields{object: "amend"}
	f.measurements(b.Measurements)
	f.weight(b.Weight)
	f.text("failure", b.Failure, MaxNote)
	f.text("note", b.Note, MaxNote)
	f.need(b.Reason != "", "reason", nil, "is missing")
	f.text("reason", b.Reason, MaxNote)
	f.need(len(b.Measurements) > 0 || b.Weight != 0 || b.Failure != "" || b.Note != "", "", nil, "amends nothing")
	return f.err
}

func (b Bind) check() error {
	f := fields{object: "bind"}
	f.tags(b.Tags)
	if f.err == nil {
		f.err = checkHashes("bind", "supersedes", b.Supersedes, MaxTags)
	}
	f.need(len(b.Tags)+len(b.Supersedes) > 0, "", nil, "binds nothing and supersedes nothing")
	return f.err
}

func (b Misroute) check() error {
	f := fields{object: "misroute"}
	f.id("station", b.Station)
	f.optionalID("tag", b.Tag)
	return f.err
}

func (b Order) check() error {
	f := fields{object: "order"}
	f.id("id", b.ID)
	f.id("product", b.Product)
	f.text("design", b.Design, 2048)
	f.need(b.Quantity >= 0, "quantity", b.Quantity, "is negative")
	f.need(b.Cancelled <= 1, "cancelled", b.Cancelled, "is 0 or 1")
	if b.Cancelled == 1 {
		f.need(!b.Replaces.IsZero(), "replaces", nil, "is missing: a cancellation names the order it cancels")
		f.need(len(b.Routing) == 0, "routing", len(b.Routing), "does not belong in a cancellation")
		return f.err
	}
	f.need(len(b.Routing) > 0, "routing", 0, "is empty: an order has at least one operation")
	if f.err != nil {
		return f.err
	}
	return CheckRouting(b.Routing)
}
