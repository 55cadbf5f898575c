package peer

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
)

// began is the first instant of every test.
var began = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

func signer(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("peer test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func keyOf(name string) ledger.PublicKey { return must(ledger.PublicKeyOf(signer(name))) }

func idOf(name string) ledger.KeyID { return keyOf(name).ID() }

// node is one gateway of a test.
type node struct {
	name   string
	id     ledger.KeyID
	m      *Machine
	store  *shelf
	up     bool
	timer  time.Time
	ready  []Reason
	at     time.Time // of the first ready
	logs   []Log
	sent   []Publish
	signed []SignFrontier
	asks   int
	latest map[string]time.Time // by topic: when its last message arrives
}

// happening is something that will happen to a node.
type happening struct {
	at     time.Time
	serial int
	to     *node
	event  Event
	life   *Machine // nothing happens to a machine that was replaced
}

// rig is a plant with a bus between its gateways. Every delivery has its own
// instant; as a broker does it keeps the order within a topic.
type rig struct {
	t          testing.TB
	now        time.Time
	rand       *rand.Rand
	genesis    ledger.Genesis
	statements []ledger.Statement
	nodes      []*node
	queue      []happening
	serial     int
	retained   []Publish
	messages   int                           // deliveries so far
	bytes      int                           // published
	lose       func(n int, p Publish) bool   // nil: nothing is lost
	forgetful  bool                          // the broker retains nothing
	trace      func(from *node, p Publish)   // sees every publish
	twice      func(n int) (dup, later bool) // duplicates and reorders
}

// newRig founds a network of the gateways named; those with a star are
// witnesses. None of them runs yet.
func newRig(t testing.TB, names ...string) *rig {
	g := must(ledger.NewGenesis(ledger.Genesis{
		Name: "test", Time: began.UnixMilli(), Threshold: 1, Recovery: keyOf("recovery"),
		Admins: []ledger.Admin{{Name: "ada", Key: keyOf("ada")}},
	}))
	r := &rig{t: t, now: began, rand: rand.New(rand.NewPCG(1, 2)), genesis: g}
	for _, name := range names {
		r.enrol(name)
	}
	return r
}

// enrol adds a statement, known to those who start later.
func (r *rig) enrol(name string) ledger.Statement {
	roles := ledger.RoleGateway
	if base, ok := strings.CutSuffix(name, "*"); ok {
		name, roles = base, roles|ledger.RoleWitness
	}
	s := ledger.Statement{
		Time:    began.UnixMilli(),
		Changes: []ledger.Change{{Kind: ledger.ChangeEnrol, Name: name, Key: keyOf(name), Roles: roles}},
	}
	if n := len(r.statements); n > 0 {
		s.BuildsOn = []ledger.Hash{r.statements[n-1].Hash()}
	}
	s = must(ledger.SignStatement(r.genesis.Network(), s, []crypto.Signer{signer("ada")}...))
	r.statements = append(r.statements, s)
	return s
}

// start runs gateways, connected, with all statements so far.
func (r *rig) start(names ...string) []*node {
	var out []*node
	for _, name := range names {
		n := r.add(name, newShelf(r.genesis, r.statements))
		r.connect(n)
		out = append(out, n)
	}
	return out
}

// add runs a gateway that is not connected yet.
func (r *rig) add(name string, store *shelf) *node {
	name = strings.TrimSuffix(name, "*")
	n := &node{name: name, id: idOf(name), store: store, latest: map[string]time.Time{}}
	r.nodes = append(r.nodes, n)
	r.reboot(n)
	return n
}

// reboot gives a node a new machine over what it holds.
func (r *rig) reboot(n *node) {
	n.up, n.timer, n.ready = false, time.Time{}, nil
	n.m = New(Config{Network: r.genesis.Network(), Self: n.id, Rand: r.rand.Int64N})
	r.step(n, Tick{})
}

func (r *rig) connect(ns ...*node) {
	for _, n := range ns {
		n.up = true
		r.step(n, Connected{})
		for _, p := range r.retained {
			r.deliver(n, p, true)
		}
	}
}

func (r *rig) disconnect(ns ...*node) {
	for _, n := range ns {
		n.up = false
		r.step(n, Disconnected{})
	}
}

func (r *rig) step(n *node, e Event) {
	for _, effect := range n.m.Step(r.now, n.store.view(), e) {
		switch effect := effect.(type) {
		case Publish:
			r.publish(n, effect)
		case Ingest:
			if c := n.store.ingest(effect); len(c.Blocks)+len(c.Statements)+len(c.Gaps)+len(c.Refused)+len(c.Evidence) > 0 {
				r.later(2*time.Millisecond, n, c)
			}
		case SignFrontier:
			n.signed = append(n.signed, effect)
			f := must(ledger.SignFrontier(r.genesis.Network(), signer(n.name), r.now.UnixMilli(), effect.Heads))
			r.publish(n, Publish{Topic: effect.Topic, Retained: effect.Retained, Payload: f.Raw()})
		case SetTimer:
			n.timer = effect.At
		case Log:
			n.logs = append(n.logs, effect)
		case Ready:
			n.ready, n.at = append(n.ready, effect.Reason), r.now
		}
	}
}

// seal makes blocks durable and tells the machine.
func (r *rig) seal(n *node, count int) {
	for range count {
		r.step(n, Committed{Sealed: []ledger.Ref{n.store.seal(n.name, ledger.Hash{}, nil)}})
	}
}

func (r *rig) publish(from *node, p Publish) {
	if !from.up {
		r.t.Errorf("%s publishes on %s while it is not connected", from.name, p.Topic)
	}
	from.sent = append(from.sent, p)
	if strings.Contains(p.Topic, "/ask/") {
		from.asks++
	}
	if len(p.Payload) > 128<<10 {
		r.t.Errorf("%s publishes %d bytes on %s", from.name, len(p.Payload), p.Topic)
	}
	r.bytes += len(p.Topic) + len(p.Payload)
	if r.trace != nil {
		r.trace(from, p)
	}
	r.inject(p)
}

// inject hands a message to the broker.
func (r *rig) inject(p Publish) {
	if p.Retained && !r.forgetful {
		i := slices.IndexFunc(r.retained, func(q Publish) bool { return q.Topic == p.Topic })
		if i >= 0 {
			r.retained = slices.Delete(r.retained, i, i+1)
		}
		r.retained = append(r.retained, p)
	}
	for _, n := range r.nodes {
		if n.up {
			r.deliver(n, p, false)
		}
	}
}

func (r *rig) deliver(n *node, p Publish, retained bool) {
	if !slices.ContainsFunc(n.m.Filters(), func(f string) bool { return matches(f, p.Topic) }) {
		return
	}
	r.messages++
	if r.lose != nil && r.lose(r.messages, p) {
		return
	}
	wait := time.Millisecond + time.Duration(r.messages%7)*100*time.Microsecond
	if after := n.latest[p.Topic].Sub(r.now) + 100*time.Microsecond; after > wait {
		wait = after
	}
	n.latest[p.Topic] = r.now.Add(wait)
	if r.twice != nil {
		dup, later := r.twice(r.messages)
		if dup {
			r.later(wait*9, n, Message{Topic: p.Topic, Payload: p.Payload, Retained: retained})
		}
		if later {
			wait += 40 * time.Millisecond
		}
	}
	r.later(wait, n, Message{Topic: p.Topic, Payload: p.Payload, Retained: retained})
}

func matches(filter, topic string) bool {
	base, ok := strings.CutSuffix(filter, "+")
	if !ok {
		return filter == topic
	}
	rest, ok := strings.CutPrefix(topic, base)
	return ok && !strings.Contains(rest, "/")
}

func (r *rig) later(d time.Duration, n *node, e Event) {
	r.serial++
	r.queue = append(r.queue, happening{at: r.now.Add(d), serial: r.serial, to: n, event: e, life: n.m})
}

// run lets d pass.
func (r *rig) run(d time.Duration) {
	for end := r.now.Add(d); ; {
		i, n := r.soonest()
		switch {
		case i >= 0 && !r.queue[i].at.After(end):
			h := r.queue[i]
			r.queue = slices.Delete(r.queue, i, i+1)
			r.now = h.at
			if _, isMessage := h.event.(Message); h.life == h.to.m && (h.to.up || !isMessage) {
				r.step(h.to, h.event)
			}
		case n != nil && !n.timer.After(end):
			if n.timer.After(r.now) {
				r.now = n.timer
			}
			n.timer = time.Time{}
			r.step(n, Tick{})
		default:
			r.now = end
			return
		}
	}
}

// soonest returns what happens next: a happening by its index, or the timer of a
// node.
func (r *rig) soonest() (int, *node) {
	first := -1
	for i, h := range r.queue {
		if first < 0 || cmp.Or(h.at.Compare(r.queue[first].at), h.serial-r.queue[first].serial) < 0 {
			first = i
		}
	}
	var ticks *node
	for _, n := range r.nodes {
		if !n.timer.IsZero() && (ticks == nil || n.timer.Before(ticks.timer)) {
			ticks = n
		}
	}
	if first >= 0 && ticks != nil && ticks.timer.Before(r.queue[first].at) {
		return -1, ticks
	}
	return first, ticks
}

// alike reports whether all nodes hold the same blocks and statements.
func (r *rig) alike(ns ...*node) bool {
	for _, n := range ns[1:] {
		if !slices.Equal(n.store.heads, ns[0].store.heads) || len(n.store.blocks) != len(ns[0].store.blocks) ||
			!slices.Equal(n.store.register.Heads(), ns[0].store.register.Heads()) {
			return false
		}
	}
	return true
}

// converge runs until all nodes hold the same, and fails if they do not within d.
func (r *rig) converge(d time.Duration, ns ...*node) time.Duration {
	r.t.Helper()
	since := r.now
	for end := r.now.Add(d); r.now.Before(end); {
		if r.alike(ns...) {
			return r.now.Sub(since)
		}
		r.run(50 * time.Millisecond)
	}
	for _, n := range ns {
		r.t.Logf("%s: %d blocks, heads %v, %d statements", n.name, len(n.store.blocks), n.store.heads, len(n.store.register.Statements()))
	}
	r.t.Fatalf("not alike after %v", d)
	return 0
}

func (r *rig) topics() Topics { return TopicsOf(r.genesis.Network()) }
