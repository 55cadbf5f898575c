package emulate_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dialogue is what a host sends and what the chip says to it, in hex.
type dialogue []struct{ send, want string }

const ack = "0000ff00ff00"

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plugIn serves a device on a cable in memory and returns the host's end.
func plugIn(t *testing.T, device emulate.Device) host {
	h, d := drivertest.Cable()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { defer close(done); device.Serve(ctx, d) }()
	t.Cleanup(func() { cancel(); <-done })
	return host{t, h}
}

type host struct {
	t    *testing.T
	port interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
		SetReadDeadline(time.Time) error
	}
}

func (h host) send(b []byte) {
	h.t.Helper()
	if _, err := h.port.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

// expect reads exactly want.
func (h host) expect(want []byte) {
	h.t.Helper()
	h.port.SetReadDeadline(time.Now().Add(20 * time.Second))
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		k, err := h.port.Read(got[n:])
		if err != nil {
			h.t.Fatalf("got % x, then %v; want % x", got[:n], err, want)
		}
		n += k
	}
	if !bytes.Equal(got, want) {
		h.t.Fatalf("got  % x\nwant % x", got, want)
	}
}

// nothing makes sure that no byte comes.
func (h host) nothing() {
	h.t.Helper()
	h.port.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	b := make([]byte, 64)
	if n, err := h.port.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Fatalf("got % x, %v; want nothing", b[:n], err)
	}
}

func (h host) run(d dialogue) {
	h.t.Helper()
	for _, line := range d {
		h.send(bytesOf(h.t, line.send))
		h.expect(bytesOf(h.t, line.want))
	}
}

const wake = "55550000000000000000000000000000 0000ff03fdd414011700"

// The bytes that libnfc 1.8.0 exchanges with a PN532 when it starts and lists
// tags.
func TestPN532AnswersLibnfc(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	h := plugIn(t, device)
	if err := device.Present("DEADBEEF", "classic1k"); err != nil {
		t.Fatal(err)
	}
	ok := func(code string) string { return ack + code }
	h.run(dialogue{
		{wake, ok("0000ff02fed5151600")},
		{"0000ff09f7d400006c69626e6663be00", ok("0000ff09f7d501006c69626e6663bc00")},
		{"0000ff02fed4022a00", ok("0000ff06fad50332010607e800")},
		{"0000ff03fdd412140600", ok("0000ff02fed5131800")},
		{"0000ff0cf4d406630263036 30d6338633db000", ok("0000ff07f9d507 0000000000 2400")},
		{"0000ff08f8d40863028063038 05900", ok("0000ff02fed5092200")},
		{"0000ff04fcd4320100f900", ok("0000ff02fed533f800")},
		{"0000ff04fcd4320101f800", ok("0000ff02fed533f800")},
		{"0000ff06fad43205fffffff800", ok("0000ff02fed533f800")},
		{"0000ff06fad432050001 02f200", ok("0000ff02fed533f800")},
		{"0000ff04fcd44a0100e100", ok("0000ff0cf4d54b01010004080 4deadbeef9600")},
		{"0000ff03fdd44400e800", ok("0000ff03fdd54500e600")},
		{"0000ff03fdd45200da00", ok("0000ff03fdd55300d800")},
		{"0000ff03fdd416f02600", ok("0000ff03fdd517001400")},
	})
	h.send(bytesOf(t, "0000ff02fed4022a00"))
	h.nothing() // it sleeps since PowerDown
	h.run(dialogue{{wake, ok("0000ff02fed5151600")}})
}

