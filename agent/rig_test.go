package agent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// privateKey is the key of a name, the same in every run.
func privateKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("agent test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(name string) ledger.PublicKey {
	k, err := ledger.PublicKeyOf(privateKey(name))
	if err != nil {
		panic(err) // ed25519 keys have public keys
	}
	return k
}

func keyID(name string) ledger.KeyID { return publicKey(name).ID() }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plant is a network with its people, and the gateways of a test.
type plant struct {
	t          testing.TB
	genesis    ledger.Genesis
	statements []ledger.Statement
	hub        *hub
	signing    atomic.Int64 // how long a replica takes to sign, a time.Duration
}

// slowSigner takes its time, as on a small board.
type slowSigner struct {
	crypto.Signer
	takes *atomic.Int64
}

func (s slowSigner) Sign(random io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	time.Sleep(time.Duration(s.takes.Load()))
	return s.Signer.Sign(random, message, o)
}

// The stations of a test's plant: gateway, station, work centre. intake takes in
// and is its own drill as well; drill-1 and drill-2 share a work centre.
var places = []struct{ gateway, station, centre string }{
	{"intake", "INTAKE-1", ""},
	{"intake", "BENCH-1", ""},
	{"drill-1", "DRILL-1", "DRILLING"},
	{"drill-2", "DRILL-2", "DRILLING"},
	{"pack", "PACK-1", ""},
}

func newPlant(t testing.TB) *plant {
	t.Helper()
	g, err := ledger.NewGenesis(ledger.Genesis{
		Name: "test", Time: 1_700_000_000_000, Threshold: 1, Recovery: publicKey("recovery"),
		Admins: []ledger.Admin{{Name: "ada", Key: publicKey("ada")}},
	})
	must(t, err)
	p := &plant{t: t, genesis: g, hub: &hub{retained: map[string]mqtt.Message{}}}
	changes := []ledger.Change{
		enrolled("paula", ledger.RolePlanner), enrolled("quinn", ledger.RoleQuality), enrolled("olga", ledger.RoleOperator),
	}
	for _, x := range places {
		if x.station != "BENCH-1" {
			changes = append(changes, enrolled(x.gateway, ledger.RoleGateway|ledger.RoleWitness))
		}
		as := ledger.Change{Kind: ledger.ChangeAssign, Subject: keyID(x.gateway), Station: x.station, WorkCentre: x.centre}
		if x.station == "INTAKE-1" {
			as.Intake = 1
		}
		changes = append(changes, as)
	}
	p.state(changes...)
	return p
}

func enrolled(name string, roles ledger.Role) ledger.Change {
	return ledger.Change{Kind: ledger.ChangeEnrol, Name: name, Key: publicKey(name), Roles: roles}
}

// state signs a statement on all before it.
func (p *plant) state(changes ...ledger.Change) ledger.Statement {
	p.t.Helper()
	s := ledger.Statement{Changes: changes, Time: 1_700_000_000_000 + int64(len(p.statements))}
	if n := len(p.statements); n > 0 {
		s.BuildsOn = []ledger.Hash{p.statements[n-1].Hash()}
	}
	s, err := ledger.SignStatement(p.genesis.Network(), s, privateKey("ada"))
	must(p.t, err)
	p.statements = append(p.statements, s)
	return s
}

// replica opens a replica in memory that knows the statements so far.
func (p *plant) replica(name string, free func(string) (int64, error)) *replica.Replica {
	p.t.Helper()
	r, err := replica.OpenMemory(replica.Options{
		Genesis: p.genesis, Signer: slowSigner{privateKey(name), &p.signing}, FreeBytes: free,
		Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), ledger.ClockSynchronised },
	})
	must(p.t, err)
	p.t.Cleanup(func() { _ = r.Close() })
	p.know(r)
	return r
}

func (p *plant) know(r *replica.Replica) {
	p.t.Helper()
	for _, s := range p.statements {
		res, err := r.Ingest(context.Background(), s)
		must(p.t, err)
		if len(res.Refused)+len(res.Gaps) > 0 {
			p.t.Fatalf("statement does not count: %+v", res)
		}
	}
}

