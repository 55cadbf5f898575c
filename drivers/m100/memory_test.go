package m100_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/m100"
)

func (f *floor) tag(epc string) drivers.Tag {
	return drivers.Tag{ID: epc, Technology: drivers.Gen2}
}

// arrive presents a tag of a chip and waits for it.
func (f *floor) arrive(epc, chip string) drivers.Tag {
	f.Helper()
	f.do("present " + epc + " " + chip)
	return f.expect(drivers.Arrived, epc).Tag
}

func (f *floor) bank(epc, name string) []byte {
	f.Helper()
	b, err := f.device.Bank(epc, name)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 0xBB) // begins with a header
	}
	return b
}

func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		chip, name               string
		epc, tid, user, reserved int
	}{
		{"monza-r6", "Impinj Monza R6", 16, 12, 0, 0},
		{"monza-r6p", "Impinj Monza R6-P", 20, 12, 8, 8},
		{"monza-4qt", "Impinj Monza 4QT", 20, 24, 64, 8},
		{"monza-4e", "Impinj Monza 4E", 66, 12, 16, 8},
		{"monza-x8k", "Impinj Monza X-8K", 20, 12, 1024, 8},
		{"m730", "Impinj M730", 20, 12, 0, 4},
		{"higgs-3", "Alien Higgs-3", 16, 24, 64, 8},
		{"higgs-9", "Alien Higgs-9", 16, 40, 86, 8},
		{"ucode-8", "NXP UCODE 8", 20, 12, 0, 8},
		{"ucode-9", "NXP UCODE 9", 16, 12, 0, 4},
		{"ucode-7xm-1k", "NXP UCODE 7xm-1K", 60, 12, 128, 8},
		{"ucode-7xm-2k", "NXP UCODE 7xm-2K", 60, 12, 256, 8},
		{"ucode-dna", "NXP UCODE DNA", 32, 12, 384, 8},
	} {
		t.Run(tt.chip, func(t *testing.T) {
			onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
				tag := f.arrive(itemEPC, tt.chip)
				l, err := f.reader.Layout(f.Context(), tag)
				want := map[drivers.Area]int{drivers.AreaEPC: tt.epc, drivers.AreaTID: tt.tid, drivers.AreaUser: tt.user, drivers.AreaReserved: tt.reserved}
				maps.DeleteFunc(want, func(_ drivers.Area, n int) bool { return n == 0 })
				if err != nil || l.Type != tt.name || !maps.Equal(l.Sizes, want) || l.NDEF {
					f.Errorf("layout %+v (%v), want %s with %v", l, err, tt.name, want)
				}
				f.quiet(3 * time.Second) // its session goes on
			})
		})
	}
}

func TestMemoryIsWrittenAndReadBack(t *testing.T) {
	for name, aa := range framings {
		for _, tt := range []struct {
			chip      string
			off, size int
		}{
			{"ucode-7xm-2k", 0, 256},
			{"ucode-7xm-1k", 0, 128},
			{"monza-x8k", 100, 900},
			{"higgs-9", 0, 86},
			{"ucode-7xm-1k", 1, 1},
			{"ucode-7xm-1k", 3, 2},
			{"ucode-7xm-1k", 63, 3},
			{"higgs-3", 62, 2},
			{"higgs-3", 61, 3},
			{"monza-r6p", 0, 8},
			{"monza-r6p", 7, 1},
			{"monza-r6p", 0, 0},
		} {
			t.Run(fmt.Sprintf("%s/%s %d at %d", name, tt.chip, tt.size, tt.off), func(t *testing.T) {
				onFloor(t, emulate.M100Config{AA: aa}, m100.Config{}, func(f *floor) {
					f.arrive(otherEPC, "higgs-9")
					tag := f.arrive(itemEPC, tt.chip)
					want := f.bank(itemEPC, "user")
					data := pattern(tt.size)
					copy(want[tt.off:], data)
					if err := f.reader.WriteMemory(f.Context(), tag, drivers.AreaUser, tt.off, data); err != nil {
						f.Fatal(err)
					}
					if got := f.bank(itemEPC, "user"); !bytes.Equal(got, want) {
						f.Errorf("the tag holds % x, want % x", got, want)
					}
					got := make([]byte, tt.size)
					if err := f.reader.ReadMemory(f.Context(), tag, drivers.AreaUser, tt.off, got); err != nil || !bytes.Equal(got, data) {
						f.Errorf("read % x (%v), want % x", got, err, data)
					}
					if other := f.bank(otherEPC, "user"); !bytes.Equal(other, make([]byte, 86)) {
						f.Errorf("the other tag was written: % x", other)
					}
					f.quiet(3 * time.Second)
				})
			})
		}
	}
}

