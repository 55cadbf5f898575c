package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/ndef"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// islands are gateways whose people carry tags from one to the other, while
// nobody hears anybody.
type islands struct {
	t                         *testing.T
	tags                      *emulate.Tags
	intake, drilling, packing *gateway
	second                    *gateway // packs, too
	cables                    []*cable
}

// backAndForth is an order whose items go from drilling to one of two packing
// stations, and back to drilling.
func backAndForth() ledger.Order {
	return ledger.Order{ID: "PO-1", Product: "BRACKET", Quantity: 40, Routing: []ledger.Operation{
		{ID: "op10", Task: "drill", Place: "DRILL-1", MaxReturns: 1},
		{ID: "op20", Task: "pack", Place: "PACKING", Needs: []string{"op10"}, MaxReturns: 1},
		{ID: "op30", Task: "deburr", Place: "DRILL-1", Needs: []string{"op20"}, MaxReturns: 1},
	}}
}

// quickReader lets tags depart soon.
const quickReader = "[[reader]]\nname = \"bench\"\nmisses = 2\nhold = \"60ms\"\n"

func newIslands(t *testing.T) *islands {
	t.Helper()
	address := mosquitto(t)
	p := newPlant(t)
	i := &islands{t: t, tags: emulate.NewTags()}
	add := func(name, station, profile, centre, more string) *gateway {
		c := newCable(t, address)
		i.cables = append(i.cables, c)
		text := boardText(name, station, profile, more+quickReader+broker(c.l.Addr().String()))
		text = strings.Replace(text, "[ports]", fmt.Sprintf("centre = %q\n\n[ports]", centre), 1)
		_, err := p.AddGateway(time.Now().UnixMilli(), []byte(text), true, agent.KeyForm{}, p.admin()...)
		ok(t, err)
		return &gateway{t: t, dir: p.Board(name), plant: p, name: name, tags: i.tags}
	}
	i.intake = add("g-intake", "INTAKE-1", "intake", "RECEIVING", "[intake]\norder = \"PO-1\"\n")
	i.drilling = add("g-drilling", "DRILL-1", "drilling", "DRILLING", "")
	i.packing = add("g-packing", "PACK-1", "packing", "PACKING", "")
	i.second = add("g-second", "PACK-2", "packing", "PACKING", "")
	for _, g := range i.all() {
		g.plug()
		g.start()
	}
	for _, g := range i.all() {
		g.ready()
	}
	i.intake.order(backAndForth())
	return i
}

func (i *islands) all() []*gateway { return []*gateway{i.intake, i.drilling, i.packing, i.second} }

// cut takes the network away from all, or gives it back.
func (i *islands) cut(cut bool) {
	i.t.Helper()
	for _, c := range i.cables {
		c.set(cut)
	}
	for _, g := range i.all() {
		d := g.desk()
		g.until("broker gone or back", func() bool {
			s, err := d.Status(context.Background())
			return err == nil && (s.Broker == "") == cut
		})
	}
}

// takenIn has tags taken in, and all gateways know of them.
func (i *islands) takenIn(tags ...string) {
	i.t.Helper()
	for _, tag := range tags {
		i.intake.handsOver(tag, "TAKEN IN", onTag)
	}
	for _, g := range i.all() {
		for _, tag := range tags {
			g.knows(tag)
		}
	}
}

// handsOver scans a tag and leaves it on the reader until the journal tells of its
// note.
func (g *gateway) handsOver(tag, want, told string) string {
	g.t.Helper()
	n, before := len(g.lamp()), g.count(told)
	ok(g.t, g.reader.Present(tag, ""))
	line, n := g.shows(n, want)
	g.until("journal: "+told, func() bool { return g.count(told) > before })
	ok(g.t, g.reader.Remove(tag))
	g.shows(n, "IDLE")
	return line
}

const onTag = "note.written"

func (g *gateway) works(tag, accepted string) {
	g.t.Helper()
	g.scan(tag, accepted)
	time.Sleep(60 * time.Millisecond) // the dwell
	g.handsOver(tag, "COMPLETED", onTag)
}

func tagNumber(n int) string { return fmt.Sprintf("0455AA%02XBBCC80", n) }

