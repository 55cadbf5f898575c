package ledger

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

// The plant of these tests. Work centre "benches" holds bench-1 and bench-2.
var (
	keyHere  = KeyID{1}
	keyOther = KeyID{2}
	badge1   = KeyID{0xb1}
	badge2   = KeyID{0xb2}
)

func bracketOrder() Order {
	return Order{ID: "WO-1", Product: "bracket", Routing: []Operation{
		{ID: "drill", Task: "drill-holes", Place: "drill-1", MaxReturns: 1, Limits: []Limit{
			{Name: "bore", Min: 1198, Max: 1203, Exponent: -2, Unit: "mm", OnFail: Return},
		}},
		{ID: "deburr", Task: "deburr-edges", Place: "benches", Needs: []string{"drill"}, MaxReturns: 1, Dwell: 5000, Signers: 1},
		{ID: "weigh", Task: "weigh-in", Place: "scale-1", Needs: []string{"deburr"}, MaxReturns: 1, Limits: []Limit{
			{Name: "weight", Min: 100, Max: 120, Unit: "g", OnFail: Return},
		}},
		{ID: "inspect", Task: "look-over", Place: "inspect-1", Needs: []string{"deburr"}, MaxReturns: 1, Limits: []Limit{
			{Name: "flatness", Min: 0, Max: 50, Unit: "um", OnFail: SetAside},
		}},
		{ID: "pack", Task: "box-up", Place: "pack-1", Needs: []string{"weigh", "inspect"}, MaxReturns: 1},
	}}
}

func gearboxOrder() Order {
	return Order{ID: "WO-9", Product: "gearbox", Routing: []Operation{
		{ID: "assemble", Task: "put-together", Place: "asm-1", MaxReturns: 1, Inputs: []Need{{Product: "gear", Count: 2}, {Product: "shaft", Count: 1}}},
		{ID: "test-run", Task: "run-it", Place: "inspect-1", Needs: []string{"assemble"}, MaxReturns: 1},
	}}
}

func partOrder(product string) Order {
	return Order{ID: "WO-" + product, Product: product, Routing: []Operation{
		{ID: "cut", Task: "cut-it", Place: "drill-1", MaxReturns: 1},
		{ID: "join", Task: "build-in", Place: "asm-1", Needs: []string{"cut"}, MaxReturns: 1, ConsumedBy: "gearbox"},
	}}
}

// history builds an item's nodes by hand, as the judge would.
type history struct {
	sheet Sheet
	n     int
}

func named(s string) Hash { return sha256.Sum256([]byte(s)) }

// takeIn begins the history of an item at intake-1.
func takeIn(label string, order Order) *history {
	h := &history{sheet: Sheet{Order: order, OrderTx: named(order.ID)}}
	h.sheet.Item = Item{ID: named(label), Label: label, Product: order.Product}
	h.move(Node{
		Tx: h.sheet.Item.ID, Kind: KindIntake, Station: "intake-1", Order: h.sheet.OrderTx,
		State: State{Phase: Expected, Options: FirstOptions(order)},
	})
	return h
}

func (h *history) line() []Node {
	head, _ := h.sheet.Item.Head()
	return h.sheet.Item.Lineage(head.Tx)
}

func (h *history) head() Node {
	head, _ := h.sheet.Item.Head()
	return head
}

// move adds a node behind the head, which it replaces.
func (h *history) move(n Node) *history {
	if h.n++; n.Tx.IsZero() {
		n.Tx = named(fmt.Sprintf("%s/%d", h.sheet.Item.Label, h.n))
	}
	if n.Sender.IsZero() {
		n.Sender = keyHere
	}
	n.Item, n.After, n.Depth = h.sheet.Item.ID, slices.Clone(h.sheet.Item.HeadIDs), uint32(h.n)
	h.sheet.Item.Nodes = append(h.sheet.Item.Nodes, n)
	h.sheet.Item.HeadIDs = []TxID{n.Tx}
	h.sheet.Verdict = nil
	return h
}

func (h *history) operation(id string) Operation {
	op, _ := h.sheet.Order.operationOf(id)
	return op
}

func (h *history) accept(op, station string, by KeyID) *history {
	task := h.operation(op).Task
	h.move(Node{
		Kind: KindVerdict, Ruling: Accept, Sender: by, Station: station, Operation: op, Task: task,
		State: State{Phase: InWork, By: by, Station: station, Operation: op, Task: task},
	})
	h.sheet.Verdict = &Verdict{Station: station, Operation: op, Task: task, Ruling: Accept}
	return h
}

