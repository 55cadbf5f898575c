package plant

import "slices"

func (j *judgement) withdraw() string {
	b, item := j.tx.body, j.tx.item
	for _, h := range j.tx.after {
		head := j.nodes[item][h]
		if head == nil {
			return waits
		}
		if head.tx.sender != j.tx.sender {
			return void("author")
		}
	}
	keeps := b.str("keeps")
	if keeps != "" {
		if len(j.tx.after) < 2 || !slices.Contains(j.tx.after, keeps) {
			return void("target")
		}
		j.add(item, j.nodes[item][keeps].state, j.tx.after...).restores = keeps
		for _, h := range j.tx.after {
			if h != keeps {
				j.release(j.nodes[item][h], keeps)
			}
		}
		return goesOn
	}
	target := j.nodes[item][j.tx.after[0]]
	word := target.tx.kind == 3 || target.tx.kind == 4 && target.tx.body.num("ruling") == 1
	if len(j.tx.after) != 1 || b.str("target") != target.tx.id || !word || !target.ownItem() {
		return void("target")
	}
	before := j.nodes[item][target.after[0]]
	j.add(item, before.state, target.tx.id).restores = before.tx.id
	j.release(target, "")
	return goesOn
}

// release gives back the parts that an undone report about the item itself
// consumed: each continues its consumption. A part on which the head kept has a
// node, too, continues both and has the state of that one.
func (j *judgement) release(undone *mNode, keeps string) {
	if undone.tx.kind != 3 || !undone.ownItem() {
		return
	}
	for _, in := range undone.tx.body.objs("inputs") {
		part := in.str("item")
		if at := slices.IndexFunc(j.effects, func(n *mNode) bool { return n.item == part }); at >= 0 {
			j.effects[at].after = append(j.effects[at].after, undone.tx.id)
			continue
		}
		if kept := j.nodes[part][keeps]; kept != nil {
			j.add(part, kept.state, keeps, undone.tx.id).restores = keeps
			continue
		}
		j.add(part, j.nodes[part][in.str("head")].state, undone.tx.id).restores = in.str("head")
	}
}

// ownChain is rule 7. Heads are looked at in the order of after, then part by
// part; the first about which the sealer has said something decides.
func (j *judgement) ownChain() string {
	for _, n := range j.effects {
		for _, head := range n.after {
			if end := j.continued(n.item, head); end != goesOn {
				return end
			}
		}
	}
	return goesOn
}

// continued looks for an earlier word of the sealer about a head of an item.
func (j *judgement) continued(item, head string) string {
	end := goesOn
	for _, q := range j.naming[head] {
		if q.tx.id == j.tx.id || !j.isAfter(q) {
			continue
		}
		switch q.status {
		case "valid":
			if n := j.nodes[item][q.tx.id]; n != nil && slices.Contains(n.after, head) {
				return void("own-chain")
			}
		case waits, "carried":
			if j.mayContinue(q.tx, item, head) {
				end = waits
			}
		}
	}
	return end
}

// isAfter tells whether a placement lies before the one judged in its chain.
func (j *judgement) isAfter(q *mPlacement) bool {
	if q.block == j.block {
		return q.index < j.index
	}
	return q.block.author == j.block.author && j.block.has(q.block)
}

// mayContinue tells whether a transaction that is not judged yet may turn out to
// continue a head of an item: as its own item, as a part that it consumes, or as
// a part that its withdrawal would release.
func (j *judgement) mayContinue(t *mTx, item, head string) bool {
	if t.item == item && slices.Contains(t.after, head) {
		return true
	}
	switch t.kind {
	case 3:
		return slices.ContainsFunc(t.body.objs("inputs"), func(in mObject) bool {
			return in.str("item") == item && in.str("head") == head
		})
	case 6:
		part := j.nodes[item][head]
		return part != nil && !part.ownItem() && part.tx.item == t.item && slices.Contains(t.after, head)
	}
	return false
}
