package line

import "sync"

// busy keeps two faults from one station at one time.
type busy struct {
	mu   sync.Mutex
	held map[string]bool
}

func (b *busy) take(gateway string) bool {
	return b.takeOne([]string{gateway}, func(string) bool { return true }) != ""
}

// takeOne takes the first free gateway that fits; empty: none.
func (b *busy) takeOne(gateways []string, fits func(string) bool) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range gateways {
		if !b.held[g] && fits(g) {
			b.held[g] = true
			return g
		}
	}
	return ""
}

func (b *busy) free(gateway string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.held, gateway)
}
