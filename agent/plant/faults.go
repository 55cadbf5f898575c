package plant

import (
	"math/rand/v2"
	"time"
)

// disturb plans the faults of a shift: noise all along, gateways cut from the
// broker or from each other, gateways that end and come back, gateways that
// join. All is healed before the shift ends.
func (p *plant) disturb(shift int) {
	r := dice(p.plan.Seed, "faults", uint64(shift))
	length := p.plan.Shift
	p.at(0, func() { p.broker.setNoise(true) })
	begin := between(r, length/10, length/4)
	end := begin + between(r, length/5, length/2)
	some := p.someNames(r)
	if (uint64(shift)+p.plan.Seed)%2 == 0 {
		p.at(begin, func() { p.broker.split(some) })
		p.at(end, p.broker.merge)
	} else {
		forgets := r.IntN(3) == 0
		p.at(begin, func() { p.broker.cut(some) })
		p.at(end, func() { p.broker.heal(forgets) })
	}
	if p.plan.Restarts {
		p.planRestart(r, between(r, length/10, length*3/4))
	}
	for _, s := range p.plan.Stations {
		if s.Joins && shift == 0 {
			p.at(between(r, length/4, length/2), func() { p.enrol(s) })
		}
	}
	if p.plan.Doubles {
		p.at(begin+2*time.Second, p.people.double)
	}
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
	var names []string
	for _, i := range r.Perm(len(p.gateways))[:1+r.IntN(2)] {
		names = append(names, p.gateways[i].Name)
	}
	return names
}

func (p *plant) planRestart(r *rand.Rand, at time.Duration) {
	g := p.gateways[r.IntN(len(p.gateways))]
	struck := r.IntN(2) == 0
	off := between(r, 100*time.Millisecond, 8*time.Second)
	p.at(at, func() {
		p.broker.mu.Lock()
		p.broker.counts.Stops++
		p.broker.mu.Unlock()
		g.end(struck, func() {
			p.at(off, func() {
				if err := g.start(); err != nil {
					p.fail("restarting %s: %w", g.Name, err)
				}
			})
		})
	})
}

// join puts up a new gateway. Its board came with the statements of its
// enrolment; all else it learns from the others.
func (p *plant) join(s Station) {
	g, err := p.newGateway(s, p.founding)
	if err == nil {
		p.gateways = append(p.gateways, g)
		err = g.start()
	}
	if err != nil {
		p.fail("%s joins: %w", s.Name, err)
	}
}

// calm ends all faults and waits until every gateway runs.
func (p *plant) calm() {
	p.broker.setNoise(false)
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
