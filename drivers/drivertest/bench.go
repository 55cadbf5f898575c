package drivertest

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"traveler.example/drivers"
)

// Bench plugs an emulated device into cables in memory, a new one for each
// opening of its port.
type Bench struct {
	serve func(ctx context.Context, line io.ReadWriteCloser) error

	mu     sync.Mutex
	absent bool
	cancel context.CancelFunc // ends the device's last power; nil before
	wait   sync.WaitGroup
}

// NewBench returns a bench with a device plugged in. Serve powers the device up
// and returns when its line breaks or its context ends. The end of the test
// unplugs it and waits for it.
func NewBench(t testing.TB, serve func(ctx context.Context, line io.ReadWriteCloser) error) *Bench {
	b := &Bench{serve: serve}
	t.Cleanup(func() {
		b.Unplug()
		b.wait.Wait()
	})
	return b
}

// Open is the [drivers.Opener] of the device's port. It powers the device up.
func (b *Bench) Open(ctx context.Context) (drivers.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.absent {
		return nil, errors.New("no such port")
	}
	if b.cancel != nil { // a device serves one line at a time
		b.cancel()
		b.wait.Wait()
	}
	host, device := Cable()
	power, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	b.wait.Go(func() {
		defer cancel()
		_ = b.serve(power, device) // ends with its line, which only the bench breaks
	})
	return host, nil
}

// Unplug takes the device away.
func (b *Bench) Unplug() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.absent = true
	if b.cancel != nil {
		b.cancel()
	}
	return nil
}

// Replug brings the device back.
func (b *Bench) Replug() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.absent = false
	return nil
}
