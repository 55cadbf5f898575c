package llrp

import (
	"fmt"
	"slices"
)

// name says what a reader is, as its maker calls it where that is known.
func (c capabilities) name() string {
	maker, model := "", ""
	switch c.manufacturer {
	case 25882:
		maker = "Impinj"
		model = impinj(c.model)
	case 10642, 161: // Zebra, and Motorola before
		maker = "Zebra"
	default:
		maker = fmt.Sprintf("maker %d", c.manufacturer)
	}
	if model == "" {
		model = fmt.Sprintf("model %d", c.model)
	}
	text := maker + " " + model
	if c.firmware != "" {
		text += " " + printable(c.firmware)
	}
	return text
}

func impinj(model uint32) string {
	switch model {
	case 2001001:
		return "Speedway R220"
	case 2001002:
		return "Speedway R420"
	case 2001003:
		return "xPortal"
	case 2001009:
		return "Speedway R120"
	case 2001052:
		return "R700"
	}
	return ""
}

// printable keeps what a reader calls itself to one short line.
func printable(s string) string {
	const longest = 40
	var kept []rune
	for _, r := range s {
		if r < ' ' || r > '~' {
			r = '?'
		}
		if kept = append(kept, r); len(kept) == longest {
			break
		}
	}
	return string(kept)
}

// transmitter finds the table entries for an antenna: the highest power that is
// not above what is wanted, in 1/100 dBm.
func (c capabilities) transmitter(a Antenna) (transmitter, error) {
	t := transmitter{antenna: a.ID}
	if a.ID > c.antennas {
		return t, fmt.Errorf("antenna %d: the reader has %d, name one of them", a.ID, c.antennas)
	}
	if a.Power == 0 {
		return t, nil
	}
	if len(c.powers) == 0 {
		return t, fmt.Errorf("antenna %d: the reader lists no transmit powers, leave the power out", a.ID)
	}
	table := slices.Clone(c.powers)
	slices.SortFunc(table, func(x, y power) int { return int(x.level) - int(y.level) })
	if a.Power < int(table[0].level) {
		return t, fmt.Errorf("antenna %d: %s is below what the reader can send, which is %s to %s",
			a.ID, decibels(a.Power), decibels(int(table[0].level)), decibels(int(table[len(table)-1].level)))
	}
	for _, p := range table {
		if int(p.level) <= a.Power {
			t.power = p.index
		}
	}
	// A channel is named only where the region does not hop; there the first one
	// serves, and the reader chooses among the rest.
	t.hopTable = c.hopTable
	if c.hopTable == 0 {
		t.channel = 1
	}
	return t, nil
}

// decibels writes hundredths of a dBm.
func decibels(v int) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%02d dBm", sign, v/100, v%100)
}
