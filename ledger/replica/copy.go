package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// privateCopy copies a ledger directory to a new one under temp, without its
// lock and ballast. The original is only read; it may be in use: what is copied
// then is as after a power cut.
func privateCopy(dir, temp string) (string, error) {
	to, err := os.MkdirTemp(temp, "traveler-ledger-")
	if err != nil {
		return "", fmt.Errorf("private copy of %s: %w", dir, err)
	}
	const attempts = 5
	for range attempts {
		if err = copyOnce(filepath.Join(dir, storeName), filepath.Join(to, storeName)); !errors.Is(err, errMoved) {
			break
		}
	}
	if tip := filepath.Join(dir, tipName); err == nil && exists(tip) {
		err = copyFile(tip, filepath.Join(to, tipName))
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("private copy of %s: %w", dir, err), os.RemoveAll(to))
	}
	return to, nil
}

var errMoved = errors.New("the files changed while they were copied")

const manifestName = "MANIFEST"

// copyOnce copies manifest and tables first, then write-ahead logs, then value
// logs: so nothing copied points to what was not. It fails with errMoved if the
// manifest changed meanwhile.
func copyOnce(dir, to string) error {
	before, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(to), os.Mkdir(to, 0o700)); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return copyRank(a.Name()) - copyRank(b.Name()) })
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == "LOCK" {
			continue
		}
		err := copyFile(filepath.Join(dir, e.Name()), filepath.Join(to, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			return errMoved
		}
		if err != nil {
			return err
		}
	}
	after, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err == nil && !bytes.Equal(before, after) {
		err = errMoved
	}
	return err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func copyRank(name string) int {
	switch {
	case strings.HasSuffix(name, ".mem"):
		return 1
	case strings.HasSuffix(name, ".vlog"):
		return 2
	}
	return 0
}

// copyFile copies a file and leaves holes where it is zero: the store's logs are
// mostly room for more.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	size, err := copySparse(out, in)
	if err == nil {
		err = out.Truncate(size)
	}
	return errors.Join(err, out.Close())
}

func copySparse(out *os.File, in io.Reader) (int64, error) {
	buf := make([]byte, 64<<10)
	zero := make([]byte, len(buf))
	var at int64
	for {
		n, err := io.ReadFull(in, buf)
		if !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return at, err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
	}
}
