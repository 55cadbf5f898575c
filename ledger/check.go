package ledger

import (
	"cmp"
	"fmt"
	"strings"
)

// Check judges a scan at a station: the paper's proof_of_authority (§V-F7). It
// answers what the light shows, what the operator reads and what is to be
// sealed. It is pure: the same station and scan give the same decision, so the
// committer checks again against what arrived meanwhile.
//
// Previous hash and signature are the judge's, they hold for every head given
// here. Check adds place, dependencies, limits, dwell, sign-off, parts and
// orders, none of which makes a transaction void.
//
// Checks are made once on each report, by the first station that takes it up.
// What a return or a ruling of quality sends somewhere is not judged again: the
// failed value has been judged, and would be sent back for ever.
func Check(here Here, s Scan) Decision {
	var d Decision
	switch {
	case here.Mode == ModeIntake:
		d = checkIntake(here, s)
	case len(s.Open) == 0:
		d = checkNoneOpen(here, s)
	case len(s.Open) == 1:
		d = checkItem(here, s, s.Open[0])
	default:
		d = checkMany(here, s)
	}
	return recordable(here, refusedNote(here, s, d))
}

// recordable answers WAIT where a proposal breaks a limit of the protocol, so
// that nothing is promised that cannot be sealed.
func recordable(here Here, d Decision) Decision {
	var previous TxID
	for _, p := range d.Propose {
		t, err := NewTx(NetworkID{}, p.Tx(here.Gateway, 0, ClockUnsynchronised, previous))
		if err != nil {
			d.Kind, d.Reason, d.Propose = Wait, ReasonUnrecordable, nil
			d.Expected = "something that the ledger can record"
			d.Found = err.Error()
			d.Do = "Put the item aside and tell whoever keeps orders and profiles."
			return d
		}
		previous = t.ID()
	}
	return d
}

func checkNoneOpen(here Here, s Scan) Decision {
	if len(s.Closed) > 0 {
		return closed(s.Closed[len(s.Closed)-1])
	}
	d := Decision{
		Kind: UnknownTag, Reason: ReasonUnknownTag,
		Expected: "a tag of an item",
		Found:    "a tag that no item known here has; " + peersHeard(s),
		Do:       "Take the item to intake, or find it by its printed id.",
	}
	switch {
	case here.SilentAfter > 0 && (!s.PeersKnown || s.PeersHeard > here.SilentAfter):
		d.Kind, d.Reason = Wait, ReasonPeersSilent
		d.Do = "Leave the item here until this station hears from the others, then scan again."
	case s.PeersKnown && s.Missing > 0:
		d.Kind, d.Reason = Wait, ReasonBehind
		d.Found = "a tag that no item known here has, while " + blocksCome(s.Missing)
		d.Do = "Leave the tag on the reader until they are here."
	}
	return d
}

func peersHeard(s Scan) string {
	if !s.PeersKnown {
		return "no other station heard since the start"
	}
	return fmt.Sprintf("last heard from other stations %s ago", seconds(s.PeersHeard))
}

func checkMany(here Here, s Scan) Decision {
	d := Decision{
		Kind: Choose, Reason: ReasonManyItems,
		Expected: "one open item with this tag",
		Do:       "Choose the item that lies on the reader.",
	}
	for _, sheet := range s.Open {
		if sheet.Item.ID == s.Choice {
			return checkItem(here, s, sheet)
		}
		d.Choices = append(d.Choices, Choice{
			Item: sheet.Item.ID, Label: sheet.Item.Label, Product: sheet.Item.Product, Apart: apart(sheet, s.Open),
		})
	}
	d.Found = fmt.Sprintf("%d: %s", len(s.Open), labels(s.Open))
	return d
}

// visit is one item at one station: what the rules below look at.
type visit struct {
	here  Here
	scan  Scan
	sheet Sheet
	line  []Node // the item's history, without what was withdrawn
	head  Node   // its last node: what the head means
	state State
}

func newVisit(here Here, s Scan, sheet Sheet) visit {
	v := visit{here: here, scan: s, sheet: sheet, state: sheet.Item.State()}
	if h, ok := sheet.Item.Head(); ok {
		v.line = settled(sheet.Item.Lineage(h.Tx))
	}
	if len(v.line) > 0 {
		v.head = v.line[len(v.line)-1]
	}
	return v
}

// answer begins a decision about the item.
func (v visit) answer(kind DecisionKind, reason string) Decision {
	return Decision{Kind: kind, Reason: reason, Item: v.sheet.Item.ID, Label: v.sheet.Item.Label}
}

func checkItem(here Here, s Scan, sheet Sheet) Decision {
	v := newVisit(here, s, sheet)
	switch {
	case sheet.Item.InConflict():
		return v.conflict()
	case len(sheet.Item.HeadIDs) == 0, v.restsOnRevoked():
		return v.revoked()
	case v.state.Phase.Closed():
		return closed(sheet)
	case v.state.Phase == Nonconforming:
		return v.nonconforming()
	case sheet.OrderCancelled:
		return v.orderCancelled()
	case len(sheet.Order.Routing) == 0:
		return v.orderMissing()
	case v.state.Phase == InWork:
		return v.inWork()
	}
	if i, ok := v.option(); ok {
		return v.expected(i, v.state.Options[i])
	}
	return v.elsewhere()
}

// option returns the first option served here; a part's consumption that no
// assembly here waits for comes last.
func (v visit) option() (index int, ok bool) {
	for i, o := range v.state.Options {
		if !v.here.serves(o.Place) {
			continue
		}
		if op, _ := v.sheet.Order.operationOf(o.Operation); !v.unwanted(op) {
			return i, true
		}
		if !ok {
			index, ok = i, true
		}
	}
	return index, ok
}

