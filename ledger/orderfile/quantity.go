package orderfile

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"traveler.example/ledger"
)

// literal is a number as the file spells it, with its unit if it has one; so no
// digit is lost to floating point.
type literal struct {
	text string // "12.03 mm"; empty: absent
}

// UnmarshalTOML takes a string, an integer or a decimal fraction as it is
// written.
func (l *literal) UnmarshalTOML(raw []byte) error {
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, `"`) || strings.HasPrefix(text, `'`) {
		var quoted struct{ V string }
		if err := toml.Unmarshal([]byte("V = "+text), &quoted); err != nil {
			return err
		}
		if l.text = strings.TrimSpace(quoted.V); l.text == "" {
			l.text = `""` // present, and no number
		}
		return nil
	}
	l.text = strings.ReplaceAll(text, "_", "")
	return nil
}

// decimal is digits·10^exponent of a unit, exactly.
type decimal struct {
	digits   *big.Int
	exponent int
	unit     string
}

const (
	mostDigits   = 40 // of a literal: more than any int64 at any exponent allowed
	mostExponent = 18 // of a limit
)

// parse reads "12.03 mm": an optional sign, digits with at most one point, and a
// unit.
func (l literal) parse() (decimal, error) {
	number, unit, _ := strings.Cut(l.text, " ")
	if cut := strings.IndexFunc(number, func(r rune) bool { return !strings.ContainsRune("+-.0123456789", r) }); cut > 0 && unit == "" {
		number, unit = number[:cut], number[cut:]
		if (unit[0] == 'e' || unit[0] == 'E') && strings.Trim(unit[1:], "+-0123456789") == "" {
			return decimal{}, fmt.Errorf("%.80q: write the number in plain digits", l.text)
		}
	}
	digits := strings.TrimPrefix(number, "+")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	plain := strings.TrimPrefix(whole, "-") + fraction
	sound := plain != "" && strings.Trim(plain, "0123456789") == "" && len(plain) <= mostDigits &&
		(!hasPoint || fraction != "") && strings.TrimPrefix(whole, "-") != ""
	if !sound {
		return decimal{}, fmt.Errorf(`%.80q: is no number with a unit, such as "12.03 mm"`, l.text)
	}
	d := decimal{digits: new(big.Int), exponent: -len(fraction), unit: strings.TrimSpace(unit)}
	d.digits.SetString(whole+fraction, 10)
	return d, nil
}

// at returns d as digits·10^exponent, if that is exact and fits.
func (d decimal) at(exponent int) (int64, bool) {
	shift := d.exponent - exponent
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil)
	v, rest := new(big.Int), new(big.Int)
	if shift >= 0 {
		v.Mul(d.digits, ten)
	} else {
		v.QuoRem(d.digits, ten, rest)
	}
	return v.Int64(), rest.Sign() == 0 && v.IsInt64()
}

// limit turns a limit of the file into the ledger's.
func (d document) limit(at string, t limitText) (ledger.Limit, error) {
	l := ledger.Limit{Name: t.Name}
	var err error
	if l.OnFail, err = d.onFail(at+".on_fail", t.OnFail); err != nil {
		return l, err
	}
	low, err := d.bound(at+".min", t.Min, t.Unit)
	if err != nil {
		return l, err
	}
	high, err := d.bound(at+".max", t.Max, t.Unit)
	if err != nil {
		return l, err
	}
	// A unit at one bound speaks for the other.
	if low.unit == "" {
		low.unit = high.unit
	}
	if high.unit == "" {
		high.unit = low.unit
	}
	switch {
	case low.unit == "":
		return l, d.fail(at+".unit", "", `%s.unit is missing: give it here or behind the numbers, such as "12.03 mm"`, at)
	case t.Name == ledger.WeightLimit:
		return d.weight(at, l, low, high)
	case low.unit != high.unit:
		return l, d.fail(at+".max", "", "%s.max is in %.80q, min in %.80q: give both in one unit", at, high.unit, low.unit)
	}
	exponent := min(low.exponent, high.exponent)
	l.Unit, l.Exponent = low.unit, int8(max(exponent, -mostExponent))
	return d.scaled(at, l, low, high)
}

// weight makes a weight limit whole mg.
func (d document) weight(at string, l ledger.Limit, low, high decimal) (ledger.Limit, error) {
	l.Unit, l.Exponent = "g", -3
	for _, b := range []struct {
		field string
		*decimal
	}{{".min", &low}, {".max", &high}} {
		switch b.unit {
		case "g":
		case "mg":
			b.exponent -= 3
		case "kg":
			b.exponent += 3
		default:
			return l, d.fail(at+b.field, "", "%s%s is in %.80q: weights are in g, mg or kg", at, b.field, b.unit)
		}
	}
	return d.scaled(at, l, low, high)
}

// scaled sets both bounds at the limit's exponent.
func (d document) scaled(at string, l ledger.Limit, low, high decimal) (ledger.Limit, error) {
	var ok bool
	if l.Min, ok = low.at(int(l.Exponent)); !ok {
		return l, d.unfit(at+".min", l)
	}
	if l.Max, ok = high.at(int(l.Exponent)); !ok {
		return l, d.unfit(at+".max", l)
	}
	if l.Min > l.Max {
		return l, d.fail(at+".min", "", "%s.min = %s %s is more than max = %s %s", at,
			ledger.FormatDecimal(l.Min, int(l.Exponent)), l.Unit, ledger.FormatDecimal(l.Max, int(l.Exponent)), l.Unit)
	}
	return l, nil
}

func (d document) unfit(field string, l ledger.Limit) error {
	if l.Name == ledger.WeightLimit {
		return d.fail(field, "", "%s is too large, or finer than 1 mg", field)
	}
	return d.fail(field, "", "%s is too large or too fine: it must fit 64 bits and 18 places", field)
}

func (d document) bound(field string, l literal, unit string) (decimal, error) {
	if l.text == "" {
		return decimal{}, d.fail(field, "", "%s is missing: a limit has min and max", field)
	}
	v, err := l.parse()
	if err != nil {
		return v, d.fail(field, "", "%s = %v", field, err)
	}
	if v.unit == "" {
		v.unit = unit
	}
	if unit != "" && v.unit != unit {
		return v, d.fail(field, "", "%s is in %.80q, unit says %.80q", field, v.unit, unit)
	}
	return v, nil
}

func (d document) onFail(field, s string) (ledger.Ruling, error) {
	switch s {
	case "return":
		return ledger.Return, nil
	case "set aside":
		return ledger.SetAside, nil
	case "":
		return 0, d.fail(field, "", `%s is missing: "return" or "set aside"`, field)
	}
	return 0, d.fail(field, nearest(s, []string{"return", "set aside"}), `%s = %.80q: is "return" or "set aside"`, field, s)
}
