package plant

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Plan is all that a run depends on.
type Plan struct {
	Seed     uint64
	Stations []Station     // [Five], and more that drill
	Items    int           // taken in in each shift
	Shifts   int           // each ends at a quiet point
	Shift    time.Duration // of each, virtual
	Noise    Noise
	Restarts bool   // in each shift a gateway ends and comes back
	Doubles  bool   // people work on one item at two stations while these are cut from each other
	Replay   string // the command that runs this plan again

	// What else befalls the plant.
	Brokers int           // nodes of one cluster over which the gateways are spread; 0: one
	Storm   bool          // flapping partitions, brokers that die and forget
	Clocks  bool          // that drift, stand at 1970 or jump
	Disks   bool          // that are slow, or fail to commit
	Copies  bool          // gateways come back with an old copy of their disk
	Twin    bool          // a second board has the key of a gateway
	Clones  bool          // two pieces bear one tag
	Parts   bool          // pieces wait for parts that are built in
	Scales  bool          // packing weighs, and some pieces are too light
	Roster  bool          // enrolments, tickets, admins: some of them in a partition
	Schism  bool          // admins are replaced in two ways; the recovery key decides
	Revoke  bool          // a gateway is revoked while it works on alone; later what it did is let count
	Cheats  int           // hostile gateways with an enrolled key; one more has none
	AtLeast time.Duration // virtual; shifts follow until it is over

	quiet bool          // no trace is kept, and a message is delivered to all at once
	pool  *replica.Pool // what the replicas share; nil: nothing

	last func(*plant) // done after the last shift
	harm func(*plant) // done at the beginning of the first shift, in tests of the checks
}

// Result is what a run came to.
type Result struct {
	Err          error // the first failure, with seed, command and the end of the trace
	Trace        []string
	Hash         string // of Trace
	Counts       Counts
	Items        int // taken in
	Finished     int
	Doubled      int // items on which people worked at two stations at once
	Conflict     int // items that came into conflict and were ruled on
	Blocks       int
	Transactions int
	Misroute     int           // wrong-station scans that the light called so
	Decisions    int           // by the recovery key, on contested changes of admins
	Slowest      time.Duration // from a heal to equal replicas, at most
	Virtual      time.Duration
}

// plant is one run.
type plant struct {
	plan      Plan
	clock     *clockwork
	trace     *trace
	broker    *broker
	genesis   ledger.Genesis
	founding  []ledger.Statement
	gateways  []*gateway // in the order of the plan; those that join come when they do
	people    *people
	checks    *checks
	pool      *replica.Pool
	orders    []ledger.Tx
	cheats    []*cheat
	outcasts  map[ledger.KeyID]bool // revoked in this run
	forkers   map[ledger.KeyID]bool // whose keys two boards had, or an old copy
	errandAt  time.Time             // the last one planned
	pending   atomic.Int64          // errands that are not done
	forgets   int                   // statements that the model is not told, in tests of the checks
	decisions int                   // by the recovery key
	pretends  ledger.KeyID          // whose chain the checks believe cut before its beginning, in tests of them
	ruled     map[string]bool       // tags of items that quality scrapped
	errands   sync.WaitGroup        // calls of desks under way

	mu      sync.Mutex
	failure error
}

// Run runs a plan in a bubble of virtual time.
func Run(t *testing.T, plan Plan) Result {
	var r Result
	synctest.Test(t, func(*testing.T) { r = run(plan) })
	return r
}

func run(plan Plan) Result {
	p := &plant{
		plan: plan, clock: newClockwork(), trace: newTrace(), pool: plan.pool, outcasts: map[ledger.KeyID]bool{},
		forkers: map[ledger.KeyID]bool{}, ruled: map[string]bool{},
	}
	p.trace.off = plan.quiet
	p.broker = newBroker(plan.Seed, plan.Noise, p.clock, p.trace)
	p.broker.quiet = plan.quiet
	p.people = newPeople(p)
	p.checks = newChecks(p)
	if err := p.work(); err != nil {
		p.fail("%w", err)
	}
	p.shutDown()
	return p.result()
}

// work is the run: all gateways start, then shift follows shift.
func (p *plant) work() error {
	if err := p.found(); err != nil {
		return err
	}
	for _, s := range p.plan.Stations {
		if s.Joins {
			continue
		}
		g, err := p.newGateway(s, p.founding)
		if err != nil {
			return err
		}
		p.gateways = append(p.gateways, g)
		if err := g.start(); err != nil {
			return err
		}
		if !p.plan.quiet {
			p.run(700 * time.Millisecond)
		}
	}
	p.sendOrders()
	p.run(5 * time.Second)
	p.invite()
	for shift := 0; shift < p.plan.Shifts || time.Since(p.trace.start) < p.plan.AtLeast; shift++ {
		p.people.begin(shift, p.plan.Items)
		p.disturb(shift)
		if p.plan.harm != nil && shift == 0 {
			p.plan.harm(p)
		}
		p.run(p.plan.Shift)
		p.people.goHome()
		p.calm()
		if err := p.checks.quiet(shift); err != nil {
			return err
		}
	}
	if p.plan.last != nil {
		p.plan.last(p)
	}
	return nil
}

// run lets d pass, and looks at the chains between events.
func (p *plant) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end) && p.failed() == nil; {
		p.clock.run(min(time.Until(end), 250*time.Millisecond))
		p.checks.glance()
	}
}

func (p *plant) fail(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = fmt.Errorf(format, args...)
		p.trace.say("checks", "FAILED: %v", p.failure)
	}
}

func (p *plant) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

// shutDown ends everything that runs, so that the bubble is empty.
func (p *plant) shutDown() {
	waiting := 0
	for _, g := range p.gateways {
		if g.life != nil {
			waiting++
			g.end(false, func() { waiting-- })
		}
	}
	for range 1000 {
		if waiting == 0 {
			break
		}
		p.clock.run(10 * time.Millisecond)
	}
	if waiting > 0 {
		p.fail("%d gateways do not end", waiting)
	}
	p.errands.Wait()
	for _, g := range p.gateways {
		if err := g.replica.Close(); err != nil {
			p.fail("closing the replica of %s: %w", g.Name, err)
		}
	}
}

// tail is how many lines of the trace a failure shows.
const tail = 60

func (p *plant) result() Result {
	r := Result{
		Trace: p.trace.sorted(), Counts: p.broker.Counts(), Virtual: time.Since(p.trace.start),
		Items: p.people.takenIn, Finished: p.people.finished, Doubled: len(p.people.doubled), Misroute: p.people.misrouted,
		Blocks: p.checks.blocks, Conflict: p.checks.conflicts, Slowest: p.checks.slowest,
	}
	r.Hash = hashOf(r.Trace)
	r.Transactions = p.checks.transactions
	r.Decisions = p.decisions
	for _, g := range p.gateways {
		r.Counts.FailedCommits += g.disk.failed
	}
	if err := p.failed(); err != nil {
		end := r.Trace[max(len(r.Trace)-tail, 0):]
		r.Err = fmt.Errorf("seed %d: %w\nreplay: %s\n%s", p.plan.Seed, err, p.plan.Replay, strings.Join(end, "\n"))
	}
	return r
}
