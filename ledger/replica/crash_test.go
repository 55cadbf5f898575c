package replica

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/ledger"
)

// faulty is a store whose commits fail from one on, until it is healed.
type faulty struct {
	store
	after atomic.Int64 // commits that still succeed; negative: all
	done  atomic.Int64 // commits so far
	apply bool         // the failing commit reaches the store all the same
	bytes int          // limit of one commit; 0: the store's
}

var errInjected = errors.New("injected failure")

func (f *faulty) commit(w *tree) error {
	f.done.Add(1)
	if left := f.after.Load(); left < 0 {
		return f.store.commit(w)
	} else if left > 0 {
		f.after.Add(-1)
		return f.store.commit(w)
	}
	if f.apply {
		if err := f.store.commit(w); err != nil {
			return err
		}
	}
	return errInjected
}

func (f *faulty) limit() int {
	if f.bytes > 0 {
		return f.bytes
	}
	return f.store.limit()
}

// over opens a replica over a store that is there already.
func over(tb testing.TB, o Options, s store) (*Replica, error) {
	tb.Helper()
	r, err := newReplica(o)
	if err != nil {
		tb.Fatal(err)
	}
	r.store = s
	return r, r.start()
}

// TestFailedCommit: nothing is sealed on what may not be durable; the chain is
// read back and goes on from what is there, whether the commit got through or
// not.
func TestFailedCommit(t *testing.T) {
	for _, apply := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlant(t, 1)
			g := p.gateways[0]
			f := &faulty{store: &Memory{}, apply: apply}
			f.after.Store(-1)
			var err error
			g.r, err = over(t, p.options(g.key), f)
			p.check(err)
			defer g.r.Close()
			g.take(p.allStatements()...)
			order := p.orderFor("WO-1")
			g.append(order)
			next := p.state(ledger.Change{Kind: ledger.ChangeParameter, Name: "x", Value: 1})

			f.after.Store(0)
			if _, err := g.r.Ingest(context.Background(), next); !errors.Is(err, errInjected) {
				t.Fatalf("want the injected failure, got %v", err)
			}
			if _, held := g.r.Register().Statement(next.Hash()); held != apply {
				t.Errorf("statement held: %v, stored: %v", held, apply)
			}
			in := g.intake(order.ID(), "L-1")
			if _, err := g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{in}}); !errors.Is(err, errInjected) {
				t.Fatalf("want the injected failure, got %v", err)
			}
			f.after.Store(-1)
			b := g.append(in)
			if b.Header().Height != 2 {
				t.Errorf("sealed in %s", b.Ref())
			}
			p.checkSound(g)
		})
	}
}

// checkSound verifies all chains that a replica holds.
func (p *plant) checkSound(g *gateway) {
	p.tb.Helper()
	g.read(func(v *View) error {
		authors, err := v.Authors()
		for _, a := range authors {
			ledger.Verify(g.r.Register(), func(yield func(ledger.RawBlock) bool) {
				for b, err := range v.Chain(a, 0) {
					if err != nil || !yield(ledger.RawBlock{Ref: b.Ref(), Raw: b.Raw()}) {
						return
					}
				}
			}, func(f ledger.Fault) { p.tb.Error(f) })
		}
		return err
	})
}

// unreadable is a store that cannot be opened again for a while.
type unreadable struct {
	*faulty
	broken atomic.Bool
}

func (u *unreadable) reopen() error {
	if u.broken.Load() {
		return errInjected
	}
	return u.faulty.reopen()
}

// TestReadBackRetries: while the store cannot be read back nothing is sealed;
// the replica tries again by itself.
func TestReadBackRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, 1)
		g := p.gateways[0]
		u := &unreadable{faulty: &faulty{store: &Memory{}}}
		u.after.Store(-1)
		var err error
		g.r, err = over(t, p.options(g.key), u)
		p.check(err)
		defer g.r.Close()
		g.take(p.allStatements()...)
		order := p.orderFor("WO-1")
		u.after.Store(0)
		u.broken.Store(true)
		batch := Batch{Txs: []ledger.Tx{order}}
		if _, err := g.r.Append(context.Background(), batch); !errors.Is(err, errInjected) {
			t.Fatalf("want the injected failure, got %v", err)
		}
		if _, err := g.r.Append(context.Background(), batch); !errors.Is(err, ErrReadBack) {
			t.Fatalf("want ErrReadBack, got %v", err)
		}
		u.after.Store(-1)
		u.broken.Store(false)
		for { // in virtual time
			if _, err = g.r.Append(context.Background(), batch); !errors.Is(err, ErrReadBack) {
				break
			}
			synctest.Wait()
			time.Sleep(retryAfter / 4) // virtual
		}
		p.check(err)
	})
}

