package line

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// FaultRecord is a fault that happened and what was seen of it.
type FaultRecord struct {
	Kind    string
	Time    time.Time
	Station string // its id; of a line-wide fault empty

	mu     sync.Mutex
	effect []string
}

// began notes that a fault happens now.
func (c *crew) began(kind, station string) *FaultRecord {
	r := &FaultRecord{Kind: kind, Time: time.Now(), Station: station}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, r)
	return r
}

// saw adds an effect.
func (r *FaultRecord) saw(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.effect = append(r.effect, fmt.Sprintf(format, args...))
}

// Effect is what was seen of the fault; empty: nothing.
func (r *FaultRecord) Effect() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.effect, "; ")
}
