package peer

import (
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// Event is something that happened: one of [Connected], [Disconnected],
// [Message], [Committed], [Missing], [Tick], [Stopping].
type Event interface{ event() }

// Connected: a broker is connected and the subscriptions stand.
type Connected struct{}

// Disconnected: no broker is connected.
type Disconnected struct{}

// Message arrived from the broker. Payload is not changed and not kept.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool // the broker held it from before the subscription
}

// Committed: the replica made things durable, or dropped them. The view of the
// same step shows the result. All that one [Ingest] led to is reported in one
// event, and everything that was sealed here.
type Committed struct {
	Sealed     []ledger.Ref  // own blocks sealed here, in order
	Blocks     []ledger.Ref  // blocks of any author that came from others
	Statements []ledger.Hash // roster statements
	Evidence   []Fork        // authors newly under evidence, by evidence received or found
	Gaps       []Gap         // objects dropped because something is missing
	Refused    []Refusal     // objects refused for ever
}

// Fork is what evidence shows: two blocks of one author at one height.
type Fork struct{ A, B ledger.Ref }

// Gap is an object that the replica dropped because something it rests on is
// not held. It is asked for again once that is here.
type Gap struct {
	Of        ledger.Ref  // the block dropped; zero if it was a statement
	Want      ledger.Ref  // the block missing: the one before it; a branch head that it joins, of unknown height (0); Of itself if a signed descendant is
	Statement ledger.Hash // the roster statement missing that it cites or builds on
}

// prev reports whether the block before the one dropped is missing.
func (g Gap) prev() bool { return g.Want.Height > 0 && g.Want.Height+1 == g.Of.Height }

// Refusal is an object that the replica will never hold.
type Refusal struct {
	Of  ledger.Ref // the block; zero if it was something else
	Err error
}

// Missing: some of what was held is not any more. Blocks are those known to be: the
// store answers them as not held; they are asked for until they are here again.
// What else is missing shows when heads are compared.
type Missing struct{ Blocks []ledger.Ref }

// Tick: the time of the last [SetTimer] has come. Extra ticks do no harm.
type Tick struct{}

// Stopping: the gateway ends in order and the broker is still connected.
type Stopping struct{}

func (Connected) event()    {}
func (Disconnected) event() {}
func (Message) event()      {}
func (Committed) event()    {}
func (Missing) event()      {}
func (Tick) event()         {}
func (Stopping) event()     {}

// Effect is something to do: one of [Publish], [Ingest], [SignFrontier],
// [SetTimer], [Log], [Ready].
type Effect interface{ effect() }

// Publish sends a message at QoS 1. If it fails nothing is lost: a later message
// repairs it.
type Publish struct {
	Topic    string
	Retained bool
	Payload  []byte
}

// Ingest hands objects to the replica. Their form has been checked and nothing
// else. Blocks of one author are ascending and belong in one batch, so that a
// signature vouches for the run before it.
type Ingest struct {
	Statements []ledger.Statement
	Blocks     []ledger.UnverifiedBlock
	Frontiers  []ledger.Frontier
	Evidence   []ledger.Evidence
}

// SignFrontier signs a frontier of these heads with the gateway's key
// ([ledger.SignFrontier]), ingests it here and publishes its raw bytes.
type SignFrontier struct {
	Topic    string
	Retained bool
	Heads    []ledger.Ref // at most [ledger.MaxFrontierHeads]
}

// SetTimer asks for a [Tick] at the time given. It replaces the timer before.
type SetTimer struct{ At time.Time }

// Log is an event for the journal. Events about dropped messages come at most
// once a minute for each cause.
type Log struct {
	Event   journal.ID
	Cause   string       // short and fixed: what a limiter counts by
	Detail  string       // what exactly, of the first one in the minute
	Peer    ledger.KeyID // zero if none is concerned
	LeftOut uint64       // like events since the last one logged
	Lag     uint64       // blocks known to be missing here
}

// Ready opens the start gate: from now on the gateway may seal. It comes once.
type Ready struct{ Reason Reason }

func (Publish) effect()      {}
func (Ingest) effect()       {}
func (SignFrontier) effect() {}
func (SetTimer) effect()     {}
func (Log) effect()          {}
func (Ready) effect()        {}

// Reason says why the start gate opened.
type Reason uint8

// The reasons to open the start gate.
const (
	ReasonAnswered Reason = iota + 1 // a peer told its heads of the own chain, and all of them are here
	ReasonAlone                      // no broker was connected within a second
	ReasonWaited                     // three seconds passed without an answer or without progress
)

// String returns the reason in words.
func (r Reason) String() string {
	switch r {
	case ReasonAnswered:
		return "a peer confirmed the end of the own chain"
	case ReasonAlone:
		return "no broker is connected"
	case ReasonWaited:
		return "no peer answered in time"
	}
	return "unknown reason"
}

// Cause says why a message from the network was not believed.
type Cause uint8

// The causes for which messages are dropped.
const (
	CauseNetwork   Cause = iota + 1 // topic of another network
	CauseTopic                      // topic this protocol does not know
	CausePayload                    // payload refused: size, canonical form, a field
	CauseAuthor                     // payload is of another author than its topic
	CauseUnasked                    // give that was not asked for
	CauseStrangers                  // more strangers to the roster than are kept
	CauseAsks                       // more askers than are kept
	CauseRefused                    // object refused by the replica
	causes
)

// String returns the cause in words.
func (c Cause) String() string {
	names := [causes]string{
		"", "foreign network", "unknown topic", "payload refused", "author differs from topic",
		"answer not asked for", "too many strangers", "too many askers", "refused by the replica",
	}
	if c < causes {
		return names[c]
	}
	return "unknown cause"
}
