package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"traveler.example/drivers"
)

// ErrDeviates: the driver did something else than the recording says.
var ErrDeviates = errors.New("driver deviates from the recording")

// slack is how much later than its deadline a recorded read may have come: the
// host was busy. Had the deadline counted, something else would come next.
const slack = 5 * time.Millisecond

// Player is an opener that plays a recording: what the driver writes has to be
// what was written, byte for byte, and it reads what was read, in the same order
// and at the same pace. In a bubble of testing/synctest that takes no time at
// all. A read for which the recording has nothing ends at its deadline.
//
// A recording that ends while the port is open says nothing of what comes after:
// the device falls silent then, and takes whatever is written. So cut one before
// its driver was ended, if that driver takes leave of its device.
type Player struct {
	done chan struct{}

	mu       sync.Mutex
	rest     []Exchange
	used     int // bytes of rest[0] that have passed
	now      time.Duration
	nowAt    time.Time // when the recording was at now; zero before the first
	total    int
	port     *playedPort // the open one
	deviated error
}

// NewPlayer returns a player of a recording.
func NewPlayer(recording []Exchange) *Player {
	p := &Player{done: make(chan struct{}), rest: recording, total: len(recording)}
	p.finish()
	return p
}

// Done is closed once the driver has done all that the recording says, but for
// closing the port at its end, or has deviated from it.
func (p *Player) Done() <-chan struct{} { return p.done }

// Close ends playing. It returns how the driver deviated (ErrDeviates), also if
// by leaving something out.
func (p *Player) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deviated == nil && !p.over() {
		p.deviate("%d exchanges were not reached, the next is %v", len(p.rest), p.rest[0])
	}
	return p.deviated
}

// Open is the [drivers.Opener] to give to the driver.
func (p *Player) Open(ctx context.Context) (drivers.Port, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.port != nil {
		return nil, p.deviate("port is opened while it is open")
	}
	next, ok := p.next()
	if !ok || next.Mark != Opened && next.Mark != Lost {
		return nil, p.deviate("port is opened")
	}
	if err := p.until(ctx.Done(), next.At); err != nil {
		return nil, ctx.Err()
	}
	p.pass()
	if next.Mark == Lost {
		return nil, errors.New(next.Text)
	}
	p.port = &playedPort{player: p, closed: make(chan struct{})}
	return p.port, nil
}

// next returns the exchange that is due.
func (p *Player) next() (Exchange, bool) {
	if p.deviated != nil || len(p.rest) == 0 {
		return Exchange{}, false
	}
	return p.rest[0], true
}

// pass goes on to the next exchange.
func (p *Player) pass() {
	p.now, p.nowAt = p.rest[0].At, time.Now()
	p.rest, p.used = p.rest[1:], 0
	p.finish()
}

// over reports whether nothing is left but closing the port.
func (p *Player) over() bool {
	return len(p.rest) == 0 || len(p.rest) == 1 && p.rest[0].Mark == Closed
}

func (p *Player) finish() {
	if p.over() || p.deviated != nil {
		select {
		case <-p.done:
		default:
			close(p.done)
		}
	}
}

// due returns when the exchange at a time of the recording is due now.
func (p *Player) due(at time.Duration) time.Time {
	if p.nowAt.IsZero() {
		p.now, p.nowAt = at, time.Now()
	}
	return p.nowAt.Add(at - p.now)
}

var errInterrupted = errors.New("interrupted")

// until waits until the recording is at a time, with the lock let go meanwhile.
func (p *Player) until(interrupt <-chan struct{}, at time.Duration) error {
	left := time.Until(p.due(at))
	p.mu.Unlock()
	defer p.mu.Lock()
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-interrupt:
		return errInterrupted
	}
}

// deviate notes the first deviation and returns it.
func (p *Player) deviate(format string, args ...any) error {
	if p.deviated == nil {
		what := fmt.Sprintf(format, args...)
		if len(p.rest) > 0 {
			what += fmt.Sprintf("; exchange %d is %v", p.total-len(p.rest)+1, p.rest[0])
		} else {
			what += fmt.Sprintf(" after the last of %d exchanges", p.total)
		}
		p.deviated = fmt.Errorf("%w: %s", ErrDeviates, what)
		p.finish()
	}
	return p.deviated
}

// playedPort is a port of a player.
type playedPort struct {
	player   *Player
	deadline time.Time
	once     sync.Once
	closed   chan struct{}
}

// SetReadDeadline implements [drivers.Port].
func (q *playedPort) SetReadDeadline(t time.Time) error {
	q.deadline = t
	return nil
}

// Read implements [drivers.Port].
func (q *playedPort) Read(b []byte) (int, error) {
	p := q.player
	p.mu.Lock()
	defer p.mu.Unlock()
	next, ok := p.next()
	if !ok || next.Mark != Received && next.Mark != Lost {
		return 0, q.silence()
	}
	if !q.deadline.IsZero() && p.due(next.At).Sub(q.deadline) > slack {
		return 0, q.silence()
	}
	if p.until(q.closed, next.At) != nil {
		return 0, drivers.ErrClosed
	}
	if next.Mark == Lost {
		p.pass()
		return 0, q.lose(next)
	}
	n := copy(b, next.Data[p.used:])
	if p.used += n; p.used == len(next.Data) {
		p.pass()
	}
	return n, nil
}

// silence waits for the deadline of a read that nothing answers.
func (q *playedPort) silence() error {
	q.player.mu.Unlock()
	defer q.player.mu.Lock()
	var expired <-chan time.Time
	if !q.deadline.IsZero() {
		t := time.NewTimer(time.Until(q.deadline))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-expired:
		return os.ErrDeadlineExceeded
	case <-q.closed:
		return drivers.ErrClosed
	}
}

// Write implements [drivers.Port].
func (q *playedPort) Write(b []byte) (int, error) {
	p := q.player
	p.mu.Lock()
	defer p.mu.Unlock()
	for sent := 0; sent < len(b); {
		next, ok := p.next()
		if len(p.rest) == 0 && p.deviated == nil {
			return len(b), nil
		}
		if !ok || next.Mark != Wrote && next.Mark != Lost {
			return sent, p.deviate("driver writes % X", b[sent:])
		}
		if p.until(q.closed, next.At) != nil {
			return sent, drivers.ErrClosed
		}
		if next.Mark == Lost {
			p.pass()
			return sent, q.lose(next)
		}
		n := min(len(b)-sent, len(next.Data)-p.used)
		if string(b[sent:sent+n]) != string(next.Data[p.used:p.used+n]) {
			return sent, p.deviate("driver writes % X, not % X", b[sent:sent+n], next.Data[p.used:p.used+n])
		}
		sent += n
		if p.used += n; p.used == len(next.Data) {
			p.pass()
		}
	}
	return len(b), nil
}

// lose ends the port as the recording says.
func (q *playedPort) lose(e Exchange) error {
	q.shut()
	return fmt.Errorf("%w: %s", drivers.ErrUnplugged, e.Text)
}

func (q *playedPort) shut() {
	q.once.Do(func() {
		close(q.closed)
		q.player.port = nil
	})
}

// Close implements [drivers.Port].
func (q *playedPort) Close() error {
	p := q.player
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.port != q {
		return nil
	}
	if next, ok := p.next(); ok && next.Mark == Closed {
		p.pass()
	} else if ok {
		p.deviate("driver closes the port")
	}
	q.shut()
	return nil
}
