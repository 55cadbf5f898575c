package emulate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Socket is a pseudo-terminal behind a path that stays the same, with a device
// plugged into it.
type Socket struct {
	Device // Serve is the socket's business

	path string

	mu     sync.Mutex
	cancel context.CancelFunc // ends the device's Serve; nil while unplugged
	done   chan struct{}
	slave  *os.File
	closed bool
}

// Plug puts a device on a new pseudo-terminal and makes path a symbolic link to
// it. Something at path that is not a symbolic link is left alone, with an
// error. Close the socket to end it.
func Plug(path string, device Device) (*Socket, error) {
	s := &Socket{Device: device, path: path}
	if err := s.Replug(); err != nil {
		return nil, err
	}
	return s, nil
}

// Path is where the host opens the device.
func (s *Socket) Path() string { return s.path }

// Unplug takes the device away: the pseudo-terminal hangs up and the link is
// gone. It does nothing if the device is unplugged already.
func (s *Socket) Unplug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unplug()
}

func (s *Socket) unplug() error {
	if s.cancel == nil {
		return nil
	}
	err := os.Remove(s.path)
	s.cancel()
	<-s.done
	s.slave.Close()
	s.cancel = nil
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// Replug plugs the device in, powered up anew, on another pseudo-terminal
// behind the same path. It does nothing if the device is plugged in already.
func (s *Socket) Replug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("plug in %s: %w", s.path, os.ErrClosed)
	}
	if s.cancel != nil {
		return nil
	}
	line, slave, err := openPTY()
	if err != nil {
		return fmt.Errorf("plug in %s: %w", s.path, err)
	}
	if err := link(slave.Name(), s.path); err != nil {
		line.Close()
		slave.Close()
		return fmt.Errorf("plug in: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.cancel, s.done, s.slave = cancel, done, slave
	go func() {
		defer close(done)
		_ = s.Serve(ctx, line) // ends with the line, which only the socket breaks
	}()
	return nil
}

// Close unplugs the device for good.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.unplug()
}

// Do adds "fault unplug [off]" to the commands of the device.
func (s *Socket) Do(command string) error {
	switch strings.Join(strings.Fields(command), " ") {
	case "fault unplug", "fault unplug on":
		return s.Unplug()
	case "fault unplug off":
		return s.Replug()
	}
	return s.Device.Do(command)
}

// Help implements [Device].
func (s *Socket) Help() string {
	return s.Device.Help() + "\nfault unplug [off]"
}

// link makes path a symbolic link to target in one step.
func link(target, path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%s exists and is not a symbolic link, choose another path or remove it", path)
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return nil
}

// line is the device's end of a pseudo-terminal.
type line struct{ *os.File }

// openPTY returns the device's end and the host's end of a new pseudo-terminal.
// The host's end is kept open so that the line outlives the programs that use
// it, as a real port does; it is raw from the start, lest the terminal echo the
// device's first bytes back to it.
func openPTY() (line, *os.File, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return line{}, nil, err
	}
	defer master.Close()
	if _, err := term.MakeRaw(int(slave.Fd())); err != nil {
		slave.Close()
		return line{}, nil, fmt.Errorf("make %s raw: %w", slave.Name(), err)
	}
	// pty.Open leaves the file in blocking mode, in which Close does not end a
	// Read; a duplicate in non-blocking mode is served by the runtime's poller.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		slave.Close()
		return line{}, nil, err
	}
	return line{os.NewFile(uintptr(fd), master.Name())}, slave, nil
}

// Baud returns the speed that the host has set, in bits per second.
func (l line) Baud() (int, error) {
	conn, err := l.SyscallConn()
	if err != nil {
		return 0, err
	}
	var settings *unix.Termios
	controlErr := conn.Control(func(fd uintptr) {
		settings, err = unix.IoctlGetTermios(int(fd), unix.TCGETS2)
	})
	if err := errors.Join(controlErr, err); err != nil {
		return 0, err
	}
	return int(settings.Ospeed), nil
}
