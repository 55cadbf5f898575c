package agent

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	profiles "traveler.example/firmware-profiles"
)

var everyName = []string{"bench", "nfc", "nfc-i2c", "way-in", "way-out", "scanner"}

// Every device that has no pseudo-terminal to be emulated on: chips at the level
// of registers and pins, a portal on the network, a keyboard in a pipe.
func TestEveryReaderOfAProfile(t *testing.T) {
	w := newWorkbench(t)
	s := w.serve(t)
	s.up(everyName...)
	for _, d := range []struct {
		reader, tag string
		scan        func(tag string) error
	}{
		{"bench", "04A1B2C3D4E5F6", func(tag string) error { return w.mfrc522.Present(tag, "ntag213") }},
		{"nfc", "04A1B2C3D4E5F7", func(tag string) error { return w.nfc.Present(tag, "ntag213") }},
		{"nfc-i2c", "04A1B2C3D4E5F8", func(tag string) error { return w.other.Present(tag, "ntag213") }},
		{"way-in", "3034257BF7194E4000001A85", func(tag string) error { return w.uhf.Present(tag, 2, -50, "") }},
		{"way-out", "3034257BF7194E4000001A86", func(tag string) error { return w.uhf.Present(tag, 3, -50, "") }},
		{"scanner", "ITEM-0815", func(tag string) error { return w.scanner.Scan(tag) }},
	} {
		must(t, d.scan(d.tag))
		s.scanned(d.reader, d.tag)
	}
	must(t, w.mfrc522.Present("04A1B2C3D4E5FF", "ntag213"))
	s.until("amber lamp", func() bool { return bool(w.lamps["GPIO27"].Read()) })

	// A portal's reader has its own threshold, and no other reader's antennas.
	must(t, w.uhf.Present("3034257BF7194E4000001A87", 3, -70, ""))
	must(t, w.uhf.Present("3034257BF7194E4000001A88", 4, -30, ""))
	must(t, w.uhf.Present("3034257BF7194E4000001A89", 1, -50, ""))
	s.scanned("way-in", "3034257BF7194E4000001A89")
	for _, e := range s.journal.events(journal.ScanWait) {
		if tag := e.fields[journal.KeyTag]; tag == "3034257BF7194E4000001A87" || tag == "3034257BF7194E4000001A88" {
			t.Errorf("tag %s arrived at %s", tag, e.fields[journal.KeyReader])
		}
	}
}

// reload puts a changed profile in force.
func (s *serving) reload(from, to string) {
	s.t.Helper()
	text, err := os.ReadFile(s.file)
	must(s.t, err)
	if strings.Count(string(text), from) != 1 {
		s.t.Fatalf("the profile has %q %d times", from, strings.Count(string(text), from))
	}
	must(s.t, os.WriteFile(s.file, []byte(strings.Replace(string(text), from, to, 1)), 0o644))
	p, err := profiles.Load(s.file)
	must(s.t, err)
	must(s.t, s.Reload(s.t.Context(), s.file, p))
}

// A reload opens anew what has changed and leaves the rest alone. Readers of one
// portal change together.
func TestReloadKeepsReadersThatDidNotChange(t *testing.T) {
	w := newWorkbench(t)
	s := w.serve(t)
	s.up(everyName...)
	ports := []string{"/dev/spidev0.0", "/dev/spidev0.1", "/dev/i2c-1", "/dev/input/by-id/scanner-event-kbd"}
	counts := func() (n []int) {
		for _, p := range ports {
			n = append(n, w.times(p))
		}
		return n
	}
	before := counts()
	portal := s.parts.Readers[3]

	s.reload("gain = 38", "gain = 48")
	s.up(everyName...)
	want := slices.Clone(before)
	want[0]++
	if got := counts(); !slices.Equal(got, want) {
		t.Errorf("ports were opened %v times, want %v", got, want)
	}
	if s.parts.Readers[3] != portal {
		t.Error("the portal was fitted anew though nothing of it changed")
	}

	s.reload("antennas = [3]", "antennas = [3, 4]")
	s.up(everyName...)
	if got := counts(); !slices.Equal(got, want) {
		t.Errorf("ports were opened %v times, want %v", got, want)
	}
	if s.parts.Readers[3] == portal {
		t.Error("the portal goes on with the antennas from before")
	}
	must(t, w.uhf.Present("3034257BF7194E4000001A90", 4, -50, ""))
	s.scanned("way-out", "3034257BF7194E4000001A90")
	must(t, w.mfrc522.Present("04A1B2C3D4E5F9", "ntag213"))
	s.scanned("bench", "04A1B2C3D4E5F9")
	s.journal.times(0, journal.ReaderDown)
}

