package nfctag_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestIdentification(t *testing.T) {
	blank := func(f *fake) *fake { clear(f.pages[12:16]); return f }
	for _, tt := range []struct {
		name     string
		tag      *fake
		kind     string
		size     int
		ndefSize int
	}{
		{"NTAG210", newFake(20, 0, 4, 4, 1, 1, 0, 0x0B, 3), "NTAG210", 48, 48},
		{"NTAG212", newFake(41, 0, 4, 4, 1, 1, 0, 0x0E, 3), "NTAG212", 128, 128},
		{"NTAG213", newFake(45, ntag213()...), "NTAG213", 144, 144},
		{"NTAG213, blank", blank(newFake(45, ntag213()...)), "NTAG213", 144, 0},
		{"NTAG I2C", newFake(60, 0, 4, 4, 5, 2, 1, 0x13, 3), "type 2 tag, version 00 04 04 05 02 01 13 03", 144, 144},
		{"unknown and blank", blank(newFake(20, 0, 9, 9, 9, 9, 9, 9, 9)), "type 2 tag, version 00 09 09 09 09 09 09 09", 48, 0},
		{"Ultralight", newFake(16), "MIFARE Ultralight", 48, 48},
		{"NTAG203", newFake(42), "NTAG203", 144, 144},
		{"Ultralight C", &fake{pages: newFake(44).pages, des: true}, "MIFARE Ultralight C", 144, 144},
		{"hardly heard", &fake{pages: newFake(45).pages, version: ntag213(), fails: 2}, "NTAG213", 144, 144},
	} {
		l, err := tt.tag.open().Layout(t.Context())
		if err != nil || l.Type != tt.kind || l.Sizes[drivers.AreaUser] != tt.size || l.NDEF != (tt.ndefSize > 0) || l.NDEFSize != tt.ndefSize {
			t.Errorf("%s: %+v, %v; want %s, %d bytes, %d for NDEF", tt.name, l, err, tt.kind, tt.size, tt.ndefSize)
		}
	}
	for _, sak := range []byte{0x20, 0x01, 0x10, 0xFF} {
		tag := nfctag.New(newFake(16), nfctag.Activation{SAK: sak}, nil)
		if _, err := tag.Layout(t.Context()); !errors.Is(err, drivers.ErrNoArea) {
			t.Errorf("SAK %02X: %v, want ErrNoArea", sak, err)
		}
	}
}

// A copy that knows its version and no FAST_READ is read page by page.
func TestReadsWithoutFastRead(t *testing.T) {
	for _, fast := range []bool{true, false} {
		f := newFake(45, ntag213()...)
		f.fast = fast
		for i := range f.pages[16:] {
			f.pages[16+i] = byte(i)
		}
		got := make([]byte, 100)
		if err := f.open().Read(t.Context(), 3, got); err != nil || !bytes.Equal(got, f.pages[19:119]) {
			t.Errorf("fast %v: % x, %v", fast, got, err)
		}
		reads := len(slices.DeleteFunc(f.log, func(c string) bool { return !strings.HasPrefix(c, "30") && !strings.HasPrefix(c, "3A") }))
		if fast && reads > 3 {
			t.Errorf("%d commands to read 26 pages, want the first look and two FAST_READ", reads)
		}
	}
}

