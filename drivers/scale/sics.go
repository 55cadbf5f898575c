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

// sics is MT-SICS at work.
type sics struct{}

func (d sics) hello(ctx context.Context, c *connection) (string, error) {
	serial, err := d.ask(ctx, c, "@", 1)
	return "MT-SICS " + serial, err
}

func (d sics) ping(ctx context.Context, c *connection) error {
	_, err := d.ask(ctx, c, "I4", attempts)
	return err
}

// ask sends a command that the scale answers with its serial number, I4, and
// returns that. Other lines that come before are of older commands.
func (sics) ask(ctx context.Context, c *connection, command string, times int) (string, error) {
	for range times {
		if err := c.send(command); err != nil {
			return "", err
		}
		deadline := time.Now().Add(answerLimit)
		for {
			line, err := c.line(ctx, deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return "", err
			}
			if serial, ok := strings.CutPrefix(line, "I4 A "); ok {
				return strings.Trim(serial, `"`), nil
			}
			if adRefusal(line) {
				return "", fmt.Errorf("%w: it answered %q to %s, as a scale of A&D does", drivers.ErrProtocol, line, command)
			}
		}
	}
	return "", fmt.Errorf("%w: nothing came back for %d times %s; check cable, baud rate and that it is set to MT-SICS", drivers.ErrSilent, times, command)
}

func (d sics) do(run context.Context, r request, c *connection, patience time.Duration) (_ drivers.Weight, err, lost error) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	defer context.AfterFunc(run, func() { cancel(drivers.ErrDown) })()
	if err := c.stale(); err != nil {
		return 0, err, err
	}
	command := map[action]string{weigh: "S", zero: "Z", tare: "T", clearTare: "TAC"}[r.action]
	if err := c.send(command); err != nil {
		return 0, err, err
	}
	line, err := d.answer(ctx, c, time.Now().Add(patience))
	if err == nil && r.action == weigh {
		weight, err := ParseWeight(line)
		return weight, err, nil
	}
	if err == nil {
		return 0, parseDone(command, line), nil
	}
	timeout := errors.Is(err, os.ErrDeadlineExceeded)
	if !timeout && ctx.Err() == nil {
		return 0, err, err
	}
	// The scale may still wait for its load: cancel, and see whether it is there.
	if _, lost = d.ask(run, c, "@", attempts); lost != nil && run.Err() == nil {
		return 0, lost, lost
	}
	if timeout {
		return 0, fmt.Errorf("%w: the load did not come to rest within %v", drivers.ErrUnstable, patience), nil
	}
	return 0, context.Cause(ctx), nil
}

// answer returns the next line that can answer a command other than @ and I4.
func (sics) answer(ctx context.Context, c *connection, deadline time.Time) (string, error) {
	for {
		line, err := c.line(ctx, deadline)
		if err != nil || !strings.HasPrefix(line, "I4 ") {
			return line, err
		}
	}
}

// parseDone reads the answer to Z, T or TAC, such as "Z A" or "T S 10.00 g".
func parseDone(command, line string) error {
	if err := refusal(line); err != nil {
		return err
	}
	status, ok := strings.CutPrefix(line, command+" ")
	switch {
	case !ok:
	case status == "A", command == "T" && strings.HasPrefix(status, "S "):
		return nil
	case status == "I":
		return fmt.Errorf("%w: the load did not come to rest in time, or the scale is busy", drivers.ErrUnstable)
	case status == "+":
		return fmt.Errorf("%w: too much lies on it for %s", drivers.ErrOverload, command)
	case status == "-":
		return fmt.Errorf("%w: too little lies on it for %s", drivers.ErrUnderload, command)
	case status == "L":
		return fmt.Errorf("%w: %s, parameter not allowed", ErrScale, line)
	}
	return fmt.Errorf("%w: line %q does not answer %s", drivers.ErrProtocol, line, command)
}
