package ledger

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// RawBlock is a block as a store or a file gives it to Verify.
type RawBlock struct {
	Ref Ref    // what the store says it is; zero where nothing says so
	Raw []byte // nil: the store has lost it
	Err error  // why Raw is missing, if that is known
}

// Fault is one thing wrong with a chain.
type Fault struct {
	Author  KeyID
	Height  uint64
	Through uint64 // last height of a lost range; else Height
	Hash    Hash   // zero where no block is at hand
	Err     error
}

func (f Fault) Error() string {
	at := fmt.Sprintf("height %d", f.Height)
	if f.Through > f.Height {
		at = fmt.Sprintf("heights %d to %d", f.Height, f.Through)
	}
	return fmt.Sprintf("%s, %s: %v", f.Author.Short(), at, f.Err)
}

// Unwrap returns the reason.
func (f Fault) Unwrap() error { return f.Err }

// Reasons of faults that are no other error of this package.
var (
	ErrBlockLost   = errors.New("block is lost")
	ErrBlockHash   = errors.New("block is another than the store says")
	ErrUnvouched   = errors.New("neither its own signature nor a later block's vouches for the block")
	ErrOutOfOrder  = errors.New("block comes out of order: give chains by author and height")
	ErrRosterGap   = errors.New("block cites a roster statement that is not held")
	ErrBlockBroken = errors.New("block cannot be read")
)

// ChainReport says what Verify looked at.
type ChainReport struct {
	Chains       int
	Blocks       int // read and checked
	Transactions int // in them
	Signatures   int // of blocks, that were checked and hold
	Vouched      int // blocks for which a later one vouches
	Faults       int
}

// Verify walks chains from genesis (the paper's valid_chain): form, links, skip
// pointers, cited rosters, the author's role, and that for every block a signature
// vouches: its own or that of a block after it, whose hash links cover it.
// Blocks come by author, then height; fault is called for everything found
// wrong, and the walk goes on behind it as far as it can. Rosters are read from
// register, which has judged the statements itself. What transactions do is not
// looked at: a void one is no fault of a chain.
func Verify(register *Register, blocks iter.Seq[RawBlock], fault func(Fault)) ChainReport {
	v := verifier{register: register, net: register.Network(), fault: fault}
	for b := range blocks {
		v.take(b)
	}
	v.end()
	return v.report
}

// verifier walks one chain after the other.
type verifier struct {
	register *Register
	net      NetworkID
	fault    func(Fault)
	report   ChainReport

	author    KeyID
	last      uint64 // greatest height seen in this chain
	links     map[Hash]link
	unvouched map[Hash]Ref      // blocks for which nothing vouches yet
	window    []UnverifiedBlock // the last few, whose signatures were not looked at yet
}

// link is what later blocks need to know of one.
type link struct {
	Mark
	prev, also Hash
}

func (v *verifier) wrong(r Ref, err error) {
	v.report.Faults++
	v.fault(Fault{Author: r.Author, Height: r.Height, Through: r.Height, Hash: r.Hash, Err: err})
}

// take checks one block.
func (v *verifier) take(b RawBlock) {
	if b.Raw == nil {
		v.begin(b.Ref)
		v.lose(b)
		return
	}
	u, err := ParseBlock(v.net, b.Raw)
	if err != nil {
		if b.Ref != (Ref{}) {
			v.begin(b.Ref)
		}
		v.wrong(b.Ref, fmt.Errorf("%w: %w", ErrBlockBroken, err))
		return
	}
	r := u.Ref()
	v.begin(r)
	if b.Ref != (Ref{}) && b.Ref != r {
		v.wrong(b.Ref, fmt.Errorf("%w: it is %s", ErrBlockHash, r))
		return
	}
	v.report.Blocks++
	v.report.Transactions += len(u.txs)
	v.linked(u)
	v.signed(u)
	v.links[r.Hash] = link{MarkOf(u), u.header.Prev, u.header.Also}
}

// begin starts a chain when a block of another author comes, and reports heights
// left out.
func (v *verifier) begin(r Ref) {
	if v.links == nil || r.Author != v.author {
		v.end()
		v.report.Chains++
		v.author, v.last = r.Author, 0
		g := GenesisMark(v.net, r.Author)
		v.links, v.unvouched = map[Hash]link{g.Ref.Hash: {Mark: g, prev: g.Ref.Hash}}, map[Hash]Ref{}
	}
	switch {
	case r.Height < v.last:
		v.wrong(r, ErrOutOfOrder)
	case r.Height > v.last+1:
		v.report.Faults++
		v.fault(Fault{Author: r.Author, Height: v.last + 1, Through: r.Height - 1, Err: ErrBlockLost})
	}
	v.last = max(v.last, r.Height)
}

