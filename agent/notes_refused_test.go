package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// TestNoteRefused has pack, cut off, meet notes that it must not go by.
func TestNoteRefused(t *testing.T) {
	const other = "04A1B2C3D4E599"
	tests := []struct {
		name  string
		spoil func(i *island)
		fault ledger.NoteFault
		want  string // part of the words
	}{
		{"torn", func(i *island) { i.tags.notes[tagA] = i.tags.notes[tagA][:60] }, ledger.NoteTruncated, "ends after 60 of its 113 bytes"},
		{"something else", func(i *island) { i.tags.notes[tagA] = []byte{0x13, 1, 2} }, ledger.NoteTruncated, "ends after 3"},
		{"of another version", func(i *island) { i.tags.notes[tagA][0] += 0x10 }, ledger.NoteVersion, "version 2"},
		{"altered", func(i *island) { i.tags.notes[tagA][20] ^= 1 }, ledger.NoteSignature, "is not signed for this tag by drill-1"},
		{"copied from another item's tag", func(i *island) { i.tags.notes[tagA] = i.tags.notes[other] }, ledger.NoteOtherItem, "for another item, " + other},
		{"of a stranger", func(i *island) { i.tags.notes[tagA][1] ^= 0xff }, ledger.NoteAuthor, "no gateway known here"},
		{"of another network", func(i *island) { i.tags.notes[tagA] = foreignNote(i.t, tagA) }, ledger.NoteNetwork, "of another network"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *plant) {
				i := newIsland(p, tagA, other)
				for _, tag := range []string{tagA, other} {
					i.slowly(i.drill, tag, "ACCEPTED")
					i.slowly(i.drill, tag, "COMPLETED")
				}
				i.tags.set(func() { tt.spoil(i) })
				got := i.slowly(i.pack, tagA, "W")
				if strings.Contains(got, "ACCEPTED") || !strings.Contains(got, tt.want) {
					t.Errorf("shows %q, want it to say %q", got, tt.want)
				}
				refused := i.pack.journal.events(journal.NoteRefused)
				if len(refused) != 1 || refused[0].fields[journal.KeyReason] != string(tt.fault) || refused[0].fields[journal.KeyRemedy] == "" {
					t.Errorf("journal: %+v, want %s", refused, tt.fault)
				}
				i.pack.journal.times(0, journal.NoteAccepted)
			})
		})
	}
}

// foreignNote is a note of a network with other keys.
func foreignNote(t testing.TB, tag string) []byte {
	t.Helper()
	net := ledger.NetworkID{1}
	order := drilling("WO-1")
	in, err := ledger.NewTx(net, ledger.Tx{Sender: keyID("stranger"), Body: ledger.Intake{
		Station: "S", Label: "L", Tags: []string{tag}, Order: ledger.Hash{1}, Product: "P", Options: ledger.FirstOptions(order),
	}})
	must(t, err)
	n, err := ledger.NewNote(net, privateKey("stranger"), tag, in, order.Routing)
	must(t, err)
	return n.Raw()
}

// TestNoteOnOtherTag has a note copied to the item's other tag.
func TestNoteOnOtherTag(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		it := itemOf(t, i.drill.replica, tagA)
		i.drill.plant.seal("drill-1", i.drill.replica, ledger.Tx{Item: it.ID, About: it.HeadIDs, Body: ledger.Bind{Tags: []string{tagB}}})
		for _, b := range []*board{i.drill, i.pack} {
			b.bus.connect("mqtt://plant")
		}
		time.Sleep(time.Minute)
		for _, b := range []*board{i.drill, i.pack} {
			b.bus.cut(fmt.Errorf("island"))
		}
		i.slowly(i.drill, tagA, "COMPLETED")
		i.tags.set(func() { i.tags.notes[tagB] = i.tags.notes[tagA] })
		if got := i.slowly(i.pack, tagB, "WAIT"); !strings.Contains(got, "written for tag "+tagA) {
			t.Errorf("shows %q", got)
		}
		i.slowly(i.pack, tagA, "ACCEPTED ON TAG")
	})
}

// TestOldNote has the note of the step before stay on a tag that the next station
// could not write.
func TestOldNote(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		i.slowly(i.drill, tagA, "COMPLETED")
		old := i.tags.notes[tagA]
		i.drill.bus.connect("mqtt://plant")
		i.pack.bus.connect("mqtt://plant")
		time.Sleep(time.Minute)
		it := itemOf(t, i.pack.replica, tagA)
		n, err := ledger.ParseNote(old)
		must(t, err)
		must(t, i.pack.replica.Read(func(v *replica.View) error {
			w := view{a: i.pack.Agent, v: v}
			scan, err := w.Scan(tagA, old)
			if scan.NoteRefused != nil || scan.NoteOf != (ledger.TxID{}) {
				t.Errorf("the report is here, and the note adds %+v", scan.NoteRefused)
			}
			return err
		}))
		i.slowly(i.pack, tagA, "ACCEPTED "+tagA) // by the ledger: no note is needed
		must(t, i.pack.replica.Read(func(v *replica.View) error {
			now, _, err := v.Item(it.ID)
			must(t, err)
			got, err := v.Noted(now, &ledger.Handover{Note: n, Item: it.ID, Tag: tagA})
			if got.Refused == nil || got.Refused.Fault != ledger.NoteOld {
				t.Errorf("an old note: %+v", got.Refused)
			}
			return err
		}))
	})
}