// board is one gateway of a test: its agent, and the world that it lives in.
type board struct {
	*Agent
	plant   *plant
	name    string
	replica *replica.Replica
	reader  *fakeReader
	scale   *fakeScale // nil: none
	light   *fakeLight
	bus     *link // nil: none
	journal *record
	free    atomic.Int64

	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, once ended
}

// gateway puts a gateway together; tune changes what the test wants otherwise.
func (p *plant) gateway(name string, tune ...func(*Config, *Parts)) *board {
	p.t.Helper()
	b := &board{
		plant: p, name: name, reader: newReader("bench"), light: &fakeLight{}, journal: &record{t: p.t, who: name}, ended: make(chan struct{}),
	}
	b.free.Store(1 << 40)
	b.replica = p.replica(name, func(string) (int64, error) { return b.free.Load(), nil })
	b.build(tune...)
	return b
}

func (b *board) build(tune ...func(*Config, *Parts)) {
	b.plant.t.Helper()
	cfg := Config{Name: b.name, Version: "test", Station: Station{Mode: ledger.ModeInOut, Intake: IntakeRules{{Order: "WO-1"}}}}
	for _, x := range places {
		if x.gateway == b.name {
			cfg.Station.ID = x.station
			break
		}
	}
	if b.name == "intake" {
		cfg.Station.ID, cfg.Station.Mode = "INTAKE-1", ledger.ModeIntake
	}
	cfg.Peer = peer.Config{Network: b.plant.genesis.Network(), Self: keyID(b.name), Rand: func(n int64) int64 { return n / 2 }}
	parts := Parts{
		Genesis: b.plant.genesis, Signer: privateKey(b.name), Replica: b.replica, Readers: []drivers.Reader{b.reader},
		Lights:  []NamedLight{{Name: "lamp", Light: b.light}},
		Journal: journal.New(b.journal, time.Now), Now: time.Now, Clock: func() ledger.Clock { return ledger.ClockSynchronised },
	}
	for _, f := range tune {
		f(&cfg, &parts)
	}
	if b.bus != nil {
		parts.Bus, parts.BusStates = b.bus, b.bus.states
	}
	a, err := New(cfg, parts)
	must(b.plant.t, err)
	b.Agent = a
}

// online gives a gateway a place on the bus.
func (b *board) online(tune ...func(*Config, *Parts)) *board {
	b.bus = b.plant.hub.link(b.name)
	b.build(tune...)
	return b
}

// run runs the gateway until the test ends, and waits until it may seal.
func (b *board) run() *board {
	b.plant.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	go func() {
		defer close(b.ended)
		b.err = b.Run(ctx)
	}()
	b.plant.t.Cleanup(func() { cancel(); <-b.ended })
	<-b.opened
	synctest.Wait()
	return b
}

// stop ends the gateway and returns how long that took and what Run returned.
func (b *board) stop() (time.Duration, error) {
	began := time.Now()
	b.cancel()
	<-b.ended
	return time.Since(began), b.err
}

// scan puts a tag on the reader, waits for what comes of it, and lifts it.
func (b *board) scan(tag string) string {
	b.plant.t.Helper()
	text := b.put(tag)
	b.lift(tag)
	return text
}

func (b *board) put(tag string) string {
	b.reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tag}}
	synctest.Wait()
	return b.light.last().Text
}

func (b *board) lift(tag string) {
	b.reader.events <- drivers.Event{Kind: drivers.Departed, Reader: "bench", Tag: drivers.Tag{ID: tag}}
	synctest.Wait()
}

// shows scans and holds the light to the words that it begins with.
func (b *board) shows(tag, want string) {
	b.plant.t.Helper()
	if got := b.scan(tag); !strings.HasPrefix(got, want) {
		b.plant.t.Fatalf("%s shows %q for %s, want %s", b.name, got, tag, want)
	}
}

