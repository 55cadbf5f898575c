package plant

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	seedFlag     = flag.Uint64("seed", 0, "run this seed only")
	seedsFlag    = flag.Uint64("seeds", 0, "run seeds from 1 to this one")
	gatewaysFlag = flag.Int("gateways", 0, "TestPlant: as many gateways; 0: 5 to 11, by the seed")
	hoursFlag    = flag.Float64("hours", 0, "TestPlant: at least as many hours of virtual time; 0: one shift")
	storyFlag    = flag.String("story", "", "write the trace to this file")
)

var usualNoise = Noise{Loss: 50, Duplicate: 40, Late: 30, Swap: 60}

// five is the plan of the seeds: five gateways, two shifts of work.
func five(seed uint64) Plan {
	return Plan{
		Seed: seed, Stations: Five(), Items: 4, Shifts: 2, Shift: 32 * time.Second,
		Noise: usualNoise, Restarts: seed%2 == 0, Replay: replay("TestFiveGateways", seed),
	}
}

// joining is five with a sixth gateway that comes in the middle.
func joining(seed uint64) Plan {
	p := five(seed)
	p.Stations = append(p.Stations, drill(3, 0))
	p.Stations[len(p.Stations)-1].Joins = true
	p.Restarts, p.Replay = true, replay("TestLateJoiner", seed)
	return p
}

// doubling is five with people who work on one item at two stations.
func doubling(seed uint64) Plan {
	p := five(seed)
	p.Doubles, p.Restarts, p.Replay = true, false, replay("TestConflictIsRuledOn", seed)
	return p
}

func replay(test string, seed uint64) string {
	return fmt.Sprintf("go test ./agent/plant -run '^%s$' -seed=%d -story=story.txt", test, seed)
}

// wild is a plan in which everything befalls the plant at once, or, by the seed,
// most of it.
func wild(seed uint64, gateways int, hours float64) Plan {
	r := dice(seed, "plan", 0)
	n := 5 + r.IntN(7)
	if gateways > 0 {
		n = gateways
	}
	most := func() bool { return r.IntN(4) > 0 }
	p := Plan{
		Seed: seed, Stations: Lines(n), Items: 3, Shifts: 1, Shift: 48 * time.Second, Noise: usualNoise,
		Restarts: most(), Brokers: 1 + r.IntN(3), Storm: most(), Clocks: most(), Disks: most(), Copies: most(), Twin: most(),
		Clones: most(), Parts: most(), Scales: most(), Roster: most(), Revoke: most(),
		AtLeast: time.Duration(hours * float64(time.Hour)), Replay: replay("TestPlant", seed),
	}
	if most() {
		p.Cheats = 1 + r.IntN(2)
	}
	p.Schism = most()
	if p.Roster {
		p.Stations = append(p.Stations, drill(901, 0), drill(902, 0))
		p.Stations[n].Joins, p.Stations[n+1].Joins = true, true
	}
	if gateways > 0 || hours > 0 {
		p.Replay += fmt.Sprintf(" -gateways=%d -hours=%g", gateways, hours)
	}
	return p
}

// seeds are 1…n, a tenth of them with -short, or what the flags say.
func seeds(n uint64) []uint64 {
	switch {
	case *seedFlag != 0:
		return []uint64{*seedFlag}
	case *seedsFlag != 0:
		n = *seedsFlag
	case testing.Short():
		n = max(n/10, 1)
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(i) + 1
	}
	return out
}

