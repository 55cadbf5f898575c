package cmd

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const architecture = "../ARCHITECTURE.md"

// section returns the lines of ARCHITECTURE.md under a heading, up to the next
// heading of its level.
func section(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	inside := false
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		switch {
		case strings.HasPrefix(s.Text(), "## "):
			inside = s.Text() == "## "+heading
		case inside:
			lines = append(lines, s.Text())
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s has no section %q", architecture, heading)
	}
	return lines
}

// whereEntry is one line of the list: behaviour, file and symbol.
var whereEntry = regexp.MustCompile("^- (.+): `([^`: ]+): ([^`]+)`$")

// fewestEntries keeps the list from withering.
const fewestEntries = 40

// TestWhereIs holds every entry of the "Where is…" list to the tree: the file is
// there and declares the symbol. In a file that is not Go the symbol is a text
// that stands in it.
func TestWhereIs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, line := range section(t, "Where is…") {
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		m := whereEntry.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not of the form \"- behaviour: `file: Symbol`\": %s", line)
			continue
		}
		behaviour, file, symbol := m[1], m[2], m[3]
		if seen[behaviour] {
			t.Errorf("listed twice: %s", behaviour)
		}
		seen[behaviour] = true
		if err := declares(filepath.Join("..", file), symbol); err != "" {
			t.Errorf("%s: %s", behaviour, err)
		}
	}
	if len(seen) < fewestEntries {
		t.Errorf("%d entries, want at least %d", len(seen), fewestEntries)
	}
}

// declares says what is wrong, or nothing.
func declares(path, symbol string) string {
	if filepath.Ext(path) != ".go" {
		text, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		if !strings.Contains(string(text), symbol) {
			return path + " does not contain " + symbol
		}
		return ""
	}
	if parseSymbols(path)[symbol] {
		return ""
	}
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	for _, other := range others {
		if parseSymbols(other)[symbol] {
			return symbol + " has moved from " + path + " to " + other
		}
	}
	return path + " does not declare " + symbol
}

// parseSymbols is what a Go file declares; a file that does not parse declares
// nothing.
func parseSymbols(path string) map[string]bool {
	all := map[string]bool{}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return all
	}
	for _, name := range symbolsOf(file) {
		all[name] = true
	}
	return all
}

// symbolsOf lists what a file declares: names at its top level, methods as
// Type.Method, fields and methods of its types as Type.Name.
func symbolsOf(file *ast.File) []string {
	var all []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			all = append(all, name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				all = append(all, specified(s)...)
			}
		}
	}
	return all
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func specified(s ast.Spec) (names []string) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			names = append(names, n.Name)
		}
	case *ast.TypeSpec:
		names = append(names, s.Name.Name)
		var members *ast.FieldList
		switch t := s.Type.(type) {
		case *ast.StructType:
			members = t.Fields
		case *ast.InterfaceType:
			members = t.Methods
		default:
			return names
		}
		for _, f := range members.List {
			for _, n := range f.Names {
				names = append(names, s.Name.Name+"."+n.Name)
			}
		}
	}
	return names
}

// tableRow splits a row of a Markdown table; ok is false for other lines, heads
// and rulers.
func tableRow(line string) (cells []string, ok bool) {
	if !strings.HasPrefix(line, "| `") {
		return nil, false
	}
	for _, c := range strings.Split(strings.Trim(line, "|"), "|") {
		cells = append(cells, strings.TrimSpace(c))
	}
	return cells, true
}

var quoted = regexp.MustCompile("`([^`]+)`")

// TestRoomsAreListed holds the table of rooms to the ranks that TestLayers
// enforces, and the tree to the table.
func TestRoomsAreListed(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, line := range section(t, "Rooms") {
		cells, ok := tableRow(line)
		if !ok {
			continue
		}
		said, err := strconv.Atoi(cells[1])
		if err != nil {
			t.Errorf("rank of %s: %v", cells[0], err)
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
			listed[m[1]] = true
			if r, ok := rank(m[1]); !ok || r != said {
				t.Errorf("%s is said to have rank %d, TestLayers enforces %d", m[1], said, r)
			}
		}
	}
	for _, p := range list(t) {
		if room := strings.TrimPrefix(p.ImportPath, module); room != "cmd" && !listed[room] {
			t.Errorf("%s is not in the table of rooms", room)
		}
	}
}

// TestDependenciesAreListed holds the table of dependencies to the imports of
// the rooms: every module that is imported has a row with its reason, and the
// rooms that the row names are those that import it outside their tests.
func TestDependenciesAreListed(t *testing.T) {
	t.Parallel()
	type row struct{ said, found []string }
	rows := map[string]*row{}
	for _, line := range section(t, "Dependencies") {
		cells, ok := tableRow(line)
		if !ok {
			continue
		}
		r := &row{}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			r.said = append(r.said, m[1])
		}
		if len(cells) < 3 || cells[2] == "" {
			t.Errorf("%s has no reason", cells[0])
		}
		rows[strings.Trim(cells[0], "`")] = r
	}
	used := map[string]bool{}
	for _, p := range list(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		for i, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if host, _, _ := strings.Cut(imp, "/"); !strings.Contains(host, ".") || strings.HasPrefix(imp, module) {
				continue // the standard library, or ours
			}
			name := imp
			for name != "." && rows[name] == nil {
				name = filepath.Dir(name)
			}
			r := rows[name]
			if r == nil {
				t.Errorf("%s imports %s, which has no row", room, imp)
				continue
			}
			used[name] = true
			if i < len(p.Imports) && !slices.Contains(r.found, room) {
				r.found = append(r.found, room)
			}
		}
	}
	for name, r := range rows {
		slices.Sort(r.said)
		slices.Sort(r.found)
		if !slices.Equal(r.said, r.found) {
			t.Errorf("%s is said to be imported by %q, it is by %q", name, r.said, r.found)
		}
		if !used[name] {
			t.Errorf("%s is imported by nobody", name)
		}
	}
}
