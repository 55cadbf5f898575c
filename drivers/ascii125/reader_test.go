package ascii125_test

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
)

var everyOnPTY = flag.Bool("pty", false, "run every behaviour on a pseudo-terminal, a minute more")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// models are the readers as the conformance suite knows them.
var models = []struct {
	name      string
	tags      [2]string
	once      bool
	hardships []string
}{
	{emulate.ModelRDM6300, [2]string{"0A00F1B2C3", "0A00F1B2C4"}, false, []string{
		emulate.FaultFragment, emulate.FaultDelay, emulate.FaultGarbage, emulate.FaultChecksum, emulate.FaultHalf,
	}},
	// What these say only once and damage on the way is lost, as on a desk.
	{emulate.ModelID12, [2]string{"0A00F1B2C3", "FFFFFFFFFE"}, true, []string{
		emulate.FaultFragment, emulate.FaultDelay, emulate.FaultGarbage,
	}},
	{emulate.ModelWL134, [2]string{"F9C06B7798CF", "F9C000000001"}, true, []string{
		emulate.FaultFragment, emulate.FaultDelay, emulate.FaultGarbage,
	}},
}

// TestReaderOnPTY runs those behaviours that a real port has a part in, side by
// side, for they mostly wait; leaks show at the end of all. With -pty it runs
// every one.
func TestReaderOnPTY(t *testing.T) {
	real := []string{
		"arrives once and departs once", "hardships change nothing", "one outage for unplug and replug",
		"ends while idle", "ends while unplugged", "ends while nobody takes its events",
		"another speed makes no tag", "a port that another program holds is down once",
	}
	for _, b := range drivertest.Readers() {
		if !*everyOnPTY && !slices.Contains(real, b.Name) {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			device := newDevice(t, emulate.ModelRDM6300, false)
			socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { socket.Close() })
			port := drivers.Serial{Path: socket.Path(), Baud: ascii125.DefaultBaud}
			r := rig(t, 0, device, port.Open)
			r.Hold = drivertest.HoldSerial(port)
			r.Unplug, r.Replug = socket.Unplug, socket.Replug
			b.Check(t, r)
		})
	}
}

// TestReaderInBubble runs the same behaviours for every model on a cable in
// memory, at the pace of a real line, in virtual time.
func TestReaderInBubble(t *testing.T) {
	for i, m := range models {
		for _, b := range drivertest.Readers() {
			t.Run(m.name+"/"+b.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					device := newDevice(t, m.name, true)
					bench := drivertest.NewBench(t, device.Serve)
					r := rig(t, i, device, bench.Open)
					r.Unplug, r.Replug = bench.Unplug, bench.Replug
					b.Check(t, r)
				})
			})
		}
	}
}

func newDevice(t *testing.T, model string, paced bool) *emulate.ASCII125 {
	device, err := emulate.NewASCII125(emulate.ASCII125Config{Model: model, Paced: paced})
	if err != nil {
		t.Fatal(err)
	}
	return device
}

func rig(t *testing.T, model int, device *emulate.ASCII125, open drivers.Opener) drivertest.Rig {
	open, hold := drivertest.Contend(open)
	reader, err := ascii125.New(ascii125.Config{Name: "bench", Open: open})
	if err != nil {
		t.Fatal(err)
	}
	m := models[model]
	return drivertest.Rig{
		Reader: reader, Tags: m.tags, Present: device.Present, Remove: device.Remove, Fault: device.Fault,
		Silence: emulate.FaultSilence, Flicker: emulate.FaultFlicker, Hardships: m.hardships,
		Hold: hold, Fragment: emulate.FaultFragment, Garbage: emulate.FaultGarbage, Baud: emulate.FaultBaud,
		Limits: drivertest.Limits{Alone: true, Unasked: true, Once: m.once},
	}
}

// hand is the device's end of a line that a test speaks on by itself.
type hand struct {
	t      *testing.T
	line   drivers.Port
	reader *ascii125.Reader
	events chan drivers.Event
}