// TestHandoff has gateways without any network pass ten items over the memory of
// their tags, there and back; then the network comes, they meet, and what was gone
// by matches what was reported.
func TestHandoff(t *testing.T) {
	t.Parallel()
	i := newIslands(t)
	var tags []string
	for n := range 10 {
		tags = append(tags, tagNumber(n+1))
	}
	i.takenIn(tags...)
	i.cut(true)
	for _, tag := range tags {
		i.drilling.works(tag, "ACCEPTED")
	}
	for _, tag := range tags {
		if line := i.packing.scan(tag, "ACCEPTED ON TAG"); !strings.Contains(line, "the note of g-drilling") {
			t.Errorf("shows %q", line)
		}
		time.Sleep(60 * time.Millisecond)
		i.packing.handsOver(tag, "COMPLETED", onTag)
	}
	for _, tag := range tags[:3] {
		i.drilling.scan(tag, "ACCEPTED ON TAG")
	}
	if n := i.packing.count("note.matched") + i.drilling.count("note.matched"); n != 0 {
		t.Errorf("%d notes are matched, and nobody has met anybody", n)
	}
	i.cut(false)
	i.packing.until("ten notes matched", func() bool { return i.packing.count("note.matched") == 10 })
	i.drilling.until("three notes matched", func() bool { return i.drilling.count("note.matched") == 3 })
	if s := settle(t, i.all()...); s.Conflicts != 0 || s.Evidence != 0 {
		t.Errorf("%d conflicts and %d in evidence, want none", s.Conflicts, s.Evidence)
	}
	for _, g := range i.all() {
		for _, event := range []string{"note.contradicted", "note.refused", "note.unwritten", "item.conflict"} {
			if n := g.count(event); n != 0 {
				t.Errorf("%s: %d lines %s", g.name, n, event)
			}
		}
		if code := g.stop(); code != exitOK {
			t.Errorf("%s: exit code %d", g.name, code)
		}
		ok(t, replica.Verify(t.Context(), filepath.Join(g.dir, agent.DataName), replica.Options{Genesis: g.plant.Genesis}, func(f replica.Finding) {
			if f.Fault != "" {
				t.Errorf("%s: %s: %s", g.name, f.Check, f.Fault)
			}
		}))
	}
}

// userPage is the first page for use of an NTAG213, of which so many bytes are.
const (
	userPage  = 4
	userBytes = 144
)

// carried is what the tag carries for use.
func (i *islands) carried(tag string) []byte {
	i.t.Helper()
	m, err := i.tags.Memory(tag)
	ok(i.t, err)
	return slices.Clone(m[userPage*4 : userPage*4+userBytes])
}

func (i *islands) carries(tag string, b []byte) {
	i.t.Helper()
	ok(i.t, i.tags.SetMemory(tag, userPage, b))
}

// strangeNote is a hand-off note of another network, as it lies on a tag.
func strangeNote(t *testing.T, tag string) []byte {
	t.Helper()
	other := newPlant(t)
	other.gateway("g-drilling", "DRILL-1", "drilling", noBroker)
	key, err := agent.LoadKey(filepath.Join(other.Board("g-drilling"), "gateway.key"), nil)
	ok(t, err)
	net, order := other.Genesis.Network(), backAndForth()
	pub, err := ledger.PublicKeyOf(key)
	ok(t, err)
	in, err := ledger.NewTx(net, ledger.Tx{Sender: pub.ID(), Body: ledger.Intake{
		Station: "S", Label: "L", Tags: []string{tag}, Order: ledger.Hash{1}, Product: "P", Options: ledger.FirstOptions(order),
	}})
	ok(t, err)
	note, err := ledger.NewNote(net, key, tag, in, order.Routing)
	ok(t, err)
	return slot(t, note.Raw())
}

// slot is a note in its record, as it lies on a tag.
func slot(t *testing.T, note []byte) []byte {
	t.Helper()
	sum := crc32.NewIEEE()
	fmt.Fprintf(sum, "%s\x00%s", agent.NoteRecord, note)
	r, err := ndef.NewExternal(agent.NoteRecord, binary.BigEndian.AppendUint32(slices.Clone(note), sum.Sum32()))
	ok(t, err)
	return message(t, r)
}

func message(t *testing.T, r ndef.Record) []byte {
	t.Helper()
	m, err := ndef.AppendMessage(nil, r)
	ok(t, err)
	area, err := ndef.AppendTLV(nil, ndef.TagNDEF, m)
	ok(t, err)
	return append(area, ndef.TagTerminator)
}

