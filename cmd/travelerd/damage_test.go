package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent"
)

// spoil flips a byte every so many in the used part of the files of a gateway's
// store with an ending.
func (g *gateway) spoil(ending string, every int) {
	g.t.Helper()
	names, err := filepath.Glob(filepath.Join(g.dir, "data", "store", "*"+ending))
	ok(g.t, err)
	struck := 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		ok(g.t, err)
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		ok(g.t, err)
		for at := every; at < len(b); at += every {
			if b[at] == 0 {
				continue // room for more
			}
			_, err := f.WriteAt([]byte{b[at] ^ 0x10}, int64(at))
			ok(g.t, err)
			struck++
		}
		ok(g.t, f.Close())
	}
	if struck == 0 {
		g.t.Fatalf("%s has nothing in *%s to spoil", g.name, ending)
	}
}

// TestDamagedReplica spoils the store of a gateway while it is stopped, and once
// more while it runs. It names the damage, saves what is sound, has the rest from
// its peers, and is their equal again; nobody does anything.
func TestDamagedReplica(t *testing.T) {
	t.Parallel()
	intake, drilling, packing, _ := three(t, mosquitto(t), drillAndPack())
	for _, tag := range []string{"04000000000001", "04000000000002", "04000000000003"} {
		intake.scan(tag, "TAKEN IN")
		drilling.knows(tag)
		drilling.scan(tag, "ACCEPTED")
	}
	settle(t, drilling, intake, packing)

	if code := drilling.stop(); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	drilling.spoil(".sst", 1500)
	drilling.start()
	drilling.logged("replica.damaged")
	drilling.ready()
	drilling.logged("replica.mended")
	settle(t, drilling, intake, packing)
	drilling.scan("04000000000001", "ACCEPTED") // it repeats after a start
	drilling.scan("04000000000001", "COMPLETED")
	settle(t, drilling, intake, packing)

	if code := drilling.stop(); code != exitOK { // all of it is in files that are read, not in a log
		t.Fatalf("exit code %d", code)
	}
	drilling.start()
	drilling.ready()
	damaged, mended := drilling.count("replica.damaged"), drilling.count("replica.mended")
	drilling.spoil(".sst", 900)
	drilling.until("damage named", func() bool {
		_, _ = drilling.desk().Blocks(context.Background(), agent.BlockQuery{Limit: 1000}) // whoever reads finds it
		return drilling.count("replica.damaged") > damaged
	})
	drilling.until("mended", func() bool { return drilling.count("replica.mended") > mended })
	settle(t, drilling, intake, packing)
	drilling.scan("04000000000002", "ACCEPTED") // the first scan after a start
	drilling.scan("04000000000002", "COMPLETED")
	settle(t, drilling, intake, packing)
}

// TestBeatenGuard fills the disk behind the back of the space check, so that the
// store dies of it. Started again and again, as systemd does, the gateway waits
// and says why, and goes on by itself once there is space: nothing acknowledged
// is lost.
func TestBeatenGuard(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	data := filepath.Join(g.dir, "data")
	ok(t, os.Mkdir(data, 0o700))
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=192m"); err != nil {
		t.Skipf("a file system of its own needs root: mount tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(data, 0) })
	g.plug()
	g.start()
	g.ready()
	g.order(twoSteps("PO-1", "DRILL-1"))
	g.scan("04000000000001", "TAKEN IN")
	g.kill() // as SIGBUS ends it: without a word

	filler := filepath.Join(data, "filler")
	fill(t, filler)
	g.start()
	line := g.logged("replica.full")
	if !strings.Contains(line, "free") {
		t.Errorf("no remedy in %q", line)
	}
	time.Sleep(2 * time.Second) // it must not end by itself meanwhile
	select {
	case <-g.end:
		t.Fatalf("it ended on a full disk: %v", g.cmd.ProcessState)
	default:
	}
	ok(t, os.Remove(filler))
	g.logged("replica.space-back")
	g.ready()
	s, err := g.desk().Status(context.Background())
	ok(t, err)
	if s.Items != 1 {
		t.Errorf("%d items after the disk was full, want 1", s.Items)
	}
	g.scan("04000000000002", "TAKEN IN")
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// fill writes until no byte is left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	ok(t, err)
	block := make([]byte, 64<<10)
	for {
		_, err := f.Write(block)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		ok(t, err)
	}
	ok(t, f.Close())
}
