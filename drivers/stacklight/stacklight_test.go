package stacklight_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

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
