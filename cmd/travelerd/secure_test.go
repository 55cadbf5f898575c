package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent"
)

// returns makes TestSecuredBrokersFailOver wait until the gateways have gone back
// to their home broker, for which they look every 30 s.
var returns = flag.Bool("returns", false, "wait for gateways to return to their home broker")

// authority gives the plant a CA.
func (p *plant) authority() *agent.Authority {
	p.t.Helper()
	a, err := p.FoundAuthority(time.Now(), 0, agent.KeyForm{})
	ok(p.t, err)
	return a
}

// encrypted is the broker section of a profile.
func encrypted(addresses ...string) string {
	urls := make([]string, len(addresses))
	for i, a := range addresses {
		urls[i] = strconv.Quote("mqtts://" + a)
	}
	return fmt.Sprintf("[broker]\nurls = [%s]\nca_file = \"ca.crt\"\ncertificate_file = \"board.crt\"\ncertificate_key_file = \"board.key\"\n", strings.Join(urls, ", "))
}

// secured is a Mosquitto under the configuration that the network has for it.
type secured struct {
	t       testing.TB
	address string
	conf    string
	cmd     *exec.Cmd
}

func (p *plant) mosquitto(a *agent.Authority, name string) *secured {
	p.t.Helper()
	const program = "/usr/sbin/mosquitto"
	if _, err := os.Stat(program); err != nil {
		p.t.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	s := &secured{t: p.t, address: freeAddress(p.t)}
	_, text, err := net.SplitHostPort(s.address)
	ok(p.t, err)
	port, err := strconv.ParseUint(text, 10, 16)
	ok(p.t, err)
	dir := filepath.Join(p.Dir, agent.CertificatesName, agent.BrokersName, name)
	ok(p.t, a.IssueBroker(name, []string{"127.0.0.1"}, dir, uint16(port), time.Now(), 0))
	s.conf = filepath.Join(dir, "test.conf")
	ok(p.t, os.WriteFile(s.conf, agent.MosquittoConfig{Dir: dir, Port: uint16(port), Data: p.t.TempDir(), User: "root"}.Text(), 0o644))
	p.t.Cleanup(s.stop)
	return s
}

func (s *secured) start() {
	s.t.Helper()
	s.cmd = exec.Command("/usr/sbin/mosquitto", "-c", s.conf)
	ok(s.t, s.cmd.Start())
}

func (s *secured) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// connected waits until the gateway uses a broker.
func (g *gateway) connected(address string) {
	g.t.Helper()
	d := g.desk()
	g.until("connection to "+address, func() bool {
		s, err := d.Status(context.Background())
		return err == nil && s.Broker == "mqtts://"+address
	})
}

// TestSecuredBrokersFailOver takes items through a line over encrypted brokers
// while the home broker dies and comes back: nothing is lost, nothing is shown
// twice, and each change is told once.
func TestSecuredBrokersFailOver(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := p.authority()
	home, spare := p.mosquitto(a, "home"), p.mosquitto(a, "spare")
	home.start()
	spare.start()
	section := encrypted(home.address, spare.address)
	intake := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+section)
	drilling := p.gateway("g-drilling", "DRILL-1", "drilling", section)
	packing := p.gateway("g-packing", "PACK-1", "packing", section)
	all := []*gateway{intake, drilling, packing}
	for _, g := range all {
		g.plug()
		g.start()
		g.ready()
		g.connected(home.address)
	}
	intake.order(drillAndPack())
	intake.scan("04000000000001", "TAKEN IN")
	drilling.knows("04000000000001")
	home.stop()
	intake.scan("04000000000002", "TAKEN IN") // while there may be none
	for _, g := range all {
		g.connected(spare.address)
	}
	drilling.knows("04000000000002")
	drilling.scan("04000000000001", "ACCEPTED")
	drilling.scan("04000000000001", "COMPLETED")
	packing.knows("04000000000001", "PACK-1")
	home.start()
	if *returns {
		time.Sleep(30 * time.Second)
		for _, g := range all {
			g.connected(home.address)
			if n := g.count("broker.switched"); n != 2 {
				t.Errorf("%s told of %d switches, want 2", g.name, n)
			}
		}
	}
	s := settle(t, all...)
	if s.Items != 2 || s.Conflicts != 0 || s.Evidence != 0 || len(s.Certificates) != 2 || s.Certificates[1].State != agent.CertificateValid {
		t.Errorf("status %+v", s)
	}
	for _, g := range all {
		if n := g.count("broker.switched"); n < 1 || n > 2 || g.count("broker.refused")+g.count("broker.untrusted") > 0 {
			t.Errorf("%s told of %d switches, or of a refusal", g.name, n)
		}
	}
	lit := 0
	for _, line := range intake.lamp() {
		if strings.Contains(line, "TAKEN IN") && !strings.Contains(line, "; no note is on the tag") { // said once more
			lit++
		}
	}
	if lit != 2 {
		t.Errorf("the light said TAKEN IN %d times for 2 items", lit)
	}
}

