package peer

import (
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// Config is what a machine is told once.
type Config struct {
	Network ledger.NetworkID
	Self    ledger.KeyID // this gateway's key
	// Rand returns a number in [0,n), n > 0: it spreads what gateways would
	// otherwise do at the same moment.
	Rand func(n int64) int64
}

// Machine is the sync protocol of one gateway. It is owned by one loop; none of
// its methods may run at the same time as another.
type Machine struct {
	config Config
	topics Topics

	begun     bool
	connected bool
	timer     time.Time // of the last SetTimer; zero when it has fired
	effects   []Effect  // of the step under way

	gate    gate
	peers   peers
	wants   wants
	asking  asking
	giving  giving
	saying  saying
	cadence cadence
	drops   [causes]drop
	watch   watch
}

// New returns the machine of one gateway. Its first step is its start: feed it
// a [Tick] at once.
func New(c Config) *Machine {
	return &Machine{config: c, topics: TopicsOf(c.Network)}
}

// Filters returns what the gateway subscribes to.
func (m *Machine) Filters() []string { return m.topics.Filters(m.config.Self) }

// Will returns the message by which the broker tells that this gateway has
// gone: an offline status, to be retained.
func (m *Machine) Will() (topic string, payload []byte) {
	return m.topics.Status(m.config.Self), Status{Offline: 1}.Encode()
}

// Step tells the machine what happened, and returns what is to be done about
// it, in this order. The time given must not go back (the monotonic clock's
// does not).
func (m *Machine) Step(now time.Time, v View, e Event) []Effect {
	m.effects = nil
	if !m.begun {
		m.begin(now)
	}
	switch e := e.(type) {
	case Connected:
		m.connect(now)
	case Disconnected:
		m.disconnect(now)
	case Message:
		m.receive(now, v, e)
	case Committed:
		m.committed(now, v, e)
	case Missing:
		m.forget(now)
		for _, b := range e.Blocks {
			m.want(now, v, b.Hash, wantBlock, b.Author)
		}
	case Tick:
		m.timer = time.Time{}
	case Stopping:
		m.goodbye(v)
	}
	m.due(now, v)
	return m.effects
}

func (m *Machine) begin(now time.Time) {
	m.begun = true
	m.gate = gate{since: now, started: now}
	m.watch.heard = now
}

func (m *Machine) connect(now time.Time) {
	m.connected = true
	m.watch.heard = now
	m.gate.met = true
	m.saying.atOnce(now)
	m.cadence.restart()
	m.asking.restart(now, m.spread(compareSoon))
	m.wants.wake(now)
}

func (m *Machine) disconnect(now time.Time) {
	m.connected = false
	m.asking.flights = nil
	m.giving.pending = nil
	m.wants.wake(now)
	for _, p := range m.peers.list {
		p.Online = false // nobody is, as far as can be told
	}
}

// due does whatever the time has come for, and sets the timer for the rest.
func (m *Machine) due(now time.Time, v View) {
	var next alarm
	if m.connected {
		m.serve(now, v, &next)
		m.say(now, v, &next)
		m.frontiers(now, v, &next)
		m.pump(now, v, &next)
	}
	m.openGate(now, &next)
	m.observe(now, v, &next)
	if !next.at.IsZero() && !next.at.Equal(m.timer) {
		m.timer = next.at
		m.do(SetTimer{At: next.at})
	}
}

func (m *Machine) do(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) publish(topic string, retained bool, payload []byte) {
	m.do(Publish{Topic: topic, Retained: retained, Payload: payload})
}

// spread returns a duration between 3/4 and 5/4 of d.
func (m *Machine) spread(d time.Duration) time.Duration {
	return d*3/4 + m.upTo(d/2)
}

// upTo returns a duration in [0,d).
func (m *Machine) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(m.config.Rand(int64(d)))
}

// alarm collects the earliest of several times.
type alarm struct{ at time.Time }

func (a *alarm) no(t time.Time) {
	if a.at.IsZero() || t.Before(a.at) {
		a.at = t
	}
}

// reached reports whether t has come; if not, the alarm is set for it.
func (a *alarm) reached(now, t time.Time) bool {
	if !now.Before(t) {
		return true
	}
	a.no(t)
	return false
}

// drop counts the messages dropped for one cause.
type drop struct {
	count   uint64 // since the start
	logged  uint64 // count when it was logged last
	written time.Time
}

// logEvery is how often a cause of dropped messages is logged.
const logEvery = time.Minute

func (m *Machine) drop(now time.Time, cause Cause, from ledger.KeyID, detail string) {
	d := &m.drops[cause]
	d.count++
	if !d.written.IsZero() && now.Sub(d.written) < logEvery {
		return
	}
	left := d.count - d.logged - 1
	d.logged, d.written = d.count, now
	m.do(Log{Event: journal.MessageDropped, Cause: cause.String(), Detail: detail, Peer: from, LeftOut: left})
}

// Dropped returns how many messages were dropped for cause since the start.
func (m *Machine) Dropped(cause Cause) uint64 {
	if cause >= causes {
		return 0
	}
	return m.drops[cause].count
}
