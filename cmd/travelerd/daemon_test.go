package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStartsWithNothing starts a gateway without broker, network, reader or the
// light's terminal, and gives it each of them afterwards: it says each lack once
// and recovers by itself.
func TestStartsWithNothing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	g.start()
	g.logged("daemon.ready")
	g.logged("broker.lost")
	g.logged("reader.down")
	g.shows(0, "READER DOWN")
	g.plug()
	g.logged("reader.up")
	g.order(twoSteps("PO-1", "DRILL-1"))
	g.scan("04A1B2C3D4E580", "TAKEN IN")
	g.scan("04A1B2C3D4E580", "ALREADY DONE")
	for event, want := range map[string]int{"reader.down": 1, "reader.up": 1, "broker.lost": 1, "daemon.ready": 1, "scan.taken-in": 1} {
		if n := g.count(event); n != want {
			t.Errorf("%d lines %s, want %d", n, event, want)
		}
	}
	s, err := g.desk().Status(context.Background())
	ok(t, err)
	if s.Items != 1 || s.Broker != "" || !s.Open || len(s.Readers) != 1 || !s.Readers[0].Up {
		t.Errorf("status %+v", s)
	}
	began := time.Now()
	if code := g.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	t.Logf("ended after %v", time.Since(began))
}

// TestReaderUnplugged loses the reader in the middle of work: the light says so,
// nothing stays green, and the next scan after the replug works.
func TestReaderUnplugged(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+noBroker)
	g.plug()
	g.start()
	g.ready()
	g.order(twoSteps("PO-1", "DRILL-1"))
	g.scan("04000000000001", "TAKEN IN")
	n := len(g.lamp())
	ok(t, g.reader.Present("04000000000002", "ntag213"))
	_, n = g.shows(n, "TAKEN IN")
	ok(t, g.socket.Unplug())
	_, n = g.shows(n, "READER DOWN")
	ok(t, g.socket.Replug())
	g.shows(n, "BACK")
	ok(t, g.reader.Remove("04000000000002"))
	time.Sleep(time.Second) // the tag departs
	g.scan("04000000000003", "TAKEN IN")
}

// TestRemedyInTheLanguageOfTheTerminal says in German what to do where messages are German.
func TestRemedyInTheLanguageOfTheTerminal(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g", "S-1", "drilling", noBroker)
	g.env = append(g.env, "LC_ALL=de_DE.UTF-8")
	ok(t, os.Chmod(filepath.Join(g.dir, "gateway.key"), 0o644))
	g.start()
	<-g.end
	if log := strings.Join(g.lines(), "\n"); !strings.Contains(log, "→ Legen Sie den Schlüssel dieses Gateways dorthin") {
		t.Errorf("no German remedy in\n%s", log)
	}
}

// TestRefusesToStart names what must be mended first, with exit code 78.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g", "S-1", "drilling", noBroker)
	ok(t, os.Chmod(filepath.Join(g.dir, "gateway.key"), 0o644))
	g.start()
	<-g.end
	if code := g.cmd.ProcessState.ExitCode(); code != exitConfig {
		t.Errorf("exit code %d, want %d", code, exitConfig)
	}
	if log := strings.Join(g.lines(), "\n"); !strings.Contains(log, "chmod 600") || !strings.Contains(log, "key.refused") {
		t.Errorf("no remedy in\n%s", log)
	}
}

// TestOneDaemonAChain refuses a second daemon on the same directory.
func TestOneDaemonAChain(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	g := p.gateway("g", "S-1", "drilling", noBroker)
	g.start()
	g.logged("daemon.ready")
	second := &gateway{t: t, plant: p, name: "second", dir: g.dir}
	second.start()
	<-second.end
	if code := second.cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	second.logged("replica.busy")
}
