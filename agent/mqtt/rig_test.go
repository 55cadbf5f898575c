package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen. It only ever fails a
// test.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kind is a broker the suite runs over.
type kind struct {
	name  string
	start func(t testing.TB, address string) (stop func())
}

var kinds = []kind{{"embedded", startEmbedded}, {"mosquitto", startMosquitto}}

func overBrokers(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// up starts a broker for the whole test and returns its address.
func (k kind) up(t testing.TB) string {
	address := freeAddress(t)
	k.start(t, address)
	return address
}

func startEmbedded(t testing.TB, address string) func() {
	t.Helper()
	l, err := Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return runBroker(t, l, BrokerConfig{})
}

func runBroker(t testing.TB, l net.Listener, config BrokerConfig) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- RunBroker(ctx, l, config) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("broker: %v", err)
			}
		case <-time.After(patience):
			t.Error("the broker does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

func startMosquitto(t testing.TB, address string) func() {
	return startMosquittoWith(t, address, "allow_anonymous true\n")
}

// startMosquittoWith starts Debian's broker with more lines in its configuration.
func startMosquittoWith(t testing.TB, address, more string) func() {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %s %s\npersistence false\n%s", port, host, more)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	eventually(t, "mosquitto listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return stop
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// gateway is a running bus under test.
type gateway struct {
	*Bus
	states chan State
	stop   func()
}

func startGateway(t testing.TB, config Config) *gateway {
	t.Helper()
	g := &gateway{states: make(chan State, 256)}
	config.OnState = func(s State) { g.states <- s }
	if config.ClientID == "" {
		config.ClientID = t.Name()
	}
	bus, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	g.Bus = bus
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- bus.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(g.stop)
	return g
}

// connected returns a bus that is connected to the broker at address.
func connected(t testing.TB, address, id string, filters ...string) *gateway {
	t.Helper()
	g := startGateway(t, Config{Brokers: []string{"mqtt://" + address}, ClientID: id, Filters: filters})
	g.await(t, true)
	return g
}

// await fails unless the next state is the wanted one.
func (g *gateway) await(t testing.TB, connected bool) State {
	t.Helper()
	select {
	case s := <-g.states:
		if s.Connected != connected {
			t.Fatalf("state %+v, want connected=%v", s, connected)
		}
		return s
	case <-time.After(patience):
		t.Fatalf("no state came, want connected=%v", connected)
		return State{}
	}
}

func (g *gateway) receive(t testing.TB) Message {
	t.Helper()
	select {
	case m, ok := <-g.Messages():
		if !ok {
			t.Fatal("the messages ended")
		}
		return m
	case <-time.After(patience):
		t.Fatal("no message came")
		return Message{}
	}
}

func (g *gateway) publish(t testing.TB, topic string, retained bool, payload string) {
	t.Helper()
	if err := g.Publish(t.Context(), topic, retained, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// cable is a relay between bus and broker that can be cut.
type cable struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	severed  bool
	running  sync.WaitGroup
}

func newCable(t testing.TB, target string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: l}
	c.running.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			c.join(near, target)
		}
	})
	t.Cleanup(func() { c.cut(); _ = l.Close(); c.running.Wait() })
	return c
}

func (c *cable) address() string { return c.listener.Addr().String() }

func (c *cable) join(near net.Conn, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	far, err := net.Dial("tcp", target)
	if err != nil || c.severed {
		_ = near.Close()
		if far != nil {
			_ = far.Close()
		}
		return
	}
	c.conns = append(c.conns, near, far)
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}
	c.running.Go(func() { carry(near, far) })
	c.running.Go(func() { carry(far, near) })
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.severed = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.severed = false
}

// pipes is a network of net.Pipe connections to one listener.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, errors.New("nobody listens")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// wire is one end of a connection, spoken packet by packet.
type wire struct {
	t    testing.TB
	conn net.Conn
}

func (w wire) send(p packets.ControlPacket) {
	w.t.Helper()
	if err := p.Write(w.conn); err != nil {
		w.t.Errorf("send %v: %v", p, err)
	}
}

func read[P packets.ControlPacket](w wire) P {
	w.t.Helper()
	p, err := packets.ReadPacket(w.conn)
	if err != nil {
		w.t.Fatalf("read: %v", err)
	}
	got, ok := p.(P)
	if !ok {
		w.t.Fatalf("read %v", p)
	}
	return got
}

// hello connects as a client.
func (w wire) hello(id string) {
	w.t.Helper()
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.CleanSession = "MQTT", 4, true
	p.ClientIdentifier, p.Keepalive = id, 600
	w.send(p)
	if ack := read[*packets.ConnackPacket](w); ack.ReturnCode != 0 {
		w.t.Fatalf("refused: %v", ack)
	}
}

func (w wire) subscribe(filters ...string) []byte {
	w.t.Helper()
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = 1, filters, make([]byte, len(filters))
	for i := range p.Qoss {
		p.Qoss[i] = 1
	}
	w.send(p)
	return read[*packets.SubackPacket](w).ReturnCodes
}

func publication(topic string, qos byte, id uint16, payload []byte) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = topic, qos, id, payload
	return p
}
