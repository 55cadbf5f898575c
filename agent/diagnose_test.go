package agent

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/m100"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/probe"
	"traveler.example/drivers/scale"
)

// socketInTheWall is a port whose cable can be put to another device, and whose
// devices know at what speed they are spoken to.
type socketInTheWall struct {
	bench *drivertest.Bench

	mu     sync.Mutex
	device emulate.Device
	line   drivers.Serial
}

// tuned is the device's end of a cable that knows the speed of the host's.
type tuned struct {
	io.ReadWriteCloser
	baud int
}

func (l tuned) Baud() (int, error) { return l.baud, nil }

func newSocketInTheWall(t *testing.T, device emulate.Device) *socketInTheWall {
	w := &socketInTheWall{device: device}
	w.bench = drivertest.NewBench(t, func(ctx context.Context, line io.ReadWriteCloser) error {
		w.mu.Lock()
		device, baud := w.device, w.line.Baud
		w.mu.Unlock()
		return device.Serve(ctx, tuned{line, baud})
	})
	return w
}

func (w *socketInTheWall) open(ctx context.Context, line drivers.Serial) (drivers.Port, error) {
	w.mu.Lock()
	w.line = line
	w.mu.Unlock()
	return w.bench.Open(ctx)
}

// at is the opener of a driver.
func (w *socketInTheWall) at(baud int) drivers.Opener {
	return func(ctx context.Context) (drivers.Port, error) { return w.open(ctx, drivers.Serial{Baud: baud}) }
}

// connect puts the cable to another device, which the driver sees as an unplug.
func (w *socketInTheWall) connect(t *testing.T, device emulate.Device) {
	must(t, w.bench.Unplug())
	w.mu.Lock()
	w.device = device
	w.mu.Unlock()
	must(t, w.bench.Replug())
}

func (w *socketInTheWall) explain(judge func(probe.Finding) error) drivers.Supervisor {
	return drivers.Supervisor{Diagnose: explain(probe.Serial{Path: "/dev/reader", Open: w.open}, judge)}
}

func TestAReaderThatDoesNotAnswerIsDiagnosed(t *testing.T) {
	nfc := func(baud int) func() emulate.Device {
		return func() emulate.Device { return emulate.NewPN532(emulate.PN532Config{Baud: baud, Paced: true}) }
	}
	uhf := func(baud int) func() emulate.Device {
		return func() emulate.Device { return emulate.NewM100(emulate.M100Config{Baud: baud, Paced: true}) }
	}
	sics := func() emulate.Device { return emulate.NewScale() }
	dead := func() emulate.Device {
		device := nfc(0)()
		must(t, device.Do("fault silence"))
		return device
	}
	for _, tt := range []struct {
		name, driver string
		device       func() emulate.Device
		event        journal.ID // empty: nothing more is known
		says, light  string
	}{
		{"PN532 at another speed", "pn532", nfc(57600), journal.PortSpeed, "speaks at 57600 baud, the profile says 115200; write baud = 57600", "it speaks at another speed"},
		{"M100 at another speed", "m100", uhf(38400), journal.PortSpeed, "write baud = 38400", "it speaks at another speed"},
		{"M100 in the place of a PN532", "pn532", uhf(0), journal.PortSwapped, "answers like m100", "another device answers"},
		{"PN532 in the place of an M100", "m100", nfc(0), journal.PortSwapped, "answers like pn532", "another device answers"},
		{"scale in the place of a PN532", "pn532", sics, journal.PortSwapped, "answers like scale (MT-SICS", "another device answers"},
		{"silent", "pn532", dead, "", "", "it does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *plant) {
				w := newSocketInTheWall(t, tt.device())
				line := drivers.Serial{Path: "/dev/reader", Baud: 115200}
				why := w.explain(func(f probe.Finding) error { return misfit(tt.driver, line, f) })
				var reader drivers.Reader
				var right emulate.Device
				var err error
				if tt.driver == "m100" {
					reader, err = m100.New(m100.Config{Name: "bench", Port: line.Path, Open: w.at(line.Baud), Supervisor: why})
					right = uhf(0)()
				} else {
					reader, err = pn532.New(pn532.Config{Name: "bench", Port: line.Path, Open: w.at(line.Baud), Supervisor: why})
					right = nfc(0)()
				}
				must(t, err)
				b := p.gateway("intake", func(_ *Config, parts *Parts) { parts.Readers = []drivers.Reader{reader} })
				b.run()
				time.Sleep(2 * time.Minute)
				for _, id := range []journal.ID{journal.PortSpeed, journal.PortSwapped} {
					want := 0
					if id == tt.event {
						want = 1
					}
					b.journal.times(want, id)
				}
				b.journal.times(1, journal.ReaderDown)
				b.journal.says(tt.event, journal.KeyReason, tt.says)
				if last := b.light.last(); last.Aspect != drivers.AspectFault || !strings.Contains(last.Text, "READER DOWN bench: "+tt.light) {
					t.Errorf("the light shows %+v", last)
				}
				w.connect(t, right)
				time.Sleep(time.Minute)
				b.journal.times(1, journal.ReaderUp)
				if last := b.light.last(); !strings.HasPrefix(last.Text, "READER BACK") {
					t.Errorf("put right, the light shows %+v", last)
				}
			})
		})
	}
}

