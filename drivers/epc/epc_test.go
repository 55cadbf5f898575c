package epc_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"traveler.example/drivers/epc"
)

// shape is what a coding holds, written down apart from the package: for company
// prefixes of 12 to 6 digits, how long references and serial numbers are.
type shape struct {
	coding     epc.Coding
	references [7]int
	numbers    bool   // references have no leading zeros
	texts      int    // references are characters, as the longest for each prefix; 0: digits
	greatest   uint64 // serial number; 0: characters or none
	characters int    // of a serial number; 0: a number or none
}

var (
	items     = [7]int{1, 2, 3, 4, 5, 6, 7}
	units     = [7]int{5, 6, 7, 8, 9, 10, 11}
	places    = [7]int{0, 1, 2, 3, 4, 5, 6}
	assets    = [7]int{13, 14, 15, 16, 17, 18, 19}
	longest   = [7]int{18, 19, 20, 21, 22, 23, 24}
	parts     = [7]int{3, 4, 5, 6, 7, 8, 9}
	assetTops = [7]uint64{1<<42 - 1, 1<<45 - 1, 1<<48 - 1, 1<<52 - 1, 1<<55 - 1, 1<<58 - 1, 1<<62 - 1}

	shapes = []shape{
		{coding: epc.SGTIN96, references: items, greatest: 274877906943},
		{coding: epc.SGTIN198, references: items, characters: 20},
		{coding: epc.SSCC96, references: units},
		{coding: epc.SGLN96, references: places, greatest: 2199023255551},
		{coding: epc.SGLN195, references: places, characters: 20},
		{coding: epc.GRAI96, references: places, greatest: 274877906943},
		{coding: epc.GRAI170, references: places, characters: 16},
		{coding: epc.GIAI96, references: assets, numbers: true},
		{coding: epc.GIAI202, references: longest, texts: 1},
		{coding: epc.GDTI96, references: places, greatest: 2199023255551},
		{coding: epc.GDTI174, references: places, characters: 17},
		{coding: epc.GSRN96, references: units},
		{coding: epc.CPI96, references: parts, numbers: true, greatest: 2147483647},
	}
)

const charset = `!"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz`

func pick(r *rand.Rand, from string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[r.IntN(len(from))]
	}
	return string(b)
}

// reference makes one of the length, shorter lengths where they are allowed, and
// now and then the greatest.
func (s shape) reference(r *rand.Rand, partition int) string {
	n := s.references[partition]
	switch {
	case s.texts > 0:
		return pick(r, charset, 1+r.IntN(n))
	case s.coding == epc.GIAI96:
		top := assetTops[partition]
		return fmt.Sprint([]uint64{0, 1, top, r.Uint64N(top)}[r.IntN(4)])
	case s.numbers:
		return strings.TrimLeft(pick(r, "0123456789", r.IntN(n)), "0") + pick(r, "123456789", 1)
	}
	return []string{pick(r, "0123456789", n), strings.Repeat("0", n), strings.Repeat("9", n)}[r.IntN(3)]
}

func (s shape) serial(r *rand.Rand) string {
	switch {
	case s.greatest > 0:
		return fmt.Sprint([]uint64{0, 1, s.greatest, r.Uint64N(s.greatest)}[r.IntN(4)])
	case s.characters > 0:
		return pick(r, charset, 1+r.IntN(s.characters))
	}
	return ""
}

// Whatever a coding can hold comes back from bytes, URIs, elements and links.
func TestRoundTrips(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		for partition := range 7 {
			for range 100 {
				prefix := pick(r, "0123456789", 12-partition)
				id, err := epc.New(s.coding.Scheme(), prefix, s.reference(r, partition), s.serial(r))
				if err != nil {
					t.Fatalf("%v: %v", s.coding, err)
				}
				tag, err := epc.NewTag(s.coding, uint8(r.IntN(8)), id)
				if err != nil {
					t.Fatalf("%v: %v", s.coding, err)
				}
				if got := tag.Bytes()[1] >> 2 & 7; int(got) != partition || tag.Bytes()[1]>>5 != tag.Filter() {
					t.Fatalf("%v: filter and partition %08b, want partition %d", tag, tag.Bytes()[1], partition)
				}
				checkRoundTrip(t, tag)
			}
		}
	}
}

