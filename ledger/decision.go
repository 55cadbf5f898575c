package ledger

// DecisionKind is the answer to a scan, in the words that the light and the
// terminal show.
type DecisionKind uint8

// The answers to a scan.
const (
	TakenIn     DecisionKind = 1  // a new item starts its history here
	TagInUse    DecisionKind = 2  // the tag still belongs to an open item
	Accepted    DecisionKind = 3  // the item is in work here
	Completed   DecisionKind = 4  // the operation is reported
	Returned    DecisionKind = 5  // a check failed: back to the reporter's station
	PutAside    DecisionKind = 6  // a check failed: held until quality rules
	WrongPlace  DecisionKind = 7  // the item belongs elsewhere
	Wait        DecisionKind = 8  // something is missing; nothing is recorded
	Conflict    DecisionKind = 9  // more than one history; quality rules
	Choose      DecisionKind = 10 // the tag belongs to several open items
	UnknownTag  DecisionKind = 11 // no item known here has the tag
	AlreadyDone DecisionKind = 12 // nothing is left to do here
)

var decisionNames = [...]string{
	"", "TAKEN IN", "TAG IN USE", "ACCEPT", "COMPLETE", "RETURN", "SET ASIDE",
	"WRONG STATION", "WAIT", "IN CONFLICT", "CHOOSE", "UNKNOWN TAG", "ALREADY DONE",
}

// String returns the kind in the words of PROTOCOL.md.
func (k DecisionKind) String() string {
	if int(k) < len(decisionNames) {
		return decisionNames[k]
	}
	return "unknown decision"
}

