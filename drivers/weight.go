package drivers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of weighing, wrapped with what the scale said.
var (
	// ErrUnstable: the load moves, or the scale is busy; try again.
	ErrUnstable = errors.New("weight is not stable")
	// ErrOverload: the load is above the range of the scale.
	ErrOverload = errors.New("scale is overloaded")
	// ErrUnderload: the load is below the range of the scale, or the pan is off.
	ErrUnderload = errors.New("scale is below its range")
	// ErrNegative: a weight below zero; the scale was tared with a load on it.
	ErrNegative = errors.New("weight is negative")
	// ErrUnit: a unit other than mg, g and kg.
	ErrUnit = errors.New("unit of weight is not supported")
	// ErrPrecision: the value is not a whole number of milligrams.
	ErrPrecision = errors.New("weight is finer than a milligram")
)

// Weight is a mass in milligrams.
type Weight int64

// The units in which scales report.
const (
	Milligram Weight = 1
	Gram      Weight = 1_000
	Kilogram  Weight = 1_000_000
)

// ParseWeight reads a decimal value such as "12.5" and a unit (mg, g or kg) and
// converts them exactly, without floating point. Spaces around the value are
// ignored. Negative values are returned as such; refusing them is up to the
// caller.
func ParseWeight(value, unit string) (Weight, error) {
	var decimals int // digits after the point that still make whole milligrams
	switch unit {
	case "mg":
		decimals = 0
	case "g":
		decimals = 3
	case "kg":
		decimals = 6
	default:
		return 0, fmt.Errorf("%w: %q, set the scale to mg, g or kg", ErrUnit, unit)
	}
	text := strings.TrimSpace(value)
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	whole, fraction, point := strings.Cut(digits, ".")
	if !decimal(whole) || point && !decimal(fraction) {
		return 0, fmt.Errorf("weight %q is not a decimal number such as 12.5", value)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > decimals {
		return 0, fmt.Errorf("%w: %s %s, set the scale to a readability of 1 mg or coarser", ErrPrecision, text, unit)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("weight %q %s is too large: %w", value, unit, ErrOverload)
	}
	if negative {
		n = -n
	}
	return Weight(n), nil
}

func decimal(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// String writes the weight exactly in the largest unit that is not larger than
// it: "250 mg", "12.5 g", "1.02 kg".
func (w Weight) String() string {
	unit, name, decimals := Milligram, "mg", 0
	switch abs := max(w, -w); {
	case abs >= Kilogram || abs < 0: // abs is below zero only for the least int64
		unit, name, decimals = Kilogram, "kg", 6
	case abs >= Gram:
		unit, name, decimals = Gram, "g", 3
	}
	sign := ""
	whole, rest := w/unit, w%unit
	if w < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	text := sign + strconv.FormatInt(int64(whole), 10)
	if rest != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%0*d", decimals, int64(rest)), "0")
	}
	return text + " " + name
}
