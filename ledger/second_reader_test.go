package ledger_test

// A second reader of protocol 1, written from PROTOCOL.md with the standard
// library alone. It shares no code with the package: what both read alike, the
// text says. Its tables are those of PROTOCOL.md §4, read from the file.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// column is a row of a table of §4.
type column struct {
	key    int64
	field  string
	typ    string
	always bool
}

// tables maps an object to its rows; arrays says which objects are arrays.
type tables struct {
	rows   map[string][]column
	arrays map[string]bool
}

func readTables(t testing.TB) tables {
	t.Helper()
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	out := tables{rows: map[string][]column{}, arrays: map[string]bool{}}
	object := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "#### "); ok {
			name, shape, _ := strings.Cut(heading, " (")
			object = name
			out.arrays[object] = shape == "array)"
			continue
		}
		if !strings.HasPrefix(line, "|") {
			if line != "" {
				object = ""
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		key, err := strconv.ParseInt(strings.TrimSpace(cells[0]), 10, 64)
		if object == "" || err != nil || len(cells) < 7 {
			continue
		}
		present := strings.TrimSpace(cells[3])
		if present != "always" && present != "if not zero" {
			t.Fatalf("PROTOCOL.md: %s: present is %q", line, present)
		}
		out.rows[object] = append(out.rows[object], column{
			key: key, field: strings.TrimSpace(cells[1]), typ: strings.TrimSpace(cells[2]), always: present == "always",
		})
	}
	return out
}

// cborReader reads canonical CBOR and nothing else (§3).
type cborReader struct {
	raw []byte
	at  int
}

// cborMap is a map in the order of its keys; other values are int64, []byte,
// string and []any.
type cborMap struct {
	keys   []int64
	values map[int64]any
}

var errForm = errors.New("not canonical")

func readCBOR(raw []byte) (any, error) {
	r := cborReader{raw: raw}
	v, err := r.item(0)
	if err == nil && r.at != len(raw) {
		err = fmt.Errorf("%w: %d bytes after the end", errForm, len(raw)-r.at)
	}
	return v, err
}

func (r *cborReader) head() (major byte, n uint64, err error) {
	if r.at >= len(r.raw) {
		return 0, 0, fmt.Errorf("%w: cut short", errForm)
	}
	b := r.raw[r.at]
	r.at++
	major, n = b>>5, uint64(b&31)
	if n < 24 {
		return major, n, nil
	}
	if n > 27 {
		return 0, 0, fmt.Errorf("%w: additional information %d", errForm, n)
	}
	size := 1 << (n - 24)
	if r.at+size > len(r.raw) {
		return 0, 0, fmt.Errorf("%w: cut short", errForm)
	}
	n = 0
	for _, c := range r.raw[r.at : r.at+size] {
		n = n<<8 | uint64(c)
	}
	r.at += size
	least := map[int]uint64{1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size]
	if n < least {
		return 0, 0, fmt.Errorf("%w: %d in %d bytes", errForm, n, size)
	}
	return major, n, nil
}