// TestCrashInRebuild ends a rebuild, and a recount after a revocation, at every
// commit in turn: the next open has the same views.
func TestCrashInRebuild(t *testing.T) {
	p := started(t, inMemory, 3)
	for range 4 {
		for _, g := range p.gateways {
			g.grow(2)
		}
		p.share()
	}
	p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: p.gateways[1].id})
	g := p.gateways[0]
	mem := g.r.store.(*Memory)
	before := mem.entries.copied()
	g.take(p.allStatements()...)
	want, err := g.r.DumpHash()
	p.check(err)

	for what, act := range map[string]func(*Replica) error{
		"rebuild": func(r *Replica) error { return r.Rebuild(context.Background()) },
		"recount": func(r *Replica) error {
			_, err := r.Ingest(context.Background(), p.allStatements()...)
			return err
		},
	} {
		crashes := 0
		for k := int64(0); ; k++ {
			m := &Memory{entries: before.copied()}
			f := &faulty{store: m, bytes: 1 << 10}
			f.after.Store(-1)
			r, err := over(t, p.options(nil), f)
			p.check(err)
			if what == "rebuild" {
				_, err = r.Ingest(context.Background(), p.allStatements()...)
				p.check(err)
			}
			f.after.Store(k)
			err = act(r)
			p.check(r.Close())
			again, openErr := over(t, p.options(nil), m)
			p.check(openErr)
			if what == "recount" {
				_, ingestErr := again.Ingest(context.Background(), p.allStatements()...)
				p.check(ingestErr)
			}
			if got, dumpErr := again.DumpHash(); dumpErr != nil || got != want {
				t.Errorf("%s ended at commit %d: other views, %v", what, k, dumpErr)
			}
			p.check(again.Close())
			if err == nil {
				break
			}
			crashes++
		}
		t.Logf("%s: %d crashes", what, crashes)
		if crashes < 3 {
			t.Errorf("%s needs %d commits only", what, crashes)
		}
	}
}

