package plant

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"traveler.example/drivers"
)

// reader is a station's reader, moved by people.
type reader struct {
	name string

	mu     sync.Mutex
	events chan drivers.Event // nil while it does not run
	lying  []string
	reads  int
	dumb   bool // it tells nothing, in tests of the checks
}

// Info implements drivers.Reader.
func (r *reader) Info() drivers.Info {
	return drivers.Info{Name: r.name, Driver: "plant", Port: "/dev/" + r.name, Model: "simulated"}
}

// Run implements drivers.Reader.
func (r *reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	events := make(chan drivers.Event, 128)
	r.mu.Lock()
	events <- r.event(drivers.Up, "")
	for _, tag := range r.lying {
		events <- r.event(drivers.Present, tag)
	}
	r.events = events
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.events = nil
		r.mu.Unlock()
	}()
	for {
		select {
		case e := <-events:
			select {
			case out <- e:
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *reader) event(k drivers.Kind, tag string) drivers.Event {
	e := drivers.Event{Kind: k, Reader: r.name, At: time.Now()}
	if tag != "" {
		r.reads++
		e.Tag, e.Reads = drivers.Tag{ID: tag, Technology: drivers.ISO14443A}, r.reads
	}
	return e
}

// put lays a tag on the reader.
func (r *reader) put(tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.lying, tag) {
		return
	}
	r.lying = append(r.lying, tag)
	if r.events != nil && !r.dumb {
		r.events <- r.event(drivers.Arrived, tag)
	}
}

// lift takes a tag off the reader.
func (r *reader) lift(tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.lying, tag)
	if i < 0 {
		return
	}
	r.lying = slices.Delete(r.lying, i, i+1)
	if r.events != nil {
		r.events <- r.event(drivers.Departed, tag)
	}
}

// clear takes everything off the reader.
func (r *reader) clear() {
	r.mu.Lock()
	lying := slices.Clone(r.lying)
	r.mu.Unlock()
	for _, tag := range lying {
		r.lift(tag)
	}
}

// free reports whether nothing lies on the reader.
func (r *reader) free() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lying) == 0
}

// holds reports whether a tag lies on the reader.
func (r *reader) holds(tag string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.lying, tag)
}

// light records what it shows.
type light struct {
	trace *trace
	who   string
	seen  func(drivers.Signal) // told of each signal

	mu   sync.Mutex
	last drivers.Signal
}

// Show implements drivers.Light.
func (l *light) Show(_ context.Context, s drivers.Signal) error {
	l.mu.Lock()
	l.last = s
	l.mu.Unlock()
	l.trace.say(l.who, "%s %s", s.Aspect, s.Text)
	l.seen(s)
	return nil
}

// about returns the words shown for a tag; none while the light speaks of
// something else.
func (l *light) about(tag string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.Contains(l.last.Text, "tag "+tag) {
		return ""
	}
	return l.last.Text
}
