package mqtt

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// door is the broker's listener. The one that comes with the broker waits for
// a CONNECT packet and for a client that does not read without a limit, and the
// latter stops every publisher while it lasts.
type door struct {
	listener net.Listener
	limit    int
	slow     time.Duration
	log      *slog.Logger

	serving sync.WaitGroup // Serve and every client
	mu      sync.Mutex
	conns   map[*clientConn]struct{}
	closed  bool
}

// spare connections may be in their handshake beside the clients the broker
// accepts, so that a client too many learns that it is one.
const spare = 16

func newDoor(l net.Listener, c BrokerConfig) *door {
	d := &door{
		listener: l,
		limit:    c.Clients + spare,
		slow:     c.WriteTimeout,
		log:      c.Log,
		conns:    make(map[*clientConn]struct{}),
	}
	// Held for Serve, which the broker starts in a goroutine of its own.
	d.serving.Add(1)
	return d
}

// Init implements listeners.Listener.
func (d *door) Init(*slog.Logger) error { return nil }

// ID implements listeners.Listener.
func (d *door) ID() string { return "door" }

// Address implements listeners.Listener.
func (d *door) Address() string { return d.listener.Addr().String() }

// Protocol implements listeners.Listener.
func (d *door) Protocol() string { return d.listener.Addr().Network() }

// Serve implements listeners.Listener: it accepts until Close.
func (d *door) Serve(establish listeners.EstablishFn) {
	defer d.serving.Done()
	for {
		conn, err := d.listener.Accept()
		switch {
		case err == nil:
			d.admit(conn, establish)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, for one: others may free some
			d.log.Warn("MQTT connection not accepted", "error", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func (d *door) admit(conn net.Conn, establish listeners.EstablishFn) {
	c := &clientConn{Conn: conn, timeout: d.slow}
	_ = c.SetDeadline(time.Now().Add(helloTimeout))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.conns) >= d.limit {
		_ = conn.Close()
		return
	}
	d.conns[c] = struct{}{}
	d.serving.Go(func() {
		defer d.leave(c)
		if err := converse(establish, d.ID(), c); err != nil {
			d.log.Debug("MQTT client gone", "remote", conn.RemoteAddr().String(), "error", err)
		}
	})
}

// converse serves one client. What the broker's parser does not expect costs
// that client its connection, never the station its daemon.
func converse(establish listeners.EstablishFn, id string, c net.Conn) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the broker failed on a packet: %v\n%s", r, debug.Stack())
		}
	}()
	return establish(id, c)
}

func (d *door) leave(c *clientConn) {
	_ = c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

// Close implements listeners.Listener: it accepts no more, lets the broker say
// goodbye, and closes every connection.
func (d *door) Close(closeClients listeners.CloseFn) {
	_ = d.listener.Close()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.each(func(c *clientConn) { c.hurry(goodbye) })
	closeClients(d.ID())
	d.each(func(c *clientConn) { _ = c.Close() })
}

func (d *door) each(f func(*clientConn)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		f(c)
	}
}

// wait returns when every connection has ended.
func (d *door) wait() { d.serving.Wait() }

// clientConn is a connection on the broker's side. Its writes have deadlines of
// their own, and one that fails ends the connection: the broker would go on
// with the next packet, from the middle of this one.
type clientConn struct {
	net.Conn
	timeout time.Duration
	last    atomic.Pointer[time.Time] // no write goes on after this
}

// SetDeadline sets the deadline for reads, which the broker derives from the
// client's keep-alive.
func (c *clientConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Write implements net.Conn.
func (c *clientConn) Write(p []byte) (int, error) {
	deadline := time.Now().Add(c.timeout)
	if last := c.last.Load(); last != nil && last.Before(deadline) {
		deadline = *last
	}
	err := c.SetWriteDeadline(deadline)
	n := 0
	if err == nil {
		n, err = c.Conn.Write(p)
	}
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// hurry ends every write within d from now.
func (c *clientConn) hurry(d time.Duration) {
	last := time.Now().Add(d)
	c.last.Store(&last)
	_ = c.SetWriteDeadline(last)
}
