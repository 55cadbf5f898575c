// Package drivers is the vocabulary of a station's devices: what a reader says
// about tags, what a scale says about weight, what a light can show, and the
// port that carries the bytes.
//
// A device driver lives in a package of its own below this one and turns bytes
// into the events defined here. It owns no policy: whether a tag is an item, a
// badge or unknown is for the caller to say. Two machines that every driver
// shares live here: [Presence] turns reads into sessions (a tag arrives once
// and departs once, however often it is read), and [Supervisor] keeps a device
// open across unplugging, silence and reset, and reports one Down and one Up
// event for each outage.
//
// Drivers write only to the port that they were given and never look for
// devices on other ports. Identifiers of tags can be cloned: they identify and
// never authenticate.
package drivers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Sentinel errors, wrapped with what was tried, on which callers decide.
var (
	// ErrBusy: another program, or another part of this one, holds the port.
	ErrBusy = errors.New("port is in use")
	// ErrClosed: the port was closed by our side.
	ErrClosed = errors.New("port is closed")
	// ErrUnplugged: the device behind an open port has gone.
	ErrUnplugged = errors.New("device was unplugged")
	// ErrSilent: the device did not answer within its time, after every resend.
	ErrSilent = errors.New("device does not answer")
	// ErrProtocol: the device answered something that its protocol does not allow.
	ErrProtocol = errors.New("device broke its protocol")
	// ErrDown: the device is not connected at this moment; its supervisor is trying.
	ErrDown = errors.New("device is down")
	// ErrTagID: a tag's identifier is empty, too long, all 00 or all FF.
	ErrTagID = errors.New("tag identifier refused")
	// ErrCrowded: more tags at once than the limit of the presence machine.
	ErrCrowded = errors.New("too many tags at once")
)

// Kind says what an [Event] reports.
type Kind uint8

// The kinds of event. Present, Arrived and Departed speak of one tag; Up, Down
// and Fault of the device itself; Pressed and Held of the button that is the
// device.
const (
	// Present: the tag lay in the field when the reader came up. Nobody scanned
	// it just now; it has to be lifted and presented again to arrive. Present
	// events follow directly upon the Up event.
	Present Kind = iota + 1
	// Arrived: the tag came into the field. Sent once for each session.
	Arrived
	// Departed: the tag left the field: missed often enough and for long enough.
	Departed
	// Up: the device answers and has its settings. Sent once for each outage,
	// and once at the start.
	Up
	// Down: the device is lost or could not be opened; Err says why. Sent once
	// for each outage. What was said of tags stands until Up: a tag that is
	// still there then goes on in silence, one that is gone departs.
	Down
	// Fault: the device works but something was wrong and was not passed on;
	// Err says what.
	Fault
	// Pressed: a button was pushed, and let go before it counted as Held. A button
	// that cannot be held says so the moment it is pushed.
	Pressed
	// Held: a button has been kept down for as long as a long press takes. It may
	// still be down, and says no more when it is let go.
	Held
	// Diagnosed: the device is down, and Err says what was found out about it
	// since: it wraps ErrSpeed or ErrOther. At most once in an outage.
	Diagnosed
)

