package plant

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"traveler.example/drivers"
)

// people carry pieces through the plant, scan them, read the lights and keep a
// log of their own. They err: they tap twice, come too early, go to a wrong
// station, lift a tag before the light has spoken.
type people struct {
	plant  *plant
	pieces []*piece
	home   bool

	takenIn, finished, misrouted int
	doubled                      map[string]bool // by tag: worked on at two stations at once

	mu     sync.Mutex
	claims []claim
}

// claim is a light that said that something was recorded.
type claim struct {
	at      time.Duration
	gateway *gateway
	word    string
	tag     string
}

// piece is a thing with a tag on its way.
type piece struct {
	name   string // its own, where two bear one tag
	tag    string
	line   int
	part   bool     // it is built into another
	serial uint64   // of its acts
	step   int      // index in its way; beyond its end: finished
	drill  string   // the drilling station that it goes to
	wrong  string   // a station that it is carried to by mistake
	double string   // the other drilling station; see people.double
	waits  bool     // for double to send it on
	stops  bool     // nobody carries it any more
	due    bool     // it was to be taken up where it lies, when somebody looked last
	on     *gateway // the board on whose reader it lies, or lay last
}

func newPeople(p *plant) *people { return &people{plant: p, doubled: map[string]bool{}, home: true} }

// begin starts a shift: new pieces come, and those left from the last one go on.
func (c *people) begin(shift, items int) {
	c.home = false
	if shift > 0 {
		for _, pc := range c.pieces {
			if !pc.stops {
				c.later(pc, 0, 3*time.Second, c.visit)
			}
		}
	}
	for i := range items * c.plant.lines() {
		pc := &piece{tag: fmt.Sprintf("%s%02X%04X5EED80", bracketTag, shift%256+1, i+1), line: i % c.plant.lines()}
		pc.name = pc.tag
		pc.waits = c.plant.plan.Doubles && i == 0
		c.bring(pc, i, items)
		if c.plant.plan.Parts {
			c.bring(&piece{name: lidTag + pc.tag[2:], tag: lidTag + pc.tag[2:], line: pc.line, part: true}, i, items)
		}
		if c.plant.plan.Clones && i == 0 {
			c.bring(&piece{name: pc.tag + " clone", tag: pc.tag, line: c.plant.lines() - 1}, i, items)
		}
	}
}

// bring has a piece come to the plant in its turn.
func (c *people) bring(pc *piece, turn, items int) {
	c.pieces = append(c.pieces, pc)
	span := c.plant.plan.Shift
	c.later(pc, time.Duration(turn/c.plant.lines())*span/time.Duration(2*items), span/8, c.visit)
}

// goHome ends a shift: every tag is lifted.
func (c *people) goHome() {
	c.home = true
	for _, g := range c.plant.gateways {
		g.reader.clear()
	}
}

// later plans an act of somebody with a piece.
func (c *people) later(pc *piece, least, spread time.Duration, act func(*piece)) {
	pc.serial++
	about := "piece " + pc.name
	wait := between(dice(c.plant.plan.Seed, about, pc.serial), least, least+max(spread, time.Millisecond))
	c.plant.clock.after(wait, about, pc.serial, func() {
		if !c.home && !pc.stops {
			act(pc)
		}
	})
}

// chance is true once in n, for the piece at this point of its way.
func (c *people) chance(pc *piece, what string, n int) bool {
	return dice(c.plant.plan.Seed, what+pc.name, pc.serial).IntN(n) == 0
}

// place is the station at which the piece is, or is carried to; of several boards
// with one key any.
func (c *people) place(pc *piece) *gateway {
	if pc.step == stepDrill && pc.wrong == "" && c.revoked(pc.drill) {
		pc.drill = c.chooseDrill(pc) // its board was taken away
	}
	name := pc.wrong
	if name == "" {
		name = [...]string{onLine("intake", pc.line), pc.drill, onLine("inspection", pc.line), onLine("packing", pc.line)}[pc.step]
	}
	var boards []*gateway
	for _, g := range c.plant.gateways {
		if g.Name == name {
			boards = append(boards, g)
		}
	}
	return boards[dice(c.plant.plan.Seed, "board "+pc.name, pc.serial).IntN(len(boards))]
}

