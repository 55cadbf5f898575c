package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

const (
	maxPending   = 256 // asks that wait for their turn
	maxAskers    = 512 // askers whose pace is remembered
	strangersDue = 16  // of the pending asks, those of strangers
	askerEvery   = time.Second / 8
	askerBurst   = 16
	allEvery     = time.Second / 32
	allBurst     = 64
	freshEvery   = time.Second / 64 // answers that go on where an asker's last one ended: 4 MiB a second at most, whoever the askers say they are
	freshBurst   = 16
	freshAgain   = 10 * time.Minute // until an asker may go through the same chains again so
	maxWalk      = 8192             // statements visited for one answer
	// envelope is what a give needs beside its objects, and wrapping what each
	// of these needs.
	envelope, wrapping = 64, 5
	headSize           = 64 // a Ref, encoded, at most
)

// pace lets through burst events at once and one each interval in the long run
// (the generic cell rate algorithm, ITU-T I.371).
type pace struct{ theoretical time.Time }

// at returns when the next event may pass.
func (p pace) at(every time.Duration, burst int) time.Time {
	return p.theoretical.Add(-every * time.Duration(burst-1))
}

func (p *pace) pass(now time.Time, every time.Duration) {
	if p.theoretical.Before(now) {
		p.theoretical = now
	}
	p.theoretical = p.theoretical.Add(every)
}

// asker is the pace of one gateway that asks. All strangers share one entry,
// under the zero key.
type asker struct {
	id      ledger.KeyID
	pace    pace
	reached []reached // at most MaxRanges
	freshAt time.Time // of the last answer that went on
}

// reached is how high an asker was given the chain of an author.
type reached struct {
	author ledger.KeyID
	height uint64
}

// giving is what is to be answered.
type giving struct {
	pending []Ask // the latest of each asker, in the order in which they came
	askers  []*asker
	all     pace
	fresh   pace
	lastAt  time.Time // when blocks of authors under evidence may be given again
}

// takeAsk queues an ask. A newer ask of one gateway takes the place of its
// older one.
func (m *Machine) takeAsk(now time.Time, v View, a Ask) {
	g := &m.giving
	if i := slices.IndexFunc(g.pending, func(p Ask) bool { return p.From == a.From }); i >= 0 {
		g.pending[i] = a
		return
	}
	strangers := 0
	for _, p := range g.pending {
		if !among(v.Gateways, p.From) {
			strangers++
		}
	}
	if len(g.pending) >= maxPending || (!among(v.Gateways, a.From) && strangers >= strangersDue) {
		m.drop(now, CauseAsks, a.From, "its ask is not answered")
		return
	}
	g.pending = append(g.pending, a)
}

// asker returns the entry of one who asks; nil when too many do.
func (g *giving) asker(now time.Time, id ledger.KeyID) *asker {
	find := func(a *asker, id ledger.KeyID) int { return compareKeys(a.id, id) }
	if i, ok := slices.BinarySearchFunc(g.askers, id, find); ok {
		return g.askers[i]
	}
	if len(g.askers) >= maxAskers {
		g.askers = slices.DeleteFunc(g.askers, func(a *asker) bool { return !now.Before(a.pace.theoretical) })
	}
	if len(g.askers) >= maxAskers {
		return nil
	}
	i, _ := slices.BinarySearchFunc(g.askers, id, find)
	a := &asker{id: id}
	g.askers = slices.Insert(g.askers, i, a)
	return a
}

// serve answers the asks whose turn has come, those of authors under evidence
// after the others.
func (m *Machine) serve(now time.Time, v View, next *alarm) {
	for _, last := range []bool{false, true} {
		m.giving.pending = slices.DeleteFunc(m.giving.pending, func(a Ask) bool {
			return among(v.Last, a.From) == last && m.answer(now, v, a, next)
		})
	}
}

// answer reports whether the ask was answered.
func (m *Machine) answer(now time.Time, v View, a Ask, next *alarm) bool {
	g := &m.giving
	var id ledger.KeyID
	if among(v.Gateways, a.From) {
		id = a.From
	}
	by := g.asker(now, id)
	if by == nil {
		m.drop(now, CauseAsks, a.From, "its ask is not answered")
		return true
	}
	if by.goesOn(now, v, a) {
		if !next.reached(now, g.fresh.at(freshEvery, freshBurst)) {
			return false
		}
		g.fresh.pass(now, freshEvery)
		by.freshAt = now
	} else {
		if !next.reached(now, g.all.at(allEvery, allBurst)) || !next.reached(now, by.pace.at(askerEvery, askerBurst)) {
			return false
		}
		g.all.pass(now, allEvery)
		by.pace.pass(now, askerEvery)
	}
	b := m.compose(now, v, a)
	by.note(b.upTo)
	m.publish(m.topics.Give(a.From), false, b.Encode())
	return true
}

// goesOn reports whether an ask is one step through chains that the asker was
// not given before: who catches up is held up by its own pace alone. Whoever
// asks for the same again and again is not, nor are strangers.
func (by *asker) goesOn(now time.Time, v View, a Ask) bool {
	if now.Sub(by.freshAt) >= freshAgain {
		by.reached = nil
	}
	if by.id.IsZero() || len(a.Ranges) == 0 || len(a.Hashes)+len(a.Authors) > 0 || a.All == 1 {
		return false
	}
	return !slices.ContainsFunc(a.Ranges, func(r Range) bool {
		i := by.find(r.Author)
		again := i >= 0 && r.From <= by.reached[i].height
		return again || i < 0 && len(by.reached) >= MaxRanges || v.top(r.Author).Height < r.From || among(v.Last, r.Author)
	})
}

