package agent

import (
	"context"

	"traveler.example/ledger"
)

// Desk answers the questions of people and programs about one gateway: over the
// control socket of a running daemon ([Dial]) or from the directory of a stopped
// one ([OpenDirectory]), in the same shapes.
//
// Every id that it takes may be given in full or as an unambiguous beginning; an
// item also by its printed id or tag. Errors wrap ErrNotFound, ErrAmbiguous,
// ErrUnreachable, ErrNotPermitted, ErrConflict, ErrStopped or ErrRefused.
type Desk interface {
	Status(ctx context.Context) (Status, error)
	Peers(ctx context.Context) ([]Peer, error)
	Items(ctx context.Context, q ItemQuery) ([]ItemLine, error)
	Item(ctx context.Context, id string) (ItemDocument, error)
	Orders(ctx context.Context) ([]OrderDocument, error)
	Order(ctx context.Context, id string) (OrderDocument, error)
	// Blocks returns blocks in the order of all replicas: author, height, hash.
	Blocks(ctx context.Context, q BlockQuery) ([]BlockLine, error)
	Block(ctx context.Context, id string) (BlockDocument, error)
	Transaction(ctx context.Context, id string) (TxDocument, error)
	Roster(ctx context.Context) (RosterDocument, error)
	// Statements returns the roster statements held, each after those it builds on.
	Statements(ctx context.Context) ([]StatementDocument, error)
	// Chain tells what of a gateway's chain is held, and what would count if the
	// gateway were revoked with these heads: hashes or beginnings of such; none:
	// all that is held.
	Chain(ctx context.Context, gateway string, keep []string) (ChainEnd, error)
	Evidence(ctx context.Context) ([]EvidenceDocument, error)
	Stats(ctx context.Context) (StatsDocument, error)
	// Submit has the daemon seal a transaction that its sender has signed. It
	// returns once that is durable.
	Submit(ctx context.Context, raw []byte) (Receipt, error)
	// Amend has the gateway put new values to its own last report or verdict on an
	// item: what the body names.
	Amend(ctx context.Context, item string, body ledger.Amend) (Receipt, error)
	// Bind has the gateway bind tags to an item that it holds, and free the item of
	// tags that are not to mean it any more. Nothing is sealed where all is so.
	Bind(ctx context.Context, item string, q BindQuery) (Receipt, error)
	// Bindings tells what binds tags to an item now, for a person who signs a bind.
	Bindings(ctx context.Context, item string) (BindingsDocument, error)
	// Withdraw has the gateway take back its own last word on an item.
	Withdraw(ctx context.Context, item, reason string) (Receipt, error)
	// Rule prepares a disposition: it names the heads it must continue.
	Rule(ctx context.Context, item string) (Heads, error)
	// Enrol hands a roster statement to the gateway, which spreads it.
	Enrol(ctx context.Context, statement []byte) error
	// Operate is an operator's word at the station: the answer to CHOOSE, what was
	// measured, or that what waits is given up. The light shows what comes of it.
	Operate(ctx context.Context, w OperatorWord) error
	// TestLights switches on each lamp and buzzer of the station by itself, so that a
	// person sees and hears what works.
	TestLights(ctx context.Context) ([]LampTest, error)
	Close() error
}

// OperatorWord is one of three things that an operator says beside scanning.
type OperatorWord struct {
	Item   string       `json:"item,omitempty"`   // which item; empty in a form: the one that the light speaks of
	Form   *ledger.Form `json:"form,omitempty"`   // what was entered for it; nil: it is chosen
	Cancel bool         `json:"cancel,omitempty"` // give up what lies on the readers and waits, or end a call for help
}

