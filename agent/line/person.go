package line

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// item is a piece on its way through the line, with what its people remember of
// it. One person at a time has it in hands.
type item struct {
	piece
	told    []string // where the last light sent it
	bound   bool     // its other tags are known to the ledger
	doubts  int      // how often it waited for news in a row
	weighed int      // visits to the scale that ended in RETURN
	misfit  *FaultRecord
	failing *FaultRecord
	closed  bool
}

// What people do takes them so long.
const (
	glance    = 40 * time.Millisecond   // to read a light
	breath    = 300 * time.Millisecond  // before scanning again
	workTime  = 430 * time.Millisecond  // a little more than the longest dwell of the orders
	workMore  = 120 * time.Millisecond  // at most on top of that
	shelfTime = 1500 * time.Millisecond // before trying again what had to wait; each time longer
	stayTime  = 4 * time.Second         // for a light that will change by itself
	noteTime  = 15 * time.Second        // at most, for a note to be written to a tag
)

// person works at one station.
type person struct {
	*crew
	station *Station
	rack    *rack
	random  *rand.Rand
}

// work takes one item after the other until the crew goes home.
func (p *person) work(ctx context.Context) {
	mains := func(i *item) bool {
		if p.station.Gateway == Inspection && p.saving.Load() && i.sound() {
			return false
		}
		return p.station.Gateway != Assembly || i.product == "housing"
	}
	for i := p.rack.take(ctx, mains); i != nil; i = p.rack.take(ctx, mains) {
		p.load(i)
		p.handle(ctx, i)
		p.load(nil)
	}
}

// sound reports whether a housing will pass the scale.
func (i *item) sound() bool {
	return i.product == "housing" && (len(i.weights) == 0 || i.weights[min(i.weighed, len(i.weights)-1)] == rightWeight)
}

// load puts an item on the scale, nil takes it off.
func (p *person) load(i *item) {
	if p.station.pan == nil {
		return
	}
	grams := "0.00"
	if i != nil {
		grams = rightWeight
		if len(i.weights) > 0 {
			grams = i.weights[min(i.weighed, len(i.weights)-1)]
		}
	}
	if err := p.station.Load(grams); err != nil {
		p.line.log.trouble(p.station.Gateway, "loading the scale: %v", err)
	}
}

// handle does with an item what the light says until it leaves this station.
func (p *person) handle(ctx context.Context, i *item) {
	for ctx.Err() == nil {
		l, err := p.scan(ctx, i.tag)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.pause(ctx, breath) // a light that did not come: scan again
			continue
		}
		m := react(l, p.station.Place, i.told, i.doubts)
		p.remember(i, l, m)
		if p.follow(ctx, i, l, m) {
			return
		}
	}
}

// follow does what a light says and reports whether the item has left.
func (p *person) follow(ctx context.Context, i *item, l Light, m move) (left bool) {
	if m != shelve && m != again && m != stay {
		i.doubts = 0
	}
	switch m {
	case work:
		p.pause(ctx, workTime+time.Duration(p.random.Int64N(int64(workMore))))
	case fetch:
		p.fetch(ctx, l.Missing())
		p.pause(ctx, workTime)
	case tap:
		p.tap(ctx)
	case carry:
		if p.station.Gateway == Intake {
			p.bind(ctx, i)
		}
		i.told = l.Next()
		if slices.ContainsFunc(i.told, p.station.serves) {
			return false // the next operation is here
		}
		p.carry(i, p.random)
		return true
	case aside:
		p.quality.put(i, time.Now())
		return true
	case done:
		p.close(i)
		return true
	case shelve, stay:
		p.shelve(i)
		return true
	default:
		p.pause(ctx, breath)
	}
	return false
}

// noteTries is how often a tag is put there again for its note.
const noteTries = 4

// scan puts a tag on the reader and takes it away. While stations are cut off what
// was completed is put there again until its note is on it: the next station has
// nothing else to go by.
func (p *person) scan(ctx context.Context, tag string) (Light, error) {
	told, _ := p.station.notesTold(tag)
	l, err := p.show(ctx, tag, told)
	for try := 0; err == nil && try < noteTries && p.lone.Load() && (l.Word == TakenIn || l.Word == Completed); try++ {
		now, written := p.station.notesTold(tag)
		if written {
			break
		}
		if _, err := p.show(ctx, tag, now); err != nil {
			break // the light that counts was seen
		}
	}
	return l, err
}

// show presents a tag, reads the light and takes the tag away. A light that will
// change by itself is waited for with the tag on the reader, and so is what becomes
// of its note while stations are cut off.
func (p *person) show(ctx context.Context, tag string, told int) (Light, error) {
	shown, err := p.station.Present(tagFor(p.station.kind, tag))
	if err != nil {
		p.line.log.trouble(p.station.Gateway, "presenting a tag: %v", err)
		return Light{}, err
	}
	defer shown.Lift(ctx)
	l, err := shown.Next(ctx, patience)
	for err == nil && l.Word == Wait && wait(l) == stay {
		var next Light
		next, err = shown.Next(ctx, stayTime)
		if errors.Is(err, ErrNoLight) {
			return l, nil // it did not change
		}
		l = next
	}
	if err != nil {
		return l, err
	}
	if d, ok := shown.Delay(); ok {
		p.measured(d)
	}
	if p.lone.Load() && (l.Word == TakenIn || l.Word == Completed || l.Word == AlreadyDone) {
		p.wait(ctx, noteTime, func() bool {
			now, _ := p.station.notesTold(tag)
			return now > told
		})
	}
	p.pause(ctx, glance+time.Duration(p.random.Int64N(int64(glance))))
	return l, nil
}

// fetch scans the parts that an assembly asks for, each until it is accepted.
func (p *person) fetch(ctx context.Context, products []string) {
	for _, product := range products {
		for accepted := false; !accepted && ctx.Err() == nil; {
			part := p.rack.take(ctx, func(i *item) bool { return i.product == product })
			if part == nil {
				return
			}
			accepted = p.join(ctx, part)
		}
	}
}

// join scans a part at its assembly and reports whether it is built in.
func (p *person) join(ctx context.Context, part *item) bool {
	for ctx.Err() == nil {
		l, err := p.scan(ctx, part.tag)
		if err != nil {
			p.pause(ctx, breath)
			continue
		}
		m := react(l, p.station.Place, part.told, part.doubts)
		p.remember(part, l, m)
		switch m {
		case work, done:
			return true
		case again:
			p.pause(ctx, breath)
			continue
		case carry:
			part.told = l.Next()
			p.carry(part, p.random)
		default:
			p.shelve(part)
		}
		return false
	}
	return false
}

// shelve puts an item back for a while, each time for longer.
func (p *person) shelve(i *item) {
	pause := shelfTime << min(i.doubts, 2)
	i.doubts++
	p.rack.put(i, time.Now().Add(pause))
}

// tap taps the badge until the light says ON SHIFT.
func (p *person) tap(ctx context.Context) {
	p.badge.Lock()
	defer p.badge.Unlock()
	for range 4 {
		l, err := p.scan(ctx, Badge)
		if err == nil && l.Word == OnShift {
			return
		}
		p.pause(ctx, breath)
	}
}

func (p *person) pause(ctx context.Context, d time.Duration) { _ = sleep(ctx, d) }
