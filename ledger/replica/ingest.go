package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"traveler.example/ledger"
)

// Ingest takes what peers gave: blocks, statements, frontiers, evidence, in any
// order, with repetitions. What it returns as new is durable. The error is of
// this replica (ErrFull, ErrReadBack, ErrDamaged, ErrClosed, the context's);
// what is wrong with an object stands in the Result. When the context ends first
// the objects may still be taken.
func (r *Replica) Ingest(ctx context.Context, objects ...Object) (Result, error) {
	if len(objects) == 0 {
		return Result{}, nil
	}
	rep, err := r.ask(ctx, &request{objects: objects})
	return rep.result, err
}

// intake sorts the objects of one Ingest.
type intake struct {
	s       *session
	res     Result
	blocks  map[ledger.Hash]ledger.UnverifiedBlock
	adopted map[ledger.Hash]bool // orphans taken again; made when there is one
}

// ingest takes the objects of one request.
func (s *session) ingest(objects []Object) (Result, error) {
	in := &intake{s: s, blocks: map[ledger.Hash]ledger.UnverifiedBlock{}}
	clear(s.e.changed)
	var statements []ledger.Statement
	var rest []Object
	for _, o := range objects {
		switch o := o.(type) {
		case ledger.UnverifiedBlock:
			in.blocks[o.Hash()] = o
		case ledger.Block:
			in.blocks[o.Hash()] = o.UnverifiedBlock
		case ledger.Statement:
			statements = append(statements, o)
		case ledger.Frontier, ledger.Evidence:
			rest = append(rest, o)
		default:
			in.res.Refused = append(in.res.Refused, Refusal{What: fmt.Sprintf("%T", o), Err: errors.New("is no object that peers exchange")})
		}
	}
	if err := in.statements(statements); err != nil {
		return Result{}, err
	}
	for _, h := range in.res.Statements {
		if err := in.adopt(h); err != nil {
			return Result{}, err
		}
	}
	if err := in.chains(); err != nil {
		return Result{}, err
	}
	for _, o := range rest {
		if err := in.word(o); err != nil {
			return Result{}, err
		}
	}
	if err := s.work(); err != nil {
		return Result{}, err
	}
	in.res.Changed = sortedItems(s.e.changed)
	return in.res, nil
}

// word takes a frontier or evidence.
func (in *intake) word(o Object) error {
	switch o := o.(type) {
	case ledger.Frontier:
		return in.frontier(o)
	case ledger.Evidence:
		return in.evidence(o)
	}
	return nil
}

// statements adds roster statements, each after those it builds on.
func (in *intake) statements(all []ledger.Statement) error {
	before := in.s.e.register.Current()
	added := false
	for progress := true; progress; {
		progress = false
		in.res.Gaps = nil
		var again []ledger.Statement
		for _, st := range all {
			if _, held := in.s.e.register.Statement(st.Hash()); held {
				continue
			}
			err := in.admit(st)
			var gap *ledger.GapError
			switch {
			case err == nil:
				in.s.e.put(keyStatement+str(st.Hash()), st.Raw())
				in.s.e.count(func(c *counters) { c.Statements++ })
				in.res.Statements = append(in.res.Statements, st.Hash())
				progress, added = true, true
			case errors.As(err, &gap):
				again = append(again, st)
				for _, h := range gap.Missing {
					in.res.Gaps = append(in.res.Gaps, Gap{Statement: h, Err: err})
				}
			default:
				in.res.Refused = append(in.res.Refused, Refusal{What: "statement", Hash: st.Hash(), Err: err})
			}
		}
		all = again
	}
	if !added {
		return nil
	}
	return in.s.recountChanged(before, in.s.e.register.Current())
}

// admit adds a statement to the register, if it does not come from a flood.
func (in *intake) admit(st ledger.Statement) error {
	if in.s.e.register.Crowded(st) {
		return fmt.Errorf("%w: %d boards have redeemed this ticket already; its code has leaked: revoke the ticket", ledger.ErrRegisterFull, ledger.MaxRedemptions)
	}
	return in.s.e.register.Add(st)
}

// recountChanged has everything counted again of which a new roster may say
// something else.
func (s *session) recountChanged(before, now *ledger.Roster) error {
	var authors []ledger.KeyID
	err := scanRefs(s.e, keyTips, "", func(key string, _ []ledger.Ref) bool {
		authors = append(authors, ledger.KeyID([]byte(key[1:])))
		return true
	})
	if err != nil {
		return err
	}
	witnesses := !slices.Equal(before.Witnesses(), now.Witnesses())
	if witnesses {
		clear(s.e.memo.lacking)
	}
	for _, a := range authors {
		oldHeads, wasRevoked := before.Revoked(a)
		heads, revoked := now.Revoked(a)
		if wasRevoked != revoked || !slices.Equal(oldHeads, heads) {
			s.e.recalls = append(s.e.recalls, recall{author: a})
		}
		if witnesses {
			s.e.grown[a] = true
		}
	}
	return nil
}

