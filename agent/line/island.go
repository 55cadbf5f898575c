package line

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// How an island is made.
const (
	mostOver    = 3                // housings that pass over their tags
	islandLimit = 3 * time.Minute  // for them to do so
	matchLimit  = 10 * time.Second // for notes to be matched once everybody has everything
)

// islanders are the stations that are cut off, in the order in which a housing
// meets them.
func islanders() []string { return []string{Inspection, Packing, Dock} }

// overTags is how many housings an island waits for: as many as will ever pass
// the scale, within reason.
func (p plan) overTags() int {
	n := p.assemblies()
	if p.has(FaultBadWeight) {
		n-- // one is scrapped
	}
	return max(1, min(n, mostOver))
}

// island pulls the cables of the last three stations, so that none of them hears
// of anybody, while housings wait at the first of them that all three know. What
// is completed at one can go on at the next by nothing but its tag.
func (c *crew) island(ctx context.Context, b *busy) {
	defer c.release()
	want, first := c.plan.overTags(), c.racks[Inspection]
	if !c.wait(ctx, time.Hour, func() bool { return first.count((*item).sound) >= want }) {
		return
	}
	for _, g := range islanders() {
		s := c.line.Station(g)
		if !c.wait(ctx, backLimit, func() bool { return b.take(g) }) {
			return
		}
		defer b.free(g)
		if !c.wait(ctx, backLimit, func() bool { return s.knowsAt(ctx, Inspection) >= want }) {
			c.line.log.trouble(s.Gateway, "it does not hear of %d housings at %s", want, Inspection)
			return
		}
	}
	r := c.began(FaultIsland, stationOf(Places(), Inspection))
	c.lone.Store(true)
	defer c.lone.Store(false)
	over, stop := c.watchOver()
	for _, g := range islanders() {
		c.line.Station(g).CutBroker()
	}
	c.release()
	c.wait(ctx, islandLimit, func() bool { return over(Dock) >= want })
	stop()
	alone := c.alone(ctx)
	lost := time.Since(r.Time)
	c.rejoin(ctx, r)
	if over(Packing) == 0 || over(Dock) < want || alone != nil {
		c.line.log.trouble(Inspection, "an island of %v: %d and %d of %d items passed over tags; %v",
			lost.Round(time.Millisecond), over(Packing), over(Dock), want, errors.Join(alone))
		return
	}
	r.saw("with PACKING and DOCK, %.1f s without any network: %d items passed over their tags to PACKING, %d to DOCK", lost.Seconds(), over(Packing), over(Dock))
}

// release lets the housings go on that were kept for the island.
func (c *crew) release() {
	c.saving.Store(false)
	c.racks[Inspection].wake()
}

// rejoin plugs the cables in again and waits for the broker.
func (c *crew) rejoin(ctx context.Context, r *FaultRecord) {
	for _, g := range islanders() {
		c.line.Station(g).RestoreBroker()
	}
	for _, g := range islanders() {
		s := c.line.Station(g)
		if err := s.Await(ctx, backLimit, func(st agent.Status) bool { return st.Broker != "" }); err != nil {
			c.line.log.trouble(s.Gateway, "it is not connected again: %v", err)
		}
	}
}

// alone tells which gateway of the island has a broker all the same.
func (c *crew) alone(ctx context.Context) error {
	var all []error
	for _, g := range islanders() {
		if st, err := c.line.Station(g).Status(ctx); err != nil || st.Broker != "" {
			all = append(all, fmt.Errorf("%s has broker %q: %w", g, st.Broker, err))
		}
	}
	return errors.Join(all...)
}

// watchOver counts from now on, until stop, the items that go on at a gateway by
// their tags.
func (c *crew) watchOver() (over func(gateway string) int, stop func()) {
	tags := map[string]map[string]bool{}
	var watchers []*watcher
	var names []string
	var stops []func()
	for _, g := range islanders() {
		w, stop := c.line.Station(g).watch()
		watchers, names, stops, tags[g] = append(watchers, w), append(names, g), append(stops, stop), map[string]bool{}
	}
	over = func(gateway string) int {
		for n, w := range watchers {
			w.each(func(l Light) {
				if l.OnTag() && l.Claims() {
					tags[names[n]][l.Tag] = true
				}
			})
		}
		return len(tags[gateway])
	}
	return over, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// each hands over the lights that nobody has looked at yet.
func (w *watcher) each(f func(Light)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lights {
		f(l)
	}
	w.lights = nil
}

// knowsAt is how many housings the gateway knows to be expected at another's
// station.
func (s *Station) knowsAt(ctx context.Context, gateway string) (n int) {
	_ = s.ask(ctx, func(ctx context.Context, d agent.Desk) error { // asked again in a moment
		items, err := d.Items(ctx, agent.ItemQuery{Phase: ledger.Expected.String(), Limit: 1000})
		for _, i := range items {
			for _, place := range i.Where {
				if i.Product == "housing" && place == stationOf(Places(), gateway) {
					n++
				}
			}
		}
		return err
	})
	return n
}

// noteLine is a line of a journal that tells what became of a note.
var noteLine = regexp.MustCompile(` note\.(accepted|matched) .* item=(\S+)`)

// notesTold is how often the journal told that a note was written to a tag, or could
// not be, and which of them it was at last. People leave the tag on the reader
// until then.
func (s *Station) notesTold(tag string) (n int, written bool) {
	text, err := os.ReadFile(s.Journal())
	if err != nil {
		return 0, false // not begun yet
	}
	for line := range bytes.Lines(text) {
		if noteEnd.Match(line) && bytes.Contains(line, []byte("tag="+tag)) {
			n++
			written = !bytes.Contains(line, []byte(" note.unwritten "))
		}
	}
	return n, written
}

// noteEnd is a line of a journal that tells how the writing of a note ended.
var noteEnd = regexp.MustCompile(` note\.(un)?written `)

// handoffs counts the items that went on by the notes on their tags, and those
// whose reports came and are as the notes said. The journals say so.
func (r *run) handoffs(ctx context.Context) error {
	for limit := time.Now().Add(matchLimit); ; {
		var on, matched int
		for _, s := range r.line.Stations() {
			notes, err := journaledNotes(s.Journal())
			if err != nil {
				return err
			}
			for item := range notes["accepted"] {
				on++
				if notes["matched"][item] {
					matched++
				}
			}
		}
		r.report.OnTags, r.report.OnTagsMatched = on, matched
		if on == matched || time.Now().After(limit) || sleep(ctx, askPause) != nil {
			return nil
		}
	}
}

// journaledNotes are the items of which a journal tells that a note was accepted,
// or matched.
func journaledNotes(path string) (map[string]map[string]bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was read only
	notes := map[string]map[string]bool{"accepted": {}, "matched": {}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := noteLine.FindStringSubmatch(lines.Text()); m != nil {
			notes[m[1]][strings.Trim(m[2], `"`)] = true
		}
	}
	return notes, lines.Err()
}
