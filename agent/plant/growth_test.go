package plant

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger/replica"
)

var (
	growthFlag = flag.String("growth", "", "TestGrowth: numbers of gateways, such as 10,30,100,300,1000")
	txsFlag    = flag.Int("transactions", 20_000, "TestGrowth: transactions in all")
)

// growing is a plan of n gateways without faults, of whom the first 21 are
// witnesses, that seals as many transactions in all. Every piece that goes
// through makes seven.
func growing(n, txs int) Plan {
	p := Plan{
		Seed: 1, Stations: Lines(n), Shifts: 1, quiet: true, pool: replica.NewPool(),
		Replay: fmt.Sprintf("go test ./agent/plant -run '^TestGrowth$' -growth=%d -transactions=%d -timeout=0", n, txs),
	}
	for i := range p.Stations {
		p.Stations[i].Mute = i >= 21
	}
	lines := p.Stations[n-1].Line + 1
	p.Items = max((txs+7*lines-1)/(7*lines), 1)
	// A station of a line takes some ten seconds for a piece.
	p.Shift = time.Duration(p.Items)*14*time.Second + time.Minute
	return p
}

// TestGrowth tells what a plant costs as it grows: one line a size. It runs only
// when sizes are given, since the largest takes hours.
func TestGrowth(t *testing.T) {
	sizes := *growthFlag
	if sizes == "" {
		sizes = "10"
		*txsFlag = 70
	}
	t.Logf("gateways transactions   blocks  virtual     wall   RSS MiB  heap MiB  bytes/(gateway·tx)  message bytes/gateway  µs/delivery")
	for word := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 5 {
			t.Fatalf("-growth=%s: %q is no number of gateways from 5 on", sizes, word)
		}
		runtime.GC()
		before := allocated()
		var grown uint64
		plan := growing(n, *txsFlag)
		plan.last = func(*plant) {
			runtime.GC()
			grown = allocated() - before
		}
		start := time.Now()
		r := Run(t, plan)
		wall := time.Since(start)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		c := r.Counts
		t.Logf("%8d %12d %8d %8.0fs %8.1fs %9d %9d %19.0f %22d %12.1f",
			n, r.Transactions, r.Blocks, r.Virtual.Seconds(), wall.Seconds(), resident()>>20, grown>>20,
			float64(grown)/float64(n)/float64(max(r.Transactions, 1)), c.Bytes/int64(n), float64(wall.Microseconds())/float64(max(c.Delivered, 1)))
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident is the most memory that the process had so far, in bytes.
func resident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
