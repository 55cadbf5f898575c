package replica

import (
	"github.com/fxamacker/cbor/v2"

	"traveler.example/ledger"
)

// markRecord is what links and walks need of a block without reading it.
type markRecord struct {
	_      struct{} `cbor:",toarray"`
	Author ledger.KeyID
	Height uint64
	Prev   ledger.Hash
	Also   ledger.Hash
	Skip   ledger.Hash
	Roster []ledger.Hash
}

func (m markRecord) ref(h ledger.Hash) ledger.Ref {
	return ledger.Ref{Author: m.Author, Height: m.Height, Hash: h}
}

func (m markRecord) mark(h ledger.Hash) ledger.Mark {
	return ledger.Mark{Ref: m.ref(h), Skip: m.Skip, Roster: m.Roster}
}

// placedRecord is what became of one placement.
type placedRecord struct {
	_      struct{} `cbor:",toarray"`
	Status Status
	Reason ledger.VoidReason
	For    []ledger.TxID
}

// validRecord stands for every transaction that is valid somewhere.
type validRecord struct {
	_         struct{}     `cbor:",toarray"`
	Place     ledger.Place // the one displayed
	Uncounted bool
	Items     []ledger.ItemID // whose records depend on whether it counts
}

// binding is an intake or bind of an item, as its record needs it.
type binding struct {
	_    struct{} `cbor:",toarray"`
	Tx   ledger.TxID
	Tags []string
}

// itemRecord is what lists and look-ups need of an item without its nodes.
type itemRecord struct {
	_        struct{} `cbor:",toarray"`
	Label    string
	Product  string
	Lot      string
	Bindings []binding // by transaction
	Tags     []string  // in force, or the last in force of a closed item; sorted
	Heads    []ledger.TxID
	Standing Standing
	Station  string // of an item in work
	Reported bool   // the only head is a report that nobody has judged
}

// counters are the totals of what is held.
type counters struct {
	_            struct{} `cbor:",toarray"`
	Blocks       uint64
	Bytes        uint64
	Statements   uint64
	Transactions uint64
	Placements   [5]uint64 // by Status
	Items        [8]uint64 // by Standing
}

// sample is the size of all blocks at the end of a day.
type sample struct {
	_     struct{} `cbor:",toarray"`
	Day   int64    // since 1970
	Bytes uint64
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The modes are fixed values.
var (
	encMode = must(cbor.EncOptions{Sort: cbor.SortCoreDeterministic, NilContainers: cbor.NilContainerAsEmpty}.EncMode())
	decMode = must(cbor.DecOptions{MaxArrayElements: 1 << 20}.DecMode())
)

// encode cannot fail: every value given to it is of this file's types.
func encode(v any) []byte { return must(encMode.Marshal(v)) }

func decode(key string, raw []byte, v any) error {
	if err := decMode.Unmarshal(raw, v); err != nil {
		return damaged(key, err.Error())
	}
	return nil
}

// read gets and decodes a record; ok is false where there is none.
func read[T any](r reader, key string) (v T, ok bool, err error) {
	raw, err := r.get(key)
	if err != nil || raw == nil {
		return v, false, err
	}
	return v, true, decode(key, raw, &v)
}

// keysOf collects what follows prefix in every key that begins with it.
func keysOf(r reader, prefix string) ([]string, error) {
	var keys []string
	err := r.keys(prefix, "", func(key string) bool {
		keys = append(keys, key[len(prefix):])
		return true
	})
	return keys, err
}
