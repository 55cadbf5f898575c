package plant

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// The bounds of guarantee 8, in virtual time from the last heal.
const (
	// convergeWithin: all replicas hold the same. Gateways whose heads differ
	// find it by the status that each sends once a minute.
	convergeWithin = 3 * time.Minute
	// confirmWithin: every block is confirmed everywhere. A lost frontier is made
	// up for by the next full one, which comes every ten minutes and a quarter.
	confirmWithin = 14 * time.Minute
)

// checks hold a run to the guarantees of the ledger.
type checks struct {
	plant   *plant
	slowest time.Duration
	blocks  int
	// conflicts counts the items that quality had to rule on.
	conflicts int

	mu        sync.Mutex
	promises  []promise
	confirmed map[[2]ledger.KeyID]int // by gateway and author: blocks confirmed
	looked    time.Time
}

// promise is a block that an append returned.
type promise struct {
	by   *gateway
	hash ledger.Hash
}

func newChecks(p *plant) *checks {
	return &checks{plant: p, confirmed: map[[2]ledger.KeyID]int{}}
}

// promised notes a block that may never be lost.
func (c *checks) promised(by *gateway, hash ledger.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.promises = append(c.promises, promise{by, hash})
}

// glance looks at the chains while work goes on: each new own head is a promise
// (it stands for the blocks before it), and what was confirmed stays so.
func (c *checks) glance() {
	for _, g := range c.plant.gateways {
		if head, _ := g.replica.Own(); head != g.own && !head.Hash.IsZero() {
			g.own = head
			c.promised(g, head.Hash)
		}
	}
	if now := time.Now(); now.Sub(c.looked) >= 2*time.Second {
		c.looked = now
		if err := c.neverBack(); err != nil {
			c.plant.fail("%w", err)
		}
	}
}

// neverBack is the second half of guarantee 6.
func (c *checks) neverBack() error {
	return c.each(func(g *gateway, v *replica.View) error {
		authors, err := v.Authors()
		if err != nil {
			return err
		}
		for _, author := range authors {
			n, err := v.ConfirmedCount(author)
			if err != nil {
				return err
			}
			key := [2]ledger.KeyID{g.id, author}
			if n < c.confirmed[key] {
				return fmt.Errorf("guarantee 6: %s had %d blocks of %s confirmed and has %d", g.Name, c.confirmed[key], c.name(author), n)
			}
			c.confirmed[key] = n
		}
		return nil
	})
}

func (c *checks) each(f func(*gateway, *replica.View) error) error {
	for _, g := range c.plant.gateways {
		if err := g.replica.Read(func(v *replica.View) error { return f(g, v) }); err != nil {
			return fmt.Errorf("at %s: %w", g.Name, err)
		}
	}
	return nil
}

func (c *checks) name(id ledger.KeyID) string {
	for _, g := range c.plant.gateways {
		if g.id == id {
			return g.Name
		}
	}
	return id.Short()
}

// quiet waits for a quiet point and checks everything there. What people brought
// into conflict is then ruled on, which makes a second one.
func (c *checks) quiet(shift int) error {
	for {
		if err := c.settle(); err != nil {
			return err
		}
		if err := c.all(); err != nil {
			return err
		}
		c.plant.trace.say("checks", "quiet point in shift %d: %d blocks, all well", shift, c.blocks)
		ruled, err := c.plant.rule()
		if err != nil || ruled == 0 {
			return err
		}
	}
}

// settle is guarantee 8: within bounds all replicas hold the same, and every
// block is confirmed everywhere.
func (c *checks) settle() error {
	took, err := c.within(convergeWithin, c.differences)
	if err != nil {
		return fmt.Errorf("guarantee 8: replicas differ %v after the last heal: %w", took, err)
	}
	c.slowest = max(c.slowest, took)
	if took, err = c.within(confirmWithin, c.unconfirmed); err != nil {
		return fmt.Errorf("guarantee 8: blocks are unconfirmed %v after the replicas were equal: %w", took, err)
	}
	return nil
}

// within runs the plant until missing finds nothing.
func (c *checks) within(bound time.Duration, missing func() error) (took time.Duration, err error) {
	start := time.Now()
	for step := 250 * time.Millisecond; ; step = min(step*2, 4*time.Second) {
		c.plant.clock.run(step)
		c.glance()
		if err := c.plant.failed(); err != nil {
			return 0, err
		}
		took = time.Since(start)
		if err = missing(); err == nil || took > bound {
			return took, err
		}
	}
}

// differences says in what the replicas differ, or that something is in flight.
func (c *checks) differences() error {
	var first []ledger.Ref
	var roster []ledger.Hash
	if n := c.plant.broker.inFlight(); n > 0 {
		return fmt.Errorf("%d messages are in flight", n)
	}
	return c.each(func(g *gateway, v *replica.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		said := v.Roster().Heads()
		if g == c.plant.gateways[0] {
			first, roster = heads, said
			return nil
		}
		if !slices.Equal(heads, first) {
			return fmt.Errorf("heads are %s, at %s %s", c.words(heads), c.plant.gateways[0].Name, c.words(first))
		}
		if !slices.Equal(said, roster) {
			return fmt.Errorf("roster heads are %v, at %s %v", said, c.plant.gateways[0].Name, roster)
		}
		return nil
	})
}

