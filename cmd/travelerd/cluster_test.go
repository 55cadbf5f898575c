package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"

	"traveler.example/agent"
)

// natsCluster is three nodes of a NATS server with JetStream that keep every
// message in three copies and speak MQTT over TLS with client certificates.
type natsCluster struct {
	nodes [3]*nats.Server
	mqtt  [3]string
}

func newNATSCluster(t *testing.T, p *plant, a *agent.Authority) *natsCluster {
	t.Helper()
	c := &natsCluster{}
	var routes []*url.URL
	var ports [3]int
	for i := range c.nodes {
		c.mqtt[i] = freeAddress(t)
		cluster := freeAddress(t)
		u, err := url.Parse("nats://" + cluster)
		ok(t, err)
		routes = append(routes, u)
		tcp, err := net.ResolveTCPAddr("tcp", cluster)
		ok(t, err)
		ports[i] = tcp.Port
	}
	for i := range c.nodes {
		name := fmt.Sprintf("node-%d", i)
		mqtt, err := net.ResolveTCPAddr("tcp", c.mqtt[i])
		ok(t, err)
		c.nodes[i], err = nats.NewServer(&nats.Options{
			ServerName: name, Host: "127.0.0.1", Port: nats.RANDOM_PORT, NoSigs: true, NoLog: true,
			Cluster: nats.ClusterOpts{Name: "plant", Host: "127.0.0.1", Port: ports[i]}, Routes: routes,
			JetStream: true, StoreDir: filepath.Join(t.TempDir(), name), JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 256 << 20,
			MQTT: nats.MQTTOpts{
				Host: "127.0.0.1", Port: mqtt.Port, StreamReplicas: 3, TLSConfig: natsTLS(t, p, a, name), TLSTimeout: 10,
			},
		})
		ok(t, err)
		c.nodes[i].Start()
		t.Cleanup(func() { c.nodes[i].Shutdown(); c.nodes[i].WaitForShutdown() })
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		led := 0
		for _, n := range c.nodes {
			if n.JetStreamIsCurrent() && n.NumRoutes() >= 2 {
				led++
			}
		}
		if led == len(c.nodes) {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of the nodes are ready", led)
		}
	}
}

// natsTLS has the network's CA vouch for a node.
func natsTLS(t *testing.T, p *plant, a *agent.Authority, name string) *tls.Config {
	t.Helper()
	dir := filepath.Join(p.Dir, agent.CertificatesName, agent.BrokersName, name)
	ok(t, a.IssueBroker(name, []string{"127.0.0.1"}, dir, 0, time.Now(), 0))
	shown, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.ServerCertName), filepath.Join(dir, agent.ServerKeyName))
	ok(t, err)
	authority, err := os.ReadFile(filepath.Join(dir, agent.CACertName))
	ok(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &tls.Config{Certificates: []tls.Certificate{shown}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

// TestNATSCluster connects each gateway to a node of its own of a clustered
// broker and kills one node: its gateway goes over to another, what is scanned
// meanwhile is not lost, and all replicas become equal.
func TestNATSCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes some seconds to elect its leaders")
	}
	t.Parallel()
	p := newPlant(t)
	a := p.authority()
	c := newNATSCluster(t, p, a)
	order := func(first int) string {
		return encrypted(c.mqtt[first], c.mqtt[(first+1)%3], c.mqtt[(first+2)%3])
	}
	intake := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+order(0))
	drilling := p.gateway("g-drilling", "DRILL-1", "drilling", order(1))
	packing := p.gateway("g-packing", "PACK-1", "packing", order(2))
	for i, g := range []*gateway{intake, drilling, packing} {
		g.plug()
		g.start()
		g.ready()
		g.connected(c.mqtt[i])
	}
	intake.order(drillAndPack())
	intake.scan("04000000000001", "TAKEN IN")
	drilling.knows("04000000000001")
	drilling.scan("04000000000001", "ACCEPTED")
	c.nodes[1].Shutdown()
	c.nodes[1].WaitForShutdown()
	drilling.scan("04000000000001", "COMPLETED") // with or without a broker
	intake.scan("04000000000002", "TAKEN IN")
	drilling.connected(c.mqtt[2])
	packing.knows("04000000000001", "PACK-1")
	packing.scan("04000000000001", "ACCEPTED")
	drilling.knows("04000000000002")
	s := settle(t, intake, drilling, packing)
	if s.Items != 2 || s.Conflicts != 0 || s.Evidence != 0 {
		t.Errorf("status %+v", s)
	}
}