func TestRefusalIsToldFromDeafness(t *testing.T) {
	guarded := newFake(45, ntag213()...)
	guarded.guarded = 20
	if err := guarded.open().Read(t.Context(), 100, make([]byte, 4)); !errors.Is(err, drivers.ErrLocked) {
		t.Errorf("behind a password: %v, want ErrLocked", err)
	}
	if err := guarded.open().Write(t.Context(), 100, make([]byte, 4)); !errors.Is(err, drivers.ErrLocked) {
		t.Errorf("write behind a password: %v, want ErrLocked", err)
	}
	deaf := newFake(45, ntag213()...)
	deaf.fails = 1
	if _, err := deaf.open().Layout(t.Context()); !errors.Is(err, drivers.ErrTagGone) {
		t.Errorf("a tag that hears nothing: %v, want ErrTagGone", err)
	}
	missed := newFake(45, ntag213()...)
	missed.fails, missed.deaf = 3, 2
	if err := missed.open().Write(t.Context(), 0, []byte("a tag that is missed now and then")); err != nil {
		t.Error(err)
	}
	gone := newFake(45, ntag213()...)
	tag := gone.open()
	if _, err := tag.Layout(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone.gone = true
	if err := tag.Read(t.Context(), 0, make([]byte, 4)); !errors.Is(err, drivers.ErrTagGone) {
		t.Errorf("gone: %v, want ErrTagGone", err)
	}
}

func TestWrites(t *testing.T) {
	forgets := newFake(45, ntag213()...)
	forgets.forgets = true
	if err := forgets.open().Write(t.Context(), 0, []byte{1}); !errors.Is(err, drivers.ErrUnverified) {
		t.Errorf("%v, want ErrUnverified", err)
	}
	f := newFake(45, ntag213()...)
	tag := f.open()
	if err := tag.Write(t.Context(), 3, []byte{1, 2, 3}); err != nil || !bytes.Equal(f.pages[16:24], []byte{0, 0, 0, 1, 2, 3, 0, 0}) {
		t.Errorf("% x, %v", f.pages[16:24], err)
	}
	f.log = nil
	if err := tag.Write(t.Context(), 0, []byte{0, 0, 0, 1, 2, 9}); err != nil {
		t.Error(err)
	}
	writes := slices.DeleteFunc(f.log, func(c string) bool { return !strings.HasPrefix(c, "A2") })
	if !slices.Equal(writes, []string{"A205"}) {
		t.Errorf("pages written: %v, want the one that differs", writes)
	}
}

func TestLocks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		at     int // byte of the tag
		value  byte
		off, n int
		locked bool
	}{
		{"page 4", 10, 0x10, 0, 4, true},
		{"page 4, beside it", 10, 0x10, 4, 4, false},
		{"page 15", 11, 0x80, 44, 4, true},
		{"page 15, across", 11, 0x80, 40, 10, true},
		{"pages 16 and 17", 160, 0x01, 48, 1, true},
		{"pages 16 and 17, behind", 160, 0x01, 56, 8, false},
		{"pages 38 and 39", 161, 0x08, 143, 1, true},
		{"container says so", 15, 0x0F, 0, 1, true},
	} {
		f := newFake(45, ntag213()...)
		f.pages[tt.at] = tt.value
		err := f.open().Write(t.Context(), tt.off, make([]byte, tt.n))
		if errors.Is(err, drivers.ErrLocked) != tt.locked || !tt.locked && err != nil {
			t.Errorf("%s: %v, want locked %v", tt.name, err, tt.locked)
		}
	}
}

func TestFormatType2(t *testing.T) {
	for _, tt := range []struct {
		name      string
		tag       *fake
		container []byte
		want      error
	}{
		{"blank Ultralight", newFake(16), []byte{0, 0, 0, 0}, nil},
		{"blank NTAG213", newFake(45, ntag213()...), []byte{0, 0, 0, 0}, nil},
		{"formatted", newFake(45, ntag213()...), []byte{0xE1, 0x10, 0x12, 0}, nil},
		{"used for something else", newFake(16), []byte{0x55, 0, 0, 0}, drivers.ErrLocked},
		{"unknown chip", newFake(20, 0, 9, 9, 9, 9, 9, 9, 9), []byte{0, 0, 0, 0}, drivers.ErrNoArea},
	} {
		copy(tt.tag.pages[12:], tt.container)
		tag := tt.tag.open()
		err := tag.Format(t.Context())
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if l, bad := tag.Layout(t.Context()); tt.want == nil && (bad != nil || !l.NDEF || !bytes.HasPrefix(tt.tag.pages[16:], []byte{3, 0, 0xFE})) {
			t.Errorf("%s: %+v, %v, % x", tt.name, l, bad, tt.tag.pages[12:20])
		}
	}
}

