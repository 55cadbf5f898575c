package plant

import (
	"fmt"
	"slices"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// The guarantees that need more than a look at the chains.

// onlyGrows is guarantee 2: what was valid stays so, and what counted counts,
// unless a revocation says otherwise.
func (c *checks) onlyGrows() error {
	return c.each(func(g *gateway, v *replica.View) error {
		before := c.valid[g]
		now := map[ledger.TxID]bool{}
		revoked := map[ledger.TxID]bool{} // stands in a chain that was cut
		err := eachBlock(v, func(b ledger.Block) error {
			_, cut := v.Roster().Revoked(b.Header().Author)
			for _, t := range b.Txs() {
				s, ok, err := v.Tx(t.ID())
				if err != nil || !ok {
					return fmt.Errorf("transaction %s is not found: %w", t.ID().Short(), err)
				}
				if s.Valid {
					now[t.ID()] = s.Counted
				}
				revoked[t.ID()] = revoked[t.ID()] || cut
			}
			return nil
		})
		if err != nil {
			return err
		}
		for tx, counted := range before {
			still, valid := now[tx]
			switch {
			case !valid:
				return fmt.Errorf("guarantee 2: transaction %s was valid and is not", tx.Short())
			case counted && !still && !revoked[tx]:
				return fmt.Errorf("guarantee 2: transaction %s counted and does not", tx.Short())
			}
		}
		c.valid[g] = now
		return nil
	})
}

// singleWriter is guarantee 4, and that nothing was sealed that does not count
// but by cheats.
func (c *checks) singleWriter() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		for it, err := range v.Items(ledger.ItemID{}, 0) {
			if err != nil {
				return err
			}
			if it.InConflict() && !c.mayConflict(it) {
				return fmt.Errorf("guarantee 4: item %s is in conflict and nobody made it so", it.Label)
			}
		}
		for p, err := range v.Voids(ledger.Place{}, 0) {
			if err != nil || !c.plant.cheating(p.Author) && !c.plant.forkers[p.Author] {
				return fmt.Errorf("a transaction is void at %s/%d: %v (%w)", c.name(p.Author), p.Height, p.Reason, err)
			}
		}
		for p, err := range v.Waiting() {
			if err != nil || !c.plant.forked() {
				return fmt.Errorf("a transaction still waits at %s/%d (%w)", c.name(p.Author), p.Height, err)
			}
		}
		return nil
	})
}

// mayConflict reports whether people, or a key of which two versions of a chain
// may come, or a revocation, had a hand in an item.
func (c *checks) mayConflict(it ledger.Item) bool {
	if c.plant.people.doubled[it.Label] || c.plant.people.cloned(it.Label) {
		return true
	}
	return slices.ContainsFunc(it.Nodes, func(n ledger.Node) bool {
		return c.plant.cheating(n.Sender) || c.plant.forkers[n.Sender] || c.plant.outcasts[n.Sender]
	})
}

// named is guarantee 5: of whom two blocks of one height are held is named, and
// nobody else; and no honest gateway signs two.
func (c *checks) named() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		named, err := v.Evidence()
		if err != nil {
			return err
		}
		forked := map[ledger.KeyID]bool{}
		var last ledger.Ref
		err = eachBlock(v, func(b ledger.Block) error {
			if r := b.Ref(); r.Author == last.Author && r.Height == last.Height {
				forked[r.Author] = true
			}
			last = b.Ref()
			return nil
		})
		if err != nil {
			return err
		}
		for _, b := range named {
			if !c.plant.cheating(b.Author) && !c.plant.forkers[b.Author] {
				return fmt.Errorf("guarantee 5: %s is named in evidence at height %d", c.name(b.Author), b.Height)
			}
			if !forked[b.Author] {
				return fmt.Errorf("guarantee 5: %s is named at height %d and two blocks are not held", c.name(b.Author), b.Height)
			}
			delete(forked, b.Author)
		}
		for author := range forked {
			return fmt.Errorf("guarantee 5: two blocks of %s are held and it is not named", c.name(author))
		}
		return nil
	})
}

