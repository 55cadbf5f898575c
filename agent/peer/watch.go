package peer

import (
	"time"

	"traveler.example/agent/journal"
)

const (
	// behindAfter: so long something must be missing before it is told.
	behindAfter = 10 * time.Second
	// doubted asks in vain a claim is no longer counted as missing blocks.
	doubted = 2
)

// watch is what the people of the plant are told about the sync.
type watch struct {
	heard  time.Time // the last sign of life of any gateway
	silent bool      // told that there is none
	since  time.Time // something has been missing since; zero: nothing is
	behind bool      // told that something is missing
	back   bool      // heard again and not told yet
}

func (w *watch) hear(now time.Time) {
	w.heard = now
	w.back = w.silent
}

// Lag returns how many blocks are known to be missing here, by what others
// claim: a lower bound when branches are missing.
func (m *Machine) Lag(v View) uint64 {
	var lag uint64
	for _, a := range m.wants.authors {
		var most uint64
		top := v.top(a.id).Height
		for _, c := range a.claims {
			switch {
			case c.tries >= doubted:
			case c.ref.Height > top:
				most = max(most, c.ref.Height-top)
			default:
				most = max(most, 1)
			}
		}
		lag += most
	}
	return lag
}

// observe tells when this gateway falls behind or silence begins, and their
// ends.
func (m *Machine) observe(now time.Time, v View, next *alarm) {
	w := &m.watch
	if w.back {
		w.back, w.silent = false, false
		m.do(Log{Event: journal.PeerBack, Cause: "peers are heard again"})
	}
	if m.connected && !w.silent && len(v.Gateways) > 1 && next.reached(now, w.heard.Add(silentAfter)) {
		w.silent = true
		m.do(Log{Event: journal.PeerSilent, Cause: "no peer is heard"})
	}
	lag := m.Lag(v)
	switch {
	case lag == 0 && w.behind:
		w.behind, w.since = false, time.Time{}
		m.do(Log{Event: journal.SyncCaughtUp, Cause: "what was missing is here"})
	case lag == 0:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = now
		next.no(now.Add(behindAfter))
	case !w.behind && next.reached(now, w.since.Add(behindAfter)):
		w.behind = true
		m.do(Log{Event: journal.SyncBehind, Cause: "blocks that peers hold are missing here", Lag: lag})
	}
}
