package drivers_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"traveler.example/drivers"
)

func TestNewTag(t *testing.T) {
	for _, tt := range []struct {
		id   []byte
		want string // "" means refused
	}{
		{[]byte{0x1a, 0x2b, 0x3c, 0x4d}, "1A2B3C4D"},
		{[]byte{0x00, 0x00, 0x00, 0x01}, "00000001"},
		{[]byte{0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0x80}, "04A1B2C3D4E580"},
		{nil, ""},
		{make([]byte, 4), ""},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ""},
		{append(make([]byte, drivers.MaxTagID), 1), ""},
	} {
		tag, err := drivers.NewTag(tt.id, drivers.ISO14443A)
		if tag.ID != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, drivers.ErrTagID) {
			t.Errorf("NewTag(% x) = %q, %v; want %q", tt.id, tag.ID, err, tt.want)
		}
	}
}

func TestParseTag(t *testing.T) {
	for text, want := range map[string]string{
		"04a1b2c3d4e580": "04A1B2C3D4E580", "04:A1:b2-c3 d4 e5 80": "04A1B2C3D4E580",
		"": "", "0": "", "xyz": "", "0000": "", "FFFF": "",
	} {
		tag, err := drivers.ParseTag(text, drivers.ISO14443A)
		if tag.ID != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, drivers.ErrTagID) {
			t.Errorf("ParseTag(%q) = %q, %v; want %q", text, tag.ID, err, want)
		}
	}
}

func TestParseWeight(t *testing.T) {
	for _, tt := range []struct {
		value, unit string
		want        drivers.Weight
		err         error
	}{
		{"12.5", "g", 12_500, nil},
		{"0.00", "g", 0, nil},
		{"-0.00", "g", 0, nil},
		{"+1.020", "kg", 1_020_000, nil},
		{"  100.00", "g", 100_000, nil},
		{"250", "mg", 250, nil},
		{"0.000001", "kg", 1, nil},
		{"12.3450", "g", 12_345, nil},
		{"-3", "g", -3_000, nil},
		{"12.3456", "g", 0, drivers.ErrPrecision},
		{"0.5", "mg", 0, drivers.ErrPrecision},
		{"1", "ozs", 0, drivers.ErrUnit},
		{"1", "G", 0, drivers.ErrUnit},
		{"1", "", 0, drivers.ErrUnit},
		{"9223372036854775807", "mg", math.MaxInt64, nil},
		{"9223372036854775808", "mg", 0, drivers.ErrOverload},
		{"99999999999999999999", "kg", 0, drivers.ErrOverload},
	} {
		got, err := drivers.ParseWeight(tt.value, tt.unit)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ParseWeight(%q, %q) = %d, %v; want %d, %v", tt.value, tt.unit, got, err, tt.want, tt.err)
		}
	}
	for _, bad := range []string{"", ".", "1.", ".5", "1e3", "1,5", "--1", "+-1", "0x1", "1.2.3", "١", "1 2", "NaN"} {
		if w, err := drivers.ParseWeight(bad, "g"); err == nil {
			t.Errorf("ParseWeight(%q) = %v, want an error", bad, w)
		}
	}
}

func TestWeightString(t *testing.T) {
	for w, want := range map[drivers.Weight]string{
		0: "0 mg", 250: "250 mg", -7: "-7 mg", 12_500: "12.5 g", 1_000: "1 g", -12_345: "-12.345 g",
		1_020_000: "1.02 kg", 1_000_001: "1.000001 kg",
		math.MinInt64: "-9223372036854.775808 kg", math.MaxInt64: "9223372036854.775807 kg",
	} {
		if got := w.String(); got != want {
			t.Errorf("%d mg is %q, want %q", int64(w), got, want)
		}
	}
}

// What String writes, ParseWeight reads back exactly, and it never panics.
func FuzzParseWeight(f *testing.F) {
	for _, seed := range [][2]string{{"12.5", "g"}, {"-0.001", "kg"}, {"9223372036854775807", "mg"}, {"99999999999999999999", "kg"}, {"1", "ozs"}, {"+.", "g"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, value, unit string) {
		w, err := drivers.ParseWeight(value, unit)
		if err != nil {
			return
		}
		text, name, _ := strings.Cut(w.String(), " ")
		if again, err := drivers.ParseWeight(text, name); err != nil || again != w {
			t.Errorf("%q %q = %d, written %q, read back %d, %v", value, unit, w, w, again, err)
		}
	})
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		drivers.Present.String(): "present", drivers.Arrived.String(): "arrived", drivers.Departed.String(): "departed",
		drivers.Up.String(): "up", drivers.Down.String(): "down", drivers.Fault.String(): "fault", drivers.Diagnosed.String(): "diagnosed", drivers.Kind(99).String(): "kind(99)",
		drivers.Pressed.String(): "pressed", drivers.Held.String(): "held",
		drivers.AspectIdle.String(): "IDLE", drivers.AspectGreen.String(): "GREEN", drivers.AspectAmber.String(): "AMBER",
		drivers.AspectRed.String(): "RED", drivers.AspectFault.String(): "FAULT", drivers.Aspect(9).String(): "ASPECT(9)",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
