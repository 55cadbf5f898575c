package emulate_test

import (
	"strings"
	"testing"

	"traveler.example/drivers/emulate"
)

// exchange is a command to the emulated scale and what comes back for it.
type exchange struct{ do, send, want string }

func checkScale(t *testing.T, device *emulate.Scale, exchanges []exchange) {
	t.Helper()
	h := plugIn(t, device)
	for _, x := range exchanges {
		if x.do != "" {
			if err := device.Do(x.do); err != nil {
				t.Fatal(err)
			}
		}
		command := x.send
		if len(command) < 64 {
			command += "\r\n"
		}
		h.send([]byte(command))
		if x.want != "" {
			h.expect([]byte(strings.ReplaceAll(x.want, "|", "\r\n") + "\r\n"))
		}
	}
}

// Lines as the manuals of EK-L, HR-A and FX-i print them.
func TestScaleOfAD(t *testing.T) {
	const ak = "\x06"
	for speaks, exchanges := range map[string][]exchange{
		emulate.SpeakAD: {
			{"weigh 123.45 g", "Q", "ST,+00123.45  g"},
			{"weigh 1.020 kg unstable", "Q", "US,+0001.020 kg"},
			{"weigh -3.2 g", "Q", "ST,-000003.2  g"},
			{"weigh 1234 PC", "Q", "QT,+00001234 PC"},
			{"fault overload", "Q", "OL,+9999999E+19"},
			{"", "T", "T|I"},
			{"fault overload off", "Z", "Z"},
			{"", "Q", "QT,+00000000 PC"},
			{"weigh 50.20 g", "T", "T"},
			{"weigh 62.7 g", "Q", "ST,+00012.50  g"},
			{"", "CT", "CT"},
			{"", "Q", "ST,+000062.7  g"},
			{"", "S", "?"},
			{"fault syntax", "Q", "?"},
		},
		emulate.SpeakADCodes: {
			{"weigh 50.20 g", "T", ak + "|" + ak},
			{"", "CT", ak},
			{"", "@", "EC,E01"},
			{"fault underload", "Q", "OL,-9999999E+19"},
			{"", "Z", ak + "|EC,E02"},
			{"", strings.Repeat("x", 100), "EC,E04"},
		},
		emulate.SpeakADSilent: {
			{"weigh 50.20 g", "Z", ""},
			{"", "@", ""},
			{"", "Q", "ST,+00000.00  g"},
		},
	} {
		device := emulate.NewScale()
		if err := device.Do("speak " + speaks); err != nil {
			t.Fatal(err)
		}
		checkScale(t, device, exchanges)
	}
	if err := emulate.NewScale().Do("speak up"); err == nil {
		t.Error("an unknown protocol was taken")
	}
}

func TestScaleTares(t *testing.T) {
	checkScale(t, emulate.NewScale(), []exchange{
		{"weigh 50.20 g", "T", "T S      50.20 g"},
		{"weigh 62.7 g", "S", "S S      12.50 g"},
		{"weigh 0.00 g", "S", "S S     -50.20 g"},
		{"", "TAC", "TAC A"},
		{"", "S", "S S       0.00 g"},
		{"weigh 1 g", "T", "T S          1 g"},
		{"weigh 3 g", "S", "S S          2 g"},
		{"", "@", `I4 A "B021002593"`}, // ends the tare as well
		{"", "S", "S S          3 g"},
		{"weigh 3 g unstable", "TI", "TI D          3 g"},
		{"weigh 5 g unstable", "ZI", "ZI D"},
		{"weigh 5.0 g", "S", "S S        0.0 g"},
		{"weigh 1.5 kg", "S", "S S        1.5 kg"}, // another unit, nothing to leave out
		{"fault overload", "T", "T +"},
		{"", "Z", "Z +"},
	})
}
