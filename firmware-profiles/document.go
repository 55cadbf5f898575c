package profiles

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFileSize bounds one profile file; the largest real one is a few kilobytes.
const maxFileSize = 64 << 10

// kind is the type of a value in a document.
type kind int

const (
	kindTable kind = iota
	kindList
	kindText
	kindInteger
	kindBoolean
	kindOther // floats and dates, which no key takes
)

// describe names the type of a value in an error.
func (k kind) describe() string {
	return [...]string{"a table", "a list", "text", "a whole number", "true or false", "a number with a point or a date"}[k]
}

// node is a value of a document with its place.
type node struct {
	kind  kind
	key   Origin // of its key; for an element of a list, of the element
	at    Origin // of the value itself
	text  string // of kindText; the source text of other scalars
	num   int64
	flag  bool
	table map[string]*node
	list  []*node
}

// newTable returns an empty table at o.
func newTable(o Origin) *node {
	return &node{kind: kindTable, key: o, at: o, table: make(map[string]*node)}
}

// name returns the text of a table's "name" key.
func (n *node) name() string { return n.textOf("name") }

// textOf returns the text of a table's key, empty if there is none.
func (n *node) textOf(key string) string {
	if n.kind != kindTable || n.table[key] == nil || n.table[key].kind != kindText {
		return ""
	}
	return n.table[key].text
}

// document reads one file into a tree. go-toml judges the syntax (and tells
// keys given twice); the tree keeps the place of every key and value, which a decoded struct loses.
type document struct {
	source Source
	lines  []int // offset at which each line begins
	parser unstable.Parser
	faults Faults
}

// parseDocument returns the tree of a source. With faults the tree may be nil or partial.
func parseDocument(source Source) (*node, Faults) {
	d := &document{source: source}
	start := Origin{File: source.Name, Line: 1, Column: 1}
	if len(source.Text) > maxFileSize {
		return nil, Faults{{Origin: start, Problem: fmt.Sprintf("the file has %d bytes; a profile has at most %d", len(source.Text), maxFileSize)}}
	}
	d.lines = lineStarts(source.Text)
	if fault, bad := d.syntax(); bad {
		return nil, Faults{fault}
	}
	root := newTable(start)
	d.parser.Reset(source.Text)
	here := root
	for d.parser.NextExpression() {
		switch e := d.parser.Expression(); e.Kind {
		case unstable.KeyValue:
			d.assign(here, e)
		case unstable.Table, unstable.ArrayTable:
			here = d.enter(root, e)
		}
	}
	return root, d.faults
}

// syntax checks the source with go-toml's own decoder.
func (d *document) syntax() (Fault, bool) {
	var any map[string]any
	err := toml.Unmarshal(d.source.Text, &any)
	if err == nil {
		return Fault{}, false
	}
	at := Origin{File: d.source.Name, Line: 1, Column: 1}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		at.Line, at.Column = de.Position()
	}
	problem := strings.TrimPrefix(err.Error(), "toml: ")
	remedy := "text stands in double quotes, a section begins with [name]"
	switch {
	case strings.Contains(problem, "already"):
		remedy = "keep one"
	case strings.Contains(problem, "integer"):
		remedy = "write a smaller number"
	}
	return Fault{Origin: at, Problem: "is not valid TOML: " + problem, Remedy: remedy}, true
}

// assign puts the key and value of e into table.
func (d *document) assign(table *node, e *unstable.Node) {
	keys := e.Key()
	for keys.Next() {
		k := keys.Node()
		if keys.IsLast() {
			v := d.value(e.Value(), d.origin(k.Raw))
			d.put(table, string(k.Data), v)
			return
		}
		if table = d.child(table, k); table == nil {
			return
		}
	}
}

// put sets a key of a table, unless it is set already.
func (d *document) put(table *node, key string, v *node) {
	if table.kind != kindTable || table.table[key] != nil {
		d.fail(v.key, key, "is given twice", "keep one")
		return
	}
	table.table[key] = v
}

// enter walks a [table] or [[list]] header from root and returns the table that the lines below it fill.
func (d *document) enter(root *node, e *unstable.Node) *node {
	here := root
	keys := e.Key()
	for keys.Next() {
		k := keys.Node()
		var next *node
		if keys.IsLast() && e.Kind == unstable.ArrayTable {
			next = d.appended(here, k)
		} else {
			next = d.child(here, k)
		}
		if next == nil {
			return newTable(d.origin(k.Raw)) // the lines below are read, but count for nothing
		}
		here = next
	}
	return here
}

