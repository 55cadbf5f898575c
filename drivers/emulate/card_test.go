package emulate

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

const (
	shortUID = "1A2B3C4D"
	longUID  = "04A1B2C3D4E580"
)

func testCard(t testing.TB, uid, kind string) *card {
	t.Helper()
	c, err := newCard(uid, kind)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text writes a reply as the tests name it.
func (r reply) text() string {
	switch {
	case r.kind == frame:
		return fmt.Sprintf("%x", r.data)
	case r.kind == acknowledge && r.nibble == ackNibble:
		return "ACK"
	case r.kind == acknowledge:
		return fmt.Sprintf("NAK %x", r.nibble)
	case r.left:
		return "gone"
	}
	return "silence"
}

// talk runs a dialogue: lines of "command > reply"; "reset" selects the tag
// anew, and "A block key" or "B block key" authenticates.
func talk(t *testing.T, c *card, dialogue string) {
	t.Helper()
	for line := range strings.Lines(dialogue) {
		send, want, _ := strings.Cut(strings.TrimSpace(line), ">")
		send, want = strings.TrimSpace(send), strings.ReplaceAll(want, " ", "")
		var got string
		switch {
		case send == "":
			continue
		case send == "reset":
			c.reset()
		case send[0] == 'A' && send[1] == ' ', send[0] == 'B' && send[1] == ' ':
			b := unhex(t, send[2:])
			got = "denied"
			if c.authenticate(send[0] == 'B', b[0], [6]byte(b[1:]), [4]byte(c.uid[len(c.uid)-4:])) {
				got = "open"
			}
		default:
			got = strings.ReplaceAll(c.command(unhex(t, send)).text(), " ", "")
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", send, got, want)
		}
	}
}

func TestSelectionData(t *testing.T) {
	tests := []struct {
		uid, kind string
		atqa      [2]byte
		sak       byte
		cascaded  string
	}{
		{"1A2B3C4D", "", [2]byte{0x00, 0x04}, 0x08, "1a2b3c4d"},
		{"1A2B3C4D", "classic4k", [2]byte{0x00, 0x02}, 0x18, "1a2b3c4d"},
		{"04A1B2C3D4E580", "classic4k", [2]byte{0x00, 0x42}, 0x18, "8804a1b2c3d4e580"},
		{"04A1B2C3D4E580", "", [2]byte{0x00, 0x44}, 0x00, "8804a1b2c3d4e580"},
		{"04A1B2C3D4E580", "desfire", [2]byte{0x03, 0x44}, 0x20, "8804a1b2c3d4e580"},
		{"04A1B2C3D4E5F6071829", "", [2]byte{0x03, 0x84}, 0x20, "8804a1b288c3d4e5f6071829"},
	}
	for _, tt := range tests {
		c := testCard(t, tt.uid, tt.kind)
		if c.atqa != tt.atqa || c.sak != tt.sak || hex.EncodeToString(c.cascaded()) != tt.cascaded {
			t.Errorf("%s %s: ATQA %X, SAK %02X, cascaded %x; want %X, %02X, %s", tt.uid, tt.kind, c.atqa, c.sak, c.cascaded(), tt.atqa, tt.sak, tt.cascaded)
		}
	}
}

// The chips of type 2, by what the data sheets print.
func TestType2Commands(t *testing.T) {
	const head = "04a1b29f c3d4e580 72480000 "
	tests := []struct{ kind, dialogue string }{
		{"ntag213", `
			60 > 0004040201000f03
			3000 > ` + head + `e1101200
			3004 > 0103a00c 340300fe 00000000 00000000
			302a > 00000000 00000000 00000000 04a1b29f
			302c > 00000000 ` + head + `
			3a0405 > 0103a00c 340300fe
			3a282c > 000000bd 040000ff 00000000 00000000 00000000
			302d > NAK 0
			3000 > gone
			reset
			3a0504 > NAK 0
			reset
			3a002d > NAK 0`},
		{"ntag215", `
			60 > 0004040201001103
			3003 > e1103e00 0300fe00 00000000 00000000
			3082 > 000000bd 040000ff 00000000 00000000
			3087 > NAK 0`},
		{"ntag216", `
			60 > 0004040201001303
			3003 > e1106d00 0300fe00 00000000 00000000
			30e2 > 000000bd 040000ff 00000000 00000000
			30e7 > NAK 0`},
		{"ultralight", `
			300e > 00000000 00000000 04a1b29f c3d4e580
			60 > gone
			reset
			3010 > NAK 0
			reset
			3a0003 > gone`},
		{"ultralightev1", `
			60 > 0004030101000b03
			3010 > 000000ff 00050000 00000000 00000000
			4b000102030405060708090a0b0c0d0e0f00000000 > 05
			3e00 > bd
			3014 > NAK 0`},
		{"ultralightev1-128", `
			60 > 0004030101000e03
			3024 > 000000bd 000000ff 00050000 00000000
			3029 > NAK 0`},
		{"ultralightc", `
			302a > 30000000 00000000 04a1b29f c3d4e580
			302c > NAK 0
			reset
			60 > gone`},
		{"ntag213", `
			5000 > gone
			reset
			30 > NAK 0
			reset
			a204 01020304 > ACK
			a00501 > NAK 0
			reset
			a005 > ACK
			0a0b0c0d000000000000000000000000 > ACK
			3004 > 01020304 0a0b0c0d 00000000 00000000
			a005 > ACK
			0a0b > NAK 0
			reset
			a200 00000000 > NAK 0
			reset
			a22d 00000000 > NAK 0
			reset
			a000 > NAK 0
			reset
			a10400 > NAK 0
			reset
			3c00 > ` + fmt.Sprintf("%x", testCard(t, longUID, "ntag213").chip.(*type2).signature)},
		{"desfire", `
			3000 > gone`},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) { talk(t, testCard(t, longUID, tt.kind), tt.dialogue) })
	}
}

