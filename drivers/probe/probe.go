// Package probe finds out which device sits on a port that was named. It opens
// that port and no other.
//
// On a serial line it listens first, for some devices speak by themselves and
// hear nothing. Then it asks what changes nothing in any device: for a scale's
// serial number and reading, for a UHF module's and an NFC chip's version. Lines of
// text go before frames of bytes, since a scale may hold its tongue over the
// latter, while chips skip what is no frame of theirs. A device is believed only
// when a whole frame with a right checksum, or a line that only a scale says, came
// from it.
//
// Other ports are tried by drivers, one after the other ([Up]).
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"traveler.example/drivers"
)

// Finding is what sits on a serial line.
type Finding struct {
	Driver string         // the package that drives it: "pn532", "m100", "ascii125", "scale"
	Model  string         // what it says it is, as far as one answer tells
	Line   drivers.Serial // the settings at which it spoke
	// Spoke: it spoke by itself and was not asked.
	Spoke bool
}

// Serial is one serial port to look at.
type Serial struct {
	Path string
	// Open opens the port with certain settings; nil means [drivers.Serial.Open].
	Open func(ctx context.Context, line drivers.Serial) (drivers.Port, error)
	// Told is called with what is tried now, for people; it may be nil.
	Told func(text string)
}

// Unknown is the error of a port on which no device was recognised.
type Unknown struct {
	Path  string
	Heard int    // bytes that came, at all speeds together
	First []byte // the first of them, at most 16
	Line  drivers.Serial
	// Echo: what came is what was sent.
	Echo bool
}

// Error says what was heard.
func (e *Unknown) Error() string {
	switch {
	case e.Echo:
		return fmt.Sprintf("%s: only an echo of what was sent came back", e.Path)
	case e.Heard > 0:
		return fmt.Sprintf("%s: %d bytes came that are of no known device (at %d baud: % X)", e.Path, e.Heard, e.Line.Baud, e.First)
	}
	return fmt.Sprintf("%s: %v at any speed", e.Path, drivers.ErrSilent)
}

// Is reports whether target says the same: drivers.ErrSilent where nothing came,
// else drivers.ErrProtocol.
func (e *Unknown) Is(target error) bool {
	if e.Heard == 0 {
		return target == drivers.ErrSilent
	}
	return target == drivers.ErrProtocol
}

// Find looks for the device. It takes some ten seconds where nothing is found. The
// error is an [*Unknown], that of opening the port, or ctx's own.
func (s Serial) Find(ctx context.Context) (Finding, error) {
	if s.Open == nil {
		s.Open = func(ctx context.Context, line drivers.Serial) (drivers.Port, error) { return line.Open(ctx) }
	}
	unknown := &Unknown{Path: s.Path, Echo: true}
	for _, try := range tries() {
		line := try.line
		line.Path = s.Path
		if s.Told != nil {
			s.Told(fmt.Sprintf("%d baud", line.Baud))
		}
		found, ok, err := s.at(ctx, line, try, unknown)
		if err != nil || ok {
			found.Line = line
			return found, err
		}
	}
	unknown.Echo = unknown.Echo && unknown.Heard > 0
	return Finding{}, unknown
}

// at looks for the device at one setting of the line.
func (s Serial) at(ctx context.Context, line drivers.Serial, try try, unknown *Unknown) (Finding, bool, error) {
	port, err := s.Open(ctx, line)
	if err != nil {
		return Finding{}, false, err
	}
	defer port.Close()
	defer drivers.Guard(ctx, port, 0)()
	c := &call{port: port}
	defer func() { c.account(unknown, line) }()
	if found, ok, err := c.listen(ctx, try.listen); ok || err != nil {
		found.Spoke = ok
		return found, ok, err
	}
	for _, q := range try.ask {
		if _, err := port.Write(q.send); err != nil {
			return Finding{}, false, fmt.Errorf("write to %s: %w", s.Path, err)
		}
		c.sent = append(c.sent, q.send...)
		if found, ok, err := c.listen(ctx, q.wait); ok || err != nil {
			return found, ok, err
		}
	}
	return Finding{}, false, nil
}

// call is an open port, what was said on it and what came.
type call struct {
	port  drivers.Port
	ear   ear
	sent  []byte
	heard int
	first []byte
}

const (
	slice   = 50 * time.Millisecond // bounds one read, so that the end of a context is seen
	firsts  = 16
	longest = 64 << 10 // bytes taken in at one setting: a device that never stops is none of ours
)

// listen takes in what comes within d, until a device is recognised.
func (c *call) listen(ctx context.Context, d time.Duration) (Finding, bool, error) {
	buf := make([]byte, 512)
	for deadline := time.Now().Add(d); c.heard < longest; {
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return Finding{}, false, err
		}
		if !now.Before(deadline) {
			break
		}
		until := now.Add(slice)
		if deadline.Before(until) {
			until = deadline
		}
		if err := c.port.SetReadDeadline(until); err != nil {
			return Finding{}, false, err
		}
		n, err := c.port.Read(buf)
		if found, ok := c.hear(buf[:n]); ok {
			return found, true, nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, io.EOF):
			return Finding{}, false, drivers.ErrUnplugged
		case err != nil && ctx.Err() == nil:
			return Finding{}, false, err
		}
	}
	found, ok := c.ear.flush()
	return found, ok, nil
}

func (c *call) hear(b []byte) (Finding, bool) {
	if len(b) == 0 {
		return Finding{}, false
	}
	c.heard += len(b)
	if room := firsts - len(c.first); room > 0 {
		c.first = append(c.first, b[:min(room, len(b))]...)
	}
	return c.ear.hear(b)
}

// account adds what was heard in vain to the error.
func (c *call) account(u *Unknown, line drivers.Serial) {
	if c.heard == 0 {
		return
	}
	if u.Heard == 0 {
		u.First, u.Line = c.first, line
	}
	u.Heard += c.heard
	u.Echo = u.Echo && c.heard <= len(c.sent) && string(c.first) == string(c.sent[:min(len(c.first), len(c.sent))])
}

// Up runs a device until it comes up or fails, and returns what it is. The port is
// free again when it returns.
func Up(ctx context.Context, d drivers.Device) (info drivers.Info, err error) {
	err = drivers.Watch(ctx, d, func(e drivers.Event) (bool, error) {
		switch e.Kind {
		case drivers.Up:
			info = d.Info()
			return true, nil
		case drivers.Down:
			return false, e.Err
		}
		return false, nil
	})
	return info, err
}
