package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/llrp"
	"traveler.example/drivers/m100"
	"traveler.example/drivers/mfrc522"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/wedge"
)

// Fields are stations in virtual time whose reader is a driver on its emulated
// device.

// kind is a kind of reader: it makes one on its device, whose port open may spoil.
type kind struct {
	name string
	rig  func(t *testing.T, spoil spoiler) drivertest.Rig
}

// spoiler opens a port in the place of the right opener.
type spoiler func(drivers.Opener) drivers.Opener

func untouched(o drivers.Opener) drivers.Opener { return o }

// cabled is a cable that tells of its loss as a serial port does.
type cabled struct{ drivers.Port }

func lost(n int, err error) (int, error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		err = drivers.ErrUnplugged
	}
	return n, err
}

func (c cabled) Read(b []byte) (int, error)  { return lost(c.Port.Read(b)) }
func (c cabled) Write(b []byte) (int, error) { return lost(c.Port.Write(b)) }

// plugged puts a device on a cable and returns its opener and its hands.
func plugged(t *testing.T, device emulate.Device) (drivers.Opener, drivertest.Rig) {
	bench := drivertest.NewBench(t, device.Serve)
	open := func(ctx context.Context) (drivers.Port, error) {
		p, err := bench.Open(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		return cabled{p}, nil
	}
	return open, drivertest.Rig{
		Unplug: bench.Unplug, Replug: bench.Replug, Silence: emulate.FaultSilence, Flicker: emulate.FaultFlicker,
		Present: func(id string) error { return device.Do("present " + id) },
		Remove:  func(id string) error { return device.Do("remove " + id) },
		Fault: func(name string, on bool) error {
			if !on {
				name += " off"
			}
			return device.Do("fault " + name)
		},
	}
}

// readerKinds are all there are, on the lines and buses that they have.
func readerKinds() []kind {
	return []kind{
		{"pn532", func(t *testing.T, spoil spoiler) drivertest.Rig {
			open, rig := plugged(t, emulate.NewPN532(emulate.PN532Config{Paced: true}))
			reader, err := pn532.New(pn532.Config{Name: "bench", Port: "/dev/reader", Open: spoil(open)})
			must(t, err)
			rig.Reader, rig.Tags = reader, [2]string{"04A1B2C3D4E580", "1A2B3C4D"}
			return rig
		}},
		{"mfrc522", func(t *testing.T, _ spoiler) drivertest.Rig {
			device := emulate.NewMFRC522(emulate.MFRC522Config{Paced: true})
			reader, err := mfrc522.New(mfrc522.Config{Name: "bench", Port: "/dev/spidev0.0", Open: device.Open})
			must(t, err)
			return drivertest.Rig{
				Reader: reader, Tags: [2]string{"04A1B2C3D4E580", "1A2B3C4D"}, Silence: emulate.FaultSilence, Flicker: emulate.FaultFlicker,
				Present: func(id string) error { return device.Present(id, "") }, Remove: device.Remove, Fault: device.Fault,
				Unplug: device.Unplug, Replug: device.Replug,
			}
		}},
		{"m100", func(t *testing.T, spoil spoiler) drivertest.Rig {
			open, rig := plugged(t, emulate.NewM100(emulate.M100Config{Paced: true}))
			reader, err := m100.New(m100.Config{
				Name: "bench", Port: "/dev/reader", Open: spoil(open), Power: 2000, Region: m100.RegionEurope, Filter: m100.Filter{MinRSSI: -76},
			})
			must(t, err)
			rig.Reader, rig.Tags, rig.Flicker = reader, [2]string{"3034257BF7194E4000001A85", "E28011602000752A19B40A56"}, emulate.FaultWeak
			return rig
		}},
		{"ascii125", func(t *testing.T, spoil spoiler) drivertest.Rig {
			device, err := emulate.NewASCII125(emulate.ASCII125Config{Paced: true})
			must(t, err)
			open, rig := plugged(t, device)
			reader, err := ascii125.New(ascii125.Config{Name: "bench", Port: "/dev/reader", Open: spoil(open)})
			must(t, err)
			rig.Reader, rig.Tags, rig.Limits = reader, [2]string{"0A00F1B2C3", "0A00F1B2C4"}, drivertest.Limits{Alone: true, Unasked: true}
			return rig
		}},
		{"wedge", func(t *testing.T, spoil spoiler) drivertest.Rig {
			device, err := emulate.NewWedge(emulate.WedgeConfig{Pace: 3 * time.Millisecond})
			must(t, err)
			open, rig := plugged(t, device)
			reader, err := wedge.New(wedge.Config{
				Name: "bench", Port: "/dev/input/by-id/gun-event-kbd", EventSize: wedge.EventSize64,
				Open: func(ctx context.Context) (wedge.Source, error) {
					p, err := spoil(open)(ctx)
					return keys{p}, err
				},
			})
			must(t, err)
			rig.Reader, rig.Tags, rig.Limits = reader, [2]string{"4006381333931", "4006381333948"}, drivertest.Limits{Unasked: true, Moment: true}
			rig.Present, rig.Remove = device.Scan, func(string) error { return nil }
			return rig
		}},
		{"llrp", func(t *testing.T, spoil spoiler) drivertest.Rig {
			device := emulate.NewLLRP(emulate.LLRPConfig{})
			open, rig := plugged(t, device)
			portal, err := llrp.New(llrp.Config{
				Name: "dock", Port: "10.0.0.7:5084", Open: spoil(open), Keepalive: 100 * time.Millisecond,
				Readers: []llrp.ReaderConfig{{Name: "bench", Antennas: []llrp.Antenna{{ID: 1, Weakest: -76}}}},
			})
			must(t, err)
			rig.Reader, rig.Tags = portal.Readers()[0], [2]string{"3034257BF7194E4000001A85", "E28011602000752A19B40A56"}
			return rig
		}},
	}
}

// keys is a cable as an input device.
type keys struct{ drivers.Port }

func (keys) Model() string { return "Scanner (0c2e:0901)" }

// floor is a station with its reader on its device.
type floor struct {
	*board
	t    *testing.T
	kind string
	rig  drivertest.Rig
}

func (f *floor) start() {
	f.run()
	f.order(drilling("WO-1"))
	f.after(3 * time.Second)
}

// after lets time pass.
func (f *floor) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *floor) fault(name string) { must(f.t, f.rig.Fault(name, true)) }
func (f *floor) present(i int)     { must(f.t, f.rig.Present(f.rig.Tags[i])) }

