package ledger

import (
	"errors"
	"fmt"
)

// VoidError says why a placement of a transaction changes nothing, for ever.
type VoidError struct {
	Reason VoidReason
	Detail string
}

func (e *VoidError) Error() string { return fmt.Sprintf("void (%s): %s", e.Reason, e.Detail) }

// VoidReason is a stable code.
type VoidReason string

// Why a placement is void (PROTOCOL.md §6).
const (
	VoidSignature VoidReason = "signature" // the sender's signature is missing, superfluous or wrong
	VoidSender    VoidReason = "sender"    // a kind that only its own gateway may seal
	VoidRole      VoidReason = "role"      // the sender lacks the role in the cited roster
	VoidStation   VoidReason = "station"   // the sealer is not assigned the station
	VoidPosition  VoidReason = "position"  // the head it continues is not in the state it needs
	VoidInput     VoidReason = "input"     // an input is not at the sealer's station
	VoidAuthor    VoidReason = "author"    // only its author may withdraw or amend
	VoidTarget    VoidReason = "target"    // it speaks of something of the wrong kind
	VoidRepeated  VoidReason = "own-chain" // the sealer's chain continues that head already
)

// WaitError says that a placement cannot be judged yet: what it rests on is not
// here, or not valid in any placement that is here.
type WaitError struct {
	For Hash   // the transaction waited for
	As  string // what it is to this one: "after", "order", "about", …
}

func (e *WaitError) Error() string { return fmt.Sprintf("waiting for %s %s", e.As, e.For.Short()) }

// ErrUnknownKind says that a transaction is of a kind this program cannot
// judge. It is carried and shown; what continues it waits.
var ErrUnknownKind = errors.New("kind is not known to this program")

// Ancestors is what Apply may look at: valid transactions that are ancestors of
// the one judged. Answers must not depend on anything else.
type Ancestors interface {
	// Node returns the effect of a valid transaction on an item.
	Node(item ItemID, tx TxID) (Node, bool, error)
	// Tx returns a valid transaction.
	Tx(id TxID) (Tx, bool, error)
	// Continued tells what the sealer's chain before the placement judged, by
	// prev and also and earlier in the block, does with a head of an item: the
	// transaction other than but of which a placement there is valid and continues
	// it, or one of which a placement there still waits or is carried and might.
	Continued(item ItemID, head TxID, but TxID) (by TxID, waiting bool, err error)
}

// Placement is one sealing of a transaction.
type Placement struct {
	Tx     Tx
	Sealer KeyID   // author of the block
	Roster *Roster // as the block cites it
}

// Apply judges one placement. It returns the effect on every item concerned: the
// item of the transaction first, then inputs consumed or released. A transaction
// that moves no item has no effects. The error is a *VoidError, a *WaitError,
// ErrUnknownKind, or one of the Ancestors.
//
// Validity looks at writer, position and roles and at nothing else: weights,
// limits, times and stock are Check's.
func Apply(net NetworkID, p Placement, a Ancestors) ([]Node, error) {
	j := judge{Placement: p, net: net, a: a}
	if err := j.sender(); err != nil {
		return nil, err
	}
	effects, err := j.body()
	if err != nil {
		return nil, err
	}
	for _, n := range effects {
		if err := j.ownChain(n); err != nil {
			return nil, err
		}
	}
	return effects, nil
}

type judge struct {
	Placement
	net NetworkID
	a   Ancestors
}