func (r *cborReader) item(depth int) (any, error) {
	major, n, err := r.head()
	if err != nil {
		return nil, err
	}
	if depth > 8 || major > 1 && n > uint64(len(r.raw)) || major <= 1 && n > 1<<63-1 {
		return nil, fmt.Errorf("%w: too deep or too large", errForm)
	}
	switch major {
	case 0:
		return int64(n), nil
	case 1:
		return -1 - int64(n), nil
	case 2, 3:
		if r.at+int(n) > len(r.raw) {
			return nil, fmt.Errorf("%w: cut short", errForm)
		}
		s := r.raw[r.at : r.at+int(n)]
		r.at += int(n)
		if major == 2 {
			return s, nil
		}
		if !utf8.Valid(s) {
			return nil, fmt.Errorf("%w: text is not UTF-8", errForm)
		}
		return string(s), nil
	case 4:
		list := []any{}
		for range n {
			v, err := r.item(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case 5:
		return r.mapOf(int(n), depth)
	}
	return nil, fmt.Errorf("%w: major type %d", errForm, major)
}

func (r *cborReader) mapOf(n, depth int) (any, error) {
	m := cborMap{values: map[int64]any{}}
	for range n {
		k, err := r.item(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(int64)
		if !ok || key < 0 || len(m.keys) > 0 && key <= m.keys[len(m.keys)-1] {
			return nil, fmt.Errorf("%w: key %v", errForm, k)
		}
		if m.values[key], err = r.item(depth + 1); err != nil {
			return nil, err
		}
		m.keys = append(m.keys, key)
	}
	return m, nil
}

// writeCBOR writes canonical CBOR: what is signed is an object without a field.
func writeCBOR(v any) []byte {
	head := func(major byte, n uint64) []byte {
		for i, size := range []int{1, 2, 4, 8} {
			if n < 24 {
				return []byte{major<<5 | byte(n)}
			}
			if size == 8 || n < 1<<(8*size) {
				out := []byte{major<<5 | byte(24+i)}
				for j := size - 1; j >= 0; j-- {
					out = append(out, byte(n>>(8*j)))
				}
				return out
			}
		}
		return nil
	}
	var out []byte
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return head(1, uint64(-1-v))
		}
		return head(0, uint64(v))
	case []byte:
		return append(head(2, uint64(len(v))), v...)
	case string:
		return append(head(3, uint64(len(v))), v...)
	case []any:
		out = head(4, uint64(len(v)))
		for _, e := range v {
			out = append(out, writeCBOR(e)...)
		}
	case cborMap:
		out = head(5, uint64(len(v.keys)))
		for _, k := range v.keys {
			out = append(append(out, writeCBOR(k)...), writeCBOR(v.values[k])...)
		}
	}
	return out
}

func without(v any, key int64) cborMap {
	m := v.(cborMap)
	out := cborMap{values: m.values}
	for _, k := range m.keys {
		if k != key {
			out.keys = append(out.keys, k)
		}
	}
	return out
}

// read reads an object's bytes into fields under the names of §4.
func (s tables) read(object string, raw []byte) (map[string]any, error) {
	v, err := readCBOR(raw)
	if err != nil {
		return nil, err
	}
	return s.object(object, v)
}

func (s tables) object(object string, v any) (map[string]any, error) {
	rows := s.rows[object]
	if rows == nil {
		return nil, fmt.Errorf("PROTOCOL.md has no table of %q", object)
	}
	out := map[string]any{}
	if list, ok := v.([]any); ok && s.arrays[object] {
		if len(list) != len(rows) {
			return nil, fmt.Errorf("%w: %s has %d fields", errForm, object, len(list))
		}
		for i, row := range rows {
			f, err := s.field(object, row, out, list[i])
			if err != nil {
				return nil, err
			}
			out[row.field] = f
		}
		return out, s.rules(object, out)
	}
	m, ok := v.(cborMap)
	if !ok || s.arrays[object] {
		return nil, fmt.Errorf("%w: %s is a %T", errForm, object, v)
	}
	known := 0
	for _, row := range rows {
		value, present := m.values[row.key]
		if !present {
			if row.always {
				return nil, fmt.Errorf("%w: %s has no %s", errForm, object, row.field)
			}
			continue
		}
		known++
		if !row.always && isZero(row.typ, value) {
			return nil, fmt.Errorf("%w: %s.%s is zero", errForm, object, row.field)
		}
		f, err := s.field(object, row, out, value)
		if err != nil {
			return nil, err
		}
		out[row.field] = f
	}
	if known != len(m.keys) {
		return nil, fmt.Errorf("%w: %s has unknown keys", errForm, object)
	}
	return out, s.rules(object, out)
}

func isZero(typ string, v any) bool {
	switch v := v.(type) {
	case int64:
		return v == 0
	case string:
		return v == ""
	case []byte:
		return len(v) == 0 || typ != "bytes" && len(bytes.Trim(v, "\x00")) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func (s tables) field(object string, row column, before map[string]any, v any) (any, error) {
	if object == "transaction" && row.field == "body" {
		return s.body(before, v)
	}
	f, err := s.value(row.typ, v)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", object, row.field, err)
	}
	return f, nil
}

var kinds = map[int64]string{
	1: "order", 2: "intake", 3: "report", 4: "verdict", 5: "disposition", 6: "withdraw", 7: "amend", 8: "bind", 9: "misroute",
}

func (s tables) body(tx map[string]any, v any) (any, error) {
	raw, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%w: body is a %T", errForm, v)
	}
	kind, known := kinds[tx["kind"].(int64)]
	if !known {
		return hex.EncodeToString(raw), nil
	}
	return s.read(kind, raw)
}

func (s tables) value(typ string, v any) (any, error) {
	wrong := fmt.Errorf("%w: %v is no %s", errForm, v, typ)
	if element, ok := strings.CutPrefix(typ, "list of "); ok {
		list, ok := v.([]any)
		if !ok {
			return nil, wrong
		}
		out := []any{}
		for _, e := range list {
			f, err := s.value(element, e)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		return out, nil
	}
	if inner, ok := strings.CutPrefix(typ, "bytes of "); ok {
		raw, ok := v.([]byte)
		if !ok {
			return nil, wrong
		}
		return s.read(inner, raw)
	}
	switch typ {
	case "uint", "int":
		n, ok := v.(int64)
		if !ok || typ == "uint" && n < 0 {
			return nil, wrong
		}
		return n, nil
	case "text", "id", "name":
		text, ok := v.(string)
		most := map[string]int{"text": 2048, "id": 96, "name": 64}[typ]
		if !ok || len(text) > most || typ != "text" && strings.ContainsAny(text, " \"'`<>\\") {
			return nil, wrong
		}
		return text, nil
	case "bytes", "hash", "key id", "nonce":
		raw, ok := v.([]byte)
		size := map[string]int{"bytes": len(raw), "hash": 32, "key id": 16, "nonce": 16}[typ]
		if !ok || len(raw) != size {
			return nil, wrong
		}
		return hex.EncodeToString(raw), nil
	}
	return s.object(typ, v)
}

// rules are those of §4 that the refused vectors break.
func (s tables) rules(object string, f map[string]any) error {
	broken := func(ok bool, field string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("%s.%s = %v breaks its rule", object, field, f[field])
	}
	var err error
	if v, ok := f["version"]; ok {
		err = broken(v == int64(1), "version")
	}
	switch object {
	case "genesis":
		n := int64(len(f["admins"].([]any)))
		err = errors.Join(err, broken(f["threshold"].(int64)*2 > n && f["threshold"].(int64) <= n, "threshold"))
	case "public key":
		err = errors.Join(err, checkKey(f["alg"].(int64), f["bytes"].(string)))
	case "transaction":
		kind := f["kind"].(int64)
		_, has := f["item"]
		err = errors.Join(err, broken(kind > 9 || has == (kind > 2), "item"))
	case "header":
		err = errors.Join(err, broken(f["also"] != f["prev"], "also"))
	case "block":
		h := f["header"].(map[string]any)
		err = errors.Join(err, broken(h["count"] == int64(len(f["txs"].([]any))), "txs"))
	case "frontier":
		before := ""
		entries, _ := f["entries"].([]any)
		for _, e := range entries {
			r := e.(map[string]any)
			key := fmt.Sprintf("%s %016x %s", r["author"], r["height"], r["hash"])
			err = errors.Join(err, broken(key > before, "entries"))
			before = key
		}
	case "evidence":
		err = errors.Join(err, broken(len(f["a"].([]any)) > 0, "a"), broken(len(f["b"].([]any)) > 0, "b"))
	}
	return err
}
