package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"traveler.example/drivers"
	"traveler.example/drivers/ndef"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// memoryReader is a reader with one tag, which has so much memory.
type memoryReader struct {
	plainReader
	layout drivers.Layout
	area   []byte
	locked bool
}

// plainReader reads identifiers and nothing else.
type plainReader struct{ name string }

func (r plainReader) Info() drivers.Info { return drivers.Info{Name: r.name} }

func (plainReader) Run(ctx context.Context, _ chan<- drivers.Event) error { <-ctx.Done(); return nil }

func (r *memoryReader) Layout(context.Context, drivers.Tag) (drivers.Layout, error) {
	if r.layout.Sizes == nil {
		return r.layout, drivers.ErrNoArea
	}
	return r.layout, nil
}

func (r *memoryReader) ReadMemory(_ context.Context, _ drivers.Tag, _ drivers.Area, off int, b []byte) error {
	copy(b, r.area[off:])
	return nil
}

func (r *memoryReader) WriteMemory(_ context.Context, _ drivers.Tag, _ drivers.Area, off int, b []byte) error {
	if r.locked {
		return drivers.ErrLocked
	}
	copy(r.area[off:], b)
	return nil
}

func memoryOf(name, kind string, size int, area ...byte) *memoryReader {
	return &memoryReader{
		plainReader: plainReader{name}, area: append(area, make([]byte, size-len(area))...),
		layout: drivers.Layout{Type: kind, NDEF: true, NDEFSize: size, Sizes: map[drivers.Area]int{drivers.AreaUser: size}},
	}
}

// TestNotesOnTags holds what readers and tags make of a note, and what is said of
// those that cannot.
func TestNotesOnTags(t *testing.T) {
	note := slices.Repeat([]byte{0x5A}, ledger.MaxHandoff)
	blank := memoryOf("r", "NTAG213", 144, 3, 0, 0xFE)
	locked := memoryOf("r", "NTAG213", 144, 3, 0, 0xFE)
	locked.locked = true
	none := memoryOf("r", "DESFire", 0)
	none.layout.Sizes = nil
	bare := memoryOf("r", "Ultralight C", 144)
	bare.layout.NDEF = false
	for _, tt := range []struct {
		name    string
		reader  drivers.Reader
		kind    string
		problem string
	}{
		{"room", blank, "", ""},
		{"no room", memoryOf("r", "Ultralight", 48, 3, 0, 0xFE), "Ultralight", "the tag is full"},
		{"no memory", none, "iso14443a", "the tag has no room for it"},
		{"locked", locked, "NTAG213", "the tag's memory is locked"},
		{"not laid out", bare, "Ultralight C", "the tag is not laid out for NDEF"},
		{"not a memory", plainReader{"r"}, "any tag", "the reader cannot write tags"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := notesOf([]profiles.Reader{{Name: "r", Handoff: true}, {Name: "off"}}, []drivers.Reader{tt.reader})
			tag, err := drivers.ParseTag("04A1B2C3D4E580", drivers.ISO14443A)
			must(t, err)
			if got, err := n.ReadNote(t.Context(), "r", tag); got != nil || err != nil {
				t.Errorf("before a note was written: %x, %v", got, err)
			}
			err = n.WriteNote(t.Context(), "r", tag, note)
			got, rerr := n.ReadNote(t.Context(), "r", tag)
			if tt.problem == "" {
				if err != nil || rerr != nil || string(got) != string(note) {
					t.Errorf("%v; read %x, %v", err, got, rerr)
				}
				return
			}
			var of *tagKindError
			if !errors.As(err, &of) || of.kind != tt.kind || got != nil || rerr != nil {
				t.Errorf("kind %+v of %v; read %x, %v", of, err, got, rerr)
			}
			if problem, remedy := noteWords(err); problem != tt.problem || !strings.HasSuffix(remedy, ".") {
				t.Errorf("says %q: %q", problem, remedy)
			}
			if err := n.WriteNote(t.Context(), "off", tag, note); !errors.Is(err, errNoNotes) {
				t.Errorf("where the profile wants none: %v", err)
			}
		})
	}
	if n := notesOf([]profiles.Reader{{Name: "r"}}, []drivers.Reader{blank}); n != nil {
		t.Errorf("no reader is to pass notes on, and there is %v", n)
	}
	long := memoryOf("r", "NTAG215", 504, 3, 0, 0xFE)
	must(t, ndef.WriteSlot(t.Context(), long, drivers.Tag{}, NoteRecord, make([]byte, 300), ndef.Options{}))
	n := notesOf([]profiles.Reader{{Name: "r", Handoff: true}}, []drivers.Reader{long})
	if got, err := n.ReadNote(t.Context(), "r", drivers.Tag{}); err != nil || len(got) != ledger.MaxHandoff+1 {
		t.Errorf("more than a note: %d bytes, %v", len(got), err)
	}
	long.area[200] ^= 1
	if got, err := n.ReadNote(t.Context(), "r", drivers.Tag{}); !errors.Is(err, ndef.ErrTorn) || got != nil {
		t.Errorf("a note that is not whole: %x, %v", got, err)
	}
}
