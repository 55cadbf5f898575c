package scale

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"traveler.example/drivers"
)

// pollPause is the time between looks at a load that moves; a line takes up to
// 70 ms at 2400 baud.
const pollPause = 150 * time.Millisecond

// codeAK is how scales of A&D acknowledge a command, if they are set to do so.
const codeAK = "\x06"

// ParseStandard reads a line of A&D's standard format, such as
//
//	ST,+00123.45  g
//
// and returns a stable weight of zero or more: a header of two letters, a sign and
// digits, and a unit in three characters. Everything else is an error:
// drivers.ErrUnstable for the header US and the error EC,E11; ErrOverload for OL
// whatever digits follow, since models differ in them, and ErrUnderload if these
// are negative; ErrUnit for QT, a count; ErrScale for other errors; ErrProtocol
// for what the format does not know.
func ParseStandard(line string) (drivers.Weight, error) {
	if adRefusal(line) {
		return 0, adError(line)
	}
	header, body, ok := strings.Cut(line, ",")
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: line %q is not in A&D's standard format; set the scale to it (MF, DP and others are different)", drivers.ErrProtocol, line)
	case header == "OL" && strings.HasPrefix(body, "-"):
		return 0, fmt.Errorf("%w: put the pan on and zero the scale", drivers.ErrUnderload)
	case header == "OL":
		return 0, fmt.Errorf("%w: take the load off", drivers.ErrOverload)
	case header == "QT":
		return 0, fmt.Errorf("%w: the scale counts pieces, set it to weigh", drivers.ErrUnit)
	case header == "US":
		return 0, fmt.Errorf("%w: the load moves", drivers.ErrUnstable)
	case header != "ST" || len(body) < 5 || body[0] != '+' && body[0] != '-':
		return 0, fmt.Errorf("%w: line %q is not in A&D's standard format", drivers.ErrProtocol, line)
	}
	value, unit := body[:len(body)-3], body[len(body)-3:]
	return nonNegative(drivers.ParseWeight(value, strings.TrimLeft(unit, " ")))
}

// adRefusal reports whether a line says that a command was not carried out.
func adRefusal(line string) bool {
	return line == "?" || line == "I" || strings.HasPrefix(line, "EC,")
}

func adError(line string) error {
	switch line {
	case "?", "EC,E01":
		return fmt.Errorf("%w: %s, command not known", ErrScale, line)
	case "I", "EC,E02":
		return fmt.Errorf("%w: %s, it cannot do that now", ErrScale, line)
	case "EC,E11":
		return fmt.Errorf("%w: %s, the load did not come to rest in time", drivers.ErrUnstable, line)
	}
	return fmt.Errorf("%w: error code %q", ErrScale, line)
}

// ad is A&D's standard format at work.
type ad struct{}

func (d ad) hello(ctx context.Context, c *connection) (string, error) {
	return "A&D standard format", d.present(ctx, c, 1)
}

func (d ad) ping(ctx context.Context, c *connection) error { return d.present(ctx, c, attempts) }

// present asks for a reading, whatever it says.
func (d ad) present(ctx context.Context, c *connection, times int) error {
	line, err := d.question(ctx, c, times)
	if err != nil {
		return err
	}
	if _, err := ParseStandard(line); errors.Is(err, drivers.ErrProtocol) || errors.Is(err, ErrScale) {
		return fmt.Errorf("%w: it answered %q to Q", drivers.ErrProtocol, line)
	}
	return nil
}

// question sends Q and returns the answer. It is waited for even if nobody wants
// it any more: come later, it would pass for the answer to the next one.
func (ad) question(run context.Context, c *connection, times int) (string, error) {
	for range times {
		if err := c.stale(); err != nil {
			return "", err
		}
		if err := c.send("Q"); err != nil {
			return "", err
		}
		deadline := time.Now().Add(answerLimit)
		for {
			line, err := c.line(run, deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil || line != codeAK { // a late acknowledgement answers no question
				return line, err
			}
		}
	}
	return "", fmt.Errorf("%w: nothing came back for %d times Q; check cable, baud rate, parity and that it is set to A&D's standard format", drivers.ErrSilent, times)
}

func (d ad) do(run context.Context, r request, c *connection, patience time.Duration) (_ drivers.Weight, err, lost error) {
	switch r.action {
	case weigh:
		return d.poll(run, r.ctx, c, patience, weighed)
	case zero, tare:
		command := map[action]string{zero: "Z", tare: "T"}[r.action]
		err, lost := d.order(run, c, command)
		// Many are set not to answer commands. What they show then tells.
		if err != nil && !errors.Is(err, drivers.ErrSilent) {
			return 0, err, lost
		}
		_, err, lost = d.poll(run, r.ctx, c, patience, wentToZero)
		return 0, err, lost
	}
	err, lost = d.order(run, c, "CT")
	return 0, err, lost
}

// order sends a command and waits for its echo or code. Where the load has to
// rest first, that says only that the command has come.
func (ad) order(run context.Context, c *connection, command string) (err, lost error) {
	if err := c.stale(); err != nil {
		return err, err
	}
	if err := c.send(command); err != nil {
		return err, err
	}
	deadline := time.Now().Add(answerLimit)
	for {
		line, err := c.line(run, deadline)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w: %s was not acknowledged; set it to send codes (erCd 1)", drivers.ErrSilent, command), nil
		case run.Err() != nil:
			return drivers.ErrDown, nil
		case err != nil:
			return err, err
		case line == command, line == codeAK:
			return nil, nil
		case adRefusal(line):
			return adError(line), nil
		}
	}
}

// verdict judges a reading: is it what was waited for, or should another be asked
// for until there is no more patience.
type verdict func(drivers.Weight, error) (again bool, err error)

// weighed waits for a load to come to rest.
func weighed(_ drivers.Weight, err error) (bool, error) {
	return errors.Is(err, drivers.ErrUnstable), err
}

// wentToZero waits for the display to go to zero.
func wentToZero(w drivers.Weight, err error) (bool, error) {
	if errors.Is(err, drivers.ErrNegative) || err == nil && w != 0 {
		return true, fmt.Errorf("%w: it did not go to zero", ErrScale)
	}
	return errors.Is(err, drivers.ErrUnstable), err
}

// poll asks for readings until one is as wanted.
func (d ad) poll(run, request context.Context, c *connection, patience time.Duration, judge verdict) (_ drivers.Weight, err, lost error) {
	deadline := time.Now().Add(patience)
	for {
		line, err := d.question(run, c, attempts)
		switch {
		case run.Err() != nil:
			return 0, drivers.ErrDown, nil
		case err != nil:
			return 0, err, err
		case request.Err() != nil:
			return 0, request.Err(), nil
		}
		weight, err := ParseStandard(line)
		again, err := judge(weight, err)
		if !again {
			return weight, err, nil
		}
		if !time.Now().Before(deadline) {
			return 0, fmt.Errorf("%w, not within %v", err, patience), nil
		}
		pause(run, request)
	}
}

// pause waits a moment, or for the end of either context.
func pause(run, request context.Context) {
	t := time.NewTimer(pollPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-run.Done():
	case <-request.Done():
	}
}