// liftedInWriting completes an item whose tag is taken away while its note is
// written: the report stands, and the light says what is missing.
func (g *gateway) liftedInWriting(tag string) {
	g.t.Helper()
	pages := 0
	stop := g.reader.Observe(func(a emulate.Act) {
		if a.Verb == emulate.DidWrite && a.Tag == tag {
			if pages++; pages == 9 {
				go g.reader.Remove(tag) //nolint:errcheck // the light tells
			}
		}
	})
	defer stop()
	n := len(g.lamp())
	ok(g.t, g.reader.Present(tag, ""))
	_, n = g.shows(n, "GREEN COMPLETED")
	g.shows(n, "no note is on the tag: it was lifted")
	g.logged("no hand-off note on tag " + tag)
	g.shows(n, "IDLE")
}

// TestHandoffFails has tags that carry no note, and notes that must not be gone
// by, while nobody hears anybody: what light and journal say of each, and that the
// report stands in any case.
func TestHandoffFails(t *testing.T) {
	t.Parallel()
	i := newIslands(t)
	torn, full, locked, copied, old, strange, good := tagNumber(21), tagNumber(22), tagNumber(23), tagNumber(24), tagNumber(25), tagNumber(26), tagNumber(27)
	all := []string{torn, full, locked, copied, old, strange, good}
	i.takenIn(all...)
	i.cut(true)
	for _, tag := range all {
		i.drilling.scan(tag, "ACCEPTED")
	}
	text, err := ndef.NewText("en", strings.Repeat("mine ", 24))
	ok(t, err)
	i.carries(full, message(t, text))
	ok(t, i.drilling.reader.Do("lock "+locked))
	i.drilling.liftedInWriting(torn)
	for _, tt := range []struct{ name, tag, light, journal string }{
		{"full", full, "no note is on the tag: the tag is full", "note.unwritten"},
		{"read-only", locked, "no note is on the tag: the tag's memory is locked", "note.unwritten"},
	} {
		n := len(i.drilling.lamp())
		if line := i.drilling.handsOver(tt.tag, "COMPLETED", tt.journal); !strings.Contains(line, "GREEN") {
			t.Errorf("%s: the report shows as %q", tt.name, line)
		}
		i.drilling.shows(n, tt.light)
	}
	for _, tag := range []string{copied, old, strange, good} {
		i.drilling.handsOver(tag, "COMPLETED", onTag)
	}
	was := i.carried(old)
	i.packing.works(old, "ACCEPTED ON TAG")
	i.carries(old, was)
	i.carries(copied, i.carried(good))
	damaged := i.carried(good)
	damaged[60] ^= 1
	i.carries(torn, damaged)
	i.carries(strange, strangeNote(t, strange))
	for _, tt := range []struct {
		name      string
		at        *gateway
		tag       string
		light     string
		journaled string
	}{
		{"torn", i.packing, torn, "the note on its tag cannot be read: its writing was cut short", ""},
		{"full", i.packing, full, "W", ""},
		{"read-only", i.packing, locked, "W", ""},
		{"of another item", i.packing, copied, "for another item", "note.refused"},
		{"of another network", i.packing, strange, "of another network", "note.refused"},
		{"old", i.drilling, old, "ALREADY DONE", ""},
	} {
		before := tt.at.count("note.refused")
		line := tt.at.scan(tt.tag, tt.light)
		t.Logf("%s: %s", tt.name, line)
		if strings.Contains(line, "ACCEPTED") {
			t.Errorf("%s: shows %q", tt.name, line)
		}
		if n := tt.at.count("note.refused"); (n > before) != (tt.journaled != "") {
			t.Errorf("%s: %d lines note.refused, before %d", tt.name, n, before)
		}
	}

	// A clone of a tag passes at both stations that may go on; it shows when they
	// meet.
	i.packing.scan(good, "ACCEPTED ON TAG")
	i.second.scan(good, "ACCEPTED ON TAG")
	i.cut(false)
	s := settle(t, i.all()...)
	if s.Conflicts != 1 {
		t.Errorf("%d conflicts, want that of the clone", s.Conflicts)
	}
	i.packing.scan(good, "IN CONFLICT")
	i.second.scan(good, "IN CONFLICT")
	for _, tag := range []string{torn, full, locked, copied, strange} {
		i.packing.scan(tag, "ACCEPTED") // by the report, which stood all the time
	}
}
