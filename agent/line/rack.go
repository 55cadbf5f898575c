package line

import (
	"context"
	"slices"
	"sync"
	"time"
)

// rack is where pieces wait for the person of a station, first come first
// served; one that was put back waits its time.
type rack struct {
	mu    sync.Mutex
	slots []slot
	more  chan struct{} // closed and replaced when something is put in
}

type slot struct {
	item *item
	from time.Time // not before
}

func newRack() *rack { return &rack{more: make(chan struct{})} }

// put adds a piece that may be taken from a time on.
func (r *rack) put(i *item, from time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots = append(r.slots, slot{i, from})
	close(r.more)
	r.more = make(chan struct{})
}

// wake has everybody who waits look again at what is wanted.
func (r *rack) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.more)
	r.more = make(chan struct{})
}

// count returns how many of the pieces are wanted.
func (r *rack) count(wanted func(*item) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.slots {
		if wanted(s.item) {
			n++
		}
	}
	return n
}

func (r *rack) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.slots)
}

// holds reports whether a piece of each product is there.
func (r *rack) holds(products ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, product := range products {
		if !slices.ContainsFunc(r.slots, func(s slot) bool { return s.item.product == product }) {
			return false
		}
	}
	return true
}

// take waits for a piece of one of the products and takes it. It returns nil
// when ctx ends.
func (r *rack) take(ctx context.Context, wanted func(*item) bool) *item {
	for ctx.Err() == nil {
		i, wait, more := r.look(time.Now(), wanted)
		if i != nil {
			return i
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-more:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// look takes the first piece that is wanted and may be taken now, or says how
// long to wait for the next one.
func (r *rack) look(now time.Time, wanted func(*item) bool) (*item, time.Duration, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := time.Hour
	for n, s := range r.slots {
		if !wanted(s.item) {
			continue
		}
		if d := s.from.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		r.slots = append(r.slots[:n], r.slots[n+1:]...)
		return s.item, 0, nil
	}
	return nil, wait, r.more
}
