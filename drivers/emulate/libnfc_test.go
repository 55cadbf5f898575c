package emulate_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"traveler.example/drivers/emulate"
)

// desk is a PN532 on a pseudo-terminal, for programs that were written for real
// ones.
type desk struct {
	*emulate.PN532
	t    *testing.T
	path string

	mu   sync.Mutex
	acts []emulate.Act
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{PN532: emulate.NewPN532(emulate.PN532Config{}), t: t}
	d.Observe(func(a emulate.Act) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.acts = append(d.acts, a)
	})
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "pn532"), d.PN532)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
	})
	d.path = socket.Path()
	return d
}

func (d *desk) do(commands ...string) {
	d.t.Helper()
	for _, c := range commands {
		if err := d.Do(c); err != nil {
			d.t.Fatalf("%s: %v", c, err)
		}
	}
}

func (d *desk) memory(uid string) []byte {
	d.t.Helper()
	b, err := d.Tags().Memory(uid)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

func (d *desk) did(verb string) []emulate.Act {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.acts), func(a emulate.Act) bool { return a.Verb != verb })
}

// packages are where Debian keeps the programs.
var packages = map[string]string{
	"nfc-list": "libnfc-bin", "nfc-poll": "libnfc-examples", "nfc-anticol": "libnfc-examples", "nfc-mfultralight": "libnfc-bin", "nfc-mfclassic": "libnfc-bin",
	"pn53x-diagnose": "libnfc-pn53x-examples", "mfoc": "mfoc",
	"mifare-classic-format": "libfreefare-bin", "mifare-classic-write-ndef": "libfreefare-bin",
	"mifare-classic-read-ndef": "libfreefare-bin", "mifare-ultralight-info": "libfreefare-bin",
}

// try runs a program against the reader and returns what it printed. The reader
// is the only one that the program knows of, so that it touches no other port.
// libnfc gives a chip 350 ms for most commands; a machine that is busy with other
// tests may take them from the emulator, so that a run that timed out is
// repeated.
func (d *desk) try(stdin string, command ...string) (string, error) {
	d.t.Helper()
	path, err := exec.LookPath(command[0])
	if err != nil {
		d.t.Skipf("%s is not installed: apt-get install %s, to check the emulator against it", command[0], packages[command[0]])
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	for attempt := 1; ; attempt++ {
		cmd := exec.CommandContext(ctx, path, command[1:]...)
		cmd.Env = append(os.Environ(), "LIBNFC_DEVICE=pn532_uart:"+d.path+":115200", "LIBNFC_AUTO_SCAN=false", "LC_ALL=C")
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		late := strings.Contains(string(out), "Timeout") || strings.Contains(string(out), "Command Code verification failed")
		if !late || attempt == 5 {
			return string(out), err
		}
		d.t.Logf("attempt %d of %s timed out", attempt, command[0])
	}
}

func (d *desk) run(stdin string, command ...string) string {
	d.t.Helper()
	out, err := d.try(stdin, command...)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return out
}

func has(t *testing.T, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("output has no %q:\n%s", want, out)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLibnfcListsTags(t *testing.T) {
	tests := []struct{ name, program, uid, want string }{
		{"nfc-list, 4 bytes", "nfc-list", "1A2B3C4D", "UID (NFCID1): 1a  2b  3c  4d"},
		{"nfc-list, 7 bytes", "nfc-list", "04A1B2C3D4E580", "UID (NFCID1): 04  a1  b2  c3  d4  e5  80"},
		{"nfc-list, 10 bytes", "nfc-list", "04A1B2C3D4E5F6071829", "UID (NFCID1): 04  a1  b2  c3  d4  e5  f6  07  18  29"},
		{"nfc-poll, 4 bytes", "nfc-poll", "1A2B3C4D", "UID (NFCID1): 1a  2b  3c  4d"},
		{"nfc-poll, 7 bytes", "nfc-poll", "04A1B2C3D4E580", "UID (NFCID1): 04  a1  b2  c3  d4  e5  80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			d.do("present " + tt.uid)
			if tt.program == "nfc-poll" { // it ends when the tag leaves
				d.Observe(func(a emulate.Act) {
					if a.Verb == emulate.DidRead {
						time.AfterFunc(200*time.Millisecond, func() { d.Remove(tt.uid) })
					}
				})
			}
			has(t, d.run("", tt.program), tt.want)
			if read := d.did(emulate.DidRead); len(read) == 0 || read[0].Tag != tt.uid {
				t.Errorf("observed reads of %v, want %s", read, tt.uid)
			}
		})
	}
}

// nfc-mfultralight reads a tag, and writes back what it read with its user
// pages changed.
func TestUltralightsAreReadAndWritten(t *testing.T) {
	const uid = "04A1B2C3D4E580"
	tests := []struct {
		kind, says string
		pages      int // that are for use
	}{
		{"ultralight", "", 12},
		{"ultralightev1-48", "EV1 type: MF0UL11 (48 bytes)", 12},
		{"ultralightev1-128", "EV1 type: MF0UL21 (128 user bytes)", 32},
		{"ntag213", "NTAG Type: NTAG213 (144 user bytes)", 36},
		{"ntag215", "NTAG Type: NTAG215 (504 user bytes)", 126},
		{"ntag216", "NTAG Type: NTAG216 (888 user bytes)", 222},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			d := newDesk(t)
			d.do("present " + uid + " " + tt.kind)
			for p := range tt.pages {
				if err := d.Tags().SetMemory(uid, 4+p, []byte{byte(p), 0x5A, byte(p) ^ 0xFF, 0x01}); err != nil {
					t.Fatal(err)
				}
			}
			dump := filepath.Join(t.TempDir(), "dump")
			has(t, d.run("", "nfc-mfultralight", "r", dump), tt.says, "Done, ")
			got, want := readFile(t, dump), d.memory(uid)
			if n := 4 * (4 + tt.pages); !bytes.Equal(got[:n], want[:n]) {
				t.Fatalf("it read\n%X, the tag holds\n%X", got[:n], want[:n])
			}
			changed := bytes.Clone(got)
			for i := 16; i < 16+4*tt.pages; i++ {
				changed[i] ^= 0xA5
			}
			if err := os.WriteFile(dump, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			has(t, d.run("n\nn\nn\nn\n", "nfc-mfultralight", "w", dump), "Done, ", "0 pages failed")
			if after := d.memory(uid)[:16+4*tt.pages]; !bytes.Equal(after[16:], changed[16:len(after)]) || !bytes.Equal(after[:16], want[:16]) {
				t.Errorf("the tag holds\n%X, want\n%X", after, changed[:len(after)])
			}
			if n := len(d.did(emulate.DidWrite)); n < tt.pages {
				t.Errorf("%d writes were told, want %d at least", n, tt.pages)
			}
		})
	}
}

