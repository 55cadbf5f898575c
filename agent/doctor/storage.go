package doctor

import (
	"time"

	"github.com/dustin/go-humanize"
)

// clock: a wrong time harms no decision, but every record says that it is doubtful, and
// certificates are judged by it.
func clock(f Facts, x *exam) {
	c := f.Clock
	const remedy = "timedatectl shows it; let the board reach a time server: NTP= in /etc/systemd/timesyncd.conf, then systemctl restart systemd-timesyncd"
	switch {
	case !f.Built.IsZero() && f.At.Before(f.Built):
		x.found(Fault, remedy, "the clock says %s, before this program was made (%s)", day(f.At), day(f.Built))
	case c.Unknown != "":
		x.skip("%s", c.Unknown)
		return
	case !c.Synchronised:
		x.found(Warning, remedy, "the clock is not synchronised; records are marked so")
	}
	switch {
	case !c.Battery:
		x.found(Note, "nothing for the station; a clock module with a battery ends it", "the board has no clock with a battery: after a power cut it begins in the past")
	case c.Synchronised && !c.BatteryTime.IsZero() && apart(c.BatteryTime, f.At) > batteryDrift:
		x.found(Warning, "replace the battery, then hwclock --systohc", "the clock with the battery says %s", day(c.BatteryTime))
	}
	x.seen("%s, %s", f.At.UTC().Format(time.RFC3339), map[bool]string{true: "synchronised", false: "not synchronised"}[c.Synchronised])
}

// batteryDrift is more than a clock with a good battery is ever wrong.
const batteryDrift = 24 * time.Hour

func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Days of space left below which it is told.
const (
	daysWarned = 60
	daysFault  = 7
)

// space: a replica only grows. On a full disk nothing is acknowledged any more.
func space(f Facts, x *exam) {
	d := f.Disk
	if d.Unknown != "" {
		x.skip("%s", d.Unknown)
		return
	}
	reserve := int64(f.Profile.Profile.Ledger.FreeSpaceReserve)
	free, size := humanize.IBytes(uint64(max(d.Free, 0))), humanize.IBytes(uint64(max(d.Size, 0)))
	const clear = "clear it: journalctl --vacuum-size=50M, apt-get clean; du -xh / | sort -h | tail shows what is large. Else move the gateway to a larger card"
	switch {
	case d.ReadOnly:
		x.found(Fault, "the kernel does so when a card fails: save "+d.Dir+", put a new card in (traveler gateway replace, or the gateway's own directory)",
			"the file system of %s is read-only", d.Dir)
	case d.Free < reserve:
		x.found(Fault, clear, "%s free at %s, below the reserve of %s: nothing is recorded", free, d.Dir, humanize.IBytes(uint64(reserve)))
	case d.NoInodes:
		x.found(Fault, clear, "no file can be made at %s: its file system has no inodes left", d.Dir)
	case d.DaysUntilFull >= 0 && d.DaysUntilFull <= daysFault:
		x.found(Fault, clear, "%s will be full in %s", d.Dir, counted(int(d.DaysUntilFull), "day"))
	case d.DaysUntilFull >= 0 && d.DaysUntilFull <= daysWarned:
		x.found(Warning, clear, "%s will be full in %d days", d.Dir, d.DaysUntilFull)
	case d.Free < 2*reserve:
		x.found(Warning, clear, "%s free at %s, near the reserve of %s", free, d.Dir, humanize.IBytes(uint64(reserve)))
	}
	x.seen("%s of %s free at %s", free, size, d.Dir)
	if d.DaysUntilFull >= 0 {
		x.Summary += ", full in " + counted(int(d.DaysUntilFull), "day")
	}
}

// card: what the kernel says of a card comes long before the replica notices.
func card(f Facts, x *exam) {
	const remedy = "replace the card soon: the gateway takes its chain back from the others (see the README, a board died); stop travelerd first"
	x.kernel(f.Kernel, readOnly, Fault, remedy, "a file system was made read-only")
	x.kernel(f.Kernel, fileSystem, Fault, remedy, "a file system is damaged")
	x.kernel(f.Kernel, cardError, Fault, remedy, "the card did not read, write or answer")
	if n := len(f.Kernel.of(readOnly)) + len(f.Kernel.of(fileSystem)) + len(f.Kernel.of(cardError)); n > 0 {
		x.seen("%s in the kernel log", counted(n, "line"))
	}
}
