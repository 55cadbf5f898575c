package ledger

import "fmt"

// Option names a lawful continuation: who may take the item on next (the
// paper's next station and next task).
type Option struct {
	_         struct{} `cbor:",toarray"`
	Task      string   // what is to be done, as the station knows it
	Operation string   // id of the operation in the item's routing
	Place     string   // a station or a work centre
}

// Measurement is a value with its decimal exponent and UCUM unit: {"bore", 1203,
// -2, "mm"} is 12.03 mm.
type Measurement struct {
	_        struct{} `cbor:",toarray"`
	Name     string
	Value    int64
	Exponent int8
	Unit     string
}

// Input is an item that an assembly consumes, at the head that it continues.
type Input struct {
	_    struct{} `cbor:",toarray"`
	Item ItemID
	Head TxID
}

// Outcome of an operation.
type Outcome uint8

// The outcomes.
const (
	OutcomeOK   Outcome = 1
	OutcomeFail Outcome = 2
)

// Ruling is what a verdict or a disposition decides.
type Ruling uint8

// The rulings of a verdict (1–3) and of a disposition (4–8).
const (
	Accept     Ruling = 1 // the item is in work here
	Return     Ruling = 2 // back to the reporter's station for rework
	SetAside   Ruling = 3 // nonconforming until quality rules
	ReworkAt   Ruling = 4 // rework of an operation at a place
	ReturnTo   Ruling = 5 // an operation again at a place
	ContinueAt Ruling = 6 // go on with an operation at a place (a successor of a dead board)
	UseAsIs    Ruling = 7 // go on as the last report or intake offered
	Scrap      Ruling = 8 // the item ends here
)

var rulingNames = [...]string{"", "accept", "return", "set-aside", "rework-at", "return-to", "continue-at", "use-as-is", "scrap"}

// String returns the ruling as the CLI spells it.
func (r Ruling) String() string {
	if r > 0 && int(r) < len(rulingNames) {
		return rulingNames[r]
	}
	return fmt.Sprintf("ruling-%d", uint8(r))
}

// Order is a work order: what is to be made and how (paper §III: order ID,
// design requirements, tasks).
type Order struct {
	ID        string      `cbor:"1,keyasint"`
	Product   string      `cbor:"2,keyasint"`
	Design    string      `cbor:"3,keyasint,omitempty"` // requirements in words
	Document  Hash        `cbor:"4,keyasint,omitzero"`  // SHA-256 of the design document
	Quantity  int64       `cbor:"5,keyasint,omitzero"`
	Routing   []Operation `cbor:"6,keyasint,omitempty"`
	Replaces  TxID        `cbor:"7,keyasint,omitzero"` // the order that this one takes the place of
	Cancelled uint8       `cbor:"8,keyasint,omitzero"` // 1: the order named in Replaces is cancelled
}

// Operation is a step of a routing.
type Operation struct {
	ID         string   `cbor:"1,keyasint"`
	Task       string   `cbor:"2,keyasint"`
	Place      string   `cbor:"3,keyasint"`           // station or work centre
	Needs      []string `cbor:"4,keyasint,omitempty"` // operations that must be done before
	Inputs     []Need   `cbor:"5,keyasint,omitempty"` // parts that it consumes
	Limits     []Limit  `cbor:"6,keyasint,omitempty"`
	MaxReturns uint8    `cbor:"7,keyasint"`            // returns of it before it is set aside
	Dwell      int64    `cbor:"8,keyasint,omitzero"`   // ms: least time between taking up and completing
	Signers    uint8    `cbor:"9,keyasint,omitzero"`   // operators who must sign off, 0–2
	ConsumedBy string   `cbor:"10,keyasint,omitempty"` // product whose assembly consumes the item here
}

// Need is a part that an operation consumes.
type Need struct {
	_       struct{} `cbor:",toarray"`
	Product string
	Count   int64
}

// Limit bounds a measured value, both ends included; the unit and exponent are
// the measurement's own. The name "weight" is what the station's scale shows,
// in mg (exponent -3, unit "g").
type Limit struct {
	Name     string `cbor:"1,keyasint"`
	Min      int64  `cbor:"2,keyasint"`
	Max      int64  `cbor:"3,keyasint"`
	Exponent int8   `cbor:"4,keyasint,omitzero"`
	Unit     string `cbor:"5,keyasint"`
	OnFail   Ruling `cbor:"6,keyasint"` // Return or SetAside
}

// Intake takes an item in: its transaction's id is the item.
type Intake struct {
	Station string   `cbor:"1,keyasint"`
	Label   string   `cbor:"2,keyasint"` // the printed id
	Tags    []string `cbor:"3,keyasint,omitempty"`
	Order   TxID     `cbor:"4,keyasint"`
	Product string   `cbor:"5,keyasint"`
	Lot     string   `cbor:"6,keyasint,omitempty"`
	Options []Option `cbor:"7,keyasint,omitempty"`
}

