package wedge_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/wedge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keyboard is the host's end of a cable as an input device.
type keyboard struct{ drivers.Port }

func (keyboard) Model() string { return "Scanner (0c2e:0901)" }

// listening opens a device and waits until it hears what is scanned.
func listening[P any](device *emulate.Wedge, open func(context.Context) (P, error)) func(context.Context) (P, error) {
	return func(ctx context.Context) (P, error) {
		awake := make(chan struct{}, 1)
		cancel := device.Observe(func(a emulate.Act) {
			if a.Verb == emulate.DidWake {
				awake <- struct{}{}
			}
		})
		defer cancel()
		p, err := open(ctx)
		if err == nil {
			<-awake
		}
		return p, err
	}
}

func newDevice(t testing.TB, cfg emulate.WedgeConfig) *emulate.Wedge {
	device, err := emulate.NewWedge(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

func rig(t *testing.T, device *emulate.Wedge, cfg wedge.Config) drivertest.Rig {
	open, hold := drivertest.Contend(cfg.Open)
	cfg.Name, cfg.Open = "gun", open
	reader, err := wedge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return drivertest.Rig{
		Reader: reader, Tags: [2]string{"4006381333931", "(01)Ab-7"},
		Present: device.Scan, Remove: func(string) error { return nil },
		Fault: device.Fault, Silence: emulate.FaultSilence,
		Hardships: []string{emulate.FaultFragment, emulate.FaultDelay, emulate.FaultForeign, emulate.FaultAutoRepeat, emulate.FaultCapsLock},
		Hold:      hold, Fragment: emulate.FaultFragment, Garbage: emulate.FaultForeign,
		Limits: drivertest.Limits{Unasked: true, Moment: true, Clocked: true},
	}
}

// Every layout with both sizes of event, in virtual time and at a typist's pace.
func TestReaderInBubble(t *testing.T) {
	for _, c := range []struct {
		layout wedge.Layout
		bits   int
		end    string
	}{{wedge.US, 64, "enter"}, {wedge.DE, 32, "tab"}, {wedge.FR, 64, "enter"}} {
		for _, b := range drivertest.Readers() {
			t.Run(string(c.layout)+"/"+b.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					device := newDevice(t, emulate.WedgeConfig{Layout: string(c.layout), Bits: c.bits, End: c.end, Pace: 3 * time.Millisecond})
					bench := drivertest.NewBench(t, device.Serve)
					cfg := wedge.Config{Layout: c.layout, EventSize: 8 + c.bits/4, Open: listening(device, func(ctx context.Context) (wedge.Source, error) {
						p, err := bench.Open(ctx)
						return keyboard{p}, err
					})}
					r := rig(t, device, cfg)
					r.Unplug, r.Replug = bench.Unplug, bench.Replug
					b.Check(t, r)
				})
			})
		}
	}
}

// On descriptors of the kernel, which the runtime's poller serves as it does an
// input device. These behaviours are those in which it has a part.
func TestReaderOnDescriptors(t *testing.T) {
	for _, b := range drivertest.Readers() {
		switch b.Name {
		case "arrives once and departs once", "one outage for unplug and replug", "ends while idle", "ends while unplugged":
		default:
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			device := newDevice(t, emulate.WedgeConfig{})
			s := &socket{device: device}
			t.Cleanup(func() { s.Unplug() })
			r := rig(t, device, wedge.Config{EventSize: wedge.EventSize64, Open: listening(device, s.open)})
			r.Unplug, r.Replug = s.Unplug, s.Replug
			b.Check(t, r)
		})
	}
}

// socket plugs a device into socket pairs.
type socket struct {
	device *emulate.Wedge
	absent atomic.Bool
	cancel context.CancelFunc
	ended  chan struct{}
}

func (s *socket) open(context.Context) (wedge.Source, error) {
	if s.absent.Load() {
		return nil, os.ErrNotExist
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	line := os.NewFile(uintptr(fds[0]), "device")
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		s.device.Serve(ctx, line)
	}(s.ended)
	return wedge.NewSource(os.NewFile(uintptr(fds[1]), "host"), "Scanner (0c2e:0901)"), nil
}

func (s *socket) Unplug() error {
	s.absent.Store(true)
	if s.cancel != nil {
		s.cancel()
		<-s.ended
	}
	return nil
}

func (s *socket) Replug() error { s.absent.Store(false); return nil }

