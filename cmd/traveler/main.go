// Command traveler is the plant's tool for installers, maintenance, planners,
// quality and auditors. It talks to a running travelerd over its control socket,
// or reads the directory of a stopped gateway.
//
// Everything that it prints for programs (--json) has a stable shape; errors are
// one line "error: …" and one line "hint: …"; exit codes are listed in errors.go.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"traveler.example/agent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

// run is the whole program: args without its name, env as os.Getenv. It returns
// the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	return newApp(stdin, stdout, stderr, env).run(ctx, args)
}

// newApp is an app on the real world.
func newApp(stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *app {
	return &app{
		in: stdin, out: stdout, err: stderr, env: env,
		now: time.Now, dial: agent.Dial, openDirectory: agent.OpenDirectory,
		surroundings: runningSystem,
	}
}
