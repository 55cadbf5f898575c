package pn532_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/ndef"
)

const note = "traveler.example:note"

// A note of 128 bytes on each tag that can hold one, blank as it comes from its
// maker, and again after it was formatted.
func TestSlotOnTags(t *testing.T) {
	for _, kind := range []string{"ntag213", "ntag215", "ntag216", "ultralightc", "classic1k", "classic4k"} {
		t.Run(kind, func(t *testing.T) {
			atDesk(t, func(t *testing.T, d *desk) {
				uid := uid7
				if strings.HasPrefix(kind, "classic") {
					uid = uid4
				}
				tag := d.present(uid, kind)
				for _, seed := range []byte{1, 2} {
					started := time.Now()
					if err := ndef.WriteSlot(t.Context(), d, tag, note, pattern(128, seed), ndef.Options{Format: true}); err != nil {
						t.Fatal(err)
					}
					t.Logf("written in %v", time.Since(started))
					started = time.Now()
					got, err := ndef.ReadSlot(t.Context(), d, tag, note)
					if err != nil || !bytes.Equal(got, pattern(128, seed)) {
						t.Fatalf("read % x, %v", got, err)
					}
					t.Logf("read in %v", time.Since(started))
				}
				d.quiet()
			})
		})
	}
}

func TestSlotDoesNotFit(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		tag := d.present(uid7, "ultralight")
		before, _ := d.device.Tags().Memory(uid7)
		err := ndef.WriteSlot(t.Context(), d, tag, note, pattern(128, 1), ndef.Options{Format: true})
		var room *ndef.RoomError
		if !errors.As(err, &room) || room.Have != 48 || room.Need != 137 {
			t.Errorf("%v, want that 137 bytes are needed and 48 are there", err)
		}
		if after, _ := d.device.Tags().Memory(uid7); !bytes.Equal(after, before) {
			t.Error("the tag was formatted for nothing")
		}
	})
}

// Wherever the tag is pulled away while a note is written, it holds the old
// note, the new one, or none.
func TestTornSlot(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		tag := d.present(uid7, "ntag213")
		old := pattern(100, 1)
		for n := 1; ; n++ {
			d.do("wipe " + uid7)
			if err := ndef.WriteSlot(t.Context(), d, tag, note, old, ndef.Options{}); err != nil {
				t.Fatal(err)
			}
			d.do(fmt.Sprintf("tear %s %d", uid7, n))
			err := ndef.WriteSlot(t.Context(), d, tag, note, pattern(100, 2), ndef.Options{})
			d.do(fmt.Sprintf("tear %s 0", uid7))
			got, read := ndef.ReadSlot(t.Context(), d, tag, note)
			if !errors.Is(read, ndef.ErrNoSlot) && !bytes.Equal(got, old) && !bytes.Equal(got, pattern(100, 2)) {
				t.Fatalf("torn at write %d (%v): % x, %v", n, err, got, read)
			}
			if n > 100 {
				break
			}
		}
	})
}

// A Classic that is formatted gives all sectors but the first to NDEF, and 16 on
// a large one to the second part of the directory.
func TestFormattedClassic(t *testing.T) {
	for kind, size := range map[string]int{"classic1k": 720, "classic4k": 3360} {
		t.Run(kind, func(t *testing.T) {
			atDesk(t, func(t *testing.T, d *desk) {
				tag := d.present(uid4, kind)
				if err := d.Format(t.Context(), tag); err != nil {
					t.Fatal(err)
				}
				l, err := d.Layout(t.Context(), tag)
				if err != nil || !l.NDEF || l.NDEFSize != size || l.Sizes[drivers.AreaUser] != size {
					t.Fatalf("layout %+v, %v; want NDEF of %d bytes", l, err, size)
				}
				d.readsAndWrites(tag, size)
				raw, err := d.device.Tags().Memory(uid4)
				if err != nil {
					t.Fatal(err)
				}
				// AN1305, 6.3: the directory and its trailer, and one of NDEF's.
				for at, want := range map[int]string{
					1*16 + 2: "\x03\xe1\x03\xe1",
					3 * 16:   "\xa0\xa1\xa2\xa3\xa4\xa5\x78\x77\x88" + map[string]string{"classic1k": "\xc1", "classic4k": "\xc2"}[kind] + "\xff\xff\xff\xff\xff\xff",
					7 * 16:   "\xd3\xf7\xd3\xf7\xd3\xf7\x7f\x07\x88\x40\xff\xff\xff\xff\xff\xff",
				} {
					if got := string(raw[at : at+len(want)]); got != want {
						t.Errorf("at %d % x, want % x", at, got, want)
					}
				}
				d.quiet()
			})
		})
	}
}

func TestLockedTags(t *testing.T) {
	for _, tt := range []struct {
		kind, uid, lock string
		off             int
	}{
		{"ntag213", uid7, "5", 4},
		{"ntag213", uid7, "30", 104},
		{"ntag215", uid7, "40", 144},
		{"ntag216", uid7, "200", 784},
		{"ultralight", uid7, "8", 16},
		{"ultralightc", uid7, "20", 64},
		{"classic1k", uid4, "8", 5 * 16},
	} {
		t.Run(fmt.Sprintf("%s page %s", tt.kind, tt.lock), func(t *testing.T) {
			atDesk(t, func(t *testing.T, d *desk) {
				tag := d.present(tt.uid, tt.kind)
				d.do("lock " + tt.uid + " " + tt.lock)
				before, _ := d.device.Tags().Memory(tt.uid)
				if err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, tt.off, []byte{1, 2, 3, 4}); !errors.Is(err, drivers.ErrLocked) {
					t.Errorf("%v, want ErrLocked", err)
				}
				if after, _ := d.device.Tags().Memory(tt.uid); !bytes.Equal(after, before) {
					t.Error("something was written")
				}
				if err := d.ReadMemory(t.Context(), tag, drivers.AreaUser, tt.off, make([]byte, 4)); err != nil {
					t.Errorf("read: %v", err)
				}
				d.quiet()
			})
		})
	}
}

// Sectors with keys of one's own open with those of the configuration, and not
// without.
func TestKeysOfTheConfiguration(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		tag := d.present(uid4, "classic1k")
		if err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(200, 1)); err != nil {
			t.Fatal(err)
		}
		d.do("write " + uid4 + " 7 010203040506FF078069010203040506")
		d.do("write " + uid4 + " 11 999999999999FF078069999999999999")
		got := make([]byte, 32+48)
		if err := d.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, got); err != nil || !bytes.Equal(got, pattern(80, 1)) {
			t.Errorf("% x, %v", got, err)
		}
		if err := d.ReadMemory(t.Context(), tag, drivers.AreaUser, 80, got[:1]); !errors.Is(err, drivers.ErrLocked) {
			t.Errorf("a sector with keys that nobody knows: %v, want ErrLocked", err)
		}
		d.quiet()
	})
}
