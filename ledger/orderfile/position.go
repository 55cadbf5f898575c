package orderfile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Error refuses an order file at a place in it.
type Error struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in bytes
	Message string
	Nearest string // the valid key or operation that was probably meant; may be empty
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Nearest != "" {
		s += fmt.Sprintf(" (did you mean %q?)", e.Nearest)
	}
	return s
}

// document knows where in the file every key and list entry stands.
type document struct {
	name   string
	data   []byte
	offset map[string]int // by path: "operation[1].limits[0].min"
}

// newDocument indexes data as far as it is TOML.
func newDocument(name string, data []byte) document {
	d := document{name: name, data: data, offset: map[string]int{}}
	var p unstable.Parser
	p.Reset(data)
	tables := map[string]int{} // entries seen of each list of tables
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			table, _ = d.table(e, tables)
		case unstable.ArrayTable:
			path, at := d.table(e, tables)
			table = fmt.Sprintf("%s[%d]", path, tables[path])
			tables[path]++
			d.offset[table] = at
		case unstable.KeyValue:
			d.keyValue(table, e)
		}
	}
	return d
}

// table returns the path of a table's header, each list on the way at its
// latest entry, and where the header's key stands.
func (d document) table(e *unstable.Node, tables map[string]int) (path string, at int) {
	at = -1
	for it := e.Key(); it.Next(); {
		if n := tables[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
		if at < 0 {
			at = int(it.Node().Raw.Offset)
		}
		path = join(path, string(it.Node().Data))
	}
	return path, at
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d document) keyValue(path string, e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		path = join(path, string(it.Node().Data))
		d.offset[path] = int(it.Node().Raw.Offset)
	}
	d.value(path, e.Value())
}

func (d document) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			d.keyValue(path, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			entry := fmt.Sprintf("%s[%d]", path, i)
			if raw := it.Node().Raw; raw.Length > 0 {
				d.offset[entry] = int(raw.Offset)
			}
			d.value(entry, it.Node())
		}
	}
}

// fail returns an error at the field, or where the nearest thing around it
// stands.
func (d document) fail(field, near, format string, args ...any) error {
	line, column := d.position(field)
	return &Error{File: d.name, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Nearest: near}
}

func (d document) position(field string) (line, column int) {
	at, ok := d.offset[field]
	for ; !ok && field != ""; at, ok = d.offset[field] {
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return d.place(at)
}

// place turns an offset into line and column.
func (d document) place(at int) (line, column int) {
	before := d.data[:at]
	return 1 + bytes.Count(before, []byte("\n")), at - bytes.LastIndexByte(before, '\n')
}

// decodeError gives the decoder's error the file's name, the nearest key and
// words without Go's types.
func (d document) decodeError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		return d.unknownKey(&strict.Errors[0])
	}
	var bad *toml.DecodeError
	if !errors.As(err, &bad) {
		return &Error{File: d.name, Line: 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	line, column := bad.Position()
	message := strings.TrimPrefix(bad.Error(), "toml: ")
	if m := typeMismatch.FindStringSubmatch(message); m != nil {
		want := "something else"
		switch m[2] {
		case "string":
			want = "a text"
		case "int64":
			want = "a whole number"
		case "[]string":
			want = "a list of texts"
		}
		message = fmt.Sprintf("%s: is %s %s, want %s", strings.Join(bad.Key(), "."), article(m[1]), m[1], want)
	}
	return &Error{File: d.name, Line: line, Column: column, Message: message}
}

var typeMismatch = regexp.MustCompile(`^cannot decode TOML (\w+) into .* of type (\S+)$`)

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

// unknownKey names the key by its whole path, which the decoder does not know
// inside of lists.
func (d document) unknownKey(e *toml.DecodeError) error {
	line, column := e.Position()
	path := strings.Join(e.Key(), ".")
	for p, at := range d.offset {
		if l, c := d.place(at); l == line && c == column && strings.HasSuffix(p, e.Key()[len(e.Key())-1]) {
			path = p
		}
	}
	key, keys := siblings(path)
	return &Error{File: d.name, Line: line, Column: column, Message: fmt.Sprintf("unknown key %.80q", path), Nearest: nearest(key, keys)}
}

// siblings splits off a path's last key and lists the keys that may stand there.
func siblings(path string) (key string, keys []string) {
	parts := strings.Split(index.ReplaceAllString(path, ""), ".")
	last := len(parts) - 1
	return parts[last], keysAt(parts[:last])
}

// checkCase refuses the first key that differs from a known one in case only:
// the decoder takes it, and lets it overwrite the other.
func (d document) checkCase() error {
	first, at := "", len(d.data)
	for path, offset := range d.offset {
		if key, keys := siblings(path); offset < at && !slices.Contains(keys, key) {
			first, at = path, offset
		}
	}
	if first == "" {
		return nil
	}
	key, keys := siblings(first)
	return d.fail(first, nearest(strings.ToLower(key), keys), "unknown key %.80q", first)
}

var index = regexp.MustCompile(`\[\d+\]`)

// keysAt lists the keys that the table at path has; none where there is no such
// table.
func keysAt(path []string) []string {
	t := reflect.TypeFor[orderText]()
	for _, key := range path {
		f, ok := fieldOf(t, key)
		if !ok {
			return nil
		}
		if t = f.Type; t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return nil
		}
	}
	var keys []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("toml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	return keys
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("toml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// nearest returns the candidate that differs least from word, if it differs by
// less than half of it.
func nearest(word string, candidates []string) string {
	if len(word) > 32 {
		return ""
	}
	best, least := "", len(word)/2+1
	for _, c := range candidates {
		if n := edits(word, c); n < least {
			best, least = c, n
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
