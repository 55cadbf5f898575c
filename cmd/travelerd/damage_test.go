package main

import (
	"context"
	"os"
	"path/filepath"
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

// TestDamagedWhileRunning spoils the tables of a gateway that runs, and again at
// the moment at which it is killed. Badger may end the process where it meets a
// damaged table in the background; started again as systemd does, the gateway
// mends itself at the next open and is its peers' equal.
func TestDamagedWhileRunning(t *testing.T) {
	t.Parallel()
	intake, drilling, packing, _ := three(t, mosquitto(t), drillAndPack())
	tags := []string{"04000000000011", "04000000000012", "04000000000013"}
	for round, killed := range []bool{false, true} {
		intake.scan(tags[round], "TAKEN IN")
		drilling.knows(tags[round])
		settle(t, drilling, intake, packing)
		if code := drilling.stop(); code != exitOK { // what is in logs goes to tables
			t.Fatalf("exit code %d", code)
		}
		drilling.start()
		drilling.ready()
		mended := drilling.count("replica.mended")
		drilling.spoil(".sst", 400)
		if killed {
			drilling.kill()
		} else {
			intake.scan(tags[2], "TAKEN IN") // it is to write beside the damage
		}
		deaths := drilling.kept("mended", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if d, err := agent.Dial(filepath.Join(drilling.dir, agent.SocketName)); err == nil {
				_, _ = d.Blocks(ctx, agent.BlockQuery{Limit: 1000}) // whoever reads finds it
				_ = d.Close()
			}
			return drilling.count("replica.mended") > mended
		})
		t.Logf("round %d: it ended %d times", round, deaths)
		drilling.ready()
		settle(t, drilling, intake, packing)
	}
}

// kept starts the daemon again whenever it ends, as Restart=always does, until
// done. It returns how often that was.
func (g *gateway) kept(what string, done func() bool) (deaths int) {
	g.t.Helper()
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-g.end:
			deaths++
			g.start()
		default:
		}
		if done() {
			return deaths
		}
	}
	g.t.Fatalf("%s: waited in vain for %s", g.name, what)
	return deaths
}
