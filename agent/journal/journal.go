// Package journal is how a gateway speaks to the people who look after it: a
// few meaningful events, each with an id, a level and fields, in the systemd
// journal or as readable lines.
//
// Every event has an entry in the message catalog (systemd/traveler.catalog, and
// systemd/traveler.de.catalog in German) that says what happened, what it means for the
// line and what to do.
package journal

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// LevelNotice is the level of what is normal but worth a look: between
// [slog.LevelInfo] and [slog.LevelWarn]. It is LOG_NOTICE of syslog(3).
const LevelNotice = slog.LevelInfo + 1

// The keys of fields. In the journal they are upper case: journalctl ITEM=….
const (
	KeyEvent     = "traveler_event" // set by Event
	KeyMessageID = "message_id"     // set by Event
	KeyItem      = "item"           // printed id of the item
	KeyTag       = "tag"            // id of the tag
	KeyReader    = "reader"         // name of the reader in the profile
	KeyDevice    = "device"         // name of the scale or light in the profile
	KeyPort      = "port"           // path of the device
	KeyPeer      = "peer"           // name of another gateway
	KeyBlock     = "block"          // author/height
	KeyStation   = "station"        // id of the station
	KeyTask      = "task"           // task at the station
	KeyOrder     = "order"          // id of the work order
	KeyDecision  = "decision"       // the decision as the station shows it
	KeyReason    = "reason"         // why, in words
	KeyExpected  = "expected"       // what a check wanted
	KeyFound     = "found"          // what it met
	KeyOperator  = "operator"       // name of the identity
	KeyBroker    = "broker"         // URL of the broker, without credentials
	KeyPath      = "path"           // file or directory
	KeyFree      = "free"           // free bytes
	KeyLag       = "lag"            // blocks that are missing here
	KeyErrno     = "errno"          // number of the system error
	KeyError     = "error"          // the error's text
	KeyRemedy    = "remedy"         // what to do, where it is known better than in the catalog
	KeyLeftOut   = "left_out"       // like events not written since the last one
	KeyLasted    = "lasted"         // how long an outage took
)

// Definition is what is fixed about one kind of event.
type Definition struct {
	ID ID
	// MessageID is the journal's MESSAGE_ID: 32 lower-case hexadecimal digits.
	MessageID string
	Level     slog.Level
	// Fields are the keys that every event of the kind carries.
	Fields []string
	// EndedBy is the event that tells the end of what this one began, empty
	// for an event that stands alone.
	EndedBy ID
}

// Events returns the definitions of all events.
func Events() []Definition { return slices.Clone(table) }

// Lookup returns the definition of an event; ok is false for an id that is not in the table.
func Lookup(id ID) (d Definition, ok bool) {
	i := slices.IndexFunc(table, func(d Definition) bool { return d.ID == id })
	if i < 0 {
		return Definition{}, false
	}
	return table[i], true
}

// Journal writes events. It is safe for concurrent use.
type Journal struct {
	handler slog.Handler
	now     func() time.Time
}

// New returns a Journal that hands each event to h (see [Open]), stamped with now.
func New(h slog.Handler, now func() time.Time) *Journal {
	return &Journal{handler: h, now: now}
}

// With returns a Journal whose every event carries attrs as well.
func (j *Journal) With(attrs ...slog.Attr) *Journal {
	return &Journal{handler: j.handler.WithAttrs(attrs), now: j.now}
}

// Event writes one event at the level that its definition fixes. Words is the line
// a person reads; attrs are the fields a program searches by, with the keys
// of this package. An id that is not in the table is written as an error, never lost.
func (j *Journal) Event(ctx context.Context, id ID, words string, attrs ...slog.Attr) {
	d, known := Lookup(id)
	if !known {
		d = Definition{ID: id, Level: slog.LevelError}
	}
	if !j.handler.Enabled(ctx, d.Level) {
		return
	}
	r := slog.NewRecord(j.now(), d.Level, words, 0)
	r.AddAttrs(slog.String(KeyEvent, string(id)))
	if known {
		r.AddAttrs(slog.String(KeyMessageID, d.MessageID))
	}
	r.AddAttrs(attrs...)
	// A journal that cannot be written has nowhere to say so; a station does
	// not stop for it.
	_ = j.handler.Handle(ctx, r)
}

// Logger returns a logger for lines that are no events, such as those of libraries.
func (j *Journal) Logger() *slog.Logger { return slog.New(j.handler) }
