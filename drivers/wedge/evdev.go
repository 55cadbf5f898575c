package wedge

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"traveler.example/drivers"
)

// Source is an open input device: it reads struct input_event. Read ends with
// os.ErrDeadlineExceeded once the deadline has passed, and with an error once
// Close was called, which any goroutine may do.
type Source interface {
	io.ReadCloser
	SetReadDeadline(t time.Time) error
	// Model is what the device says it is; it may be empty.
	Model() string
}

// Evdev is an input device of the kernel. Name it by its link in
// /dev/input/by-id that ends with -event-kbd: /dev/input/event7 is another
// device after the next replug, and a reader may show a mouse beside.
type Evdev struct {
	Path string
}

// Open opens the device for this program alone (EVIOCGRAB), so that what the
// reader types reaches no console. Held by another program: drivers.ErrBusy. A
// path that does not exist wraps os.ErrNotExist.
//
// On the returned Source, Read reports drivers.ErrUnplugged when the device has
// gone and drivers.ErrClosed after Close.
func (e Evdev) Open(ctx context.Context) (Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := openEvdev(e.Path, ioctl)
	if err != nil {
		return nil, fmt.Errorf("open input device %q: %w", e.Path, err)
	}
	return s, nil
}

// The requests of linux/input.h, as all architectures but MIPS, PowerPC and
// SPARC number them.
const (
	eviocgid   = 0x80084502                 // _IOR('E', 0x02, struct input_id)
	eviocgname = 0x80004506 | nameLimit<<16 // _IOC(_IOC_READ, 'E', 0x06, len)
	eviocgrab  = 0x40044590                 // _IOW('E', 0x90, int)
	nameLimit  = 256
)

// control is ioctl(2) with an argument in memory.
type control func(fd uintptr, request uint, arg []byte) error

func ioctl(fd uintptr, request uint, arg []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(unsafe.Pointer(&arg[0])))
	if errno != 0 {
		return errno
	}
	return nil
}

func openEvdev(path string, ctl control) (Source, error) {
	// In non-blocking mode the runtime's poller serves the file, so that Close and
	// deadlines end a Read. File.Fd would undo that: see attach.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w; the group of input devices may read them", os.ErrPermission)
	}
	if err != nil {
		return nil, err
	}
	model, err := attach(f, ctl)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &source{f, model}, nil
}

// attach makes sure that f is an input device, asks what it is, and grabs it.
func attach(f *os.File, ctl control) (model string, err error) {
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return "", fmt.Errorf("it is no input device: %w", err)
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return "", err
	}
	controlErr := conn.Control(func(fd uintptr) {
		var id [8]byte // bus, vendor, product, version
		if err = ctl(fd, eviocgid, id[:]); err != nil {
			err = fmt.Errorf("it is no input device: %w", err)
			return
		}
		var name [nameLimit]byte
		_ = ctl(fd, eviocgname, name[:]) // a device without a name is as good
		text, _, _ := bytes.Cut(name[:], []byte{0})
		model = fmt.Sprintf("%s (%04x:%04x)", bytes.TrimSpace(bytes.ToValidUTF8(text, nil)),
			binary.NativeEndian.Uint16(id[2:]), binary.NativeEndian.Uint16(id[4:]))
		switch err = ctl(fd, eviocgrab, []byte{1, 0, 0, 0}); {
		case errors.Is(err, unix.EBUSY):
			err = fmt.Errorf("%w: another program has grabbed it; fuser -v %s names it", drivers.ErrBusy, f.Name())
		case err != nil:
			err = fmt.Errorf("grab it: %w", err)
		}
	})
	return model, errors.Join(controlErr, err)
}

// source is an open input device.
type source struct {
	*os.File
	model string
}

func (s *source) Model() string { return s.model }

// Read implements [Source].
func (s *source) Read(b []byte) (int, error) {
	n, err := s.File.Read(b)
	switch {
	case errors.Is(err, os.ErrClosed):
		return n, drivers.ErrClosed
	case errors.Is(err, io.EOF), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return n, fmt.Errorf("read %s: %w", s.Name(), drivers.ErrUnplugged)
	}
	return n, err
}
