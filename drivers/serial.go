package drivers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

const (
	// readSlice bounds how long one system call may wait, so that Close and a
	// moved deadline are seen soon without touching a descriptor in use.
	readSlice = 200 * time.Millisecond
	// closeLimit bounds Close when a reader or writer is stuck in the kernel.
	closeLimit = 500 * time.Millisecond
	// maxSelectFD leaves room below FD_SETSIZE (1024): select(2), on which the
	// serial library rests, cannot watch descriptors beyond it.
	maxSelectFD = 1000
)

// Parity is the parity bit of a serial line.
type Parity byte

// The parities that devices use; the zero value means ParityNone.
const (
	ParityNone Parity = 'N'
	ParityEven Parity = 'E'
	ParityOdd  Parity = 'O'
)

// Serial names a serial port and its line settings.
//
// Name ports by /dev/serial/by-id, or by-path where adapters have no serial
// number: /dev/ttyUSB0 is another device after the next replug.
type Serial struct {
	Path     string // a device node or a link to one
	Baud     int    // bits per second; any value that the adapter can make
	DataBits int    // 5 to 8; 0 means 8
	Parity   Parity // 0 means none
	StopBits int    // 1 or 2; 0 means 1
	// DTR and RTS, if set, are driven to that level after opening. Best effort:
	// many adapters, and every pseudo-terminal, have no modem lines.
	DTR, RTS *bool
}

// Open opens the port exclusively, with its line settings applied and input
// that arrived before thrown away.
//
// Two holders of one device are kept apart by flock(2) on the device node
// itself, so different links to it, and other programs that lock it this way,
// are seen: ErrBusy. A path that does not exist wraps os.ErrNotExist.
//
// On the returned Port, Read and Write report ErrUnplugged when the device has
// gone and ErrClosed after Close. Close throws away what was not sent yet
// (draining could take half a minute with nothing attached) and takes at most
// half a second.
func (s Serial) Open(ctx context.Context) (Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mode, err := s.mode()
	if err != nil {
		return nil, fmt.Errorf("open serial port %q: %w", s.Path, err)
	}
	lock, err := lockDevice(s.Path)
	if err != nil {
		return nil, fmt.Errorf("open serial port %q: %w", s.Path, err)
	}
	port, err := serial.Open(s.Path, mode)
	if err != nil {
		unix.Close(lock)
		return nil, fmt.Errorf("open serial port %q at %d baud: %w", s.Path, s.Baud, openError(s.Path, err))
	}
	if s.DTR != nil {
		_ = port.SetDTR(*s.DTR)
	}
	if s.RTS != nil {
		_ = port.SetRTS(*s.RTS)
	}
	if err := port.ResetInputBuffer(); err != nil {
		port.Close()
		unix.Close(lock)
		return nil, fmt.Errorf("open serial port %q: clear stale input: %w", s.Path, err)
	}
	return &serialPort{path: s.Path, port: port, own: lock, closed: make(chan struct{})}, nil
}

func (s Serial) mode() (*serial.Mode, error) {
	mode := &serial.Mode{BaudRate: s.Baud, DataBits: s.DataBits}
	if s.Path == "" {
		return nil, errors.New("no path given")
	}
	if s.Baud <= 0 {
		return nil, fmt.Errorf("baud rate %d is not above zero", s.Baud)
	}
	if mode.DataBits == 0 {
		mode.DataBits = 8
	}
	if mode.DataBits < 5 || mode.DataBits > 8 {
		return nil, fmt.Errorf("%d data bits, only 5 to 8 are possible", s.DataBits)
	}
	switch s.Parity {
	case 0, ParityNone:
		mode.Parity = serial.NoParity
	case ParityEven:
		mode.Parity = serial.EvenParity
	case ParityOdd:
		mode.Parity = serial.OddParity
	default:
		return nil, fmt.Errorf("parity %q, only N, E and O are possible", s.Parity)
	}
	switch s.StopBits {
	case 0, 1:
		mode.StopBits = serial.OneStopBit
	case 2:
		mode.StopBits = serial.TwoStopBits
	default:
		return nil, fmt.Errorf("%d stop bits, only 1 and 2 are possible", s.StopBits)
	}
	return mode, nil
}