// happening is something that happens in the field: what is done, which events tell
// of it and how often, and the light at the end.
type happening struct {
	name   string
	only   []string // the kinds to which it can happen; nil: all
	not    []string // those to which it cannot
	spoil  spoiler
	do     func(f *floor)
	events map[journal.ID]int
	aspect drivers.Aspect
	light  string // part of its words
}

// TestField is the table of what happens to readers on a floor: behaviour → events →
// light, for each kind to which it can happen.
func TestField(t *testing.T) {
	asked := []string{"pn532", "mfrc522", "m100", "llrp"} // the others cannot be asked: silence is all they have to say
	refused := func(err error) spoiler {
		return func(drivers.Opener) drivers.Opener {
			return func(context.Context) (drivers.Port, error) { return nil, fmt.Errorf("open port: %w", err) }
		}
	}
	happenings := []happening{
		{
			name: "unplugged", not: []string{"mfrc522"}, // a chip on a bus falls silent
			do:     func(f *floor) { f.start(); must(f.t, f.rig.Unplug()); f.after(30 * time.Second) },
			events: map[journal.ID]int{journal.ReaderDown: 1, journal.ReaderUp: 0},
			aspect: drivers.AspectFault, light: "READER DOWN bench: it was unplugged",
		},
		{
			name: "unplugged and back",
			do: func(f *floor) {
				f.start()
				must(f.t, f.rig.Unplug())
				f.after(10 * time.Second)
				must(f.t, f.rig.Replug())
				f.after(10 * time.Second)
			},
			events: map[journal.ID]int{journal.ReaderDown: 1, journal.ReaderUp: 1},
			aspect: drivers.AspectIdle, light: "READER BACK bench",
		},
		{
			name: "not there at the start", not: []string{"mfrc522"},
			do:     func(f *floor) { must(f.t, f.rig.Unplug()); f.start() },
			events: map[journal.ID]int{journal.ReaderDown: 1},
			aspect: drivers.AspectFault, light: "READER DOWN bench: it is not plugged in",
		},
		{
			name: "silent", only: asked,
			do:     func(f *floor) { f.start(); f.fault(f.rig.Silence); f.after(time.Minute) },
			events: map[journal.ID]int{journal.ReaderDown: 1},
			aspect: drivers.AspectFault, light: "READER DOWN bench: it does not answer",
		},
		{
			name: "lost its settings", only: []string{"pn532", "mfrc522", "m100"},
			do:     func(f *floor) { f.start(); f.fault(emulate.FaultForget); f.after(time.Minute) },
			events: map[journal.ID]int{journal.ReaderForgot: 1, journal.ReaderDown: 0, journal.ReaderFault: 0},
		},
		{
			name: "supply dipped", only: []string{"pn532", "mfrc522", "m100"},
			do:     func(f *floor) { f.start(); f.fault(emulate.FaultReset); f.after(time.Minute) },
			events: map[journal.ID]int{journal.ReaderForgot: 1, journal.ReaderDown: 0, journal.ReaderFault: 0},
		},
		{
			name: "fell asleep", only: []string{"m100"},
			do:     func(f *floor) { f.start(); f.fault(emulate.FaultDropFirst); f.after(time.Minute) },
			events: map[journal.ID]int{journal.ReaderForgot: 1, journal.ReaderDown: 0},
		},
		{
			name: "damaged answers", only: []string{"ascii125"},
			do:     func(f *floor) { f.start(); f.fault(emulate.FaultChecksum); f.present(0); f.after(5 * time.Second) },
			events: map[journal.ID]int{journal.ReaderFault: 1, journal.ScanTakenIn: 1},
			aspect: drivers.AspectGreen, light: "TAKEN IN",
		},
		{
			name: "a weak tag", only: []string{"pn532", "mfrc522", "m100"},
			do:     func(f *floor) { f.start(); f.fault(f.rig.Flicker); f.present(0); f.after(30 * time.Second) },
			events: map[journal.ID]int{journal.ReaderWeakTag: 1, journal.ScanTakenIn: 1, journal.ScanAlreadyDone: 0},
			aspect: drivers.AspectGreen, light: "hold it closer to bench",
		},
		{
			name: "a neighbour's tag", only: []string{"m100", "llrp"},
			do: func(f *floor) {
				f.start()
				if f.kind == "m100" {
					f.fault(emulate.FaultNeighbour)
				} else {
					must(f.t, f.rig.Present(f.rig.Tags[0]+" 1 -80"))
				}
				f.after(30 * time.Second)
			},
			events: map[journal.ID]int{journal.ReaderNeighbour: 1, journal.ScanTakenIn: 0, journal.ReaderFault: 0},
		},
		{
			name: "a tag there at the start", not: []string{"wedge"}, // which tells of moments
			do:     func(f *floor) { f.present(0); f.start() },
			events: map[journal.ID]int{journal.ScanLiftAgain: 1, journal.ScanTakenIn: 0},
			aspect: drivers.AspectAmber, light: "LIFT AND SCAN AGAIN",
		},
		{
			name: "two tags", only: asked,
			do: func(f *floor) {
				f.start()
				f.present(0)
				f.after(time.Second)
				f.present(1)
				f.after(5 * time.Second)
			},
			events: map[journal.ID]int{journal.ScanSeveral: 1, journal.ScanTakenIn: 2},
			aspect: drivers.AspectGreen, light: "(the last put of 2 on bench)",
		},
		{
			name: "another program holds the port", not: []string{"mfrc522"}, spoil: refused(drivers.ErrBusy), // its bus: package board
			do:     func(f *floor) { f.start() },
			events: map[journal.ID]int{journal.PortBusy: 1, journal.ReaderDown: 1},
			aspect: drivers.AspectFault, light: "READER DOWN bench: another program uses its port",
		},
		{
			name: "no right to the port", not: []string{"mfrc522"}, spoil: refused(fs.ErrPermission),
			do:     func(f *floor) { f.start() },
			events: map[journal.ID]int{journal.PortDenied: 1, journal.ReaderDown: 1},
			aspect: drivers.AspectFault, light: "READER DOWN bench: its port may not be opened",
		},
		{
			name: "wrong speed", only: []string{"ascii125"}, // who are asked are diagnosed, see TestDiagnosis
			do:     func(f *floor) { f.start(); f.fault(emulate.FaultBaud); f.present(0); f.after(5 * time.Second) },
			events: map[journal.ID]int{journal.PortSpeed: 1, journal.ScanTakenIn: 0, journal.ReaderDown: 0},
		},
	}
	for _, h := range happenings {
		for _, k := range readerKinds() {
			if h.only != nil && !slices.Contains(h.only, k.name) || slices.Contains(h.not, k.name) {
				continue
			}
			t.Run(h.name+"/"+k.name, func(t *testing.T) {
				bubble(t, func(t *testing.T, p *plant) { h.check(t, p, k) })
			})
		}
	}
}

func (h happening) check(t *testing.T, p *plant, k kind) {
	spoil := h.spoil
	if spoil == nil {
		spoil = untouched
	}
	f := &floor{t: t, kind: k.name, rig: k.rig(t, spoil)}
	f.board = p.gateway("intake", func(_ *Config, parts *Parts) { parts.Readers = []drivers.Reader{f.rig.Reader} })
	h.do(f)
	for id, n := range h.events {
		f.journal.times(n, id)
	}
	last := f.light.last()
	if last.Aspect != h.aspect || !strings.Contains(last.Text, h.light) {
		t.Errorf("the light shows %v %q, want %v with %q", last.Aspect, last.Text, h.aspect, h.light)
	}
	for id := range h.events {
		if d, ok := journal.Describe(id); !ok || d.Do == "" {
			t.Errorf("the catalog does not say what to do about %s", id)
		}
	}
}