// TestNoteOfUnknownItem has an item that was taken in where nobody heard it: its
// note keeps it from being taken in a second time, and it waits.
func TestNoteOfUnknownItem(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p)
		i.slowly(i.intake, tagA, "TAKEN IN")
		got := i.slowly(i.drill, tagA, "WAIT")
		if !strings.Contains(got, "intake has taken the item in; its intake has not arrived here") || !strings.Contains(got, "do not take it in again") {
			t.Errorf("shows %q", got)
		}
		i.tags.set(func() { i.tags.notes[tagA][110] ^= 1 })
		if got := i.slowly(i.drill, tagA, "UNKNOWN TAG"); !strings.Contains(got, "not signed") {
			t.Errorf("shows %q", got)
		}
		i.meet(i.intake, i.drill)
		i.slowly(i.drill, tagA, "ACCEPTED "+tagA)
	})
}

// packedFirst is an order whose second operation two stations may do.
func packedFirst() ledger.Order {
	o := drilling("WO-1")
	o.Routing[0].Place, o.Routing[1].Place = "PACK-1", "DRILLING"
	return o
}

// TestClone has a copy of a tag with the same UID: the note on it passes at both
// stations that may go on, and the item shows in conflict when they meet, even
// before the report that both went by is there.
func TestClone(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := p.island(packedFirst(), tagA)
		i.slowly(i.pack, tagA, "ACCEPTED")
		i.slowly(i.pack, tagA, "COMPLETED")
		i.slowly(i.drill, tagA, "ACCEPTED ON TAG")
		i.slowly(i.spare, tagA, "ACCEPTED ON TAG") // the clone
		i.slowly(i.drill, tagA, "COMPLETED")
		i.meet(i.drill, i.spare)
		for _, b := range []*board{i.drill, i.spare} {
			i.slowly(b, tagA, "IN CONFLICT")
			b.journal.times(0, journal.NoteMatched)
		}
		i.meet(i.all()...)
		for _, b := range i.all() {
			b.journal.times(1, journal.ItemConflict)
			if it := itemOf(t, b.replica, tagA); len(it.HeadIDs) != 2 {
				t.Errorf("%s: heads %v", b.name, it.HeadIDs)
			}
		}
		i.drill.journal.times(1, journal.NoteMatched) // the note was true; the tag was not one
	})
}

// TestThreeHands passes an item on twice while nobody hears anybody.
func TestThreeHands(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		o := drilling("WO-1")
		o.Routing = append(o.Routing, ledger.Operation{ID: "30", Task: "deburr", Place: "DRILL-2", Needs: []string{"20"}, MaxReturns: 1})
		i := p.island(o, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		i.slowly(i.drill, tagA, "COMPLETED")
		i.slowly(i.pack, tagA, "ACCEPTED ON TAG")
		i.slowly(i.pack, tagA, "COMPLETED")
		i.slowly(i.spare, tagA, "ACCEPTED ON TAG")
		i.slowly(i.spare, tagA, "COMPLETED")
		i.meet(i.spare, i.intake) // the last one's chain comes first
		i.spare.journal.times(0, journal.NoteMatched)
		i.meet(i.all()...)
		i.spare.journal.times(1, journal.NoteMatched)
		i.pack.journal.times(1, journal.NoteMatched)
		for _, b := range i.all() {
			b.journal.times(0, journal.NoteContradicted, journal.ItemConflict)
			i.slowly(b, tagA, "") // whatever it says, it says it of one history
		}
		must(t, i.intake.replica.Read(func(v *replica.View) error {
			_, closed, err := v.Tag(tagA)
			if len(closed) != 1 || len(closed[0].Nodes) != 7 {
				t.Errorf("%+v", closed)
			}
			return err
		}))
	})
}

