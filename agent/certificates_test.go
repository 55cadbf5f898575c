package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// certified founds a network with a CA and gateways, and returns its authority.
func certified(t *testing.T, names ...string) (*Network, *Authority) {
	t.Helper()
	n, signers := found(t, "admin")
	a, err := n.FoundAuthority(time.Now(), 0, KeyForm{})
	must(t, err)
	for i, name := range names {
		d := draft(name, fmt.Sprintf("DRILL-%d", i))
		d.Brokers = []string{"mqtts://127.0.0.1:8883"}
		_, err := n.AddGateway(time.Now().UnixMilli(), d.Text(), true, KeyForm{}, signers...)
		must(t, err)
	}
	return n, a
}

// board is the broker section of a gateway's profile, as its directory has it.
func boardOf(t *testing.T, n *Network, name string) profiles.Broker {
	t.Helper()
	p, err := profiles.Load(filepath.Join(n.Board(name), ProfileName))
	must(t, err)
	return p.Broker
}

func TestAuthority(t *testing.T) {
	n, a := certified(t, "G-1", "G-2")
	if _, err := n.FoundAuthority(time.Now(), 0, KeyForm{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second CA: %v", err)
	}
	must(t, a.IssueBroker("hall", []string{"broker.plant", "127.0.0.1", "[::1]"}, "/etc/mosquitto/traveler", 8884, time.Now(), 0))
	for name, want := range map[string]error{"../x": ErrName, "none": ErrName} {
		if err := a.IssueBroker(name, nil, "", 0, time.Now(), 0); !errors.Is(err, want) {
			t.Errorf("broker %s: %v", name, err)
		}
	}
	if err := a.IssueGateway("nobody", time.Now(), 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("a gateway that is not enrolled: %v", err)
	}
	all, err := n.Certificates(time.Now())
	must(t, err)
	var got []string
	for _, c := range all {
		got = append(got, fmt.Sprintf("%s %s %s %s", c.Kind, c.Name, c.State, strings.Join(c.Hosts, ",")))
	}
	want := []string{"ca  valid ", "broker hall valid broker.plant,127.0.0.1,::1", "gateway G-1 valid ", "gateway G-2 valid "}
	if !slices.Equal(got, want) {
		t.Errorf("certificates %q, want %q", got, want)
	}
	id, err := n.gatewayKey("G-1")
	must(t, err)
	if all[2].Subject != id.String() {
		t.Errorf("the gateway's certificate bears %s, want its key id %s", all[2].Subject, id)
	}
	for _, key := range []string{n.certificates(CAKeyName), n.certificates(BrokersName, "hall", ServerKeyName), filepath.Join(n.Board("G-1"), BoardCertKeyName)} {
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", key, info, err)
		}
	}
}

