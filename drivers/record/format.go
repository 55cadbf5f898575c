// Package record writes down what passes between a driver and its device, and
// plays it back: a session with hardware becomes a test that needs none.
//
// A recording is text, one exchange a line: the time since its beginning in
// seconds, a mark, and bytes in hex.
//
//	traveler recording 1
//	# PN532 v1.6, two tags
//	0.000000 +
//	0.000412 > 55550000000000000000000000000000 0000FF03FDD414011700
//	0.001893 < 0000FF00FF00
//	2.103311 ! device was unplugged
//	2.304000 ! open serial port "/dev/reader": no such file or directory
//	2.806120 +
//	3.100000 -
//
// + is a port that was opened, > what the driver wrote, < what it read, ! the
// loss of the port or why it could not be opened, and - that the driver closed
// it. Times never go back. Spaces between bytes, empty lines and lines that
// begin with # mean nothing. Pieces of at most MaxData bytes stand on a line.
package record

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	header = "traveler recording 1"

	// MaxData is the most bytes of one exchange.
	MaxData = 1024
	// MaxExchanges is the most of them in a recording: half an hour of a reader that
	// is asked 20 times a second.
	MaxExchanges = 200_000

	maxLine = 4 * MaxData
	maxText = 256
)

// ErrFormat: a recording is not in the form of this package. It is wrapped with
// the number of the line.
var ErrFormat = errors.New("recording is damaged")

// Mark says what an exchange is.
type Mark byte

// The marks.
const (
	Opened   Mark = '+' // the port was opened
	Wrote    Mark = '>' // the driver wrote Data
	Received Mark = '<' // the driver read Data
	Lost     Mark = '!' // the port was lost, or could not be opened; Text says why
	Closed   Mark = '-' // the driver closed the port
)

// Exchange is one line of a recording.
type Exchange struct {
	At   time.Duration // since the beginning, in whole microseconds
	Mark Mark
	Data []byte
	Text string
}

// String writes the exchange as a line, without its end.
func (e Exchange) String() string {
	s := fmt.Sprintf("%d.%06d %c", e.At/time.Second, e.At%time.Second/time.Microsecond, e.Mark)
	switch e.Mark {
	case Wrote, Received:
		s += " " + strings.ToUpper(hex.EncodeToString(e.Data))
	case Lost:
		if text := printable(e.Text); text != "" {
			s += " " + text
		}
	}
	return s
}

// printable makes text fit on a line.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	for len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.Join(strings.Fields(text), " ")
}

// Parse reads a recording. Its errors wrap ErrFormat and name the line, unless
// they are those of r.
func Parse(r io.Reader) ([]Exchange, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var all []Exchange
	var c checker
	number := 0
	for lines.Scan() {
		number++
		text := strings.TrimSpace(lines.Text())
		if number == 1 {
			if text != header {
				return nil, fmt.Errorf("%w: line 1 is %.40q, it has to be %q", ErrFormat, text, header)
			}
			continue
		}
		if text == "" || text[0] == '#' {
			continue
		}
		e, err := parseLine(text)
		if err == nil {
			err = c.check(e)
		}
		if err == nil && len(all) == MaxExchanges {
			err = fmt.Errorf("more than %d exchanges", MaxExchanges)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, number, err)
		}
		all = append(all, e)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%w: line %d is longer than %d characters", ErrFormat, number+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("read recording: %w", err)
	case number == 0:
		return nil, fmt.Errorf("%w: it is empty, line 1 has to be %q", ErrFormat, header)
	}
	return all, nil
}

func parseLine(text string) (Exchange, error) {
	when, rest, _ := strings.Cut(text, " ")
	at, err := parseTime(when)
	if err != nil {
		return Exchange{}, err
	}
	mark, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if len(mark) != 1 || !strings.Contains("+><!-", mark) {
		return Exchange{}, fmt.Errorf("mark %.10q, there are: + > < ! -", mark)
	}
	e := Exchange{At: at, Mark: Mark(mark[0])}
	switch e.Mark {
	case Lost:
		e.Text = printable(rest)
	case Wrote, Received:
		if e.Data, err = hex.DecodeString(strings.ReplaceAll(rest, " ", "")); err != nil {
			return Exchange{}, fmt.Errorf("bytes %.20q are not hexadecimal", rest)
		}
		if len(e.Data) == 0 || len(e.Data) > MaxData {
			return Exchange{}, fmt.Errorf("%d bytes, 1 to %d are possible", len(e.Data), MaxData)
		}
	default:
		if rest != "" {
			return Exchange{}, fmt.Errorf("%.20q after the mark %s, which ends the line", rest, mark)
		}
	}
	return e, nil
}

// parseTime reads seconds with six decimals.
func parseTime(text string) (time.Duration, error) {
	whole, part, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseUint(whole, 10, 63)
	if err == nil && len(part) == 6 && seconds < math.MaxInt64/uint64(time.Second) {
		var micros uint64
		if micros, err = strconv.ParseUint(part, 10, 63); err == nil {
			return time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond, nil
		}
	}
	return 0, fmt.Errorf("time %.30q, write seconds with six decimals like 0.065000", text)
}

// checker holds exchanges to their order.
type checker struct {
	at   time.Duration
	open bool
}

func (c *checker) check(e Exchange) error {
	if e.At < c.at {
		return fmt.Errorf("time goes back from %v to %v", c.at, e.At)
	}
	c.at = e.At
	switch {
	case e.Mark == Opened && c.open:
		return errors.New("the port is opened while it is open")
	case e.Mark != Opened && e.Mark != Lost && !c.open:
		return fmt.Errorf("mark %c while no port is open", e.Mark)
	}
	c.open = e.Mark == Opened || c.open && (e.Mark == Wrote || e.Mark == Received)
	return nil
}