func TestLibnfcListsTwoTags(t *testing.T) {
	d := newDesk(t)
	d.do("present 1A2B3C4D", "present 04A1B2C3D4E580")
	has(t, d.run("", "nfc-list"), "UID (NFCID1): 1a  2b  3c  4d", "UID (NFCID1): 04  a1  b2  c3  d4  e5  80")
}

// nfc-anticol selects a tag by frames of its own, down to seven bits.
func TestLibnfcSelectsTagsItself(t *testing.T) {
	for uid, wants := range map[string][]string{
		"1A2B3C4D":             {"UID: 1a2b3c4d\n", "ATQA: 0004\n", "SAK: 08\n"},
		"04A1B2C3D4E580":       {"UID: 04a1b2c3d4e580\n", "ATQA: 0044\n", "SAK: 00\n"},
		"04A1B2C3D4E5F6071829": {"UID: 04a1b2c3d4e5f6071829\n", "ATQA: 0384\n", "SAK: 20\n", "ATS: 06  75  77  81  02  80"},
	} {
		t.Run(uid, func(t *testing.T) {
			d := newDesk(t)
			d.do("present " + uid)
			has(t, d.run("", "nfc-anticol"), wants...)
		})
	}
}

func TestLockedPagesFailInNfcMfultralight(t *testing.T) {
	const uid = "04A1B2C3D4E580"
	d := newDesk(t)
	d.do("present "+uid+" ultralight", "lock "+uid+" 6")
	dump := filepath.Join(t.TempDir(), "dump")
	d.run("", "nfc-mfultralight", "r", dump)
	has(t, d.run("n\nn\nn\n", "nfc-mfultralight", "w", dump), "1 pages failed")
}