func TestClassicWithDirectory(t *testing.T) {
	// AN10787, 3.7: the directory of the example, with checksum 89.
	example := []byte{
		0x89, 0x01, 0x01, 0x08, 0x01, 0x08, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
		0x03, 0x10, 0x03, 0x10, 0x02, 0x10, 0x02, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x11, 0x30,
	}
	with := func(mad []byte) *classicFake {
		c := newClassicFake(64, nfctag.KeyFactory)
		copy(c.blocks[1][:], mad[:16])
		copy(c.blocks[2][:], mad[16:])
		c.blocks[3][9] = 0xC1
		return c
	}
	l, err := with(example).open(0x08).Layout(t.Context())
	if err != nil || l.NDEF || l.Sizes[drivers.AreaUser] != 6*48 {
		t.Errorf("directory of others: %+v, %v; want the six sectors that are free", l, err)
	}
	if err := with(example).open(0x08).Format(t.Context()); !errors.Is(err, drivers.ErrLocked) {
		t.Errorf("format: %v, want ErrLocked", err)
	}
	c := with(example)
	if err := c.open(0x08).Write(t.Context(), 0, []byte{1}); err != nil || c.blocks[16][0] != 1 {
		t.Errorf("the first free sector is not 4: %v", err)
	}
	broken := slices.Clone(example)
	broken[5] ^= 1
	l, err = with(broken).open(0x08).Layout(t.Context())
	if err != nil || len(l.Sizes) != 0 {
		t.Errorf("damaged directory: %+v, %v; want no area", l, err)
	}
	if err := with(broken).open(0x08).Format(t.Context()); !errors.Is(err, drivers.ErrLocked) {
		t.Errorf("format of a damaged directory: %v, want ErrLocked", err)
	}
}

func TestClassicKeys(t *testing.T) {
	own := nfctag.Key{1, 2, 3, 4, 5, 6}
	c := newClassicFake(20, own)
	l, err := c.open(0x09).Layout(t.Context())
	if err != nil || l.Type != "MIFARE Mini" || len(l.Sizes) != 0 {
		t.Errorf("unknown key: %+v, %v; want no area", l, err)
	}
	if err := c.open(0x09).Read(t.Context(), 0, make([]byte, 1)); !errors.Is(err, drivers.ErrNoArea) {
		t.Errorf("unknown key: %v, want ErrNoArea", err)
	}
	tag := c.open(0x09, own)
	if l, err = tag.Layout(t.Context()); err != nil || l.Sizes[drivers.AreaUser] != 14*16 {
		t.Errorf("known key: %+v, %v; want 14 blocks", l, err)
	}
	if err := tag.Write(t.Context(), 30, []byte{1, 2, 3, 4}); err != nil || c.blocks[2][14] != 1 || c.blocks[4][1] != 4 {
		t.Errorf("across a trailer: %v, % x", err, c.blocks[2:5])
	}
	if err := tag.Format(t.Context()); err != nil {
		t.Errorf("format: %v", err)
	}
}

// Requests end when the reader goes down, whether they wait or come later.
func TestMemoryOfAReaderThatGoesDown(t *testing.T) {
	m := nfctag.NewMemory("bench", nil)
	down := m.Open()
	failed := make(chan error)
	go func() {
		_, err := m.Layout(context.Background(), drivers.Tag{ID: "04A1B2C3D4E580", Technology: drivers.ISO14443A})
		failed <- err
	}()
	time.Sleep(10 * time.Millisecond) // long enough, usually, for the request to wait; it fails either way
	down()
	down()
	if err := <-failed; !errors.Is(err, drivers.ErrDown) {
		t.Errorf("%v, want ErrDown", err)
	}
}

