package llrp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"traveler.example/drivers"
)

// The TCP ports that are registered for LLRP, plain and by TLS.
const (
	Port    = 5084
	PortTLS = 5085
)

// Network names a reader on the network.
type Network struct {
	Address string // host:port, such as 10.0.0.7:5084
	// TLS, if set, has the connection secured; a reader with a certificate of
	// its own making needs its authority in RootCAs.
	TLS *tls.Config
}

// dialLimit bounds connecting: an address where nobody is may not answer at all.
const dialLimit = 5 * time.Second

// Open connects to the reader. It is a [drivers.Opener].
func (n Network) Open(ctx context.Context) (drivers.Port, error) {
	dialer := &net.Dialer{Timeout: dialLimit}
	if n.TLS == nil {
		conn, err := dialer.DialContext(ctx, "tcp", n.Address)
		if err != nil {
			return nil, fmt.Errorf("connect to reader: %w", err)
		}
		return conn, nil
	}
	conn, err := (&tls.Dialer{NetDialer: dialer, Config: n.TLS}).DialContext(ctx, "tcp", n.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to reader by TLS: %w", err)
	}
	return secured{conn.(*tls.Conn)}, nil
}

// secured closes without the alert of TLS, which can take seconds when the
// other end is stuck; LLRP takes leave by a message of its own.
type secured struct{ *tls.Conn }

func (s secured) Close() error { return s.NetConn().Close() }
