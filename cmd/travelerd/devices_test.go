package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"traveler.example/drivers/emulate"
)

// TestSerialReaders has one daemon with readers of three kinds on serial ports:
// each takes items in, one that is plugged out and in again goes on, and one whose
// settings change is opened anew while the others go on.
func TestSerialReaders(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker+`
[[reader]]
name = "low"
device = "ascii125"
port = "./low"
framing = "rdm6300"

[[reader]]
name = "uhf"
device = "m100"
port = "./uhf"
region = "eu"
power = "20 dBm"
rssi_min = "-70 dBm"
min_reads = 2
`)
	g.plug()
	low, err := emulate.NewASCII125(emulate.ASCII125Config{})
	ok(t, err)
	uhf := emulate.NewM100(emulate.M100Config{})
	sockets := map[string]*emulate.Socket{}
	for name, device := range map[string]emulate.Device{"low": low, "uhf": uhf} {
		s, err := emulate.Plug(filepath.Join(g.dir, name), device)
		ok(t, err)
		t.Cleanup(func() { _ = s.Close() })
		sockets[name] = s
	}
	g.start()
	allUp := func() {
		t.Helper()
		d := g.desk()
		g.until("three readers up", func() bool {
			s, err := d.Status(context.Background())
			up := 0
			for _, r := range s.Readers {
				if r.Up {
					up++
				}
			}
			return err == nil && up == 3
		})
	}
	allUp()
	g.order(twoSteps("PO-1", "DRILL-1"))
	takenIn := func(tag string, present, remove func() error) {
		t.Helper()
		n := len(g.lamp())
		ok(t, present())
		line, n := g.shows(n, "TAKEN IN")
		if !strings.Contains(line, tag) {
			t.Errorf("tag %s: the light says %q", tag, line)
		}
		ok(t, remove())
		g.shows(n, "IDLE")
	}
	onLow := func(tag string) {
		t.Helper()
		takenIn(tag, func() error { return low.Present(tag) }, func() error { return low.Remove(tag) })
	}
	onUHF := func(tag string) {
		t.Helper()
		takenIn(tag, func() error { return uhf.Present(tag, "") }, func() error { return uhf.Remove(tag) })
	}
	g.scan("04000000000001", "TAKEN IN")
	onLow("0A00F1B2C3")
	onUHF("3034257BF7194E4000001A85")

	ok(t, sockets["low"].Unplug())
	g.until("reader.down", func() bool { return g.count("reader.down") == 1 })
	ok(t, sockets["low"].Replug())
	allUp()
	onLow("0A00F1B2C4")

	g.rewrite("min_reads = 2", "min_reads = 3\ndwell = \"400ms\"")
	g.reloaded("profile.reloaded", 1)
	allUp()
	onUHF("3034257BF7194E4000001A86")
	g.scan("04000000000002", "TAKEN IN")
	if n := g.count("reader.down"); n != 1 {
		t.Errorf("%d lines reader.down, want that of the reader that was unplugged", n)
	}
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
