package journal

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a journal on a clock that the test moves, with what it wrote.
type recorder struct {
	now time.Time
	out strings.Builder
	*Journal
}

func newRecorder() *recorder {
	r := &recorder{now: noon}
	r.Journal = New(NewLines(&r.out, slog.LevelDebug, false), func() time.Time { return r.now })
	return r
}

// events returns the lines written since the last call, without the times and remedies.
func (r *recorder) events() []string {
	var lines []string
	for line := range strings.Lines(r.out.String()) {
		if !strings.HasPrefix(line, "   ") {
			lines = append(lines, strings.Join(strings.Fields(line)[2:], " "))
		}
	}
	r.out.Reset()
	return lines
}

func expect(t *testing.T, r *recorder, want ...string) {
	t.Helper()
	if got := r.events(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("written:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLimiterWritesACauseOnceAMinute(t *testing.T) {
	r := newRecorder()
	l := r.AtMostOnceAMinute()
	drop := func(cause string) { l.Event(t.Context(), MessageDropped, cause, "dropped: "+cause) }

	for range 5 {
		drop("forged")
	}
	drop("too long")
	expect(t, r, "message.dropped dropped: forged", "message.dropped dropped: too long")

	r.now = r.now.Add(59 * time.Second)
	drop("forged")
	expect(t, r)

	r.now = r.now.Add(time.Second)
	drop("forged")
	drop("too long")
	expect(t, r, "message.dropped dropped: forged left_out=5", "message.dropped dropped: too long")

	r.now = r.now.Add(-time.Hour) // the clock is set back: no cause falls silent for an hour
	drop("forged")
	expect(t, r, "message.dropped dropped: forged")
}

func TestLimiterSettlesWhatWasLeftOut(t *testing.T) {
	r := newRecorder()
	l := r.AtMostOnceAMinute()
	for range 3 {
		l.Event(t.Context(), ReaderFault, "checksum", "bad checksum", slog.String(KeyReader, "bench"))
		l.Event(t.Context(), MessageDropped, "forged", "dropped", slog.String(KeyReason, "no signature"))
	}
	l.Event(t.Context(), MessageDropped, "once", "dropped")
	r.events()
	l.Settle(t.Context())
	// With the fields of the last one left out: the catalog's text speaks of them.
	expect(t, r, "message.dropped more of the same: forged reason=\"no signature\" left_out=2",
		"reader.fault more of the same: checksum reader=bench left_out=2")
	l.Settle(t.Context())
	expect(t, r)
}

func TestLimiterIsBounded(t *testing.T) {
	r := newRecorder()
	l := r.AtMostOnceAMinute()
	for i := range 3 * maxCauses {
		l.Event(t.Context(), MessageDropped, fmt.Sprint("cause ", i), "dropped")
	}
	if len(l.seen) > maxCauses+1 {
		t.Errorf("%d causes are kept, at most %d may be", len(l.seen), maxCauses+1)
	}
	if n := len(r.events()); n != maxCauses+1 {
		t.Errorf("%d lines are written, want %d", n, maxCauses+1)
	}
	r.now = r.now.Add(2 * time.Minute)
	l.Event(t.Context(), MessageDropped, "a new cause", "dropped")
	expect(t, r, "message.dropped dropped")
	if len(l.seen) > 2 {
		t.Errorf("%d causes are kept though nothing is left to tell of them", len(l.seen))
	}
}

func TestLimiterUnderManyGoroutines(t *testing.T) {
	r := newRecorder()
	l := r.AtMostOnceAMinute()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				l.Event(t.Context(), MessageDropped, "forged", "dropped")
			}
		})
	}
	wg.Wait()
	l.Settle(t.Context())
	expect(t, r, "message.dropped dropped", "message.dropped more of the same: forged left_out=799")
}

func TestOutagesAreTwoLines(t *testing.T) {
	r := newRecorder()
	o := r.Outages()
	reader := slog.String(KeyReader, "bench")
	if o.Up(t.Context(), ReaderDown, "bench", "back", reader) {
		t.Error("an outage that never was has ended")
	}
	for i := range 3 {
		if wrote := o.Down(t.Context(), ReaderDown, "bench", "gone", reader); wrote != (i == 0) {
			t.Errorf("report %d wrote: %v", i, wrote)
		}
	}
	o.Down(t.Context(), ReaderDown, "gate", "gone")
	if !o.IsDown(ReaderDown, "bench") || o.IsDown(ScaleFault, "bench") {
		t.Error("the wrong things are down")
	}
	r.now = r.now.Add(90 * time.Second)
	for range 2 {
		o.Up(t.Context(), ReaderDown, "bench", "back", reader)
	}
	expect(t, r, "reader.down gone reader=bench", "reader.down gone", "reader.up back reader=bench lasted=1m30s")
	if o.IsDown(ReaderDown, "bench") || !o.Down(t.Context(), ReaderDown, "bench", "gone") {
		t.Error("a second outage is not seen")
	}
}

// TestOutagesThatFlap: what comes and goes at a stranger's will is written a few
// times a minute, and what lasts of it is told.
func TestOutagesThatFlap(t *testing.T) {
	r := newRecorder()
	o := r.Outages()
	for range 200 {
		o.Down(t.Context(), BrokerLost, "", "lost")
		r.now = r.now.Add(100 * time.Millisecond)
		o.Up(t.Context(), BrokerLost, "", "back")
	}
	if n := len(r.events()); n != 2*mostOutages {
		t.Errorf("%d lines, want %d", n, 2*mostOutages)
	}
	o.Down(t.Context(), BrokerLost, "", "lost for good")
	if !o.IsDown(BrokerLost, "") {
		t.Error("what is not written is not known")
	}
	o.Settle(t.Context())
	o.Settle(t.Context())
	r.now = r.now.Add(time.Hour)
	o.Up(t.Context(), BrokerLost, "", "back")
	expect(t, r, "broker.lost lost for good left_out=194", "broker.back back lasted=1h0m0s")
	o.Down(t.Context(), BrokerLost, "", "lost")
	expect(t, r, "broker.lost lost")
}

// TestOutagesOfManySubjects: memory and lines are bounded however many subjects
// there are.
func TestOutagesOfManySubjects(t *testing.T) {
	r := newRecorder()
	o := r.Outages()
	for i := range 3 * maxCauses {
		o.Down(t.Context(), ItemConflict, fmt.Sprint("item ", i), "two histories")
	}
	if n := len(r.events()); n != mostOutages || len(o.down) > maxCauses {
		t.Errorf("%d lines, %d kept", n, len(o.down))
	}
	if !o.Down(t.Context(), ReaderDown, "bench", "gone") || len(r.events()) != 1 {
		t.Error("conflicts silence a reader")
	}
	o.Up(t.Context(), ReaderDown, "bench", "back")
	r.events()
	o.Settle(t.Context())
	if n := len(r.events()); n != 1 {
		t.Errorf("%d lines to settle", n)
	}
	for i := range 3 * maxCauses {
		o.Up(t.Context(), ItemConflict, fmt.Sprint("item ", i), "one history")
	}
	if n := len(r.events()); n != mostOutages+1 || len(o.down) != 0 {
		t.Errorf("%d lines to end, %d kept", n, len(o.down))
	}
}
