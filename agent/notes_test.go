package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// tags are the memories of a plant's tags; they pass from reader to reader with
// the piece.
type tags struct {
	mu    sync.Mutex
	notes map[string][]byte
	takes time.Duration // each request
	torn  bool          // the tag is pulled away half-way through a write
	fails error
	under int // requests at this moment
	most  int
}

func newTags() *tags { return &tags{notes: map[string][]byte{}, takes: 80 * time.Millisecond} }

func (m *tags) use(ctx context.Context, do func() error) error {
	m.mu.Lock()
	m.under++
	m.most = max(m.most, m.under)
	takes := m.takes
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.under--
		m.mu.Unlock()
	}()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return m.fails
	}
	return do()
}

func (m *tags) ReadNote(ctx context.Context, _ string, tag drivers.Tag) (note []byte, err error) {
	err = m.use(ctx, func() error {
		note = m.notes[tag.ID]
		return nil
	})
	return note, err
}

func (m *tags) WriteNote(ctx context.Context, _ string, tag drivers.Tag, note []byte) error {
	return m.use(ctx, func() error {
		if m.torn {
			m.notes[tag.ID] = note[:len(note)/2]
			return drivers.ErrTagGone
		}
		m.notes[tag.ID] = note
		return nil
	})
}

func (m *tags) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *tags) writing(_ *Config, parts *Parts) { parts.Notes = m }

// island is a plant whose gateways have heard of its items, and then of nobody.
type island struct {
	*plant
	tags                 *tags
	intake, drill, spare *board
	pack                 *board
}

func newIsland(p *plant, items ...string) *island { return p.island(drilling("WO-1"), items...) }

func (p *plant) island(order ledger.Order, items ...string) *island {
	p.t.Helper()
	i := &island{plant: p, tags: newTags()}
	all := []**board{&i.intake, &i.drill, &i.spare, &i.pack}
	for n, name := range []string{"intake", "drill-1", "drill-2", "pack"} {
		*all[n] = p.gateway(name).online(i.tags.writing).run()
		(*all[n]).bus.connect("mqtt://plant")
	}
	i.intake.order(order)
	for _, tag := range items {
		i.slowly(i.intake, tag, "TAKEN IN")
	}
	time.Sleep(10 * time.Second)
	for _, b := range all {
		(*b).bus.cut(fmt.Errorf("island"))
	}
	return i
}

// slowly scans and leaves the tag on the reader until its note is written.
func (i *island) slowly(b *board, tag, want string) string {
	i.t.Helper()
	b.put(tag)
	time.Sleep(3 * time.Second)
	synctest.Wait()
	got := b.light.last().Text
	b.lift(tag)
	if !strings.HasPrefix(got, want) {
		i.t.Fatalf("%s shows %q for %s, want %s", b.name, got, tag, want)
	}
	return got
}

// meet connects gateways until all of them hold the same.
func (i *island) meet(boards ...*board) {
	i.t.Helper()
	for _, b := range boards {
		b.bus.connect("mqtt://plant")
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	first := ""
	for _, b := range boards {
		h, err := b.replica.DumpHash()
		must(i.t, err)
		if first == "" {
			first = h
		}
		if h != first {
			i.t.Errorf("%s holds other views than %s", b.name, boards[0].name)
		}
	}
}

// restart ends a gateway and starts it again on the same store, cut off as before.
func (i *island) restart(b *board) {
	i.t.Helper()
	_, err := b.stop()
	must(i.t, err)
	b.reader, b.ended = newReader("bench"), make(chan struct{})
	b.online(i.tags.writing).run()
}

func (i *island) all() []*board { return []*board{i.intake, i.drill, i.spare, i.pack} }

// TestIsland has gateways that hear from nobody pass ten items on over their tags;
// then they meet.
func TestIsland(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		var items []string
		for n := range 10 {
			items = append(items, fmt.Sprintf("04A1B2C3D4E5%02d", n))
		}
		i := newIsland(p, items...)
		for n, tag := range items {
			drill := i.drill
			if n%2 == 1 {
				drill = i.spare
			}
			i.slowly(drill, tag, "ACCEPTED "+tag)
			i.slowly(drill, tag, "COMPLETED "+tag)
			if n == 4 { // a board that is started again knows what it accepted
				i.restart(i.pack)
			}
			got := i.slowly(i.pack, tag, "ACCEPTED ON TAG "+tag)
			if !strings.Contains(got, "the note of "+drill.name) {
				t.Errorf("shows %q", got)
			}
			i.slowly(i.pack, tag, "COMPLETED "+tag)
			i.slowly(i.pack, tag, "ALREADY DONE "+tag)
		}
		i.pack.journal.times(10, journal.NoteAccepted)
		i.pack.journal.times(0, journal.NoteMatched, journal.NoteRefused)
		i.meet(i.all()...)
		i.pack.journal.times(10, journal.NoteMatched)
		i.pack.journal.times(0, journal.NoteContradicted, journal.ItemConflict)
		for _, tag := range items {
			must(t, i.pack.replica.Read(func(v *replica.View) error {
				_, closed, err := v.Tag(tag)
				if err != nil || len(closed) != 1 || closed[0].State().Phase != ledger.Finished || closed[0].InConflict() {
					t.Errorf("%s: %+v, %v", tag, closed, err)
				}
				return err
			}))
		}
		must(t, i.pack.replica.Read(func(v *replica.View) error {
			for w := range v.Waiting() {
				t.Errorf("still waits: %+v", w)
			}
			for w := range v.Voids(ledger.Place{}, 0) {
				t.Errorf("void: %+v", w)
			}
			return nil
		}))
		if i.tags.most != 1 {
			t.Errorf("%d requests to one reader at once", i.tags.most)
		}
	})
}

