package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"traveler.example/agent/line"
)

// demoScreen shows a demo as it goes: on a terminal a table that stays in place,
// elsewhere a line for each light. With --json it is silent.
type demoScreen struct {
	a     *app
	out   io.Writer // nil: silent
	table bool
	start time.Time

	mu      sync.Mutex
	words   string // of the phase
	rows    []demoRow
	sample  string // printed id of an item that went all the way
	pulse   pulse
	drawn   int // lines of the table on the terminal
	ended   bool
	cancel  context.CancelFunc
	pulsing sync.WaitGroup
}

// demoRow is a light with the standing of its record.
type demoRow struct {
	line.Light
	standing string
}

// pulse is how far the ledger is, as one gateway sees it.
type pulse struct{ confirmed, blocks int64 }

func (p pulse) String() string {
	if p.blocks == 0 {
		return ""
	}
	return fmt.Sprintf("confirmed %d of %d", p.confirmed, p.blocks)
}

const (
	pulseEvery = time.Second
	lastLights = 12 // lines of the table
)

func newDemoScreen(a *app) *demoScreen {
	s := &demoScreen{a: a, start: a.now(), out: a.out}
	if a.json {
		s.out = nil
	}
	s.table = s.out != nil && terminal(a.out) && a.env("TERM") != "dumb"
	return s
}

// phase shows what is being done now.
func (s *demoScreen) phase(words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = words
	switch {
	case s.out == nil:
	case s.table && !s.ended:
		s.draw()
	default:
		fmt.Fprintf(s.out, "%s  %s\n", s.clock(s.a.now()), words)
	}
}

// begin asks a gateway once a second how far the ledger is.
func (s *demoScreen) begin(l *line.Line) {
	if s.out == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	s.pulsing.Go(func() {
		tick := time.NewTicker(pulseEvery)
		defer tick.Stop()
		for {
			s.beat(ctx, l)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// beat asks how far the ledger is and how the records of the lights on the screen
// stand. A gateway that does not answer now is asked with the next beat.
func (s *demoScreen) beat(ctx context.Context, l *line.Line) {
	st, err := l.Station(line.Packing).Status(ctx)
	if err == nil {
		s.mu.Lock()
		s.pulse = pulse{confirmed: st.Confirmed, blocks: st.Blocks}
		s.mu.Unlock()
	}
	if !s.table {
		return
	}
	s.mu.Lock()
	rows := slices.Clone(s.rows)
	s.mu.Unlock()
	for _, r := range rows {
		if !r.Claims() || strings.HasPrefix(r.standing, "Confirmed") {
			continue
		}
		if standing, err := l.Standing(ctx, r.Light); err == nil && standing != "" {
			s.stands(r.Light, standing)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.draw()
	}
}

func (s *demoScreen) stands(l line.Light, standing string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.rows, func(r demoRow) bool { return r.Light == l }); i >= 0 {
		s.rows[i].standing = standing
	}
}

// end leaves the last picture; what comes after it goes below.
func (s *demoScreen) end() {
	s.mu.Lock()
	cancel := s.cancel
	s.ended, s.cancel = true, nil
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	s.pulsing.Wait()
}

// light shows a light that somebody saw. Dark lights and notices behind
// the words of another are of no interest.
func (s *demoScreen) light(l line.Light) {
	if l.Word == "" || l.Notice() || s.out == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.Gateway == line.Dock && l.Word == line.Completed {
		s.sample = demoItem(l)
	}
	if s.ended {
		return
	}
	if !s.table {
		fmt.Fprintln(s.out, s.row(l)+s.pulse.String())
		return
	}
	row := demoRow{Light: l}
	if l.Claims() {
		row.standing = "Sealed"
	}
	s.rows = append(s.rows, row)
	s.rows = s.rows[max(0, len(s.rows)-lastLights):]
	s.draw()
}

// row is a light as a line: when, where, which item, what it said.
func (s *demoScreen) row(l line.Light) string {
	return fmt.Sprintf("%s  %-13s  %-16s  %s  ", s.clock(l.At), l.Gateway, demoItem(l), s.word(l))
}

func (s *demoScreen) clock(t time.Time) string {
	return fmt.Sprintf("%6.1f s", t.Sub(s.start).Seconds())
}

// demoItem is the printed id in a light's text, else its tag.
func demoItem(l line.Light) string {
	head, _, ok := strings.Cut(strings.TrimPrefix(l.Text, l.Word), " tag ")
	fields := strings.Fields(head)
	if !ok || len(fields) == 0 {
		return l.Tag
	}
	return fields[len(fields)-1]
}

// word is the light's decision in its colour, padded, on a terminal.
func (s *demoScreen) word(l line.Light) string {
	sgr := map[string]string{"GREEN": green, "AMBER": "33", "RED": red, "FAULT": "35"}[l.Aspect]
	word := fmt.Sprintf("%-19s", l.Word)
	if sgr == "" || !s.table {
		return word
	}
	return s.a.painted(word, sgr)
}

// draw puts the table over the one that stands there.
func (s *demoScreen) draw() {
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	lines := []string{fmt.Sprintf("%s  %s  %s", s.clock(s.a.now()), s.words, s.pulse)}
	for _, r := range s.rows {
		lines = append(lines, s.row(r.Light)+r.standing)
	}
	for _, l := range lines {
		b.WriteString("\x1b[2K" + l + "\n")
	}
	s.drawn = len(lines)
	_, _ = io.WriteString(s.out, b.String()) // a terminal that went away is no error of ours
}
