package station_test

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// plant is a few gateways with real replicas, one clock and a network that
// delivers when it is told to.
type plant struct {
	t        testing.TB
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
	cut     bool // from the network
	hold    bool // appends are answered when they are released
	free    atomic.Int64
	breaks  error // what appends fail with; nil: they do not
	between func()

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

func publicOf(t testing.TB, name string) ledger.PublicKey {
	pub, err := ledger.PublicKeyOf(signerOf(name))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// newPlant founds a network with the stations named, each with one gateway of
// the same name; "entrance" and "gate" take items in.
func newPlant(t testing.TB, stations ...string) *plant {
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

// step lets the machine take an event and does its effects, as the agent does.
func (g *gateway) step(e station.Event) {
	for queue := []station.Event{e}; len(queue) > 0; queue = queue[1:] {
		var effects []station.Effect
		g.durable = nil
		if sealed, is := queue[0].(station.Sealed); is && sealed.Outcome == station.Durable {
			e := g.asked[sealed.Serial]
			g.durable = &e
		}
		err := g.replica.Read(func(v *replica.View) error {
			effects = g.machine.Step(g.p.now, view{g, v}, queue[0])
			return nil
		})
		if err != nil {
			g.p.t.Fatal(err)
		}
		for _, effect := range effects {
			switch e := effect.(type) {
			case station.Append:
				if g.hold {
					g.held = append(g.held, e)
				} else {
					queue = append(queue, g.append(e))
				}
			case station.Show:
				g.show(e.Signal)
			case station.Weigh:
				g.weighs = append(g.weighs, e.Serial)
			case station.Log:
				g.logs = append(g.logs, e)
			}
		}
	}
}

func (g *gateway) show(s station.Signal) {
	if s.Recorded && (g.durable == nil || g.durable.Tag != s.Tag || len(g.durable.Proposals) != len(s.Decision.Propose)) {
		g.p.t.Fatalf("%s shows %q as recorded, which it is not", g.name, s.Text)
	}
	g.light = s
	g.shows = append(g.shows, s)
}

// append answers as the agent does.
func (g *gateway) append(e station.Append) station.Sealed {
	answer := station.Sealed{Serial: e.Serial, Outcome: station.Durable}
	txs, err := g.transactions(e.Proposals)
	if g.between != nil {
		g.between()
	}
	if err == nil {
		err = g.breaks
	}
	if err == nil {
		err = g.seal(replica.Batch{Txs: txs, Guard: g.guard(e)})
	}
	switch {
	case errors.Is(err, replica.ErrStale):
		answer.Outcome, answer.Detail = station.Stale, "other stations keep changing this item: scan it again"
	case err != nil:
		answer.Outcome, answer.Detail = station.Failed, err.Error()
	default:
		g.asked[e.Serial] = e
	}
	return answer
}

// release answers the appends that were held.
func (g *gateway) release() {
	for len(g.held) > 0 {
		e := g.held[0]
		g.held = g.held[1:]
		g.step(g.append(e))
	}
}

func (g *gateway) transactions(ps []ledger.Proposal) ([]ledger.Tx, error) {
	var txs []ledger.Tx
	var previous ledger.TxID
	for _, p := range ps {
		at, clock := g.replica.Stamp()
		t, err := ledger.NewTx(g.p.net, p.Tx(g.key, at, clock, previous))
		if err != nil {
			return nil, err
		}
		txs, previous = append(txs, t), t.ID()
	}
	return txs, nil
}

func (g *gateway) guard(e station.Append) func(*replica.View) error {
	return func(v *replica.View) error {
		open, _, err := v.Tag(e.Tag)
		if err == nil && !slices.EqualFunc(open, e.Open, func(it ledger.Item, id ledger.ItemID) bool { return it.ID == id }) {
			err = replica.ErrStale
		}
		return err
	}
}

func (g *gateway) seal(b replica.Batch) error {
	block, err := g.replica.Append(g.p.t.Context(), b)
	if err != nil {
		return err
	}
	g.blocks = append(g.blocks, block)
	for _, t := range b.Txs {
		g.p.sealed = append(g.p.sealed, inWords(t))
	}
	return nil
}

func inWords(t ledger.Tx) string {
	switch b := t.Body.(type) {
	case ledger.Intake:
		return "intake " + b.Label
	case ledger.Verdict:
		return b.Ruling.String() + " " + b.Operation
	case ledger.Report:
		s := "report " + b.Operation
		if b.Outcome == ledger.OutcomeFail {
			s += " failed"
		}
		if len(b.Inputs) > 0 {
			s += fmt.Sprintf(" with %d parts", len(b.Inputs))
		}
		if len(t.Operators) > 0 {
			s += " signed"
		}
		return s
	case ledger.Order:
		return "order " + b.ID
	}
	return t.Kind.String()
}

// view answers from one snapshot, as the agent's does.
type view struct {
	g *gateway
	v *replica.View
}

func (w view) Here() ledger.Here {
	here := w.g.here
	if as, ok := w.v.Roster().Assigned(w.g.key, here.Station); ok {
		here.WorkCentre, here.Intake = as.WorkCentre, as.Intake
	}
	return here
}

func (w view) Operator(name string) (ledger.KeyID, bool) {
	ids := w.v.Roster().Named(name)
	if len(ids) != 1 || !w.v.Roster().Has(ids[0].ID, ledger.RoleOperator) {
		return ledger.KeyID{}, false
	}
	return ids[0].ID, true
}

func (w view) Scan(tag string) (ledger.Scan, error) {
	open, closed, err := w.v.Tag(tag)
	if err != nil {
		return ledger.Scan{}, err
	}
	inWork, err := w.v.InWorkAt(w.g.here.Station)
	if err != nil {
		return ledger.Scan{}, err
	}
	slices.SortStableFunc(inWork, func(a, b ledger.Item) int {
		ha, _ := a.Head()
		hb, _ := b.Head()
		return cmp.Compare(ha.Time, hb.Time)
	})
	return ledger.Scan{
		Tag: tag, Open: w.sheets(open), Closed: w.sheets(closed), InWorkHere: w.sheets(inWork), Intake: w.intake(), PeersKnown: true,
	}, nil
}

func (w view) intake() *ledger.IntakeFor {
	if w.g.intake == nil {
		return nil
	}
	in := *w.g.intake
	if o, ok, _ := w.v.Order(w.g.p.orders[in.Order.ID]); ok {
		in.Order, in.OrderTx, in.Cancelled, in.ReplacedBy = o.Order, o.Tx, o.Cancelled, w.replaced(o)
	}
	return &in
}

func (w view) replaced(o replica.WorkOrder) string {
	if len(o.ReplacedBy) == 0 {
		return ""
	}
	by, _, _ := w.v.Order(o.ReplacedBy[0])
	return by.Order.ID
}

func (w view) sheets(items []ledger.Item) (out []ledger.Sheet) {
	for _, it := range items {
		s := ledger.Sheet{Item: it, OrderTx: it.OrderOf(it.HeadIDs[0])}
		if o, ok, _ := w.v.Order(s.OrderTx); ok {
			s.Order, s.OrderCancelled, s.ReplacedBy = o.Order, o.Cancelled, w.replaced(o)
		}
		for _, n := range it.Lineage(it.HeadIDs[0]) {
			t, _, _ := w.v.Tx(n.Tx)
			switch b := t.Tx.Body.(type) {
			case ledger.Report:
				if n.Of.IsZero() {
					s.Report = w.amended(n.Tx, b)
				}
				s.Verdict = nil
			case ledger.Verdict:
				s.Verdict = &b
			case ledger.Withdraw:
			default:
				s.Verdict = nil
			}
		}
		out = append(out, s)
	}
	return out
}

func (w view) amended(id ledger.TxID, r ledger.Report) *ledger.Report {
	amendments, _ := w.v.Amendments(id)
	for _, t := range amendments {
		for _, m := range t.Body.(ledger.Amend).Measurements {
			i := slices.IndexFunc(r.Measurements, func(o ledger.Measurement) bool { return o.Name == m.Name })
			r.Measurements = slices.Clone(r.Measurements)
			r.Measurements[i] = m
		}
	}
	return &r
}

// row is one step of a story: what happens, and what is seen of it.
type row struct {
	what   string
	at     *gateway
	after  time.Duration // that passes before
	do     func(*gateway)
	lights string // all aspects that the light shows, in order; "green-again" claims no record
	says   string // parts of the words on the terminal afterwards, separated by |
	logs   string // events in the journal
	seals  string // what was sealed by all gateways, separated by commas
}

func tell(t *testing.T, p *plant, rows ...row) {
	t.Helper()
	for i, r := range rows {
		what := fmt.Sprintf("step %d (%s)", i+1, r.what)
		p.now = p.now.Add(r.after)
		r.at.shows, r.at.logs, p.sealed = nil, nil, nil
		r.do(r.at)
		var lights []string
		for _, s := range r.at.shows {
			word := s.Aspect.String()
			if s.Aspect == station.Green && !s.Recorded {
				word = "green-again"
			}
			lights = append(lights, word)
		}
		if got := strings.Join(lights, " "); got != r.lights {
			t.Errorf("%s: light %q, want %q", what, got, r.lights)
		}
		last := r.at.machine.Last().Text
		for part := range strings.SplitSeq(r.says, "|") {
			if !strings.Contains(last, part) {
				t.Errorf("%s: terminal says %q, want %q in it", what, last, part)
			}
		}
		var logs []string
		for _, l := range r.at.logs {
			logs = append(logs, string(l.ID))
			promised(t, l)
		}
		if got := strings.Join(logs, " "); got != r.logs {
			t.Errorf("%s: journal %q, want %q", what, got, r.logs)
		}
		if got := strings.Join(p.sealed, ", "); got != r.seals {
			t.Errorf("%s: sealed %q, want %q", what, got, r.seals)
		}
	}
}

// promised checks that an event has the fields that its definition names.
func promised(t testing.TB, l station.Log) {
	def, ok := journal.Lookup(l.ID)
	if !ok {
		t.Errorf("%s is no event", l.ID)
	}
	for _, key := range def.Fields {
		i := slices.IndexFunc(l.Fields, func(f station.Field) bool { return f.Key == key })
		if i < 0 || l.Fields[i].Value == "" {
			t.Errorf("%s lacks %s: %+v", l.ID, key, l.Fields)
		}
	}
}

// What happens at a station.

func put(tag string) func(*gateway)  { return putOn("bench", tag) }
func lift(tag string) func(*gateway) { return liftFrom("bench", tag) }

func putOn(reader, tag string) func(*gateway) {
	return func(g *gateway) { g.step(station.Arrived{Reader: reader, Tag: tag}) }
}

func liftFrom(reader, tag string) func(*gateway) {
	return func(g *gateway) { g.step(station.Departed{Reader: reader, Tag: tag}) }
}

// tap puts a tag there and lifts it.
func tap(tag string) func(*gateway) {
	return func(g *gateway) {
		put(tag)(g)
		lift(tag)(g)
	}
}

func lies(tag string) func(*gateway) {
	return func(g *gateway) { g.step(station.Present{Reader: "bench", Tag: tag}) }
}

func down(reader string) func(*gateway) {
	return func(g *gateway) { g.step(station.ReaderDown{Reader: reader, Why: "it was unplugged"}) }
}

func up(reader string) func(*gateway) {
	return func(g *gateway) { g.step(station.ReaderUp{Reader: reader}) }
}

// weighs answers the scale's last question.
func weighs(mg int64, problem string) func(*gateway) {
	return func(g *gateway) {
		serial := 0
		if n := len(g.weighs); n > 0 {
			serial = g.weighs[n-1]
		}
		g.step(station.Weighed{Serial: serial, Milligrams: mg, Problem: problem})
	}
}

func enters(f ledger.Form) func(*gateway) {
	return func(g *gateway) { g.step(station.Entered{Form: f}) }
}

func bore(hundredths int64) ledger.Form {
	return ledger.Form{Measurements: []ledger.Measurement{{Name: "bore", Value: hundredths, Exponent: -2, Unit: "mm"}}}
}

func deliver(g *gateway) { g.p.deliver() }
func release(g *gateway) { g.release() }
func hold(g *gateway)    { g.hold = true }
func restart(g *gateway) { g.restart() }

// mustBe runs what has to succeed.
func mustBe(f func(*gateway) error) func(*gateway) {
	return func(g *gateway) {
		if err := f(g); err != nil {
			g.p.t.Error(err)
		}
	}
}

// watch is the agent's look at the storage.
func (g *gateway) watch() {
	problem := ""
	if err := g.replica.Ready(); err != nil {
		problem = err.Error()
	}
	g.step(station.Stored{Problem: problem})
}

// Orders and items.

func op(id, place string, needs ...string) ledger.Operation {
	return ledger.Operation{ID: id, Task: id + "-it", Place: place, Needs: needs, MaxReturns: 1}
}

// bracket is an order for drilling, then pressing.
func bracket() ledger.Order {
	return ledger.Order{ID: "WO-1", Product: "bracket", Routing: []ledger.Operation{op("drill", "drill-1"), op("press", "press-1", "drill")}}
}

// takeIn takes items in for an order at the first gateway; their printed ids are
// their tags.
func (p *plant) takeIn(order string, tags ...string) {
	p.t.Helper()
	g := p.gateways[0]
	g.intake = &ledger.IntakeFor{Order: ledger.Order{ID: order}}
	for _, tag := range tags {
		p.now = p.now.Add(time.Second)
		tap(tag)(g)
		if g.machine.Last().Word != "TAKEN IN" {
			p.t.Fatalf("taking in %s: %s", tag, g.machine.Last().Text)
		}
	}
	p.deliver()
}

// does lets a station accept and complete an item.
func (p *plant) does(name, tag string) {
	p.t.Helper()
	for _, want := range []string{"ACCEPTED", "COMPLETED"} {
		p.now = p.now.Add(3 * time.Second)
		tap(tag)(p.at(name))
		if got := p.at(name).machine.Last(); got.Word != want {
			p.t.Fatalf("%s at %s: %s, want %s", tag, name, got.Text, want)
		}
	}
	p.deliver()
}
