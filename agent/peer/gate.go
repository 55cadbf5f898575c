package peer

import "time"

// How long the start gate waits (ledger design §8).
const (
	gateAlone = time.Second     // for a broker
	gateWait  = 3 * time.Second // for an answer, and between blocks that come back
)

// gate holds back sealing after a start.
type gate struct {
	started  time.Time
	since    time.Time // the start, or when the last own block came back
	met      bool      // a broker was connected
	answered bool      // a peer told its heads of the own chain
	open     bool
}

// openGate opens the start gate as soon as one of its reasons holds.
func (m *Machine) openGate(now time.Time, next *alarm) {
	g := &m.gate
	if g.open {
		return
	}
	switch {
	case g.answered && m.wants.author(m.config.Self) == nil:
		m.pass(ReasonAnswered)
	case !g.met && next.reached(now, g.started.Add(gateAlone)):
		m.pass(ReasonAlone)
	case next.reached(now, g.since.Add(gateWait)):
		m.pass(ReasonWaited)
	}
}

func (m *Machine) pass(reason Reason) {
	m.gate.open = true
	m.do(Ready{Reason: reason})
}
