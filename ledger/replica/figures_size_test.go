package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"traveler.example/ledger"
)

// fill appends transactions in batches of so many.
func (w *workload) fill(n, batch int) {
	for ; n > 0; n -= batch {
		w.g.append(w.take(min(n, batch))...)
	}
}

// fillTwice is fill by two callers at once: their batches share a commit.
func (g *gateway) fillTwice(n, batch int) {
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { (&workload{g: g, n: 3 * (i + 1) << 26, whole: true}).fill(n, batch) })
	}
	wg.Wait()
}

// procField reads one number of a file of /proc that lists names and numbers.
func procField(tb testing.TB, file, name string) int64 {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	tb.Fatalf("%s has no %s", file, name)
	return 0
}

// written is what this process has had written to disks, less what was taken
// back by deleting files before it came to that.
func written(tb testing.TB) int64 {
	return procField(tb, "/proc/self/io", "write_bytes:") - procField(tb, "/proc/self/io", "cancelled_write_bytes:")
}

// BenchmarkFigureG_Written tells how many bytes go to the disk (of TMPDIR, which
// must not be a tmpfs) for one byte of a block. One transaction in three is an
// intake, one an acceptance, one a report with three measurements, a weight and
// an operator.
func BenchmarkFigureG_Written(b *testing.B) {
	for batch, n := range map[int]int{1: figureSize(2000, 20_000), 256: figureSize(40*256, 400*256)} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			for range b.N {
				g := benchPlant(b, durable)
				w := &workload{g: g, whole: true}
				blocks := func() (n uint64) {
					g.read(func(v *View) error {
						s, err := v.Stats()
						n = s.BlockBytes
						return err
					})
					return n
				}
				before, had := written(b), blocks()
				gross := procField(b, "/proc/self/io", "write_bytes:")
				if batch == 1 {
					w.fill(n, 1)
				} else {
					g.fillTwice(n/2, batch/2)
				}
				per := float64(blocks() - had)
				b.ReportMetric(float64(written(b)-before)/per, "written/byte")
				b.ReportMetric(float64(procField(b, "/proc/self/io", "write_bytes:")-gross)/per, "gross/byte")
				b.ReportMetric(float64(g.r.store.size())/per, "disk/byte")
				b.ReportMetric(per/float64(n), "block-B/tx")
			}
		})
	}
}

// figureDir is where the child of BenchmarkFigureF finds its replica.
const figureDir = "TRAVELER_BENCH_DIR"

// BenchmarkFigureF_Size fills a replica and opens it in a process of its own,
// with the limits that the unit sets: anonymous memory at work, time to open,
// 99th percentile of a look-up by tag, bytes on the disk.
func BenchmarkFigureF_Size(b *testing.B) {
	sizes := []int{20_000}
	if figureSize(0, 1) == 1 {
		sizes = []int{100_000, 1_000_000}
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				dir := b.TempDir()
				p := newPlant(b, 1)
				g := p.gateways[0]
				o := p.options(g.key)
				o.UnsafeNoSync = true
				r, err := Open(dir, o)
				p.check(err)
				g.r = r
				g.take(p.allStatements()...)
				order := p.orderFor("WO-1")
				g.append(order)
				p.order = order.ID()
				(&workload{g: g}).fill(n, 192)
				disk := r.store.size()
				p.check(r.Close())

				child := exec.Command(os.Args[0], "-test.run", "^TestFigureFChild$", "-test.v")
				child.Env = append(os.Environ(), figureDir+"="+dir, "GOMEMLIMIT=56MiB", "GOGC=50", "TRAVELER_BENCH_ORDER="+fmt.Sprintf("%x", p.order[:]), "TRAVELER_BENCH_TXS="+strconv.Itoa(n))
				out, err := child.CombinedOutput()
				if err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				for line := range strings.Lines(string(out)) {
					if f := strings.Fields(line); len(f) == 3 && f[0] == "figure" {
						v, err := strconv.ParseFloat(f[2], 64)
						p.check(err)
						b.ReportMetric(v, f[1])
					}
				}
				b.ReportMetric(float64(disk)/float64(n), "disk-B/tx")
			}
		})
	}
}

// TestFigureFChild is the process that BenchmarkFigureF measures.
func TestFigureFChild(t *testing.T) {
	dir := os.Getenv(figureDir)
	if dir == "" {
		t.Skip("run by BenchmarkFigureF")
	}
	n, err := strconv.Atoi(os.Getenv("TRAVELER_BENCH_TXS"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlant(t, 1)
	p.now.Store(2_000_000_000_000)
	g := p.gateways[0]
	var order []byte
	if _, err := fmt.Sscanf(os.Getenv("TRAVELER_BENCH_ORDER"), "%x", &order); err != nil {
		t.Fatal(err)
	}
	p.order = ledger.TxID(order)
	began := time.Now()
	g.r, err = Open(dir, p.options(g.key))
	p.check(err)
	fmt.Printf("figure open-ms %d\n", time.Since(began).Milliseconds())

	var most int64
	look := func() { most = max(most, procField(t, "/proc/self/smaps_rollup", "Anonymous:")) }
	random := rand.New(rand.NewPCG(1, 2))
	var times []time.Duration
	for i := range 5000 {
		tag := fmt.Sprintf("04%012X", random.IntN((n+2)/3)*3)
		began := time.Now()
		g.read(func(v *View) error {
			open, closed, err := v.Tag(tag)
			if len(open)+len(closed) != 1 {
				t.Fatalf("tag %s has %d items", tag, len(open)+len(closed))
			}
			return err
		})
		times = append(times, time.Since(began))
		if i%100 == 0 {
			look()
		}
	}
	slices.Sort(times)
	fmt.Printf("figure lookup-p99-µs %d\n", times[len(times)*99/100].Microseconds())

	w := &workload{g: g, n: 3 * n}
	for i := range 5000 { // at work: live blocks, and now and then a batch
		w.g.append(w.take(1 + 60*(i%10/9))...)
		if i%50 == 0 {
			look()
		}
	}
	_, err = g.r.Append(context.Background(), Batch{Txs: w.take(3)})
	p.check(err)
	fmt.Printf("figure anonymous-MiB %.1f\n", float64(most)/1024)
	p.check(g.r.Close())
}