// Status is a gateway at one instant.
type Status struct {
	Gateway      string        `json:"gateway"`
	Key          ledger.KeyID  `json:"key"`
	Network      string        `json:"network"`
	NetworkID    string        `json:"network_id"`
	Version      string        `json:"version"`
	Station      string        `json:"station"`
	Mode         string        `json:"mode"`
	Running      bool          `json:"running"`
	Since        int64         `json:"since_ms,omitempty"` // start, ms since 1970 UTC
	Open         bool          `json:"open"`               // may seal
	Problem      string        `json:"problem,omitempty"`  // why nothing can be recorded
	Broker       string        `json:"broker,omitempty"`   // connected to; empty: none
	Clock        string        `json:"clock"`              // synchronised, not synchronised
	Readers      []DeviceState `json:"readers,omitempty"`
	Scale        *DeviceState  `json:"scale,omitempty"`
	Buttons      []DeviceState `json:"buttons,omitempty"`
	Help         *HelpState    `json:"help,omitempty"` // called
	Shift        []string      `json:"shift,omitempty"`
	Light        string        `json:"light,omitempty"` // the words on the terminal
	Height       uint64        `json:"height"`          // of the own chain
	Head         ledger.Hash   `json:"head"`
	Blocks       int64         `json:"blocks"`
	Transactions int64         `json:"transactions"`
	Items        int64         `json:"items"`
	Confirmed    int64         `json:"confirmed_blocks"`
	Witnesses    int           `json:"witnesses"`
	Lag          int64         `json:"lag_blocks"` // blocks known to exist that are missing here
	Evidence     int           `json:"evidence"`
	Conflicts    int64         `json:"conflicts"`
	Waiting      int64         `json:"waiting"`
	Views        string        `json:"views,omitempty"` // hash of the shared views, where asked for

	Certificates []CertificateState `json:"certificates,omitempty"` // of a running gateway, for TLS to brokers
	Profile      map[string]string  `json:"profile,omitempty"`      // in force: a digest of each section, as profiles.Digest makes it
}

// HelpState is a call for help at the station.
type HelpState struct {
	Who    []string `json:"who,omitempty"` // on shift at that moment
	Button string   `json:"button"`
	Since  int64    `json:"since_ms"`
}

// LampTest is what came of the test of one light: which parts were switched on, and
// what failed. Whether they shone and sounded is for a person to say.
type LampTest struct {
	Light   string   `json:"light"`
	Parts   []string `json:"parts,omitempty"` // in this order; none: a light of lines has none
	Problem string   `json:"problem,omitempty"`
}

// DeviceState is a reader, a scale or a button.
type DeviceState struct {
	Name  string `json:"name"`
	Port  string `json:"port"`
	Model string `json:"model,omitempty"`
	Up    bool   `json:"up"`
	Since int64  `json:"since_ms,omitempty"` // of Up or not, ms since 1970 UTC; 0: since the start
}

// Peer is another gateway as this one sees it.
type Peer struct {
	Name      string       `json:"name"`
	Key       ledger.KeyID `json:"key"`
	Roles     string       `json:"roles"`
	Stations  []string     `json:"stations,omitempty"`
	Self      bool         `json:"self,omitempty"`
	Revoked   bool         `json:"revoked,omitempty"`
	Evidence  bool         `json:"evidence,omitempty"`
	Online    bool         `json:"online"`
	Heard     int64        `json:"heard_ms,omitempty"` // last word, ms since 1970 UTC
	Height    uint64       `json:"height"`             // of its chain here
	Claimed   uint64       `json:"claimed_height"`     // of its chain as it says
	Confirmed uint64       `json:"confirmed_height"`
}

// ItemQuery selects items.
type ItemQuery struct {
	Phase string `json:"phase,omitempty"` // a phase, "in conflict" or "held"; empty: all
	After string `json:"after,omitempty"` // cursor: item id of the last line before
	Limit int    `json:"limit,omitempty"` // 1–1000; 0: 100
}

// ItemLine is an item in a list.
type ItemLine struct {
	ID      ledger.ItemID `json:"id"`
	Label   string        `json:"label"`
	Product string        `json:"product"`
	Order   string        `json:"order,omitempty"`
	State   string        `json:"state"` // in the words of the glossary
	Where   []string      `json:"where,omitempty"`
	Tags    []string      `json:"tags,omitempty"`
}

// ItemDocument is the traveler of one item: its whole history.
type ItemDocument struct {
	ItemLine
	Lot          string      `json:"lot,omitempty"`
	Into         string      `json:"into,omitempty"`  // consumed into
	Parts        []string    `json:"parts,omitempty"` // consumed by it
	Heads        []HeadLine  `json:"heads"`
	History      []EntryLine `json:"history"`
	RestsRevoked bool        `json:"rests_on_revoked,omitempty"`
	OnNote       string      `json:"on_note,omitempty"` // how it stands by a hand-off note whose report is not here, in words
}

// HeadLine is one head of an item.
type HeadLine struct {
	Tx     ledger.TxID `json:"tx"`
	Kind   string      `json:"kind"`
	Author string      `json:"author"`
	State  string      `json:"state"`
}

