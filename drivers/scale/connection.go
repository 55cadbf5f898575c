package scale

import (
	"context"
	"errors"
	"os"
	"time"

	"traveler.example/drivers"
)

// connection is an open port with a scale behind it.
type connection struct {
	port  drivers.Port
	lines Lines
	ready []string
	buf   [256]byte
}

// line returns the next line, or os.ErrDeadlineExceeded, or ctx's error.
func (c *connection) line(ctx context.Context, deadline time.Time) (string, error) {
	for len(c.ready) == 0 {
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if !now.Before(deadline) {
			return "", os.ErrDeadlineExceeded
		}
		slice := now.Add(readSlice)
		if deadline.Before(slice) {
			slice = deadline
		}
		if err := c.read(slice); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return "", err
		}
	}
	line := c.ready[0]
	c.ready = c.ready[1:]
	return line, nil
}

// stale throws away what came unasked.
func (c *connection) stale() error {
	for range 16 { // a scale that never stops talking is met by the answers that make no sense
		err := c.read(time.Now().Add(staleLimit))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
	}
	c.ready, c.lines = nil, Lines{}
	return nil
}

func (c *connection) read(deadline time.Time) error {
	if err := c.port.SetReadDeadline(deadline); err != nil {
		return err
	}
	n, err := c.port.Read(c.buf[:])
	c.ready = append(c.ready, c.lines.Feed(c.buf[:n])...)
	if n > 0 {
		return nil
	}
	return err
}

func (c *connection) send(command string) error {
	_, err := c.port.Write([]byte(command + "\r\n"))
	return err
}