// Lock bits and one-time bits are only ever set, and the bits that freeze others
// do so.
func TestType2Locks(t *testing.T) {
	tests := []struct{ name, kind, dialogue string }{
		{"one-time bits", "ntag213", `
			a203 0000000f > ACK
			a203 00010000 > ACK
			3003 > e111120f 0103a00c 340300fe 00000000`},
		{"static", "ultralight", `
			a202 ffff1000 > ACK
			a204 01020304 > NAK 0
			reset
			a205 01020304 > ACK
			a202 00000001 > ACK
			a208 01020304 > NAK 0
			reset
			3002 > 72481001 00000000 00000000 01020304`},
		{"one-time bits locked", "ultralight", `
			a202 00000800 > ACK
			a203 00000001 > NAK 0`},
		{"static frozen", "ultralight", `
			a202 00000200 > ACK
			a202 0000f0ff > ACK
			3002 > 724802fc 00000000 00000000 00000000
			a202 00000500 > ACK
			a202 00000800 > ACK
			3002 > 724807fc 00000000 00000000 00000000`},
		{"dynamic, two pages a bit", "ntag213", `
			a228 01080000 > ACK
			a210 01020304 > NAK 0
			reset
			a211 01020304 > NAK 0
			reset
			a212 01020304 > ACK
			a227 01020304 > NAK 0
			reset
			a226 01020304 > NAK 0
			reset
			a228 00f002ff > ACK
			a228 0c000000 > ACK
			3028 > 010802bd 040000ff 00000000 00000000`},
		{"dynamic, sixteen pages a bit", "ntag215", `
			a282 80000100 > ACK
			a280 01020304 > NAK 0
			reset
			a27f 01020304 > ACK
			a282 03000000 > ACK
			3082 > 800001bd 040000ff 00000000 00000000`},
		{"dynamic, largest", "ntag216", `
			a2e2 ffff7fff > ACK
			30e2 > ff3f7fbd 040000ff 00000000 00000000
			a2e1 01020304 > NAK 0`},
		{"Ultralight C", "ultralightc", `
			a228 02200000 > ACK
			a210 01020304 > NAK 0
			reset
			a213 01020304 > NAK 0
			reset
			a214 01020304 > ACK
			a22a 01020304 > NAK 0
			reset
			a228 10000000 > ACK
			a228 e0000000 > ACK
			3028 > 12200000 00000000 30000000 00000000`},
		{"configuration", "ntag213", `
			a22a 40000000 > ACK
			a22a 40000000 > ACK
			reset
			a229 04000000 > NAK 0
			reset
			a22a 00000000 > NAK 0
			reset
			a22b 01020304 > ACK`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { talk(t, testCard(t, longUID, tt.kind), tt.dialogue) })
	}
}

