// Package emulate stands in for the devices of a station at the level of the
// wire: an emulated reader is reached through a pseudo-terminal by the same
// bytes, and fails in the same ways, as one on a desk. Programs that know
// nothing of it, such as libnfc's, work against it.
//
// Tags in a reader's field have the memory and the commands of their chips, and
// keep what is written to them ([Tags]).
//
// A device ([PN532], [Scale]) speaks its protocol on any line of bytes; a [Button]
// is a pin. A [Socket] gives a device a pseudo-terminal behind a path that stays the
// same when it is unplugged and plugged in again. A [Console] drives it by typed
// commands and reports what the host did.
//
// The protocols are written here a second time on purpose, apart from the
// drivers: a mistake shared by both sides would never show.
package emulate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Device is an emulated device.
type Device interface {
	// Serve powers the device up and speaks on line until ctx ends or the line
	// breaks; it closes the line. One line at a time.
	Serve(ctx context.Context, line io.ReadWriteCloser) error
	// Do carries out one command, as a person types it; Help lists them.
	Do(command string) error
	// Help names the commands, one a line.
	Help() string
	// Observe has fn called for each thing the host does, in order. fn must not
	// block or call the device. Cancel ends it.
	Observe(fn func(Act)) (cancel func())
}

// Act is one thing the host did to a device, or what a command asked to see.
type Act struct {
	Verb  string // one of the Did constants, or Shown
	Tag   string // DidRead, DidWrite: identifier of the tag, upper-case hex
	Count int    // DidRead: how often since the tag was presented; DidWeigh: since the load changed; else 0
	Text  string // more for a person to read, such as the command
}

// What a host does.
const (
	DidWake      = "woke"      // woke the device from sleep
	DidConfigure = "configure" // applied a setting
	DidRead      = "read"      // was told of a tag
	DidWrite     = "write"     // changed a tag's memory; the text names page or block and content
	DidWeigh     = "weigh"     // was told a weight
	DidAbort     = "abort"     // aborted a command
	DidNack      = "nack"      // asked for a response again
	DidRelease   = "release"   // let go of a tag, or switched the field off
)

// Shown is the verb of what a command asked to see, which is the text.
const Shown = "shown"

// String writes the act as a line of a console.
func (a Act) String() string {
	if a.Verb == Shown {
		return a.Text
	}
	var b strings.Builder
	b.WriteString("host ")
	b.WriteString(a.Verb)
	for _, part := range []string{a.Tag, a.Text} {
		if part != "" {
			b.WriteByte(' ')
			b.WriteString(part)
		}
	}
	return b.String()
}

// observers hands acts on.
type observers struct {
	mu   sync.Mutex
	next int
	fns  []observer
}

type observer struct {
	id int
	fn func(Act)
}

// Observe implements [Device].
func (o *observers) Observe(fn func(Act)) (cancel func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next++
	id := o.next
	o.fns = append(o.fns, observer{id, fn})
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.fns = slices.DeleteFunc(o.fns, func(x observer) bool { return x.id == id })
	}
}

func (o *observers) tell(a Act) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.fns {
		x.fn(a)
	}
}

// The faults that every device can have. They last until they are switched off.
const (
	FaultFragment = "fragment" // every byte comes alone
	FaultDelay    = "delay"    // every answer comes 40 ms late
	FaultSilence  = "silence"  // the device is deaf and dumb
	FaultGarbage  = "garbage"  // noise comes before every answer
	FaultBaud     = "baud"     // the device speaks at another speed than its usual one
)

// faults is the set of faults that are on.
type faults struct {
	mu    sync.Mutex
	known []string
	set   map[string]bool
}

func newFaults(more ...string) *faults {
	common := []string{FaultFragment, FaultDelay, FaultSilence, FaultGarbage, FaultBaud}
	return &faults{known: append(common, more...), set: map[string]bool{}}
}

func (f *faults) switchTo(name string, on bool) error {
	if !slices.Contains(f.known, name) {
		return fmt.Errorf("no fault %q, there are: %s", name, strings.Join(f.known, " "))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set[name] = on
	return nil
}

func (f *faults) on(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set[name]
}

// take reports whether a fault that happens once is due, and clears it.
func (f *faults) take(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.set[name]
	delete(f.set, name)
	return was
}

// otherwise carries out the command that every device has, "fault NAME [off]". It says
// so where a command is none.
func otherwise(d interface {
	Fault(name string, on bool) error
}, command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) == 2 && words[0] == "fault":
		return d.Fault(words[1], true)
	case len(words) == 3 && words[0] == "fault" && (words[2] == "on" || words[2] == "off"):
		return d.Fault(words[1], words[2] == "on")
	case len(words) > 0 && words[0] == "fault":
		return fmt.Errorf("write: fault NAME [off]")
	}
	return fmt.Errorf("no command %q, write help for a list", command)
}
