package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// smallDisk is a file system of its own, which can be full at any moment.
type smallDisk struct {
	t   *testing.T
	dir string
}

const diskSize = 192 << 20

func newSmallDisk(t *testing.T, dir string) smallDisk {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		t.Skipf("a file system of its own needs root: mount tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return smallDisk{t, dir}
}

// fill leaves no room at all, as a process that fills the disk does, but in an
// instant: it makes the file system as small as what is on it. No check of free
// space is quick enough for that. It reports whether it did; what is written
// meanwhile prevents it.
func (d smallDisk) fill() bool {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &s); err != nil {
		return false
	}
	used := (s.Blocks - s.Bfree) * uint64(s.Bsize)
	return d.resize(used) == nil
}

func (d smallDisk) clear() { ok(d.t, d.resize(diskSize)) }

func (d smallDisk) resize(size uint64) error {
	return syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

// sealing has the planner submit one order after the other, and remembers those
// that were acknowledged.
type sealing struct {
	ended sync.WaitGroup
	quit  atomic.Bool
	mu    sync.Mutex
	acked []ledger.TxID
}

func (g *gateway) sealing(life int) *sealing {
	g.t.Helper()
	planner, err := g.plant.Person("planner")
	ok(g.t, err)
	s := &sealing{}
	s.ended.Go(func() {
		for n := 0; !s.quit.Load(); n++ {
			tx, err := ledger.SignTx(g.plant.Genesis.Network(), ledger.Tx{
				Time: time.Now().UnixMilli(), Body: twoSteps(fmt.Sprintf("PO-%d-%d", life, n), "DRILL-1"),
			}, planner)
			if err == nil {
				err = g.submit(tx)
			}
			if err == nil {
				s.mu.Lock()
				s.acked = append(s.acked, tx.ID())
				s.mu.Unlock()
			}
		}
	})
	return s
}

func (g *gateway) submit(tx ledger.Tx) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d, err := agent.Dial(filepath.Join(g.dir, agent.SocketName))
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // it only asked
	_, err = d.Submit(ctx, tx.Raw())
	return err
}

func (s *sealing) end() []ledger.TxID {
	s.quit.Store(true)
	s.ended.Wait()
	return s.acked
}

// TestBeatenGuard fills the disk between the check of free space and the commit,
// again and again while the gateway seals, until the store has died of SIGBUS.
// Started again at once, as systemd does, the gateway waits on the full disk and
// says why, and goes on by itself when there is space: nothing acknowledged is
// lost, however often.
func TestBeatenGuard(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a disk until the daemon dies: left out with -short")
	}
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-0-0\"\n"+noBroker)
	data := filepath.Join(g.dir, agent.DataName)
	ok(t, os.Mkdir(data, 0o700))
	disk := newSmallDisk(t, data)
	g.plug()
	g.start()
	var acked []ledger.TxID
	for life := range 3 {
		g.ready()
		acked = append(acked, g.beaten(disk, life)...)
		waited := g.count("replica.full")
		g.start() // the disk is still full
		g.until("event replica.full", func() bool { return g.count("replica.full") > waited })
		time.Sleep(1500 * time.Millisecond) // it must not end by itself meanwhile
		select {
		case <-g.end:
			t.Fatalf("it ended on a full disk: %v", g.cmd.ProcessState)
		default:
		}
		back := g.count("replica.space-back")
		disk.clear()
		g.until("event replica.space-back", func() bool { return g.count("replica.space-back") > back })
	}
	if line := g.logged("replica.full"); !strings.Contains(line, "free some space") {
		t.Errorf("no remedy in %q", line)
	}
	g.ready()
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	g.holds(acked)
	t.Logf("%d orders acknowledged before the store died three times", len(acked))
}

// beaten has the gateway seal while the disk fills and empties, until it dies of
// that. The disk is full then. It returns what was acknowledged.
func (g *gateway) beaten(disk smallDisk, life int) []ledger.TxID {
	g.t.Helper()
	work := g.sealing(life)
	defer work.end()
	buses := g.count("SIGBUS")
	for deadline := time.Now().Add(2 * patience); ; {
		full := disk.fill()
		time.Sleep(time.Duration(200+time.Now().UnixNano()%800) * time.Microsecond)
		select {
		case <-g.end:
			if g.count("SIGBUS") == buses {
				g.t.Fatalf("it ended otherwise: %v", g.cmd.ProcessState)
			}
			for !full {
				full = disk.fill()
			}
			return work.end()
		default:
		}
		if time.Now().After(deadline) {
			g.t.Fatal("the guard was not beaten: the test shows nothing")
		}
		disk.clear()
		time.Sleep(time.Duration(500+time.Now().UnixNano()%3000) * time.Microsecond)
	}
}

// holds fails unless the stopped gateway's replica holds all transactions.
func (g *gateway) holds(txs []ledger.TxID) {
	g.t.Helper()
	r, err := replica.Open(filepath.Join(g.dir, agent.DataName), replica.Options{Genesis: g.plant.Genesis, ReadOnly: true, TempDir: g.t.TempDir()})
	ok(g.t, err)
	defer r.Close() //nolint:errcheck // a private copy
	ok(g.t, r.Read(func(v *replica.View) error {
		for _, id := range txs {
			if _, held, err := v.Tx(id); err != nil || !held {
				g.t.Errorf("order %s was acknowledged and is not held: %v", id.Short(), err)
			}
		}
		return nil
	}))
}
