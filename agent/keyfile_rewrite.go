package agent

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// newSuffix is what the name of a key file ends in while it is being rewritten.
const newSuffix = ".new"

// RewriteKey keeps the same key in the same file under another protection, and
// returns it. old opens the file, form.Protect says how it is kept from now on.
// Whenever it is interrupted, the file holds the whole key, in the old form or in
// the new one: the new form is written beside it, flushed, read again and renamed
// over it. What the disk has at the place of the old form is not overwritten.
func RewriteKey(path string, old Passphrase, form KeyForm) (crypto.Signer, error) {
	r := rewriting{path: path, at: func(string) {}}
	return r.do(old, form)
}

// rewriting is one rewriting of a key file; at is told the step that is done.
type rewriting struct {
	path string
	at   func(step string)
}

func (r rewriting) do(old Passphrase, form KeyForm) (crypto.Signer, error) {
	path, err := filepath.EvalSymlinks(r.path) // the file is replaced, not a link to it
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	key, err := LoadKey(path, old)
	if err != nil {
		return nil, err
	}
	var p Protection
	if form.Protect != nil {
		if p, err = form.Protect(r.path); err != nil {
			return nil, err
		}
	}
	next := path + newSuffix
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a rewriting that was interrupted
		return nil, fmt.Errorf("rewriting key %s: %w", path, err)
	}
	if err := r.write(path, next, key, p); err != nil {
		return nil, errors.Join(fmt.Errorf("rewriting key: %w", err), removed(next))
	}
	if err := os.Rename(next, path); err != nil {
		return nil, errors.Join(fmt.Errorf("rewriting key: %w", err), removed(next))
	}
	r.at("renamed")
	return key, syncDirectory(filepath.Dir(path))
}

// write puts the new form into a file of its own and makes sure that it holds
// the key.
func (r rewriting) write(path, next string, key crypto.Signer, p Protection) error {
	if err := SaveKey(next, key, p); err != nil { // flushed
		return err
	}
	r.at("written")
	if err := keepOwner(path, next); err != nil {
		return err
	}
	again, err := LoadKey(next, func(string) (string, error) { return p.Passphrase, nil })
	if err != nil {
		return err
	}
	if same, ok := key.(interface{ Equal(crypto.PrivateKey) bool }); !ok || !same.Equal(again) {
		return fmt.Errorf("%s does not hold the key that was written to it", next)
	}
	r.at("read again")
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keepOwner gives next the owner of path: root may rewrite a daemon's key.
func keepOwner(path, next string) error {
	was, err := os.Stat(path)
	if err != nil {
		return err
	}
	is, err := os.Stat(next)
	if err != nil {
		return err
	}
	from, ok := was.Sys().(*syscall.Stat_t)
	to, too := is.Sys().(*syscall.Stat_t)
	if !ok || !too || from.Uid == to.Uid && from.Gid == to.Gid {
		return nil
	}
	return os.Chown(next, int(from.Uid), int(from.Gid))
}

// syncDirectory makes a rename in a directory last.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flushing %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("flushing %s: %w", dir, err)
	}
	return nil
}