// play runs a plan that must go well.
func play(t *testing.T, p Plan) Result {
	t.Helper()
	r := Run(t, p)
	if *storyFlag != "" {
		if err := os.WriteFile(*storyFlag, []byte(strings.Join(r.Trace, "\n")+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	t.Logf("trace %.16s: %d items, %d finished, %d misrouted, %d in conflict, %d blocks, %d decisions by the recovery key; %+v; replicas equal %v after the heal at most; %v virtual",
		r.Hash, r.Items, r.Finished, r.Misroute, r.Conflict, r.Blocks, r.Decisions, r.Counts, r.Slowest, r.Virtual)
	return r
}

func TestFiveGateways(t *testing.T) {
	for _, seed := range seeds(50) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := play(t, five(seed))
			c := r.Counts
			if c.Lost == 0 || c.Duplicated == 0 || c.Reordered == 0 || c.Delayed == 0 || c.Partitions == 0 || c.Heals == 0 {
				t.Errorf("a kind of fault did not happen: %+v", c)
			}
			for _, word := range []string{" lost ", " duplicated ", " out of order", " delayed ", " partition: ", " heal: "} {
				if !slices.ContainsFunc(r.Trace, func(l string) bool { return strings.Contains(l, word) }) {
					t.Errorf("the trace tells of nothing%s", word)
				}
			}
			if r.Finished == 0 || r.Blocks < 25 {
				t.Errorf("little was done: %d items finished, %d blocks", r.Finished, r.Blocks)
			}
			if restarts := seed%2 == 0; restarts != (c.Stops > 0) {
				t.Errorf("%d gateways were stopped", c.Stops)
			}
		})
	}
}

// TestPlant has everything befall the plant, and holds it to the guarantees and to
// the second implementation of the rules. Its long form is
// go test ./agent/plant -run '^TestPlant$' -seeds=N -gateways=N -hours=H -timeout=0.
func TestPlant(t *testing.T) {
	for _, seed := range seeds(10) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			play(t, wild(seed, *gatewaysFlag, *hoursFlag))
		})
	}
}

// badCards is wild with cards that are slow or fail for sure.
func badCards(seed uint64) Plan {
	p := wild(seed, 0, 0)
	p.Disks = true
	return p
}

func TestOneSeedGivesOneTrace(t *testing.T) {
	for _, plan := range []Plan{five(7), five(8), joining(9), doubling(10), badCards(4), badCards(6), badCards(7)} {
		t.Run(plan.Replay, func(t *testing.T) {
			t.Parallel()
			first, second := Run(t, plan), Run(t, plan)
			if first.Hash == second.Hash {
				return
			}
			for i := range min(len(first.Trace), len(second.Trace)) {
				if first.Trace[i] != second.Trace[i] {
					t.Fatalf("line %d is\n%s\nand then\n%s", i, first.Trace[i], second.Trace[i])
				}
			}
			t.Fatalf("%d lines and then %d", len(first.Trace), len(second.Trace))
		})
	}
	if a, b := Run(t, five(7)), Run(t, five(9)); a.Hash == b.Hash {
		t.Error("two seeds give one trace")
	}
}

func TestLateJoiner(t *testing.T) {
	worked := false
	for _, seed := range seeds(3) {
		r := play(t, joining(seed))
		worked = worked || slices.ContainsFunc(r.Trace, func(l string) bool { return strings.Contains(l, "drill-3/light") && strings.Contains(l, "COMPLETED") })
	}
	if !worked {
		t.Error("the newcomer completed nothing")
	}
}

func TestConflictIsRuledOn(t *testing.T) {
	conflicts := 0
	for _, seed := range seeds(4) {
		r := play(t, doubling(seed))
		conflicts += r.Conflict
	}
	if conflicts == 0 {
		t.Error("people brought nothing into conflict")
	}
}

