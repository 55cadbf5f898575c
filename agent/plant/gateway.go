package plant

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
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

// Station is a place of the plant, served by a gateway of the same name.
type Station struct {
	Name   string
	Centre string // work centre; empty: none
	Intake bool
	Joins  bool // its gateway is enrolled and started in the middle of the run
	Line   int  // see [Lines]
	Step   int  // of the pieces that come here
	Mute   bool // its gateway is no witness
}

func (s Station) mode() ledger.Mode {
	if s.Intake {
		return ledger.ModeIntake
	}
	return ledger.ModeInOut
}

// identity is the key of a name, the same in every run.
func identity(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("plant " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(name string) ledger.PublicKey {
	k, err := ledger.PublicKeyOf(identity(name))
	if err != nil {
		panic(err) // ed25519 keys have public keys
	}
	return k
}

// signer is a key that takes its time, as on a small board. How long depends on
// what it signs and not on who asks first.
type signer struct{ crypto.Signer }

func (s signer) Sign(random io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	sum := sha256.Sum256(message)
	time.Sleep(400*time.Microsecond + time.Duration(binary.BigEndian.Uint64(sum[:])%1_600_000))
	return s.Signer.Sign(random, message, o)
}

// gateway is one board of the plant: what survives a restart, and the agent that
// runs at present.
type gateway struct {
	Station
	board   string // its name among the boards: a second one with the same key has another
	plant   *plant
	id      ledger.KeyID
	disk    *disk
	replica *replica.Replica
	reader  *reader
	light   *light
	scale   *scale // nil: none
	wall    *wall

	life   *life // nil: it is switched off
	lives  int
	asked  time.Time  // when somebody scanned here last
	losses []lossOf   // by old copies of its disk
	own    ledger.Ref // head of its chain when it was looked at last

	set   time.Time    // when its clock was set last
	steps atomic.Int64 // of its clock, as its journal tells
}

// life is one run of an agent.
type life struct {
	began time.Time
	agent *agent.Agent
	link  *link
	stop  context.CancelFunc
	ended chan struct{}
	err   error // of Run, once ended
}

// newGateway makes a board with an empty replica that knows the statements given.
func (p *plant) newGateway(s Station, statements []ledger.Statement) (*gateway, error) {
	return p.newBoard(s, s.Name, statements)
}

// newBoard is newGateway under another name than the station's.
func (p *plant) newBoard(s Station, board string, statements []ledger.Statement) (*gateway, error) {
	g := &gateway{
		Station: s, board: board, plant: p, id: publicKey(s.Name).ID(), reader: &reader{name: board + "-reader"},
		wall: newWall(p.plan, board), disk: newDisk(p, board),
	}
	if p.plan.Scales && s.Step == stepPack {
		g.scale = &scale{plant: p, name: board + "-scale"}
	}
	g.light = &light{trace: p.trace, who: board + "/light", seen: func(d drivers.Signal) { p.people.note(g, d) }}
	if err := g.open(); err != nil {
		return nil, err
	}
	for _, st := range statements {
		res, err := g.replica.Ingest(context.Background(), st)
		if err != nil {
			return nil, err
		}
		if len(res.Statements) == 0 {
			return nil, fmt.Errorf("statement %s does not count: %+v", st.Hash(), res)
		}
	}
	return g, nil
}

// open reads the board's disk into a replica. What ran on it before has ended.
func (g *gateway) open() error {
	if g.replica != nil {
		if err := g.replica.Close(); err != nil {
			return fmt.Errorf("closing the replica of %s: %w", g.board, err)
		}
	}
	var err error
	g.replica, err = replica.OpenMemory(replica.Options{
		Genesis: g.plant.genesis, Signer: signer{identity(g.Name)},
		Now: g.wall.now, FreeBytes: g.disk.flush, Memory: g.disk.memory, Pool: g.plant.pool, Pause: pause,
		Log: g.plant.logger(g.board + "/replica"),
	})
	return err
}

// pause is between two answers of a board's replica, which station and sync have
// waited for: who of them acts first would be nobody's.
func pause() { time.Sleep(53 * time.Microsecond) }

// logger writes into the trace, if the plan wants one.
func (p *plant) logger(who string) *slog.Logger { return slog.New(p.scribe(who)) }

func (p *plant) scribe(who string) slog.Handler {
	if p.plan.quiet {
		return slog.DiscardHandler
	}
	return &scribe{trace: p.trace, who: who}
}

// journal is the scribe of a board's journal.
func (p *plant) journal(g *gateway) slog.Handler {
	if p.plan.quiet {
		return slog.DiscardHandler
	}
	return &scribe{trace: p.trace, who: g.board + "/journal", told: func(event string) {
		if event == string(journal.ClockStepped) {
			g.steps.Add(1)
		}
	}}
}

// start runs an agent on the board.
func (g *gateway) start() error {
	p := g.plant
	if g.lives++; g.lives > 1 {
		if err := g.open(); err != nil {
			return err
		}
	}
	p.trace.say("faults", "%s starts, life %d", g.board, g.lives)
	topics := peer.TopicsOf(p.genesis.Network())
	l := p.broker.link(g.board, topics.Filters(g.id), mqtt.Message{
		Topic: topics.Status(g.id), Payload: peer.Status{Offline: 1}.Encode(), Retained: true,
	})
	spread := dice(p.plan.Seed, "spread "+g.board, uint64(g.lives))
	parts := agent.Parts{
		Genesis: p.genesis, Signer: signer{identity(g.Name)}, Replica: g.replica,
		Bus: l, BusStates: l.states, Readers: []drivers.Reader{g.reader},
		Lights:  []agent.NamedLight{{Name: "stack", Light: g.light}},
		Journal: journal.New(p.journal(g), time.Now),
		Now:     time.Now, Wall: g.wall.shown, Clock: g.wall.state,
	}
	var weighs agent.Weighing
	if g.scale != nil {
		parts.Scale = g.scale
		weighs = agent.Weighing{Name: g.scale.name, Deadline: 3 * time.Second, EmptyBelow: 1000}
	}
	a, err := agent.New(agent.Config{
		Name: g.Name, Version: "plant",
		Station: agent.Station{ID: g.Name, Mode: g.mode(), Intake: intakeRules(g.Line)},
		Machine: station.Config{Scale: g.scale != nil},
		Peer:    peer.Config{Network: p.genesis.Network(), Self: g.id, Rand: spread.Int64N},
		Weighs:  weighs,
	}, parts)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	g.life = &life{began: time.Now(), agent: a, link: l, stop: stop, ended: make(chan struct{})}
	go func(v *life) {
		defer close(v.ended)
		v.err = a.Run(ctx)
	}(g.life)
	return nil
}

// end stops the agent; struck down, it does not say goodbye. The board is off
// once then is called.
func (g *gateway) end(struck bool, then func()) {
	v := g.life
	if v == nil {
		return
	}
	g.life = nil
	if struck {
		g.plant.broker.strike(v.link)
	}
	g.plant.trace.say("faults", "%s ends, struck down: %t", g.board, struck)
	v.stop()
	g.plant.await(v, g, then)
}

// await calls then as soon as a life has ended.
func (p *plant) await(v *life, g *gateway, then func()) {
	select {
	case <-v.ended:
		if v.err != nil {
			p.fail("%s ended with an error: %v", g.board, v.err)
		}
		then()
	default:
		p.clock.after(10*time.Millisecond, "await "+g.board, 0, func() { p.await(v, g, then) })
	}
}
