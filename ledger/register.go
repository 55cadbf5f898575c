package ledger

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// What a register holds at most. Only admins and holders of a ticket's code can
// make statements, so these bound memory, not the growth of an honest network.
const (
	MaxStatements = 1 << 16  // statements
	MaxRegister   = 64 << 20 // bytes of statements
)

// cachedRosters bounds how many rosters a register remembers. They share their
// parts; blocks of one hour cite a handful.
const cachedRosters = 256

// ErrRefused is wrapped when a statement breaks a rule: for ever, and in every
// register of the network.
var ErrRefused = errors.New("statement refused")

// ErrRegisterFull is wrapped when a statement would be more than a register holds.
var ErrRegisterFull = errors.New("register is full")

// GapError says which objects are missing before something can be judged.
// Nothing is remembered of what had the gap: it is given again once they are
// held.
type GapError struct {
	Missing []Hash
}

func (e *GapError) Error() string {
	if len(e.Missing) == 1 {
		return fmt.Sprintf("%s is not held yet", e.Missing[0])
	}
	return fmt.Sprintf("%d objects are not held yet, the first is %s", len(e.Missing), e.Missing[0])
}

// Register holds every valid roster statement of a network that came, and reads
// rosters from them. Registers that hold the same statements say the same,
// whatever the order in which those came. It is safe for concurrent use.
type Register struct {
	genesis Genesis
	net     NetworkID

	mu    sync.RWMutex
	held  map[Hash]*entry
	heads map[Hash]*entry // nothing held builds on them
	order []*entry        // by depth, then hash
	bytes int

	cacheMu sync.Mutex
	rosters map[string]*Roster
	oldest  []string // keys of rosters as they came
}

// NewRegister returns the register of the network that g founds. g comes from
// NewGenesis or ParseGenesis.
func NewRegister(g Genesis) *Register {
	return &Register{
		genesis: g, net: g.Network(), held: map[Hash]*entry{}, heads: map[Hash]*entry{}, rosters: map[string]*Roster{},
	}
}

// Network returns the id of the network.
func (r *Register) Network() NetworkID { return r.net }

// Add judges a parsed statement and holds it. It returns nil also for one held
// already, a *GapError when something it builds on is not held, ErrRefused
// wrapped with the rule and the value that breaks it, ErrSignature among them,
// or ErrRegisterFull wrapped.
func (r *Register) Add(s Statement) error {
	if len(s.raw) == 0 || s.hash != digest(labelStatement, r.net, s.raw) {
		return fmt.Errorf("%w: it was not parsed for network %s", ErrRefused, r.net)
	}
	r.mu.RLock()
	_, known := r.held[s.hash]
	parents, err := r.find(s.BuildsOn)
	r.mu.RUnlock()
	if known || err != nil {
		return err
	}
	// Nothing held changes, so the judging needs no lock.
	h, err := judgeStatement(r.genesis, s, parents)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrRefused, s.hash.Short(), err)
	}
	return r.hold(h)
}

func (r *Register) hold(h *entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.held[h.hash]; known {
		return nil
	}
	if len(r.held) >= MaxStatements || r.bytes+len(h.raw) > MaxRegister {
		return fmt.Errorf("%w: statement %s would come to %d statements held, %d bytes", ErrRegisterFull, h.hash.Short(), len(r.held), r.bytes)
	}
	r.held[h.hash] = h
	r.bytes += len(h.raw)
	at, _ := slices.BinarySearchFunc(r.order, h, (*entry).compare)
	r.order = slices.Insert(r.order, at, h)
	for _, p := range h.parents {
		delete(r.heads, p.hash)
	}
	r.heads[h.hash] = h
	return nil
}

// find is called with r.mu held.
func (r *Register) find(hashes []Hash) ([]*entry, error) {
	var missing []Hash
	hs := make([]*entry, 0, len(hashes))
	for _, hash := range hashes {
		if h, ok := r.held[hash]; ok {
			hs = append(hs, h)
		} else {
			missing = append(missing, hash)
		}
	}
	if missing != nil {
		return nil, &GapError{Missing: missing}
	}
	return hs, nil
}

func (r *Register) lookUp(hashes []Hash) ([]*entry, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(hashes)
}

// Statement returns a statement held.
func (r *Register) Statement(hash Hash) (Statement, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if h, ok := r.held[hash]; ok {
		return h.Statement, true
	}
	return Statement{}, false
}

