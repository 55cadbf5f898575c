package profiles

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// readerOf parses a profile whose station is given with a reader beside it.
func readerOf(t *testing.T, station, reader string) (Reader, error) {
	t.Helper()
	text := "board = \"rpi-4\"\nstation = \"" + station + "\"\n" + own + "[[reader]]\n" + reader
	p, err := Parse("/p/profile.toml", []byte(text), BuiltIn)
	if err != nil {
		return Reader{}, err
	}
	return p.Readers[0], nil
}

// The portal of the built-in station is a PN532 with misses, which a reader on the
// network does not have.
func TestAnotherDeviceTakesThePlaceOfAReaderAsAWhole(t *testing.T) {
	r, err := readerOf(t, "conveyor-portal", "name = \"portal\"\ndevice = \"llrp\"\nport = \"10.0.0.7:5084\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if r.Device != DeviceLLRP || r.Misses != 0 || !slices.Equal(r.Antennas, []int{1}) || r.Wiring() != WiringNetwork {
		t.Errorf("got %+v", r)
	}
	r, err = readerOf(t, "conveyor-portal", "name = \"portal\"\nmisses = 7\n")
	if err != nil {
		t.Fatal(err)
	}
	if r.Device != DevicePN532 || r.Misses != 7 || r.Hold.String() != "150ms" {
		t.Errorf("without another device, got %+v, want the station's with other misses", r)
	}
}

func TestWiring(t *testing.T) {
	for _, tt := range []struct {
		device, port string
		want         Wiring
	}{
		{DevicePN532, "/dev/serial/by-id/x", WiringSerial},
		{DevicePN532, "/tmp/emulated", WiringSerial},
		{DevicePN532, "reader", WiringSerial},
		{DevicePN532, "/dev/spidev0.0", WiringSPI},
		{DevicePN532, "/dev/i2c-1", WiringI2C},
		{DeviceMFRC522, "/dev/my-reader", WiringSPI},
		{DeviceWedge, "/dev/my-scanner", WiringInput},
		{DeviceLLRP, "portal:5084", WiringNetwork},
		{"", "", ""},
	} {
		if got := (Reader{Device: tt.device, Port: tt.port}).Wiring(); got != tt.want {
			t.Errorf("%s at %q is on %q, want %q", tt.device, tt.port, got, tt.want)
		}
	}
}

// Every key of a reader either is there for each device or is in the table, so that
// none is taken and then ignored.
func TestEverySettingIsSomeDevices(t *testing.T) {
	r, all := Reader{}, []string{"name", "device", "port", "role", "identity"}
	for _, s := range readerSettings {
		all = append(all, s.key)
		for _, d := range s.devices {
			if !slices.Contains(readerDevices, d) {
				t.Errorf("%s is for %q, which is no device", s.key, d)
			}
		}
	}
	for _, f := range fieldsOf(reflect.ValueOf(&r).Elem()) {
		if !slices.Contains(all, f.name) {
			t.Errorf("key %q is in no row of readerSettings", f.name)
		}
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	_, err := readerOf(t, "drilling", "name = \"bench\"\nkeys = [\"5EC2E75EC2E\"]\n")
	if err == nil || strings.Contains(err.Error(), "5EC2E7") {
		t.Errorf("got %v, want a fault without the key", err)
	}
}

func TestDecibels(t *testing.T) {
	for _, tt := range []struct {
		text  string
		want  Decibel
		shown string
	}{
		{"20 dBm", 2000, "20 dBm"},
		{"-60dBm", -6000, "-60 dBm"},
		{"26.5 dBm", 2650, "26.5 dBm"},
		{"-0.05 dBm", -5, "-0.05 dBm"},
		{"0 dBm", 0, "0 dBm"},
	} {
		got, err := parseDecibel(tt.text)
		if err != nil || Decibel(got) != tt.want || tt.want.String() != tt.shown {
			t.Errorf("%q gives %d, %v, shown as %s; want %d, shown as %s", tt.text, got, err, tt.want, tt.want, tt.shown)
		}
	}
	for _, text := range []string{"--1 dBm", "20", "20 dB", "1.234 dBm", "dBm", "-"} {
		if got, err := parseDecibel(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
