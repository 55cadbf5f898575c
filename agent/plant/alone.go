package plant

import (
	"slices"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Guarantee 7, as people see it: whoever is cut off from whatever else, a station
// whose board is well answers a scan, and seals what is to be done there.

const (
	// starts is how long a gateway may take before it answers scans: the gate, and
	// some commits.
	starts = 6 * time.Second
	// recovers is how long what a bad card has held up may still take.
	recovers = 3 * time.Second
)

// mustAnswer reports whether nothing that the plan does to a board excuses it.
func (g *gateway) mustAnswer() bool {
	p := g.plant
	return g.life != nil && time.Since(g.life.began) >= starts && time.Since(g.asked) >= time.Second &&
		g.disk.wellFor(recovers) && !p.outcasts[g.id] && !p.forkers[g.id]
}

// silent fails a run in which a station does not speak of what lies on its reader.
func (c *checks) silent(pc *piece, text string) {
	if g := pc.on; text == "" && g.mustAnswer() && g.reader.holds(pc.tag) && !c.plant.people.cloned(pc.tag) {
		c.plant.fail("guarantee 7: %s says nothing about %s, which lies on its reader", g.board, pc.tag)
	}
}

// idle fails a run in which a station lets somebody wait though what lies on its
// reader is expected there, as it holds itself, since somebody looked before.
func (c *checks) idle(pc *piece, word string) {
	g := pc.on
	before := pc.due
	pc.due = (word == "WAIT" || word == "UNKNOWN TAG") && g.mustAnswer() && g.reader.holds(pc.tag) && c.expected(pc)
	if before && pc.due {
		c.plant.fail("guarantee 7: %s says %s to %s, which it knows to be expected there", g.board, word, pc.tag)
	}
}

// expected reports whether a station holds that it is to take up a piece, and needs
// nothing else for it.
func (c *checks) expected(pc *piece) (due bool) {
	g := pc.on
	if c.plant.plan.Parts && g.Step == stepPack || c.plant.people.cloned(pc.tag) {
		return false
	}
	err := g.replica.Read(func(v *replica.View) error {
		open, _, err := v.Tag(pc.tag)
		if err != nil || len(open) != 1 || open[0].InConflict() {
			return err
		}
		state := open[0].State()
		due = state.Phase == ledger.Expected && slices.ContainsFunc(state.Options, func(o ledger.Option) bool {
			return v.Roster().Serves(g.id, g.Name, o.Place)
		})
		return nil
	})
	if err != nil {
		c.plant.fail("at %s: %w", g.board, err)
	}
	return due
}
