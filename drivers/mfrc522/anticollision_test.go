package mfrc522

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// crowds are tags that disturb each other in all the places where they can.
func crowds() map[string][]string {
	crowds := map[string][]string{
		"first bit":        {"10203040", "11203040"},
		"last bit":         {"10203040", "102030C0"},
		"every bit":        {"55555555", "AAAAAAAA"},
		"byte boundary":    {"10203040", "10213040"},
		"three, two turns": {"10203040", "10203041", "10203043"},
		"lengths differ":   {"10203040", "04A1B2C3D4E580", "04A1B2C3D4E5868788A9"},
		"second level":     {"04A1B2C3D4E580", "04A1B2C3D4E581", "04A1B2C3D4E500"},
		"third level":      {"04A1B2C3D4E5868788A9", "04A1B2C3D4E5868788A8"},
		"second of three":  {"04A1B2C3D4E5868788A9", "04A1B2C3D4F5868788A9"},
		"check byte only":  {"01020304", "01020304000000"}, // the same beginning behind different lengths
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 12 {
		tags := map[string]bool{}
		for len(tags) < 2+n%7 {
			id := make([]byte, []int{4, 7, 10}[random.IntN(3)])
			for i := range id {
				id[i] = byte(random.IntN(4)) << random.IntN(7) // few bits, so that beginnings agree
			}
			if id[0] == cascadeTag || id[0] == 0 {
				id[0] = 0x04
			}
			if _, err := drivers.NewTag(id, drivers.ISO14443A); err == nil && (len(id) == 4 || id[3] != cascadeTag) {
				tags[fmt.Sprintf("%X", id)] = true
			}
		}
		crowds[fmt.Sprintf("random %d", n)] = slices.Sorted(maps.Keys(tags))
	}
	return crowds
}

// Several tags that come at once all arrive, however chips count collisions.
func TestCollisionsAreResolved(t *testing.T) {
	for _, cfg := range []emulate.MFRC522Config{{}, {CountFromUID: true}} {
		for name, tags := range crowds() {
			t.Run(fmt.Sprintf("%s from UID %v", name, cfg.CountFromUID), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					device := emulate.NewMFRC522(cfg)
					reader, err := New(Config{Name: "bench", Open: device.Open})
					if err != nil {
						t.Fatal(err)
					}
					events := follow(t, reader)
					events.expect(t, drivers.Up, "")
					for _, tag := range tags {
						if err := device.Present(tag, ""); err != nil {
							t.Fatal(err)
						}
					}
					came := map[string]bool{}
					for range tags {
						select {
						case e := <-events.events:
							if e.Kind != drivers.Arrived || came[e.Tag.ID] {
								t.Fatalf("event %v %v (%v)", e.Kind, e.Tag, e.Err)
							}
							came[e.Tag.ID] = true
						case <-time.After(5 * time.Second):
							t.Fatalf("of %v came %v", tags, slices.Collect(maps.Keys(came)))
						}
					}
					events.quiet(t, 3*time.Second)
					if len(events.faults) > 0 {
						t.Error(events.faults)
					}
					for _, tag := range tags {
						if !came[tag] {
							t.Errorf("%s did not come", tag)
						}
						device.Remove(tag)
						events.expect(t, drivers.Departed, tag)
					}
				})
			})
		}
	}
}

// A place of collision that is wrong, or missing, costs rounds and no tags.
func TestDecideAndTurnBack(t *testing.T) {
	for _, tt := range []struct {
		name             string
		known, collision int
		got              string
		want             []int // the bits that are tried, ones as they are and zeros negative
	}{
		{"first round", 0, 5, "1f", []int{5, -5, 1, -1}},
		{"first bit", 0, 1, "01", []int{1, -1}},
		{"no place", 0, 0, "ff", []int{1, -1}},
		{"in the byte", 3, 6, "38", []int{6, -6, 4, -4}},
		{"behind a byte", 11, 6, "38", []int{14, -14, 12, -12}},
		{"before what is known", 11, 2, "00", []int{12, -12}},
		{"beyond the end", 20, 32, "00", []int{21, -21}},
		{"last bit", 31, 8, "80", []int{32, -32}},
	} {
		got, err := hex.DecodeString(tt.got)
		if err != nil {
			t.Fatal(err)
		}
		var bits [5]byte
		var tried []int
		for ch := decide(&bits, tt.known, answer{bytes: got, collision: tt.collision}); ; ch = ch.other(&bits) {
			bit := bits[(ch.at-1)/8] >> ((ch.at - 1) % 8) & 1
			if bit != ch.value {
				t.Errorf("%s: bit %d is %d, decided was %d", tt.name, ch.at, bit, ch.value)
			}
			tried = append(tried, ch.at*(2*int(ch.value)-1))
			if !ch.open || len(tried) > 8 {
				break
			}
		}
		if !slices.Equal(tried, tt.want) {
			t.Errorf("%s: tried %v, want %v", tt.name, tried, tt.want)
		}
	}
}

func TestPart(t *testing.T) {
	for id, want := range map[string]string{
		"DEADBEEF":             "deadbeef/",
		"04A1B2C3D4E580":       "8804a1b2 c3d4e580/",
		"04A1B2C3D4E5868788A9": "8804a1b2 88c3d4e5 868788a9/",
	} {
		uid, _ := hex.DecodeString(id)
		var parts []string
		for level := 0; ; level++ {
			b, last := part(uid, level)
			parts = append(parts, hex.EncodeToString(b[:]))
			if last {
				break
			}
		}
		if got := strings.Join(parts, " ") + "/"; got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// The example of ISO/IEC 14443-3, annex B, and a SELECT.
func TestCRC(t *testing.T) {
	for in, want := range map[string]string{"0000": "a01e", "1234": "26cf", "9370deadbeef22": "b99c", "5000": "57cd"} {
		b, _ := hex.DecodeString(in)
		if got := crcA(b); hex.EncodeToString(got[:]) != want {
			t.Errorf("CRC_A of %s is %x, want %s", in, got, want)
		}
	}
}
