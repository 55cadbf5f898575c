package plant

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

const majorArray = 4

// mObject is an object of PROTOCOL.md §4 by the names of its fields: int64,
// string (text and byte strings alike), []any and mObject. What is absent is
// absent here, too.
type mObject map[string]any

func (o mObject) num(name string) int64      { v, _ := o[name].(int64); return v }
func (o mObject) str(name string) string     { v, _ := o[name].(string); return v }
func (o mObject) obj(name string) mObject    { v, _ := o[name].(mObject); return v }
func (o mObject) has(name string) bool       { _, ok := o[name]; return ok }
func (o mObject) objs(name string) []mObject { return listOf[mObject](o, name) }
func (o mObject) strs(name string) []string  { return listOf[string](o, name) }

func listOf[T any](o mObject, name string) []T {
	list, _ := o[name].([]any)
	out := make([]T, 0, len(list))
	for _, v := range list {
		out = append(out, v.(T))
	}
	return out
}

func sha(b []byte) [32]byte { return sha256.Sum256(b) }

// modelDigest is digest(label, parts) of §2, as a string of 32 bytes.
func (m *Model) digest(label string, parts ...[]byte) string {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(m.net[:])
	for _, p := range parts {
		h.Write(p)
	}
	return string(h.Sum(nil))
}

// modelCBOR is what reading and writing needs, made once.
type modelCBOR struct {
	dec   cbor.DecMode
	enc   cbor.EncMode
	forms map[string]*mForm
}

var modelCodec = sync.OnceValue(func() modelCBOR {
	dec, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 8, IntDec: cbor.IntDecConvertNone, UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return modelCBOR{dec, enc, readModelForms()}
})

// readObject reads the canonical bytes of an object of the form named.
func readObject(form string, raw []byte, most int) (mObject, error) {
	if len(raw) > most {
		return nil, fmt.Errorf("%s of %d bytes, at most %d: %w", form, len(raw), most, errModelForm)
	}
	c := modelCodec()
	var v any
	if err := c.dec.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("%s: %w", form, err)
	}
	again, err := c.enc.Marshal(v)
	if err != nil || !bytes.Equal(raw, again) {
		return nil, fmt.Errorf("%s is not canonical: %w", form, errModelForm)
	}
	return c.object(form, v)
}

func (c modelCBOR) object(name string, v any) (mObject, error) {
	form := c.forms[name]
	got := map[int64]any{}
	switch v := v.(type) {
	case []any:
		if !form.array {
			return nil, fmt.Errorf("%s is an array: %w", name, errModelForm)
		}
		for i, e := range v {
			got[int64(i)] = e
		}
	case map[any]any:
		if form.array {
			return nil, fmt.Errorf("%s is a map: %w", name, errModelForm)
		}
		for k, e := range v {
			key, ok := k.(uint64)
			if !ok {
				return nil, fmt.Errorf("%s has a key %v: %w", name, k, errModelForm)
			}
			got[int64(key)] = e
		}
	default:
		return nil, fmt.Errorf("%s is a %T: %w", name, v, errModelForm)
	}
	o := mObject{}
	for _, f := range form.fields {
		e, present := got[f.key]
		if delete(got, f.key); !present {
			if f.always {
				return nil, fmt.Errorf("%s has no %s: %w", name, f.name, errModelForm)
			}
			continue
		}
		value, err := c.field(f, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, f.name, err)
		}
		o[f.name] = value
	}
	if len(got) > 0 {
		return nil, fmt.Errorf("%s has unknown fields: %w", name, errModelForm)
	}
	return o, checkObject(name, o)
}

func (c modelCBOR) field(f mField, v any) (any, error) {
	value, err := c.value(f.typ, v)
	if err != nil {
		return nil, err
	}
	mayBeZero := f.always && f.typ != "hash" && !f.nonzero
	if !mayBeZero && modelZero(f.typ, value) {
		return nil, fmt.Errorf("is zero: %w", errModelForm)
	}
	size := int64(0)
	switch value := value.(type) {
	case int64:
		size = value
	case string:
		size = int64(len(value))
	case []any:
		size = int64(len(value))
		if err := f.order(value); err != nil {
			return nil, err
		}
	}
	if f.bounded && (size < f.least || size > f.most) {
		return nil, fmt.Errorf("%d is not within %d to %d: %w", size, f.least, f.most, errModelForm)
	}
	return value, nil
}

// order checks "asc" and "distinct" of a list, and that no member is zero where
// that is said.
func (f mField) order(list []any) error {
	seen := map[string]bool{}
	last := ""
	for i, e := range list {
		key, _ := e.(string)
		if o, ok := e.(mObject); ok && f.by != "" {
			key = o.str(f.by)
		}
		if f.asc != "" && i > 0 && key <= last || f.distinct != "" && seen[key] || f.nonzero && modelZero("keyid", e) {
			return fmt.Errorf("member %d: %w", i, errModelForm)
		}
		seen[key], last = true, key
	}
	return nil
}

func modelZero(typ string, v any) bool {
	switch v := v.(type) {
	case int64:
		return v == 0
	case string:
		if typ == "hash" || typ == "keyid" {
			v = strings.Trim(v, "\x00")
		}
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}

var modelSizes = map[string]int{"hash": 32, "keyid": 16, "nonce": 16}

func (c modelCBOR) value(typ string, v any) (any, error) {
	wrong := fmt.Errorf("%T is no %s: %w", v, typ, errModelForm)
	if of, ok := strings.CutPrefix(typ, "list:"); ok {
		list, ok := v.([]any)
		if !ok {
			return nil, wrong
		}
		out := make([]any, 0, len(list))
		for i, e := range list {
			value, err := c.value(of, e)
			if err != nil {
				return nil, fmt.Errorf("member %d: %w", i, err)
			}
			if of == "hash" && modelZero(of, value) {
				return nil, fmt.Errorf("member %d is zero: %w", i, errModelForm)
			}
			out = append(out, value)
		}
		return out, nil
	}
	switch typ {
	case "uint", "int":
		switch v := v.(type) {
		case uint64:
			if v < 1<<63 {
				return int64(v), nil
			}
		case int64:
			if typ == "int" {
				return v, nil
			}
		}
		return nil, wrong
	case "bytes", "hash", "keyid", "nonce":
		b, ok := v.([]byte)
		if size := modelSizes[typ]; !ok || size != 0 && len(b) != size {
			return nil, wrong
		}
		return string(b), nil
	case "text", "id", "name":
		s, ok := v.(string)
		if !ok || !modelText(typ, s) {
			return nil, wrong
		}
		return s, nil
	}
	return c.object(typ, v)
}

func modelText(typ, s string) bool {
	if typ == "text" {
		return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r <= 0x9f })
	}
	most := map[string]int{"id": 96, "name": 64}[typ]
	return s != "" && len(s) <= most &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'`<>\\", r) })
}

// without returns the canonical bytes of a map with one field absent.
func without(raw []byte, key uint64) []byte {
	c := modelCodec()
	var v map[uint64]cbor.RawMessage
	if err := c.dec.Unmarshal(raw, &v); err != nil {
		panic(err) // it was read before
	}
	delete(v, key)
	out, err := c.enc.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}
