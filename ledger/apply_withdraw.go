package ledger

import (
	"slices"
)

// withdraw restores the state before the sender's own last word, or ends a
// conflict between heads that are all his own; parts that the withdrawn reports
// consumed are released.
func (j judge) withdraw(b Withdraw) ([]Node, error) {
	var heads []Node
	for _, h := range j.Tx.After {
		n, err := j.node(j.Tx.Item, h, "after")
		if err != nil {
			return nil, err
		}
		if n.Sender != j.Tx.Sender {
			return nil, void(VoidAuthor, "head %s is of %s", h.Short(), n.Sender.Short())
		}
		heads = append(heads, n)
	}
	var restored Node
	var undone []Node
	if !b.Keeps.IsZero() {
		for _, n := range heads {
			if n.Tx == b.Keeps {
				restored = n
			} else {
				undone = append(undone, n)
			}
		}
		if restored.Tx.IsZero() || len(undone) == 0 {
			return nil, void(VoidTarget, "it keeps %s, which is not one of several heads that it continues", b.Keeps.Short())
		}
	} else {
		t := heads[0]
		word := t.Kind == KindReport || (t.Kind == KindVerdict && t.Ruling == Accept)
		if len(heads) != 1 || t.Tx != b.Target || !word || !t.Of.IsZero() {
			return nil, void(VoidTarget, "%s is not the report or acceptance that it continues", b.Target.Short())
		}
		var err error
		if restored, err = j.node(t.Item, t.After[0], "withdrawn"); err != nil {
			return nil, err
		}
		undone = heads
	}
	n := j.effect(j.Tx.Item, heads, restored.State)
	n.Restores = restored.Tx
	effects := []Node{n}
	for _, u := range undone {
		var err error
		if effects, err = j.release(effects, u); err != nil {
			return nil, err
		}
	}
	return j.keep(effects, b.Keeps)
}

// release adds to effects that the parts which an undone report consumed are
// given back. A part consumed by two of them goes on from both. A part's own
// history gives nothing back: that is the assembly's.
func (j judge) release(effects []Node, u Node) ([]Node, error) {
	if u.Kind != KindReport || !u.Of.IsZero() {
		return effects, nil
	}
	t, err := j.valid(u.Tx, "withdrawn")
	if err != nil {
		return nil, err
	}
	report, _ := t.Body.(Report)
	for _, in := range report.Inputs {
		consumed, err := j.node(in.Item, u.Tx, "withdrawn")
		if err != nil {
			return nil, err
		}
		before, err := j.node(in.Item, in.Head, "withdrawn")
		if err != nil {
			return nil, err
		}
		n := j.effect(in.Item, []Node{consumed}, before.State)
		n.Restores = before.Tx
		at := slices.IndexFunc(effects, func(e Node) bool { return e.Item == in.Item })
		if at < 0 {
			effects = append(effects, n)
			continue
		}
		effects[at].After = append(effects[at].After, consumed.Tx)
		effects[at].Depth = max(effects[at].Depth, n.Depth)
	}
	return effects, nil
}

// keep joins to a released part its consumption by the report that stays: the
// part is then where that report left it, not in conflict with itself.
func (j judge) keep(effects []Node, keeps TxID) ([]Node, error) {
	if keeps.IsZero() {
		return effects, nil
	}
	for i := range effects[1:] {
		e := &effects[1+i]
		kept, ok, err := j.a.Node(e.Item, keeps)
		if err != nil {
			return nil, err
		}
		if ok {
			e.After = append([]TxID{keeps}, e.After...)
			e.Depth = max(e.Depth, kept.Depth+1)
			e.State, e.Restores = kept.State, keeps
		}
	}
	return effects, nil
}