func (by *asker) find(author ledger.KeyID) int {
	return slices.IndexFunc(by.reached, func(r reached) bool { return r.author == author })
}

// note remembers how far an answer went.
func (by *asker) note(upTo []reached) {
	for _, r := range upTo {
		switch i := by.find(r.author); {
		case i >= 0:
			by.reached[i].height = max(by.reached[i].height, r.height)
		case len(by.reached) < MaxRanges && !by.id.IsZero():
			by.reached = append(by.reached, r)
		}
	}
}

// basket fills a give.
type basket struct {
	Give
	room int
	v    View
	upTo []reached // how far it goes in each range
}

// compose puts together the answer to an ask.
func (m *Machine) compose(now time.Time, v View, a Ask) *basket {
	b := &basket{Give: Give{From: m.config.Self}, room: batch - envelope, v: v}
	b.tell(a)
	b.addHashes(a)
	late := b.addRanges(a, false)
	if len(late) > 0 && now.Before(m.giving.lastAt) {
		b.More = 1
	} else if len(late) > 0 {
		m.giving.lastAt = now.Add(lastEvery)
		b.addRanges(a, true)
	}
	return b
}

// tell answers for branch heads.
func (b *basket) tell(a Ask) {
	for _, id := range a.Authors {
		heads := b.v.headsOf(id)
		if len(b.Heads)+len(heads) > ledger.MaxFrontierHeads/2 {
			continue
		}
		b.Told, b.Heads = append(b.Told, id), append(b.Heads, heads...)
	}
	if a.All == 1 {
		b.tellAll(a.After)
	}
	slices.SortFunc(b.Heads, compareRefs)
	b.Heads = slices.Compact(b.Heads)
	b.room -= headSize*len(b.Heads) + len(b.Told)*len(ledger.KeyID{})
}

func (b *basket) tellAll(after ledger.KeyID) {
	from := lowerBound(b.v.Heads, after)
	for i := from; i < len(b.v.Heads); i++ {
		h := b.v.Heads[i]
		if h.Author == after {
			continue
		}
		if len(b.Heads) >= ledger.MaxFrontierHeads {
			b.Next = b.v.Heads[i-1].Author
			return
		}
		b.Heads = append(b.Heads, h)
	}
}

// put adds an object if there is room; a give without objects has room for any
// one, unless it tells very many heads.
func (b *basket) put(list *[][]byte, raw []byte, room int) bool {
	size := len(raw) + wrapping
	fits := size <= min(room, b.room)
	if len(b.Blocks)+len(b.Statements) == 0 {
		fits = size <= b.room+MaxGive-batch
	}
	if !fits || len(*list) >= MaxObjects {
		b.More = 1
		return false
	}
	*list = append(*list, raw)
	b.room -= size
	return true
}

func (b *basket) addHashes(a Ask) {
	var statements []ledger.Hash
	for _, h := range a.Hashes {
		if block, ok := b.v.Store.Block(h); ok {
			b.put(&b.Blocks, block.Raw(), b.room)
		} else {
			statements = append(statements, h)
		}
	}
	if len(statements) > 0 {
		b.addStatements(statements, a.Have)
	}
}

// addStatements adds statements and all that they build on but the asker has
// not, each after those it builds on: what is cut off for want of room can then
// be asked for with what was given as a base.
func (b *basket) addStatements(asked, have []ledger.Hash) {
	w := walk{store: b.v.Store, seen: make(map[ledger.Hash]bool)}
	w.from(have, nil)
	w.from(asked, func(s ledger.Statement) bool { return b.put(&b.Statements, s.Raw(), b.room) })
}

// walk visits statements, each once and after those it builds on.
type walk struct {
	store Store
	seen  map[ledger.Hash]bool
}

// from visits roots and what they build on, until visit returns false.
func (w walk) from(roots []ledger.Hash, visit func(ledger.Statement) bool) {
	type step struct {
		hash ledger.Hash
		s    ledger.Statement
		done bool // what it builds on has been visited
	}
	var stack []step
	push := func(hs []ledger.Hash) {
		for _, h := range slices.Backward(hs) {
			if !w.seen[h] {
				stack = append(stack, step{hash: h})
			}
		}
	}
	push(roots)
	for len(stack) > 0 && len(w.seen) < maxWalk {
		top := &stack[len(stack)-1]
		if !top.done {
			s, ok := w.store.Statement(top.hash)
			if !ok || w.seen[top.hash] {
				stack = stack[:len(stack)-1]
				continue
			}
			w.seen[top.hash], top.s, top.done = true, s, true
			push(s.BuildsOn)
			continue
		}
		s := top.s
		stack = stack[:len(stack)-1]
		if visit != nil && !visit(s) {
			return
		}
	}
}

// addRanges adds blocks by height, for each range its share of the room. It
// returns the ranges of the other kind, of authors under evidence or not.
func (b *basket) addRanges(a Ask, last bool) (other []Range) {
	var mine []Range
	for _, r := range a.Ranges {
		switch {
		case b.v.top(r.Author).Height < r.From:
		case among(b.v.Last, r.Author) != last:
			other = append(other, r)
		default:
			mine = append(mine, r)
		}
	}
	for i, r := range mine {
		b.addRange(r, max(0, b.room)/(len(mine)-i))
	}
	return other
}

func (b *basket) addRange(r Range, share int) {
	before := b.room
	var height uint64
	for block := range b.v.Store.Blocks(r.Author, r.From, r.To) {
		if !b.put(&b.Blocks, block.Raw(), share-(before-b.room)) {
			break
		}
		height = block.Header().Height
	}
	if height > 0 {
		b.upTo = append(b.upTo, reached{r.Author, height})
	}
}