func (v visit) restsOnRevoked() bool {
	h, ok := v.sheet.Item.Head()
	return ok && h.Rests == 1
}

func (v visit) conflict() Decision {
	d := v.answer(Conflict, ReasonConflict)
	d.Expected = "one history of the item"
	stations := map[string]int{}
	for _, h := range v.sheet.Item.Heads() {
		stations[h.Station]++
	}
	var heads []string
	for _, h := range v.sheet.Item.Heads() {
		d.Authors = append(d.Authors, h.Sender)
		where := at(h.Station)
		if h.Station == "" || stations[h.Station] > 1 { // the place alone does not say whose it is
			where = " by " + h.Sender.Short() + where
		}
		heads = append(heads, fmt.Sprintf("%s%s (%s)", h.Kind, where, h.State.Phase))
	}
	d.Found = fmt.Sprintf("%d: %s", len(heads), strings.Join(heads, "; "))
	d.Do = "Hold the item and call quality, who rules which holds."
	return d
}

func (v visit) revoked() Decision {
	d := v.answer(Wait, ReasonRevoked)
	d.Expected = "a history of gateways in good standing"
	d.Found = "it rests on a block of a revoked gateway"
	d.Do = "Hold the item and call quality for a disposition."
	return d
}

func (v visit) nonconforming() Decision {
	d := v.answer(Wait, ReasonNonconforming)
	d.Operation, d.Task = v.head.Operation, v.head.Task
	d.Expected = "a conforming item, or quality's disposition"
	switch r := v.sheet.Report; {
	case v.sheet.Verdict != nil:
		d.Found = fmt.Sprintf("set aside%s: %s", at(v.sheet.Verdict.Station), v.sheet.Verdict.Reason)
	case v.head.ownReport() && r != nil && r.Failure != "":
		d.Found = fmt.Sprintf("%s failed%s: %s", v.head.Operation, at(v.head.Station), r.Failure)
	case v.head.ownReport():
		d.Found = fmt.Sprintf("%s failed%s", v.head.Operation, at(v.head.Station))
	default:
		d.Found = "set aside" + at(v.head.Station)
	}
	d.Do = "Hold the item until quality has ruled."
	return d
}

func (v visit) orderCancelled() Decision {
	d := v.answer(Wait, ReasonOrderCancelled)
	d.Expected = "an order that is in force"
	d.Found = fmt.Sprintf("order %s is cancelled", v.sheet.Order.ID)
	d.Do = "Hold the item; quality scraps it or puts it under another order."
	return d
}

func (v visit) orderMissing() Decision {
	d := v.answer(Wait, ReasonOrderMissing)
	d.Expected = "the order that the item is made for"
	d.Found = fmt.Sprintf("order %s has not arrived here", v.sheet.OrderTx.Short())
	d.Do = "Leave the item here until this station hears from the others, then scan again."
	return d
}

// closed answers for an item whose history has ended.
func closed(sheet Sheet) Decision {
	v := newVisit(Here{}, Scan{}, sheet)
	d := v.answer(AlreadyDone, ReasonFinished)
	d.Expected = "an item with work left"
	switch v.state.Phase {
	case Scrapped:
		d.Reason, d.Found, d.Do = ReasonScrapped, "it was scrapped", "Put it with the scrap; its tag is free."
	case Consumed:
		d.Reason = ReasonConsumed
		d.Found = fmt.Sprintf("it became part of %s%s", cmp.Or(sheet.Into, "item "+v.state.Into.Short()), at(v.head.Station))
		d.Do = "Look for the assembly; the tag of this part is free."
	default:
		d.Found, d.Do = "it is finished", "Hand it on as finished; its tag is free."
	}
	return d
}

// elsewhere answers for an item expected at other places only.
func (v visit) elsewhere() Decision {
	var d Decision
	r, reported := v.lastReport()
	switch {
	case v.head.Kind == KindVerdict && v.head.Ruling == Return && v.head.Station == v.here.Station:
		d = v.answer(AlreadyDone, ReasonReturnedHere)
		d.Operation, d.Task = r.Operation, r.Task
		d.Found = fmt.Sprintf("it is returned from here for rework of %s", r.Operation)
		if b := v.sheet.Verdict; b != nil {
			d.Found += ": " + b.Reason
		}
	case reported && r.Station == v.here.Station:
		d = v.answer(AlreadyDone, ReasonDoneHere)
		d.Found = fmt.Sprintf("%s is reported from here", r.Operation)
		d.Operation, d.Task = r.Operation, r.Task
	default:
		d = v.answer(WrongPlace, ReasonElsewhere)
		d.Found = fmt.Sprintf("it was scanned at %s", v.here.Station)
		d.Propose = v.misroute()
	}
	d.Where = places(v.state.Options)
	d.Expected = "the item at " + strings.Join(d.Where, " or ")
	d.Do = "Take it to " + described(v.state.Options) + "." + v.orderNote()
	return d
}

func (v visit) misroute() []Proposal {
	return []Proposal{{Item: v.sheet.Item.ID, Body: Misroute{Station: v.here.Station, Tag: v.scan.seenTag()}}}
}

// lastReport is the latest report about the item that stands.
func (v visit) lastReport() (Node, bool) {
	for i := len(v.line) - 1; i >= 0; i-- {
		if v.line[i].ownReport() {
			return v.line[i], true
		}
	}
	return Node{}, false
}

// orderNote says which order the item keeps when new items follow another.
func (v visit) orderNote() string {
	if v.sheet.ReplacedBy == "" {
		return ""
	}
	return fmt.Sprintf(" It works to %s, replaced by %s.", v.sheet.Order.ID, v.sheet.ReplacedBy)
}
