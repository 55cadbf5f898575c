package drivertest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"traveler.example/drivers"
)

func byteByByte(t *testing.T, rig Rig) {
	need(t, rig.Fragment, rig.Limits.Whole, "the bus carries whole transfers")
	through(t, rig, rig.Fragment)
}

// garbage: noise before every answer, from before the device came up, is read as
// nothing.
func garbage(t *testing.T, rig Rig) {
	need(t, rig.Garbage, false, "")
	through(t, rig, rig.Garbage)
}

// through has a tag come and go under a fault that is there from the start.
func through(t *testing.T, rig Rig, fault string) {
	must(t, rig.Fault(fault, true))
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[1]))
	w.arrives(rig.Tags[1])
	w.quiet()
	must(t, rig.Remove(rig.Tags[1]))
	w.departs(rig.Tags[1])
	must(t, rig.Fault(fault, false))
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
}

// wrongBaud: what comes at another speed is no tag, and a device that can be asked
// counts as lost until it is at the right one.
func wrongBaud(t *testing.T, rig Rig) {
	need(t, rig.Baud, rig.Limits.Clocked, "the device has no speed of its own")
	must(t, rig.Fault(rig.Baud, true))
	must(t, rig.Present(rig.Tags[0]))
	w := watch(t, rig)
	if rig.Limits.Unasked {
		w.expect(drivers.Up, "")
	} else if e := w.expect(drivers.Down, ""); !errors.Is(e.Err, drivers.ErrSilent) && !errors.Is(e.Err, drivers.ErrProtocol) {
		t.Errorf("down because of %v, want ErrSilent or ErrProtocol", e.Err)
	}
	w.quiet()
	must(t, rig.Remove(rig.Tags[0]))
	must(t, rig.Fault(rig.Baud, false))
	if !rig.Limits.Unasked {
		w.expect(drivers.Up, "")
	}
	must(t, rig.Present(rig.Tags[1]))
	w.arrives(rig.Tags[1])
}

// held: a port that another program has is one outage, which says so, and ends when
// that lets go.
func held(t *testing.T, rig Rig) {
	if rig.Hold == nil {
		t.Fatal("the rig cannot hold its port")
	}
	release, err := rig.Hold()
	must(t, err)
	w := watch(t, rig)
	if e := w.expect(drivers.Down, ""); !errors.Is(e.Err, drivers.ErrBusy) {
		t.Errorf("down because of %v, want ErrBusy", e.Err)
	}
	w.quiet()
	release()
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
}

// Contend lets another program have the port that open opens: its hold is a
// [Rig.Hold], and while that lasts opening fails as it does then.
func Contend[P any](open func(context.Context) (P, error)) (opener func(context.Context) (P, error), hold func() (func(), error)) {
	var taken atomic.Bool
	opener = func(ctx context.Context) (P, error) {
		if taken.Load() {
			var none P
			return none, fmt.Errorf("open port: %w: another program has it", drivers.ErrBusy)
		}
		return open(ctx)
	}
	return opener, func() (func(), error) {
		taken.Store(true)
		return func() { taken.Store(false) }, nil
	}
}

// HoldSerial takes a serial port as another program would, by opening it: a
// [Rig.Hold].
func HoldSerial(port drivers.Serial) func() (release func(), err error) {
	return func() (func(), error) {
		p, err := port.Open(context.Background())
		if err != nil {
			return nil, err
		}
		return func() { p.Close() }, nil
	}
}
