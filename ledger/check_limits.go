package ledger

import "fmt"

// failure is a check that did not hold.
type failure struct {
	check    string // the name of the measurement, or a reason
	expected string
	found    string
	onFail   Ruling
}

func (f failure) reason() string {
	return fmt.Sprintf("%s: expected %s, found %s", f.check, f.expected, f.found)
}

// failedLimit judges a report by the limits of its operation; ok is true where
// every one holds. A value that was not measured fails.
func failedLimit(op Operation, r Report) (f failure, ok bool) {
	for _, l := range op.Limits {
		if l.Name == WeightLimit {
			if !l.allows(r.Weight, -3, l.gram()) {
				return weightFailure(l, r.Weight), false
			}
			continue
		}
		if f, ok := l.judge(r.Measurements); !ok {
			return f, false
		}
	}
	return failure{}, true
}

// judge holds the measurement of the limit's name to it. Units must be equal;
// exponents may differ.
func (l Limit) judge(ms []Measurement) (f failure, ok bool) {
	f = failure{check: l.Name, expected: l.words(), found: "no measurement", onFail: l.OnFail}
	for _, m := range ms {
		if m.Name != l.Name {
			continue
		}
		f.found = FormatDecimal(m.Value, int(m.Exponent)) + " " + m.Unit
		return f, m.Unit == l.Unit && l.allows(m.Value, int(m.Exponent), 0)
	}
	return f, false
}

// allows reports whether value·10^exponent lies within the limit, whose unit is
// 10^scale of the value's.
func (l Limit) allows(value int64, exponent, scale int) bool {
	le := int(l.Exponent) + scale
	return compareDecimal(value, exponent, l.Min, le) >= 0 && compareDecimal(value, exponent, l.Max, le) <= 0
}

// gram is the power of ten of a weight limit's unit in grams.
func (l Limit) gram() int {
	e, _ := gramExponent(l.Unit)
	return e
}

func (l Limit) words() string {
	return fmt.Sprintf("%s to %s %s", FormatDecimal(l.Min, int(l.Exponent)), FormatDecimal(l.Max, int(l.Exponent)), l.Unit)
}

func weightFailure(l Limit, mg int64) failure {
	f := failure{check: WeightLimit, expected: l.words(), found: "not weighed", onFail: l.OnFail}
	if mg > 0 {
		f.found = FormatDecimal(mg, -3) + " g"
	}
	return f
}

// weightLimit returns the operation's limit on the scale's weight.
func (op Operation) weightLimit() (Limit, bool) {
	for _, l := range op.Limits {
		if l.Name == WeightLimit {
			return l, true
		}
	}
	return Limit{}, false
}
