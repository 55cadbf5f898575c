package pn532_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"traveler.example/drivers/pn532"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spell writes frames as words: A, N, E, C, or the data in hex.
func spell(frames []pn532.Frame) string {
	var words []string
	for _, f := range frames {
		switch f.Kind {
		case pn532.FrameData:
			words = append(words, fmt.Sprintf("%x", f.Data))
		default:
			words = append(words, map[pn532.FrameKind]string{
				pn532.FrameAck: "A", pn532.FrameNack: "N", pn532.FrameError: "E", pn532.FrameCorrupt: "C",
			}[f.Kind])
		}
	}
	return strings.Join(words, " ")
}

func TestParser(t *testing.T) {
	const firmware, firmwareData = "0000ff06fad50332010607e800", "d50332010607"
	for _, tt := range []struct{ name, in, want, flushed string }{
		{"ack", "0000ff00ff00", "A", ""},
		{"nack", "0000ffff0000", "N", ""},
		{"syntax error", "0000ff01ff7f8100", "E", ""},
		{"normal", firmware, firmwareData, ""},
		{"ack and response", "0000ff00ff00" + firmware, "A " + firmwareData, ""},
		{"without preamble and postamble", "00ff06fad50332010607e8", firmwareData, ""},
		{"extended", "0000ffffff0006fad50332010607e800", firmwareData, ""},
		{"noise before", "ffff55005500ff" + firmware, firmwareData, ""},
		{"length checksum", "0000ff06fbd50332010607e800", "", ""},
		{"extended length checksum", "0000ffffff0006fbd50332010607e800", "", ""},
		{"data checksum", "0000ff06fad50332010617e800", "C", ""},
		{"frame inside a damaged frame", "0000ff0af6 0000ff00ff00 01020304 99 00", "C A", ""},
		{"empty", "0000ff000000ff00ff00", "A", ""},
		{"extended too long", "0000ffffff010af5" + firmware, firmwareData, ""},
		{"cut off", "0000ff06fad50332", "", ""},
		{"swallowed by a false header", "0000ff20e0" + firmware, "", firmwareData},
		{"start code at the very end", "0000ff", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := unhex(t, tt.in)
			var whole, pieces pn532.Parser
			if got := spell(whole.Feed(in)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := spell(whole.Flush()); got != tt.flushed {
				t.Errorf("flushed %q, want %q", got, tt.flushed)
			}
			var words []string
			for _, b := range in {
				if w := spell(pieces.Feed([]byte{b})); w != "" {
					words = append(words, w)
				}
			}
			if got := strings.Join(words, " "); got != tt.want {
				t.Errorf("byte by byte: got %q, want %q", got, tt.want)
			}
			pieces.Reset()
			if got := spell(pieces.Flush()); got != "" {
				t.Errorf("after Reset: %q", got)
			}
		})
	}
}

func TestAppendFrame(t *testing.T) {
	for _, n := range []int{1, 2, 254, 255, 256, 264, 265} {
		data := bytes.Repeat([]byte{0xD4}, n)
		frame, err := pn532.AppendFrame([]byte{0x55}, data...)
		if err != nil || frame[0] != 0x55 {
			t.Fatalf("%d bytes: %v", n, err)
		}
		var p pn532.Parser
		got := p.Feed(frame)
		if len(got) != 1 || !bytes.Equal(got[0].Data, data) {
			t.Errorf("%d bytes come back as %v", n, spell(got))
		}
	}
	for _, n := range []int{0, 266, 70_000} {
		if _, err := pn532.AppendFrame(nil, make([]byte, n)...); err != pn532.ErrFrameSize {
			t.Errorf("%d bytes: %v, want ErrFrameSize", n, err)
		}
	}
}

// Whatever comes over the wire: no panic, the same frames however the stream is
// cut, and a true frame is found behind any noise.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"0000ff00ff00", "0000ffff0000", "0000ff01ff7f8100", "0000ff06fad50332010607e800",
		"0000ff00ff000000ff0cf4d54b010100040804deadbeef9600", "0000ffffff0006fad50332010607e800",
		"0000ff20e00000ff06fad50332010607e800", "0000ff06fad50332010617e800", "0000ffffff0109f6", "5555000000ff", "00ff0000ff00",
	} {
		f.Add(unhex(f, seed), 5)
	}
	answer := unhex(f, "0000ff06fad50332010607e800")
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, parts pn532.Parser
		want := spell(whole.Feed(stream))
		cut = min(max(cut, 0), len(stream))
		first := spell(parts.Feed(stream[:cut]))
		if got := strings.TrimSpace(first + " " + spell(parts.Feed(stream[cut:]))); got != want {
			t.Fatalf("cut at %d: %q, whole: %q", cut, got, want)
		}
		// Noise can be the beginning of a frame that the first answer completes.
		found := spell(whole.Feed(answer)) + " " + spell(whole.Feed(answer)) + " " + spell(whole.Flush())
		if !strings.Contains(found, "d50332010607") {
			t.Errorf("frame behind % x not found: %q", stream, found)
		}
	})
}
