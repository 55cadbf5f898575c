package agent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/drivers/epc"
	"traveler.example/drivers/ndef"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

const (
	sgtinHex = "3074257BF7194E4000001A85"
	sgtinURI = "urn:epc:id:sgtin:0614141.812345.6789"
)

// TestNameOf holds each identity to what counts of a tag, and to refusing what does
// not: never another one in its place.
func TestNameOf(t *testing.T) {
	for _, tt := range []struct {
		identity profiles.Identity
		tag      drivers.Tag
		want     string
		refused  error
	}{
		{"", drivers.Tag{ID: tagA, Technology: drivers.ISO14443A}, tagA, nil},
		{profiles.IdentityUID, drivers.Tag{ID: sgtinHex, Technology: drivers.Gen2}, sgtinHex, nil},
		{profiles.IdentityEPC, drivers.Tag{ID: sgtinHex, Technology: drivers.Gen2}, sgtinURI, nil},
		{profiles.IdentityEPC, drivers.Tag{ID: "E2801160600002054ABC1234", Technology: drivers.Gen2}, "", epc.ErrUnknown},
		{profiles.IdentityEPC, drivers.Tag{ID: sgtinHex, Technology: drivers.ISO14443A}, "", errNotEPC},
		{profiles.IdentityEPC, drivers.Tag{ID: "LOT-42", Technology: drivers.Code}, "", errNotEPC},
		{profiles.IdentityCode, drivers.Tag{ID: "LOT%2042", Technology: drivers.Code}, "LOT%2042", nil},
		{profiles.IdentityCode, drivers.Tag{ID: "0A00F1B2C3", Technology: drivers.LF125}, "", errNotCode},
	} {
		got, err := nameOf(tt.identity, tt.tag)
		if got != tt.want || !errors.Is(err, tt.refused) {
			t.Errorf("%s of %+v is %q, %v", tt.identity, tt.tag, got, err)
		}
		if err == nil {
			continue
		}
		if why, remedy := nameWords(err); why == "" || !strings.HasSuffix(remedy, ".") {
			t.Errorf("%v: says %q, %q", err, why, remedy)
		}
	}
}

// uriReader is a reader whose tags have memories.
type uriReader struct {
	*fakeReader
	tags  map[string]*memoryReader
	takes time.Duration
}

func (r *uriReader) Layout(ctx context.Context, t drivers.Tag) (drivers.Layout, error) {
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return drivers.Layout{}, ctx.Err()
	}
	if m := r.tags[t.ID]; m != nil {
		return m.Layout(ctx, t)
	}
	return drivers.Layout{}, drivers.ErrTagGone
}

func (r *uriReader) ReadMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	return r.tags[t.ID].ReadMemory(ctx, t, a, off, b)
}

func (r *uriReader) WriteMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	return r.tags[t.ID].WriteMemory(ctx, t, a, off, b)
}

// says makes a tag whose NDEF message has these records.
func says(t testing.TB, records ...ndef.Record) *memoryReader {
	t.Helper()
	message, err := ndef.AppendMessage(nil, records...)
	must(t, err)
	area, err := ndef.AppendTLV(nil, ndef.TagNDEF, message)
	must(t, err)
	return memoryOf("bench", "NTAG215", 504, append(area, ndef.TagTerminator)...)
}

func uri(t testing.TB, s string) ndef.Record {
	t.Helper()
	r, err := ndef.NewURI(s)
	must(t, err)
	return r
}

