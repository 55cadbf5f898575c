package ndef

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"traveler.example/drivers"
)

const note = "traveler.example:note"

// shelf is a tag in memory that can be torn away after a number of pages.
type shelf struct {
	drivers.Reader
	layout drivers.Layout
	area   []byte
	page   int // what is written at once
	writes int // how many pages are written before it is torn away; -1: all
	reads  int // bytes that were read
	blank  bool
}

var errTorn = fmt.Errorf("test: %w", drivers.ErrTagGone)

func newShelf(size int, begin string) *shelf {
	b, err := hex.DecodeString(strings.ReplaceAll(begin, " ", ""))
	if err != nil {
		panic(err)
	}
	s := &shelf{area: make([]byte, size), page: 4, writes: -1}
	s.layout = drivers.Layout{Type: "shelf", NDEF: true, NDEFSize: size, Sizes: map[drivers.Area]int{drivers.AreaUser: size}}
	copy(s.area, b)
	return s
}

func (s *shelf) Layout(context.Context, drivers.Tag) (drivers.Layout, error) { return s.layout, nil }

func (s *shelf) ReadMemory(_ context.Context, _ drivers.Tag, _ drivers.Area, off int, b []byte) error {
	if off+len(b) > len(s.area) {
		return drivers.ErrNoArea
	}
	s.reads += len(b)
	copy(b, s.area[off:])
	return nil
}

func (s *shelf) WriteMemory(_ context.Context, _ drivers.Tag, _ drivers.Area, off int, b []byte) error {
	if off+len(b) > len(s.area) {
		return drivers.ErrNoArea
	}
	now := bytes.Clone(s.area)
	copy(now[off:], b)
	for p := 0; p < len(s.area); p += s.page {
		end := min(p+s.page, len(s.area))
		if bytes.Equal(s.area[p:end], now[p:end]) {
			continue
		}
		if s.writes == 0 {
			return errTorn
		}
		s.writes--
		copy(s.area[p:end], now[p:end])
	}
	return nil
}

func (s *shelf) Format(context.Context, drivers.Tag) error {
	if !s.blank {
		return drivers.ErrLocked
	}
	s.layout.NDEF, s.layout.NDEFSize = true, len(s.area)
	copy(s.area, []byte{TagNDEF, 0, TagTerminator})
	return nil
}

func nfc() drivers.Tag {
	return drivers.Tag{ID: "04A1B2C3D4E580", Technology: drivers.ISO14443A}
}

func payload(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*7 + seed
	}
	return b
}

// A tag of 144 bytes as its maker delivers it: a lock control block, and an
// empty message.
const factory213 = "0103A00C34 0300 FE"

// The arithmetic of the smallest tag that has to hold a note of 128 bytes.
func TestNoteOf128BytesFitsNTAG213(t *testing.T) {
	const (
		area        = 144
		lockControl = 5       // 01 03 A0 0C 34
		blockHeader = 2       // 03, length
		record      = 3       // flags, type length 0, payload length
		sealed      = 128 + 4 // the note and its check
		used        = 142     // 5 + 2 + 3 + 132
		terminator  = 1       // FE, where there is room
		spare       = area - used - terminator
	)
	if lockControl+blockHeader+record+sealed != used || spare != 1 {
		t.Fatalf("the sum is %d, spare %d", lockControl+blockHeader+record+sealed, spare)
	}
	s := newShelf(area, factory213)
	want := payload(128, 1)
	if err := WriteSlot(t.Context(), s, nfc(), note, want, Options{}); err != nil {
		t.Fatal(err)
	}
	blocks, err := ParseTLVs(s.area)
	if err != nil || len(blocks) != 3 || blocks[1].End != used || blocks[2].Tag != TagTerminator {
		t.Errorf("blocks %+v, %v; want the message to end at %d", blocks, err, used)
	}
	got, err := ReadSlot(t.Context(), s, nfc(), note)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read % x, %v", got, err)
	}
	var room *RoomError
	err = WriteSlot(t.Context(), s, nfc(), note, payload(131, 1), Options{})
	if !errors.Is(err, ErrNoRoom) || !errors.As(err, &room) || room.Have != 139 || room.Need != 140 {
		t.Errorf("131 bytes: %v (%+v), want no room: 140 needed, 139 there", err, room)
	}
}

