package main

import (
	"bufio"
	"context"
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent"
	"traveler.example/drivers/emulate"
	"traveler.example/ledger"
)

// childEnv makes this test binary behave as travelerd, so that tests run the
// daemon as a process of its own without building it twice.
const childEnv = "TRAVELERD_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must come; it only bounds failure.
const patience = 30 * time.Second

// noBroker names a broker that nobody serves.
const noBroker = "[broker]\nurls = [\"mqtt://127.0.0.1:1\"]\n"

// plant is a network's directory with its people, and the gateways of a test.
type plant struct {
	*agent.Network
	t testing.TB
}

func newPlant(t testing.TB) *plant {
	t.Helper()
	n, err := agent.Found(t.TempDir(), agent.Founding{Name: "test", Admins: []string{"admin"}, Time: time.Now().UnixMilli()})
	ok(t, err)
	p := &plant{Network: n, t: t}
	for name, role := range map[string]ledger.Role{"planner": ledger.RolePlanner, "quality": ledger.RoleQuality} {
		_, err := n.AddPerson(time.Now().UnixMilli(), name, role, agent.KeyForm{}, p.admin()...)
		ok(t, err)
	}
	return p
}

func (p *plant) admin() []crypto.Signer {
	p.t.Helper()
	signers, err := p.Signers()
	ok(p.t, err)
	return signers
}

// gateway enrols a gateway under a profile; more is added to the profile as it
// is.
func (p *plant) gateway(name, station, profile, more string) *gateway {
	p.t.Helper()
	_, err := p.AddGateway(time.Now().UnixMilli(), []byte(boardText(name, station, profile, more)), true, agent.KeyForm{}, p.admin()...)
	ok(p.t, err)
	return &gateway{t: p.t, dir: p.Board(name), plant: p, name: name}
}

// boardText is the profile of a gateway of a test.
func boardText(name, station, profile, more string) string {
	return fmt.Sprintf(`gateway = %q
board = "demo"
station = %q
data_dir = "data"
key_file = "gateway.key"
genesis_file = "genesis.cbor"
roster = ["roster"]
control_socket = "control.sock"

%s
[work]
station = %q
minimum_dwell = "50ms"

[ports]
reader0 = "./reader"

[[light]]
name = "lamp"
kind = "lines"
path = "lamp"
`, name, profile, more, station)
}

// gateway is one travelerd with its emulated reader.
type gateway struct {
	t     testing.TB
	plant *plant
	name  string
	dir   string
	env   []string      // more of it for the daemon
	flags []string      // more of them
	tags  *emulate.Tags // that it shares with others; nil: its own

	reader *emulate.PN532
	socket *emulate.Socket
	cmd    *exec.Cmd

	mu  sync.Mutex
	log []string
	end chan struct{}
}

// plug puts an emulated reader on the gateway's port.
func (g *gateway) plug() {
	g.t.Helper()
	g.reader = emulate.NewPN532(emulate.PN532Config{Tags: g.tags})
	s, err := emulate.Plug(filepath.Join(g.dir, "reader"), g.reader)
	ok(g.t, err)
	g.socket = s
	g.t.Cleanup(func() { _ = s.Close() })
}

// start runs the daemon under a command, such as strace; none: by itself.
func (g *gateway) start(under ...string) {
	g.t.Helper()
	args := append(append(under, os.Args[0], "--profile", filepath.Join(g.dir, agent.ProfileName)), g.flags...)
	g.cmd = exec.Command(args[0], args[1:]...)
	g.cmd.Env = append(append(os.Environ(), childEnv+"=1", "LC_ALL=C"), g.env...)
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := g.cmd.StderrPipe()
	ok(g.t, err)
	ok(g.t, g.cmd.Start())
	g.end = make(chan struct{})
	go func() {
		defer close(g.end)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			g.mu.Lock()
			g.log = append(g.log, s.Text())
			g.mu.Unlock()
		}
		_ = g.cmd.Wait()
	}()
	g.t.Cleanup(func() {
		g.kill()
		if g.t.Failed() {
			g.t.Logf("journal of %s:\n%s", g.name, strings.Join(g.lines(), "\n"))
		}
	})
}

func (g *gateway) kill() {
	if g.cmd == nil || g.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) // with what it runs under
	<-g.end
}

