package doctor

import (
	"slices"
	"strconv"
	"strings"

	profiles "traveler.example/firmware-profiles"
)

// profile: without one that is right the daemon does not start.
func profile(f Facts, x *exam) {
	for _, p := range f.Profile.Problems {
		x.found(Fault, "traveler profile check "+f.Profile.File+" lists every fault of the file with the right words", "%s", p)
	}
	if !f.Profile.usable() {
		x.seen("%s cannot be used", f.Profile.File)
		return
	}
	p := f.Profile.Profile
	x.seen("%s: gateway %s, station %s", f.Profile.File, p.Gateway, p.Work.Station)
}

// makes says which boards a built-in board profile is for: what the device tree's model
// contains, and the kernel's machine.
var makes = map[string]struct {
	models, machines []string
}{
	"rpi-3":         {models: []string{"Raspberry Pi 3"}},
	"rpi-4":         {models: []string{"Raspberry Pi 4", "Raspberry Pi Compute Module 4"}},
	"rpi-5":         {models: []string{"Raspberry Pi 5", "Raspberry Pi Compute Module 5"}},
	"generic-amd64": {machines: []string{"x86_64"}},
	"generic-arm64": {machines: []string{"aarch64"}},
}

// board: the profile of another board names pins and ports that are not here.
func board(f Facts, x *exam) {
	here := f.Board.Model
	if here == "" {
		here = "a board without a device tree"
	}
	if f.Board.Machine != "" {
		here += " (" + f.Board.Machine + ")"
	}
	x.seen("%s", here)
	name := f.Profile.Profile.BoardName
	want, known := makes[name]
	contained := func(s string) bool { return strings.Contains(f.Board.Model, s) }
	switch {
	case f.Board.Model == "" && f.Board.Machine == "":
		x.skip("neither device tree nor kernel can be seen here")
	case !known || !f.Profile.usable():
	case want.models != nil && !slices.ContainsFunc(want.models, contained),
		want.machines != nil && f.Board.Machine != "" && !slices.Contains(want.machines, f.Board.Machine):
		x.found(Fault, "write the board that this is as board = \"…\" in "+f.Profile.File+"; traveler profile list shows them",
			"the profile is for board %q, but this is %s", name, here)
	}
}

// firmware: a bus that the firmware was not told of does not exist.
func firmware(f Facts, x *exam) {
	lines := f.Profile.Profile.Boot.Firmware
	switch {
	case !f.Profile.usable():
		x.skip("without a profile nothing is known to be needed")
		return
	case len(lines) == 0:
		x.seen("the board needs none")
		return
	case f.Board.FirmwareFile == "":
		x.skip("no configuration of a firmware is here (boot/firmware/config.txt)")
		return
	}
	for _, line := range lines {
		if !f.Board.told(line) {
			x.found(Fault, "add the line "+line+" under [all] in "+f.Board.FirmwareFile+" and restart the board",
				"the firmware is not told %q", line)
		}
	}
	if len(x.Findings) == 0 && f.Clock.Synchronised && !f.Board.Booted.IsZero() && f.Board.FirmwareTime.After(f.Board.Booted) {
		x.foundSince(f.Board.FirmwareTime, Warning, "restart the board: systemctl reboot", "%s has changed since the board was started, and is not in force", f.Board.FirmwareFile)
	}
	x.seen("%s, %d lines needed", f.Board.FirmwareFile, len(lines))
}

// told reports whether the firmware's configuration says a line. Parameters may stand
// together in one.
func (b BoardFacts) told(line string) bool {
	return !slices.ContainsFunc(profiles.FirmwareSettings(line, ""), func(s string) bool { return !slices.Contains(b.Firmware, s) })
}

