package plant

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"traveler.example/ledger"
)

// TestModelOnRandomHistories: whatever is sealed, lawful or not, the model and a
// replica say the same of it. TRAVELER_HISTORIES sets how many histories are
// made, TRAVELER_HISTORY plays one of them again.
func TestModelOnRandomHistories(t *testing.T) {
	histories, first := 40, 1
	if testing.Short() {
		histories = 8
	}
	if n, err := strconv.Atoi(os.Getenv("TRAVELER_HISTORIES")); err == nil {
		histories = n
	}
	if n, err := strconv.Atoi(os.Getenv("TRAVELER_HISTORY")); err == nil {
		first, histories = n, 1
	}
	seen := map[string]int{}
	for seed := first; seed < first+histories; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, uint64(seed))
			h.grow(60)
			h.rng.Shuffle(len(h.objects), func(i, j int) { h.objects[i], h.objects[j] = h.objects[j], h.objects[i] })
			compareWith(t, h.model, replicaOf(t, h.genesis, h.objects))
			h.tally(seen)
		})
	}
	if histories < 40 {
		return
	}
	for _, want := range []string{
		"valid", "waiting", "carried", "again", "void signature", "void sender", "void role", "void station", "void position", "void input",
		"void author", "void target", "void own-chain", "uncounted", "rests", "in conflict", "evidence", "statement uncounted", "contested",
	} {
		if seen[want] == 0 {
			t.Errorf("no history shows %s: %v", want, seen)
		}
	}
}

// tally counts what a history shows, so that none of it is missed.
func (h *history) tally(seen map[string]int) {
	v := h.world.views()
	for name, words := range v.Placements {
		if reason := v.Voids[name]; reason != "" {
			words = "void " + reason
		}
		seen[words]++
	}
	for _, it := range h.world.nodes {
		for _, n := range it {
			if n.rests {
				seen["rests"]++
			}
		}
	}
	for _, it := range v.Items {
		if len(it.Heads) > 1 {
			seen["in conflict"]++
		}
	}
	seen["uncounted"] += len(v.Uncounted)
	seen["evidence"] += len(v.Evidence)
	seen["statement uncounted"] += len(v.Roster.Uncounted)
	seen["contested"] += len(v.Roster.Contested)
}

func (h *history) grow(steps int) {
	h.seal(h.authors[0], h.order(ledger.TxID{}))
	for range steps {
		if h.one(8) {
			h.decree()
			h.look()
			continue
		}
		g := pick(h, h.authors)
		var txs []ledger.Tx
		for range 1 + h.rng.IntN(3) {
			tx := h.tx(g)
			if !slices.ContainsFunc(txs, func(o ledger.Tx) bool { return o.ID() == tx.ID() }) {
				txs = append(txs, tx)
			}
		}
		h.seal(g, txs...)
	}
}

// own makes a transaction that its sealer sends, by now and then another's.
func (h *history) own(g *author, t ledger.Tx) ledger.Tx {
	t.Sender, t.Time = g.id, h.now()
	if h.one(40) {
		t.Sender = pick(h, h.authors).id
	}
	made, err := ledger.NewTx(h.genesis.Network(), t)
	h.check(err)
	return made
}

// signed makes a transaction of a person, by now and then of the wrong one.
func (h *history) signed(who string, t ledger.Tx) ledger.Tx {
	if h.one(25) {
		who = pick(h, []string{"planner", "quality", "stranger", "g0"})
	}
	t.Time = h.now()
	made, err := ledger.SignTx(h.genesis.Network(), t, h.key(who))
	h.check(err)
	if h.one(30) { // a signature of something else
		made.Sig = slices.Clone(made.Sig)
		made.Sig[5] ^= 1
		made, err = ledger.NewTx(h.genesis.Network(), made)
		h.check(err)
	}
	h.foreign = append(h.foreign, made)
	return made
}

