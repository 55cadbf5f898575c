package replica

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"traveler.example/ledger"
)

// ill is a gateway on disk, with a peer that holds all it has.
type ill struct {
	*plant
	g, peer *gateway
	dir     string
	o       Options
}

// newIll grows a chain across two openings, so that part of it lies in tables.
func newIll(t *testing.T) *ill {
	t.Helper()
	return newIllOf(t, smallFiles)
}

// asMeasured keeps small values in the tables, as gateways do: there is no second
// copy of them in a value log.
var asMeasured = sizes{memTable: smallFiles.memTable, valueLog: smallFiles.valueLog, inline: valueThreshold}

func newIllOf(t *testing.T, files sizes) *ill {
	t.Helper()
	p := newPlant(t, 2)
	g, peer := p.gateways[0], p.gateways[1]
	i := &ill{plant: p, g: g, peer: peer, dir: t.TempDir(), o: p.options(g.key)}
	i.o.UnsafeNoSync, i.o.sizes = true, files
	peer.r = inMemory(t, p.options(peer.key))
	i.open(t)
	for _, one := range p.gateways {
		one.take(p.allStatements()...)
	}
	order := p.orderFor("WO-1")
	g.append(order)
	p.order = order.ID()
	for range 3 * tailLength {
		g.append(g.intake(p.order, "ours"))
	}
	p.share()
	for _, witness := range p.gateways {
		f, err := ledger.SignFrontier(p.net, witness.key, p.now.Add(1), []ledger.Ref{head(g)})
		p.check(err)
		g.take(f)
	}
	p.check(g.r.Close())
	i.open(t)
	g.append(g.intake(p.order, "last"))
	p.share()
	return i
}

func head(g *gateway) ledger.Ref {
	h, _ := g.r.Own()
	return h
}

func (i *ill) open(t *testing.T) {
	t.Helper()
	r, err := Open(i.dir, i.o)
	i.check(err)
	i.g.r = r
	t.Cleanup(func() { _ = r.Close() })
}

// whole fails unless the gateway dumps what its peer dumps, seals, and knows of
// no damage.
func (i *ill) whole(t *testing.T) {
	t.Helper()
	if d := i.g.r.Damage(); len(d.Blocks) > 0 || d.Lost != nil {
		t.Errorf("still damaged: %+v", d)
	}
	got, err := i.g.r.DumpHash()
	i.check(err)
	want, err := i.peer.r.DumpHash()
	i.check(err)
	if got != want {
		t.Error("the views are not those of the peer")
	}
	i.g.append(i.g.intake(i.order, "and-on"))
}

// TestMendColdBlock: a block that cannot be read any more is named, its chain
// stays, and a peer's copy of it makes all whole.
func TestMendColdBlock(t *testing.T) {
	i := newIll(t)
	cold := i.peer.blocks(i.g.id)[7].(ledger.UnverifiedBlock)
	i.g.spoil(keyBlock+str(cold.Hash()), nil)
	i.check(i.g.r.scrub(context.Background(), true))
	d := i.g.r.Damage()
	if len(d.Blocks) != 1 || d.Blocks[0] != cold.Ref() || d.Last == nil || d.Last.Height != cold.Header().Height {
		t.Fatalf("found %+v", d)
	}
	i.g.append(i.g.intake(i.order, "meanwhile")) // the station works on
	i.g.take(cold)
	i.check(i.g.r.scrub(context.Background(), true))
	i.share()
	i.whole(t)
}

// TestMendRecords: what follows from blocks, statements and local records are
// mended from within.
func TestMendRecords(t *testing.T) {
	i := newIll(t)
	cold := i.peer.blocks(i.g.id)[7].(ledger.UnverifiedBlock)
	item := cold.Txs()[0].ID()
	for _, key := range []string{
		keyItem + str(item), keyMark + str(cold.Hash()), keyCounters, keyStatement + str(i.statements[0].Hash()), keyGrowth,
	} {
		i.g.spoil(key, nil)
		before := i.g.r.Damage().Found
		i.check(i.g.r.scrub(context.Background(), true))
		if i.g.r.Damage().Found == before {
			t.Errorf("%s: not found", recordNames[key[:1]])
		}
		i.whole(t)
		i.share()
	}
}

