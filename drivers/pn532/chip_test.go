package pn532

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
)

// script is a port that answers every write with the same bytes.
type script struct{ answer, left []byte }

func (s *script) Write(b []byte) (int, error)     { s.left = s.answer; return len(b), nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) Close() error                    { return nil }
func (s *script) Read(b []byte) (int, error) {
	n := copy(b, s.left)
	s.left = s.left[n:]
	return n, nil
}

// BenchmarkIdlePoll measures what one look at an empty field costs the host,
// the system calls of the port apart.
func BenchmarkIdlePoll(b *testing.B) {
	answer, _ := hex.DecodeString("0000ff00ff00" + "0000ff03fdd54b00e000")
	c := chip{link: newLink(&script{answer: answer}), tries: passiveRetries}
	defer c.link.close()
	b.ReportAllocs()
	for b.Loop() {
		if tags, _, err := c.list(b.Context()); len(tags) != 0 || err != nil {
			b.Fatal(tags, err)
		}
	}
}

func TestIdlePollAllocatesNothing(t *testing.T) {
	answer, _ := hex.DecodeString("0000ff00ff00" + "0000ff03fdd54b00e000")
	c := chip{link: newLink(&script{answer: answer}), tries: passiveRetries}
	defer c.link.close()
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { c.list(ctx) }); n != 0 {
		t.Errorf("%v allocations for a look at an empty field", n)
	}
}

func TestParseTargets(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"none", "00", ""},
		{"four bytes", "01 01 0004 08 04 deadbeef", "deadbeef"},
		{"seven bytes", "01 01 0044 00 07 04a1b2c3d4e580", "04a1b2c3d4e580"},
		{"ten bytes", "01 01 0084 00 0a 00112233445566778899", "00112233445566778899"},
		{"two", "02 01 0004 08 04 11223344 02 0044 00 07 04a1b2c3d4e580", "11223344 04a1b2c3d4e580"},
		{"answer to select", "01 01 0344 20 07 04112233445566 06 7577810280", "04112233445566"},
		{"two, the first with answer to select", "02 01 0344 20 07 04112233445566 06 7577810280 02 0004 08 04 11223344", "04112233445566 11223344"},
		{"layer 4 without answer to select", "01 01 0344 20 04 11223344", "11223344"},
		{"no count", "", "refused"},
		{"three", "03 01 0004 08 04 deadbeef", "refused"},
		{"cut off", "01 01 0004 08 04 deadbe", "refused"},
		{"too much", "01 01 0004 08 04 deadbeef 00", "refused"},
		{"wrong number", "01 02 0004 08 04 deadbeef", "refused"},
		{"five bytes", "01 01 0004 08 05 deadbeef00", "refused"},
		{"length beyond the end", "01 01 0004 08 ff deadbeef", "refused"},
		{"answer to select of length 0", "01 01 0344 20 04 11223344 00", "refused"},
	} {
		in, err := hex.DecodeString(strings.ReplaceAll(tt.in, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		var targets [maxTargets]target
		n, err := parseTargets(&targets, in)
		var ids []string
		for _, x := range targets[:n] {
			ids = append(ids, hex.EncodeToString(x.id))
		}
		got := strings.Join(ids, " ")
		if errors.Is(err, drivers.ErrProtocol) {
			got = "refused"
		}
		if got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// Identifiers that only broken reads have never become tags, and do not keep a
// good tag beside them from being reported.
func TestListRefusesBrokenIdentifiers(t *testing.T) {
	for name, bad := range map[string]string{"zeros": "00000000", "ones": "ffffffff", "first part of a longer one": "88041122"} {
		answer := []byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00}
		data, err := hex.DecodeString("d54b02" + "0100040804" + bad + "0200040804" + "11223344")
		if err != nil {
			t.Fatal(err)
		}
		answer, err = AppendFrame(answer, data...)
		if err != nil {
			t.Fatal(err)
		}
		c := chip{link: newLink(&script{answer: answer}), tries: passiveRetries}
		tags, _, err := c.list(t.Context())
		if len(tags) != 1 || tags[0].ID != "11223344" || !errors.Is(err, drivers.ErrTagID) {
			t.Errorf("%s: %v, %v; want the other tag and ErrTagID", name, tags, err)
		}
		c.link.close()
	}
}

func FuzzParseTargets(f *testing.F) {
	for _, seed := range []string{
		"00", "010100040804deadbeef", "02010004080411223344020044000704a1b2c3d4e580", "0101034420070411223344556606757781028 0",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var targets [maxTargets]target
		n, err := parseTargets(&targets, b)
		if err != nil && n != 0 || n > maxTargets {
			t.Fatalf("%d targets and %v", n, err)
		}
		for _, x := range targets[:n] {
			if len(x.id) < 4 || len(x.id) > 10 {
				t.Errorf("identifier % x", x.id)
			}
		}
	})
}
