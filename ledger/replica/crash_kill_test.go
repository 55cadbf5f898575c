package replica

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"traveler.example/ledger"
)

// livesOfDirectory is after how many kills a directory has grown large enough.
const livesOfDirectory = 20

// TestKill kills a gateway under load at random moments. Whatever it had
// acknowledged is there at the next start, its chain goes on without a fork, and
// the directory is sound.
func TestKill(t *testing.T) {
	kills := longForm("TRAVELER_KILLS", 8)
	c := newCrashPlant(t)
	rnd := rand.New(rand.NewPCG(crashSeed(), 0))
	var dir string
	var acked []ledger.Hash
	total := 0
	for k := range kills {
		if k%livesOfDirectory == 0 {
			if dir != "" {
				c.check(os.RemoveAll(dir))
			}
			dir, acked = filepath.Join(t.TempDir(), strconv.Itoa(k)), nil
		}
		ch := c.begin(t, dir, "kill", 2*k)
		// Sometimes while it opens, mostly under load.
		delay := time.Duration(rnd.IntN(120)) * time.Millisecond
		timer := time.AfterFunc(delay, func() { _ = ch.cmd.Process.Kill() })
		told := ch.acks()
		timer.Stop()
		_ = ch.cmd.Wait()
		if code := ch.cmd.ProcessState.ExitCode(); code >= 0 {
			t.Fatalf("life %d ended by itself: %d\n%s", k, code, ch.stderr.String())
		}
		total += len(told)
		acked = append(acked, told...)
		acked = append(acked, c.reopen(t, dir, 2*k+1, acked))
		c.verified(t, dir)
		if t.Failed() {
			t.Fatalf("kill %d after %v, %d acknowledged in this life\n%s", k, delay, len(told), ch.stderr.String())
		}
	}
	c.tally(t)
	t.Logf("%d kills, %d acknowledgements", kills, total)
}
