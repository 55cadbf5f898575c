package profiles

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText bounds one text of a profile, in bytes; the longest is a task's instruction.
const maxText = 4096

// choices are the words of the types that have few.
var choices = map[reflect.Type][]string{
	reflect.TypeFor[Mode]():       {string(ModeIntake), string(ModeInOut), string(ModePortal)},
	reflect.TypeFor[Role]():       {string(RoleBoth), string(RoleIn), string(RoleOut)},
	reflect.TypeFor[Framing]():    {string(FramingRDM6300), string(FramingID12), string(FramingWL134)},
	reflect.TypeFor[Repeat]():     {string(RepeatWhile), string(RepeatOnce)},
	reflect.TypeFor[Region]():     {"eu", "us", "kr", "cn900", "cn800"},
	reflect.TypeFor[Layout]():     {"us", "de", "fr"},
	reflect.TypeFor[Content]():    {string(ContentCode), string(ContentHex), string(ContentDecimal)},
	reflect.TypeFor[Identity]():   {string(IdentityUID), string(IdentityEPC), string(IdentityNDEFURI), string(IdentityCode)},
	reflect.TypeFor[Technology](): {"iso14443a", "lf125", "fdxb", "gen2"},
	reflect.TypeFor[Line]():       {string(Line8N1), string(Line8E1), string(Line8O1), string(Line8N2), string(Line7E1), string(Line7O1), string(Line7N1), string(Line7N2)},
	reflect.TypeFor[LightKind]():  {string(LightLines), string(LightGPIO)},
	reflect.TypeFor[Action]():     actions(),
	reflect.TypeFor[Arch]():       {string(ArchAMD64), string(ArchARM64), string(ArchARM)},
	reflect.TypeFor[UnknownTag](): {string(UnknownTagWait), string(UnknownTagRefuse)},
	reflect.TypeFor[slog.Level](): {"debug", "info", "warn", "error"},
}

// refusedWords are words that are understood and still refused, with the reason.
var refusedWords = map[reflect.Type]map[string]string{
	reflect.TypeFor[Mode](): {
		"terminal": `is "terminal", which needs the console's form, and this version has no console`,
	},
}

// knownMistakes are keys that people will look for under another name.
var knownMistakes = map[string]string{
	"ledger.sync_writes": `is always on; only a test that proves its worth may switch it off, by "unsafe_no_sync = true"`,
}

// defaulted is a part of a profile whose defaults are not zero.
type defaulted interface{ setDefaults() }

// Other settings of readers and scales depend on the device: see checker.settings.
func (r *Reader) setDefaults() { *r = Reader{Role: RoleBoth, Identity: IdentityUID} }

func (s *Scale) setDefaults() {
	*s = Scale{Deadline: 15 * time.Second, EmptyBelow: 1000}
}

func (b *Button) setDefaults() { *b = Button{ActiveLow: true, Debounce: 25 * time.Millisecond} }

func (l *Light) setDefaults() { *l = Light{Descriptor: -1} }

func (p *Profile) setDefaults() {
	*p = Profile{
		DataDir:       "/var/lib/traveler",
		KeyFile:       "/etc/traveler/gateway.key",
		GenesisFile:   "/etc/traveler/genesis.cbor",
		Roster:        []string{"/etc/traveler/roster"},
		ControlSocket: "/run/traveler/control.sock",
		LogLevel:      slog.LevelInfo,
		Work:          Work{MinimumDwell: 2 * time.Second},
		Offline: Offline{
			After:      30 * time.Second,
			UnknownTag: UnknownTagWait,
		},
		Ledger: Ledger{FreeSpaceReserve: 256 << 20},
	}
}

// binder writes a tree into a Profile and notes where each value came from.
type binder struct {
	origins map[string]Origin
	faults  Faults
}

func (b *binder) fail(at Origin, key, problem, remedy string) {
	b.faults = append(b.faults, Fault{Origin: at, Key: key, Problem: problem, Remedy: remedy})
}

