// Package orderfile reads and writes work orders as TOML files: what a planner
// writes by hand and `traveler order add` signs.
//
//	id       = "WO-2041"
//	product  = "bracket"
//	design   = "drawing 117, revision C"
//	document = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//	quantity = 20
//	replaces = "WO-2040"
//
//	[[operation]]
//	id     = "drill"
//	task   = "drill-4-holes"
//	place  = "drill-1"          # a station or a work centre
//	dwell  = "2s"
//	limits = [{ name = "bore", min = "11.98 mm", max = "12.03 mm", on_fail = "return" }]
//
//	[[operation]]
//	id      = "assemble"
//	task    = "screw-together"
//	place   = "assembly"
//	needs   = ["drill"]
//	inputs  = [{ product = "bolt", count = 4 }]
//	signers = 1
//
// Numbers never pass through floating point: 12.03 is 1203 hundredths. A unit
// stands behind the number in a string, or in unit. Limits named weight are
// in g, mg or kg and become whole mg.
//
// Reading is strict: an unknown key is an error, in another case too, and every
// error says file, line and column.
package orderfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"traveler.example/ledger"
)

// MaxSize is the largest order file in bytes; the order itself must fit
// ledger.MaxTx.
const MaxSize = 64 << 10

// File is an order file that was read.
type File struct {
	Order    ledger.Order // Replaces is set where the file names a transaction
	Replaces string       // id of the order that it takes the place of, to be looked up; empty for none
}

// Parse reads an order that names no other order by its id: what it replaces, if
// anything, is named by the 64 hexadecimal digits of the order's transaction.
// The errors are those of Read.
func Parse(name string, data []byte) (ledger.Order, error) {
	f, err := Read(name, data)
	if err != nil {
		return ledger.Order{}, err
	}
	if f.Replaces != "" {
		return ledger.Order{}, newDocument(name, data).fail("replaces", "",
			"replaces = %q: only the order's transaction (64 hexadecimal digits) can be named here", f.Replaces)
	}
	return f.Order, nil
}

// Read reads an order file. name is the file's name in errors, which are of type
// *Error. The order is complete and of valid form, except that Replaces is left
// zero where the file names the replaced order by id.
func Read(name string, data []byte) (File, error) {
	if len(data) > MaxSize {
		return File{}, &Error{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("the file has %d bytes, an order file at most %d", len(data), MaxSize)}
	}
	doc := newDocument(name, data)
	var w orderText
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().EnableUnmarshalerInterface()
	if err := dec.Decode(&w); err != nil {
		return File{}, doc.decodeError(err)
	}
	if err := doc.checkCase(); err != nil {
		return File{}, err
	}
	return doc.order(w)
}

// orderText is the file as it is written.
type orderText struct {
	ID         string          `toml:"id"`
	Product    string          `toml:"product"`
	Design     string          `toml:"design"`
	Document   string          `toml:"document"`
	Quantity   int64           `toml:"quantity"`
	Replaces   string          `toml:"replaces"`
	Operations []operationText `toml:"operation"`
}

type operationText struct {
	ID         string      `toml:"id"`
	Task       string      `toml:"task"`
	Place      string      `toml:"place"`
	Needs      []string    `toml:"needs"`
	Inputs     []inputText `toml:"inputs"`
	Limits     []limitText `toml:"limits"`
	MaxReturns *int64      `toml:"max_returns"`
	Dwell      string      `toml:"dwell"`
	Signers    int64       `toml:"signers"`
	ConsumedBy string      `toml:"consumed_by"`
}

type inputText struct {
	Product string `toml:"product"`
	Count   *int64 `toml:"count"`
}

type limitText struct {
	Name   string  `toml:"name"`
	Min    literal `toml:"min"`
	Max    literal `toml:"max"`
	Unit   string  `toml:"unit"`
	OnFail string  `toml:"on_fail"`
}

// defaultMaxReturns holds where an operation says nothing.
const defaultMaxReturns = 1

