package plant

import (
	"math/rand/v2"
	"slices"
	"time"
)

// disturb plans the faults of a shift: noise all along, gateways cut from the
// broker or from each other, gateways that end and come back, gateways that
// join, and what else the plan names. All is healed before the shift ends.
func (p *plant) disturb(shift int) {
	r := dice(p.plan.Seed, "faults", uint64(shift))
	length := p.plan.Shift
	p.at(0, func() { p.broker.setNoise(true) })
	begin := between(r, length/10, length/4)
	end := begin + between(r, length/5, length/2)
	some := p.someNames(r)
	switch {
	case p.plan.Storm:
		p.storm(shift, begin, end)
	case (uint64(shift)+p.plan.Seed)%2 == 0:
		p.at(begin, func() { p.broker.split(some) })
		p.at(end, p.broker.merge)
	default:
		forgets := r.IntN(3) == 0
		p.at(begin, func() { p.broker.cut(some) })
		p.at(end, func() { p.broker.heal(forgets) })
	}
	if p.plan.Restarts {
		p.planRestart(r, between(r, length/10, length*3/4))
	}
	for i, s := range p.plan.Stations {
		switch {
		case !s.Joins || shift > 0:
		case p.plan.Roster && i%2 == 0:
			p.at(between(r, length/4, length/2), func() { p.ticket(s) })
		default:
			p.at(between(r, length/4, length/2), func() { p.enrol(s) })
		}
	}
	if p.plan.Doubles {
		p.at(begin+2*time.Second, p.people.double)
	}
	p.harass(shift, begin, end)
}

// at plans something a while after now.
func (p *plant) at(d time.Duration, do func()) {
	p.broker.mu.Lock()
	serial := p.broker.next("fault")
	p.broker.mu.Unlock()
	p.clock.after(d, "fault", serial, do)
}

// someNames draws one or two gateways to be cut off. Where people are to work on
// an item at both drilling stations, it is one of these.
func (p *plant) someNames(r *rand.Rand) []string {
	if p.plan.Doubles {
		return []string{firstDrill}
	}
	return p.draw(r, 1+r.IntN(2))
}

// draw draws boards.
func (p *plant) draw(r *rand.Rand, n int) []string {
	var names []string
	for _, i := range r.Perm(len(p.gateways))[:min(n, len(p.gateways))] {
		names = append(names, p.gateways[i].board)
	}
	return names
}

// storm parts the plant again and again between begin and end.
func (p *plant) storm(shift int, begin, end time.Duration) {
	r := dice(p.plan.Seed, "storm", uint64(shift))
	for at := begin; at < end; {
		until := min(at+between(r, time.Second, end-begin+time.Second), end)
		some := p.draw(r, 1+r.IntN(max(len(p.gateways)/2, 1)))
		switch r.IntN(6) {
		case 0: // three parts
			more := p.draw(r, 2)
			p.at(at, func() { p.broker.split(some, more) })
			p.at(until, p.broker.merge)
		case 1: // flapping
			for t := at; t < until; t += 2 * time.Second {
				p.at(t, func() { p.broker.split(some) })
				p.at(t+time.Second, p.broker.merge)
			}
		case 2: // the brokers do not hear each other
			p.at(at, func() { p.broker.split(p.homes()...) })
			p.at(until, p.broker.merge)
		case 3: // one of them dies
			homes := p.homes()
			p.at(at, func() { p.broker.crash(homes[r.IntN(len(homes))]) })
		case 4: // all of them die
			p.at(at, func() { p.broker.crash(nil) })
		default:
			forgets := r.IntN(3) == 0
			p.at(at, func() { p.broker.cut(some) })
			p.at(until, func() { p.broker.heal(forgets) })
		}
		at = until + between(r, time.Second, 4*time.Second)
	}
	p.at(end+4*time.Second, func() { p.broker.heal(false) })
	p.at(end+4*time.Second, p.broker.merge)
}

// homes lists the gateways of each broker.
func (p *plant) homes() [][]string {
	homes := make([][]string, max(p.plan.Brokers, 1))
	for i, g := range p.gateways {
		homes[i%len(homes)] = append(homes[i%len(homes)], g.board)
	}
	return homes
}

