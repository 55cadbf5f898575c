package line

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
)

// peoplesLog is what the people of the line saw, in order, and what troubled
// them. It is kept by the parent, so that no gateway can touch it.
type peoplesLog struct {
	watch func(Light) // called for each light; may be nil

	mu       sync.Mutex
	lights   []Light
	troubles []string
}

func (p *peoplesLog) add(l Light) {
	p.mu.Lock()
	p.lights = append(p.lights, l)
	p.mu.Unlock()
	if p.watch != nil {
		p.watch(l)
	}
}

// trouble notes what must not happen on a line that works.
func (p *peoplesLog) trouble(gateway, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, gateway+": "+fmt.Sprintf(format, args...))
}

func (p *peoplesLog) seen() []Light {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lights)
}

func (p *peoplesLog) troubled() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.troubles)
}

// save writes the lights to a file, for people to look at: when each was seen, in
// UTC, where, and what it said.
func (p *peoplesLog) save(path string) error {
	var b bytes.Buffer
	for _, l := range p.seen() {
		fmt.Fprintf(&b, "%s %-13s %-5s %s\n", l.At.UTC().Format("15:04:05.000"), l.Gateway, l.Aspect, l.Text)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("saving the people's log: %w", err)
	}
	return nil
}
