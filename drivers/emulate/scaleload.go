package emulate

import (
	"fmt"
	"strconv"
	"strings"
)

// load is what lies on a scale, and what its display leaves out of it.
type load struct {
	value, unit string // as Weigh set them
	stable      bool
	zero, tare  decimal
}

// decimal is a number with a count of digits behind its point.
type decimal struct {
	digits int64
	places int
}

func (l *load) put(value, unit string, stable bool) {
	if unit != l.unit {
		l.zero, l.tare = decimal{}, decimal{}
	}
	l.value, l.unit, l.stable = value, unit, stable
}

// setZero has the display begin at what it shows now, without a tare.
func (l *load) setZero() { l.zero, l.tare = parseDecimal(l.value), decimal{} }

// setTare has the display leave out what lies there now.
func (l *load) setTare() { l.tare = parseDecimal(l.value).less(l.zero) }

func (l *load) clearTare() { l.tare = decimal{} }

// shown is the net weight; a load without anything to leave out is shown as it was
// set, digit for digit.
func (l *load) shown() string {
	if l.zero.digits == 0 && l.tare.digits == 0 {
		return l.value
	}
	return parseDecimal(l.value).less(l.zero).less(l.tare).String()
}

// parseDecimal reads up to ten characters; what is no number is zero.
func parseDecimal(s string) decimal {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil {
		return decimal{}
	}
	return decimal{n, len(fraction)}
}

func (d decimal) less(other decimal) decimal {
	places := max(d.places, other.places)
	return decimal{d.to(places) - other.to(places), places}
}

func (d decimal) to(places int) int64 {
	n := d.digits
	for range places - d.places {
		n *= 10
	}
	return n
}

func (d decimal) String() string {
	if d.places == 0 {
		return strconv.FormatInt(d.digits, 10)
	}
	sign, n := "", d.digits
	if n < 0 {
		sign, n = "-", -n
	}
	text := fmt.Sprintf("%0*d", d.places+1, n)
	return sign + text[:len(text)-d.places] + "." + text[len(text)-d.places:]
}
