package mqtt

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// repeatAfter is how long a warning of the broker stays silent after it was
// written: the broker repeats some for every message of a flood.
const repeatAfter = time.Minute

// warningKinds bounds the memory of warnings. The broker has some thirty.
const warningKinds = 64

// brokerLog passes what the broker says to the daemon's log: news of the broker
// at level debug, its warnings and errors at level warn, packets left out since
// they hold payloads.
type brokerLog struct {
	next slog.Handler
	seen *warnings
}

func newBrokerLog(next slog.Handler) *brokerLog {
	return &brokerLog{next: next, seen: &warnings{kinds: make(map[string]warning)}}
}

func quieter(level slog.Level) slog.Level {
	if level >= slog.LevelWarn {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled implements slog.Handler.
func (h *brokerLog) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, quieter(level))
}

// Handle implements slog.Handler.
func (h *brokerLog) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, quieter(r.Level), "Embedded broker", r.PC)
	out.AddAttrs(slog.String("what", r.Message))
	if out.Level == slog.LevelWarn {
		unsaid, say := h.seen.say(r.Message, r.Time)
		if !say {
			return nil
		}
		if unsaid > 0 {
			out.AddAttrs(slog.Int("repeated", unsaid))
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "pk" && a.Key != "packet" {
			out.AddAttrs(a)
		}
		return true
	})
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *brokerLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &brokerLog{next: h.next.WithAttrs(slices.Clone(attrs)), seen: h.seen}
}

// WithGroup implements slog.Handler.
func (h *brokerLog) WithGroup(name string) slog.Handler {
	return &brokerLog{next: h.next.WithGroup(name), seen: h.seen}
}

type warning struct {
	written time.Time
	unsaid  int
}

type warnings struct {
	mu    sync.Mutex
	kinds map[string]warning
}

// say reports whether a warning is due, and how often it was not written since
// it was last.
func (w *warnings) say(what string, now time.Time) (unsaid int, due bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, known := w.kinds[what]
	if !known && len(w.kinds) >= warningKinds {
		return 0, false
	}
	if known && now.Sub(k.written) < repeatAfter {
		k.unsaid++
		w.kinds[what] = k
		return 0, false
	}
	w.kinds[what] = warning{written: now}
	return k.unsaid, true
}
