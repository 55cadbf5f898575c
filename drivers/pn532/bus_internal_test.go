package pn532

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

// scriptBus is a bus whose chip answers every command with the same frames.
type scriptBus struct {
	frames [][]byte
	next   int
}

func (s *scriptBus) ready() (bool, error)        { return s.next < len(s.frames), nil }
func (s *scriptBus) wake() error                 { return nil }
func (s *scriptBus) send([]byte) error           { s.next = 0; return nil }
func (s *scriptBus) close() error                { return nil }
func (s *scriptBus) fetch(b []byte) (int, error) { s.next++; return copy(b, s.frames[s.next-1]), nil }

func idleBus() *chip {
	answer, _ := hex.DecodeString("0000ff03fdd54b00e000ffffffff")
	return &chip{link: newLink(newBusPort(&scriptBus{frames: [][]byte{ackFrame, answer}}, nil)), tries: passiveRetries}
}

// BenchmarkIdlePollOnBus measures what one look at an empty field costs the host
// on SPI or I2C, the transfers apart.
func BenchmarkIdlePollOnBus(b *testing.B) {
	c := idleBus()
	defer c.link.close()
	b.ReportAllocs()
	for b.Loop() {
		if tags, _, err := c.list(b.Context()); len(tags) != 0 || err != nil {
			b.Fatal(tags, err)
		}
	}
}

func TestIdlePollOnBusAllocatesNothing(t *testing.T) {
	c := idleBus()
	defer c.link.close()
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { c.list(ctx) }); n != 0 {
		t.Errorf("%v allocations for a look at an empty field", n)
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"ACK with an idle line behind", "0000ff00ff00ffffff", "00ff00ff"},
		{"answer", "0000ff03fdd54b00e0000000", "00ff03fdd54b00e0"},
		{"noise in front", "00ff000000ff12eed553000000ff03fdd54b00e000", "00ff03fdd54b00e0"},
		{"damaged", "00ff03fdd54b01e000", "00ff03fdd54b01e000"},
		{"breaks off", "0000ff08f8d54b", "00ff08f8d54b"},
		{"line floats high", "ffffffffff", ""},
		{"line floats low", "0000000000", ""},
		{"nothing", "", ""},
	} {
		in, _ := hex.DecodeString(tt.in)
		if got := hex.EncodeToString(cut(in)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestStatusError(t *testing.T) {
	for status, want := range map[byte]error{
		0x00: nil, 0x80: nil, 0x01: nfctag.ErrUnanswered, 0x02: nfctag.ErrUnanswered, 0x13: nfctag.ErrUnanswered,
		0x14: nfctag.ErrUnanswered, 0x27: nfctag.ErrUnanswered, 0x0A: drivers.ErrProtocol, 0x10: drivers.ErrProtocol,
		0x2D: drivers.ErrProtocol, 0x40: drivers.ErrProtocol, 0xFF: drivers.ErrProtocol,
	} {
		if err := statusError(status); !errors.Is(err, want) {
			t.Errorf("status %02X: %v, want %v", status, err, want)
		}
	}
}

func TestCascade(t *testing.T) {
	for in, want := range map[string]string{
		"11223344": "11223344", "04a1b2c3d4e580": "8804a1b2c3d4e580", "00112233445566778899": "88001122883344556677 8899",
	} {
		uid, _ := hex.DecodeString(in)
		wanted, _ := hex.DecodeString(string(bytes.ReplaceAll([]byte(want), []byte(" "), nil)))
		if got := appendCascaded(nil, uid); !bytes.Equal(got, wanted) {
			t.Errorf("%s: % x, want % x", in, got, wanted)
		}
	}
}

// Whatever a bus gives, what is cut out of it lies in it, and a whole frame in
// it is found.
func FuzzCut(f *testing.F) {
	for _, seed := range []string{"0000ff00ff00ffff", "0000ff03fdd54b00e000", "00ff12eed553", "ffffffff", "00ff03fdd54b01e00000ff00ff00"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := cut(b)
		if !bytes.Contains(b, got) {
			t.Fatalf("% x is not in % x", got, b)
		}
		whole := append(bytes.Clone(b), 0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00)
		var p Parser
		if frames := append(p.Feed(cut(whole)), p.Flush()...); len(whole) < maxFrame && len(frames) == 0 {
			t.Fatalf("no frame in % x", whole)
		}
	})
}
