package flash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownerOf is who owns what a file system of this machine holds.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

// Write puts on the card what a plan says and is not there yet. Each file appears
// whole under its name or not at all, and is on the card when it does; what was cut
// off is completed by planning and writing again. After it, [Target.Verify].
func (t *Target) Write(ctx context.Context, p Plan) error {
	for _, f := range p.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.Action == ActionNew || f.Action == ActionChange {
			if err := t.put(f); err != nil {
				return t.failed("writing", f.Path, err)
			}
		}
	}
	return t.flush()
}

// put writes one file, directory or link.
func (t *Target) put(f File) error {
	place := inside(f.Path)
	if err := t.parents(path.Dir(place)); err != nil {
		return err
	}
	if f.Mode.IsDir() {
		if err := t.root.Mkdir(place, f.Mode.Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return t.settle(place, f)
	}
	next := path.Join(path.Dir(place), "."+path.Base(place)+".flash")
	if err := t.root.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of a flash that was cut off
	}
	err := t.prepare(next, f)
	if err == nil && f.once {
		// Unlike a renaming, a link never takes the place of anything.
		err = t.root.Link(next, place)
		err = errors.Join(err, t.root.Remove(next))
	} else if err == nil {
		err = t.root.Rename(next, place)
	} else {
		_ = t.root.Remove(next) // the error before says more
	}
	if err != nil {
		return err
	}
	return t.flushDirectory(path.Dir(place))
}

// parents makes the directories that are missing above a file. Services that are not
// root go through them, so the caller's umask must not close them.
func (t *Target) parents(dir string) error {
	if dir == "." {
		return nil
	}
	err := t.root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err = t.parents(path.Dir(dir)); err == nil {
			err = t.root.Mkdir(dir, 0o755)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return t.root.Chmod(dir, 0o755)
}

// prepare writes a file under another name, complete with owner and mode.
func (t *Target) prepare(next string, f File) error {
	if f.Mode&fs.ModeSymlink != 0 {
		if err := t.root.Symlink(f.Target, next); err != nil {
			return err
		}
		if uid, gid, set := t.numbers(f.Owner); set {
			return t.root.Lchown(next, uid, gid)
		}
		return nil
	}
	file, err := t.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Text)
	if uid, gid, set := t.numbers(f.Owner); err == nil && set {
		err = file.Chown(uid, gid)
	}
	if err == nil && f.Owner != OwnerMount {
		err = file.Chmod(f.Mode.Perm())
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// settle gives a directory its owner and mode.
func (t *Target) settle(place string, f File) error {
	if uid, gid, set := t.numbers(f.Owner); set {
		if err := t.root.Chown(place, uid, gid); err != nil {
			return err
		}
	}
	if err := t.root.Chmod(place, f.Mode.Perm()); err != nil {
		return err
	}
	return t.flushDirectory(path.Dir(place))
}

func (t *Target) flushDirectory(place string) error {
	d, err := t.root.Open(place)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// flush has the file systems of root and boot partition write what they still hold:
// directories that were made on the way.
func (t *Target) flush() error {
	for _, place := range []string{".", "boot", "boot/firmware"} {
		d, err := t.root.Open(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("flushing %s: %w", t.dir, err)
		}
		if err := errors.Join(unix.Syncfs(int(d.Fd())), d.Close()); err != nil {
			return fmt.Errorf("flushing %s: %w", t.dir, err)
		}
	}
	return nil
}
