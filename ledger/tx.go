package ledger

import (
	"crypto"
	"fmt"
)

// Kind says what a transaction states.
type Kind uint8

// The kinds of protocol 1. Numbers above are carried and shown, and what
// continues them waits.
const (
	KindOrder       Kind = 1 // a planner's work order with its routing
	KindIntake      Kind = 2 // an item enters the line; starts its history
	KindReport      Kind = 3 // a station's finished operation, and who may continue
	KindVerdict     Kind = 4 // the next station accepts, returns or sets aside
	KindDisposition Kind = 5 // quality's ruling
	KindWithdraw    Kind = 6 // an author takes back his own last word
	KindAmend       Kind = 7 // an author corrects a value
	KindBind        Kind = 8 // tags of an item
	KindMisroute    Kind = 9 // an item was scanned where it does not belong
)

var kindNames = [...]string{"", "order", "intake", "report", "verdict", "disposition", "withdraw", "amend", "bind", "misroute"}

// String returns the kind's name in the glossary.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Known reports whether this program can judge the kind.
func (k Kind) Known() bool { return k > 0 && int(k) < len(kindNames) }

// Moves reports whether a transaction of this kind continues an item's history.
func (k Kind) Moves() bool { return k >= KindIntake && k <= KindWithdraw }

// Foreign reports whether the kind may be signed by another than the gateway
// that seals it: planner and quality sign, any gateway seals.
func (k Kind) Foreign() bool {
	return k == KindOrder || k == KindDisposition || k == KindBind || !k.Known()
}

// Clock says whether the sender's clock was synchronised.
type Clock uint8

// The states of a clock.
const (
	ClockUnsynchronised Clock = 0
	ClockSynchronised   Clock = 1
)

// Tx is one signed statement about an item or the network (paper §V-D).
type Tx struct {
	Kind      Kind
	Sender    KeyID
	Time      int64 // ms since 1970 UTC: evidence, never a rule
	Clock     Clock
	Item      ItemID  // absent in order and intake
	After     []TxID  // heads of the item that it continues; the first one's history goes on
	About     []TxID  // what it speaks of without moving the item
	Operators []KeyID // who signed off: evidence
	Body      Body    // by kind
	Sig       []byte  // present exactly when the sender is not the sealer

	raw []byte
	id  TxID
}

// Body is what a transaction of one kind says; see Order, Intake, Report, …
type Body interface {
	Kind() Kind
	check() error
}

// Unknown is the body of a kind that this program does not know.
type Unknown struct {
	Number Kind
	Bytes  []byte
}

// Kind returns the number it came with.
func (u Unknown) Kind() Kind { return u.Number }

func (u Unknown) check() error { return nil }

// txWire is a transaction's canonical form.
type txWire struct {
	Version   uint8   `cbor:"1,keyasint"`
	Kind      Kind    `cbor:"2,keyasint"`
	Sender    KeyID   `cbor:"3,keyasint"`
	Time      int64   `cbor:"4,keyasint"`
	Clock     Clock   `cbor:"5,keyasint,omitzero"`
	Item      ItemID  `cbor:"6,keyasint,omitzero"`
	After     []TxID  `cbor:"7,keyasint,omitempty"`
	About     []TxID  `cbor:"8,keyasint,omitempty"`
	Operators []KeyID `cbor:"9,keyasint,omitempty"`
	Body      []byte  `cbor:"10,keyasint"`
	Sig       []byte  `cbor:"11,keyasint,omitempty"`
}

// ID names the transaction: the hash of its bytes, its signature included, so
// that no relay can swap a signature under a block's root.
func (t Tx) ID() TxID { return t.id }

// Raw returns the bytes as they were parsed or made.
func (t Tx) Raw() []byte { return t.raw }

// ItemID is the item that the transaction speaks of: an intake's own id, else
// the item it names; zero for an order.
func (t Tx) ItemID() ItemID {
	if t.Kind == KindIntake {
		return t.id
	}
	return t.Item
}

// NewTx checks t and fixes its bytes and id. t.Kind follows the body.
func NewTx(net NetworkID, t Tx) (Tx, error) {
	if t.Body == nil {
		return Tx{}, refuse("transaction", "body", nil, "is missing")
	}
	t.Kind = t.Body.Kind()
	w := t.wire()
	return ParseTx(net, encode(w))
}

// SignTx makes a transaction that its sender signs himself: an order, a
// disposition or any other whose sender is not the sealer. The sender is the
// signer's key.
func SignTx(net NetworkID, t Tx, signer crypto.Signer) (Tx, error) {
	pub, err := PublicKeyOf(signer)
	if err != nil {
		return Tx{}, err
	}
	t.Sender, t.Sig = pub.ID(), nil
	unsigned, err := NewTx(net, t)
	if err != nil {
		return Tx{}, err
	}
	if t.Sig, err = sign(signer, unsigned.sigDigest(net)); err != nil {
		return Tx{}, err
	}
	return NewTx(net, t)
}

