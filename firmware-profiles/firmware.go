package profiles

import "strings"

// FirmwareSettings reads the configuration of a Raspberry Pi's firmware (config.txt) for
// the board of a model: the settings that hold there, each parameter by itself. No
// model stands for what holds on every board.
//
// Sections that a filter in brackets opens count for [all] and for the board's own model,
// such as [pi4]; other filters are taken not to hold. Source: raspberrypi.com,
// documentation/computers/config_txt.html, "Conditional filters".
func FirmwareSettings(text, model string) []string {
	var settings []string
	holds := true
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "["):
			holds = filterHolds(strings.Trim(line, "[]"), model)
		case holds:
			settings = append(settings, settingsOf(line)...)
		}
	}
	return settings
}

// filterHolds judges a filter for a model.
func filterHolds(filter, model string) bool {
	contains, known := map[string]string{
		"all": "", "pi3": "Raspberry Pi 3", "pi3+": "Raspberry Pi 3 Model B Plus", "pi4": "Raspberry Pi 4",
		"pi400": "Raspberry Pi 400", "pi5": "Raspberry Pi 5", "pi0": "Raspberry Pi Zero", "pi02": "Raspberry Pi Zero 2",
		"cm4": "Compute Module 4", "cm5": "Compute Module 5",
	}[strings.ToLower(strings.TrimSpace(filter))]
	return known && strings.Contains(model, contains)
}

// settingsOf takes a line apart: dtparam=spi=on,i2c_arm=on are two settings.
func settingsOf(line string) []string {
	key, value, _ := strings.Cut(line, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if key != "dtparam" {
		return []string{key + "=" + value}
	}
	var settings []string
	for parameter := range strings.SplitSeq(value, ",") {
		parameter = strings.TrimSpace(parameter)
		if name, _, given := strings.Cut(parameter, "="); !given {
			parameter = name + "=on" // what a parameter without a value means
		}
		settings = append(settings, key+"="+parameter)
	}
	return settings
}
