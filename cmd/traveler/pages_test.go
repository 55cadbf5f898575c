package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"traveler.example/agent"
	"traveler.example/agent/doctor"
	"traveler.example/ledger"
)

var update = flag.Bool("update", false, "write the expected outputs of the pages anew")

// instant is what the clock shows in pages that ask the sample gateway.
var instant = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"traveler": travelerOfPages})
}

// tidy removes what the tests have built.
type tidy struct{ *testing.M }

func (t tidy) Run() int {
	defer func() {
		if built.dir != "" {
			_ = os.RemoveAll(built.dir)
		}
	}()
	return t.M.Run()
}

// travelerOfPages is traveler, which knows one more gateway: behind the sockets
// whose name begins with "sample" is the gateway of sample_test.go.
func travelerOfPages() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	a.workFactor = 4 // protected keys are opened often
	dial := a.dial
	a.dial = func(socket string) (agent.Desk, error) {
		if strings.HasPrefix(socket, "sample") {
			a.now = func() time.Time { return instant }
			return newSample(socket)
		}
		return dial(socket)
	}
	a.surroundings = func() doctor.World {
		w := runningSystem()
		w.Root, w.Built, w.Version = os.Getenv("WORK"), time.Time{}, "v1.2.0"
		w.Now, w.Clock = func() time.Time { return instant }, func() ledger.Clock { return ledger.ClockSynchronised }
		w.Space = func(string) (doctor.Space, error) { return doctor.Space{Free: 8 << 30, Size: 16 << 30}, nil }
		w.Journal = nil
		return w
	}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// TestPages runs the pages of testdata: what a person types, and what comes.
func TestPages(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "Europe/Berlin") // times are shown in the local zone
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // a page starts many programs; a second after each is too much
			port, err := freePort()
			e.Setenv("PORT", port)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "travelerd": travelerd, "eventually": eventually,
		},
	})
}

// freePort is a TCP port of this machine that nothing listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// exits runs a command that is to end with a code: exits 3 traveler item show x.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// patience bounds the wait for what must come.
const patience = 60 * time.Second

// eventually repeats a command until its output has all of some words, which
// stand before --: eventually Confirmed -- traveler item show x.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	var words []string
	for len(args) > 0 && args[0] != "--" {
		words, args = append(words, args[0]), args[1:]
	}
	if neg || len(words) == 0 || len(args) < 2 {
		ts.Fatalf("usage: eventually WORD… -- COMMAND ARG…")
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		out, missing := ts.ReadFile("stdout"), ""
		for _, w := range words {
			if !strings.Contains(out, w) {
				missing = w
			}
		}
		if err == nil && missing == "" {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("after %s still no %q (%v)", patience, missing, err)
		}
	}
}

// built is travelerd, made once where a page needs it.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func buildDaemon() (string, error) {
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "travelerd"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-trimpath", "-o", built.dir, "traveler.example/cmd/travelerd")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // static, as on a board
		out, err := build.CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("building travelerd: %w: %s", err, out)
		}
	})
	return filepath.Join(built.dir, "travelerd"), built.err
}

// travelerd starts a gateway, which ends with the page: travelerd DIR. "travelerd
// stop DIR" ends it in order.
func travelerd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: travelerd [stop] DIR")
	}
	dir := ts.MkAbs(args[len(args)-1])
	if args[0] == "stop" {
		d, ok := daemons.Load(dir)
		if !ok {
			ts.Fatalf("no gateway runs in %s", dir)
		}
		ts.Check(d.(*daemon).stop())
		return
	}
	path, err := buildDaemon()
	ts.Check(err)
	log, err := os.Create(filepath.Join(dir, "log"))
	ts.Check(err)
	cmd := exec.Command(path, "--profile", filepath.Join(dir, agent.ProfileName))
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	ts.Check(log.Close())
	d := &daemon{cmd: cmd}
	ts.Defer(func() { _ = d.stop() })
	daemons.Store(dir, d)
}

// daemons are the gateways that run, by directory.
var daemons sync.Map

// daemon is a travelerd that runs.
type daemon struct {
	cmd  *exec.Cmd
	once sync.Once
	err  error
}

func (d *daemon) stop() error {
	d.once.Do(func() {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		d.err = d.cmd.Wait()
	})
	return d.err
}