// EntryLine is one transaction in an item's history.
type EntryLine struct {
	Tx        ledger.TxID `json:"tx"`
	Kind      string      `json:"kind"`
	What      string      `json:"what"` // in words
	Author    string      `json:"author"`
	Station   string      `json:"station,omitempty"`
	Operators []string    `json:"operators,omitempty"`
	Time      int64       `json:"time_ms"`
	Clock     string      `json:"clock"`
	Block     string      `json:"block,omitempty"`  // author/height
	Status    string      `json:"status"`           // Sealed, Confirmed n of m, Waiting, Void
	Reason    string      `json:"reason,omitempty"` // of a void or waiting one
	Confirmed bool        `json:"confirmed"`
}

// OrderDocument is a work order.
type OrderDocument struct {
	ID         string       `json:"id"`
	Tx         ledger.TxID  `json:"tx"`
	Product    string       `json:"product"`
	Quantity   int64        `json:"quantity,omitempty"`
	Planner    string       `json:"planner"`
	Cancelled  bool         `json:"cancelled,omitempty"`
	ReplacedBy string       `json:"replaced_by,omitempty"`
	Items      int          `json:"items"`
	File       string       `json:"file"` // as an order file
	Order      ledger.Order `json:"order"`
}

// BlockQuery selects blocks.
type BlockQuery struct {
	Author string `json:"author,omitempty"` // name or key id; empty: all
	From   uint64 `json:"from,omitempty"`   // height
	Limit  int    `json:"limit,omitempty"`  // 1–1000; 0: 100
}

// BlockLine is a block in a list.
type BlockLine struct {
	Hash      ledger.Hash `json:"hash"`
	Author    string      `json:"author"`
	Height    uint64      `json:"height"`
	Time      int64       `json:"time_ms"`
	Clock     string      `json:"clock"`
	Txs       int         `json:"transactions"`
	Joins     bool        `json:"joins,omitempty"`
	Counted   bool        `json:"counted"`
	Confirmed bool        `json:"confirmed"`
	Covered   int         `json:"covered"` // witnesses
	Witnesses int         `json:"witnesses"`
}

// BlockDocument is a block in full.
type BlockDocument struct {
	BlockLine
	Prev   ledger.Hash   `json:"prev"`
	Also   *ledger.Hash  `json:"also,omitempty"`
	Skip   ledger.Hash   `json:"skip"`
	Root   ledger.Hash   `json:"root"`
	Roster []ledger.Hash `json:"roster"`
	Bytes  int           `json:"bytes"`
	Body   []TxDocument  `json:"body"`
}

// TxDocument is a transaction in full.
type TxDocument struct {
	ID     ledger.TxID    `json:"id"`
	Kind   string         `json:"kind"`
	Sender string         `json:"sender"`
	Time   int64          `json:"time_ms"`
	Clock  string         `json:"clock"`
	Item   *ledger.ItemID `json:"item,omitempty"`
	After  []ledger.TxID  `json:"after,omitempty"`
	About  []ledger.TxID  `json:"about,omitempty"`
	Signed bool           `json:"signed"` // by its sender, apart from the block
	Body   any            `json:"body"`
	Places []PlaceLine    `json:"places"`
}

// PlaceLine is one sealing of a transaction.
type PlaceLine struct {
	Author string      `json:"author"`
	Height uint64      `json:"height"`
	Block  ledger.Hash `json:"block"`
	Index  uint16      `json:"index"`
	Status string      `json:"status"` // valid, again, void, waiting, carried
	Reason string      `json:"reason,omitempty"`
}

// RosterDocument is who may do what.
type RosterDocument struct {
	Network    string         `json:"network"`
	NetworkID  string         `json:"network_id"`
	Heads      []ledger.Hash  `json:"heads"`
	Statements int            `json:"statements"`
	Admins     []string       `json:"admins"`
	Threshold  int            `json:"threshold"`
	Identities []IdentityLine `json:"identities"`
	Stations   []StationLine  `json:"stations"`
	Doubled    []string       `json:"doubled,omitempty"` // "station S" of several gateways, "name N" of several keys
	Tickets    []TicketLine   `json:"tickets,omitempty"`
	Contested  []ledger.Hash  `json:"contested,omitempty"` // changes of admins of which none applies
	Uncounted  []ledger.Hash  `json:"uncounted,omitempty"` // statements that do not count yet
}