// order has the planner's order sealed here.
func (b *board) order(o ledger.Order) ledger.Tx {
	b.plant.t.Helper()
	t := b.plant.signed("paula", ledger.Tx{Body: o})
	_, err := b.Desk().Submit(context.Background(), t.Raw())
	must(b.plant.t, err)
	return t
}

func (p *plant) signed(who string, t ledger.Tx) ledger.Tx {
	p.t.Helper()
	if t.Time == 0 {
		t.Time = time.Now().UnixMilli()
	}
	t, err := ledger.SignTx(p.genesis.Network(), t, privateKey(who))
	must(p.t, err)
	return t
}

// drilling is an order of drilling, then packing.
func drilling(id string) ledger.Order {
	return ledger.Order{ID: id, Product: "BRACKET", Quantity: 10, Routing: []ledger.Operation{
		{ID: "10", Task: "drill", Place: "DRILLING", MaxReturns: 1}, {ID: "20", Task: "pack", Place: "PACK-1", Needs: []string{"10"}, MaxReturns: 1},
	}}
}

// seal appends a statement of a gateway to its replica, as its station would.
func (p *plant) seal(name string, r *replica.Replica, t ledger.Tx) ledger.Tx {
	p.t.Helper()
	t.Sender = keyID(name)
	t.Time, t.Clock = r.Stamp()
	t, err := ledger.NewTx(p.genesis.Network(), t)
	must(p.t, err)
	return p.append(r, t)
}

func (p *plant) append(r *replica.Replica, t ledger.Tx) ledger.Tx {
	p.t.Helper()
	_, err := r.Append(context.Background(), replica.Batch{Txs: []ledger.Tx{t}})
	must(p.t, err)
	return t
}

// itemOf is the only open item with a tag.
func itemOf(t testing.TB, r *replica.Replica, tag string) ledger.Item {
	t.Helper()
	var it ledger.Item
	must(t, r.Read(func(v *replica.View) error {
		open, _, err := v.Tag(tag)
		if err == nil && len(open) != 1 {
			err = fmt.Errorf("%d open items have tag %s", len(open), tag)
		}
		if err == nil {
			it = open[0]
		}
		return err
	}))
	return it
}

// fakeReader passes on what the test has it say. It is up at once.
type fakeReader struct {
	name   string
	events chan drivers.Event
	fails  error // Run returns it at once
}

func newReader(name string) *fakeReader {
	return &fakeReader{name: name, events: make(chan drivers.Event)}
}

func (r *fakeReader) Info() drivers.Info {
	return drivers.Info{Name: r.name, Driver: "fake", Port: "port-" + r.name, Model: "fake 1.0"}
}

func (r *fakeReader) Run(ctx context.Context, out chan<- drivers.Event) error {
	if r.fails != nil {
		return r.fails
	}
	next := drivers.Event{Kind: drivers.Up, Reader: r.name}
	for {
		select {
		case out <- next:
		case <-ctx.Done():
			return nil
		}
		select {
		case next = <-r.events:
		case <-ctx.Done():
			return nil
		}
	}
}

// fakeLight keeps what it shows. While it hangs, Show waits for its context.
type fakeLight struct {
	mu    sync.Mutex
	shown []drivers.Signal
	fails error
	hangs bool
}

func (l *fakeLight) Show(ctx context.Context, s drivers.Signal) error {
	l.mu.Lock()
	hangs, fails := l.hangs, l.fails
	if fails == nil && !hangs {
		l.shown = append(l.shown, s)
	}
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return fails
}

func (l *fakeLight) set(fails error, hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails, l.hangs = fails, hangs
}

func (l *fakeLight) all() []drivers.Signal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.shown)
}

func (l *fakeLight) last() drivers.Signal {
	all := l.all()
	if len(all) == 0 {
		return drivers.Signal{}
	}
	return all[len(all)-1]
}

// fakeScale answers as the test says.
type fakeScale struct {
	fakeReader
	weigh func(ctx context.Context) (drivers.Weight, error)
}

func (s *fakeScale) Weigh(ctx context.Context) (drivers.Weight, error) { return s.weigh(ctx) }

