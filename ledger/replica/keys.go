package replica

import (
	"encoding/binary"

	"traveler.example/ledger"
)

// Keys begin with one byte that says what the record is. Blocks and statements
// are what was given; all others up to keyLocal follow from them and are shared;
// records under keyLocal are this replica's own.
const (
	keyBlock     = "b" // hash → the block's bytes
	keyStatement = "s" // hash → the statement's bytes
	keyChain     = "c" // author, height, hash → present
	keyMark      = "m" // hash → markRecord
	keyJoin      = "j" // author, height, hash → the hash that the block's also names
	keyTips      = "h" // author → refs of branch heads, by height and hash
	keyFork      = "f" // author → refs at the lowest height with two blocks
	keyTx        = "t" // tx → txRecord
	keyPlaced    = "p" // tx, place → placedRecord, of every placement after the first
	keyWaits     = "q" // tx waited for, waiting tx, place → present
	keyContinues = "k" // item or zero, head, place that waits or is carried → tx; under zero also its item
	keyNode      = "n" // item, tx → ledger.Node
	keyItem      = "i" // item → itemRecord
	keyLabel     = "l" // label, 0, item → present
	keyInWork    = "w" // station, 0, item → present
	keyStanding  = "d" // standing, item → present
	keyTag       = "g" // tag, 0, binding → item, or present where an intake is its own
	keyAbout     = "a" // item, tx → kind
	keyOrder     = "o" // order id, 0, tx → present
	keyReplaced  = "r" // order tx, replacing tx → 1, or 2 for a cancellation
	keyVoid      = "v" // place → tx, reason
	keyCounters  = "z" // → counters

	keyLocal      = "~"
	keyFormat     = keyLocal + "v" // → format number, network id
	keyDirty      = keyLocal + "r" // present while views are being rebuilt
	keyFrontier   = keyLocal + "f" // author, witness → refs, joined
	keyConfirmed  = keyLocal + "c" // author → refs up to which its chain is confirmed
	keyTestimony  = keyLocal + "e" // author → evidence that came from a peer
	keyGrowth     = keyLocal + "g" // → samples of day and block bytes
	keyOrphan     = keyLocal + "o" // hash lacked, hash → the block's bytes
	sharedDerived = keyChain + keyMark + keyJoin + keyTips + keyFork + keyTx + keyPlaced + keyWaits +
		keyContinues + keyNode + keyItem + keyLabel + keyInWork + keyStanding + keyTag +
		keyAbout + keyOrder + keyReplaced + keyVoid + keyCounters
)

// present is the value of a record whose key says all: empty is damage.
var present = []byte{1}

// recordNames say in errors what kind of record is damaged.
var recordNames = map[string]string{
	keyBlock: "block", keyStatement: "roster statement", keyChain: "chain index", keyMark: "block mark",
	keyJoin: "join index", keyTips: "branch heads", keyFork: "fork record", keyTx: "transaction", keyPlaced: "placement",
	keyWaits: "waiting index", keyContinues: "continuation index", keyNode: "item node", keyItem: "item record",
	keyLabel: "label index", keyInWork: "station index", keyStanding: "standing index", keyTag: "tag index",
	keyAbout: "item note index", keyOrder: "order index", keyReplaced: "order succession",
	keyVoid: "void index", keyCounters: "counters", keyLocal: "local record",
}

const (
	hashSize  = 32
	keyIDSize = 16
	placeSize = keyIDSize + 8 + hashSize + 2
)

// damaged names the record of a key, with author, height and hash where the key
// carries them.
func damaged(key, detail string) *DamageError {
	e := &DamageError{Key: "record", Detail: detail}
	if key == "" {
		return e
	}
	kind, rest := key[:1], key[1:]
	if name, ok := recordNames[kind]; ok {
		e.Key = name
	}
	switch kind {
	case keyBlock, keyStatement, keyMark:
		if len(rest) == hashSize {
			e.Hash = hashOf(rest)
		}
	case keyChain, keyJoin, keyVoid:
		if len(rest) >= keyIDSize+8+hashSize {
			r := refOf(rest)
			e.Author, e.Height, e.Hash = r.Author, r.Height, r.Hash
		}
	case keyTips, keyFork:
		if len(rest) == keyIDSize {
			e.Author = ledger.KeyID([]byte(rest))
		}
	case keyPlaced:
		if len(rest) == hashSize+placeSize {
			p := placeOf(rest[hashSize:])
			e.Author, e.Height, e.Hash = p.Author, p.Height, p.Block
		}
	}
	return e
}

func str(h ledger.Hash) string { return string(h[:]) }

func hashOf(s string) ledger.Hash { return ledger.Hash([]byte(s[:hashSize])) }

func heightKey(author ledger.KeyID, height uint64) string {
	return string(binary.BigEndian.AppendUint64(append(make([]byte, 0, keyIDSize+8), author[:]...), height))
}

func refKey(r ledger.Ref) string { return heightKey(r.Author, r.Height) + str(r.Hash) }

func refOf(s string) ledger.Ref {
	return ledger.Ref{
		Author: ledger.KeyID([]byte(s[:keyIDSize])),
		Height: binary.BigEndian.Uint64([]byte(s[keyIDSize : keyIDSize+8])),
		Hash:   hashOf(s[keyIDSize+8:]),
	}
}

func placeKey(p ledger.Place) string {
	b := make([]byte, 0, placeSize)
	b = append(b, p.Author[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Height)
	b = append(b, p.Block[:]...)
	return string(binary.BigEndian.AppendUint16(b, p.Index))
}

func placeOf(s string) ledger.Place {
	r := refOf(s)
	return ledger.Place{
		Author: r.Author, Height: r.Height, Block: r.Hash,
		Index: binary.BigEndian.Uint16([]byte(s[placeSize-2 : placeSize])),
	}
}

func blockOf(p ledger.Place) ledger.Ref {
	return ledger.Ref{Author: p.Author, Height: p.Height, Hash: p.Block}
}
