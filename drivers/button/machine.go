package button

import (
	"fmt"
	"time"

	"traveler.example/drivers"
)

// machine decides what a contact means. It is pure: samples and their times are
// handed in.
type machine struct {
	debounce, long, stuck time.Duration

	raw     bool      // closed, at the last sample
	since   time.Time // when raw became so
	settled bool      // closed, debounced
	calm    bool      // raw has been so for long enough
	unrest  time.Time // since when it is not calm
	down    time.Time // since when it has been settled closed
	silent  bool      // this press means nothing: it was told, or began unseen
	jammed  bool      // this press was reported as stuck
	noisy   bool      // this chatter was reported
}

// start takes the first sample. A button that is down already was not pressed just
// now; it has to be let go first.
func (m *machine) start(at time.Time, closed bool) {
	m.raw, m.settled, m.silent = closed, closed, closed
	m.since, m.unrest, m.down = at, at, at
}

// sample takes in whether the contact is closed and returns what there is to say.
func (m *machine) sample(at time.Time, closed bool) (drivers.Kind, error) {
	if closed != m.raw {
		m.raw, m.since = closed, at
		if m.calm {
			m.calm, m.unrest = false, at
		}
	}
	if at.Sub(m.since) < m.debounce {
		return m.chatter(at)
	}
	m.calm, m.noisy = true, false
	if m.raw != m.settled {
		m.settled, m.jammed = m.raw, false
		if m.settled {
			return m.pressed(), nil
		}
		return m.released(), nil
	}
	if !m.settled {
		return 0, nil
	}
	return m.kept(at)
}

// pressed says that the contact closed.
func (m *machine) pressed() drivers.Kind {
	m.down, m.silent = m.since, m.long == 0
	if m.silent {
		return drivers.Pressed
	}
	return 0
}

// released says that it opened.
func (m *machine) released() drivers.Kind {
	if m.silent {
		return 0
	}
	m.silent = true
	return drivers.Pressed
}

// kept says that it stays closed.
func (m *machine) kept(at time.Time) (drivers.Kind, error) {
	down := at.Sub(m.down)
	switch {
	case !m.silent && down >= m.long:
		m.silent = true
		return drivers.Held, nil
	case !m.jammed && down >= m.stuck:
		m.jammed, m.silent = true, true
		return drivers.Fault, fmt.Errorf("%w for %v", ErrStuck, m.stuck)
	}
	return 0, nil
}

// chatter says that the contact does not come to rest.
func (m *machine) chatter(at time.Time) (drivers.Kind, error) {
	if m.noisy || at.Sub(m.unrest) < chatterLimit {
		return 0, nil
	}
	m.noisy = true
	return drivers.Fault, fmt.Errorf("%w for %v", ErrChatter, chatterLimit)
}

// next is how long nothing will happen unless the contact moves; it bounds the
// time until the next sample.
func (m *machine) next(at time.Time) time.Duration {
	if at.Sub(m.since) < m.debounce {
		return sampling
	}
	if !m.settled {
		return idle
	}
	due := m.down.Add(m.stuck)
	if !m.silent {
		due = m.down.Add(m.long)
	}
	if left := due.Sub(at); left > 0 {
		return min(left, idle)
	}
	return idle
}
