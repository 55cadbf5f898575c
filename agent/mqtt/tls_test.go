package mqtt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// issuer is an authority of a test.
type issuer struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	a := &issuer{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().AddDate(50, 0, 0),
	})
	return a
}

func (a *issuer) sign(c *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().AddDate(-1, 0, 0)
	c.Subject = pkix.Name{CommonName: "test"}
	parent, by := a.cert, a.key
	if parent == nil {
		c.Subject.CommonName = "authority" // of one name they would seem to be one
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed, key
}

// leaf is a certificate for 127.0.0.1 that holds for a number of days from now.
func (a *issuer) leaf(days int) tls.Certificate {
	a.t.Helper()
	c, key := a.sign(&x509.Certificate{
		NotAfter: time.Now().AddDate(0, 0, days), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

// config trusts this authority and shows a certificate, if there is one.
func (a *issuer) config(shows ...tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ClientCAs: pool, Certificates: shows, MinVersion: tls.VersionTLS12}
}

// write puts a certificate and its key, and the authority's, into a new directory.
func (a *issuer) write(c tls.Certificate) (dir string) {
	a.t.Helper()
	dir = a.t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.crt": {Type: "CERTIFICATE", Bytes: a.cert.Raw}, "server.crt": {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		"server.key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return dir
}

// securedKinds are the brokers of the suite, over TLS with client certificates.
var securedKinds = []struct {
	name  string
	start func(t testing.TB, address string, a *issuer, shows tls.Certificate)
}{
	{"embedded", func(t testing.TB, address string, a *issuer, shows tls.Certificate) {
		l, err := Listen(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		runBroker(t, l, BrokerConfig{TLS: a.config(shows)})
	}},
	{"mosquitto", func(t testing.TB, address string, a *issuer, shows tls.Certificate) {
		dir := a.write(shows)
		startMosquittoWith(t, address, fmt.Sprintf("cafile %[1]s/ca.crt\ncertfile %[1]s/server.crt\nkeyfile %[1]s/server.key\nrequire_certificate true\nuse_identity_as_username true\nuser root\n", dir))
	}},
}

// TestTLS connects over TLS with certificates of one authority, and tells of each
// side that does not let the other in, once.
func TestTLS(t *testing.T) {
	for _, k := range securedKinds {
		t.Run(k.name, func(t *testing.T) {
			ours, foreign := newIssuer(t), newIssuer(t)
			address := freeAddress(t)
			k.start(t, address, ours, ours.leaf(30))
			client := func(c *tls.Config) Config {
				return Config{Brokers: []string{"mqtts://" + address}, TLS: c, Filters: []string{"plant/#"}}
			}
			g := startGateway(t, client(ours.config(ours.leaf(30))))
			g.await(t, true)
			g.publish(t, "plant/x", false, "hidden")
			if m := g.receive(t); string(m.Payload) != "hidden" {
				t.Errorf("received %+v", m)
			}
			shown := foreign.leaf(30)
			mixed := ours.config(shown) // it trusts the broker, which does not trust it
			mixed.Certificates = nil
			mixed.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
			for name, c := range map[string]struct {
				config *tls.Config
				tune   func(*Config)
				why    error
				words  string
			}{
				"a certificate of another authority": {mixed, nil, ErrRefused, "remote error"},
				"no certificate":                     {ours.config(), nil, ErrRefused, "remote error"},
				"an expired certificate":             {ours.config(ours.leaf(-1)), nil, ErrRefused, "remote error"},
				"a broker of another authority":      {foreign.config(foreign.leaf(30)), nil, ErrUntrusted, "the broker's certificate"},
				"another name": {ours.config(ours.leaf(30)), func(c *Config) {
					c.Brokers[0] = strings.Replace(c.Brokers[0], "127.0.0.1", "localhost", 1)
				}, ErrUntrusted, "localhost"},
				"a broker's certificate that has expired as judged": {func() *tls.Config {
					c := ours.config(ours.leaf(30))
					c.Time = func() time.Time { return time.Now().AddDate(0, 3, 0) }
					return c
				}(), nil, ErrUntrusted, "has expired on " + time.Now().UTC().AddDate(0, 0, 30).Format("2006-01")},
				"what is not allowed": {ours.config(ours.leaf(30)), func(c *Config) {
					c.Allowed = func() error { return fmt.Errorf("%w: the own one has expired", ErrUntrusted) }
				}, ErrUntrusted, "the own one"},
			} {
				config := client(c.config)
				if c.tune != nil {
					c.tune(&config)
				}
				bus := startGateway(t, config)
				s := bus.await(t, false)
				if !s.Barred { // a connection that was reset: nothing else is told before the reason
					s = bus.await(t, false)
				} else if s := bus.await(t, false); s.Barred {
					t.Errorf("%s: told twice: %+v", name, s)
				}
				if !s.Barred || !errors.Is(s.Err, c.why) || !strings.Contains(s.Err.Error(), c.words) {
					t.Errorf("%s: %+v, want %v with %q", name, s, c.why, c.words)
				}
				bus.stop()
			}
		})
	}
}

// TestRefusedLogin tells a login that the broker refuses (section 3.2.2.3), once
// however often it is tried, and again after it was admitted.
func TestRefusedLogin(t *testing.T) {
	for code, refused := range map[byte]bool{
		packets.ErrRefusedServerUnavailable: false, packets.ErrRefusedBadUsernameOrPassword: true, packets.ErrRefusedNotAuthorised: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes()
			g := startGateway(t, Config{Brokers: []string{"mqtt://strict"}, Dial: p.dial})
			answer := func(code byte) net.Conn {
				conn, err := p.Accept()
				if err != nil {
					t.Fatal(err)
				}
				w := wire{t, conn}
				read[*packets.ConnectPacket](w)
				ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
				ack.ReturnCode = code
				w.send(ack)
				return conn
			}
			for range 3 {
				_ = answer(code).Close()
			}
			if refused {
				if s := g.await(t, false); !s.Barred || !errors.Is(s.Err, ErrRefused) || s.Broker != "mqtt://strict" {
					t.Errorf("code %d: %+v", code, s)
				}
			}
			if s := g.await(t, false); s.Barred {
				t.Errorf("code %d: %+v", code, s)
			}
			conn := answer(0)
			g.await(t, true)
			_ = conn.Close()
			g.await(t, false)
			_ = answer(code).Close()
			synctest.Wait()
			if told := len(g.states); (told > 0) != refused {
				t.Errorf("code %d: %d states after it was admitted", code, told)
			}
		})
	}
}

// TestStrangersOnTheSecuredBroker send no TLS, or no CONNECT after it: they cost
// the broker nothing that stays.
func TestStrangersOnTheSecuredBroker(t *testing.T) {
	a := newIssuer(t)
	address := freeAddress(t)
	l, err := Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	stop := runBroker(t, l, BrokerConfig{TLS: a.config(a.leaf(30))})
	for _, hello := range []string{"", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00", "\x16\x03\x01\xff\xff"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(hello)); err != nil {
			t.Error(err)
		}
	}
	g := startGateway(t, Config{Brokers: []string{"mqtts://" + address}, TLS: a.config(a.leaf(30))})
	g.await(t, true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := g.Publish(ctx, "plant/x", false, []byte("x")); err != nil {
		t.Error(err)
	}
	g.stop()
	stop()
}