// Trouble of the chip reaches the driver, and who asked is told what it means.
func TestTroubleOfTheChip(t *testing.T) {
	cause := errors.New("wire broke")
	for _, tt := range []struct{ chip, asked error }{
		{cause, drivers.ErrDown},
		{drivers.ErrSilent, drivers.ErrSilent},
		{drivers.ErrProtocol, drivers.ErrProtocol},
		{drivers.ErrTagGone, nil},
	} {
		m := nfctag.NewMemory("bench", nil)
		down := m.Open()
		trouble := make(chan error)
		go func() {
			trouble <- (<-m.Jobs()).Do(context.Background(), func(context.Context, []byte) (nfctag.Chip, nfctag.Activation, error) {
				return nil, nfctag.Activation{}, tt.chip
			})
		}()
		_, err := m.Layout(t.Context(), drivers.Tag{ID: "04A1B2C3D4E580", Technology: drivers.ISO14443A})
		got := <-trouble
		if tt.asked == nil && (got != nil || !errors.Is(err, tt.chip)) || tt.asked != nil && (!errors.Is(got, tt.chip) || !errors.Is(err, tt.asked)) {
			t.Errorf("%v: the driver got %v, who asked %v", tt.chip, got, err)
		}
		down()
	}
}

// parrot answers with what the fuzzer gives, a length byte in front of each.
type parrot struct{ answers []byte }

func (p *parrot) next() ([]byte, error) {
	if len(p.answers) == 0 {
		return nil, drivers.ErrTagGone
	}
	n := min(int(p.answers[0]), len(p.answers)-1)
	answer := p.answers[1 : 1+n]
	p.answers = p.answers[1+n:]
	if n == 1 {
		return nil, nfctag.ErrUnanswered
	}
	return answer, nil
}

func (p *parrot) Exchange(context.Context, []byte) ([]byte, error) { return p.next() }
func (p *parrot) Reselect(context.Context) error                   { return nil }
func (p *parrot) Authenticate(context.Context, byte, nfctag.KeyKind, nfctag.Key) error {
	return nil
}

// Whatever a tag answers, nothing panics, and errors are those that were
// promised.
func FuzzTag(f *testing.F) {
	version := append([]byte{8}, ntag213()...)
	head := append([]byte{16}, newFake(16).pages[:16]...)
	f.Add(byte(0x00), slices.Concat(version, head, head, head, head), 0, 20)
	f.Add(byte(0x00), slices.Concat([]byte{1, 0, 1, 0, 1, 0, 1, 0}, head, head, head), 10, 5)
	f.Add(byte(0x08), slices.Concat(head, head, head, head), 0, 16)
	f.Add(byte(0x18), slices.Concat([]byte{16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xC2, 0, 0, 0, 0, 0, 0}, head, head, head), 0, 40)
	f.Fuzz(func(t *testing.T, sak byte, answers []byte, off, n int) {
		if n < 0 || n > 4096 {
			return
		}
		tag := nfctag.New(&parrot{answers}, nfctag.Activation{SAK: sak, Longest: 64}, nil)
		l, err := tag.Layout(t.Context())
		errs := []error{err, tag.Read(t.Context(), off, make([]byte, n)), tag.Write(t.Context(), off, make([]byte, n)), tag.Format(t.Context())}
		for _, err := range errs {
			known := slices.ContainsFunc([]error{nil, drivers.ErrTagGone, drivers.ErrNoArea, drivers.ErrLocked, drivers.ErrUnverified, nfctag.ErrUnanswered},
				func(of error) bool { return errors.Is(err, of) })
			if !known {
				t.Fatal(err)
			}
		}
		if size := l.Sizes[drivers.AreaUser]; size < 0 || size > 3440 || l.NDEFSize > size {
			t.Fatalf("layout %+v", l)
		}
	})
}
