package ledger

import (
	"bytes"
	"slices"
)

// Phase is where an item stands (PROTOCOL.md §6).
type Phase uint8

// The phases of an item.
const (
	Expected      Phase = 1 // at one of the options' places
	InWork        Phase = 2 // taken up by one gateway at one station
	Nonconforming Phase = 3 // held until quality rules
	Finished      Phase = 4 // nothing is left to do
	Scrapped      Phase = 5
	Consumed      Phase = 6 // became part of another item
)

var phaseNames = [...]string{"", "expected", "in work", "nonconforming", "finished", "scrapped", "consumed"}

// String returns the phase in the words of the glossary.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return "unknown"
}

// MarshalText writes the phase in words, for JSON.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Closed reports whether an item in this phase is done with; its tags are free.
func (p Phase) Closed() bool { return p == Finished || p == Scrapped || p == Consumed }

// State is what one head of an item means.
type State struct {
	Phase     Phase    `cbor:"1,keyasint"`
	Options   []Option `cbor:"2,keyasint,omitempty"` // Expected: where; Nonconforming after a failed report: what use-as-is would offer
	By        KeyID    `cbor:"3,keyasint,omitzero"`  // InWork: the gateway
	Station   string   `cbor:"4,keyasint,omitempty"` // InWork
	Operation string   `cbor:"5,keyasint,omitempty"` // InWork
	Task      string   `cbor:"6,keyasint,omitempty"` // InWork
	Into      ItemID   `cbor:"7,keyasint,omitzero"`  // Consumed
}

// Node is the effect of one valid transaction on one item.
type Node struct {
	Tx        TxID    `cbor:"1,keyasint"`
	Kind      Kind    `cbor:"2,keyasint"`
	Sender    KeyID   `cbor:"3,keyasint"`
	Item      ItemID  `cbor:"4,keyasint"`           // the item whose history this is
	Of        ItemID  `cbor:"5,keyasint,omitzero"`  // the assembly, where this item is an input
	After     []TxID  `cbor:"6,keyasint,omitempty"` // nodes of this item that it continues
	State     State   `cbor:"7,keyasint"`
	Station   string  `cbor:"8,keyasint,omitempty"`
	Operation string  `cbor:"9,keyasint,omitempty"`
	Task      string  `cbor:"10,keyasint,omitempty"`
	Ruling    Ruling  `cbor:"11,keyasint,omitzero"`
	Outcome   Outcome `cbor:"12,keyasint,omitzero"`
	Order     TxID    `cbor:"13,keyasint,omitzero"` // the order that holds from here on
	Restores  TxID    `cbor:"18,keyasint,omitzero"` // a withdrawal: the node whose state it brings back
	Time      int64   `cbor:"14,keyasint"`
	Depth     uint32  `cbor:"15,keyasint,omitzero"` // longest way from the intake
	Uncounted uint8   `cbor:"16,keyasint,omitzero"` // 1: stands only in blocks that a revocation leaves out
	Rests     uint8   `cbor:"17,keyasint,omitzero"` // 1: rests on a revoked block; nonconforming until a disposition

	// Noted is set where a hand-off note stands for a report that is not here: the
	// operations that are done at it. No such node is ever stored.
	Noted []string `cbor:"-"`
}

// Item is one serialised piece with its history.
type Item struct {
	ID      ItemID
	Label   string // printed id
	Product string
	Lot     string
	Tags    []string // in force, sorted
	Nodes   []Node   // by depth, then transaction: the same on every replica
	HeadIDs []TxID   // sorted
}

// Node returns the node of transaction tx.
func (it Item) Node(tx TxID) (Node, bool) {
	for _, n := range it.Nodes {
		if n.Tx == tx {
			return n, true
		}
	}
	return Node{}, false
}

// Heads returns the nodes that nothing counted continues. More than one: the
// item is in conflict.
func (it Item) Heads() []Node {
	heads := make([]Node, 0, len(it.HeadIDs))
	for _, id := range it.HeadIDs {
		if n, ok := it.Node(id); ok {
			heads = append(heads, n)
		}
	}
	return heads
}

// InConflict reports whether the item has more than one head. The ledger never
// picks one; quality does.
func (it Item) InConflict() bool { return len(it.HeadIDs) > 1 }

// Head returns the item's only head; ok is false in conflict, or when no
// counted transaction is left.
func (it Item) Head() (head Node, ok bool) {
	if len(it.HeadIDs) != 1 {
		return Node{}, false
	}
	return it.Node(it.HeadIDs[0])
}

// State returns the state of the only head, Nonconforming where it rests on a
// revoked block; the zero State in conflict.
func (it Item) State() State {
	h, ok := it.Head()
	if !ok {
		return State{}
	}
	if h.Rests == 1 {
		return State{Phase: Nonconforming}
	}
	return h.State
}

// Closed reports whether the item is finished, scrapped or consumed.
func (it Item) Closed() bool { return it.State().Phase.Closed() }

// Lineage returns the history of head from the intake on: the first of the
// heads that a transaction continues is the one whose history goes on, and a
// withdrawal goes on where what it restores stood, so that withdrawn words are
// not in it.
func (it Item) Lineage(head TxID) []Node {
	var line []Node
	for id := head; ; {
		n, ok := it.Node(id)
		if !ok {
			break
		}
		line = append(line, n)
		if len(n.After) == 0 {
			break
		}
		if id = n.After[0]; !n.Restores.IsZero() {
			id = n.Restores
		}
	}
	slices.Reverse(line)
	return line
}

// OrderOf returns the order in force at head: an item keeps its order until a
// disposition names another.
func (it Item) OrderOf(head TxID) TxID {
	line := it.Lineage(head)
	for i := len(line) - 1; i >= 0; i-- {
		if !line[i].Order.IsZero() {
			return line[i].Order
		}
	}
	return TxID{}
}

// SortNodes puts nodes in the one order of all replicas: depth, then id.
func SortNodes(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int {
		if a.Depth != b.Depth {
			return int(a.Depth) - int(b.Depth)
		}
		return bytes.Compare(a.Tx[:], b.Tx[:])
	})
}
