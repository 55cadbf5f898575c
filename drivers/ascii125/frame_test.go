package ascii125_test

import (
	"fmt"
	"strings"
	"testing"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
)

// spell writes frames as words.
func spell(frames []ascii125.Frame) string {
	var words []string
	for _, f := range frames {
		word := map[ascii125.Framing]string{ascii125.RDM6300: "R:", ascii125.ID12: "I:", ascii125.WL134: "W:"}[f.Framing]
		tag, err := f.Tag()
		switch {
		case f.Damaged:
			word += "damaged"
		case err != nil:
			word += "refused"
		default:
			word += tag.ID
		}
		if f.Animal {
			word += "a"
		}
		if f.Data {
			word += "d"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// wl writes the frame of a WL-134 around 26 digits.
func wl(digits string) string {
	var sum byte
	for i := range len(digits) {
		sum ^= digits[i]
	}
	return "\x02" + digits + string([]byte{sum, ^sum, 3})
}

func TestParser(t *testing.T) {
	const a = "0A00F1B2C3"
	for _, tt := range []struct {
		name, in, want string
		noise          int
	}{
		{"RDM6300", rdmA, "R:" + a, 0},
		{"lower case", rdmB, "R:0A00F1B2C4", 0},
		{"ID-12", id12A, "I:" + a, 0},
		{"WL-134", animal, "W:F9C06B7798CFa", 0},
		{"WL-134, other flags", wl("100000000073001" + "0" + "0000000000"), "W:0DC000000001d", 0},
		{"one of each", rdmA + id12A + animal + rdmB, "R:" + a + " I:" + a + " W:F9C06B7798CFa R:0A00F1B2C4", 0},
		{"the version byte counts", "\x020B00F1B2C38B\x03", "R:0B00F1B2C3", 0},
		{"checksum", "\x020A00F1B2C38B\x03", "R:damaged", 14},
		{"checksum of ID-12", "\x020A00F1B2C38B\r\n\x03", "I:damaged", 16},
		{"checksum of WL-134", strings.Replace(animal, "\x00", "\x01", 1), "W:damaged", 30},
		{"inverted checksum", strings.Replace(animal, "\xff", "\xfe", 1), "W:damaged", 30},
		{"national code of 39 bits", wl("0000000004" + "7E30010000000000"), "W:damaged", 30},
		{"country of 11 bits", wl("1000000000" + "0040010000000000"), "W:damaged", 30},
		{"flag 2", wl("1000000000" + "7E30210000000000"), "W:damaged", 30},
		{"refused ids", "\x02000000000000\x03\x02FFFFFFFFFFFF\x03", "R:refused R:refused", 0},
		{"no hex digit", "\x02@A00F1B2C38A\x03", "", 14},
		{"g is no hex digit", "\x020g00F1B2C38A\x03", "", 14},
		{"a digit short", "\x020A00F1B2C38\x03" + rdmA, "R:" + a, 0},
		{"a digit more", "\x020A00F1B2C38A0\x03" + rdmA, "R:" + a, 0},
		{"LF is missing", "\x020A00F1B2C38A\r\x03" + id12A, "I:" + a, 0},
		{"cut off by another", rdmA[:9] + rdmA, "R:" + a, 0},
		{"animal cut off in its checksum", animal[:28] + rdmA, "R:" + a, 0},
		{"animal cut off before its end", animal[:29] + rdmA, "R:" + a, 0},
		{"STX upon STX", "\x02\x02\x02" + rdmA, "R:" + a, 0},
		{"STX as checksum", wl("0B00000000" + "7E30010000000000"), "W:F9C0000000B0a", 0},
		{"ETX as checksum", wl("0C00000000"+"7E30010000000000") + rdmA, "W:F9C0000000C0a R:" + a, 0},
		{"noise around", "\xff\x00abc" + rdmA + "\r\n\x03", "R:" + a, 3},
		{"unfinished", rdmA[:13], "", 13},
		{"nothing", "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var whole, pieces ascii125.Parser
			if got := spell(whole.Feed([]byte(tt.in))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := whole.Noise(); got != tt.noise {
				t.Errorf("%d bytes of noise, want %d", got, tt.noise)
			}
			var words []string
			for i := range len(tt.in) {
				if w := spell(pieces.Feed([]byte{tt.in[i]})); w != "" {
					words = append(words, w)
				}
			}
			if got := strings.Join(words, " "); got != tt.want {
				t.Errorf("byte by byte: got %q, want %q", got, tt.want)
			}
			whole.Reset()
			if whole.Noise() != 0 || spell(whole.Feed([]byte(rdmA))) != "R:"+a {
				t.Error("not as new after Reset")
			}
		})
	}
}

func TestPrintedForms(t *testing.T) {
	tag, err := drivers.ParseTag("0A00F1B2C3", drivers.LF125)
	if err != nil {
		t.Fatal(err)
	}
	em, err := ascii125.ParseEM4100(tag)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%d %d %s %s", em.Version(), em.Number(), em.Decimal(), em.Facility()); got != "10 15839939 0015839939 241,45763" {
		t.Errorf("printed %s", got)
	}
	tag, err = drivers.ParseTag("F9C06B7798CF", drivers.FDXB)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ascii125.ParseAnimal(tag)
	if err != nil || a.Country != 999 || a.National != 0x6B7798CF || a.String() != "999001803000015" {
		t.Errorf("%+v %v %v", a, a, err)
	}
	for _, other := range []drivers.Tag{{}, {ID: "0A00F1B2", Technology: drivers.LF125}, {ID: "xx", Technology: drivers.FDXB}, {ID: "0A00F1B2C3", Technology: drivers.ISO14443A}} {
		if _, err := ascii125.ParseEM4100(other); err == nil {
			t.Errorf("%v is an EM4100", other)
		}
		if _, err := ascii125.ParseAnimal(other); err == nil {
			t.Errorf("%v is an FDX-B", other)
		}
	}
}

// Whatever comes over the wire: no panic, the same frames however the stream is
// cut, and a true frame is found with its last byte behind any noise.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{rdmA, rdmB, id12A, animal, rdmA[:9] + rdmA, animal[:29] + id12A, "\x02\x02", "\x020A00F1B2C38B\x03"} {
		f.Add([]byte(seed), 5)
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, parts ascii125.Parser
		want := spell(whole.Feed(stream))
		cut = min(max(cut, 0), len(stream))
		first := spell(parts.Feed(stream[:cut]))
		if got := strings.TrimSpace(first + " " + spell(parts.Feed(stream[cut:]))); got != want {
			t.Fatalf("cut at %d: %q, whole: %q", cut, got, want)
		}
		if n := whole.Noise(); n < 0 || n > len(stream) {
			t.Errorf("%d of %d bytes are noise", n, len(stream))
		}
		for frame, want := range map[string]string{rdmA: "R:0A00F1B2C3", id12A: "I:0A00F1B2C3", animal: "W:F9C06B7798CFa"} {
			behind := whole
			if got := spell(behind.Feed([]byte(frame))); !strings.HasSuffix(got, want) {
				t.Errorf("behind % x: %q, want %q", stream, got, want)
			}
		}
	})
}
