package wedge_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"traveler.example/drivers/wedge"
)

// raw writes events as the kernel does, with a time of size-8 bytes.
func raw(size int, events ...wedge.Event) []byte {
	var b []byte
	for _, e := range events {
		for i := range size - 8 {
			b = append(b, byte(0xA0+i))
		}
		b = binary.NativeEndian.AppendUint16(b, e.Type)
		b = binary.NativeEndian.AppendUint16(b, e.Code)
		b = binary.NativeEndian.AppendUint32(b, uint32(e.Value))
	}
	return b
}

func TestParserBothSizes(t *testing.T) {
	want := []wedge.Event{{Type: 1, Code: 30, Value: 1}, {Type: 0, Code: 3}, {Type: 2, Code: 0, Value: -5}, {Type: 0xFFFF, Code: 0xFFFF, Value: -1}}
	for _, size := range []int{wedge.EventSize32, wedge.EventSize64} {
		stream := raw(size, want...)
		if len(stream) != len(want)*size {
			t.Fatal("wrong stream")
		}
		if got := wedge.NewParser(size).Feed(stream); !slices.Equal(got, want) {
			t.Errorf("%d bytes: %v", size, got)
		}
		var got []wedge.Event
		p := wedge.NewParser(size)
		for i := range stream {
			got = append(got, p.Feed(stream[i:i+1])...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d bytes, byte by byte: %v", size, got)
		}
	}
	if got := wedge.NewParser(0).Feed(raw(wedge.NativeSize, want[0])); !slices.Equal(got, want[:1]) {
		t.Errorf("native size: %v", got)
	}
}

// keys writes events from words: a number presses and releases a key, +n
// presses, -n releases, =n repeats; D drops and R reports.
func keys(script string) []wedge.Event {
	var events []wedge.Event
	for _, word := range strings.Fields(script) {
		var code uint16
		fmt.Sscanf(strings.TrimLeft(word, "+-="), "%d", &code)
		e := wedge.Event{Type: 1, Code: code, Value: 1}
		switch word[0] {
		case 'D':
			events = append(events, wedge.Event{Code: 3})
		case 'R':
			events = append(events, wedge.Event{})
		case '+':
			events = append(events, e)
		case '-':
			e.Value = 0
			events = append(events, e)
		case '=':
			e.Value = 2
			events = append(events, e)
		default:
			up := e
			up.Value = 0
			events = append(events, e, wedge.Event{}, up, wedge.Event{})
		}
	}
	return events
}

func decode(t *testing.T, l wedge.Layout, script string) string {
	d, err := wedge.NewDecoder(l)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	note := func(line wedge.Line, ended bool) {
		if ended && line.Err != nil {
			lines = append(lines, "dropped")
		} else if ended {
			lines = append(lines, line.Text)
		}
	}
	for _, e := range keys(script) {
		note(d.Feed(e))
	}
	if d.Pending() {
		lines = append(lines, "pending")
	}
	if note(d.End()); d.Pending() {
		t.Errorf("%q: pending after End", script)
	}
	return strings.Join(lines, "|")
}

func TestDecoder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layout wedge.Layout
		script string
		want   string
	}{
		{"plain", wedge.US, "30 48 46 2 28", "abc1"},
		{"tab and the keypad's enter", wedge.US, "30 15 48 96", "a|b"},
		{"empty lines", wedge.US, "28 28 30 28 15", "a"},
		{"left shift", wedge.US, "+42 30 2 -42 30 28", "A!a"},
		{"right shift", wedge.US, "+54 30 -54 30 28", "Aa"},
		{"both shifts, one let go", wedge.US, "+42 +54 -42 30 -54 30 28", "Aa"},
		{"shift is held by repeats", wedge.US, "+42 =42 =42 30 -42 28", "A"},
		{"a key that repeats", wedge.US, "+30 =30 =30 -30 28", "a"},
		{"rolled keys", wedge.US, "+30 +48 -30 -48 28", "ab"},
		{"caps lock is for letters", wedge.US, "58 30 2 +42 30 2 -42 58 30 28", "A1a!a"},
		{"keypad", wedge.US, "82 79 80 81 75 76 77 71 72 73 74 78 55 98 83 28", "0123456789-+*/."},
		{"keypad of de", wedge.DE, "79 83 82 28", "1,0"},
		{"z and y of de", wedge.DE, "21 44 28", "zy"},
		{"AltGr of de", wedge.DE, "+100 16 8 11 -100 16 28", "@{}q"},
		{"caps lock and umlauts", wedge.DE, "58 26 12 +42 40 -42 28", "Üßä"},
		{"dead accent and space", wedge.DE, "41 57 13 57 +42 13 -42 57 28", "^´`"},
		{"dead accent and letter", wedge.DE, "41 30 28 30 28", "dropped|a"},
		{"dead accent alone", wedge.DE, "30 41 28", "dropped"},
		{"degree is not dead", wedge.DE, "+42 41 -42 28", "°"},
		{"digits of fr need shift", wedge.FR, "+42 2 3 -42 2 3 28", "12&é"},
		{"caps lock of fr leaves digits", wedge.FR, "58 2 16 28", "&A"},
		{"AltGr of fr", wedge.FR, "+100 11 9 -100 28", `@\`},
		{"ctrl makes GS", wedge.US, "30 +29 27 -29 48 28", "a\x1db"},
		{"right ctrl and a letter", wedge.US, "+97 30 -97 28", "\x01"},
		{"ctrl and a digit", wedge.US, "+97 2 -97 28", "dropped"},
		{"alt has no characters", wedge.US, "+56 30 -56 48 28 48 28", "dropped|b"},
		{"a key without a character", wedge.US, "30 59 48 28 48 28", "dropped|b"},
		{"AltGr level is empty", wedge.US, "+100 30 -100 28", "dropped"},
		{"num lock, meta", wedge.US, "69 70 125 30 126 28", "a"},
		{"overrun drops to the end of the line", wedge.US, "30 D R 48 28 46 28", "dropped|c"},
		{"nothing counts before the report", wedge.US, "D +30 -30 +28 -28 R 48 28 46 28", "dropped|c"},
		{"overrun forgets shift", wedge.US, "+42 D R 30 28 30 28", "dropped|a"},
		{"overrun alone", wedge.US, "D R", "pending|dropped"},
		{"unfinished", wedge.US, "30 48", "pending|ab"},
		{"as long as may be", wedge.US, strings.Repeat("30 ", wedge.MaxLine) + "28", strings.Repeat("a", wedge.MaxLine)},
		{"too long", wedge.US, strings.Repeat("30 ", 3*wedge.MaxLine) + "28 48 28", "dropped|b"},
		{"too long in bytes", wedge.DE, strings.Repeat("40 ", wedge.MaxLine/2+1) + "28", "dropped"},
	} {
		if got := decode(t, tt.layout, tt.script); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if _, err := wedge.NewDecoder("jp"); err == nil {
		t.Error("layout jp is known")
	}
}

// Whatever an input device says: no panic, bounded lines, the same ones however
// the stream is cut, and a code typed behind it is read, once what was held is
// let go and the line under way has ended.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"30 48 28", "+42 30 -42 28", "58 30 28", "30 D R 48 28", "+56 30", "41 57 28", "+29 27 -29 28"} {
		f.Add(raw(wedge.EventSize64, keys(seed)...), 30, byte(0))
		f.Add(raw(wedge.EventSize32, keys(seed)...), 30, byte(1))
	}
	layouts := []wedge.Layout{wedge.US, wedge.DE, wedge.FR}
	f.Fuzz(func(t *testing.T, stream []byte, cut int, kind byte) {
		size := []int{wedge.EventSize64, wedge.EventSize32}[kind%2]
		layout := layouts[int(kind/2)%len(layouts)]
		cut = min(max(cut, 0), len(stream))
		whole, d := read(t, layout, size, stream)
		parts, _ := read(t, layout, size, stream[:cut], stream[cut:])
		if !slices.Equal(whole, parts) {
			t.Fatalf("cut at %d: %q, whole: %q", cut, parts, whole)
		}
		for _, e := range keys("R -42 -54 -29 -97 -56 -100 28 82 79 80 28") {
			if line, ended := d.Feed(e); ended {
				whole = append(whole, line.Text)
			}
		}
		if n := len(whole); n == 0 || whole[n-1] != "012" {
			t.Errorf("a code behind it reads %q", whole)
		}
	})
}

// read feeds pieces of a stream to a decoder and returns its lines.
func read(t *testing.T, layout wedge.Layout, size int, pieces ...[]byte) ([]string, *wedge.Decoder) {
	p := wedge.NewParser(size)
	d, err := wedge.NewDecoder(layout)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, piece := range pieces {
		for _, e := range p.Feed(piece) {
			line, ended := d.Feed(e)
			if !ended {
				continue
			}
			if len(line.Text) > wedge.MaxLine || line.Text != "" && line.Err != nil || line.Text == "" && line.Err == nil {
				t.Errorf("line of %d bytes, %v", len(line.Text), line.Err)
			}
			lines = append(lines, line.Text)
		}
	}
	return lines, d
}