// The frames of reading and writing, byte for byte those of the documents.
func TestMemoryFrames(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{Access: 0x0000FFFF}, func(f *floor) {
		tag := f.arrive(otherEPC, "higgs-3")
		f.do("password " + otherEPC + " 0000ffff")
		f.frames()
		if err := f.reader.WriteMemory(f.Context(), tag, drivers.AreaUser, 0, []byte{0x12, 0x34, 0x56, 0x78}); err != nil {
			f.Fatal(err)
		}
		const choose = "B0.0c.01000000206000" + "30751feb705c5904e3d50d70" + " B0.12.02 "
		want := "B0.28. " + choose + "B0.49.0000ffff030000000212345678 " + choose + "B0.39.0000ffff0300000002 B0.27.22ffff"
		if got := f.frames(); got != want {
			f.Errorf("the host said\n%s, want\n%s", got, want)
		}
	})
}

func TestMemoryRefusals(t *testing.T) {
	user, tid, epc, reserved := drivers.AreaUser, drivers.AreaTID, drivers.AreaEPC, drivers.AreaReserved
	for _, tt := range []struct {
		name, chip string
		before     []string
		write      bool
		area       drivers.Area
		off, size  int
		access     uint32
		want       error
		words      string
	}{
		{"no user bank", "monza-r6", nil, false, user, 0, 2, 0, drivers.ErrNoArea, "read refused by the tag: no such memory (A3)"},
		{"no user bank to write", "ucode-8", nil, true, user, 0, 2, 0, drivers.ErrNoArea, "write refused by the tag: no such memory (B3)"},
		{"beyond the end", "ucode-7xm-1k", nil, false, user, 127, 2, 0, drivers.ErrNoArea, "2 bytes at 127 of user"},
		{"before the beginning", "ucode-7xm-1k", nil, false, user, -1, 2, 0, drivers.ErrNoArea, "no tag has bytes -1 to 1"},
		{"far beyond", "ucode-7xm-1k", nil, false, user, 1 << 20, 2, 0, drivers.ErrNoArea, "no tag has bytes"},
		{"area of another technology", "ucode-7xm-1k", nil, false, "sector", 0, 2, 0, drivers.ErrNoArea, `no area "sector"`},
		{"locked", "higgs-9", []string{"lock " + itemEPC + " user"}, true, user, 0, 2, 0, drivers.ErrLocked, "(B4)"},
		{"locked may be read", "higgs-9", []string{"lock " + itemEPC + " user"}, false, user, 0, 2, 0, nil, ""},
		{"locked, right password", "higgs-9", []string{"lock " + itemEPC + " user", "password " + itemEPC + " 12345678"}, true, user, 0, 2, 0x12345678, nil, ""},
		{"locked, wrong password", "higgs-9", []string{"lock " + itemEPC + " user", "password " + itemEPC + " 12345678"}, true, user, 0, 2, 0x12345679, drivers.ErrLocked, "the password is wrong (16)"},
		{"passwords locked", "higgs-9", []string{"lock " + itemEPC + " reserved"}, false, reserved, 0, 4, 0, drivers.ErrLocked, "(A4)"},
		{"chip's own number", "higgs-9", nil, true, tid, 0, 4, 0, drivers.ErrLocked, "(B4)"},
		{"CRC", "higgs-9", nil, true, epc, 0, 2, 0, drivers.ErrLocked, "(B4)"},
		{"too far to write", "higgs-9", []string{"rssi " + itemEPC + " -75"}, true, user, 0, 2, 0, drivers.ErrUnverified, "not enough power"},
		{"too far to write, but not to read", "higgs-9", []string{"rssi " + itemEPC + " -75"}, false, user, 0, 2, 0, nil, ""},
		{"weak", "higgs-9", []string{"fault weak"}, false, user, 0, 2, 0, nil, ""},
		{"gone", "higgs-9", []string{"remove " + itemEPC}, false, user, 0, 2, 0, drivers.ErrTagGone, "no tag answered (09)"},
		{"gone before it was written", "higgs-9", []string{"remove " + itemEPC}, true, user, 0, 2, 0, drivers.ErrTagGone, "no tag answered (10)"},
		{"gone, another is there", "higgs-9", []string{"remove " + itemEPC, "present " + otherEPC + " higgs-9"}, false, user, 0, 2, 0, drivers.ErrTagGone, "(09)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onFloor(t, emulate.M100Config{}, m100.Config{Access: tt.access}, func(f *floor) {
				tag := f.arrive(itemEPC, tt.chip)
				f.do(tt.before...)
				var err error
				if tt.write {
					err = f.reader.WriteMemory(f.Context(), tag, tt.area, tt.off, pattern(tt.size))
				} else {
					err = f.reader.ReadMemory(f.Context(), tag, tt.area, tt.off, make([]byte, tt.size))
				}
				if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.words) {
					f.Errorf("%v, want %v: %s", err, tt.want, tt.words)
				}
			})
		})
	}
}