// record is a journal that remembers, and holds every event to its definition.
type record struct {
	t   testing.TB
	who string
	mu  sync.Mutex
	all []entry
}

// entry is one line of the journal.
type entry struct {
	id     journal.ID // empty: a line that is no event
	words  string
	fields map[string]string
}

func (r *record) Enabled(context.Context, slog.Level) bool { return true }
func (r *record) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *record) WithGroup(string) slog.Handler            { return r }

func (r *record) Handle(_ context.Context, line slog.Record) error {
	e := entry{words: line.Message, fields: map[string]string{}}
	line.Attrs(func(a slog.Attr) bool {
		e.fields[a.Key] = a.Value.String()
		return true
	})
	e.id = journal.ID(e.fields[journal.KeyEvent])
	d, _ := journal.Lookup(e.id)
	if e.fields[journal.KeyLeftOut] != "" {
		d.Fields = nil // it counts events, and is none
	}
	for _, key := range d.Fields {
		if _, ok := e.fields[key]; !ok {
			r.t.Errorf("%s: event %s lacks the field %s: %q", r.who, e.id, key, e.words)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	return nil
}

func (r *record) events(id journal.ID) []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []entry
	for _, e := range r.all {
		if e.id == id {
			out = append(out, e)
		}
	}
	return out
}

// times holds an event to how often it was written.
func (r *record) times(n int, ids ...journal.ID) {
	r.t.Helper()
	for _, id := range ids {
		if got := r.events(id); len(got) != n {
			r.t.Errorf("%s: %d events %s, want %d: %v", r.who, len(got), id, n, got)
		}
	}
}

// hub is a broker: it passes on and retains.
type hub struct {
	mu       sync.Mutex
	links    []*link
	retained map[string]mqtt.Message
}

// link is one gateway's end of it.
type link struct {
	hub      *hub
	name     string
	messages chan mqtt.Message
	states   chan mqtt.State
	up       bool
	ran      bool
	ends     error // Run returns it at once
	holds    bool  // Publish waits for its context
	tries    int   // publishes
}

func (h *hub) link(name string) *link {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &link{hub: h, name: name, messages: make(chan mqtt.Message, 4096), states: make(chan mqtt.State, 64)}
	h.links = append(h.links, l)
	return l
}

func (l *link) Messages() <-chan mqtt.Message { return l.messages }

func (l *link) Run(ctx context.Context) error {
	if l.ends == nil {
		<-ctx.Done()
	}
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	l.up, l.ran = false, true
	close(l.messages)
	return l.ends
}

func (l *link) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	l.tries++
	if l.holds {
		l.hub.mu.Unlock()
		<-ctx.Done()
		l.hub.mu.Lock()
		return ctx.Err()
	}
	if !l.up {
		return mqtt.ErrOffline
	}
	m := mqtt.Message{Topic: topic, Payload: slices.Clone(payload)}
	if retained {
		l.hub.retained[topic] = mqtt.Message{Topic: topic, Payload: m.Payload, Retained: true}
	}
	for _, to := range l.hub.links {
		to.take(m)
	}
	return nil
}

// take hands a message over, if it is subscribed to. The lock is held.
func (l *link) take(m mqtt.Message) {
	own := strings.HasSuffix(m.Topic, "/"+keyID(l.name).String())
	asked := strings.Contains(m.Topic, "/ask/") || strings.Contains(m.Topic, "/give/")
	if l.up && !l.ran && (own || !asked) {
		l.messages <- m
	}
}

// connect has the link come up at a broker; it takes what is retained.
func (l *link) connect(broker string) {
	l.hub.mu.Lock()
	l.up = true
	l.states <- mqtt.State{Connected: true, Broker: broker}
	for _, m := range l.hub.retained {
		l.take(m)
	}
	l.hub.mu.Unlock()
	synctest.Wait()
}

// cut has it go down.
func (l *link) cut(why error) {
	l.hub.mu.Lock()
	l.up = false
	l.states <- mqtt.State{Err: why}
	l.hub.mu.Unlock()
	synctest.Wait()
}

func (l *link) hold(on bool) {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	l.holds = on
}
