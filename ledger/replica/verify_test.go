package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"traveler.example/ledger"
)

// damagedPlant is a directory as a power cut leaves it, with one block in a
// value log, one in a table, and one in the write-ahead log.
type damagedPlant struct {
	*plant
	dir    string
	o      Options
	blocks map[string]ledger.Block // by the ending of the file that holds it
}

func newDamagedPlant(t *testing.T) *damagedPlant {
	t.Helper()
	p := newPlant(t, 1)
	g := p.gateways[0]
	o := p.options(g.key)
	o.UnsafeNoSync = true
	o.sizes = sizes{memTable: 1 << 20, valueLog: 1 << 20, inline: 1024}
	live := t.TempDir()
	open := func() {
		r, err := Open(live, o)
		p.check(err)
		g.r = r
	}
	open()
	g.take(p.allStatements()...)
	order := p.orderFor("WO-1")
	g.append(order)
	p.order = order.ID()
	d := &damagedPlant{plant: p, o: o, dir: t.TempDir(), blocks: map[string]ledger.Block{}}
	in := func() ledger.Tx {
		return g.intake(p.order, "a-label-that-is-long-enough-to-fill-a-block-somewhat-more")
	}
	d.blocks[".vlog"] = g.append(in(), in(), in(), in(), in(), in())
	d.blocks[".sst"] = g.append(in())
	g.append(in())
	p.check(g.r.Close())
	open()
	g.append(in())
	d.blocks[".mem"] = g.append(in())
	g.append(in())
	g.append(in())
	copied, err := privateCopy(live, d.dir)
	p.check(err)
	d.dir = copied
	p.check(g.r.Close())
	g.r = nil
	return d
}

// find returns the file that holds a block's bytes and where in it they begin.
func (d *damagedPlant) find(t *testing.T, ending string) (file string, at int, size int) {
	t.Helper()
	raw := d.blocks[ending].Raw()
	names, err := filepath.Glob(filepath.Join(d.dir, storeName, "*"+ending))
	d.check(err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		d.check(err)
		if at := bytes.Index(b, raw); at >= 0 {
			return name, at, len(raw)
		}
	}
	t.Fatalf("block is in no *%s", ending)
	return "", 0, 0
}

// inPlace verifies the directory itself, for thousands of trials.
func (d *damagedPlant) inPlace(t *testing.T) []Finding {
	t.Helper()
	o := d.o
	o.Signer = nil
	r, err := newReplica(o)
	d.check(err)
	var out []Finding
	faults := 0
	v := &verification{dir: d.dir, r: r, report: func(f Finding) {
		if f.Fault != "" {
			faults++
			out = append(out, f)
		}
	}}
	v.skipViews = true
	d.check(v.run(context.Background(), &faults))
	return out
}

// flip changes one bit in a file while f runs.
func flip(t *testing.T, file string, at int64, bit byte, f func()) {
	t.Helper()
	fd, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	b := make([]byte, 1)
	if _, err := fd.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	if _, err := fd.WriteAt([]byte{b[0] ^ bit}, at); err != nil {
		t.Fatal(err)
	}
	f()
	if _, err := fd.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyEveryByte flips every byte of three stored blocks in turn.
func TestVerifyEveryByte(t *testing.T) {
	d := newDamagedPlant(t)
	if faults := d.inPlace(t); len(faults) > 0 {
		t.Fatalf("sound, and yet: %+v", faults)
	}
	step := 1
	if testing.Short() || raceEnabled {
		step = 7
	}
	for ending, block := range d.blocks {
		file, at, size := d.find(t, ending)
		ref := block.Ref()
		for i := 0; i < size; i += step {
			flip(t, file, int64(at+i), 1<<(i%8), func() {
				named := false
				faults := d.inPlace(t)
				for _, f := range faults {
					named = named || f.Author == ref.Author && f.Height <= ref.Height && ref.Height <= max(f.Through, f.Height)
				}
				if !named {
					t.Fatalf("%s byte %d: block %s is not named in %+v", ending, i, ref, faults)
				}
			})
		}
	}
}

// TestVerifyAnywhere flips bytes all over the files: whatever it is, it is
// survived.
func TestVerifyAnywhere(t *testing.T) {
	d := newDamagedPlant(t)
	names, err := filepath.Glob(filepath.Join(d.dir, storeName, "*"))
	d.check(err)
	trials, found := 0, 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		d.check(err)
		used := len(bytes.TrimRight(b, "\x00"))
		for i := 0; i < used; i += max(used/60, 1) {
			flip(t, name, int64(i), 0x55, func() {
				trials++
				if len(d.inPlace(t)) > 0 {
					found++
				}
			})
		}
		t.Logf("%s: %d of %d", filepath.Base(name), found, trials)
	}
	t.Logf("%d of %d flips found", found, trials)
	if found < trials/2 {
		t.Error("most damage is not found")
	}
}

