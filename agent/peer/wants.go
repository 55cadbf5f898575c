package peer

import (
	"slices"
	"time"

	"traveler.example/ledger"
)

const (
	maxClaims  = 8   // claims kept of one author
	maxHolders = 4   // holders kept of one claim or want
	maxWants   = 512 // objects wanted by hash
	maxRefused = 256 // refused blocks remembered
	maxTries   = 8   // fruitless asks until a claim is forgotten; the next status may raise it again
	fewTries   = 2   // the same for a doubtful author
	// grace is how long a block named by others may still be on its way here.
	grace = 500 * time.Millisecond
	// ingesting is how long the replica may take to commit what was given.
	ingesting = 5 * time.Second
)

// claim is the word of others that a block exists which is not held here.
type claim struct {
	ref     ledger.Ref
	holders []ledger.KeyID
	tries   int // fruitless asks
}

// author is what is missing of one author's chain.
type author struct {
	id     ledger.KeyID
	claims []claim // never empty; fewest tries first, then lowest

	target ledger.Hash // the claim that from and step belong to
	from   uint64      // lowest height to ask for; 0: after the highest held
	step   uint64      // how far from goes back when blocks do not link

	due    time.Time
	flight ledger.KeyID // who is being asked; zero: nobody
	given  bool         // blocks were given and the replica has not reported on them
	beside int          // answers in a row that brought nothing of it
	flows  bool         // the last blocks given were of use
	ahead  uint64       // given up to here: more may be asked for before the replica has reported; 0: not
}

// wantKind says what is wanted by hash.
type wantKind uint8

const (
	wantBlock wantKind = iota
	wantStatement
)

// want is an object wanted by hash, of which nothing else is known.
type want struct {
	hash    ledger.Hash
	kind    wantKind
	holders []ledger.KeyID
	tries   int
	due     time.Time
	flight  ledger.KeyID
	beside  int  // answers in a row that brought nothing of it
	given   bool // something was given and the replica has not reported on it
}

// wants is everything known to be missing here.
type wants struct {
	authors []*author    // by id
	hashes  []*want      // by hash
	refused []ledger.Ref // the last refused blocks, oldest first
	turn    int          // rotates who comes first
}

func (w *wants) find(id ledger.KeyID) (int, bool) {
	return slices.BinarySearchFunc(w.authors, id, func(a *author, id ledger.KeyID) int { return compareKeys(a.id, id) })
}

func (w *wants) author(id ledger.KeyID) *author {
	if i, ok := w.find(id); ok {
		return w.authors[i]
	}
	return nil
}

func (w *wants) isRefused(h ledger.Hash) bool {
	return slices.ContainsFunc(w.refused, func(r ledger.Ref) bool { return r.Hash == h })
}

// doubtful reports whether a block under this author's name was refused of late.
// The author need not be to blame: what else is claimed of its chain is asked
// for, but not as often.
func (w *wants) doubtful(id ledger.KeyID) bool {
	return slices.ContainsFunc(w.refused, func(r ledger.Ref) bool { return r.Author == id })
}

// wake makes everything due that is not in flight; after a change of the
// connection nothing is.
func (w *wants) wake(now time.Time) {
	for _, a := range w.authors {
		a.flight, a.due, a.given = ledger.KeyID{}, now, false
		a.flows, a.ahead = false, 0
	}
	for _, h := range w.hashes {
		h.flight, h.due, h.given = ledger.KeyID{}, now, false
	}
}

// claim notes that holder says, or another block shows, that ref exists. A zero
// holder means that nobody in particular is known to hold it.
func (m *Machine) claim(now time.Time, v View, ref ledger.Ref, holder ledger.KeyID) {
	if _, held := slices.BinarySearchFunc(v.Heads, ref, compareRefs); held || ref.Height == 0 {
		return
	}
	if v.Store.Has(ref.Hash) || m.wants.isRefused(ref.Hash) {
		return
	}
	wait := grace/2 + m.upTo(grace)
	if ref.Author == m.config.Self {
		wait = 0
	}
	a := m.wants.author(ref.Author)
	if a == nil {
		if a = m.newAuthor(v, ref.Author); a == nil {
			return
		}
		a.due = now.Add(wait)
	}
	if i := slices.IndexFunc(a.claims, func(c claim) bool { return c.ref == ref }); i >= 0 {
		a.claims[i].holders = withHolder(a.claims[i].holders, holder)
		return
	}
	if !a.admit(claim{ref: ref, holders: withHolder(nil, holder)}) {
		return
	}
	if a.flight.IsZero() && now.Add(wait).Before(a.due) {
		a.due = now.Add(wait)
	}
}

// newAuthor makes the entry of an author; nil when too many strangers are
// wanted already.
func (m *Machine) newAuthor(v View, id ledger.KeyID) *author {
	if !among(v.Gateways, id) {
		strangers := 0
		for _, a := range m.wants.authors {
			if !among(v.Gateways, a.id) {
				strangers++
			}
		}
		if strangers >= maxStrangers {
			return nil
		}
	}
	a := &author{id: id}
	i, _ := m.wants.find(id)
	m.wants.authors = slices.Insert(m.wants.authors, i, a)
	return a
}

func withHolder(holders []ledger.KeyID, id ledger.KeyID) []ledger.KeyID {
	if id.IsZero() || slices.Contains(holders, id) || len(holders) >= maxHolders {
		return holders
	}
	return append(holders, id)
}

// admit adds a claim. When there are too many, it takes the place of the one
// that was asked for in vain most often, if there is one.
func (a *author) admit(c claim) bool {
	if len(a.claims) >= maxClaims {
		if a.claims[len(a.claims)-1].tries == 0 {
			return false
		}
		a.claims = a.claims[:len(a.claims)-1]
	}
	a.claims = append(a.claims, c)
	a.sort()
	return true
}

