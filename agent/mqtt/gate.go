package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// errGoodbye is the end of a connection that the broker announced.
var errGoodbye = errors.New("the broker closed the connection")

// Packet types a broker sends (section 2.2.1).
const (
	typeConnack    = 2
	typePublish    = 3
	typePuback     = 4
	typeSuback     = 9
	typePingresp   = 13
	typeDisconnect = 14
)

// gate stands between a broker and the client library. The library allocates
// whatever length a packet claims, up to 256 MiB, before it reads it, and
// indexes its subscriptions by the answers in a SUBACK. The gate lets through
// only packets that a QoS 1 subscriber expects, and cuts a PUBLISH after limit
// bytes of its body, so that the library can still acknowledge what the bus
// then refuses for its size.
type gate struct {
	src     *bufio.Reader
	limit   int // longest body of a PUBLISH that passes
	filters int // answers a SUBACK may hold

	head []byte // bytes of the fixed header that wait to be read
	pass int    // bytes of the body to hand on
	skip int    // bytes of the body to discard after that
}

// newGate returns a gate for payloads of up to maxPayload bytes. Whatever the
// topic, a cut payload is longer than maxPayload.
func newGate(src io.Reader, maxPayload, filters int) *gate {
	return &gate{
		src:     bufio.NewReaderSize(src, 4096),
		limit:   2 + topicLimit + 2 + maxPayload + 1,
		filters: filters,
	}
}

// Read implements io.Reader.
func (g *gate) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(g.head) == 0 && g.pass == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	if len(g.head) > 0 {
		n := copy(p, g.head)
		g.head = g.head[n:]
		return n, nil
	}
	n, err := g.src.Read(p[:min(len(p), g.pass)])
	g.pass -= n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next discards the rest of the last packet and judges the header of the next.
func (g *gate) next() error {
	for g.skip > 0 {
		n, err := g.src.Discard(min(g.skip, 1<<20))
		g.skip -= n
		if err != nil {
			return err
		}
	}
	first, err := g.src.ReadByte()
	if err != nil {
		return err
	}
	length, err := g.length()
	if err != nil {
		return err
	}
	if err := g.admit(first, length); err != nil {
		return err
	}
	g.pass = min(length, g.limit)
	g.skip = length - g.pass
	g.head = appendLength([]byte{first}, g.pass)
	return nil
}

// length reads a remaining length: at most four bytes (section 2.2.3).
func (g *gate) length() (int, error) {
	length := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := g.src.ReadByte()
		if err != nil {
			return 0, err
		}
		length |= int(b&0x7f) << shift
		if b < 0x80 {
			return length, nil
		}
	}
	return 0, errors.New("packet length of more than four bytes")
}

func appendLength(p []byte, n int) []byte {
	for n >= 0x80 {
		p = append(p, byte(n)|0x80)
		n >>= 7
	}
	return append(p, byte(n))
}

func (g *gate) admit(first byte, length int) error {
	want := 2
	switch kind := first >> 4; kind {
	case typePublish:
		if qos := first >> 1 & 3; qos > 1 {
			return fmt.Errorf("message with QoS %d where 1 was asked for", qos)
		}
		return nil
	case typeConnack, typePuback:
	case typeSuback:
		want = 2 + g.filters
	case typePingresp:
		want = 0
	case typeDisconnect:
		return errGoodbye
	default:
		return fmt.Errorf("packet type %d, which no broker sends to a QoS 1 client", kind)
	}
	if length != want {
		return fmt.Errorf("packet type %d of %d bytes where %d are due", first>>4, length, want)
	}
	return nil
}

// gatedConn is the connection the client library sees: it reads through a gate
// and every write has a deadline. The library itself sets one for messages
// only; an acknowledgement or ping to a stalled broker would block for good.
type gatedConn struct {
	net.Conn
	gate *gate

	mu      sync.Mutex // one packet at a time, also over net.Pipe
	timeout time.Duration

	failed atomic.Pointer[error] // of the first read that failed
}

// Read implements net.Conn.
func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.gate.Read(p)
	if err != nil {
		c.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

// failure is why reading ended; nil: it has not. The library's own word for the
// end of a connection may be about a later write.
func (c *gatedConn) failure() error {
	if err := c.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Write implements net.Conn.
func (c *gatedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		c.lastWord()
	}
	return n, err
}

// lastWord looks for the alert with which a broker has ended TLS. It may have
// closed the connection before it read what was written, and the write then says
// no more than that.
func (c *gatedConn) lastWord() {
	if _, secured := c.Conn.(*securedConn); !secured || c.failure() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(lastWordTimeout))
	if _, err := c.Conn.Read(make([]byte, 1)); err != nil {
		c.failed.CompareAndSwap(nil, &err)
	}
}

// lastWordTimeout bounds the wait for what should have come already.
const lastWordTimeout = 100 * time.Millisecond

// SetWriteDeadline does nothing: Write sets its own.
func (c *gatedConn) SetWriteDeadline(time.Time) error { return nil }
