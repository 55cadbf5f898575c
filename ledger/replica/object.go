package replica

import "traveler.example/ledger"

// Object is something that peers exchange: a ledger.UnverifiedBlock,
// ledger.Statement, ledger.Frontier or ledger.Evidence.
type Object any

// Batch is what one Append seals together, in this order.
type Batch struct {
	Txs []ledger.Tx
	// Guard, if any, looks once more at what the decision rested on, at the
	// moment of sealing, and refuses with an error. It must not keep the view.
	Guard func(*View) error
}

// Result tells what Ingest did with each object.
type Result struct {
	Blocks     []ledger.Ref      // new here, in the order in which they were taken
	Statements []ledger.Hash     // new here
	Frontiers  []ledger.Frontier // that said something new
	Gaps       []Gap             // dropped, and to be given again after what is missing
	Refused    []Refusal         // broken for ever
	Evidence   []ledger.KeyID    // authors of whom a second branch is now held or proven
	OwnBranch  bool              // a branch of this gateway's own chain came that it did not know
	Changed    []ledger.ItemID   // items whose history or state changed, sorted
}

// Gap says what must come before an object can be judged. One of Want and
// Statement is set.
type Gap struct {
	Of        ledger.Ref  // the block that was dropped; zero for a statement
	Want      ledger.Ref  // a block that is missing. Height is 0 where it is not known. Want = Of: a signed descendant is needed
	Statement ledger.Hash // a roster statement that is missing
	Err       error
}

// Refusal says why an object will never be taken.
type Refusal struct {
	What   string       // "block", "statement", "frontier", "evidence"
	Hash   ledger.Hash  // of the block or statement
	Author ledger.KeyID // its author or witness, as it claims; zero for a statement
	Err    error
}

// Status of one placement of a transaction.
type Status uint8

// The statuses of a placement. Valid and Void are final.
const (
	Waiting Status = 1 // what it rests on is not here, or not valid yet
	Valid   Status = 2 // counts, or is a further sealing of what counts
	Void    Status = 3 // changes nothing, for ever
	Carried Status = 4 // of a kind that this program does not know
)

// String returns the status in the words of the glossary.
func (s Status) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Valid:
		return "valid"
	case Void:
		return "void"
	case Carried:
		return "carried"
	}
	return "unknown"
}

// Placed is one sealing of a transaction with what became of it.
type Placed struct {
	ledger.Place
	Tx        ledger.TxID
	Status    Status
	Again     bool              // valid, and another place is the one displayed
	Uncounted bool              // in a block that a revocation leaves out
	Reason    ledger.VoidReason // of Void
	For       []ledger.TxID     // of Waiting: what it waits for, sorted
}

// Sealed is a transaction held, with all its placements.
type Sealed struct {
	Tx      ledger.Tx
	Placed  []Placed // by author, height, block hash, index
	Valid   bool     // in one placement at least
	Counted bool     // valid in a block that counts
}

// Place returns where the transaction is displayed: the first valid placement,
// one that counts before one that does not; else the first of all.
func (s Sealed) Place() ledger.Place {
	best := -1
	for i, p := range s.Placed {
		if p.Status == Valid && (best < 0 || s.Placed[best].Uncounted && !p.Uncounted) {
			best = i
		}
	}
	return s.Placed[max(best, 0)].Place
}

// WorkOrder is an order with what later ones did to it.
type WorkOrder struct {
	Tx         ledger.TxID
	Sender     ledger.KeyID
	Time       int64 // ms since 1970 UTC
	Order      ledger.Order
	ReplacedBy []ledger.TxID // sorted; counted orders that take its place
	Cancelled  bool          // by a counted cancellation
	Counted    bool
}

// Branches is what the evidence view says of one author: the lowest height at
// which two versions of its chain are held, and the blocks there, by hash.
type Branches struct {
	Author ledger.KeyID
	Height uint64
	Blocks []ledger.Ref
}

// Standing is the class under which an item is counted and listed.
type Standing uint8

// The standings of an item: its phase, or one of two beside.
const (
	NoHead        Standing = 0 // nothing counted is left of it
	Expected               = Standing(ledger.Expected)
	InWork                 = Standing(ledger.InWork)
	Nonconforming          = Standing(ledger.Nonconforming) // or rests on a revoked block
	Finished               = Standing(ledger.Finished)
	Scrapped               = Standing(ledger.Scrapped)
	Consumed               = Standing(ledger.Consumed)
	InConflict    Standing = 7
)

// String returns the standing in the words of the glossary.
func (s Standing) String() string {
	switch s {
	case NoHead:
		return "uncounted"
	case InConflict:
		return "in conflict"
	}
	return ledger.Phase(s).String()
}

// PoolEntry is an item that the paper's transaction pool shows: its last report
// has no verdict yet, or its history is in conflict.
type PoolEntry struct {
	Item     ledger.Item
	Conflict bool
}

// Stats counts what the replica holds.
type Stats struct {
	Blocks       uint64
	Statements   uint64
	Placements   map[Status]uint64
	Transactions uint64              // distinct
	Items        map[Standing]uint64 // by standing
	BlockBytes   uint64              // of all blocks as they came
	StoreBytes   int64               // on disk; 0 in memory
	FreeBytes    int64               // left on the disk; 0 in memory
	DaysLeft     int                 // until the reserve is reached at the growth seen; -1: cannot be told
}
