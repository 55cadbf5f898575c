package dialogue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"traveler.example/drivers"
)

// memory is that of all tags of a scene; it goes with the pieces from reader to
// reader.
type memory struct {
	mu    sync.Mutex
	notes map[string][]byte
}

// ReadNote implements agent.Notes.
func (m *memory) ReadNote(ctx context.Context, _ string, tag drivers.Tag) ([]byte, error) {
	if err := slowly(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[tag.ID], nil
}

// WriteNote implements agent.Notes.
func (m *memory) WriteNote(ctx context.Context, _ string, tag drivers.Tag, note []byte) error {
	if err := slowly(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes[tag.ID] = note
	return nil
}

// slowly takes the time of a tag.
func slowly(ctx context.Context) error {
	select {
	case <-time.After(80 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// copyNote has somebody copy what one tag carries to another.
func (s *scene) copyNote(c *command) error {
	return s.onTag(c.args[0], func(note []byte) { s.tags.notes[c.args[1]] = note })
}

// tearNote leaves half a note on a tag, as when it is pulled away.
func (s *scene) tearNote(c *command) error {
	return s.onTag(c.args[0], func(note []byte) { s.tags.notes[c.args[0]] = note[:len(note)/2] })
}

func (s *scene) onTag(tag string, do func(note []byte)) error {
	if s.tags == nil {
		return fmt.Errorf("tags carry nothing here: the network needs notes=yes")
	}
	s.tags.mu.Lock()
	defer s.tags.mu.Unlock()
	note := s.tags.notes[tag]
	if note == nil {
		return fmt.Errorf("%s carries no note", tag)
	}
	do(note)
	return nil
}
