package plant

import (
	"cmp"
	"fmt"
	"slices"
)

// mWorld is one working out of all views.
type mWorld struct {
	model    *Model
	register *mRegister
	roster   *mRoster // in force: of all statements held
	linked   map[string]*mBlock
	blocks   []*mBlock // held, by height, author, hash

	placements []*mPlacement
	byTx       map[string][]*mPlacement
	naming     map[string][]*mPlacement     // by a head that they name
	valid      map[string]*mTx              // transactions valid in a placement at least
	nodes      map[string]map[string]*mNode // by item and transaction
}

// mPlacement is one sealing of a transaction.
type mPlacement struct {
	tx     *mTx
	block  *mBlock
	index  int
	status string // "valid", "void", "waiting", "carried"
	reason string // of "void"
	shown  bool   // the place at which a valid transaction is displayed
}

func (p *mPlacement) name() string { return fmt.Sprintf("%s/%d", p.block.name(), p.index) }

// mNode is what a valid transaction made of one item.
type mNode struct {
	tx       *mTx
	item     string
	after    []string // nodes of this item that it continues
	state    mState
	restores string // of a withdrawal: the node whose state it brings back
	counted  bool
	rests    bool
}

// ownItem tells whether the transaction is about this item itself, and has not
// merely consumed or released it as a part.
func (n *mNode) ownItem() bool { return n.item == n.tx.itemID() }

// mState is the state that a head gives an item (§6).
type mState struct {
	phase                        string
	options                      []mObject
	by, station, operation, task string
	into                         string
}

func newModelWorld(m *Model) *mWorld {
	w := &mWorld{
		model: m, register: m.register(), linked: map[string]*mBlock{}, byTx: map[string][]*mPlacement{},
		naming: map[string][]*mPlacement{}, valid: map[string]*mTx{}, nodes: map[string]map[string]*mNode{},
	}
	w.roster = w.register.roster(sortedKeys(w.register.held))
	w.link()
	w.place()
	w.settle()
	w.count()
	return w
}

func (w *mWorld) place() {
	for _, b := range w.blocks {
		for i, t := range b.txs {
			p := &mPlacement{tx: t, block: b, index: i, status: "waiting"}
			w.placements = append(w.placements, p)
			w.byTx[t.id] = append(w.byTx[t.id], p)
			for _, head := range t.mayContinue() {
				w.naming[head] = append(w.naming[head], p)
			}
		}
	}
	slices.SortFunc(w.placements, comparePlacements)
}

func comparePlacements(a, b *mPlacement) int {
	return cmp.Or(cmp.Compare(a.block.author, b.block.author), cmp.Compare(a.block.height, b.block.height),
		cmp.Compare(a.block.hash, b.block.hash), cmp.Compare(a.index, b.index))
}

// settle is the well-founded fixpoint of §5: judge what rests on valid things
// alone, and again, until nothing changes.
func (w *mWorld) settle() {
	open := w.placements
	for settled := -1; settled != 0; {
		settled = 0
		var left []*mPlacement
		for _, p := range open {
			j := judgement{mWorld: w, mPlacement: p, roster: p.block.at}
			if p.status, p.reason = j.judge(); p.status == "waiting" {
				left = append(left, p)
				continue
			}
			settled++
			if p.status == "valid" {
				w.accept(p, j.effects)
			}
		}
		open = left
	}
}

// accept enters a valid placement. Further ones of the transaction do the same.
func (w *mWorld) accept(p *mPlacement, effects []*mNode) {
	w.valid[p.tx.id] = p.tx
	for _, n := range effects {
		if w.nodes[n.item] == nil {
			w.nodes[n.item] = map[string]*mNode{}
		}
		if w.nodes[n.item][p.tx.id] == nil {
			w.nodes[n.item][p.tx.id] = n
		}
	}
}

// count finds where each valid transaction is shown, which nodes count, and
// which rest on a revoked block.
func (w *mWorld) count() {
	for id := range w.valid {
		w.shownAt(id).shown = true
	}
	for _, nodes := range w.nodes {
		for id, n := range nodes {
			n.counted = w.counted(id)
		}
		for _, n := range nodes {
			n.rests = restsOn(nodes, n)
		}
	}
}

// shownAt returns the lowest valid placement that counts, else the lowest valid.
func (w *mWorld) shownAt(id string) *mPlacement {
	var best *mPlacement
	for _, p := range w.byTx[id] {
		if p.status != "valid" {
			continue
		}
		better := best == nil || p.block.counted && !best.block.counted ||
			p.block.counted == best.block.counted && comparePlacements(p, best) < 0
		if better {
			best = p
		}
	}
	return best
}

func (w *mWorld) counted(id string) bool { return w.valid[id] != nil && w.shownAt(id).block.counted }

// restsOn: it continues a node of this item that does not count or that rests
// itself, and is no disposition that counts.
func restsOn(nodes map[string]*mNode, n *mNode) bool {
	if n.tx.kind == 5 && n.counted {
		return false
	}
	return slices.ContainsFunc(n.after, func(h string) bool { return !nodes[h].counted || restsOn(nodes, nodes[h]) })
}

// heads returns the counted nodes that no counted one continues, directly or
// through others.
func (w *mWorld) heads(item string) []string {
	continued := map[string]bool{}
	var mark func(n *mNode)
	mark = func(n *mNode) {
		for _, h := range n.after {
			if !continued[h] {
				continued[h] = true
				mark(w.nodes[item][h])
			}
		}
	}
	for _, n := range w.nodes[item] {
		if n.counted {
			mark(n)
		}
	}
	var heads []string
	for _, id := range sortedKeys(w.nodes[item]) {
		if w.nodes[item][id].counted && !continued[id] {
			heads = append(heads, id)
		}
	}
	return heads
}

// lineage calls visit for a node and what its history goes back through, until
// visit returns true.
func (w *mWorld) lineage(n *mNode, visit func(*mNode) bool) {
	for n != nil && !visit(n) {
		switch {
		case n.restores != "":
			n = w.nodes[n.item][n.restores]
		case len(n.after) > 0:
			n = w.nodes[n.item][n.after[0]]
		default:
			n = nil
		}
	}
}

// last returns the latest report of a lineage about the item itself (kind 3),
// or the latest report or intake.
func (w *mWorld) last(from *mNode, kinds ...int64) *mNode {
	var found *mNode
	w.lineage(from, func(n *mNode) bool {
		if slices.Contains(kinds, n.tx.kind) && n.ownItem() {
			found = n
		}
		return found != nil
	})
	return found
}

// order returns the order that an item follows at a node.
func (w *mWorld) order(from *mNode) string {
	order := ""
	w.lineage(from, func(n *mNode) bool {
		if n.ownItem() && (n.tx.kind == 2 || n.tx.kind == 5) {
			order = n.tx.body.str("order")
		}
		return order != ""
	})
	return order
}
