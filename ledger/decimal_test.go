package ledger

import (
	"math"
	"testing"
)

func TestFormatDecimal(t *testing.T) {
	for _, tt := range []struct {
		v        int64
		exponent int
		want     string
	}{
		{1203, -2, "12.03"},
		{5, -1, "0.5"},
		{-5, -3, "-0.005"},
		{0, -2, "0.00"},
		{0, 3, "0"},
		{7, 3, "7000"},
		{42, 0, "42"},
		{math.MinInt64, -18, "-9.223372036854775808"},
	} {
		if got := FormatDecimal(tt.v, tt.exponent); got != tt.want {
			t.Errorf("%d·10^%d is %q, want %q", tt.v, tt.exponent, got, tt.want)
		}
	}
}

func TestCompareDecimal(t *testing.T) {
	for _, tt := range []struct {
		a    int64
		ea   int
		b    int64
		eb   int
		want int
	}{
		{1203, -2, 12030, -3, 0},
		{1203, -2, 12031, -3, -1},
		{1, 18, math.MaxInt64, -18, 1},
		{math.MinInt64, 18, math.MinInt64, -18, -1},
		{0, 18, 0, -18, 0},
	} {
		if got := compareDecimal(tt.a, tt.ea, tt.b, tt.eb); got != tt.want {
			t.Errorf("%d·10^%d against %d·10^%d: %d, want %d", tt.a, tt.ea, tt.b, tt.eb, got, tt.want)
		}
	}
}

func TestGramExponent(t *testing.T) {
	for unit, want := range map[string]int{"g": 0, "mg": -3, "kg": 3} {
		if e, ok := gramExponent(unit); !ok || e != want {
			t.Errorf("%s: 10^%d, %v", unit, e, ok)
		}
	}
	if _, ok := gramExponent("[lb_av]"); ok {
		t.Error("pounds are taken for a decimal unit")
	}
}

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		v int64
		e int8
	}{"12.03": {1203, -2}, "-0.50": {-50, -2}, "7": {7, 0}, ".5": {5, -1}, "0": {0, 0}} {
		v, e, err := ParseDecimal(text)
		if err != nil || v != want.v || e != want.e {
			t.Errorf("%q is %d·10^%d (%v), want %d·10^%d", text, v, e, err, want.v, want.e)
		}
	}
	for _, text := range []string{"", "1,5", "1.2.3", "1e3", "1.-2", "99999999999999999999", "0.0000000000000000001", "x"} {
		if v, e, err := ParseDecimal(text); err == nil {
			t.Errorf("%q is read as %d·10^%d", text, v, e)
		}
	}
}
