package line

import (
	"errors"
	"io"
	"net"
	"sync"
)

// cable is the network cable between a gateway and its broker: a TCP relay on
// loopback that can be pulled.
type cable struct {
	listener net.Listener
	broker   string // host:port

	mu     sync.Mutex
	pulled bool
	ends   map[net.Conn]bool // both ends of every connection
	closed bool
	all    sync.WaitGroup
}

// newCable listens on a free port of loopback and relays to the broker.
func newCable(broker string) (*cable, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cable{listener: l, broker: broker, ends: map[net.Conn]bool{}}
	c.all.Go(c.accept)
	return c, nil
}

// address is where the gateway finds its broker: host:port.
func (c *cable) address() string { return c.listener.Addr().String() }

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		c.all.Go(func() { c.relay(near) })
	}
}

func (c *cable) relay(near net.Conn) {
	far, err := net.Dial("tcp", c.broker)
	if err != nil {
		_ = near.Close()
		return
	}
	if !c.keep(near, far) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // ends with the connection, whoever ends it
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
	c.mu.Lock()
	delete(c.ends, near)
	delete(c.ends, far)
	c.mu.Unlock()
}

// keep notes both ends, or closes them if the cable is pulled.
func (c *cable) keep(near, far net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled || c.closed {
		_ = near.Close()
		_ = far.Close()
		return false
	}
	c.ends[near], c.ends[far] = true, true
	return true
}

// pull ends all connections and lets no new one through until plug.
func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = true
	c.drop()
}

func (c *cable) drop() {
	for end := range c.ends {
		_ = end.Close()
	}
}

func (c *cable) plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = false
}

func (c *cable) close() {
	_ = c.listener.Close()
	c.mu.Lock()
	c.closed = true
	c.drop()
	c.mu.Unlock()
	c.all.Wait()
}