// String returns the lower-case name of the kind, as logs and screens use it.
func (k Kind) String() string {
	switch k {
	case Present:
		return "present"
	case Arrived:
		return "arrived"
	case Departed:
		return "departed"
	case Up:
		return "up"
	case Down:
		return "down"
	case Fault:
		return "fault"
	case Pressed:
		return "pressed"
	case Held:
		return "held"
	case Diagnosed:
		return "diagnosed"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Event is one thing a device has to say. Devices send events in the order in
// which they happened and never drop one: a slow receiver holds the device up.
type Event struct {
	Kind   Kind
	Reader string    // Info.Name of the device
	Tag    Tag       // zero unless a tag is spoken of; a Fault may
	At     time.Time // Present, Arrived: last byte of the tag's answer; else the moment of the decision. Carries the monotonic clock.
	Reads  int       // how often the tag was read in this session so far
	Err    error     // the reason of Down and Fault, the finding of Diagnosed
}

// Info describes a device for screens, logs and the doctor.
type Info struct {
	Name   string // the profile's name of it, unique in a station
	Driver string // the package that drives it: "pn532", "scale", …
	Port   string // where it is attached, as the profile names it
	Model  string // what the device says it is; empty until first contact
}

// Device is anything that can be plugged and unplugged.
type Device interface {
	// Info may be called at any time.
	Info() Info
	// Run opens the device, keeps it open and sends its events to out until ctx
	// ends; it then returns nil, with everything it started ended and closed,
	// within one second whatever the device does. It sends Up, Down and Fault,
	// and never closes out. It must not be called twice at the same time.
	Run(ctx context.Context, out chan<- Event) error
}

// Reader is a Device that reads tags: its Run also sends Present, Arrived and
// Departed.
type Reader interface{ Device }

// Scale weighs. A scale driver is also a [Device], and weighs only while its
// Run is under way.
type Scale interface {
	// Weigh returns one stable weight, zero or more, or an error that wraps
	// ErrUnstable, ErrOverload, ErrUnderload, ErrNegative, ErrUnit,
	// ErrPrecision, ErrSilent, ErrProtocol or ErrDown, or is ctx's own.
	Weigh(ctx context.Context) (Weight, error)
}

// Tarer is a [Scale] that can be set to zero and tared. Its methods wait for the
// load to come to rest, as Weigh does, and return once the scale has done it, or
// an error as Weigh has it: ErrOverload and ErrUnderload where the load is beyond
// what the scale takes for an empty pan or a container.
//
// A tare lasts until ClearTare or Zero. It does not survive an outage, and where
// the driver says so nor a Weigh that was cancelled: who relies on one tares and
// weighs, and tares again when either fails.
type Tarer interface {
	Scale
	// Zero takes what lies on the scale now, which should be nothing, for zero.
	Zero(ctx context.Context) error
	// Tare takes what lies on the scale now for the container: weights are net.
	Tare(ctx context.Context) error
	// ClearTare forgets the container: weights are gross.
	ClearTare(ctx context.Context) error
}

// Aspect is what a light shows. Each aspect differs from the others in rhythm
// and not in colour alone.
type Aspect uint8

// The aspects of a light.
const (
	AspectIdle  Aspect = iota // dark: nothing to say
	AspectGreen               // steady: go on
	AspectAmber               // slow blinking: wait, or a choice is to be made
	AspectRed                 // fast blinking: stop
	AspectFault               // double blink: the station itself cannot be trusted now
)

// String returns the upper-case name that a line of light uses: IDLE, GREEN,
// AMBER, RED or FAULT.
func (a Aspect) String() string {
	switch a {
	case AspectIdle:
		return "IDLE"
	case AspectGreen:
		return "GREEN"
	case AspectAmber:
		return "AMBER"
	case AspectRed:
		return "RED"
	case AspectFault:
		return "FAULT"
	}
	return fmt.Sprintf("ASPECT(%d)", uint8(a))
}

// Signal is one verdict as a light shows it. It stays until the next one.
type Signal struct {
	Aspect Aspect
	Text   string // one line: the verdict and what to do; lights without letters ignore it
}

// Light shows signals. Show returns once the signal is on; a pattern that
// blinks goes on by itself until the next Show.
type Light interface {
	Show(ctx context.Context, s Signal) error
}

// Port carries bytes to and from one device. A net.Pipe end is one, and so is
// what [Serial.Open] returns.
//
// Read blocks for at least one byte and returns os.ErrDeadlineExceeded once the
// deadline of SetReadDeadline has passed; it never returns 0 bytes and no
// error. Read, Write and SetReadDeadline belong to one goroutine each; Close
// may be called from any and ends a blocked Read.
type Port interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
}

// Opener opens the port of a device. It is called anew after each loss.
type Opener func(ctx context.Context) (Port, error)
