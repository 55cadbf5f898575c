package m100

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"traveler.example/drivers"
)

const (
	// writeLimit bounds one write: no frame takes longer on the slowest line
	// that is worth using, so a write that does is stuck.
	writeLimit = 400 * time.Millisecond
	// answerLimit is for commands that the module answers from its head, or after
	// the round of polling that is under way.
	answerLimit = 150 * time.Millisecond
	// attempts is how often a command is sent before the module counts as silent.
	// The first one is lost on a module that sleeps.
	attempts = 3
	// quiet is how long a line has to be silent to count as drained.
	quiet = 20 * time.Millisecond
	// drainLimit bounds draining when a device never stops talking.
	drainLimit = 150 * time.Millisecond
)

// link exchanges commands and responses with the module over a port. One
// goroutine owns it.
type link struct {
	port    drivers.Port
	framing Framing
	parser  Parser
	in      [512]byte
	out     []byte
	pending []Frame
	at      time.Time   // when the newest bytes came
	notice  func(Frame) // takes what a poll says while a response is awaited; nil drops it
	late    bool        // a command went unanswered: its answer may still come
	lost    error       // the port's own error, after which it is of no more use
	guard   *time.Timer // closes the port under a write that is stuck
	fired   chan struct{}
	stuck   bool // the guard has fired
}

func newLink(port drivers.Port) *link {
	l := &link{port: port, framing: FramingBB, out: make([]byte, 0, maxFrame), fired: make(chan struct{})}
	l.guard = time.AfterFunc(time.Hour, func() {
		defer close(l.fired)
		_ = port.Close() // the write that it ends reports
	})
	l.guard.Stop()
	return l
}

// close closes the port and waits for the guard if it is at work.
func (l *link) close() {
	_ = l.port.Close() // nothing is left that its error could change
	if l.stuck {
		<-l.fired
	}
}

// exchange sends a command and returns the parameters of its response, valid
// until the next call. It sends the command again when no response comes within
// limit. A Failure of the module is an error.
func (l *link) exchange(ctx context.Context, limit time.Duration, cmd byte, params ...byte) ([]byte, error) {
	if l.late {
		if err := l.drain(ctx); err != nil {
			return nil, err
		}
	}
	for range attempts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// What came before this command answers an older one.
		l.hand()
		if err := l.send(cmd, params...); err != nil {
			return nil, fmt.Errorf("command %02X: %w", cmd, err)
		}
		answer, err := l.await(cmd, time.Now().Add(limit))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.late = true
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("command %02X: %w", cmd, err)
		}
		return answer, nil
	}
	return nil, fmt.Errorf("command %02X: %w: nothing came back in %d attempts", cmd, drivers.ErrSilent, attempts)
}

// send sends a command without waiting for anything.
func (l *link) send(cmd byte, params ...byte) error {
	frame, err := AppendFrame(l.out[:0], Frame{Framing: l.framing, Command: cmd, Params: params})
	if err != nil {
		return err
	}
	l.out = frame
	return l.write(frame)
}

// await returns the response to cmd, or os.ErrDeadlineExceeded.
func (l *link) await(cmd byte, deadline time.Time) ([]byte, error) {
	for {
		f, err := l.next(deadline)
		switch {
		case err != nil:
			return nil, err
		case f.Type == TypeResponse && answers(cmd, f):
			if f.Command != failed {
				return f.Params, nil
			}
			return f.Params, Failure(f.Params[0])
		default:
			l.give(f)
		}
	}
}

// answers reports whether a response belongs to cmd. That a poll found nothing
// is no answer to anything else, and select mode is answered with the code of
// select by some modules (as protocol V2.1, 4.6.2, prints it).
func answers(cmd byte, f Frame) bool {
	switch {
	case f.Command == failed:
		return len(f.Params) > 0 && (Failure(f.Params[0]) != FailureInventory || cmd == cmdPoll)
	case cmd == cmdSelectMode && f.Command == cmdSelect:
		return true
	}
	return f.Command == cmd
}

// hand gives away what came with the last response.
func (l *link) hand() {
	for len(l.pending) > 0 {
		f := l.pending[0]
		l.pending = l.pending[1:]
		l.give(f)
	}
}

func (l *link) give(f Frame) {
	if l.notice != nil {
		l.notice(f)
	}
}

// next returns the next frame, or os.ErrDeadlineExceeded.
func (l *link) next(deadline time.Time) (Frame, error) {
	for len(l.pending) == 0 {
		if err := l.port.SetReadDeadline(deadline); err != nil {
			return Frame{}, l.fail(err)
		}
		n, err := l.port.Read(l.in[:])
		switch {
		case n > 0:
			l.at = time.Now()
			l.pending = l.parser.Feed(l.in[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			if l.pending = l.parser.Flush(); len(l.pending) == 0 {
				return Frame{}, err
			}
		case err != nil:
			return Frame{}, l.fail(err)
		}
	}
	f := l.pending[0]
	l.pending = l.pending[1:]
	return f, nil
}

func (l *link) write(b []byte) error {
	l.guard.Reset(writeLimit)
	_, err := l.port.Write(b)
	if !l.guard.Stop() {
		l.stuck = true
		return l.fail(fmt.Errorf("%w: it takes no bytes", drivers.ErrSilent))
	}
	if err != nil {
		return l.fail(err)
	}
	return nil
}

func (l *link) fail(err error) error {
	l.lost = err
	return err
}

// drain throws away what the module still says.
func (l *link) drain(ctx context.Context) error {
	end := time.Now().Add(drainLimit)
	for ctx.Err() == nil && time.Now().Before(end) {
		if err := l.port.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return l.fail(err)
		}
		if _, err := l.port.Read(l.in[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return l.fail(err)
		}
	}
	l.parser.Reset()
	l.pending = nil
	l.late = false
	return ctx.Err()
}
