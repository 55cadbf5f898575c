package m100_test

import (
	"context"
	"errors"
	"flag"
	"net"
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
	"traveler.example/drivers/m100"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	itemEPC  = "3034257BF7194E4000001A85"
	otherEPC = "30751FEB705C5904E3D50D70"
)

var framings = map[string]bool{"BB": false, "AA": true}

// everyBehaviour is the long form of TestReaderOnPTY.
var everyBehaviour = flag.Bool("every-behaviour", false, "TestReaderOnPTY: every behaviour in both framings on real pseudo-terminals; half a minute")

// TestReaderOnPTY runs the behaviours that the line has a part in on real
// pseudo-terminals; TestReaderInBubble runs them all.
func TestReaderOnPTY(t *testing.T) {
	line := []string{"one outage for unplug and replug", "one outage for silence", "hardships change nothing", "ends while the device is silent"}
	for name, aa := range framings {
		for _, b := range drivertest.Readers() {
			if !*everyBehaviour && (aa && b.Name != line[1] || !slices.Contains(line, b.Name)) {
				continue
			}
			t.Run(name+"/"+b.Name, func(t *testing.T) {
				t.Parallel() // TestMain looks for leaks
				b.Check(t, newPTYRig(t, aa))
			})
		}
	}
}

// TestReaderInBubble runs the same behaviours on a cable in memory, in virtual
// time and at the pace of a real line and of the air.
func TestReaderInBubble(t *testing.T) {
	for name, aa := range framings {
		for _, b := range drivertest.Readers() {
			t.Run(name+"/"+b.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					bench := newBench(t, emulate.M100Config{Paced: true, AA: aa})
					b.Check(t, bench.rig(t, m100.Config{}))
				})
			})
		}
	}
}

// A module that says nothing of an empty field keeps every promise as well.
func TestMuteReaderInBubble(t *testing.T) {
	for _, b := range drivertest.Readers() {
		t.Run(b.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bench := newBench(t, emulate.M100Config{Paced: true, Mute: true})
				b.Check(t, bench.rig(t, m100.Config{}))
			})
		})
	}
}

func rig(t *testing.T, device *emulate.M100, cfg m100.Config) drivertest.Rig {
	cfg.Name = "gate"
	open, hold := drivertest.Contend(cfg.Open)
	cfg.Open = open
	reader, err := m100.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return drivertest.Rig{
		Reader:   reader,
		Tags:     [2]string{itemEPC, otherEPC},
		Present:  func(id string) error { return device.Present(id, "") },
		Remove:   device.Remove,
		Fault:    device.Fault,
		Silence:  emulate.FaultSilence,
		Flicker:  emulate.FaultFlicker,
		Hold:     hold,
		Fragment: emulate.FaultFragment, Garbage: emulate.FaultGarbage, Baud: emulate.FaultBaud,
		Hardships: []string{
			emulate.FaultFragment, emulate.FaultDelay, emulate.FaultGarbage, emulate.FaultChecksum,
			emulate.FaultOverrun, emulate.FaultWeak, emulate.FaultForget, emulate.FaultReset, emulate.FaultDropFirst,
		},
	}
}

func newPTYRig(t *testing.T, aa bool) drivertest.Rig {
	device := emulate.NewM100(emulate.M100Config{AA: aa})
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), device)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	port := drivers.Serial{Path: socket.Path(), Baud: m100.DefaultBaud}
	r := rig(t, device, m100.Config{Open: port.Open})
	r.Hold = drivertest.HoldSerial(port)
	r.Unplug, r.Replug = socket.Unplug, socket.Replug
	return r
}

// bench plugs a device into cables in memory.
type bench struct {
	device *emulate.M100
	mu     sync.Mutex
	absent bool
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func newBench(t *testing.T, cfg emulate.M100Config) *bench {
	b := &bench{device: emulate.NewM100(cfg)}
	t.Cleanup(func() { b.plug(false); b.wait.Wait() })
	return b
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

func (b *bench) rig(t *testing.T, cfg m100.Config) drivertest.Rig {
	cfg.Open = b.open
	r := rig(t, b.device, cfg)
	r.Unplug = func() error { return b.plug(false) }
	r.Replug = func() error { return b.plug(true) }
	return r
}

// A device that says nothing must not hold up the end of a run.
func TestEndsWithinOneSecond(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 40 * time.Millisecond, 300 * time.Millisecond, time.Second, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			host, _ := net.Pipe() // nobody reads: even a write blocks
			reader, err := m100.New(m100.Config{Name: "stuck", Open: func(context.Context) (drivers.Port, error) { return host, nil }})
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