// Report states what a station did with an item, and who may continue (paper
// §V-D: device, process, details of any failure; next station, next task).
type Report struct {
	Station      string        `cbor:"1,keyasint"`
	Operation    string        `cbor:"2,keyasint"`
	Task         string        `cbor:"3,keyasint"`
	Outcome      Outcome       `cbor:"4,keyasint"`
	Measurements []Measurement `cbor:"5,keyasint,omitempty"`
	Weight       int64         `cbor:"6,keyasint,omitzero"` // mg; 0: not weighed
	Inputs       []Input       `cbor:"7,keyasint,omitempty"`
	Failure      string        `cbor:"8,keyasint,omitempty"` // details of a failure
	Options      []Option      `cbor:"9,keyasint,omitempty"` // none and OutcomeOK: finished
	Note         string        `cbor:"10,keyasint,omitempty"`
}

// Verdict is the next station's word on a report (paper §V-F7).
type Verdict struct {
	Station   string `cbor:"1,keyasint"`
	Operation string `cbor:"2,keyasint"`
	Task      string `cbor:"3,keyasint"`
	Option    uint8  `cbor:"4,keyasint,omitzero"` // index of the option taken
	Ruling    Ruling `cbor:"5,keyasint"`          // Accept, Return or SetAside
	Reason    string `cbor:"6,keyasint,omitempty"`
	Tag       string `cbor:"7,keyasint,omitempty"` // as seen
	Weight    int64  `cbor:"8,keyasint,omitzero"`  // mg, as seen; 0: not weighed
	Note      []byte `cbor:"9,keyasint,omitempty"` // the hand-off note that stood for the report
}

// Disposition is quality's ruling on an item in any state.
type Disposition struct {
	Ruling    Ruling `cbor:"1,keyasint"` // ReworkAt … Scrap
	Operation string `cbor:"2,keyasint,omitempty"`
	Task      string `cbor:"3,keyasint,omitempty"`
	Place     string `cbor:"4,keyasint,omitempty"` // station or work centre
	Order     TxID   `cbor:"5,keyasint,omitzero"`  // the order that the item follows from now on
	Reason    string `cbor:"6,keyasint"`
}

// Withdraw takes back its author's own last word.
type Withdraw struct {
	Target TxID   `cbor:"1,keyasint,omitzero"` // own last report or acceptance
	Keeps  TxID   `cbor:"2,keyasint,omitzero"` // or: the one of several own heads that stays
	Reason string `cbor:"3,keyasint,omitempty"`
}

// Amend gives new values for what a report or verdict said; outcome, inputs and
// options cannot be amended.
type Amend struct {
	Measurements []Measurement `cbor:"1,keyasint,omitempty"`
	Weight       int64         `cbor:"2,keyasint,omitzero"` // mg
	Failure      string        `cbor:"3,keyasint,omitempty"`
	Note         string        `cbor:"4,keyasint,omitempty"`
	Reason       string        `cbor:"5,keyasint"`
}

// Bind ties tags to an item.
type Bind struct {
	Tags       []string `cbor:"1,keyasint,omitempty"`
	Supersedes []TxID   `cbor:"2,keyasint,omitempty"` // bindings no longer in force
}

// Misroute records that an item was scanned where it does not belong.
type Misroute struct {
	Station string `cbor:"1,keyasint"`
	Tag     string `cbor:"2,keyasint,omitempty"`
}

// Kind of each body.
func (Order) Kind() Kind       { return KindOrder }
func (Intake) Kind() Kind      { return KindIntake }      // Kind is KindIntake.
func (Report) Kind() Kind      { return KindReport }      // Kind is KindReport.
func (Verdict) Kind() Kind     { return KindVerdict }     // Kind is KindVerdict.
func (Disposition) Kind() Kind { return KindDisposition } // Kind is KindDisposition.
func (Withdraw) Kind() Kind    { return KindWithdraw }    // Kind is KindWithdraw.
func (Amend) Kind() Kind       { return KindAmend }       // Kind is KindAmend.
func (Bind) Kind() Kind        { return KindBind }        // Kind is KindBind.
func (Misroute) Kind() Kind    { return KindMisroute }    // Kind is KindMisroute.

func parseBody(k Kind, raw []byte) (Body, error) {
	switch k {
	case KindOrder:
		return bodyOf[Order](k, raw)
	case KindIntake:
		return bodyOf[Intake](k, raw)
	case KindReport:
		return bodyOf[Report](k, raw)
	case KindVerdict:
		return bodyOf[Verdict](k, raw)
	case KindDisposition:
		return bodyOf[Disposition](k, raw)
	case KindWithdraw:
		return bodyOf[Withdraw](k, raw)
	case KindAmend:
		return bodyOf[Amend](k, raw)
	case KindBind:
		return bodyOf[Bind](k, raw)
	case KindMisroute:
		return bodyOf[Misroute](k, raw)
	}
	return Unknown{Number: k, Bytes: raw}, nil
}

func bodyOf[B Body](k Kind, raw []byte) (Body, error) {
	var b B
	if err := decode(k.String(), raw, MaxTx, &b); err != nil {
		return nil, err
	}
	return b, nil
}
