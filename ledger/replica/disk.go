package replica

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"traveler.example/ledger"
)

// Names of the files beside the store's own.
const (
	lockName    = "traveler.lock"
	tipName     = "traveler.tip"
	ballastName = "traveler.ballast"
)

// disk guards the directory: one process at a time, room to commit, and a note
// of where the own chain ends.
type disk struct {
	dir     string // empty: in memory
	free    func(dir string) (int64, error)
	reserve int64
	ballast int64  // bytes; 0: none
	copied  string // the private copy to be removed at close
	lock    *os.File
	tip     *os.File
}

// storeNeeds is what the store may take at any moment without asking: it maps
// its files before they are filled and dies of SIGBUS where the disk is full.
const storeNeeds = 2*valueLogSize + 4*memTableSize

func openDisk(dir string, o Options) (*disk, error) {
	d := &disk{dir: dir, free: o.FreeBytes, reserve: o.Reserve, ballast: storeNeeds / 2}
	if d.free == nil {
		d.free = freeBytes
	}
	if o.UnsafeNoSync {
		d.ballast = 0
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ledger directory: %w", err)
	}
	var err error
	if d.lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("ledger directory: %w", err)
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := d.makeRoom(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if d.tip, err = os.OpenFile(filepath.Join(dir, tipName), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger directory: %w", err), d.close())
	}
	return d, nil
}

// freeBytes asks the file system.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

func (d *disk) need() int64 { return d.reserve + storeNeeds }

func (d *disk) freeNow() int64 {
	n, err := d.free(d.dir)
	if err != nil {
		return 0
	}
	return n
}

// room refuses a commit that the disk may not have room for. It puts the ballast
// back once there is room for that too.
func (d *disk) room() error {
	free, err := d.free(d.dir)
	if err == nil && free < d.need() {
		free, err = d.spend(free)
	}
	if err != nil {
		return err
	}
	if free < d.need() {
		return fmt.Errorf("%w: %d MiB are free and %d MiB must be; free some space", ErrFull, free>>20, d.need()>>20)
	}
	if d.dir != "" && d.ballast > 0 && free >= d.need()+d.ballast {
		return d.load()
	}
	return nil
}

// spend removes a damaged store that is kept beside the one that took its place,
// and returns what is free then. While none stands in its place it stays.
func (d *disk) spend(free int64) (int64, error) {
	aside := d.path(storeName + damagedEnding)
	if d.dir == "" || !exists(aside) || !exists(d.path(storeName)) {
		return free, nil
	}
	if err := os.RemoveAll(aside); err != nil {
		return free, fmt.Errorf("removing the damaged store kept aside: %w", err)
	}
	return d.free(d.dir)
}

// makeRoom gives up the damaged store that is kept aside, and then the ballast,
// where the store could not be opened otherwise.
func (d *disk) makeRoom() error {
	free, err := d.free(d.dir)
	if err == nil && free < storeNeeds {
		free, err = d.spend(free)
	}
	if err != nil || free >= storeNeeds {
		return err
	}
	if err := os.Remove(d.path(ballastName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("giving up the ballast: %w", err)
	}
	if free, err = d.free(d.dir); err != nil {
		return err
	}
	if free < storeNeeds/2 {
		return fmt.Errorf("%w: %d MiB are free and the store needs %d MiB to open", ErrFull, free>>20, storeNeeds>>21)
	}
	return nil
}

// load makes the ballast: a file to delete when the disk is full.
func (d *disk) load() error {
	f, err := os.OpenFile(d.path(ballastName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ballast: %w", err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, d.ballast); err != nil {
		d.ballast = 0 // this file system cannot: the reserve alone has to do
		return os.Remove(f.Name())
	}
	return nil
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// tipSize is author, height, hash and a checksum.
const tipSize = keyIDSize + 8 + hashSize + 4

// writeTip notes the own head. It is not flushed: a note that is older than the
// store says nothing, one that is younger shows that the store has lost blocks.
func (d *disk) writeTip(r ledger.Ref) error {
	if d.tip == nil {
		return nil
	}
	b := []byte(refKey(r))
	b = appendSum(b, crc32.Checksum(b, castagnoli))
	if _, err := d.tip.WriteAt(b, 0); err != nil {
		return fmt.Errorf("noting the own head: %w", err)
	}
	return nil
}

func (d *disk) readTip() (ledger.Ref, bool) {
	if d.tip == nil {
		return ledger.Ref{}, false
	}
	b := make([]byte, tipSize)
	if _, err := io.ReadFull(io.NewSectionReader(d.tip, 0, tipSize), b); err != nil {
		return ledger.Ref{}, false
	}
	return parseTip(b)
}

func parseTip(b []byte) (ledger.Ref, bool) {
	if len(b) != tipSize || string(appendSum(nil, crc32.Checksum(b[:tipSize-4], castagnoli))) != string(b[tipSize-4:]) {
		return ledger.Ref{}, false
	}
	return refOf(string(b)), true
}

func (d *disk) close() error {
	var err error
	if d.tip != nil {
		err = d.tip.Close()
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return errors.Join(err, removeCopy(d.copied))
}
