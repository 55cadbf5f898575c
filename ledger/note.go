package ledger

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Sizes of a hand-off note (PROTOCOL.md §16).
const (
	MaxHandoff = 128 // bytes: what fits an NTAG213 together with its NDEF wrapper

	noteVersion    = 1
	noteHead       = 1 + 4 + 8 + 32 + 1 // to the first option
	noteOption     = 3
	maxNoteOptions = 6
	noteSig        = 64
	noteIntake     = 0xff // in place of the operation: what it stands for is an intake
	maxNoteTries   = 32   // signatures checked for one note
)

// Note is a hand-off note: a gateway's signed word, short enough for a tag's
// memory, that it has reported an item, and who may continue. A station that is
// cut off from every peer goes by it until the report arrives (PROTOCOL.md §16).
// It carries prefixes only; what they are short for, the signature covers.
type Note struct {
	Author    [4]byte // first bytes of the author's key id
	Item      [8]byte // first bytes of the item's id
	Report    TxID    // the report, or the intake, that it stands for
	Operation uint8   // its place in the order's routing; 255: it stands for an intake
	Options   []NoteOption
	Sig       [noteSig]byte

	raw []byte
}

// NoteOption names a lawful continuation by its place in the order's routing.
type NoteOption struct {
	Operation uint8
	Place     [2]byte // first bytes of SHA-256 of the station or work centre
}

// ErrNoNote: what was reported cannot be handed over by a note. The error says why.
var ErrNoNote = errors.New("it cannot be handed over by a note on the tag")

func noNote(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNoNote, fmt.Sprintf(format, args...))
}

// NewNote makes the note for what its signer has reported: t, a report or an
// intake, of an item with that tag whose order has this routing. Errors wrap
// [ErrNoNote] where there is nothing to hand over or no room to say it: an RSA
// key, whose signatures are longer than a tag's memory; a report of a failure,
// of the last operation, or with a value outside its limits, which the next
// station has to see; more than six options, or options that the routing does
// not have in this order.
func NewNote(net NetworkID, signer crypto.Signer, tag string, t Tx, routing []Operation) (Note, error) {
	pub, err := PublicKeyOf(signer)
	if err != nil {
		return Note{}, err
	}
	if pub.Alg != Ed25519 {
		return Note{}, noNote("a signature of %s has %d bytes, a note %d in all: only gateways with Ed25519 keys write notes", pub.Describe(), len(pub.Bytes), MaxHandoff)
	}
	if err := CheckID(tag); err != nil {
		return Note{}, noNote("tag %q: %v", tag, err)
	}
	id, item := pub.ID(), t.ItemID()
	n := Note{Author: [4]byte(id[:4]), Item: [8]byte(item[:8]), Report: t.ID()}
	if err := n.fill(t, routing); err != nil {
		return Note{}, err
	}
	sig, err := sign(signer, n.digest(net, item, tag))
	if err != nil {
		return Note{}, err
	}
	copy(n.Sig[:], sig)
	return ParseNote(append(n.signed(), n.Sig[:]...))
}

// fill puts into n what t did and who may continue.
func (n *Note) fill(t Tx, routing []Operation) error {
	var options []Option
	switch b := t.Body.(type) {
	case Intake:
		n.Operation, options = noteIntake, b.Options
	case Report:
		at := indexOf(routing, b.Operation)
		switch {
		case b.Outcome != OutcomeOK:
			return noNote("the operation failed: quality rules on it first")
		case at < 0:
			return noNote("operation %s stands beside the order's routing", b.Operation)
		}
		if f, ok := failedLimit(routing[at], b); !ok {
			return noNote("%s: expected %s, found %s; the next station has to see the report", f.check, f.expected, f.found)
		}
		n.Operation, options = uint8(at), b.Options
	default:
		return noNote("it is a %s, not a report or an intake", t.Kind)
	}
	switch {
	case len(options) == 0:
		return noNote("nobody comes after it: the item is finished")
	case len(options) > maxNoteOptions:
		return noNote("%d stations or operations may continue, and a note has room for %d", len(options), maxNoteOptions)
	}
	for _, o := range options {
		at := indexOf(routing, o.Operation)
		if at < 0 || o != (Option{Task: routing[at].Task, Operation: o.Operation, Place: routing[at].Place}) {
			return noNote("its option %s at %s is not the routing's", o.Operation, o.Place)
		}
		if k := len(n.Options); k > 0 && int(n.Options[k-1].Operation) >= at {
			return noNote("its options are not in the order of the routing")
		}
		n.Options = append(n.Options, NoteOption{Operation: uint8(at), Place: placePrefix(o.Place)})
	}
	return nil
}

