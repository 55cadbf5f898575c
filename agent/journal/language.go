package journal

import (
	"maps"
	"strings"
	"sync"

	"traveler.example/systemd"
)

// Language is a language of the message catalog. What the events themselves say, and the
// values in their fields, are English in each.
type Language string

// The languages, by their codes of ISO 639-1.
const (
	English Language = "en"
	German  Language = "de"
)

// Languages returns the languages that the message catalog has, English first.
func Languages() []Language { return []Language{English, German} }

// LanguageOf returns the language that the environment asks for messages, by the first
// of LC_ALL, LC_MESSAGES and LANG that is set (locale(7)); English if it is none
// that the catalog has. Getenv reads the environment.
func LanguageOf(getenv func(string) string) Language {
	for _, name := range [...]string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		locale := getenv(name)
		if locale == "" {
			continue
		}
		code, _, _ := strings.Cut(locale, ".") // de_DE.UTF-8
		code, _, _ = strings.Cut(code, "@")    // de@euro
		code, _, _ = strings.Cut(code, "_")
		if code == string(German) {
			return German
		}
		break
	}
	return English
}

// The catalogs, each read once.
var (
	english = sync.OnceValues(func() (map[string]Entry, error) {
		return parseCatalog(systemd.Catalog(), parts{"What happened: ", "What it means: ", "What to do: "})
	})
	german = sync.OnceValues(func() (map[string]Entry, error) {
		return parseCatalog(systemd.GermanCatalog(), parts{"Was geschehen ist: ", "Was das bedeutet: ", "Was zu tun ist: "})
	})
)

// entries returns the catalog that is shared by all; any language but German has the
// English one.
func (l Language) entries() (map[string]Entry, error) {
	if l == German {
		return german()
	}
	return english()
}

// Catalog returns the entries of the message catalog in a language, by MESSAGE_ID.
func (l Language) Catalog() (map[string]Entry, error) {
	entries, err := l.entries()
	return maps.Clone(entries), err
}

// Describe returns the catalog's entry for an event in a language.
func (l Language) Describe(id ID) (Entry, bool) {
	d, known := Lookup(id)
	entries, err := l.entries()
	if !known || err != nil {
		return Entry{}, false
	}
	e, ok := entries[d.MessageID]
	return e, ok
}

// Remedy returns what to do about an event in a language, or "" for an unknown one.
// It may hold @FIELD@ placeholders.
func (l Language) Remedy(id ID) string {
	e, _ := l.Describe(id)
	return e.Do
}