// VerifySignature checks the sender's own signature under key pub. It returns
// ErrSignature when there is none or it does not fit.
func (t Tx) VerifySignature(net NetworkID, pub PublicKey) error {
	if len(t.Sig) == 0 || pub.ID() != t.Sender {
		return ErrSignature
	}
	return pub.verify(t.sigDigest(net), t.Sig)
}

func (t Tx) sigDigest(net NetworkID) Hash {
	w := t.wire()
	w.Sig = nil
	return digest(labelTxSig, net, encode(w))
}

func (t Tx) wire() txWire {
	body, isUnknown := t.Body.(Unknown)
	w := txWire{
		Version: Version, Kind: t.Kind, Sender: t.Sender, Time: t.Time, Clock: t.Clock, Item: t.Item,
		After: t.After, About: t.About, Operators: t.Operators, Sig: t.Sig, Body: body.Bytes,
	}
	if !isUnknown {
		w.Body = encode(t.Body)
	}
	return w
}

// ParseTx reads a transaction and checks its form. Whether it counts is Judge's
// to say.
func ParseTx(net NetworkID, raw []byte) (Tx, error) {
	var w txWire
	if err := decode("transaction", raw, MaxTx, &w); err != nil {
		return Tx{}, err
	}
	t := Tx{
		Kind: w.Kind, Sender: w.Sender, Time: w.Time, Clock: w.Clock, Item: w.Item,
		After: w.After, About: w.About, Operators: w.Operators, Sig: w.Sig,
	}
	if w.Version != Version {
		return Tx{}, refuse("transaction", "version", w.Version, "this program knows protocol %d only", Version)
	}
	body, err := parseBody(w.Kind, w.Body)
	if err != nil {
		return Tx{}, err
	}
	t.Body = body
	if err := t.check(); err != nil {
		return Tx{}, err
	}
	t.raw = append([]byte(nil), raw...)
	t.id = digest(labelTx, net, t.raw)
	return t, nil
}

func (t Tx) check() error {
	name := t.Kind.String()
	if t.Kind == 0 {
		return refuse("transaction", "kind", 0, "kinds start at 1")
	}
	if t.Sender.IsZero() {
		return refuse(name, "sender", nil, "is missing")
	}
	if t.Time < 0 {
		return refuse(name, "time", t.Time, "lies before 1970")
	}
	if t.Clock > ClockSynchronised {
		return refuse(name, "clock", t.Clock, "is 0 (not synchronised) or 1")
	}
	if err := checkHashes(name, "after", t.After, MaxAfter); err != nil {
		return err
	}
	if err := checkHashes(name, "about", t.About, MaxAbout); err != nil {
		return err
	}
	if len(t.Operators) > MaxOperators {
		return refuse(name, "operators", len(t.Operators), "has more than %d entries", MaxOperators)
	}
	for i, o := range t.Operators {
		if o.IsZero() || (i > 0 && t.Operators[0] == o) {
			return refuse(name, fmt.Sprintf("operators[%d]", i), o.Short(), "is zero or named twice")
		}
	}
	if len(t.Sig) > 512 {
		return refuse(name, "sig", len(t.Sig), "a signature has at most 512 bytes")
	}
	if !t.Kind.Known() {
		return nil
	}
	if err := t.checkReferences(name); err != nil {
		return err
	}
	return t.Body.check()
}

// checkReferences holds item, after and about to what the kind needs.
func (t Tx) checkReferences(name string) error {
	needsItem := t.Kind != KindOrder && t.Kind != KindIntake
	if needsItem == t.Item.IsZero() {
		return refuse(name, "item", t.Item.Short(), "is needed in every kind but order and intake, and only there")
	}
	least, most := 0, 0
	switch t.Kind {
	case KindReport, KindVerdict:
		least, most = 1, 1
	case KindDisposition, KindWithdraw:
		least, most = 1, MaxAfter
	}
	if len(t.After) < least || len(t.After) > most {
		return refuse(name, "after", len(t.After), "continues %d to %d heads", least, most)
	}
	least, most = 0, 0
	switch t.Kind {
	case KindAmend:
		least, most = 1, 1
	case KindBind:
		most = 1
	}
	if len(t.About) < least || len(t.About) > most {
		return refuse(name, "about", len(t.About), "speaks of %d to %d transactions", least, most)
	}
	return nil
}