func (c *checks) words(heads []ledger.Ref) string {
	var out []string
	for _, h := range heads {
		out = append(out, fmt.Sprintf("%s/%d", c.name(h.Author), h.Height))
	}
	return strings.Join(out, " ")
}

func (c *checks) unconfirmed() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		authors, err := v.Authors()
		if err != nil {
			return err
		}
		for _, author := range authors {
			held, err := v.BlockCount(author)
			if err != nil {
				return err
			}
			n, err := v.ConfirmedCount(author)
			if err != nil {
				return err
			}
			if n < held {
				return fmt.Errorf("%d of %d blocks of %s are confirmed", n, held, c.name(author))
			}
		}
		return nil
	})
}

// all checks what must hold at a quiet point.
func (c *checks) all() error {
	for _, check := range []func() error{c.equal, c.nothingLost, c.singleWriter, c.everyBlockConfirmed, c.neverBack, c.lightsTrue} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// equal is guarantee 1.
func (c *checks) equal() error {
	var first string
	for _, g := range c.plant.gateways {
		h, err := g.replica.DumpHash()
		if err != nil {
			return err
		}
		if first == "" {
			first = h
		}
		if h != first {
			return fmt.Errorf("guarantee 1: %s and %s hold the same blocks and have views %.12s and %.12s", c.plant.gateways[0].Name, g.Name, first, h)
		}
	}
	return nil
}

// nothingLost is guarantee 3.
func (c *checks) nothingLost() error {
	c.mu.Lock()
	promises := slices.Clone(c.promises)
	c.mu.Unlock()
	return c.each(func(g *gateway, v *replica.View) error {
		for _, p := range promises {
			if _, ok, err := v.Mark(p.hash); err != nil || !ok {
				return fmt.Errorf("guarantee 3: block %s that %s had sealed is not held (%w)", p.hash.Short(), p.by.Name, err)
			}
		}
		return nil
	})
}

// singleWriter is guarantee 4, and that nothing was sealed that does not count.
func (c *checks) singleWriter() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		named, err := v.Evidence()
		if err != nil {
			return err
		}
		for _, b := range named {
			return fmt.Errorf("guarantee 4: %s is named in evidence at height %d", c.name(b.Author), b.Height)
		}
		for it, err := range v.Items(ledger.ItemID{}, 0) {
			if err != nil {
				return err
			}
			if it.InConflict() && !c.plant.people.doubled[it.Label] {
				return fmt.Errorf("guarantee 4: item %s is in conflict and nobody made it so", it.Label)
			}
		}
		for p, err := range v.Voids(ledger.Place{}, 0) {
			return fmt.Errorf("a transaction is void at %s/%d: %v (%w)", c.name(p.Author), p.Height, p.Reason, err)
		}
		for p, err := range v.Waiting() {
			return fmt.Errorf("a transaction still waits at %s/%d (%w)", c.name(p.Author), p.Height, err)
		}
		return nil
	})
}

// everyBlockConfirmed is the first half of guarantee 6, block by block.
func (c *checks) everyBlockConfirmed() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		c.blocks = 0
		for _, head := range heads {
			c.blocks += int(head.Height)
			for height := range head.Height {
				if err := c.confirmedAt(v, head.Author, height+1); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (c *checks) confirmedAt(v *replica.View, author ledger.KeyID, height uint64) error {
	refs, err := v.Refs(author, height)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		n, m, confirmed, err := v.Confirmation(ref)
		if err != nil {
			return err
		}
		if !confirmed || 2*n <= m {
			return fmt.Errorf("guarantee 6: block %s/%d: %d of %d witnesses, confirmed %t", c.name(author), height, n, m, confirmed)
		}
	}
	return nil
}

// lightsTrue holds the people's own log against every replica.
func (c *checks) lightsTrue() error {
	claims := c.plant.people.log()
	return c.each(func(g *gateway, v *replica.View) error {
		for _, cl := range claims {
			open, closed, err := v.Tag(cl.tag)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(append(open, closed...), cl.stands) {
				return fmt.Errorf("guarantee 3: at %v %s said %s for tag %s, and nothing tells of it", cl.at, cl.gateway.Name, cl.word, cl.tag)
			}
		}
		return nil
	})
}

// stands reports whether an item's history has what the light claimed.
func (cl claim) stands(it ledger.Item) bool {
	kind := map[string]ledger.Kind{"TAKEN IN": ledger.KindIntake, "ACCEPTED": ledger.KindVerdict, "COMPLETED": ledger.KindReport}[cl.word]
	return slices.ContainsFunc(it.Nodes, func(n ledger.Node) bool { return n.Kind == kind && n.Sender == cl.gateway.id })
}