// scans runs a reader in a bubble against a device and lets play say what is
// scanned; hear waits and returns what the reader said since.
func scans(t *testing.T, device emulate.WedgeConfig, cfg wedge.Config, play func(d *emulate.Wedge, hear func(time.Duration) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, device)
		bench := drivertest.NewBench(t, d.Serve)
		cfg.Name, cfg.EventSize = "gun", wedge.EventSize64
		cfg.Open = listening(d, func(ctx context.Context) (wedge.Source, error) {
			p, err := bench.Open(ctx)
			return keyboard{p}, err
		})
		reader, err := wedge.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, ended := make(chan drivers.Event, 64), make(chan error)
		go func() { ended <- reader.Run(ctx, events) }()
		if e := <-events; e.Kind != drivers.Up || reader.Info().Model != "Scanner (0c2e:0901)" {
			t.Errorf("first event %v, model %q", e.Kind, reader.Info().Model)
		}
		play(d, func(wait time.Duration) string {
			time.Sleep(wait)
			synctest.Wait()
			var said []string
			for len(events) > 0 {
				switch e := <-events; {
				case e.Kind == drivers.Arrived:
					said = append(said, e.Tag.ID+"/"+string(e.Tag.Technology))
				case e.Kind == drivers.Fault && (errors.Is(e.Err, drivers.ErrProtocol) || errors.Is(e.Err, drivers.ErrTagID)):
					said = append(said, "fault: "+e.Err.Error())
				case e.Kind != drivers.Departed:
					t.Errorf("event %v %v", e.Kind, e.Err)
				}
			}
			return strings.Join(said, ", ")
		})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestContent(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		cfg        wedge.Config
		want       string // part of it
	}{
		{"code", "LOT 42/b", wedge.Config{}, "LOT%2042/b/code"},
		{"hex", "0a00f1b2c3", wedge.Config{Content: wedge.ContentHex}, "0A00F1B2C3/lf125"},
		{"hex of another technology", "04:A1:B2:C3", wedge.Config{Content: wedge.ContentHex, Technology: drivers.ISO14443A}, "04A1B2C3/iso14443a"},
		{"hex, last byte first", "C3B2F1000A", wedge.Config{Content: wedge.ContentHex, Reversed: true}, "0A00F1B2C3/lf125"},
		{"no hex", "0A00F1B2CX", wedge.Config{Content: wedge.ContentHex}, "is not hexadecimal"},
		{"half a byte", "0A00F1B2C", wedge.Config{Content: wedge.ContentHex}, "is not hexadecimal"},
		{"only zeros", "0000000000", wedge.Config{Content: wedge.ContentHex}, "broken read"},
		{"decimal", "0015839939", wedge.Config{Content: wedge.ContentDecimal}, "00F1B2C3/lf125"},
		{"decimal, last byte first", "3283284224", wedge.Config{Content: wedge.ContentDecimal, Reversed: true}, "00F1B2C3/lf125"},
		{"the largest", "4294967294", wedge.Config{Content: wedge.ContentDecimal}, "FFFFFFFE/lf125"},
		{"nine digits", "015839939", wedge.Config{Content: wedge.ContentDecimal}, "no number of ten digits"},
		{"33 bits", "4294967296", wedge.Config{Content: wedge.ContentDecimal}, "no number of ten digits"},
		{"a sign", "+015839939", wedge.Config{Content: wedge.ContentDecimal}, "no number of ten digits"},
		{"zero", "0000000000", wedge.Config{Content: wedge.ContentDecimal}, "broken read"},
		{"prefix and suffix", "]C1abc#", wedge.Config{Prefix: "]C1", Suffix: "#"}, "abc/code"},
		{"prefix is missing", "abc#", wedge.Config{Prefix: "]C1", Suffix: "#"}, "does not begin with"},
		{"suffix is missing", "]C1abc", wedge.Config{Prefix: "]C1", Suffix: "#"}, "does not begin with"},
		{"nothing between them", "]C1#", wedge.Config{Prefix: "]C1", Suffix: "#"}, "empty"},
		{"too long for a code", strings.Repeat("x", drivers.MaxCode+1), wedge.Config{}, "too long"},
		{"too long for a line", strings.Repeat("x", wedge.MaxLine+1), wedge.Config{}, "end each code with Enter"},
	} {
		scans(t, emulate.WedgeConfig{}, tt.cfg, func(d *emulate.Wedge, hear func(time.Duration) string) {
			if err := d.Scan(tt.text); err != nil {
				t.Fatal(err)
			}
			if got := hear(time.Second); !strings.Contains(got, tt.want) || strings.Contains(got, ", fault") {
				t.Errorf("%s: said %q, want %q", tt.name, got, tt.want)
			}
		})
	}
}

