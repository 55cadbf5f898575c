package ledger

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Words for the operator, used by Check.

func at(station string) string {
	if station == "" {
		return ""
	}
	return " at " + station
}

// places lists the places of options, each once.
func places(os []Option) []string {
	var ps []string
	for _, o := range os {
		if !slices.Contains(ps, o.Place) {
			ps = append(ps, o.Place)
		}
	}
	return ps
}

// described lists options as "place (task)".
func described(os []Option) string {
	var ws []string
	for _, o := range os {
		ws = append(ws, fmt.Sprintf("%s (%s)", o.Place, o.Task))
	}
	return strings.Join(ws, " or ")
}

func labels(sheets []Sheet) string {
	var ls []string
	for _, s := range sheets {
		ls = append(ls, s.Item.Label)
	}
	return strings.Join(ls, ", ")
}

func needWords(ns []Need) string {
	var ws []string
	for _, n := range ns {
		ws = append(ws, fmt.Sprintf("%d × %s", n.Count, n.Product))
	}
	return strings.Join(ws, ", ")
}

func times(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// seconds rounds ms down: what has passed is not overstated.
func seconds(ms int64) string { return span(ms / 1000) }

// secondsUp rounds ms up: what is asked for is not understated.
func secondsUp(ms int64) string { return span((ms + 999) / 1000) }

func span(s int64) string {
	switch s = max(s, 0); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min", s/60)
	}
	return fmt.Sprintf("%d h", s/3600)
}

// clip shortens a reason to what a note holds.
func clip(s string) string {
	if len(s) <= MaxNote {
		return s
	}
	const mark = "…"
	cut := MaxNote - len(mark)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}
