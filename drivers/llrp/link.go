package llrp

import (
	"fmt"
	"time"

	"traveler.example/drivers"
)

// writeLimit bounds one write: a reader that takes no bytes for so long is
// stuck.
const writeLimit = 2 * time.Second

// inbound is a message and when its last byte came.
type inbound struct {
	Message
	at time.Time
}

// link carries messages over a port. One goroutine owns it; a second one, which
// it waits for, reads.
type link struct {
	port   drivers.Port
	in     chan inbound // closed at the end of the connection
	err    error        // why, once in is closed
	done   chan struct{}
	ended  chan struct{}
	out    []byte
	lastID uint32
	guard  *time.Timer // closes the port under a write that is stuck
	fired  chan struct{}
	stuck  bool // the guard has fired
}

func newLink(port drivers.Port) *link {
	l := &link{port: port, in: make(chan inbound), done: make(chan struct{}), ended: make(chan struct{}), fired: make(chan struct{})}
	l.guard = time.AfterFunc(time.Hour, func() {
		defer close(l.fired)
		_ = port.Close() // the write that it ends reports
	})
	l.guard.Stop()
	go l.receive()
	return l
}

func (l *link) receive() {
	defer close(l.ended)
	defer close(l.in)
	var parser Parser
	buf := make([]byte, 16<<10)
	for {
		n, err := l.port.Read(buf)
		at := time.Now()
		messages, bad := parser.Feed(buf[:n])
		for _, m := range messages {
			select {
			case l.in <- inbound{m, at}:
			case <-l.done:
				return
			}
		}
		switch {
		case bad != nil:
			l.err = bad
			return
		case err != nil:
			l.err = fmt.Errorf("%w: connection ended: %w", drivers.ErrUnplugged, err)
			return
		}
	}
}

// close closes the port and waits for what was started.
func (l *link) close() {
	close(l.done)
	_ = l.port.Close() // nothing is left that its error could change
	<-l.ended
	if l.stuck {
		<-l.fired
	}
}

// send sends a message under a fresh identifier, which it returns.
func (l *link) send(t MessageType, body []byte) (uint32, error) {
	l.lastID++
	return l.lastID, l.write(Message{Type: t, ID: l.lastID, Body: body})
}

func (l *link) write(m Message) error {
	l.out = AppendMessage(l.out[:0], m)
	l.guard.Reset(writeLimit)
	_, err := l.port.Write(l.out)
	if !l.guard.Stop() {
		l.stuck = true
		return fmt.Errorf("send %v: %w: it takes no bytes", m.Type, drivers.ErrSilent)
	}
	if err != nil {
		return fmt.Errorf("send %v: %w: %w", m.Type, drivers.ErrUnplugged, err)
	}
	return nil
}
