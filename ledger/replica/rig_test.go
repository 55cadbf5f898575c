package replica

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"log/slog"
	"sync/atomic"
	"testing"

	"traveler.example/ledger"
)

// keyOf makes a key from a name: the same in every run.
func keyOf(name string) crypto.Signer {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func public(s crypto.Signer) ledger.PublicKey { return must(ledger.PublicKeyOf(s)) }

func idOf(s crypto.Signer) ledger.KeyID { return public(s).ID() }

// plant is a network with its people and gateways. Gateway i has station s<i>
// in work centre w<i mod 2>; all take items in.
type plant struct {
	tb               testing.TB
	genesis          ledger.Genesis
	net              ledger.NetworkID
	admin            crypto.Signer
	planner, quality crypto.Signer
	gateways         []*gateway
	statements       []ledger.Statement
	roster           []ledger.Hash // heads for the next statement
	now              atomic.Int64  // read by callers of Append and by the committer
	order            ledger.TxID
}

// gateway is one board with its replica.
type gateway struct {
	*plant
	name    string
	station string
	key     crypto.Signer
	id      ledger.KeyID
	r       *Replica
}

func newPlant(tb testing.TB, gateways int) *plant {
	tb.Helper()
	return newPlantOf(tb, gateways, keyOf)
}

// newPlantOf is a plant whose keys are made from their names by keyOf.
func newPlantOf(tb testing.TB, gateways int, keyOf func(name string) crypto.Signer) *plant {
	tb.Helper()
	p := &plant{tb: tb, admin: keyOf("admin"), planner: keyOf("planner"), quality: keyOf("quality")}
	p.now.Store(1_700_000_000_000)
	g, err := ledger.NewGenesis(ledger.Genesis{
		Name: "test", Admins: []ledger.Admin{{Name: "ada", Key: public(p.admin)}}, Threshold: 1, Recovery: public(keyOf("recovery")),
	})
	p.check(err)
	p.genesis, p.net = g, g.Network()
	changes := []ledger.Change{
		{Kind: ledger.ChangeEnrol, Name: "planner", Key: public(p.planner), Roles: ledger.RolePlanner},
		{Kind: ledger.ChangeEnrol, Name: "quality", Key: public(p.quality), Roles: ledger.RoleQuality},
	}
	for i := range gateways {
		name, digit := "g"+string(rune('0'+i)), string(rune('0'+i))
		gw := &gateway{plant: p, name: name, station: "s" + digit, key: keyOf(name)}
		gw.id = idOf(gw.key)
		p.gateways = append(p.gateways, gw)
		changes = append(changes,
			ledger.Change{Kind: ledger.ChangeEnrol, Name: name, Key: public(gw.key), Roles: ledger.RoleGateway | ledger.RoleWitness},
			ledger.Change{Kind: ledger.ChangeAssign, Subject: gw.id, Station: gw.station, WorkCentre: "w" + string(rune('0'+i%2)), Intake: 1})
	}
	p.state(changes...)
	return p
}

func (p *plant) check(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatal(err)
	}
}

// state makes a roster statement on top of those before.
func (p *plant) state(changes ...ledger.Change) ledger.Statement {
	p.tb.Helper()
	st, err := ledger.SignStatement(p.net, ledger.Statement{BuildsOn: p.roster, Changes: changes, Time: p.now.Add(1)}, p.admin)
	p.check(err)
	p.statements, p.roster = append(p.statements, st), []ledger.Hash{st.Hash()}
	return st
}

func (p *plant) clock() (int64, ledger.Clock) {
	return p.now.Add(1), ledger.ClockSynchronised
}

func (p *plant) options(signer crypto.Signer) Options {
	o := Options{Genesis: p.genesis, Signer: signer, Log: slog.New(slog.DiscardHandler)}
	if signer != nil {
		o.Now = p.clock
	}
	return o
}

// opener makes an empty replica of one of the two kinds.
type opener func(tb testing.TB, o Options) *Replica

