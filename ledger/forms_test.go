package ledger

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// wireTypes are all types whose fields stand in bytes, under the names of the
// tables of PROTOCOL.md §4.
var wireTypes = map[string]any{
	"public key": PublicKey{}, "admin": Admin{}, "genesis": Genesis{}, "statement": Statement{}, "statement signature": StatementSig{},
	"change": Change{}, "transaction": txWire{}, "order": Order{}, "operation": Operation{}, "need": Need{}, "limit": Limit{},
	"option": Option{}, "measurement": Measurement{}, "input": Input{}, "intake": Intake{}, "report": Report{}, "verdict": Verdict{},
	"disposition": Disposition{}, "withdraw": Withdraw{}, "amend": Amend{}, "bind": Bind{}, "misroute": Misroute{}, "header": Header{},
	"block": blockWire{}, "signed header": SignedHeader{}, "ref": Ref{}, "frontier": Frontier{}, "evidence": Evidence{},
}

// anyValue are the fields of which every value of their type is lawful.
var anyValue = map[string]string{
	"genesis.nonce": "16 bytes of any value", "measurement.value": "a measured value is any integer",
	"order.document": "a digest of any value", "disposition.order": "any hash; Apply looks it up", "statement signature.key": "any key; the register looks it up",
}

// formCase is a change of one field of a good object. want is part of the
// refusal: field, value and rule; empty: it must be taken.
type formCase struct {
	covers string // object and field
	want   string
	raw    []byte
	parse  func([]byte) error
}

func (c formCase) check(t *testing.T) {
	t.Helper()
	err := c.parse(c.raw)
	if c.want == "" {
		if err != nil {
			t.Errorf("%s at its limit: %v", c.covers, err)
		}
		return
	}
	var f *FieldError
	switch {
	case err == nil:
		t.Errorf("%s: taken, want %q", c.covers, c.want)
	case !strings.Contains(err.Error(), c.want):
		t.Errorf("%s: %q, want %q", c.covers, err, c.want)
	case !errors.As(err, &f) || f.Object == "" || f.Rule == "":
		t.Errorf("%s: %#v names no object or rule", c.covers, err)
	}
}

// formBook holds a good object of each kind and collects the cases.
type formBook struct {
	w     *vectorWorld
	cases []formCase
}

func (b *formBook) parser(object string) func([]byte) error {
	return func(raw []byte) error {
		form, _ := parseAs(object, b.w.p.net, raw, func(any) error { return nil })
		return form
	}
}

func (b *formBook) add(covers, want, object string, raw []byte) {
	b.cases = append(b.cases, formCase{covers: covers, want: want, raw: raw, parse: b.parser(object)})
}

func (b *formBook) genesis(covers, want string, change func(*Genesis)) {
	g := b.w.p.genesis
	g.Admins = append([]Admin(nil), g.Admins...)
	change(&g)
	b.add(covers, want, "genesis", encode(g))
}

func (b *formBook) statement(covers, want string, change func(*Statement)) {
	s := b.w.statements[1]
	s.Sigs = append([]StatementSig(nil), s.Sigs...)
	change(&s)
	b.add(covers, want, "statement", encode(s))
}

// change puts one change into a statement.
func (b *formBook) change(covers, want string, c Change) {
	b.statement(covers, want, func(s *Statement) { s.Changes = []Change{c} })
}

func (b *formBook) tx(covers, want string, change func(*txWire)) {
	w := b.w.txs[3].wire()
	change(&w)
	b.add(covers, want, "transaction", encode(w))
}

// bodyCase changes the body of a transaction that is otherwise good.
func bodyCase[B Body](b *formBook, covers, want string, base B, change func(*B)) {
	w := txWire{Version: Version, Kind: base.Kind(), Sender: plantID("gate"), Time: plantTime}
	if w.Kind != KindOrder && w.Kind != KindIntake {
		w.Item = plantHash("item")
	}
	if w.Kind.Moves() && w.Kind != KindIntake {
		w.After = []TxID{plantHash("after")}
	}
	if w.Kind == KindAmend {
		w.About = []TxID{plantHash("about")}
	}
	change(&base)
	w.Body = encode(base)
	b.add(covers, want, "transaction", encode(w))
}

