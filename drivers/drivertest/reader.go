// Package drivertest checks that a driver behaves as package drivers promises,
// whatever the device. One table of behaviours serves every reader, on real
// pseudo-terminals as well as in the virtual time of testing/synctest.
package drivertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
)

const (
	// patience is how long a test waits for what must come; it only ends tests
	// that fail.
	patience = 30 * time.Second
	// calm is how long a test watches for what must not come.
	calm = 1200 * time.Millisecond
)

// Rig is a reader under test and the hands that move its device.
type Rig struct {
	Reader drivers.Reader
	// Tags are two identifiers that the device can present at once.
	Tags [2]string
	// Present and Remove bring a tag into the field and take it out.
	Present, Remove func(id string) error
	// Fault switches a fault of the device on or off.
	Fault func(name string, on bool) error
	// Silence is the fault in which the device neither hears nor speaks.
	Silence string
	// Flicker is the fault in which the device misses tags again and again.
	Flicker string
	// Hardships are the faults through which tags are still reported right.
	Hardships []string
	// Unplug takes the device away, Replug brings it back without its settings.
	Unplug, Replug func() error
	// Hold has another program take the port, which has to be free, until it is
	// released.
	Hold func() (release func(), err error)
	// Fragment, Garbage and Baud are the faults in which every byte comes alone, in
	// which noise comes before every answer, and in which the device speaks at
	// another speed. Empty where the bus has no such thing; Limits.Bus says so.
	Fragment, Garbage, Baud string
	// Limits are what the device cannot do by its nature.
	Limits Limits
}

// Behaviour is one promise of a reader.
type Behaviour struct {
	Name  string
	Check func(t *testing.T, rig Rig)
}

// TestReader checks every behaviour with a fresh rig, and that nothing is left
// running. It needs real time.
func TestReader(t *testing.T, newRig func(t *testing.T) Rig) {
	for _, b := range Readers() {
		t.Run(b.Name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
			b.Check(t, newRig(t))
		})
	}
}

// Readers returns the behaviours of readers.
func Readers() []Behaviour {
	return []Behaviour{
		{"arrives once and departs once", arrivesOnce},
		{"what lies there at the start is present", presentAtStart},
		{"two tags at once", twoTags},
		{"missed reads are no departure", flapping},
		{"a short lift is no departure", shortLift},
		{"hardships change nothing", hardships},
		{"one byte at a time changes nothing", byteByByte},
		{"garbage makes no tag and hides none", garbage},
		{"another speed makes no tag", wrongBaud},
		{"a port that another program holds is down once", held},
		{"one outage for unplug and replug", replug},
		{"a tag stays through an outage", replugWithTag},
		{"one outage for silence", silence},
		{"an absent device is down once", absent},
		{"ends while idle", endsIdle},
		{"ends while the device is silent", endsSilent},
		{"ends while unplugged", endsUnplugged},
		{"ends while nobody takes its events", endsUnheard},
	}
}

func arrivesOnce(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	before := time.Now()
	must(t, rig.Present(rig.Tags[0]))
	e := w.arrives(rig.Tags[0])
	if e.Reads != 1 || e.At.Before(before) || e.At.After(time.Now()) {
		t.Errorf("arrival says reads %d at %v, want 1 read after %v", e.Reads, e.At, before)
	}
	w.quiet()
	must(t, rig.Remove(rig.Tags[0]))
	if e := w.departs(rig.Tags[0]); e.Reads < 2 && !rig.Limits.blind() {
		t.Errorf("departure says %d reads, want the many of the session", e.Reads)
	}
	w.quiet()
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
}

func presentAtStart(t *testing.T, rig Rig) {
	must(t, rig.Present(rig.Tags[0]))
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	if !rig.Limits.blind() {
		w.expect(drivers.Present, rig.Tags[0])
	}
	w.quiet()
	must(t, rig.Remove(rig.Tags[0]))
	if !rig.Limits.blind() {
		w.expect(drivers.Departed, rig.Tags[0])
	}
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
}

func twoTags(t *testing.T, rig Rig) {
	if rig.Limits.Alone {
		twoTagsHidden(t, rig)
		return
	}
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	for _, id := range rig.Tags {
		must(t, rig.Present(id))
		w.arrives(id)
	}
	w.quiet()
	for _, id := range rig.Tags {
		must(t, rig.Remove(id))
		w.departs(id)
	}
}

func flapping(t *testing.T, rig Rig) {
	if rig.Limits.blind() {
		t.Skip("what tells of a tag once has no second read to miss")
	}
	must(t, rig.Fault(rig.Flicker, true))
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[1]))
	w.expect(drivers.Arrived, rig.Tags[1])
	w.quiet()
	must(t, rig.Remove(rig.Tags[1]))
	w.expect(drivers.Departed, rig.Tags[1])
}

func shortLift(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
	for range 5 {
		must(t, rig.Remove(rig.Tags[0]))
		time.Sleep(20 * time.Millisecond)
		must(t, rig.Present(rig.Tags[0]))
		time.Sleep(100 * time.Millisecond)
	}
	w.quiet()
}

func hardships(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	for _, fault := range rig.Hardships {
		t.Log(fault)
		must(t, rig.Fault(fault, true))
		must(t, rig.Present(rig.Tags[1]))
		w.arrives(rig.Tags[1])
		must(t, rig.Remove(rig.Tags[1]))
		w.departs(rig.Tags[1])
		must(t, rig.Fault(fault, false))
		if rig.Limits.Moment {
			w.quiet() // the next is another moment
		}
	}
	w.quiet()
}

