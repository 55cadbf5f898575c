package agent

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// TestProbe greets a reader that answers, is taken, or is not there, and a scale that
// nobody has plugged in. Ports are free again afterwards.
func TestProbe(t *testing.T) {
	p := founded(t, intakeOrders+"\n[scale]\ndevice = \"mt-sics\"\nport = \"./scale\"\n")
	socket, err := emulate.Plug(p.Readers[0].Port, emulate.NewPN532(emulate.PN532Config{}))
	must(t, err)
	defer socket.Close() //nolint:errcheck // it is a test's
	probe := func() (reader, scale Probed) {
		t.Helper()
		all, err := Probe(t.Context(), p, Hardware{}, 20*time.Second)
		must(t, err)
		if len(all) != 2 || all[0].Name != p.Readers[0].Name || all[0].Port != p.Readers[0].Port || all[1].Port != p.Scale.Port {
			t.Fatalf("%+v", all)
		}
		return all[0], all[1]
	}
	for range 2 {
		reader, scale := probe()
		if reader.Err != nil || reader.Model == "" {
			t.Errorf("reader: %+v", reader)
		}
		if !errors.Is(scale.Err, fs.ErrNotExist) {
			t.Errorf("scale: %+v, want that nothing is there", scale)
		}
	}
	fd, err := unix.Open(p.Readers[0].Port, unix.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	defer unix.Close(fd) //nolint:errcheck // it is a test's
	must(t, unix.Flock(fd, unix.LOCK_EX))
	if reader, _ := probe(); !errors.Is(reader.Err, drivers.ErrBusy) {
		t.Errorf("reader: %+v, want ErrBusy", reader)
	}
	short, err := Probe(t.Context(), p, Hardware{}, 0)
	must(t, err)
	if len(short) != 2 || !errors.Is(short[1].Err, drivers.ErrSilent) {
		t.Errorf("without time: %+v", short)
	}
	p.Readers[0].IRQ, p.Readers[0].Port = "GPIO24", "/dev/spidev0.0"
	if _, err := Probe(t.Context(), p, Hardware{}, time.Second); !errors.Is(err, errNoBoard) {
		t.Errorf("a pin of no board: %v", err)
	}
}