func TestPN532Commands(t *testing.T) {
	tests := []struct {
		name string
		tags [][2]string
		dialogue
	}{
		{"empty field, finite", nil, dialogue{{"32050000 00", "33"}, {"4a0200", "4b00"}}},
		{"seven bytes", [][2]string{{"04A1B2C3D4E580", ""}}, dialogue{{"4a0100", "4b01 01004400 07 04a1b2c3d4e580"}}},
		{
			"select by identifier with cascade tag",
			[][2]string{{"11223344", ""}, {"04A1B2C3D4E580", ""}},
			dialogue{{"4a0100 88 04a1b2c3d4e580", "4b01 01004400 07 04a1b2c3d4e580"}},
		},
		{
			"two targets",
			[][2]string{{"11223344", ""}, {"55667788", "classic4k"}},
			dialogue{{"4a0200", "4b02 0100040804 11223344 0200021804 55667788"}},
		},
		{
			"answer to select",
			[][2]string{{"04112233445566", "desfire"}},
			dialogue{{"4a0100", "4b01 01034420 07 04112233445566 067577810280"}},
		},
		{
			"automatic RATS off",
			[][2]string{{"04112233445566", "desfire"}},
			dialogue{{"1200", "13"}, {"4a0100", "4b01 01034420 07 04112233445566"}},
		},
		{"other modulations find nothing", [][2]string{{"11223344", ""}}, dialogue{{"32050000 01", "33"}, {"4a0101 00ffff0000", "4b00"}}},
		{"InAutoPoll", [][2]string{{"11223344", ""}}, dialogue{{"60140220", "6101 10 09 01000408 04 11223344"}}},
		{"registers", nil, dialogue{{"08 6302 80 6303 81", "09"}, {"06 6303 6302 630d", "07 81 80 00"}}},
		{"general status", nil, dialogue{{"320101", "33"}, {"04", "05 00 01 00 80"}}},
		{"diagnose", nil, dialogue{{"0000 616263", "01 00 616263"}, {"0001", "0100"}, {"0006", "0101"}}},
		{"empty InCommunicateThru", nil, dialogue{{"42", "4301"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			device := emulate.NewPN532(emulate.PN532Config{})
			for _, tag := range tt.tags {
				if err := device.Present(tag[0], tag[1]); err != nil {
					t.Fatal(err)
				}
			}
			h := plugIn(t, device)
			h.run(dialogue{{wake, ack + "0000ff02fed5151600"}})
			for _, line := range tt.dialogue {
				h.send(frame(0xD4, bytesOf(t, line.send)))
				h.expect(append(bytesOf(t, ack), frame(0xD5, bytesOf(t, line.want))...))
			}
		})
	}
}

func TestPN532RefusesFrames(t *testing.T) {
	h := plugIn(t, emulate.NewPN532(emulate.PN532Config{}))
	h.run(dialogue{
		{wake, ack + "0000ff02fed5151600"},
		{"0000ff02fed4022b00", "0000ff01ff7f8100"},                                        // data checksum
		{"0000ff02fed47ab200", ack + "0000ff01ff7f8100"},                                  // unknown command
		{"0000ff02fdd4022a00" + "0000ff02fed4022a00", ack + "0000ff06fad50332010607e800"}, // length checksum, then right
		{"0000ffffff0002fed4022a00", ack + "0000ff06fad50332010607e800"},                  // extended frame
	})
}

func frame(tfi byte, data []byte) []byte {
	data = append([]byte{tfi}, data...)
	f := append([]byte{0, 0, 0xFF, byte(len(data)), byte(-len(data))}, data...)
	var check byte
	for _, x := range data {
		check -= x
	}
	return append(f, check, 0)
}

// A look without end of retries waits for a tag, and a host's ACK ends it.
func TestPN532WaitsWithoutEnd(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	h := plugIn(t, device)
	const list = "0000ff04fcd44a0100e100"
	h.run(dialogue{{wake, ack + "0000ff02fed5151600"}, {list, ack}})
	h.nothing()
	if err := device.Present("DEADBEEF", ""); err != nil {
		t.Fatal(err)
	}
	h.expect(bytesOf(t, "0000ff0cf4d54b010100040804deadbeef9600"))
	if err := device.Remove(""); err != nil {
		t.Fatal(err)
	}
	h.run(dialogue{{list, ack}})
	h.send(bytesOf(t, ack))
	h.nothing()
	if err := device.Present("DEADBEEF", ""); err != nil {
		t.Fatal(err)
	}
	h.nothing()
}

func TestPN532Faults(t *testing.T) {
	const version, answer = "0000ff02fed4022a00", "0000ff06fad50332010607e800"
	start := func(t *testing.T) (*emulate.PN532, host) {
		device := emulate.NewPN532(emulate.PN532Config{})
		h := plugIn(t, device)
		h.run(dialogue{{wake, ack + "0000ff02fed5151600"}})
		return device, h
	}
	t.Run("drop-ack", func(t *testing.T) {
		device, h := start(t)
		device.Fault(emulate.FaultDropAck, true)
		h.run(dialogue{{version, ack + answer}})
		h.send(bytesOf(t, version))
		h.nothing()
		h.run(dialogue{{version, ack + answer}})
	})
	t.Run("bad-checksum", func(t *testing.T) {
		device, h := start(t)
		device.Fault(emulate.FaultChecksum, true)
		h.run(dialogue{{version, ack + "0000ff06fad50332010617e800"}, {"0000ffff0000", answer}})
	})
	t.Run("silence", func(t *testing.T) {
		device, h := start(t)
		device.Fault(emulate.FaultSilence, true)
		h.send(bytesOf(t, version))
		h.nothing()
	})
	t.Run("stale", func(t *testing.T) {
		device, h := start(t)
		device.Fault(emulate.FaultStale, true)
		h.run(dialogue{{version, "0000ff0cf4d54b010100040804deadbeef9600" + ack + answer}, {version, ack + answer}})
	})
	t.Run("reset", func(t *testing.T) {
		device, h := start(t)
		device.Fault(emulate.FaultReset, true)
		h.send(bytesOf(t, version))
		h.nothing()
	})
	t.Run("unknown", func(t *testing.T) {
		device, _ := start(t)
		if err := device.Fault("sunspots", true); err == nil || !strings.Contains(err.Error(), "drop-ack") {
			t.Errorf("got %v, want an error that lists the faults", err)
		}
	})
}