func TestMoments(t *testing.T) {
	scans(t, emulate.WedgeConfig{}, wedge.Config{}, func(d *emulate.Wedge, hear func(time.Duration) string) {
		for _, step := range []struct {
			scan string
			wait time.Duration
			want string
		}{
			{"A", 900 * time.Millisecond, "A/code"},
			{"A", 900 * time.Millisecond, ""}, // a trigger that is held
			{"A", 900 * time.Millisecond, ""},
			{"B", 100 * time.Millisecond, "B/code"},
			{"A", 1100 * time.Millisecond, "A/code"},
			{"A", 0, "A/code"},
		} {
			if err := d.Scan(step.scan); err != nil {
				t.Fatal(err)
			}
			if got := hear(step.wait); got != step.want {
				t.Errorf("scan %s, wait %v: %q, want %q", step.scan, step.wait, got, step.want)
			}
		}
	})
}

func TestLostEnds(t *testing.T) {
	set := func(d *emulate.Wedge, fault string, on bool) {
		if err := d.Fault(fault, on); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a line without an end is no code", func(t *testing.T) {
		scans(t, emulate.WedgeConfig{}, wedge.Config{}, func(d *emulate.Wedge, hear func(time.Duration) string) {
			set(d, emulate.FaultHalf, true)
			d.Scan("ABC")
			if got := hear(time.Second); got != "" {
				t.Errorf("said %q before its end could have come", got)
			}
			if got := hear(2 * time.Second); !strings.Contains(got, "line without an end") {
				t.Errorf("said %q", got)
			}
			set(d, emulate.FaultHalf, false)
			d.Scan("DEF")
			if got := hear(0); got != "DEF/code" {
				t.Errorf("said %q", got)
			}
		})
	})
	t.Run("unless a gap is one", func(t *testing.T) {
		scans(t, emulate.WedgeConfig{End: "none", Pace: 20 * time.Millisecond}, wedge.Config{End: wedge.EndGap}, func(d *emulate.Wedge, hear func(time.Duration) string) {
			d.Scan("ABC")
			if got := hear(100 * time.Millisecond); got != "" {
				t.Errorf("said %q before the gap", got)
			}
			if got := hear(100 * time.Millisecond); got != "ABC/code" {
				t.Errorf("said %q", got)
			}
		})
	})
	t.Run("a buffer that ran over drops the line", func(t *testing.T) {
		scans(t, emulate.WedgeConfig{}, wedge.Config{}, func(d *emulate.Wedge, hear func(time.Duration) string) {
			set(d, emulate.FaultDropped, true)
			d.Scan("ABC")
			d.Scan("DEF")
			if got := hear(time.Second); !strings.Contains(got, "too slow") || !strings.HasSuffix(got, ", DEF/code") {
				t.Errorf("said %q", got)
			}
		})
	})
	t.Run("faults do not flood", func(t *testing.T) {
		scans(t, emulate.WedgeConfig{}, wedge.Config{Prefix: "#"}, func(d *emulate.Wedge, hear func(time.Duration) string) {
			for range 10 {
				d.Scan("x")
			}
			if got := hear(100 * time.Millisecond); strings.Count(got, "fault") != 1 {
				t.Errorf("said %q", got)
			}
		})
	})
}

func TestNewRefuses(t *testing.T) {
	open := func(context.Context) (wedge.Source, error) { return nil, io.EOF }
	for name, cfg := range map[string]wedge.Config{
		"no name": {Open: open}, "no device": {Name: "g"}, "layout": {Name: "g", Open: open, Layout: "jp"},
		"content": {Name: "g", Open: open, Content: 9}, "end": {Name: "g", Open: open, End: 9},
		"gap": {Name: "g", Open: open, End: wedge.EndGap, Gap: -1}, "cooldown": {Name: "g", Open: open, Cooldown: -1},
		"event size": {Name: "g", Open: open, EventSize: 20},
	} {
		if _, err := wedge.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r, err := wedge.New(wedge.Config{Name: "g", Port: "/dev/input/by-id/usb-x-event-kbd", Open: open})
	if err != nil {
		t.Fatal(err)
	}
	if want := (drivers.Info{Name: "g", Driver: "wedge", Port: "/dev/input/by-id/usb-x-event-kbd"}); r.Info() != want {
		t.Errorf("info %+v", r.Info())
	}
}
