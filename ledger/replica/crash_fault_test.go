package replica

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The system calls by which the store changes its files. What it maps reaches
// the disk by msync.
var failable = []string{"openat", "ftruncate", "msync", "fsync", "fdatasync", "pwrite64", "write", "renameat", "unlinkat", "fallocate", "mmap"}

// failure is one call that is to fail.
type failure struct {
	call, errno string
	number      int // of the calls of one thread, from 1; every thread's fails
}

func (f failure) String() string { return fmt.Sprintf("%s %d %s", f.call, f.number, f.errno) }

// TestFailedCalls fails every system call by which the store changes its files
// once in turn. The gateway says an error or goes on; whatever it acknowledged
// is there when the disk works again, and the directory is sound then.
func TestFailedCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: apt-get install strace")
	}
	if testing.Short() {
		t.Skip("runs a gateway under strace: left out with -short")
	}
	c := newCrashPlant(t)
	all := c.failures(t, strace)
	if len(all) == 0 {
		t.Skip("strace may not trace here")
	}
	switch want := os.Getenv("TRAVELER_FAULTS"); want {
	case "all":
	case "":
		rnd := rand.New(rand.NewPCG(crashSeed(), 2))
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:min(10, len(all))]
	default:
		all = slices.DeleteFunc(all, func(f failure) bool { return f.call != want })
	}
	ends := map[string]int{}
	for _, f := range all {
		end := c.fails(t, strace, f)
		ends[f.call+" "+end]++
		if t.Failed() {
			t.Fatalf("failed: %s; the gateway %s", f, end)
		}
	}
	c.tally(t)
	t.Logf("%d calls failed: %v", len(all), ends)
}

// failures runs the work once without a fault and lists the calls on files of
// the directory.
func (c *crashPlant) failures(t *testing.T, strace string) []failure {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clean")
	trace := filepath.Join(t.TempDir(), "trace")
	ch := c.begin(t, dir, "fixed", 0, strace, "-f", "-y", "--seccomp-bpf", "-o", trace, "-e", "signal=none", "-e", "trace="+strings.Join(failable, ","))
	acked := ch.acks()
	if err := ch.cmd.Wait(); err != nil || len(acked) < 24 {
		t.Logf("the work without a fault: %v, %d acknowledged\n%s", err, len(acked), ch.stderr.String())
		return nil
	}
	text, err := os.ReadFile(trace)
	c.check(err)
	call := regexp.MustCompile(`^\d+ +(\w+)\((.*)`)
	count := map[string]int{}
	var out []failure
	for line := range strings.Lines(string(text)) {
		m := call.FindStringSubmatch(line)
		if m == nil || strings.Contains(line, "resumed>") {
			continue
		}
		thread := m[0][:strings.IndexByte(m[0], ' ')] + m[1] // strace counts what a thread calls
		count[thread]++
		// msync names an address, and only the store calls it.
		if !strings.Contains(m[2], dir) && m[1] != "msync" {
			continue
		}
		for _, errno := range []string{"EIO", "ENOSPC"} {
			if f := (failure{m[1], errno, count[thread]}); !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b failure) int {
		return strings.Compare(fmt.Sprintf("%s %6d %s", a.call, a.number, a.errno), fmt.Sprintf("%s %6d %s", b.call, b.number, b.errno))
	})
	return out
}

// fails does the work with one call failed, and again without.
func (c *crashPlant) fails(t *testing.T, strace string, f failure) (end string) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "fault")
	c.check(err)
	inject := fmt.Sprintf("inject=%s:error=%s:when=%d", f.call, f.errno, f.number)
	ch := c.begin(t, dir, "fixed", 0, strace, "-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "signal=none", "-e", "trace="+f.call, "-e", inject)
	stuck := time.AfterFunc(time.Minute, func() { _ = ch.cmd.Process.Kill() })
	acked := ch.acks()
	err = ch.cmd.Wait()
	said := ch.stderr.String()
	switch {
	case !stuck.Stop():
		t.Errorf("%s: the gateway does not end\n%s", f, said)
	case strings.Contains(said, "not opened"):
		end = "refused to open"
	case err != nil:
		end = "ended"
	case strings.Contains(said, "not sealed"), strings.Contains(said, "not ingested"), strings.Contains(said, "not taken"):
		end = "refused to acknowledge"
	case strings.Contains(said, "level=ERROR"), strings.Contains(said, "level=WARN"):
		end = "said so and went on"
	default:
		end = "went on"
	}
	if f.call == "msync" && strings.Contains(said, unflushedWords) && !strings.Contains(said, errUnflushed.Error()) {
		t.Errorf("%s: acknowledged though the value log was not flushed", f)
	}
	if err != nil && said == "" && f.call != "openat" { // the runtime opens files as well
		t.Errorf("%s: the gateway ended without a word: %v", f, err)
	}
	defer func() {
		if t.Failed() {
			t.Logf("%s: the gateway %s, %d acknowledged; it said:\n%s", f, end, len(acked), said)
		}
	}()
	if keep := os.Getenv("TRAVELER_KEEP"); keep != "" {
		c.check(os.RemoveAll(keep))
		c.check(os.CopyFS(keep, os.DirFS(dir)))
	}
	acked = append(acked, c.reopen(t, dir, 1, acked))
	if t.Failed() {
		return end
	}
	if f.number%4 == 0 || os.Getenv("TRAVELER_FAULTS") != "all" {
		c.verified(t, dir)
	}
	c.check(os.RemoveAll(dir))
	return end
}
