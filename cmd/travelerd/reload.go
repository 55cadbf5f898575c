package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"traveler.example/agent"
	"traveler.example/agent/journal"
	profiles "traveler.example/firmware-profiles"
)

// reloads is how the daemon is told to read its profile again.
type reloads struct {
	file   string
	asked  <-chan os.Signal // SIGHUP
	level  *slog.LevelVar
	logger *journal.Journal
}

// do reads the profile again and puts it in force; a profile with faults changes
// nothing. systemd waits for the READY that follows, whatever came of it: the
// journal says that, and the gateway works on either way.
func (r reloads) do(ctx context.Context, g *agent.Gateway) {
	notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic().Microseconds()))
	defer notify(daemon.SdNotifyReady)
	p, err := profiles.Load(r.file)
	if err != nil {
		r.logger.Event(ctx, journal.ProfileRefused, "the profile cannot be used, the one before stays in force: "+err.Error(),
			slog.String(journal.KeyPath, r.file), slog.Any(journal.KeyError, err),
			slog.String(journal.KeyRemedy, "traveler profile check "+r.file))
		return
	}
	if g.Reload(ctx, r.file, p) == nil { // else it has been told
		r.level.Set(p.LogLevel)
	}
}

// monotonic is CLOCK_MONOTONIC, by which systemd tells this reload from one
// before (sd_notify(3)).
func monotonic() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
