package replica

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"traveler.example/ledger"
)

// alone fails unless the gateway holds all blocks and statements of before,
// without the help of peers, and seals on.
func (i *ill) alone(t *testing.T, before []ledger.Hash) {
	t.Helper()
	i.g.holds(t, before)
	if d := i.g.r.Damage(); d.Lost != nil {
		t.Errorf("the end of the own chain is lost: %v", d.Lost)
	}
	i.share()
	i.whole(t)
}

// all lists what the gateway holds: whoever was told of it relies on it.
func (i *ill) all() []ledger.Hash {
	var out []ledger.Hash
	for _, st := range i.g.r.Register().Statements() {
		out = append(out, st.Hash())
	}
	for _, g := range i.gateways {
		for _, b := range i.g.blocks(g.id) {
			out = append(out, b.(ledger.UnverifiedBlock).Hash())
		}
	}
	return out
}

// append adds a record to the manifest.
func appendManifest(t *testing.T, store string, changes ...*pb.ManifestChange) {
	t.Helper()
	b, err := proto.Marshal(&pb.ManifestChangeSet{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(b, castagnoli))
	f, err := os.OpenFile(filepath.Join(store, manifestName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(head, b...))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestManifestAhead: where a compaction cannot flush the manifest, Badger takes
// its new tables away though the manifest may name them, and the old ones no
// more. The old ones, which are still there, hold everything.
func TestManifestAhead(t *testing.T) {
	i := newIllOf(t, asMeasured)
	before := i.all()
	i.check(i.g.r.Close())
	store := filepath.Join(i.dir, storeName)
	live, err := liveTables(store)
	i.check(err)
	if len(live) == 0 {
		t.Fatal("no table yet: the test would show nothing")
	}
	changes := []*pb.ManifestChange{{Id: 900, Op: pb.ManifestChange_CREATE, Level: 6}}
	for _, name := range live {
		var id uint64
		_, err := fmt.Sscanf(name, "%d.sst", &id)
		i.check(err)
		changes = append(changes, &pb.ManifestChange{Id: id, Op: pb.ManifestChange_DELETE})
	}
	appendManifest(t, store, changes...)
	i.open(t)
	i.alone(t, before)
}

// TestManifestAheadRunning: the mender finds the same while the gateway runs, and
// so does the committer when it has to read the store back.
func TestManifestAheadRunning(t *testing.T) {
	ahead := func(t *testing.T, i *ill) {
		appendManifest(t, filepath.Join(i.dir, storeName), &pb.ManifestChange{Id: 900, Op: pb.ManifestChange_CREATE, Level: 6})
	}
	for what, find := range map[string]func(*testing.T, *ill){
		"mender": func(t *testing.T, i *ill) {
			ahead(t, i)
			i.check(i.g.r.scrub(context.Background(), true))
		},
		"committer": func(t *testing.T, i *ill) {
			i.check(i.g.r.store.(*onDisk).db.Close())
			ahead(t, i)
			v := &verdict{local: []string{keyGrowth}, reply: make(chan error, 1)}
			i.g.r.verdicts <- v
			if err := <-v.reply; err == nil {
				t.Error("committed to a store that is closed")
			}
			for i.g.r.Damage().Last == nil { // it reads the store back
				time.Sleep(10 * time.Millisecond)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			i := newIllOf(t, asMeasured)
			before := i.all()
			find(t, i)
			if d := i.g.r.Damage(); d.Last == nil || !strings.Contains(d.Last.Error(), "000900.sst: is missing") {
				t.Errorf("found %+v", d)
			}
			i.alone(t, before)
		})
	}
}

// TestInterruptedReplacing: whenever the replacement of a store is interrupted,
// the next start finds everything.
func TestInterruptedReplacing(t *testing.T) {
	for what, leave := range map[string]func(at string) error{
		"before the old one is moved away": func(at string) error {
			return errors.Join(os.Mkdir(at+newEnding, 0o700), os.WriteFile(filepath.Join(at+newEnding, manifestName), nil, 0o600))
		},
		"between the two moves": func(at string) error {
			return errors.Join(os.CopyFS(at+newEnding, os.DirFS(at)), os.Rename(at, at+damagedEnding))
		},
		"the new one never came": func(at string) error { return os.Rename(at, at+damagedEnding) },
	} {
		t.Run(what, func(t *testing.T) {
			i := newIllOf(t, asMeasured)
			before := i.all()
			i.check(i.g.r.Close())
			i.check(leave(filepath.Join(i.dir, storeName)))
			i.open(t)
			i.alone(t, before)
		})
	}
}

// TestReplacingFails: a replacement that fails while the gateway runs leaves the
// old store in its place, never an empty one.
func TestReplacingFails(t *testing.T) {
	i := newIllOf(t, asMeasured)
	before := i.all()
	d := i.g.r.store.(*onDisk)
	err := d.renew(func() error { return errors.Join(errInjected, os.Rename(d.dir, d.dir+damagedEnding)) })
	if !errors.Is(err, errInjected) {
		t.Fatalf("want the injected failure, got %v", err)
	}
	i.alone(t, before)
}

// TestOpenDamagedRecords: no single record that cannot be read keeps a replica
// from opening.
func TestOpenDamagedRecords(t *testing.T) {
	for _, kind := range []string{keyStatement, keyFormat, keyCounters, keyTips, keyBlock, keyMark, keyChain} {
		i := newIll(t)
		var key string
		i.g.read(func(v *View) error {
			return v.r.keys(kind, "", func(k string) bool { key = k; return false })
		})
		i.g.spoil(key, nil)
		i.check(i.g.r.Close())
		i.open(t)
		i.check(i.g.r.scrub(context.Background(), true))
		i.g.take(i.allStatements()...)
		i.g.take(i.peer.blocks(i.g.id)...)
		i.whole(t)
	}
}

// badSectors is a file of which the disk cannot read some sectors.
type badSectors struct {
	*bytes.Reader
	bad map[int64]bool
}

func (f badSectors) ReadAt(b []byte, at int64) (int, error) {
	if f.bad[at] {
		return 0, &os.PathError{Op: "read", Path: "000001.sst", Err: syscall.EIO}
	}
	return f.Reader.ReadAt(b, at)
}

func TestReadSectors(t *testing.T) {
	whole := bytes.Repeat([]byte{7}, 2*sectorSize+100)
	got := bytes.Repeat([]byte{9}, len(whole))
	if err := readSectors(badSectors{bytes.NewReader(whole), map[int64]bool{sectorSize: true}}, got); err != nil {
		t.Fatal(err)
	}
	clear(whole[sectorSize : 2*sectorSize])
	if !bytes.Equal(got, whole) {
		t.Error("not the sectors that can be read, and zeros for the other")
	}
}

// TestSalvageUnopened: what cannot be looked at now is not taken for lost.
func TestSalvageUnopened(t *testing.T) {
	i := newIll(t)
	before := i.all()
	i.check(i.g.r.Close())
	store := filepath.Join(i.dir, storeName)
	values, err := filepath.Glob(filepath.Join(store, "*.vlog"))
	i.check(err)
	i.check(os.Remove(filepath.Join(store, manifestName)))
	for _, name := range values { // a name that no open succeeds on, as without a descriptor left
		i.check(os.Rename(name, name+".away"))
		i.check(os.Symlink(filepath.Base(name), name))
	}
	if r, err := Open(i.dir, i.o); err == nil {
		_ = r.Close()
		t.Fatal("opened without what could not be looked at")
	}
	for _, name := range values {
		i.check(os.Remove(name))
		i.check(os.Rename(name+".away", name))
	}
	i.open(t)
	i.alone(t, before)
}

// TestAsideGoes: the damaged store that is kept aside goes when space is needed,
// at a commit and at a start, and not while it is all there is.
func TestAsideGoes(t *testing.T) {
	i := newIll(t)
	aside := filepath.Join(i.dir, storeName+damagedEnding)
	i.check(i.g.r.Close())
	i.o.FreeBytes = func(string) (int64, error) {
		if exists(aside) {
			return 1 << 20, nil
		}
		return 1 << 30, nil
	}
	keep := func() { i.check(os.CopyFS(aside, os.DirFS(filepath.Join(i.dir, storeName)))) }
	keep()
	i.open(t)
	if exists(aside) {
		t.Error("kept at a start on a full disk")
	}
	keep()
	i.g.append(i.g.intake(i.order, "needs-space"))
	if exists(aside) {
		t.Error("kept at a commit on a full disk")
	}
	before := i.all()
	i.check(i.g.r.Close())
	i.check(os.Rename(filepath.Join(i.dir, storeName), aside)) // as between the two moves of a replacement
	if r, err := Open(i.dir, i.o); !errors.Is(err, ErrFull) {
		if err == nil {
			i.check(r.Close())
		}
		t.Errorf("opened on a full disk: %v", err)
	}
	i.o.FreeBytes = nil
	i.open(t)
	i.alone(t, before)
}
