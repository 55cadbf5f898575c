package pn532_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/nfctag"
	"traveler.example/drivers/pn532"
)

const (
	uid7 = "04A1B2C3D4E580"
	uid4 = "1A2B3C4D"
)

var _ drivers.Memory = (*pn532.Reader)(nil)

// desk is a running reader with an emulated chip.
type desk struct {
	*pn532.Reader
	t      *testing.T
	device *emulate.PN532
	events chan drivers.Event
	stop   func()
}

// atDesk runs fn beside a reader on a cable in memory, in virtual time.
func atDesk(t *testing.T, fn func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewPN532(emulate.PN532Config{Paced: true})
		b := &bench{device: device}
		d := runDesk(t, device, b.open)
		defer func() { d.stop(); b.plug(false); b.wait.Wait() }()
		fn(t, d)
	})
}

func runDesk(t *testing.T, device *emulate.PN532, open drivers.Opener) *desk {
	reader, err := pn532.New(pn532.Config{Name: "desk", Open: open, Keys: []nfctag.Key{{1, 2, 3, 4, 5, 6}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d := &desk{Reader: reader, t: t, device: device, events: make(chan drivers.Event, 64)}
	ended := make(chan struct{})
	go func() { defer close(ended); reader.Run(ctx, d.events) }()
	d.stop = func() { cancel(); <-ended }
	d.expect(drivers.Up)
	return d
}

func (d *desk) expect(k drivers.Kind) {
	d.t.Helper()
	select {
	case e := <-d.events:
		if e.Kind != k {
			d.t.Fatalf("event %v %v (%v), want %v", e.Kind, e.Tag, e.Err, k)
		}
	case <-time.After(30 * time.Second):
		d.t.Fatalf("no event, want %v", k)
	}
}

// quiet makes sure that no tag came or went meanwhile.
func (d *desk) quiet() {
	d.t.Helper()
	for {
		select {
		case e := <-d.events:
			if e.Kind != drivers.Fault {
				d.t.Fatalf("event %v %v (%v), want none", e.Kind, e.Tag, e.Err)
			}
		default:
			return
		}
	}
}

func (d *desk) present(uid, kind string) drivers.Tag {
	d.t.Helper()
	if err := d.device.Present(uid, kind); err != nil {
		d.t.Fatal(err)
	}
	d.expect(drivers.Arrived)
	return tagOf(uid)
}

func tagOf(uid string) drivers.Tag { return drivers.Tag{ID: uid, Technology: drivers.ISO14443A} }

func (d *desk) do(command string) {
	d.t.Helper()
	if err := d.device.Do(command); err != nil {
		d.t.Fatal(err)
	}
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*3 + seed
	}
	return b
}

func TestMemoryOfTags(t *testing.T) {
	for _, tt := range []struct {
		kind, uid string
		want      drivers.Layout
		size      int
	}{
		{"ntag213", uid7, drivers.Layout{Type: "NTAG213", NDEF: true, NDEFSize: 144}, 144},
		{"ntag215", uid7, drivers.Layout{Type: "NTAG215", NDEF: true, NDEFSize: 496}, 504},
		{"ntag216", uid7, drivers.Layout{Type: "NTAG216", NDEF: true, NDEFSize: 872}, 888},
		{"ultralight", uid7, drivers.Layout{Type: "MIFARE Ultralight"}, 48},
		{"ultralightc", uid7, drivers.Layout{Type: "MIFARE Ultralight C"}, 144},
		{"ultralightev1", uid7, drivers.Layout{Type: "MIFARE Ultralight EV1 MF0UL11"}, 48},
		{"ultralightev1-128", uid7, drivers.Layout{Type: "MIFARE Ultralight EV1 MF0UL21"}, 128},
		{"classic1k", uid4, drivers.Layout{Type: "MIFARE Classic 1K"}, 752},
		{"classic1k", uid7, drivers.Layout{Type: "MIFARE Classic 1K"}, 752},
		{"classic4k", uid4, drivers.Layout{Type: "MIFARE Classic 4K"}, 3440},
	} {
		t.Run(tt.kind+" "+tt.uid, func(t *testing.T) {
			atDesk(t, func(t *testing.T, d *desk) {
				tag := d.present(tt.uid, tt.kind)
				l, err := d.Layout(t.Context(), tag)
				if err != nil || l.Type != tt.want.Type || l.Sizes[drivers.AreaUser] != tt.size {
					t.Fatalf("layout %+v, %v; want %s of %d bytes", l, err, tt.want.Type, tt.size)
				}
				if tt.want.NDEF && (l.NDEF != tt.want.NDEF || l.NDEFSize != tt.want.NDEFSize) {
					t.Errorf("layout %+v, want NDEF of %d bytes", l, tt.want.NDEFSize)
				}
				d.readsAndWrites(tag, tt.size)
				d.quiet()
			})
		})
	}
}

// readsAndWrites writes all of the user area, then parts of it, and makes sure
// that nothing else changes.
func (d *desk) readsAndWrites(tag drivers.Tag, size int) {
	d.t.Helper()
	ctx, want := d.t.Context(), pattern(size, 1)
	if err := d.WriteMemory(ctx, tag, drivers.AreaUser, 0, want); err != nil {
		d.t.Fatalf("write all: %v", err)
	}
	for _, part := range [][2]int{{1, 2}, {3, 5}, {15, 18}, {size - 1, 1}, {size - 17, 16}, {0, 4}} {
		off, n := part[0], part[1]
		copy(want[off:], pattern(n, 0x80))
		if err := d.WriteMemory(ctx, tag, drivers.AreaUser, off, pattern(n, 0x80)); err != nil {
			d.t.Fatalf("write %d bytes at %d: %v", n, off, err)
		}
		got := make([]byte, n)
		if err := d.ReadMemory(ctx, tag, drivers.AreaUser, off, got); err != nil || !bytes.Equal(got, pattern(n, 0x80)) {
			d.t.Fatalf("read %d bytes at %d: % x, %v", n, off, got, err)
		}
	}
	got := make([]byte, size)
	if err := d.ReadMemory(ctx, tag, drivers.AreaUser, 0, got); err != nil || !bytes.Equal(got, want) {
		d.t.Fatalf("all: % x, %v; want % x", got, err, want)
	}
	for _, part := range [][2]int{{size, 1}, {0, size + 1}, {-1, 1}, {size + 1, 0}} {
		if err := d.ReadMemory(ctx, tag, drivers.AreaUser, part[0], make([]byte, part[1])); !errors.Is(err, drivers.ErrNoArea) {
			d.t.Errorf("read %d bytes at %d: %v, want ErrNoArea", part[1], part[0], err)
		}
		if err := d.WriteMemory(ctx, tag, drivers.AreaUser, part[0], make([]byte, part[1])); !errors.Is(err, drivers.ErrNoArea) {
			d.t.Errorf("write %d bytes at %d: %v, want ErrNoArea", part[1], part[0], err)
		}
	}
	if err := d.ReadMemory(ctx, tag, drivers.AreaUser, size, nil); err != nil {
		d.t.Errorf("read nothing at the end: %v", err)
	}
}

func TestTagPulledAway(t *testing.T) {
	for _, kind := range []string{"ntag216", "classic1k"} {
		t.Run(kind, func(t *testing.T) {
			atDesk(t, func(t *testing.T, d *desk) {
				uid := map[string]string{"ntag216": uid7, "classic1k": uid4}[kind]
				tag := d.present(uid, kind)
				time.AfterFunc(300*time.Millisecond, func() { d.device.Remove(uid) })
				if err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(700, 1)); !errors.Is(err, drivers.ErrTagGone) {
					t.Errorf("%v, want ErrTagGone", err)
				}
				if _, err := d.Layout(t.Context(), tag); !errors.Is(err, drivers.ErrTagGone) {
					t.Errorf("layout: %v, want ErrTagGone", err)
				}
				d.expect(drivers.Departed)
			})
		})
	}
}

// With two tags in the field, each gets what is meant for it.
func TestTwoTagsAreToldApart(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		a, b := d.present(uid7, "ntag213"), d.present("04112233445566", "ntag215")
		for i, tag := range []drivers.Tag{a, b} {
			if err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(100, byte(i))); err != nil {
				t.Fatal(err)
			}
		}
		for i, tag := range []drivers.Tag{a, b} {
			got := make([]byte, 100)
			if err := d.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, got); err != nil || !bytes.Equal(got, pattern(100, byte(i))) {
				t.Errorf("%s: % x, %v", tag, got, err)
			}
		}
		if _, err := d.Layout(t.Context(), tagOf("04998877665544")); !errors.Is(err, drivers.ErrTagGone) {
			t.Errorf("a tag that is not there: %v", err)
		}
		d.quiet()
	})
}

