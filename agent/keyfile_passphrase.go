package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxPassphrase bounds a file that is read for a passphrase, in bytes.
const maxPassphrase = 1 << 10

// PassphraseFile takes the passphrase from a file with one line, which it reads
// once, when first asked. A regular file is refused if its group or others may
// read it (ErrKeyOpen).
func PassphraseFile(path string) Passphrase {
	return once(func() (string, error) {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe of the shell: <(command)
			f, err := os.Open(path)
			if err != nil {
				return "", fmt.Errorf("reading the passphrase: %w", err)
			}
			defer f.Close() //nolint:errcheck // it was only read
			return readLine(f, path)
		}
		return passphraseIn(path, 0o077)
	})
}

// PassphraseFD takes the passphrase from a descriptor that this process was
// given, which it reads to its end once, when first asked. It refuses a
// terminal: nobody is asked there.
func PassphraseFD(fd int) Passphrase {
	return once(func() (string, error) {
		name := fmt.Sprintf("descriptor %d", fd)
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return "", fmt.Errorf("reading the passphrase: %s is not open: %w", name, err)
		}
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			return "", fmt.Errorf("reading the passphrase: %s is a terminal; give it a file or a pipe, as in %d<FILE", name, fd)
		}
		f := os.NewFile(uintptr(fd), name)
		defer f.Close() //nolint:errcheck // it was only read
		return readLine(f, name)
	})
}

func once(read func() (string, error)) Passphrase {
	read = sync.OnceValues(read)
	return func(string) (string, error) { return read() }
}

func passphraseIn(path string, forbidden os.FileMode) (string, error) {
	text, err := readPrivate("the passphrase", path, forbidden, maxPassphrase)
	if err != nil {
		return "", err
	}
	defer clear(text)
	return readLine(bytes.NewReader(text), path)
}

// readLine reads the one line that a source has. A line end that an editor put
// behind it is no part of it.
func readLine(r io.Reader, name string) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPassphrase+1))
	defer clear(text)
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case err != nil:
		err = fmt.Errorf("%w", err)
	case len(text) > maxPassphrase:
		err = fmt.Errorf("it is longer than %d bytes", maxPassphrase)
	case line == "":
		err = errors.New("it is empty")
	case strings.ContainsAny(line, "\r\n"):
		err = errors.New("there is more than one line in it")
	}
	if err != nil {
		return "", fmt.Errorf("reading the passphrase from %s: %w", name, err)
	}
	return line, nil
}
