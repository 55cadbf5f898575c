// Mutants applies deliberate faults to the product, one by one, and shows that
// each is caught by the test that is named for it.
//
//	go run ./.ci/mutants [-run REGEXP] [-list]
//
// The faults stand in faults.txt. The tree is never changed: a fault is an
// overlay that the go command lays over one file. A fault must compile, the named
// test must pass without it, and must be the one that fails with it. The program
// ends with 1 if any fault survives.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	pattern := flag.String("run", "", "only the faults whose name matches")
	list := flag.Bool("list", false, "only check that every fault still fits its file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *pattern, *list); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// errSurvived ends the run with 1 after the table has said which.
var errSurvived = errors.New("not every fault was caught")

func run(ctx context.Context, pattern string, list bool) error {
	text, err := os.ReadFile(filepath.Join(".ci", "mutants", "faults.txt"))
	if err != nil {
		return fmt.Errorf("reading the faults: %w; run it at the root of the tree", err)
	}
	faults, err := parse(string(text))
	if err != nil {
		return err
	}
	want, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush() //nolint:errcheck // to the terminal
	var survived bool
	healthy := make(map[string]error)
	for _, f := range faults {
		if !want.MatchString(f.name) {
			continue
		}
		mutated, err := f.apply(os.ReadFile)
		if err != nil {
			return err
		}
		if list {
			continue
		}
		if _, known := healthy[f.test()]; !known {
			healthy[f.test()] = f.passesWithout(ctx)
		}
		if err := healthy[f.test()]; err != nil {
			return err
		}
		start := time.Now()
		outcome, caught := f.judge(ctx, mutated)
		survived = survived || !caught
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%.1fs\n", outcome, f.name, f.pkg, f.testName, time.Since(start).Seconds())
		_ = table.Flush()
	}
	if survived {
		return errSurvived
	}
	return nil
}

// fault is one deliberate mistake.
type fault struct {
	name     string // what is wrong, in words
	pkg      string // of the test
	testName string
	env      []string
	file     string
	old, new string
}

func (f fault) test() string { return f.pkg + " " + f.testName }

// apply returns the file with the fault in it. The text that the fault replaces must
// stand in the file exactly once.
func (f fault) apply(read func(string) ([]byte, error)) ([]byte, error) {
	text, err := read(f.file)
	if err != nil {
		return nil, fmt.Errorf("fault %q: %w", f.name, err)
	}
	if n := bytes.Count(text, []byte(f.old)); n != 1 {
		return nil, fmt.Errorf("fault %q: its text stands %d times in %s, not once; mend faults.txt:\n%s", f.name, n, f.file, f.old)
	}
	return bytes.Replace(text, []byte(f.old), []byte(f.new), 1), nil
}

// passesWithout shows that the test is able to pass.
func (f fault) passesWithout(ctx context.Context) error {
	out, err := f.goTest(ctx, "")
	switch {
	case err != nil:
		return fmt.Errorf("%s fails without any fault:\n%s", f.test(), out)
	case !strings.Contains(out, "--- PASS: "+f.testName):
		return fmt.Errorf("%s does not run here:\n%s", f.test(), out)
	}
	return nil
}

// judge runs the test against the fault.
func (f fault) judge(ctx context.Context, mutated []byte) (outcome string, caught bool) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "ERROR " + err.Error(), false
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	overlay, err := overlayOf(dir, f.file, mutated)
	if err != nil {
		return "ERROR " + err.Error(), false
	}
	out, err := f.goTest(ctx, overlay)
	switch {
	case strings.Contains(out, "--- FAIL: "+f.testName), strings.Contains(out, "panic: ") && strings.Contains(out, f.testName):
		return "caught", true
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return "DOES NOT COMPILE\n" + out, false
	case err != nil:
		return "ERROR " + err.Error() + "\n" + out, false
	}
	return "SURVIVED", false
}

// overlayOf writes what the go command needs to see mutated in place of file.
func overlayOf(dir, file string, mutated []byte) (string, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(replacement, mutated, 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {absolute: replacement}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// goTest runs the named test, and returns what it printed. GOFLAGS carry the
// overlay, so that programs which a test builds have the fault as well.
func (f fault) goTest(ctx context.Context, overlay string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-timeout=5m", "-run", "^"+f.testName+"$", f.pkg)
	cmd.Env = append(os.Environ(), f.env...)
	if overlay != "" {
		cmd.Env = append(cmd.Env, "GOFLAGS=-overlay="+overlay)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
