package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

// readNote reads a hand-off note by the table of PROTOCOL.md §16.
func readNote(raw []byte) (object, error) {
	if len(raw) < 110 || raw[0]>>4 != 1 {
		return nil, fmt.Errorf("%d bytes, or not version 1", len(raw))
	}
	n := int(raw[0] & 15)
	if n < 1 || n > 6 || len(raw) != 110+3*n {
		return nil, fmt.Errorf("%d bytes with %d options", len(raw), n)
	}
	item, report, operation := raw[5:13], raw[13:45], raw[45]
	switch {
	case bytes.Equal(report, make([]byte, 32)):
		return nil, fmt.Errorf("no report")
	case operation > 63 && operation != 255:
		return nil, fmt.Errorf("operation %d", operation)
	case operation == 255 && !bytes.HasPrefix(report, item):
		return nil, fmt.Errorf("an intake of another item")
	}
	var options []any
	for i := range n {
		o := raw[46+3*i:]
		if o[0] > 63 || o[0] == operation || i > 0 && o[0] <= raw[46+3*(i-1)] {
			return nil, fmt.Errorf("option %d is operation %d", i, o[0])
		}
		options = append(options, object{"operation": int64(o[0]), "place": hex.EncodeToString(o[1:3])})
	}
	return object{
		"version": int64(1), "author": hex.EncodeToString(raw[1:5]), "item": hex.EncodeToString(item), "report": hex.EncodeToString(report),
		"operation": int64(operation), "options": options, "sig": hex.EncodeToString(raw[46+3*n:]),
	}, nil
}

// noteDigest is what the author of a note signs.
func (s *second) noteDigest(raw []byte, x object) []byte {
	return hashOf("traveler/1/note/1", s.network, writeCBOR([]any{raw[:len(raw)-64], s.bytes(x["item"]), x["tag"].(string)}))
}

// TestSecondReaderNotes holds the second reader to the notes and to what is none.
func TestSecondReaderNotes(t *testing.T) {
	s, v := newSecond(t)
	authors := map[any]object{}
	for _, k := range v["keys"].([]any) {
		authors[k.(object)["name"]] = k.(object)
	}
	notes := readJSON(t, "testdata/vectors-note.json").(object)
	for _, x := range notes["notes"].([]any) {
		x := x.(object)
		raw := s.bytes(x["raw"])
		f, err := readNote(raw)
		if err != nil {
			t.Errorf("%s: %v", x["name"], err)
			continue
		}
		s.compare("note", any(f), x["fields"])
		d := s.noteDigest(raw, x)
		s.equal(x["signed"], hex.EncodeToString(d), "%s: digest", x["name"])
		key := authors[x["author"]]
		s.equal(f["author"], key["key_id"].(string)[:8], "%s: author", x["name"])
		if !s.verify(key["key_id"], d, f["sig"]) {
			t.Errorf("%s: signature", x["name"])
		}
		for i, place := range x["places"].([]any) {
			h := sha256.Sum256([]byte(place.(string)))
			s.equal(f["options"].([]any)[i].(object)["place"], hex.EncodeToString(h[:2]), "%s: place %s", x["name"], place)
		}
	}
	form := map[any]bool{"truncated": true, "malformed": true, "version": true}
	for _, x := range notes["refused"].([]any) {
		x := x.(object)
		raw := s.bytes(x["raw"])
		f, err := readNote(raw)
		if form[x["fault"]] {
			if err == nil {
				t.Errorf("%s: taken", x["why"])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: refused by its form: %v", x["why"], err)
			continue
		}
		if s.signedNote(f, raw, x) {
			t.Errorf("%s: taken", x["why"])
		}
	}
}

// signedNote reports whether a gateway that fits has signed a note of this item
// for this tag.
func (s *second) signedNote(f, raw any, x object) bool {
	note := f.(object)
	if note["item"] != x["item"].(string)[:16] {
		return false
	}
	d := s.noteDigest(raw.([]byte), x)
	for id, key := range s.keys {
		public, is := key.(ed25519.PublicKey)
		if is && id[:8] == note["author"] && ed25519.Verify(public, d, s.bytes(note["sig"])) {
			return true
		}
	}
	return false
}
