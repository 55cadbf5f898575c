package mfrc522

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/nfctag"
)

const (
	bigTag   = "04A1B2C3D4E580"
	smallTag = "DEADBEEF"
)

func tagNamed(t *testing.T, id string) drivers.Tag {
	t.Helper()
	tag, err := drivers.ParseTag(id, drivers.ISO14443A)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// withReader runs a reader in virtual time with tags in its field.
func withReader(t *testing.T, cfg Config, tags [][2]string, check func(t *testing.T, r *Reader, device *emulate.MFRC522, tags *emulate.Tags, events *followed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stock := emulate.NewTags()
		device := emulate.NewMFRC522(emulate.MFRC522Config{Tags: stock})
		cfg.Name, cfg.Open = "bench", device.Open
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		events := follow(t, r)
		events.expect(t, drivers.Up, "")
		for _, tag := range tags {
			if err := device.Present(tag[0], tag[1]); err != nil {
				t.Fatal(err)
			}
			events.expect(t, drivers.Arrived, tag[0])
		}
		check(t, r, device, stock, events)
	})
}

// Every kind of tag is read and written through the registers, at its beginning,
// its end and across pages and blocks; what lies beside stays.
func TestMemoryOfEveryKind(t *testing.T) {
	for _, tt := range []struct {
		id, kind string
		size     int
	}{
		{bigTag, "ultralight", 48},
		{bigTag, "ntag213", 144},
		{bigTag, "ntag215", 504},
		{bigTag, "ntag216", 888},
		{smallTag, "classic1k", 752},
		{bigTag, "classic1k", 752},
		{smallTag, "classic4k", 3440},
	} {
		t.Run(tt.kind+" "+tt.id, func(t *testing.T) {
			withReader(t, Config{}, [][2]string{{tt.id, tt.kind}}, func(t *testing.T, r *Reader, _ *emulate.MFRC522, _ *emulate.Tags, events *followed) {
				tag := tagNamed(t, tt.id)
				layout, err := r.Layout(t.Context(), tag)
				if err != nil || layout.Sizes[drivers.AreaUser] != tt.size {
					t.Fatalf("layout %+v, %v; want %d bytes", layout, err, tt.size)
				}
				whole := make([]byte, tt.size)
				for i := range whole {
					whole[i] = byte(i*7 + i/256)
				}
				must(t, r.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, whole))
				for _, off := range []int{0, 5, 14, 30, tt.size - 3} {
					must(t, r.WriteMemory(t.Context(), tag, drivers.AreaUser, off, []byte("abc")))
					copy(whole[off:], "abc")
				}
				got := make([]byte, tt.size)
				must(t, r.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, got))
				if !bytes.Equal(got, whole) {
					t.Errorf("read back\n% X\nwant\n% X", got, whole)
				}
				if err := r.ReadMemory(t.Context(), tag, drivers.AreaUser, tt.size, got[:1]); !errors.Is(err, drivers.ErrNoArea) {
					t.Errorf("read behind the end: %v, want ErrNoArea", err)
				}
				events.quiet(t, 2*time.Second) // the session goes on
				if len(events.faults) != 0 {
					t.Error(events.faults)
				}
			})
		})
	}
}

