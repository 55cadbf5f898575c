package journal

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/term"
)

// Open returns the handler for a daemon whose messages go to stderr: the systemd
// journal itself if stderr is connected to it (JOURNAL_STREAM of systemd.exec(5)), else
// readable lines on stderr, in colour on a terminal unless NO_COLOR is set
// (no-color.org) or TERM is "dumb", with remedies in the language of [LanguageOf]. The
// journal keeps no remedies: journalctl -x shows the catalog's in the language of who reads.
// Getenv reads the environment.
func Open(stderr *os.File, getenv func(string) string, level slog.Leveler) slog.Handler {
	// A journal that takes no native entries still takes the lines.
	if isJournal(stderr, getenv("JOURNAL_STREAM")) && journal.Enabled() {
		return &native{level: level}
	}
	colour := term.IsTerminal(int(stderr.Fd())) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return &lines{out: &output{w: stderr}, level: level, colour: colour, language: LanguageOf(getenv)}
}

// isJournal reports whether f is the stream that systemd names by device and inode in
// JOURNAL_STREAM; a stderr that was redirected since is not.
func isJournal(f *os.File, stream string) bool {
	info, err := f.Stat()
	if err != nil || stream == "" {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// fieldName returns the name of a journal field for a key: upper case letters, digits
// and underscores, at most 64, not beginning with an underscore or digit, and none of those
// that [native] sets itself.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, key)
	name = strings.TrimLeft(name, "_0123456789")
	switch name {
	case "", "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER":
		name = "FIELD_" + name
	}
	return name[:min(len(name), 64)]
}

// NewLines returns a handler that writes one readable line for each record at level or
// above: time, level, event id, words, fields. A warning or error that says what to do
// has a second line with it, in English. Characters that could steer a terminal are escaped.
func NewLines(w io.Writer, level slog.Leveler, colour bool) slog.Handler {
	return &lines{out: &output{w: w}, level: level, colour: colour, language: English}
}