func (a *author) sort() {
	slices.SortStableFunc(a.claims, func(x, y claim) int {
		if x.tries != y.tries {
			return x.tries - y.tries
		}
		return compareRefs(x.ref, y.ref)
	})
}

// settle forgets the claims that are fulfilled or can never be, and the author
// when none is left. It reports whether some are.
func (m *Machine) settle(v View, a *author) bool {
	most := maxTries
	if m.wants.doubtful(a.id) {
		most = fewTries
	}
	a.claims = slices.DeleteFunc(a.claims, func(c claim) bool {
		return c.tries >= most || v.Store.Has(c.ref.Hash) || m.wants.isRefused(c.ref.Hash)
	})
	if len(a.claims) > 0 {
		return true
	}
	if i, ok := m.wants.find(a.id); ok {
		m.wants.authors = slices.Delete(m.wants.authors, i, i+1)
	}
	return false
}

// next returns the range to ask for: towards the first claim, and on to the
// highest one, since one batch may bring both.
func (a *author) next(v View) Range {
	first := a.claims[0].ref
	if a.target != first.Hash {
		a.target, a.from, a.step = first.Hash, 0, 1
	}
	r := Range{Author: a.id, From: a.from, To: first.Height}
	if r.From == 0 {
		r.From = min(v.top(a.id).Height+1, first.Height)
	}
	for _, c := range a.claims {
		r.To = max(r.To, c.ref.Height)
	}
	if a.ahead > 0 {
		r.From = max(r.From, a.ahead+1)
	}
	return r
}

// asksAhead reports whether the next range may be asked for while the replica
// still commits the one before, so that neither side waits for the other. It is
// one range: what lies ahead is bounded, and who gives rubbish is found out at
// once.
func (a *author) asksAhead() bool {
	return a.ahead > 0 && slices.ContainsFunc(a.claims, func(c claim) bool { return c.ref.Height > a.ahead })
}

// progressed notes that blocks up to height came in.
func (a *author) progressed(now time.Time, height uint64) {
	if a.from > 0 && height >= a.from {
		a.from = min(height+1, a.claims[0].ref.Height)
	}
	// Live blocks that come in beside are no answer: they must not keep alive a
	// claim of what does not exist.
	if a.given {
		a.given, a.due = false, now
		a.flows, a.ahead = true, 0
		a.claims[0].tries = 0
	}
}

// above raises the range over blocks that are held, after the way back to where a
// branch begins led too far below it. It reports whether the range went higher and
// the claim is still above.
func (a *author) above(height uint64) bool {
	if a.from == 0 || height < a.from || height >= a.claims[0].ref.Height {
		return false
	}
	a.from = height + 1
	return true
}

// back lowers the range after a block at height did not link. It reports
// whether the range went lower.
func (a *author) back(now time.Time, v View, height uint64) bool {
	from := a.next(v).From
	if height > from || from == 1 {
		return false
	}
	lower := uint64(1)
	if height > a.step {
		lower = height - a.step
	}
	a.from, a.step, a.due, a.given = min(lower, from-1), a.step*2, now, false
	return true
}

// fruitless notes that an ask brought nothing, and waits before the next one.
func (m *Machine) fruitless(now time.Time, v View, a *author) {
	a.flight, a.given = ledger.KeyID{}, false
	a.flows, a.ahead = false, 0
	a.claims[0].tries++
	a.sort()
	if m.settle(v, a) {
		a.due = now.Add(m.backoff(a.claims[0].tries))
	}
}

// backoff is the wait after so many fruitless asks: 1, 2, 4 … 32 s.
func (m *Machine) backoff(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	return m.spread(time.Second << min(tries-1, 5))
}

func (w *wants) findHash(h ledger.Hash) (int, bool) {
	return slices.BinarySearchFunc(w.hashes, h, func(x *want, h ledger.Hash) int { return compareHashes(x.hash, h) })
}

func (m *Machine) wantStatements(now time.Time, v View, hashes []ledger.Hash, holder ledger.KeyID) {
	for _, h := range hashes {
		m.want(now, v, h, wantStatement, holder)
	}
}

// want notes an object to be asked for by hash. Beyond the bound it is left to
// a later message to name it again.
func (m *Machine) want(now time.Time, v View, h ledger.Hash, kind wantKind, holder ledger.KeyID) {
	if h.IsZero() || v.holds(h, kind) {
		return
	}
	i, ok := m.wants.findHash(h)
	if ok {
		m.wants.hashes[i].holders = withHolder(m.wants.hashes[i].holders, holder)
		return
	}
	if len(m.wants.hashes) >= maxWants {
		return
	}
	w := &want{hash: h, kind: kind, holders: withHolder(nil, holder), due: now.Add(m.upTo(grace / 4))}
	m.wants.hashes = slices.Insert(m.wants.hashes, i, w)
}

// failed notes that an ask for w brought nothing.
func (m *Machine) failed(now time.Time, w *want) {
	w.flight, w.given = ledger.KeyID{}, false
	w.tries++
	w.due = now.Add(time.Second << min(w.tries-1, 5)) // not spread: what failed together is asked for together
}

// sweep forgets the wants by hash that are fulfilled or given up. It reports
// whether there were any.
func (m *Machine) sweep(v View) bool {
	before := len(m.wants.hashes)
	m.wants.hashes = slices.DeleteFunc(m.wants.hashes, func(w *want) bool {
		return w.tries >= maxTries || v.holds(w.hash, w.kind)
	})
	return len(m.wants.hashes) < before
}
