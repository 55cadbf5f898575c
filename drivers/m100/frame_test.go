package m100_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"traveler.example/drivers"
	"traveler.example/drivers/m100"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every frame that the documents print, with the checksums that they should
// print. Parsed and built again they are the same.
var published = []struct {
	name, frame string
	kind        m100.FrameType
	command     byte
	params      string
}{
	{"hardware version", "bb 00 03 00 01 00 04 7e", 0, 0x03, "00"},
	{"hardware version, answered", "bb 01 03 00 0b 00 4d313030 20 56312e3030 22 7e", 1, 0x03, "00 4d313030 20 56312e3030"},
	{"single poll", "bb 00 22 00 00 22 7e", 0, 0x22, ""},
	{"notice", "bb 02 22 00 11 c9 34 00 30751feb705c5904e3d50d70 3a 76 ef 7e", 2, 0x22, "c9 3400 30751feb705c5904e3d50d70 3a76"},
	{"no tag", "bb 01 ff 00 01 15 16 7e", 1, 0xFF, "15"},
	{"multiple poll", "bb 00 27 00 03 22 27 10 83 7e", 0, 0x27, "22 2710"},
	{"stop", "bb 00 28 00 00 28 7e", 0, 0x28, ""},
	{"stopped", "bb 01 28 00 01 00 2a 7e", 1, 0x28, "00"},
	{"read user", "bb 00 39 00 09 00 00 ff ff 03 00 00 00 02 45 7e", 0, 0x39, "0000ffff 03 0000 0002"},
	{"read, answered", "bb 01 39 00 13 0e 34 00 30751feb705c5904e3d50d70 12 34 56 78 b0 7e", 1, 0x39, "0e 3400 30751feb705c5904e3d50d70 12345678"},
	{"write user", "bb 00 49 00 0d 00 00 ff ff 03 00 00 00 02 12 34 56 78 6d 7e", 0, 0x49, "0000ffff 03 0000 0002 12345678"},
	{"written", "bb 01 49 00 10 0e 34 00 30751feb705c5904e3d50d70 00 a9 7e", 1, 0x49, "0e 3400 30751feb705c5904e3d50d70 00"},
	{"select", "bb 00 0c 00 13 01 00 00 00 20 60 00 30751feb705c5904e3d50d70 ad 7e", 0, 0x0C, "01 00000020 60 00 30751feb705c5904e3d50d70"},
	{"selected", "bb 01 0c 00 01 00 0e 7e", 1, 0x0C, "00"},
	{"select mode", "bb 00 12 00 01 02 15 7e", 0, 0x12, "02"},
	{"set power 20 dBm", "bb 00 b6 00 02 07 d0 8f 7e", 0, 0xB6, "07d0"},
	{"power set", "bb 01 b6 00 01 00 b8 7e", 1, 0xB6, "00"},
	{"get power", "bb 00 b7 00 00 b7 7e", 0, 0xB7, ""},
	{"power", "bb 01 b7 00 02 07 d0 91 7e", 1, 0xB7, "07d0"},
	{"baud 115200", "bb 00 11 00 02 04 80 97 7e", 0, 0x11, "0480"},
	{"read failed", "bb 01 ff 00 01 09 0a 7e", 1, 0xFF, "09"},
	{"write failed", "bb 01 ff 00 01 10 11 7e", 1, 0xFF, "10"},
	{"command error", "bb 01 ff 00 01 17 18 7e", 1, 0xFF, "17"},
	{"access refused", "bb 01 ff 00 10 16 0e 34 00 30751feb705c5904e3d50d70 75 7e", 1, 0xFF, "16 0e 3400 30751feb705c5904e3d50d70"},
	{"overrun", "bb 01 ff 00 10 a3 0e 34 00 30751feb705c5904e3d50d70 02 7e", 1, 0xFF, "a3 0e 3400 30751feb705c5904e3d50d70"},
	{"set region", "bb 00 07 00 01 01 09 7e", 0, 0x07, "01"},
	{"region", "bb 01 08 00 01 01 0b 7e", 1, 0x08, "01"},
	{"set query", "bb 00 0e 00 02 10 20 40 7e", 0, 0x0E, "1020"},
	{"sleep", "bb 00 17 00 00 17 7e", 0, 0x17, ""},
}