// MarshalText writes the kind in words, for JSON.
func (k DecisionKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// SignalClass is the colour of an answer; the light also shows icon and words.
type SignalClass uint8

// The classes. Green only ever follows a decision to take in, accept or complete.
const (
	Green SignalClass = 1 // go on
	Amber SignalClass = 2 // not now, or not needed
	Red   SignalClass = 3 // stop: this item or tag is not right here
)

// String returns the colour's name.
func (c SignalClass) String() string {
	switch c {
	case Green:
		return "green"
	case Amber:
		return "amber"
	case Red:
		return "red"
	}
	return "unknown"
}

// Signal returns the class of the kind.
func (k DecisionKind) Signal() SignalClass {
	switch k {
	case TakenIn, Accepted, Completed:
		return Green
	case Wait, Choose, AlreadyDone:
		return Amber
	default:
		return Red
	}
}

// The reasons: stable codes for journal, JSON and translation. A new one may be
// added; none changes its meaning.
const (
	ReasonNewItem         = "new-item"         // TAKEN IN
	ReasonTagInUse        = "tag-in-use"       // TAG IN USE
	ReasonTakenIn         = "taken-in"         // ALREADY DONE: taken in here before
	ReasonNotIntake       = "not-intake"       // WAIT: the gateway is not assigned to take items in
	ReasonNoOrder         = "no-order"         // WAIT: nothing says what the item is made for
	ReasonNoLabel         = "no-label"         // WAIT: neither tag nor printed id
	ReasonOrderCancelled  = "order-cancelled"  // WAIT
	ReasonOrderReplaced   = "order-replaced"   // WAIT: a new item for an order that another replaced
	ReasonOrderMissing    = "order-missing"    // WAIT: the order has not arrived here
	ReasonExpected        = "expected"         // ACCEPT
	ReasonRework          = "rework"           // ACCEPT: an operation again
	ReasonRuled           = "ruled"            // ACCEPT: quality sent it here
	ReasonInput           = "input"            // ACCEPT: a part at its assembly
	ReasonInputOf         = "input-of"         // ACCEPT repeated: a part waiting for its assembly
	ReasonAlreadyAccepted = "already-accepted" // ACCEPT repeated: first scan since the start
	ReasonEntranceOnly    = "entrance-only"    // ACCEPT repeated: this reader does not complete
	ReasonDwell           = "dwell"            // ACCEPT repeated: too soon to complete
	ReasonMissingInputs   = "missing-inputs"   // WAIT, or ACCEPT of an assembly in a portal
	ReasonDone            = "done"             // COMPLETE with a next operation
	ReasonFinished        = "finished"         // COMPLETE of the last operation; ALREADY DONE
	ReasonFailed          = "failed"           // SET ASIDE: the operation failed here
	ReasonLimit           = "limit"            // RETURN, SET ASIDE: a value outside its limits
	ReasonNeeds           = "needs"            // SET ASIDE: an operation before it is not done
	ReasonElsewhere       = "elsewhere"        // WRONG STATION: expected elsewhere
	ReasonInWorkElsewhere = "in-work"          // WRONG STATION, WAIT: in work elsewhere
	ReasonOtherGateway    = "other-gateway"    // WAIT: in work at this station, held by another gateway
	ReasonExitOnly        = "exit-only"        // WAIT: this reader does not accept
	ReasonNotNeeded       = "not-needed"       // WAIT: a part that no assembly in work here needs
	ReasonBadge           = "badge"            // WAIT: operators must sign off
	ReasonWeight          = "weight"           // WAIT: the item must be weighed
	ReasonForm            = "form"             // WAIT: values must be entered
	ReasonFormInvalid     = "form-invalid"     // WAIT: what was entered cannot be recorded
	ReasonReport          = "report-missing"   // WAIT: the report to judge has not arrived here
	ReasonNonconforming   = "nonconforming"    // WAIT: quality's disposition
	ReasonRevoked         = "revoked"          // WAIT: the history rests on a revoked gateway's block
	ReasonConflict        = "conflict"         // IN CONFLICT
	ReasonManyItems       = "many-items"       // CHOOSE
	ReasonUnknownTag      = "unknown-tag"      // UNKNOWN TAG
	ReasonPeersSilent     = "peers-silent"     // WAIT: the item may be known to peers not heard for long
	ReasonBehind          = "behind"           // WAIT: the item may be in blocks that peers hold and that are missing here
	ReasonDoneHere        = "done-here"        // ALREADY DONE: reported here, expected elsewhere
	ReasonReturnedHere    = "returned-here"    // ALREADY DONE: returned from here for rework elsewhere
	ReasonScrapped        = "scrapped"         // ALREADY DONE
	ReasonConsumed        = "consumed"         // ALREADY DONE: part of another item
	ReasonNote            = "note"             // ACCEPT: on the hand-off note of the tag; its report has not arrived
	ReasonNoteUnusable    = "note-unusable"    // WAIT: the tag carries a note that cannot be judged here
	ReasonUnrecordable    = "unrecordable"     // WAIT: what would be recorded breaks a limit of the protocol
)

// Decision answers a scan: what the light shows, what the operator reads and
// what is to be recorded before either.
type Decision struct {
	Kind      DecisionKind
	Reason    string // stable code, one of the Reason constants
	Check     string // what a failed check judged: "needs", "weight" or the name of the measurement
	Item      ItemID // zero where no item is meant
	Label     string // its printed id
	Operation string // the operation concerned
	Task      string
	Expected  string     // in plain words: what was expected,
	Found     string     // what was found
	Do        string     // and what to do
	Where     []string   // places: where the item belongs, or goes next
	Missing   []Need     // parts that the assembly still lacks
	Choices   []Choice   // CHOOSE: the open items on the tag
	Authors   []KeyID    // IN CONFLICT: who wrote the heads
	OnNote    bool       // what is proposed rests on the hand-off note of the tag
	Propose   []Proposal // to be sealed in this order, in one block; none: nothing is recorded
}

// Choice is one of several open items on a tag.
type Choice struct {
	Item    ItemID
	Label   string
	Product string
	Apart   string // what tells it from another choice of the same label; empty where there is none
}

// Signal returns the colour of the decision.
func (d Decision) Signal() SignalClass { return d.Kind.Signal() }

// Proposal is a transaction that Check proposes: all of it but sender and time.
type Proposal struct {
	Item      ItemID // zero for an intake
	After     []TxID // empty for an intake and a misroute
	Follows   bool   // continues the transaction made from the proposal before it, instead of After
	Operators []KeyID
	NotBefore int64 // ms since 1970 UTC: what it is made after has this time, by another's clock
	Body      Body
}

// Tx completes the proposal: sender is the sealing gateway's key, at its time in
// ms since 1970 UTC, or at NotBefore, which no clock vouches for. previous is the id of the transaction made from the
// proposal before, used only where the proposal Follows it. NewTx fixes the
// result.
func (p Proposal) Tx(sender KeyID, at int64, clock Clock, previous TxID) Tx {
	if at < p.NotBefore {
		at, clock = p.NotBefore, ClockUnsynchronised
	}
	t := Tx{Kind: p.Body.Kind(), Sender: sender, Time: at, Clock: clock, Item: p.Item, After: p.After, Operators: p.Operators, Body: p.Body}
	if p.Follows {
		t.After = []TxID{previous}
	}
	return t
}

// Mode is what a scan at a station does.
type Mode uint8

// The modes of a station.
const (
	ModeIntake Mode = 1 // a scan takes a new item in
	ModeInOut  Mode = 2 // the first scan accepts the item, the second completes its operation
	ModePortal Mode = 3 // one scan does both
)

// Gate narrows what a scan on one reader may do at a station with several.
type Gate uint8

// The gates.
const (
	GateBoth Gate = 0 // the item's state decides
	GateIn   Gate = 1 // accepts only
	GateOut  Gate = 2 // completes only
)

// Here is the station at which a scan is judged.
type Here struct {
	Gateway     KeyID
	Station     string
	WorkCentre  string // empty for none
	Intake      bool   // the roster assigns it to take items in
	Mode        Mode
	MinDwell    int64 // ms: least time between accepting and completing; an operation may ask for more
	SilentAfter int64 // ms without word from a peer after which an unknown tag waits; 0: it never waits
}

// serves reports whether an option that names place may be taken here.
func (h Here) serves(place string) bool {
	return place != "" && (place == h.Station || place == h.WorkCentre)
}

// Sheet is what the replica knows of one item: the item, the order that it
// follows and the words of its head.
type Sheet struct {
	Item           Item
	Order          Order // in force at the head; no routing: not here yet
	OrderTx        TxID
	OrderCancelled bool
	ReplacedBy     string   // id of the order that takes Order's place, for new items
	Report         *Report  // last report of the head's lineage, withdrawn ones left out, amendments applied
	Verdict        *Verdict // the head, where it is a verdict
	Into           string   // printed id of the item that it became part of; empty: not consumed, or not known
}

// IntakeFor says what a new item is made for and how it is named.
type IntakeFor struct {
	Order      Order
	OrderTx    TxID
	Cancelled  bool
	ReplacedBy string // id of the order that takes Order's place
	Label      string // printed id; empty: the tag
	Product    string // empty: the order's
	Lot        string
}

// Form is what an operator or a measuring device entered for the item in work.
type Form struct {
	Failed       bool // the operation failed
	Failure      string
	Measurements []Measurement
	Note         string
}

// Scan is what a station knows when a tag is read. Slices are in the order in
// which they shall be considered and shown; Check changes none of them.
type Scan struct {
	Tag         string     // as read; empty where the item was entered by its label
	Gate        Gate       // of the reader
	Open        []Sheet    // open items with that tag in force
	Closed      []Sheet    // closed items that had it, the latest last
	Choice      ItemID     // the answer to CHOOSE; zero: none
	InWorkHere  []Sheet    // all items in work by this gateway at this station, in order of acceptance
	Fresh       bool       // the first scan of this item since the daemon started
	SinceAccept int64      // ms since the light said ACCEPT for it, by a monotonic clock
	Weight      int64      // mg, stable
	Weighed     bool       // Weight was measured for this scan
	Badges      []KeyID    // operators signed on, the latest last
	Form        *Form      // nil: nothing was entered
	Intake      *IntakeFor // nil: nothing says what new items are made for
	PeersKnown  bool       // a peer was heard since the start
	PeersHeard  int64      // ms since a peer was last heard
	Missing     int64      // blocks that peers in reach tell of and that are not here yet
	CutOff      bool       // peers that may know more of the item are not in reach
	Note        []byte     // the tag's hand-off note, which the head of an open item stands for
	NoteBy      string     // who wrote it, by name
	NoteOf      TxID       // the report that it stands for
	NoteRefused *NoteError // the tag carries a note that is not gone by; nil: none
}

// weight is what the scale showed in mg, zero where nothing was weighed.
func (s Scan) weight() int64 {
	if !s.Weighed || s.Weight < 0 {
		return 0
	}
	return s.Weight
}

// seenTag is the tag as a transaction may carry it; what is no id is left out.
func (s Scan) seenTag() string {
	if CheckID(s.Tag) != nil {
		return ""
	}
	return s.Tag
}

// operators are the latest distinct badges, as many as a transaction carries.
func (s Scan) operators() []KeyID {
	var ops []KeyID
	for i := len(s.Badges) - 1; i >= 0 && len(ops) < MaxOperators; i-- {
		b := s.Badges[i]
		if b.IsZero() || (len(ops) > 0 && ops[0] == b) {
			continue
		}
		ops = append(ops, b)
	}
	return ops
}