// byHand runs a reader in a bubble, with a test at the other end of its line.
func byHand(t *testing.T, cfg ascii125.Config, play func(h *hand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		host, line := drivertest.Cable()
		cfg.Name, cfg.Open = "bench", func(context.Context) (drivers.Port, error) { return host, nil }
		reader, err := ascii125.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		h := &hand{t: t, line: line, reader: reader, events: make(chan drivers.Event, 256)}
		ended := make(chan error)
		go func() { ended <- reader.Run(ctx, h.events) }()
		play(h)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// says sends bytes, lets d pass, and checks the events that came since: kinds
// and tags, or part of the error of a fault.
func (h *hand) says(bytes string, d time.Duration, want ...string) {
	h.t.Helper()
	h.line.Write([]byte(bytes))
	time.Sleep(d)
	synctest.Wait()
	for len(want) > 0 || len(h.events) > 0 {
		if len(h.events) == 0 {
			h.t.Errorf("after %.40q: no more events, want %q", bytes, want)
			return
		}
		e := <-h.events
		got := strings.TrimSpace(e.Kind.String() + " " + e.Tag.ID)
		if e.Err != nil {
			got += e.Err.Error()
		}
		if len(want) == 0 || !strings.Contains(got, want[0]) || e.Kind == drivers.Fault && !errors.Is(e.Err, drivers.ErrProtocol) && !errors.Is(e.Err, drivers.ErrTagID) {
			h.t.Errorf("after %.40q: %s, want %q", bytes, got, want)
		}
		want = want[min(1, len(want)):]
	}
}

const (
	rdmA   = "\x020A00F1B2C38A\x03"
	rdmB   = "\x020a00f1b2c48d\x03"
	id12A  = "\x020A00F1B2C38A\r\n\x03"
	animal = "\x02FC8977B6007E30010000000000\x00\xff\x03" // as a module sent it
)

func TestSessions(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	t.Run("a tag that is repeated departs by absence", func(t *testing.T) {
		byHand(t, ascii125.Config{}, func(h *hand) {
			h.says("", s, "up")
			h.says(rdmA, 65*ms, "arrived 0A00F1B2C3")
			if model := h.reader.Info().Model; model != "RDM6300" {
				t.Errorf("model %q", model)
			}
			for range 20 {
				h.says(rdmA, 65*ms)
			}
			h.says("", 300*ms)
			h.says(rdmA, 65*ms) // not gone for long enough
			h.says("", 600*ms, "departed 0A00F1B2C3")
		})
	})
	t.Run("one that is told of once departs by the hold", func(t *testing.T) {
		byHand(t, ascii125.Config{}, func(h *hand) {
			h.says("", s, "up")
			h.says(id12A, 1500*ms, "arrived 0A00F1B2C3")
			h.says(id12A, 1900*ms) // again: the session goes on
			h.says("", 200*ms, "departed 0A00F1B2C3")
			h.says(animal, 3*s, "arrived F9C06B7798CF", "departed F9C06B7798CF")
		})
	})
	t.Run("the profile knows better", func(t *testing.T) {
		byHand(t, ascii125.Config{Repeat: ascii125.RepeatWhile, Framing: ascii125.ID12}, func(h *hand) {
			h.says("", s, "up")
			h.says(id12A, s, "arrived 0A00F1B2C3", "departed 0A00F1B2C3")
			h.says(rdmB, s, "profile says ID-12LA/20LA")
		})
		byHand(t, ascii125.Config{Repeat: ascii125.RepeatNever}, func(h *hand) {
			h.says("", s, "up")
			h.says(rdmA, 1900*ms, "arrived 0A00F1B2C3")
			h.says("", 200*ms, "departed 0A00F1B2C3")
		})
		byHand(t, ascii125.Config{Presence: drivers.PresenceConfig{Absence: 5 * s}}, func(h *hand) {
			h.says("", s, "up")
			h.says(rdmA, 4900*ms, "arrived 0A00F1B2C3")
			h.says("", 200*ms, "departed 0A00F1B2C3")
		})
	})
	t.Run("what is told before Up lay there", func(t *testing.T) {
		byHand(t, ascii125.Config{}, func(h *hand) {
			h.says(rdmA, 300*ms, "up", "present 0A00F1B2C3")
		})
	})
	t.Run("another tag at once", func(t *testing.T) {
		byHand(t, ascii125.Config{}, func(h *hand) {
			h.says("", s, "up")
			h.says(rdmA+rdmB, s, "arrived 0A00F1B2C3", "arrived 0A00F1B2C4", "departed 0A00F1B2C3", "departed 0A00F1B2C4")
		})
	})
}

// Nobody takes events for a while: the tag that lies there all the time has not
// departed when they are taken again.
func TestHeldUpIsNotGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, line := drivertest.Cable()
		reader, err := ascii125.New(ascii125.Config{
			Name: "bench", Open: func(context.Context) (drivers.Port, error) { return host, nil },
			Presence: drivers.PresenceConfig{Misses: 1}, // so that nothing else makes up for it
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, ended := make(chan drivers.Event), make(chan error)
		go func() { ended <- reader.Run(ctx, events) }()
		var repeats sync.WaitGroup
		repeats.Go(func() {
			for ctx.Err() == nil {
				line.Write([]byte(rdmA))
				time.Sleep(ascii125.RepeatInterval)
			}
		})
		for _, want := range []drivers.Kind{drivers.Up, drivers.Present} {
			time.Sleep(5 * time.Second)
			if e := <-events; e.Kind != want {
				t.Errorf("event %v, want %v", e.Kind, want)
			}
		}
		select {
		case e := <-events:
			t.Errorf("event %v %v, want none", e.Kind, e.Tag)
		case <-time.After(5 * time.Second):
		}
		cancel()
		<-ended
		repeats.Wait()
	})
}

func TestFaults(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name, in, want string
	}{
		{"wrong checksum", "\x020A00F1B2C38B\x03", "wrong checksum"},
		{"only zeros", "\x02000000000000\x03", "broken read"},
		{"only FF", "\x02FFFFFFFFFFFF\x03", "broken read"},
		{"no frame", strings.Repeat("\x8e\xee\xa4", 5), "9600 baud"},
		{"half a frame", rdmA[:10], "9600 baud"},
		{"no end of it", strings.Repeat("\x8e\xee\xa4", 50), "9600 baud"},
	} {
		byHand(t, ascii125.Config{}, func(h *hand) {
			h.says("", s, "up")
			h.says(tt.in, s, tt.want)
			h.says(tt.in, s) // said once in a while
			h.says("", 10*s)
			h.says(tt.in, s, tt.want)
			h.says(rdmA, s, "arrived", "departed")
		})
	}
	byHand(t, ascii125.Config{}, func(h *hand) { // a few bytes now and then are nothing
		h.says("", s, "up")
		for range 50 {
			h.says("\x00\xff", s)
		}
	})
}