// TestLargeCommit has Badger take writes that one of its transactions cannot
// hold.
func TestLargeCommit(t *testing.T) {
	o := newPlant(t, 0).options(nil)
	r, err := newReplica(o)
	if err != nil {
		t.Fatal(err)
	}
	r.o.sizes, r.o.UnsafeNoSync = smallFiles, true
	s, err := openBadger(filepath.Join(t.TempDir(), "store"), r.o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var w tree
	const n = 20_000
	for i := range n {
		w.put(keyLabel+str(ledger.Hash{byte(i >> 8), byte(i)}), present)
	}
	if err := s.commit(&w); err != nil {
		t.Fatal(err)
	}
	snapshot := s.snapshot()
	defer snapshot.close()
	found, err := keysOf(snapshot, "")
	if err != nil || len(found) != n {
		t.Errorf("%d records, %v; the mark of a rebuild is to be gone too", len(found), err)
	}
}

func TestLocked(t *testing.T) {
	p := newPlant(t, 1)
	o := p.options(nil)
	o.UnsafeNoSync, o.sizes = true, smallFiles
	dir := t.TempDir()
	r, err := Open(dir, o)
	p.check(err)
	if _, err := Open(dir, o); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	// For reading a private copy is opened, even now.
	ro := o
	ro.ReadOnly, ro.TempDir = true, t.TempDir()
	c, err := Open(dir, ro)
	p.check(err)
	if _, err := c.Ingest(context.Background(), p.allStatements()...); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a copy was written to: %v", err)
	}
	p.check(c.Close())
	if left, _ := filepath.Glob(filepath.Join(ro.TempDir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	p.check(r.Close())
	r, err = Open(dir, o)
	p.check(err)
	p.check(r.Close())
	if _, err := r.Ingest(context.Background(), p.allStatements()...); !errors.Is(err, ErrClosed) {
		t.Errorf("closed, and yet: %v", err)
	}
	if err := r.Read(func(*View) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("closed, and yet: %v", err)
	}
	other := newPlant(t, 2)
	if _, err := Open(dir, Options{Genesis: mustGenesis(t, other), UnsafeNoSync: true, sizes: smallFiles}); err == nil {
		t.Error("the ledger of another network was opened")
	}
}

func mustGenesis(t *testing.T, p *plant) ledger.Genesis {
	t.Helper()
	g := p.genesis
	g.Nonce[0]++
	g, err := ledger.NewGenesis(g)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestReopen: what was returned is there after a restart, and stamps go on.
func TestReopen(t *testing.T) {
	p := newPlant(t, 1)
	g := p.gateways[0]
	o := p.options(g.key)
	o.sizes = smallFiles
	now := int64(1_000_000)
	o.Now = func() (int64, ledger.Clock) { return now, ledger.ClockUnsynchronised }
	dir := t.TempDir()
	var err error
	g.r, err = Open(dir, o)
	p.check(err)
	g.take(p.allStatements()...)
	b := g.append(p.orderFor("WO-1"))
	want, err := g.r.DumpHash()
	p.check(err)
	p.check(g.r.Close())
	now = 5 // the clock fell back
	g.r, err = Open(dir, o)
	p.check(err)
	defer g.r.Close()
	if got, err := g.r.DumpHash(); err != nil || got != want {
		t.Errorf("another dump after a restart: %v", err)
	}
	if ms, _ := g.r.Stamp(); ms != b.Header().Time+1 {
		t.Errorf("stamp %d after block time %d", ms, b.Header().Time)
	}
	next := g.append(p.orderFor("WO-2"))
	if next.Header().Prev != b.Hash() {
		t.Errorf("sealed on %s", next.Header().Prev.Short())
	}
}

func TestStamp(t *testing.T) {
	now, clock := int64(100), ledger.ClockSynchronised
	r := &Replica{o: Options{Now: func() (int64, ledger.Clock) { return now, clock }}}
	for _, c := range []struct {
		now   int64
		clock ledger.Clock
		want  int64
	}{
		{100, ledger.ClockSynchronised, 100},
		{100, ledger.ClockSynchronised, 101}, // within one millisecond
		{100, ledger.ClockSynchronised, 102},
		{101, ledger.ClockSynchronised, 103}, // still catching up
		{500, ledger.ClockSynchronised, 500},
		{90, ledger.ClockSynchronised, 90}, // a synchronised clock may step back
		{80, ledger.ClockUnsynchronised, 91},
		{91, ledger.ClockUnsynchronised, 92},
	} {
		now, clock = c.now, c.clock
		if ms, k := r.Stamp(); ms != c.want || k != c.clock {
			t.Errorf("at %d (%d): %d, want %d", c.now, c.clock, ms, c.want)
		}
	}
}

// TestCrowd has writers, givers and readers meet; the race detector watches.
func TestCrowd(t *testing.T) {
	p := started(t, inMemory, 3)
	g, h := p.gateways[0], p.gateways[1]
	changed, stop := g.r.Changes()
	defer stop()
	const rounds = 20
	var theirs []Object
	for range rounds {
		h.append(h.intake(p.order, "theirs"))
	}
	theirs = h.blocks(h.id)
	var ours []ledger.Tx
	for range rounds {
		ours = append(ours, g.intake(p.order, "ours"))
	}
	errs := make(chan error, 4*rounds)
	for i := range rounds {
		go func() { _, err := g.r.Append(context.Background(), Batch{Txs: ours[i : i+1]}); errs <- err }()
		go func() { _, err := g.r.Ingest(context.Background(), theirs[:i+1]...); errs <- err }()
		go func() {
			errs <- g.r.Read(func(v *View) error {
				for _, err := range v.Items(ledger.ItemID{}, 0) {
					if err != nil {
						return err
					}
				}
				_, err := v.Heads()
				return err
			})
		}()
		go func() { _, err := g.r.DumpHash(); errs <- err }()
	}
	for range 4 * rounds {
		p.check(<-errs)
	}
	select {
	case <-changed:
	default:
		t.Error("no change was announced")
	}
	g.take(theirs...)
	st := Stats{}
	g.read(func(v *View) (err error) { st, err = v.Stats(); return err })
	if st.Items[Expected] != 2*rounds {
		t.Errorf("%+v", st)
	}
}
