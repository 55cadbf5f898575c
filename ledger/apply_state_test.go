package ledger

import (
	"reflect"
	"testing"
)

// TestApplyStates walks every row of the state table of PROTOCOL.md §6.
func TestApplyStates(t *testing.T) {
	p := staffed(t)
	ret := Verdict{Station: "press-1", Operation: "20", Task: "press", Ruling: Return, Reason: "burr"}
	aside := ret
	aside.Ruling = SetAside
	failed := Report{Station: "drill-1", Operation: "10", Task: "drill", Outcome: OutcomeFail, Failure: "broken bit", Options: []Option{toPress}}
	sent := Disposition{Operation: "10", Task: "drill", Place: "drill-2", Reason: "again"}
	rule := func(r Ruling) Disposition {
		d := sent
		if d.Ruling = r; r > ContinueAt {
			d = Disposition{Ruling: r, Reason: "again"}
		}
		return d
	}
	inWork := State{Phase: InWork, By: plantID("drill-a"), Station: "drill-1", Operation: "10", Task: "drill"}
	again := State{Phase: Expected, Options: []Option{{Task: "drill", Operation: "10", Place: "drill-2"}}}
	cases := []struct {
		name string
		want State
		make func(h *toyHistory) (item ItemID, head TxID)
	}{
		{"intake", State{Phase: Expected, Options: []Option{toDrill, toPress}}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill, toPress)
			return i, i
		}},
		{"report ok", State{Phase: Expected, Options: []Option{toPress}}, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			return i, r
		}},
		{"last report", State{Phase: Finished}, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a")
			return i, r
		}},
		{"report fail", State{Phase: Nonconforming, Options: []Option{toPress}}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", i, acceptAt("drill-1", toDrill), i))
			return i, h.seal("drill-a", h.tx("drill-a", i, failed, a))
		}},
		{"accept, by work centre", inWork, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toPress, toDrill)
			v := acceptAt("drill-1", toDrill)
			v.Option = 1
			return i, h.seal("drill-a", h.tx("drill-a", i, v, i))
		}},
		{"set aside", State{Phase: Nonconforming}, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			return i, h.seal("press", h.tx("press", i, aside, r))
		}},
		{"return", State{Phase: Expected, Options: []Option{{Task: "drill", Operation: "10", Place: "drill-1"}}}, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			return i, h.seal("press", h.tx("press", i, ret, r))
		}},
		{"rework at", again, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			return i, h.seal("gate", h.signed("quinn", i, rule(ReworkAt), r))
		}},
		{"return to", again, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a")
			return i, h.seal("gate", h.signed("quinn", i, rule(ReturnTo), r))
		}},
		{"continue at, sealed by quality's own gateway", again, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			return i, h.seal("office", h.tx("office", i, rule(ContinueAt), r))
		}},
		{"use as is after a failure", State{Phase: Expected, Options: []Option{toPress}}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", i, acceptAt("drill-1", toDrill), i))
			f := h.seal("drill-a", h.tx("drill-a", i, failed, a))
			return i, h.seal("gate", h.signed("quinn", i, rule(UseAsIs), f))
		}},
		{"use as is of the last operation", State{Phase: Finished}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", i, acceptAt("drill-1", toDrill), i))
			last := failed
			last.Options = nil
			f := h.seal("drill-a", h.tx("drill-a", i, last, a))
			return i, h.seal("gate", h.signed("quinn", i, rule(UseAsIs), f))
		}},
		{"use as is without a report", State{Phase: Expected, Options: []Option{toDrill}}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			v := Verdict{Station: "drill-1", Operation: "10", Task: "drill", Ruling: SetAside, Reason: "bent"}
			s := h.seal("drill-a", h.tx("drill-a", i, v, i))
			return i, h.seal("gate", h.signed("quinn", i, rule(UseAsIs), s))
		}},
		{"use as is passes a withdrawn report over", State{Phase: Expected, Options: []Option{toDrill}}, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			w := h.seal("drill-a", h.tx("drill-a", i, Withdraw{Target: r}, r))
			return i, h.seal("gate", h.signed("quinn", i, rule(UseAsIs), w))
		}},
		{"scrap", State{Phase: Scrapped}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			return i, h.seal("gate", h.signed("quinn", i, rule(Scrap), i))
		}},
		{"withdraw of a report", inWork, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			return i, h.seal("drill-a", h.tx("drill-a", i, Withdraw{Target: r}, r))
		}},
		{"withdraw of an acceptance", State{Phase: Expected, Options: []Option{toDrill}}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", i, acceptAt("drill-1", toDrill), i))
			return i, h.seal("drill-a", h.tx("drill-a", i, Withdraw{Target: a}, a))
		}},
		{"a report again after its withdrawal", State{Phase: Finished}, func(h *toyHistory) (ItemID, TxID) {
			i, _, r := h.drilled("a", toPress)
			w := h.seal("drill-a", h.tx("drill-a", i, Withdraw{Target: r}, r))
			return i, h.seal("drill-a", h.tx("drill-a", i, reportAt("drill-1", toDrill), w))
		}},
		{"keeps", State{Phase: Expected, Options: []Option{toPress}}, func(h *toyHistory) (ItemID, TxID) {
			i := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", i, acceptAt("drill-1", toDrill), i))
			h.fork("drill-a")
			r := h.seal("drill-a", h.tx("drill-a", i, reportAt("drill-1", toDrill, toPress), a))
			f := h.seal("drill-a'", h.tx("drill-a", i, failed, a))
			return i, h.seal("drill-a", h.tx("drill-a", i, Withdraw{Keeps: r}, f, r))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newToyHistory(t, p)
			item, head := c.make(h)
			n := h.nodes[item][head]
			if !reflect.DeepEqual(n.State, c.want) {
				t.Fatalf("state %+v, want %+v", n.State, c.want)
			}
			if n.Item != item || n.Tx != head || n.Kind != h.txs[head].Kind || n.Sender != h.txs[head].Sender || !n.Of.IsZero() {
				t.Errorf("node %+v", n)
			}
			for _, a := range n.After {
				if n.Depth <= h.nodes[item][a].Depth {
					t.Errorf("depth %d is not above that of %s", n.Depth, a.Short())
				}
			}
		})
	}
}