// TestGoneWithoutAWord: a compaction of a damaged table leaves records out. Where
// all kinds of them go alike, and the counters with them, what is left still looks
// whole, and only what was held before tells.
func TestGoneWithoutAWord(t *testing.T) {
	for _, gone := range []struct {
		name, prefix string
		all, back    bool // statements go as well; peers give blocks back at once
	}{
		{name: "everything of the blocks"},
		{name: "a statement", prefix: keyStatement},
		{name: "everything", all: true},
		{name: "everything, and blocks are back", all: true, back: true},
	} {
		i := newIll(t)
		i.check(i.g.r.store.(*onDisk).db.Update(func(txn *badger.Txn) error {
			var err error
			for key := range i.keys(txn, gone.prefix) {
				if strings.HasPrefix(key, keyLocal) || gone.prefix == "" && !gone.all && strings.HasPrefix(key, keyStatement) {
					continue
				}
				err = errors.Join(err, txn.Delete([]byte(key)))
			}
			return err
		}))
		if gone.prefix == "" {
			in := i.g.intake(i.order, "not-yet")
			if _, err := i.g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{in}}); err == nil {
				t.Errorf("%s: sealed a second chain", gone.name)
			}
		}
		before := i.g.r.Damage().Found
		if gone.back { // before anybody looked
			i.g.take(i.peer.blocks(i.g.id)...)
		}
		i.check(i.g.r.scrub(context.Background(), true))
		if i.g.r.Damage().Found == before {
			t.Errorf("%s: not found", gone.name)
		}
		i.g.take(i.peer.blocks(i.g.id)...)
		i.check(i.g.r.scrub(context.Background(), true))
		found := i.g.r.Damage().Found
		i.check(i.g.r.scrub(context.Background(), true))
		if i.g.r.Damage().Found != found {
			t.Errorf("%s: found again when all is back: %v", gone.name, i.g.r.Damage().Last)
		}
		i.share()
		i.whole(t)
	}
}

// keys lists the keys under a prefix.
func (i *ill) keys(txn *badger.Txn, prefix string) map[string]bool {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
	defer it.Close()
	all := map[string]bool{}
	for it.Rewind(); it.Valid(); it.Next() {
		all[string(it.Item().KeyCopy(nil))] = true
	}
	return all
}

// TestMendStore: a table that is damaged while the gateway runs is replaced with
// its store; confirmations and the rest of what is only known here stay.
func TestMendStore(t *testing.T) {
	i := newIll(t)
	confirmed := i.confirmed(t)
	if confirmed == 0 {
		t.Fatal("nothing is confirmed: the test would show nothing")
	}
	names, err := filepath.Glob(filepath.Join(i.dir, storeName, "*.sst"))
	i.check(err)
	if len(names) == 0 {
		t.Fatal("no table yet")
	}
	b, err := os.ReadFile(names[0])
	i.check(err)
	b[len(b)-3] ^= 0xff // its index: every record in it is lost
	i.check(os.WriteFile(names[0], b, 0o600))
	i.check(i.g.r.scrub(context.Background(), true))
	if !exists(filepath.Join(i.dir, storeName+damagedEnding)) {
		t.Fatal("the damaged store is not kept")
	}
	i.g.take(i.allStatements()...)
	i.g.take(i.peer.blocks(i.g.id)...)
	i.whole(t)
	if err := i.g.r.Close(); err != nil {
		t.Fatal(err)
	}
	i.open(t)
	i.share()
	i.whole(t)
}

func (i *ill) confirmed(t *testing.T) (n int) {
	t.Helper()
	i.g.read(func(v *View) (err error) {
		n, err = v.ConfirmedCount(i.g.id)
		return err
	})
	return n
}

// TestSalvageKeepsLocal: a store made anew of another in which nothing of it is
// damaged keeps what only this replica knows.
func TestSalvageKeepsLocal(t *testing.T) {
	i := newIll(t)
	want := i.confirmed(t)
	i.check(i.g.r.Close())
	i.check(os.WriteFile(filepath.Join(i.dir, storeName, manifestName), []byte("spoilt"), 0o600))
	i.open(t)
	if got := i.confirmed(t); got != want || want == 0 {
		t.Errorf("%d blocks confirmed after, %d before", got, want)
	}
	i.whole(t)
}

// TestHole: a chain that lost a block in its middle keeps what follows, and is
// whole as soon as that one block is back.
func TestHole(t *testing.T) {
	i := newIll(t)
	chain := i.g.blocks(i.g.id)
	lost := chain[7].(ledger.UnverifiedBlock)
	i.g.spoil(keyBlock+str(lost.Hash()), nil)
	i.check(i.g.r.Rebuild(context.Background()))
	if got := len(i.g.blocks(i.g.id)); got != 7 {
		t.Errorf("%d blocks are held before the hole", got)
	}
	i.check(i.g.r.Close())
	i.open(t)
	in := i.g.intake(i.order, "not-yet")
	if _, err := i.g.r.Append(context.Background(), Batch{Txs: []ledger.Tx{in}}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("sealed beside a hole: %v", err)
	}
	i.g.take(lost)
	if got := len(i.g.blocks(i.g.id)); got != len(chain) {
		t.Errorf("%d of %d blocks are back", got, len(chain))
	}
	i.whole(t)
}

