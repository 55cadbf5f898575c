package drivers_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"traveler.example/drivers"
)

func TestNewCode(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"4006381333931", "4006381333931"},
		{"abC-12/x.y:z", "abC-12/x.y:z"},
		{"0000", "0000"},
		{"04A1B2C3D4E580", "04A1B2C3D4E580"},
		{"LOT 42", "LOT%2042"},
		{"50%", "50%25"},
		{"50%25", "50%2525"},
		{`a"'` + "`" + `<>\`, "a%22%27%60%3C%3E%5C"},
		{"Ölfaß", "%C3%96lfa%C3%9F"},
		{"0104012345678901\x1d10AB", "0104012345678901%1D10AB"},
		{strings.Repeat("x", drivers.MaxCode), strings.Repeat("x", drivers.MaxCode)},
		{strings.Repeat("x", drivers.MaxCode+1), ""},
		{strings.Repeat("x", drivers.MaxCode-1) + " ", ""},
		{"", ""},
		{"a\tb", ""},
		{"a\x7f", ""},
		{"a\u0085", ""},
		{"a\xff", ""},
	} {
		tag, err := drivers.NewCode(tt.text)
		if tag.ID != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, drivers.ErrTagID) {
			t.Errorf("NewCode(%q) = %q, %v; want %q", tt.text, tag.ID, err, tt.want)
		}
		if err == nil && tag.Technology != drivers.Code {
			t.Errorf("NewCode(%q) is of technology %q", tt.text, tag.Technology)
		}
	}
}

// What a code becomes is what a ledger takes as an id, and leads back to the text.
func FuzzNewCode(f *testing.F) {
	for _, seed := range []string{"4006381333931", "LOT 42%", "ß\x1d", "\xff", "\x00", strings.Repeat("é", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tag, err := drivers.NewCode(text)
		if err != nil {
			return
		}
		if len(tag.ID) == 0 || len(tag.ID) > drivers.MaxCode {
			t.Fatalf("identifier of %d characters", len(tag.ID))
		}
		for _, c := range []byte(tag.ID) {
			if c <= ' ' || c >= 0x7F || strings.IndexByte("\"'`<>\\", c) >= 0 {
				t.Fatalf("%q has %q in it", tag.ID, c)
			}
		}
		if back, err := url.PathUnescape(tag.ID); err != nil || back != text {
			t.Errorf("%q became %q, which is %q, %v", text, tag.ID, back, err)
		}
	})
}
