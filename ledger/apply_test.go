package ledger

import (
	"errors"
	"fmt"
	"testing"
)

// toyHistory is the smallest Ancestors: what is valid, and each branch of each
// sealer's chain as a list.
type toyHistory struct {
	t       testing.TB
	p       *testPlant
	nodes   map[ItemID]map[TxID]Node
	txs     map[TxID]Tx
	chains  map[string][]TxID // by branch: "drill-a", or "drill-a'" for a fork of it
	pending map[string][]Tx   // placements in a branch that still wait
	branch  string            // of the placement judged
	fail    error             // returned by Node, to show that store errors pass through
}

func newToyHistory(t testing.TB, p *testPlant) *toyHistory {
	return &toyHistory{
		t: t, p: p, nodes: map[ItemID]map[TxID]Node{}, txs: map[TxID]Tx{}, chains: map[string][]TxID{}, pending: map[string][]Tx{},
	}
}

func (h *toyHistory) Node(item ItemID, tx TxID) (Node, bool, error) {
	n, ok := h.nodes[item][tx]
	return n, ok, h.fail
}

func (h *toyHistory) Tx(id TxID) (Tx, bool, error) {
	t, ok := h.txs[id]
	return t, ok, nil
}

func (h *toyHistory) Continued(item ItemID, head TxID, but TxID) (TxID, bool, error) {
	continues := func(after []TxID, id TxID) bool {
		for _, a := range after {
			if a == head && id != but {
				return true
			}
		}
		return false
	}
	for _, id := range h.chains[h.branch] {
		if continues(h.nodes[item][id].After, id) {
			return id, false, nil
		}
	}
	for _, t := range h.pending[h.branch] {
		if t.Item == item && continues(t.After, t.ID()) {
			return t.ID(), true, nil
		}
	}
	return TxID{}, false, nil
}

// judge judges a placement and keeps nothing.
func (h *toyHistory) judge(branch string, tx Tx) ([]Node, error) {
	h.branch = branch
	sealer := branch
	for len(sealer) > 0 && sealer[len(sealer)-1] == '\'' {
		sealer = sealer[:len(sealer)-1]
	}
	return Apply(h.p.net, Placement{Tx: tx, Sealer: plantID(sealer), Roster: h.p.reg.Current()}, h)
}

// seal judges a placement that has to be valid and keeps its effects.
func (h *toyHistory) seal(branch string, tx Tx) TxID {
	h.t.Helper()
	effects, err := h.judge(branch, tx)
	if err != nil {
		h.t.Fatalf("%s sealed by %s: %v", tx.Kind, branch, err)
	}
	h.txs[tx.ID()] = tx
	h.chains[branch] = append(h.chains[branch], tx.ID())
	seen := map[ItemID]bool{}
	for _, n := range effects {
		if seen[n.Item] {
			h.t.Fatalf("%s has two effects on item %s", tx.Kind, n.Item.Short())
		}
		seen[n.Item] = true
		if h.nodes[n.Item] == nil {
			h.nodes[n.Item] = map[TxID]Node{}
		}
		h.nodes[n.Item][n.Tx] = n
	}
	return tx.ID()
}

// fork lets branch go on from all that its author has sealed so far.
func (h *toyHistory) fork(branch string) {
	h.chains[branch+"'"] = append([]TxID(nil), h.chains[branch]...)
}

func (h *toyHistory) tx(sender string, item ItemID, body Body, after ...TxID) Tx {
	h.t.Helper()
	return h.p.own(h.t, sender, Tx{Item: item, After: after, Body: body})
}

func (h *toyHistory) signed(sender string, item ItemID, body Body, after ...TxID) Tx {
	h.t.Helper()
	return h.p.signed(h.t, sender, Tx{Item: item, After: after, Body: body})
}

var (
	toDrill = Option{Task: "drill", Operation: "10", Place: "drilling"}
	toPress = Option{Task: "press", Operation: "20", Place: "press-1"}
)

func (h *toyHistory) order() TxID {
	h.t.Helper()
	t := h.p.signed(h.t, "paula", Tx{Body: plantOrder()})
	if _, ok := h.txs[t.ID()]; !ok {
		h.seal("gate", t)
	}
	return t.ID()
}

func (h *toyHistory) intake(label string, options ...Option) ItemID {
	h.t.Helper()
	order := h.order()
	return h.seal("gate", h.tx("gate", ItemID{}, Intake{Station: "entrance", Label: label, Order: order, Product: "bracket", Options: options}))
}

func acceptAt(station string, o Option) Verdict {
	return Verdict{Station: station, Operation: o.Operation, Task: o.Task, Ruling: Accept}
}

