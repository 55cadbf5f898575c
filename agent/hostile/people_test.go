package hostile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"traveler.example/agent/line"
)

// people work at the two honest stations: pins are taken in at the target and
// drilled at its peer as soon as that knows of them.
type people struct {
	target, peer *line.Station
	pins         chan string
	serial       int

	mu      sync.Mutex
	delays  []time.Duration // from the tag's last byte to the light
	news    []time.Duration // from the light at the target to the item at its peer
	scans   int
	wrongs  []string
	drilled int
}

// What people take so long for; and how long they wait for a light or an item
// before they say that it does not come.
const (
	dwell     = 430 * time.Millisecond
	lightWait = 30 * time.Second
	itemWait  = 2 * time.Minute
)

func newPeople(target, peer *line.Station) *people {
	return &people{target: target, peer: peer, pins: make(chan string, 1)}
}

// work works until ctx ends.
func (p *people) work(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { p.intake(ctx) })
	both.Go(func() { p.drill(ctx) })
	both.Wait()
}

func (p *people) intake(ctx context.Context) {
	for ctx.Err() == nil {
		p.serial++
		pin := fmt.Sprintf("8B%06X", p.serial)
		if !p.scan(ctx, p.target, pin, line.TakenIn) {
			continue
		}
		select {
		case p.pins <- pin:
		default: // the next one
		}
	}
}

func (p *people) drill(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case pin := <-p.pins:
			began := time.Now()
			if !p.knows(ctx, pin) {
				continue
			}
			p.mu.Lock()
			p.news = append(p.news, time.Since(began))
			p.mu.Unlock()
			if p.scan(ctx, p.peer, pin, line.Accepted) {
				pause(ctx, dwell)
				if p.scan(ctx, p.peer, pin, line.Completed) {
					p.mu.Lock()
					p.drilled++
					p.mu.Unlock()
				}
			}
		}
	}
}

// scan presents a tag and reports whether the light was right.
func (p *people) scan(ctx context.Context, at *line.Station, tag, want string) bool {
	shown, err := at.Present(tag)
	if err != nil {
		p.wrong("%s: %v", at.Gateway, err)
		return false
	}
	defer shown.Lift(context.WithoutCancel(ctx))
	// A scan that began is waited for: its light must come, whatever has ended.
	l, err := shown.Next(context.WithoutCancel(ctx), lightWait)
	p.mu.Lock()
	p.scans++
	if d, ok := shown.Delay(); ok {
		p.delays = append(p.delays, d)
	}
	p.mu.Unlock()
	if err != nil || l.Word != want {
		p.wrong("%s: tag %s: light %q, not %s (%v)", at.Gateway, tag, l.Text, want, err)
		return false
	}
	return true
}

// knows waits until the peer has heard of an item.
func (p *people) knows(ctx context.Context, tag string) bool {
	ctx, cancel := context.WithTimeout(ctx, itemWait)
	defer cancel()
	for ctx.Err() == nil {
		d, err := p.peer.Desk()
		if err == nil {
			_, err = d.Item(ctx, tag)
			err = errors.Join(err, d.Close())
		}
		if err == nil {
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.wrong("%s: item %s is not known after %v", p.peer.Gateway, tag, itemWait)
	}
	return false
}

func (p *people) wrong(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrongs = append(p.wrongs, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// record is what people measured since the last one was taken.
type record struct {
	delays, news   []time.Duration
	scans, drilled int
	wrongs         []string
}

func (p *people) take() record {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := record{delays: p.delays, news: p.news, scans: p.scans, drilled: p.drilled, wrongs: p.wrongs}
	p.delays, p.news, p.scans, p.drilled, p.wrongs = nil, nil, 0, 0, nil
	return r
}

// quantile is by nearest rank.
func quantile(ds []time.Duration, q float64) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	ds = slices.Sorted(slices.Values(ds))
	return ds[max(0, int(math.Ceil(q*float64(len(ds))))-1)].Round(100 * time.Microsecond)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