func replug(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	for range 2 {
		must(t, rig.Unplug())
		if e := w.expect(drivers.Down, ""); e.Err == nil {
			t.Error("the Down event carries no reason")
		}
		w.quiet()
		must(t, rig.Replug())
		w.expect(drivers.Up, "")
	}
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
}

func replugWithTag(t *testing.T, rig Rig) {
	if rig.Limits.Alone || rig.Limits.Moment {
		replugWithOther(t, rig)
		return
	}
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[0]))
	w.expect(drivers.Arrived, rig.Tags[0])
	must(t, rig.Unplug())
	w.expect(drivers.Down, "")
	must(t, rig.Present(rig.Tags[1]))
	w.quiet()
	must(t, rig.Replug())
	w.expect(drivers.Up, "")
	w.expect(drivers.Present, rig.Tags[1])
	w.quiet()
	must(t, rig.Unplug())
	w.expect(drivers.Down, "")
	must(t, rig.Remove(rig.Tags[0]))
	must(t, rig.Replug())
	w.expect(drivers.Up, "")
	w.expect(drivers.Departed, rig.Tags[0])
}

func silence(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Fault(rig.Silence, true))
	if rig.Limits.Unasked {
		must(t, rig.Present(rig.Tags[0]))
		w.quiet()
		must(t, rig.Remove(rig.Tags[0]))
		must(t, rig.Fault(rig.Silence, false))
	} else {
		if e := w.expect(drivers.Down, ""); !errors.Is(e.Err, drivers.ErrSilent) {
			t.Errorf("down because of %v, want ErrSilent", e.Err)
		}
		w.quiet()
		must(t, rig.Fault(rig.Silence, false))
		w.expect(drivers.Up, "")
	}
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
}

func absent(t *testing.T, rig Rig) {
	must(t, rig.Unplug())
	w := watch(t, rig)
	w.expect(drivers.Down, "")
	w.quiet()
	must(t, rig.Replug())
	w.expect(drivers.Up, "")
}

func endsIdle(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	w.end()
}

func endsSilent(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Fault(rig.Silence, true))
	w.end()
}

func endsUnplugged(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Unplug())
	w.expect(drivers.Down, "")
	w.end()
}

func endsUnheard(t *testing.T, rig Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan drivers.Event), make(chan error, 1)
	go func() { ended <- rig.Reader.Run(ctx, out) }()
	time.Sleep(calm)
	cancel()
	await(t, ended)
}

// watcher runs a reader and looks at its events.
type watcher struct {
	t      *testing.T
	limits Limits
	reader string
	events chan drivers.Event
	ended  chan error
	cancel context.CancelFunc
	over   bool
}

func watch(t *testing.T, rig Rig) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{
		t: t, limits: rig.Limits, reader: rig.Reader.Info().Name,
		events: make(chan drivers.Event, 64), ended: make(chan error, 1), cancel: cancel,
	}
	go func() { w.ended <- rig.Reader.Run(ctx, w.events) }()
	t.Cleanup(w.end)
	return w
}

// expect waits for the next event other than Fault and checks what it says.
func (w *watcher) expect(k drivers.Kind, tag string) drivers.Event {
	w.t.Helper()
	e, ok := w.next(patience)
	switch {
	case !ok:
		w.t.Fatalf("no event, want %v %s", k, tag)
	case e.Kind != k || e.Tag.ID != tag || e.Reader != w.reader:
		w.t.Fatalf("event %v %v of %q (%v), want %v %s of %q", e.Kind, e.Tag, e.Reader, e.Err, k, tag, w.reader)
	}
	return e
}

// arrives waits for a tag's arrival and, where that is a moment, for its end.
func (w *watcher) arrives(tag string) drivers.Event {
	w.t.Helper()
	e := w.expect(drivers.Arrived, tag)
	if w.limits.Moment {
		w.expect(drivers.Departed, tag)
	}
	return e
}

// departs waits for a tag's departure, unless that came with its arrival.
func (w *watcher) departs(tag string) drivers.Event {
	w.t.Helper()
	if w.limits.Moment {
		return drivers.Event{}
	}
	return w.expect(drivers.Departed, tag)
}

// quiet makes sure that no event but Fault comes.
func (w *watcher) quiet() {
	w.t.Helper()
	if e, ok := w.next(calm); ok {
		w.t.Fatalf("event %v %v (%v), want none", e.Kind, e.Tag, e.Err)
	}
}

func (w *watcher) next(limit time.Duration) (drivers.Event, bool) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		select {
		case e := <-w.events:
			if e.Kind != drivers.Fault {
				return e, true
			}
			w.t.Logf("fault: %v", e.Err)
		case <-timeout.C:
			return drivers.Event{}, false
		}
	}
}

// end ends the run and makes sure that it does end, and in time.
func (w *watcher) end() {
	if w.over {
		return
	}
	w.over = true
	w.cancel()
	await(w.t, w.ended)
}

// await waits for a run whose context has ended. Run promises one second; the
// rest is for a busy machine.
func await(t *testing.T, ended <-chan error) {
	t.Helper()
	started := time.Now()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("run ended with %v, want nil", err)
		}
	case <-time.After(patience):
		t.Fatalf("run goes on %v after its context ended", time.Since(started))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
