package ledger

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// Limits of protocol 1 (PROTOCOL.md §3). Bytes unless said otherwise.
const (
	MaxTx            = 8 << 10  // one transaction
	MaxBlock         = 64 << 10 // one block with its transactions
	MaxBlockTxs      = 256      // transactions in a block
	MaxStatement     = 64 << 10 // one roster statement
	MaxFrontier      = 64 << 10 // one frontier
	MaxEvidence      = 64 << 10 // one piece of evidence
	MaxGenesis       = 64 << 10 // the genesis
	MaxName          = 64       // a person's or thing's name
	MaxID            = 96       // an id printed on something
	MaxNote          = 256      // a note in words
	MaxMeasurements  = 32       // measurements in a report
	MaxOptions       = 16       // next options of a report
	MaxInputs        = 64       // items consumed by an assembly
	MaxTags          = 16       // tags of an item
	MaxOperations    = 64       // operations of a routing
	MaxAfter         = 16       // heads continued by one transaction
	MaxAbout         = 16       // transactions spoken of by one transaction
	MaxOperators     = 2        // operators who signed off
	MaxIdentities    = 4096     // identities in a roster
	MaxRosterHeads   = 16       // roster heads cited by a block or statement
	MaxFrontierHeads = 512      // entries in one frontier
	maxDepth         = 8        // nesting of arrays and maps
)

// FieldError refuses an object: it names the field, the value found and the
// rule that it breaks.
type FieldError struct {
	Object string // "block", "report", …
	Field  string // path of the field; empty when the object as a whole is refused
	Value  string // what was found, shortened
	Rule   string // what is allowed
}

func (e *FieldError) Error() string {
	s := e.Object
	if e.Field != "" {
		s += "." + e.Field
	}
	if e.Value != "" {
		s += " = " + e.Value
	}
	return s + ": " + e.Rule
}

func refuse(object, field string, value any, rule string, args ...any) error {
	return &FieldError{Object: object, Field: field, Value: shorten(value), Rule: fmt.Sprintf(rule, args...)}
}

func shorten(value any) string {
	var s string
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		s = fmt.Sprintf("%q", v)
	case []byte:
		s = fmt.Sprintf("%x", v)
	default:
		s = fmt.Sprint(v)
	}
	const most = 80
	if len(s) > most {
		cut := most
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}

// The modes are fixed values: RFC 8949 §4.2.1 core deterministic encoding
// without floats' and tags' freedom, and the strictest decoder the library has.
var (
	encMode = must(cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   maxDepth,
		MaxArrayElements:  4096,
		MaxMapPairs:       64,
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

// encode writes v in canonical form. It cannot fail: every value given to it is
// of this package's wire types.
func encode(v any) []byte { return must(encMode.Marshal(v)) }

// decode is the door for foreign bytes: size, decode, encode again, compare.
// The library's strictest decoder still takes non-minimal integers, unsorted
// keys and null for a number; the comparison does not.
func decode(object string, raw []byte, limit int, v any) error {
	if len(raw) == 0 {
		return refuse(object, "", nil, "is empty")
	}
	if len(raw) > limit {
		return refuse(object, "", fmt.Sprintf("%d bytes", len(raw)), "is larger than %d bytes", limit)
	}
	if err := decMode.Unmarshal(raw, v); err != nil {
		return refuse(object, "", nil, "cannot be read: %v", err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return refuse(object, "", nil, "cannot be encoded again: %v", err)
	}
	if !bytes.Equal(raw, again) {
		return refuse(object, "", nil, "is not in canonical form (RFC 8949 §4.2.1): byte %d differs when encoded again", differsAt(raw, again))
	}
	return nil
}

func differsAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// checkText allows valid UTF-8 of at most limit bytes without control
// characters. NFC is the writer's duty: tables of it differ between builds.
func checkText(object, field, s string, limit int) error {
	if len(s) > limit {
		return refuse(object, field, s, "is longer than %d bytes", limit)
	}
	if !utf8.ValidString(s) {
		return refuse(object, field, s, "is not valid UTF-8")
	}
	for _, r := range s {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) {
			return refuse(object, field, s, "contains a control character")
		}
	}
	return nil
}

// CheckID reports why s cannot be an id: 1–96 printable ASCII characters
// without space, quotes, backquote, <, > and \.
func CheckID(s string) error { return checkID("id", "", s) }

func checkID(object, field, s string) error {
	if s == "" {
		return refuse(object, field, nil, "is missing: an id has 1 to %d characters", MaxID)
	}
	if len(s) > MaxID {
		return refuse(object, field, s, "is longer than %d characters", MaxID)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c <= 0x20, c >= 0x7f, c == '"', c == '\'', c == '`', c == '<', c == '>', c == '\\':
			return refuse(object, field, s, "character %d: an id is printable ASCII without space, quotes, <, > and \\", i+1)
		}
	}
	return nil
}

// checkName is checkID for the names of people and things, which are shorter.
func checkName(object, field, s string) error {
	if len(s) > MaxName {
		return refuse(object, field, s, "is longer than %d characters", MaxName)
	}
	return checkID(object, field, s)
}

func checkOptionalID(object, field, s string) error {
	if s == "" {
		return nil
	}
	return checkID(object, field, s)
}

// checkHashes bounds a list of references and refuses zero and repeated ones.
func checkHashes(object, field string, hs []Hash, most int) error {
	if len(hs) > most {
		return refuse(object, field, len(hs), "has more than %d entries", most)
	}
	for i, h := range hs {
		if h.IsZero() {
			return refuse(object, fmt.Sprintf("%s[%d]", field, i), h.Short(), "is all zero")
		}
		for j := range i {
			if hs[j] == h {
				return refuse(object, fmt.Sprintf("%s[%d]", field, i), h.Short(), "is named twice")
			}
		}
	}
	return nil
}

// checkSorted is checkHashes for sets, which have one order only.
func checkSorted(object, field string, hs []Hash, most int) error {
	if err := checkHashes(object, field, hs, most); err != nil {
		return err
	}
	for i := 1; i < len(hs); i++ {
		if bytes.Compare(hs[i-1][:], hs[i][:]) > 0 {
			return refuse(object, fmt.Sprintf("%s[%d]", field, i), hs[i].Short(), "is out of order: the set is sorted")
		}
	}
	return nil
}
