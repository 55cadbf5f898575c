package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/line"
)

// runDemo runs traveler demo with arguments and returns its exit code and what it
// printed.
func runDemo(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }
	code = run(t.Context(), append([]string{"demo"}, args...), strings.NewReader(""), &stdout, &stderr, env)
	return code, stdout.String(), stderr.String()
}

func TestDemoRefusals(t *testing.T) {
	t.Parallel()
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown fault", []string{"--fault", "flood"}, exitUsage, `no fault "flood", there are: wrong-station`},
		{"unknown reader", []string{"--readers", "pn532,barcode"}, exitUsage, `no reader "barcode", there are: pn532, ascii125, m100`},
		{"an island of readers that cannot write", []string{"--readers", "ascii125", "--fault", "island", "--travelerd", "true"}, exitUsage, "leave out one of both"},
		{"items that make no assembly", []string{"--items", "7", "--travelerd", "true"}, exitUsage, "multiple of 3"},
		{"kept and not kept", []string{"--keep", "--exit-when-done"}, exitUsage, "keep"},
		{"an argument", []string{"twice"}, exitUsage, "twice"},
		{"a directory in use", []string{"--dir", used, "--travelerd", "true"}, exitConflict, "is not empty"},
		{"no daemon", []string{"--dir", filepath.Join(t.TempDir(), "line"), "--travelerd", filepath.Join(used, "none")}, exitFailed, "starting"},
	} {
		code, out, stderr := runDemo(t, c.args...)
		if code != c.code || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s: exit %d, want %d\n%s\n%s", c.name, code, c.code, out, stderr)
		}
	}
}

// TestDemoJSON runs the smallest demo and holds its object to the shape that
// programs rely on.
func TestDemoJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("needs travelerd, which -short does not build")
	}
	bin := filepath.Join(t.TempDir(), "travelerd")
	build := exec.Command("go", "build", "-o", bin, "traveler.example/cmd/travelerd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building travelerd: %v\n%s", err, out)
	}
	dir := filepath.Join(t.TempDir(), "line")
	code, out, stderr := runDemo(t, "--json", "--exit-when-done", "--items", "6", "--fault", "wrong-station", "--dir", dir, "--travelerd", bin)
	if code != exitOK {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	var got map[string]any
	dec := json.NewDecoder(strings.NewReader(out))
	if err := dec.Decode(&got); err != nil || dec.More() {
		t.Fatalf("not one object: %v\n%s", err, out)
	}
	want := map[string]float64{
		"stations": 7, "items": 6, "finished": 2, "scrapped": 0, "consumed": 4, "returned": 0, "lights_missing_elsewhere": 0,
	}
	for key, n := range want {
		if got[key] != n {
			t.Errorf("%s is %v, want %v", key, got[key], n)
		}
	}
	if got["verify"] != "ok" || got["replicas_equal"] != true || got["blocks"] != got["confirmed_blocks"] {
		t.Errorf("%s", out)
	}
	for _, key := range []string{"misrouted", "blocks", "transactions", "lights_seen"} {
		if n, ok := got[key].(float64); !ok || n < 1 {
			t.Errorf("%s is %v", key, got[key])
		}
	}
	quantiles, _ := got["scan_to_light_ms"].(map[string]any)
	if _, ok := quantiles["p50"].(float64); !ok || quantiles["p99"] == nil {
		t.Errorf("scan_to_light_ms is %v", got["scan_to_light_ms"])
	}
	faults, _ := got["faults"].([]any)
	for _, f := range faults {
		fault, _ := f.(map[string]any)
		for _, key := range []string{"kind", "time", "station", "effect"} {
			if s, ok := fault[key].(string); !ok || s == "" {
				t.Errorf("a fault without %s: %v", key, fault)
			}
		}
	}
	if len(faults) != 2 || len(got) != 18 {
		t.Errorf("%d faults, %d keys\n%s", len(faults), len(got), out)
	}
	// What the summary tells people to try works.
	packing := filepath.Join(dir, "gateways", line.Packing)
	for _, args := range [][]string{{"item", "list"}, {"ledger", "verify"}, {"status"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append(args, "--dir", packing), strings.NewReader(""), &stdout, &stderr, os.Getenv); code != exitOK {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout.String(), stderr.String())
		}
	}
}

// TestDemoScreen shows lights as lines.
func TestDemoScreen(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	a := &app{out: &out, now: func() time.Time { return start }, env: func(string) string { return "" }}
	s := newDemoScreen(a)
	show := func(gateway, text string) {
		l, err := line.ParseLight("2026-03-01T06:00:01.500Z " + text)
		if err != nil {
			t.Fatal(err)
		}
		l.Gateway, l.At = gateway, l.Shown
		s.light(l)
	}
	s.phase("starting the gateways")
	show(line.Intake, "GREEN TAKEN IN H-04A1 tag 04A1: Take it to DRILLING (drill).")
	show(line.Intake, "IDLE")
	s.pulse = pulse{confirmed: 3, blocks: 4}
	show(line.Dock, "GREEN COMPLETED H-04A1 tag 04A1: Finished: hand it on.")
	show(line.Packing, "RED UNKNOWN TAG tag 04A2: found a tag")
	s.end()
	show(line.Packing, "GREEN ACCEPTED H-04A2 tag 04A2: Do pack, then scan again.")
	s.phase("stopping the gateways")
	want := `   0.0 s  starting the gateways
   1.5 s  intake         H-04A1            TAKEN IN
   1.5 s  shipping-dock  H-04A1            COMPLETED            confirmed 3 of 4
   1.5 s  packing        04A2              UNKNOWN TAG          confirmed 3 of 4
   0.0 s  stopping the gateways
`
	var got []string
	for l := range strings.Lines(out.String()) {
		got = append(got, strings.TrimRight(l, " \n")+"\n")
	}
	if strings.Join(got, "") != want || s.sample != "H-04A1" {
		t.Errorf("sample %q, screen:\n%s", s.sample, out.String())
	}
}

// TestDemoTable draws over itself and remembers how records stand.
func TestDemoTable(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	a := &app{out: &out, now: func() time.Time { return start }, env: func(string) string { return "" }}
	s := newDemoScreen(a)
	s.table = true
	var lights []line.Light
	for n := range lastLights + 3 {
		l := line.Light{Gateway: line.Packing, At: start.Add(time.Duration(n) * time.Second), Word: line.Accepted, Tag: "04A1", Text: "ACCEPTED H-04A1 tag 04A1: x"}
		lights = append(lights, l)
		s.light(l)
	}
	s.stands(lights[len(lights)-1], "Confirmed 4 of 7")
	out.Reset()
	s.draw()
	picture := strings.Split(out.String(), "\n")
	if len(picture) != lastLights+2 || !strings.HasPrefix(picture[0], "\x1b[13A") {
		t.Errorf("%d lines: %q", len(picture), picture[0])
	}
	if !strings.HasSuffix(picture[lastLights], "Confirmed 4 of 7") || !slices.ContainsFunc(picture, func(l string) bool { return strings.HasSuffix(l, "Sealed") }) {
		t.Errorf("%q", picture)
	}
}
