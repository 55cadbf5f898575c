package emulate

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// The faults of a reader that types. Of those of every device it has
// FaultFragment (each event comes alone), FaultDelay and FaultSilence; FaultHalf
// leaves out the end of each line.
const (
	FaultForeign    = "foreign"     // scan codes, lamps and a mouse come between the keys
	FaultAutoRepeat = "auto-repeat" // the kernel repeats each key while it is down
	FaultCapsLock   = "caps-lock"   // Caps Lock is switched on before each line and off after it
	FaultDropped    = "dropped"     // once: the kernel's buffer ran over, the middle of a line is lost
)

// WedgeConfig sets up an emulated reader that types.
type WedgeConfig struct {
	Layout string        // us, de or fr; empty means us
	End    string        // the key after each line: enter, tab or none; empty means enter
	Bits   int           // size of a word in struct input_event: 32 or 64; 0 means 64
	Pace   time.Duration // from one key to the next
}

// Wedge is a reader that types what it scans like a keyboard, at the level of
// the events that the kernel hands out for it. What is scanned while nobody
// listens is lost.
type Wedge struct {
	observers
	cfg    WedgeConfig
	faults *faults
	keys   map[rune]stroke

	mu    sync.Mutex
	lines chan string // to the session under way; nil without one
}

// stroke is a key with what is held meanwhile.
type stroke struct {
	code         uint16
	shift, altGr bool
	dead         bool // an accent: Space follows to make it a character
}

// Codes of keys and events: linux/input-event-codes.h.
const (
	evSyn, evKey, evRel, evMsc, evLed  = 0, 1, 2, 4, 0x11
	codeTab, codeEnter, codeShift      = 15, 28, 42
	codeSpace, codeCaps, codeAltGr     = 57, 58, 100
	synDropped, mscScan, ledCaps, relX = 3, 4, 1, 0
	keyUp, keyDown, keyAgain           = 0, 1, 2
	typematic                          = 3 // repeats of a held key
	lineQueue                          = 16
)

// NewWedge returns a reader that is switched on.
func NewWedge(cfg WedgeConfig) (*Wedge, error) {
	if cfg.Layout == "" {
		cfg.Layout = "us"
	}
	if cfg.End == "" {
		cfg.End = "enter"
	}
	if cfg.Bits == 0 {
		cfg.Bits = 64
	}
	keys, ok := wedgeLayout(cfg.Layout)
	switch {
	case !ok:
		return nil, fmt.Errorf("no layout %q, there are: us de fr", cfg.Layout)
	case !slices.Contains([]string{"enter", "tab", "none"}, cfg.End):
		return nil, fmt.Errorf("no end %q, there are: enter tab none", cfg.End)
	case cfg.Bits != 32 && cfg.Bits != 64:
		return nil, fmt.Errorf("words of %d bits, there are 32 and 64", cfg.Bits)
	}
	known := []string{FaultFragment, FaultDelay, FaultSilence, FaultHalf, FaultForeign, FaultAutoRepeat, FaultCapsLock, FaultDropped}
	return &Wedge{cfg: cfg, keys: keys, faults: &faults{known: known, set: map[string]bool{}}}, nil
}

// wedgeLayout returns the strokes of a layout by what they write. Each line
// gives the main block from left to right and top to bottom: by itself, with
// Shift, with AltGr. Accents that wait for a letter are named beside.
func wedgeLayout(name string) (map[rune]stroke, bool) {
	layouts := map[string][4]string{
		"us": {
			"1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./",
			"!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"~|ZXCVBNM<>?", "", "",
		},
		"de": {
			"1234567890ß´qwertzuiopü+asdfghjklöä^#yxcvbnm,.-<",
			"!\"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ°'YXCVBNM;:_>",
			"·²³···{[]}\\·@·€········~···················µ···|", "´`^",
		},
		"fr": {
			"&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù²*wxcvbn,;:!<",
			"1234567890°+AZERTYUIOP¨£QSDFGHJKLM%·µWXCVBN?./§>",
			"·~#{[|`\\^@]}··€········¤", "^¨",
		},
	}
	rows, ok := layouts[name]
	strokes := map[rune]stroke{' ': {code: codeSpace}}
	for level, row := range rows[:3] {
		for i, r := range []rune(row) {
			if _, known := strokes[r]; r == '·' || known {
				continue
			}
			strokes[r] = stroke{
				code: mainBlock(i), shift: level == 1, altGr: level == 2,
				dead: level < 2 && strings.ContainsRune(rows[3], r),
			}
		}
	}
	return strokes, ok
}

// mainBlock returns the code of the i-th key of the main block.
func mainBlock(i int) uint16 {
	switch {
	case i < 12:
		return uint16(2 + i)
	case i < 24:
		return uint16(16 + i - 12)
	case i < 36:
		return uint16(30 + i - 24)
	case i < 47:
		return uint16(43 + i - 36)
	}
	return 86
}

