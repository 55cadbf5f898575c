package ledger

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// gramExponent returns the power of ten by which a UCUM unit of mass differs
// from the gram; ok is false for other units.
func gramExponent(unit string) (exponent int, ok bool) {
	switch unit {
	case "g":
		return 0, true
	case "mg":
		return -3, true
	case "kg":
		return 3, true
	}
	return 0, false
}

// compareDecimal compares a·10^ea with b·10^eb exactly.
func compareDecimal(a int64, ea int, b int64, eb int) int {
	x, y := big.NewInt(a), big.NewInt(b)
	if ea > eb {
		x.Mul(x, pow10(ea-eb))
	} else {
		y.Mul(y, pow10(eb-ea))
	}
	return x.Cmp(y)
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// FormatDecimal writes v·10^exponent in plain digits, as measurements and limits
// carry them: 1203, -2 is "12.03".
func FormatDecimal(v int64, exponent int) string {
	digits := strconv.FormatInt(v, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	switch {
	case exponent > 0 && v != 0:
		digits += strings.Repeat("0", exponent)
	case exponent < 0:
		if pad := 1 - exponent - len(digits); pad > 0 {
			digits = strings.Repeat("0", pad) + digits
		}
		cut := len(digits) + exponent
		digits = digits[:cut] + "." + digits[cut:]
	}
	return sign + digits
}

// ParseDecimal reads a decimal number without an exponent, such as "-12.030", to
// the integer of its digits and the exponent that puts the point back.
func ParseDecimal(s string) (v int64, exponent int8, err error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > 18 {
		return 0, 0, fmt.Errorf("number %.40q: more than 18 decimals", s)
	}
	if v, err = strconv.ParseInt(whole+fraction, 10, 64); err != nil || strings.HasPrefix(fraction, "-") || strings.HasPrefix(fraction, "+") {
		return 0, 0, fmt.Errorf("number %.40q: write digits with at most one point, like 12.03", s)
	}
	return v, -int8(len(fraction)), nil
}
