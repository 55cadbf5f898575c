package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"traveler.example/drivers"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/systemd"
)

// processes are the programs that run, with the files they have open.
type processes struct {
	all    []process
	hidden bool // of some the files cannot be seen
}

type process struct {
	Process
	files []string
}

// processes lists what runs on the board.
func (w World) processes() processes {
	var found processes
	dirs, _ := filepath.Glob(filepath.Join(w.path("/proc"), "[0-9]*")) // the pattern is well formed
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		p := process{Process: Process{PID: pid, Command: strings.ToValidUTF8(strings.TrimSpace(string(name)), "")}}
		if exe, err := os.Readlink(filepath.Join(dir, "exe")); err == nil {
			p.Replaced = strings.HasSuffix(exe, " (deleted)")
		}
		open, err := os.ReadDir(filepath.Join(dir, "fd"))
		found.hidden = found.hidden || errors.Is(err, fs.ErrPermission)
		for _, fd := range open {
			if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && strings.HasPrefix(to, "/dev/") {
				p.files = append(p.files, to)
			}
		}
		found.all = append(found.all, p)
	}
	slices.SortFunc(found.all, func(a, b process) int { return a.PID - b.PID })
	return found
}

// named returns the programs of a name.
func (ps processes) named(name string) []Process {
	var all []Process
	for _, p := range ps.all {
		if p.Command == name {
			all = append(all, p.Process)
		}
	}
	return all
}

// holding returns the programs that have a device node open.
func (ps processes) holding(node string) []Process {
	var all []Process
	for _, p := range ps.all {
		if slices.Contains(p.files, node) {
			all = append(all, p.Process)
		}
	}
	return all
}

// ports looks at every device node that a profile names.
func (w World) ports(p profiles.Profile, procs processes) []PortFacts {
	var all []PortFacts
	for _, r := range p.Readers {
		if wiring := r.Wiring(); wiring != profiles.WiringNetwork {
			all = append(all, PortFacts{Of: "reader " + r.Name, Name: r.Name, Path: r.Port, Wiring: wiring})
		}
	}
	if p.Scale != nil {
		all = append(all, PortFacts{Of: "the scale", Name: "scale", Path: p.Scale.Port, Wiring: profiles.WiringSerial})
	}
	if len(pinsOf(p)) > 0 {
		all = append(all, PortFacts{Of: "the pins", Path: "/dev/gpiochip0", Wiring: wiringPins})
	}
	names := w.lasting()
	for i := range all {
		w.port(&all[i], procs)
	}
	for i := range all {
		all[i].name(names, all)
	}
	return all
}

// wiringPins is that of lamps, buzzers, buttons and the side lines of readers.
const wiringPins profiles.Wiring = "pins"

// port looks at one device node.
func (w World) port(p *PortFacts, procs processes) {
	node, err := filepath.EvalSymlinks(w.path(p.Path))
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(node)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		p.Problem = err.Error()
		return
	}
	p.Target = w.onBoard(node)
	p.Regular = info.Mode().IsRegular()
	p.Mode = uint32(info.Mode().Perm())
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		p.UID, p.GID = int(s.Uid), int(s.Gid)
	}
	p.Group = w.groupName(p.GID)
	p.Holders, p.HoldersHidden = procs.holding(p.Target), procs.hidden
	if len(p.Holders) == 0 { // the lock of another person's program shows to everybody
		if h, ok := drivers.HolderOf(os.DirFS(w.path("/proc")), node); ok {
			p.Holders = []Process{{PID: h.PID, Command: h.Name}}
		}
	}
}

// onBoard is a path as the board itself calls it.
func (w World) onBoard(path string) string {
	root, err := filepath.EvalSymlinks(filepath.Clean(w.Root))
	if err != nil || root == "/" {
		return path
	}
	if rest, under := strings.CutPrefix(path, root+"/"); under {
		return "/" + rest
	}
	return path
}

// lasting are the names that stay with a device, each with its node.
func (w World) lasting() map[string]string {
	names := make(map[string]string)
	for _, dir := range []string{"/dev/traveler", "/dev/serial/by-id", "/dev/input/by-id"} {
		links, _ := filepath.Glob(filepath.Join(w.path(dir), "*")) // the pattern is well formed
		for _, link := range links {
			if node, err := filepath.EvalSymlinks(link); err == nil {
				names[filepath.Join(dir, filepath.Base(link))] = w.onBoard(node)
			}
		}
	}
	return names
}

// name tells which lasting names a port's device has, and which devices of its kind
// nobody of the profile has.
func (p *PortFacts) name(names map[string]string, all []PortFacts) {
	kind := "/dev/serial/"
	if p.Wiring == profiles.WiringInput {
		kind = "/dev/input/"
	}
	if p.Wiring != profiles.WiringSerial && p.Wiring != profiles.WiringInput {
		return
	}
	for name, node := range names {
		switch {
		case p.Target != "" && node == p.Target:
			p.Lasting = append(p.Lasting, name)
		case strings.HasPrefix(name, kind) && !slices.ContainsFunc(all, func(o PortFacts) bool { return o.Target == node }):
			p.Others = append(p.Others, name)
		}
	}
	slices.Sort(p.Lasting)
	slices.Sort(p.Others)
	p.Others = p.Others[:min(len(p.Others), 3)]
}

// accountName is who the unit runs the daemon as.
const accountName = "traveler"

// account is who the daemon runs as: the unit's user with the unit's groups, or, on a
// machine without that user, this program's own.
func (w World) account() Account {
	text, err := w.read("/etc/passwd")
	if err != nil {
		return Account{}
	}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 || f[0] != accountName {
			continue
		}
		uid, uerr := strconv.Atoi(f[2])
		gid, gerr := strconv.Atoi(f[3])
		if uerr == nil && gerr == nil {
			return Account{Name: accountName, UID: uid, GIDs: append([]int{gid}, w.groupsOf(accountName)...)}
		}
	}
	if !w.Live {
		return Account{}
	}
	groups, _ := os.Getgroups() // without them it is judged by the first
	return Account{Name: "this person", UID: os.Geteuid(), GIDs: append(groups, os.Getegid())}
}

// groupsOf are the groups of a user's entry, and those that the unit adds.
func (w World) groupsOf(user string) []int {
	added := unitGroups()
	var ids []int
	w.eachGroup(func(name string, gid int, members []string) {
		if slices.Contains(members, user) || slices.Contains(added, name) {
			ids = append(ids, gid)
		}
	})
	return ids
}

// unitGroups are those that the unit which this program installs gives the daemon.
func unitGroups() []string {
	for _, file := range systemd.Files() {
		for line := range strings.Lines(string(file.Text)) {
			if groups, ok := strings.CutPrefix(line, "SupplementaryGroups="); ok {
				return strings.Fields(groups)
			}
		}
	}
	return nil
}

// groupName is the name of a group, or its number.
func (w World) groupName(gid int) string {
	found := strconv.Itoa(gid)
	w.eachGroup(func(name string, id int, _ []string) {
		if id == gid {
			found = name
		}
	})
	return found
}

// eachGroup reads the board's groups (group(5)).
func (w World) eachGroup(see func(name string, gid int, members []string)) {
	text, err := w.read("/etc/group")
	if err != nil {
		return
	}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 {
			continue
		}
		if gid, err := strconv.Atoi(f[2]); err == nil {
			see(f[0], gid, strings.Split(f[3], ","))
		}
	}
}
