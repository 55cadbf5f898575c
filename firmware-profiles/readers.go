package profiles

import (
	"fmt"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
)

func (k *checker) readers() {
	if len(k.p.Readers) == 0 && !k.partial {
		k.fail("reader", "is missing; a station sees its items by at least one reader", `add a [[reader]] with name, device = "pn532" and port`)
	}
	names, roles := make(map[string]bool), make(map[Role]bool)
	for i := range k.p.Readers {
		r, path := &k.p.Readers[i], fmt.Sprintf("reader[%d]", i)
		if k.id(path+".name", r.Name) && names[r.Name] {
			k.fail(path+".name", fmt.Sprintf("is %q, as of a reader before", r.Name), "give each reader a name of its own")
		}
		names[r.Name], roles[r.Role] = true, true
		k.device(path+".device", r.Device, readerDevices)
		resolved := k.readerPort(path, r)
		// Where a device can be attached in one way only, a wrong port leaves no doubt.
		if kind, known := kindOf(r.Device); known && (resolved || len(kind.wirings) == 1) {
			k.settings(path, r)
		}
		k.identity(path, r)
		k.values(path, r)
		if r.Role != RoleBoth && k.p.Work.Mode != ModeInOut && k.p.Work.Mode != "" {
			k.fail(path+".role", fmt.Sprintf("is %q, but in mode %q one scan does all", r.Role, k.p.Work.Mode), `write "both", or remove it`)
		}
	}
	k.portals()
	if len(names) > 0 && !roles[RoleBoth] && roles[RoleIn] != roles[RoleOut] {
		k.fail("reader[0].role", "leaves the station without a reader to "+map[bool]string{true: "complete", false: "accept"}[roles[RoleIn]]+" on",
			`add a reader of the other role, or write "both"`)
	}
}

// readerPort resolves the port of a reader, and requires the device to be one that
// can be attached there. Portals may share theirs.
func (k *checker) readerPort(path string, r *Reader) bool {
	path += ".port"
	if r.Device == DeviceLLRP {
		return k.networkPort(path, &r.Port)
	}
	if host, port, err := net.SplitHostPort(r.Port); err == nil && host != "" && validPort(port) && !strings.Contains(r.Port, "/") {
		k.fail(path, fmt.Sprintf("is %q, on the network, where %q cannot be", clipped(r.Port), clipped(r.Device)), `write device = "llrp", or the path of the device`)
		return false
	}
	if !k.port(path, &r.Port) {
		return false
	}
	kind, known := kindOf(r.Device)
	if known && !slices.Contains(kind.wirings, r.Wiring()) {
		k.fail(path, fmt.Sprintf("is %s, %s; %q is attached to %s", r.Port, r.Wiring(), r.Device, words(kind.wirings)), "write "+kind.port+", or a port of the board")
		return false
	}
	k.switchedOn(r)
	return true
}

// switchedOn requires the firmware's lines, where the board has any, to switch on
// the bus of a reader: buses are off on boards as they come.
func (k *checker) switchedOn(r *Reader) {
	bus, ok := map[Wiring]struct{ word, line string }{
		WiringSPI: {"spi", "dtparam=spi=on"},
		WiringI2C: {"i2c", "dtparam=i2c_arm=on"},
	}[r.Wiring()]
	lines := k.p.Boot.Firmware
	if !ok || len(lines) == 0 || slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, bus.word) }) {
		return
	}
	k.fail("boot.firmware", fmt.Sprintf("does not switch on %s, to which reader %q is attached", r.Wiring(), r.Name), fmt.Sprintf("add %q to the list", bus.line))
}

