package epc_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"traveler.example/drivers/epc"
)

// Whatever bytes a tag holds: no panic, and what is taken is written as it was
// read, and has names that lead back to it.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		raw, _ := hex.DecodeString(v.hex)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tag, err := epc.Decode(b)
		if err != nil {
			if tag != (epc.Tag{}) {
				t.Fatalf("%v beside %v", tag, err)
			}
			return
		}
		if again := tag.Bytes(); !bytes.HasPrefix(again, b) || strings.Trim(string(again[len(b):]), "\x00") != "" {
			t.Fatalf("%X is written as %X", b, again)
		}
		checkRoundTrip(t, tag)
	})
}

// Whatever a text is: no panic, and what is taken is written as it was read, but
// for the case of hexadecimal digits.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add("urn:epc:tag:"+v.tag, 7)
		f.Add("urn:epc:id:"+v.identity, 7)
		f.Add(v.elements, 7)
		f.Add("https://example.com/"+v.link, 12)
	}
	f.Fuzz(func(t *testing.T, text string, prefix int) {
		if tag, err := epc.ParseTag(text); err == nil {
			if !strings.EqualFold(tag.String(), text) {
				t.Fatalf("%q is written as %q", text, tag)
			}
			checkRoundTrip(t, tag)
		}
		if id, err := epc.ParseIdentity(text); err == nil {
			if !strings.EqualFold(id.String(), text) {
				t.Fatalf("%q is written as %q", text, id)
			}
			checkIdentity(t, id)
		}
		if id, err := epc.ParseElements(text, prefix); err == nil {
			checkIdentity(t, id)
		}
		if id, err := epc.ParseDigitalLink(text, prefix); err == nil {
			checkIdentity(t, id)
		}
		_, _ = epc.FromBank([]byte(text))
	})
}

func checkIdentity(t *testing.T, id epc.Identity) {
	t.Helper()
	tag, err := id.Tag(0)
	if err != nil {
		t.Fatalf("%v has no coding: %v", id, err)
	}
	checkRoundTrip(t, tag)
}