// A write that breaks off is written again; the words are whole either way.
func TestTornWriteIsRepeated(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
		tag := f.arrive(itemEPC, "ucode-7xm-2k")
		f.do("fault torn-write")
		data := pattern(128)
		if err := f.reader.WriteMemory(f.Context(), tag, drivers.AreaUser, 0, data); err != nil {
			f.Fatal(err)
		}
		if got := f.bank(itemEPC, "user")[:128]; !bytes.Equal(got, data) {
			f.Errorf("the tag holds % x", got)
		}
	})
}

// Two tags whose EPCs begin alike for longer than one mask can tell.
func TestLongTwinsAreToldApart(t *testing.T) {
	begin := strings.Repeat("AB", 31)
	onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
		a, b := f.arrive(begin+"01", "monza-4e"), f.arrive(begin+"02", "monza-4e")
		var told []error
		for _, tag := range []drivers.Tag{a, b} {
			told = append(told, f.reader.WriteMemory(f.Context(), tag, drivers.AreaUser, 0, []byte(tag.ID[62:64])))
		}
		// The emulated module answers with the stronger, that is the first.
		if told[0] != nil || !errors.Is(told[1], drivers.ErrTagGone) || !strings.Contains(told[1].Error(), "answered in its place") {
			f.Errorf("wrote with %v", told)
		}
		f.do("rssi " + b.ID + " -40")
		if err := f.reader.WriteMemory(f.Context(), b, drivers.AreaUser, 0, []byte(b.ID[62:64])); err != nil {
			f.Error(err)
		}
	})
}

func TestNewEPCMakesAnotherTag(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
		tag := f.arrive(itemEPC, "ucode-7xm-2k")
		fresh := unhex(t, otherEPC)
		if err := f.reader.WriteMemory(f.Context(), tag, drivers.AreaEPC, 4, fresh); err != nil {
			f.Fatal(err)
		}
		f.expect(drivers.Arrived, otherEPC)
		f.expect(drivers.Departed, itemEPC)
		longer := append([]byte{0x44, 0x00}, append(fresh, 1, 2, 3, 4)...) // PC of 8 words
		if err := f.reader.WriteMemory(f.Context(), f.tag(otherEPC), drivers.AreaEPC, 2, longer); err != nil {
			f.Fatal(err)
		}
		f.expect(drivers.Arrived, otherEPC+"01020304")
		f.expect(drivers.Departed, otherEPC)
		if err := f.reader.WriteMemory(f.Context(), f.tag(otherEPC+"01020304"), drivers.AreaEPC, 2, []byte{0x54, 0x00}); !errors.Is(err, drivers.ErrUnverified) {
			f.Errorf("a PC that announces what nobody wrote: %v", err)
		}
	})
}

func TestMemoryWhileDown(t *testing.T) {
	onFloor(t, emulate.M100Config{}, m100.Config{}, func(f *floor) {
		tag := f.arrive(itemEPC, "higgs-9")
		if err := f.plug(false); err != nil {
			f.Fatal(err)
		}
		f.expect(drivers.Down, "")
		if _, err := f.reader.Layout(f.Context(), tag); !errors.Is(err, drivers.ErrDown) {
			f.Errorf("%v, want that it is down", err)
		}
		if err := f.plug(true); err != nil {
			f.Fatal(err)
		}
		f.expect(drivers.Up, "")
		f.do("fault silence")
		ctx, cancel := context.WithTimeout(f.Context(), 100*time.Millisecond)
		defer cancel()
		err := f.reader.ReadMemory(ctx, tag, drivers.AreaUser, 0, make([]byte, 2))
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, drivers.ErrDown) && !errors.Is(err, drivers.ErrSilent) {
			f.Errorf("read of a silent module: %v", err)
		}
		if err := f.reader.ReadMemory(f.Context(), drivers.Tag{ID: "04A1B2C3D4E580", Technology: drivers.ISO14443A}, drivers.AreaUser, 0, nil); err == nil {
			f.Error("a tag of another reader was read")
		}
	})
}

// Memory is read and written through every hardship of the line.
func TestMemoryThroughHardships(t *testing.T) {
	for _, fault := range []string{
		emulate.FaultFragment, emulate.FaultDelay, emulate.FaultGarbage, emulate.FaultChecksum,
		emulate.FaultForget, emulate.FaultReset, emulate.FaultNeighbour,
	} {
		t.Run(fault, func(t *testing.T) {
			onFloor(t, emulate.M100Config{}, m100.Config{Power: 2500, Filter: m100.Filter{MinRSSI: -70}}, func(f *floor) {
				tag := f.arrive(itemEPC, "ucode-7xm-2k")
				f.do("fault " + fault)
				data := pattern(200)
				if err := f.reader.WriteMemory(f.Context(), tag, drivers.AreaUser, 10, data); err != nil {
					f.Fatal(err)
				}
				got := make([]byte, len(data))
				if err := f.reader.ReadMemory(f.Context(), tag, drivers.AreaUser, 10, got); err != nil || !bytes.Equal(got, data) {
					f.Errorf("read % x, %v", got, err)
				}
			})
		})
	}
}