func reportAt(station string, o Option, next ...Option) Report {
	return Report{Station: station, Operation: o.Operation, Task: o.Task, Outcome: OutcomeOK, Options: next}
}

// drilled is an item with intake, acceptance and report of drill-a.
func (h *toyHistory) drilled(label string, next ...Option) (item ItemID, accepted, reported TxID) {
	h.t.Helper()
	item = h.intake(label, toDrill)
	accepted = h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
	reported = h.seal("drill-a", h.tx("drill-a", item, reportAt("drill-1", toDrill, next...), accepted))
	return item, accepted, reported
}

// assembled is a drilled item in work at the press, with parts that lie there.
func (h *toyHistory) assembled(parts int) (item ItemID, inWork TxID, ins []Input) {
	h.t.Helper()
	item, _, reported := h.drilled("assembly", toPress)
	inWork = h.seal("press", h.tx("press", item, acceptAt("press-1", toPress), reported))
	for i := range parts {
		part := h.intake(fmt.Sprintf("part-%d", i), toPress)
		ins = append(ins, Input{Item: part, Head: part})
	}
	return item, inWork, ins
}

// TestApplyWaits: whatever a placement rests on is waited for by name.
func TestApplyWaits(t *testing.T) {
	p := staffed(t)
	gone := plantHash("gone")
	o := plantOrder()
	o.Replaces = gone
	cases := []struct {
		name, as string
		make     func(h *toyHistory) (string, Tx)
	}{
		{"order that replaces", "replaces", func(h *toyHistory) (string, Tx) { return "gate", h.signed("paula", ItemID{}, o) }},
		{"intake", "order", func(h *toyHistory) (string, Tx) {
			return "gate", h.tx("gate", ItemID{}, Intake{Station: "entrance", Label: "a", Order: gone, Product: "b", Options: []Option{toDrill}})
		}},
		{"report", "after", func(h *toyHistory) (string, Tx) {
			return "drill-a", h.tx("drill-a", h.intake("a", toDrill), reportAt("drill-1", toDrill), gone)
		}},
		{"head of another item", "after", func(h *toyHistory) (string, Tx) {
			gone = h.intake("b", toDrill)
			return "drill-a", h.tx("drill-a", h.intake("a", toDrill), acceptAt("drill-1", toDrill), gone)
		}},
		{"verdict", "after", func(h *toyHistory) (string, Tx) {
			return "drill-a", h.tx("drill-a", h.intake("a", toDrill), acceptAt("drill-1", toDrill), gone)
		}},
		{"input", "input", func(h *toyHistory) (string, Tx) {
			item, inWork, ins := h.assembled(1)
			r := reportAt("press-1", toPress)
			r.Inputs = append(ins, Input{Item: gone, Head: gone})
			return "press", h.tx("press", item, r, inWork)
		}},
		{"disposition, second head", "after", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.signed("quinn", item, Disposition{Ruling: Scrap, Reason: "x"}, item, gone)
		}},
		{"disposition, order", "order", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.signed("quinn", item, Disposition{Ruling: UseAsIs, Order: gone, Reason: "x"}, item)
		}},
		{"withdraw", "after", func(h *toyHistory) (string, Tx) {
			return "drill-a", h.tx("drill-a", h.intake("a", toDrill), Withdraw{Target: gone}, gone)
		}},
		{"amend", "about", func(h *toyHistory) (string, Tx) {
			return "gate", h.p.own(h.t, "gate", Tx{Item: h.intake("a", toDrill), About: []TxID{gone}, Body: Amend{Note: "x", Reason: "y"}})
		}},
		{"bind", "about", func(h *toyHistory) (string, Tx) {
			return "gate", h.p.own(h.t, "gate", Tx{Item: h.intake("a", toDrill), About: []TxID{gone}, Body: Bind{Tags: []string{"T"}}})
		}},
		{"bind that supersedes", "supersedes", func(h *toyHistory) (string, Tx) {
			return "gate", h.signed("quinn", h.intake("a", toDrill), Bind{Supersedes: []TxID{gone}})
		}},
		{"bind by quality", "item", func(h *toyHistory) (string, Tx) { return "gate", h.signed("quinn", gone, Bind{Tags: []string{"T"}}) }},
		{"misroute", "item", func(h *toyHistory) (string, Tx) { return "spare", h.tx("spare", gone, Misroute{Station: "x"}) }},
		{"own chain", "own chain", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			early := h.p.own(h.t, "drill-a", Tx{Item: item, After: []TxID{item}, Time: plantTime + 1, Body: acceptAt("drill-1", toDrill)})
			h.pending["drill-a"] = []Tx{early}
			gone = early.ID()
			return "drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			gone = plantHash("gone")
			h := newToyHistory(t, p)
			branch, tx := c.make(h)
			effects, err := h.judge(branch, tx)
			var w *WaitError
			if !errors.As(err, &w) || w.As != c.as || w.For != gone || effects != nil {
				t.Fatalf("got %v, want waiting for %s %s", err, c.as, gone.Short())
			}
		})
	}
}