// At another speed nothing is read and the remedy is said.
func TestWrongBaud(t *testing.T) {
	device := newDevice(t, emulate.ModelRDM6300, false)
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	reader, err := ascii125.New(ascii125.Config{Name: "bench", Open: drivers.Serial{Path: socket.Path(), Baud: 115200}.Open})
	if err != nil {
		t.Fatal(err)
	}
	if err := device.Present("0A00F1B2C3"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	events, ended := make(chan drivers.Event, 16), make(chan error, 1)
	go func() { ended <- reader.Run(ctx, events) }()
	for _, want := range []drivers.Kind{drivers.Up, drivers.Fault} {
		select {
		case e := <-events:
			if e.Kind != want || want == drivers.Fault && !strings.Contains(e.Err.Error(), "9600 baud") {
				t.Errorf("event %v %v, want %v", e.Kind, e.Err, want)
			}
		case <-ctx.Done():
			t.Fatalf("no %v", want)
		}
	}
	cancel()
	<-ended
}

func TestNewRefuses(t *testing.T) {
	open := func(context.Context) (drivers.Port, error) { return nil, errors.New("unused") }
	for name, cfg := range map[string]ascii125.Config{
		"no name": {Open: open}, "no port": {Name: "r"},
		"framing": {Name: "r", Open: open, Framing: 9}, "repeat": {Name: "r", Open: open, Repeat: 9},
	} {
		if _, err := ascii125.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r, err := ascii125.New(ascii125.Config{Name: "r", Port: "/dev/x", Open: open, Framing: ascii125.WL134})
	if err != nil {
		t.Fatal(err)
	}
	if want := (drivers.Info{Name: "r", Driver: "ascii125", Port: "/dev/x", Model: "WL-134"}); r.Info() != want {
		t.Errorf("info %+v", r.Info())
	}
}