// TicketLine is a ticket in the roster.
type TicketLine struct {
	Name     string         `json:"name"`
	Code     ledger.KeyID   `json:"code"` // of the code's key; the code itself is secret
	Station  string         `json:"station,omitempty"`
	Redeemed []ledger.KeyID `json:"redeemed,omitempty"` // more than one: the code was used twice
	Revoked  bool           `json:"revoked,omitempty"`
}

// StatementDocument is a roster statement, or the draft of one.
type StatementDocument struct {
	Hash     ledger.Hash   `json:"hash,omitzero"` // zero: a draft
	BuildsOn []ledger.Hash `json:"builds_on"`
	Time     int64         `json:"time_ms"`
	Changes  []string      `json:"changes"`         // in words
	Signed   []string      `json:"signed"`          // by whom
	Needs    int           `json:"needs,omitempty"` // of a draft: signatures still needed
	Counts   bool          `json:"counts"`
	Why      string        `json:"why,omitempty"` // it does not count
}

// IdentityLine is an identity in the roster.
type IdentityLine struct {
	Name    string       `json:"name"`
	Key     ledger.KeyID `json:"key"`
	Roles   string       `json:"roles"`
	Revoked bool         `json:"revoked,omitempty"`
}

// StationLine is an assignment in the roster.
type StationLine struct {
	Station    string `json:"station"`
	WorkCentre string `json:"work_centre,omitempty"`
	Gateway    string `json:"gateway"`
	Intake     bool   `json:"intake,omitempty"`
}

// EvidenceDocument names a gateway of whose chain two versions exist.
type EvidenceDocument struct {
	Author string       `json:"author"`
	Key    ledger.KeyID `json:"key"`
	Height uint64       `json:"height"`
	A      ledger.Hash  `json:"a"`
	B      ledger.Hash  `json:"b"`
}

// StatsDocument is what the replica holds and costs.
type StatsDocument struct {
	Blocks        int64            `json:"blocks"`
	Transactions  int64            `json:"transactions"`
	Void          int64            `json:"void"`
	Waiting       int64            `json:"waiting"`
	Pool          int64            `json:"pool"` // reports without a verdict, and what is in conflict
	Items         map[string]int64 `json:"items"`
	Statements    int              `json:"statements"`
	Bytes         int64            `json:"bytes"`
	FreeBytes     int64            `json:"free_bytes"`
	DaysUntilFull int64            `json:"days_until_full"` // -1: cannot be foretold
	Views         string           `json:"views"`           // hash of the shared views
	Chains        []ChainLine      `json:"chains"`
}

// ChainLine is one author's chain as it is held here.
type ChainLine struct {
	Author    string       `json:"author"`
	Key       ledger.KeyID `json:"key"`
	Height    uint64       `json:"height"`
	Branches  int          `json:"branches"`
	Confirmed uint64       `json:"confirmed_height"`
	Blocks    int64        `json:"blocks"`
}

// ChainEnd is a gateway's chain with a place at which it is to end.
type ChainEnd struct {
	Gateway string        `json:"gateway"`
	Key     ledger.KeyID  `json:"key"`
	Held    int           `json:"held"`   // blocks
	Heads   []ledger.Hash `json:"heads"`  // up to which it would count
	Beyond  int           `json:"beyond"` // blocks held that would not
	Items   []ItemLine    `json:"items"`  // in work at its stations
}

// BindQuery says which tags an item is to have.
type BindQuery struct {
	Tags    []string `json:"tags,omitempty"`    // that it gets
	Free    []string `json:"free,omitempty"`    // that it has and that no longer mean it
	Replace bool     `json:"replace,omitempty"` // of the tags it has none means it any more
}

// BindingsDocument is what binds tags to an item.
type BindingsDocument struct {
	Item     ledger.ItemID `json:"item"`
	Label    string        `json:"label"`
	Bindings []BindingLine `json:"bindings"`
}

// BindingLine is an intake or a bind in force.
type BindingLine struct {
	Tx   ledger.TxID `json:"tx"`
	Tags []string    `json:"tags"`
}

// Receipt says where a transaction was sealed.
type Receipt struct {
	Tx     ledger.TxID `json:"tx"`
	Block  ledger.Hash `json:"block"`
	Height uint64      `json:"height"`
	Status string      `json:"status"`
}

// Heads are what a ruling on an item must continue.
type Heads struct {
	Item  ledger.ItemID `json:"item"`
	Label string        `json:"label"`
	Heads []ledger.TxID `json:"heads"`
	State string        `json:"state"`
}
