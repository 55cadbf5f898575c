package emulate_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// A host at the wrong speed and the chip do not understand each other, although
// a pseudo-terminal carries bytes at any speed.
func TestSocketGarblesAtWrongSpeed(t *testing.T) {
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "pn532"), emulate.NewPN532(emulate.PN532Config{}))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, tt := range []struct {
		baud int
		ok   bool
	}{{9600, false}, {115200, true}, {57600, false}} {
		port, err := drivers.Serial{Path: socket.Path(), Baud: tt.baud}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h := host{t, port}
		h.send(bytesOf(t, wake))
		if tt.ok {
			h.expect(bytesOf(t, ack+"0000ff02fed5151600"))
		} else {
			h.nothing()
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketKeepsItsPath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "reader")
	socket, err := emulate.Plug(path, emulate.NewPN532(emulate.PN532Config{}))
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	holder, err := os.Open(first) // keeps the number of the first from being given again
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if err := socket.Do("fault unplug"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("unplugged, but %s is there: %v", path, err)
	}
	if err := socket.Do("fault unplug off"); err != nil {
		t.Fatal(err)
	}
	if second, err := os.Readlink(path); err != nil || second == first {
		t.Errorf("replugged on %q (%v), want another terminal than %q", second, err, first)
	}
	if err := socket.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := socket.Replug(); err == nil {
		t.Error("a closed socket was plugged in again")
	}
}

func TestSocketLeavesFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := emulate.Plug(path, emulate.NewScale()); err == nil {
		t.Error("a file was replaced by a link")
	}
	if b, err := os.ReadFile(path); string(b) != "data" {
		t.Errorf("file has %q (%v)", b, err)
	}
}

// A person at the console and a host at the line, step by step.
func TestConsole(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	h := plugIn(t, device)
	in, typed := io.Pipe()
	defer typed.Close()
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- emulate.Console(t.Context(), device, in, out)
		out.Close()
	}()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(printed); s.Scan(); {
			lines <- s.Text()
		}
	}()
	see := func(want string) {
		t.Helper()
		select {
		case line := <-lines:
			if !strings.Contains(line, want) {
				t.Fatalf("console says %q, want %q", line, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("console says nothing, want %q", want)
		}
	}
	command := func(s string) {
		t.Helper()
		if _, err := io.WriteString(typed, s+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ typed, want string }{
		{"present 12", `error: identifier "12" has 1 bytes, tags have 4, 7 or 10`},
		{"present xy", `error: identifier "xy" is not hexadecimal`},
		{"present 12345678 ntag213", "error: identifier \"12345678\" has 4 bytes, a tag of type ntag213 has 7"},
		{"present 12345678 gold", `error: no type of tag "gold", there are: classic1k`},
		{"remove 12345678", "error: no tag 12345678 in the field"},
		{"fault sunspots", `error: no fault "sunspots"`},
		{"fault", "error: write: fault NAME [off]"},
		{"dance", `error: no command "dance", write help for a list`},
		{"# a remark\n\nhelp", "present UID [TYPE]"},
	} {
		command(tt.typed)
		see(tt.want)
	}
	for line := range lines { // the rest of the help
		if line == "quit" {
			break
		}
	}
	h.run(dialogue{{wake, ack + "0000ff02fed5151600"}})
	see("host configure normal mode")
	see("host woke")
	command("present 04A1B2C3D4E580 ntag215")
	command("present 04A1B2C3D4E580")
	see("is in the field already")
	for range 3 {
		h.send(frame(0xD4, []byte{0x4A, 0x01, 0x00}))
		h.expect(append(bytesOf(t, ack), frame(0xD5, bytesOf(t, "4b01 01004400 07 04a1b2c3d4e580"))...))
	}
	see("host read 04A1B2C3D4E580") // once
	h.send(frame(0xD4, []byte{0x52, 0x00}))
	see("host release")
	command("quit")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestConsoleEndsWithContext(t *testing.T) {
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- emulate.Console(ctx, emulate.NewScale(), in, io.Discard) }()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("console goes on after its context ended")
	}
}

func TestScale(t *testing.T) {
	device := emulate.NewScale()
	h := plugIn(t, device)
	for _, tt := range []struct{ do, send, want string }{
		{"", "S", "S S       0.00 g"},
		{"weigh 12.5 g", "S", "S S       12.5 g"},
		{"weigh 1.020 kg unstable", "SI", "S D      1.020 kg"},
		{"weigh 1.020 kg", "SI", "S S      1.020 kg"},
		{"", "Z", "Z A"},
		{"", "S", "S S      0.000 kg"},
		{"fault overload", "S", "S +"},
		{"fault overload off", "@", `I4 A "B021002593"`},
		{"fault underload", "S", "S -"},
		{"fault underload off", "T", "T S      0.000 kg"},
		{"fault syntax", "S", "ES"},
		{"fault syntax off", "XYZZY", "ES"},
		{"", strings.Repeat("x", 100), "ET"},
	} {
		if tt.do != "" {
			if err := device.Do(tt.do); err != nil {
				t.Fatal(err)
			}
		}
		command := tt.send
		if len(command) < 64 {
			command += "\r\n"
		}
		h.send([]byte(command))
		h.expect([]byte(tt.want + "\r\n"))
	}
	for _, bad := range []string{"weigh", "weigh x g", "weigh 12.5", "weigh 1 g moving", "weigh 12345678901 g"} {
		if err := device.Do(bad); err == nil {
			t.Errorf("%q was carried out", bad)
		}
	}
}
