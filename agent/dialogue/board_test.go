package dialogue

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"traveler.example/agent"
	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// identity is the key of a name, the same in every run.
func identity(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("dialogue " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(name string) ledger.PublicKey {
	k, err := ledger.PublicKeyOf(identity(name))
	if err != nil {
		panic(err) // ed25519 keys have public keys
	}
	return k
}

// slow is a key that takes its time, as on a small board, so that a gateway's
// station and its sync do not write in one instant.
type slow struct{ crypto.Signer }

func (k slow) Sign(random io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	time.Sleep(500 * time.Microsecond)
	return k.Signer.Sign(random, message, o)
}

// board is one gateway's board: what survives a restart, and the agent that
// runs at present.
type board struct {
	scene   *scene
	place   place
	number  int
	key     string // the name that its key is made of
	id      ledger.KeyID
	replica *replica.Replica
	reader  reader
	scale   *scale // nil: none
	sealed  ledger.Ref
	backup  []replica.Object // statements and blocks
	life    *life            // nil: it is switched off
}

// place is the station that a board serves, as its profile says.
type place struct {
	name, station, centre string
	mode                  ledger.Mode
	intake, unassigned    bool
	makes                 agent.IntakeRules
}

// life is one run of an agent.
type life struct {
	agent *agent.Agent
	link  *link
	stop  context.CancelFunc
	ended chan struct{}
	err   error
}

func (b *board) index() int {
	if b == nil {
		return -1
	}
	return b.number
}

// open gives the board a new card with the objects given.
func (b *board) open(objects []replica.Object) error {
	var err error
	b.replica, err = replica.OpenMemory(replica.Options{
		Genesis: b.scene.genesis, Signer: slow{identity(b.key)},
		Now: func() (int64, ledger.Clock) {
			time.Sleep(3001 * time.Nanosecond)
			return time.Now().UnixMilli(), ledger.ClockSynchronised
		},
		FreeBytes: func(string) (int64, error) { // asked before each commit: it takes so long
			time.Sleep(97 * time.Microsecond)
			return math.MaxInt64 / 2, nil
		},
		Log: slog.New(&scribe{board: b}),
	})
	if err != nil || len(objects) == 0 {
		return err
	}
	r, err := b.replica.Ingest(context.Background(), objects...)
	if err == nil && len(r.Gaps)+len(r.Refused) > 0 {
		err = fmt.Errorf("what %s begins with is not taken: %+v %+v", b.place.name, r.Gaps, r.Refused)
	}
	b.sealed, _ = b.replica.Own()
	return err
}

// start runs an agent on the board.
func (b *board) start() error {
	s := b.scene
	topics := peer.TopicsOf(s.genesis.Network())
	l := &link{
		board: b, filters: topics.Filters(b.id), messages: make(chan mqtt.Message, backlog), states: make(chan mqtt.State, 64),
		will: mqtt.Message{Topic: topics.Status(b.id), Payload: peer.Status{Offline: 1}.Encode(), Retained: true},
	}
	cfg := agent.Config{
		Name: b.place.name, Version: "dialogue",
		Station: agent.Station{ID: b.place.station, Mode: b.place.mode, MinDwell: 2 * time.Second, Intake: b.place.makes},
		Machine: station.Config{Badges: map[string]station.Badge{}, Scale: b.scale != nil},
		Weighs:  agent.Weighing{Name: "scale", Deadline: time.Second, EmptyBelow: 1000},
		Peer: peer.Config{Network: s.genesis.Network(), Self: b.id, Rand: func(n int64) int64 {
			return n * int64(2*b.number+1) / 32 // gateways differ, and no draw depends on those before
		}},
	}
	for _, name := range s.operators {
		cfg.Machine.Badges[badgeOf(name)] = station.Badge{Name: name}
	}
	parts := agent.Parts{
		Genesis: s.genesis, Signer: slow{identity(b.key)}, Replica: b.replica, Bus: l, BusStates: l.states,
		Readers: []drivers.Reader{&b.reader}, Lights: []agent.NamedLight{{Name: "stack", Light: light{b}}},
		Journal: journal.New(&scribe{board: b}, time.Now), Now: time.Now,
		Clock: func() ledger.Clock { return ledger.ClockSynchronised },
	}
	if b.scale != nil {
		parts.Scale = b.scale
	}
	if s.tags != nil {
		parts.Notes = s.tags
	}
	a, err := agent.New(cfg, parts)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	b.life = &life{agent: a, link: l, stop: stop, ended: make(chan struct{})}
	go func(v *life) {
		defer close(v.ended)
		v.err = a.Run(ctx)
	}(b.life)
	return nil
}

// stop ends the agent; struck down it does not say goodbye, and the broker
// publishes its will.
func (b *board) stop(struck bool) error {
	v := b.life
	b.life = nil
	if struck {
		b.scene.mu.Lock()
		if v.link.connected {
			v.link.connected = false
			b.scene.publish(b, v.link.will)
		}
		b.scene.mu.Unlock()
	}
	v.stop()
	<-v.ended
	return v.err
}

// notice tells of own blocks that have become durable since the last look. It is
// called before anything of the gateway becomes visible, and so shows whether
// durable comes first.
func (b *board) notice() {
	s := b.scene
	s.mu.Lock()
	last := b.sealed
	s.mu.Unlock()
	head, _ := b.replica.Own()
	if head.Height <= last.Height {
		return
	}
	var blocks []ledger.Block
	_ = b.replica.Read(func(v *replica.View) error { // memory does not fail
		for block := range v.Chain(b.id, last.Height+1) {
			blocks = append(blocks, block)
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	b.sealed = head
	for _, block := range blocks {
		if s.words.known(block.Hash()) {
			continue // came back from others
		}
		s.words.learn(block.UnverifiedBlock)
		s.sayLocked(b, sealedHere, func() (string, string) { return "", s.words.block(block.UnverifiedBlock) })
	}
}

// holds returns what a copy of the board's card would have.
func (b *board) holds() (objects []replica.Object) {
	for _, st := range b.replica.Register().Statements() {
		objects = append(objects, st)
	}
	_ = b.replica.Read(func(v *replica.View) error { // memory does not fail
		authors, err := v.Authors()
		for _, a := range authors {
			for block := range v.Chain(a, 1) {
				objects = append(objects, block.UnverifiedBlock)
			}
		}
		return err
	})
	return objects
}

// reader is a station's reader, moved by people.
type reader struct {
	mu     sync.Mutex
	events chan drivers.Event // nil while it does not run
	lying  []string
}

const readerName = "reader"

// Info implements drivers.Reader.
func (r *reader) Info() drivers.Info { return drivers.Info{Name: readerName, Port: "/dev/reader"} }

// Run implements drivers.Reader.
func (r *reader) Run(ctx context.Context, out chan<- drivers.Event) error {
	events := make(chan drivers.Event, 64)
	r.mu.Lock()
	events <- event(drivers.Up, "")
	for _, tag := range r.lying {
		events <- event(drivers.Present, tag)
	}
	r.events = events
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.events = nil
		r.mu.Unlock()
	}()
	for {
		select {
		case e := <-events:
			select {
			case out <- e:
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func event(k drivers.Kind, tag string) drivers.Event {
	e := drivers.Event{Kind: k, Reader: readerName, At: time.Now()}
	if tag != "" {
		e.Tag = drivers.Tag{ID: tag, Technology: drivers.ISO14443A}
	}
	return e
}

// move puts a tag on the reader or takes it off; false: it lay there, or did not.
func (r *reader) move(tag string, on bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.lying, tag) == on {
		return false
	}
	kind := drivers.Departed
	if on {
		kind = drivers.Arrived
		r.lying = append(r.lying, tag)
	} else {
		r.lying = slices.DeleteFunc(r.lying, func(o string) bool { return o == tag })
	}
	if r.events != nil {
		r.events <- event(kind, tag)
	}
	return true
}

// scale shows what lies on it.
type scale struct {
	mu sync.Mutex
	mg drivers.Weight
}

// Info implements drivers.Device.
func (*scale) Info() drivers.Info { return drivers.Info{Name: "scale", Port: "/dev/scale"} }

// Run implements drivers.Device.
func (*scale) Run(ctx context.Context, _ chan<- drivers.Event) error {
	<-ctx.Done()
	return nil
}

// Weigh implements drivers.Scale.
func (c *scale) Weigh(context.Context) (drivers.Weight, error) {
	time.Sleep(200 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mg, nil
}

func (c *scale) load(w drivers.Weight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mg = w
}

// light says what it shows.
type light struct{ board *board }

// Show implements drivers.Light.
func (l light) Show(_ context.Context, s drivers.Signal) error {
	l.board.notice()
	l.board.scene.say(l.board, shown, s.Aspect.String()+" "+s.Text)
	return nil
}

// scribe says what the journal is told.
type scribe struct{ board *board }

// Enabled implements slog.Handler.
func (s *scribe) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (s *scribe) Handle(_ context.Context, r slog.Record) error {
	id := r.Level.String()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == journal.KeyEvent {
			id = a.Value.String()
		}
		return true
	})
	s.board.scene.say(s.board, written, id+": "+r.Message)
	return nil
}

// WithAttrs implements slog.Handler.
func (s *scribe) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup implements slog.Handler.
func (s *scribe) WithGroup(string) slog.Handler { return s }
