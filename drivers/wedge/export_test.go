package wedge

import "os"

// NewSource makes a Source of an open file.
func NewSource(f *os.File, model string) Source { return &source{f, model} }

// OpenEvdev opens an input device with another ioctl.
func OpenEvdev(path string, ctl func(fd uintptr, request uint, arg []byte) error) (Source, error) {
	return openEvdev(path, ctl)
}
