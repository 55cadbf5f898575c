package main

import (
	"strings"
	"testing"

	"traveler.example/agent/journal"
)

// TestButtonsWithoutPins puts a button into the profile of a machine that has no such
// pin, while the station works: that is said with what to do, once, and scans go on.
func TestButtonsWithoutPins(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	g.plug()
	g.start()
	g.ready()
	g.order(twoSteps("PO-1", "DRILL-1"))
	g.scan("04000000000001", "TAKEN IN")
	g.rewrite(noBroker, noBroker+"[[button]]\naction = \"cancel\"\npin = \"NOSUCHPIN\"\n")
	g.reloaded("profile.reloaded", 1)
	if line := g.logged(string(journal.ButtonFault)); !strings.Contains(line, "NOSUCHPIN") || !strings.Contains(line, "is not there") {
		t.Errorf("the journal says %q", line)
	}
	g.scan("04000000000002", "TAKEN IN")
	s, err := g.desk().Status(t.Context())
	ok(t, err)
	if len(s.Buttons) != 1 || s.Buttons[0].Up || s.Buttons[0].Name != "cancel" {
		t.Errorf("buttons %+v", s.Buttons)
	}
	if n := g.count("button.fault"); n != 1 {
		t.Errorf("%d lines of the button, want 1", n)
	}
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
