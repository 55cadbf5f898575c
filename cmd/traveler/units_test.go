package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"traveler.example/agent"
	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

func TestExitCodesFollowTheClassOfAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		code int
	}{
		{nil, exitOK},
		{errors.New("anything"), exitFailed},
		{errFault, exitFailed},
		{agent.ErrRefused, exitFailed},
		{usage(errors.New("x")), exitUsage},
		{usage(fmt.Errorf("x: %w", agent.ErrNotFound)), exitUsage},
		{agent.ErrName, exitUsage},
		{agent.ErrNotFound, exitNotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, exitNotFound},
		{agent.ErrUnreachable, exitUnreachable},
		{agent.ErrStopped, exitUnreachable},
		{drivers.ErrSilent, exitUnreachable},
		{agent.ErrNotPermitted, exitNotPermitted},
		{agent.ErrKeyOpen, exitNotPermitted},
		{agent.ErrNeedPassphrase, exitUsage},
		{agent.ErrPassphrase, exitNotPermitted},
		{agent.ErrWeakPassphrase, exitUsage},
		{fmt.Errorf("%w: dial: %w", agent.ErrUnreachable, fs.ErrPermission), exitNotPermitted},
		{agent.ErrConflict, exitConflict},
		{agent.ErrAmbiguous, exitConflict},
		{replica.ErrLocked, exitConflict},
		{drivers.ErrBusy, exitConflict},
		{fs.ErrExist, exitConflict},
		{context.DeadlineExceeded, exitTimedOut},
		{fmt.Errorf("%w: %w", agent.ErrUnreachable, context.DeadlineExceeded), exitTimedOut},
	}
	for _, tt := range tests {
		code, hint := judge(tt.err)
		if code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.err, code, tt.code)
		}
		if (hint == "") != (tt.err == nil) {
			t.Errorf("%v: hint %q", tt.err, hint)
		}
		if again, own := judge(hintf(tt.err, "do this")); again != tt.code || tt.err != nil && own != "do this" {
			t.Errorf("%v with a hint: exit code %d, hint %q", tt.err, again, own)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		use  string
		args string
		ok   bool
	}{
		{"list", "", true},
		{"list", "x", false},
		{"show ID | TAG", "x", true},
		{"show ID | TAG", "", false},
		{"show ID | TAG", "x y", false},
		{"add [FILE] --key KEY", "", true},
		{"add [FILE] --key KEY", "x", true},
		{"add [FILE] --key KEY", "x y", false},
		{"probe --port PORT", "", true},
		{"probe --port PORT", "x", false},
	}
	for _, tt := range tests {
		if err := arguments(tt.use)(nil, strings.Fields(tt.args)); (err == nil) != tt.ok {
			t.Errorf("%q with %q: %v", tt.use, tt.args, err)
		}
	}
}

func TestTableAlignsByCharactersAndLeavesNoBlanksBehind(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	tab := newTable(&b, "NAME", "WHERE", "NOTES")
	tab.row("Ölpumpe", "-", "")
	tab.row("x", "DRILLING", "held")
	tab.flush()
	const want = "NAME     WHERE     NOTES\nÖlpumpe  -\nx        DRILLING  held\n"
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestAgoAndCount(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 59 * time.Second: "59 s ago", time.Minute: "1 min ago",
		47 * time.Hour: "47 h ago", 49 * time.Hour: "2 days ago",
	} {
		if got := ago(now, now.Add(-d).UnixMilli()); got != want {
			t.Errorf("ago %s: %q, want %q", d, got, want)
		}
	}
	if got := ago(now, 0); got != "never" {
		t.Errorf("ago of no time: %q", got)
	}
	for n, want := range map[int64]string{0: "0 witnesses", 1: "1 witness", 2: "2 witnesses"} {
		if got := count(n, "witness"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestEveryFlagAndCommandIsExplained(t *testing.T) {
	t.Parallel()
	a := newApp(nil, nil, nil, func(string) string { return "" })
	var walk func(path string, c *cobra.Command)
	walk = func(path string, c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help is %q", path, c.Short)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: help is %q", path, f.Name, f.Usage)
			}
		})
		for _, sub := range c.Commands() {
			walk(path+" "+sub.Name(), sub)
		}
	}
	walk("traveler", a.root())
}