// TestTornWrite lifts the tag while its note is written: the report stands, and
// whoever reads the tag knows that the note is not whole.
func TestTornWrite(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		i.tags.set(func() { i.tags.torn = true })
		if got := i.slowly(i.drill, tagA, "COMPLETED"); !strings.Contains(got, "no note is on the tag: it was lifted") {
			t.Errorf("shows %q", got)
		}
		i.drill.journal.times(1, journal.NoteUnwritten)
		if got := i.slowly(i.pack, tagA, "WAIT"); !strings.Contains(got, "the note ends after") {
			t.Errorf("shows %q", got)
		}
		i.tags.set(func() { i.tags.torn = false })
		i.meet(i.drill, i.pack)
		i.slowly(i.pack, tagA, "ACCEPTED "+tagA)
	})
}

// TestSlowNote has tags that hardly answer: the light of what is recorded does not
// wait for a write, that of a missing report waits a second at most, and a lifted
// tag ends both.
func TestSlowNote(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA, tagB)
		i.tags.set(func() { i.tags.takes = time.Hour })
		i.slowly(i.drill, tagA, "ACCEPTED")
		if got := i.drill.put(tagA); !strings.HasPrefix(got, "COMPLETED") {
			t.Errorf("before the note is written: %q", got)
		}
		time.Sleep(time.Second)
		i.drill.lift(tagA)
		i.drill.journal.times(1, journal.NoteUnwritten)

		began := time.Now()
		if got := i.pack.put(tagA); got != "" {
			t.Errorf("while the note is read: %q", got)
		}
		for i.pack.light.last().Text == "" {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(began); took > noteReadLimit+50*time.Millisecond {
			t.Errorf("the light came after %s", took)
		}
		if got := i.pack.light.last().Text; !strings.HasPrefix(got, "W") || !strings.Contains(got, tagA) {
			t.Errorf("shows %q", got)
		}
		i.pack.lift(tagA)
		i.pack.put(tagB)
		i.pack.lift(tagB) // in the middle of reading
		if got := i.pack.journal.events(journal.ScanWrongStation); len(got) != 2 {
			t.Errorf("what was lifted is answered all the same: %v", got)
		}
	})
}

// TestNoNote has gateways that write none, and say why once.
func TestNoNote(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA, tagB)
		i.tags.set(func() { i.tags.fails = fmt.Errorf("tag: %w", drivers.ErrNoArea) })
		for _, tag := range []string{tagA, tagB} {
			i.slowly(i.drill, tag, "ACCEPTED")
			i.slowly(i.drill, tag, "COMPLETED")
			i.slowly(i.pack, tag, "WRONG STATION")
		}
		got := i.drill.journal.events(journal.NoteUnwritten)
		if len(got) != 1 || !strings.Contains(got[0].fields[journal.KeyReason], "no room") || !strings.Contains(got[0].fields[journal.KeyRemedy], "NTAG213") {
			t.Errorf("journal: %+v", got)
		}
		i.pack.journal.times(0, journal.NoteRefused, journal.NoteAccepted)
	})
}

// TestLedgerKnows holds that no tag is read while the ledger has the answer.
func TestLedgerKnows(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.meet(i.all()...)
		i.tags.set(func() { i.tags.takes = time.Hour })
		if got := i.pack.put(tagA); !strings.HasPrefix(got, "WRONG STATION") {
			t.Errorf("all are in reach, and the light waits: %q", got)
		}
		i.pack.lift(tagA)
		if got := i.drill.put(tagA); !strings.HasPrefix(got, "ACCEPTED "+tagA) {
			t.Errorf("shows %q", got)
		}
	})
}
