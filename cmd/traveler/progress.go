package main

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// spin is how often the sign of life moves.
const spin = 100 * time.Millisecond

// progress shows on a terminal that long work goes on; elsewhere it is silent.
// The bar's own goroutine is left off: it has no owner and races with the bar.
type progress struct {
	mu   sync.Mutex
	bar  *progressbar.ProgressBar // nil: nobody watches
	stop chan struct{}
	gone chan struct{}
}

// progress begins to show what goes on, on the terminal of errors.
func (a *app) progress(what string) *progress {
	if !terminal(a.err) {
		return &progress{}
	}
	return newProgress(a.err, what)
}

func newProgress(w io.Writer, what string) *progress {
	p := &progress{
		bar: progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSpinnerType(14),
			progressbar.OptionSetElapsedTime(true), progressbar.OptionSetSpinnerChangeInterval(0)),
		stop: make(chan struct{}), gone: make(chan struct{}),
	}
	go func() {
		defer close(p.gone)
		tick := time.NewTicker(spin)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.mu.Lock()
				_ = p.bar.Add(1) // it only draws
				p.mu.Unlock()
			}
		}
	}()
	return p
}

// aside runs print with the bar out of the way of its lines.
func (p *progress) aside(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear() // it only draws
	}
	print()
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar == nil {
		return
	}
	close(p.stop)
	<-p.gone
	_ = p.bar.Clear() // it only draws
}