func TestRunEndsWhenItsContextEnds(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ctx, cancel := context.WithCancel(t.Context())
	port := plugReader(t)
	var out, errs syncBuffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"reader", "watch", port, "--device", "pn532"}, nil, &out, &errs, func(string) string { return "" })
	}()
	for end := time.Now().Add(patience); !strings.Contains(out.String(), "04A1B2C3D4E5F6"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no tag seen: %s %s", out.String(), errs.String())
		}
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestReaderProbeTimesOut(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	port := plugReader(t)
	var out, errs syncBuffer
	code := run(t.Context(), []string{"reader", "probe", port, "--device", "pn532", "--timeout", "1ns"}, nil, &out, &errs, func(string) string { return "" })
	if code != exitTimedOut || !strings.Contains(errs.String(), "hint: try again, or wait longer with --timeout") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
}

// syncBuffer is a buffer that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// plugReader is the port of an emulated reader with a tag on it.
func plugReader(t *testing.T) string {
	t.Helper()
	device := emulate.NewPN532(emulate.PN532Config{})
	if err := device.Present("04A1B2C3D4E5F6", ""); err != nil {
		t.Fatal(err)
	}
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return socket.Path()
}

func TestProgressLeavesNothingOnTheTerminal(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	var w syncBuffer
	p := newProgress(&w, "verifying")
	for end := time.Now().Add(patience); !strings.Contains(w.String(), "verifying"); time.Sleep(spin / 4) {
		if time.Now().After(end) {
			t.Fatal("nothing is shown")
		}
	}
	said := false
	p.aside(func() { said = strings.HasSuffix(strings.TrimRight(w.String(), " "), "\r") })
	p.end()
	if !said || !strings.HasSuffix(strings.TrimRight(w.String(), " "), "\r") {
		t.Errorf("the bar was not cleared: %q", w.String())
	}
	silent := newApp(nil, nil, &w, func(string) string { return "" }).progress("x") // a buffer is no terminal
	silent.aside(func() { said = false })
	silent.end()
	if said || strings.Contains(w.String(), "x") {
		t.Error("silent progress shows something, or swallows lines")
	}
}

func TestVerdictNamesTheFirstFault(t *testing.T) {
	t.Parallel()
	hash := ledger.Hash{0xab}
	bad := checked{Check: "blocks", Fault: "wrong root", Author: "G-DRILL-1", Height: 17, Hash: &hash}
	tests := []struct {
		name string
		doc  verified
		err  error
		want string
		is   error
	}{
		{"sound", verified{Dir: "d", Checks: []checked{{Check: "blocks", OK: true}}}, nil, "", nil},
		{"fault", verified{Dir: "d", Faults: 2, First: &bad}, errors.New("2 faults"), "ledger has a fault: d: blocks of G-DRILL-1 at height 17 (ab000000): wrong root", errFault},
		{"damaged", verified{Dir: "d"}, &replica.DamageError{Key: "block", Height: 3, Detail: "empty"}, "ledger has a fault: d: damaged block at height 3: empty", errFault},
		{"cannot", verified{Dir: "d"}, fs.ErrPermission, "verifying d: permission denied", fs.ErrPermission},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(nil, &bytes.Buffer{}, nil, func(string) string { return "" })
			err := a.verdict(tt.doc, tt.err)
			if tt.is == nil && err != nil || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("got %v", err)
			}
			if err != nil && err.Error() != tt.want {
				t.Errorf("got %q, want %q", err, tt.want)
			}
		})
	}
}

func TestHostileNamesStayOutOfPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := func(string) string { return "" }
	if code := run(t.Context(), []string{"network", "init", "p", "--clear", "--dir", dir}, nil, &bytes.Buffer{}, &bytes.Buffer{}, env); code != exitOK {
		t.Fatalf("network init: %d", code)
	}
	for _, name := range []string{"../up", "a/b", ".hidden", "a b", "", strings.Repeat("x", 65), "a\x00b", "ä"} {
		var errs bytes.Buffer
		code := run(t.Context(), []string{"identity", "add", name, "--role", "planner", "--clear", "--dir", dir}, nil, &bytes.Buffer{}, &errs, env)
		if code != exitUsage || !strings.Contains(errs.String(), "error: name cannot be used: ") {
			t.Errorf("name %q: exit code %d, %s", name, code, errs.String())
		}
	}
	if files, err := os.ReadDir(filepath.Join(dir, agent.PeopleName)); err != nil || len(files) > 0 {
		t.Errorf("people: %v, %v", files, err)
	}
}
