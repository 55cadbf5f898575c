package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// stored gives a board a replica in a directory.
func (p *plant) stored(name, dir string) func(*Config, *Parts) {
	return func(_ *Config, parts *Parts) {
		r, err := replica.Open(dir, replica.Options{
			Genesis: p.genesis, Signer: privateKey(name), UnsafeNoSync: true,
			Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), ledger.ClockSynchronised },
		})
		must(p.t, err)
		p.t.Cleanup(func() { _ = r.Close() })
		p.know(r)
		parts.Replica = r
	}
}

// strike flips a byte where some bytes lie in the files of a replica.
func strike(t *testing.T, dir, pattern string, what []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "store", pattern))
	must(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		must(t, err)
		if at := bytes.Index(b, what); at >= 0 {
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt([]byte{b[at+len(what)/2] ^ 1}, int64(at+len(what)/2)) // the store may have it mapped
			must(t, err)
			must(t, f.Close())
			return
		}
	}
	t.Fatalf("the block's %d bytes are in none of %v", len(what), names)
}

// TestDamageIsMendedFromAPeer damages blocks that a gateway and its peer hold. The
// peer, which is no further than the gateway was, is asked for them: nothing else
// happens in the plant.
func TestDamageIsMendedFromAPeer(t *testing.T) {
	for what, victim := range map[string]string{"a block of another": "intake", "the end of the own chain": "pack"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *plant) {
				dir := t.TempDir()
				intake := p.gateway("intake").online()
				intake.bus.connect("mqtt://one")
				intake.run()
				pack := p.gateway("pack").online(p.stored("pack", dir))
				pack.bus.connect("mqtt://one")
				pack.run()
				time.Sleep(10 * time.Second)
				sealer := map[string]*board{"intake": intake, "pack": pack}[victim]
				sealer.order(drilling("WO-1"))
				time.Sleep(time.Minute)
				blocks := chain(t, pack.parts.Replica, victim)
				if len(blocks) == 0 {
					t.Fatal("nothing was sealed")
				}
				raw := blocks[len(blocks)-1].(ledger.UnverifiedBlock).Raw()
				pack.stop()
				must(t, pack.parts.Replica.Close())
				again := p.gateway("pack").online(p.stored("pack", dir)) // what was in logs is in tables now
				again.bus.connect("mqtt://one")
				again.run()
				time.Sleep(10 * time.Second)
				strike(t, dir, "*.sst", raw)
				time.Sleep(2 * time.Hour) // the mender goes through the store
				again.journal.times(1, journal.ReplicaDamaged, journal.ReplicaMended)
				if n := len(chain(t, again.parts.Replica, victim)); n != len(blocks) {
					t.Errorf("%d blocks, want %d", n, len(blocks))
				}
			})
		})
	}
}
