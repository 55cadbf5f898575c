package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// noteVectors is testdata/vectors-note.json (PROTOCOL.md §16): notes of the network
// of vectors.json.
type noteVectors struct {
	Notes   []noteVector        `json:"notes"`
	Refused []refusedNoteVector `json:"refused"`
}

type noteVector struct {
	Name   string     `json:"name"`
	Tag    string     `json:"tag"`
	Item   string     `json:"item"`
	Author string     `json:"author"` // name of the key in vectors.json
	Places []string   `json:"places"` // of the options, in full
	Fields noteFields `json:"fields"`
	Signed string     `json:"signed"` // the digest
	Raw    string     `json:"raw"`
}

type noteFields struct {
	Version   int             `json:"version"`
	Author    string          `json:"author"`
	Item      string          `json:"item"`
	Report    string          `json:"report"`
	Operation uint8           `json:"operation"`
	Options   []noteOptionHex `json:"options"`
	Sig       string          `json:"sig"`
}

type noteOptionHex struct {
	Operation uint8  `json:"operation"`
	Place     string `json:"place"`
}

// refusedNoteVector are bytes that are no note of this tag and item.
type refusedNoteVector struct {
	Why   string    `json:"why"`
	Fault NoteFault `json:"fault"`
	Tag   string    `json:"tag"`
	Item  string    `json:"item"`
	Raw   string    `json:"raw"`
}

// noteWorld is an item with a wide order, and what two gateways did with it.
type noteWorld struct {
	p              *testPlant
	routing        []Operation
	intake, report Tx
	wide           Tx
}

const noteTag = "04A1B2C3D4E580"

func newNoteWorld(t testing.TB) *noteWorld {
	w := &noteWorld{p: newTestPlant(t), routing: []Operation{
		{ID: "10", Task: "drill", Place: "drilling", Limits: []Limit{{Name: "bore", Min: 1195, Max: 1205, Exponent: -2, Unit: "mm", OnFail: Return}}},
		{ID: "20", Task: "press", Place: "press-1", Needs: []string{"10"}},
	}}
	for i := range 6 {
		w.routing = append(w.routing, Operation{ID: fmt.Sprint(30 + i), Task: "check", Place: fmt.Sprintf("bench-%d", i), Needs: []string{"20"}})
	}
	mustNot(t, w.p.reg.Add(w.p.statement(t, plantStaff())))
	mustNot(t, w.p.reg.Add(w.p.statement(t, plantStations(), "ada", "ben", "cy")))
	w.intake = w.p.own(t, "gate", Tx{Body: Intake{
		Station: "entrance", Label: "B-0001", Tags: []string{noteTag, "E2801160"}, Order: plantHash("order"), Product: "bracket", Options: w.options("10"),
	}})
	w.report = w.did(t, "drill-a", Report{
		Station: "drill-1", Operation: "10", Task: "drill", Outcome: OutcomeOK, Options: w.options("20"),
		Measurements: []Measurement{{Name: "bore", Value: 1203, Exponent: -2, Unit: "mm"}},
	})
	w.wide = w.did(t, "press", Report{Station: "press-1", Operation: "20", Task: "press", Outcome: OutcomeOK, Options: w.options("30", "31", "32", "33", "34", "35")})
	return w
}

func (w *noteWorld) options(ids ...string) (os []Option) {
	for _, id := range ids {
		op := w.routing[indexOf(w.routing, id)]
		os = append(os, Option{Task: op.Task, Operation: op.ID, Place: op.Place})
	}
	return os
}

func (w *noteWorld) did(t testing.TB, who string, r Report) Tx {
	return w.p.own(t, who, Tx{Item: w.intake.ID(), After: []TxID{plantHash("accepted")}, Body: r})
}

func (w *noteWorld) note(t testing.TB, who, tag string, tx Tx) Note {
	t.Helper()
	n, err := NewNote(w.p.net, plantSigner(who), tag, tx, w.routing)
	mustNot(t, err)
	return n
}

// item is the piece with its intake only.
func (w *noteWorld) item() Item {
	return Item{ID: w.intake.ID(), Label: "B-0001", Tags: []string{noteTag, "E2801160"}, HeadIDs: []TxID{w.intake.ID()}, Nodes: []Node{{
		Tx: w.intake.ID(), Kind: KindIntake, Sender: plantID("gate"), Item: w.intake.ID(), Order: plantHash("order"), Station: "entrance",
		State: State{Phase: Expected, Options: w.options("10")},
	}}}
}

func (w *noteWorld) vectors(t testing.TB) noteVectors {
	var v noteVectors
	add := func(name, who string, tx Tx, options []Option) {
		n := w.note(t, who, noteTag, tx)
		x := noteVector{
			Name: name, Tag: noteTag, Item: tx.ItemID().String(), Author: who, Raw: hex.EncodeToString(n.Raw()),
			Signed: n.digest(w.p.net, tx.ItemID(), noteTag).String(),
			Fields: noteFields{
				Version: 1, Author: hex.EncodeToString(n.Author[:]), Item: hex.EncodeToString(n.Item[:]), Report: n.Report.String(),
				Operation: n.Operation, Sig: hex.EncodeToString(n.Sig[:]),
			},
		}
		for i, o := range n.Options {
			x.Places = append(x.Places, options[i].Place)
			x.Fields.Options = append(x.Fields.Options, noteOptionHex{o.Operation, hex.EncodeToString(o.Place[:])})
		}
		v.Notes = append(v.Notes, x)
	}
	add("of an intake", "gate", w.intake, w.options("10"))
	add("of a report", "drill-a", w.report, w.options("20"))
	add("of a report with six options: 128 bytes", "press", w.wide, w.options("30", "31", "32", "33", "34", "35"))
	v.Refused = w.refused(t)
	return v
}

