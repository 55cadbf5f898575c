package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"traveler.example/agent"
	"traveler.example/drivers"
	profiles "traveler.example/firmware-profiles"
)

// ports: does what the profile names exist, may the daemon open it, has somebody else it.
func ports(f Facts, x *exam) {
	switch {
	case !f.Profile.usable():
		x.skip("without a profile nothing is known to be needed")
		return
	case len(f.Ports) == 0:
		x.seen("the station has none")
		return
	}
	there, hidden := 0, false
	for _, p := range f.Ports {
		hidden = hidden || p.HoldersHidden && len(p.Holders) == 0
		if p.Target != "" {
			there++
		}
		p.judge(f, x)
	}
	x.seen("%d of %d there", there, len(f.Ports))
	if hidden {
		x.Summary += "; who has them open is for root to see"
	}
}

// judge looks at one port.
func (p PortFacts) judge(f Facts, x *exam) {
	file := f.Profile.File
	switch {
	case p.Problem != "":
		x.found(Warning, "run it with the rights to look: sudo traveler doctor", "%s: %s", p.Of, p.Problem)
		return
	case p.Target == "":
		x.found(Fault, p.missing(file), "%s: nothing is at %s", p.Of, p.Path)
		return
	case p.Regular:
		x.found(Fault, "rm "+p.Path+" and plug the device in again", "%s: %s is a plain file and no device; some program wrote to the name while nothing was there", p.Of, p.Path)
		return
	}
	if !f.Daemon.deviceUp(p.Name) && !f.Account.may(p) {
		x.found(Fault, p.rights(f.Account), "%s: %s may not read and write %s (%s, group %s)",
			p.Of, f.Account.Name, p.Target, fs.FileMode(p.Mode), p.Group)
	}
	for _, h := range p.Holders {
		if !strings.HasPrefix(h.Command, "travelerd") && p.Wiring == profiles.WiringSerial {
			x.found(Fault, fmt.Sprintf("stop it (systemctl status %d names its unit), and keep it off the port; a console is taken off by systemctl disable --now serial-getty@%s",
				h.PID, p.Target[strings.LastIndexByte(p.Target, '/')+1:]),
				"%s: %s is open in %s (process %d)", p.Of, p.Target, cmp.Or(h.Command, "a program"), h.PID)
		}
	}
	if p.Wiring == profiles.WiringSerial && fleeting(p.Path) {
		remedy := "name it by /dev/serial/by-id or by-path in " + file
		if len(p.Lasting) > 0 {
			remedy = fmt.Sprintf("write port = %q in %s, then systemctl reload travelerd", p.Lasting[0], file)
		}
		x.found(Warning, remedy, "%s: %s is another device after the next replug", p.Of, p.Path)
	}
}

// fleeting reports whether the kernel gives a name anew at each plugging.
func fleeting(path string) bool {
	return strings.HasPrefix(path, "/dev/ttyUSB") || strings.HasPrefix(path, "/dev/ttyACM") || strings.HasPrefix(path, "/dev/input/event")
}

// missing is the remedy for a port where nothing is.
func (p PortFacts) missing(file string) string {
	switch {
	case p.Wiring == profiles.WiringSPI:
		return "switch SPI on: dtparam=spi=on in the firmware's configuration, and restart the board"
	case p.Wiring == profiles.WiringI2C:
		return "switch I2C on: dtparam=i2c_arm=on in the firmware's configuration, module i2c-dev, and restart the board"
	case strings.HasPrefix(p.Path, "/dev/ttyAMA"), strings.HasPrefix(p.Path, "/dev/ttyS"):
		return "switch the board's own port on: the firmware check names its lines (enable_uart=1), then restart the board"
	case p.Wiring == wiringPins:
		return "check that the board is the one of the profile; its kernel has no GPIO here"
	case len(p.Others) > 0:
		return fmt.Sprintf("plug it in; if it is %s, write that as its port in %s", strings.Join(p.Others, " or "), file)
	}
	return "plug it in, and try another cable; ls -l /dev/serial/by-id shows what is there"
}

// rights is the remedy for a port that the daemon may not open.
func (p PortFacts) rights(a Account) string {
	if p.Mode&0o060 == 0o060 && p.GID != 0 {
		return fmt.Sprintf("add the group: SupplementaryGroups=%s in systemctl edit travelerd (or usermod -aG %s %s), then systemctl restart travelerd", p.Group, p.Group, a.Name)
	}
	return "install /usr/lib/udev/rules.d/60-traveler.rules, then udevadm control --reload and udevadm trigger"
}