// bind writes n into v. Path names the value in origins, key names it to people
// (the same without the indexes of lists).
func (b *binder) bind(n *node, v reflect.Value, path, key string) {
	b.origins[path] = n.at
	switch v.Type() {
	case reflect.TypeFor[time.Duration]():
		b.bindDuration(n, v, key)
		return
	case reflect.TypeFor[Weight]():
		b.bindQuantity(n, v, key, plain(weightUnits), `"12.5 g"`)
		return
	case reflect.TypeFor[Size]():
		b.bindQuantity(n, v, key, plain(sizeUnits), `"64 MiB"`)
		return
	case reflect.TypeFor[Frequency]():
		b.bindQuantity(n, v, key, plain(frequencyUnits), `"1 MHz"`)
		return
	case reflect.TypeFor[Decibel]():
		b.bindQuantity(n, v, key, parseDecibel, `"20 dBm"`)
		return
	case reflect.TypeFor[slog.Level]():
		b.bindLevel(n, v, key)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		b.bind(n, v.Elem(), path, key)
	case reflect.Struct:
		if b.expect(n, kindTable, key) {
			b.bindStruct(n, v, path, key)
		}
	case reflect.Slice:
		if n.kind == kindTable && v.Type().Elem().Kind() == reflect.Struct {
			b.fail(n.key, key, "is one section where a list of them is needed", "write [["+key+"]] with two brackets")
		} else if b.expect(n, kindList, key) {
			b.bindList(n, v, path, key)
		}
	case reflect.Map:
		if b.expect(n, kindTable, key) {
			b.bindMap(n, v, path, key)
		}
	case reflect.String:
		b.bindText(n, v, key)
	case reflect.Int:
		if b.expect(n, kindInteger, key) {
			b.bindInt(n, v, key)
		}
	case reflect.Bool:
		if b.expect(n, kindBoolean, key) {
			v.SetBool(n.flag)
		}
	}
}

// expect checks the type of a value.
func (b *binder) expect(n *node, want kind, key string) bool {
	if n.kind == want {
		return true
	}
	remedy := "write " + want.describe()
	if n.kind == kindText && want != kindText {
		if _, err := strconv.ParseInt(n.text, 10, 64); err == nil && want == kindInteger {
			remedy = "write " + n.text + " without quotes"
		}
	}
	if n.kind == kindInteger && want == kindText {
		remedy = fmt.Sprintf("write %q with quotes", n.text)
	}
	b.fail(n.at, key, fmt.Sprintf("is %s where %s is needed", n.kind.describe(), want.describe()), remedy)
	return false
}

// expectWord is expect for text, which may be one of a few words.
func (b *binder) expectWord(n *node, t reflect.Type, key string) bool {
	words, few := choices[t]
	if !few || n.kind == kindText {
		return b.expect(n, kindText, key)
	}
	b.fail(n.at, key, fmt.Sprintf("is %s where a word is needed", n.kind.describe()), "one of "+quotedList(words))
	return false
}

// bindStruct binds the keys of a table to the fields of a struct.
func (b *binder) bindStruct(n *node, v reflect.Value, path, key string) {
	if d, ok := v.Addr().Interface().(defaulted); ok {
		d.setDefaults()
	}
	fields := fieldsOf(v)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	for name, child := range n.table {
		i := slices.Index(names, name)
		if i < 0 {
			b.unknown(child, joined(key, name), name, names)
			continue
		}
		b.bind(child, fields[i].value, joined(path, name), joined(key, name))
	}
}

// unknown reports a key that a table does not have.
func (b *binder) unknown(n *node, key, name string, names []string) {
	if text, ok := knownMistakes[key]; ok {
		b.fail(n.key, key, text, "remove it")
		return
	}
	b.fail(n.key, key, "is unknown", suggestOr(name, names))
}

// bindList binds each element of a list.
func (b *binder) bindList(n *node, v reflect.Value, path, key string) {
	out := reflect.MakeSlice(v.Type(), len(n.list), len(n.list))
	for i, element := range n.list {
		b.bind(element, out.Index(i), fmt.Sprintf("%s[%d]", path, i), key)
	}
	v.Set(out)
}

