package drivers_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"

	"traveler.example/drivers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal returns the device's end of a pseudo-terminal and the path of the host's.
func terminal(t *testing.T) (device, slave *os.File) {
	device, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close(); slave.Close() })
	return device, slave
}

func open(t *testing.T, path string) drivers.Port {
	p, err := drivers.Serial{Path: path, Baud: 115200}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestSerialCarriesEveryByte(t *testing.T) {
	device, slave := terminal(t)
	port := open(t, slave.Name())
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	got := make([]byte, 256)
	for name, way := range map[string]struct {
		from io.Writer
		to   io.Reader
	}{"to host": {device, port}, "to device": {port, device}} {
		if _, err := way.from.Write(all); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, all) {
			t.Errorf("%s: %v, % x", name, err, got)
		}
	}
}

func TestSerialDeadline(t *testing.T) {
	device, slave := terminal(t)
	port := open(t, slave.Name())
	b := make([]byte, 8)
	for _, d := range []time.Duration{-time.Second, 0, 10 * time.Millisecond, 120 * time.Millisecond} {
		port.SetReadDeadline(time.Now().Add(d))
		if n, err := port.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("deadline in %v: %d bytes, %v", d, n, err)
		}
	}
	port.SetReadDeadline(time.Time{})
	time.AfterFunc(150*time.Millisecond, func() { device.Write([]byte("late")) })
	if n, err := port.Read(b); n == 0 || err != nil {
		t.Errorf("without a deadline: %d bytes, %v", n, err)
	}
}

func TestSerialForgetsStaleInput(t *testing.T) {
	device, slave := terminal(t)
	open(t, slave.Name()).Close() // raw from here on
	device.Write([]byte("stale"))
	port := open(t, slave.Name())
	device.Write([]byte("fresh"))
	b := make([]byte, 16)
	n, err := io.ReadAtLeast(port, b, 5)
	if err != nil || string(b[:n]) != "fresh" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

func TestSerialIsExclusive(t *testing.T) {
	_, slave := terminal(t)
	link := filepath.Join(t.TempDir(), "by-id")
	if err := os.Symlink(slave.Name(), link); err != nil {
		t.Fatal(err)
	}
	first := open(t, slave.Name())
	if _, err := (drivers.Serial{Path: link, Baud: 9600}).Open(t.Context()); !errors.Is(err, drivers.ErrBusy) {
		t.Errorf("opened twice by two names: %v, want ErrBusy", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	open(t, link).Close()
	flock, err := exec.LookPath("flock")
	if err != nil {
		t.Skip("flock is not installed: install util-linux to check against another program")
	}
	held := exec.Command(flock, "--nonblock", slave.Name(), "sh", "-c", "echo held; read done")
	in, _ := held.StdinPipe()
	out, _ := held.StdoutPipe()
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 4))
	if _, err := (drivers.Serial{Path: slave.Name(), Baud: 9600}).Open(t.Context()); !errors.Is(err, drivers.ErrBusy) ||
		!strings.Contains(err.Error(), fmt.Sprintf("(process %d)", held.Process.Pid)) {
		t.Errorf("opened while another program holds it: %v, want ErrBusy with its name", err)
	}
	in.Close()
	held.Wait()
}

func TestSerialTellsUnplugFromClose(t *testing.T) {
	device, slave := terminal(t)
	port := open(t, slave.Name())
	result := make(chan error, 1)
	read := func(p drivers.Port) {
		_, err := p.Read(make([]byte, 8))
		result <- err
	}
	go read(port)
	time.Sleep(10 * time.Millisecond)
	port.Close()
	if err := <-result; !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("read during Close: %v, want ErrClosed", err)
	}
	if _, err := port.Write([]byte("x")); !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("write after Close: %v, want ErrClosed", err)
	}
	port = open(t, slave.Name())
	go read(port)
	time.Sleep(10 * time.Millisecond)
	device.Close()
	if err := <-result; !errors.Is(err, drivers.ErrUnplugged) {
		t.Errorf("read during unplug: %v, want ErrUnplugged", err)
	}
	if _, err := port.Write([]byte("x")); !errors.Is(err, drivers.ErrUnplugged) {
		t.Errorf("write after unplug: %v, want ErrUnplugged", err)
	}
	if err := port.Close(); err != nil {
		t.Errorf("close after unplug: %v", err)
	}
}

// A device that takes no more bytes blocks Write in the kernel; Close frees it.
func TestSerialCloseFreesWriter(t *testing.T) {
	_, slave := terminal(t)
	port := open(t, slave.Name())
	result := make(chan error, 1)
	go func() {
		for {
			if _, err := port.Write(make([]byte, 4096)); err != nil {
				result <- err
				return
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	if err := port.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-result:
		if !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("blocked write ended with %v, want ErrClosed", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Write is still blocked after Close")
	}
}

func TestSerialRefuses(t *testing.T) {
	_, slave := terminal(t)
	missing := filepath.Join(t.TempDir(), "nothing")
	if _, err := (drivers.Serial{Path: missing, Baud: 9600}).Open(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing port: %v, want os.ErrNotExist", err)
	}
	for name, s := range map[string]drivers.Serial{
		"no path": {Baud: 9600}, "no baud": {Path: slave.Name()}, "9 data bits": {Path: slave.Name(), Baud: 9600, DataBits: 9},
		"parity X": {Path: slave.Name(), Baud: 9600, Parity: 'X'}, "3 stop bits": {Path: slave.Name(), Baud: 9600, StopBits: 3},
		"no terminal": {Path: os.DevNull, Baud: 9600},
	} {
		if p, err := s.Open(t.Context()); err == nil {
			p.Close()
			t.Errorf("%s: opened", name)
		}
	}
	yes := true
	p, err := drivers.Serial{Path: slave.Name(), Baud: 9600, DataBits: 7, Parity: drivers.ParityEven, StopBits: 2, DTR: &yes, RTS: &yes}.Open(t.Context())
	if err != nil {
		t.Fatalf("7E2 with modem lines that a terminal lacks: %v", err)
	}
	p.Close()
}
