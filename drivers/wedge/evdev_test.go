package wedge_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/drivers"
	"traveler.example/drivers/wedge"
)

// requests answers as an input device of the kernel, and notes what was asked.
type requests struct {
	asked []uint
	fail  map[uint]error
}

const (
	getID   = 0x80084502
	getName = 0x81004506
	grab    = 0x40044590
)

func (r *requests) ioctl(_ uintptr, request uint, arg []byte) error {
	r.asked = append(r.asked, request)
	switch request {
	case getID:
		copy(arg, []byte{3, 0, 0x2e, 0x0c, 0x01, 0x09, 0x10, 0x01})
	case getName:
		copy(arg, "Honeywell Scanner\x00")
	}
	return r.fail[request]
}

// fifo returns a named pipe, which the poller serves as it does an input device,
// with its other end.
func fifo(t *testing.T) (path string, device *os.File) {
	path = filepath.Join(t.TempDir(), "usb-scanner-event-kbd")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close() })
	return path, device
}

func TestEvdev(t *testing.T) {
	path, device := fifo(t)
	var r requests
	s, err := wedge.OpenEvdev(path, r.ioctl)
	if err != nil {
		t.Fatal(err)
	}
	if s.Model() != "Honeywell Scanner (0c2e:0901)" {
		t.Errorf("model %q", s.Model())
	}
	if len(r.asked) != 3 || r.asked[2] != grab {
		t.Errorf("asked %x, want identity, name and grab", r.asked)
	}
	b := make([]byte, 64)
	s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := s.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v, want the deadline", n, err)
	}
	s.SetReadDeadline(time.Time{})
	device.Write([]byte("events"))
	if n, err := s.Read(b); string(b[:n]) != "events" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	device.Close()
	if _, err := s.Read(b); !errors.Is(err, drivers.ErrUnplugged) {
		t.Errorf("read after unplug: %v, want ErrUnplugged", err)
	}
	s.Close()
	if _, err := s.Read(b); !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("read after Close: %v, want ErrClosed", err)
	}
}

// Close ends a Read that waits for a key.
func TestEvdevCloseEndsRead(t *testing.T) {
	path, _ := fifo(t)
	var r requests
	s, err := wedge.OpenEvdev(path, r.ioctl)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 24))
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	s.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("read ended with %v, want ErrClosed", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Read is still blocked after Close")
	}
}

func TestEvdevRefuses(t *testing.T) {
	path, _ := fifo(t)
	for _, tt := range []struct {
		name string
		fail map[uint]error
		want error
	}{
		{"held by another", map[uint]error{grab: unix.EBUSY}, drivers.ErrBusy},
		{"cannot be grabbed", map[uint]error{grab: unix.ENODEV}, unix.ENODEV},
		{"no input device", map[uint]error{getID: unix.ENOTTY}, unix.ENOTTY},
		{"without a name", map[uint]error{getName: unix.ENOENT}, nil},
	} {
		r := requests{fail: tt.fail}
		s, err := wedge.OpenEvdev(path, r.ioctl)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if s != nil {
			s.Close()
		}
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		plain: "no input device", filepath.Join(t.TempDir(), "nothing"): "no such file", os.DevNull: "no input device",
	} {
		s, err := wedge.Evdev{Path: path}.Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if s != nil {
			s.Close()
		}
	}
	// The real ioctl on a real descriptor that is no input device.
	if _, err := (wedge.Evdev{Path: path}).Open(t.Context()); !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("a pipe: %v, want ENOTTY", err)
	}
}