func message(t *testing.T, records ...Record) []byte {
	t.Helper()
	b, err := AppendMessage(nil, records...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// others are the records that somebody else wrote.
func others(t *testing.T) []Record {
	return []Record{must[Record](t)(NewURI("https://example.com/7")), must[Record](t)(NewText("en", "pump"))}
}

func areaOf(t *testing.T, size int, before string, m []byte, after string) *shelf {
	t.Helper()
	block, err := AppendTLV(nil, TagNDEF, m)
	if err != nil {
		t.Fatal(err)
	}
	return newShelf(size, before+hex.EncodeToString(block)+after)
}

// Wherever a write is torn, what can be read is the old data, the new, or
// nothing; and the records of others come back unless the message is empty.
func TestTornWrites(t *testing.T) {
	longURI := must[Record](t)(NewURI("https://example.com/" + strings.Repeat("x", 150)))
	ours := func(n int, seed byte) Record {
		return must[Record](t)(NewExternal(note, seal(note, payload(n, seed))))
	}
	tests := []struct {
		name   string
		start  *shelf
		old    []byte
		others int
		always bool // the records of others can be read throughout
	}{
		{"empty message", newShelf(144, factory213), nil, 0, false},
		{"no message", newShelf(144, ""), nil, 0, false},
		{"replaced", areaOf(t, 504, "", message(t, ours(100, 9)), "FE"), payload(100, 9), 0, false},
		{"longer than before", areaOf(t, 504, "", message(t, ours(30, 9)), "FE"), payload(30, 9), 0, false},
		{"shorter than before", areaOf(t, 504, "", message(t, ours(140, 9)), "FE"), payload(140, 9), 0, false},
		{"beside others, first", areaOf(t, 504, "", message(t, others(t)...), "FE"), nil, 2, false},
		{"beside others, same size", areaOf(t, 504, "", message(t, append(others(t), ours(100, 9))...), "FE"), payload(100, 9), 2, true},
		{"beside others, in the middle", areaOf(t, 504, "", message(t, others(t)[0], ours(100, 9), others(t)[1]), "FE"), payload(100, 9), 2, true},
		{"beside others, other size", areaOf(t, 504, "", message(t, append(others(t), ours(90, 9))...), "FE"), payload(90, 9), 2, false},
		{"length grows to three bytes", areaOf(t, 504, "", message(t, longURI, ours(20, 9)), "FE"), payload(20, 9), 1, false},
		{"length shrinks to one byte", areaOf(t, 504, "", message(t, others(t)[0], ours(250, 9)), "FE"), payload(250, 9), 1, false},
		{"between blocks of others", areaOf(t, 504, factory213[:10], message(t, ours(100, 9)), strings.Repeat("00", 40)+"FD0155 FE"), payload(100, 9), 0, false},
	}
	for _, tt := range tests {
		for _, page := range []int{4, 16} {
			t.Run(fmt.Sprintf("%s, pages of %d", tt.name, page), func(t *testing.T) {
				for n := 0; ; n++ {
					s := *tt.start
					s.area, s.writes, s.page = bytes.Clone(tt.start.area), n, page
					err := WriteSlot(t.Context(), &s, nfc(), note, payload(100, 3), Options{})
					checkTorn(t, n, &s, tt.old, tt.others, err == nil || tt.always)
					if s.writes = -1; err != nil {
						again := WriteSlot(t.Context(), &s, nfc(), note, payload(100, 3), Options{})
						if got, err := ReadSlot(t.Context(), &s, nfc(), note); again != nil || !bytes.Equal(got, payload(100, 3)) {
							t.Fatalf("torn after %d pages, written again: %v, then % x, %v", n, again, got, err)
						}
						continue
					}
					return
				}
			})
		}
	}
}

func checkTorn(t *testing.T, n int, s *shelf, old []byte, others int, complete bool) {
	t.Helper()
	got, err := ReadSlot(t.Context(), s, nfc(), note)
	if !errors.Is(err, ErrNoSlot) && !bytes.Equal(got, old) && !bytes.Equal(got, payload(100, 3)) {
		t.Fatalf("torn after %d pages: % x, %v", n, got, err)
	}
	m, err := Message(s.area)
	if err != nil {
		t.Fatalf("torn after %d pages: %v in % x", n, err, s.area)
	}
	records, err := slotRecords(m)
	if err != nil {
		t.Fatalf("torn after %d pages, the message is % x: %v", n, m, err)
	}
	theirs := 0
	for _, r := range records {
		if !ours(r.Record, note, false) {
			theirs++
		}
	}
	if theirs != others && (complete || len(m) > 0) {
		t.Fatalf("torn after %d pages: %d records of others, want %d in % x", n, theirs, others, m)
	}
}

func TestSlotIsFoundBesideOthers(t *testing.T) {
	ours := Record{TNF: TNFExternal, Type: "Traveler.Example:NOTE", Payload: seal(note, []byte("x"))}
	unknown := Record{TNF: TNFUnknown, Payload: seal(note, []byte("x"))}
	stranger := Record{TNF: TNFUnknown, Payload: []byte("stranger")}
	broken := must[Record](t)(NewExternal(note, []byte("xxxxx")))
	for _, tt := range []struct {
		name    string
		records []Record
		want    error
	}{
		{"type in another case", append(others(t), ours), nil},
		{"without a type", append(others(t), unknown), nil},
		{"without a type, behind another", []Record{stranger, unknown}, nil},
		{"none", others(t), ErrNoSlot},
		{"one without a type that is not ours", append(others(t), stranger), ErrNoSlot},
		{"torn", append(others(t), broken), ErrTorn},
	} {
		got, err := find(message(t, tt.records...), note)
		if !errors.Is(err, tt.want) || tt.want == nil && string(got) != "x" {
			t.Errorf("%s: %q, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	if _, err := find(message(t, unknown), "other.example:note"); !errors.Is(err, ErrNoSlot) {
		t.Errorf("a record without a type is the slot of another type: %v", err)
	}
}

// Chunked records of others stay as they are.
func TestSlotKeepsChunks(t *testing.T) {
	m := unhex(t, "B1 01 02 54 0265 36 00 01 6E 56 00 02 4869")
	s := areaOf(t, 144, "", m, "FE")
	if err := WriteSlot(t.Context(), s, nfc(), note, []byte("x"), Options{}); err != nil {
		t.Fatal(err)
	}
	records, err := ParseMessage(must[[]byte](t)(Message(s.area)))
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if text, err := records[0].Text(); err != nil || text != (Text{"en", "Hi"}) {
		t.Errorf("text %+v, %v", text, err)
	}
}

func TestUnformatted(t *testing.T) {
	plain := newShelf(144, "")
	plain.layout.NDEF, plain.layout.NDEFSize, plain.blank = false, 0, true
	garbage := newShelf(144, "AA FF FF FF FF")
	for name, s := range map[string]*shelf{"blank": plain, "garbage": garbage} {
		if _, err := ReadSlot(t.Context(), s, nfc(), note); !errors.Is(err, ErrNoSlot) {
			t.Errorf("%s: read: %v", name, err)
		}
		if err := WriteSlot(t.Context(), s, nfc(), note, []byte("x"), Options{}); !errors.Is(err, ErrUnformatted) {
			t.Errorf("%s: write: %v, want ErrUnformatted", name, err)
		}
		if err := WriteSlot(t.Context(), s, nfc(), note, []byte("x"), Options{Format: true}); err != nil {
			t.Errorf("%s: format: %v", name, err)
		}
		if got, err := ReadSlot(t.Context(), s, nfc(), note); err != nil || string(got) != "x" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Bytes that a control block sets apart are left alone.
func TestReservedBytes(t *testing.T) {
	s := newShelf(144, "0203 60 08 04 0300FE") // 8 bytes at 6*16 = 96 of the tag, 80 of the area
	var room *RoomError
	if err := WriteSlot(t.Context(), s, nfc(), note, payload(100, 1), Options{}); !errors.As(err, &room) || room.Have != 75 {
		t.Errorf("%v, want 75 bytes of room", err)
	}
	if err := WriteSlot(t.Context(), s, nfc(), note, payload(40, 1), Options{}); err != nil {
		t.Error(err)
	}
}

func TestPlainForm(t *testing.T) {
	tag := drivers.Tag{ID: "E280", Technology: drivers.Gen2}
	user := func(size int, begin string) *shelf {
		s := newShelf(size, begin)
		s.layout.NDEF, s.layout.NDEFSize, s.page = false, 0, 2
		return s
	}
	s := user(136, "")
	if _, err := ReadSlot(t.Context(), s, tag, note); !errors.Is(err, ErrNoSlot) {
		t.Errorf("blank: %v", err)
	}
	for n, seed := range []byte{1, 2} {
		for writes := 0; ; writes++ {
			old := bytes.Clone(s.area)
			s.writes = writes
			err := WriteSlot(t.Context(), s, tag, note, payload(128, seed), Options{})
			got, read := ReadSlot(t.Context(), s, tag, note)
			if !errors.Is(read, ErrNoSlot) && !bytes.Equal(got, payload(128, seed)) && (n == 0 || !bytes.Equal(got, payload(128, 1))) {
				t.Fatalf("torn after %d words: % x, %v", writes, got, read)
			}
			if err == nil {
				break
			}
			s.area = old
		}
	}
	var room *RoomError
	if err := WriteSlot(t.Context(), s, tag, note, payload(130, 1), Options{}); !errors.As(err, &room) || *room != (RoomError{136, 137}) {
		t.Errorf("too long: %v", err)
	}
	if err := WriteSlot(t.Context(), user(0, ""), tag, note, nil, Options{}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("no user bank: %v", err)
	}
	foreign := user(136, "4142434445")
	if err := WriteSlot(t.Context(), foreign, tag, note, nil, Options{}); !errors.Is(err, ErrUnformatted) {
		t.Errorf("foreign: %v", err)
	}
	if err := WriteSlot(t.Context(), foreign, tag, note, nil, Options{Format: true}); err != nil {
		t.Errorf("foreign, told: %v", err)
	}
	if _, err := ReadSlot(t.Context(), user(136, "5E FFFF"), tag, note); !errors.Is(err, ErrTorn) {
		t.Errorf("length beyond the end: %v", err)
	}
}

// No more of a large tag is read than what is used.
func TestReadsNoMoreThanNeeded(t *testing.T) {
	s := areaOf(t, 888, "", message(t, others(t)...), "FE")
	if _, err := ReadSlot(t.Context(), s, nfc(), note); !errors.Is(err, ErrNoSlot) || s.reads > firstRead {
		t.Errorf("%d bytes read, %v", s.reads, err)
	}
	big := must[Record](t)(NewMedia("application/cbor", payload(600, 1)))
	s = areaOf(t, 888, "", message(t, big), "FE")
	if err := WriteSlot(t.Context(), s, nfc(), note, payload(100, 2), Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSlot(t.Context(), s, nfc(), note); err != nil || !bytes.Equal(got, payload(100, 2)) {
		t.Errorf("% x, %v", got, err)
	}
}

// Whatever an area holds, a slot that is written can be read, or an error says
// why it was not written; others' bytes survive.
func FuzzSlot(f *testing.F) {
	for _, seed := range []string{
		factory213, "", "FE", "0300FE", "0303D00000FE", "030FD101 0B5402656E68656C6C6F20FE", "03FF0100FE", "AAFFFFFF", "FD0155 0300 FD0155FE",
		"03 0B B10102540265360001 6E FE", "0203600804 0300FE", "0305D5000141 FE",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		f.Add(b, 20, 3)
	}
	f.Fuzz(func(t *testing.T, begin []byte, n, torn int) {
		if n < 0 || n > 200 || len(begin) > 300 {
			return
		}
		s := newShelf(304, hex.EncodeToString(begin))
		s.writes = torn
		err := WriteSlot(t.Context(), s, nfc(), note, payload(n, 5), Options{})
		got, read := ReadSlot(t.Context(), s, nfc(), note)
		switch {
		case err == nil && !bytes.Equal(got, payload(n, 5)):
			t.Fatalf("wrote, then read % x, %v", got, read)
		case errors.Is(err, ErrUnformatted), errors.Is(err, ErrNoRoom):
			if !bytes.HasPrefix(s.area, begin) {
				t.Fatalf("%v, and yet something was written", err)
			}
		case err != nil && !errors.Is(err, drivers.ErrTagGone):
			t.Fatal(err)
		}
	})
}

// TestReadMessage reads what others have written beside a slot.
func TestReadMessage(t *testing.T) {
	ctx := context.Background()
	s := newShelf(144, "03 09 D1 01 05 54 02 65 6E 68 69 FE")
	if err := WriteSlot(ctx, s, drivers.Tag{}, note, []byte{1, 2, 3}, Options{}); err != nil {
		t.Fatal(err)
	}
	records, err := ReadMessage(ctx, s, drivers.Tag{})
	if err != nil || len(records) != 2 || !records[1].IsExternal(note) {
		t.Fatalf("got %+v, %v", records, err)
	}
	if text, err := records[0].Text(); err != nil || text.Text != "hi" {
		t.Errorf("got %+v, %v", text, err)
	}
	for _, tt := range []struct {
		name, begin string
		layout      bool
		want        error
	}{
		{"nothing", "FE", true, nil},
		{"an empty message", "03 00 FE", true, nil},
		{"nonsense", "03 04 00 00 00 00 FE", true, ErrMalformed},
		{"not laid out", "03 00 FE", false, ErrUnformatted},
	} {
		s := newShelf(48, tt.begin)
		s.layout.NDEF = tt.layout
		if records, err := ReadMessage(ctx, s, drivers.Tag{}); !errors.Is(err, tt.want) || records != nil {
			t.Errorf("%s: got %+v, %v", tt.name, records, err)
		}
	}
}