func (c *people) revoked(station string) bool { return c.plant.outcasts[publicKey(station).ID()] }

// visit puts the piece on the reader of its station, as soon as that is free.
func (c *people) visit(pc *piece) {
	g := c.place(pc)
	if !g.reader.free() {
		c.later(pc, 200*time.Millisecond, time.Second, c.visit)
		return
	}
	pc.on, pc.due = g, false
	c.plant.trace.say("people", "put %s on %s", pc.name, g.board)
	if g.scale != nil {
		g.scale.load(c.weight(pc))
	}
	g.reader.put(pc.tag)
	g.asked = time.Now()
	switch {
	case c.chance(pc, "tap twice", 6):
		c.later(pc, 30*time.Millisecond, 200*time.Millisecond, c.tapAgain)
	case c.chance(pc, "hasty", 12):
		c.later(pc, time.Millisecond, 20*time.Millisecond, func(pc *piece) {
			c.lift(pc)
			c.later(pc, time.Second, 2*time.Second, c.visit)
		})
	default:
		c.later(pc, 300*time.Millisecond, 500*time.Millisecond, func(pc *piece) { c.look(pc, 0) })
	}
}

// weight is what a piece weighs: most are right.
func (c *people) weight(pc *piece) drivers.Weight {
	if c.chance(pc, "light", 8) {
		return 60 * drivers.Gram
	}
	return 150 * drivers.Gram
}

func (c *people) tapAgain(pc *piece) {
	g := pc.on
	c.lift(pc)
	c.later(pc, 20*time.Millisecond, 200*time.Millisecond, func(pc *piece) {
		if g.reader.free() {
			c.plant.trace.say("people", "tap %s again on %s", pc.name, g.board)
			g.reader.put(pc.tag)
		}
		c.later(pc, 300*time.Millisecond, 500*time.Millisecond, func(pc *piece) { c.look(pc, 0) })
	})
}

func (c *people) lift(pc *piece) { pc.on.reader.lift(pc.tag) }

// patience is how often somebody looks at a light that does not turn.
const patience = 4

// look reads the light and does what it says.
func (c *people) look(pc *piece, times int) {
	text := pc.on.light.about(pc.tag)
	word := verdict(text)
	c.plant.checks.idle(pc, word)
	if times >= patience {
		c.plant.checks.silent(pc, text)
	}
	switch {
	case c.plant.ruled[pc.tag]:
		c.lift(pc)
		pc.stops = true
	case pc.wrong != "":
		c.wasWrong(pc, word)
	case word == "TAKEN IN", word == "COMPLETED", word == "ALREADY DONE":
		c.lift(pc)
		c.goOn(pc)
	case word == "ACCEPTED":
		c.accepted(pc)
	case word == "RETURN":
		c.lift(pc)
		if !pc.part && pc.step > stepDrill {
			pc.step--
		}
		c.later(pc, time.Second, 2*time.Second, c.visit)
	case word == "IN CONFLICT", word == "CHOOSE", word == "SET ASIDE", pc.clone() && word == "TAG IN USE":
		c.lift(pc)
		pc.stops = true
	case word == "LIFT AND SCAN AGAIN", times >= patience:
		c.lift(pc)
		c.later(pc, time.Second, 4*time.Second, c.visit)
	default:
		c.later(pc, 400*time.Millisecond, time.Second, func(pc *piece) { c.look(pc, times+1) })
	}
}

// verdict is the word that begins a light's text.
func verdict(text string) string {
	for _, w := range []string{
		"TAKEN IN", "TAG IN USE", "ACCEPTED", "COMPLETED", "ALREADY DONE", "WRONG STATION", "IN CONFLICT",
		"LIFT AND SCAN AGAIN", "UNKNOWN TAG", "WAIT", "RETURN", "SET ASIDE", "CHOOSE",
	} {
		if strings.HasPrefix(text, w) {
			return w
		}
	}
	return ""
}