func (d document) order(w orderText) (File, error) {
	f := File{Order: ledger.Order{ID: w.ID, Product: w.Product, Design: w.Design, Quantity: w.Quantity}}
	if w.Document != "" {
		if err := f.Order.Document.UnmarshalText([]byte(w.Document)); err != nil {
			return File{}, d.fail("document", "", "document = %.80q: the SHA-256 of the design document is 64 hexadecimal digits", w.Document)
		}
	}
	if h, err := ledger.ParseHash(w.Replaces); err == nil {
		f.Order.Replaces = h
	} else if f.Replaces = w.Replaces; f.Replaces != "" {
		if err := ledger.CheckID(f.Replaces); err != nil {
			return File{}, d.fail("replaces", "", "replaces = %.80q: is no id of an order", f.Replaces)
		}
	}
	for i, t := range w.Operations {
		op, err := d.operation(fmt.Sprintf("operation[%d]", i), t)
		if err != nil {
			return File{}, err
		}
		f.Order.Routing = append(f.Order.Routing, op)
	}
	return f, d.check(f.Order)
}

func (d document) operation(at string, t operationText) (ledger.Operation, error) {
	op := ledger.Operation{ID: t.ID, Task: t.Task, Place: t.Place, ConsumedBy: t.ConsumedBy, MaxReturns: defaultMaxReturns}
	if len(t.Needs) > 0 {
		op.Needs = t.Needs
	}
	var err error
	if t.MaxReturns != nil {
		if op.MaxReturns, err = d.small(at+".max_returns", *t.MaxReturns, ledger.MaxReturnsLimit); err != nil {
			return op, err
		}
	}
	if op.Signers, err = d.small(at+".signers", t.Signers, ledger.MaxOperators); err != nil {
		return op, err
	}
	if op.Dwell, err = d.duration(at+".dwell", t.Dwell); err != nil {
		return op, err
	}
	for j, in := range t.Inputs {
		need := ledger.Need{Product: in.Product, Count: 1}
		if in.Count != nil {
			need.Count = *in.Count
		}
		if need.Count < 1 || need.Count > ledger.MaxInputs {
			field := fmt.Sprintf("%s.inputs[%d].count", at, j)
			return op, d.fail(field, "", "%s = %d: lies outside 1…%d", field, need.Count, ledger.MaxInputs)
		}
		op.Inputs = append(op.Inputs, need)
	}
	for j, l := range t.Limits {
		limit, err := d.limit(fmt.Sprintf("%s.limits[%d]", at, j), l)
		if err != nil {
			return op, err
		}
		op.Limits = append(op.Limits, limit)
	}
	return op, nil
}

func (d document) small(field string, n int64, most uint8) (uint8, error) {
	if n < 0 || n > int64(most) {
		return 0, d.fail(field, "", "%s = %d: lies outside 0…%d", field, n, most)
	}
	return uint8(n), nil
}

// duration reads a dwell in whole milliseconds.
func (d document) duration(field, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	dur, err := time.ParseDuration(s)
	if err != nil || dur%time.Millisecond != 0 || dur < 0 || dur.Milliseconds() > ledger.MaxDwell {
		return 0, d.fail(field, "", `%s = %.80q: is a time from 0s to 24h in whole milliseconds, such as "2s" or "1m30s"`, field, s)
	}
	return dur.Milliseconds(), nil
}

// check holds the order to the form that the ledger asks for.
func (d document) check(o ledger.Order) error {
	if len(o.Routing) == 0 {
		return d.fail("", "", "no [[operation]]: an order has at least one operation")
	}
	_, err := ledger.NewTx(ledger.NetworkID{}, ledger.Tx{Sender: ledger.KeyID{1}, Body: o})
	if err == nil {
		return nil
	}
	var fe *ledger.FieldError
	if !errors.As(err, &fe) || fe.Object != "order" {
		return d.fail("", "", "the order is refused: %v", err)
	}
	field := strings.Replace(fe.Field, "routing", "operation", 1)
	message := field
	if fe.Value != "" {
		message += " = " + fe.Value
	}
	return d.fail(field, nearestOperation(field, fe.Value, o), "%s: %s", message, fe.Rule)
}

// nearestOperation is the hint for a need that no operation has as its id.
func nearestOperation(field, value string, o ledger.Order) string {
	if !strings.Contains(field, ".needs[") {
		return ""
	}
	ids := make([]string, 0, len(o.Routing))
	for _, op := range o.Routing {
		ids = append(ids, op.ID)
	}
	word := strings.Trim(value, `"`)
	if near := nearest(word, ids); near != word {
		return near
	}
	return ""
}