// words joins wirings for a sentence.
func words(wirings []Wiring) string {
	var b strings.Builder
	for i, w := range wirings {
		switch {
		case i > 0 && i == len(wirings)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// networkPort resolves a role to host:port, or requires value to be one.
func (k *checker) networkPort(path string, value *string) bool {
	if *value == "" {
		k.missing(path, `add %s = "10.0.0.7:5084"`)
		return false
	}
	at := path
	if target, ok := k.p.Ports[*value]; ok {
		*value, at = target, "ports."+*value
	}
	host, port, err := net.SplitHostPort(*value)
	if err != nil || host == "" || strings.ContainsAny(host, "/ ") || !validPort(port) {
		k.fail(at, fmt.Sprintf("is %q, which is no host:port", clipped(*value)), `write it like "10.0.0.7:5084"; 5084 is the usual port, 5085 over TLS`)
		return false
	}
	return true
}

// settings refuses the keys that a reader does not have, and fills in the usual
// values of those that it has.
func (k *checker) settings(path string, r *Reader) {
	kind, _ := kindOf(r.Device)
	fields, usual := fieldsOf(reflect.ValueOf(r).Elem()), fieldsOf(reflect.ValueOf(&kind.usual).Elem())
	for _, s := range readerSettings {
		key := path + "." + s.key
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == s.key })
		ok, otherwise := s.has(r.Device, r.Wiring())
		switch given := k.given(key); {
		case !given && ok:
			fields[i].value.Set(usual[i].value)
		case given && otherwise && !ok:
			k.fail(key, fmt.Sprintf("is for %s, and this %q is on %s", words(s.wirings), r.Device, r.Wiring()), "remove it")
		case given && !ok:
			k.fail(key, fmt.Sprintf("is no setting of %q", r.Device), "remove it; it is for "+quotedList(s.devices))
		}
	}
}

// values checks the settings that are given.
func (k *checker) values(path string, r *Reader) {
	given := func(key string) bool { return k.given(path + "." + key) }
	for key, ok := range map[string]bool{"hold": r.Hold == 0, "gap": r.Gap == 0, "dwell": r.Dwell == 0, "cooldown": r.Cooldown == 0} {
		if ok && given(key) {
			k.positive(path+"."+key, 0)
		}
	}
	if given("baud") {
		k.baud(path+".baud", r.Baud)
	}
	if given("misses") && (r.Misses < 1 || r.Misses > 100) {
		k.fail(path+".misses", fmt.Sprintf("is %d; a tag has departed after 1 to 100 misses", r.Misses), "write 3")
	}
	k.busValues(path, r)
	k.radioValues(path, r)
	k.typedValues(path, r)
}

// maxClock is the fastest SPI of a device, by its data sheet.
var maxClock = map[string]Frequency{DevicePN532: 5e6, DeviceMFRC522: 10e6}

var gains = []int{18, 23, 33, 38, 43, 48}

// busValues checks what chips on the board have.
func (k *checker) busValues(path string, r *Reader) {
	if limit, ok := maxClock[r.Device]; ok && k.given(path+".clock") && (r.Clock < 100e3 || r.Clock > limit) {
		k.fail(path+".clock", fmt.Sprintf("is %s; %q can do 100 kHz to %s", r.Clock, r.Device, limit), `write "1 MHz", or remove it for the usual value`)
	}
	k.optionalPin(path+".irq", &r.IRQ)
	k.optionalPin(path+".reset", &r.Reset)
	if k.given(path+".gain") && !slices.Contains(gains, r.Gain) {
		k.fail(path+".gain", fmt.Sprintf("is %d, which is no gain of the receiver", r.Gain), "write one of "+strings.Trim(fmt.Sprint(gains), "[]")+" (dB)")
	}
	for i := range r.Keys {
		digits, ok := hexDigits(r.Keys[i])
		if !ok || len(digits) != 12 {
			// The value may be a secret: it is not repeated.
			k.fail(fmt.Sprintf("%s.keys[%d]", path, i), "is no key of MIFARE Classic", "write 12 hexadecimal digits")
			continue
		}
		r.Keys[i] = digits
	}
}

// radioValues checks what UHF readers have.
func (k *checker) radioValues(path string, r *Reader) {
	if k.given(path+".power") && (r.Power <= 0 || r.Power > 36_00) {
		k.fail(path+".power", fmt.Sprintf("is %s; it is above 0 and at most 36 dBm, and the law may allow less", r.Power), `write it like "20 dBm", or remove it for the reader's own setting`)
	}
	if k.given(path+".rssi_min") && (r.MinRSSI >= 0 || r.MinRSSI < -128_00 || r.MinRSSI%100 != 0) {
		k.fail(path+".rssi_min", fmt.Sprintf("is %s; tags answer with -80 to -30 dBm, told in whole ones", r.MinRSSI), `write it like "-60 dBm"`)
	}
	if k.given(path+".min_reads") && (r.MinReads < 1 || r.MinReads > 1000) {
		k.fail(path+".min_reads", fmt.Sprintf("is %d; a tag arrives after 1 to 1000 reads", r.MinReads), "write 3")
	}
	if k.given(path+".antennas") && len(r.Antennas) == 0 {
		k.fail(path+".antennas", "is empty", "write the numbers of this reader's antennas, like [1, 2]")
	}
	for i, a := range r.Antennas {
		switch at := fmt.Sprintf("%s.antennas[%d]", path, i); {
		case a < 1 || a > math.MaxUint16:
			k.fail(at, fmt.Sprintf("is %d; antennas are counted from 1", a), "write the number that stands at the connector")
		case slices.Contains(r.Antennas[:i], a):
			k.fail(at, fmt.Sprintf("is %d, as one before", a), "give each antenna once")
		}
	}
	if r.CAFile != "" || k.given(path+".ca_file") {
		k.path(path+".ca_file", &r.CAFile)
	}
}

// typedValues checks what readers that type have.
func (k *checker) typedValues(path string, r *Reader) {
	if r.Device == DeviceWedge && r.Content == ContentCode {
		for _, key := range []string{"technology", "reversed"} {
			if k.given(path + "." + key) {
				k.fail(path+"."+key, `is for tags' identifiers, but content is "code"`, `remove it, or write content = "hex" or "decimal"`)
			}
		}
	}
	for key, text := range map[string]string{"prefix": r.Prefix, "suffix": r.Suffix} {
		if len(text) > 32 {
			k.fail(path+"."+key, fmt.Sprintf("has %d bytes; at most 32 stand around a code", len(text)), "shorten it")
		}
	}
}

// portals checks readers that share a connection: each antenna is one reader's, and
// what concerns the connection is the same for all.
func (k *checker) portals() {
	type owner struct {
		port    string
		antenna int
	}
	owners, first := make(map[owner]string), make(map[string]int)
	for i, r := range k.p.Readers {
		path := fmt.Sprintf("reader[%d]", i)
		if r.Device != DeviceLLRP || r.Port == "" {
			continue
		}
		for _, a := range r.Antennas {
			if other, taken := owners[owner{r.Port, a}]; taken && other != r.Name {
				k.fail(path+".antennas", fmt.Sprintf("has antenna %d, which reader %q has already", a, other), "give each antenna to one reader")
			}
			owners[owner{r.Port, a}] = r.Name
		}
		j, shared := first[r.Port]
		if !shared {
			first[r.Port] = i
			continue
		}
		for key, same := range map[string]bool{"takeover": r.Takeover == k.p.Readers[j].Takeover, "ca_file": r.CAFile == k.p.Readers[j].CAFile} {
			if !same {
				k.fail(path+"."+key, fmt.Sprintf("differs from reader %q on the same connection", k.p.Readers[j].Name), "write the same for both")
			}
		}
	}
}
