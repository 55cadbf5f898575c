package pn532_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/pn532"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestReaderOnPTY runs those behaviours that a real port has a part in, side by
// side, for they mostly wait; every one, alone, with TRAVELER_REALTIME=all in the
// environment.
func TestReaderOnPTY(t *testing.T) {
	if os.Getenv("TRAVELER_REALTIME") == "all" {
		drivertest.TestReader(t, newPTYRig)
		return
	}
	chosen := []string{
		"arrives once and departs once", "one byte at a time changes nothing", "one outage for unplug and replug",
		"another speed makes no tag", "a port that another program holds is down once",
		"ends while the device is silent", "ends while unplugged", "ends while nobody takes its events",
	}
	for _, b := range drivertest.Readers() {
		if slices.Contains(chosen, b.Name) {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				b.Check(t, newPTYRig(t))
			})
		}
	}
}

// TestReaderInBubble runs the same behaviours on a cable in memory, in virtual
// time.
func TestReaderInBubble(t *testing.T) {
	for _, b := range drivertest.Readers() {
		t.Run(b.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.Check(t, newCableRig(t)) })
		})
	}
}

func rig(t *testing.T, device *emulate.PN532, open drivers.Opener) drivertest.Rig {
	open, hold := drivertest.Contend(open)
	reader, err := pn532.New(pn532.Config{Name: "bench", Open: open})
	if err != nil {
		t.Fatal(err)
	}
	return drivertest.Rig{
		Reader:   reader,
		Tags:     [2]string{"04A1B2C3D4E580", "1A2B3C4D"},
		Present:  func(id string) error { return device.Present(id, "") },
		Remove:   device.Remove,
		Fault:    device.Fault,
		Silence:  emulate.FaultSilence,
		Flicker:  emulate.FaultFlicker,
		Hold:     hold,
		Fragment: emulate.FaultFragment, Garbage: emulate.FaultGarbage, Baud: emulate.FaultBaud,
		Hardships: []string{
			emulate.FaultFragment, emulate.FaultDelay, emulate.FaultGarbage, emulate.FaultDropAck,
			emulate.FaultChecksum, emulate.FaultStale, emulate.FaultForget, emulate.FaultReset,
		},
	}
}

func newPTYRig(t *testing.T) drivertest.Rig {
	device := emulate.NewPN532(emulate.PN532Config{})
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	port := drivers.Serial{Path: socket.Path(), Baud: pn532.DefaultBaud}
	r := rig(t, device, port.Open)
	r.Hold = drivertest.HoldSerial(port)
	r.Unplug, r.Replug = socket.Unplug, socket.Replug
	return r
}

// bench plugs a device into cables in memory.
type bench struct {
	device emulate.Device
	mu     sync.Mutex
	absent bool
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func (b *bench) open(context.Context) (drivers.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.absent {
		return nil, errors.New("no such port")
	}
	host, device := drivertest.Cable()
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	b.wait.Go(func() { b.device.Serve(ctx, device) })
	return host, nil
}

func (b *bench) plug(in bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.absent = !in
	if !in && b.cancel != nil {
		b.cancel()
	}
	return nil
}

func newCableRig(t *testing.T) drivertest.Rig {
	device := emulate.NewPN532(emulate.PN532Config{Paced: true})
	b := &bench{device: device}
	t.Cleanup(func() { b.plug(false); b.wait.Wait() })
	r := rig(t, device, b.open)
	r.Unplug = func() error { return b.plug(false) }
	r.Replug = func() error { return b.plug(true) }
	return r
}

// A device that says nothing must not hold up the end of a run.
func TestEndsWithinOneSecond(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 40 * time.Millisecond, 300 * time.Millisecond, time.Second, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			host, _ := net.Pipe() // nobody reads: even a write blocks
			reader, err := pn532.New(pn532.Config{Name: "stuck", Open: func(context.Context) (drivers.Port, error) { return host, nil }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			out, ended := make(chan drivers.Event, 8), make(chan struct{})
			go func() { defer close(ended); reader.Run(ctx, out) }()
			time.Sleep(after)
			cancel()
			started := time.Now()
			<-ended
			if took := time.Since(started); took > time.Second {
				t.Errorf("cancelled after %v, the run ended %v later, want at most 1 s", after, took)
			}
		})
	}
}