// TestNoteContradicted has a board lose its card after it wrote a note: its chain
// gets another report in the place of the one that the note stands for.
func TestNoteContradicted(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		var card []replica.Object
		must(t, i.drill.replica.Read(func(v *replica.View) error {
			for _, author := range []string{"intake", "drill-1"} {
				for b, err := range v.Chain(keyID(author), 1) {
					must(t, err)
					card = append(card, b.UnverifiedBlock)
				}
			}
			return nil
		}))
		i.slowly(i.drill, tagA, "COMPLETED")
		i.slowly(i.pack, tagA, "ACCEPTED ON TAG")

		_, err := i.drill.stop()
		must(t, err)
		i.drill.replica = p.replica("drill-1", nil)
		_, err = i.drill.replica.Ingest(context.Background(), card...)
		must(t, err)
		i.drill.reader, i.drill.ended = newReader("bench"), make(chan struct{})
		i.drill.online(i.tags.writing).run()
		i.slowly(i.drill, tagA, "ACCEPTED (already)")
		i.slowly(i.drill, tagA, "COMPLETED")
		i.meet(i.drill, i.pack)
		got := i.pack.journal.events(journal.NoteContradicted)
		if len(got) != 1 || !strings.Contains(got[0].words, "drill-1 has reported 10 by another report") {
			t.Errorf("journal: %+v", got)
		}
		i.pack.journal.times(0, journal.NoteMatched)
	})
}

// TestNoteAndReportDisagree has a board whose note offers another operation than
// its report: the note is proof against it, and the ledger goes by the report.
func TestNoteAndReportDisagree(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		o := drilling("WO-1")
		o.Routing = append(o.Routing, ledger.Operation{ID: "30", Task: "pack", Place: "PACK-1", Needs: []string{"20"}, MaxReturns: 1})
		i := p.island(o, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		i.slowly(i.drill, tagA, "COMPLETED")
		it := itemOf(t, i.drill.replica, tagA)
		var report ledger.Tx
		must(t, i.drill.replica.Read(func(v *replica.View) error {
			sealed, _, err := v.Tx(it.HeadIDs[0])
			report = sealed.Tx
			return err
		}))
		swapped := []ledger.Operation{o.Routing[0], o.Routing[2], o.Routing[1]} // so that it says 30 for 20
		lie, err := ledger.NewNote(p.genesis.Network(), privateKey("drill-1"), tagA, report, swapped)
		must(t, err)
		i.tags.set(func() { i.tags.notes[tagA] = lie.Raw() })
		i.slowly(i.pack, tagA, "ACCEPTED ON TAG")
		i.meet(i.all()...)
		got := i.pack.journal.events(journal.NoteContradicted)
		if len(got) != 1 || !strings.Contains(got[0].words, "the note offers the item to others than the report") {
			t.Errorf("journal: %+v", got)
		}
		i.pack.journal.times(0, journal.NoteMatched)
		i.slowly(i.pack, tagA, "ACCEPTED "+tagA) // for 20, by the report
		if st := itemOf(t, i.pack.replica, tagA).State(); st.Operation != "20" {
			t.Errorf("in work for %+v", st)
		}
	})
}

// ruledOn has quality send an item somewhere, by a clock that is an hour ahead.
func (i *island) ruledOn(b *board, tag string, d ledger.Disposition) {
	i.t.Helper()
	it := itemOf(i.t, b.replica, tag)
	d.Reason = "seen"
	i.append(b.replica, i.signed("quinn", ledger.Tx{Item: it.ID, After: it.HeadIDs, Time: time.Now().Add(time.Hour).UnixMilli(), Body: d}))
}

// TestRuledBefore has an item that quality has sent back before all were cut off:
// what is taken up on a note after that stays in work, whatever the clocks say.
func TestRuledBefore(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.ruledOn(i.intake, tagA, ledger.Disposition{Ruling: ledger.ReworkAt, Operation: "10", Task: "drill", Place: "DRILLING"})
		i.meet(i.all()...)
		for _, b := range i.all() {
			b.bus.cut(errors.New("island"))
		}
		i.slowly(i.drill, tagA, "ACCEPTED")
		i.slowly(i.drill, tagA, "COMPLETED")
		i.slowly(i.pack, tagA, "ACCEPTED ON TAG")
		i.slowly(i.pack, tagA, "COMPLETED")
	})
}

// TestNoNoteOfTheOvertaken has an item on which quality has ruled: whoever reported
// it before does not send it on by a note.
func TestNoNoteOfTheOvertaken(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		o := drilling("WO-1")
		o.Routing = append(o.Routing, ledger.Operation{ID: "30", Task: "paint", Place: "BENCH-1"})
		i := p.island(o, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED")
		i.slowly(i.drill, tagA, "COMPLETED")
		i.ruledOn(i.drill, tagA, ledger.Disposition{Ruling: ledger.ContinueAt, Operation: "30", Task: "paint", Place: "BENCH-1"})
		i.tags.set(func() { clear(i.tags.notes) })
		if got := i.slowly(i.drill, tagA, "ALREADY DONE"); !strings.Contains(got, "moved on") {
			t.Errorf("shows %q", got)
		}
		if n := i.tags.notes[tagA]; n != nil {
			t.Errorf("a note is written: %x", n)
		}
	})
}
