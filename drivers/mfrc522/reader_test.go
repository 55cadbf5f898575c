package mfrc522_test

import (
	"os"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/mfrc522"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newReader returns a reader on an emulated chip.
func newReader(t testing.TB, device *emulate.MFRC522, set func(*mfrc522.Config)) *mfrc522.Reader {
	t.Helper()
	cfg := mfrc522.Config{Name: "bench", Port: "SPI0.0", Open: device.Open}
	if set != nil {
		set(&cfg)
	}
	reader, err := mfrc522.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

func rig(t *testing.T, silence string, cfg emulate.MFRC522Config, set func(*emulate.MFRC522, *mfrc522.Config)) drivertest.Rig {
	device := emulate.NewMFRC522(cfg)
	open, hold := drivertest.Contend(device.Open)
	return drivertest.Rig{
		Reader: newReader(t, device, func(c *mfrc522.Config) {
			c.Open = open
			if set != nil {
				set(device, c)
			}
		}),
		Tags:    [2]string{"04A1B2C3D4E580", "1A2B3C4D"},
		Present: func(id string) error { return device.Present(id, "") },
		Remove:  device.Remove,
		Fault:   device.Fault,
		Silence: silence,
		Flicker: emulate.FaultFlicker,
		Hold:    hold,
		Garbage: emulate.FaultGarbage,
		Limits:  drivertest.Limits{Whole: true, Clocked: true},
		Hardships: []string{
			emulate.FaultGarbage, emulate.FaultChecksum, emulate.FaultCollision, emulate.FaultWeak,
			emulate.FaultForget, emulate.FaultReset, emulate.FaultStuckIRQ,
		},
		Unplug: device.Unplug,
		Replug: device.Replug,
	}
}

// TestReader runs behaviours in real time: those in which time matters most, or
// all of them with TRAVELER_REALTIME=all in the environment.
func TestReader(t *testing.T) {
	if testing.Short() {
		t.Skip("the same behaviours run in virtual time")
	}
	for _, b := range drivertest.Readers() {
		if b.Name != "arrives once and departs once" && b.Name != "hardships change nothing" && os.Getenv("TRAVELER_REALTIME") != "all" {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			b.Check(t, rig(t, emulate.FaultSilence, emulate.MFRC522Config{}, nil))
		})
	}
}

// TestReaderInBubble runs them in virtual time, with what boards and clones
// differ in.
func TestReaderInBubble(t *testing.T) {
	for name, newRig := range map[string]func(t *testing.T) drivertest.Rig{
		"polled": func(t *testing.T) drivertest.Rig {
			return rig(t, emulate.FaultFloat, emulate.MFRC522Config{Paced: true}, nil)
		},
		"pins": func(t *testing.T) drivertest.Rig {
			return rig(t, emulate.FaultSilence, emulate.MFRC522Config{Paced: true}, func(d *emulate.MFRC522, c *mfrc522.Config) {
				c.IRQ, c.Reset = d.IRQ(), d.Reset()
			})
		},
		"clone": func(t *testing.T) drivertest.Rig {
			return rig(t, emulate.FaultSilence, emulate.MFRC522Config{Version: 0x88, CountFromUID: true}, nil)
		},
	} {
		for _, b := range drivertest.Readers() {
			t.Run(name+"/"+b.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { b.Check(t, newRig(t)) })
			})
		}
	}
}
