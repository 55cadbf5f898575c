package line

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// crew is everybody who works on a line: a person at each station, quality, and
// whoever pulls its plugs.
type crew struct {
	line    *Line
	plan    plan
	seed    uint64
	racks   map[string]*rack // by gateway
	quality *rack
	items   []*item

	open   atomic.Int64  // housings whose history goes on
	allOut chan struct{} // closed when there are none
	claims atomic.Int64  // lights that claimed a record
	saving atomic.Bool   // sound housings are kept at the scale for the island
	lone   atomic.Bool   // stations are cut off: tags are left on readers until their notes are written
	alive  atomic.Int64  // ms since 1970: the last of them

	badge  sync.Mutex // one person at a time has it
	mu     sync.Mutex
	delays []time.Duration
	faults []*FaultRecord
}

func newCrew(l *Line, p plan, seed uint64) *crew {
	c := &crew{line: l, plan: p, seed: seed, racks: map[string]*rack{}, quality: newRack(), allOut: make(chan struct{})}
	for _, s := range l.Stations() {
		c.racks[s.Gateway] = newRack()
	}
	for _, piece := range p.pieces {
		i := &item{piece: piece, told: []string{stationOf(Places(), Intake)}}
		c.items = append(c.items, i)
		c.racks[Intake].put(i, time.Time{})
	}
	c.saving.Store(p.has(FaultIsland))
	c.open.Store(int64(p.assemblies()))
	c.alive.Store(time.Now().UnixMilli())
	return c
}

// ErrStuck: the people have had no light that goes on for a long time.
var ErrStuck = errors.New("the line is stuck")

// stuckAfter is how long a run goes on without a light that claims a record.
const stuckAfter = 45 * time.Second

// run lets the people work until every housing is finished or scrapped.
func (c *crew) run(ctx context.Context) error {
	ctx, home := context.WithCancelCause(ctx)
	defer home(nil)
	var people, saboteurs sync.WaitGroup
	for n, s := range c.line.Stations() {
		p := &person{crew: c, station: s, rack: c.racks[s.Gateway], random: rand.New(rand.NewPCG(c.seed, uint64(n)+100))}
		people.Go(func() { p.work(ctx) })
	}
	people.Go(func() { c.rule(ctx) })
	for n, sabotage := range c.sabotages() {
		random := rand.New(rand.NewPCG(c.seed, uint64(n)+1000))
		saboteurs.Go(func() { sabotage(ctx, random) })
	}
	people.Go(func() { c.notice(ctx, home) })
	select {
	case <-c.allOut:
	case <-ctx.Done():
	}
	saboteurs.Wait() // they mend what they broke
	home(nil)
	people.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	select {
	case <-c.allOut:
		return nil
	default:
		return context.Canceled
	}
}

// notice ends a run in which nothing goes on any more.
func (c *crew) notice(ctx context.Context, home context.CancelCauseFunc) {
	for sleep(ctx, time.Second) == nil {
		if quiet := time.Since(time.UnixMilli(c.alive.Load())); quiet > stuckAfter {
			home(fmt.Errorf("%w: nothing was recorded for %v; waiting: %s", ErrStuck, quiet.Round(time.Second), c.whereabouts()))
			return
		}
	}
}

// whereabouts says how many pieces wait where.
func (c *crew) whereabouts() string {
	words := fmt.Sprintf("quality %d", c.quality.len())
	for _, s := range c.line.Stations() {
		words += fmt.Sprintf(", %s %d", s.Gateway, c.racks[s.Gateway].len())
	}
	return words
}

// carry takes an item where it was told to, or astray.
func (c *crew) carry(i *item, random *rand.Rand) {
	if i.detour != nil && slices.Contains(i.told, i.detour.sentTo) {
		c.racks[i.detour.to].put(i, time.Now())
		return
	}
	var to []string
	for _, place := range i.told {
		to = append(to, at(Places(), place)...)
	}
	if len(to) == 0 {
		c.line.log.trouble("people", "tag %s is sent to %v, which is not on this line", i.tag, i.told)
		to = []string{Packing}
	}
	c.racks[to[random.IntN(len(to))]].put(i, time.Now())
}