func TestAScaleThatDoesNotAnswerIsDiagnosed(t *testing.T) {
	and := func() emulate.Device {
		device := emulate.NewScale()
		must(t, device.Do("speak and"))
		return device
	}
	nfc := func() emulate.Device { return emulate.NewPN532(emulate.PN532Config{Baud: 9600}) }
	for _, tt := range []struct {
		name   string
		device func() emulate.Device
		event  journal.ID
		says   string
	}{
		{"a scale of another make", and, journal.PortSwapped, "speaks A&D standard format, the profile says MT-SICS"},
		{"a reader in its place", nfc, journal.PortSwapped, "answers like pn532"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *plant) {
				w := newSocketInTheWall(t, tt.device())
				line := drivers.Serial{Path: "/dev/scale", Baud: 9600}
				device, err := scale.New(scale.Config{
					Name: "scale", Port: line.Path, Open: w.at(line.Baud), Protocol: scale.SICS,
					Supervisor: w.explain(func(f probe.Finding) error { return misfitScale(line, scale.SICS, f) }),
				})
				must(t, err)
				b := p.gateway("intake", func(c *Config, parts *Parts) {
					c.Machine.Scale, parts.Scale, c.Weighs.Name = true, device, "scale"
				})
				b.run()
				time.Sleep(2 * time.Minute)
				b.journal.times(1, journal.ScaleFault, tt.event)
				b.journal.says(tt.event, journal.KeyReason, tt.says)
			})
		})
	}
}

// TestMisfit judges findings that no emulator makes.
func TestMisfit(t *testing.T) {
	line := drivers.Serial{Path: "/dev/x", Baud: 9600}
	weigher := func(model string, baud int) probe.Finding {
		return probe.Finding{Driver: "scale", Model: model, Line: drivers.Serial{Baud: baud}}
	}
	for _, tt := range []struct {
		name     string
		protocol scale.Protocol
		found    probe.Finding
		want     error
	}{
		{"what it should be", scale.SICS, weigher("MT-SICS B021", 9600), nil},
		{"either will do", scale.Detect, weigher("A&D standard format", 9600), nil},
		{"another protocol", scale.AD, weigher("MT-SICS B021", 9600), drivers.ErrOther},
		{"another speed", scale.SICS, weigher("MT-SICS B021", 2400), drivers.ErrSpeed},
		{"no scale", scale.Detect, probe.Finding{Driver: "ascii125", Line: line}, drivers.ErrOther},
	} {
		if err := misfitScale(line, tt.protocol, tt.found); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// says holds a field of an event to its words.
func (r *record) says(id journal.ID, key, part string) {
	r.t.Helper()
	for _, e := range r.events(id) {
		if !strings.Contains(e.fields[key], part) {
			r.t.Errorf("%s says %q, want %q", id, e.fields[key], part)
		}
	}
}
