package ledger

import (
	"bytes"
	"strings"
	"testing"
)

// noteScan is a scan at press-1 of an item that drill-a has reported, as it stands
// by the note on its tag.
func noteScan(t *testing.T, w *noteWorld) (Here, Scan) {
	t.Helper()
	n := w.note(t, "drill-a", noteTag, w.report)
	it := w.item()
	h, err := VerifyNote(w.p.net, w.p.reg.Current(), n, noteTag, []Item{it}, nil)
	mustNot(t, err)
	node, err := h.Node(it, Order{Routing: w.routing}, w.p.reg.Current())
	mustNot(t, err)
	it.Nodes, it.HeadIDs = append(it.Nodes, node), []TxID{node.Tx}
	return Here{Gateway: plantID("press"), Station: "press-1", Mode: ModeInOut}, Scan{
		Tag: noteTag, Open: []Sheet{{Item: it, Order: Order{ID: "WO-1", Product: "bracket", Routing: w.routing}, OrderTx: plantHash("order")}},
		Note: n.Raw(), NoteOf: node.Tx, NoteBy: "drill-a", CutOff: true,
	}
}

// TestCheckOnNote holds decisions on notes to what they propose.
func TestCheckOnNote(t *testing.T) {
	w := newNoteWorld(t)
	here, s := noteScan(t, w)
	d := Check(here, s)
	if d.Kind != Accepted || d.Reason != ReasonNote || !d.OnNote || len(d.Propose) != 1 || !strings.Contains(d.Found, "drill-a") {
		t.Fatalf("%+v", d)
	}
	v := d.Propose[0].Body.(Verdict)
	if !bytes.Equal(v.Note, s.Note) || v.Tag != noteTag || d.Propose[0].After[0] != w.report.ID() || v.Operation != "20" {
		t.Errorf("proposes %+v after %v", v, d.Propose[0].After)
	}
	if AsksNote(here, s, d) {
		t.Error("asks for the note that it has")
	}
	portal := here
	portal.Mode = ModePortal
	if d := Check(portal, s); d.Kind != Completed || !d.OnNote || len(d.Propose) != 2 {
		t.Errorf("portal: %+v", d)
	}
	w.routing[1].Limits = []Limit{{Name: WeightLimit, Min: 1, Max: 2, Exponent: 0, Unit: "g", OnFail: Return}}
	s.Weight, s.Weighed = 5_000_000, true
	switch d := Check(here, s); {
	case d.Kind != Returned && d.Kind != PutAside, !d.OnNote, d.Propose[0].Body.(Verdict).Note == nil:
		t.Errorf("too heavy: %+v", d)
	}
	elsewhere := here
	elsewhere.Station = "bench-1"
	if d := Check(elsewhere, s); d.Kind != WrongPlace || d.OnNote || d.Where[0] != "press-1" {
		t.Errorf("the note sends it on: %+v", d)
	}
}

// TestNoteAfterRuling holds that a verdict on a note is no earlier than the rulings
// that its writer knows, whatever the clocks say: a later one would end it.
func TestNoteAfterRuling(t *testing.T) {
	w := newNoteWorld(t)
	here, s := noteScan(t, w)
	it := &s.Open[0].Item
	it.Nodes[1].After, it.Nodes[1].Depth = []TxID{plantHash("ruled")}, 2
	it.Nodes = append(it.Nodes, Node{
		Tx: plantHash("ruled"), Kind: KindDisposition, Ruling: ReworkAt, Operation: "10", Time: 5000, Depth: 1,
		After: []TxID{it.ID}, State: State{Phase: Expected, Options: w.options("10")},
	})
	d := Check(here, s)
	if d.Kind != Accepted || d.Propose[0].NotBefore != 5000 {
		t.Fatalf("%+v", d)
	}
	if tx := d.Propose[0].Tx(here.Gateway, 10, ClockSynchronised, TxID{}); tx.Time != 5000 || tx.Clock != ClockUnsynchronised {
		t.Errorf("at %d by clock %d", tx.Time, tx.Clock)
	}
	if tx := d.Propose[0].Tx(here.Gateway, 6000, ClockSynchronised, TxID{}); tx.Time != 6000 || tx.Clock != ClockSynchronised {
		t.Errorf("at %d by clock %d", tx.Time, tx.Clock)
	}
}

// TestAsksNote says which answers a note may change.
func TestAsksNote(t *testing.T) {
	w := newNoteWorld(t)
	sheet := Sheet{Item: w.item(), Order: Order{ID: "WO-1", Routing: w.routing}, OrderTx: plantHash("order")}
	inWork := sheet
	inWork.Item.Nodes = append(inWork.Item.Nodes[:1:1], Node{
		Tx: plantHash("v"), Kind: KindVerdict, Ruling: Accept, After: []TxID{sheet.Item.ID}, Depth: 1, Station: "drill-1", Operation: "10", Task: "drill",
		State: State{Phase: InWork, By: plantID("drill-a"), Station: "drill-1", Operation: "10", Task: "drill"},
	})
	inWork.Item.HeadIDs = []TxID{plantHash("v")}
	at := func(station, centre string) Here {
		return Here{Gateway: plantID("press"), Station: station, WorkCentre: centre, Mode: ModeInOut}
	}
	intake := at("entrance", "")
	intake.Mode = ModeIntake
	tests := []struct {
		name    string
		here    Here
		open    []Sheet
		cut     bool
		kind    DecisionKind
		want    bool
		refused DecisionKind // with a torn note
	}{
		{"unknown tag", at("press-1", ""), nil, false, UnknownTag, true, Wait},
		{"at intake", intake, nil, true, Wait, false, Wait},
		{"its report is missing", at("press-1", ""), []Sheet{inWork}, false, Wait, true, Wait},
		{"elsewhere, all in reach", at("press-1", ""), []Sheet{sheet}, false, WrongPlace, false, WrongPlace},
		{"elsewhere, cut off", at("press-1", ""), []Sheet{sheet}, true, WrongPlace, true, Wait},
		{"expected here alone", at("drilling", ""), []Sheet{sheet}, true, Accepted, false, Accepted},
		{"expected in the work centre, all in reach", at("drill-2", "drilling"), []Sheet{sheet}, false, Accepted, false, Accepted},
		{"expected in the work centre, cut off", at("drill-2", "drilling"), []Sheet{sheet}, true, Accepted, true, Accepted},
	}
	for _, tt := range tests {
		s := Scan{Tag: noteTag, Open: tt.open, CutOff: tt.cut}
		d := Check(tt.here, s)
		if got := AsksNote(tt.here, s, d); d.Kind != tt.kind || got != tt.want {
			t.Errorf("%s: %s, asks %t", tt.name, d.Kind, got)
		}
		_, err := ParseNote([]byte{0x11})
		s.NoteRefused = err.(*NoteError)
		if d := Check(tt.here, s); d.Kind != tt.refused || d.Kind == Wait && tt.want && d.Reason == ReasonNoteUnusable && len(d.Propose) > 0 {
			t.Errorf("%s, with a torn note: %s %s", tt.name, d.Kind, d.Found)
		}
	}
}
