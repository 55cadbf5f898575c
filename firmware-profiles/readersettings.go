package profiles

import (
	"net"
	"slices"
	"strings"
	"time"
)

// readerKind is what there is to know of a device.
type readerKind struct {
	device string
	// wirings are how it can be attached. A path that does not show which it leads
	// to leads to the first.
	wirings []Wiring
	// port is an example for errors.
	port string
	// usual are the values of settings that are not given.
	usual Reader
}

// usualHold bridges the looks of a reader of 13.56 MHz that miss a tag which lies
// still.
const usualHold = 500 * time.Millisecond

var readerKinds = []readerKind{
	{
		device: DevicePN532, wirings: []Wiring{WiringSerial, WiringSPI, WiringI2C}, port: `"/dev/serial/by-id/…", "/dev/spidev0.0" or "/dev/i2c-1"`,
		usual: Reader{Baud: 115200, Misses: 3, Hold: usualHold, Handoff: true},
	},
	{
		device: DeviceMFRC522, wirings: []Wiring{WiringSPI}, port: `"/dev/spidev0.0"`,
		usual: Reader{Misses: 3, Hold: usualHold, Handoff: true},
	},
	{
		device: DeviceASCII125, wirings: []Wiring{WiringSerial}, port: `"/dev/serial/by-id/…"`,
		usual: Reader{Baud: 9600, Misses: 3},
	},
	{
		device: DeviceM100, wirings: []Wiring{WiringSerial}, port: `"/dev/serial/by-id/…"`,
		usual: Reader{Baud: 115200, Misses: 3, Hold: usualHold, MinReads: 1, Dwell: usualHold, Handoff: true},
	},
	{
		device: DeviceLLRP, wirings: []Wiring{WiringNetwork}, port: `"10.0.0.7:5084"`,
		usual: Reader{Hold: 1500 * time.Millisecond, Antennas: []int{1}, MinReads: 1},
	},
	{
		device: DeviceWedge, wirings: []Wiring{WiringInput}, port: `"/dev/input/by-id/…-event-kbd"`,
		usual: Reader{Layout: "us", Content: ContentCode, Cooldown: time.Second},
	},
}

// readerDevices are the words of [[reader]] device.
var readerDevices = func() (names []string) {
	for _, k := range readerKinds {
		names = append(names, k.device)
	}
	return names
}()

// readerSetting says which readers have a key.
type readerSetting struct {
	key     string
	devices []string
	wirings []Wiring // empty: however they are attached
}

// readerSettings are the keys that not every reader has.
var readerSettings = []readerSetting{
	{"handoff", []string{DevicePN532, DeviceMFRC522, DeviceM100, DeviceLLRP}, nil}, // usually not at a portal, which goods pass without a stop
	{"baud", []string{DevicePN532, DeviceASCII125, DeviceM100}, []Wiring{WiringSerial}},
	{"clock", []string{DevicePN532, DeviceMFRC522}, []Wiring{WiringSPI}},
	{"irq", []string{DevicePN532, DeviceMFRC522}, []Wiring{WiringSPI, WiringI2C}},
	{"reset", []string{DevicePN532, DeviceMFRC522}, []Wiring{WiringSPI, WiringI2C}},
	{"misses", []string{DevicePN532, DeviceMFRC522, DeviceASCII125, DeviceM100}, nil},
	{"hold", []string{DevicePN532, DeviceMFRC522, DeviceASCII125, DeviceM100, DeviceLLRP}, nil},
	{"gain", []string{DeviceMFRC522}, nil},
	{"keys", []string{DevicePN532, DeviceMFRC522}, nil},
	{"framing", []string{DeviceASCII125}, nil},
	{"repeat", []string{DeviceASCII125}, nil},
	{"region", []string{DeviceM100}, nil},
	{"antennas", []string{DeviceLLRP}, nil},
	{"power", []string{DeviceM100, DeviceLLRP}, nil},
	{"rssi_min", []string{DeviceM100, DeviceLLRP}, nil},
	{"min_reads", []string{DeviceM100, DeviceLLRP}, nil},
	{"dwell", []string{DeviceM100, DeviceLLRP}, nil},
	{"takeover", []string{DeviceLLRP}, nil},
	{"ca_file", []string{DeviceLLRP}, nil},
	{"layout", []string{DeviceWedge}, nil},
	{"content", []string{DeviceWedge}, nil},
	{"prefix", []string{DeviceWedge}, nil},
	{"suffix", []string{DeviceWedge}, nil},
	{"technology", []string{DeviceWedge}, nil},
	{"reversed", []string{DeviceWedge}, nil},
	{"gap", []string{DeviceWedge}, nil},
	{"cooldown", []string{DeviceWedge}, nil},
}

// has reports whether a reader has a key, and if not, whether it would if it were
// attached another way.
func (s readerSetting) has(device string, w Wiring) (ok, otherwise bool) {
	if !slices.Contains(s.devices, device) {
		return false, false
	}
	return len(s.wirings) == 0 || slices.Contains(s.wirings, w), true
}

// Wiring returns how the reader is attached.
func (r Reader) Wiring() Wiring {
	if w := evidentWiring(r.Port); w != "" {
		return w
	}
	if k, ok := kindOf(r.Device); ok {
		return k.wirings[0]
	}
	return ""
}

func kindOf(device string) (readerKind, bool) {
	i := slices.IndexFunc(readerKinds, func(k readerKind) bool { return k.device == device })
	if i < 0 {
		return readerKind{}, false
	}
	return readerKinds[i], true
}

// evidentWiring tells from a port what it is, empty if that does not show: links
// may have any name.
func evidentWiring(port string) Wiring {
	for _, w := range []struct {
		prefix string
		wiring Wiring
	}{
		{"/dev/spidev", WiringSPI},
		{"/dev/i2c-", WiringI2C},
		{"/dev/input/", WiringInput},
		{"/dev/tty", WiringSerial},
		{"/dev/serial/", WiringSerial},
		{"/dev/pts/", WiringSerial},
	} {
		if strings.HasPrefix(port, w.prefix) {
			return w.wiring
		}
	}
	if !strings.Contains(port, "/") { // a relative path may have none either
		if _, _, err := net.SplitHostPort(port); err == nil {
			return WiringNetwork
		}
	}
	return ""
}
