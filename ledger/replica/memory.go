package replica

import (
	"math"
	"strings"
	"sync"
)

// memory is the store of the in-memory twin.
type memory struct {
	mu      sync.Mutex
	entries tree
}

type memorySnapshot struct{ entries tree }

func (m *memory) snapshot() reader {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memorySnapshot{m.entries.copied()}
}

func (m *memory) commit(writes *tree) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	writes.scan("", func(key string, value []byte) bool {
		if value == nil {
			m.entries.delete(key)
		} else {
			m.entries.put(key, value)
		}
		return true
	})
	return nil
}

func (m *memory) limit() int    { return math.MaxInt }
func (m *memory) reopen() error { return nil }
func (m *memory) size() int64   { return 0 }
func (m *memory) close() error  { return nil }

func (s *memorySnapshot) get(key string) ([]byte, error) {
	v, _ := s.entries.get(key)
	return v, nil
}

func (s *memorySnapshot) scan(prefix, from string, yield func(string, []byte) bool) error {
	s.entries.scan(max(prefix, from), func(k string, v []byte) bool {
		return strings.HasPrefix(k, prefix) && yield(k, v)
	})
	return nil
}

func (s *memorySnapshot) keys(prefix, from string, yield func(string) bool) error {
	return s.scan(prefix, from, func(k string, _ []byte) bool { return yield(k) })
}

func (s *memorySnapshot) close() {}