// TestApplyParts follows the parts of an assembly: consumed, released, and with
// one author's two branches kept where the report that stays left them.
func TestApplyParts(t *testing.T) {
	p := staffed(t)
	h := newToyHistory(t, p)
	item, inWork, ins := h.assembled(2)
	held := h.seal("press", h.tx("press", ins[1].Item, acceptAt("press-1", toPress), ins[1].Head))
	ins[1].Head = held
	r := reportAt("press-1", toPress)
	r.Inputs = ins
	h.fork("press")
	done := h.seal("press", h.tx("press", item, r, inWork))
	for _, in := range ins {
		n := h.nodes[in.Item][done]
		if n.State.Phase != Consumed || n.State.Into != item || n.Of != item || !reflect.DeepEqual(n.After, []TxID{in.Head}) {
			t.Errorf("part: %+v", n)
		}
	}

	t.Run("released", func(t *testing.T) {
		effects, err := h.judge("press", h.tx("press", item, Withdraw{Target: done}, done))
		if err != nil || len(effects) != 3 || effects[0].State.Phase != InWork {
			t.Fatalf("%d effects, %v", len(effects), err)
		}
		for i, in := range ins {
			n, before := effects[1+i], h.nodes[in.Item][in.Head]
			if n.Item != in.Item || !reflect.DeepEqual(n.State, before.State) || n.Restores != in.Head || !reflect.DeepEqual(n.After, []TxID{done}) {
				t.Errorf("part %d: %+v", i, n)
			}
		}
	})

	second := h.p.own(t, "press", Tx{Item: item, After: []TxID{inWork}, Time: plantTime + 5, Body: r})
	twice := h.seal("press'", second)
	t.Run("done twice by one author, kept once", func(t *testing.T) {
		effects, err := h.judge("press", h.tx("press", item, Withdraw{Keeps: done}, done, twice))
		if err != nil || len(effects) != 3 || effects[0].State.Phase != Finished {
			t.Fatalf("%d effects, %v", len(effects), err)
		}
		for i := range ins {
			n := effects[1+i]
			if n.State.Phase != Consumed || n.State.Into != item || n.Restores != done || !reflect.DeepEqual(n.After, []TxID{done, twice}) {
				t.Errorf("part %d: %+v", i, n)
			}
		}
	})

	third := h.p.own(t, "press", Tx{Item: item, After: []TxID{inWork}, Time: plantTime + 6, Body: reportAt("press-1", toPress)})
	h.chains["press''"] = h.chains["press'"][:len(h.chains["press'"])-1]
	without := h.seal("press''", third)
	t.Run("done thrice, the one without parts kept", func(t *testing.T) {
		effects, err := h.judge("press", h.tx("press", item, Withdraw{Keeps: without}, done, twice, without))
		if err != nil || len(effects) != 3 {
			t.Fatalf("%d effects, %v", len(effects), err)
		}
		for i, in := range ins {
			n, before := effects[1+i], h.nodes[in.Item][in.Head]
			if !reflect.DeepEqual(n.State, before.State) || !reflect.DeepEqual(n.After, []TxID{done, twice}) {
				t.Errorf("part %d: %+v", i, n)
			}
		}
	})
	t.Run("a part's own conflict releases nothing else", func(t *testing.T) {
		part := ins[0].Item
		effects, err := h.judge("press", h.tx("press", part, Withdraw{Keeps: done}, done, twice))
		if err != nil || len(effects) != 1 || effects[0].Item != part || effects[0].State.Phase != Consumed {
			t.Fatalf("%+v, %v", effects, err)
		}
	})
}

