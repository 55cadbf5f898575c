package drivertest

import (
	"testing"

	"traveler.example/drivers"
)

// Limits say what a device cannot do by its nature; most have none. Each
// replaces what is asked of a reader by what is true of such a device, and takes
// nothing else off it.
type Limits struct {
	// Alone: the device reads one tag at a time, and two at once hide each other.
	Alone bool
	// Unasked: the device cannot be asked, so that its silence is no outage.
	Unasked bool
	// Once: the device tells of a tag only when it comes. What lies there when its
	// port is opened is unknown, and a tag departs by time alone.
	Once bool
	// Moment: the device tells of moments, as a trigger does: a tag arrives and
	// departs at once, and one that is told of again directly is the same moment.
	Moment bool
	// Whole: what the device says comes whole or not at all, since its bus carries
	// transfers and no stream of bytes: none comes alone.
	Whole bool
	// Clocked: the host, or the network, sets the pace, so that there is no other
	// speed to be at.
	Clocked bool
}

// blind reports whether what lay there before the port was opened stays unknown.
func (l Limits) blind() bool { return l.Once || l.Moment }

// need fails a test whose rig leaves out a fault that its device has by nature, and
// skips it where the device cannot have it.
func need(t *testing.T, fault string, never bool, why string) {
	t.Helper()
	switch {
	case never && fault == "":
		t.Skip("by nature: " + why)
	case never:
		t.Fatalf("the rig has the fault %s, which its limits say cannot be", fault)
	case fault == "":
		t.Fatal("the rig names no fault for this, and its limits give no reason")
	}
}

// twoTagsHidden: two tags that hide each other are neither of them, and nothing
// else; the one that stays alone is found.
func twoTagsHidden(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
	must(t, rig.Present(rig.Tags[1]))
	w.departs(rig.Tags[0])
	w.quiet()
	must(t, rig.Remove(rig.Tags[0]))
	w.arrives(rig.Tags[1])
	must(t, rig.Remove(rig.Tags[1]))
	must(t, rig.Present(rig.Tags[0])) // another one directly after: both are told of
	w.arrives(rig.Tags[0])
	w.departs(rig.Tags[1])
}

// replugWithOther: a tag is replaced by another while the device is away.
func replugWithOther(t *testing.T, rig Rig) {
	w := watch(t, rig)
	w.expect(drivers.Up, "")
	must(t, rig.Present(rig.Tags[0]))
	w.arrives(rig.Tags[0])
	if !rig.Limits.blind() { // the same tag goes on
		must(t, rig.Unplug())
		w.expect(drivers.Down, "")
		w.quiet()
		must(t, rig.Replug())
		w.expect(drivers.Up, "")
		w.quiet()
	}
	must(t, rig.Unplug())
	w.expect(drivers.Down, "")
	must(t, rig.Remove(rig.Tags[0]))
	must(t, rig.Present(rig.Tags[1]))
	w.quiet()
	must(t, rig.Replug())
	w.expect(drivers.Up, "")
	if !rig.Limits.blind() {
		w.expect(drivers.Present, rig.Tags[1])
	}
	w.departs(rig.Tags[0])
	w.quiet()
	must(t, rig.Remove(rig.Tags[1]))
	if !rig.Limits.blind() {
		w.expect(drivers.Departed, rig.Tags[1])
	}
	must(t, rig.Present(rig.Tags[1]))
	w.arrives(rig.Tags[1])
}
