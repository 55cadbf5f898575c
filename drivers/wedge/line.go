package wedge

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"traveler.example/drivers"
)

// MaxLine is the longest line that is taken from a reader, in bytes of UTF-8: a
// GS1 code of 90 characters with its marks, and room for a prefix.
const MaxLine = 256

// Why a line is dropped.
var (
	errOverrun = fmt.Errorf("%w: the line in progress was dropped, since this machine was too slow to take its keys; scan again", drivers.ErrProtocol)
	errTooLong = fmt.Errorf("%w: a line of more than %d characters was dropped; set the reader to end each code with Enter", drivers.ErrProtocol, MaxLine)
	errCutOff  = fmt.Errorf("%w: a line without an end was dropped; set the reader to end each code with Enter or Tab, or the profile to end it by a gap", drivers.ErrProtocol)
	errAccent  = fmt.Errorf("%w: a line with an accent on no letter was dropped; set the reader and the profile to the same layout", drivers.ErrProtocol)
)

// Line is one line that a reader typed, or why there is none.
type Line struct {
	Text string
	Err  error
}

// Decoder turns keys into lines. Enter and Tab end a line; empty ones are left
// out. A line in which a key has no character is dropped whole, for what is left
// of it would be another code. It is pure and not safe for concurrent use.
type Decoder struct {
	keys keyboard

	shift, ctrl, alt, altGr byte // which of left (1) and right (2) are down
	caps                    bool
	accent                  rune // waits for its letter

	text     strings.Builder
	spoiled  error // why the line under way will be dropped
	dropping bool  // between SYN_DROPPED and the next report, where nothing can be trusted
}

// NewDecoder returns a decoder for a layout, with no key down.
func NewDecoder(l Layout) (*Decoder, error) {
	keys, err := newKeyboard(l)
	if err != nil {
		return nil, err
	}
	return &Decoder{keys: keys}, nil
}

// Pending reports whether a line is under way.
func (d *Decoder) Pending() bool { return d.text.Len() > 0 || d.accent != 0 || d.spoiled != nil }

// Feed takes in the next event. It returns true with the line that it ends.
func (d *Decoder) Feed(e Event) (Line, bool) {
	switch {
	case e.Type == typeSync && e.Code == syncDropped:
		d.dropping, d.spoiled = true, errOverrun
		d.shift, d.ctrl, d.alt, d.altGr = 0, 0, 0, 0 // their releases may be among what was lost
	case e.Type == typeSync && e.Code == syncReport:
		d.dropping = false
	case e.Type != typeKey, d.dropping, d.modifier(e):
	case e.Value != valuePress: // a reader holds no key down to repeat it
	case e.Code == keyEnter, e.Code == keyKeypadEnd, e.Code == keyTab:
		return d.End()
	default:
		d.press(e.Code)
	}
	return Line{}, false
}

// End ends the line under way, as Enter does.
func (d *Decoder) End() (Line, bool) {
	if d.accent != 0 {
		d.spoil(errAccent)
	}
	pending, line := d.Pending(), Line{Text: d.text.String(), Err: d.spoiled}
	if line.Err != nil {
		line.Text = ""
	}
	d.text.Reset()
	d.spoiled, d.accent = nil, 0
	return line, pending
}

// modifier takes in the keys that change others.
func (d *Decoder) modifier(e Event) bool {
	side := func(held *byte, bit byte) bool {
		switch e.Value {
		case valuePress:
			*held |= bit
		case valueRelease:
			*held &^= bit
		}
		return true
	}
	switch e.Code {
	case keyLeftShift:
		return side(&d.shift, 1)
	case keyRightShift:
		return side(&d.shift, 2)
	case keyLeftCtrl:
		return side(&d.ctrl, 1)
	case keyRightCtrl:
		return side(&d.ctrl, 2)
	case keyLeftAlt:
		return side(&d.alt, 1)
	case keyRightAlt:
		return side(&d.altGr, 1)
	case keyCapsLock:
		d.caps = d.caps != (e.Value == valuePress)
		return true
	case keyNumLock, keyScrollLock, keyLeftMeta, keyRightMeta:
		return true
	}
	return false
}

// press adds what a key writes to the line.
func (d *Decoder) press(code uint16) {
	r, dead := d.character(code)
	switch {
	case r == 0:
		d.spoil(fmt.Errorf("%w: key %d with the modifiers held has no character in this layout; set the reader and the profile to the same one", drivers.ErrProtocol, code))
	case d.accent != 0 && r == ' ':
		d.write(d.accent)
		d.accent = 0
	case d.accent != 0:
		d.spoil(errAccent)
	case dead:
		d.accent = r
	default:
		d.write(r)
	}
}

// character returns what a key writes now; 0 is nothing.
func (d *Decoder) character(code uint16) (r rune, dead bool) {
	k := d.keys[code]
	shift := d.shift != 0
	switch {
	case d.alt != 0:
		return 0, false
	case d.altGr != 0:
		r = k.altGr
	case shift != (d.caps && k.letter()):
		r = k.shift
	default:
		r = k.plain
	}
	if d.ctrl != 0 {
		return controlled(r), false
	}
	return r, r != 0 && strings.ContainsRune(k.dead, r)
}

// controlled returns the control character that Ctrl makes of a key: readers write
// the separators of GS1 codes so, Ctrl ] for GS.
func controlled(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r > '@' && r <= '_':
		return r & 0x1F
	}
	return 0
}

func (d *Decoder) write(r rune) {
	if d.text.Len()+utf8.RuneLen(r) > MaxLine {
		d.spoil(errTooLong)
	}
	if d.spoiled == nil {
		d.text.WriteRune(r)
	}
}

// spoil has the line under way dropped for the first reason there is.
func (d *Decoder) spoil(why error) {
	if d.spoiled == nil {
		d.spoiled = why
	}
	d.text.Reset()
}