// revoked is guarantee 9: what stands only outside the named heads does not count.
func (c *checks) revoked() error {
	return c.each(func(_ *gateway, v *replica.View) error {
		return eachBlock(v, func(b ledger.Block) error {
			if ok, err := c.counts(v, b.Ref()); ok || err != nil {
				return err
			}
			for _, t := range b.Txs() {
				s, _, err := v.Tx(t.ID())
				if err != nil {
					return err
				}
				elsewhere := false
				for _, p := range s.Placed {
					ok, err := c.counts(v, ledger.Ref{Author: p.Author, Height: p.Height, Hash: p.Block})
					if err != nil {
						return err
					}
					elsewhere = elsewhere || ok && p.Status == replica.Valid
				}
				if s.Counted && !elsewhere {
					return fmt.Errorf("guarantee 9: a transaction counts at %s/%d, beyond the cut", c.name(b.Header().Author), b.Header().Height)
				}
			}
			return nil
		})
	})
}

func (c *checks) counts(v *replica.View, r ledger.Ref) (bool, error) {
	if r.Author == c.plant.pretends {
		return false, nil
	}
	return counts(v, r)
}

// model holds one replica, which is equal to the others, to the second
// implementation of the rules.
func (c *checks) model() error {
	g := c.plant.gateways[0]
	m, err := modelOf(c.plant.genesis, g.replica, c.plant.forgets)
	if err != nil {
		return err
	}
	views, err := viewsOf(g.replica)
	if err != nil {
		return err
	}
	if diff := m.Views().Diff(views); diff != "" {
		return fmt.Errorf("the model of PROTOCOL.md says otherwise than %s:\n%s", g.board, diff)
	}
	return nil
}

// lightsTrue holds the people's own log against every replica.
func (c *checks) lightsTrue() error {
	claims := c.plant.people.log()
	return c.each(func(_ *gateway, v *replica.View) error {
		for _, cl := range claims {
			if cl.gateway.lost(cl.at) {
				continue // the disk that had it was given away
			}
			open, closed, err := v.Tag(cl.tag)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(append(open, closed...), cl.stands) {
				return fmt.Errorf("guarantee 3: at %v %s said %s for tag %s, and nothing tells of it", cl.at, cl.gateway.board, cl.word, cl.tag)
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

// lossOf is a time whose work stood on a disk that is gone.
type lossOf struct{ from, until time.Duration }

// lost reports whether what a gateway said then may be gone.
func (g *gateway) lost(at time.Duration) bool {
	return slices.ContainsFunc(g.losses, func(l lossOf) bool { return l.from <= at && at <= l.until })
}

// restored takes back what nobody can be held to once an old copy of a disk is
// in use: blocks that stood on the lost one alone, and what was confirmed there.
func (c *checks) restored(g *gateway) {
	start := c.plant.trace.start
	g.losses = append(g.losses, lossOf{g.disk.made.Sub(start), time.Since(start)})
	g.own = ledger.Ref{}
	delete(c.valid, g)
	for key := range c.confirmed {
		if key.gateway == g {
			delete(c.confirmed, key)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.promises = slices.DeleteFunc(c.promises, func(p promise) bool { return p.by == g && !c.elsewhere(g, p.hash) })
}

// elsewhere reports whether another board holds a block.
func (c *checks) elsewhere(than *gateway, hash ledger.Hash) (held bool) {
	for _, g := range c.plant.gateways {
		if g == than || held {
			continue
		}
		err := g.replica.Read(func(v *replica.View) (err error) {
			_, held, err = v.Mark(hash)
			return err
		})
		if err != nil {
			c.plant.fail("at %s: %w", g.board, err)
		}
	}
	return held
}

// workedAlone counts a block that was sealed by a gateway that is cut off.
func (b *broker) workedAlone(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.apart[name] || b.part[name] != 0 {
		b.counts.Alone++
	}
}
