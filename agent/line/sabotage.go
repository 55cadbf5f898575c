package line

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// How the plugs are pulled.
const (
	lossTime  = 10 * time.Second // without a broker at least
	lossScans = 3                // recorded during that
	lossLimit = 30 * time.Second
	unplugs   = 2
	unplugged = 1200 * time.Millisecond
	kills     = 5
	jitter    = 900 * time.Millisecond
	newsLimit = 15 * time.Second // for a light that tells of a plug
	backLimit = 60 * time.Second // for a gateway or a broker to be back
)

// sabotages returns what is done to the line, each to be run by its goroutine. All
// of them mend what they broke before they return.
func (c *crew) sabotages() []func(context.Context, *rand.Rand) {
	b := &busy{held: map[string]bool{}}
	var all []func(context.Context, *rand.Rand)
	if c.plan.has(FaultBrokerLoss) {
		all = append(all, func(ctx context.Context, r *rand.Rand) { c.loseBroker(ctx, b) })
	}
	if c.plan.has(FaultReaderUnplug) {
		all = append(all, func(ctx context.Context, r *rand.Rand) { c.unplugReaders(ctx, b, r) })
	}
	if c.plan.has(FaultKill) {
		all = append(all, func(ctx context.Context, r *rand.Rand) { c.killGateways(ctx, b, r) })
	}
	if c.plan.has(FaultIsland) {
		all = append(all, func(ctx context.Context, r *rand.Rand) { c.island(ctx, b) })
	}
	return all
}

// reached waits until about so much of the work is done, in hundredths; it is
// false when the work is over before.
func (c *crew) reached(ctx context.Context, percent int) bool {
	return c.wait(ctx, time.Hour, func() bool { return c.claims.Load()*100 >= int64(percent*c.plan.claims()) })
}

