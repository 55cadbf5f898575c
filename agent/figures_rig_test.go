package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// The benchmarks named Figure… are the rows of README's table. Each measures its
// limit in the same run and reports the ratio that the table shows. Sizes are
// small; TRAVELER_BENCH=long makes them those of the table.
func figureSize(short, long int) int {
	if os.Getenv("TRAVELER_BENCH") == "long" {
		return long
	}
	return short
}

// tmpfs is the magic number of a file system that lives in memory (statfs(2)).
const tmpfs = 0x01021994

// diskDir is a directory on a disk: in memory a flush costs nothing.
func diskDir(b *testing.B) string {
	dir := b.TempDir()
	var fs syscall.Statfs_t
	must(b, syscall.Statfs(dir, &fs))
	if fs.Type == tmpfs {
		b.Skipf("%s lies in memory: set TMPDIR to a directory on a disk", dir)
	}
	return dir
}

// mosquitto starts the broker and returns its address.
func mosquitto(b *testing.B) string {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(program); err != nil {
		b.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	address := l.Addr().String()
	must(b, l.Close())
	_, port, err := net.SplitHostPort(address)
	must(b, err)
	config := filepath.Join(b.TempDir(), "mosquitto.conf")
	must(b, os.WriteFile(config, fmt.Appendf(nil, "listener %s 127.0.0.1\npersistence false\nallow_anonymous true\n", port), 0o600))
	cmd := exec.Command(program, "-c", config)
	must(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	eventually(b, "mosquitto listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return address
}

// eventually waits for what takes a while; its patience only ever fails a run.
func eventually(b *testing.B, what string, done func() bool) {
	b.Helper()
	for end := time.Now().Add(20 * time.Minute); !done(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			b.Fatalf("never: %s", what)
		}
	}
}

// busTo runs a bus until the benchmark ends, or until stop is called.
func busTo(b *testing.B, address, id string, filters ...string) (bus *mqtt.Bus, stop func()) {
	up := make(chan struct{})
	var once sync.Once
	bus, err := mqtt.New(mqtt.Config{
		Brokers: []string{"mqtt://" + address}, ClientID: id, Filters: filters,
		OnState: func(s mqtt.State) {
			if s.Connected {
				once.Do(func() { close(up) })
			}
		},
	})
	must(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = bus.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	b.Cleanup(stop)
	<-up
	return bus, stop
}

// sentBy counts what one gateway publishes, by channel.
type sentBy struct {
	Bus
	mu    sync.Mutex
	first map[string]time.Time
	count map[string]int
}

func (s *sentBy) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	channel := strings.Split(topic, "/")[3]
	if a, err := peer.ParseAsk(payload); channel == "ask" && err == nil && len(a.Ranges) > 0 {
		channel = "ask for blocks"
	}
	s.mu.Lock()
	if s.count[channel]++; s.count[channel] == 1 {
		s.first[channel] = time.Now()
	}
	s.mu.Unlock()
	return s.Bus.Publish(ctx, topic, retained, payload)
}

// since is when the first message of a channel went out; zero: none has.
func (s *sentBy) since(channel string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first[channel]
}

func (s *sentBy) number(channel string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[channel]
}

// wired is a whole gateway on a disk and at a broker.
type wired struct {
	*Agent
	replica *replica.Replica
	reader  *fakeReader
	light   *lampOf
	sent    *sentBy
	stop    func()
}

// lampOf hands out what it shows, and waits for nobody.
type lampOf struct{ shown chan drivers.Signal }

func (l *lampOf) Show(_ context.Context, s drivers.Signal) error {
	select {
	case l.shown <- s:
	default: // nobody looks
	}
	return nil
}

// onDisk opens a gateway's replica that knows the roster.
func (p *plant) onDisk(b *testing.B, name, dir string, tune ...func(*replica.Options)) *replica.Replica {
	o := replica.Options{
		Genesis: p.genesis, Signer: privateKey(name),
		Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), ledger.ClockSynchronised },
	}
	for _, f := range tune {
		f(&o)
	}
	r, err := replica.Open(dir, o)
	must(b, err)
	b.Cleanup(func() { _ = r.Close() })
	p.know(r)
	return r
}

// wire runs a gateway at a broker until the benchmark ends or it is stopped. It
// may seal when wire returns.
func (p *plant) wire(b *testing.B, name, address string, at Station, r *replica.Replica) *wired {
	topics, self := peer.TopicsOf(p.genesis.Network()), keyID(name)
	states := make(chan mqtt.State, 64)
	bus, err := mqtt.New(mqtt.Config{
		Brokers: []string{"mqtt://" + address}, ClientID: name, Filters: topics.Filters(self),
		Will:    &mqtt.Message{Topic: topics.Status(self), Payload: peer.Status{Offline: 1}.Encode(), Retained: true},
		OnState: func(s mqtt.State) { states <- s },
	})
	must(b, err)
	w := &wired{
		replica: r, reader: newReader("bench"), light: &lampOf{make(chan drivers.Signal, 64)},
		sent: &sentBy{Bus: bus, first: map[string]time.Time{}, count: map[string]int{}},
	}
	w.Agent, err = New(Config{
		Name: name, Station: at, Peer: peer.Config{Network: p.genesis.Network(), Self: self, Rand: func(n int64) int64 { return n / 2 }},
	}, Parts{
		Genesis: p.genesis, Signer: privateKey(name), Replica: r, Bus: w.sent, BusStates: states, Readers: []drivers.Reader{w.reader},
		Lights:  []NamedLight{{"lamp", w.light}},
		Journal: journal.New(slog.DiscardHandler, time.Now), Now: time.Now, Clock: func() ledger.Clock { return ledger.ClockSynchronised },
	})
	must(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); must(b, <-ended) })
	b.Cleanup(w.stop)
	<-w.opened
	return w
}

// scan lays a tag on the reader, and returns when the light shows the colour.
func (w *wired) scan(b *testing.B, tag string, want drivers.Aspect) {
	b.Helper()
	for len(w.light.shown) > 0 {
		<-w.light.shown
	}
	w.reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tag}}
	if s := <-w.light.shown; s.Aspect != want {
		b.Fatalf("shows %+v", s)
	}
	w.reader.events <- drivers.Event{Kind: drivers.Departed, Reader: "bench", Tag: drivers.Tag{ID: tag}}
}

// head is the head of an author's chain here; zero: there is none.
func (w *wired) head(b *testing.B, author string) (head ledger.Ref) {
	must(b, w.replica.Read(func(v *replica.View) error {
		refs, err := v.HeadsOf(keyID(author))
		if len(refs) > 0 {
			head = refs[len(refs)-1]
		}
		return err
	}))
	return head
}
