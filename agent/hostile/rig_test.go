package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/agent"
	"traveler.example/agent/line"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/systemd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; it only bounds failure.
const patience = 30 * time.Second

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mosquitto starts Debian's broker, open to everybody, on a free loopback port.
func mosquitto(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	address := l.Addr().String()
	ok(t, l.Close())
	_, port, _ := net.SplitHostPort(address)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	ok(t, os.WriteFile(conf, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port), 0o644))
	cmd := exec.Command(program, "-c", conf)
	ok(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address
		} else if time.Now().After(deadline) {
			t.Fatalf("mosquitto does not answer: %v", err)
		}
	}
}

// daemon builds travelerd.
func daemon(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "travelerd")
	build := exec.Command("go", "build", "-o", path, "traveler.example/cmd/travelerd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building travelerd: %v\n%s", err, out)
	}
	return path
}

// The insider's gateway. No daemon runs for it: its key is the foe's.
const (
	insider        = "mallory"
	insiderStation = "MALLORY"
	insiderProfile = `gateway = "mallory"
board = "demo"
station = "intake"
data_dir = "data"
key_file = "gateway.key"
genesis_file = "genesis.cbor"
roster = ["roster"]
control_socket = "control.sock"
[work]
station = "MALLORY"
[ports]
reader0 = "./reader"
[[light]]
name = "lamp"
kind = "lines"
path = "lamp"
[intake]
order = "WO-PIN"
[broker]
urls = ["mqtt://127.0.0.1:1"]
`
)

// asInstalled gives the daemons the environment that the unit gives them: it
// bounds their memory.
func asInstalled(t *testing.T) {
	t.Helper()
	for _, f := range systemd.Files() {
		for row := range strings.Lines(string(f.Text)) {
			settings, of := strings.CutPrefix(row, "Environment=")
			if !of || !strings.HasSuffix(f.Path, "/travelerd.service") {
				continue
			}
			for _, s := range strings.Fields(settings) {
				name, value, _ := strings.Cut(s, "=")
				t.Setenv(name, value)
			}
			return
		}
	}
	t.Fatal("the unit sets no environment")
}

// theatre is the target, an honest peer and the foe, over Debian's broker.
type theatre struct {
	t      *testing.T
	line   *line.Line
	target *line.Station
	peer   *line.Station
	foe    *foe
}

func newTheatre(t *testing.T, ctx context.Context, seed uint64) *theatre {
	t.Helper()
	broker := mosquitto(t)
	asInstalled(t)
	l, err := line.New(line.Config{Dir: filepath.Join(t.TempDir(), "line"), Daemon: daemon(t), Broker: broker, Gateways: []string{line.Intake, line.Drilling1}})
	ok(t, err)
	th := &theatre{t: t, line: l, target: l.Station(line.Intake), peer: l.Station(line.Drilling1)}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the target's journal:\n%s", strings.Join(th.journal(), "\n"))
		}
	})
	admins, err := l.Network().Signers()
	ok(t, err)
	_, err = l.Network().AddGateway(time.Now().UnixMilli(), []byte(insiderProfile), true, agent.KeyForm{}, admins...)
	ok(t, err)
	ok(t, errors.Join(l.Start(ctx), l.IssueOrders(ctx)))
	th.invite(ctx, broker, seed)
	return th
}

// invite gives the foe its way to the broker, and its key.
func (th *theatre) invite(ctx context.Context, broker string, seed uint64) {
	t, n := th.t, th.line.Network()
	key, err := agent.LoadKey(filepath.Join(n.Board(insider), agent.BoardKey), nil)
	ok(t, err)
	public, err := ledger.PublicKeyOf(key)
	ok(t, err)
	cite, err := n.Register.Cite(nil)
	ok(t, err)
	f := &foe{
		broker: broker, net: n.Genesis.Network(), topics: peer.TopicsOf(n.Genesis.Network()), cite: cite,
		key: key, id: public.ID(), station: insiderStation, random: rand.New(rand.NewPCG(seed, 1)),
	}
	for _, s := range th.line.Stations() {
		st, err := s.Status(ctx)
		ok(t, err)
		f.honest = append(f.honest, gateway{name: s.Gateway, id: st.Key})
	}
	f.target = f.honest[0]
	th.ask(ctx, func(d agent.Desk) error {
		o, err := d.Order(ctx, "WO-PIN")
		f.order = o.Tx
		return err
	})
	ok(t, f.ear())
	t.Cleanup(func() { f.wire.tear() })
	th.foe = f
}

// ask asks the target.
func (th *theatre) ask(ctx context.Context, f func(agent.Desk) error) {
	th.t.Helper()
	d, err := th.target.Desk()
	ok(th.t, err)
	defer func() { ok(th.t, d.Close()) }()
	ok(th.t, f(d))
}

// journal is what the target has written about anything but honest scans and their
// remedies: the lines that an attack may add to.
func (th *theatre) journal() []string {
	text, err := os.ReadFile(th.target.Journal())
	if err != nil {
		return []string{err.Error()}
	}
	var rows []string
	for row := range strings.Lines(string(text)) {
		if fields := strings.Fields(row); len(fields) > 2 && fields[0] != "→" && !strings.HasPrefix(fields[2], "scan.") {
			rows = append(rows, strings.TrimSpace(row))
		}
	}
	return rows
}

// memory is what a process has, in KiB.
type memory struct{ resident, anonymous int64 }

func (m memory) most(o memory) memory {
	return memory{max(m.resident, o.resident), max(m.anonymous, o.anonymous)}
}

// memory is the target's now.
func (th *theatre) memory() (m memory) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", th.target.PID()))
	if err != nil {
		th.t.Errorf("the target does not run: %v", err)
		return m
	}
	for row := range bytes.Lines(text) {
		name, rest, _ := strings.Cut(string(row), ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			m.resident = n
		case "RssAnon":
			m.anonymous = n
		}
	}
	return m
}

// burnt is how long the target has worked, on all processors.
func (th *theatre) burnt() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", th.target.PID()))
	_, rest, _ := strings.Cut(string(text), ") ") // behind the program's name
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second: proc(5)
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// weigh is the most of the target's memory until ctx ends.
func (th *theatre) weigh(ctx context.Context) (m memory) {
	beat := time.NewTicker(200 * time.Millisecond)
	defer beat.Stop()
	for {
		m = m.most(th.memory())
		select {
		case <-ctx.Done():
			return m
		case <-beat.C:
		}
	}
}