// A tag that hardly answers, and a reader that misses it every other time, are
// no reason to give up.
func TestMemoryThroughHardships(t *testing.T) {
	for _, fault := range []string{
		emulate.FaultWeak, emulate.FaultFlicker, emulate.FaultDropAck, emulate.FaultChecksum, emulate.FaultGarbage,
		emulate.FaultFragment, emulate.FaultDelay, emulate.FaultForget, emulate.FaultReset, emulate.FaultStale,
	} {
		for kind, uid := range map[string]string{"ntag213": uid7, "classic1k": uid4} {
			t.Run(fault+" "+kind, func(t *testing.T) {
				atDesk(t, func(t *testing.T, d *desk) {
					tag := d.present(uid, kind)
					if err := d.device.Fault(fault, true); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, 100)
					for range 3 { // a fault that happens once fails one request at most
						err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(100, 1))
						if err == nil {
							err = d.ReadMemory(t.Context(), tag, drivers.AreaUser, 0, got)
						}
						if err == nil {
							break
						}
						t.Log(err)
					}
					if !bytes.Equal(got, pattern(100, 1)) {
						t.Errorf("read % x", got)
					}
					d.quiet()
				})
			})
		}
	}
}

func TestMemoryOfNobody(t *testing.T) {
	reader, err := pn532.New(pn532.Config{Name: "desk", Open: func(context.Context) (drivers.Port, error) { return nil, errors.New("none") }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Layout(t.Context(), tagOf(uid7)); !errors.Is(err, drivers.ErrDown) {
		t.Errorf("not running: %v, want ErrDown", err)
	}
	atDesk(t, func(t *testing.T, d *desk) {
		tag := d.present(uid7, "ntag213")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Layout(ended, tag); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := d.WriteMemory(short, tag, drivers.AreaUser, 0, pattern(144, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("out of time: %v", err)
		}
		for _, bad := range []drivers.Tag{{ID: uid7, Technology: drivers.Gen2}, {ID: uid7}} {
			if _, err := d.Layout(t.Context(), bad); !errors.Is(err, drivers.ErrNoArea) {
				t.Errorf("%q: %v, want ErrNoArea", bad.Technology, err)
			}
		}
		for _, bad := range []string{"", "xx", "0411"} {
			if _, err := d.Layout(t.Context(), tagOf(bad)); !errors.Is(err, drivers.ErrTagGone) {
				t.Errorf("identifier %q: %v, want ErrTagGone", bad, err)
			}
		}
		if err := d.ReadMemory(t.Context(), tag, drivers.AreaTID, 0, make([]byte, 1)); !errors.Is(err, drivers.ErrNoArea) {
			t.Errorf("area of another kind of tag: %v", err)
		}
		d.device.Fault(emulate.FaultSilence, true)
		if _, err := d.Layout(t.Context(), tag); !errors.Is(err, drivers.ErrSilent) && !errors.Is(err, drivers.ErrDown) {
			t.Errorf("silent chip: %v", err)
		}
		if d.stop(); true {
			if _, err := d.Layout(t.Context(), tag); !errors.Is(err, drivers.ErrDown) {
				t.Errorf("ended: %v, want ErrDown", err)
			}
		}
	})
}

// Who takes the events may ask for memory before it takes the next one.
func TestAskingBetweenEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewPN532(emulate.PN532Config{Paced: true})
		b := &bench{device: device}
		reader, err := pn532.New(pn532.Config{Name: "desk", Open: b.open})
		if err != nil {
			t.Fatal(err)
		}
		for _, uid := range []string{uid7, "04112233445566"} {
			if err := device.Present(uid, ""); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, ended := make(chan drivers.Event), make(chan struct{})
		go func() { defer close(ended); reader.Run(ctx, events) }()
		var seen []string
		for len(seen) < 2 {
			if e := <-events; e.Kind == drivers.Present {
				if _, err := reader.Layout(ctx, e.Tag); err != nil {
					t.Error(err)
				}
				seen = append(seen, e.Tag.ID)
			}
		}
		if slices.Sort(seen); !slices.Equal(seen, []string{"04112233445566", uid7}) {
			t.Errorf("tags %v", seen)
		}
		cancel()
		<-ended
		b.plug(false)
		b.wait.Wait()
	})
}

// The same over the other lines.
func TestMemoryOnBuses(t *testing.T) {
	for _, bus := range []string{"SPI", "I2C"} {
		t.Run(bus, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				device := emulate.NewPN532(emulate.PN532Config{})
				chip, open := onBus(device, bus, true)
				d := runDesk(t, device, open)
				defer func() { d.stop(); chip.Close() }()
				d.readsAndWrites(d.present(uid7, "ntag216"), 888)
				d.readsAndWrites(d.present(uid4, "classic1k"), 752)
				d.quiet()
			})
		})
	}
}