func TestType2Passwords(t *testing.T) {
	tests := []struct{ name, kind, dialogue string }{
		{"default", "ntag213", "1bffffffff > 0000"},
		{"writing wants it", "ntag213", `
			a22b 11223344 > ACK
			a22c a1b20000 > ACK
			a229 04000006 > ACK
			a205 00000000 > ACK
			a206 00000000 > NAK 0
			reset
			3006 > 00000000 00000000 00000000 00000000
			1b11223345 > NAK 0
			a206 00000000 > gone
			reset
			1b11223344 > a1b2
			a206 01020304 > ACK
			reset
			a206 00000000 > NAK 0`},
		{"reading wants it too", "ultralightev1", `
			a211 80050000 > ACK
			a210 00000006 > ACK
			3004 > 00000000 00000000 04a1b29f c3d4e580
			3006 > NAK 0
			reset
			3a0406 > NAK 0
			reset
			1bffffffff > 0000
			3006 > 00000000 00000000 00000000 00000000`},
		{"all of it", "ntag213", `
			a22a 80000000 > ACK
			a229 04000000 > ACK
			3000 > NAK 0`},
		{"tries are counted", "ntag213", `
			a22a 02000000 > ACK
			1b00000000 > NAK 0
			reset
			1bffffffff > 0000
			1b00000000 > NAK 0
			reset
			1b00000000 > NAK 0
			reset
			1bffffffff > NAK 4`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { talk(t, testCard(t, longUID, tt.kind), tt.dialogue) })
	}
}

func TestType2Counters(t *testing.T) {
	talk(t, testCard(t, longUID, "ntag213"), `
		3902 > NAK 0
		reset
		a22a 10000000 > ACK
		3000 > 04a1b29f c3d4e580 72480000 e1101200
		3004 > 0103a00c 340300fe 00000000 00000000
		3902 > 010000
		reset
		3a0404 > 0103a00c
		3902 > 020000
		3900 > NAK 0
		reset
		a502 01000000 > NAK 0`)
	talk(t, testCard(t, longUID, "ultralightev1"), `
		3901 > 000000
		a501 010203ff > ACK
		3901 > 010203
		a501 ffffff00 > NAK 4
		reset
		3901 > 010203
		3903 > NAK 0`)
	talk(t, testCard(t, longUID, "ultralightc"), `
		a229 feff0000 > ACK
		a229 01000000 > ACK
		3029 > ffff0000 30000000 00000000 04a1b29f
		a229 01000000 > NAK 4`)
}

// The host's side of an Ultralight C's authentication, with the key of delivery.
func TestUltralightCAuthenticates(t *testing.T) {
	c := testCard(t, longUID, "ultralightc")
	key := []byte("IEMKAERB!NACUOYF")
	block, err := des.NewTripleDESCipher(append(key, key[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	talk(t, c, "a22a 04000000 > ACK\n3004 > NAK 0\nreset")
	answer := c.command([]byte{0x1A, 0x00}).data
	if len(answer) != 9 || answer[0] != 0xAF {
		t.Fatalf("the challenge is %x", answer)
	}
	theirs := make([]byte, 8)
	cipher.NewCBCDecrypter(block, make([]byte, 8)).CryptBlocks(theirs, answer[1:])
	mine := []byte("08154711")
	token := make([]byte, 16)
	cipher.NewCBCEncrypter(block, answer[1:]).CryptBlocks(token, append(bytes.Clone(mine), rotated(theirs)...))
	proof := c.command(append([]byte{0xAF}, token...)).data
	if len(proof) != 9 || proof[0] != 0x00 {
		t.Fatalf("the proof is %x", proof)
	}
	plain := make([]byte, 8)
	cipher.NewCBCDecrypter(block, token[8:]).CryptBlocks(plain, proof[1:])
	if !bytes.Equal(plain, rotated(mine)) {
		t.Errorf("the tag knows %x, want %x", plain, rotated(mine))
	}
	talk(t, c, `
		3004 > 00000000 00000000 00000000 00000000
		reset
		3004 > NAK 0
		reset
		1a00 > `+c.peekChallenge(t)+`
		af00000000000000000000000000000000 > NAK 0
		reset
		af00000000000000000000000000000000 > NAK 0`)
}

// peekChallenge is what the next challenge will be.
func (c *card) peekChallenge(t *testing.T) string {
	twin := testCard(t, longUID, "ultralightc")
	twin.command([]byte{0x1A, 0x00})
	return fmt.Sprintf("%x", twin.command([]byte{0x1A, 0x00}).data)
}

// A write that is cut leaves half of it, except where chips guard against that.
func TestTornWrites(t *testing.T) {
	c := testCard(t, longUID, "ntag213")
	c.chip.memory().tear = 2
	talk(t, c, `
		a206 11111111 > ACK
		a207 22222222 > gone
		3004 > gone
		reset
		3004 > 0103a00c 340300fe 11111111 22220000
		a208 33333333 > ACK`)
	c.chip.memory().tear = 1
	talk(t, c, "a203 0000000f > gone\nreset\n3003 > e1101200 0103a00c 340300fe 11111111")

	k := testCard(t, shortUID, "")
	k.chip.memory().tear = 1
	talk(t, k, `
		A 04 ffffffffffff > open
		a004 > ACK
		11111111111111111111111111111111 > gone
		reset
		A 04 ffffffffffff > open
		3004 > 1111111111111111 0000000000000000`)
}
