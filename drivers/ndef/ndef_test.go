package ndef

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseMessage(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []Record
	}{
		{"empty", "D00000", []Record{{}}},
		{"URI", "D1010C 55 02 6578616D706C652E636F6D", []Record{{TNF: TNFWellKnown, Type: "U", Payload: []byte("\x02example.com")}}},
		{"long record", "C1 01 00000003 54 02656E", []Record{{TNF: TNFWellKnown, Type: "T", Payload: []byte("\x02en")}}},
		{"identifier", "D9 01 01 02 55 6964 00", []Record{{TNF: TNFWellKnown, Type: "U", ID: "id", Payload: []byte{0}}}},
		{"unknown", "D5 00 02 4142", []Record{{TNF: TNFUnknown, Payload: []byte("AB")}}},
		{"of the future", "D7 01 01 41 42", []Record{{TNF: TNFReserved, Type: "A", Payload: []byte("B")}}},
		{"absolute", "D3 03 00 613A62", []Record{{TNF: TNFAbsolute, Type: "a:b", Payload: []byte{}}}},
		{
			"two",
			"92 03 01 612F62 58 54 03 01 613A62 59",
			[]Record{{TNF: TNFMedia, Type: "a/b", Payload: []byte("X")}, {TNF: TNFExternal, Type: "a:b", Payload: []byte("Y")}},
		},
		{"three chunks", "B5 00 01 41 36 00 01 42 56 00 01 43", []Record{{TNF: TNFUnknown, Payload: []byte("ABC")}}},
	} {
		got, err := ParseMessage(unhex(t, tt.in))
		if len(tt.want) == 1 && tt.want[0].TNF == TNFEmpty && len(got) == 1 {
			got[0].Payload = nil
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParseMessageRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		offset   int
		reason   string
	}{
		{"nothing", "", 0, "at least one"},
		{"cut off in the header", "D1", 1, "type length"},
		{"cut off in the type", "D10A00 41", 3, "type of 10"},
		{"payload beyond the end", "D1010555 41", 4, "payload of 5"},
		{"payload of four gigabytes", "C1 01 FFFFFFFF 55", 7, "payload of 4294967295"},
		{"identifier beyond the end", "D90100FF55", 5, "identifier of 255"},
		{"no first record", "510100 55", 0, "first record"},
		{"two first records", "910100 55 D10100 55", 4, "first record"},
		{"no last record", "910100 55", 0, "as the last"},
		{"bytes behind", "D1010055 00", 4, "1 bytes behind"},
		{"empty with payload", "D00001 41", 0, "empty"},
		{"unknown with type", "D5010041", 0, "unknown type"},
		{"well known without type", "D10000", 0, "no type"},
		{"chunk without a first", "D60000", 0, "first one"},
		{"chunk breaks off", "B50000", 3, "breaks off"},
		{"chunk of another record", "B50000 510100 55", 3, "not the next chunk"},
		{"last and chunked", "F50000", 0, "another chunk"},
		{"last and chunked, later", "B50000 760000", 3, "another chunk"},
	} {
		_, err := ParseMessage(unhex(t, tt.in))
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrMalformed) || e.Offset != tt.offset || !strings.Contains(e.Reason, tt.reason) {
			t.Errorf("%s: %v, want %q at %d", tt.name, err, tt.reason, tt.offset)
		}
	}
}