func (h *history) report(op, station string, r Report) *history {
	r.Station, r.Operation, r.Task = station, op, h.operation(op).Task
	if r.Outcome == 0 {
		r.Outcome = OutcomeOK
	}
	r.Options = NextOptions(h.sheet.Order, h.line(), op)
	h.move(Node{Kind: KindReport, Station: station, Operation: op, Task: r.Task, Outcome: r.Outcome, State: stateAfter(r)})
	h.sheet.Report = &r
	return h
}

func stateAfter(r Report) State {
	switch {
	case r.Outcome == OutcomeFail:
		return State{Phase: Nonconforming, Options: r.Options}
	case len(r.Options) == 0:
		return State{Phase: Finished}
	}
	return State{Phase: Expected, Options: r.Options}
}

// reject is a verdict of station that returns or sets aside.
func (h *history) reject(ruling Ruling, station, reason string) *history {
	s := State{Phase: Nonconforming}
	if ruling == Return {
		r := h.sheet.Report
		s = State{Phase: Expected, Options: []Option{{Task: r.Task, Operation: r.Operation, Place: r.Station}}}
	}
	h.move(Node{Kind: KindVerdict, Ruling: ruling, Station: station, State: s})
	h.sheet.Verdict = &Verdict{Station: station, Ruling: ruling, Reason: reason}
	return h
}

func (h *history) rule(ruling Ruling, op, place string) *history {
	task := h.operation(op).Task
	s := State{Phase: Expected, Options: []Option{{Task: task, Operation: op, Place: place}}}
	switch {
	case ruling == Scrap:
		s = State{Phase: Scrapped}
	case ruling == UseAsIs && h.sheet.Report != nil:
		s = State{Phase: Expected, Options: h.sheet.Report.Options}
	}
	return h.move(Node{Kind: KindDisposition, Ruling: ruling, Operation: op, Task: task, State: s})
}

// withdraw takes the head back; report is the one that stands then.
func (h *history) withdraw(report *Report) *history {
	before, _ := h.sheet.Item.Node(h.head().After[0])
	h.move(Node{Kind: KindWithdraw, State: before.State, Restores: before.Tx})
	h.sheet.Report = report
	return h
}

// fork adds a second head beside the present one.
func (h *history) fork(by KeyID) *history {
	first := h.head()
	other := first
	other.Tx, other.Sender = named(h.sheet.Item.Label+"/fork"), by
	h.sheet.Item.Nodes = append(h.sheet.Item.Nodes, other)
	h.sheet.Item.HeadIDs = append(h.sheet.Item.HeadIDs, other.Tx)
	return h
}

func (h *history) edit(f func(*Sheet)) *history {
	f(&h.sheet)
	return h
}

func bore(hundredths int64) Report {
	return Report{Measurements: []Measurement{{Name: "bore", Value: hundredths, Exponent: -2, Unit: "mm"}}}
}

// Some items in their usual places.
func bracket() *history { return takeIn("BR-7", bracketOrder()) }

func drilled() *history {
	return bracket().accept("drill", "drill-1", keyHere).report("drill", "drill-1", bore(1200))
}

func deburred() *history {
	return drilled().accept("deburr", "bench-1", keyHere).report("deburr", "bench-1", Report{})
}
func gearbox(label string) *history { return takeIn(label, gearboxOrder()) }
func part(label, product string) *history {
	return takeIn(label, partOrder(product)).accept("cut", "drill-1", keyOther).report("cut", "drill-1", Report{})
}

func partHere(label, product string) *history {
	return part(label, product).accept("join", "asm-1", keyHere)
}

func parentHere(label string) *history { return gearbox(label).accept("assemble", "asm-1", keyHere) }

func station(name string) Here {
	return Here{Gateway: keyHere, Station: name, Mode: ModeInOut, MinDwell: 2000, SilentAfter: 60_000}
}

func benchStation(name string) Here {
	h := station(name)
	h.WorkCentre = "benches"
	return h
}

func portal(name string) Here {
	h := station(name)
	h.Mode = ModePortal
	return h
}

func intakeStation() Here {
	h := station("intake-1")
	h.Mode, h.Intake = ModeIntake, true
	return h
}

// scanned is a usual scan of items: long after acceptance, peers in reach.
func scanned(hs ...*history) Scan {
	s := Scan{Tag: "04A1B2C3D4", SinceAccept: 3600_000, PeersKnown: true, PeersHeard: 1500}
	for _, h := range hs {
		s.Open = append(s.Open, h.sheet)
	}
	return s
}

// with changes a scan.
func (s Scan) with(f func(*Scan)) Scan {
	f(&s)
	return s
}