func TestRoundTripsOfGID(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		id, err := epc.New(epc.GID, fmt.Sprint(r.Uint64N(1<<28)), fmt.Sprint(r.Uint64N(1<<24)), fmt.Sprint(r.Uint64N(1<<36)))
		if err != nil {
			t.Fatal(err)
		}
		tag, err := id.Tag(0)
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, tag)
	}
}

func checkRoundTrip(t *testing.T, tag epc.Tag) {
	t.Helper()
	id := tag.Identity()
	if got, err := epc.Decode(tag.Bytes()); got != tag || err != nil {
		t.Fatalf("%v is %X on a tag, read as %v, %v", tag, tag.Bytes(), got, err)
	}
	if got, err := epc.ParseTag(tag.String()); got != tag || err != nil {
		t.Fatalf("%v is read as %v, %v", tag, got, err)
	}
	if got, err := epc.ParseIdentity(id.String()); got != id || err != nil {
		t.Fatalf("%v is read as %v, %v", id, got, err)
	}
	elements, ok := id.Elements()
	if !ok {
		return
	}
	if got, err := epc.ParseElements(elements, len(id.Prefix())); got != id || err != nil {
		t.Fatalf("%s of %v is read as %v, %v", elements, id, got, err)
	}
	link, _ := id.DigitalLink("https://example.com/a/path/")
	if got, err := epc.ParseDigitalLink(link, len(id.Prefix())); got != id || err != nil {
		t.Fatalf("%s of %v is read as %v, %v", link, id, got, err)
	}
}

// fault is a *FieldError of a field, or ErrUnknown where field is "".
func fault(err error, field string) bool {
	var f *epc.FieldError
	if field == "" {
		return errors.Is(err, epc.ErrUnknown)
	}
	return errors.As(err, &f) && f.Field == field && f.Rule != ""
}