func inMemory(tb testing.TB, o Options) *Replica {
	tb.Helper()
	r, err := OpenMemory(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return r
}

// smallFiles keeps the store's files small, so that tests fill and copy them
// quickly.
var smallFiles = sizes{memTable: 1 << 20, valueLog: 1 << 20, inline: 128}

func onBadger(tb testing.TB, o Options) *Replica {
	tb.Helper()
	o.UnsafeNoSync = true
	if o.sizes == (sizes{}) {
		o.sizes = smallFiles
	}
	r, err := Open(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return r
}

// start gives every gateway a replica with the roster.
func (p *plant) start(open opener) {
	p.tb.Helper()
	for _, g := range p.gateways {
		g.r = open(p.tb, p.options(g.key))
		g.take(p.allStatements()...)
	}
}

func (p *plant) allStatements() []Object {
	var out []Object
	for _, s := range p.statements {
		out = append(out, s)
	}
	return out
}

// take ingests objects of which none may be refused or a gap.
func (g *gateway) take(objects ...Object) Result {
	g.tb.Helper()
	res, err := g.r.Ingest(context.Background(), objects...)
	g.check(err)
	if len(res.Gaps)+len(res.Refused) > 0 {
		g.tb.Fatalf("%s: gaps %v, refused %v", g.name, res.Gaps, res.Refused)
	}
	return res
}

// append seals transactions, which must be valid.
func (g *gateway) append(txs ...ledger.Tx) ledger.Block {
	g.tb.Helper()
	b, err := g.r.Append(context.Background(), Batch{Txs: txs})
	g.check(err)
	return b
}

// tx makes a transaction of this gateway.
func (g *gateway) tx(t ledger.Tx) ledger.Tx {
	g.tb.Helper()
	t.Sender = g.id
	t.Time, t.Clock = g.r.Stamp()
	made, err := ledger.NewTx(g.net, t)
	g.check(err)
	return made
}

// signed makes a transaction of a person.
func (p *plant) signed(who crypto.Signer, t ledger.Tx) ledger.Tx {
	p.tb.Helper()
	t.Time, t.Clock = p.clock()
	made, err := ledger.SignTx(p.net, t, who)
	p.check(err)
	return made
}

// orderFor makes a work order of two operations: a at w0 and b at w1.
func (p *plant) orderFor(id string) ledger.Tx {
	p.tb.Helper()
	return p.signed(p.planner, ledger.Tx{Body: ledger.Order{ID: id, Product: "part", Quantity: 1, Routing: []ledger.Operation{
		{ID: "a", Task: "drill", Place: "w0", MaxReturns: 1}, {ID: "b", Task: "mill", Place: "w1", Needs: []string{"a"}, MaxReturns: 1},
	}}})
}

var (
	optionA = ledger.Option{Task: "drill", Operation: "a", Place: "w0"}
	optionB = ledger.Option{Task: "mill", Operation: "b", Place: "w1"}
)

func (g *gateway) intake(order ledger.TxID, label string, tags ...string) ledger.Tx {
	g.tb.Helper()
	return g.tx(ledger.Tx{Body: ledger.Intake{
		Station: g.station, Label: label, Tags: tags, Order: order, Product: "part", Options: []ledger.Option{optionA},
	}})
}

func (g *gateway) accept(item ledger.ItemID, after ledger.TxID, o ledger.Option) ledger.Tx {
	g.tb.Helper()
	return g.tx(ledger.Tx{Item: item, After: []ledger.TxID{after}, Body: ledger.Verdict{
		Station: g.station, Operation: o.Operation, Task: o.Task, Ruling: ledger.Accept,
	}})
}

func (g *gateway) report(item ledger.ItemID, after ledger.TxID, o ledger.Option, next ...ledger.Option) ledger.Tx {
	g.tb.Helper()
	return g.tx(ledger.Tx{Item: item, After: []ledger.TxID{after}, Body: ledger.Report{
		Station: g.station, Operation: o.Operation, Task: o.Task, Outcome: ledger.OutcomeOK, Options: next,
	}})
}

func (p *plant) dispose(item ledger.ItemID, r ledger.Ruling, after ...ledger.TxID) ledger.Tx {
	p.tb.Helper()
	d := ledger.Disposition{Ruling: r, Reason: "ruled"}
	if r <= ledger.ContinueAt {
		d.Operation, d.Task, d.Place = "a", "drill", "w0"
	}
	return p.signed(p.quality, ledger.Tx{Item: item, After: after, Body: d})
}

// item reads an item that must be there.
func (g *gateway) item(id ledger.ItemID) ledger.Item {
	g.tb.Helper()
	var it ledger.Item
	g.read(func(v *View) error {
		found, ok, err := v.Item(id)
		if err == nil && !ok {
			g.tb.Fatalf("%s: no item %s", g.name, id.Short())
		}
		it = found
		return err
	})
	return it
}

func (g *gateway) read(f func(*View) error) {
	g.tb.Helper()
	g.check(g.r.Read(f))
}

// blocks returns all blocks that a gateway holds of an author.
func (g *gateway) blocks(author ledger.KeyID) []Object {
	g.tb.Helper()
	var out []Object
	g.read(func(v *View) error {
		for b, err := range v.Chain(author, 0) {
			if err != nil {
				return err
			}
			out = append(out, b.UnverifiedBlock)
		}
		return nil
	})
	return out
}

// share gives every gateway all statements and all blocks of all others.
func (p *plant) share() {
	p.tb.Helper()
	for _, to := range p.gateways {
		for _, from := range p.gateways {
			if from != to {
				all := p.allStatements()
				from.read(func(v *View) error {
					authors, err := v.Authors()
					for _, a := range authors {
						for b, err := range v.Chain(a, 0) {
							if err != nil {
								return err
							}
							all = append(all, b.UnverifiedBlock)
						}
					}
					return err
				})
				to.take(all...)
			}
		}
	}
}

// agree fails unless all replicas dump the same.
func (p *plant) agree() string {
	p.tb.Helper()
	first := ""
	for _, g := range p.gateways {
		h, err := g.r.DumpHash()
		p.check(err)
		if first == "" {
			first = h
		} else if h != first {
			p.tb.Fatalf("%s differs from %s", g.name, p.gateways[0].name)
		}
	}
	return first
}

// status returns what became of the first placement of a transaction.
func (g *gateway) status(id ledger.TxID) Placed {
	g.tb.Helper()
	var out Placed
	g.read(func(v *View) error {
		s, ok, err := v.Tx(id)
		if err == nil && !ok {
			g.tb.Fatalf("%s does not hold %s", g.name, id.Short())
		}
		if ok {
			out = s.Placed[0]
		}
		return err
	})
	return out
}