// TestKeptOut has a gateway of a foreign CA work alone, and say why with what to
// do; after its files were mended and a reload it is let in.
func TestKeptOut(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := p.authority()
	broker := p.mosquitto(a, "home")
	broker.start()
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+encrypted(broker.address))
	good := map[string][]byte{}
	for _, name := range []string{agent.BoardCertName, agent.BoardCertKeyName} {
		text, err := os.ReadFile(filepath.Join(g.dir, name))
		ok(t, err)
		good[name] = text
	}
	foreign := newPlant(t)
	foreign.authority()
	stranger := foreign.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+encrypted(broker.address))
	for name := range good {
		text, err := os.ReadFile(filepath.Join(stranger.dir, name))
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(g.dir, name), text, 0o600))
	}
	g.plug()
	g.start()
	g.ready()
	if line := g.logged("broker.refused"); !strings.Contains(line, "remote error") {
		t.Errorf("told without the reason: %s", line)
	}
	g.order(twoSteps("PO-1", "DRILL-1"))
	g.scan("04000000000001", "TAKEN IN") // alone
	for name, text := range good {
		ok(t, os.WriteFile(filepath.Join(g.dir, name), text, 0o600))
	}
	g.hangUp()
	g.logged("profile.reloaded")
	g.connected(broker.address)
	g.logged("broker.admitted")
	if n := g.count("broker.refused"); n != 1 {
		t.Errorf("told of the refusal %d times", n)
	}
}

// hangUp tells the daemon to read its profile again.
func (g *gateway) hangUp() {
	g.t.Helper()
	ok(g.t, g.cmd.Process.Signal(syscall.SIGHUP))
}

// TestOwnBrokerOverTLS has one gateway serve the broker itself: whoever has a
// certificate of the network is let in, also while that gateway's profile
// changes.
func TestOwnBrokerOverTLS(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.authority()
	address := freeAddress(t)
	intake := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+encrypted(address)+fmt.Sprintf("listen = %q\n", address))
	drilling := p.gateway("g-drilling", "DRILL-1", "drilling", encrypted(address))
	for _, g := range []*gateway{intake, drilling} {
		g.plug()
		g.start()
		g.ready()
		g.connected(address)
	}
	intake.order(twoSteps("PO-1", "DRILL-1"))
	intake.rewrite("minimum_dwell = \"50ms\"", "minimum_dwell = \"60ms\"")
	intake.reloaded("profile.reloaded", 1)
	intake.scan("04000000000001", "TAKEN IN")
	drilling.knows("04000000000001")
	settle(t, intake, drilling)
	if n := drilling.count("broker.lost"); n != 0 {
		t.Errorf("the broker was lost %d times while its gateway's profile changed", n)
	}
	if n := intake.count("broker.listening"); n != 1 {
		t.Errorf("the broker began %d times", n)
	}
}
