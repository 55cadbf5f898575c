package doctor

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	profiles "traveler.example/firmware-profiles"
)

// number reads a whole number with blanks around it.
func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil
}

// firmwareFiles are where the firmware's configuration is, in systems of now and before.
var firmwareFiles = []string{"/boot/firmware/config.txt", "/boot/config.txt"}

// maxFirmware bounds the firmware's configuration, in bytes.
const maxFirmware = 64 << 10

// maxModel bounds the name of a board, in bytes.
const maxModel = 128

func (w World) board(now time.Time) BoardFacts {
	var b BoardFacts
	if text, err := w.read("/proc/device-tree/model"); err == nil {
		text = strings.ToValidUTF8(strings.TrimRight(text, "\x00\n"), "")
		b.Model = text[:min(len(text), maxModel)]
	}
	if text, err := w.read("/proc/sys/kernel/arch"); err == nil { // Linux 6.1 and newer
		b.Machine = strings.TrimSpace(text)
	}
	for _, file := range firmwareFiles {
		text, err := w.read(file)
		if err != nil || len(text) > maxFirmware {
			continue
		}
		b.FirmwareFile, b.Firmware = file, profiles.FirmwareSettings(text, b.Model)
		if info, err := os.Stat(w.path(file)); err == nil {
			b.FirmwareTime = info.ModTime()
		}
		break
	}
	if text, err := w.read("/proc/uptime"); err == nil {
		first, _, _ := strings.Cut(text, " ")
		if up, err := time.ParseDuration(first + "s"); err == nil && up > 0 && up < maxUptime {
			b.Booted = now.Add(-up)
		}
	}
	b.Loaded, b.Unknown = w.modules()
	b.Pins = w.pins()
	return b
}

// modules are the kernel's modules that are there, loaded or built in.
func (w World) modules() (map[string]bool, string) {
	text, err := w.read("/proc/modules")
	if err != nil {
		return nil, "the kernel's modules cannot be listed: " + err.Error()
	}
	release, err := w.read("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, "the kernel's release cannot be read: " + err.Error()
	}
	built, err := w.read("/lib/modules/" + strings.TrimSpace(release) + "/modules.builtin")
	if err != nil {
		return nil, "what is built into the kernel cannot be read: " + err.Error()
	}
	there := make(map[string]bool)
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		there[kernelName(name)] = true
	}
	for line := range strings.Lines(built) { // kernel/drivers/spi/spidev.ko
		line = strings.TrimSpace(line)
		name, _, _ := strings.Cut(line[strings.LastIndexByte(line, '/')+1:], ".ko")
		there[kernelName(name)] = true
	}
	return there, ""
}

// gpioLine is a line of the kernel's list of GPIO in use, such as
//
//	gpio-529 (GPIO17              |w1                  ) in  hi
//
// (drivers/gpio/gpiolib.c, gpiolib_dbg_show). The number before the name has an offset
// that differs between kernels.
var gpioLine = regexp.MustCompile(`^\s*gpio-\d+\s+\(GPIO(\d{1,3})\s*\|([^)]*)\)`)

// pins are the kernel's users of GPIO lines; nil if they cannot be seen.
func (w World) pins() map[int]string {
	text, err := w.read("/sys/kernel/debug/gpio")
	if err != nil {
		return nil
	}
	users := make(map[int]string)
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if m := gpioLine.FindStringSubmatch(s.Text()); m != nil {
			if user := strings.TrimSpace(m[2]); user != "" {
				n, _ := strconv.Atoi(m[1]) // one to three digits
				users[n] = user
			}
		}
	}
	return users
}
