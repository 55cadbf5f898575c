package profiles

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Show writes a profile as one file that needs no other, with the origin of each
// value as a comment. Loading it again gives the same gateway.
func Show(p Profile) []byte {
	w := writer{origins: p.origins}
	w.comment("board", p.BoardName)
	w.comment("station", p.StationName)
	p.BoardName, p.StationName = "", ""
	w.table(reflect.ValueOf(&p).Elem(), "", "")
	return w.out.Bytes()
}

// Origin returns where the value of a dotted key was given, such as "work.station" or
// "reader[0].port"; ok is false for a default.
func (p Profile) Origin(key string) (o Origin, ok bool) {
	o, ok = p.origins[key]
	return o, ok
}

// String gives the place as file:line, or "default".
func (o Origin) String() string {
	if o.File == "" {
		return "default"
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// writer writes TOML.
type writer struct {
	out     bytes.Buffer
	origins map[string]Origin
}

func (w *writer) comment(key, value string) {
	if value != "" {
		fmt.Fprintf(&w.out, "# %s = %q\n", key, value)
	}
}

// table writes the plain values of a struct and then its sections.
func (w *writer) table(v reflect.Value, path, key string) {
	fields := fieldsOf(v)
	for _, f := range fields {
		if text := literal(f.value); text != "" && w.worth(f, joined(path, f.name)) {
			w.line(f.name, text, joined(path, f.name))
		}
	}
	for _, f := range fields {
		if literal(f.value) == "" {
			w.section(f.value, joined(path, f.name), joined(key, f.name))
		}
	}
}

// worth reports whether a value says more than its absence.
func (w *writer) worth(f field, path string) bool {
	if f.name == "fd" {
		return f.value.Int() >= 0
	}
	_, given := w.origins[path]
	return !f.value.IsZero() || given && f.value.Kind() != reflect.String
}

// section writes a table, a list of tables, or a table with free keys.
func (w *writer) section(v reflect.Value, path, key string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			w.section(v.Elem(), path, key)
		}
	case reflect.Struct:
		w.header("["+key+"]", v, path, key)
	case reflect.Slice:
		for i := range v.Len() {
			w.header("[["+key+"]]", v.Index(i), fmt.Sprintf("%s[%d]", path, i), key)
		}
	case reflect.Map:
		if v.Len() == 0 {
			return
		}
		fmt.Fprintf(&w.out, "\n[%s]\n", key)
		m := v.Interface().(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(m)) {
			w.line(bareOrQuoted(name), quoted(m[name]), joined(path, name))
		}
	}
}

// header writes a section unless it is empty.
func (w *writer) header(head string, v reflect.Value, path, key string) {
	body := writer{origins: w.origins}
	body.table(v, path, key)
	if body.out.Len() == 0 {
		return
	}
	fmt.Fprintf(&w.out, "\n%s\n", head)
	w.out.Write(body.out.Bytes())
}

func (w *writer) line(name, value, path string) {
	fmt.Fprintf(&w.out, "%-40s # %s\n", name+" = "+value, w.origins[path])
}

// literal writes a plain value as TOML; it is empty for a section.
func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return quoted(x.String())
	case Weight:
		return quoted(x.String())
	case Size:
		return quoted(x.String())
	case slog.Level:
		return quoted(strings.ToLower(x.String()))
	case Frequency:
		return quoted(x.String())
	case Decibel:
		return quoted(x.String())
	case []int:
		return strings.ReplaceAll(fmt.Sprint(x), " ", ", ")
	case []string:
		parts := make([]string, len(x))
		for i, s := range x {
			parts[i] = quoted(s)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	switch v.Kind() {
	case reflect.String:
		return quoted(v.String())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	}
	return ""
}

// quoted writes a text as a TOML basic string. Texts of a profile hold no control characters.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// bareOrQuoted writes a key.
func bareOrQuoted(key string) string {
	if key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return key
	}
	return quoted(key)
}