func TestDecodeRefuses(t *testing.T) {
	for hexadecimal, field := range map[string]string{
		"":                                                   "",
		"00000000000000000000":                               "",
		"F7000000000000000000000000":                         "",
		"2F020393941424800000007B":                           "", // USDOD-96
		"3074257BF7194E4000001A":                             "EPC",
		"3074257BF7194E4000001A8500":                         "EPC",
		"307C257BF7194E4000001A85":                           "partition",
		"3057FFFFFF194E4000001A85":                           "company prefix", // 2^24-1 in 7 digits
		"3074257BF7FFFFC000001A85":                           "indicator and item reference",
		"3174257BF4499602D2000001":                           "EPC", // bits behind the last field
		"3174257BF7FFFFFFFF000000":                           "extension digit and serial reference",
		"320039318D84030000000001":                           "location reference",          // 1 behind a prefix of 12 digits
		"3C20000000001FA000000000":                           "component or part reference", // 2045 in 3 digits
		"3674257BF6B7A659B2C2BF1000000000000000000000000001": "EPC",
		"3674257BF6B7A659B2C2BF1000000000000000000000000400": "serial number", // a character behind the end
		"3674257BF6B7800000000000000000000000000000000000":   "EPC",           // too short
		"3674257BF6B780000000000000000000000000000000000000": "serial number", // empty
		"3674257BF6B7810000000000000000000000000000000000":   "EPC",
		"3674257BF6B788000000000000000000000000000000000000": "serial number", // a space
	} {
		raw, err := hex.DecodeString(hexadecimal)
		if err != nil {
			t.Fatal(err)
		}
		if tag, err := epc.Decode(raw); !fault(err, field) || tag != (epc.Tag{}) {
			t.Errorf("%s: %v, %v; want an error of %q", hexadecimal, tag, err, field)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		scheme                    epc.Scheme
		prefix, reference, serial string
		field                     string
	}{
		{0, "0614141", "1", "1", ""},
		{epc.SGTIN, "06141", "81234567", "1", "company prefix"},
		{epc.SGTIN, "0614141234567", "", "1", "company prefix"},
		{epc.SGTIN, "06141x1", "812345", "1", "company prefix"},
		{epc.SGTIN, "0614141", "81234", "1", "indicator and item reference"},
		{epc.SGTIN, "0614141", "812345", "", "serial number"},
		{epc.SGTIN, "0614141", "812345", "a b", "serial number"},
		{epc.SGTIN, "0614141", "812345", "a#b", "serial number"},
		{epc.SGTIN, "0614141", "812345", "ü", "serial number"},
		{epc.SGTIN, "0614141", "812345", strings.Repeat("1", 21), "serial number"},
		{epc.SSCC, "0614141", "1234567890", "1", "serial number"},
		{epc.SGLN, "061414112345", "0", "1", "location reference"},
		{epc.GIAI, "0614141", "", "", "asset reference"},
		{epc.GIAI, "0614141", strings.Repeat("a", 24), "", "asset reference"},
		{epc.CPI, "0614141", "12A", "1", "component or part reference"},
		{epc.CPI, "0614141", "012", "1", "component or part reference"},
		{epc.CPI, "0614141", "123456789", "1", "component or part reference"},
		{epc.CPI, "0614141", "12", "2147483648", "serial number"},
		{epc.CPI, "0614141", "12", "99999999999999999999999", "serial number"},
		{epc.GID, "268435456", "1", "1", "manager number"},
		{epc.GID, "1", "16777216", "1", "object class"},
		{epc.GID, "1", "1", "01", "serial number"},
	} {
		if id, err := epc.New(tt.scheme, tt.prefix, tt.reference, tt.serial); !fault(err, tt.field) || id != (epc.Identity{}) {
			t.Errorf("%+v: %v, %v", tt, id, err)
		}
	}
}

// A serial number keeps its leading zeros in the long coding, and only there.
func TestCodingIsChosen(t *testing.T) {
	for serial, want := range map[string]epc.Coding{
		"0": epc.SGTIN96, "274877906943": epc.SGTIN96, "274877906944": epc.SGTIN198,
		"00": epc.SGTIN198, "0123": epc.SGTIN198, "a": epc.SGTIN198,
	} {
		id, err := epc.New(epc.SGTIN, "0614141", "812345", serial)
		if err != nil {
			t.Fatal(err)
		}
		if tag, err := id.Tag(1); tag.Coding() != want || err != nil {
			t.Errorf("serial number %s is held by %v, %v; want %v", serial, tag.Coding(), err, want)
		}
		if _, err := epc.NewTag(epc.SGTIN96, 1, id); (want == epc.SGTIN198) != fault(err, "serial number") {
			t.Errorf("serial number %s in %v: %v", serial, epc.SGTIN96, err)
		}
		if _, err := epc.NewTag(epc.SSCC96, 1, id); !fault(err, "") {
			t.Errorf("an SGTIN as SSCC-96: %v", err)
		}
		if _, err := id.Tag(8); !fault(err, "filter") {
			t.Errorf("filter 8: %v", err)
		}
	}
	if _, err := (epc.Identity{}).Tag(0); !fault(err, "") {
		t.Errorf("a tag of nothing: %v", err)
	}
	general, _ := epc.New(epc.GID, "1", "2", "3")
	if _, err := general.Tag(1); !fault(err, "filter") {
		t.Errorf("a GID with a filter: %v", err)
	}
}

func TestZeroValues(t *testing.T) {
	var id epc.Identity
	var tag epc.Tag
	if _, ok := id.Elements(); ok || id.String() != "" || tag.String() != "" || tag.Bytes() != nil {
		t.Errorf("zero values have names: %q %q %X", id, tag, tag.Bytes())
	}
	if epc.Coding(99).String() != "coding(99)" || epc.Scheme(99).String() != "scheme(99)" || epc.GIAI202.Bits() != 202 {
		t.Error("names of codings and schemes")
	}
}

func TestParseURIsRefuse(t *testing.T) {
	for uri, field := range map[string]string{
		"":                                                     "",
		"urn:epc:id:":                                          "",
		"urn:epc:id:sgtin":                                     "",
		"urn:epc:id:usdod:2S194.1":                             "",
		"urn:epc:idpat:sgtin:0614141.*.*":                      "",
		"urn:epc:id:sgtin:0614141.812345":                      "URI",
		"urn:epc:id:sgtin:0614141.812345.":                     "serial number",
		"urn:epc:id:sscc:0614141.12345.678":                    "extension digit and serial reference",
		"urn:epc:id:sgtin:0614141.812345.32a/b":                "URI",
		"urn:epc:id:sgtin:0614141.812345.%41":                  "URI",
		"urn:epc:id:sgtin:0614141.812345.%2":                   "URI",
		"urn:epc:id:sgtin:0614141.812345.%2\x16":               "URI",
		"urn:epc:id:sgtin:0614141.812345.%zz":                  "URI",
		"urn:epc:id:sgtin:0614141.812345.%23":                  "URI",
		"urn:epc:id:cpi:0614141.123ABC.123456789":              "component or part reference",
		"urn:epc:id:cpi:0614141.123456.01":                     "serial number",
		"urn:epc:id:gid:1.2.3.4":                               "serial number",
		"urn:epc:id:giai:0614141." + strings.Repeat("0", 3000): "URI",
	} {
		if id, err := epc.ParseIdentity(uri); !fault(err, field) || id != (epc.Identity{}) {
			t.Errorf("%s: %v, %v; want an error of %q", uri, id, err, field)
		}
	}
	for uri, field := range map[string]string{
		"urn:epc:id:sgtin:0614141.812345.1":       "",
		"urn:epc:tag:sgtin-95:3.0614141.812345.1": "",
		"urn:epc:tag:sgtin-96:8.0614141.812345.1": "filter",
		"urn:epc:tag:sgtin-96:03.061414.812345.1": "filter",
		"urn:epc:tag:sgtin-96:":                   "filter",
		"urn:epc:tag:sgtin-96:3":                  "URI",
		"urn:epc:tag:sgtin-96:3.0614141.812345.x": "serial number",
		"urn:epc:tag:gid-96:3.1.1.1":              "serial number",
	} {
		if tag, err := epc.ParseTag(uri); !fault(err, field) || tag != (epc.Tag{}) {
			t.Errorf("%s: %v, %v; want an error of %q", uri, tag, err, field)
		}
	}
	// The case of hexadecimal digits is no difference (RFC 8141, section 3.1).
	if id, err := epc.ParseIdentity("urn:epc:id:sgtin:0614141.712345.32a%2fb"); err != nil || id.Serial() != "32a/b" {
		t.Errorf("escape in lower case: %v, %v", id, err)
	}
}

func TestFromBank(t *testing.T) {
	for _, tt := range []struct {
		bank, want, field string
	}{
		{"1234" + "3000" + "3074257BF7194E4000001A85", "3074257BF7194E4000001A85", ""},
		{"1234" + "3000" + "3074257BF7194E4000001A85FFFF0000", "3074257BF7194E4000001A85", ""},
		{"1234" + "0000", "", ""},
		{"1234" + "30", "", "EPC bank"},
		{"1234" + "3000" + "3074257BF7194E4000001A", "", "EPC bank"},
	} {
		bank, _ := hex.DecodeString(tt.bank)
		got, err := epc.FromBank(bank)
		if want, _ := hex.DecodeString(tt.want); !slices.Equal(got, want) || (tt.field == "") != (err == nil) || tt.field != "" && !fault(err, tt.field) {
			t.Errorf("%s: %X, %v; want %s", tt.bank, got, err, tt.want)
		}
	}
	if _, err := epc.FromBank([]byte{0, 0, 0x31, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}); !fault(err, "") {
		t.Errorf("an ISO tag: %v", err)
	}
}
