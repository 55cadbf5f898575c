package pn532

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
	// nackLimit is how often one response is asked for again.
	nackLimit = 3
	// quiet is how long a line has to be silent to count as drained.
	quiet = 20 * time.Millisecond
	// drainLimit bounds draining when a device never stops talking.
	drainLimit = 150 * time.Millisecond
)

// ackWaits are the times to wait for the ACK of a command before it is sent
// again. UM0701-02 (6.2.2) demands 15 ms at first; the later ones are for
// adapters that hold bytes back (FTDI: 16 ms) and for a busy host.
var ackWaits = [...]time.Duration{15 * time.Millisecond, 30 * time.Millisecond, 60 * time.Millisecond, 120 * time.Millisecond}

// addressed is a port whose chip has to be asked for what it says, and wakes by
// being asked.
type addressed interface {
	Wake() error
	// Expect says how long the next frames may be.
	Expect(n int)
	// interrupts reports whether the chip is to say on a pin that it is ready.
	interrupts() bool
}

// link exchanges commands and responses with the chip over a port. One
// goroutine owns it.
type link struct {
	port     drivers.Port
	parser   Parser
	in       [512]byte
	out      []byte
	pending  []Frame
	bus      addressed   // the port, if it is such a one; else nil
	patience int         // which of ackWaits comes first
	at       time.Time   // when the newest bytes came
	echo     time.Time   // until when answers to commands that were sent twice may come
	guard    *time.Timer // closes the port under a write that is stuck
	fired    chan struct{}
	stuck    bool // the guard has fired
}

func newLink(port drivers.Port) *link {
	l := &link{port: port, out: make([]byte, 0, maxFrame+len(wakeUp)), fired: make(chan struct{})}
	l.bus, _ = port.(addressed)
	l.guard = time.AfterFunc(time.Hour, func() {
		defer close(l.fired)
		_ = port.Close() // the write that it ends reports
	})
	l.guard.Stop()
	return l
}

// wake wakes the chip, or returns what has to come before the next command to
// wake it.
func (l *link) wake() (preamble []byte, err error) {
	if l.bus != nil {
		return nil, l.bus.Wake()
	}
	return wakeUp, nil
}

// close closes the port and waits for the guard if it is at work.
func (l *link) close() {
	_ = l.port.Close() // nothing is left that its error could change
	if l.stuck {
		<-l.fired
	}
}

// exchange sends a command (code and parameters, without TFI) and returns the
// parameters of its response, valid until the next call. It sends the command
// again when no ACK comes, asks again for a response that came damaged, and
// waits at most timeout for the response.
func (l *link) exchange(ctx context.Context, timeout time.Duration, preamble []byte, cmd ...byte) ([]byte, error) {
	if err := l.drain(ctx, l.echo); err != nil {
		return nil, fmt.Errorf("command %02X: %w", cmd[0], err)
	}
	first := time.Now()
	again, err := l.command(ctx, preamble, cmd)
	if err != nil {
		return nil, fmt.Errorf("command %02X: %w", cmd[0], err)
	}
	answer, err := l.response(cmd[0], timeout)
	if !again.IsZero() {
		// The chip may answer each of them, as late as it did the first.
		l.echo = again.Add(time.Since(first) + quiet)
	}
	if err != nil {
		return nil, fmt.Errorf("command %02X: %w", cmd[0], err)
	}
	return answer, nil
}

