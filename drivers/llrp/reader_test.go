package llrp_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/llrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tagA = "3034257BF7194E4000001A85"         // 96 bits: EPC-96
	tagB = "3674257BF6B7A659B2C2BF100000ABCD" // 128 bits: EPCData
)

// TestReaderInBubble runs every behaviour on a connection in memory, in virtual
// time.
func TestReaderInBubble(t *testing.T) {
	for _, b := range drivertest.Readers() {
		t.Run(b.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.Check(t, newCableRig(t)) })
		})
	}
}

// TestReaderOnTCP runs them over the loopback interface: those that depend on
// TCP itself, and all of them with TRAVELER_LLRP_TCP=all.
func TestReaderOnTCP(t *testing.T) {
	chosen := []string{"ends while the device is silent", "ends while unplugged"}
	if os.Getenv("TRAVELER_LLRP_TCP") == "all" {
		drivertest.TestReader(t, newTCPRig)
		return
	}
	for _, b := range drivertest.Readers() {
		if slices.Contains(chosen, b.Name) && !testing.Short() {
			t.Run(b.Name, func(t *testing.T) { b.Check(t, newTCPRig(t)) })
		}
	}
}

// gate is one reader with two antennas.
func gate(device string) llrp.ReaderConfig {
	return llrp.ReaderConfig{
		Name: device, Absence: 400 * time.Millisecond,
		Antennas: []llrp.Antenna{{ID: 1, Power: 2500, Weakest: -65}, {ID: 2}},
	}
}

func newPortal(t testing.TB, open drivers.Opener, readers ...llrp.ReaderConfig) *llrp.Portal {
	t.Helper()
	portal, err := llrp.New(llrp.Config{
		Name: "dock", Port: "10.0.0.7:5084", Open: open, Keepalive: 100 * time.Millisecond, Readers: readers,
	})
	if err != nil {
		t.Fatal(err)
	}
	return portal
}

func rig(t *testing.T, device *emulate.LLRP, open drivers.Opener) drivertest.Rig {
	open, hold := drivertest.Contend(open)
	return drivertest.Rig{
		Reader:   newPortal(t, open, gate("gate")).Readers()[0],
		Tags:     [2]string{tagA, tagB},
		Present:  func(id string) error { return device.Present(id, 2, -60, "") },
		Remove:   device.Remove,
		Fault:    device.Fault,
		Silence:  emulate.FaultSilence,
		Flicker:  emulate.FaultFlicker,
		Hold:     hold,
		Fragment: emulate.FaultFragment, Garbage: emulate.FaultNonsense,
		Limits:    drivertest.Limits{Clocked: true},
		Hardships: []string{emulate.FaultFragment, emulate.FaultDelay, emulate.FaultNonsense, emulate.FaultAntenna},
	}
}

// bench connects to a device by cables in memory.
type bench struct {
	device emulate.Device
	mu     sync.Mutex
	absent bool
	ends   []context.CancelFunc
	wait   sync.WaitGroup
}

func (b *bench) open(context.Context) (drivers.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.absent {
		return nil, errors.New("connection refused")
	}
	host, device := drivertest.Cable()
	ctx, cancel := context.WithCancel(context.Background())
	b.ends = append(b.ends, cancel)
	b.wait.Go(func() { b.device.Serve(ctx, device) })
	return host, nil
}

func (b *bench) plug(in bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.absent = !in
	if !in {
		for _, end := range b.ends {
			end()
		}
		b.ends = nil
	}
	return nil
}

func newBench(t *testing.T, device emulate.Device) *bench {
	b := &bench{device: device}
	t.Cleanup(func() { b.plug(false); b.wait.Wait() })
	return b
}

func newCableRig(t *testing.T) drivertest.Rig {
	device := emulate.NewLLRP(emulate.LLRPConfig{})
	b := newBench(t, device)
	r := rig(t, device, b.open)
	r.Unplug = func() error { return b.plug(false) }
	r.Replug = func() error { return b.plug(true) }
	return r
}

func newTCPRig(t *testing.T) drivertest.Rig {
	device := emulate.NewLLRP(emulate.LLRPConfig{})
	dock, err := emulate.Listen("127.0.0.1:0", device)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dock.Close() })
	r := rig(t, device, llrp.Network{Address: dock.Address()}.Open)
	r.Unplug, r.Replug = dock.Unplug, dock.Replug
	return r
}

// A device that says nothing must not hold up the end of a run.
func TestEndsWithinOneSecond(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 300 * time.Millisecond, time.Second, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			host, _ := net.Pipe() // nobody reads: even a write blocks
			reader := newPortal(t, func(context.Context) (drivers.Port, error) { return host, nil }, gate("stuck")).Readers()[0]
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
