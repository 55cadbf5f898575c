package emulate

import (
	"fmt"
	"testing"
)

func TestClassicCommands(t *testing.T) {
	tests := []struct{ name, dialogue string }{
		{"closed", "3000 > gone\n3000 > gone"},
		{"manufacturer's block", `
			A 00 ffffffffffff > open
			3000 > 1a2b3c4d 40 08 0400 0000000000000000
			a000 > NAK 4
			3001 > gone`},
		{"wrong key", "A 00 a0a1a2a3a4a5 > denied\nA 00 ffffffffffff > denied\nreset\nA 00 ffffffffffff > open"},
		{"no such block", "A 40 ffffffffffff > denied"},
		{"another sector", "A 00 ffffffffffff > open\n3004 > NAK 4"},
		{"next sector", "A 00 ffffffffffff > open\nA 04 ffffffffffff > open\n3004 > 00000000000000000000000000000000"},
		{"write", `
			A 3c ffffffffffff > open
			a03d > ACK
			000102030405060708090a0b0c0d0e0f > ACK
			303d > 000102030405060708090a0b0c0d0e0f
			a03d > ACK
			0001 > NAK 4`},
		{"trailer as delivered", `
			A 07 ffffffffffff > open
			3007 > 000000000000 ff078069 ffffffffffff
			reset
			B 07 ffffffffffff > open
			3004 > NAK 4`},
		{"new keys", `
			A 07 ffffffffffff > open
			a007 > ACK
			a0a1a2a3a4a5 787788c1 b0b1b2b3b4b5 > ACK
			3007 > 000000000000 787788c1 000000000000
			reset
			A 07 ffffffffffff > denied
			reset
			A 07 a0a1a2a3a4a5 > open
			3007 > 000000000000 787788c1 000000000000
			a004 > NAK 4
			reset
			B 07 b0b1b2b3b4b5 > open
			a004 > ACK
			11111111111111111111111111111111 > ACK
			a007 > ACK
			ffffffffffff ff078069 ffffffffffff > ACK
			reset
			A 07 ffffffffffff > open`},
		{"sector lost for ever", `
			A 07 ffffffffffff > open
			a007 > ACK
			ffffffffffff 00000000 ffffffffffff > ACK
			3004 > NAK 4
			reset
			A 07 ffffffffffff > open
			a007 > NAK 4`},
		{"values", `
			A 04 ffffffffffff > open
			c104 > NAK 4
			reset
			A 04 ffffffffffff > open
			a004 > ACK
			64000000 9bffffff 64000000 05fa05fa > ACK
			b005 > NAK 4
			reset
			A 04 ffffffffffff > open
			c104 > ACK
			05000000 > silence
			b004 > ACK
			3004 > 69000000 96ffffff 69000000 05fa05fa
			c004 > ACK
			6a000000 > silence
			b005 > ACK
			3005 > ffffffff 00000000 ffffffff 05fa05fa
			c205 > ACK
			00000000 > silence
			b006 > ACK
			3006 > ffffffff 00000000 ffffffff 05fa05fa
			c106 > ACK
			ffffff7f > silence
			b006 > ACK
			c106 > ACK
			ffffff7f > NAK 0`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { talk(t, testCard(t, shortUID, "classic1k"), tt.dialogue) })
	}
}

func TestClassicAuthenticatesByLastFourBytes(t *testing.T) {
	key := [6]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	c := testCard(t, longUID, "classic1k")
	if c.authenticate(false, 0, key, [4]byte{0x04, 0xA1, 0xB2, 0xC3}) {
		t.Error("the first four bytes open a sector")
	}
	c.reset()
	if !c.authenticate(false, 0, key, [4]byte{0xC3, 0xD4, 0xE5, 0x80}) {
		t.Error("the last four bytes open no sector")
	}
}

