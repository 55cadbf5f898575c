// Command travelerd is the gateway of one station.
//
//	travelerd --profile FILE [--passphrase-file FILE | --passphrase-fd N]
//
// It reads the profile, says READY to systemd when it serves the station, and
// ends in order on SIGTERM or SIGINT within five seconds; on SIGHUP it reads the
// profile again and goes on under it. Exit codes: 0 after an
// orderly end, 78 (EX_CONFIG) when the profile, key or genesis must be mended
// first, 1 when it could not go on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"traveler.example/agent"
	"traveler.example/agent/journal"
	"traveler.example/drivers/board"
	profiles "traveler.example/firmware-profiles"
)

// version is set by the build.
var version = "devel"

const (
	exitOK     = 0
	exitFailed = 1
	exitConfig = 78 // EX_CONFIG of sysexits(3): the unit does not restart on it
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	flags := flag.NewFlagSet("travelerd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("profile", "/etc/traveler/profile.toml", "the gateway's profile")
	var keys agent.KeySource
	flags.Func("passphrase-file", "file with the passphrase of the gateway's key", func(path string) error {
		keys.Passphrase = agent.PassphraseFile(path)
		return nil
	})
	flags.Func("passphrase-fd", "open descriptor with the passphrase of the gateway's key", func(s string) error {
		fd, err := strconv.ParseUint(s, 10, 16)
		keys.Passphrase = agent.PassphraseFD(int(fd))
		return err
	})
	show := flags.Bool("version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		return exitConfig
	}
	if *show {
		fmt.Fprintf(stdout, "travelerd %s\n", buildVersion())
		return exitOK
	}
	p, err := profiles.Load(*file)
	if err != nil {
		fmt.Fprintf(stderr, "error: the profile cannot be used\n%v\nhint: traveler profile check %s\n", err, *file)
		return exitConfig
	}
	level := new(slog.LevelVar)
	level.Set(p.LogLevel)
	j := journal.New(journal.Open(stderr, os.Getenv, level), time.Now)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	keys.Credentials = os.Getenv("CREDENTIALS_DIRECTORY")
	return serve(ctx, p, keys, reloads{file: *file, asked: hangups, level: level, logger: j})
}

// serve runs the gateway until ctx ends.
func serve(ctx context.Context, p profiles.Profile, keys agent.KeySource, r reloads) int {
	started, j := time.Now(), r.logger
	g, err := agent.Assemble(ctx, p, keys, agent.Hardware{Board: new(board.Board)}, buildVersion(), j)
	if err != nil {
		j.Event(ctx, journal.DaemonFailed, "the gateway cannot start: "+err.Error(), slog.Any(journal.KeyError, err))
		if errors.Is(err, agent.ErrSetUp) {
			return exitConfig
		}
		return exitFailed // systemd tries again: a port or a socket may be free by then
	}
	runCtx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- g.Run(runCtx) }()
	j.Event(ctx, journal.DaemonReady, fmt.Sprintf("gateway %s serves station %s, ready after %d ms",
		p.Gateway, p.Work.Station, time.Since(started).Milliseconds()), slog.String(journal.KeyStation, p.Work.Station))
	notify(daemon.SdNotifyReady)
	err = attend(ctx, g, r, ended)
	cancel()
	return end(ctx, g, j, err, ended)
}

// statusEvery is how often systemctl status is told anew how the station is.
const statusEvery = 5 * time.Second

// attend keeps systemd informed until the gateway ends or is told to. The
// watchdog is fed only while both loops of the gateway turn.
func attend(ctx context.Context, g *agent.Gateway, r reloads, ended chan error) error {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil || watchdog <= 0 {
		watchdog = time.Minute
	}
	feed := time.NewTicker(watchdog / 3)
	defer feed.Stop()
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	outages := r.logger.Outages()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended <- nil
			if err == nil {
				err = errors.New("it ended by itself")
			}
			return err
		case <-r.asked:
			r.do(ctx, g)
		case <-feed.C:
			if g.Alive(watchdog) {
				outages.Up(ctx, journal.DaemonStalled, "", "the loops of the gateway turn again", slog.String(journal.KeyReason, "loops turn"))
				notify(daemon.SdNotifyWatchdog)
			} else {
				outages.Down(ctx, journal.DaemonStalled, "", "a loop of the gateway does not turn; systemd will restart it", slog.String(journal.KeyReason, "loop stalled"))
			}
		case <-status.C:
			if s, err := g.Brief(); err == nil {
				notify("STATUS=" + s.Words())
			}
		}
	}
}

// stopLimit is within which an orderly stop must be over.
const stopLimit = 5 * time.Second

// end stops the gateway in order.
func end(ctx context.Context, g *agent.Gateway, j *journal.Journal, failed error, ended chan error) int {
	ctx = context.WithoutCancel(ctx)
	notify(daemon.SdNotifyStopping)
	if failed != nil {
		j.Event(ctx, journal.DaemonFailed, "the gateway cannot go on: "+failed.Error(), slog.Any(journal.KeyError, failed))
	} else {
		j.Event(ctx, journal.DaemonStopping, "the gateway ends in order")
	}
	select {
	case err := <-ended:
		failed = errors.Join(failed, err)
	case <-time.After(stopLimit):
		// What is acknowledged is on disk: ending hard loses nothing.
		j.Event(ctx, journal.DaemonFailed, "the gateway did not end within "+stopLimit.String(), slog.String(journal.KeyError, "stop timed out"))
		return exitFailed
	}
	if err := g.Close(); err != nil {
		failed = errors.Join(failed, err)
		j.Event(ctx, journal.DaemonFailed, "closing: "+err.Error(), slog.Any(journal.KeyError, err))
	}
	if failed != nil {
		return exitFailed
	}
	return exitOK
}

// notify tells systemd; without systemd it does nothing.
func notify(state string) {
	_, _ = daemon.SdNotify(false, state)
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "devel" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}
