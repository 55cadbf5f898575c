package ledger

import "fmt"

var (
	goodReport  = Report{Station: "s", Operation: "10", Task: "drill", Outcome: OutcomeOK, Options: []Option{toDrill}}
	goodIntake  = Intake{Station: "s", Label: "l", Order: Hash{1}, Product: "p", Options: []Option{toDrill}}
	goodVerdict = Verdict{Station: "s", Operation: "10", Task: "drill", Ruling: Accept}
	goodAmend   = Amend{Note: "n", Reason: "r"}
)

func manyIDs(n int) []string { return repeat(n, func(i int) string { return fmt.Sprintf("T%d", i) }) }

func (b *formBook) reportForms() {
	report := func(covers, want string, change func(*Report)) { bodyCase(b, covers, want, goodReport, change) }
	report("report.station", "report.station: is missing: an id has 1 to 96", func(r *Report) { r.Station = "" })
	report("report.station", "is longer than 96 characters", func(r *Report) { r.Station = longText(97) })
	report("report.station", "", func(r *Report) { r.Station = longText(96) })
	for _, c := range []string{" ", `"`, "'", "`", "<", ">", `\`, "\x7f", "é", "\t"} {
		report("report.station", "report.station = ", func(r *Report) { r.Station = "a" + c })
	}
	report("report.operation", "report.operation: is missing", func(r *Report) { r.Operation = "" })
	report("report.task", "report.task: is missing", func(r *Report) { r.Task = "" })
	report("report.outcome", "report.outcome = 0: is 1 (ok) or 2 (fail)", func(r *Report) { r.Outcome = 0 })
	report("report.outcome", "report.outcome = 3", func(r *Report) { r.Outcome = 3 })
	measured := func(n int) func(*Report) {
		return func(r *Report) {
			r.Measurements = repeat(n, func(i int) Measurement { return Measurement{Name: fmt.Sprintf("m%d", i), Unit: "mm"} })
		}
	}
	report("report.measurements", "", measured(32))
	report("report.measurements", "report.measurements = 33: has more than 32", measured(33))
	one := func(m Measurement) func(*Report) { return func(r *Report) { r.Measurements = []Measurement{m} } }
	report("measurement.name", "report.measurements[0].name: is missing", one(Measurement{Unit: "mm"}))
	report("measurement.name", `measurements[1].name = "m": is measured twice`, func(r *Report) {
		r.Measurements = []Measurement{{Name: "m", Unit: "mm"}, {Name: "m", Unit: "mm"}}
	})
	report("measurement.exponent", "measurements[0].exponent = 19: lies outside -18…18", one(Measurement{Name: "m", Unit: "mm", Exponent: 19}))
	report("measurement.exponent", "measurements[0].exponent = -19", one(Measurement{Name: "m", Unit: "mm", Exponent: -19}))
	report("measurement.exponent", "", one(Measurement{Name: "m", Unit: "mm", Exponent: -18, Value: -1 << 63}))
	report("measurement.unit", "report.measurements[0].unit: is missing", one(Measurement{Name: "m"}))
	report("report.weight", "report.weight = -1: is negative", func(r *Report) { r.Weight = -1 })
	inputs := func(n int) func(*Report) {
		return func(r *Report) {
			r.Inputs = repeat(n, func(i int) Input { return Input{Item: Hash{byte(i), 1}, Head: Hash{1}} })
		}
	}
	report("report.inputs", "", inputs(64))
	report("report.inputs", "report.inputs = 65: has more than 64", inputs(65))
	report("report.inputs", "report.inputs = 1: a failed operation consumes nothing", func(r *Report) {
		inputs(1)(r)
		r.Outcome = OutcomeFail
	})
	report("input.item", `report.inputs[0] = "00000000": names an item and its head`, func(r *Report) { r.Inputs = []Input{{Head: Hash{1}}} })
	report("input.item", `report.inputs[1] = "01000000": is consumed twice`, func(r *Report) {
		r.Inputs = []Input{{Item: Hash{1}, Head: Hash{1}}, {Item: Hash{1}, Head: Hash{2}}}
	})
	report("input.head", "names an item and its head", func(r *Report) { r.Inputs = []Input{{Item: Hash{1}}} })
	fail := func(text string) func(*Report) {
		return func(r *Report) { r.Outcome, r.Failure = OutcomeFail, text }
	}
	report("report.failure", "", fail(longText(256)))
	report("report.failure", "is longer than 256 bytes", fail(longText(257)))
	report("report.failure", "contains a control character", fail("a\nb"))
	report("report.failure", "contains a control character", fail("a\u0085b"))
	report("report.failure", `report.failure = "broken": belongs to a failed operation`, func(r *Report) { r.Failure = "broken" })
	options := func(n int) func(*Report) {
		return func(r *Report) { r.Options = repeat(n, func(int) Option { return toDrill }) }
	}
	report("report.options", "", options(16))
	report("report.options", "report.options = 17: has more than 16", options(17))
	report("option.task", "report.options[0].task: is missing", func(r *Report) { r.Options = []Option{{Operation: "o", Place: "p"}} })
	report("option.operation", "report.options[0].operation: is missing", func(r *Report) { r.Options = []Option{{Task: "t", Place: "p"}} })
	report("option.place", "report.options[0].place: is missing", func(r *Report) { r.Options = []Option{{Task: "t", Operation: "o"}} })
	report("report.note", "report.note = ", func(r *Report) { r.Note = longText(257) })
}

func (b *formBook) otherBodyForms() {
	intake := func(covers, want string, change func(*Intake)) { bodyCase(b, covers, want, goodIntake, change) }
	intake("intake.station", "intake.station: is missing", func(i *Intake) { i.Station = "" })
	intake("intake.label", `intake.label = "a b"`, func(i *Intake) { i.Label = "a b" })
	intake("intake.tags", "intake.tags = 17: has more than 16", func(i *Intake) { i.Tags = manyIDs(17) })
	intake("intake.tags", "", func(i *Intake) { i.Tags = manyIDs(16) })
	intake("intake.tags", `intake.tags[1] = "T": is named twice`, func(i *Intake) { i.Tags = []string{"T", "T"} })
	intake("intake.tags", "intake.tags[0]: is missing", func(i *Intake) { i.Tags = []string{""} })
	intake("intake.order", "intake.order: is missing: an item is made for an order", func(i *Intake) { i.Order = TxID{} })
	intake("intake.product", "intake.product: is missing", func(i *Intake) { i.Product = "" })
	intake("intake.lot", `intake.lot = "a b"`, func(i *Intake) { i.Lot = "a b" })
	intake("intake.options", "intake.options = 0: is empty", func(i *Intake) { i.Options = nil })
	intake("intake.options", "intake.options = 17", func(i *Intake) { i.Options = repeat(17, func(int) Option { return toDrill }) })

	verdict := func(covers, want string, change func(*Verdict)) { bodyCase(b, covers, want, goodVerdict, change) }
	verdict("verdict.station", "verdict.station: is missing", func(v *Verdict) { v.Station = "" })
	verdict("verdict.operation", "verdict.operation: is missing", func(v *Verdict) { v.Operation = "" })
	verdict("verdict.task", "verdict.task: is missing", func(v *Verdict) { v.Task = "" })
	verdict("verdict.option", "verdict.option = 16: is not below 16", func(v *Verdict) { v.Option = 16 })
	verdict("verdict.option", "", func(v *Verdict) { v.Option = 15 })
	verdict("verdict.ruling", "verdict.ruling = ruling-0: a verdict accepts (1)", func(v *Verdict) { v.Ruling = 0 })
	verdict("verdict.ruling", "verdict.ruling = rework-at", func(v *Verdict) { v.Ruling = ReworkAt })
	verdict("verdict.reason", "verdict.reason: is missing", func(v *Verdict) { v.Ruling = Return })
	verdict("verdict.reason", "verdict.reason = ", func(v *Verdict) { v.Reason = longText(257) })
	verdict("verdict.tag", `verdict.tag = "a b"`, func(v *Verdict) { v.Tag = "a b" })
	verdict("verdict.weight", "verdict.weight = -1", func(v *Verdict) { v.Weight = -1 })
	verdict("verdict.note", "verdict.note = 129: has more than 128", func(v *Verdict) { v.Note = make([]byte, 129) })
	verdict("verdict.note", "", func(v *Verdict) { v.Note = make([]byte, 128) })

	sends := Disposition{Ruling: ReworkAt, Operation: "10", Task: "drill", Place: "p", Reason: "r"}
	disposition := func(covers, want string, change func(*Disposition)) { bodyCase(b, covers, want, sends, change) }
	disposition("disposition.ruling", "disposition.ruling = set-aside: a disposition is", func(d *Disposition) { d.Ruling = SetAside })
	disposition("disposition.ruling", "disposition.ruling = ruling-9", func(d *Disposition) { d.Ruling = 9 })
	for _, r := range []Ruling{ReworkAt, ReturnTo, ContinueAt} {
		disposition("disposition.operation", "disposition.operation: is missing", func(d *Disposition) { d.Ruling, d.Operation = r, "" })
		disposition("disposition.task", "disposition.task: is missing", func(d *Disposition) { d.Ruling, d.Task = r, "" })
		disposition("disposition.place", "disposition.place: is missing", func(d *Disposition) { d.Ruling, d.Place = r, "" })
	}
	for _, r := range []Ruling{UseAsIs, Scrap} {
		disposition("disposition.operation", "does not belong in", func(d *Disposition) { *d = Disposition{Ruling: r, Operation: "10", Reason: "r"} })
		disposition("disposition.task", "does not belong in", func(d *Disposition) { *d = Disposition{Ruling: r, Task: "10", Reason: "r"} })
		disposition("disposition.place", "does not belong in", func(d *Disposition) { *d = Disposition{Ruling: r, Place: "10", Reason: "r"} })
	}
	disposition("disposition.reason", "disposition.reason: is missing", func(d *Disposition) { d.Reason = "" })
	disposition("disposition.reason", "is longer than 256", func(d *Disposition) { d.Reason = longText(257) })

	withdraw := func(covers, want string, w Withdraw) { bodyCase(b, covers, want, w, func(*Withdraw) {}) }
	withdraw("withdraw.target", "withdraw.target = \"00000000\": a withdrawal names its target or what it keeps", Withdraw{Reason: "r"})
	withdraw("withdraw.keeps", "one of the two", Withdraw{Target: Hash{1}, Keeps: Hash{1}})
	withdraw("withdraw.reason", "withdraw.reason = ", Withdraw{Target: Hash{1}, Reason: longText(257)})

	amend := func(covers, want string, change func(*Amend)) { bodyCase(b, covers, want, goodAmend, change) }
	amend("amend.measurements", "amend.measurements[0].name: is missing", func(a *Amend) { a.Measurements = []Measurement{{Unit: "mm"}} })
	amend("amend.weight", "amend.weight = -1", func(a *Amend) { a.Weight = -1 })
	amend("amend.failure", "amend.failure = ", func(a *Amend) { a.Failure = longText(257) })
	amend("amend.note", "amend: amends nothing", func(a *Amend) { a.Note = "" })
	amend("amend.note", "amend.note = ", func(a *Amend) { a.Note = "a\x00b" })
	amend("amend.reason", "amend.reason: is missing", func(a *Amend) { a.Reason = "" })

	bind := func(covers, want string, x Bind) { bodyCase(b, covers, want, x, func(*Bind) {}) }
	bind("bind.tags", "bind: binds nothing and supersedes nothing", Bind{})
	bind("bind.tags", "bind.tags = 17", Bind{Tags: manyIDs(17)})
	bind("bind.supersedes", "bind.supersedes = 17: has more than 16", Bind{Supersedes: manyHashes(17)})
	bind("bind.supersedes", "is named twice", Bind{Supersedes: []TxID{{1}, {1}}})
	bind("bind.supersedes", "", Bind{Supersedes: manyHashes(16)})

	misroute := func(covers, want string, x Misroute) { bodyCase(b, covers, want, x, func(*Misroute) {}) }
	misroute("misroute.station", "misroute.station: is missing", Misroute{})
	misroute("misroute.tag", `misroute.tag = "a b"`, Misroute{Station: "s", Tag: "a b"})
}

func (b *formBook) orderForms() {
	order := func(covers, want string, change func(*Order)) {
		o := plantOrder()
		o.Routing = append([]Operation(nil), o.Routing...)
		o.Routing[0].Limits = append([]Limit(nil), o.Routing[0].Limits...)
		bodyCase(b, covers, want, o, change)
	}
	op := func(covers, want string, change func(*Operation)) {
		order(covers, want, func(o *Order) { change(&o.Routing[0]) })
	}
	limit := func(covers, want string, change func(*Limit)) {
		op(covers, want, func(o *Operation) { change(&o.Limits[0]) })
	}
	order("order.id", "order.id: is missing", func(o *Order) { o.ID = "" })
	order("order.product", "order.product: is missing", func(o *Order) { o.Product = "" })
	order("order.design", "", func(o *Order) { o.Design = longText(2048) })
	order("order.design", "is longer than 2048 bytes", func(o *Order) { o.Design = longText(2049) })
	order("order.quantity", "order.quantity = -1: is negative", func(o *Order) { o.Quantity = -1 })
	order("order.routing", "order.routing = 0: is empty", func(o *Order) { o.Routing = nil })
	order("order.routing", "order.routing = 65: has more than 64", func(o *Order) { o.Routing = chainOf(65) })
	order("order.routing", "", func(o *Order) { o.Routing = chainOf(64) })
	order("order.replaces", "order.replaces: is missing: a cancellation names", func(o *Order) { o.Cancelled, o.Routing = 1, nil })
	order("order.cancelled", "order.cancelled = 2: is 0 or 1", func(o *Order) { o.Cancelled = 2 })
	order("order.cancelled", "order.routing = 2: does not belong in a cancellation", func(o *Order) { o.Cancelled, o.Replaces = 1, Hash{1} })

	op("operation.id", "order.routing[0].id: is missing", func(o *Operation) { o.ID = "" })
	op("operation.id", "is the id of two operations", func(o *Operation) { o.ID = "20" })
	op("operation.task", "order.routing[0].task: is missing", func(o *Operation) { o.Task = "" })
	op("operation.place", "order.routing[0].place: is missing", func(o *Operation) { o.Place = "" })
	op("operation.needs", `routing[0].needs[0] = "30": is no operation of this routing`, func(o *Operation) { o.Needs = []string{"30"} })
	op("operation.needs", "needs go in a circle", func(o *Operation) { o.Needs = []string{"20"} })
	parts := func(counts ...int64) func(*Operation) {
		return func(o *Operation) {
			o.Inputs = repeat(len(counts), func(i int) Need { return Need{Product: fmt.Sprintf("p%d", i), Count: counts[i]} })
		}
	}
	op("operation.inputs", "", parts(63, 1))
	op("operation.inputs", "consumes at most 64 parts in all", parts(63, 2))
	op("need.product", "routing[0].inputs[0].product: is missing", func(o *Operation) { o.Inputs = []Need{{Count: 1}} })
	op("need.count", "routing[0].inputs[0].count = 0: lies outside 1…64", parts(0))
	op("need.count", "routing[0].inputs[0].count = 65", parts(65))
	op("operation.limits", "routing[0].limits = 33: has more than 32", func(o *Operation) {
		o.Limits = repeat(33, func(i int) Limit { return Limit{Name: fmt.Sprintf("m%d", i), Unit: "mm", OnFail: Return} })
	})
	op("operation.limits", "has two limits in one operation", func(o *Operation) { o.Limits = append(o.Limits, o.Limits[0]) })
	op("operation.max_returns", "routing[0].max_returns = 17: is more than 16", func(o *Operation) { o.MaxReturns = 17 })
	op("operation.dwell", "routing[0].dwell = -1: lies outside", func(o *Operation) { o.Dwell = -1 })
	op("operation.dwell", "routing[0].dwell = 86400001", func(o *Operation) { o.Dwell = 86_400_001 })
	op("operation.dwell", "", func(o *Operation) { o.Dwell = 86_400_000 })
	op("operation.signers", "routing[0].signers = 3: is more than 2", func(o *Operation) { o.Signers = 3 })
	op("operation.consumed_by", "consumes the item: no operation can follow it", func(o *Operation) { o.ConsumedBy = "table" })
	limit("limit.name", "limits[0].name: is missing", func(l *Limit) { l.Name = "" })
	limit("limit.min", "limits[0].min = 1206: is more than the maximum 1205", func(l *Limit) { l.Min = 1206 })
	limit("limit.max", "is more than the maximum 0", func(l *Limit) { l.Max = 0 })
	limit("limit.exponent", "limits[0].exponent = 19: lies outside", func(l *Limit) { l.Exponent = 19 })
	limit("limit.unit", "limits[0].unit: is missing", func(l *Limit) { l.Unit = "" })
	limit("limit.unit", `limits[0].unit = "mm": weights are in g, mg or kg`, func(l *Limit) { l.Name = WeightLimit })
	limit("limit.on_fail", "limits[0].on_fail = accept: is return (2) or set-aside (3)", func(l *Limit) { l.OnFail = Accept })
}

// chainOf is a routing of n operations, each needing the one before.
func chainOf(n int) []Operation {
	return repeat(n, func(i int) Operation {
		o := Operation{ID: fmt.Sprintf("o%d", i), Task: "t", Place: "p"}
		if i > 0 {
			o.Needs = []string{fmt.Sprintf("o%d", i-1)}
		}
		return o
	})
}
