package drivers

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holder is a program that has a device open.
type Holder struct {
	PID  int
	Name string // of the program, as the kernel has it; empty if it may not be seen
}

// String writes the holder for people: "screen (process 812)".
func (h Holder) String() string {
	if h.Name == "" {
		return fmt.Sprintf("process %d", h.PID)
	}
	return fmt.Sprintf("%s (process %d)", h.Name, h.PID)
}

// HolderOf says which other program keeps the device node at path to itself, from
// what the kernel tells in proc, usually os.DirFS("/proc"): the one that has its
// lock, or else one that has it open. False where none is seen; programs of other
// users only show by their locks.
func HolderOf(proc fs.FS, path string) (Holder, bool) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Holder{}, false
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err != nil {
		return Holder{}, false
	}
	pid, ok := locker(proc, fmt.Sprintf("%02x:%02x:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino))
	if !ok {
		pid, ok = opener(proc, real)
	}
	if !ok {
		return Holder{}, false
	}
	name, _ := fs.ReadFile(proc, fmt.Sprintf("%d/comm", pid)) // the number will do
	return Holder{pid, printable(string(name))}, true
}

// locker finds who has the lock of flock(2) in proc/locks (proc_locks(5)), such as
//
//	1: FLOCK  ADVISORY  WRITE 812 00:05:1234 0 EOF
func locker(proc fs.FS, node string) (pid int, ok bool) {
	locks, err := fs.ReadFile(proc, "locks")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(locks)) {
		words := strings.Fields(line)
		if len(words) < 6 || words[1] != "FLOCK" || words[5] != node {
			continue
		}
		if pid, err := strconv.Atoi(words[4]); err == nil && pid > 0 && pid != os.Getpid() {
			return pid, true
		}
	}
	return 0, false
}

// opener finds who has the node open.
func opener(proc fs.FS, real string) (pid int, ok bool) {
	open, _ := fs.Glob(proc, "[0-9]*/fd/*") // the pattern is well formed
	for _, name := range open {
		target, err := fs.ReadLink(proc, name)
		if err != nil || target != real {
			continue
		}
		number, _, _ := strings.Cut(name, "/")
		if pid, err := strconv.Atoi(number); err == nil && pid != os.Getpid() {
			return pid, true
		}
	}
	return 0, false
}

// printable keeps what a program calls itself from tearing up a line of the journal.
func printable(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, name))
}

// busy is ErrBusy with who holds the device, as far as that can be known. Again
// and again it is asked for a port that stays busy, at the pace of a supervisor.
func busy(path, how string) error {
	if h, ok := HolderOf(os.DirFS("/proc"), path); ok {
		return fmt.Errorf("%w: %v %s", ErrBusy, h, how)
	}
	return fmt.Errorf("%w: another program %s; fuser -v %s names it", ErrBusy, how, path)
}
