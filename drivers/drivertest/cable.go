package drivertest

import (
	"io"
	"os"
	"sync"
	"time"

	"traveler.example/drivers"
)

// Cable returns both ends of a serial cable in memory. As on a real line, and
// unlike net.Pipe, a writer need not wait for a reader. It works in a bubble of
// testing/synctest. Closing either end unplugs both.
func Cable() (host, device drivers.Port) {
	up, down := newBuffer(), newBuffer()
	done := make(chan struct{})
	once := new(sync.Once)
	unplug := func() { once.Do(func() { close(done) }) }
	return &end{in: down, out: up, done: done, unplug: unplug}, &end{in: up, out: down, done: done, unplug: unplug}
}

// buffer holds the bytes under way in one direction.
type buffer struct {
	mu   sync.Mutex
	data []byte
	more chan struct{}
}

func newBuffer() *buffer { return &buffer{more: make(chan struct{}, 1)} }

func (b *buffer) put(p []byte) {
	b.mu.Lock()
	b.data = append(b.data, p...)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

func (b *buffer) take(p []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.data)
	b.data = b.data[:copy(b.data, b.data[n:])]
	return n
}

type end struct {
	in, out  *buffer
	done     chan struct{}
	unplug   func()
	deadline time.Time
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.deadline = t
	return nil
}

func (e *end) Read(p []byte) (int, error) {
	var expired <-chan time.Time
	if !e.deadline.IsZero() {
		left := time.Until(e.deadline)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(left)
		defer timer.Stop()
		expired = timer.C
	}
	for {
		if n := e.in.take(p); n > 0 {
			return n, nil
		}
		select {
		case <-e.in.more:
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-e.done:
			return 0, io.EOF
		}
	}
}

func (e *end) Write(p []byte) (int, error) {
	select {
	case <-e.done:
		return 0, io.ErrClosedPipe
	default:
		e.out.put(p)
		return len(p), nil
	}
}

func (e *end) Close() error {
	e.unplug()
	return nil
}
