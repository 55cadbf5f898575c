package plant

import "slices"

// judgement is the rules of §6 on one placement. They are taken in order; each
// method returns what ends it, or "" to go on.
type judgement struct {
	*mWorld
	*mPlacement
	roster  *mRoster // as the block cites it
	effects []*mNode
}

// itemID is the item of a transaction; that of an intake is itself.
func (t *mTx) itemID() string {
	if t.kind == 2 {
		return t.id
	}
	return t.item
}

// mayContinue lists the heads that a transaction names as continued.
func (t *mTx) mayContinue() []string {
	heads := slices.Clone(t.after)
	if t.kind == 3 {
		for _, in := range t.body.objs("inputs") {
			heads = append(heads, in.str("head"))
		}
	}
	return heads
}

const (
	waits    = "waiting"
	goesOn   = ""
	voidTail = "void "
)

func void(reason string) string { return voidTail + reason }

// judge returns the status and, of "void", the reason.
func (j *judgement) judge() (status, reason string) {
	if modelKinds[j.tx.kind] == "" {
		return "carried", ""
	}
	for _, rule := range []func() string{j.sender, j.kind, j.ownChain} {
		switch end := rule(); {
		case end == waits:
			return waits, ""
		case end != goesOn:
			return "void", end[len(voidTail):]
		}
	}
	return "valid", ""
}

// sender is rules 2 to 5.
func (j *judgement) sender() string {
	t, sealer := j.tx, j.block.author
	own := t.sender == sealer
	if own == (t.sig != "") {
		return void("signature")
	}
	if !own && t.kind != 1 && t.kind != 5 && t.kind != 8 {
		return void("sender")
	}
	if !own {
		who, enrolled := j.roster.people[t.sender]
		if !enrolled {
			return void("role")
		}
		if !j.model.verify(who.key, t.signs, t.sig) {
			return void("signature")
		}
	}
	role := int64(roleGateway)
	switch {
	case t.kind == 1:
		role = rolePlanner
	case t.kind == 5, t.kind == 8 && !own:
		role = roleQuality
	}
	if !j.roster.has(t.sender, role) {
		return void("role")
	}
	return goesOn
}

// kind is rule 6.
func (j *judgement) kind() string {
	switch j.tx.kind {
	case 1:
		if j.tx.body.has("replaces") {
			return j.orderTo(j.tx.body.str("replaces"))
		}
		return goesOn
	case 2:
		return j.intake()
	case 3:
		return j.report()
	case 4:
		return j.verdict()
	case 5:
		return j.disposition()
	case 6:
		return j.withdraw()
	case 7:
		return j.amend()
	case 8:
		return j.bind()
	}
	return j.here(j.tx.item)
}

// here waits until the item's intake is valid.
func (j *judgement) here(item string) string {
	if j.nodes[item][item] == nil {
		return waits
	}
	return goesOn
}

// orderTo: valid, an order, and no cancellation.
func (j *judgement) orderTo(id string) string {
	switch t := j.valid[id]; {
	case t == nil:
		return waits
	case t.kind != 1 || t.body.has("cancelled"):
		return void("target")
	}
	return goesOn
}

// add notes an effect on an item.
func (j *judgement) add(item string, s mState, after ...string) *mNode {
	n := &mNode{tx: j.tx, item: item, after: after, state: s}
	j.effects = append(j.effects, n)
	return n
}

func (j *judgement) intake() string {
	b := j.tx.body
	a, given := j.roster.assigned[b.str("station")+"\x00"+j.block.author]
	if !given || !a.intake {
		return void("station")
	}
	if end := j.orderTo(b.str("order")); end != goesOn {
		return end
	}
	j.add(j.tx.id, mState{phase: "expected", options: b.objs("options")})
	return goesOn
}

