package llrp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/llrp"
)

// A reader behind TLS is reached if its certificate is known, and not
// otherwise.
func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	web.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	must(t, err)
	device := emulate.NewLLRP(emulate.LLRPConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				// Who fails the handshake is no client, and must not occupy the reader.
				if conn.(*tls.Conn).HandshakeContext(ctx) == nil {
					device.Serve(ctx, conn)
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); cancel(); wait.Wait() })

	stranger := run(t, newPortal(t, llrp.Network{Address: listener.Addr().String(), TLS: &tls.Config{}}.Open, gate("stranger")).Readers()[0])
	if e := stranger.expect(drivers.Down, ""); !strings.Contains(e.Err.Error(), "connect to reader by TLS") {
		t.Errorf("down because of %v", e.Err)
	}
	stranger.stop()

	known := x509.NewCertPool()
	known.AddCert(web.Certificate())
	friend := run(t, newPortal(t, llrp.Network{Address: listener.Addr().String(), TLS: &tls.Config{RootCAs: known}}.Open, gate("friend")).Readers()[0])
	friend.expect(drivers.Up, "")
	must(t, device.Present(tagA, 2, -50, ""))
	friend.expect(drivers.Arrived, tagA)
}