// harass plans what befalls single gateways.
func (p *plant) harass(shift int, begin, end time.Duration) {
	r := dice(p.plan.Seed, "harass", uint64(shift))
	moment := func() time.Duration { return between(r, begin, end) }
	some := func() *gateway { return p.gateways[r.IntN(len(p.gateways))] }
	if p.plan.Clocks {
		for range 1 + len(p.gateways)/4 {
			g, serial := some(), r.Uint64()
			p.at(moment(), func() { p.setClock(g, serial) })
		}
	}
	if p.plan.Disks {
		for range 1 + len(p.gateways)/8 {
			p.spoil(some(), between(r, 20*time.Millisecond, 900*time.Millisecond), r.IntN(2) == 0, moment(), end)
		}
	}
	if p.plan.Copies {
		g := some()
		p.at(begin/2, g.copyDisk)
		p.at(moment(), func() { p.restore(g, between(r, 100*time.Millisecond, 3*time.Second)) })
	}
	if p.plan.Twin && shift == 0 {
		g := some()
		p.at(moment(), func() {
			p.trace.say("faults", "a second board has the key of %s", g.Name)
			p.forkers[g.id] = true
			p.put(g.Station, g.board+" again", g)
		})
	}
	if p.plan.Roster {
		here, there := some(), some()
		p.at(moment(), func() { p.reform(shift, here, there) })
	}
	if p.plan.Schism {
		here, there := some(), some()
		p.at(moment(), func() { p.schism(shift, here, there) })
	}
	if p.plan.Revoke && shift == 0 {
		p.planRevocation(begin, end)
	}
	for _, c := range p.cheats {
		for range 4 {
			p.at(moment(), c.attack)
		}
	}
}

// spoil makes a card slow or bad for a while.
func (p *plant) spoil(g *gateway, slow time.Duration, failing bool, from, until time.Duration) {
	p.at(from, func() {
		p.trace.say("faults", "the card of %s takes %v, fails: %t", g.board, slow, failing)
		g.disk.spoil(slow, failing)
	})
	p.at(until, func() { g.disk.spoil(0, false) })
}

// setClock sets the clock of a board at random. If that runs and goes on to run,
// its journal tells of it.
func (p *plant) setClock(g *gateway, serial uint64) {
	from := g.wall.shown()
	p.trace.say("faults", "the clock of %s is off by %v", g.board, g.wall.upset(dice(serial, "jump", 0)))
	jump := g.wall.shown().Sub(from).Abs() // a clock at 1970 goes no further back
	v, before := g.life, g.steps.Load()
	again := time.Since(g.set) < 2*time.Second // there and back within a look of the agent is nothing
	now := time.Now()
	g.set = now
	if v == nil || jump < 10*time.Second || again || time.Since(v.began) < 2*time.Second {
		return
	}
	p.at(2*time.Second, func() {
		if g.life == v && g.steps.Load() == before && g.set.Equal(now) {
			p.fail("the clock of %s was set by %v, and its journal says nothing", g.board, jump)
		}
	})
}

// planRevocation cuts a drilling station off, revokes it where the others are, and
// has it work on until it hears of that.
func (p *plant) planRevocation(begin, end time.Duration) {
	i := slices.IndexFunc(p.gateways, func(g *gateway) bool { return g.Name == secondDrill })
	if i < 0 {
		return
	}
	g := p.gateways[i]
	p.at(begin, func() { p.broker.cut([]string{g.board}) })
	p.at((begin+end)/2, func() { p.outlaw(g, p.gateways[0]) })
	p.at(end+4*time.Second, func() { p.broker.heal(false) })
}

func (p *plant) planRestart(r *rand.Rand, at time.Duration) {
	for range 1 + len(p.gateways)/6 {
		g := p.gateways[r.IntN(len(p.gateways))]
		struck := r.IntN(2) == 0
		off := between(r, 100*time.Millisecond, 8*time.Second)
		p.at(at, func() { p.restart(g, struck, off, func() {}) })
		at += between(r, 0, time.Second)
	}
}

// restart switches a gateway off, does something to it, and switches it on again.
func (p *plant) restart(g *gateway, struck bool, off time.Duration, meanwhile func()) {
	if g.life == nil {
		return
	}
	p.broker.count(func(c *Counts) { c.Stops++ })
	g.end(struck, func() {
		meanwhile()
		p.at(off, func() {
			if err := g.start(); err != nil {
				p.fail("restarting %s: %w", g.board, err)
			}
		})
	})
}

// copyDisk makes a backup of a board's disk.
func (g *gateway) copyDisk() {
	g.disk.backup, g.disk.made = g.disk.memory.Copy(), time.Now()
	g.plant.trace.say("faults", "the disk of %s is copied", g.board)
}

// restore gives a gateway its old copy back. What only the lost disk had is lost.
func (p *plant) restore(g *gateway, off time.Duration) {
	if g.disk.backup == nil {
		return
	}
	p.restart(g, true, off, func() {
		p.trace.say("faults", "%s comes back as it was at %v", g.board, g.disk.made.Sub(p.trace.start))
		p.forkers[g.id] = true
		p.broker.count(func(c *Counts) { c.Restored++ })
		g.disk.memory = g.disk.backup
		g.disk.backup = nil
		if err := g.open(); err != nil {
			p.fail("restoring %s: %w", g.board, err)
		}
		p.checks.restored(g)
	})
}

// calm ends all faults and waits until every gateway runs.
func (p *plant) calm() {
	p.broker.setNoise(false)
	for _, g := range p.gateways {
		g.disk.spoil(0, false)
	}
	for range 100 {
		all := true
		for _, g := range p.gateways {
			all = all && g.life != nil
		}
		if all {
			return
		}
		p.run(time.Second)
	}
	p.fail("not all gateways run again")
}