// TestLineage: the first of after goes on, and what was withdrawn is left out.
func TestLineage(t *testing.T) {
	p := staffed(t)
	h := newToyHistory(t, p)
	item, accepted, reported := h.drilled("a", toPress)
	w := h.seal("drill-a", h.tx("drill-a", item, Withdraw{Target: reported}, reported))
	second := h.seal("drill-a", h.tx("drill-a", item, reportAt("drill-1", toDrill, toPress), w))
	other := h.p.signed(t, "paula", Tx{Time: plantTime + 9, Body: plantOrder()})
	h.seal("gate", other)
	ruled := h.seal("gate", h.signed("quinn", item, Disposition{Ruling: UseAsIs, Order: other.ID(), Reason: "x"}, second, accepted))
	it := Item{ID: item, HeadIDs: []TxID{ruled}}
	for _, n := range h.nodes[item] {
		it.Nodes = append(it.Nodes, n)
	}
	SortNodes(it.Nodes)
	var ids []TxID
	for _, n := range it.Lineage(ruled) {
		ids = append(ids, n.Tx)
	}
	if want := []TxID{item, accepted, w, second, ruled}; !reflect.DeepEqual(ids, want) {
		t.Errorf("lineage %v, want %v", ids, want)
	}
	if it.OrderOf(ruled) != other.ID() || it.OrderOf(second) != h.order() {
		t.Error("the order of the intake holds until the ruling names another")
	}
	if head, ok := it.Head(); !ok || head.Tx != ruled || it.InConflict() || it.State().Phase != Expected {
		t.Errorf("head %v", it.HeadIDs)
	}
	it.HeadIDs = append(it.HeadIDs, second)
	if _, ok := it.Head(); ok || !it.InConflict() || len(it.Heads()) != 2 || it.State().Phase != 0 {
		t.Error("two heads are a conflict without a state")
	}
}
