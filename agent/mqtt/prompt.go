package mqtt

import (
	"net"
	"syscall"
)

// promptConn acknowledges at once what it has read. A broker that does not turn
// off Nagle's algorithm (Mosquitto by default: set_tcp_nodelay) holds back a small
// message until what it sent before, an acknowledgement of MQTT perhaps, is
// acknowledged by TCP; and that the kernel puts off by 40 ms where nothing is to
// be sent (RFC 1122, section 4.2.3.2). Every answer to an ask would take as long.
type promptConn struct {
	net.Conn
	raw syscall.RawConn
}

// prompt wraps a TCP connection; others are returned as they are.
func prompt(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return &promptConn{Conn: conn, raw: raw}
}

// Read implements net.Conn. The kernel forgets the option by itself (tcp(7)), so
// it is set again each time; without it messages are late and not lost.
func (c *promptConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil {
		_ = c.raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
	return n, err
}
