package ledger

import (
	"cmp"
	"fmt"
)

// checkIntake takes a new item in.
func checkIntake(here Here, s Scan) Decision {
	if !here.Intake {
		return Decision{
			Kind: Wait, Reason: ReasonNotIntake,
			Expected: fmt.Sprintf("station %s assigned to this gateway for intake", here.Station),
			Found:    "the roster does not say so",
			Do:       "Ask an admin to assign the station for intake.",
		}
	}
	if len(s.Open) > 0 {
		return inUse(here, s)
	}
	if d, waits := waitsForOrder(s.Intake); waits {
		return d
	}
	in := s.Intake
	b := Intake{
		Station: here.Station, Label: in.Label, Order: in.OrderTx, Product: in.Product, Lot: in.Lot,
		Options: FirstOptions(in.Order),
	}
	if b.Product == "" {
		b.Product = in.Order.Product
	}
	if tag := s.seenTag(); tag != "" {
		b.Tags = []string{tag}
		if b.Label == "" {
			b.Label = tag
		}
	}
	if b.Label == "" {
		return Decision{
			Kind: Wait, Reason: ReasonNoLabel,
			Expected: "a tag that can be read, or a printed id",
			Found:    "neither",
			Do:       "Scan another tag, or enter the printed id.",
		}
	}
	return Decision{
		Kind: TakenIn, Reason: ReasonNewItem, Label: b.Label, Where: places(b.Options),
		Expected: "a new item for order " + in.Order.ID,
		Found:    fmt.Sprintf("%s (%s)", b.Label, b.Product),
		Do:       "Take it to " + described(b.Options) + ".",
		Propose:  []Proposal{{Operators: s.operators(), Body: b}},
	}
}

// inUse answers at intake for a tag that belongs to an open item: taken in here
// a moment ago, or somebody's tag.
func inUse(here Here, s Scan) Decision {
	v := newVisit(here, s, s.Open[0])
	if len(s.Open) == 1 && v.state.Phase == Expected && v.head.Kind == KindIntake && v.head.Station == here.Station {
		d := v.answer(AlreadyDone, ReasonTakenIn)
		d.Where = places(v.state.Options)
		d.Expected = "an item that is not taken in yet"
		d.Found = "it is taken in as " + v.sheet.Item.Label
		d.Do = "Take it to " + described(v.state.Options) + "." + v.orderNote()
		return d
	}
	d := Decision{
		Kind: TagInUse, Reason: ReasonTagInUse,
		Expected: "a free tag",
		Found:    "the tag of " + labels(s.Open),
		Do:       "Use another tag, or have the old item closed or its tag unbound.",
	}
	if len(s.Open) == 1 {
		d.Item, d.Label = v.sheet.Item.ID, v.sheet.Item.Label
		d.Found += ", " + whereabouts(v.state)
	}
	return d
}

func whereabouts(st State) string {
	switch st.Phase {
	case Expected:
		return "expected at " + described(st.Options)
	case InWork:
		return fmt.Sprintf("in work at %s (%s)", st.Station, st.Operation)
	case 0:
		return "in conflict"
	}
	return st.Phase.String()
}

// waitsForOrder says why nothing can be taken in for the order given.
func waitsForOrder(in *IntakeFor) (Decision, bool) {
	d := Decision{Kind: Wait, Expected: "an order that is in force", Do: "Set the order of this intake, then scan again."}
	switch {
	case in == nil:
		d.Reason, d.Found = ReasonNoOrder, "none is set"
	case len(in.Order.Routing) == 0:
		d.Reason, d.Found = ReasonOrderMissing, fmt.Sprintf("order %s has not arrived here", cmp.Or(in.Order.ID, in.OrderTx.Short()))
		d.Do = "Leave the item here until this station hears from the others, then scan again."
	case in.Cancelled:
		d.Reason, d.Found = ReasonOrderCancelled, fmt.Sprintf("order %s is cancelled", in.Order.ID)
	case in.ReplacedBy != "":
		d.Reason, d.Found = ReasonOrderReplaced, fmt.Sprintf("order %s is replaced by %s", in.Order.ID, in.ReplacedBy)
		d.Do = fmt.Sprintf("Set %s as the order of this intake, then scan again.", in.ReplacedBy)
	default:
		return Decision{}, false
	}
	return d, true
}
