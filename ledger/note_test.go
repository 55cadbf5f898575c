package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestNoNote has reports that are not handed over by notes.
func TestNoNote(t *testing.T) {
	w := newNoteWorld(t)
	rsa := newRSAWorld(t)
	report := func(change func(*Report)) Tx {
		r := w.report.Body.(Report)
		change(&r)
		return w.did(t, "drill-a", r)
	}
	tests := []struct {
		name string
		tag  string
		tx   Tx
		want string
	}{
		{"failed", noteTag, report(func(r *Report) { r.Outcome, r.Failure = OutcomeFail, "broken" }), "the operation failed"},
		{"finished", noteTag, report(func(r *Report) { r.Options = nil }), "finished"},
		{"outside its limits", noteTag, report(func(r *Report) {
			r.Measurements = []Measurement{{Name: "bore", Value: 1300, Exponent: -2, Unit: "mm"}}
		}), "the next station has to see the report"},
		{"beside the routing", noteTag, report(func(r *Report) { r.Operation = "99" }), "beside the order's routing"},
		{"options of another order", noteTag, report(func(r *Report) { r.Options = []Option{{Task: "press", Operation: "20", Place: "press-2"}} }), "is not the routing's"},
		{"options out of order", noteTag, report(func(r *Report) { r.Options = w.options("30", "20") }), "not in the order"},
		{"seven options", noteTag, report(func(r *Report) { r.Options = w.options("20", "30", "31", "32", "33", "34", "35") }), "has room for 6"},
		{"no tag", "", w.report, "tag"},
		{"a verdict", noteTag, w.p.own(t, "press", Tx{Item: w.intake.ID(), After: []TxID{w.report.ID()}, Body: Verdict{Station: "press-1", Operation: "20", Task: "press", Ruling: Accept}}), "it is a verdict"},
	}
	for _, tt := range tests {
		_, err := NewNote(w.p.net, plantSigner("drill-a"), tt.tag, tt.tx, w.routing)
		if !errors.Is(err, ErrNoNote) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, k := range rsa.rsaVectors(t).Keys {
		if k.Alg != int(RSA) {
			continue
		}
		if _, err := NewNote(w.p.net, plantSigner(k.Name), noteTag, w.report, w.routing); !errors.Is(err, ErrNoNote) || !strings.Contains(err.Error(), "Ed25519") {
			t.Errorf("RSA: %v", err)
		}
	}
}

// TestNoteNode holds what stands for a report to the item that is known.
func TestNoteNode(t *testing.T) {
	w := newNoteWorld(t)
	r := w.p.reg.Current()
	order := Order{ID: "WO-1", Routing: w.routing}
	known := w.item()
	n := w.note(t, "press", noteTag, w.wide)
	h, err := VerifyNote(w.p.net, r, n, noteTag, []Item{known}, nil)
	mustNot(t, err)
	node, err := h.Node(known, order, r)
	mustNot(t, err)
	if node.Operation != "20" || node.Sender != plantID("press") || !slices.Equal(node.Noted, []string{"10", "20"}) ||
		!slices.Equal(node.State.Options, w.options("30", "31", "32", "33", "34", "35")) || node.After[0] != known.ID {
		t.Errorf("stands for %+v", node)
	}
	if done := Done([]Node{known.Nodes[0], node}, w.routing); len(done) != 2 || !done["10"] {
		t.Errorf("done: %v", done)
	}
	with := func(more Node) Item {
		it := w.item()
		more.Item, more.After, more.Depth = it.ID, []TxID{it.ID}, 1
		it.Nodes, it.HeadIDs = append(it.Nodes, more), []TxID{more.Tx}
		return it
	}
	done20 := Node{Tx: plantHash("other"), Kind: KindReport, Operation: "20", Outcome: OutcomeOK, State: State{Phase: Expected}}
	byPress, byOther := done20, done20
	byPress.Sender, byOther.Sender = plantID("press"), plantID("drill-b")
	conflict := known
	conflict.HeadIDs = []TxID{known.ID, plantHash("x")}
	changed := Order{ID: "WO-1", Routing: slices.Clone(w.routing)}
	changed.Routing[3].Place = "bench-9"
	here := h
	here.Here = plantID("drill-a")
	tests := []struct {
		name  string
		h     Handover
		it    Item
		order Order
		want  NoteFault
	}{
		{"the report is here", h, with(Node{Tx: w.wide.ID(), Kind: KindReport, State: State{Phase: Expected}}), order, NoteOld},
		{"finished", h, with(Node{Tx: plantHash("x"), Kind: KindReport, State: State{Phase: Finished}}), order, NoteOld},
		{"rests on a revoked block", h, with(Node{Tx: plantHash("x"), Kind: KindReport, Rests: 1, State: State{Phase: Expected}}), order, NoteOld},
		{"in conflict", h, conflict, order, NoteOld},
		{"in work here", here, with(Node{Tx: plantHash("x"), Kind: KindVerdict, Ruling: Accept, State: State{Phase: InWork, By: plantID("drill-a")}}), order, NoteOld},
		{"its author has reported otherwise", h, with(byPress), order, NoteContradicted},
		{"somebody else has done it", h, with(byOther), order, NoteOld},
		{"quality has ruled", h, with(Node{Tx: plantHash("x"), Kind: KindDisposition, Ruling: ReworkAt, Operation: "10", State: State{Phase: Expected}}), order, NoteOld},
		{"quality has sent it there", h, with(Node{Tx: plantHash("x"), Kind: KindDisposition, Ruling: ReworkAt, Operation: "20", State: State{Phase: Expected}}), order, ""},
		{"another version of the order", h, known, changed, NoteOrder},
		{"a shorter order", h, known, Order{ID: "WO-1", Routing: w.routing[:2]}, NoteOrder},
		{"no order", h, known, Order{}, NoteOrder},
	}
	for _, tt := range tests {
		_, err := tt.h.Node(tt.it, tt.order, r)
		var f *NoteError
		if errors.As(err, &f); tt.want == "" && err != nil || tt.want != "" && (f == nil || f.Fault != tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestNoteRevoked verifies notes where the author is revoked, and where prefixes
// fit several items.
func TestNoteRevoked(t *testing.T) {
	w := newNoteWorld(t)
	n := w.note(t, "drill-a", noteTag, w.report)
	twin := w.item()
	twin.ID[31] ^= 1
	h, err := VerifyNote(w.p.net, w.p.reg.Current(), n, noteTag, []Item{twin, w.item()}, nil)
	if err != nil || h.Item != w.intake.ID() {
		t.Errorf("of two items that begin alike: %+v, %v", h, err)
	}
	mustNot(t, w.p.reg.Add(w.p.statement(t, []Change{{Kind: ChangeRevoke, Subject: plantID("drill-a")}})))
	_, err = VerifyNote(w.p.net, w.p.reg.Current(), n, noteTag, []Item{w.item()}, nil)
	var f *NoteError
	if !errors.As(err, &f) || f.Fault != NoteRevoked {
		t.Errorf("%v", err)
	}
	// Many items that begin alike cost a bounded number of signatures.
	many := slices.Repeat([]Item{twin}, 1000)
	if _, err = VerifyNote(w.p.net, w.p.reg.Current(), n, noteTag, many, nil); !errors.As(err, &f) || f.Fault != NoteSignature {
		t.Errorf("%v", err)
	}
}

// TestNoteDisagrees compares notes with the reports of their ids.
func TestNoteDisagrees(t *testing.T) {
	w := newNoteWorld(t)
	n := w.note(t, "drill-a", noteTag, w.report)
	if d := n.Disagrees(w.report, w.routing); d != "" {
		t.Errorf("the same: %s", d)
	}
	body := w.report.Body.(Report)
	for _, change := range []func(*Report){
		func(r *Report) { r.Options = w.options("20", "30") },
		func(r *Report) { r.Operation = "20"; r.Options = w.options("30") },
		func(r *Report) { r.Outcome = OutcomeFail },
		func(r *Report) { r.Measurements = []Measurement{{Name: "bore", Value: 1300, Exponent: -2, Unit: "mm"}} },
	} {
		r := body
		change(&r)
		if n.Disagrees(w.did(t, "drill-a", r), w.routing) == "" {
			t.Errorf("agrees with %+v", r)
		}
	}
}
