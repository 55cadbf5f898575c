package flash

import (
	"errors"
	"slices"
	"strings"

	profiles "traveler.example/firmware-profiles"
)

// The lines between which flashing keeps its part of config.txt.
const (
	markBegin = "# traveler: begin (written by traveler flash)"
	markEnd   = "# traveler: end"
)

// errMark: somebody has cut the part of config.txt that flashing keeps.
var errMark = errors.New("its lines " + markBegin + " and " + markEnd + " do not match; remove both and what is between them")

// configured returns config.txt of a Raspberry Pi with the lines wanted in effect.
// What is in effect elsewhere in it is not said twice. It does the same to its own
// result as to the text before.
// (https://www.raspberrypi.com/documentation/computers/config_txt.html, "Conditional filters")
func configured(text string, wanted []string) (string, error) {
	before, rest, found := strings.Cut(text, markBegin+"\n")
	_, after, ended := strings.Cut(rest, markEnd+"\n")
	kept := before + after
	if found != ended || strings.Contains(kept, markBegin) || strings.Contains(kept, markEnd) {
		return "", errMark
	}
	there := profiles.FirmwareSettings(kept, "")
	lines := slices.DeleteFunc(slices.Clone(wanted), func(l string) bool {
		return !slices.ContainsFunc(profiles.FirmwareSettings(l, ""), func(s string) bool { return !slices.Contains(there, s) })
	})
	if len(lines) == 0 {
		return kept, nil
	}
	if kept != "" && !strings.HasSuffix(kept, "\n") {
		kept += "\n"
	}
	return kept + strings.Join(slices.Concat([]string{markBegin, "[all]"}, lines, []string{markEnd, ""}), "\n"), nil
}

// withoutConsole returns the kernel's command line without consoles on ports that
// devices are attached to: what the kernel prints there, and the login that systemd
// starts there, would talk to the reader. header says that serial0 is the UART of the
// header. removed lists what was taken out.
func withoutConsole(line string, ports []string, header bool) (kept string, removed []string) {
	words := slices.DeleteFunc(strings.Fields(line), func(word string) bool {
		value, is := strings.CutPrefix(word, "console=")
		name, _, _ := strings.Cut(value, ",")
		taken := slices.Contains(ports, "/dev/"+name) || header && name == "serial0" && slices.Contains(ports, "/dev/ttyAMA0")
		if is && taken {
			removed = append(removed, word)
		}
		return is && taken
	})
	if removed == nil {
		return line, nil
	}
	return strings.Join(words, " ") + "\n", removed
}