// While much is written, tags still come and go.
func TestPresenceGoesOn(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		tag := d.present(uid7, "ntag216")
		written := make(chan error, 1)
		go func() { written <- d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(888, 1)) }()
		time.Sleep(100 * time.Millisecond)
		d.present("04112233445566", "ntag213")
		if err := d.device.Remove("04112233445566"); err != nil {
			t.Fatal(err)
		}
		d.expect(drivers.Departed)
		select {
		case err := <-written:
			t.Fatalf("the write ended (%v) before the other tag had come and gone", err)
		default:
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		d.quiet()
	})
}

// A reader that is unplugged in the middle says so to who waits for it.
func TestUnpluggedWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewPN532(emulate.PN532Config{Paced: true})
		b := &bench{device: device}
		d := runDesk(t, device, b.open)
		defer func() { d.stop(); b.plug(false); b.wait.Wait() }()
		tag := d.present(uid7, "ntag216")
		time.AfterFunc(300*time.Millisecond, func() { b.plug(false) })
		if err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(888, 1)); !errors.Is(err, drivers.ErrDown) {
			t.Errorf("%v, want ErrDown", err)
		}
		d.expect(drivers.Down)
		b.plug(true)
		d.expect(drivers.Up)
		if err := d.WriteMemory(t.Context(), tag, drivers.AreaUser, 0, pattern(888, 1)); err != nil {
			t.Errorf("plugged in again: %v", err)
		}
		d.quiet()
	})
}