func TestRenew(t *testing.T) {
	n, a := certified(t, "G-1", "G-2")
	now := time.Now()
	must(t, a.IssueBroker("hall", []string{"broker.plant"}, "/opt/broker", 8884, now, 0))
	key, err := os.ReadFile(filepath.Join(n.Board("G-1"), BoardCertKeyName))
	must(t, err)
	if renewed, err := a.Renew(now, 0); err != nil || len(renewed) != 0 {
		t.Errorf("renewed early: %v, %v", renewed, err)
	}
	later := now.Add(CertificateLifetime - 10*24*time.Hour)
	renewed, err := a.Renew(later, 0)
	if err != nil || len(renewed) != 3 || renewed[0].Days < 700 {
		t.Errorf("renewed %v, %v", renewed, err)
	}
	if again, err := os.ReadFile(filepath.Join(n.Board("G-1"), BoardCertKeyName)); err != nil || string(again) != string(key) {
		t.Error("the key changed")
	}
	if dir, port := readMosquitto(n.certificates(BrokersName, "hall", MosquittoName)); dir != "/opt/broker" || port != 8884 {
		t.Errorf("the broker's configuration became %s:%d", dir, port)
	}
	if one, err := a.Renew(later, time.Hour, "G-2"); err != nil || len(one) != 1 || one[0].State != CertificateExpiring {
		t.Errorf("renewed by name: %v, %v", one, err)
	}
	if _, err := a.Renew(later, 0, "G-9"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
	if beyond, err := a.Renew(now.Add(CALifetime-time.Hour), 0, "G-2"); err != nil || beyond[0].State != CertificateExpiring {
		t.Errorf("beyond the CA's own end: %v, %v", beyond, err)
	}
}

func TestLoadCertificatesRefuses(t *testing.T) {
	n, _ := certified(t, "G-1", "G-2")
	good := boardOf(t, n, "G-1")
	if c, err := LoadCertificates(good); err != nil || len(c.held) != 2 || c.issued().IsZero() {
		t.Fatalf("%+v, %v", c, err)
	}
	if c, err := LoadCertificates(profiles.Broker{}); c != nil || err != nil {
		t.Errorf("none named: %v, %v", c, err)
	}
	open := filepath.Join(t.TempDir(), "open.key")
	text, err := os.ReadFile(good.CertificateKeyFile)
	must(t, err)
	must(t, os.WriteFile(open, text, 0o644))
	for want, spoil := range map[string]func(*profiles.Broker){
		"no such file":            func(b *profiles.Broker) { b.CAFile += "x" },
		"no certificate of an":    func(b *profiles.Broker) { b.CAFile = b.CertificateFile },
		"only certificates":       func(b *profiles.Broker) { b.CertificateFile = b.CertificateKeyFile },
		"must come from one":      func(b *profiles.Broker) { b.CertificateFile = boardOf(t, n, "G-2").CertificateFile },
		"chmod 600":               func(b *profiles.Broker) { b.CertificateKeyFile = open },
		`no PEM block "CERTIFICA`: func(b *profiles.Broker) { b.CAFile = filepath.Join(n.Board("G-1"), ProfileName) },
	} {
		b := good
		spoil(&b)
		if _, err := LoadCertificates(b); !errors.Is(err, ErrCertificate) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestJudgement holds the time at which certificates are judged to what is known
// to be past, and never to a stamp of somebody's wrong clock.
func TestJudgement(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		b.order(drilling("WO-1"))
		newest := time.Now().Truncate(time.Millisecond)
		clock := ledger.ClockUnsynchronised
		year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
		j := judgement{replica: b.parts.Replica, clock: func() ledger.Clock { return clock }, floor: year(1990)}
		for _, c := range []struct {
			clock      ledger.Clock
			now, floor time.Time
			want       time.Time
		}{
			{ledger.ClockUnsynchronised, time.Unix(0, 0), year(1990), newest},
			{ledger.ClockUnsynchronised, time.Unix(0, 0), year(2090), year(2090)},
			{ledger.ClockUnsynchronised, year(2095), year(2090), year(2095)},
			{ledger.ClockSynchronised, year(1995), year(1990), year(1995)},
		} {
			clock, j.floor, j.now = c.clock, c.floor, func() time.Time { return c.now }
			if got := j.at(); !got.Equal(c.want) {
				t.Errorf("clock %v at %v: judged at %v, want %v", c.clock, c.now, got, c.want)
			}
		}
	})
}

// TestExpiryIsWarnedOf lives through the last months of a certificate.
func TestExpiryIsWarnedOf(t *testing.T) {
	n, a := certified(t, "G-1")
	must(t, a.IssueGateway("G-1", time.Now(), 60*24*time.Hour))
	c, err := LoadCertificates(boardOf(t, n, "G-1"))
	must(t, err)
	log := &record{t: t, who: "G-1"}
	now := time.Now()
	g := &Agent{parts: Parts{Journal: journal.New(log, time.Now), Certificates: c, Judge: func() time.Time { return now }}}
	g.outages = g.parts.Journal.Outages()
	var w expiryWatch
	for day, want := range []int{28: 0, 29: 1, 31: 1, 51: 1, 52: 2, 53: 3, 58: 8, 61: 8, 63: 8} {
		now = now.Add(24 * time.Hour)
		g.checkCertificates(context.Background(), &w)
		g.checkCertificates(context.Background(), &w) // the same day
		if got := len(log.events(journal.CertificateExpiring)); want > 0 && got != want {
			t.Errorf("%d warnings by day %d, want %d", got, day+1, want)
		}
	}
	log.times(1, journal.CertificateExpired)
	if e := log.events(journal.CertificateExpired)[0]; !strings.Contains(e.words, "has expired on") || !strings.Contains(e.words, "certificates renew") {
		t.Errorf("%q names no day or remedy", e.words)
	}
	if err := c.allowed(now); !errors.Is(err, mqtt.ErrUntrusted) || !errors.Is(err, errExpired) {
		t.Errorf("connections allowed: %v", err)
	}
	must(t, a.IssueGateway("G-1", now, 0))
	g.parts.Certificates, err = LoadCertificates(boardOf(t, n, "G-1"))
	must(t, err)
	g.checkCertificates(context.Background(), new(expiryWatch))
	log.times(1, journal.CertificateRenewed)
}

// securedMosquitto runs Debian's broker under the configuration that the network
// has for it, and returns its URL.
func securedMosquitto(t *testing.T, n *Network, a *Authority) string {
	t.Helper()
	const program = "/usr/sbin/mosquitto"
	if _, err := os.Stat(program); err != nil {
		t.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	dir := n.certificates(BrokersName, "hall")
	must(t, a.IssueBroker("hall", []string{"127.0.0.1"}, dir, uint16(port), time.Now(), 0))
	conf := filepath.Join(dir, MosquittoName)
	must(t, replaceFile(conf, MosquittoConfig{Dir: dir, Port: uint16(port), Data: t.TempDir(), User: "root"}.Text(), 0o644))
	cmd := exec.Command(program, "-c", conf)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return "mqtts://" + address
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// line is a bus with what it received.
type securedBus struct {
	*mqtt.Bus
	states chan mqtt.State
}

func secureBus(t *testing.T, n *Network, name, url string, judge func() time.Time) *securedBus {
	t.Helper()
	c, err := LoadCertificates(boardOf(t, n, name))
	must(t, err)
	b := &securedBus{states: make(chan mqtt.State, 64)}
	b.Bus, err = mqtt.New(mqtt.Config{
		Brokers: []string{url}, ClientID: name, Filters: []string{peer.TopicsOf(n.Genesis.Network()).All()}, TLS: c.tls(judge),
		Allowed: func() error { return c.allowed(judge()) },
		OnState: func(s mqtt.State) { b.states <- s },
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return b
}

func (b *securedBus) state(t *testing.T) mqtt.State {
	t.Helper()
	select {
	case s := <-b.states:
		return s
	case <-time.After(20 * time.Second):
		t.Fatal("no state came")
		return mqtt.State{}
	}
}

// TestMosquittoAsConfigured holds a real broker to the configuration and access
// list that are written for it.
func TestMosquittoAsConfigured(t *testing.T) {
	n, a := certified(t, "G-1", "G-2", "G-OLD")
	must(t, a.IssueGateway("G-OLD", time.Now(), -time.Hour))
	url := securedMosquitto(t, n, a)
	topics := peer.TopicsOf(n.Genesis.Network())
	one, two := mustKey(t, n, "G-1"), mustKey(t, n, "G-2")
	first := secureBus(t, n, "G-1", url, time.Now)
	// A board whose clock stands at the beginning of 1970 judges by what it knows.
	held, err := LoadCertificates(boardOf(t, n, "G-2"))
	must(t, err)
	early := judgement{
		now: func() time.Time { return time.Unix(10, 0) }, clock: func() ledger.Clock { return ledger.ClockUnsynchronised },
		floor: held.issued(), replica: emptyReplica(t, n),
	}
	second := secureBus(t, n, "G-2", url, early.at)
	for _, b := range []*securedBus{first, second} {
		if s := b.state(t); !s.Connected {
			t.Fatalf("not admitted: %+v", s)
		}
	}
	stranger, strangersCA := certified(t, "G-1")
	must(t, strangersCA.IssueGateway("G-1", time.Now(), 0))
	must(t, replaceFile(filepath.Join(stranger.Board("G-1"), CACertName), certificateText(a.cert), 0o644)) // it trusts our broker
	for what, c := range map[string]struct {
		bus *securedBus
		why error
	}{
		"of another CA":               {secureBus(t, stranger, "G-1", url, time.Now), mqtt.ErrRefused},
		"expired, and said so":        {secureBus(t, n, "G-OLD", url, time.Now), errExpired},
		"expired, by a board in 1970": {secureBus(t, n, "G-OLD", url, early.at), mqtt.ErrRefused},
	} {
		if s := c.bus.state(t); !s.Barred || !errors.Is(s.Err, c.why) {
			t.Errorf("%s: %+v, want %v", what, s, c.why)
		}
	}
	forbidden := []string{topics.Block(two), topics.Frontier(two), topics.Status(two), "traveler/1/other/roster", "elsewhere"}
	allowed := []string{topics.Block(one), topics.Frontier(one), topics.Status(one), topics.Ask(two), topics.Give(two), topics.Evidence(two), topics.Roster()}
	for _, topic := range slices.Concat(forbidden, allowed) {
		must(t, first.Publish(context.Background(), topic, false, []byte("x")))
	}
	for _, want := range allowed {
		select {
		case m := <-second.Messages():
			if m.Topic != want {
				t.Errorf("received %s, want %s", m.Topic, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s did not come", want)
		}
	}
}

func mustKey(t *testing.T, n *Network, name string) ledger.KeyID {
	t.Helper()
	id, err := n.gatewayKey(name)
	must(t, err)
	return id
}

func emptyReplica(t *testing.T, n *Network) *replica.Replica {
	t.Helper()
	r, err := replica.Open(t.TempDir(), replica.Options{Genesis: n.Genesis, Log: slog.New(slog.DiscardHandler), UnsafeNoSync: true})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

func FuzzCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := parseCertificates(text)
		if (err == nil) != (len(found) > 0) {
			t.Errorf("%d certificates, %v", len(found), err)
		}
		for _, c := range found {
			stateOfCertificate("it", "file", c, time.Unix(0, 0)).words()
		}
	})
}
