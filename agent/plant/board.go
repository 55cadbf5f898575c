package plant

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// wall is the clock on the wall of a board: it drifts, may stand at 1970 until
// something sets it, and jumps both ways.
type wall struct {
	start time.Time

	mu     sync.Mutex
	offset time.Duration
	drift  int64 // ns a second
	synced ledger.Clock
}

func newWall(plan Plan, board string) *wall {
	r := dice(plan.Seed, "clock "+board, 0)
	w := &wall{
		start: time.Now(), offset: between(r, -2*time.Second, 2*time.Second), synced: ledger.Clock(r.IntN(2)),
	}
	if plan.Clocks {
		w.drift = r.Int64N(400_000) - 200_000 // 200 ppm
		if r.IntN(4) == 0 {
			w.stopAt1970()
		}
	}
	return w
}

// stopAt1970 is what a board without a battery does.
func (w *wall) stopAt1970() {
	w.offset, w.synced = -time.Since(time.Unix(0, 0)), ledger.ClockUnsynchronised
}

// read returns the time shown, in ms since 1970, and whether it is believed.
func (w *wall) read() (int64, ledger.Clock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	up := time.Since(w.start)
	at := time.Now().Add(w.offset + up/time.Second*time.Duration(w.drift))
	return max(at.UnixMilli(), 0), w.synced
}

// now reads the clock for the replica. That takes a moment, so that the station,
// which stamps what it appends, asks the replica later than the sync, which does
// not.
func (w *wall) now() (int64, ledger.Clock) {
	time.Sleep(3001 * time.Nanosecond)
	return w.read()
}

// shown is the time on the wall, for the agent.
func (w *wall) shown() time.Time {
	ms, _ := w.read()
	return time.UnixMilli(ms)
}

func (w *wall) state() ledger.Clock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.synced
}

// upset sets the clock wrong, or right, at random, and returns by how much it is off
// then.
func (w *wall) upset(r *rand.Rand) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch r.IntN(4) {
	case 0:
		w.stopAt1970()
	case 1:
		w.offset, w.synced = between(r, -2*time.Second, 2*time.Second), ledger.ClockSynchronised
	default:
		w.offset += between(r, -48*time.Hour, 48*time.Hour)
		w.synced = ledger.Clock(r.IntN(2))
	}
	return w.offset
}

// disk is a board's card.
type disk struct {
	plant  *plant
	board  string
	memory *replica.Memory
	backup *replica.Memory // nil: none was made
	made   time.Time       // when the backup was

	mu      sync.Mutex
	slow    time.Duration // that a commit takes beside the usual
	failing bool
	broken  bool // the last commit failed, and is about to be read back
	commits uint64
	failed  int
	well    time.Time // since when the card is neither slow nor bad
}

var errCard = errors.New("input/output error")

func newDisk(p *plant, board string) *disk {
	d := &disk{plant: p, board: board, memory: &replica.Memory{}}
	d.memory.Fault = d.fault
	return d
}

// flush stands for the time that a commit takes: the replica looks for free space
// before each. So two requests are never answered in one instant.
func (d *disk) flush(string) (int64, error) {
	d.mu.Lock()
	wait := d.slow + 97*time.Microsecond
	if d.broken {
		wait = 0 // the chain is read back under a lock: time would stand still
	}
	d.broken = false
	d.mu.Unlock()
	time.Sleep(wait)
	return math.MaxInt64 / 2, nil
}

// fault fails a commit now and then, as long as the card is bad.
func (d *disk) fault() (stored bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.commits++; !d.failing {
		return false, nil
	}
	r := dice(d.plant.plan.Seed, "commit "+d.board, d.commits)
	if r.IntN(3) > 0 {
		return false, nil
	}
	d.failed++
	d.broken = true
	return r.IntN(2) == 0, errCard
}

// spoil makes the card slow and bad, or neither.
func (d *disk) spoil(slow time.Duration, failing bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow, d.failing, d.well = slow, failing, time.Now()
}

// troubled reports whether the card is slow or bad.
func (d *disk) troubled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slow > 0 || d.failing
}

// wellFor reports whether the card has been neither slow nor bad for so long.
func (d *disk) wellFor(t time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slow == 0 && !d.failing && time.Since(d.well) >= t
}

// scale weighs what people say that lies on it.
type scale struct {
	plant *plant
	name  string

	mu sync.Mutex
	on drivers.Weight
}

// Info implements drivers.Device.
func (s *scale) Info() drivers.Info {
	return drivers.Info{Name: s.name, Driver: "plant", Port: "/dev/" + s.name, Model: "simulated"}
}

// Run implements drivers.Device.
func (s *scale) Run(ctx context.Context, out chan<- drivers.Event) error {
	select {
	case out <- drivers.Event{Kind: drivers.Up, Reader: s.name, At: time.Now()}:
	case <-ctx.Done():
		return nil
	}
	<-ctx.Done()
	return nil
}

// Weigh implements drivers.Scale: it settles for a while.
func (s *scale) Weigh(ctx context.Context) (drivers.Weight, error) {
	settled := time.NewTimer(151*time.Millisecond + 7*time.Microsecond)
	defer settled.Stop()
	select {
	case <-settled.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on, nil
}

// load puts a weight on.
func (s *scale) load(w drivers.Weight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = w
}