func (j *judgement) report() string {
	b, head := j.tx.body, j.nodes[j.tx.item][j.tx.after[0]]
	if head == nil {
		return waits
	}
	s := head.state
	if s.phase != "in work" || s.by != j.block.author || s.station != b.str("station") ||
		s.operation != b.str("operation") || s.task != b.str("task") {
		return void("position")
	}
	next := mState{phase: "expected", options: b.objs("options")}
	switch {
	case b.num("outcome") == 2:
		next.phase = "nonconforming"
	case len(next.options) == 0:
		next.phase = "finished"
	}
	j.add(j.tx.item, next, head.tx.id)
	for _, in := range b.objs("inputs") {
		part := j.nodes[in.str("item")][in.str("head")]
		if part == nil {
			return waits
		}
		if in.str("item") == j.tx.item || !j.holdsAt(part.state, b.str("station")) {
			return void("input")
		}
		j.add(in.str("item"), mState{phase: "consumed", into: j.tx.item}, part.tx.id)
	}
	return goesOn
}

// holdsAt tells whether the sealer has an item of a state at a station.
func (j *judgement) holdsAt(s mState, station string) bool {
	served := func(o mObject) bool { return j.roster.serves(j.block.author, station, o.str("place")) }
	return s.phase == "in work" && s.by == j.block.author && s.station == station ||
		s.phase == "expected" && slices.ContainsFunc(s.options, served)
}

func (j *judgement) verdict() string {
	b, head := j.tx.body, j.nodes[j.tx.item][j.tx.after[0]]
	if head == nil {
		return waits
	}
	at := int(b.num("option"))
	if head.state.phase != "expected" || at >= len(head.state.options) {
		return void("position")
	}
	o := head.state.options[at]
	if !j.roster.serves(j.block.author, b.str("station"), o.str("place")) {
		return void("station")
	}
	if o.str("task") != b.str("task") || o.str("operation") != b.str("operation") {
		return void("position")
	}
	s := mState{phase: "in work", by: j.block.author, station: b.str("station"), operation: b.str("operation"), task: b.str("task")}
	switch b.num("ruling") {
	case 2:
		last := j.last(head, 3)
		if last == nil {
			return void("position")
		}
		r := last.tx.body
		s = mState{phase: "expected", options: []mObject{{"task": r.str("task"), "operation": r.str("operation"), "place": r.str("station")}}}
	case 3:
		s = mState{phase: "nonconforming"}
	}
	j.add(j.tx.item, s, head.tx.id)
	return goesOn
}

func (j *judgement) disposition() string {
	b := j.tx.body
	for _, h := range j.tx.after {
		if j.nodes[j.tx.item][h] == nil {
			return waits
		}
	}
	if b.has("order") {
		if end := j.orderTo(b.str("order")); end != goesOn {
			return end
		}
	}
	s := mState{phase: "expected", options: []mObject{{"task": b.str("task"), "operation": b.str("operation"), "place": b.str("place")}}}
	switch b.num("ruling") {
	case 7:
		s.options = j.last(j.nodes[j.tx.item][j.tx.after[0]], 2, 3).tx.body.objs("options")
		if len(s.options) == 0 {
			s.phase = "finished"
		}
	case 8:
		s = mState{phase: "scrapped"}
	}
	j.add(j.tx.item, s, j.tx.after...)
	return goesOn
}

func (j *judgement) amend() string {
	switch t := j.valid[j.tx.about[0]]; {
	case t == nil:
		return waits
	case t.sender != j.tx.sender:
		return void("author")
	case t.kind != 3 && t.kind != 4 || t.item != j.tx.item:
		return void("target")
	}
	return goesOn
}

func (j *judgement) bind() string {
	for _, old := range j.tx.body.strs("supersedes") {
		switch t := j.valid[old]; {
		case t == nil:
			return waits
		case t.kind != 2 && t.kind != 8 || t.itemID() != j.tx.item:
			return void("target")
		}
	}
	quality := j.roster.has(j.tx.sender, roleQuality)
	if len(j.tx.about) == 0 {
		if !quality {
			return void("role")
		}
		return j.here(j.tx.item)
	}
	head := j.nodes[j.tx.item][j.tx.about[0]]
	if head == nil {
		return waits
	}
	holds := func(a mAssignment) bool { return a.gateway == j.block.author && j.holdsAt(head.state, a.station) }
	if quality || slices.ContainsFunc(sortedValues(j.roster.assigned), holds) {
		return goesOn
	}
	return void("station")
}