// lockDevice takes the flock of the device node. The lock has a descriptor of
// its own because the serial library does not give its away, and because
// TIOCEXCL, which that library uses, does not bind root.
func lockDevice(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, openError(path, err)
	}
	if fd > maxSelectFD {
		unix.Close(fd)
		return -1, fmt.Errorf("too many open files: descriptor %d is beyond what select(2) can watch", fd)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return -1, busy(path, "holds its lock")
		}
		return -1, fmt.Errorf("lock: %w", err)
	}
	return fd, nil
}

func openError(path string, err error) error {
	var pe *serial.PortError
	switch {
	case errors.Is(err, unix.EBUSY), errors.As(err, &pe) && pe.Code() == serial.PortBusy:
		return busy(path, "opened it exclusively")
	case errors.As(err, &pe) && pe.Code() == serial.PermissionDenied:
		return os.ErrPermission
	}
	return err
}

// serialPort makes a Port of go.bug.st/serial, whose reads end with (0, nil) at
// a timeout, whose error for a lost device is the one for a closed port, and
// whose Write blocks beyond the reach of Close when the device takes no bytes.
// Writes therefore go through a non-blocking descriptor of our own.
type serialPort struct {
	path    string
	port    serial.Port
	own     int // our own descriptor: it holds the lock, and is non-blocking for writes
	closing atomic.Bool

	deadlineMu sync.Mutex
	deadline   time.Time

	reading, writing sync.Mutex // held during the system calls; closing takes both

	once     sync.Once
	closed   chan struct{} // closed once the descriptor is free; then closeErr is set
	closeErr error
}

func (p *serialPort) SetReadDeadline(t time.Time) error {
	p.deadlineMu.Lock()
	p.deadline = t
	p.deadlineMu.Unlock()
	return nil
}

// wait returns how long the next system call may wait; negative means that the
// deadline has passed.
func (p *serialPort) wait() time.Duration {
	p.deadlineMu.Lock()
	defer p.deadlineMu.Unlock()
	if p.deadline.IsZero() {
		return readSlice
	}
	left := time.Until(p.deadline)
	if left <= 0 {
		return -1
	}
	return min(left, readSlice)
}

func (p *serialPort) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	for {
		if p.closing.Load() {
			return 0, ErrClosed
		}
		wait := p.wait()
		if wait < 0 {
			return 0, os.ErrDeadlineExceeded
		}
		if err := p.port.SetReadTimeout(wait); err != nil {
			return 0, fmt.Errorf("read %s: %w", p.path, err)
		}
		n, err := p.port.Read(b)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, p.ioError("read", err)
		}
	}
}

func (p *serialPort) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	sent := 0
	for sent < len(b) {
		if p.closing.Load() {
			return sent, ErrClosed
		}
		n, err := unix.Write(p.own, b[sent:])
		sent += max(n, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(p.own), Events: unix.POLLOUT}}, int(readSlice.Milliseconds()))
			if err != nil && !errors.Is(err, unix.EINTR) {
				return sent, p.ioError("write", err)
			}
		case err != nil && !errors.Is(err, unix.EINTR):
			return sent, p.ioError("write", err)
		}
	}
	return sent, nil
}

func (p *serialPort) ioError(op string, err error) error {
	var pe *serial.PortError
	switch {
	case p.closing.Load():
		return ErrClosed
	case errors.As(err, &pe) && pe.Code() == serial.PortClosed,
		errors.Is(err, unix.EIO), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EBADF):
		return fmt.Errorf("%s %s: %w", op, p.path, ErrUnplugged)
	}
	return fmt.Errorf("%s %s: %w", op, p.path, err)
}

func (p *serialPort) Close() error {
	p.closing.Store(true)
	p.once.Do(func() { go p.release() })
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-p.closed:
		return p.closeErr
	case <-limit.C:
		return fmt.Errorf("close %s: the device blocks in the kernel, its port is freed when it lets go", p.path)
	}
}

// release frees the descriptors once no system call uses them any more.
func (p *serialPort) release() {
	defer close(p.closed)
	p.reading.Lock()
	defer p.reading.Unlock()
	p.writing.Lock()
	defer p.writing.Unlock()
	// Nothing is left to drain. An unplugged device cannot be flushed, and
	// needs not.
	_ = p.port.ResetOutputBuffer()
	if err := p.port.Close(); err != nil {
		p.closeErr = fmt.Errorf("close %s: %w", p.path, err)
	}
	unix.Close(p.own)
}
