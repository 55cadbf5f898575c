package replica

import (
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"traveler.example/ledger"
)

var update = flag.Bool("update", false, "write testdata anew")

const dumpHashFile = "testdata/story.dump.sha256"

// TestConvergence is the promise of the shared views: one history, delivered in
// a thousand orders to memory and in fifty to Badger, gives one dump, which is
// the one kept in testdata.
func TestConvergence(t *testing.T) {
	s := tell(t, 8, 430)
	s.mustHave(t)
	memory, disk := 1000, 50
	switch {
	case testing.Short():
		memory, disk = 60, 5
	case raceEnabled: // ten times slower
		memory, disk = 150, 15
	}
	want := s.dumpIn(t, inMemory, 1)
	if *update {
		if err := os.WriteFile(dumpHashFile, []byte(want+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(dumpHashFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(kept)) != want {
		t.Fatalf("dump %s, testdata says %s", want, kept)
	}
	s.converges(t, inMemory, want, memory)
	s.converges(t, onBadger, want, disk)
}

// converges delivers a story in many orders, on two workers.
func (s *story) converges(t *testing.T, open opener, want string, orders int) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for seed := next.Add(1); seed <= int64(orders) && !t.Failed(); seed = next.Add(1) {
				if got := s.dumpIn(t, open, uint64(seed)); got != want {
					t.Errorf("order %d: another dump", seed)
				}
			}
		})
	}
	wg.Wait()
}

var checked signatures

// scratch cleans up before its test ends: a thousand replicas are not kept.
type scratch struct {
	testing.TB
	cleanups []func()
}

func (s *scratch) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scratch) TempDir() string {
	dir, err := os.MkdirTemp("", "replica-test-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *scratch) clean() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// dumpIn delivers in the order of a seed and returns the dump's hash.
func (s *story) dumpIn(t *testing.T, open opener, seed uint64) string {
	t.Helper()
	o := s.plant.options(nil)
	o.verify = checked.verify
	tb := &scratch{TB: t}
	defer tb.clean()
	r := open(tb, o)
	if err := s.deliver(r, rand.New(rand.NewPCG(seed, 2))); err != nil {
		t.Errorf("order %d: %v", seed, err)
		return ""
	}
	h, err := r.DumpHash()
	if err != nil {
		t.Errorf("order %d: %v", seed, err)
	}
	return h
}

// mustHave fails a story that lacks what it is to show.
func (s *story) mustHave(t *testing.T) {
	t.Helper()
	s.plant.gateways[0].read(func(v *View) error {
		st, err := v.Stats()
		if err != nil {
			return err
		}
		forks, err := v.Evidence()
		if err != nil {
			return err
		}
		again := 0
		for _, o := range s.objects {
			b, ok := o.(ledger.UnverifiedBlock)
			if !ok {
				continue
			}
			for _, tx := range b.Txs() {
				if sealed, _, err := v.Tx(tx.ID()); err != nil {
					return err
				} else if len(sealed.Placed) > 1 {
					again++
				}
			}
		}
		uncounted, rests := 0, 0
		for it, err := range v.Items(ledger.ItemID{}, 0) {
			if err != nil {
				return err
			}
			for _, n := range it.Nodes {
				uncounted, rests = uncounted+int(n.Uncounted), rests+int(n.Rests)
			}
		}
		if uncounted < 5 || rests == 0 {
			t.Errorf("the revocation leaves out %d nodes, %d rest on them", uncounted, rests)
		}
		t.Logf("%d nodes uncounted, %d rest on them", uncounted, rests)
		heads, err := v.Heads()
		t.Logf("%+v; %d forks, %d placements of transactions sealed again, %d heads", st, len(forks), again, len(heads))
		if st.Blocks < 300 || st.Statements < 4 || len(forks) != 1 || again < 2 || len(heads) != 5 {
			t.Errorf("too poor a story")
		}
		if st.Placements[Void] == 0 || st.Placements[Valid] < 300 || st.Items[Finished] == 0 || st.Items[Consumed] == 0 {
			t.Errorf("too poor a story: %v", st)
		}
		return err
	})
}

// TestConvergenceOfManyStories does the same in little with many histories.
func TestConvergenceOfManyStories(t *testing.T) {
	stories := 25
	if testing.Short() || raceEnabled {
		stories = 6
	}
	for seed := range stories {
		s := tell(t, uint64(100+seed), 60)
		want, err := s.plant.gateways[0].r.DumpHash()
		if err != nil {
			t.Fatal(err)
		}
		for order := range 6 {
			if got := s.dumpIn(t, inMemory, uint64(order)); got != want {
				t.Fatalf("story %d, order %d: another dump", seed, order)
			}
		}
	}
}