func weighed(mg int64) func(*Scan)         { return func(s *Scan) { s.Weight, s.Weighed = mg, true } }
func signedOn(badges ...KeyID) func(*Scan) { return func(s *Scan) { s.Badges = badges } }
func inWork(hs ...*history) func(*Scan) {
	return func(s *Scan) {
		for _, h := range hs {
			s.InWorkHere = append(s.InWorkHere, h.sheet)
		}
	}
}

// describe writes a decision so that a person can review it.
func describe(d Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s)", d.Signal(), d.Kind, d.Reason)
	for _, f := range []struct{ name, value string }{
		{"check", d.Check},
		{"item", d.Label},
		{"operation", d.Operation},
		{"where", strings.Join(d.Where, ", ")},
		{"missing", needWords(d.Missing)},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%s", f.name, f.value)
		}
	}
	for _, c := range d.Choices {
		fmt.Fprintf(&b, " choice=%s(%s)", c.Label, c.Product)
		if c.Apart != "" {
			fmt.Fprintf(&b, "[%s]", c.Apart)
		}
	}
	for _, a := range d.Authors {
		fmt.Fprintf(&b, " author=%s", a.Short())
	}
	fmt.Fprintf(&b, "\n  expected: %s\n  found:    %s\n  do:       %s\n", d.Expected, d.Found, d.Do)
	for _, p := range d.Propose {
		fmt.Fprintf(&b, "  seals:    %s\n", describeProposal(p))
	}
	return b.String()
}

func describeProposal(p Proposal) string {
	var s string
	switch b := p.Body.(type) {
	case Verdict:
		s = fmt.Sprintf("verdict %s, option %d, %s/%s at %s, tag %q, %d mg", b.Ruling, b.Option, b.Operation, b.Task, b.Station, b.Tag, b.Weight)
		if b.Reason != "" {
			s += ", because " + b.Reason
		}
	case Report:
		s = fmt.Sprintf("report %s/%s at %s, outcome %d, %d measurements, %d mg, %d inputs, next %s",
			b.Operation, b.Task, b.Station, b.Outcome, len(b.Measurements), b.Weight, len(b.Inputs), described(b.Options))
		if b.Failure != "" {
			s += ", failure " + b.Failure
		}
	case Intake:
		s = fmt.Sprintf("intake at %s of %s (%s), lot %q, tags %q, next %s", b.Station, b.Label, b.Product, b.Lot, b.Tags, described(b.Options))
	case Misroute:
		s = fmt.Sprintf("misroute at %s, tag %q", b.Station, b.Tag)
	}
	if p.Follows {
		s += ", follows the one above"
	}
	if len(p.Operators) > 0 {
		s += fmt.Sprintf(", %s", times(len(p.Operators), "operator"))
	}
	return s
}

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -rewrite", err)
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("%s:%d differs (-rewrite writes it anew)\n want %q\n got  %q", path, i+1, lineOf(a, i), lineOf(b, i))
		}
	}
}

func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "<end>"
}

// invariants hold for every decision whatever was scanned.
func invariants(t *testing.T, name string, here Here, d Decision) {
	t.Helper()
	if d.Kind < TakenIn || d.Kind > AlreadyDone {
		t.Fatalf("%s: no decision: kind %d", name, d.Kind)
	}
	green := d.Kind == TakenIn || d.Kind == Accepted || d.Kind == Completed
	if (d.Signal() == Green) != green {
		t.Errorf("%s: %s is %s", name, d.Kind, d.Signal())
	}
	for field, s := range map[string]string{"reason": d.Reason, "expected": d.Expected, "found": d.Found, "do": d.Do} {
		if s == "" {
			t.Errorf("%s: %s without %s", name, d.Kind, field)
		}
	}
	silent := d.Kind == Wait || d.Kind == Choose || d.Kind == AlreadyDone || d.Kind == UnknownTag || d.Kind == TagInUse || d.Kind == Conflict
	if silent && len(d.Propose) > 0 {
		t.Errorf("%s: %s records something", name, d.Kind)
	}
	if records := d.Kind == TakenIn || d.Kind == Completed || d.Kind == Returned || d.Kind == PutAside; records && len(d.Propose) == 0 {
		t.Errorf("%s: %s records nothing", name, d.Kind)
	}
	if d.Reason == ReasonUnrecordable {
		t.Errorf("%s: %s", name, d.Found)
	}
	var previous TxID
	for i, p := range d.Propose {
		if p.Follows != (i > 0) {
			t.Errorf("%s: proposal %d: follows = %v", name, i, p.Follows)
		}
		tx, err := NewTx(NetworkID{9}, p.Tx(here.Gateway, 1_700_000_000_000, ClockSynchronised, previous))
		if err != nil {
			t.Errorf("%s: proposal %d cannot be sealed: %v", name, i, err)
		}
		previous = tx.ID()
	}
}
