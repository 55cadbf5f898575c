package journal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// output is a writer that takes one line at a time.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *output) write(text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := io.WriteString(o.w, text)
	return err
}

// lines is the handler of [NewLines].
type lines struct {
	out      *output
	level    slog.Leveler
	colour   bool
	language Language // of remedies
	fields
}

// Enabled reports whether records of a level are written.
func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level.Level() }

// WithAttrs returns a handler that adds attrs to every record.
func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	with.fields = l.fields.with(attrs)
	return &with
}

// WithGroup returns a handler that puts name before the keys of later attributes.
func (l *lines) WithGroup(name string) slog.Handler {
	with := *l
	with.fields = l.fields.within(name)
	return &with
}

// Handle writes one record.
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	id, attrs := take(l.fields.of(r), KeyEvent)
	remedy, attrs := take(attrs, KeyRemedy)
	_, attrs = take(attrs, KeyMessageID)
	if remedy == "" && r.Level >= slog.LevelWarn {
		remedy = fill(l.language.Remedy(ID(id)), attrs)
	}
	return l.out.write(l.line(r, id, attrs, remedy))
}

// line puts a record together.
func (l *lines) line(r slog.Record, id string, attrs []slog.Attr, remedy string) string {
	var b strings.Builder
	if !r.Time.IsZero() {
		b.WriteString(l.paint(dim, r.Time.Format("15:04:05.000")) + " ")
	}
	word, hue := levelWord(r.Level)
	b.WriteString(l.paint(hue, fmt.Sprintf("%-6s", word)) + " ")
	b.WriteString(fmt.Sprintf("%-22s ", plain(id)))
	b.WriteString(plain(r.Message))
	for _, a := range attrs {
		b.WriteString(l.paint(dim, " "+plain(a.Key)+"="+quoteIfNeeded(a.Value.String())))
	}
	b.WriteByte('\n')
	if remedy != "" {
		b.WriteString(strings.Repeat(" ", 20) + l.paint(hue, "→ ") + plain(remedy) + "\n")
	}
	return b.String()
}

// Colours by SGR number (ECMA-48 §8.3.117).
const (
	dim    = 2
	red    = 31
	yellow = 33
	cyan   = 36
)

func (l *lines) paint(hue int, text string) string {
	if !l.colour || hue == 0 {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", hue, text)
}

// levelWord names a level and gives its colour; what is usual has none.
func levelWord(level slog.Level) (word string, hue int) {
	switch {
	case level >= slog.LevelError:
		return "error", red
	case level >= slog.LevelWarn:
		return "warn", yellow
	case level >= LevelNotice:
		return "notice", cyan
	case level >= slog.LevelInfo:
		return "info", 0
	}
	return "debug", dim
}

// take returns the value of key and attrs without it.
func take(attrs []slog.Attr, key string) (string, []slog.Attr) {
	i := slices.IndexFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
	if i < 0 {
		return "", attrs
	}
	return attrs[i].Value.String(), slices.Delete(slices.Clone(attrs), i, i+1)
}

// plain escapes what is no printable character: names and errors may come from a tag or the network.
func plain(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// quoteIfNeeded quotes a value that is empty or has spaces or what is not printable.
func quoteIfNeeded(value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool {
		return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}) {
		return strconv.Quote(value)
	}
	return value
}