func (w *noteWorld) refused(t testing.TB) (out []refusedNoteVector) {
	good := w.note(t, "drill-a", noteTag, w.report).Raw()
	item := w.intake.ID().String()
	add := func(why string, f NoteFault, raw []byte) {
		out = append(out, refusedNoteVector{Why: why, Fault: f, Tag: noteTag, Item: item, Raw: hex.EncodeToString(raw)})
	}
	set := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	add("the last byte is missing", NoteTruncated, good[:len(good)-1])
	add("the signature is missing", NoteTruncated, good[:noteHead+noteOption])
	add("one byte", NoteTruncated, good[:1])
	add("a byte after the end", NoteMalformed, append(bytes.Clone(good), 0))
	add("version 2", NoteVersion, set(0, 0x21))
	add("no option", NoteMalformed, append(bytes.Clone(good[:noteHead]), good[noteHead+noteOption:]...))
	out[len(out)-1].Raw = hex.EncodeToString(append([]byte{0x10}, append(bytes.Clone(good[1:noteHead]), good[noteHead+noteOption:]...)...))
	add("seven options", NoteMalformed, set(0, 0x17))
	add("an operation that no routing has", NoteMalformed, set(45, 64))
	add("an option that no routing has", NoteMalformed, set(46, 64))
	add("it offers what it reports", NoteMalformed, set(46, 0))
	add("no report", NoteMalformed, append(append(bytes.Clone(good[:13]), make([]byte, 32)...), good[45:]...))
	add("an intake that is not its item", NoteMalformed, set(45, 255))
	wide := w.note(t, "press", noteTag, w.wide).Raw()
	swapped := bytes.Clone(wide)
	copy(swapped[46:49], wide[49:52])
	copy(swapped[49:52], wide[46:49])
	add("options out of order", NoteMalformed, swapped)
	add("one bit of the report flipped", NoteSignature, set(13, good[13]^1))
	add("one bit of the signature flipped", NoteSignature, set(len(good)-1, good[len(good)-1]^1))
	add("an author whom nobody knows", NoteAuthor, set(1, good[1]^1))
	add("of another item", NoteOtherItem, set(5, good[5]^1))
	both := set(1, good[1]^1)
	both[5] ^= 1
	add("neither author nor item are known", NoteNetwork, both)
	add("written for another tag of the item", NoteOtherTag, w.note(t, "drill-a", "E2801160", w.report).Raw())
	add("written for a tag that nobody knows", NoteSignature, w.note(t, "drill-a", "E2801161", w.report).Raw())
	other, err := NewNote(NetworkID{1}, plantSigner("drill-a"), noteTag, w.report, w.routing)
	mustNot(t, err)
	add("signed for another network", NoteSignature, other.Raw())
	return out
}

// TestNoteVectors holds the program to the notes committed.
func TestNoteVectors(t *testing.T) {
	w := newNoteWorld(t)
	v := w.vectors(t)
	compareVectors(t, "vectors-note.json", v)
	r := w.p.reg.Current()
	seeds := map[string][]byte{}
	for i, x := range v.Notes {
		raw := unhexed(t, x.Raw)
		n, err := ParseNote(raw)
		mustNot(t, err)
		h, err := VerifyNote(w.p.net, r, n, noteTag, []Item{w.item()}, nil)
		if err != nil || h.Author.ID != plantID(x.Author) || h.Item.String() != x.Item {
			t.Errorf("%s: %+v, %v", x.Name, h, err)
		}
		seeds[fmt.Sprintf("good-%02d", i)] = raw
	}
	for i, x := range v.Refused {
		raw := unhexed(t, x.Raw)
		n, err := ParseNote(raw)
		if err == nil {
			_, err = VerifyNote(w.p.net, r, n, x.Tag, []Item{w.item()}, nil)
		}
		var f *NoteError
		if !errors.As(err, &f) || f.Fault != x.Fault || f.Detail == "" || f.Remedy() == "" {
			t.Errorf("%s: %v, want %s", x.Why, err, x.Fault)
		}
		seeds[fmt.Sprintf("refused-%02d", i)] = raw
	}
	if n := len(unhexed(t, v.Notes[2].Raw)); n != MaxHandoff {
		t.Errorf("the largest note has %d bytes", n)
	}
	for name, raw := range seeds {
		path, want := filepath.Join("testdata", "fuzz", "FuzzParseNote", name), fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", raw)
		if *updateVectors {
			mustNot(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(want), 0o644)))
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not the vector's: %v", path, err)
		}
	}
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	mustNot(t, err)
	return raw
}

func FuzzParseNote(f *testing.F) {
	w := newNoteWorld(f)
	r, it := w.p.reg.Current(), w.item()
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := ParseNote(raw)
		if err != nil {
			var fault *NoteError
			if !errors.As(err, &fault) || fault.Detail == "" {
				t.Errorf("refused without saying why: %v", err)
			}
			return
		}
		sameBytes(t, raw, n.Raw(), append(n.signed(), n.Sig[:]...))
		if len(raw) > MaxHandoff {
			t.Errorf("a note of %d bytes", len(raw))
		}
		h, err := VerifyNote(w.p.net, r, n, noteTag, []Item{it}, nil)
		if err == nil {
			_, _ = h.Node(it, Order{Routing: w.routing}, r)
		}
		h = Handover{Note: n, Item: it.ID, Tag: noteTag} // what would come of it were it signed
		if node, err := h.Node(it, Order{Routing: w.routing}, r); err == nil && (len(node.State.Options) != len(n.Options) || len(node.Noted) == 0) {
			t.Errorf("node %+v", node)
		}
		_ = n.Disagrees(w.report, w.routing)
	})
}