// end reports the blocks of a chain for which nothing vouches.
func (v *verifier) end() {
	v.settle()
	left := make([]Ref, 0, len(v.unvouched))
	for _, r := range v.unvouched {
		left = append(left, r)
	}
	slices.SortFunc(left, func(a, b Ref) int {
		if refLess(a, b) {
			return -1
		}
		return 1
	})
	for _, r := range left {
		v.wrong(r, ErrUnvouched)
	}
	v.unvouched = nil
}

func (v *verifier) lose(b RawBlock) {
	err := ErrBlockLost
	if b.Err != nil {
		err = fmt.Errorf("%w: %w", ErrBlockLost, b.Err)
	}
	v.wrong(b.Ref, err)
}

// linked checks what a block says about those before it. Where those are lost,
// which was reported, it checks what is left.
func (v *verifier) linked(u UnverifiedBlock) {
	h := u.header
	roster, err := v.register.At(h.Roster)
	if err != nil {
		v.wrong(u.Ref(), fmt.Errorf("%w: %w", ErrRosterGap, err))
		return
	}
	prev, ok := v.links[h.Prev]
	if !ok {
		if !roster.Has(h.Author, RoleGateway) {
			v.wrong(u.Ref(), fmt.Errorf("%w: the roster it cites gives it no gateway role", ErrAuthor))
		}
		return
	}
	s := Surroundings{Prev: prev.Mark, Roster: roster, Contains: v.register.Contains, Ancestor: v.ancestor}
	s.Mark = func(hash Hash) (Mark, bool) { l, ok := v.links[hash]; return l.Mark, ok }
	if !h.Also.IsZero() {
		also, ok := v.links[h.Also]
		if !ok {
			v.wrong(u.Ref(), fmt.Errorf("%w: also %s is lost", ErrLinks, h.Also.Short()))
			return
		}
		s.Also = also.Mark
	}
	var gap *GapError
	if err := u.CheckLinks(s); err != nil && !errors.As(err, &gap) {
		v.wrong(u.Ref(), err)
	}
}

// ancestor walks back from young by prev and also.
func (v *verifier) ancestor(old, young Ref) bool {
	seen := map[Hash]bool{}
	pending := []Hash{young.Hash}
	for len(pending) > 0 {
		at := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		l, ok := v.links[at]
		if !ok || seen[at] || l.Ref.Height < old.Height {
			continue
		}
		if seen[at] = true; at == old.Hash {
			return true
		}
		pending = append(pending, l.prev, l.also)
	}
	return false
}

// windowSize is how many blocks are held back until signatures are checked: the
// youngest vouches for all that it builds on, so one in so many is checked.
const windowSize = 64

// signed puts the block where a later one may vouch for it.
func (v *verifier) signed(u UnverifiedBlock) {
	if v.window = append(v.window, u); len(v.window) == windowSize {
		v.settle()
	}
}

// settle finds a signature for every block held back, from the youngest down.
func (v *verifier) settle() {
	vouched := make(map[Hash]bool, len(v.window))
	for _, u := range slices.Backward(v.window) {
		if vouched[u.hash] {
			v.report.Vouched++
		} else if !v.holds(u) {
			continue
		}
		for _, before := range []Hash{u.header.Prev, u.header.Also} {
			vouched[before] = true
			v.vouch(before)
		}
	}
	v.window = v.window[:0]
}

// holds checks a block's own signature.
func (v *verifier) holds(u UnverifiedBlock) bool {
	roster, err := v.register.At(u.header.Roster)
	if err != nil {
		return false // reported
	}
	if _, err := u.Verify(roster); err != nil {
		v.unvouched[u.hash] = u.Ref()
		return false
	}
	v.report.Signatures++
	return true
}

// vouch clears a block that was left without a signature, and all before it.
func (v *verifier) vouch(block Hash) {
	pending := []Hash{block}
	for len(pending) > 0 {
		at := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if _, waits := v.unvouched[at]; !waits {
			continue // vouched for already, and with it all before it
		}
		delete(v.unvouched, at)
		v.report.Vouched++
		l := v.links[at]
		pending = append(pending, l.prev, l.also)
	}
}