// goOn carries a piece to its next station, now and then by way of a wrong one.
func (c *people) goOn(pc *piece) {
	if pc.double != "" {
		pc.stops = true
		return
	}
	switch pc.step {
	case stepIntake:
		c.takenIn++
		if pc.part {
			pc.step = stepPack
			c.later(pc, 500*time.Millisecond, 3*time.Second, c.visit)
			return
		}
		pc.drill = c.chooseDrill(pc)
	case stepPack:
		c.finished++
	}
	if pc.step++; pc.step == steps {
		pc.stops = true
		return
	}
	if pc.waits {
		return
	}
	if c.chance(pc, "wrong", 7) {
		// Only to where it was never expected, whatever a station has heard: else
		// two would lawfully take it up.
		places := append([]string{"intake"}, []string{"", "", "inspection", "packing"}[pc.step+1:]...)
		pc.wrong = onLine(places[dice(c.plant.plan.Seed, "where "+pc.tag, pc.serial).IntN(len(places))], pc.line)
	}
	c.later(pc, 500*time.Millisecond, 3*time.Second, c.visit)
}

func (c *people) chooseDrill(pc *piece) string {
	var drills []string
	for _, g := range c.plant.serving(pc.line, stepDrill) {
		if !slices.Contains(drills, g.Name) {
			drills = append(drills, g.Name)
		}
	}
	return drills[dice(c.plant.plan.Seed, "drill "+pc.name, 0).IntN(len(drills))]
}

// wasWrong carries a piece away from a station where it does not belong.
func (c *people) wasWrong(pc *piece, word string) {
	switch word {
	case "ACCEPTED", "COMPLETED", "TAKEN IN":
		if !c.cloned(pc.tag) && !c.plant.forked() {
			c.plant.fail("%s says %s for %s, which was never expected there", pc.wrong, word, pc.tag)
		}
	case "WRONG STATION", "TAG IN USE":
		c.misrouted++
	}
	c.lift(pc)
	pc.wrong = ""
	c.later(pc, 500*time.Millisecond, 3*time.Second, c.visit)
}

// accepted works on a piece; impatient people come back before the dwell is over.
func (c *people) accepted(pc *piece) {
	c.lift(pc)
	if pc.part {
		pc.stops = true
		return
	}
	if pc.double != "" {
		if pc.drill == pc.double {
			pc.stops = true
			return
		}
		pc.drill = pc.double
		c.doubled[pc.tag] = true
		c.plant.trace.say("people", "carry %s in work to %s", pc.tag, pc.drill)
		c.later(pc, 100*time.Millisecond, 300*time.Millisecond, c.visit)
		return
	}
	if c.chance(pc, "early", 5) {
		c.later(pc, 200*time.Millisecond, time.Second, c.visit)
		return
	}
	c.later(pc, dwell, 3*time.Second, c.visit)
}

// double has the piece that waited for it worked on at both drilling stations.
func (c *people) double() {
	for _, pc := range c.pieces {
		if pc.waits && pc.step == stepDrill {
			pc.waits, pc.drill, pc.double = false, firstDrill, secondDrill
			c.later(pc, 0, time.Second, c.visit)
		}
	}
}

// note keeps what a light claimed.
func (c *people) note(g *gateway, s drivers.Signal) {
	word := verdict(s.Text)
	if s.Aspect != drivers.AspectGreen || word == "" {
		return
	}
	_, rest, _ := strings.Cut(s.Text, "tag ")
	tag, _, _ := strings.Cut(rest, ":")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claims = append(c.claims, claim{time.Since(c.plant.trace.start), g, word, tag})
}

// log returns all claims so far.
func (c *people) log() []claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.claims)
}

// clone reports whether the piece bears a tag that was another's.
func (pc *piece) clone() bool { return pc.name != pc.tag }

// cloned reports whether two pieces bear the tag.
func (c *people) cloned(tag string) bool {
	return slices.ContainsFunc(c.pieces, func(pc *piece) bool { return pc.tag == tag && pc.clone() })
}