func (b *formBook) header(covers, want string, change func(*Header)) {
	h := b.w.joined.Header()
	change(&h)
	b.add(covers, want, "block", encode(blockWire{Header: encode(h), Sig: b.w.joined.signed.Sig}))
}

func (b *formBook) block(covers, want string, change func(*blockWire)) {
	good := b.w.main.blocks[0]
	w := blockWire{Header: good.signed.Header, Sig: good.signed.Sig, Txs: rawsOf(good.Txs())}
	change(&w)
	b.add(covers, want, "block", encode(w))
}

func (b *formBook) frontier(t testing.TB, covers, want string, change func(*Frontier)) {
	f := b.w.frontier(t)
	change(&f)
	b.add(covers, want, "frontier", encode(f))
}

func (b *formBook) evidence(t testing.TB, covers, want string, change func(*Evidence)) {
	e := b.w.evidence(t)["linked"]
	change(&e)
	b.add(covers, want, "evidence", encode(e))
}

// TestForms refuses every object malformed in each field, by field, value and
// rule, and takes what stands at a limit.
func TestForms(t *testing.T) {
	b := &formBook{w: newVectorWorld(t)}
	b.foundingForms()
	b.changeForms()
	b.txForms()
	b.reportForms()
	b.otherBodyForms()
	b.orderForms()
	b.blockForms()
	b.frontierForms(t)
	refused := map[string]bool{}
	for _, c := range b.cases {
		c.check(t)
		if c.want != "" {
			refused[c.covers] = true
		}
	}
	for object, v := range wireTypes {
		for _, f := range wireFields(v) {
			name := object + "." + f.name
			if _, free := anyValue[name]; free == refused[name] {
				t.Errorf("%s: has %v malformed case and %v reason why none can be", name, refused[name], free)
			}
		}
	}
}

// wireField is a field as its struct tag says.
type wireField struct {
	key    int
	name   string
	always bool
	bytes  bool // a byte string of any length
}

func wireFields(v any) []wireField {
	typ := reflect.TypeOf(v)
	var out []wireField
	_, array := typ.FieldByName("_")
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.PkgPath != "" {
			continue
		}
		w := wireField{key: len(out), name: snake(f.Name), always: true, bytes: f.Type == reflect.TypeFor[[]byte]()}
		if !array {
			tag := f.Tag.Get("cbor")
			fmt.Sscanf(tag, "%d", &w.key)
			w.always = !strings.Contains(tag, "omit")
		}
		out = append(out, w)
	}
	return out
}

// TestTablesOfTheSpecification: PROTOCOL.md §4 lists every field in the code,
// and nothing else.
func TestTablesOfTheSpecification(t *testing.T) {
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(text), "\n#### ")[1:] {
		name, rest, _ := strings.Cut(s, " (")
		sections[name] = rest
	}
	for object, v := range wireTypes {
		section, ok := sections[object]
		if !ok {
			t.Errorf("no table of %q", object)
			continue
		}
		if _, array := reflect.TypeOf(v).FieldByName("_"); array != strings.HasPrefix(section, "array)") {
			t.Errorf("%s: array or map?", object)
		}
		rows := 0
		for line := range strings.Lines(section) {
			if strings.HasPrefix(line, "|") && line[2] >= '0' && line[2] <= '9' {
				rows++
			}
			if strings.TrimSpace(line) == "" {
				break
			}
		}
		fields := wireFields(v)
		if rows != len(fields) {
			t.Errorf("%s: %d rows for %d fields", object, rows, len(fields))
		}
		for _, f := range fields {
			present := "if not zero"
			if f.always {
				present = "always"
			}
			row := fmt.Sprintf("\n| %d | %s | ", f.key, f.name)
			_, rest, found := strings.Cut(section, row)
			cells := strings.Split(rest, "|")
			if !found || len(cells) < 2 || strings.TrimSpace(cells[1]) != present {
				t.Errorf("%s: no row %q, %s", object, strings.TrimSpace(row), present)
			}
		}
		delete(sections, object)
	}
	for object := range sections {
		t.Errorf("a table of %q and no such type", object)
	}
}
