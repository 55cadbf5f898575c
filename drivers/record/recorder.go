package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"traveler.example/drivers"
)

// ErrFull: a recording has MaxExchanges and takes no more.
var ErrFull = errors.New("recording is full")

// Recorder is an opener that writes down what passes through the ports it opens.
// It holds no more than the exchange under way. It never disturbs the session:
// when it cannot write any more it stops, and [Recorder.Err] says why.
type Recorder struct {
	open drivers.Opener

	mu      sync.Mutex
	out     io.Writer
	started time.Time // of the first exchange
	last    time.Duration
	count   int
	err     error
}

// NewRecorder returns a recorder of the ports that open opens, which writes to
// out: one port at a time.
func NewRecorder(open drivers.Opener, out io.Writer) *Recorder {
	return &Recorder{open: open, out: out}
}

// Open is the [drivers.Opener] to give to the driver.
func (r *Recorder) Open(ctx context.Context) (drivers.Port, error) {
	p, err := r.open(ctx)
	if err != nil {
		r.note(time.Now(), Exchange{Mark: Lost, Text: err.Error()})
		return nil, err
	}
	r.note(time.Now(), Exchange{Mark: Opened})
	return &recordedPort{Port: p, recorder: r}, nil
}

// Err returns why recording stopped, if it did: ErrFull, or the error of the
// writer.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// note writes an exchange down, in pieces if it is long.
func (r *Recorder) note(now time.Time, e Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started.IsZero() {
		r.started = now
		r.write(header)
	}
	// Two goroutines may come out of order between their clock and the lock.
	e.At = max(now.Sub(r.started).Truncate(time.Microsecond), r.last)
	r.last = e.At
	for rest := e.Data; ; {
		e.Data, rest = rest[:min(len(rest), MaxData)], rest[min(len(rest), MaxData):]
		if r.count == MaxExchanges && r.err == nil {
			r.err = fmt.Errorf("%w: it has %d exchanges", ErrFull, MaxExchanges)
		}
		r.count++
		r.write(e.String())
		if len(rest) == 0 {
			return
		}
	}
}

func (r *Recorder) write(line string) {
	if r.err != nil {
		return
	}
	if _, err := io.WriteString(r.out, line+"\n"); err != nil {
		r.err = fmt.Errorf("write recording: %w", err)
	}
}

// recordedPort is a port whose bytes are written down.
type recordedPort struct {
	drivers.Port
	recorder *Recorder
	ended    sync.Once // by loss or Close
}

// Read implements [drivers.Port].
func (p *recordedPort) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	if n > 0 {
		p.note(Exchange{Mark: Received, Data: b[:n]})
	}
	p.lost(err)
	return n, err
}

// Write implements [drivers.Port]. The time is that of its beginning.
func (p *recordedPort) Write(b []byte) (int, error) {
	p.note(Exchange{Mark: Wrote, Data: b})
	n, err := p.Port.Write(b)
	p.lost(err)
	return n, err
}

func (p *recordedPort) note(e Exchange) {
	if len(e.Data) > 0 {
		p.recorder.note(time.Now(), e)
	}
}

func (p *recordedPort) lost(err error) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, drivers.ErrClosed) {
		return
	}
	p.ended.Do(func() { p.recorder.note(time.Now(), Exchange{Mark: Lost, Text: err.Error()}) })
}

// Close implements [drivers.Port].
func (p *recordedPort) Close() error {
	p.ended.Do(func() { p.recorder.note(time.Now(), Exchange{Mark: Closed}) })
	return p.Port.Close()
}
