package emulate

import (
	"errors"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// The faults of a button.
const (
	FaultStuck   = "stuck"   // the contact is closed whatever the hand does
	FaultChatter = "chatter" // the contact opens and closes every 3 ms
	FaultDeaf    = "deaf"    // the pin tells no edges: waits for one end at once
	FaultEndless = "endless" // a wait for an edge ends by an edge or Halt only
	FaultPin     = "pin"     // the pin cannot be set up: another program holds it
)

// chatterPeriod is the time between two edges of FaultChatter.
const chatterPeriod = 3 * time.Millisecond

// Button is a push button with the pin that it is wired to, as periph sees it
// (gpio.PinIn). Its contact bounces. While it is open the pin has the level of its
// pull, or of a resistor beside the button.
type Button struct {
	observers
	faults    *faults
	name      string
	activeLow bool

	mu     sync.Mutex
	bounce []time.Duration
	moves  []move // in order of time; the last one stays
	pull   gpio.Pull
	edges  gpio.Edge
	told   time.Time     // until when edges were told
	since  time.Time     // since when the contact chatters
	halts  int           // how often Halt was called
	moved  chan struct{} // closed, and made anew, when anything changes
}

// move is a contact that opens or closes.
type move struct {
	at     time.Time
	closed bool
}

// longestTrail bounds the moves that are remembered.
const longestTrail = 256

// NewButton returns a button that is up, with a contact that bounces for 5 ms. With
// activeLow it connects the pin to ground, else to the supply.
func NewButton(name string, activeLow bool) *Button {
	const us = time.Microsecond
	return &Button{
		faults: &faults{known: []string{FaultStuck, FaultChatter, FaultDeaf, FaultEndless, FaultPin}, set: map[string]bool{}},
		name:   name, activeLow: activeLow, moved: make(chan struct{}),
		bounce: []time.Duration{300 * us, 900 * us, 150 * us, 1200 * us, 400 * us, 2050 * us},
	}
}

// Bounce sets after which times the contact opens and closes again in turn, each
// time that it moves; it ends where the hand left it. None means a perfect contact.
func (d *Button) Bounce(pattern ...time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bounce = pattern
}

// Press pushes the button down.
func (d *Button) Press() { d.hand(true) }

// Release lets it go.
func (d *Button) Release() { d.hand(false) }

func (d *Button) hand(closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, now := time.Now(), closed
	d.moves = append(d.moves, move{at, now})
	for _, b := range d.bounce {
		at, now = at.Add(b), !now
		d.moves = append(d.moves, move{at, now})
	}
	if now != closed {
		d.moves = append(d.moves, move{at, closed})
	}
	if n := len(d.moves); n > longestTrail {
		d.moves = append([]move(nil), d.moves[n-longestTrail:]...)
	}
	d.change()
}

// change wakes what waits for an edge. The lock is held.
func (d *Button) change() {
	close(d.moved)
	d.moved = make(chan struct{})
}

// Fault switches a fault on or off.
func (d *Button) Fault(name string, on bool) error {
	if err := d.faults.switchTo(name, on); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if name == FaultChatter {
		d.since = now
	}
	if name == FaultStuck || name == FaultChatter { // the contact moves
		d.moves = append(d.moves, move{now, d.handLeft()})
	}
	d.change()
	return nil
}

// handLeft is what the hand does to the contact last. The lock is held.
func (d *Button) handLeft() bool { return len(d.moves) > 0 && d.moves[len(d.moves)-1].closed }

// Do carries out a command: press, release, or fault NAME [off].
func (d *Button) Do(command string) error {
	switch command {
	case "press":
		d.Press()
	case "release":
		d.Release()
	default:
		return otherwise(d, command)
	}
	return nil
}

// Help names the commands, one a line.
func (d *Button) Help() string {
	return "press\nrelease\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

// String implements conn.Resource.
func (d *Button) String() string { return d.name }

// Name implements pin.Pin.
func (d *Button) Name() string { return d.name }

// Number implements pin.Pin.
func (d *Button) Number() int { return 0 }

// Function implements pin.Pin.
func (d *Button) Function() string { return "In/" + d.Read().String() }

// Halt implements conn.Resource: it ends a wait for an edge.
func (d *Button) Halt() error {
	d.mu.Lock()
	d.halts++
	d.change()
	d.mu.Unlock()
	d.tell(Act{Verb: DidRelease, Text: "pin"})
	return nil
}

// In implements gpio.PinIn.
func (d *Button) In(pull gpio.Pull, edge gpio.Edge) error {
	if d.faults.on(FaultPin) {
		return errors.New("line is busy: another program holds it")
	}
	d.mu.Lock()
	d.pull, d.edges, d.told = pull, edge, time.Now()
	d.mu.Unlock()
	d.tell(Act{Verb: DidConfigure, Text: pull.String() + " " + edge.String()})
	return nil
}

// Pull implements gpio.PinIn.
func (d *Button) Pull() gpio.Pull {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pull
}

// DefaultPull implements gpio.PinIn.
func (d *Button) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Read implements gpio.PinIn.
func (d *Button) Read() gpio.Level {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closedAt(time.Now()) {
		return gpio.Level(!d.activeLow)
	}
	switch d.pull {
	case gpio.PullUp:
		return gpio.High
	case gpio.PullDown:
		return gpio.Low
	}
	return gpio.Level(d.activeLow)
}

// closedAt reports whether the contact is closed. The lock is held.
func (d *Button) closedAt(t time.Time) bool {
	switch {
	case d.faults.on(FaultStuck):
		return true
	case d.faults.on(FaultChatter):
		return t.Sub(d.since)/chatterPeriod%2 == 0
	}
	closed := false
	for _, m := range d.moves {
		if m.at.After(t) {
			break
		}
		closed = m.closed
	}
	return closed
}

// edgeAfter returns when the contact moves next. The lock is held.
func (d *Button) edgeAfter(t time.Time) (time.Time, bool) {
	if d.faults.on(FaultChatter) {
		return d.since.Add((t.Sub(d.since)/chatterPeriod + 1) * chatterPeriod), true
	}
	for _, m := range d.moves {
		if m.at.After(t) {
			return m.at, true
		}
	}
	return time.Time{}, false
}

// WaitForEdge implements gpio.PinIn. Below 0 it waits without limit.
func (d *Button) WaitForEdge(timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	d.mu.Lock()
	halts := d.halts
	d.mu.Unlock()
	for {
		d.mu.Lock()
		now := time.Now()
		at, moves := d.edgeAfter(d.told)
		if d.edges == gpio.NoEdge || d.faults.on(FaultDeaf) || d.halts != halts {
			d.mu.Unlock()
			return false
		}
		if moves && !at.After(now) {
			d.told = now
			d.mu.Unlock()
			return true
		}
		limited := timeout >= 0 && !d.faults.on(FaultEndless)
		moved := d.moved
		d.mu.Unlock()
		if limited && !now.Before(deadline) {
			return false
		}
		until := now.Add(time.Hour)
		if limited {
			until = deadline
		}
		if moves && at.Before(until) {
			until = at
		}
		wake := time.NewTimer(until.Sub(now))
		select {
		case <-wake.C:
		case <-moved:
		}
		wake.Stop()
	}
}