// The rights to data blocks as table 8 of MF1S50YYX_V1 prints them, by C1 C2 C3:
// read, write, increment, decrement; each with A alone, B alone, or either.
func TestClassicDataRights(t *testing.T) {
	table := []struct {
		c1, c2, c3                        byte
		read, write, increment, decrement string
	}{
		{0, 0, 0, "AB", "AB", "AB", "AB"},
		{0, 1, 0, "AB", "", "", ""},
		{1, 0, 0, "AB", "B", "", ""},
		{1, 1, 0, "AB", "B", "B", "AB"},
		{0, 0, 1, "AB", "", "", "AB"},
		{0, 1, 1, "B", "B", "", ""},
		{1, 0, 1, "B", "", "", ""},
		{1, 1, 1, "", "", "", ""},
	}
	for _, block := range []byte{5, 0xE9} { // the second one in the middle of a large sector
		for _, tt := range table {
			for i, allowed := range []string{tt.read, tt.write, tt.increment, tt.decrement} {
				for _, key := range []string{"A", "B"} {
					c := testCard(t, shortUID, "classic4k")
					m := c.chip.memory()
					copy(m.at(int(block)), valueBlock(7, 0))
					// The trailer's bits are 011, so that key B opens; the other areas' are 000.
					a := areaOf(int(block))
					c1, c2, c3 := tt.c1<<a, tt.c2<<a|8, tt.c3<<a|8
					copy(m.at(trailerOf(sectorOf(int(block))))[6:], []byte{^(c2<<4 | c1), c1<<4 | ^c3&0x0F, c3<<4 | c2})
					talk(t, c, fmt.Sprintf("%s %02x ffffffffffff > open", key, block))
					r := c.command([]byte{[]byte{0x30, 0xA0, 0xC1, 0xC0}[i], block})
					got := r.kind == frame || r.kind == acknowledge && r.nibble == ackNibble
					want := allowed == "AB" || allowed == key
					if got != want {
						t.Errorf("block %d, %d%d%d, operation %d, key %s: allowed %v, want %v", block, tt.c1, tt.c2, tt.c3, i, key, got, want)
					}
				}
			}
		}
	}
}

// The rights to a trailer as table 7 prints them: what a write with either key
// changes of key A, access bits and key B, and whether key B can be read.
func TestClassicTrailerRights(t *testing.T) {
	table := []struct {
		c1, c2, c3 byte
		byA, byB   string // parts that a write changes
		readB      bool   // with key A
	}{
		{0, 0, 0, "AB", "", true},
		{0, 1, 0, "", "", true},
		{1, 0, 0, "", "AB", false},
		{1, 1, 0, "", "", false},
		{0, 0, 1, "AcB", "", true},
		{0, 1, 1, "", "AcB", false},
		{1, 0, 1, "", "c", false},
		{1, 1, 1, "", "", false},
	}
	for _, tt := range table {
		for _, key := range []string{"A", "B"} {
			c := testCard(t, shortUID, "classic1k")
			trailer := c.chip.memory().at(7)
			c1, c2, c3 := tt.c1<<3, tt.c2<<3, tt.c3<<3
			copy(trailer[6:], []byte{^(c2<<4 | c1), c1<<4 | ^c3&0x0F, c3<<4 | c2})
			before := [16]byte(trailer)
			talk(t, c, key+" 07 ffffffffffff > open")
			if key == "A" {
				if r := c.command([]byte{0x30, 0x07}); r.kind != frame || (r.data[15] == 0xFF) != tt.readB || r.data[0] != 0 {
					t.Errorf("%d%d%d: key A reads %s, key B readable should be %v", tt.c1, tt.c2, tt.c3, r.text(), tt.readB)
				}
			}
			want := tt.byA
			if key == "B" {
				want = tt.byB
			}
			if r := c.command([]byte{0xA0, 0x07}); (r.nibble == ackNibble) != (want != "") {
				t.Errorf("%d%d%d: a write with key %s says %s, though it may change %q", tt.c1, tt.c2, tt.c3, key, r.text(), want)
			}
			c.command([]byte{1, 1, 1, 1, 1, 1, 0x78, 0x77, 0x88, 1, 2, 2, 2, 2, 2, 2})
			got := ""
			for _, part := range []struct {
				name string
				at   int
			}{{"A", 0}, {"c", 9}, {"B", 10}} {
				if trailer[part.at] != before[part.at] {
					got += part.name
				}
			}
			if got != want {
				t.Errorf("%d%d%d: a write with key %s changes %q, want %q", tt.c1, tt.c2, tt.c3, key, got, want)
			}
		}
	}
}

func TestClassicSectors(t *testing.T) {
	for block, want := range map[int][2]int{0: {0, 3}, 3: {0, 3}, 4: {1, 7}, 127: {31, 127}, 128: {32, 143}, 143: {32, 143}, 144: {33, 159}, 255: {39, 255}} {
		if got := [2]int{sectorOf(block), trailerOf(sectorOf(block))}; got != want {
			t.Errorf("block %d is in sector %d with trailer %d, want %v", block, got[0], got[1], want)
		}
	}
}
