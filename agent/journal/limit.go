package journal

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxCauses bounds what a [Limiter] remembers, and [Outages] of each event: causes may be
// chosen by whoever sends messages. Of a Limiter, causes beyond it share one entry.
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
// however often either is reported. What begins more often than
// mostOutages times a minute for one event is not written then, nor is its end:
// subjects and moments may be chosen by whoever sends messages. [Outages.Settle]
// tells of those that last.
type Outages struct {
	journal *Journal

	mu    sync.Mutex
	down  map[cause]*outage // at most maxCauses of each event
	spent map[ID]*spending
}

// mostOutages is how many outages of one event are written in a minute.
const mostOutages = 6

// outage is one that holds now.
type outage struct {
	since time.Time
	told  bool
	words string      // of one that is not told
	attrs []slog.Attr // the same
}

// spending is what became of the outages of one event, in a minute and since.
type spending struct {
	began   time.Time
	written int
	leftOut int // since one was written
	kept    int // outages that hold now
}

// Outages returns a keeper of outages that has none.
func (j *Journal) Outages() *Outages {
	return &Outages{journal: j, down: make(map[cause]*outage), spent: make(map[ID]*spending)}
}

// Down reports that id (an event with an EndedBy) holds for subject, such as
// a reader's name, and writes it if it did not hold before. It returns whether it wrote.
func (o *Outages) Down(ctx context.Context, id ID, subject, words string, attrs ...slog.Attr) bool {
	leftOut, write := o.begin(cause{id, subject}, words, attrs)
	if write {
		o.journal.Event(ctx, id, words, counted(attrs, leftOut)...)
	}
	return write
}

// begin notes an outage and decides whether it is written.
func (o *Outages) begin(c cause, words string, attrs []slog.Attr) (leftOut int, write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down[c] != nil {
		return 0, false
	}
	now := o.journal.now()
	s := o.spent[c.id]
	if s == nil {
		s = &spending{began: now}
		o.spent[c.id] = s
	}
	if since := now.Sub(s.began); since < 0 || since >= time.Minute { // a clock that went back silences nothing
		s.began, s.written = now, 0
	}
	full := s.kept >= maxCauses
	if s.written >= mostOutages || full {
		s.leftOut++
		if !full {
			o.down[c] = &outage{since: now, words: words, attrs: slices.Clone(attrs)}
			s.kept++
		}
		return 0, false
	}
	o.down[c] = &outage{since: now, told: true}
	leftOut, s.leftOut = s.leftOut, 0
	s.written++
	s.kept++
	return leftOut, true
}

// counted adds how many were left out.
func counted(attrs []slog.Attr, leftOut int) []slog.Attr {
	if leftOut == 0 {
		return attrs
	}
	return append(slices.Clip(attrs), slog.Int(KeyLeftOut, leftOut))
}

// Settle writes one line for each event of which outages were left out: the latest
// that still holds stands for the others. Call it now and then.
func (o *Outages) Settle(ctx context.Context) {
	type late struct {
		cause
		*outage
		leftOut int
	}
	var lates []late
	o.mu.Lock()
	for c, out := range o.down {
		s := o.spent[c.id]
		if out.told || s.leftOut == 0 {
			continue
		}
		i := slices.IndexFunc(lates, func(l late) bool { return l.id == c.id })
		switch {
		case i < 0:
			lates = append(lates, late{c, out, 0})
		case out.since.After(lates[i].since) || out.since.Equal(lates[i].since) && c.what > lates[i].what:
			lates[i] = late{c, out, 0}
		}
	}
	for i, l := range lates {
		l.told, lates[i].leftOut, o.spent[l.id].leftOut = true, o.spent[l.id].leftOut-1, 0
	}
	o.mu.Unlock()
	slices.SortFunc(lates, func(a, b late) int { return strings.Compare(string(a.id), string(b.id)) })
	for _, l := range lates {
		o.journal.Event(ctx, l.id, l.words, counted(l.attrs, l.leftOut)...)
	}
}

// Up reports that id no longer holds for subject. If it did, the event that ends
// id is written with words and how long it took, unless its beginning was left
// out. It returns whether it wrote.
func (o *Outages) Up(ctx context.Context, id ID, subject, words string, attrs ...slog.Attr) bool {
	c := cause{id, subject}
	o.mu.Lock()
	was := o.down[c]
	if was != nil {
		o.spent[id].kept--
		delete(o.down, c)
	}
	o.mu.Unlock()
	if was == nil || !was.told {
		return false
	}
	end := id
	if d, ok := Lookup(id); ok && d.EndedBy != "" {
		end = d.EndedBy
	}
	lasted := max(0, o.journal.now().Sub(was.since))
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
