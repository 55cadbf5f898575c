package mfrc522

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// A session that was recorded on the bus, from the first transfer to the last,
// plays back byte by byte and gives the same events: what is recorded from a
// real module by periph's spitest becomes a test in the same way.
func TestRecordedSessionPlaysBack(t *testing.T) {
	const length = 2500 * time.Millisecond
	var record []conntest.IO
	var told []drivers.Event
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(emulate.MFRC522Config{})
		recorder := &spitest.Record{}
		told = runFor(t, length, func(ctx context.Context) (spi.PortCloser, error) {
			port, err := device.Open(ctx)
			recorder.Port = port
			return recorder, err
		}, func() {
			time.Sleep(300 * time.Millisecond)
			device.Present("04A1B2C3D4E580", "")
			device.Present("DEADBEEF", "")
			time.Sleep(time.Second)
			device.Remove("04A1B2C3D4E580")
		})
		record = recorder.Ops
	})
	want := []string{"up ", "arrived DEADBEEF", "arrived 04A1B2C3D4E580", "departed 04A1B2C3D4E580"}
	if got := words(told); !sameSet(got, want) {
		t.Fatalf("recorded %q, want %q", got, want)
	}
	synctest.Test(t, func(t *testing.T) {
		player := &spitest.Playback{Playback: conntest.Playback{Ops: record, DontPanic: true}}
		again := runFor(t, length, func(context.Context) (spi.PortCloser, error) { return player, nil }, func() {})
		if got := words(again); !slices.Equal(got, words(told)) {
			t.Errorf("played %q, recorded was %q", got, words(told))
		}
		if player.Count != len(record) {
			t.Errorf("%d transfers of %d were played", player.Count, len(record))
		}
	})
	t.Logf("%d transfers", len(record))
}

// runFor runs a reader for a time and returns what it told.
func runFor(t *testing.T, length time.Duration, open func(context.Context) (spi.PortCloser, error), hands func()) []drivers.Event {
	t.Helper()
	reader, err := New(Config{Name: "bench", Open: open})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	events := make(chan drivers.Event, 64)
	go hands()
	if err := reader.Run(ctx, events); err != nil {
		t.Error(err)
	}
	close(events)
	var all []drivers.Event
	for e := range events {
		all = append(all, e)
	}
	return all
}

func words(events []drivers.Event) []string {
	var w []string
	for _, e := range events {
		w = append(w, e.Kind.String()+" "+e.Tag.ID)
	}
	return w
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
