package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestSystemd plays systemd's side of sd_notify(3): readiness, status, watchdog
// and the orderly end.
func TestSystemd(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	ok(t, err)
	var mu sync.Mutex
	var told []string
	var reading sync.WaitGroup
	reading.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			told = append(told, string(buf[:n]))
			mu.Unlock()
		}
	})
	t.Cleanup(func() { _ = conn.Close(); reading.Wait() })
	heard := func(text string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, s := range told {
				if strings.Contains(s, text) {
					return true
				}
			}
			return false
		}
	}
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	g.env = []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=900000"}
	g.plug()
	g.start()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "STATUS=station INTAKE-1, 0 items; no broker"} {
		g.until(want, heard(want))
	}
	g.hangUp()
	g.until("RELOADING=1", heard("RELOADING=1\nMONOTONIC_USEC="))
	g.until("READY=1 after the reload", func() bool {
		mu.Lock()
		defer mu.Unlock()
		i := slices.IndexFunc(told, func(s string) bool { return strings.HasPrefix(s, "RELOADING=1") })
		return i >= 0 && slices.Contains(told[i:], "READY=1")
	})
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if !heard("STOPPING=1")() {
		t.Errorf("systemd was not told of the end: %q", told)
	}
}

// TestFullDisk fills the file system of the replica: the light turns to fault
// before anything is acknowledged, and work goes on without a restart when space
// is back.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	data := filepath.Join(g.dir, "data")
	ok(t, os.Mkdir(data, 0o700))
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=320m"); err != nil {
		t.Skipf("a file system of its own needs root: mount tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(data, 0) })
	g.plug()
	g.start()
	g.ready()
	g.order(twoSteps("PO-1", "DRILL-1"))
	g.scan("04000000000001", "TAKEN IN")

	n := len(g.lamp())
	filler := filepath.Join(data, "filler")
	ok(t, os.WriteFile(filler, make([]byte, 230<<20), 0o600))
	g.shows(n, "FAULT")
	g.logged("replica.full")
	n = len(g.lamp())
	ok(t, g.reader.Present("04000000000002", "ntag213"))
	line, _ := g.shows(n, "04000000000002")
	if !strings.Contains(line, "FAULT") {
		t.Errorf("on a full disk the light says %q", line)
	}
	n = len(g.lamp())
	ok(t, os.Remove(filler))
	g.shows(n, "TAKEN IN") // the tag still lies there
	g.logged("replica.space-back")
	s, err := g.desk().Status(context.Background())
	ok(t, err)
	if s.Items != 2 || s.Problem != "" {
		t.Errorf("%d items, problem %q", s.Items, s.Problem)
	}
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// TestLateJoiner enrols a gateway while the others work: it brings its own
// enrolment, and holds the whole ledger soon after it was plugged in.
func TestLateJoiner(t *testing.T) {
	t.Parallel()
	address := mosquitto(t)
	intake, drilling, packing, _ := three(t, address, drillAndPack())
	for _, tag := range []string{"04000000000001", "04000000000002"} {
		intake.scan(tag, "TAKEN IN")
		drilling.knows(tag)
		drilling.scan(tag, "ACCEPTED")
	}
	joiner := intake.plant.gateway("g-shipping", "DOCK-1", "shipping-dock", broker(address))
	joiner.plug()
	joiner.start()
	joiner.ready()
	intake.scan("04000000000003", "TAKEN IN")
	s := settle(t, joiner, intake, drilling, packing)
	if s.Witnesses != 4 || s.Items != 3 {
		t.Errorf("the joiner sees %d witnesses and %d items", s.Witnesses, s.Items)
	}
	joiner.scan("04000000000003", "WRONG STATION")
	settle(t, joiner, intake, drilling, packing)
}
