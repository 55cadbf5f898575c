package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// cborSpan is where an item of CBOR stands.
type cborSpan struct {
	start, body, end int // head, content, end
	major            byte
	n                uint64
	pairs            [][2]int // of a map: start and end of each pair
}

// spansOf finds every item of canonical CBOR, keys included.
func spansOf(raw []byte) []cborSpan {
	var all []cborSpan
	var item func(at int) int
	item = func(at int) int {
		s := cborSpan{start: at, major: raw[at] >> 5, n: uint64(raw[at] & 31)}
		s.body = at + 1
		if s.n >= 24 {
			size := 1 << (s.n - 24)
			var word [8]byte
			copy(word[8-size:], raw[s.body:s.body+size])
			s.n = binary.BigEndian.Uint64(word[:])
			s.body += size
		}
		all = append(all, s)
		me, end := len(all)-1, s.body
		switch s.major {
		case 2, 3:
			end += int(s.n)
		case 4:
			for range s.n {
				end = item(end)
			}
		case 5:
			for range s.n {
				from := end
				end = item(item(end))
				all[me].pairs = append(all[me].pairs, [2]int{from, end})
			}
		}
		all[me].end = end
		return end
	}
	item(0)
	return all
}

// twisted returns every way in which an item can be spelled otherwise, or be
// another thing, by name.
func (s cborSpan) twisted(raw []byte) map[string][]byte {
	whole, content := raw[s.start:s.end], raw[s.body:s.end]
	out := map[string][]byte{
		"null": {0xf6}, "undefined": {0xf7}, "false": {0xf4}, "true": {0xf5}, "simple 255": {0xf8, 0xff},
		"half float": {0xf9, 0, 0}, "double float": {0xfb, 0, 0, 0, 0, 0, 0, 0, 0},
		"tag": append([]byte{0xc1}, whole...), "tag 24": append([]byte{0xd8, 24}, whole...),
		"break": {0xff}, "reserved": {s.major<<5 | 28}, "nested": append(bytes.Repeat([]byte{0x81}, 12), 0),
		"2^64-1": {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	other := []byte{0x61, 'x'}
	if s.major == 3 {
		other = []byte{0x00}
	}
	out["another type"] = other
	for i, size := range []int{1, 2, 4, 8} {
		if shortest := s.body - s.start - 1; size > shortest {
			var word [8]byte
			binary.BigEndian.PutUint64(word[:], s.n)
			longer := append([]byte{s.major<<5 | byte(24+i)}, word[8-size:]...)
			out[fmt.Sprintf("head of %d bytes", size+1)] = append(longer, content...)
		}
	}
	if s.major > 1 {
		out["huge length"] = []byte{s.major<<5 | 27, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	switch s.major {
	case 2, 3:
		out["indefinite"] = slices.Concat([]byte{s.major<<5 | 31}, whole, []byte{0xff})
	case 4, 5:
		out["indefinite"] = slices.Concat([]byte{s.major<<5 | 31}, content, []byte{0xff})
	}
	if s.major == 5 {
		head := func(n int) []byte { return []byte{0xa0 | byte(s.n+uint64(n))} }
		out["unknown key"] = slices.Concat(head(1), content, []byte{0x18, 99, 0})
		out["text key"] = slices.Concat(head(1), content, []byte{0x61, 'x', 0})
		out["key 0"] = slices.Concat(head(1), []byte{0, 0}, content)
		out["negative key"] = slices.Concat(head(1), content, []byte{0x20, 0})
		if len(s.pairs) > 0 {
			first := raw[s.pairs[0][0]:s.pairs[0][1]]
			out["a key twice"] = slices.Concat(head(1), first, content)
		}
		if len(s.pairs) > 1 {
			a, b := s.pairs[0], s.pairs[1]
			out["keys out of order"] = slices.Concat(head(0), raw[b[0]:b[1]], raw[a[0]:a[1]], raw[b[1]:s.end])
		}
	}
	return out
}

// door is a place where foreign bytes come in; wrap puts them where they belong.
type door struct {
	name   string
	object string // of PROTOCOL.md §4, where it is a map
	raw    []byte
	wrap   func([]byte) []byte
	parse  func([]byte) error
}

func doorsOf(t testing.TB, w *vectorWorld) []door {
	b := &formBook{w: w}
	as := func(object, name string, raw []byte) door {
		return door{name: object + "/" + name, object: object, raw: raw, parse: b.parser(object), wrap: func(r []byte) []byte { return r }}
	}
	doors := []door{as("genesis", "", w.p.genesis.Raw()), as("frontier", "", w.frontier(t).Raw())}
	for i, s := range w.statements {
		doors = append(doors, as("statement", w.names[i], s.Raw()))
	}
	for i, tx := range w.txs {
		doors = append(doors, as("transaction", w.txNames[i], tx.Raw()))
		if _, unknown := tx.Body.(Unknown); unknown {
			continue
		}
		wire := tx.wire()
		inner := as("transaction", w.txNames[i]+"/body", wire.Body)
		inner.object = tx.Kind.String()
		inner.wrap = func(r []byte) []byte {
			changed := wire
			changed.Body = r
			return encode(changed)
		}
		doors = append(doors, inner)
	}
	evidence := w.evidence(t)
	for _, name := range []string{"direct", "linked"} {
		doors = append(doors, as("evidence", name, evidence[name].Raw()))
	}
	for _, bl := range []Block{w.main.blocks[0], w.joined} {
		doors = append(doors, as("block", "", bl.Raw()))
		inner := as("block", "header", bl.signed.Header)
		inner.object = "header"
		inner.wrap = func(r []byte) []byte {
			return encode(blockWire{Header: r, Sig: bl.signed.Sig, Txs: rawsOf(bl.Txs())})
		}
		doors = append(doors, inner)
	}
	return doors
}

// TestCanonical twists every item of every object in every way: nothing but the
// one spelling passes any door.
func TestCanonical(t *testing.T) {
	twists := 0
	for _, d := range doorsOf(t, newVectorWorld(t)) {
		if err := d.parse(d.wrap(d.raw)); err != nil {
			t.Fatalf("%s: the good one: %v", d.name, err)
		}
		for _, s := range spansOf(d.raw) {
			for how, with := range s.twisted(d.raw) {
				twists++
				raw := slices.Concat(d.raw[:s.start], with, d.raw[s.end:])
				d.mustRefuse(t, fmt.Sprintf("%s at byte %d", how, s.start), raw)
			}
		}
		d.mustRefuse(t, "a byte after the end", append(bytes.Clone(d.raw), 0))
		for n := range len(d.raw) {
			d.mustRefuse(t, fmt.Sprintf("cut after %d bytes", n), d.raw[:n])
		}
	}
	if twists < 10000 {
		t.Errorf("only %d twists were tried", twists)
	}
}

func (d door) mustRefuse(t *testing.T, how string, raw []byte) {
	t.Helper()
	err := d.parse(d.wrap(raw))
	var f *FieldError
	if err == nil || !errors.As(err, &f) {
		t.Errorf("%s, %s: got %v", d.name, how, err)
	}
}

// TestCanonicalKeys drops each key of each map, and adds each absent one as
// zero: what must stand is missed, what is zero is absent.
func TestCanonicalKeys(t *testing.T) {
	zeros := map[string][]byte{
		"0": {0}, "no text": {0x60}, "no bytes": {0x40}, "no list": {0x80},
		"zero hash": append([]byte{0x58, 32}, make([]byte, 32)...), "zero key id": append([]byte{0x50}, make([]byte, 16)...),
	}
	for _, d := range doorsOf(t, newVectorWorld(t)) {
		top := spansOf(d.raw)[0]
		if top.major != 5 {
			continue
		}
		have := map[int]bool{}
		for _, p := range top.pairs {
			key := int(d.raw[p[0]])
			have[key] = true
			raw := slices.Concat([]byte{d.raw[0] - 1}, d.raw[1:p[0]], d.raw[p[1]:])
			if fieldOf(d.object, key).always {
				d.mustRefuse(t, fmt.Sprintf("without key %d", key), raw)
			}
		}
		for _, f := range wireFields(wireTypes[d.object]) {
			if have[f.key] {
				continue
			}
			at := len(d.raw)
			for _, p := range top.pairs {
				if int(d.raw[p[0]]) > f.key {
					at = min(at, p[0])
				}
			}
			for name, zero := range zeros {
				if f.bytes && strings.HasPrefix(name, "zero") {
					continue // bytes of any value, zero or not
				}
				raw := slices.Concat([]byte{d.raw[0] + 1}, d.raw[1:at], []byte{byte(f.key)}, zero, d.raw[at:])
				d.mustRefuse(t, fmt.Sprintf("key %d as %s", f.key, name), raw)
			}
		}
	}
}

func fieldOf(object string, key int) wireField {
	for _, f := range wireFields(wireTypes[object]) {
		if f.key == key {
			return f
		}
	}
	return wireField{}
}