// nfc-mfclassic reads cards with both lengths of identifier. (4K is not for it:
// version 1.8.0 tries to write block 0 first, and goes on without a new selection
// when the card refuses.)
func TestClassicsAreReadByNfcMfclassic(t *testing.T) {
	for _, uid := range []string{"1A2B3C4D", "04A1B2C3D4E580"} {
		t.Run(uid, func(t *testing.T) {
			d := newDesk(t)
			d.do("present "+uid+" classic1k", "write "+uid+" 6 000102030405060708090A0B0C0D0E0F")
			dump := filepath.Join(t.TempDir(), "dump")
			has(t, d.run("", "nfc-mfclassic", "r", "a", "u", dump), "Done, 64 of 64 blocks read")
			want := d.memory(uid)
			for block := 3; block < 64; block += 4 {
				clear(want[16*block+10 : 16*block+16]) // it writes down the key that it used, A
			}
			if got := readFile(t, dump); !bytes.Equal(got[:len(want)], want) {
				t.Errorf("it read\n%X\nthe tag holds\n%X", got, want)
			}
		})
	}
}

// Programs of libfreefare lay a card out for NDEF, with keys and rights other
// than those of delivery, fill it, read it and bring it back.
func TestClassicsTakeMessagesFromLibfreefare(t *testing.T) {
	for _, kind := range []string{"classic1k", "classic4k"} {
		t.Run(kind, func(t *testing.T) {
			const uid = "1A2B3C4D"
			d := newDesk(t)
			d.do("present " + uid + " " + kind)
			fresh := d.memory(uid)
			// One text record of 300 bytes takes seven sectors of a 1K card.
			message := append([]byte{0xC1, 0x01, 0x00, 0x00, 0x01, 0x2C, 'T', 0x02, 'e', 'n'}, bytes.Repeat([]byte("abc"), 99)...)
			in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(in, message, 0o600); err != nil {
				t.Fatal(err)
			}
			d.run("", "mifare-classic-write-ndef", "-y", "-i", in)
			if got := d.memory(uid)[16*3 : 16*4]; !bytes.Equal(got[:6], []byte{0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5}) {
				t.Errorf("trailer of sector 0 is %X, want the key of an application directory", got)
			}
			has(t, d.run("", "mifare-classic-read-ndef", "-y", "-o", out), `NFC Forum application contains a "NDEF Message TLV"`)
			if got := readFile(t, out); !bytes.Equal(got, message) {
				t.Errorf("it read\n%q, want\n%q", got, message)
			}
			has(t, d.run("", "mifare-classic-format", "-y"), "done.")
			if got := d.memory(uid); !bytes.Equal(got, fresh) {
				t.Errorf("formatted it holds\n%X, want\n%X", got, fresh)
			}
		})
	}
}

func TestLibfreefareTellsUltralights(t *testing.T) {
	for kind, wants := range map[string][]string{
		"ultralight":  {"is a Mifare UltraLight\n"},
		"ntag213":     {"is a Mifare UltraLight\n"},
		"ultralightc": {"is a Mifare UltraLightC\n", "Authentication with default key: success"},
	} {
		t.Run(kind, func(t *testing.T) {
			d := newDesk(t)
			d.do("present 04A1B2C3D4E580 " + kind)
			has(t, d.run("", "mifare-ultralight-info"), wants...)
		})
	}
}

// mfoc finds the keys of a card among those that everybody knows, and reads all
// of it.
func TestMfocReadsCardsWithKnownKeys(t *testing.T) {
	for _, kind := range []string{"classic1k", "classic4k"} {
		t.Run(kind, func(t *testing.T) {
			const uid = "1A2B3C4D"
			d := newDesk(t)
			d.do("present "+uid+" "+kind,
				"write "+uid+" 8 DEADBEEF", "write "+uid+" 11 A0A1A2A3A4A5", "write "+uid+" 15 D3F7D3F7D3F7FF078069000000000000")
			dump := filepath.Join(t.TempDir(), "dump")
			has(t, d.run("", "mfoc", "-O", dump), "Auth with all sectors succeeded")
			if got := readFile(t, dump); !bytes.Equal(got, d.memory(uid)) {
				t.Errorf("it read\n%X, the tag holds\n%X", got, d.memory(uid))
			}
		})
	}
}

func TestSelfTests(t *testing.T) {
	has(t, newDesk(t).run("", "pn53x-diagnose"), "Communication line test: OK", "ROM test: OK", "RAM test: OK")
}
