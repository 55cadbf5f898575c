package peer

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"traveler.example/ledger"
)

// Limits of messages. Bytes unless said otherwise.
const (
	MaxAsk     = 16 << 10 // one ask
	MaxGive    = 72 << 10 // one give: the largest block with its envelope
	MaxHint    = 1 << 10  // one Heads or Status
	MaxRanges  = 64       // ranges in an ask
	MaxHashes  = 128      // hashes in an ask
	MaxHave    = 48       // statements held, as an ask names them
	MaxAuthors = 64       // authors in an ask, and told of in a give
	MaxObjects = 1024     // blocks, and statements, in a give
	batch      = 64 << 10 // what a give is filled to
)

// Range is a run of heights of one author's chain, both ends included, on all
// its branches.
type Range struct {
	_        struct{} `cbor:",toarray"`
	Author   ledger.KeyID
	From, To uint64
}

// Ask is a question to one gateway.
type Ask struct {
	From    ledger.KeyID   `cbor:"1,keyasint"`           // who asks
	Ranges  []Range        `cbor:"2,keyasint,omitempty"` // blocks by height, sorted by author
	Hashes  []ledger.Hash  `cbor:"3,keyasint,omitempty"` // blocks and statements by hash
	Have    []ledger.Hash  `cbor:"4,keyasint,omitempty"` // statements the asker holds
	Authors []ledger.KeyID `cbor:"5,keyasint,omitempty"` // whose branch heads are asked for
	All     uint8          `cbor:"6,keyasint,omitzero"`  // 1: the branch heads of all authors
	After   ledger.KeyID   `cbor:"7,keyasint,omitzero"`  // with All: of authors after this one
}

// Give is the answer to an Ask. It always fits [MaxGive].
type Give struct {
	From       ledger.KeyID   `cbor:"1,keyasint"`           // who answers
	Statements [][]byte       `cbor:"2,keyasint,omitempty"` // raw, each after those it builds on
	Blocks     [][]byte       `cbor:"3,keyasint,omitempty"` // raw
	Told       []ledger.KeyID `cbor:"4,keyasint,omitempty"` // authors whose heads are complete
	Heads      []ledger.Ref   `cbor:"5,keyasint,omitempty"` // branch heads
	Next       ledger.KeyID   `cbor:"6,keyasint,omitzero"`  // heads of authors after this one are left
	More       uint8          `cbor:"7,keyasint,omitzero"`  // 1: there was no room for all
}

// Heads tells which roster heads a gateway holds.
type Heads struct {
	From  ledger.KeyID  `cbor:"1,keyasint"`
	Heads []ledger.Hash `cbor:"2,keyasint,omitempty"`
}

// Digest is a short hash of all branch heads that a gateway holds: a hint that
// two gateways hold the same.
type Digest [8]byte

// Status is what a gateway tells of itself.
type Status struct {
	Height  uint64        `cbor:"1,keyasint,omitzero"`  // of the highest head of its own chain
	Head    ledger.Hash   `cbor:"2,keyasint,omitzero"`  // that head
	Roster  []ledger.Hash `cbor:"3,keyasint,omitempty"` // roster heads
	Held    Digest        `cbor:"4,keyasint,omitzero"`  // of all branch heads
	Offline uint8         `cbor:"5,keyasint,omitzero"`  // 1: not connected
}

