package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"traveler.example/agent"
	"traveler.example/drivers/emulate"
)

// rewrite changes the gateway's profile.
func (g *gateway) rewrite(from, to string) {
	g.t.Helper()
	file := filepath.Join(g.dir, agent.ProfileName)
	text, err := os.ReadFile(file)
	ok(g.t, err)
	if !strings.Contains(string(text), from) {
		g.t.Fatalf("the profile has no %q:\n%s", from, text)
	}
	ok(g.t, os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o644))
}

// reloaded tells the daemon to read its profile and waits for the n-th time that
// it says what came of it.
func (g *gateway) reloaded(event string, n int) string {
	g.t.Helper()
	g.hangUp()
	g.until(event, func() bool { return g.count(event) >= n })
	return g.logged(event)
}

// TestReload changes a profile under a working station: what can change does,
// what lies on the reader stays decided, what is scanned meanwhile is, a profile
// with faults changes nothing, and what needs a restart is said.
func TestReload(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	g.plug()
	g.start()
	g.ready()
	g.order(twoSteps("PO-1", "DRILL-1"))

	// A tag that lies there, decided, is not decided again, and one that comes
	// while the profile changes is.
	n := len(g.lamp())
	ok(t, g.reader.Present("04000000000001", "ntag213"))
	_, n = g.shows(n, "TAKEN IN")
	g.rewrite("order = \"PO-1\"", "order = \"PO-1\"\nlot = \"LOT-9\"")
	g.hangUp()
	ok(t, g.reader.Remove("04000000000001"))
	ok(t, g.reader.Present("04000000000002", "ntag213"))
	g.logged("profile.reloaded")
	line, n := g.shows(n, "TAKEN IN 04000000000002")
	if !strings.Contains(line, "04000000000002") && g.count("scan.taken-in") != 2 {
		t.Errorf("the light says %q", line)
	}
	ok(t, g.reader.Remove("04000000000002"))
	g.shows(n, "IDLE")
	g.scan("04000000000003", "TAKEN IN")
	if doc, err := g.desk().Item(context.Background(), "04000000000003"); err != nil || doc.Lot != "LOT-9" {
		t.Errorf("taken in under lot %q, %v", doc.Lot, err)
	}

	// Faults: all are told and nothing changes.
	g.rewrite("lot = \"LOT-9\"", "lot = \"LOT 9\"\nbogus = 1")
	if line := g.reloaded("profile.refused", 1); !strings.Contains(line, "bogus") || !strings.Contains(line, "LOT 9") {
		t.Errorf("not all faults in %q", line)
	}
	g.scan("04000000000004", "TAKEN IN")

	// A certificate that is not there: the same.
	const clear, secure = "mqtt://127.0.0.1:1\"]", "mqtts://127.0.0.1:1\"]\nca_file = \"none.crt\""
	g.rewrite("lot = \"LOT 9\"\nbogus = 1", "lot = \"LOT-9\"")
	g.rewrite(clear, secure)
	g.reloaded("profile.refused", 2)
	g.rewrite(secure, clear)

	// The reader moves to another port, and the name of the gateway needs a restart.
	second := emulate.NewPN532(emulate.PN532Config{})
	socket, err := emulate.Plug(filepath.Join(g.dir, "reader2"), second)
	ok(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	g.rewrite("./reader", "./reader2")
	g.rewrite("gateway = \"g-intake\"", "gateway = \"g-other\"")
	if line := g.reloaded("profile.restart-needed", 1); !strings.Contains(line, "gateway") || !strings.Contains(line, "restart travelerd") {
		t.Errorf("not said what needs a restart: %q", line)
	}
	g.reader = second
	g.ready()
	g.scan("04000000000005", "TAKEN IN")
	s, err := g.desk().Status(context.Background())
	ok(t, err)
	if s.Items != 5 || s.Gateway != "g-intake" || len(s.Readers) != 1 || !strings.HasSuffix(s.Readers[0].Port, "reader2") {
		t.Errorf("status %+v", s)
	}
	for event, want := range map[string]int{"scan.taken-in": 5, "profile.reloaded": 2, "profile.refused": 2, "broker.lost": 1, "reader.down": 0, "light.fault": 0, "scan.lift-again": 0} {
		if got := g.count(event); got != want {
			t.Errorf("%d lines %s, want %d", got, event, want)
		}
	}
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