// Writing all of a Classic leaves its trailers and the manufacturer's block.
func TestTrailersAreLeftAlone(t *testing.T) {
	withReader(t, Config{}, [][2]string{{smallTag, "classic1k"}}, func(t *testing.T, r *Reader, _ *emulate.MFRC522, stock *emulate.Tags, _ *followed) {
		before, err := stock.Memory(smallTag)
		must(t, err)
		must(t, r.WriteMemory(t.Context(), tagNamed(t, smallTag), drivers.AreaUser, 0, bytes.Repeat([]byte{0x5A}, 752)))
		after, err := stock.Memory(smallTag)
		must(t, err)
		for block := range 64 {
			kept, b := block == 0 || block%4 == 3, 16*block
			if same := bytes.Equal(before[b:b+16], after[b:b+16]); same != kept {
				t.Errorf("block %d kept its value: %v, want %v", block, same, kept)
			}
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// With two tags in the field, the one that was named is written.
func TestMemoryOfTheRightTag(t *testing.T) {
	const other = "04A1B2C3D4E581"
	withReader(t, Config{}, [][2]string{{bigTag, "ntag213"}, {other, "ntag213"}, {smallTag, "classic1k"}}, func(t *testing.T, r *Reader, device *emulate.MFRC522, _ *emulate.Tags, events *followed) {
		for i, id := range []string{bigTag, other, smallTag} {
			must(t, r.WriteMemory(t.Context(), tagNamed(t, id), drivers.AreaUser, 16, fmt.Appendf(nil, "I am number %d", i)))
		}
		for i, id := range []string{bigTag, other, smallTag} {
			got := make([]byte, 13)
			must(t, r.ReadMemory(t.Context(), tagNamed(t, id), drivers.AreaUser, 16, got))
			if want := fmt.Sprintf("I am number %d", i); string(got) != want {
				t.Errorf("%s says %q, want %q", id, got, want)
			}
		}
		must(t, device.Remove(other))
		err := r.ReadMemory(t.Context(), tagNamed(t, other), drivers.AreaUser, 0, make([]byte, 4))
		if !errors.Is(err, drivers.ErrTagGone) {
			t.Errorf("read of a tag that has gone: %v, want ErrTagGone", err)
		}
		events.expect(t, drivers.Departed, other)
	})
}

func TestMemoryFailsClearly(t *testing.T) {
	withReader(t, Config{}, [][2]string{{bigTag, "ntag213"}}, func(t *testing.T, r *Reader, device *emulate.MFRC522, stock *emulate.Tags, events *followed) {
		tag := tagNamed(t, bigTag)
		must(t, device.Do("lock "+bigTag))
		if err := r.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, []byte("abcd")); !errors.Is(err, drivers.ErrLocked) {
			t.Errorf("write to a locked tag: %v, want ErrLocked", err)
		}
		must(t, device.Do("wipe "+bigTag))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.ReadMemory(ended, tag, drivers.AreaUser, 0, make([]byte, 4)); !errors.Is(err, context.Canceled) {
			t.Errorf("read under a context that has ended: %v", err)
		}
		device.Fault(emulate.FaultWeak, true) // every third command fails on its way
		must(t, r.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, []byte("in spite of everything")))
		device.Fault(emulate.FaultWeak, false)
		device.Fault(emulate.FaultGarbage, true)
		got := make([]byte, 22)
		for range 20 { // a third of all answers is damaged: it works or says so, and never lies
			err := r.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, got)
			if err == nil && string(got) != "in spite of everything" {
				t.Fatalf("read %q", got)
			}
		}
		device.Fault(emulate.FaultGarbage, false)
		must(t, device.Unplug())
		events.expect(t, drivers.Down, "")
		if err := r.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, got); !errors.Is(err, drivers.ErrDown) {
			t.Errorf("read without a chip: %v, want ErrDown", err)
		}
	})
}

// A power dip in the middle of a job ends it with an error; the reader goes on.
func TestPowerDipDuringAJob(t *testing.T) {
	withReader(t, Config{}, [][2]string{{smallTag, "classic4k"}}, func(t *testing.T, r *Reader, device *emulate.MFRC522, _ *emulate.Tags, events *followed) {
		tag, failed := tagNamed(t, smallTag), 0
		for i := range 40 {
			if i%4 == 1 {
				go func() { time.Sleep(30 * time.Millisecond); device.Fault(emulate.FaultForget, true) }()
			}
			if err := r.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, make([]byte, 480)); err != nil {
				failed++
			}
			time.Sleep(time.Second)
		}
		if failed == 0 || failed > 10 {
			t.Errorf("%d of 40 reads failed under 10 power dips", failed)
		}
		events.quiet(t, time.Second)
	})
}

// Keys of the configuration open what the public ones do not.
func TestKeys(t *testing.T) {
	key := nfctag.Key{1, 2, 3, 4, 5, 6}
	for _, known := range []bool{false, true} {
		cfg := Config{}
		if known {
			cfg.Keys = []nfctag.Key{key}
		}
		withReader(t, cfg, [][2]string{{smallTag, "classic1k"}}, func(t *testing.T, r *Reader, _ *emulate.MFRC522, stock *emulate.Tags, _ *followed) {
			trailer := append(append(key[:6:6], 0xFF, 0x07, 0x80, 0x69), key[:]...)
			must(t, stock.SetMemory(smallTag, 7, trailer))
			err := r.ReadMemory(t.Context(), tagNamed(t, smallTag), drivers.AreaUser, 32, make([]byte, 16))
			if known != (err == nil) || err != nil && !errors.Is(err, drivers.ErrLocked) {
				t.Errorf("key known %v: %v", known, err)
			}
		})
	}
}
