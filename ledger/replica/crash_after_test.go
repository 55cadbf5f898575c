package replica

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"traveler.example/ledger"
)

// reopen opens what a dead child left, holds it to all that was acknowledged,
// goes on with the own chain and returns the block that it sealed.
func (c *crashPlant) reopen(t *testing.T, dir string, life int, acked []ledger.Hash) ledger.Hash {
	t.Helper()
	return c.reopenWith(t, crashOptions(c.plant, life), dir, life, acked)
}

func (c *crashPlant) reopenWith(t *testing.T, o Options, dir string, life int, acked []ledger.Hash) ledger.Hash {
	t.Helper()
	var said strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	defer func() {
		if t.Failed() {
			t.Logf("it said:\n%s", said.String())
		}
		for line := range strings.Lines(said.String()) {
			if _, words, ok := strings.Cut(line, "level="); ok && !strings.HasPrefix(words, "DEBUG") {
				c.told[regexp.MustCompile(`[0-9a-f]*[0-9]+[0-9a-f]*`).ReplaceAllString(words[:min(len(words)-1, 130)], "#")]++
			}
		}
	}()
	r, err := Open(dir, o)
	if err != nil {
		t.Fatalf("life %d: not opened: %v", life, err)
	}
	g := &gateway{plant: c.plant, name: "g0", station: "s0", key: c.gateways[0].key, id: c.gateways[0].id, r: r}
	g.holds(t, acked)
	if err := r.scrub(context.Background(), true); err != nil { // soon after each start
		t.Errorf("life %d: mending: %v", life, err)
	}
	g.holds(t, acked)
	if err := r.Read(func(v *View) error { return noFork(v, g.id) }); err != nil {
		t.Errorf("life %d: %v", life, err)
	}
	if len(r.Register().Statements()) < len(c.statements) {
		g.take(c.allStatements()...)
	}
	b := g.append(c.orderFor(fmt.Sprintf("WO-life-%d", life)))
	if err := r.Read(func(v *View) error { return noFork(v, g.id) }); err != nil {
		t.Errorf("life %d, after going on: %v", life, err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("life %d: closing: %v", life, err)
	}
	return b.Hash()
}

// holds fails unless every acknowledged block and statement can be read.
func (g *gateway) holds(t *testing.T, acked []ledger.Hash) {
	t.Helper()
	lost := 0
	g.read(func(v *View) error {
		for i, h := range acked {
			if _, ok := g.r.Register().Statement(h); ok {
				continue
			}
			if _, ok, err := v.Block(h); err != nil || !ok {
				if lost++; lost < 4 {
					t.Errorf("acknowledged as number %d of %d and not held: %s %v", i+1, len(acked), h.Short(), err)
				}
			}
		}
		return nil
	})
	if lost > 0 {
		t.Fatalf("%d of %d acknowledged are lost", lost, len(acked))
	}
}

// noFork fails where a chain has two blocks at one height, or a gap.
func noFork(v *View, author ledger.KeyID) error {
	var height uint64
	for b, err := range v.Chain(author, 0) {
		if err != nil {
			return err
		}
		if height++; b.Header().Height != height {
			return fmt.Errorf("block %s stands where height %d is due", b.Ref(), height)
		}
	}
	return nil
}

// verified fails unless the directory is sound.
func (c *crashPlant) verified(t *testing.T, dir string) {
	t.Helper()
	o := crashOptions(c.plant, 0)
	o.TempDir = t.TempDir()
	err := Verify(context.Background(), dir, o, func(f Finding) {
		if f.Fault != "" {
			t.Errorf("%s: %s", f.Check, f.Fault)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tally logs what replicas said when they opened.
func (c *crashPlant) tally(t *testing.T) {
	t.Helper()
	for words, n := range c.told {
		t.Logf("%6d × %s", n, words)
	}
}