// The modes are fixed values; they are those of the ledger's own objects.
var (
	encMode = must(cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   4,
		MaxArrayElements:  MaxObjects,
		MaxMapPairs:       16,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// encode cannot fail: every value given to it is of this package's wire types.
func encode(v any) []byte { return must(encMode.Marshal(v)) }

// Encode writes the message in canonical form.
func (a Ask) Encode() []byte { return encode(a) }

// Encode writes the message in canonical form.
func (g Give) Encode() []byte { return encode(g) }

// Encode writes the message in canonical form.
func (h Heads) Encode() []byte { return encode(h) }

// Encode writes the message in canonical form.
func (s Status) Encode() []byte { return encode(s) }

// ParseAsk reads an ask. The error is a *ledger.FieldError.
func ParseAsk(raw []byte) (Ask, error) {
	var a Ask
	c := decode("ask", raw, MaxAsk, &a)
	c.need(!a.From.IsZero(), "from", nil, "is missing")
	c.most("ranges", len(a.Ranges), MaxRanges)
	c.most("hashes", len(a.Hashes), MaxHashes)
	c.most("have", len(a.Have), MaxHave)
	c.most("authors", len(a.Authors), MaxAuthors)
	c.need(a.All <= 1, "all", a.All, "is 1 or absent")
	c.need(a.All == 1 || a.After.IsZero(), "after", a.After, "goes with all")
	for i, r := range a.Ranges {
		at := fmt.Sprintf("ranges[%d]", i)
		c.need(!r.Author.IsZero(), at, nil, "names no author")
		c.need(0 < r.From && r.From <= r.To && r.To <= ledger.MaxHeight, at, fmt.Sprintf("%d…%d", r.From, r.To),
			"is no run of heights within 1…%d", uint64(ledger.MaxHeight))
		c.need(i == 0 || compareKeys(a.Ranges[i-1].Author, r.Author) < 0, at, r.Author, "is out of order or repeated: ranges are sorted by author")
	}
	c.hashes("hashes", a.Hashes)
	c.hashes("have", a.Have)
	c.keys("authors", a.Authors)
	return a, c.failed()
}

// ParseGive reads the envelope of a give; its blocks and statements are left
// for the ledger to parse. The error is a *ledger.FieldError.
func ParseGive(raw []byte) (Give, error) {
	var g Give
	c := decode("give", raw, MaxGive, &g)
	c.need(!g.From.IsZero(), "from", nil, "is missing")
	c.most("statements", len(g.Statements), MaxObjects)
	c.most("blocks", len(g.Blocks), MaxObjects)
	c.most("told", len(g.Told), MaxAuthors)
	c.most("heads", len(g.Heads), ledger.MaxFrontierHeads)
	c.need(g.More <= 1, "more", g.More, "is 1 or absent")
	c.keys("told", g.Told)
	for i, h := range g.Heads {
		at := fmt.Sprintf("heads[%d]", i)
		c.need(!h.Author.IsZero() && !h.Hash.IsZero(), at, h, "names an author and a head")
		c.need(0 < h.Height && h.Height <= ledger.MaxHeight, at+".height", h.Height, "lies outside 1…%d", uint64(ledger.MaxHeight))
		c.need(i == 0 || compareRefs(g.Heads[i-1], h) < 0, at, h, "is out of order or repeated: heads are sorted")
	}
	return g, c.failed()
}

// ParseHeads reads roster heads. The error is a *ledger.FieldError.
func ParseHeads(raw []byte) (Heads, error) {
	var h Heads
	c := decode("roster heads", raw, MaxHint, &h)
	c.need(!h.From.IsZero(), "from", nil, "is missing")
	c.most("heads", len(h.Heads), ledger.MaxRosterHeads)
	c.hashes("heads", h.Heads)
	return h, c.failed()
}

// ParseStatus reads a status. The error is a *ledger.FieldError.
func ParseStatus(raw []byte) (Status, error) {
	var s Status
	c := decode("status", raw, MaxHint, &s)
	c.need(s.Height <= ledger.MaxHeight, "height", s.Height, "is above %d", uint64(ledger.MaxHeight))
	c.need((s.Height == 0) == s.Head.IsZero(), "head", s.Head.Short(), "goes with height %d", s.Height)
	c.most("roster", len(s.Roster), ledger.MaxRosterHeads)
	c.hashes("roster", s.Roster)
	c.need(s.Offline <= 1, "offline", s.Offline, "is 1 or absent")
	return s, c.failed()
}

// DigestOf returns the digest of branch heads, sorted by author, height, hash.
func DigestOf(heads []ledger.Ref) Digest {
	sum := sha256.Sum256(encode(heads))
	return Digest(sum[:8])
}

// check collects the first rule that a message breaks.
type check struct {
	object string
	err    *ledger.FieldError
}

// decode is the door for foreign bytes: size, decode, encode again, compare.
func decode(object string, raw []byte, limit int, v any) *check {
	c := &check{object: object}
	if len(raw) > limit {
		c.need(false, "", fmt.Sprintf("%d bytes", len(raw)), "is larger than %d bytes", limit)
		return c
	}
	if err := decMode.Unmarshal(raw, v); err != nil {
		c.need(false, "", nil, "cannot be read: %v", err)
		return c
	}
	again, err := encMode.Marshal(v)
	c.need(err == nil && bytes.Equal(raw, again), "", nil, "is not in canonical form (RFC 8949 §4.2.1)")
	return c
}

func (c *check) need(ok bool, field string, value any, rule string, args ...any) {
	if ok || c.err != nil {
		return
	}
	shown := ""
	if value != nil {
		shown = clip(fmt.Sprint(value))
	}
	c.err = &ledger.FieldError{Object: c.object, Field: field, Value: shown, Rule: fmt.Sprintf(rule, args...)}
}

func (c *check) most(field string, n, limit int) {
	c.need(n <= limit, field, n, "has more than %d entries", limit)
}

func (c *check) hashes(field string, hs []ledger.Hash) {
	for i, h := range hs {
		ok := !h.IsZero() && (i == 0 || compareHashes(hs[i-1], h) < 0)
		c.need(ok, fmt.Sprintf("%s[%d]", field, i), h.Short(), "is zero, out of order or repeated: sets are sorted")
	}
}

func (c *check) keys(field string, ks []ledger.KeyID) {
	for i, k := range ks {
		ok := !k.IsZero() && (i == 0 || compareKeys(ks[i-1], k) < 0)
		c.need(ok, fmt.Sprintf("%s[%d]", field, i), k.Short(), "is zero, out of order or repeated: sets are sorted")
	}
}

func (c *check) failed() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

func compareKeys(a, b ledger.KeyID) int  { return bytes.Compare(a[:], b[:]) }
func compareHashes(a, b ledger.Hash) int { return bytes.Compare(a[:], b[:]) }

// compareRefs is the one order of heads: author, height, hash.
func compareRefs(a, b ledger.Ref) int {
	if c := compareKeys(a.Author, b.Author); c != 0 {
		return c
	}
	if a.Height != b.Height {
		if a.Height < b.Height {
			return -1
		}
		return 1
	}
	return compareHashes(a.Hash, b.Hash)
}

// setOf returns hs as a set: sorted, nothing twice.
func setOf(hs []ledger.Hash) []ledger.Hash {
	hs = slices.Clone(hs)
	slices.SortFunc(hs, compareHashes)
	return slices.Compact(hs)
}

func among(sorted []ledger.KeyID, id ledger.KeyID) bool {
	_, ok := slices.BinarySearchFunc(sorted, id, compareKeys)
	return ok
}
