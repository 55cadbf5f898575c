// Package stacklight shows signals: as lines on a terminal, a pipe or a file,
// and as lamps of a stack light on GPIO pins. Both implement [drivers.Light].
package stacklight

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"traveler.example/drivers"
)

const (
	// MaxText is the longest text of a line, in bytes; more is cut off.
	MaxText = 400
	// writeLimit bounds a Show on a terminal whose other end does not read.
	writeLimit = time.Second
)

// Lines shows each signal as one line, written by one write(2): the time in UTC
// to the millisecond, the aspect and the text, such as
//
//	2026-03-01T06:00:00.125Z GREEN ACCEPTED item L-1042: drill the housing
//
// Line breaks and other control characters in a text become spaces: a tag's
// content cannot forge a line.
type Lines struct {
	now  func() time.Time
	open func() (io.WriteCloser, error)
}

// NewLines returns a light that writes to w; now is the clock.
func NewLines(w io.Writer, now func() time.Time) *Lines {
	return &Lines{now: now, open: func() (io.WriteCloser, error) { return keepOpen{w}, nil }}
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// OpenLines returns a light that writes to path: a terminal, a named pipe with a
// reader, or a file, which is created and appended to. It is opened anew for
// each signal, so that it may be rotated, unplugged and replugged at any time.
func OpenLines(path string, now func() time.Time) (*Lines, error) {
	if path == "" {
		return nil, errors.New("stacklight: no path to write lines to")
	}
	return &Lines{now: now, open: func() (io.WriteCloser, error) {
		// Non-blocking: opening a pipe that nobody reads fails at once.
		const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOCTTY | unix.O_NONBLOCK
		f, err := os.OpenFile(path, flags, 0o640)
		if err != nil {
			return nil, err
		}
		// Files on disk have no deadlines, and need none.
		_ = f.SetWriteDeadline(time.Now().Add(writeLimit))
		return f, nil
	}}, nil
}

// Show implements [drivers.Light].
func (l *Lines) Show(ctx context.Context, s drivers.Signal) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w, err := l.open()
	if err != nil {
		return fmt.Errorf("show %v: %w", s.Aspect, err)
	}
	line := fmt.Sprintf("%s %v %s", l.now().UTC().Format("2006-01-02T15:04:05.000Z"), s.Aspect, clean(s.Text))
	_, err = io.WriteString(w, strings.TrimRight(line, " ")+"\n")
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("show %v: %w", s.Aspect, err)
	}
	return nil
}

func clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > MaxText {
		text = text[:MaxText]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
