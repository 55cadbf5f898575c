package journal

import (
	"context"
	"log/slog"
	"slices"

	"github.com/coreos/go-systemd/v22/journal"
)

// identifier is the SYSLOG_IDENTIFIER of every entry, whatever the program file is
// called: the unit's SyslogIdentifier= does not reach native entries.
const identifier = "travelerd"

// native is the handler that writes entries with fields to the systemd journal
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
type native struct {
	level slog.Leveler
	fields
}

// Enabled reports whether records of a level are written.
func (n *native) Enabled(_ context.Context, level slog.Level) bool { return level >= n.level.Level() }

// WithAttrs returns a handler that adds attrs to every record.
func (n *native) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &native{level: n.level, fields: n.fields.with(attrs)}
}

// WithGroup returns a handler that puts name before the keys of later attributes.
func (n *native) WithGroup(name string) slog.Handler {
	return &native{level: n.level, fields: n.fields.within(name)}
}

// Handle sends one record.
func (n *native) Handle(_ context.Context, r slog.Record) error {
	vars := make(map[string]string)
	for _, a := range n.fields.of(r) {
		vars[fieldName(a.Key)] = a.Value.String()
	}
	vars["SYSLOG_IDENTIFIER"] = identifier
	// The journal stamps entries itself. It shows a message with control characters
	// as a blob, so they are escaped.
	return journal.Send(plain(r.Message), priority(r.Level), vars)
}

// priority returns the priority of syslog(3) for a level.
func priority(level slog.Level) journal.Priority {
	switch {
	case level >= slog.LevelError:
		return journal.PriErr
	case level >= slog.LevelWarn:
		return journal.PriWarning
	case level >= LevelNotice:
		return journal.PriNotice
	case level >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}

// fields are the attributes and the open groups that a handler was derived with.
type fields struct {
	prefix string
	attrs  []slog.Attr
}

// with returns f with more attributes.
func (f fields) with(attrs []slog.Attr) fields {
	f.attrs = slices.Clone(f.attrs)
	for _, a := range attrs {
		f.attrs = flatten(f.attrs, f.prefix, a)
	}
	return f
}

// within returns f within the group name.
func (f fields) within(name string) fields {
	if name != "" {
		f.prefix += name + "."
	}
	return f
}

// of returns all attributes of a record with their full keys.
func (f fields) of(r slog.Record) []slog.Attr {
	attrs := slices.Clone(f.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = flatten(attrs, f.prefix, a)
		return true
	})
	return attrs
}

// flatten appends a to attrs with its full key, groups one by one.
func flatten(attrs []slog.Attr, prefix string, a slog.Attr) []slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return attrs
	}
	if a.Value.Kind() != slog.KindGroup {
		return append(attrs, slog.Attr{Key: prefix + a.Key, Value: a.Value})
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range a.Value.Group() {
		attrs = flatten(attrs, prefix, member)
	}
	return attrs
}
