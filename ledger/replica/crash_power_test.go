package replica

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"traveler.example/ledger"
)

// pageSize4K is what a power cut keeps or loses.
const pageSize4K = 4 << 10

// state is the files of a directory at one moment.
type state map[string][]byte

func stateOf(t *testing.T, dir string) state {
	t.Helper()
	s := state{}
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == ballastName {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		s[rel] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s state) write(t *testing.T, dir string) {
	t.Helper()
	for name, b := range s {
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o700)
		if err == nil {
			err = os.WriteFile(at, bytes.TrimRight(b, "\x00"), 0o600)
		}
		if err == nil {
			err = os.Truncate(at, int64(len(b)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cut is one way in which a power cut may leave the disk between two states,
// with one commit under way in the second. What the store flushes before it
// writes something else keeps its order: tables before the manifest that names
// them, the manifest before files go that it no longer names, logs before the
// note of the own head.
type cut struct {
	old, young state
	rnd        *rand.Rand
	keep       float64 // share of young pages that reached the disk
	sizes      bool    // sizes of the young state reached it too
}

func newCut(old, young state, rnd *rand.Rand) cut {
	shares := []float64{0, 0.1, 0.5, 0.9, 1}
	return cut{old, young, rnd, shares[rnd.IntN(len(shares))], rnd.IntN(2) == 0}
}

func (c cut) state() state {
	out := state{}
	named, turned := c.manifest()
	for _, name := range slices.Sorted(maps.Keys(c.union())) {
		old, wasThere := c.old[name]
		young, isThere := c.young[name]
		switch base := filepath.Base(name); {
		case base == manifestName:
			out[name] = named
		case base == tipName:
			out[name] = old
		case wasThere && isThere && strings.HasSuffix(base, ".sst"):
			out[name] = old
		case wasThere && isThere:
			out[name] = c.mixed(old, young)
		case wasThere:
			if !turned || c.rnd.IntN(2) == 0 {
				out[name] = old
			}
		case turned && strings.HasSuffix(base, ".sst"):
			out[name] = young
		case c.rnd.IntN(3) > 0:
			out[name] = c.mixed(nil, young)
		}
	}
	if out.storeIs(c.young) {
		out[tipName] = c.young[tipName] // it is noted after the commit
	}
	return out
}

// storeIs reports whether the store's files are those of another state.
func (s state) storeIs(other state) bool {
	return maps.EqualFunc(s.store(), other.store(), bytes.Equal)
}

func (s state) store() state {
	out := state{}
	for name, b := range s {
		if filepath.Base(name) != tipName {
			out[name] = b
		}
	}
	return out
}

func (c cut) union() map[string]bool {
	all := map[string]bool{}
	for _, s := range []state{c.old, c.young} {
		for name := range s {
			all[name] = true
		}
	}
	return all
}

// manifest returns the manifest that is left, and whether it is the young one.
func (c cut) manifest() (left []byte, turned bool) {
	name := filepath.Join(storeName, manifestName)
	old, young := c.old[name], c.young[name]
	if bytes.Equal(old, young) {
		return old, false
	}
	if c.rnd.IntN(2) == 0 {
		return young, true
	}
	if more, ok := bytes.CutPrefix(young, old); ok && len(old) > 0 {
		return young[:len(old)+c.rnd.IntN(len(more))], false
	}
	return old, false
}

// mixed takes each page that differs from one of the two.
func (c cut) mixed(old, young []byte) []byte {
	size := len(old)
	if c.sizes {
		size = len(young)
	}
	out := make([]byte, size)
	for at := 0; at < size; at += pageSize4K {
		from := old
		if c.rnd.Float64() < c.keep {
			from = young
		}
		if at < len(from) {
			copy(out[at:min(at+pageSize4K, size)], from[at:])
		}
	}
	return out
}

// still stops a process while f runs.
func (ch *child) still(f func()) {
	ch.t.Helper()
	pid := ch.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		ch.t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	for !stopped(pid) {
		time.Sleep(100 * time.Microsecond)
	}
	f()
}

// stopped reports whether no thread of a process runs. Only then are its files
// those of one moment.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		if i := bytes.LastIndexByte(b, ')'); i+2 >= len(b) || b[i+2] != 'T' {
			return false
		}
	}
	return len(tasks) > 0
}

// step has the child do one thing, and returns what it acknowledged, and the
// files at a random moment meanwhile.
func (ch *child) step(dir string, wait time.Duration) (acked []ledger.Hash, during state) {
	ch.t.Helper()
	if _, err := ch.in.Write([]byte("\n")); err != nil {
		ch.t.Fatal(err)
	}
	time.Sleep(wait)
	ch.still(func() { during = stateOf(ch.t, dir) })
	return ch.ready(), during
}

// ready reads acknowledgements up to where the child waits.
func (ch *child) ready() (acked []ledger.Hash) {
	ch.t.Helper()
	for {
		line, err := ch.out.ReadString('\n')
		if err != nil {
			ch.t.Fatalf("the child ended: %v\n%s", err, ch.stderr.String())
		}
		if strings.TrimSpace(line) == "ready" {
			return acked
		}
		if h, ok := parseAck(line); ok {
			acked = append(acked, h)
		}
	}
}

// stepsOfDirectory keeps the stores of the long form small: their number counts.
const stepsOfDirectory = 40

// TestPowerCut takes the files of a gateway at every acknowledgement and at a
// random moment before the next, and mixes pages, sizes and files of the two as
// a power cut may. The mixture opens, holds all that was acknowledged before,
// and goes on; one in ten is verified then.
func TestPowerCut(t *testing.T) {
	cuts := longForm("TRAVELER_POWERCUTS", 20)
	c := newCrashPlant(t)
	rnd := rand.New(rand.NewPCG(crashSeed(), 1))
	done, acknowledged := 0, 0
	for life := 0; done < cuts; life++ {
		d, n := c.cutOften(t, filepath.Join(t.TempDir(), "live"), life, done, cuts, rnd)
		done, acknowledged = d, acknowledged+n
	}
	c.tally(t)
	t.Logf("%d power cuts, %d acknowledgements", done, acknowledged)
}

// cutOften has a gateway work in a directory and cuts its power around each step.
// It returns how many cuts were made in all, and what was acknowledged.
func (c *crashPlant) cutOften(t *testing.T, dir string, life, done, cuts int, rnd *rand.Rand) (cutsDone, acknowledged int) {
	t.Helper()
	const perStep = 4
	ch := c.begin(t, dir, "steps", life)
	defer func() {
		_ = ch.cmd.Process.Kill()
		_ = ch.cmd.Wait()
	}()
	acked := ch.ready()
	for step := 0; done < cuts && step < stepsOfDirectory; step++ {
		var before state
		ch.still(func() { before = stateOf(t, dir) })
		told, during := ch.step(dir, time.Duration(rnd.IntN(4000))*time.Microsecond)
		if cuts < 100 && step%5 != 4 { // the short form looks at larger stores too
			acked = append(acked, told...)
			continue
		}
		var after state
		ch.still(func() { after = stateOf(t, dir) })
		for i := range perStep {
			if i == perStep/2 {
				during = after
			}
			c.survives(t, newCut(before, during, rnd), acked, done)
			if t.Failed() {
				t.Fatalf("power cut %d, after step %d and %d acknowledgements", done, step, len(acked))
			}
			done++
		}
		acked = append(acked, told...)
	}
	return done, len(acked)
}

// survives cuts the power and starts again.
func (c *crashPlant) survives(t *testing.T, k cut, acked []ledger.Hash, number int) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "cut")
	c.check(err)
	k.state().write(t, dir)
	if keep := os.Getenv("TRAVELER_KEEP"); keep != "" {
		c.check(os.RemoveAll(keep))
		k.state().write(t, keep)
	}
	o := crashOptions(c.plant, 1000+number)
	o.UnsafeNoSync = true // the power is not cut again
	c.reopenWith(t, o, dir, 1000+number, acked)
	if number%10 == 0 {
		c.verified(t, dir)
	}
	c.check(os.RemoveAll(dir))
}
