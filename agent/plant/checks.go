package plant

import (
	"errors"
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
	plant        *plant
	slowest      time.Duration
	blocks       int
	transactions int
	// conflicts counts the items that quality had to rule on.
	conflicts int

	mu        sync.Mutex
	promises  []promise
	confirmed map[seenBy]int // blocks confirmed
	looked    time.Time
	valid     map[*gateway]map[ledger.TxID]bool // with whether it counted
	compared  time.Time                         // when guarantee 2 was looked at last
}

// seenBy is a gateway's sight of an author.
type seenBy struct {
	gateway *gateway
	author  ledger.KeyID
}

// promise is a block that an append returned.
type promise struct {
	by   *gateway
	hash ledger.Hash
}

func newChecks(p *plant) *checks {
	return &checks{plant: p, confirmed: map[seenBy]int{}, valid: map[*gateway]map[ledger.TxID]bool{}}
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
		if g.life == nil {
			continue
		}
		if head, _ := g.replica.Own(); head != g.own && !head.Hash.IsZero() {
			g.own = head
			c.promised(g, head.Hash)
			c.plant.broker.workedAlone(g.board)
		}
	}
	if c.plant.plan.quiet {
		return
	}
	if now := time.Now(); now.Sub(c.looked) >= 2*time.Second {
		c.looked = now
		if err := c.neverBack(); err != nil {
			c.plant.fail("%w", err)
		}
		if now.Sub(c.compared) >= growsEvery {
			c.compared = now
			if err := c.onlyGrows(); err != nil {
				c.plant.fail("%w", err)
			}
		}
	}
}

// growsEvery is how often it is looked at while work goes on that nothing is
// undone.
const growsEvery = 10 * time.Second

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
			key := seenBy{g, author}
			if n < c.confirmed[key] {
				return fmt.Errorf("guarantee 6: %s had %d blocks of %s confirmed and has %d", g.board, c.confirmed[key], c.name(author), n)
			}
			c.confirmed[key] = n
		}
		return nil
	})
}

func (c *checks) each(f func(*gateway, *replica.View) error) error {
	for _, g := range c.plant.gateways {
		if err := g.replica.Read(func(v *replica.View) error { return f(g, v) }); err != nil {
			return fmt.Errorf("at %s: %w", g.board, err)
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
	for _, cheat := range c.plant.cheats {
		if cheat.id == id {
			return cheat.name
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
		if err != nil {
			return err
		}
		if ruled == 0 && !c.plant.forgive() { // not both: forgiveness moves the items that are ruled on
			return nil
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
	if len(c.plant.office().replica.Roster().Contested()) > 0 {
		if err := c.model(); err != nil { // also of a roster in two minds
			return err
		}
	}
	if c.plant.decide() || c.plant.ratify() {
		return c.settle()
	}
	if took, err = c.within(confirmWithin, c.unconfirmed); err != nil {
		return fmt.Errorf("guarantee 8: blocks are unconfirmed %v after the replicas were equal: %w", took, err)
	}
	if c.differences() != nil { // a gateway has joined meanwhile
		return c.settle()
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
	if n := c.plant.pending.Load(); n > 0 {
		return fmt.Errorf("%d errands are under way", n)
	}
	// Of a thousand gateways one always tells its status.
	if n := c.plant.broker.inFlight(); n > 0 && !c.plant.plan.quiet {
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

// count notes how much was done.
func (c *checks) count() error {
	return c.plant.gateways[0].replica.Read(func(v *replica.View) error {
		st, err := v.Stats()
		c.blocks, c.transactions = int(st.Blocks), int(st.Transactions)
		return err
	})
}

// all checks what must hold at a quiet point.
func (c *checks) all() error {
	if err := c.count(); err != nil || c.plant.plan.quiet {
		return errors.Join(err, c.equal())
	}
	for _, check := range []func() error{
		c.equal, c.onlyGrows, c.nothingLost, c.singleWriter, c.named, c.everyBlockConfirmed, c.neverBack, c.lightsTrue, c.revoked, c.model,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// sampled bounds the replicas whose views are read whole in a large plant. Their
// heads were compared all.
const sampled = 64

// equal is guarantee 1.
func (c *checks) equal() error {
	var first string
	for i, g := range c.plant.gateways {
		if i%(1+len(c.plant.gateways)/sampled) != 0 {
			continue
		}
		h, err := g.replica.DumpHash()
		if err != nil {
			return err
		}
		if first == "" {
			first = h
		}
		if h != first {
			return fmt.Errorf("guarantee 1: %s and %s hold the same blocks and have views %.12s and %.12s", c.plant.gateways[0].board, g.board, first, h)
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

// sameWitnesses reports whether those who sign now signed all along.
func (c *checks) sameWitnesses() bool {
	return len(c.plant.gateways) == len(c.plant.plan.Stations) && !c.plant.plan.Roster && !c.plant.plan.Revoke &&
		!slices.ContainsFunc(c.plant.plan.Stations, func(s Station) bool { return s.Joins })
}

// everyBlockConfirmed is the first half of guarantee 6, block by block.
func (c *checks) everyBlockConfirmed() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		heads, err := v.Heads()
		if err != nil {
			return err
		}
		for _, head := range heads {
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
		if !confirmed || 2*n <= m && c.sameWitnesses() {
			return fmt.Errorf("guarantee 6: block %s/%d: %d of %d witnesses, confirmed %t", c.name(author), height, n, m, confirmed)
		}
	}
	return nil
}