// TestHoleAndMore: peers give the lost block together with those that lay above it.
// Each of these is taken once.
func TestHoleAndMore(t *testing.T) {
	i := newIll(t)
	chain := i.g.blocks(i.g.id)
	i.g.spoil(keyBlock+str(chain[7].(ledger.UnverifiedBlock).Hash()), nil)
	i.check(i.g.r.Rebuild(context.Background()))
	res := i.g.take(chain[5:]...)
	if want := len(chain) - 7; len(res.Blocks) != want {
		t.Errorf("%d blocks were taken, of the %d that lacked: %v", len(res.Blocks), want, res.Blocks)
	}
	i.g.read(func(v *View) error {
		if st, err := v.Stats(); err != nil || int(st.Blocks) != len(chain) {
			t.Errorf("%d blocks are counted, of %d: %v", st.Blocks, len(chain), err)
		}
		return nil
	})
	i.whole(t)
}

// TestForsake: a lost end that no peer holds is given up by a person, who names
// it.
func TestForsake(t *testing.T) {
	i := newIll(t)
	lost := i.g.append(i.g.intake(i.order, "nobody-else-has-it"))
	if _, err := Forsake(i.dir, lost.Header().Height); !errors.Is(err, ErrLocked) {
		t.Errorf("given up while it runs: %v", err)
	}
	i.g.spoil(keyBlock+str(lost.Hash()), nil)
	i.check(i.g.r.Close())
	i.open(t)
	if d := i.g.r.Damage(); d.Lost == nil || d.Lost.Height != lost.Header().Height {
		t.Fatalf("not noticed: %+v", d)
	}
	i.check(i.g.r.Close())
	if _, err := Forsake(i.dir, 1); err == nil {
		t.Error("given up under another height")
	}
	ref, err := Forsake(i.dir, lost.Header().Height)
	if err != nil || ref != lost.Ref() {
		t.Fatalf("%v %v", ref, err)
	}
	if _, err := Forsake(i.dir, lost.Header().Height); !errors.Is(err, ErrNothingLost) {
		t.Errorf("given up twice: %v", err)
	}
	i.open(t)
	i.whole(t)
}

// TestUnopenable: whatever Badger refuses to open beside is mended at open.
func TestUnopenable(t *testing.T) {
	for what, do := range map[string]func(t *testing.T, store string){
		"a write-ahead log of no length": func(t *testing.T, s string) { write(t, filepath.Join(s, "00099.mem"), "") },
		"a value log of no length":       func(t *testing.T, s string) { write(t, filepath.Join(s, "000099.vlog"), "") },
		"a manifest cut short": func(t *testing.T, s string) {
			name := filepath.Join(s, manifestName)
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			write(t, name, string(b[:len(b)-3]))
		},
		"no manifest": func(t *testing.T, s string) {
			if err := os.Remove(filepath.Join(s, manifestName)); err != nil {
				t.Fatal(err)
			}
		},
		"no table": func(t *testing.T, s string) {
			names, _ := filepath.Glob(filepath.Join(s, "*.sst"))
			if err := os.Remove(names[0]); err != nil {
				t.Fatal(err)
			}
		},
		"an empty value log": func(t *testing.T, s string) {
			names, _ := filepath.Glob(filepath.Join(s, "*.vlog"))
			write(t, names[len(names)-1], "")
		},
	} {
		t.Run(what, func(t *testing.T) {
			i := newIll(t)
			i.check(i.g.r.Close())
			do(t, filepath.Join(i.dir, storeName))
			i.open(t)
			i.check(i.g.r.scrub(context.Background(), true))
			i.g.take(i.allStatements()...)
			i.g.take(i.peer.blocks(i.g.id)...)
			i.whole(t)
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMendPieces damages a table all over: what comes back from peers in another
// order than it was written makes the same views.
func TestMendPieces(t *testing.T) {
	i := newIll(t)
	names, err := filepath.Glob(filepath.Join(i.dir, storeName, "*.sst"))
	i.check(err)
	b, err := os.ReadFile(names[0])
	i.check(err)
	for at := 900; at < len(b); at += 9000 {
		b[at] ^= 0x10
	}
	i.check(os.WriteFile(names[0], b, 0o600))
	i.check(i.g.r.scrub(context.Background(), true))
	for range 3 {
		for _, from := range i.gateways {
			_, err := i.g.r.Ingest(context.Background(), i.peer.blocks(from.id)...)
			i.check(err)
		}
		_, err := i.g.r.Ingest(context.Background(), i.allStatements()...)
		i.check(err)
	}
	i.whole(t)
}
