package plant

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"traveler.example/agent/journal"
)

// line is one entry of a trace.
type line struct {
	at     time.Duration // since the start of the run
	who    string
	serial uint64 // counts the lines of who; 0 where several goroutines speak
	what   string
}

func (l line) String() string {
	return fmt.Sprintf("%14.9f %-20s %s", l.at.Seconds(), l.who, l.what)
}

// trace collects what happens, from any goroutine.
type trace struct {
	start time.Time
	off   bool // nothing is kept

	mu      sync.Mutex
	lines   []line
	serials map[string]uint64
}

func newTrace() *trace { return &trace{start: time.Now(), serials: map[string]uint64{}} }

// say adds a line of a source that is one goroutine at a time.
func (t *trace) say(who, format string, args ...any) { t.add(who, true, format, args...) }

func (t *trace) add(who string, inOrder bool, format string, args ...any) {
	if t.off {
		return
	}
	l := line{at: time.Since(t.start), who: who, what: fmt.Sprintf(format, args...)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if inOrder {
		t.serials[who]++
		l.serial = t.serials[who]
	}
	t.lines = append(t.lines, l)
}

// sorted returns the lines by time and source: the order in which goroutines
// wrote them within one instant is nobody's.
func (t *trace) sorted() []string {
	t.mu.Lock()
	lines := slices.Clone(t.lines)
	t.mu.Unlock()
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.who, b.who), cmp.Compare(a.serial, b.serial), strings.Compare(a.what, b.what))
	})
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.String()
	}
	return out
}

// hashOf is the hash of a trace.
func hashOf(lines []string) string {
	h := sha256.New()
	for _, l := range lines {
		_, _ = io.WriteString(h, l+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// scribe writes a gateway's journal into the trace.
type scribe struct {
	trace *trace
	who   string
	attrs []slog.Attr
	told  func(event string) // nil: nobody asks
}

func (s *scribe) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (s *scribe) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	write := func(a slog.Attr) bool {
		if a.Key == journal.KeyEvent && s.told != nil {
			s.told(a.Value.String())
		}
		if a.Key != journal.KeyMessageID && a.Key != journal.KeyRemedy {
			fmt.Fprintf(&b, " %s=%q", a.Key, a.Value.String())
		}
		return true
	}
	for _, a := range s.attrs {
		write(a)
	}
	r.Attrs(write)
	s.trace.add(s.who, false, "%s %s%s", r.Level, r.Message, b.String())
	return nil
}

func (s *scribe) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &scribe{trace: s.trace, who: s.who, told: s.told, attrs: append(slices.Clip(s.attrs), attrs...)}
}

func (s *scribe) WithGroup(string) slog.Handler { return s }