// fingerprint is content and times of all files of a directory.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		info, err := e.Info()
		fmt.Fprintf(h, "%s %d %s %x\n", name, info.Size(), info.ModTime(), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(h.Sum(nil))
}

// TestVerifyWhole runs Verify as the CLI does, on a sound directory and on one
// with a fault; the directory stays as it is and no copy is left.
func TestVerifyWhole(t *testing.T) {
	d := newDamagedPlant(t)
	d.o.TempDir = t.TempDir()
	before := fingerprint(t, d.dir)
	var lines []string
	report := func(f Finding) { lines = append(lines, f.Check+": "+f.Fault+f.Detail) }
	if err := Verify(context.Background(), d.dir, d.o, report); err != nil {
		t.Fatalf("%v: %s", err, strings.Join(lines, "\n"))
	}
	if !strings.Contains(strings.Join(lines, "\n"), "views: they follow from the blocks") {
		t.Errorf("views are not checked: %q", lines)
	}
	if fingerprint(t, d.dir) != before {
		t.Error("the directory was written to")
	}
	file, at, _ := d.find(t, ".sst")
	flip(t, file, int64(at), 1, func() {
		before := fingerprint(t, d.dir)
		if err := Verify(context.Background(), d.dir, d.o, report); !errors.Is(err, ErrDamaged) {
			t.Errorf("a damaged block is not found: %v", err)
		}
		if fingerprint(t, d.dir) != before {
			t.Error("the damaged directory was written to")
		}
	})
	left, err := os.ReadDir(d.o.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestVerifyViews finds views that do not follow from the blocks.
func TestVerifyViews(t *testing.T) {
	d := newDamagedPlant(t)
	r, err := Open(d.dir, d.o)
	d.check(err)
	var w tree
	w.put(keyLabel+"forged\x00"+str(ledger.Hash{1}), present)
	d.check(r.store.commit(&w))
	d.check(r.Close())
	var faults []Finding
	err = Verify(context.Background(), d.dir, d.o, func(f Finding) {
		if f.Fault != "" {
			faults = append(faults, f)
		}
	})
	if !errors.Is(err, ErrDamaged) || len(faults) != 1 || faults[0].Check != "views" {
		t.Errorf("%v: %+v", err, faults)
	}
}

// TestOpenDamaged opens stores whose last blocks are damaged: what is lost is
// noticed and taken back, and nothing is sealed before that.
func TestOpenDamaged(t *testing.T) {
	d := newDamagedPlant(t)
	g := d.gateways[0]
	d.o.Log = slog.New(slog.DiscardHandler)
	sound, err := Open(d.dir, d.o)
	d.check(err)
	g.r = sound
	chain := g.blocks(g.id)
	want, err := sound.DumpHash()
	d.check(err)
	in := g.intake(d.order, "next")
	d.check(sound.Close())

	names, err := filepath.Glob(filepath.Join(d.dir, storeName, "*.sst"))
	d.check(err)
	b, err := os.ReadFile(names[len(names)-1])
	d.check(err)
	flip(t, names[len(names)-1], int64(len(b)-3), 0xff, func() {
		if err := checkTables(filepath.Join(d.dir, storeName)); !errors.Is(err, ErrDamaged) {
			t.Errorf("a damaged index is not found: %v", err)
		}
	})

	fd, err := os.OpenFile(names[len(names)-1], os.O_RDWR, 0)
	d.check(err)
	at := bytes.Index(b, d.blocks[".mem"].Raw())
	if at < 0 {
		t.Fatal("the block is not in the last table")
	}
	_, err = fd.WriteAt([]byte{b[at] ^ 1}, int64(at))
	d.check(err)
	d.check(fd.Close())
	r, err := Open(d.dir, d.o)
	d.check(err)
	defer r.Close()
	g.r = r
	if _, err := r.Append(context.Background(), Batch{Txs: []ledger.Tx{in}}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("sealed on a chain that lost its end: %v", err)
	}
	g.take(d.allStatements()...)
	g.take(chain...)
	if got, err := r.DumpHash(); err != nil || got != want {
		t.Errorf("after taking it back: %v", err)
	}
	if b := g.append(in); b.Header().Height != uint64(len(chain)+1) {
		t.Errorf("sealed %s", b.Ref())
	}
}