func TestAppendMessageIsCanonical(t *testing.T) {
	long := must[Record](t)(NewMedia("a/b", bytes.Repeat([]byte("x"), 256)))
	short := must[Record](t)(NewMedia("a/b", bytes.Repeat([]byte("x"), 255)))
	if b := message(t, short); b[0] != 0xD2 || len(b) != 3+3+255 {
		t.Errorf("short record % x", b[:6])
	}
	if b := message(t, long); b[0] != 0xC2 || len(b) != 6+3+256 {
		t.Errorf("long record % x", b[:6])
	}
	if b := message(t, short, Record{}, Record{TNF: TNFUnknown, ID: "i"}); b[0] != 0x92 || !bytes.HasSuffix(b, unhex(t, "100000 5D00000169")) {
		t.Errorf("three records: % x … % x", b[:1], b[len(b)-8:])
	}
	for name, r := range map[string]Record{
		"empty with type": {Type: "x"}, "no type": {TNF: TNFMedia}, "unchanged": {TNF: TNFUnchanged},
		"no such TNF": {TNF: 8}, "long type": {TNF: TNFMedia, Type: strings.Repeat("x", 256)},
		"long identifier": {TNF: TNFUnknown, ID: strings.Repeat("x", 256)},
	} {
		if _, err := AppendMessage(nil, r); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := AppendMessage(nil); !errors.Is(err, ErrMalformed) {
		t.Error("a message of no records was made")
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		in     string
		want   Text
		offset int // of the error; -1: none
	}{
		{"02 656E 68C3BC", Text{"en", "hü"}, -1},
		{"00 68", Text{"", "h"}, -1},
		{"82 656E 0068 00FC", Text{"en", "hü"}, -1},
		{"82 656E FEFF 0068", Text{"en", "h"}, -1},
		{"82 656E FFFE 6800", Text{"en", "h"}, -1},
		{"80 D83DDE00", Text{"", "😀"}, -1},
		{"", Text{}, 0},
		{"42 656E", Text{}, 0},
		{"3F 656E", Text{}, 0},
		{"02 65FF 41", Text{}, 2},
		{"02 656E FF", Text{}, 3},
		{"82 656E 00", Text{}, 3},
		{"80 0041 D83D", Text{}, 3},
		{"80 DE00 0041", Text{}, 1},
		{"80 D83D 0041", Text{}, 1},
	} {
		got, err := Record{TNF: TNFWellKnown, Type: "T", Payload: unhex(t, tt.in)}.Text()
		var e *Error
		if tt.offset >= 0 && (!errors.As(err, &e) || e.Offset != tt.offset) || tt.offset < 0 && (err != nil || got != tt.want) {
			t.Errorf("%s: %+v, %v; want %+v, error at %d", tt.in, got, err, tt.want, tt.offset)
		}
	}
	if _, err := NewText("dé", "x"); !errors.Is(err, ErrMalformed) {
		t.Errorf("language: %v", err)
	}
}

func TestURI(t *testing.T) {
	for number, prefix := range uriPrefixes() {
		uri := prefix + "x"
		r := must[Record](t)(NewURI(uri))
		back, err := r.URI()
		if err != nil || back != uri {
			t.Errorf("%s came back as %q, %v", uri, back, err)
		}
		if int(r.Payload[0]) != number && uriPrefixes()[r.Payload[0]] != prefix {
			t.Errorf("%s is abbreviated by %d, want %d", uri, r.Payload[0], number)
		}
	}
	// Table 3 of the RTD, at its ends and where it is easily mistaken.
	for number, want := range map[byte]string{0: "", 1: "http://www.", 4: "https://", 0x0D: "ftp://", 0x13: "urn:", 0x1D: "file://", 0x1E: "urn:epc:id:", 0x22: "urn:epc:", 0x23: "urn:nfc:"} {
		if got := uriPrefixes()[number]; got != want {
			t.Errorf("prefix %02X is %q, want %q", number, got, want)
		}
	}
	for _, payload := range []string{"", "24 41", "04 FF", "04 0A"} {
		if got, err := (Record{TNF: TNFWellKnown, Type: "U", Payload: unhex(t, payload)}).URI(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %q, %v", payload, got, err)
		}
	}
	if got, err := (Record{TNF: TNFAbsolute, Type: "a:b"}).URI(); got != "a:b" || err != nil {
		t.Errorf("absolute: %q, %v", got, err)
	}
}

func TestPoster(t *testing.T) {
	uri, text := must[Record](t)(NewURI("https://example.com")), must[Record](t)(NewText("en", "Pump"))
	act := Record{TNF: TNFWellKnown, Type: "act", Payload: []byte{1}}
	icon := must[Record](t)(NewMedia("image/png", []byte("x")))
	poster := func(records ...Record) Record {
		return Record{TNF: TNFWellKnown, Type: "Sp", Payload: message(t, records...)}
	}
	got, err := poster(uri, text, act, icon).Poster()
	if want := (Poster{URI: "https://example.com", Titles: []Text{{"en", "Pump"}}, Action: 1}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	act.Payload = nil
	for name, r := range map[string]Record{
		"no URI": poster(text), "two URIs": poster(uri, uri), "no message": {TNF: TNFWellKnown, Type: "Sp"},
		"broken action": poster(uri, act), "not a poster": uri,
	} {
		if _, err := r.Poster(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesOfTypes(t *testing.T) {
	for _, bad := range []string{"", "x", ":x", "x:", "Example.com:x", "x:ü", strings.Repeat("x", 255) + ":x"} {
		if _, err := NewExternal(bad, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("external type %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "x", "/x", "x/", "x/ü"} {
		if _, err := NewMedia(bad, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("media type %q: %v", bad, err)
		}
	}
}

func TestParseTLVs(t *testing.T) {
	got, err := ParseTLVs(unhex(t, "00 0103A00C34 00 0302D000 FD0141 FE 0399"))
	want := []TLV{{TagLock, 1, 3, 6}, {TagNDEF, 7, 9, 11}, {TagProprietary, 11, 13, 14}, {TagTerminator, 14, 15, 15}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	long := append(unhex(t, "03FF00FF"), make([]byte, 255)...)
	if got, err := ParseTLVs(long); err != nil || len(got) != 1 || got[0] != (TLV{TagNDEF, 0, 4, 259}) {
		t.Errorf("three bytes of length: %+v, %v", got, err)
	}
	if b, err := AppendTLV(nil, TagNDEF, long[4:]); err != nil || !bytes.Equal(b, long) {
		t.Errorf("made % x, %v", b[:6], err)
	}
	for in, offset := range map[string]int{"03": 1, "0302 41": 2, "03FF": 2, "03FF00": 2, "03FF00FE": 0, "03FFFFFF": 0, "00 FD05": 3} {
		_, err := ParseTLVs(unhex(t, in))
		var e *Error
		if !errors.As(err, &e) || e.Offset != offset {
			t.Errorf("%s: %v, want an error at %d", in, err, offset)
		}
	}
	for _, tag := range []byte{TagNull, TagTerminator} {
		if _, err := AppendTLV(nil, tag, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("block %02X: %v", tag, err)
		}
	}
}

func TestContainer(t *testing.T) {
	for _, c := range []Container{{1, 0, 144, false}, {1, 1, 872, true}} {
		b, err := c.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseContainer(b); err != nil || back != c {
			t.Errorf("%+v, % x, %+v, %v", c, b, back, err)
		}
	}
	for in, offset := range map[string]int{"00000000": 0, "E1201200": 1, "E1100000": 2, "E1101280": 3, "E1101201": 3} {
		_, err := ParseContainer([4]byte(unhex(t, in)))
		var e *Error
		if !errors.As(err, &e) || e.Offset != offset {
			t.Errorf("%s: %v, want an error at %d", in, err, offset)
		}
	}
	for _, c := range []Container{{}, {2, 0, 8, false}, {1, 0, 9, false}, {1, 0, 2048, false}} {
		if _, err := c.Bytes(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What parses can be made again, and then is canonical.
func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{
		"D00000", "D1010155 00", "D9010102556964 00", "B50001413600 01425600 0143", "9203016 12F62585403 01613A6259",
		"C101FFFFFFFF55", "D1020A5370 91010255 00 78 510103540065 66", "D1010754 82656E FEFF0068", "D3030061 3A62",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := ParseMessage(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		for _, r := range records {
			_, _ = r.Text()
			_, _ = r.URI()
			_, _ = r.Poster()
		}
		made, err := AppendMessage(nil, records...)
		if err != nil {
			t.Fatalf("% x cannot be made again: %v", b, err)
		}
		again, err := ParseMessage(made)
		if err != nil || len(made) > len(b) {
			t.Fatalf("% x became % x: %v", b, made, err)
		}
		if twice, err := AppendMessage(nil, again...); err != nil || !bytes.Equal(twice, made) {
			t.Fatalf("% x is not canonical: % x, %v", made, twice, err)
		}
	})
}

func FuzzParseTLVs(f *testing.F) {
	for _, seed := range []string{"0103A00C340300FE", "03FF010041", "0302D000FD0141FE0399", "00000000", "FE", "03FF00FE"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		blocks, err := ParseTLVs(b)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		at := 0
		for _, x := range blocks {
			if x.Offset < at || x.Value < x.Offset || x.End < x.Value || x.End > len(b) {
				t.Fatalf("block %+v of %d bytes", x, len(b))
			}
			at = x.End
		}
	})
}
