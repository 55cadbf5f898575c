package stacklight_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/stacklight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func clock() time.Time {
	return time.Date(2026, 3, 1, 7, 0, 0, 125e6, time.FixedZone("CET", 3600))
}

// writes counts calls of Write.
type writes struct{ calls [][]byte }

func (w *writes) Write(b []byte) (int, error) {
	w.calls = append(w.calls, bytes.Clone(b))
	return len(b), nil
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		signal drivers.Signal
		want   string
	}{
		{drivers.Signal{Aspect: drivers.AspectGreen, Text: "ACCEPTED item L-1042: drill the housing"}, "GREEN ACCEPTED item L-1042: drill the housing"},
		{drivers.Signal{}, "IDLE"},
		{drivers.Signal{Aspect: drivers.AspectRed, Text: "SET ASIDE\nGREEN forged\x1b[31m\u0085"}, "RED SET ASIDE GREEN forged [31m"},
		{drivers.Signal{Aspect: drivers.AspectAmber, Text: "WAIT \xff Prüfling"}, "AMBER WAIT \uFFFD Prüfling"},
		{drivers.Signal{Aspect: drivers.AspectFault, Text: strings.Repeat("ü", 500)}, "FAULT " + strings.Repeat("ü", stacklight.MaxText/2)},
	} {
		var w writes
		if err := stacklight.NewLines(&w, clock).Show(t.Context(), tt.signal); err != nil {
			t.Fatal(err)
		}
		want := "2026-03-01T06:00:00.125Z " + tt.want + "\n"
		if len(w.calls) != 1 || string(w.calls[0]) != want {
			t.Errorf("wrote %q, want one write of %q", w.calls, want)
		}
	}
}

func TestLinesToFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "light")
	light, err := stacklight.OpenLines(path, clock)
	if err != nil {
		t.Fatal(err)
	}
	show := func(text string) {
		t.Helper()
		if err := light.Show(t.Context(), drivers.Signal{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	show("one")
	show("two")
	os.Rename(path, path+".1")
	show("three")
	for name, want := range map[string]int{path + ".1": 2, path: 1} {
		if b, err := os.ReadFile(name); bytes.Count(b, []byte("\n")) != want {
			t.Errorf("%s has %q (%v), want %d lines", name, b, err, want)
		}
	}
}

func TestLinesToTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "light")
	socket, err := emulate.Plug(path, &listener{lines: make(chan string, 8)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	light, err := stacklight.OpenLines(path, clock)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := light.Show(t.Context(), drivers.Signal{Aspect: drivers.AspectGreen, Text: "ACCEPTED"}); err != nil {
			t.Fatal(err)
		}
		if got := <-socket.Device.(*listener).lines; got != "2026-03-01T06:00:00.125Z GREEN ACCEPTED" {
			t.Errorf("the terminal got %q", got)
		}
		socket.Unplug()
		socket.Replug()
	}
}

func TestLinesFail(t *testing.T) {
	if _, err := stacklight.OpenLines("", clock); err == nil {
		t.Error("opened without a path")
	}
	light, _ := stacklight.OpenLines(filepath.Join(t.TempDir(), "no", "such"), clock)
	if err := light.Show(t.Context(), drivers.Signal{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

// recorder is a pin that notes when it changes.
type recorder struct {
	gpiotest.Pin
	log  *record
	fail bool
}

type record struct {
	mu    sync.Mutex
	start time.Time
	text  []string
}

func (p *recorder) Out(l gpio.Level) error {
	if p.fail {
		return errors.New("pin is gone")
	}
	was := p.Read()
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	if was != l {
		p.log.text = append(p.log.text, fmt.Sprintf("%s%v@%d", p.N, map[gpio.Level]string{gpio.Low: "-", gpio.High: "+"}[l], time.Since(p.log.start).Milliseconds()))
	}
	return p.Pin.Out(l)
}

func pins(activeLow bool) (*record, []*recorder, stacklight.Pins) {
	log := &record{start: time.Now()}
	var r []*recorder
	for _, name := range []string{"r", "a", "g"} {
		r = append(r, &recorder{Pin: gpiotest.Pin{N: name}, log: log})
	}
	return log, r, stacklight.Pins{Red: r[0], Amber: r[1], Green: r[2], ActiveLow: activeLow}
}

func TestGPIORhythms(t *testing.T) {
	for aspect, want := range map[drivers.Aspect]string{
		drivers.AspectIdle:  "",
		drivers.AspectGreen: "g+@0 g-@2500",
		drivers.AspectAmber: "a+@0 a-@1000 a+@2000 a-@2500",
		drivers.AspectRed:   "r+@0 r-@200 r+@400 r-@600 r+@800 r-@1000 r+@1200 r-@1400 r+@1600 r-@1800 r+@2000 r-@2200 r+@2400 r-@2500",
		drivers.AspectFault: "r+@0 a+@0 r-@150 a-@150 r+@350 a+@350 r-@500 a-@500 r+@1700 a+@1700 r-@1850 a-@1850 r+@2050 a+@2050 r-@2200 a-@2200",
	} {
		synctest.Test(t, func(t *testing.T) {
			log, _, p := pins(false)
			light, err := stacklight.NewGPIO(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := light.Show(t.Context(), drivers.Signal{Aspect: aspect}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2500 * time.Millisecond)
			if err := light.Close(); err != nil {
				t.Error(err)
			}
			if got := strings.Join(log.text, " "); got != want {
				t.Errorf("%v: %s\nwant %s", aspect, got, want)
			}
			if err := light.Show(t.Context(), drivers.Signal{}); !errors.Is(err, drivers.ErrClosed) {
				t.Errorf("shown after Close: %v", err)
			}
		})
	}
}

// One verdict goes out before the next is lit.
func TestGPIOChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _, p := pins(true)
		light, err := stacklight.NewGPIO(p)
		if err != nil {
			t.Fatal(err)
		}
		defer light.Close()
		for _, a := range []drivers.Aspect{drivers.AspectRed, drivers.AspectGreen, drivers.AspectAmber, drivers.AspectIdle} {
			if err := light.Show(t.Context(), drivers.Signal{Aspect: a}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		want := "r+@0 a+@0 g+@0 r-@0 r+@0 g-@0 g+@0 a-@0 a+@0" // active low, dark at first
		if got := strings.Join(log.text, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestGPIOReportsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, p := pins(false)
		light, err := stacklight.NewGPIO(p)
		if err != nil {
			t.Fatal(err)
		}
		r[2].fail = true
		if err := light.Show(t.Context(), drivers.Signal{Aspect: drivers.AspectGreen}); err == nil || !strings.Contains(err.Error(), "green lamp on pin g") {
			t.Errorf("got %v, want an error that names the lamp", err)
		}
		light.Close()
		if _, err := stacklight.NewGPIO(p); err == nil {
			t.Error("a light with a broken pin was opened")
		}
		if _, err := stacklight.NewGPIO(stacklight.Pins{}); err == nil {
			t.Error("a light without pins was opened")
		}
	})
}

func TestOpenGPIO(t *testing.T) {
	if _, err := stacklight.OpenGPIO(stacklight.PinNames{Red: "NOPIN"}); err == nil || !strings.Contains(err.Error(), `no pin "NOPIN" for the red lamp`) {
		t.Errorf("got %v, want an error that names pin and lamp", err)
	}
	var all []*gpiotest.Pin
	for i, name := range []string{"TESTRED", "TESTAMBER", "TESTGREEN"} {
		p := &gpiotest.Pin{N: name, Num: 9000 + i}
		if err := gpioreg.Register(p); err != nil {
			t.Fatal(err)
		}
		defer gpioreg.Unregister(name)
		all = append(all, p)
	}
	light, err := stacklight.OpenGPIO(stacklight.PinNames{Red: "TESTRED", Amber: "TESTAMBER", Green: "TESTGREEN"})
	if err != nil {
		t.Fatal(err)
	}
	defer light.Close()
	if err := light.Show(context.Background(), drivers.Signal{Aspect: drivers.AspectGreen}); err != nil {
		t.Fatal(err)
	}
	if all[0].Read() || all[1].Read() || !all[2].Read() {
		t.Errorf("pins are %v %v %v, want only green high", all[0].Read(), all[1].Read(), all[2].Read())
	}
}
