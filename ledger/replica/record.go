package replica

import "traveler.example/ledger"

// markRecord is what links and walks need of a block without reading it.
type markRecord struct {
	Author ledger.KeyID
	Height uint64
	Prev   ledger.Hash
	Also   ledger.Hash
	Skip   ledger.Hash
	Roster []ledger.Hash
}

func (m *markRecord) fields(c *codec) {
	c.id(&m.Author)
	number(c, &m.Height)
	c.hash(&m.Prev)
	c.hash(&m.Also)
	c.hash(&m.Skip)
	list(c, &m.Roster, c.hash)
}

func (m markRecord) ref(h ledger.Hash) ledger.Ref {
	return ledger.Ref{Author: m.Author, Height: m.Height, Hash: h}
}

func (m markRecord) mark(h ledger.Hash) ledger.Mark {
	return ledger.Mark{Ref: m.ref(h), Skip: m.Skip, Roster: m.Roster}
}

// placedRecord is what became of one placement.
type placedRecord struct {
	Status Status
	Reason ledger.VoidReason
	For    []ledger.TxID
}

func (p *placedRecord) fields(c *codec) {
	number(c, &p.Status)
	text(c, &p.Reason)
	list(c, &p.For, c.hash)
}

// txRecord stands for every transaction held. Most are placed once: that
// placement, the first by place, is part of it.
type txRecord struct {
	First  ledger.Place
	Placed placedRecord // of First
	Others uint64       // placements after the first, each a record of its own
	Valid  bool         // somewhere; only then is there what follows
	validRecord
}

func (t *txRecord) fields(c *codec) {
	c.place(&t.First)
	t.Placed.fields(c)
	number(c, &t.Others)
	c.flag(&t.Valid)
	if !t.Valid {
		return
	}
	first := t.Place == t.First
	if c.flag(&first); first {
		t.Place = t.First
	} else {
		c.place(&t.Place)
	}
	c.flag(&t.Uncounted)
	c.flag(&t.OwnItem)
	list(c, &t.Items, c.hash)
}

// validRecord is what is noted of a transaction that is valid somewhere.
type validRecord struct {
	Place     ledger.Place // the one displayed
	Uncounted bool
	OwnItem   bool            // the item that it speaks of is the only one
	Items     []ledger.ItemID // else: whose records depend on whether it counts
}

// binding is an intake or bind of an item, as its record needs it.
type binding struct {
	Tx         ledger.TxID
	Tags       []string
	Supersedes []ledger.TxID // bindings of the same item
	Uncounted  bool
}

// itemRecord is what lists and look-ups need of an item without its nodes.
type itemRecord struct {
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

func (i *itemRecord) fields(c *codec) {
	text(c, &i.Label)
	text(c, &i.Product)
	text(c, &i.Lot)
	list(c, &i.Bindings, func(b *binding) {
		c.hash(&b.Tx)
		list(c, &b.Tags, c.text)
		list(c, &b.Supersedes, c.hash)
		c.flag(&b.Uncounted)
	})
	list(c, &i.Tags, c.text)
	list(c, &i.Heads, c.hash)
	number(c, &i.Standing)
	text(c, &i.Station)
	c.flag(&i.Reported)
}

// nodeRecord is a node without item and transaction, which its key names.
type nodeRecord ledger.Node

func (n *nodeRecord) fields(c *codec) {
	number(c, &n.Kind)
	c.id(&n.Sender)
	c.hash(&n.Of)
	list(c, &n.After, c.hash)
	number(c, &n.State.Phase)
	list(c, &n.State.Options, func(o *ledger.Option) {
		text(c, &o.Task)
		text(c, &o.Operation)
		text(c, &o.Place)
	})
	c.hash(&n.State.Into)
	text(c, &n.Station)
	text(c, &n.Operation)
	text(c, &n.Task)
	n.writer(c)
	number(c, &n.Ruling)
	number(c, &n.Outcome)
	c.hash(&n.Order)
	c.hash(&n.Restores)
	number(c, &n.Time)
	number(c, &n.Depth)
	number(c, &n.Uncounted)
	number(c, &n.Rests)
}

// writer is who has the item in work: mostly who took it up, where and for what
// the node says itself.
func (n *nodeRecord) writer(c *codec) {
	s := &n.State
	same := s.By == n.Sender && s.Station == n.Station && s.Operation == n.Operation && s.Task == n.Task
	if c.flag(&same); same {
		s.By, s.Station, s.Operation, s.Task = n.Sender, n.Station, n.Operation, n.Task
		return
	}
	c.id(&s.By)
	text(c, &s.Station)
	text(c, &s.Operation)
	text(c, &s.Task)
}

// refsRecord is a list of blocks.
type refsRecord []ledger.Ref

func (r *refsRecord) fields(c *codec) {
	list(c, (*[]ledger.Ref)(r), func(r *ledger.Ref) {
		c.id(&r.Author)
		number(c, &r.Height)
		c.hash(&r.Hash)
	})
}

// counters are the totals of what is held.
type counters struct {
	Blocks       uint64
	Bytes        uint64
	Statements   uint64
	Transactions uint64
	Releases     uint64    // continuations listed under item zero
	Placements   [5]uint64 // by Status
	Items        [8]uint64 // by Standing
}

func (t *counters) fields(c *codec) {
	for _, n := range []*uint64{&t.Blocks, &t.Bytes, &t.Statements, &t.Transactions, &t.Releases} {
		number(c, n)
	}
	for i := range t.Placements {
		number(c, &t.Placements[i])
	}
	for i := range t.Items {
		number(c, &t.Items[i])
	}
}

// sample is the size of all blocks at the end of a day.
type sample struct {
	Day   int64 // since 1970
	Bytes uint64
}

// samplesRecord is the growth seen, oldest first.
type samplesRecord []sample

func (r *samplesRecord) fields(c *codec) {
	list(c, (*[]sample)(r), func(s *sample) {
		number(c, &s.Day)
		number(c, &s.Bytes)
	})
}

// record is what the store holds under one key.
type record[T any] interface {
	*T
	// fields hands every field to the codec, in one order for both directions.
	fields(c *codec)
}

func encode[T any, R record[T]](key string, v T) []byte {
	c := newCodec(key)
	c.out = make([]byte, 0, 128)
	R(&v).fields(&c)
	return c.out
}

func decode[T any, R record[T]](key string, raw []byte, v *T) error {
	c := newCodec(key)
	c.reading, c.in = true, raw
	R(v).fields(&c)
	if c.failed || len(c.in) > 0 {
		return damaged(key, "it cannot be read as what it should be")
	}
	return nil
}

// read gets and decodes a record; ok is false where there is none.
func read[T any, R record[T]](r reader, key string) (v T, ok bool, err error) {
	raw, err := r.get(key)
	if err != nil || raw == nil {
		return v, false, err
	}
	return v, true, decode[T, R](key, raw, &v)
}

func nodeKey(item ledger.ItemID, tx ledger.TxID) string { return keyNode + str(item) + str(tx) }

// readRefs reads a list of blocks; ok is false where there is none.
func readRefs(r reader, key string) ([]ledger.Ref, bool, error) {
	refs, ok, err := read[refsRecord](r, key)
	return refs, ok, err
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
