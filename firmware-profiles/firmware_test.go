package profiles

import (
	"slices"
	"strings"
	"testing"
)

func TestFirmwareSettings(t *testing.T) {
	t.Parallel()
	const pi4 = "Raspberry Pi 4 Model B"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a comment":               {"#dtparam=spi=on\nenable_uart=1 # header\n", []string{"enable_uart=1"}},
		"parameters together":     {"dtparam=spi=on,i2c_arm", []string{"dtparam=spi=on", "dtparam=i2c_arm=on"}},
		"an overlay's parameters": {"dtoverlay=w1-gpio,gpiopin=4", []string{"dtoverlay=w1-gpio,gpiopin=4"}},
		"another model":           {"[pi5]\na=1\n[all]\nb=1", []string{"b=1"}},
		"this model":              {"[PI4]\na=1\n[none]\nb=1\n[cm4]\nc=1", []string{"a=1"}},
		"a monitor":               {"[HDMI:0]\na=1", nil},
		"nothing":                 {"", nil},
		"blanks and line ends":    {" enable_uart = 1 \r\n", []string{"enable_uart=1"}},
	} {
		if got := FirmwareSettings(c.text, pi4); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzFirmwareSettings(f *testing.F) {
	f.Add("[pi4]\ndtparam=spi=on,i2c_arm\n[all]\n#x\n", "Raspberry Pi 4")
	f.Add("[\n]=[,,=\n", "")
	f.Fuzz(func(t *testing.T, text, model string) {
		for _, s := range FirmwareSettings(text, model) {
			if !strings.Contains(s, "=") || strings.Contains(s, "\n") {
				t.Errorf("%q is no setting", s)
			}
		}
	})
}