// bindMap binds a table whose keys are free.
func (b *binder) bindMap(n *node, v reflect.Value, path, key string) {
	out := make(map[string]string, len(n.table))
	for name, child := range n.table {
		var text string
		b.bind(child, reflect.ValueOf(&text).Elem(), joined(path, name), joined(key, name))
		out[name] = text
	}
	v.Set(reflect.ValueOf(out))
}

// bindInt binds a whole number that every board can count to; an int has 32 bits on some.
func (b *binder) bindInt(n *node, v reflect.Value, key string) {
	if n.num != int64(int32(n.num)) {
		b.fail(n.at, key, fmt.Sprintf("is %s, which is too large", n.text), "write a smaller number")
		return
	}
	v.SetInt(n.num)
}

// bindText binds text, or one word of a few.
func (b *binder) bindText(n *node, v reflect.Value, key string) {
	if !b.expectWord(n, v.Type(), key) {
		return
	}
	if words, ok := choices[v.Type()]; ok && !slices.Contains(words, n.text) {
		if reason, refused := refusedWords[v.Type()][n.text]; refused {
			b.fail(n.at, key, reason, "one of "+quotedList(words))
			return
		}
		b.fail(n.at, key, fmt.Sprintf("is %q, which it cannot be", clipped(n.text)), suggestOr(n.text, words))
		return
	}
	if len(n.text) > maxText {
		b.fail(n.at, key, fmt.Sprintf("has %d bytes; text has at most %d", len(n.text), maxText), "shorten it")
		return
	}
	if i := strings.IndexFunc(n.text, unicode.IsControl); i >= 0 {
		b.fail(n.at, key, fmt.Sprintf("holds a control character (%+q)", []rune(n.text[i:])[0]), "write one line of plain text")
		return
	}
	v.SetString(n.text)
}

func (b *binder) bindLevel(n *node, v reflect.Value, key string) {
	if !b.expectWord(n, v.Type(), key) {
		return
	}
	words, word := choices[v.Type()], n.text
	var level slog.Level
	if !slices.Contains(words, word) || level.UnmarshalText([]byte(word)) != nil {
		b.fail(n.at, key, fmt.Sprintf("is %q, which it cannot be", clipped(word)), suggestOr(word, words))
		return
	}
	v.SetInt(int64(level))
}

func (b *binder) bindDuration(n *node, v reflect.Value, key string) {
	if n.kind == kindInteger {
		b.fail(n.at, key, fmt.Sprintf("is %s without a unit", n.text), fmt.Sprintf(`write "%ss" for seconds or "%sms" for milliseconds`, n.text, n.text))
		return
	}
	if !b.expect(n, kindText, key) {
		return
	}
	d, err := time.ParseDuration(n.text)
	if err != nil {
		b.fail(n.at, key, fmt.Sprintf("is %q, which is no duration", clipped(n.text)), `write "500ms", "2s" or "1m30s"`)
		return
	}
	if d < 0 {
		b.fail(n.at, key, fmt.Sprintf("is %s; a duration is not negative", d), fmt.Sprintf(`write "%s"`, -d))
		return
	}
	v.SetInt(int64(d))
}

func (b *binder) bindQuantity(n *node, v reflect.Value, key string, parse func(string) (int64, error), example string) {
	if n.kind == kindInteger {
		b.fail(n.at, key, fmt.Sprintf("is %s without a unit", n.text), "write it like "+example)
		return
	}
	if !b.expect(n, kindText, key) {
		return
	}
	q, err := parse(n.text)
	if err != nil {
		b.fail(n.at, key, fmt.Sprintf("is %q, which %v", clipped(n.text), err), "write it like "+example)
		return
	}
	v.SetInt(q)
}

// field is a field of a struct under its name in a profile.
type field struct {
	name  string
	value reflect.Value
}

// fieldsOf returns the fields of a struct in order, those of embedded structs in place.
func fieldsOf(v reflect.Value) []field {
	var fields []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			fields = append(fields, fieldsOf(v.Field(i))...)
		} else if name := f.Tag.Get("toml"); name != "" {
			fields = append(fields, field{name, v.Field(i)})
		}
	}
	return fields
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// clipped shortens a text for an error.
func clipped(text string) string {
	if len(text) <= 80 {
		return text
	}
	return strings.ToValidUTF8(text[:77], "") + "..."
}
