package line

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// daemon builds travelerd.
func daemon(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs travelerd, which -short does not build")
	}
	path := filepath.Join(t.TempDir(), "travelerd")
	build := exec.Command("go", "build", "-o", path, "traveler.example/cmd/travelerd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building travelerd: %v\n%s", err, out)
	}
	return path
}

// TestRun plays the default demo: twelve items, wrong ways, a housing that fails
// the scale, one that is scrapped, and a gateway that works without its broker.
func TestRun(t *testing.T) {
	bin := daemon(t)
	dir := filepath.Join(t.TempDir(), "line")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	report, err := Run(ctx, RunConfig{
		Line: Config{Dir: dir, Daemon: bin}, Items: 12, Seed: 3,
		Faults: []string{FaultWrongStation, FaultBadWeight, FaultBrokerLoss},
		Phase:  func(words string) { t.Log(words) },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, journals(dir))
	}
	if report.Stations != 7 || report.Items != 12 || report.Finished != 3 || report.Scrapped != 1 || report.Consumed != 8 {
		t.Errorf("%+v", report)
	}
	if report.Returned < 2 || report.Misrouted < 2 || report.Blocks < 80 || report.Transactions < report.Blocks || report.ScanToLight.P50 <= 0 {
		t.Errorf("%+v", report)
	}
	lights, err := os.ReadFile(filepath.Join(dir, LightsName))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{TakenIn, Accepted, Completed, Returned, SetAside, WrongStation, OnShift} {
		if !strings.Contains(string(lights), " "+word+" ") {
			t.Errorf("nobody saw %s", word)
		}
	}
	if _, err := Run(ctx, RunConfig{Line: Config{Dir: dir, Daemon: bin}, Items: 12}); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second run in one directory: %v", err)
	}
}

// TestIslandRun cuts the last three stations off from everybody, while housings
// pass on over nothing but their tags.
func TestIslandRun(t *testing.T) {
	bin := daemon(t)
	dir := filepath.Join(t.TempDir(), "line")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	report, err := Run(ctx, RunConfig{
		Line: Config{Dir: dir, Daemon: bin}, Items: 6, Seed: 5, Faults: []string{FaultIsland},
		Phase: func(words string) { t.Log(words) },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, journals(dir))
	}
	if len(report.Faults) != 1 || !strings.Contains(report.Faults[0].Effect, "2 items passed over their tags to PACKING, 2 to DOCK") {
		t.Errorf("%+v", report.Faults)
	}
	if report.OnTags < 4 || report.OnTagsMatched != report.OnTags || report.Finished != 2 {
		t.Errorf("%+v", report)
	}
}

// TestMixedReaders plays a run whose stations read tags of three kinds.
func TestMixedReaders(t *testing.T) {
	bin := daemon(t)
	dir := filepath.Join(t.TempDir(), "line")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	report, err := Run(ctx, RunConfig{
		Line: Config{Dir: dir, Daemon: bin, Readers: []string{ReaderPN532, ReaderASCII125, ReaderM100}}, Items: 6, Seed: 7,
		Phase: func(words string) { t.Log(words) },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, journals(dir))
	}
	if report.Finished != 2 || report.Consumed != 4 {
		t.Errorf("%+v", report)
	}
}

// TestLine drives single stations as tests of the whole product do.
func TestLine(t *testing.T) {
	bin := daemon(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	l, err := New(Config{Dir: t.TempDir(), Daemon: bin, Wrap: func(gateway string) []string {
		if gateway == Drilling1 {
			return []string{"env", "LC_ALL=C"}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(journals(l.Dir()))
		}
	}()
	if err := errors.Join(l.Start(ctx), l.IssueOrders(ctx)); err != nil {
		t.Fatal(err)
	}
	const tag = "04A0000000BEEF"
	saw := func(gateway, word string) Light {
		t.Helper()
		light, err := l.Station(gateway).Scan(ctx, tag)
		if err != nil || light.Word != word {
			t.Fatalf("%s: light %q, want %s (%v)", gateway, light.Text, word, err)
		}
		return light
	}
	first := saw(Intake, TakenIn)

	// Cut off, drilling works on; killed, it remembers; joined again, all know.
	drill := l.Station(Drilling1)
	if err := drill.Await(ctx, startLimit, func(s agent.Status) bool { return s.Items == 1 }); err != nil {
		t.Fatal(err)
	}
	drill.CutBroker()
	saw(Drilling1, Accepted)
	if _, err := drill.Present("not hex"); err == nil {
		t.Error("a tag that is none was presented")
	}
	before, err := drill.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := drill.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := drill.Await(ctx, startLimit, func(s agent.Status) bool { return s.Open && s.Since > before.Since && s.Readers[0].Up }); err != nil {
		t.Fatal(err)
	}
	if light := saw(Drilling1, Accepted); !strings.Contains(light.Text, "(already)") {
		t.Errorf("after the restart: %s", light.Text)
	}
	if err := sleep(ctx, workTime); err != nil {
		t.Fatal(err)
	}
	if light := saw(Drilling1, Completed); light.Next()[0] != "ASSEMBLY" {
		t.Errorf("sent to %q", light.Next())
	}
	drill.RestoreBroker()
	settled, err := l.Settle(ctx, time.Minute)
	if err != nil || !settled.Equal || settled.Blocks != settled.Confirmed {
		t.Fatalf("%+v: %v", settled, err)
	}
	if lost, err := l.Missing(ctx); err != nil || len(lost) > 0 {
		t.Errorf("lights without a record elsewhere: %v %v", lost, err)
	}
	if standing, err := l.Standing(ctx, first); err != nil || !strings.HasPrefix(standing, "Confirmed") {
		t.Errorf("the intake stands %q: %v", standing, err)
	}
	if _, err := l.Desk("nowhere"); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("a gateway that is none: %v", err)
	}
	if err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	if faults := l.Verify(ctx); len(faults) > 0 {
		t.Errorf("verify: %v", faults)
	}
	if troubles := l.Troubles(); len(troubles) > 0 {
		t.Errorf("troubles: %v", troubles)
	}
}

// TestProfiles holds what the line writes to what travelerd takes.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, unsafeNoSync := range []bool{false, true} {
		for _, place := range Places() {
			text := profileOf(place, ReaderPN532, "127.0.0.1:1883", "127.0.0.1:1884", unsafeNoSync)
			p, err := profiles.Parse("/line/profile.toml", text, profiles.BuiltIn)
			if err != nil {
				t.Errorf("%s:\n%v", place.Gateway, err)
				continue
			}
			if p.Gateway != place.Gateway || p.Work.Station != place.Station || p.Work.Centre != place.Centre || (p.Scale != nil) != place.Scale ||
				(p.Broker.Listen != "") != place.Broker || p.Ledger.UnsafeNoSync != unsafeNoSync || len(p.Readers) != 1 || len(p.Lights) != 1 {
				t.Errorf("%s: %+v", place.Gateway, p)
			}
		}
	}
}

// journals are the ends of the gateways' journals.
func journals(dir string) string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(dir, agent.BoardsName, "*", "journal.log"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		b.WriteString("=== " + f + "\n")
		b.Write(text[max(0, len(text)-1500):])
	}
	return b.String()
}