func indexOf(routing []Operation, id string) int {
	for i, op := range routing {
		if op.ID == id {
			return i
		}
	}
	return -1
}

// placePrefix tells stations apart, and one version of an order from another.
func placePrefix(place string) [2]byte {
	h := sha256.Sum256([]byte(place))
	return [2]byte(h[:2])
}

// signed returns the note's bytes without the signature.
func (n Note) signed() []byte {
	b := make([]byte, 0, MaxHandoff)
	b = append(b, noteVersion<<4|byte(len(n.Options)))
	b = append(b, n.Author[:]...)
	b = append(b, n.Item[:]...)
	b = append(b, n.Report[:]...)
	b = append(b, n.Operation)
	for _, o := range n.Options {
		b = append(b, o.Operation, o.Place[0], o.Place[1])
	}
	return b
}

// noteWords is what a note's signature covers beside the network.
type noteWords struct {
	_    struct{} `cbor:",toarray"`
	Note []byte   // without its signature
	Item ItemID
	Tag  string
}

func (n Note) digest(net NetworkID, item ItemID, tag string) Hash {
	return digest(labelNote, net, encode(noteWords{Note: n.signed(), Item: item, Tag: tag}))
}

// Raw returns the bytes as they were parsed or made.
func (n Note) Raw() []byte { return n.raw }

// OfIntake reports whether the note stands for an intake.
func (n Note) OfIntake() bool { return n.Operation == noteIntake }

// ParseNote reads a note as it came from a tag and checks its form. Errors are
// *NoteError: NoteTruncated where bytes are missing at the end, NoteVersion for a
// note of another version, else NoteMalformed.
func ParseNote(raw []byte) (Note, error) {
	switch {
	case len(raw) == 0:
		return Note{}, noteFault(NoteTruncated, "the note is empty")
	case raw[0]>>4 != noteVersion:
		return Note{}, noteFault(NoteVersion, "the note has version %d; this program knows %d", raw[0]>>4, noteVersion)
	}
	count := int(raw[0] & 0x0f)
	if count == 0 || count > maxNoteOptions {
		return Note{}, noteFault(NoteMalformed, "the note names %d options; it has 1 to %d", count, maxNoteOptions)
	}
	size := noteHead + count*noteOption + noteSig
	switch {
	case len(raw) < size:
		return Note{}, noteFault(NoteTruncated, "the note ends after %d of its %d bytes", len(raw), size)
	case len(raw) > size:
		return Note{}, noteFault(NoteMalformed, "the note has %d bytes, %d more than it says", len(raw), len(raw)-size)
	}
	n := Note{Author: [4]byte(raw[1:5]), Item: [8]byte(raw[5:13]), Report: TxID(raw[13:45]), Operation: raw[45]}
	if n.Report.IsZero() {
		return Note{}, noteFault(NoteMalformed, "the note names no report")
	}
	if n.Operation >= MaxOperations && n.Operation != noteIntake {
		return Note{}, noteFault(NoteMalformed, "the note names operation %d; a routing has %d", n.Operation, MaxOperations)
	}
	if n.OfIntake() && [8]byte(n.Report[:8]) != n.Item {
		return Note{}, noteFault(NoteMalformed, "the note names an intake that is not its item")
	}
	for i := range count {
		at := raw[noteHead+i*noteOption:]
		o := NoteOption{Operation: at[0], Place: [2]byte(at[1:3])}
		if o.Operation >= MaxOperations || o.Operation == n.Operation || i > 0 && n.Options[i-1].Operation >= o.Operation {
			return Note{}, noteFault(NoteMalformed, "option %d of the note names operation %d: options are below %d, ascending, and none is what it reports", i+1, o.Operation, MaxOperations)
		}
		n.Options = append(n.Options, o)
	}
	copy(n.Sig[:], raw[size-noteSig:])
	n.raw = append([]byte(nil), raw...)
	return n, nil
}
