package profiles

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// unit is a name and what it counts in the base unit.
type unit struct {
	name  string
	value int64
}

// Largest first, so that writing finds the shortest form. Binary units before
// decimal ones, and only the names that cannot be misread.
var (
	weightUnits    = []unit{{"t", 1e9}, {"kg", 1e6}, {"g", 1e3}, {"mg", 1}}
	frequencyUnits = []unit{{"MHz", 1e6}, {"kHz", 1e3}, {"Hz", 1}}
	decibelUnits   = []unit{{"dBm", 100}}
	sizeUnits      = []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
)

// parseQuantity reads "12.5 kg" exactly, without floating point.
func parseQuantity(text string, units []unit) (int64, error) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		return 0, fmt.Errorf("has no unit (%s)", unitNames(units))
	}
	number, name := text[:end], strings.TrimSpace(text[end:])
	for _, u := range units {
		if u.name == name {
			return scaled(number, u)
		}
	}
	return 0, fmt.Errorf("has no known unit (%s)", unitNames(units))
}

// plain parses quantities of units.
func plain(units []unit) func(string) (int64, error) {
	return func(text string) (int64, error) { return parseQuantity(text, units) }
}

// parseDecibel reads "-60 dBm" or "26.5 dBm".
func parseDecibel(text string) (int64, error) {
	if rest, below := strings.CutPrefix(text, "-"); below {
		q, err := parseQuantity(rest, decibelUnits)
		return -q, err
	}
	return parseQuantity(text, decibelUnits)
}

// scaled returns a decimal number times a unit, refusing what is not whole in the base unit.
func scaled(number string, u unit) (int64, error) {
	whole, fraction, _ := strings.Cut(number, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/u.value-1 {
		return 0, fmt.Errorf("does not begin with a number that can be used")
	}
	n *= u.value
	part := u.value
	for _, digit := range fraction {
		if digit == '.' {
			return 0, fmt.Errorf("has two points")
		}
		// Binary units have no tenth; such a part of one is not whole.
		if part%10 != 0 {
			if digit == '0' {
				continue
			}
			return 0, fmt.Errorf("is finer than one can be counted")
		}
		part /= 10
		n += int64(digit-'0') * part
	}
	return n, nil
}

// formatQuantity writes n in the largest unit that holds it whole.
func formatQuantity(n int64, units []unit) string {
	for _, u := range units {
		if n != 0 && n%u.value == 0 {
			return fmt.Sprintf("%d %s", n/u.value, u.name)
		}
	}
	return "0 " + units[len(units)-1].name
}

func unitNames(units []unit) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[len(units)-1-i] = u.name
	}
	return strings.Join(names, ", ")
}

// String writes the weight with its unit, as [Parse] reads it.
func (w Weight) String() string { return formatQuantity(int64(w), weightUnits) }

// String writes the frequency with its unit, as [Parse] reads it.
func (f Frequency) String() string { return formatQuantity(int64(f), frequencyUnits) }

// String writes the power with its unit, as [Parse] reads it.
func (d Decibel) String() string {
	sign, n := "", int64(d)
	if n < 0 {
		sign, n = "-", -n
	}
	text := fmt.Sprintf("%d.%02d", n/100, n%100)
	return sign + strings.TrimRight(strings.TrimRight(text, "0"), ".") + " dBm"
}

// String writes the size with its unit, as [Parse] reads it.
func (s Size) String() string { return formatQuantity(int64(s), sizeUnits) }
