package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"traveler.example/agent"
)

// ErrTarget refuses a directory that is no root of a board.
var ErrTarget = errors.New("not the root of a board")

// Target is the root of a board's system, mounted or a plain directory. Nothing
// outside it is touched, whatever symbolic links it holds.
type Target struct {
	dir  string
	root *os.Root
	// privileged: owners can be set.
	privileged bool
	user       account
}

// account is the board's user as its own files have it.
type account struct {
	uid, gid int
	known    bool
}

// Open opens the root of a board at dir. It must hold etc and usr: an empty mount
// point is a card that is not mounted. This machine's own root is refused. The errors
// wrap ErrTarget and fs.ErrNotExist.
func Open(dir string) (*Target, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the root: %w", err)
	}
	if own, err := os.Stat("/"); err == nil && os.SameFile(own, info) {
		return nil, fmt.Errorf("%w: %s is the root of this machine", ErrTarget, dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the root: %w", err)
	}
	t := &Target{dir: dir, root: root, privileged: os.Geteuid() == 0}
	for _, needed := range []string{"etc", "usr"} {
		if info, err := root.Stat(needed); err != nil || !info.IsDir() {
			return nil, errors.Join(fmt.Errorf("%w: %s has no directory %s", ErrTarget, dir, needed), root.Close())
		}
	}
	if t.user, err = t.account(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return t, nil
}

// Close closes the root.
func (t *Target) Close() error { return t.root.Close() }

// read returns a file of the card, nil if there is none.
func (t *Target) read(place string) ([]byte, error) {
	f, err := t.root.OpenFile(inside(place), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, t.failed("reading", place, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, t.failed("reading", place, errors.Join(err, errors.New("it is no file")))
	}
	text, err := readAll(place, f, maxText)
	if err != nil {
		return nil, t.failed("reading", place, err)
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}

func (t *Target) failed(what, place string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", what, place, t.dir, err)
}

// inside is an absolute path on the board as os.Root takes it.
func inside(place string) string { return strings.TrimPrefix(path.Clean(place), "/") }

// account looks the board's user up: numbers differ from system to system.
func (t *Target) account() (account, error) {
	passwd, err := t.read("/etc/passwd")
	if err != nil {
		return account{}, err
	}
	group, err := t.read("/etc/group")
	if err != nil {
		return account{}, err
	}
	uid, hasUser := numberOf(passwd, "traveler")
	gid, hasGroup := numberOf(group, "traveler")
	return account{uid, gid, hasUser && hasGroup}, nil
}

// numberOf is the third field of a line of passwd(5) or group(5).
func numberOf(table []byte, name string) (int, bool) {
	for line := range strings.Lines(string(table)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) > 2 && fields[0] == name {
			n, err := strconv.ParseUint(fields[2], 10, 31)
			return int(n), err == nil
		}
	}
	return 0, false
}

// numbers returns who is to own a file now; set is false where it stays as it is
// made, or is for the first start to settle.
func (t *Target) numbers(o Owner) (uid, gid int, set bool) {
	switch {
	case !t.privileged || o == OwnerMount:
		return 0, 0, false
	case o == OwnerTraveler && t.user.known:
		return t.user.uid, t.user.gid, true
	case o == OwnerGroup && t.user.known:
		return 0, t.user.gid, true
	}
	return 0, 0, true
}

// Plan decides what is to be on the card, by what is there. It writes nothing. The
// errors wrap agent.ErrConflict where the card is another gateway's.
func (t *Target) Plan(b Board, programs []Program) (Plan, error) {
	f, err := t.find()
	if err != nil {
		return Plan{}, err
	}
	p, err := compose(b, programs, f)
	if err != nil {
		return Plan{}, err
	}
	if !t.privileged {
		p.Notes = append(p.Notes, "only root can set owners: files belong to you, and whoever makes the image gives them to root")
	}
	for i := range p.Files {
		if p.Files[i].Action, err = t.action(p.Files[i]); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

// find reads what is on the card.
func (t *Target) find() (f found, err error) {
	if f.genesis, err = t.read(path.Join(etcDir, agent.GenesisName)); err != nil {
		return f, err
	}
	if f.profile, err = t.read(path.Join(etcDir, agent.ProfileName)); err != nil {
		return f, err
	}
	f.keys = make(map[string][]byte)
	for _, dir := range []string{etcDir, identityDir} {
		place := path.Join(dir, agent.BoardKey)
		key, err := t.read(place)
		if err != nil {
			return f, err
		}
		if key != nil {
			f.keys[place] = key
		}
	}
	_, err = t.root.Lstat(inside(stateDir))
	f.ledger = err == nil
	for _, dir := range []string{"/boot/firmware", "/boot"} {
		config, err := t.read(dir + "/config.txt")
		if err != nil {
			return f, err
		}
		if config == nil {
			continue
		}
		cmdline, err := t.read(dir + "/cmdline.txt")
		f.firmware, f.config, f.cmdline = dir, string(config), string(cmdline)
		return f, err
	}
	return f, nil
}

// action compares a file with what is there.
func (t *Target) action(f File) (Action, error) {
	info, err := t.root.Lstat(inside(f.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return ActionNew, nil
	} else if err != nil {
		return "", t.failed("looking at", f.Path, err)
	}
	if info.IsDir() != f.Mode.IsDir() {
		return "", fmt.Errorf("%w: %s in %s is %v, and %v is to be there", agent.ErrConflict, f.Path, t.dir, info.Mode().Type(), f.Mode.Type())
	}
	same, err := t.same(f, info)
	switch {
	case err != nil:
		return "", err
	case f.once && info.Mode().IsRegular():
		return ActionKeep, nil
	case same:
		return ActionSame, nil
	}
	return ActionChange, nil
}

// same reports whether what is there, as info tells, is the file f.
func (t *Target) same(f File, info fs.FileInfo) (bool, error) {
	if info.Mode().Type() != f.Mode.Type() {
		return false, nil
	}
	if uid, gid, set := t.numbers(f.Owner); set {
		if u, g := ownerOf(info); u != uid || g != gid {
			return false, nil
		}
	}
	if f.Mode&fs.ModeSymlink != 0 {
		target, err := t.root.Readlink(inside(f.Path))
		return target == f.Target, err
	}
	if f.Owner != OwnerMount && info.Mode().Perm() != f.Mode.Perm() {
		return false, nil
	}
	if f.Mode.IsDir() || info.Size() != int64(len(f.Text)) {
		return f.Mode.IsDir(), nil
	}
	return t.holds(f)
}

// holds compares the content of a file, as the card has it: what the kernel
// remembers of it is let go first.
func (t *Target) holds(f File) (bool, error) {
	file, err := t.root.Open(inside(f.Path))
	if err != nil {
		return false, t.failed("reading", f.Path, err)
	}
	defer file.Close()                                                     //nolint:errcheck // it was only read
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)             // not every file system can
	text, err := readAll(f.Path, file, int64(max(len(f.Text), maxText)+1)) // one byte more tells
	if err != nil {
		return false, t.failed("reading", f.Path, err)
	}
	return bytes.Equal(text, f.Text), nil
}

// Verify reads back all that a plan says and compares: type, content, mode, owner.
// The error names every file that differs and wraps ErrDiffers.
func (t *Target) Verify(ctx context.Context, p Plan) error {
	var errs []error
	for _, f := range p.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.Action == ActionKeep {
			continue
		}
		info, err := t.root.Lstat(inside(f.Path))
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrDiffers, t.failed("looking at", f.Path, err)))
			continue
		}
		same, err := t.same(f, info)
		if err == nil && !same {
			err = fmt.Errorf("%s in %s", f.Path, t.dir)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrDiffers, err))
		}
	}
	return errors.Join(errs...)
}