// may reports whether the account may read and write a port.
func (a Account) may(p PortFacts) bool {
	switch {
	case a.Name == "" || a.UID == 0:
		return true // not known, or root
	case a.UID == p.UID:
		return p.Mode&0o600 == 0o600
	case slices.Contains(a.GIDs, p.GID):
		return p.Mode&0o060 == 0o060
	}
	return p.Mode&0o006 == 0o006
}

// state returns how the daemon sees a reader or the scale.
func (d DaemonFacts) state(name string) (agent.DeviceState, bool) {
	if !d.Answers {
		return agent.DeviceState{}, false
	}
	all := slices.Clone(d.Status.Readers)
	if d.Status.Scale != nil {
		all = append(all, *d.Status.Scale)
	}
	all = append(all, d.Status.Buttons...)
	i := slices.IndexFunc(all, func(s agent.DeviceState) bool { return s.Name == name })
	if i < 0 {
		return agent.DeviceState{}, false
	}
	return all[i], true
}

func (d DaemonFacts) deviceUp(name string) bool {
	s, ok := d.state(name)
	return ok && s.Up
}

// devices: do readers, scale and buttons answer. The daemon knows; without it they were greeted.
func devices(f Facts, x *exam) {
	switch {
	case f.Daemon.Answers:
		devicesOf(f.Daemon.Status, x)
	case !f.Profile.usable():
		x.skip("without a profile nothing is known to be needed")
	case f.Probes.Problem != "":
		x.found(Fault, "traveler profile check "+f.Profile.File+" lists what is looked for where", "the devices cannot be tried: %s", f.Probes.Problem)
	case !f.Probes.Done:
		x.skip("nobody was asked: the daemon has the ports, or this is not the running system")
	default:
		probes(f.Probes.Devices, x)
	}
}

func devicesOf(s agent.Status, x *exam) {
	up, all := 0, 0
	look := func(what string, d agent.DeviceState) {
		all++
		if d.Up {
			up++
			return
		}
		x.foundSince(millis(d.Since), Fault, silentRemedy, "%s does not answer on %s", deviceName(what, d.Name), d.Port)
	}
	for _, r := range s.Readers {
		look("reader", r)
	}
	if s.Scale != nil {
		look("scale", *s.Scale)
	}
	for _, b := range s.Buttons {
		look("button", b)
	}
	x.seen("%d of %d up, says the daemon", up, all)
}

// deviceName is the kind of a device with its name, where that says more.
func deviceName(kind, name string) string {
	if name == kind {
		return "the " + kind
	}
	return kind + " " + name
}

const silentRemedy = "check cable and power, and the device's switches for its port; journalctl -u travelerd -x tells what the daemon saw"

// probes judges greetings.
func probes(all []agent.Probed, x *exam) {
	up := 0
	for _, p := range all {
		switch {
		case p.Err == nil:
			up++
		case errors.Is(p.Err, drivers.ErrBusy):
			x.found(Fault, "stop the program that has the port; sudo traveler doctor names it", "%s on %s: %v", p.Name, p.Port, p.Err)
		case errors.Is(p.Err, fs.ErrPermission):
			x.found(Warning, "sudo traveler doctor may", "%s on %s cannot be tried by this person: %v", p.Name, p.Port, p.Err)
		case errors.Is(p.Err, fs.ErrNotExist), errors.Is(p.Err, drivers.ErrUnplugged):
			x.found(Fault, "plug it in", "%s on %s is not there", p.Name, p.Port)
		default:
			x.found(Fault, silentRemedy, "%s does not answer on %s: %v", p.Name, p.Port, p.Err)
		}
	}
	x.seen("%d of %d answer when greeted", up, len(all))
}

// lights: whether lamps shine is for a person to see; whether they can be driven is not.
func lights(f Facts, x *exam) {
	if !f.Profile.usable() {
		x.skip("without a profile nothing is known to be needed")
		return
	}
	p := f.Profile.Profile
	n := len(p.Lights) + len(p.Buzzers)
	if n == 0 {
		x.found(Note, "add a [[light]] to "+f.Profile.File+" if the station is to have one", "the station has no light: only status and terminal say what a scan came to")
	}
	x.seen("%s; traveler lamp-test shows each in turn", counted(n, "light"))
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
