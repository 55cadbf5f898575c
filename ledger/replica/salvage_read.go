package replica

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

var errNoRecord = errors.New("no record of it is left")

// bytesOf reads the value of a block or statement as the store would.
func (s *salvage) bytesOf(key string, t *trace) ([]byte, error) {
	if t.stored == 0 {
		return nil, errNoRecord
	}
	raw, err := s.readAt(t.in)
	if err != nil {
		return nil, err
	}
	if t.pointer {
		e, _, sound := parseEntry(raw)
		if !sound || !strings.HasPrefix(string(e.key), key) {
			return nil, fmt.Errorf("%s: the value at byte %d is damaged", t.in.file, t.in.at)
		}
		raw = e.value
	}
	return unframed(key, raw)
}

func (s *salvage) readAt(l location) ([]byte, error) {
	if l.size < 0 || l.size > maxKey+maxValue+64 {
		return nil, fmt.Errorf("%s: a value of %d bytes cannot be", l.file, l.size)
	}
	f, err := os.Open(filepath.Join(s.dir, l.file))
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			s.unopened = err
		}
		return nil, err
	}
	defer f.Close()
	b := make([]byte, l.size)
	_, err = f.ReadAt(b, l.at)
	return b, err
}

// sectorSize is the piece of a file that a disk loses at once.
const sectorSize = 4 << 10

// readThrough reads a file whole. What the disk cannot read any more is zeros.
func readThrough(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if !errors.Is(err, syscall.EIO) {
		return b, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b = make([]byte, info.Size())
	return b, readSectors(f, b)
}

// readSectors fills b, with zeros where a sector cannot be read.
func readSectors(f io.ReaderAt, b []byte) error {
	for at := 0; at < len(b); at += sectorSize {
		sector := b[at:min(at+sectorSize, len(b))]
		_, err := f.ReadAt(sector, int64(at))
		switch {
		case errors.Is(err, syscall.EIO):
			clear(sector)
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
	}
	return nil
}

// looseBytes reads a value that lies in a value log though no record points to
// it.
func (s *salvage) looseBytes(key string, t *trace) ([]byte, bool) {
	if t.loose.file == "" {
		return nil, false
	}
	raw, err := s.readAt(t.loose)
	if err != nil {
		return nil, false
	}
	value, err := unframed(key, raw)
	return value, err == nil
}
