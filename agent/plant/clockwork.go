package plant

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing/synctest"
	"time"
)

// event is something that happens to the plant from outside a gateway.
type event struct {
	at     time.Time
	who    string // orders events of one instant,
	serial uint64 // and those of one who
	do     func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return cmp.Or(a[i].at.Compare(a[j].at), cmp.Compare(a[i].who, a[j].who), cmp.Compare(a[i].serial, a[j].serial)) < 0
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = event{}
	*a = (*a)[:last]
	return e
}

// clockwork lets events happen one after the other. Any goroutine of the bubble
// may add one; run is for one goroutine.
type clockwork struct {
	mu     sync.Mutex
	agenda agenda
	sooner chan struct{} // an event was added
}

func newClockwork() *clockwork { return &clockwork{sooner: make(chan struct{}, 1)} }

// after has do happen once d has passed.
func (c *clockwork) after(d time.Duration, who string, serial uint64, do func()) {
	c.mu.Lock()
	heap.Push(&c.agenda, event{at: time.Now().Add(d), who: who, serial: serial, do: do})
	c.mu.Unlock()
	select {
	case c.sooner <- struct{}{}:
	default:
	}
}

// due takes the next event if its time has come; else it tells how long it is
// until then, at most d.
func (c *clockwork) due(d time.Duration) (e event, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.agenda) == 0 {
		return event{}, d
	}
	if wait = time.Until(c.agenda[0].at); wait > 0 {
		return event{}, min(wait, d)
	}
	return heap.Pop(&c.agenda).(event), 0
}

// run lets d pass. Between two events every goroutine of the plant has come to
// rest.
func (c *clockwork) run(d time.Duration) {
	end := time.Now().Add(d)
	for {
		synctest.Wait()
		e, wait := c.due(time.Until(end))
		switch {
		case e.do != nil:
			e.do()
		case wait <= 0:
			return
		default:
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-c.sooner:
			}
			t.Stop()
		}
	}
}

// dice returns the generator for one choice: a function of the seed and of what
// the choice is about.
func dice(seed uint64, about string, serial uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(about))
	h.Write([]byte{0})
	h.Write(strconv.AppendUint(nil, serial, 10))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// between returns a duration in [least,most), to the nanosecond.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}