// modules: a port on USB needs the driver of its adapter, and the unit may open only
// classes of devices that are registered when it starts.
func modules(f Facts, x *exam) {
	needed := f.Profile.Profile.Boot.Modules
	if !f.Profile.usable() || f.Board.Loaded == nil {
		reason := f.Board.Unknown
		if reason == "" {
			reason = "without a profile nothing is known to be needed"
		}
		x.skip("%s", reason)
		return
	}
	var missing []string
	for _, m := range needed {
		if !f.Board.Loaded[kernelName(m)] {
			missing = append(missing, m)
		}
	}
	if len(missing) > 0 {
		x.found(Warning, "install /usr/lib/modules-load.d/traveler.conf, then modprobe -a "+strings.Join(missing, " ")+" and systemctl restart travelerd",
			"kernel modules that the board profile names are not loaded: %s", strings.Join(missing, ", "))
	}
	x.seen("%d of %d loaded", len(needed)-len(missing), len(needed))
}

// kernelName is a module's name as the kernel writes it.
func kernelName(module string) string { return strings.ReplaceAll(module, "-", "_") }

// power: a weak supply resets readers and damages cards before it stops the board.
func power(f Facts, x *exam) {
	x.kernel(f.Kernel, underVoltage, Warning, "use the board's own power supply and a short cable; take a hub with a supply of its own for readers on USB",
		"the supply was too weak")
}

// kernel looks for one kind of line in the kernel log.
func (x *exam) kernel(k KernelFacts, kind LineKind, s Severity, remedy, what string) {
	if k.Unknown != "" {
		x.skip("%s", k.Unknown)
		return
	}
	x.seen("nothing in the kernel log")
	of := k.of(kind)
	if len(of) == 0 {
		return
	}
	last := of[len(of)-1]
	x.foundSince(of[0].At, s, remedy, "%s: %s in the kernel log, the last: %s", what, counted(len(of), "line"), last.Text)
	x.seen("%s in the kernel log", counted(len(of), "line"))
}

// pins: a line that a driver of the kernel has is not the station's.
func pins(f Facts, x *exam) {
	used := pinsOf(f.Profile.Profile)
	switch {
	case !f.Profile.usable():
		x.skip("without a profile nothing is known to be needed")
		return
	case len(used) == 0:
		x.seen("the station uses none")
		return
	case f.Board.Pins == nil:
		x.skip("which lines the kernel uses is for root to see: sudo traveler doctor")
		return
	}
	for _, u := range used {
		by, taken := f.Board.Pins[u.number]
		if taken && !ours(by) {
			x.found(Fault, "take out the overlay of "+by+" from the firmware's configuration, or give "+u.of+" another pin",
				"%s is on %s, which the kernel's %q has", u.of, u.pin, by)
		}
	}
	x.seen("%d in use", len(used))
}

// ours reports whether a line's user is this product's own library, which asks for lines
// through sysfs or under its own name.
func ours(user string) bool {
	return user == "sysfs" || strings.HasPrefix(user, "periph") || strings.HasPrefix(user, "travelerd")
}

// use is a pin with what it is for.
type use struct {
	of, pin string
	number  int
}

// pinsOf lists the pins of a profile that have a number.
func pinsOf(p profiles.Profile) []use {
	var all []use
	add := func(of, pin string) {
		if n, err := strconv.Atoi(strings.TrimPrefix(pin, "GPIO")); err == nil {
			all = append(all, use{of, pin, n})
		}
	}
	for _, r := range p.Readers {
		add("irq of reader "+r.Name, r.IRQ)
		add("reset of reader "+r.Name, r.Reset)
	}
	for _, l := range p.Lights {
		add("red of light "+l.Name, l.Red)
		add("amber of light "+l.Name, l.Amber)
		add("green of light "+l.Name, l.Green)
		add("buzzer of light "+l.Name, l.Buzzer)
	}
	for _, b := range p.Buzzers {
		add("buzzer "+b.Name, b.Pin)
	}
	for _, b := range p.Buttons {
		add("button "+b.Name, b.Pin)
	}
	return all
}