// chains takes the blocks: first it finds out which are authentic, from the
// youngest down, then it takes them, the oldest first.
func (in *intake) chains() error {
	var fresh []ledger.UnverifiedBlock
	for _, b := range in.blocks {
		held, err := in.s.e.holds(b.Hash())
		if err != nil {
			return err
		}
		if held {
			in.mend(b)
			continue
		}
		fresh = append(fresh, b)
	}
	slices.SortFunc(fresh, func(a, b ledger.UnverifiedBlock) int { return compareRefs(a.Ref(), b.Ref()) })
	authentic := in.authenticate(fresh)
	for _, b := range fresh {
		if in.adopted[b.Hash()] {
			continue // it lay here, and came with what it lacked
		}
		reason := authentic[b.Hash()]
		if err := in.take(b, reason); err != nil {
			return err
		}
		if err := in.adopt(b.Hash()); err != nil {
			return err
		}
		if err := in.s.relieve(); err != nil {
			return err
		}
	}
	return nil
}

// mend puts back the bytes of a block whose stored ones are damaged. The hash is
// the same, so these are what was written once.
func (in *intake) mend(b ledger.UnverifiedBlock) {
	key := keyBlock + str(b.Hash())
	if raw, err := in.s.e.get(key); err != nil || !bytes.Equal(raw, b.Raw()) {
		in.s.e.put(key, b.Raw())
		in.s.r.healed(b.Hash())
		in.s.r.log.Info("a damaged block was replaced", "block", b.Ref().String())
	}
}

// errNotAuthentic is the gap of a block whose own signature fails.
var errNotAuthentic = errors.New("neither its own signature nor a signed descendant vouches for it")

// authenticate tells for each block why it is not authentic, nil where it is.
// One signature vouches for all that its block links to, so a range costs one.
func (in *intake) authenticate(sorted []ledger.UnverifiedBlock) map[ledger.Hash]error {
	out := make(map[ledger.Hash]error, len(sorted))
	vouched := map[ledger.Hash]bool{}
	for _, b := range slices.Backward(sorted) {
		h := b.Header()
		err := in.verify(b, vouched[b.Hash()])
		if out[b.Hash()] = err; err == nil {
			vouched[h.Prev], vouched[h.Also] = true, true
		}
	}
	return out
}

func (in *intake) verify(b ledger.UnverifiedBlock, vouched bool) error {
	if vouched {
		return nil
	}
	roster, err := in.s.e.register.At(b.Header().Roster)
	if err != nil {
		return gapOf(err)
	}
	if _, err = in.s.r.o.verify(b, roster); errors.Is(err, ledger.ErrSignature) {
		return fmt.Errorf("%w: %w", errNotAuthentic, err)
	}
	return err
}

// take inserts one block, or says why not.
func (in *intake) take(b ledger.UnverifiedBlock, unproven error) error {
	ref, e := b.Ref(), in.s.e
	refused := func(err error) {
		in.res.Refused = append(in.res.Refused, Refusal{What: "block", Hash: ref.Hash, Author: ref.Author, Err: err})
	}
	if errors.Is(unproven, ledger.ErrAuthor) {
		refused(unproven)
		return nil
	}
	err := e.fits(b)
	var gap *gapError
	switch {
	case errors.As(err, &gap):
		in.res.Gaps = append(in.res.Gaps, Gap{Of: ref, Want: gap.want, Statement: gap.statement, Err: err})
		return nil
	case errors.Is(err, ledger.ErrLinks), errors.Is(err, ledger.ErrAuthor):
		refused(err)
		return nil
	case err != nil:
		return err
	case unproven != nil:
		in.res.Gaps = append(in.res.Gaps, Gap{Of: ref, Want: ref, Err: unproven})
		return nil
	}
	before, err := e.fork(ref.Author)
	if err != nil {
		return err
	}
	if err := e.insert(sealingOf(b)); err != nil {
		return err
	}
	in.res.Blocks = append(in.res.Blocks, ref)
	in.res.OwnBranch = in.res.OwnBranch || ref.Author == in.s.r.own
	fork, err := e.fork(ref.Author)
	if len(before) == 0 && len(fork) > 0 {
		in.name(ref.Author)
	}
	return err
}

func (in *intake) name(author ledger.KeyID) {
	if !slices.Contains(in.res.Evidence, author) {
		in.res.Evidence = append(in.res.Evidence, author)
	}
}

func (in *intake) frontier(f ledger.Frontier) error {
	e := in.s.e
	if err := in.s.r.o.Pool.verifyFrontier(f, e.net, e.register.Current()); err != nil {
		in.res.Refused = append(in.res.Refused, Refusal{What: "frontier", Author: f.Witness, Err: err})
		return nil
	}
	news, err := e.testify(f)
	if err != nil {
		return err
	}
	if news {
		in.res.Frontiers = append(in.res.Frontiers, f)
	}
	return nil
}

// evidence keeps a proof of two branches until both are held.
func (in *intake) evidence(ev ledger.Evidence) error {
	e := in.s.e
	roster := e.register.Current()
	a, _, err := ev.Verify(e.net, func(id ledger.KeyID) (ledger.PublicKey, bool) {
		i, ok := roster.Identity(id)
		return i.Key, ok
	})
	if err != nil {
		in.res.Refused = append(in.res.Refused, Refusal{What: "evidence", Author: a.Author, Err: err})
		return nil
	}
	for _, key := range []string{keyFork, keyTestimony} {
		if old, err := e.get(key + string(a.Author[:])); err != nil || old != nil {
			return err
		}
	}
	e.put(keyTestimony+string(a.Author[:]), ev.Raw())
	in.name(a.Author)
	return nil
}
