package main

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/drivers/emulate"
)

// idleFor is how long an idle gateway is watched.
const idleFor = 10 * time.Second

// BenchmarkIdleGateway measures what share of one core a gateway takes that waits
// for tags on two PN532 at the pace of 115,200 baud, an entry and an exit, without
// a broker in reach. The emulators are not part of it.
func BenchmarkIdleGateway(b *testing.B) {
	p := newPlant(b)
	g := p.gateway("g-idle", "DRILL-1", "drilling", noBroker+`
[[reader]]
name = "out"
device = "pn532"
port = "./reader-out"
role = "out"
`)
	for _, name := range []string{"reader", "reader-out"} {
		s, err := emulate.Plug(filepath.Join(g.dir, name), emulate.NewPN532(emulate.PN532Config{Paced: true}))
		ok(b, err)
		b.Cleanup(func() { _ = s.Close() })
	}
	g.start()
	g.logged("daemon.ready")
	time.Sleep(5 * time.Second) // what a start costs is not idleness
	var share float64
	for range min(b.N, 1) {
		before, began := processorTime(b, g.cmd.Process.Pid), time.Now()
		time.Sleep(idleFor)
		share = 100 * (processorTime(b, g.cmd.Process.Pid) - before).Seconds() / time.Since(began).Seconds()
	}
	b.ReportMetric(share, "%core")
	b.ReportMetric(0, "ns/op") // the watch has its own length
}

// processorTime is what a process has taken of the processors, by its clock.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	var t unix.Timespec
	// The clock of a process by its number: clock_getcpuclockid(3).
	ok(b, unix.ClockGettime(int32(^pid<<3|2), &t))
	return time.Duration(t.Nano())
}
