package station_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"traveler.example/agent/station"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Cleanup(f func())
	Context() context.Context
}

// plant is a few gateways with real replicas, one clock and a network that
// delivers when it is told to.
type plant struct {
	t        tester
	genesis  ledger.Genesis
	net      ledger.NetworkID
	now      time.Time
	gateways []*gateway
	sealed   []string // since the last step of a story, in words
	orders   map[string]ledger.TxID
}

// gateway is a station's machine on a replica, driven as the agent does it.
type gateway struct {
	p       *plant
	name    string
	signer  ed25519.PrivateKey
	key     ledger.KeyID
	replica *replica.Replica
	cfg     station.Config
	here    ledger.Here // without what the roster says
	intake  *ledger.IntakeFor
	machine *station.Machine
	cut     bool  // from the network
	missing int64 // blocks of others that are on their way here
	hold    bool  // appends are answered when they are released
	free    atomic.Int64
	breaks  error  // what appends fail with; nil: they do not
	between func() // runs before each append
	damage  error  // what scans fail with

	held    []station.Append
	weighs  []int // serials that the scale was asked with
	shows   []station.Signal
	logs    []station.Log
	light   station.Signal
	asked   map[int]station.Append // durable ones, by serial
	durable *station.Append        // whose answer the machine is given
	blocks  []ledger.Block
	known   map[string]int // blocks delivered, by gateway
}

func signerOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("station test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(t tester, name string) ledger.PublicKey {
	pub, err := ledger.PublicKeyOf(signerOf(name))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// newPlant founds a network with the stations named, each with one gateway of
// the same name; "entrance" and "gate" take items in.
func newPlant(t tester, stations ...string) *plant {
	t.Helper()
	p := &plant{t: t, now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), orders: map[string]ledger.TxID{}}
	var err error
	p.genesis, err = ledger.NewGenesis(ledger.Genesis{
		Name: "stations", Time: p.now.UnixMilli(), Threshold: 1, Recovery: publicOf(t, "recovery"), Nonce: [16]byte{7},
		Admins: []ledger.Admin{{Name: "ada", Key: publicOf(t, "ada")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.net = p.genesis.Network()
	changes := []ledger.Change{p.enrol("paula", ledger.RolePlanner), p.enrol("quinn", ledger.RoleQuality), p.enrol("olga", ledger.RoleOperator)}
	for _, name := range stations {
		g := p.newGateway(name)
		as := ledger.Change{Kind: ledger.ChangeAssign, Subject: g.key, Station: name}
		if name == "entrance" || name == "gate" {
			as.Intake, g.here.Mode = 1, ledger.ModeIntake
		}
		changes = append(changes, p.enrol(name, ledger.RoleGateway), as)
	}
	s, err := ledger.SignStatement(p.net, ledger.Statement{Changes: changes, Time: p.now.UnixMilli()}, signerOf("ada"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range p.gateways {
		if r, err := g.replica.Ingest(t.Context(), s); err != nil || len(r.Statements) != 1 {
			t.Fatalf("%s: %+v, %v", g.name, r, err)
		}
		g.step(station.Opened{})
	}
	return p
}

func (p *plant) enrol(name string, role ledger.Role) ledger.Change {
	return ledger.Change{Kind: ledger.ChangeEnrol, Name: name, Key: publicOf(p.t, name), Roles: role}
}

func (p *plant) newGateway(name string) *gateway {
	g := &gateway{
		p: p, name: name, signer: signerOf(name), key: publicOf(p.t, name).ID(), known: map[string]int{}, asked: map[int]station.Append{},
		here: ledger.Here{Station: name, Mode: ledger.ModeInOut, MinDwell: 2000},
		cfg: station.Config{
			Gates: map[string]ledger.Gate{}, Badges: map[string]station.Badge{"BADGE-OLGA": {Name: "olga"}, "BADGE-MALLORY": {Name: "mallory"}},
			TaskText: map[string]string{}, Scale: true,
		},
	}
	g.here.Gateway = g.key
	g.free.Store(1 << 40)
	r, err := replica.OpenMemory(replica.Options{
		Genesis: p.genesis, Signer: g.signer,
		Now:       func() (int64, ledger.Clock) { return p.now.UnixMilli(), ledger.ClockSynchronised },
		FreeBytes: func(string) (int64, error) { return g.free.Load(), nil },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = r.Close() })
	g.replica, g.machine = r, station.New(g.cfg)
	p.gateways = append(p.gateways, g)
	return g
}

func (p *plant) at(name string) *gateway {
	for _, g := range p.gateways {
		if g.name == name {
			return g
		}
	}
	p.t.Fatalf("no gateway %s", name)
	return nil
}

// order lets the planner issue an order, which the first gateway seals.
func (p *plant) order(o ledger.Order) ledger.TxID {
	p.t.Helper()
	id := p.signed("paula", ledger.Tx{Body: o})
	p.orders[o.ID] = id
	p.deliver()
	return id
}

// ruled lets quality rule on an item's only head.
func (p *plant) ruled(label string, d ledger.Disposition) {
	p.t.Helper()
	it := p.gateways[0].item(label)
	p.signed("quinn", ledger.Tx{Item: it.ID, After: it.HeadIDs, Body: d})
	p.deliver()
}

// signed seals somebody's own transaction at the first gateway.
func (p *plant) signed(who string, tx ledger.Tx) ledger.TxID {
	p.t.Helper()
	tx.Time, tx.Clock = p.now.UnixMilli(), ledger.ClockSynchronised
	t, err := ledger.SignTx(p.net, tx, crypto.Signer(signerOf(who)))
	if err == nil {
		err = p.gateways[0].seal(replica.Batch{Txs: []ledger.Tx{t}})
	}
	if err != nil {
		p.t.Fatalf("%s of %s: %v", tx.Body.Kind(), who, err)
	}
	return t.ID()
}

// deliver brings all blocks to all gateways that are not cut off, and tells them.
func (p *plant) deliver() {
	for again := true; again; {
		again = false
		for _, to := range p.gateways {
			for _, from := range p.gateways {
				if to == from || to.cut || from.cut {
					continue
				}
				again = p.pass(from, to) || again
			}
		}
	}
}

func (p *plant) pass(from, to *gateway) bool {
	n := to.known[from.name]
	if n == len(from.blocks) {
		return false
	}
	for _, b := range from.blocks[n:] {
		if r, err := to.replica.Ingest(p.t.Context(), b.UnverifiedBlock); err != nil || len(r.Refused)+len(r.Gaps) > 0 {
			p.t.Fatalf("%s to %s: %+v, %v", from.name, to.name, r, err)
		}
	}
	to.known[from.name] = len(from.blocks)
	to.step(station.Changed{})
	return true
}

// restart loses all that the machine remembers.
func (g *gateway) restart() {
	g.machine = station.New(g.cfg)
	g.step(station.Opened{})
}

func (g *gateway) item(label string) (it ledger.Item) {
	g.p.t.Helper()
	err := g.replica.Read(func(v *replica.View) error {
		items, err := v.Label(label)
		if err == nil && len(items) != 1 {
			err = fmt.Errorf("%d items are called %s", len(items), label)
		}
		if err == nil {
			it = items[0]
		}
		return err
	})
	if err != nil {
		g.p.t.Fatal(err)
	}
	return it
}

// word seals a transaction of the gateway's own about the head of an item.
func (g *gateway) word(label string, body func(head ledger.Node) ledger.Tx) error {
	g.p.t.Helper()
	it := g.item(label)
	head, _ := it.Head()
	tx := body(head)
	tx.Item, tx.Sender = it.ID, g.key
	tx.Time, tx.Clock = g.replica.Stamp()
	t, err := ledger.NewTx(g.p.net, tx)
	if err != nil {
		return err
	}
	return g.seal(replica.Batch{Txs: []ledger.Tx{t}})
}

// withdraw takes back the gateway's last word on an item.
func (g *gateway) withdraw(label string) error {
	return g.word(label, func(head ledger.Node) ledger.Tx {
		return ledger.Tx{After: []ledger.TxID{head.Tx}, Body: ledger.Withdraw{Target: head.Tx, Reason: "a mistake"}}
	})
}