// What the board does not have stops a start, and not a gateway that runs.
func TestAPinThatTheBoardDoesNotHave(t *testing.T) {
	w := newWorkbench(t)
	s := w.serve(t)
	s.up(everyName...)
	p := s.profile
	p.Readers = slices.Clone(p.Readers)
	p.Readers[0].Reset = "GPIO99"
	if err := s.Reload(t.Context(), s.file, p); err == nil || !strings.Contains(err.Error(), "reader bench: reset: no pin \"GPIO99\"") {
		t.Errorf("got %v, want reader, setting and pin", err)
	}
	s.journal.times(1, journal.ProfileRefused)
	must(t, w.mfrc522.Present("04A1B2C3D4E5FA", "ntag213"))
	s.scanned("bench", "04A1B2C3D4E5FA")
}

// While another program holds a port, its reader is down, told once with what to
// do; then it comes up by itself.
func TestAnotherProgramHoldsThePorts(t *testing.T) {
	w := newWorkbench(t)
	w.take(true)
	client, err := net.Dial("tcp", w.dock.Address())
	must(t, err)
	defer client.Close() //nolint:errcheck // it was closed before
	hello := make([]byte, 64)
	_, err = client.Read(hello) // the portal has greeted its one client
	must(t, err)

	s := w.serve(t)
	says := map[string]string{
		"bench": "close the program", "nfc": "close the program", "nfc-i2c": "close the program", "scanner": "close the program",
		"way-in": "another client is connected", "way-out": "another client is connected",
	}
	s.until("six readers down", func() bool { return len(s.journal.events(journal.ReaderDown)) >= len(says) })
	time.Sleep(300 * time.Millisecond) // several attempts later it is the same outage
	for reader, want := range says {
		var told []string
		for _, e := range s.journal.events(journal.ReaderDown) {
			if e.fields[journal.KeyReader] == reader {
				told = append(told, e.words)
			}
		}
		if len(told) != 1 || !strings.Contains(told[0], want) {
			t.Errorf("reader %s: told %q, want once and that %q", reader, told, want)
		}
	}
	w.take(false)
	must(t, client.Close())
	s.up(everyName...)
}

// The lock of a serial port is told with the program that names its holder.
func TestAnotherProgramHoldsASerialPort(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	path := filepath.Join(t.TempDir(), "reader")
	socket, err := emulate.Plug(path, device)
	must(t, err)
	defer socket.Close() //nolint:errcheck // it is a test's
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	defer unix.Close(fd) //nolint:errcheck // it is a test's
	must(t, unix.Flock(fd, unix.LOCK_EX))
	_, err = serial(profiles.Reader{Port: path}, 115200)(t.Context())
	if !errors.Is(err, drivers.ErrBusy) || !strings.Contains(err.Error(), "fuser -v "+path) {
		t.Errorf("got %v, want ErrBusy and how to find the holder", err)
	}
}

// Each kind of scale behind a real serial port, set up as the profile has it.
func TestEveryScaleOfAProfile(t *testing.T) {
	for _, tt := range []struct{ device, speaks, model string }{
		{"mt-sics", emulate.SpeakSICS, "MT-SICS"},
		{"a-d", emulate.SpeakAD, "A&D"},
		{"auto", emulate.SpeakAD, "A&D"},
	} {
		t.Run(tt.device, func(t *testing.T) {
			p := founded(t, intakeOrders+"\n[scale]\ndevice = \""+tt.device+"\"\nport = \"./scale\"\nbaud = 9600\n")
			pan := emulate.NewScale()
			must(t, pan.Speak(tt.speaks))
			must(t, pan.Weigh("12.5", "g", true))
			socket, err := emulate.Plug(p.Scale.Port, pan)
			must(t, err)
			defer socket.Close() //nolint:errcheck // it is a test's
			s := run(t, p, Hardware{})
			s.until("scale up", func() bool {
				st, err := s.Brief()
				must(t, err)
				return st.Scale != nil && st.Scale.Up && strings.Contains(st.Scale.Model, tt.model)
			})
			got, err := s.parts.Scale.Weigh(t.Context())
			if err != nil || got != 12_500 {
				t.Errorf("weighed %v, %v", got, err)
			}
		})
	}
}

func TestScaleLine(t *testing.T) {
	got := scaleLine(profiles.Scale{Port: "/dev/ttyS1", Baud: 2400, Line: profiles.Line7E1})
	if want := (drivers.Serial{Path: "/dev/ttyS1", Baud: 2400, DataBits: 7, Parity: drivers.ParityEven, StopBits: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
