package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "traveler.example/"

// rank is the table of ARCHITECTURE.md: a room imports lower numbers only.
func rank(room string) (int, bool) {
	exact := map[string]int{
		"ledger": 0, "drivers": 0, "systemd": 0,
		"ledger/replica": 1, "ledger/orderfile": 1, "drivers/emulate": 1,
		"drivers/pn532": 2, "drivers/mfrc522": 2,
		"drivers/probe": 3,
		"agent/journal": 2, "firmware-profiles": 2,
		"agent/station": 3, "agent/peer": 3,
		"agent/mqtt": 4,
		"agent":      5,
		"agent/line": 6, "agent/plant": 6, "agent/dialogue": 6, "agent/hostile": 6, "agent/flash": 6, "agent/doctor": 6,
		"cmd/travelerd": 7, "cmd/traveler": 7,
	}
	if r, ok := exact[room]; ok {
		return r, true
	}
	if strings.HasPrefix(room, "drivers/") {
		return 1, true
	}
	return 0, false
}

type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestLayers holds every package to the table of rooms: imports point down,
// ledger and drivers are blind to each other, and a library that only one room
// may touch is imported by that room alone.
func TestLayers(t *testing.T) {
	t.Parallel()
	only := map[string]string{
		"github.com/eclipse/paho.mqtt.golang":     "agent/mqtt",
		"github.com/mochi-mqtt/server/v2":         "agent/mqtt",
		"github.com/dgraph-io/badger/v4":          "ledger/replica",
		"go.bug.st/serial":                        "drivers",
		"github.com/spf13/cobra":                  "cmd/traveler",
		"periph.io/x/host/v3":                     "drivers/board",
		"periph.io/x/host/v3/sysfs":               "drivers/board",
		"github.com/coreos/go-systemd/v22/daemon": "cmd/travelerd",
	}
	seen := 0
	for _, p := range list(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		if room == "cmd" {
			continue
		}
		mine, ok := rank(room)
		if !ok {
			t.Errorf("%s has no rank: add it to the table here and in ARCHITECTURE.md", room)
			continue
		}
		seen++
		for _, imp := range p.Imports {
			if owner, ok := only[imp]; ok && owner != room {
				t.Errorf("%s imports %s, which is %s's alone", room, imp, owner)
			}
			if !strings.HasPrefix(imp, module) {
				continue
			}
			other := strings.TrimPrefix(imp, module)
			theirs, _ := rank(other)
			if theirs >= mine {
				t.Errorf("%s (rank %d) imports %s (rank %d): imports point down", room, mine, other, theirs)
			}
			for _, pair := range [][2]string{{"ledger", "drivers"}, {"drivers", "ledger"}} {
				if strings.HasPrefix(room, pair[0]) && strings.HasPrefix(other, pair[1]) {
					t.Errorf("%s imports %s: the two are blind to each other", room, other)
				}
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d rooms were looked at", seen)
	}
}

// TestPlantIsForTestsOnly keeps the simulation out of what ships.
func TestPlantIsForTestsOnly(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, imp := range p.Imports {
			if imp == module+"agent/plant" {
				t.Errorf("%s imports agent/plant outside its tests", p.ImportPath)
			}
		}
	}
}