// child returns the table under key k of table, made if missing; of a list it is the last element.
func (d *document) child(table *node, k *unstable.Node) *node {
	at, key := d.origin(k.Raw), string(k.Data)
	v := table.table[key]
	if v == nil {
		v = newTable(at)
		table.table[key] = v
	}
	if v.kind == kindList && len(v.list) > 0 {
		v = v.list[len(v.list)-1]
	}
	if v.kind != kindTable {
		d.fail(at, key, "is a value above and a section here", "keep one")
		return nil
	}
	return v
}

// appended returns a new last element of the list under key k of table.
func (d *document) appended(table *node, k *unstable.Node) *node {
	at, key := d.origin(k.Raw), string(k.Data)
	v := table.table[key]
	if v == nil {
		v = &node{kind: kindList, key: at, at: at}
		table.table[key] = v
	}
	if v.kind != kindList {
		d.fail(at, key, "is a value above and a section here", "keep one")
		return nil
	}
	element := newTable(at)
	v.list = append(v.list, element)
	return element
}

// value converts a value of go-toml's tree.
func (d *document) value(v *unstable.Node, key Origin) *node {
	n := &node{kind: kindOther, key: key, at: key, text: string(v.Data)}
	if v.Raw.Length > 0 {
		n.at = d.origin(v.Raw)
	}
	switch v.Kind {
	case unstable.String:
		n.kind = kindText
	case unstable.Bool:
		n.kind, n.flag = kindBoolean, string(v.Data) == "true"
	case unstable.Integer:
		n.kind = kindInteger
		n.num = d.integer(n)
	case unstable.Array:
		n.kind = kindList
		for it := v.Children(); it.Next(); {
			if c := it.Node(); c.Kind != unstable.Comment {
				element := d.value(c, key)
				element.key = element.at
				n.list = append(n.list, element)
			}
		}
	case unstable.InlineTable:
		n.kind, n.table = kindTable, make(map[string]*node)
		for it := v.Children(); it.Next(); {
			if c := it.Node(); c.Kind == unstable.KeyValue {
				d.assign(n, c)
			}
		}
	}
	return n
}

// integer returns the number a text stands for.
func (d *document) integer(n *node) int64 {
	i, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 0, 64)
	if err != nil {
		d.fail(n.at, "", fmt.Sprintf("%s is no whole number between %d and %d", n.text, int64(math.MinInt64), int64(math.MaxInt64)), "")
	}
	return i
}

func (d *document) fail(at Origin, key, problem, remedy string) {
	d.faults = append(d.faults, Fault{Origin: at, Key: key, Problem: problem, Remedy: remedy})
}

// origin returns the place at which r begins; the column counts characters from 1.
func (d *document) origin(r unstable.Range) Origin {
	offset := min(int(r.Offset), len(d.source.Text))
	line, exact := slices.BinarySearch(d.lines, offset)
	if !exact {
		line--
	}
	column := utf8.RuneCount(d.source.Text[d.lines[line]:offset]) + 1
	return Origin{File: d.source.Name, Line: line + 1, Column: column}
}

// lineStarts returns the offsets at which the lines of text begin.
func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// merge returns base overridden by over: tables key by key, lists of named tables
// (readers, tasks, lights) name by name, everything else as a whole.
func merge(base, over *node) *node {
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case base.kind == kindTable && over.kind == kindTable:
		merged := newTable(over.at)
		merged.key = over.key
		for key, v := range base.table {
			merged.table[key] = v
		}
		for key, v := range over.table {
			merged.table[key] = merge(merged.table[key], v)
		}
		return merged
	case base.kind == kindList && over.kind == kindList && (named(over) || named(base)):
		return mergeNamed(base, over)
	}
	return over
}

// named reports whether a list has elements with names.
func named(list *node) bool {
	return slices.ContainsFunc(list.list, func(n *node) bool { return n.name() != "" })
}

// mergeNamed lets each element of over override the element of base with its name, or follow
// them if there is none.
func mergeNamed(base, over *node) *node {
	merged := &node{kind: kindList, key: over.key, at: over.at, list: slices.Clone(base.list)}
	taken := make(map[int]bool)
	for _, element := range over.list {
		name := element.name()
		i := slices.IndexFunc(base.list, func(n *node) bool { return n.name() == name })
		if name == "" || i < 0 || taken[i] {
			merged.list = append(merged.list, element)
			continue
		}
		taken[i] = true
		if old, now := base.list[i].textOf("device"), element.textOf("device"); old != "" && now != "" && old != now {
			merged.list[i] = element // another device has other settings
			continue
		}
		merged.list[i] = merge(base.list[i], element)
	}
	return merged
}
