package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
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

// labels names items by their printed ids, and those that share one by what
// tells them apart.
func labels(sheets []Sheet) string {
	var ls []string
	for _, s := range sheets {
		l := s.Item.Label
		if by := apart(s, sheets); by != "" {
			l += " (" + by + ")"
		}
		ls = append(ls, l)
	}
	return strings.Join(ls, ", ")
}

// apart says what tells an item from the others of its printed id: the first
// trait in which no two of them agree, and its id, by which it can be chosen.
// Empty: the printed id is enough.
func apart(s Sheet, all []Sheet) string {
	var alike []Sheet
	for _, o := range all {
		if o.Item.Label == s.Item.Label {
			alike = append(alike, o)
		}
	}
	if len(alike) < 2 {
		return ""
	}
	id := "id " + s.Item.ID.Short()
	for _, trait := range []func(Sheet) string{productWords, orderWords, takenInAt, takenInWhen} {
		seen := map[string]bool{"": true}
		for _, o := range alike {
			seen[trait(o)] = true
		}
		if len(seen) > len(alike) {
			return trait(s) + ", " + id
		}
	}
	return id
}

func productWords(s Sheet) string { return s.Item.Product }

func orderWords(s Sheet) string {
	if s.Order.ID == "" {
		return ""
	}
	return "order " + s.Order.ID
}

func takenInAt(s Sheet) string {
	n, ok := s.Item.Node(s.Item.ID)
	if !ok || n.Station == "" {
		return ""
	}
	return "taken in at " + n.Station
}

func takenInWhen(s Sheet) string {
	n, ok := s.Item.Node(s.Item.ID)
	if !ok {
		return ""
	}
	return "taken in " + time.UnixMilli(n.Time).UTC().Format("2006-01-02 15:04:05 UTC")
}

// blocksCome counts blocks that are on their way.
func blocksCome(n int64) string {
	if n == 1 {
		return "1 block of another station is still to come"
	}
	return fmt.Sprintf("%d blocks of other stations are still to come", n)
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