// close notes that an item's history has ended.
func (c *crew) close(i *item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i.closed || i.product != "housing" {
		return
	}
	i.closed = true
	if c.open.Add(-1) == 0 {
		close(c.allOut)
	}
}

func (c *crew) measured(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delays = append(c.delays, d)
}

// remember notes what a light means for the plan's own faults.
func (p *person) remember(i *item, l Light, m move) {
	if l.Claims() {
		p.claims.Add(1)
		p.alive.Store(time.Now().UnixMilli())
	}
	switch {
	case l.Word == WrongStation && i.detour != nil && i.detour.to == p.station.Gateway:
		i.misfit = p.began(FaultWrongStation, p.station.Station)
		i.misfit.saw("WRONG STATION, belongs at %s", i.detour.sentTo)
		i.detour = nil
	case l.Claims():
		if i.misfit != nil {
			i.misfit.saw("then %s at %s", l.Word, p.station.Station)
			i.misfit = nil
		}
		if i.failing != nil && p.station.Gateway == Inspection && (l.Word == Accepted || l.Word == Completed) {
			i.failing.saw("reworked, %s at %s", l.Word, p.station.Station)
			i.failing = nil
		}
	case l.Word == InConflict || l.Word == Choose || l.Word == TagInUse:
		p.line.log.trouble(p.station.Gateway, "a light that this line must not show: %s", l.Text)
	}
	p.weigh(i, l, m)
}

// weigh follows what becomes of a housing that fails the scale. A RETURN or SET
// ASIDE whose light was lost is told by the answer to the next scan.
func (p *person) weigh(i *item, l Light, m move) {
	if p.station.Gateway != Inspection || len(i.weights) == 0 {
		return
	}
	switch {
	case m == carry && (l.Word == Returned || l.says("returned from here")):
		if i.failing == nil {
			i.failing = p.began(FaultBadWeight, p.station.Station)
		}
		i.failing.saw("RETURN to %v", l.Next())
		i.weighed++
	case m == aside:
		if i.failing == nil {
			i.failing = p.began(FaultBadWeight, p.station.Station)
		}
		i.failing.saw("SET ASIDE")
	}
}

// rule has quality scrap what was set aside: its disposition, signed by the key
// file, is sealed by the gateway of the packing station.
func (c *crew) rule(ctx context.Context) {
	all := func(*item) bool { return true }
	for i := c.quality.take(ctx, all); i != nil; i = c.quality.take(ctx, all) {
		err := c.scrap(ctx, c.line.Station(Packing), i)
		if err == nil {
			c.alive.Store(time.Now().UnixMilli())
			if i.failing != nil {
				i.failing.saw("scrapped by quality")
				i.failing = nil
			}
			c.close(i)
			continue
		}
		// The news has not arrived, or the gateway is down: later.
		c.quality.put(i, time.Now().Add(shelfTime))
	}
}

// ErrNotHeld: the item is not set aside as far as the gateway knows.
var ErrNotHeld = errors.New("the item is not held")

func (c *crew) scrap(ctx context.Context, s *Station, i *item) error {
	key, err := c.line.Network().Person(Quality)
	if err != nil {
		return err
	}
	return s.ask(ctx, func(ctx context.Context, d agent.Desk) error {
		heads, err := d.Rule(ctx, tagFor(c.line.Station(Intake).kind, i.tag))
		if err != nil {
			return err
		}
		switch heads.State {
		case ledger.Scrapped.String():
			return nil // an answer was lost
		case ledger.Nonconforming.String(), "in conflict":
		default:
			return fmt.Errorf("%w: %s is %s", ErrNotHeld, heads.Label, heads.State)
		}
		t, err := ledger.SignTx(c.line.Network().Genesis.Network(), ledger.Tx{
			Time: time.Now().UnixMilli(), Item: heads.Item, After: heads.Heads,
			Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "too light after rework"},
		}, key)
		if err != nil {
			return err
		}
		_, err = d.Submit(ctx, t.Raw())
		return err
	})
}
