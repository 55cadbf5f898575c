package journal

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxCauses bounds what a [Limiter] and [Outages] remember: causes may be chosen by whoever
// sends messages. Causes beyond it share one entry.
const maxCauses = 1024

// otherCauses stands for all causes beyond maxCauses.
const otherCauses = "other causes"

// Limiter writes an event with one cause at most once in an interval and counts
// what it leaves out. The count goes out as [KeyLeftOut] with the next event that is
// written, or with [Limiter.Settle].
type Limiter struct {
	journal *Journal
	every   time.Duration

	mu   sync.Mutex
	seen map[cause]*allowance // at most maxCauses and one for each event
}

// cause is what a limit or an outage is kept for.
type cause struct {
	id   ID
	what string
}

// allowance is what became of the events of one cause.
type allowance struct {
	written time.Time   // of the last that was written
	leftOut int         // since then
	attrs   []slog.Attr // of the last one left out
}

// AtMostOnceAMinute returns a [Limiter] with the interval of one minute.
func (j *Journal) AtMostOnceAMinute() *Limiter {
	return &Limiter{journal: j, every: time.Minute, seen: make(map[cause]*allowance)}
}

// Event is [Journal.Event] for events that may come in floods. What is the
// cause: a short word such as "foreign network", kept in memory.
func (l *Limiter) Event(ctx context.Context, id ID, what, words string, attrs ...slog.Attr) {
	leftOut, write := l.take(cause{id, what}, l.journal.now(), attrs)
	if !write {
		return
	}
	if leftOut > 0 {
		attrs = append(slices.Clip(attrs), slog.Int(KeyLeftOut, leftOut))
	}
	l.journal.Event(ctx, id, words, attrs...)
}

// take decides on one event of cause c at now, and keeps the fields of one that
// is left out.
func (l *Limiter) take(c cause, now time.Time, attrs []slog.Attr) (leftOut int, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.seen[c]
	if a == nil && len(l.seen) >= maxCauses {
		l.forget(now)
	}
	if a == nil && len(l.seen) >= maxCauses {
		c.what = otherCauses
		a = l.seen[c]
	}
	if a == nil {
		l.seen[c] = &allowance{written: now}
		return 0, true
	}
	// A clock that went back must not silence a cause for ever.
	if since := now.Sub(a.written); since >= 0 && since < l.every {
		a.leftOut++
		a.attrs = slices.Clone(attrs)
		return 0, false
	}
	leftOut = a.leftOut
	*a = allowance{written: now}
	return leftOut, true
}

// forget drops the causes that have nothing left to tell.
func (l *Limiter) forget(now time.Time) {
	for c, a := range l.seen {
		if a.leftOut == 0 && now.Sub(a.written) >= l.every {
			delete(l.seen, c)
		}
	}
}

// Settle writes one event for each cause whose last ones were left out and
// forgets it. Call it at the end, and now and then between: else the last of a flood is never counted.
func (l *Limiter) Settle(ctx context.Context) {
	type rest struct {
		cause
		leftOut int
		attrs   []slog.Attr
	}
	var rests []rest
	l.mu.Lock()
	for c, a := range l.seen {
		if a.leftOut > 0 {
			rests = append(rests, rest{c, a.leftOut, a.attrs})
			*a = allowance{written: l.journal.now()}
		}
	}
	l.mu.Unlock()
	slices.SortFunc(rests, func(a, b rest) int {
		if n := strings.Compare(string(a.id), string(b.id)); n != 0 {
			return n
		}
		return strings.Compare(a.what, b.what)
	})
	for _, r := range rests {
		l.journal.Event(ctx, r.id, "more of the same: "+r.what, append(r.attrs, slog.Int(KeyLeftOut, r.leftOut))...)
	}
}

// Outages writes each outage as two lines: one when it begins, one when it ends,
// however often either is reported.
type Outages struct {
	journal *Journal

	mu   sync.Mutex
	down map[cause]time.Time
}

// Outages returns a keeper of outages that has none.
func (j *Journal) Outages() *Outages {
	return &Outages{journal: j, down: make(map[cause]time.Time)}
}

// Down reports that id (an event with an EndedBy) holds for subject, such as
// a reader's name, and writes it if it did not hold before. It returns whether it wrote.
func (o *Outages) Down(ctx context.Context, id ID, subject, words string, attrs ...slog.Attr) bool {
	c := cause{id, subject}
	o.mu.Lock()
	_, known := o.down[c]
	if !known {
		o.down[c] = o.journal.now()
	}
	o.mu.Unlock()
	if known {
		return false
	}
	o.journal.Event(ctx, id, words, attrs...)
	return true
}

// Up reports that id no longer holds for subject. If it did, the event that ends
// id is written with words and how long it took. It returns whether it wrote.
func (o *Outages) Up(ctx context.Context, id ID, subject, words string, attrs ...slog.Attr) bool {
	c := cause{id, subject}
	o.mu.Lock()
	since, known := o.down[c]
	delete(o.down, c)
	o.mu.Unlock()
	if !known {
		return false
	}
	end := id
	if d, ok := Lookup(id); ok && d.EndedBy != "" {
		end = d.EndedBy
	}
	lasted := max(0, o.journal.now().Sub(since))
	o.journal.Event(ctx, end, words, append(slices.Clip(attrs), slog.Duration(KeyLasted, lasted))...)
	return true
}

// IsDown reports whether id holds for subject.
func (o *Outages) IsDown(id ID, subject string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.down[cause{id, subject}]
	return known
}
