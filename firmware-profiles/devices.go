package profiles

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bauds are the line speeds of the readers and scales there are.
var bauds = []int{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}

// device requires a device that has a driver.
func (k *checker) device(path, value string, known []string) {
	switch {
	case value == "":
		k.missing(path, "add %s = "+quotedList(known[:1])+" or another of "+quotedList(known[1:]))
	case !slices.Contains(known, value):
		k.fail(path, fmt.Sprintf("is %q, which has no driver", clipped(value)), suggestOr(value, append(slices.Clone(known), "none")))
	}
}

func (k *checker) baud(path string, value int) {
	if !slices.Contains(bauds, value) {
		k.fail(path, fmt.Sprintf("is %d, which is no line speed", value), "write one of "+strings.Trim(fmt.Sprint(bauds), "[]"))
	}
}

// port resolves a port role or relative path and takes the port for the key at path.
func (k *checker) port(path string, value *string) bool {
	if *value == "" {
		k.missing(path, `add %s = "/dev/serial/by-id/…" or a port of the board`)
		return false
	}
	return k.role(path, value, "ports", k.p.Ports) && k.take(path, *value)
}

// take claims a device path for one key.
func (k *checker) take(path, port string) bool {
	if taken, ok := k.ports[port]; ok {
		o := k.at(taken)
		k.fail(path, fmt.Sprintf("is %s, which %q has already (%s:%d)", port, keyOf(taken), o.File, o.Line), "give each device a port of its own")
		return false
	}
	k.ports[port] = path
	return true
}

// role replaces the name of a board's role in value by what the board has for it.
// What has a slash is a path.
func (k *checker) role(path string, value *string, section string, roles map[string]string) bool {
	if strings.Contains(*value, "/") {
		*value = absolute(k.dirs[k.p.origins[path].File], *value)
		return true
	}
	target, ok := roles[*value]
	if ok && target != "" {
		from := section + "." + *value
		if section == "ports" && !strings.Contains(target, "/") {
			k.fail(from, fmt.Sprintf("is %q, which is no path", clipped(target)), `write the path of the device, like "/dev/serial/by-id/…"`)
			return false
		}
		*value = target
		if section == "ports" {
			*value = absolute(k.dirs[k.p.origins[from].File], target)
		}
		return true
	}
	if k.partial {
		return false
	}
	names := slices.Sorted(maps.Keys(roles))
	board := "no board is named"
	if k.p.BoardName != "" {
		board = fmt.Sprintf("board %q does not have it", k.p.BoardName)
	}
	remedy := fmt.Sprintf("write the device's path, or add %s = \"/dev/…\" under [%s]", *value, section)
	if s := suggest(*value, names); s != "" {
		remedy = s
	} else if len(names) > 0 {
		remedy += "; the board has " + quotedList(names)
	}
	k.fail(path, fmt.Sprintf("is %q, but %s", clipped(*value), board), remedy)
	return false
}

// The words of [scale] device, each with the settings that it leaves the works with.
var scaleUsual = []struct {
	device string
	baud   int
	line   Line
}{
	{ScaleMTSICS, 9600, Line8N1},
	{ScaleAD, 2400, Line7E1},
	{ScaleAuto, 9600, Line8N1},
}

func (k *checker) scale() {
	s := k.p.Scale
	if s == nil {
		return
	}
	var known []string
	for _, u := range scaleUsual {
		known = append(known, u.device)
		if u.device != s.Device {
			continue
		}
		if !k.given("scale.baud") {
			s.Baud = u.baud
		}
		if !k.given("scale.line") {
			s.Line = u.line
		}
	}
	k.device("scale.device", s.Device, known)
	k.port("scale.port", &s.Port)
	if w := evidentWiring(s.Port); w != "" && w != WiringSerial {
		k.fail("scale.port", fmt.Sprintf("is %s, %s; a scale is attached to %s", s.Port, w, WiringSerial), `write "/dev/serial/by-id/…", or a port of the board`)
	}
	if k.given("scale.baud") {
		k.baud("scale.baud", s.Baud)
	}
	k.positive("scale.deadline", s.Deadline)
	if s.Capacity != 0 && s.Capacity <= s.EmptyBelow {
		k.fail("scale.capacity", fmt.Sprintf("is %s, not above empty_below (%s)", s.Capacity, s.EmptyBelow), "write the scale's capacity, or remove it")
	}
}

func (k *checker) lights() {
	names := make(map[string]bool)
	for i := range k.p.Lights {
		l, path := &k.p.Lights[i], fmt.Sprintf("light[%d]", i)
		if l.Name == "" && !k.given(path+".name") {
			l.Name = string(l.Kind)
		}
		switch l.Kind {
		case LightLines:
			k.lightOfLines(path, l)
		case LightGPIO:
			k.lightOfPins(path, l)
		default:
			k.missing(path+".kind", `add %s = "lines" or "gpio"`)
			continue
		}
		if k.id(path+".name", l.Name) && names[l.Name] {
			k.fail(path+".name", fmt.Sprintf("is %q, as of a light before", l.Name), "give each light a name of its own")
		}
		names[l.Name] = true
	}
}

func (k *checker) lightOfLines(path string, l *Light) {
	fd := k.given(path + ".fd")
	switch {
	case l.Path == "" && !fd:
		k.missing(path+".path", "add %s, the file or terminal that takes the lines, or fd")
	case l.Path != "" && fd:
		k.fail(path+".fd", "and path are given; a light has one of them", "remove one")
	case fd && (l.Descriptor < 1 || l.Descriptor == 2 || l.Descriptor > 1023):
		k.fail(path+".fd", fmt.Sprintf("is %d; it is 1 or 3 to 1023 (0 is for input, 2 for the journal)", l.Descriptor), "write 1 or 3")
	case l.Path != "":
		k.path(path+".path", &l.Path)
		k.take(path+".path", l.Path)
	}
	for _, pin := range []string{"red", "amber", "green", "buzzer"} {
		if k.given(path + "." + pin) {
			k.fail(path+"."+pin, `is a pin, but the light is of kind "lines"`, `remove it, or write kind = "gpio"`)
		}
	}
}

// lightOfPins resolves the pins; lamps that are not given are the board's own for
// lights. A buzzer is given, or there is none.
func (k *checker) lightOfPins(path string, l *Light) {
	for _, lamp := range []struct {
		name  string
		value *string
	}{{"red", &l.Red}, {"amber", &l.Amber}, {"green", &l.Green}} {
		key := path + "." + lamp.name
		if !k.given(key) {
			*lamp.value = k.p.Pins["light_"+lamp.name]
		}
		k.pin(key, lamp.value)
	}
	k.optionalPin(path+".buzzer", &l.Buzzer)
	for _, name := range []string{"path", "fd"} {
		if k.given(path + "." + name) {
			k.fail(path+"."+name, `is for lines, but the light is of kind "gpio"`, `remove it, or write kind = "lines"`)
		}
	}
}
