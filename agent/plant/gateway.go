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
	"math"
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
	plant   *plant
	id      ledger.KeyID
	replica *replica.Replica
	reader  *reader
	light   *light
	skew    time.Duration // of its clock
	clock   ledger.Clock

	life  *life // nil: it is switched off
	lives int
	own   ledger.Ref // head of its chain when it was looked at last
}

// life is one run of an agent.
type life struct {
	agent *agent.Agent
	link  *link
	stop  context.CancelFunc
	ended chan struct{}
	err   error // of Run, once ended
}

// newGateway makes a board with an empty replica that knows the statements given.
func (p *plant) newGateway(s Station, statements []ledger.Statement) (*gateway, error) {
	r := dice(p.plan.Seed, "clock "+s.Name, 0)
	g := &gateway{
		Station: s, plant: p, id: publicKey(s.Name).ID(), reader: &reader{name: s.Name + "-reader"},
		skew: between(r, -2*time.Second, 2*time.Second), clock: ledger.Clock(r.IntN(2)),
	}
	g.light = &light{trace: p.trace, who: s.Name + "/light", seen: func(d drivers.Signal) { p.people.note(g, d) }}
	var err error
	g.replica, err = replica.OpenMemory(replica.Options{
		Genesis: p.genesis, Signer: signer{identity(s.Name)},
		Now: g.now, FreeBytes: flush,
		Log: slog.New(&scribe{trace: p.trace, who: s.Name + "/replica"}),
	})
	if err != nil {
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

// now reads the board's clock. That takes a moment, so that the station, which
// stamps what it appends, asks the replica later than the sync, which does not.
func (g *gateway) now() (int64, ledger.Clock) {
	time.Sleep(3001 * time.Nanosecond)
	return time.Now().Add(g.skew).UnixMilli(), g.clock
}

// flush stands for the time that a commit takes: the replica looks for free space
// before each. So two requests are never answered in one instant.
func flush(string) (int64, error) {
	time.Sleep(97 * time.Microsecond)
	return math.MaxInt64 / 2, nil
}

// start runs an agent on the board.
func (g *gateway) start() error {
	p := g.plant
	g.lives++
	p.trace.say("faults", "%s starts, life %d", g.Name, g.lives)
	topics := peer.TopicsOf(p.genesis.Network())
	l := p.broker.link(g.Name, topics.Filters(g.id), mqtt.Message{
		Topic: topics.Status(g.id), Payload: peer.Status{Offline: 1}.Encode(), Retained: true,
	})
	spread := dice(p.plan.Seed, "spread "+g.Name, uint64(g.lives))
	a, err := agent.New(agent.Config{
		Name: g.Name, Version: "plant",
		Station: agent.Station{ID: g.Name, Mode: g.mode(), Intake: agent.IntakeRules{{Order: orderID}}},
		Machine: station.Config{},
		Peer:    peer.Config{Network: p.genesis.Network(), Self: g.id, Rand: spread.Int64N},
	}, agent.Parts{
		Genesis: p.genesis, Signer: signer{identity(g.Name)}, Replica: g.replica,
		Bus: l, BusStates: l.states, Readers: []drivers.Reader{g.reader},
		Lights:  []agent.NamedLight{{Name: "stack", Light: g.light}},
		Journal: journal.New(&scribe{trace: p.trace, who: g.Name + "/journal"}, time.Now),
		Now:     time.Now, Clock: func() ledger.Clock { return g.clock },
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	g.life = &life{agent: a, link: l, stop: stop, ended: make(chan struct{})}
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
	g.plant.trace.say("faults", "%s ends, struck down: %t", g.Name, struck)
	v.stop()
	g.plant.await(v, g, then)
}

// await calls then as soon as a life has ended.
func (p *plant) await(v *life, g *gateway, then func()) {
	select {
	case <-v.ended:
		if v.err != nil {
			p.fail("%s ended with an error: %v", g.Name, v.err)
		}
		then()
	default:
		p.clock.after(10*time.Millisecond, "await "+g.Name, 0, func() { p.await(v, g, then) })
	}
}