// TestURIOnTag takes items in by the URIs on their tags, hands them over by notes
// on the same tags, and takes what has none for nothing.
func TestURIOnTag(t *testing.T) {
	const (
		link            = "https://id.gs1.org/01/80614141123458/21/6789"
		none, long, bad = "04000000000002", "04000000000003", "04000000000004"
	)
	bubble(t, func(t *testing.T, p *plant) {
		text, err := ndef.NewText("en", "a text")
		must(t, err)
		broken := says(t, text)
		broken.layout.NDEF = false
		tags := map[string]*memoryReader{
			tagA: says(t, text, uri(t, link)), none: says(t, text), long: says(t, uri(t, "https://example.com/"+strings.Repeat("x", 90))), bad: broken,
		}
		var reader *uriReader
		byURI := func(cfg *Config, parts *Parts) {
			reader = &uriReader{fakeReader: parts.Readers[0].(*fakeReader), tags: tags, takes: 50 * time.Millisecond}
			parts.Readers = []drivers.Reader{reader}
			parts.Notes = notesOf([]profiles.Reader{{Name: "bench", Handoff: true}}, parts.Readers)
			cfg.Identities = map[string]profiles.Identity{"bench": profiles.IdentityNDEFURI}
			cfg.Machine.Badges = map[string]station.Badge{"04BADE": {Name: "olga"}}
		}
		intake := p.gateway("intake").online(byURI).run()
		intake.order(drilling("WO-1"))
		wait := func(tag string) string {
			intake.put(tag)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			got := intake.light.last().Text
			intake.lift(tag)
			return got
		}
		if got := wait(tagA); !strings.HasPrefix(got, "TAKEN IN "+link) || !strings.Contains(got, "tag "+link) {
			t.Errorf("shows %q", got)
		}
		intake.journal.times(1, journal.NoteWritten)
		n, err := ndef.ReadMessage(t.Context(), reader, drivers.Tag{ID: tagA})
		if err != nil || len(n) != 3 {
			t.Errorf("the note stands beside what was on the tag: %+v, %v", n, err)
		}
		must(t, intake.replica.Read(func(v *replica.View) error {
			byURI, _, err := v.Tag(link)
			byUID, _, uerr := v.Tag(tagA)
			if len(byURI) != 1 || len(byUID) != 0 {
				t.Errorf("known by its URI %d times, by its identifier %d", len(byURI), len(byUID))
			}
			return errors.Join(err, uerr)
		}))
		for tag, want := range map[string]string{
			none: "no URI is written on it", long: "cannot name an item", bad: "is not laid out for NDEF", tagB: "it was lifted before that",
		} {
			if got := wait(tag); !strings.HasPrefix(got, "UNREADABLE TAG tag "+tag+": ") || !strings.Contains(got, want) {
				t.Errorf("%s shows %q, want %q", tag, got, want)
			}
			if last := intake.light.last(); last.Aspect != drivers.AspectIdle {
				t.Errorf("after %s has gone the light shows %v", tag, last)
			}
		}
		intake.journal.times(4, journal.ScanUnnamed)
		if got := wait("04BADE"); strings.Contains(got, "UNREADABLE") {
			t.Errorf("a badge is known by its identifier: %q", got)
		}
		reader.takes = time.Hour
		if got := wait(none); !strings.Contains(got, "did not answer in time") {
			t.Errorf("shows %q", got)
		}
		intake.put(none)
		intake.lift(none)
		synctest.Wait()
		if got := intake.light.last(); got.Aspect != drivers.AspectIdle {
			t.Errorf("lifted while it was read, it stays lit: %+v", got)
		}
	})
}

// TestSeveralIdentities knows one item by the identifier of a tag, by its EPC at a
// reader for UHF and by its printed code at a scanner.
func TestSeveralIdentities(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		i := newIsland(p, tagA)
		i.slowly(i.drill, tagA, "ACCEPTED "+tagA)
		it := itemOf(t, i.drill.replica, tagA)
		p.seal("drill-1", i.drill.replica, ledger.Tx{Item: it.ID, About: it.HeadIDs, Body: ledger.Bind{Tags: []string{sgtinURI, "SN-0042"}}})
		i.meet(i.all()...)
		at := func(b *board, identity profiles.Identity, tag drivers.Tag, want string) {
			t.Helper()
			b.cfg.Identities = map[string]profiles.Identity{"bench": identity}
			b.reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: tag}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if got := b.light.last().Text; !strings.HasPrefix(got, want) {
				t.Errorf("%s of %s shows %q, want %s", identity, tag.ID, got, want)
			}
			b.reader.events <- drivers.Event{Kind: drivers.Departed, Reader: "bench", Tag: tag}
			synctest.Wait()
		}
		at(i.drill, profiles.IdentityEPC, drivers.Tag{ID: sgtinHex, Technology: drivers.Gen2}, "COMPLETED "+tagA+" tag "+sgtinURI)
		time.Sleep(time.Minute)
		at(i.pack, profiles.IdentityCode, drivers.Tag{ID: "SN-0042", Technology: drivers.Code}, "ACCEPTED "+tagA+" tag SN-0042")
		at(i.pack, profiles.IdentityUID, drivers.Tag{ID: tagA, Technology: drivers.ISO14443A}, "COMPLETED "+tagA)
		at(i.pack, profiles.IdentityEPC, drivers.Tag{ID: "AABBCCDD", Technology: drivers.ISO14443A}, "UNREADABLE TAG tag AABBCCDD: it is no tag with an EPC")
		i.pack.journal.times(1, journal.ScanUnnamed)
	})
}
