package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// print writes v as JSON where programs asked for it, else what people does.
func (a *app) print(v any, people func(w io.Writer)) error {
	if a.json {
		return a.printJSON(v)
	}
	people(a.out)
	return nil
}

func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// printJSONLine writes v as one line of a stream.
func (a *app) printJSONLine(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// list is all as JSON shows it: an empty list is [], never null.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// table is text in aligned columns, written by flush.
type table struct {
	w    io.Writer
	rows *[][]string
}

// newTable begins a table with its head.
func newTable(w io.Writer, head ...string) table {
	t := table{w, new([][]string)}
	if len(head) > 0 {
		t.row(head...)
	}
	return t
}

func (t table) row(cells ...string) { *t.rows = append(*t.rows, cells) }

// flush writes the table without blanks at the end of lines.
func (t table) flush() {
	var widths []int
	for _, cells := range *t.rows {
		for i, cell := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, cells := range *t.rows {
		var line strings.Builder
		for i, cell := range cells {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(t.w, strings.TrimRight(line.String(), " "))
	}
}

// sheet is a list of named values, empty ones left out.
type sheet struct{ table }

func newSheet(w io.Writer) sheet { return sheet{newTable(w)} }

func (s sheet) value(name, value string) {
	if value != "" {
		s.row(name, value)
	}
}

// when shows a time of the ledger, ms since 1970 UTC, in the local zone.
func when(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).Local().Format("2006-01-02 15:04:05")
}

// stamped is when with a mark for a clock that was not synchronised.
func stamped(ms int64, clock string) string {
	if clock != "" && clock != clockSynchronised {
		return when(ms) + "~"
	}
	return when(ms)
}

const (
	clockSynchronised = "synchronised"
	legendClock       = "~ the clock was not synchronised"
)

// ago shows how long before now a time was.
func ago(now time.Time, ms int64) string {
	if ms == 0 {
		return "never"
	}
	d := now.Sub(time.UnixMilli(ms))
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// count is a number with its noun: 1 item, 2 items, 3 witnesses.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// yes is the word for true and nothing for false.
func yes(b bool, word string) string {
	if b {
		return word
	}
	return ""
}

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// painted colours text on a terminal, unless NO_COLOR is set (no-color.org).
func (a *app) painted(text, sgr string) string {
	if a.env("NO_COLOR") != "" || !terminal(a.out) {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

const (
	green = "32"
	red   = "31"
	amber = "33"
)
