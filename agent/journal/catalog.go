package journal

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Entry is what the message catalog says about one event. @FIELD@ in the texts
// stands for the value of a field.
type Entry struct {
	// ID is the event, MessageID its number in the catalog.
	ID        ID
	MessageID string
	// Subject is the event in a few words.
	Subject string
	// Happened, Means and Do are what happened, what it means for the line, and what to do.
	Happened, Means, Do string
}

// Catalog returns the entries of the message catalog that comes with Traveler, by
// MESSAGE_ID, in English. [Language.Catalog] has them in another language.
func Catalog() (map[string]Entry, error) { return English.Catalog() }

// Describe returns the catalog's entry for an event, in English.
func Describe(id ID) (Entry, bool) { return English.Describe(id) }

// Remedy returns what to do about an event, as the English catalog says it, or ""
// for an unknown one. It may hold @FIELD@ placeholders.
func Remedy(id ID) string { return English.Remedy(id) }

// parts are how the paragraphs of an entry begin in a language.
type parts struct{ happened, means, do string }

// parseCatalog reads a catalog in the format of systemd (the journal's
// "Message Catalogs" page) of which each entry is preceded by a comment with its event id,
// and whose paragraphs begin as its language has it:
//
//	# reader.down
//	-- 0123…
//	Subject: Reader @READER@ does not answer
//	Defined-By: Traveler
//
//	What happened: …
//
//	What it means: …
//
//	What to do: …
func parseCatalog(text string, begin parts) (map[string]Entry, error) {
	entries := make(map[string]Entry)
	var e Entry
	var comment, paragraph string
	finish := func() error {
		if e.MessageID == "" {
			return nil
		}
		if err := e.add(paragraph, begin); err != nil {
			return err
		}
		if _, twice := entries[e.MessageID]; twice {
			return fmt.Errorf("catalog: %s %s is given twice", e.MessageID, e.ID)
		}
		entries[e.MessageID] = e
		e, paragraph = Entry{}, ""
		return nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			comment = strings.TrimSpace(line[1:])
		case strings.HasPrefix(line, "-- "):
			if err := finish(); err != nil {
				return nil, err
			}
			e = Entry{ID: ID(comment), MessageID: strings.TrimSpace(line[3:])}
		case line == "":
			if err := e.add(paragraph, begin); err != nil {
				return nil, err
			}
			paragraph = ""
		default:
			paragraph = strings.TrimSpace(paragraph + "\n" + line)
		}
	}
	return entries, finish()
}

// add puts one paragraph of the catalog into its place.
func (e *Entry) add(paragraph string, begin parts) error {
	words := strings.ReplaceAll(paragraph, "\n", " ")
	for _, part := range []struct {
		prefix string
		field  *string
	}{{begin.happened, &e.Happened}, {begin.means, &e.Means}, {begin.do, &e.Do}} {
		if text, ok := strings.CutPrefix(words, part.prefix); ok {
			*part.field = text
			return nil
		}
	}
	for line := range strings.Lines(paragraph) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case ok && key == "Subject":
			e.Subject = value
		case ok && (key == "Defined-By" || key == "Support" || key == "Documentation"):
		default:
			return fmt.Errorf("catalog: entry %s %s has the line %q, which belongs to no part", e.MessageID, e.ID, strings.TrimSpace(line))
		}
	}
	return nil
}

var placeholder = regexp.MustCompile(`@[A-Z_]+@`)

// fill puts the values of attrs into the placeholders of a catalog text.
func fill(text string, attrs []slog.Attr) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		for _, a := range attrs {
			if fieldName(a.Key) == strings.Trim(p, "@") {
				return a.Value.String()
			}
		}
		return "…"
	})
}