// wait waits until ok; it is false when that took too long, or the work is over.
func (c *crew) wait(ctx context.Context, within time.Duration, ok func() bool) bool {
	limit := time.Now().Add(within)
	for !ok() {
		select {
		case <-c.allOut:
			return false
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(limit) {
			return false
		}
	}
	return true
}

// over reports whether every housing is out.
func (c *crew) over() bool { return c.open.Load() == 0 }

// loseBroker pulls the cable of the assembly station while all that an assembly
// needs waits there: it has work for a while, and the next station has to wait
// for its reports.
func (c *crew) loseBroker(ctx context.Context, b *busy) {
	s := c.line.Station(Assembly)
	if !c.reached(ctx, 20) {
		return
	}
	if !c.wait(ctx, backLimit, func() bool {
		return c.racks[s.Gateway].holds("housing", "pin", "cover") && s.expects(ctx, "housing", "pin", "cover") && b.take(s.Gateway)
	}) {
		return
	}
	defer b.free(s.Gateway)
	r := c.began(FaultBrokerLoss, s.Station)
	lights, stop := s.watch()
	defer stop()
	s.CutBroker()
	recorded, alone := c.workAlone(ctx, s, lights)
	lost := time.Since(r.Time)
	s.RestoreBroker()
	back := time.Now()
	err := s.Await(ctx, backLimit, func(st agent.Status) bool { return st.Broker != "" })
	if scans := total(recorded); !alone || scans < lossScans || err != nil {
		c.line.log.trouble(s.Gateway, "broker loss of %v: seen by the gateway: %v, recorded scans: %d of %d, connected again: %v",
			lost.Round(time.Millisecond), alone, scans, lossScans, err == nil)
		return
	}
	r.saw("%.1f s without broker, lights meanwhile: %s", lost.Seconds(), counted(recorded))
	r.saw("connected again after %.1f s", time.Since(back).Seconds())
}

// expects reports whether the gateway knows of a piece of each product that is to
// come to its station next.
func (s *Station) expects(ctx context.Context, products ...string) bool {
	var expected []agent.ItemLine
	err := s.ask(ctx, func(ctx context.Context, d agent.Desk) (err error) {
		expected, err = d.Items(ctx, agent.ItemQuery{Phase: ledger.Expected.String(), Limit: 1000})
		return err
	})
	for _, product := range products {
		if err != nil || !slices.ContainsFunc(expected, func(i agent.ItemLine) bool {
			return i.Product == product && slices.ContainsFunc(i.Where, s.serves)
		}) {
			return false
		}
	}
	return true
}

// workAlone counts the lights that claim a record while a station has no broker,
// and reports whether its gateway noticed.
func (c *crew) workAlone(ctx context.Context, s *Station, lights *watcher) (recorded map[string]int, alone bool) {
	recorded = map[string]int{}
	for start := time.Now(); time.Since(start) < lossLimit; {
		if time.Since(start) >= lossTime && total(recorded) >= lossScans && alone {
			break
		}
		if c.over() || ctx.Err() != nil {
			break
		}
		if l, err := lights.wait(ctx, 500*time.Millisecond, Light.Claims); err == nil {
			recorded[l.Word]++
			continue
		}
		if st, err := s.Status(ctx); err == nil && st.Broker == "" {
			alone = true
		}
	}
	return recorded, alone
}

func total(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

func counted(counts map[string]int) string {
	var words []string
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", w, counts[w]))
	}
	return strings.Join(words, ", ")
}

// unplugReaders unplugs readers of stations that have work.
func (c *crew) unplugReaders(ctx context.Context, b *busy, random *rand.Rand) {
	stations := []string{Drilling2, Assembly, Inspection, Packing}
	random.Shuffle(len(stations), func(i, j int) { stations[i], stations[j] = stations[j], stations[i] })
	for n := range unplugs {
		if !c.reached(ctx, 30+25*n) {
			return
		}
		at := ""
		c.wait(ctx, newsLimit, func() bool {
			at = b.takeOne(stations[n:], func(g string) bool { return c.racks[g].len() > 0 })
			return at != ""
		})
		if at == "" && !c.wait(ctx, newsLimit, func() bool {
			at = b.takeOne(stations[n:], func(string) bool { return true })
			return at != ""
		}) {
			return
		}
		c.unplugReader(ctx, c.line.Station(at))
		b.free(at)
	}
}

func (c *crew) unplugReader(ctx context.Context, s *Station) {
	lights, stop := s.watch()
	defer stop()
	r := c.began(FaultReaderUnplug, s.Station)
	if err := s.UnplugReader(); err != nil {
		c.line.log.trouble(s.Gateway, "unplugging the reader: %v", err)
		return
	}
	down, downErr := lights.wait(ctx, newsLimit, func(l Light) bool { return l.Word == ReaderDown })
	_ = sleep(ctx, unplugged)
	plugged := time.Now()
	if err := s.ReplugReader(); err != nil {
		c.line.log.trouble(s.Gateway, "plugging the reader in: %v", err)
		return
	}
	back, backErr := lights.wait(ctx, newsLimit, func(l Light) bool { return l.Word == ReaderBack })
	if downErr != nil || backErr != nil {
		c.line.log.trouble(s.Gateway, "the light told of the reader's loss: %v, of its return: %v", downErr == nil, backErr == nil)
		return
	}
	r.saw("READER DOWN after %d ms, READER BACK %d ms after it was plugged in",
		down.At.Sub(r.Time).Milliseconds(), back.At.Sub(plugged).Milliseconds())
	if l, err := lights.wait(ctx, newsLimit, Light.Claims); err == nil {
		r.saw("then %s", l.Word)
	}
}

// killGateways kills gateways at moments that nobody chose: those that have work
// first, the broker's host among them while it takes items in.
func (c *crew) killGateways(ctx context.Context, b *busy, random *rand.Rand) {
	var left []string
	for _, s := range c.line.Stations() {
		if !s.Broker {
			left = append(left, s.Gateway)
		}
	}
	random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	host := random.IntN(2)
	for n := range kills {
		if !c.reached(ctx, 10+17*n) {
			return
		}
		_ = sleep(ctx, time.Duration(random.Int64N(int64(jitter))))
		choice := left
		if n == host {
			choice = []string{Intake}
		}
		victim := b.takeOne(choice, func(g string) bool { return c.racks[g].len() > 0 })
		if victim == "" && !c.wait(ctx, backLimit, func() bool {
			victim = b.takeOne(choice, func(string) bool { return true })
			return victim != ""
		}) {
			return
		}
		left = slices.DeleteFunc(left, func(g string) bool { return g == victim })
		c.killGateway(ctx, c.line.Station(victim))
		b.free(victim)
	}
}

func (c *crew) killGateway(ctx context.Context, s *Station) {
	before, err := s.Status(ctx)
	if err != nil {
		c.line.log.trouble(s.Gateway, "its socket does not answer: %v", err)
		return
	}
	r := c.began(FaultKill, s.Station)
	if err := s.Kill(); err != nil {
		c.line.log.trouble(s.Gateway, "%v", err)
		return
	}
	var after agent.Status
	err = s.Await(ctx, backLimit, func(st agent.Status) bool {
		after = st
		return st.Open && st.Since > before.Since
	})
	switch {
	case err != nil:
		c.line.log.trouble(s.Gateway, "killed, it is not back after %v", backLimit)
	case after.Height < before.Height:
		c.line.log.trouble(s.Gateway, "killed at height %d, it came back with %d", before.Height, after.Height)
	default:
		r.saw("SIGKILL; back after %.1f s with its chain of %d blocks", time.Since(r.Time).Seconds(), after.Height)
		if s.Broker {
			r.saw("the broker with it")
		}
	}
}