func TestApplyCarriesUnknownKinds(t *testing.T) {
	p := staffed(t)
	h := newToyHistory(t, p)
	tx := p.own(t, "gate", Tx{Body: Unknown{Number: 200, Bytes: []byte("anything")}})
	if _, err := h.judge("gate", tx); !errors.Is(err, ErrUnknownKind) {
		t.Fatalf("got %v", err)
	}
	if u, ok := tx.Body.(Unknown); !ok || string(u.Bytes) != "anything" {
		t.Errorf("the body was not carried: %v", tx.Body)
	}
}

func TestApplyPassesStoreErrorsOn(t *testing.T) {
	p := staffed(t)
	h := newToyHistory(t, p)
	item := h.intake("a", toDrill)
	tx := h.tx("drill-a", item, acceptAt("drill-1", toDrill), item)
	h.fail = errors.New("disk gone")
	if _, err := h.judge("drill-a", tx); !errors.Is(err, h.fail) {
		t.Fatalf("got %v", err)
	}
}

// TestApplyValid holds the rules' other side: what just passes.
func TestApplyValid(t *testing.T) {
	p := staffed(t)
	cases := []struct {
		name string
		make func(h *toyHistory) (string, Tx)
	}{
		{"order sealed by a planner's own gateway", func(h *toyHistory) (string, Tx) { return "office", h.tx("office", ItemID{}, plantOrder()) }},
		{"order that replaces", func(h *toyHistory) (string, Tx) {
			o := plantOrder()
			o.Replaces = h.order()
			return "gate", h.signed("paula", ItemID{}, o)
		}},
		{"cancellation", func(h *toyHistory) (string, Tx) {
			return "drill-a", h.signed("paula", ItemID{}, Order{ID: "WO-1", Product: "b", Replaces: h.order(), Cancelled: 1})
		}},
		{"amend of an own verdict", func(h *toyHistory) (string, Tx) {
			item, accepted, _ := h.drilled("a", toPress)
			return "drill-a", h.p.own(h.t, "drill-a", Tx{Item: item, About: []TxID{accepted}, Body: Amend{Weight: 5, Reason: "typo"}})
		}},
		{"bind by the station where it is expected", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-b", h.p.own(h.t, "drill-b", Tx{Item: item, About: []TxID{item}, Body: Bind{Tags: []string{"T"}, Supersedes: []TxID{item}}})
		}},
		{"bind by the station that works on it", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-a", h.p.own(h.t, "drill-a", Tx{Item: item, About: []TxID{acc}, Body: Bind{Tags: []string{"T"}}})
		}},
		{"bind by quality at a head it does not hold", func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a")
			return "gate", h.p.signed(h.t, "quinn", Tx{Item: item, About: []TxID{reported}, Body: Bind{Tags: []string{"T"}}})
		}},
		{"misroute by any gateway", func(h *toyHistory) (string, Tx) {
			return "spare", h.tx("spare", h.intake("a", toDrill), Misroute{Station: "nowhere", Tag: "T"})
		}},
		{"a ruling that others seal as well", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			tx := h.signed("quinn", item, Disposition{Ruling: Scrap, Reason: "x"}, item)
			h.seal("gate", tx)
			return "drill-a", tx
		}},
		{"the same ruling twice in one chain", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			tx := h.signed("quinn", item, Disposition{Ruling: Scrap, Reason: "x"}, item)
			h.seal("gate", tx)
			return "gate", tx
		}},
		{"another station's continuation of the same head", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-b", h.tx("drill-b", item, acceptAt("drill-2", toDrill), item)
		}},
		{"the other branch of a fork", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			h.fork("drill-a")
			h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-a'", h.p.own(h.t, "drill-a", Tx{Item: item, After: []TxID{item}, Time: plantTime + 1, Body: acceptAt("drill-1", toDrill)})
		}},
		{"a ruling on all heads of a conflict", func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			b := h.seal("drill-b", h.tx("drill-b", item, acceptAt("drill-2", toDrill), item))
			return "gate", h.signed("quinn", item, Disposition{Ruling: ContinueAt, Operation: "10", Task: "drill", Place: "drill-2", Reason: "x"}, b, a)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newToyHistory(t, p)
			branch, tx := c.make(h)
			h.seal(branch, tx)
		})
	}
}