// stop ends the daemon in order and returns its exit code.
func (g *gateway) stop() int {
	g.t.Helper()
	ok(g.t, g.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-g.end:
	case <-time.After(patience):
		g.t.Fatalf("%s did not end", g.name)
	}
	return g.cmd.ProcessState.ExitCode()
}

func (g *gateway) lines() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.log...)
}

// logged waits for a journal line that contains text, and returns it.
func (g *gateway) logged(text string) string {
	g.t.Helper()
	var found string
	g.until("journal line with "+text, func() bool {
		for _, l := range g.lines() {
			if strings.Contains(l, text) {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

func (g *gateway) count(text string) int {
	n := 0
	for _, l := range g.lines() {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

func (g *gateway) until(what string, done func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if done() {
			return
		}
		select {
		case <-g.end:
			if done() {
				return
			}
			g.t.Fatalf("%s ended while waiting for %s", g.name, what)
		default:
		}
	}
	g.t.Fatalf("%s: waited in vain for %s", g.name, what)
}

// lamp returns the lines that the light has shown.
func (g *gateway) lamp() []string {
	text, err := os.ReadFile(filepath.Join(g.dir, "lamp"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// shows waits until a line of the light after the first n contains text, and
// returns it with how many lines there are then.
func (g *gateway) shows(n int, texts ...string) (string, int) {
	g.t.Helper()
	var found string
	g.until("light "+strings.Join(texts, " or "), func() bool {
		lines := g.lamp()
		for i := n; i < len(lines); i++ {
			if slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(lines[i], t) }) {
				found, n = lines[i], i+1
				return true
			}
		}
		return false
	})
	return found, n
}

// desk talks to the daemon.
func (g *gateway) desk() agent.Desk {
	g.t.Helper()
	var d agent.Desk
	g.until("control socket", func() bool {
		var err error
		d, err = agent.Dial(filepath.Join(g.dir, agent.SocketName))
		return err == nil
	})
	g.t.Cleanup(func() { _ = d.Close() })
	return d
}

// scan presents a tag, waits for the light and takes the tag away. On a machine
// with too much to do the reader may fall silent for a moment; it then asks for
// the tag once more, and gets it.
func (g *gateway) scan(tag, want string) string {
	g.t.Helper()
	n := len(g.lamp())
	kind := "ntag213"
	if len(tag) == 8 {
		kind = "classic1k"
	}
	ok(g.t, g.reader.Present(tag, kind))
	line, n := g.shows(n, want, again)
	ok(g.t, g.reader.Remove(tag))
	_, n = g.shows(n, "IDLE")
	for strings.Contains(line, again) {
		ok(g.t, g.reader.Present(tag, kind))
		line, n = g.shows(n, want, again)
		ok(g.t, g.reader.Remove(tag))
		_, n = g.shows(n, "IDLE")
	}
	return line
}

// again is what a light says of a tag that lay there when the reader came up.
const again = "LIFT AND SCAN AGAIN"

// ready waits until the daemon answers and its reader is up: a tag that is put
// on a reader before is there, not scanned.
func (g *gateway) ready() {
	g.t.Helper()
	d := g.desk()
	g.until("reader up", func() bool {
		s, err := d.Status(context.Background())
		return err == nil && len(s.Readers) == 1 && s.Readers[0].Up
	})
}

// order has the planner submit a work order through this gateway.
func (g *gateway) order(o ledger.Order) {
	g.t.Helper()
	planner, err := g.plant.Person("planner")
	ok(g.t, err)
	t, err := ledger.SignTx(g.plant.Genesis.Network(), ledger.Tx{Time: time.Now().UnixMilli(), Body: o}, planner)
	ok(g.t, err)
	d := g.desk()
	g.until("order "+o.ID, func() bool {
		_, err := d.Submit(context.Background(), t.Raw())
		if err != nil {
			g.t.Logf("order: %v", err)
		}
		return err == nil
	})
}

// twoSteps is an order of one operation at a station after intake.
func twoSteps(id, place string) ledger.Order {
	return ledger.Order{ID: id, Product: "BRACKET", Quantity: 10, Routing: []ledger.Operation{
		{ID: "op10", Task: "drill", Place: place, MaxReturns: 1},
	}}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