// TestChecksBite breaks each guarantee and wants it named, with what is needed
// to see it again.
func TestChecksBite(t *testing.T) {
	quietest := func() Plan {
		p := five(1)
		p.Shifts, p.Items, p.Shift, p.Noise, p.Replay = 1, 2, 20*time.Second, Noise{}, "the command"
		return p
	}
	for _, c := range []struct {
		name, want string
		harm       func(*plant)
	}{
		{"a block is gone", "guarantee 3: block 01000000", func(p *plant) { p.checks.promised(p.gateways[1], ledger.Hash{1}) }},
		{"a light lied", "said COMPLETED for tag 04, and nothing tells of it", func(p *plant) {
			p.people.claims = append(p.people.claims, claim{gateway: p.gateways[1], word: "COMPLETED", tag: "04"})
		}},
		{"confirmation goes back", "guarantee 6: drill-1 had 999 blocks of intake confirmed", func(p *plant) {
			p.checks.confirmed[seenBy{p.gateways[1], p.gateways[0].id}] = 999
		}},
		{"a gateway never hears the others", "guarantee 8: replicas differ", func(p *plant) {
			p.at(15*time.Second, func() { p.broker.split([]string{"intake"}) })
		}},
		{"a transaction is undone", "guarantee 2: transaction 02000000 was valid and is not", func(p *plant) {
			p.checks.valid[p.gateways[2]] = map[ledger.TxID]bool{{2}: true}
		}},
		{"the model is told less", "the model of PROTOCOL.md says otherwise than intake", func(p *plant) { p.forgets = 1 }},
		{"a witness is dead", "", func(p *plant) {
			p.at(15*time.Second, func() { p.gateways[3].end(true, func() {}) })
		}},
		{"a station does not answer", "guarantee 7: intake says nothing about 04", func(p *plant) {
			p.plan.Shift = time.Minute
			p.at(time.Second, func() { p.gateways[0].reader.dumb = true })
		}},
		{"a revoked chain counts", "guarantee 9: a transaction counts at drill-1/1, beyond the cut", func(p *plant) {
			p.pretends = publicKey(firstDrill).ID()
		}},
		{"two boards with one key", "guarantee 5: intake is named in evidence", func(p *plant) { p.at(5*time.Second, func() { secondBoard(t, p) }) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := quietest()
			p.harm = c.harm
			r := Run(t, p)
			if c.want == "" {
				c.want = "not all gateways run again"
			}
			if r.Err == nil {
				t.Fatal("nothing was noticed")
			}
			text := r.Err.Error()
			for _, want := range []string{c.want, "seed 1", "replay: the command", "FAILED"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %.800s", want, text)
				}
			}
			if n := strings.Count(text, "\n"); n < tail {
				t.Errorf("the failure shows %d lines of the trace, want %d", n, tail)
			}
		})
	}
}

// secondBoard has another board with the intake's key seal a block of its own,
// which comes to the ears of one gateway.
func secondBoard(t *testing.T, p *plant) {
	order, err := ledger.SignTx(p.genesis.Network(), ledger.Tx{
		Time: time.Now().UnixMilli(), Body: ledger.Order{ID: "WO-2", Product: "bracket", Quantity: 1, Routing: p.routing(0)},
	}, identity(planner))
	if err != nil {
		t.Error(err)
		return
	}
	twin, err := p.newGateway(p.gateways[0].Station, p.founding)
	if err != nil {
		t.Error(err)
		return
	}
	block, err := twin.replica.Append(context.Background(), replica.Batch{Txs: []ledger.Tx{order}})
	if err != nil {
		t.Error(err)
	}
	if _, err := p.gateways[1].replica.Ingest(context.Background(), block.UnverifiedBlock); err != nil {
		t.Error(err)
	}
	if err := twin.replica.Close(); err != nil {
		t.Error(err)
	}
}

func TestEventsInOrder(t *testing.T) {
	run := func() (order []string) {
		c := newClockwork()
		add := func(d time.Duration, who string, serial uint64) {
			c.after(d, who, serial, func() { order = append(order, fmt.Sprint(who, serial)) })
		}
		add(time.Second, "b", 1)
		add(time.Second, "a", 2)
		add(time.Second, "a", 1)
		add(time.Millisecond, "c", 1)
		add(time.Hour, "never", 1)
		c.run(time.Minute)
		return order
	}
	synctest.Test(t, func(t *testing.T) {
		if got, want := strings.Join(run(), " "), "c1 a1 a2 b1"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
	if dice(1, "x", 2).Uint64() != dice(1, "x", 2).Uint64() || dice(1, "x", 2).Uint64() == dice(1, "x", 3).Uint64() {
		t.Error("dice do not depend on what they are about alone")
	}
}
