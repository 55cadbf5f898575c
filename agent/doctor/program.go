package doctor

import (
	"maps"
	"slices"
	"strings"
	"time"

	profiles "traveler.example/firmware-profiles"
)

// millis is a time of a document; 0: none.
func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// daemon: does it run, and does it record.
func daemon(f Facts, x *exam) {
	d := f.Daemon
	switch {
	case !d.Asked:
		x.skip("this is not the running system")
	case d.Denied:
		x.skip("this person may not ask it: join the group traveler, or use sudo")
	case !d.Answers && len(d.Running) > 0:
		x.found(Fault, "systemctl restart travelerd; journalctl -u travelerd -x tells what it did last", "travelerd runs (process %d) but does not answer on %s: %s", d.Running[0].PID, d.Socket, d.Problem)
		x.seen("no answer")
	case !d.Answers:
		x.found(Fault, "systemctl enable --now travelerd; if it ends again, journalctl -u travelerd -x says why", "travelerd does not run: %s", d.Problem)
		x.seen("not running")
	default:
		working(d, x)
	}
}

// working judges a daemon that answers.
func working(d DaemonFacts, x *exam) {
	s := d.Status
	if s.Problem != "" {
		x.found(Fault, "journalctl -u travelerd -x tells what to do", "nothing can be recorded: %s", s.Problem)
	} else if !s.Open {
		x.found(Note, "wait: just after its start it listens for news of its own chain", "nothing is recorded yet")
	}
	if s.Help != nil {
		x.foundSince(millis(s.Help.Since), Note, "go to the station; cancel or a badge ends the call", "somebody at the station has called for help")
	}
	x.seen("gateway %s runs since %s", s.Gateway, millis(s.Since).UTC().Format(time.RFC3339))
}

// devel is the version of programs that were built outside a release.
func devel(version string) bool { return version == "" || strings.Contains(version, "devel") }

// version: a program that was exchanged goes on until it is restarted.
func version(f Facts, x *exam) {
	const remedy = "systemctl restart travelerd, when no item lies on the reader"
	for _, p := range f.Daemon.Running {
		if p.Replaced {
			x.found(Warning, remedy, "travelerd (process %d) is still the program that was there before the last installation", p.PID)
		}
	}
	running := f.Daemon.Status.Version
	switch {
	case !f.Daemon.Answers:
		x.seen("traveler %s", f.Version)
	case len(x.Findings) == 0 && !devel(running) && !devel(f.Version) && running != f.Version:
		x.found(Warning, "install both programs of one release, then "+remedy, "travelerd is %s, traveler is %s", running, f.Version)
		fallthrough
	default:
		x.seen("travelerd %s, traveler %s", running, f.Version)
	}
}

// drift: a file that was changed and not put in force surprises at the next start.
func drift(f Facts, x *exam) {
	running := f.Daemon.Status.Profile
	switch {
	case !f.Daemon.Answers:
		x.skip("the daemon says nothing")
		return
	case !f.Profile.usable():
		x.skip("the file cannot be read; the daemon goes on under the profile before")
		return
	case running == nil:
		x.skip("the daemon does not say what it runs")
		return
	}
	if name := f.Profile.Profile.Gateway; f.Daemon.Status.Gateway != name {
		x.found(Warning, "name the right one: --socket for the daemon, --profile for the file", "%s is the profile of %s, but the daemon that answers is %s", f.Profile.File, name, f.Daemon.Status.Gateway)
		x.seen("of another gateway")
		return
	}
	file := profiles.Digest(f.Profile.Profile)
	both := maps.Clone(running)
	maps.Copy(both, file)
	var differ []string
	for _, section := range slices.Sorted(maps.Keys(both)) {
		if running[section] != file[section] {
			differ = append(differ, section)
		}
	}
	if len(differ) > 0 {
		x.found(Warning, "systemctl reload travelerd puts it in force; what stays then needs systemctl restart travelerd", "%s differs from what the daemon runs in: %s", f.Profile.File, strings.Join(differ, ", "))
	}
	x.seen("%d of %d sections as in the file", len(both)-len(differ), len(both))
}
