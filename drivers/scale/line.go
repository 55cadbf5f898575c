package scale

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"traveler.example/drivers"
)

// MaxLine is the longest line that is taken from a scale, without its end. The
// longest answer to a command of ours has 24 characters; a serial number may
// make one longer.
const MaxLine = 80

// ErrScale: the scale refuses a command (ES, ET or EL; EC, ? or I), or did not do
// what it was told to.
var ErrScale = errors.New("scale refuses the command")

// Lines cuts a stream into lines that end with LF, with or without CR. Lines
// that are too long to be a scale's are thrown away whole. The zero value is
// ready.
type Lines struct {
	buf  []byte
	skip bool // in a line that is too long
}

// Feed takes in the next bytes and returns the lines that they complete,
// without their ends. Empty lines are left out.
func (l *Lines) Feed(b []byte) []string {
	var lines []string
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		part := b
		if end >= 0 {
			part = b[:end]
		}
		if len(l.buf)+len(part) > MaxLine+1 { // one more for the CR
			l.skip = true
		}
		if l.skip {
			l.buf = l.buf[:0]
		} else {
			l.buf = append(l.buf, part...)
		}
		if end < 0 {
			break
		}
		b = b[end+1:]
		if text := strings.TrimSuffix(string(l.buf), "\r"); text != "" && !l.skip {
			lines = append(lines, text)
		}
		l.buf, l.skip = l.buf[:0], false
	}
	return lines
}

// ParseWeight reads a scale's answer to the MT-SICS command S or SI (Mettler
// Toledo, reference manual 11780711, level 0) and returns a stable weight of
// zero or more. Everything else is an error: drivers.ErrUnstable for S D and
// S I, ErrOverload for S +, ErrUnderload for S -, ErrScale for ES, ET, EL and
// S L, drivers.ErrProtocol for a line that MT-SICS does not know.
func ParseWeight(line string) (drivers.Weight, error) {
	switch line {
	case "S I":
		return 0, fmt.Errorf("%w: the load did not come to rest in time, or the scale is busy", drivers.ErrUnstable)
	case "S +":
		return 0, fmt.Errorf("%w: take the load off", drivers.ErrOverload)
	case "S -":
		return 0, fmt.Errorf("%w: put the pan on and zero the scale", drivers.ErrUnderload)
	case "S L":
		return 0, fmt.Errorf("%w: S L, parameter not allowed", ErrScale)
	}
	if err := refusal(line); err != nil {
		return 0, err
	}
	status, value, unit, ok := fields(line)
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: line %q is no answer of a scale", drivers.ErrProtocol, line)
	case status == "D":
		return 0, fmt.Errorf("%w: the load moves", drivers.ErrUnstable)
	}
	return nonNegative(drivers.ParseWeight(value, unit))
}

// refusal returns the error of a line that refuses any command of MT-SICS.
func refusal(line string) error {
	switch line {
	case "ES":
		return fmt.Errorf("%w: ES, command not known; set the scale to MT-SICS", ErrScale)
	case "ET":
		return fmt.Errorf("%w: ET, transmission error; check baud rate and parity", ErrScale)
	case "EL":
		return fmt.Errorf("%w: EL, it cannot do that now", ErrScale)
	}
	return nil
}

// nonNegative passes a weight on if it can be one.
func nonNegative(w drivers.Weight, err error) (drivers.Weight, error) {
	switch {
	case errors.Is(err, drivers.ErrUnit), errors.Is(err, drivers.ErrPrecision), errors.Is(err, drivers.ErrOverload):
		return 0, err
	case err != nil:
		return 0, fmt.Errorf("%w: %w", drivers.ErrProtocol, err)
	case w < 0:
		return 0, fmt.Errorf("%w: %v, zero the scale with nothing on it", drivers.ErrNegative, w)
	}
	return w, nil
}

// fields takes "S S     100.00 g" apart: the command's name, a status, a value
// of ten characters or more with spaces in front, and a unit.
func fields(line string) (status, value, unit string, ok bool) {
	f := strings.Fields(line)
	if len(f) != 4 || f[0] != "S" || (f[1] != "S" && f[1] != "D") || !strings.HasPrefix(line, "S "+f[1]+" ") {
		return "", "", "", false
	}
	return f[1], f[2], f[3], true
}