// Scan has the reader type a line.
func (d *Wedge) Scan(text string) error {
	for _, r := range text {
		if _, ok := d.keys[r]; !ok {
			return fmt.Errorf("layout %s has no key for %q", d.cfg.Layout, r)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines == nil {
		return nil
	}
	select {
	case d.lines <- text:
		return nil
	default:
		return fmt.Errorf("%d lines wait to be typed already", lineQueue)
	}
}

// Fault switches a fault on or off. FaultDropped clears itself.
func (d *Wedge) Fault(name string, on bool) error { return d.faults.switchTo(name, on) }

// Do implements [Device].
func (d *Wedge) Do(command string) error {
	verb, rest, _ := strings.Cut(strings.TrimSpace(command), " ")
	switch {
	case verb == "scan" && rest != "":
		return d.Scan(rest)
	}
	return otherwise(d, command)
}

// Help implements [Device].
func (d *Wedge) Help() string {
	return "scan TEXT\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

// Serve implements [Device]. It tells observers DidWake once it listens. The
// line has to be readable, since its end shows there.
func (d *Wedge) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	serve(ctx, wire{line: line, faults: d.faults}, func(w *wire, chunks <-chan []byte) {
		lines := make(chan string, lineQueue)
		d.listen(lines)
		defer d.listen(nil)
		d.tell(Act{Verb: DidWake})
		s := &wedgeSession{Wedge: d, wire: w}
		for {
			select {
			case _, ok := <-chunks:
				if !ok {
					return
				}
			case text := <-lines:
				s.line(text)
			}
		}
	})
	return ctx.Err()
}

func (d *Wedge) listen(lines chan string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = lines
}

// wedgeSession is a reader that is plugged in.
type wedgeSession struct {
	*Wedge
	wire *wire
}

// line types a line and its end.
func (s *wedgeSession) line(text string) {
	inverted := s.faults.on(FaultCapsLock)
	if inverted {
		s.tap(stroke{code: codeCaps})
	}
	lost := s.faults.take(FaultDropped)
	for i, r := range []rune(text) {
		if lost && i == 1 {
			s.report(evSyn, synDropped, 0)
			continue // and this key is among what was lost
		}
		k := s.keys[r]
		if inverted && s.keys[swapCase(r)].code == k.code {
			k.shift = !k.shift
		}
		s.tap(k)
		if k.dead {
			s.tap(stroke{code: codeSpace})
		}
	}
	switch {
	case s.faults.on(FaultHalf) || s.cfg.End == "none":
	case s.cfg.End == "tab":
		s.tap(stroke{code: codeTab})
	default:
		s.tap(stroke{code: codeEnter})
	}
	if inverted {
		s.tap(stroke{code: codeCaps})
	}
	s.tell(Act{Verb: DidRead, Tag: text, Count: 1})
}

// swapCase returns the other case of a letter, 0 for anything else.
func swapCase(r rune) rune {
	switch lower, upper := unicode.ToLower(r), unicode.ToUpper(r); {
	case lower == upper:
		return 0
	case r == lower:
		return upper
	default:
		return lower
	}
}

// tap presses a key and lets it go.
func (s *wedgeSession) tap(k stroke) {
	hold := func(on bool, code uint16, value int32) {
		if on {
			s.report(evKey, code, value)
		}
	}
	hold(k.shift, codeShift, keyDown)
	hold(k.altGr, codeAltGr, keyDown)
	s.report(evKey, k.code, keyDown)
	if s.faults.on(FaultAutoRepeat) {
		for range typematic {
			s.report(evKey, k.code, keyAgain)
		}
	}
	s.report(evKey, k.code, keyUp)
	hold(k.altGr, codeAltGr, keyUp)
	hold(k.shift, codeShift, keyUp)
	pause(s.wire.ctx, s.cfg.Pace)
}

// report sends one event and the report that ends it.
func (s *wedgeSession) report(kind, code uint16, value int32) {
	var b []byte
	if s.faults.on(FaultForeign) {
		for _, e := range [][3]int32{{evMsc, mscScan, 0x70004}, {evLed, ledCaps, 1}, {evRel, relX, -1}, {evKey, 0x110, keyUp}} {
			b = s.event(b, uint16(e[0]), uint16(e[1]), e[2])
		}
	}
	b = s.event(b, kind, code, value)
	b = s.event(b, evSyn, 0, 0)
	s.wire.write(b)
}

// event appends a struct input_event with the time of now.
func (s *wedgeSession) event(b []byte, kind, code uint16, value int32) []byte {
	now := time.Now()
	order := binary.NativeEndian
	if s.cfg.Bits == 32 {
		b = order.AppendUint32(b, uint32(now.Unix()))
		b = order.AppendUint32(b, uint32(now.Nanosecond()/1000))
	} else {
		b = order.AppendUint64(b, uint64(now.Unix()))
		b = order.AppendUint64(b, uint64(now.Nanosecond()/1000))
	}
	b = order.AppendUint16(b, kind)
	b = order.AppendUint16(b, code)
	return order.AppendUint32(b, uint32(value))
}
