package replica

import (
	"slices"

	"traveler.example/ledger"
)

// maxNodes bounds the nodes that the memo holds: some 400 bytes each.
const maxNodes = 4096

// nodes returns the history of an item, from the memo where it is there. It is
// not to be changed.
func (e *engine) nodes(item ledger.ItemID) ([]ledger.Node, error) {
	if nodes, ok := e.memo.nodes[item]; ok {
		return nodes, nil
	}
	nodes, err := nodesOf(e, item)
	if err == nil {
		e.memo.keep(item, nodes)
	}
	return nodes, err
}

// node returns the effect of a valid transaction on an item.
func (e *engine) node(item ledger.ItemID, tx ledger.TxID) (ledger.Node, bool, error) {
	nodes, err := e.nodes(item)
	if at := atTx(nodes, tx); at >= 0 {
		return nodes[at], true, nil
	}
	return ledger.Node{}, false, err
}

func atTx(nodes []ledger.Node, tx ledger.TxID) int {
	for i := range nodes {
		if nodes[i].Tx == tx {
			return i
		}
	}
	return -1
}

// saveNode writes a node, new or changed.
func (e *engine) saveNode(n ledger.Node) {
	save(e, nodeKey(n.Item, n.Tx), nodeRecord(n))
	nodes, ok := e.memo.nodes[n.Item]
	if !ok && n.Item != n.Tx {
		return
	}
	// The history of an item begins with its intake: before it there is none.
	if at := atTx(nodes, n.Tx); at >= 0 {
		nodes[at] = n
		return
	}
	nodes = append(nodes, n)
	ledger.SortNodes(nodes)
	e.memo.keep(n.Item, nodes)
}

// keep remembers the history of an item.
func (m *memo) keep(item ledger.ItemID, nodes []ledger.Node) {
	if m.held += len(nodes) + 1 - m.sizeOf(item); m.held > maxNodes {
		m.forget()
		m.held = len(nodes) + 1
	}
	m.nodes[item] = nodes
}

func (m *memo) sizeOf(item ledger.ItemID) int {
	if nodes, ok := m.nodes[item]; ok {
		return len(nodes) + 1
	}
	return 0
}

// forget drops the histories, which writes that are taken back have changed.
func (m *memo) forget() {
	clear(m.nodes)
	m.held = 0
}

// nodesOf reads the history of an item in the one order of all replicas.
func nodesOf(r reader, item ledger.ItemID) ([]ledger.Node, error) {
	var nodes []ledger.Node
	var failed error
	err := r.scan(keyNode+str(item), "", func(key string, value []byte) bool {
		var n nodeRecord
		failed = decode(key, value, &n)
		n.Item, n.Tx = item, hashOf(key[1+hashSize:])
		nodes = append(nodes, ledger.Node(n))
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	ledger.SortNodes(nodes)
	return nodes, err
}

// headsOf returns the counted nodes that no counted node continues, directly or
// through uncounted ones. nodes are sorted; a node lies deeper than what it
// continues.
func headsOf(nodes []ledger.Node) []ledger.TxID {
	continued := make(map[ledger.TxID]bool, len(nodes))
	var heads []ledger.TxID
	for _, n := range slices.Backward(nodes) {
		counted := n.Uncounted == 0
		if counted && !continued[n.Tx] {
			heads = append(heads, n.Tx)
		}
		if counted || continued[n.Tx] {
			for _, h := range n.After {
				continued[h] = true
			}
		}
	}
	slices.SortFunc(heads, compareHashes)
	return heads
}

// restsOf tells for each node whether it continues an uncounted one, or one
// that rests, with no counted disposition between.
func restsOf(nodes []ledger.Node) []uint8 {
	unsound := make(map[ledger.TxID]bool, len(nodes))
	out := make([]uint8, len(nodes))
	for i, n := range nodes {
		ruled := n.Kind == ledger.KindDisposition && n.Uncounted == 0
		for _, h := range n.After {
			if unsound[h] && !ruled {
				out[i] = 1
			}
		}
		unsound[n.Tx] = out[i] == 1 || n.Uncounted == 1
	}
	return out
}

// standingOf says under which standing an item is listed, at which station it is
// in work, and whether its last report has no verdict yet.
func standingOf(nodes []ledger.Node, heads []ledger.TxID) (s Standing, station string, reported bool) {
	switch len(heads) {
	case 0:
		return NoHead, "", false
	case 1:
	default:
		return InConflict, "", false
	}
	at := slices.IndexFunc(nodes, func(n ledger.Node) bool { return n.Tx == heads[0] })
	head := nodes[at]
	if head.Rests == 1 {
		return Nonconforming, "", false
	}
	if s = Standing(head.State.Phase); s == InWork {
		station = head.State.Station
	}
	return s, station, head.Kind == ledger.KindReport && s == Expected
}
