package scale_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"traveler.example/drivers"
	"traveler.example/drivers/scale"
)

func TestParseWeight(t *testing.T) {
	for _, tt := range []struct {
		line string
		want drivers.Weight
		err  error
	}{
		{"S S     100.00 g", 100_000, nil},
		{"S S      1.020 kg", 1_020_000, nil},
		{"S S       1250 mg", 1250, nil},
		{"S S       0.00 g", 0, nil},
		{"S S      -0.00 g", 0, nil},
		{"S D     100.00 g", 0, drivers.ErrUnstable},
		{"S I", 0, drivers.ErrUnstable},
		{"S +", 0, drivers.ErrOverload},
		{"S -", 0, drivers.ErrUnderload},
		{"S L", 0, scale.ErrScale},
		{"ES", 0, scale.ErrScale},
		{"ET", 0, scale.ErrScale},
		{"EL", 0, scale.ErrScale},
		{"S S      -3.20 g", 0, drivers.ErrNegative},
		{"S S       3.20 ozs", 0, drivers.ErrUnit},
		{"S S       3.20 lb", 0, drivers.ErrUnit},
		{"S S     3.2001 g", 0, drivers.ErrPrecision},
		{"S S 99999999999999999999 kg", 0, drivers.ErrOverload},
		{"S S     100.00", 0, drivers.ErrProtocol},
		{"S S     100.00 g g", 0, drivers.ErrProtocol},
		{"S S     1e3 g", 0, drivers.ErrProtocol},
		{"S X     100.00 g", 0, drivers.ErrProtocol},
		{"SS      100.00 g", 0, drivers.ErrProtocol},
		{"T S     100.00 g", 0, drivers.ErrProtocol},
		{"ST,+00123.45  g", 0, drivers.ErrProtocol},
		{"\x80\xfeS S 1 g", 0, drivers.ErrProtocol},
	} {
		got, err := scale.ParseWeight(tt.line)
		if got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%q = %v, %v; want %v, %v", tt.line, got, err, tt.want, tt.err)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", scale.MaxLine)
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"CR LF", "S I\r\nES\r\n", []string{"S I", "ES"}},
		{"LF alone, empty lines", "\n\r\nS I\n\n", []string{"S I"}},
		{"unfinished", "S S 1", nil},
		{"as long as may be", long + "\r\nES\r\n", []string{long, "ES"}},
		{"too long is thrown away", long + "xx\r\nES\r\n", []string{"ES"}},
		{"endless", strings.Repeat("x", 100_000) + "\nES\n", []string{"ES"}},
	} {
		var whole, pieces scale.Lines
		got := slices.Clone(whole.Feed([]byte(tt.in)))
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		got = nil
		for i := range len(tt.in) {
			got = append(got, pieces.Feed([]byte{tt.in[i]})...)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s, byte by byte: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whatever comes over the wire: no panic, no line beyond the limit, the same
// lines however the stream is cut, and never a weight below zero.
func FuzzLines(f *testing.F) {
	f.Add([]byte("S S     100.00 g\r\n"), 3)
	f.Add([]byte("S D     100.00 g\r\nS I\r\nS +\r\n"), 7)
	f.Add([]byte("S S      -0.01 g\r\n\r\n\n"), 1)
	f.Add([]byte("I4 A \"B021002593\"\r\nES\r\n"), 2)
	f.Add([]byte(strings.Repeat("x", 200)+"\r\nS S 9223372036854775807 mg\r\n"), 80)
	f.Add([]byte("\x00\xff\r\r\nS S 1 g"), 5)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, cutUp scale.Lines
		lines := whole.Feed(stream)
		cut = min(max(cut, 0), len(stream))
		again := append(slices.Clone(cutUp.Feed(stream[:cut])), cutUp.Feed(stream[cut:])...)
		if !slices.Equal(lines, again) {
			t.Fatalf("cut at %d: %q, whole: %q", cut, again, lines)
		}
		for _, line := range lines {
			if len(line) > scale.MaxLine+1 {
				t.Errorf("line of %d bytes", len(line))
			}
			if w, err := scale.ParseWeight(line); w < 0 || err != nil && w != 0 {
				t.Errorf("%q = %v, %v", line, w, err)
			}
		}
	})
}
