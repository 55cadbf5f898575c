package probe_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/mfrc522"
	"traveler.example/drivers/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tuned is the device's end of a cable that knows at what speed the host's is.
type tuned struct {
	io.ReadWriteCloser
	baud int
}

func (l tuned) Baud() (int, error) { return l.baud, nil }

// find looks for a device in virtual time. It returns the speeds that were tried.
func find(t *testing.T, make func() emulate.Device) (found probe.Finding, bauds []int, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device := make()
		var mu sync.Mutex
		baud := 0
		bench := drivertest.NewBench(t, func(ctx context.Context, line io.ReadWriteCloser) error {
			mu.Lock()
			l := tuned{line, baud}
			mu.Unlock()
			return device.Serve(ctx, l)
		})
		found, err = probe.Serial{Path: "/dev/named", Open: func(ctx context.Context, line drivers.Serial) (drivers.Port, error) {
			if line.Path != "/dev/named" {
				t.Errorf("%q is opened, and was not named", line.Path)
			}
			mu.Lock()
			baud = line.Baud
			mu.Unlock()
			bauds = append(bauds, line.Baud)
			return bench.Open(ctx)
		}}.Find(t.Context())
	})
	return found, bauds, err
}

// after has a device carry out commands first.
func after(t *testing.T, make func() emulate.Device, commands ...string) func() emulate.Device {
	return func() emulate.Device {
		device := make()
		for _, c := range commands {
			if err := device.Do(c); err != nil {
				t.Fatal(err)
			}
		}
		return device
	}
}

func nfc(baud int) func() emulate.Device {
	return func() emulate.Device { return emulate.NewPN532(emulate.PN532Config{Baud: baud, Paced: true}) }
}

func uhf(aa bool, baud int) func() emulate.Device {
	return func() emulate.Device { return emulate.NewM100(emulate.M100Config{AA: aa, Baud: baud, Paced: true}) }
}

func lf(t *testing.T, model string) func() emulate.Device {
	return func() emulate.Device {
		d, err := emulate.NewASCII125(emulate.ASCII125Config{Model: model, Paced: true})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func balance() emulate.Device { return emulate.NewScale() }

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name          string
		device        func() emulate.Device
		driver, model string // model is part of it
		baud          int
		spoke         bool
	}{
		{"PN532", nfc(0), "pn532", "PN532 v1.6", 115200, false},
		{"PN532 at another speed", nfc(57600), "pn532", "PN532 v1.6", 57600, false},
		{"PN532 byte by byte", after(t, nfc(0), "fault fragment"), "pn532", "PN532", 115200, false},
		{"PN532 behind noise", after(t, nfc(0), "fault garbage"), "pn532", "PN532", 115200, false},
		{"PN532 with a tag", after(t, nfc(0), "present 04A1B2C3D4E5F6"), "pn532", "PN532", 115200, false},
		{"M100", uhf(false, 0), "m100", "(BB", 115200, false},
		{"R200", uhf(true, 0), "m100", "(AA", 115200, false},
		{"M100 at another speed", uhf(false, 38400), "m100", "(BB", 38400, false},
		{"M100 that loses a command", after(t, uhf(false, 0), "fault drop-first"), "m100", "(BB", 115200, false},
		{"RDM6300", after(t, lf(t, emulate.ModelRDM6300), "present 0A00F1B2C3"), "ascii125", "RDM6300", 9600, true},
		{"MT-SICS", balance, "scale", "MT-SICS", 9600, false},
		{"MT-SICS with a load that moves", after(t, balance, "weigh 3 g unstable"), "scale", "MT-SICS", 9600, false},
		{"A&D", after(t, balance, "speak and"), "scale", "A&D", 9600, false},
		{"A&D with codes", after(t, balance, "speak and-ak"), "scale", "A&D", 9600, false},
		{"A&D that counts pieces", after(t, balance, "speak and-mute", "weigh 12 pcs"), "scale", "A&D", 9600, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, _, err := find(t, tt.device)
			if err != nil {
				t.Fatal(err)
			}
			if found.Driver != tt.driver || !strings.Contains(found.Model, tt.model) || found.Line.Baud != tt.baud || found.Spoke != tt.spoke {
				t.Errorf("found %+v", found)
			}
			if found.Line.Path != "/dev/named" {
				t.Errorf("at %q", found.Line.Path)
			}
		})
	}
}

// What is not found is told by what was heard.
func TestUnknown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		device func() emulate.Device
		is     error
		says   string
	}{
		{"silence", after(t, nfc(0), "fault silence"), drivers.ErrSilent, "/dev/named: device does not answer at any speed"},
		{"a reader that only speaks, without a tag", lf(t, emulate.ModelRDM6300), drivers.ErrSilent, "at any speed"},
		{"an unheard-of speed", nfc(31250), drivers.ErrSilent, "at any speed"},
		{"noise", func() emulate.Device { return voice("\x00\xff\x12") }, drivers.ErrProtocol, "of no known device (at 9600 baud: 00 FF 12"},
		{"an echo", func() emulate.Device { return voice("") }, drivers.ErrProtocol, "only an echo"},
	} {
		_, bauds, err := find(t, tt.device)
		var unknown *probe.Unknown
		if !errors.As(err, &unknown) || !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if len(bauds) < 5 {
			t.Errorf("%s: only %v were tried", tt.name, bauds)
		}
	}
}

// voice is a device that says the same again and again; an empty one says what it
// hears.
type voice string

func (v voice) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	defer context.AfterFunc(ctx, func() { line.Close() })()
	if v == "" {
		_, err := io.Copy(line, line)
		return err
	}
	for {
		if _, err := line.Write([]byte(v)); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
func (voice) Do(string) error                  { return nil }
func (voice) Help() string                     { return "" }
func (voice) Observe(func(emulate.Act)) func() { return func() {} }

func TestFindOnPTY(t *testing.T) {
	device := emulate.NewM100(emulate.M100Config{})
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	found, err := probe.Serial{Path: socket.Path()}.Find(t.Context())
	if err != nil || found.Driver != "m100" || found.Line.Baud != 115200 {
		t.Errorf("found %+v, %v", found, err)
	}
	held, err := drivers.Serial{Path: socket.Path(), Baud: 9600}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := (probe.Serial{Path: socket.Path()}).Find(t.Context()); !errors.Is(err, drivers.ErrBusy) {
		t.Errorf("of a port that is held: %v", err)
	}
	if _, err := (probe.Serial{Path: socket.Path() + "x"}).Find(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no port: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (probe.Serial{Path: socket.Path()}).Find(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
}

func TestUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := emulate.NewMFRC522(emulate.MFRC522Config{})
		reader, err := mfrc522.New(mfrc522.Config{Name: "r", Open: chip.Open})
		if err != nil {
			t.Fatal(err)
		}
		if info, err := probe.Up(t.Context(), reader); err != nil || info.Model != "MFRC522 v2.0" {
			t.Errorf("%+v, %v", info, err)
		}
		if err := chip.Unplug(); err != nil {
			t.Fatal(err)
		}
		if info, err := probe.Up(t.Context(), reader); err == nil {
			t.Errorf("found %+v where nothing is", info)
		}
	})
}