// Statements returns all statements held, each after those it builds on: by
// depth, then by hash. Given to another register in this order, none is a gap.
func (r *Register) Statements() []Statement {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Statement, len(r.order))
	for i, h := range r.order {
		all[i] = h.Statement
	}
	return all
}

// Heads returns the sorted hashes of the statements held that none held builds
// on: what the next statement joins. They may be more than MaxRosterHeads: see
// Cite.
func (r *Register) Heads() []Hash { return hashesOf(r.tips()) }

func (r *Register) tips() []*entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	hs := make([]*entry, 0, len(r.heads))
	for _, h := range r.heads {
		hs = append(hs, h)
	}
	slices.SortFunc(hs, compareEntries)
	return hs
}

// Cite returns at most MaxRosterHeads sorted heads whose closure holds that of
// must and as much else as they can: what a block cites after one that cites
// must, or what the next statement builds on. Where fewer heads are held, it is
// Heads. It returns a *GapError when must is not held.
func (r *Register) Cite(must []Hash) ([]Hash, error) {
	hs, err := r.lookUp(must)
	if err != nil {
		return nil, err
	}
	chosen := tips(hs)
	open := r.tips()
	slices.SortFunc(open, func(a, b *entry) int {
		if a.Redemption() != b.Redemption() { // those of a leaked code crowd out no admin's word
			return order(a.Redemption(), b.Redemption())
		}
		return b.compare(a)
	})
	for _, h := range open {
		if more := tips(append(slices.Clone(chosen), h)); len(more) <= MaxRosterHeads {
			chosen = more
		}
	}
	return hashesOf(chosen), nil
}

// At returns the roster of the closure of heads: of these statements and all
// they build on. It returns a *GapError when one is not held.
func (r *Register) At(heads []Hash) (*Roster, error) {
	hs, err := r.lookUp(heads)
	if err != nil {
		return nil, err
	}
	return r.roster(hs), nil
}

// Current returns the roster of all statements held.
func (r *Register) Current() *Roster { return r.roster(r.tips()) }

func (r *Register) roster(hs []*entry) *Roster {
	hs = slices.Clone(hs)
	slices.SortFunc(hs, compareEntries)
	hs = slices.Compact(hs)
	key := make([]byte, 0, len(hs)*len(Hash{}))
	for _, h := range hs {
		key = append(key, h.hash[:]...)
	}
	r.cacheMu.Lock()
	roster, ok := r.rosters[string(key)]
	r.cacheMu.Unlock()
	if ok {
		return roster
	}
	roster = newRoster(r.genesis, hs)
	r.remember(string(key), roster)
	return roster
}

func (r *Register) remember(key string, roster *Roster) {
	r.cacheMu.Lock()
	defer r.cacheMu.Unlock()
	if _, known := r.rosters[key]; known {
		return
	}
	if len(r.oldest) == cachedRosters {
		delete(r.rosters, r.oldest[0])
		r.oldest = append(r.oldest[:0], r.oldest[1:]...)
	}
	r.rosters[key] = roster
	r.oldest = append(r.oldest, key)
}

// MaxRedemptions is how many redemptions of one ticket a gateway takes. An honest
// ticket has one; more come when its code was used twice or has leaked.
const MaxRedemptions = 16

// Crowded reports whether s is a redemption of a ticket that has MaxRedemptions
// here already, and no revocation held names it among those that count. Whoever
// knows a code could fill every register with redemptions; so a gateway does not
// [Register.Add] what is crowded, until admins have ruled on the ticket.
func (r *Register) Crowded(s Statement) bool {
	if !s.Redemption() {
		return false
	}
	now, code := r.Current(), treeKey(s.Changes[0].Subject)
	return len(now.redeemed.value(code)) >= MaxRedemptions && !slices.Contains(now.revoked.value(code), s.hash)
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Contains reports whether the closure of outer holds every statement of the
// closure of inner: a block's roster holds those of the blocks before it. It
// returns a *GapError when one of the heads is not held.
func (r *Register) Contains(outer, inner []Hash) (bool, error) {
	hs, err := r.lookUp(slices.Concat(outer, inner))
	if err != nil {
		return false, err
	}
	return within(hs[:len(outer)], hs[len(outer):]), nil
}