func (h *history) order(replaces ledger.TxID) ledger.Tx {
	h.serial++
	o := ledger.Order{ID: fmt.Sprintf("WO-%d", h.serial), Product: "part", Replaces: replaces}
	if !replaces.IsZero() && h.one(3) {
		o.Cancelled = 1
	} else {
		o.Routing = []ledger.Operation{{ID: "a", Task: "drill", Place: "w0", MaxReturns: 1}}
	}
	t := h.signed("planner", ledger.Tx{Body: o})
	h.orders = append(h.orders, t.ID())
	return t
}

var historyOptions = []ledger.Option{
	{Task: "drill", Operation: "a", Place: "w0"}, {Task: "mill", Operation: "b", Place: "w1"}, {Task: "pack", Operation: "c", Place: "s2"},
}

func (h *history) options(least int) []ledger.Option {
	list := slices.Clone(historyOptions)
	h.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:least+h.rng.IntN(len(list)+1-least)]
}

func (h *history) tags() []string {
	return []string{"t1", "t2", "t3", "t4"}[h.rng.IntN(3):][:1]
}

// nodes lists the nodes of an item, or of all, the same in every run.
func (h *history) nodes(item string, fits func(*mNode) bool) []*mNode {
	var out []*mNode
	for _, id := range sortedKeys(h.world.nodes) {
		if item != "" && item != id {
			continue
		}
		for _, n := range sortedValues(h.world.nodes[id]) {
			if fits == nil || fits(n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// isHead tells whether nothing valid continues a node yet.
func (h *history) isHead(n *mNode) bool {
	return !slices.ContainsFunc(sortedValues(h.world.nodes[n.item]), func(o *mNode) bool { return slices.Contains(o.after, n.tx.id) })
}

func txOf(id string) ledger.TxID { return ledger.TxID([]byte(id)) }

// tx proposes something for a gateway to seal: most often what it may, by now
// and then anything.
func (h *history) tx(g *author) ledger.Tx {
	if len(h.foreign) > 0 && h.one(12) {
		return pick(h, h.foreign)
	}
	switch h.rng.IntN(30) {
	case 0:
		return h.order(pick(h, h.orders))
	case 1:
		return h.order(ledger.TxID{})
	case 2:
		return h.own(g, ledger.Tx{Body: ledger.Unknown{Number: 77, Bytes: []byte{0xa0}}})
	}
	nodes := h.nodes("", nil)
	if len(nodes) > 0 && h.one(50) { // of another gateway, which may not have it sealed
		return h.signed("g1", ledger.Tx{Item: txOf(nodes[0].item), Body: ledger.Misroute{Station: "s1"}})
	}
	if len(nodes) == 0 || len(h.world.nodes) < 6 && h.one(4) {
		station := g.station
		if h.one(12) {
			station = "s9"
		}
		return h.own(g, ledger.Tx{Body: ledger.Intake{
			Station: station, Label: "L", Tags: h.tags(), Order: pick(h, h.orders), Product: "part", Options: h.options(1),
		}})
	}
	if heads := h.nodes("", h.isHead); !h.one(6) {
		nodes = heads
	}
	mine := h.nodes("", func(n *mNode) bool { return h.concerns(g, n) && (h.isHead(n) || h.one(8)) })
	if len(mine) > 0 && !h.one(6) {
		nodes = mine
	}
	return h.continuing(g, pick(h, nodes))
}

// concerns tells whether a gateway has something to do at a node.
func (h *history) concerns(g *author, n *mNode) bool {
	j := judgement{mWorld: h.world, mPlacement: &mPlacement{block: &mBlock{author: string(g.id[:])}}, roster: h.world.roster}
	return j.holdsAt(n.state, g.station)
}

// continuing makes a transaction after a node.
func (h *history) continuing(g *author, n *mNode) ledger.Tx {
	item, after := txOf(n.item), []ledger.TxID{txOf(n.tx.id)}
	if h.one(30) && len(h.foreign) > 0 {
		after[0] = pick(h, h.foreign).ID() // of no item, or of another
	}
	switch h.rng.IntN(16) {
	case 0:
		return h.withdraw(g, n)
	case 1:
		return h.bind(g, n)
	case 2:
		about := pick(h, h.nodes(n.item, nil))
		return h.own(g, ledger.Tx{Item: item, About: []ledger.TxID{txOf(about.tx.id)}, Body: ledger.Amend{Note: "seen", Reason: "slip"}})
	case 3:
		return h.own(g, ledger.Tx{Item: item, Body: ledger.Misroute{Station: g.station}})
	case 4:
		return h.own(g, ledger.Tx{Item: item, After: after, Body: ledger.Unknown{Number: 99, Bytes: []byte{0xa0}}})
	case 5:
		return h.dispose(n)
	}
	switch n.state.phase {
	case "expected":
		at := h.rng.IntN(len(n.state.options))
		o := n.state.options[at]
		v := ledger.Verdict{
			Station: g.station, Operation: o.str("operation"), Task: o.str("task"), Option: uint8(at),
			Ruling: ledger.Accept, Reason: "so",
		}
		if h.one(5) {
			v.Ruling = pick(h, []ledger.Ruling{ledger.Return, ledger.SetAside})
		}
		return h.own(g, ledger.Tx{Item: item, After: after, Body: v})
	case "in work":
		if h.one(8) {
			return h.withdraw(g, n)
		}
		return h.report(g, n, after)
	}
	return h.dispose(n)
}

func (h *history) report(g *author, n *mNode, after []ledger.TxID) ledger.Tx {
	r := ledger.Report{
		Station: n.state.station, Operation: n.state.operation, Task: n.state.task, Outcome: ledger.OutcomeOK, Options: h.options(0),
	}
	switch h.rng.IntN(5) {
	case 0:
		r.Outcome = ledger.OutcomeFail
	case 1, 2:
		parts := h.nodes("", func(p *mNode) bool { return p.item != n.item && (h.concerns(g, p) && h.isHead(p) || h.one(30)) })
		for _, p := range parts {
			in := ledger.Input{Item: txOf(p.item), Head: txOf(p.tx.id)}
			if len(r.Inputs) < 2 && !slices.ContainsFunc(r.Inputs, func(o ledger.Input) bool { return o.Item == in.Item }) {
				r.Inputs = append(r.Inputs, in)
			}
		}
	}
	if h.one(12) {
		r.Station = g.station
	}
	return h.own(g, ledger.Tx{Item: txOf(n.item), After: after, Body: r})
}

func (h *history) withdraw(g *author, n *mNode) ledger.Tx {
	mine := h.nodes(n.item, func(o *mNode) bool { return o.tx.sender == string(g.id[:]) && (h.isHead(o) || h.one(4)) })
	if len(mine) > 1 {
		var after []ledger.TxID
		for _, m := range mine[:2] {
			after = append(after, txOf(m.tx.id))
		}
		return h.own(g, ledger.Tx{Item: txOf(n.item), After: after, Body: ledger.Withdraw{Keeps: after[h.rng.IntN(2)]}})
	}
	if len(mine) == 1 {
		n = mine[0]
	}
	target := txOf(n.tx.id)
	return h.own(g, ledger.Tx{Item: txOf(n.item), After: []ledger.TxID{target}, Body: ledger.Withdraw{Target: target}})
}

func (h *history) bind(g *author, n *mNode) ledger.Tx {
	t := ledger.Tx{Item: txOf(n.item)}
	b := ledger.Bind{Tags: h.tags()}
	if h.one(2) {
		for _, id := range sortedKeys(h.world.valid) {
			tx := h.world.valid[id]
			if (tx.kind == 2 || tx.kind == 8) && (tx.itemID() == n.item || h.one(10)) && len(b.Supersedes) < 2 {
				b.Supersedes = append(b.Supersedes, txOf(id))
			}
		}
	}
	t.Body = b
	if h.one(3) {
		return h.signed("quality", t)
	}
	if !h.one(10) {
		t.About = []ledger.TxID{txOf(n.tx.id)}
	}
	return h.own(g, t)
}

func (h *history) dispose(n *mNode) ledger.Tx {
	after := []ledger.TxID{txOf(n.tx.id)}
	for _, o := range h.nodes(n.item, h.isHead) {
		if id := txOf(o.tx.id); id != after[0] && !h.one(4) && len(after) < 4 {
			after = append(after, id)
		}
	}
	d := ledger.Disposition{Ruling: ledger.ReworkAt + ledger.Ruling(h.rng.IntN(5)), Reason: "ruled"}
	if d.Ruling <= ledger.ContinueAt {
		o := pick(h, historyOptions)
		d.Operation, d.Task, d.Place = o.Operation, o.Task, o.Place
	}
	if h.one(6) {
		d.Order = pick(h, h.orders)
	}
	return h.signed("quality", ledger.Tx{Item: txOf(n.item), After: after, Body: d})
}

// decree makes a statement on some of those that are held.
func (h *history) decree() {
	on := h.rosterHeads()
	if h.one(2) {
		on = []ledger.Hash{pick(h, h.statements)}
		if other := pick(h, h.statements); h.one(3) && other != on[0] {
			on = append(on, other)
		}
	}
	if len(on) > 16 {
		on = on[:16]
	}
	signers := [][]string{{"ada", "ben"}, {"ben", "cy"}, {"ada", "cy"}, {"ada"}, {"ada", "dan"}, {"dan"}, {"ada", "ben", "cy"}}[h.rng.IntN(7)]
	h.serial++
	fresh := fmt.Sprintf("n%d", h.rng.IntN(6))
	g := pick(h, h.authors)
	station := fmt.Sprintf("s%d", h.rng.IntN(6))
	switch h.rng.IntN(9) {
	case 0:
		h.state(on, signers, ledger.Change{Kind: ledger.ChangeEnrol, Name: fresh, Key: h.public(fmt.Sprintf("k%d", h.rng.IntN(6))), Roles: 1 << h.rng.IntN(3)})
	case 1:
		h.state(on, signers, ledger.Change{Kind: ledger.ChangeAssign, Subject: g.id, Station: station, WorkCentre: "w1"})
	case 2, 3:
		subject := pick(h, []ledger.KeyID{g.id, g.id, g.id, h.id("quality"), h.id("code-" + fresh)})
		c := ledger.Change{Kind: ledger.ChangeRevoke, Subject: subject}
		if len(g.blocks) > 0 {
			c.Heads = []ledger.Hash{pick(h, g.blocks).Hash()}
		}
		h.state(on, signers, c)
	case 4, 8:
		c := ledger.Change{Kind: ledger.ChangeAdmins, Admins: h.admins("ada", "ben", "dan"), Threshold: 2}
		if h.one(3) {
			c.Admins = h.admins("ada", "ben", "cy")
		}
		if h.one(4) {
			signers = []string{"recovery"}
		}
		h.state(on, signers, c)
	case 5:
		h.state(on, signers, ledger.Change{Kind: ledger.ChangeParameter, Name: parameterName(h.rng.IntN(2)), Value: int64(h.rng.IntN(5))})
	case 6:
		h.state(on, signers, ledger.Change{
			Kind: ledger.ChangeTicket, Name: fresh, Key: h.public("code-" + fresh), Roles: ledger.RoleGateway, Station: station,
		})
	case 7:
		h.redeem(on)
	}
}

// redeem has a board redeem some ticket, if one was issued.
func (h *history) redeem(on []ledger.Hash) {
	for _, code := range sortedKeys(h.world.roster.tickets) {
		name := "code-" + h.world.roster.tickets[code][0].name
		board := fmt.Sprintf("board%d", h.rng.IntN(4))
		h.state(on, []string{name, board}, ledger.Change{Kind: ledger.ChangeRedeem, Subject: h.id(name), Key: h.public(board)})
		return
	}
}