func void(r VoidReason, format string, args ...any) error {
	return &VoidError{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// sender checks who states and who seals: a gateway's own statement carries no
// signature but the block's; a planner's or quality's carries its own.
func (j judge) sender() error {
	t := j.Tx
	if !t.Kind.Known() {
		return ErrUnknownKind
	}
	own := t.Sender == j.Sealer
	switch {
	case own && len(t.Sig) > 0:
		return void(VoidSignature, "the block's signature is its sender's already")
	case !own && len(t.Sig) == 0:
		return void(VoidSignature, "sealed by %s, it needs the signature of its sender %s", j.Sealer.Short(), t.Sender.Short())
	case !own && !t.Kind.Foreign():
		return void(VoidSender, "a %s is sealed by its own gateway only", t.Kind)
	}
	if !own {
		id, ok := j.Roster.Identity(t.Sender)
		if !ok {
			return void(VoidRole, "%s is not in the roster cited", t.Sender.Short())
		}
		if err := t.VerifySignature(j.net, id.Key); err != nil {
			return void(VoidSignature, "the signature does not fit the key of %s", id.Name)
		}
	}
	need := RoleGateway
	switch t.Kind {
	case KindOrder:
		need = RolePlanner
	case KindDisposition:
		need = RoleQuality
	case KindBind:
		if !own {
			need = RoleQuality
		}
	}
	if !j.Roster.Has(t.Sender, need) {
		return void(VoidRole, "a %s needs the role %s in the roster cited", t.Kind, need)
	}
	return nil
}

func (j judge) body() ([]Node, error) {
	switch b := j.Tx.Body.(type) {
	case Order:
		return nil, j.order(b)
	case Intake:
		return j.intake(b)
	case Report:
		return j.report(b)
	case Verdict:
		return j.verdict(b)
	case Disposition:
		return j.disposition(b)
	case Withdraw:
		return j.withdraw(b)
	case Amend:
		return nil, j.amend()
	case Bind:
		return nil, j.bind(b)
	case Misroute:
		_, err := j.node(j.Tx.Item, j.Tx.Item, "item")
		return nil, err
	}
	return nil, ErrUnknownKind
}

// node returns the effect of a valid transaction on an item, or waits for it.
func (j judge) node(item ItemID, tx TxID, as string) (Node, error) {
	n, ok, err := j.a.Node(item, tx)
	if err == nil && !ok {
		err = &WaitError{For: tx, As: as}
	}
	return n, err
}

// valid returns a valid transaction, or waits for it.
func (j judge) valid(id TxID, as string) (Tx, error) {
	t, ok, err := j.a.Tx(id)
	if err == nil && !ok {
		err = &WaitError{For: id, As: as}
	}
	return t, err
}

// validOrder returns a valid order that is no cancellation.
func (j judge) validOrder(id TxID, as string) (Order, error) {
	t, err := j.valid(id, as)
	if err != nil {
		return Order{}, err
	}
	o, ok := t.Body.(Order)
	if !ok || o.Cancelled == 1 {
		return Order{}, void(VoidTarget, "%s %s is no order to work to", as, id.Short())
	}
	return o, nil
}

// effect is a node of the judged transaction with what every kind has in common.
func (j judge) effect(item ItemID, after []Node, s State) Node {
	n := Node{Tx: j.Tx.id, Kind: j.Tx.Kind, Sender: j.Tx.Sender, Item: item, State: s, Time: j.Tx.Time}
	if item != j.Tx.ItemID() {
		n.Of = j.Tx.ItemID()
	}
	for _, m := range after {
		n.After = append(n.After, m.Tx)
		n.Depth = max(n.Depth, m.Depth+1)
	}
	return n
}

func (j judge) order(b Order) error {
	if b.Replaces.IsZero() {
		return nil
	}
	_, err := j.validOrder(b.Replaces, "replaces")
	return err
}

func (j judge) intake(b Intake) ([]Node, error) {
	as, ok := j.Roster.Assigned(j.Sealer, b.Station)
	if !ok || !as.Intake {
		return nil, void(VoidStation, "station %s is not assigned to %s for intake", b.Station, j.Sealer.Short())
	}
	if _, err := j.validOrder(b.Order, "order"); err != nil {
		return nil, err
	}
	n := j.effect(j.Tx.id, nil, State{Phase: Expected, Options: b.Options})
	n.Order, n.Station = b.Order, b.Station
	return []Node{n}, nil
}

func (j judge) report(b Report) ([]Node, error) {
	head, err := j.node(j.Tx.Item, j.Tx.After[0], "after")
	if err != nil {
		return nil, err
	}
	s := head.State
	if s.Phase != InWork || s.By != j.Sealer || s.Station != b.Station || s.Task != b.Task || s.Operation != b.Operation {
		return nil, void(VoidPosition, "the item is not in work at %s by %s for %s", b.Station, j.Sealer.Short(), b.Task)
	}
	n := j.effect(j.Tx.Item, []Node{head}, reported(b))
	n.Station, n.Operation, n.Task, n.Outcome = b.Station, b.Operation, b.Task, b.Outcome
	effects := []Node{n}
	for _, in := range b.Inputs {
		part, err := j.node(in.Item, in.Head, "input")
		if err != nil {
			return nil, err
		}
		if in.Item == j.Tx.Item || !j.holds(part.State, b.Station) {
			return nil, void(VoidInput, "part %s is not at %s", in.Item.Short(), b.Station)
		}
		c := j.effect(in.Item, []Node{part}, State{Phase: Consumed, Into: j.Tx.Item})
		c.Station, c.Operation = b.Station, b.Operation
		effects = append(effects, c)
	}
	return effects, nil
}

func reported(b Report) State {
	switch {
	case b.Outcome == OutcomeFail:
		return State{Phase: Nonconforming, Options: b.Options}
	case len(b.Options) == 0:
		return State{Phase: Finished}
	default:
		return State{Phase: Expected, Options: b.Options}
	}
}

// holds reports whether the sealer has an item of state s at station: in work
// there by it, or expected there.
func (j judge) holds(s State, station string) bool {
	if s.Phase == InWork {
		return s.By == j.Sealer && s.Station == station
	}
	if s.Phase != Expected {
		return false
	}
	for _, o := range s.Options {
		if j.Roster.Serves(j.Sealer, station, o.Place) {
			return true
		}
	}
	return false
}

func (j judge) verdict(b Verdict) ([]Node, error) {
	head, err := j.node(j.Tx.Item, j.Tx.After[0], "after")
	if err != nil {
		return nil, err
	}
	if head.State.Phase != Expected || int(b.Option) >= len(head.State.Options) {
		return nil, void(VoidPosition, "the item is %s; option %d is not offered", head.State.Phase, b.Option)
	}
	o := head.State.Options[b.Option]
	if !j.Roster.Serves(j.Sealer, b.Station, o.Place) {
		return nil, void(VoidStation, "option %d names %s, which %s at %s does not serve", b.Option, o.Place, j.Sealer.Short(), b.Station)
	}
	if o.Task != b.Task || o.Operation != b.Operation {
		return nil, void(VoidPosition, "option %d is task %s of operation %s", b.Option, o.Task, o.Operation)
	}
	var s State
	switch b.Ruling {
	case Accept:
		s = State{Phase: InWork, By: j.Sealer, Station: b.Station, Operation: b.Operation, Task: b.Task}
	case SetAside:
		s = State{Phase: Nonconforming}
	case Return:
		last, ok, err := j.last(head, KindReport)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, void(VoidPosition, "there is no report to return to")
		}
		s = State{Phase: Expected, Options: []Option{{Task: last.Task, Operation: last.Operation, Place: last.Station}}}
	}
	n := j.effect(j.Tx.Item, []Node{head}, s)
	n.Station, n.Operation, n.Task, n.Ruling = b.Station, b.Operation, b.Task, b.Ruling
	return []Node{n}, nil
}

// last walks the history of n back to its latest node of one of the kinds; a
// report that was withdrawn is passed over with all that it did.
func (j judge) last(n Node, kinds ...Kind) (Node, bool, error) {
	for {
		for _, k := range kinds {
			if n.Kind == k && n.Of.IsZero() {
				return n, true, nil
			}
		}
		if len(n.After) == 0 {
			return Node{}, false, nil
		}
		back := n.After[0]
		var err error
		if n.Kind == KindWithdraw {
			if n, err = j.stands(n); err != nil {
				return Node{}, false, err
			}
			continue
		}
		if n, err = j.node(n.Item, back, "after"); err != nil {
			return Node{}, false, err
		}
	}
}

// stands returns the node whose state a withdrawal restores.
func (j judge) stands(w Node) (Node, error) {
	return j.node(w.Item, w.Restores, "withdrawn")
}

func (j judge) disposition(b Disposition) ([]Node, error) {
	var heads []Node
	for _, h := range j.Tx.After {
		n, err := j.node(j.Tx.Item, h, "after")
		if err != nil {
			return nil, err
		}
		heads = append(heads, n)
	}
	if !b.Order.IsZero() {
		if _, err := j.validOrder(b.Order, "order"); err != nil {
			return nil, err
		}
	}
	s := State{Phase: Expected, Options: []Option{{Task: b.Task, Operation: b.Operation, Place: b.Place}}}
	switch b.Ruling {
	case Scrap:
		s = State{Phase: Scrapped}
	case UseAsIs:
		last, ok, err := j.last(heads[0], KindReport, KindIntake)
		if err != nil {
			return nil, err
		}
		if s = (State{Phase: Finished}); ok && len(last.State.Options) > 0 {
			s = State{Phase: Expected, Options: last.State.Options}
		}
	}
	n := j.effect(j.Tx.Item, heads, s)
	n.Operation, n.Task, n.Ruling, n.Order = b.Operation, b.Task, b.Ruling, b.Order
	return []Node{n}, nil
}

func (j judge) amend() error {
	t, err := j.valid(j.Tx.About[0], "about")
	if err != nil {
		return err
	}
	switch {
	case t.Sender != j.Tx.Sender:
		return void(VoidAuthor, "%s is of %s", t.id.Short(), t.Sender.Short())
	case (t.Kind != KindReport && t.Kind != KindVerdict) || t.Item != j.Tx.Item:
		return void(VoidTarget, "%s is no report or verdict of this item", t.id.Short())
	}
	return nil
}

func (j judge) bind(b Bind) error {
	for _, s := range b.Supersedes {
		t, err := j.valid(s, "supersedes")
		if err != nil {
			return err
		}
		if t.Kind != KindIntake && t.Kind != KindBind {
			return void(VoidTarget, "%s binds no tags", s.Short())
		}
		if t.ItemID() != j.Tx.Item { // who holds one item says nothing of another's tags
			return void(VoidTarget, "%s binds tags to another item", s.Short())
		}
	}
	if len(j.Tx.About) == 0 {
		if !j.Roster.Has(j.Tx.Sender, RoleQuality) {
			return void(VoidRole, "without naming the head at which it holds the item, only quality binds")
		}
		_, err := j.node(j.Tx.Item, j.Tx.Item, "item")
		return err
	}
	head, err := j.node(j.Tx.Item, j.Tx.About[0], "about")
	if err != nil {
		return err
	}
	if j.Roster.Has(j.Tx.Sender, RoleQuality) {
		return nil
	}
	for _, as := range j.Roster.Assignments() {
		if as.Gateway == j.Sealer && j.holds(head.State, as.Station) {
			return nil
		}
	}
	return void(VoidStation, "%s does not hold the item at %s", j.Sealer.Short(), head.Tx.Short())
}

// ownChain is the rule that one chain continues a head once: the earlier word
// of a sealer stands, in every branch that contains it.
func (j judge) ownChain(n Node) error {
	for _, h := range n.After {
		by, waiting, err := j.a.Continued(n.Item, h, j.Tx.id)
		switch {
		case err != nil:
			return err
		case waiting:
			return &WaitError{For: by, As: "own chain"}
		case !by.IsZero():
			return void(VoidRepeated, "the sealer's chain continues %s with %s already", h.Short(), by.Short())
		}
	}
	return nil
}