func TestPublishedFrames(t *testing.T) {
	for _, tt := range published {
		want := unhex(t, tt.frame)
		for _, framing := range []m100.Framing{m100.FramingBB, m100.FramingAA} {
			if framing == m100.FramingAA {
				want[0], want[len(want)-1] = 0xAA, 0xDD
			}
			f := m100.Frame{Framing: framing, Type: tt.kind, Command: tt.command, Params: unhex(t, tt.params)}
			if got, err := m100.AppendFrame(nil, f); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s in %v: built % x (%v), want % x", tt.name, framing, got, err, want)
			}
			var p m100.Parser
			if got, want := spell(p.Feed(want)), spell([]m100.Frame{f}); got != want {
				t.Errorf("%s in %v: parsed %q, want %q", tt.name, framing, got, want)
			}
		}
	}
}

// The documents print these; they must not be believed.
func TestMisprintedFramesAreRefused(t *testing.T) {
	for _, frame := range []string{"bb01ff0001100a7e", "bb01b6000100bb7e"} {
		var p m100.Parser
		if got := spell(p.Feed(unhex(t, frame))); got != "" {
			t.Errorf("%s: parsed %q", frame, got)
		}
	}
}

// spell writes frames as framing, type, command and parameters.
func spell(frames []m100.Frame) string {
	var words []string
	for _, f := range frames {
		words = append(words, fmt.Sprintf("%c%d.%02x.%x", f.Framing.String()[0], f.Type, f.Command, f.Params))
	}
	return strings.Join(words, " ")
}