// drain throws away what comes until a time: an answer to an older command
// would pass for that to the next.
func (l *link) drain(ctx context.Context, end time.Time) error {
	for ctx.Err() == nil && time.Now().Before(end) {
		if err := l.port.SetReadDeadline(end); err != nil {
			return err
		}
		if _, err := l.port.Read(l.in[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		l.parser.Reset()
		l.pending = nil
	}
	return ctx.Err()
}

// command sends a command until the chip acknowledges it. It returns when it was
// sent again for the last time; zero, if it was sent once.
func (l *link) command(ctx context.Context, preamble, cmd []byte) (again time.Time, err error) {
	frame, err := appendCommand(append(l.out[:0], preamble...), cmd)
	if err != nil {
		return again, err
	}
	l.out = frame
	if l.bus != nil {
		l.bus.Expect(longestFrame(cmd))
	}
	for try := range ackWaits {
		if err := ctx.Err(); err != nil {
			return again, err
		}
		// What came before this command answers an older one.
		l.pending = nil
		if try > 0 {
			again = time.Now()
		}
		if err := l.write(frame); err != nil {
			return again, err
		}
		sent, wait := time.Now(), min(l.patience+try, len(ackWaits)-1)
		err := l.ack(sent.Add(ackWaits[wait]))
		if err == nil {
			l.learn(wait, time.Since(sent))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errAgain) {
			return again, err
		}
	}
	return again, fmt.Errorf("%w: no ACK after %d attempts", drivers.ErrSilent, len(ackWaits))
}

// learn adapts the first wait to the line: without it, every command on a line
// with a latency above 15 ms would be sent twice for ever.
func (l *link) learn(wait int, took time.Duration) {
	switch {
	case wait > l.patience:
		l.patience = min(wait, len(ackWaits)-2)
	case l.patience > 0 && took < ackWaits[l.patience-1]:
		l.patience--
	}
}

// longestFrame is how long the frame of an answer may be. Where bytes have to be
// fetched, those that never come cost time.
func longestFrame(cmd []byte) int {
	const around = 8 + 3 + 16 // header and checksums, frame identifier, code and status, and some noise in front
	switch cmd[0] {
	case cmdInListPassiveTarget:
		return around + maxTargets*(5+10) // the longest identifiers
	case cmdInDataExchange:
		return around + 16
	case cmdInCommunicateThru:
		return maxFrame
	}
	return around + 8
}

func appendCommand(dst, cmd []byte) ([]byte, error) {
	if len(cmd) >= maxData {
		return dst, ErrFrameSize
	}
	var data [maxData]byte
	data[0] = tfiHost
	return AppendFrame(dst, data[:1+copy(data[1:], cmd)]...)
}

// errAgain: the chip asks for the command again.
var errAgain = errors.New("chip asks for the command again")

func (l *link) ack(deadline time.Time) error {
	for {
		f, err := l.next(deadline)
		if err != nil {
			return err
		}
		switch f.Kind {
		case FrameAck:
			return nil
		case FrameNack:
			return errAgain
		case FrameError:
			return errSyntax
		}
	}
}

// errNoResponse: the chip took a command and does not end it.
var errNoResponse = fmt.Errorf("%w: ACK but no response", drivers.ErrSilent)

var errSyntax = fmt.Errorf("%w: it reports a syntax error", drivers.ErrProtocol)

func (l *link) response(code byte, timeout time.Duration) ([]byte, error) {
	deadline := time.Now().Add(timeout)
	for nacks := 0; ; nacks++ {
		data, damaged, err := l.await(code, deadline)
		switch {
		case err == nil:
			return data, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		case damaged && nacks < nackLimit:
			if err := l.write(nackFrame); err != nil {
				return nil, err
			}
			deadline = time.Now().Add(timeout)
		case damaged || nacks > 0:
			return nil, fmt.Errorf("%w: no response came undamaged in %d attempts", drivers.ErrProtocol, nacks+1)
		default:
			return nil, fmt.Errorf("%w within %v", errNoResponse, timeout)
		}
	}
}

// await returns the response to the command code, or os.ErrDeadlineExceeded. A
// damaged frame may be noise in front of the true one, so it only shortens the
// wait: damaged says that there was one.
func (l *link) await(code byte, deadline time.Time) (data []byte, damaged bool, err error) {
	for {
		f, err := l.next(deadline)
		switch {
		case err != nil:
			return nil, damaged, err
		case f.Kind == FrameError:
			return nil, damaged, errSyntax
		case f.Kind == FrameData && len(f.Data) >= 2 && f.Data[0] == tfiChip && f.Data[1] == code+1:
			return f.Data[2:], damaged, nil
		case f.Kind == FrameCorrupt && !damaged:
			damaged = true
			if soon := time.Now().Add(quiet); soon.Before(deadline) {
				deadline = soon
			}
		}
	}
}

// next returns the next frame, or os.ErrDeadlineExceeded.
func (l *link) next(deadline time.Time) (Frame, error) {
	for len(l.pending) == 0 {
		if err := l.port.SetReadDeadline(deadline); err != nil {
			return Frame{}, err
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
			return Frame{}, err
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
		return fmt.Errorf("%w: it takes no bytes", drivers.ErrSilent)
	}
	return err
}

// resync aborts whatever the chip is doing and throws away what it still says.
func (l *link) resync(ctx context.Context) error {
	if err := l.write(ackFrame); err != nil {
		return err
	}
	end := time.Now().Add(drainLimit)
	for ctx.Err() == nil && time.Now().Before(end) {
		if err := l.port.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return err
		}
		if _, err := l.port.Read(l.in[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return err
		}
	}
	l.parser.Reset()
	l.pending = nil
	return ctx.Err()
}
