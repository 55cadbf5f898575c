package ledger

import (
	"errors"
	"testing"
)

// TestApplyVoid holds every rule of PROTOCOL.md §6 to its reason.
func TestApplyVoid(t *testing.T) {
	p := staffed(t)
	p.say(t, Change{Kind: ChangeEnrol, Name: "rick", Key: plantKey("rick"), Roles: RoleQuality}, Change{Kind: ChangeRevoke, Subject: plantID("rick")})
	type made = func(h *toyHistory) (branch string, tx Tx)
	scrap := Disposition{Ruling: Scrap, Reason: "cracked"}
	cases := []struct {
		name string
		want VoidReason
		make made
	}{
		{"signed by the sealer himself", VoidSignature, func(h *toyHistory) (string, Tx) {
			return "office", h.signed("office", ItemID{}, plantOrder())
		}},
		{"sender without signature", VoidSignature, func(h *toyHistory) (string, Tx) { return "gate", h.tx("paula", ItemID{}, plantOrder()) }},
		{"wrong signature", VoidSignature, func(h *toyHistory) (string, Tx) {
			good := h.signed("paula", ItemID{}, plantOrder())
			good.Sig = append([]byte{good.Sig[0] ^ 1}, good.Sig[1:]...)
			return "gate", must(NewTx(p.net, good))
		}},
		{"signature over another network", VoidSignature, func(h *toyHistory) (string, Tx) {
			other := must(SignTx(NetworkID{1}, Tx{Time: plantTime, Body: plantOrder()}, plantSigner("paula")))
			return "gate", must(ParseTx(p.net, other.Raw()))
		}},
		{"another gateway's report", VoidSender, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-b", h.signed("drill-a", item, reportAt("drill-1", toDrill), acc)
		}},
		{"order of a stranger", VoidRole, func(h *toyHistory) (string, Tx) { return "gate", h.signed("mallory", ItemID{}, plantOrder()) }},
		{"order by quality", VoidRole, func(h *toyHistory) (string, Tx) { return "gate", h.signed("quinn", ItemID{}, plantOrder()) }},
		{"order by a plain gateway", VoidRole, func(h *toyHistory) (string, Tx) { return "gate", h.tx("gate", ItemID{}, plantOrder()) }},
		{"disposition by a planner", VoidRole, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.signed("paula", item, scrap, item)
		}},
		{"disposition by one revoked", VoidRole, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.signed("rick", item, scrap, item)
		}},
		{"bind by another gateway, signed", VoidRole, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.signed("drill-b", item, Bind{Tags: []string{"T1"}})
		}},
		{"bind without head by a gateway", VoidRole, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.tx("drill-a", item, Bind{Tags: []string{"T1"}})
		}},
		{"misroute by one who is no gateway", VoidRole, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "olga", h.tx("olga", item, Misroute{Station: "drill-1"})
		}},
		{"intake where nothing is assigned", VoidStation, func(h *toyHistory) (string, Tx) {
			return "spare", h.tx("spare", ItemID{}, Intake{Station: "entrance", Label: "a", Order: h.order(), Product: "b", Options: []Option{toDrill}})
		}},
		{"intake at a station without intake", VoidStation, func(h *toyHistory) (string, Tx) {
			return "press", h.tx("press", ItemID{}, Intake{Station: "press-1", Label: "a", Order: h.order(), Product: "b", Options: []Option{toDrill}})
		}},
		{"verdict at a station of another", VoidStation, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.tx("drill-a", item, acceptAt("drill-2", toDrill), item)
		}},
		{"verdict where no option leads", VoidStation, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "press", h.tx("press", item, acceptAt("press-1", toDrill), item)
		}},
		{"bind by one who does not hold it", VoidStation, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "press", h.p.own(h.t, "press", Tx{Item: item, About: []TxID{item}, Body: Bind{Tags: []string{"T1"}}})
		}},
		{"bind by one who held it", VoidStation, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			return "drill-a", h.p.own(h.t, "drill-a", Tx{Item: item, About: []TxID{reported}, Body: Bind{Tags: []string{"T1"}}})
		}},
		{"report of what is not in work", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.tx("drill-a", item, reportAt("drill-1", toDrill), item)
		}},
		{"report of what another has in work", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-b", h.tx("drill-b", item, reportAt("drill-1", toDrill), acc)
		}},
		{"report of another task", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-a", h.tx("drill-a", item, reportAt("drill-1", Option{Task: "ream", Operation: "10"}), acc)
		}},
		{"report of another operation", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-a", h.tx("drill-a", item, reportAt("drill-1", Option{Task: "drill", Operation: "11"}), acc)
		}},
		{"report at another station", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-a", h.tx("drill-a", item, reportAt("drill-9", toDrill), acc)
		}},
		{"verdict on what is finished", VoidPosition, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a")
			return "press", h.tx("press", item, acceptAt("press-1", toPress), reported)
		}},
		{"verdict with an option that is not offered", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.tx("drill-a", item, Verdict{Station: "drill-1", Operation: "10", Task: "drill", Option: 1, Ruling: Accept}, item)
		}},
		{"verdict for another task than the option's", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.tx("drill-a", item, Verdict{Station: "drill-1", Operation: "10", Task: "ream", Ruling: Accept}, item)
		}},
		{"return of an intake", VoidPosition, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "drill-a", h.tx("drill-a", item, Verdict{Station: "drill-1", Operation: "10", Task: "drill", Ruling: Return, Reason: "bent"}, item)
		}},
		{"input that lies elsewhere", VoidInput, func(h *toyHistory) (string, Tx) {
			item, inWork, _ := h.assembled(0)
			part := h.intake("part", toDrill)
			r := reportAt("press-1", toPress)
			r.Inputs = []Input{{Item: part, Head: part}}
			return "press", h.tx("press", item, r, inWork)
		}},
		{"input that is finished", VoidInput, func(h *toyHistory) (string, Tx) {
			item, inWork, _ := h.assembled(0)
			part, _, done := h.drilled("part")
			r := reportAt("press-1", toPress)
			r.Inputs = []Input{{Item: part, Head: done}}
			return "press", h.tx("press", item, r, inWork)
		}},
		{"input in work by another", VoidInput, func(h *toyHistory) (string, Tx) {
			item, inWork, _ := h.assembled(0)
			part := h.intake("part", toDrill)
			acc := h.seal("drill-a", h.tx("drill-a", part, acceptAt("drill-1", toDrill), part))
			r := reportAt("press-1", toPress)
			r.Inputs = []Input{{Item: part, Head: acc}}
			return "press", h.tx("press", item, r, inWork)
		}},
		{"the assembly as its own input", VoidInput, func(h *toyHistory) (string, Tx) {
			item, inWork, _ := h.assembled(0)
			r := reportAt("press-1", toPress)
			r.Inputs = []Input{{Item: item, Head: inWork}}
			return "press", h.tx("press", item, r, inWork)
		}},
		{"withdraw of another's report", VoidAuthor, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			return "drill-b", h.tx("drill-b", item, Withdraw{Target: reported}, reported)
		}},
		{"keeps of heads that are not all own", VoidAuthor, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			a := h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			b := h.seal("drill-b", h.tx("drill-b", item, acceptAt("drill-2", toDrill), item))
			return "drill-a", h.tx("drill-a", item, Withdraw{Keeps: a}, a, b)
		}},
		{"amend of another's report", VoidAuthor, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			return "press", h.p.own(h.t, "press", Tx{Item: item, About: []TxID{reported}, Body: Amend{Note: "x", Reason: "typo"}})
		}},
		{"withdraw of an intake", VoidTarget, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.tx("gate", item, Withdraw{Target: item}, item)
		}},
		{"withdraw of what is not the head", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, accepted, reported := h.drilled("a", toPress)
			return "drill-a", h.tx("drill-a", item, Withdraw{Target: accepted}, reported)
		}},
		{"withdraw of a return", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			back := h.seal("press", h.tx("press", item, Verdict{Station: "press-1", Operation: "20", Task: "press", Ruling: Return, Reason: "burr"}, reported))
			return "press", h.tx("press", item, Withdraw{Target: back}, back)
		}},
		{"withdraw in a part's history", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, inWork, ins := h.assembled(1)
			r := reportAt("press-1", toPress)
			r.Inputs = ins
			done := h.seal("press", h.tx("press", item, r, inWork))
			return "press", h.tx("press", ins[0].Item, Withdraw{Target: done}, done)
		}},
		{"keeps of the only head", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			return "drill-a", h.tx("drill-a", item, Withdraw{Keeps: reported}, reported)
		}},
		{"keeps of what is no head", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, accepted, reported := h.drilled("a", toPress)
			return "drill-a", h.tx("drill-a", item, Withdraw{Keeps: item}, reported, accepted)
		}},
		{"amend of an intake", VoidTarget, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.p.own(h.t, "gate", Tx{Item: item, About: []TxID{item}, Body: Amend{Note: "x", Reason: "typo"}})
		}},
		{"amend of a withdrawal", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			w := h.seal("drill-a", h.tx("drill-a", item, Withdraw{Target: reported}, reported))
			return "drill-a", h.p.own(h.t, "drill-a", Tx{Item: item, About: []TxID{w}, Body: Amend{Note: "x", Reason: "typo"}})
		}},
		{"amend under another item", VoidTarget, func(h *toyHistory) (string, Tx) {
			_, _, reported := h.drilled("a", toPress)
			other := h.intake("b", toDrill)
			return "drill-a", h.p.own(h.t, "drill-a", Tx{Item: other, About: []TxID{reported}, Body: Amend{Note: "x", Reason: "typo"}})
		}},
		{"bind that supersedes a report", VoidTarget, func(h *toyHistory) (string, Tx) {
			item, _, reported := h.drilled("a", toPress)
			return "gate", h.signed("quinn", item, Bind{Supersedes: []TxID{reported}})
		}},
		{"bind that supersedes the tags of another item", VoidTarget, func(h *toyHistory) (string, Tx) {
			return "gate", h.signed("quinn", h.intake("a", toDrill), Bind{Tags: []string{"T"}, Supersedes: []TxID{h.intake("b", toDrill)}})
		}},
		{"intake for a cancellation", VoidTarget, func(h *toyHistory) (string, Tx) {
			gone := h.seal("gate", h.signed("paula", ItemID{}, Order{ID: "WO-2", Product: "b", Replaces: h.order(), Cancelled: 1}))
			return "gate", h.tx("gate", ItemID{}, Intake{Station: "entrance", Label: "a", Order: gone, Product: "b", Options: []Option{toDrill}})
		}},
		{"order that replaces an intake", VoidTarget, func(h *toyHistory) (string, Tx) {
			o := plantOrder()
			o.Replaces = h.intake("a", toDrill)
			return "gate", h.signed("paula", ItemID{}, o)
		}},
		{"disposition to a thing that is no order", VoidTarget, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			return "gate", h.signed("quinn", item, Disposition{Ruling: Scrap, Order: item, Reason: "cracked"}, item)
		}},
		{"second continuation in one chain", VoidRepeated, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			again := h.p.own(h.t, "drill-a", Tx{Item: item, After: []TxID{item}, Time: plantTime + 1, Body: acceptAt("drill-1", toDrill)})
			return "drill-a", again
		}},
		{"ruling sealed after the sealer's own word", VoidRepeated, func(h *toyHistory) (string, Tx) {
			item := h.intake("a", toDrill)
			h.seal("drill-a", h.tx("drill-a", item, acceptAt("drill-1", toDrill), item))
			return "drill-a", h.signed("quinn", item, scrap, item)
		}},
		{"part consumed twice in one chain", VoidRepeated, func(h *toyHistory) (string, Tx) {
			item, inWork, ins := h.assembled(1)
			r := reportAt("press-1", toPress)
			r.Inputs = ins
			h.seal("press", h.tx("press", item, r, inWork))
			second, _, rep := h.drilled("second", toPress)
			acc := h.seal("press", h.tx("press", second, acceptAt("press-1", toPress), rep))
			return "press", h.tx("press", second, r, acc)
		}},
	}
	reasons := map[VoidReason]bool{}
	for _, c := range cases {
		reasons[c.want] = true
		t.Run(string(c.want)+"/"+c.name, func(t *testing.T) {
			h := newToyHistory(t, p)
			branch, tx := c.make(h)
			effects, err := h.judge(branch, tx)
			var v *VoidError
			if !errors.As(err, &v) || v.Reason != c.want || effects != nil {
				t.Fatalf("got %v, want void (%s)", err, c.want)
			}
			if v.Detail == "" {
				t.Error("no detail for people")
			}
		})
	}
	for _, r := range []VoidReason{
		VoidSignature, VoidSender, VoidRole, VoidStation, VoidPosition, VoidInput, VoidAuthor, VoidTarget, VoidRepeated,
	} {
		if !reasons[r] {
			t.Errorf("no case for %s", r)
		}
	}
}