func TestParser(t *testing.T) {
	const none, noneIs = "bb01ff000115167e", "B1.ff.15"
	const power, powerIs = "bb01b7000207d0917e", "B1.b7.07d0"
	for _, tt := range []struct {
		name          string
		framing       m100.Framing
		in            string
		want, flushed string
	}{
		{"one", 0, none, noneIs, ""},
		{"two", 0, none + power, noneIs + " " + powerIs, ""},
		{"the other framing", 0, "aa01ff00011516dd", "A1.ff.15", ""},
		{"both framings", 0, none + "aa01ff00011516dd", noneIs + " A1.ff.15", ""},
		{"only one framing", m100.FramingAA, none + "aa01ff00011516dd", "A1.ff.15", ""},
		{"ends of the other framing", m100.FramingBB, "bb01ff00011516dd" + none, noneIs, ""},
		{"delimiters inside", 0, "bb02390006bb7eaaddbb7e3a7e" + none, "B2.39.bb7eaaddbb7e " + noneIs, ""},
		{"noise before", 0, "00ffaa55bb7e0d0a" + none, noneIs, ""},
		{"checksum", 0, "bb01ff000115177e" + none, noneIs, ""},
		{"end", 0, "bb01ff000115167f" + none, noneIs, ""},
		{"type 3", 0, "bb03ff000115187e" + none, noneIs, ""},
		{"length beyond every frame", 0, "bb01ff010015177e" + none, noneIs, ""},
		{"echo of a command", 0, "bb00220000227e" + none, "B0.22. " + noneIs, ""},
		{"cut off", 0, "bb02220011c934003075", "", ""},
		{"cut off before another", 0, "bb02220011c934003075" + none + none, noneIs + " " + noneIs, ""},
		{"cut off before another and silence", 0, "bb022200f1c934003075" + none, "", noneIs},
		{"header at the very end", 0, none + "bb", noneIs, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := unhex(t, tt.in)
			whole, pieces := m100.Parser{Framing: tt.framing}, m100.Parser{Framing: tt.framing}
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

func TestFrameTooLong(t *testing.T) {
	if _, err := m100.AppendFrame(nil, m100.Frame{Command: 0x49, Params: make([]byte, 256)}); err == nil || !strings.Contains(err.Error(), "49") {
		t.Errorf("256 bytes of parameters: %v", err)
	}
	if _, err := m100.AppendFrame(nil, m100.Frame{Command: 0x49, Params: make([]byte, 255)}); err != nil {
		t.Error(err)
	}
}

func TestNotice(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"published", "c9 3400 30751feb705c5904e3d50d70 3a76", "-55 3400 30751feb705c5904e3d50d70"},
		{"strong", "00 3400 30751feb705c5904e3d50d70 3a76", "0 3400 30751feb705c5904e3d50d70"},
		{"one word", "b0 0800 1234 a6a9", "-80 0800 1234"},
		{"no EPC", "b0 0000 e2f0", "-80 0000 "},
		{"CRC", "c9 3400 30751feb705c5904e3d50d70 3a77", "refused: CRC 3A77"},
		{"a bit of the EPC", "c9 3400 30751feb705c5904e3d50d71 3a76", "refused: CRC 3A76"},
		{"shorter than its PC says", "b0 1000 1234 dffa", "refused: EPC of 2 bytes, its PC 1000 says 4"},
		{"cut off", "c9 34 00", "refused: notice of 3 bytes"},
		{"nothing", "", "refused: notice of 0 bytes"},
	} {
		in := unhex(t, tt.in)
		if strings.HasPrefix(tt.want, "-80") || strings.Contains(tt.want, "its PC") {
			crc := m100.CRC16(in[1 : len(in)-2]) // not published
			in[len(in)-2], in[len(in)-1] = byte(crc>>8), byte(crc)
		}
		n, err := m100.ParseNotice(in)
		got := fmt.Sprintf("%d %04x %x", n.RSSI, n.PC, n.EPC)
		if err != nil {
			got = "refused: " + strings.TrimPrefix(err.Error(), drivers.ErrProtocol.Error()+": ")
			if !errors.Is(err, drivers.ErrProtocol) {
				t.Errorf("%s: %v is no protocol error", tt.name, err)
			}
		}
		if !strings.HasPrefix(got, tt.want) || err == nil && got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The CRC of the notice that the documents print, and the check value of this
// CRC (CRC-16/GENIBUS).
func TestCRC16(t *testing.T) {
	for in, want := range map[string]uint16{"340030751feb705c5904e3d50d70": 0x3A76, hex.EncodeToString([]byte("123456789")): 0xD64E, "": 0x0000} {
		if got := m100.CRC16(unhex(t, in)); got != want {
			t.Errorf("CRC of %s is %04X, want %04X", in, got, want)
		}
	}
}

func TestFailuresInWords(t *testing.T) {
	for code, want := range map[m100.Failure]string{
		0x09: "read failed: no tag answered (09)", 0x10: "write failed: no tag answered (10)",
		0x12: "kill failed: no tag answered (12)", 0x13: "lock failed: no tag answered (13)",
		0x14: "permanent lock failed: no tag answered (14)", 0x15: "no tag answered, or one whose CRC was wrong (15)",
		0x16: "access refused: the password is wrong (16)", 0x17: "the module does not know the command (17)",
		0x20: "every radio channel is occupied (20)",
		0xA0: "read refused by the tag: other error (A0)", 0xA3: "read refused by the tag: no such memory (A3)",
		0xB4: "write refused by the tag: memory is locked (B4)",
		0xBB: "write refused by the tag: not enough power in the tag, bring it closer (BB)",
		0xCF: "lock refused by the tag: the tag does not say why (CF)", 0xD0: "kill refused by the tag: other error (D0)",
		0xE7: "special command refused by the tag: error 7 (E7)", 0x55: "failure 55, which no document names", 0xF3: "failure F3, which no document names",
	} {
		if got := code.Error(); got != want {
			t.Errorf("%02X: %q, want %q", byte(code), got, want)
		}
	}
}

// Whatever comes, the parser keeps no more than its buffer, finds no more than
// there is, and finds the same in one piece and byte by byte; a frame behind any
// noise is found after a flush at the latest.
func FuzzParser(f *testing.F) {
	for _, tt := range published {
		f.Add(unhex(f, tt.frame))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, pieces m100.Parser
		got := spell(whole.Feed(in))
		if len(got) > 2*len(in)+8*len(in)/7+8 {
			t.Fatalf("%d bytes became %q", len(in), got)
		}
		var words []string
		for i := range in {
			for _, frame := range pieces.Feed(in[i : i+1]) {
				words = append(words, spell([]m100.Frame{frame}))
				if _, err := m100.AppendFrame(nil, frame); err != nil {
					t.Fatal(err)
				}
				if frame.Type == m100.TypeNotice {
					if n, err := m100.ParseNotice(frame.Params); err == nil && len(n.EPC) > drivers.MaxTagID {
						t.Fatalf("EPC of %d bytes", len(n.EPC))
					}
				}
			}
		}
		if pieces := strings.Join(words, " "); pieces != got {
			t.Fatalf("in one piece %q, byte by byte %q", got, pieces)
		}
		found := spell(whole.Feed(unhex(t, "aa01b7000207d091dd"))) + " " + spell(whole.Flush())
		if !strings.Contains(found, "A1.b7.07d0") && !strings.Contains(found, "aa01b7000207d091dd") {
			t.Fatalf("behind % x a frame was lost: %q", in, found)
		}
	})
}
