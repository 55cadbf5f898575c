package emulate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"traveler.example/drivers/emulate"
)

const tagUID = "04A1B2C3D4E580"

// A tag keeps what is stored on it when it leaves, and takes it to the next
// reader; it is in one field at a time.
func TestTagsKeepTheirMemory(t *testing.T) {
	tags := emulate.NewTags()
	first, second := emulate.NewPN532(emulate.PN532Config{Tags: tags}), emulate.NewPN532(emulate.PN532Config{Tags: tags})
	for _, step := range []struct {
		reader *emulate.PN532
		do     string
		fails  string
	}{
		{first, "memory " + tagUID, "no tag " + tagUID + " was presented"},
		{first, "present " + tagUID + " ntag215", ""},
		{first, "write " + strings.ToLower(tagUID) + " 129 01020304", ""},
		{second, "present " + tagUID, "in the field of another reader"},
		{first, "remove", ""},
		{second, "present " + tagUID, ""},
	} {
		switch err := step.reader.Do(step.do); {
		case step.fails == "" && err != nil:
			t.Fatalf("%s: %v", step.do, err)
		case step.fails != "" && (err == nil || !strings.Contains(err.Error(), step.fails)):
			t.Fatalf("%s: got %v, want %q", step.do, err, step.fails)
		}
	}
	if b, err := tags.Memory(tagUID); err != nil || len(b) != 4*135 || !bytes.Equal(b[4*129:4*130], []byte{1, 2, 3, 4}) {
		t.Errorf("it holds %d bytes %X, %v", len(b), b, err)
	}
	second.Remove(tagUID)
	if err := second.Present(tagUID, "ultralight"); err != nil {
		t.Fatal(err)
	}
	if b, _ := tags.Memory(tagUID); len(b) != 64 {
		t.Errorf("a tag of another type holds %d bytes, want 64", len(b))
	}
}

// However many tags pass, only so many are remembered, and those in the field
// always.
func TestTagsAreForgotten(t *testing.T) {
	d := emulate.NewPN532(emulate.PN532Config{})
	if err := d.Present(tagUID, ""); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		uid := fmt.Sprintf("%08X", i)
		if err := d.Present(uid, ""); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(uid); err != nil {
			t.Fatal(err)
		}
	}
	for uid, known := range map[string]bool{tagUID: true, "00000001": false, "00001387": true} {
		if _, err := d.Tags().Memory(uid); (err == nil) != known {
			t.Errorf("%s: %v, want it known: %v", uid, err, known)
		}
	}
}

func TestTagCommands(t *testing.T) {
	d := emulate.NewPN532(emulate.PN532Config{})
	var shown string
	d.Observe(func(a emulate.Act) {
		if a.Verb == emulate.Shown {
			shown = a.String()
		}
	})
	for _, tt := range []struct{ do, fails, shows string }{
		{"present 04A1B2C3D4E580 ultralight", "", ""},
		{"present 0112233445566778899A", "", ""},
		{"write 04A1B2C3D4E580 4 0102030405060708", "", ""},
		{"memory 04A1B2C3D4E580 4 5", "", "tag 04A1B2C3D4E580 ultralight\n   4  01020304\n   5  05060708"},
		{"damage 04A1B2C3D4E580 5", "", ""},
		{"memory 04A1B2C3D4E580 5", "", "tag 04A1B2C3D4E580 ultralight\n   5  0D060708"},
		{"lock 04A1B2C3D4E580 4", "", ""},
		{"memory 04A1B2C3D4E580 2", "", "tag 04A1B2C3D4E580 ultralight\n   2  72481000"},
		{"lock 04A1B2C3D4E580", "", ""},
		{"memory 04A1B2C3D4E580 2", "", "tag 04A1B2C3D4E580 ultralight\n   2  7248F0FF"},
		{"wipe 04A1B2C3D4E580", "", ""},
		{"memory 04A1B2C3D4E580 2 4", "", "tag 04A1B2C3D4E580 ultralight\n   2  72480000\n   3  00000000\n   4  00000000"},
		{"tear 04A1B2C3D4E580", "", ""},
		{"tear 04A1B2C3D4E580 3", "", ""},
		{"lock 04A1B2C3D4E580 2", "page 2 has no lock bit", ""},
		{"memory 04A1B2C3D4E580 16", "tag 04A1B2C3D4E580 has pages or blocks 0 to 15", ""},
		{"write 04A1B2C3D4E580 15 0102030405", "5 bytes from 15 on do not fit", ""},
		{"write 04A1B2C3D4E580 16 01", "1 bytes from 16 on do not fit", ""},
		{"write 04A1B2C3D4E580 4 xy", `content "xy" is not hexadecimal`, ""},
		{"write 04A1B2C3D4E580 x 01", `"x" is no number`, ""},
		{"write 04A1B2C3D4E580", "no command", ""},
		{"damage 04A1B2C3D4E580 -1", `"-1" is no number`, ""},
		{"wipe 04A1B2C3D4E580 1", "no command", ""},
		{"memory", "no command", ""},
		{"wipe 11223344", "no tag 11223344 was presented", ""},
		{"wipe 0112233445566778899A", "is a desfire, whose memory is not emulated", ""},
		{"remove 04A1B2C3D4E580", "", ""},
		{"present 1A2B3C4D classic4k", "", ""},
		{"lock 1A2B3C4D 7", "block 7 is the trailer of sector 1", ""},
		{"lock 1A2B3C4D 5", "", ""},
		{"memory 1A2B3C4D 7", "", "tag 1A2B3C4D classic4k\n   7  FFFFFFFFFFFF578F0A69FFFFFFFFFFFF"},
	} {
		shown = ""
		switch err := d.Do(tt.do); {
		case tt.fails == "" && err != nil:
			t.Errorf("%s: %v", tt.do, err)
		case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
			t.Errorf("%s: got %v, want %q", tt.do, err, tt.fails)
		case shown != tt.shows:
			t.Errorf("%s: shows %q, want %q", tt.do, shown, tt.shows)
		}
	}
	for line := range strings.Lines(d.Help()) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word == "" {
			t.Errorf("help has an empty line")
		}
	}
}
