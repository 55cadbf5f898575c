package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// dial opens the connection to a broker, over TLS where its URL says so.
func (b *Bus) dial(ctx context.Context, to broker) (net.Conn, error) {
	if to.server != "" && b.config.Allowed != nil {
		if err := b.config.Allowed(); err != nil {
			return nil, err
		}
	}
	conn, err := b.config.Dial(ctx, "tcp", to.address)
	if err != nil {
		return nil, err
	}
	conn = prompt(conn)
	if to.server == "" {
		return conn, nil
	}
	secured := tls.Client(conn, clientTLS(b.config.TLS, to.server))
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(refusal(distrust(err, b.config.TLS.Time), nil), conn.Close())
	}
	return &securedConn{Conn: secured, below: conn}, nil
}

// clientTLS is c for one server. Go's own choice among its cipher suites and
// curves is kept: TLS 1.3 where both sides have it.
func clientTLS(c *tls.Config, server string) *tls.Config {
	c = c.Clone()
	c.ServerName = server
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}

// securedConn closes without TLS' own goodbye, which would wait behind a write
// that a stalled broker does not take.
type securedConn struct {
	*tls.Conn
	below net.Conn
}

// Close implements net.Conn.
func (c *securedConn) Close() error { return c.below.Close() }

// distrust says why the broker's certificate does not hold, where that is why
// the handshake failed. now is when it was judged; nil: by the clock.
func distrust(err error, now func() time.Time) error {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return err
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil {
		at := time.Now()
		if now != nil {
			at = now()
		}
		if at.After(invalid.Cert.NotAfter) {
			return fmt.Errorf("%w: the certificate of %s has expired on %s: renew it: %w",
				ErrUntrusted, invalid.Cert.Subject, invalid.Cert.NotAfter.UTC().Format(time.DateOnly), err)
		}
	}
	return fmt.Errorf("%w: the broker's certificate: %w", ErrUntrusted, err)
}

// refusal marks an error by which the broker refuses this gateway. With TLS 1.3 a
// broker judges the client's certificate after the client is done with the
// handshake: its alert is what the first read finds.
func refusal(err, read error) error {
	for _, code := range []error{
		packets.ErrorRefusedBadUsernameOrPassword, packets.ErrorRefusedNotAuthorised, packets.ErrorRefusedIDRejected,
	} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	for _, e := range []error{err, read} {
		var op *net.OpError
		// crypto/tls reports an alert of the other side so, and nothing else does.
		if errors.As(e, &op) && op.Op == "remote error" {
			return fmt.Errorf("%w: %w: check the gateway's certificate and the broker's CA", ErrRefused, e)
		}
	}
	return err
}

// secureListener hands out connections that speak TLS. The handshake is done by
// whoever reads first, under the deadline that it has set.
type secureListener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l secureListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &securedConn{Conn: tls.Server(conn, l.config), below: conn}, nil
}

// serverTLS is c for the embedded broker: a client without a certificate of the
// authorities in c is not let in.
func serverTLS(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}
