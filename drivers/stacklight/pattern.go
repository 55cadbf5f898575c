package stacklight

import (
	"slices"
	"time"

	"traveler.example/drivers"
)

// step is one part of a pattern: what is on, and for how long.
type step struct {
	on   parts
	hold time.Duration // 0: until the next signal
}

const ms = time.Millisecond

// rhythm returns what an aspect looks like. No two have the same rhythm, so
// that they are told apart without colours, and none flashes more than three
// times a second.
func rhythm(a drivers.Aspect) []step {
	switch a {
	case drivers.AspectIdle:
		return []step{{}}
	case drivers.AspectGreen:
		return []step{{on: green}}
	case drivers.AspectAmber:
		return []step{{amber, 1000 * ms}, {0, 1000 * ms}}
	case drivers.AspectRed:
		return []step{{red, 200 * ms}, {0, 200 * ms}}
	}
	// A fault, and whatever else is not known here.
	blink, gap := step{red | amber, 150 * ms}, step{hold: 200 * ms}
	return []step{blink, gap, blink, {hold: 1200 * ms}}
}

// DefaultRepeats is how often the sounds of red and of a fault are heard.
const DefaultRepeats = 3

// Sound says how the buzzer of a light behaves. The zero Sound is the default.
//
// Each signal sounds anew, also if it is the same as before, since it is the answer
// to another scan: green one short beep, amber two, red a long one and a short one,
// a fault four short ones. Red and fault are repeated, and then fall silent while
// the lamps go on: a sound that never ends is one that people cut the wire of. Idle
// is silence.
type Sound struct {
	// Quiet: no sound at all, but for [GPIO.Test].
	Quiet bool
	// Repeats is how often red and fault are heard in all; 0 means
	// DefaultRepeats, and below 0 that they go on until the next signal.
	Repeats int
}

// pattern returns what an aspect sounds like, and how often; 0 for without end.
func (s Sound) pattern(a drivers.Aspect) (steps []step, times int) {
	const short, long, gap = 100 * ms, 600 * ms, 120 * ms
	times = max(s.Repeats, 0)
	if s.Repeats == 0 {
		times = DefaultRepeats
	}
	beep, rest := step{buzzer, short}, step{hold: gap}
	switch {
	case s.Quiet, a == drivers.AspectIdle:
		return []step{{}}, 1
	case a == drivers.AspectGreen:
		return []step{beep, rest}, 1
	case a == drivers.AspectAmber:
		return []step{beep, rest, beep, rest}, 1
	case a == drivers.AspectRed:
		return []step{{buzzer, long}, rest, beep, {hold: 1200 * ms}}, times
	}
	return []step{beep, rest, beep, rest, beep, rest, beep, {hold: 1200 * ms}}, times
}

// tour returns what a test shows: every part that there is by itself.
func tour(has parts) []step {
	const look = 700 * ms
	steps := []step{{red, look}, {amber, look}, {green, look}, {buzzer, 300 * ms}}
	return slices.DeleteFunc(steps, func(s step) bool { return has&s.on == 0 })
}

// track is a pattern being played. It belongs to one goroutine.
type track struct {
	which parts // what it governs
	steps []step
	i     int
	left  int // times still to be played, with this one; 0 for without end
	timer *time.Timer
}

func newTrack() track {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return track{timer: t}
}

// play starts a pattern and returns what is on first.
func (t *track) play(which parts, steps []step, times int) parts {
	t.which, t.steps, t.i, t.left = which, steps, 0, times
	t.arm()
	return steps[0].on
}

// next goes on and returns what is on now; ended says that the last step is over.
// All is off then.
func (t *track) next() (on parts, ended bool) {
	t.i++
	if t.i == len(t.steps) {
		if t.i = 0; t.left == 1 {
			t.stop()
			return 0, true
		}
		t.left = max(t.left-1, 0)
	}
	t.arm()
	return t.steps[t.i].on, false
}

func (t *track) arm() {
	t.timer.Stop()
	if d := t.steps[t.i].hold; d > 0 {
		t.timer.Reset(d)
	}
}

func (t *track) stop() { t.timer.Stop() }
