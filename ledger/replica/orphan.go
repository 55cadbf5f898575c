package replica

import (
	"errors"

	"traveler.example/ledger"
)

// An orphan is a block that was held and has lost an ancestor, or a statement
// that it cites, to damage. Its bytes are kept under what it lacks, and it is
// taken again as soon as that is back: a chain with a hole costs the hole alone,
// even where nobody else holds what follows.

func orphanKey(lacks, hash ledger.Hash) string { return keyOrphan + str(lacks) + str(hash) }

func (g *gapError) lacks() ledger.Hash {
	if !g.statement.IsZero() {
		return g.statement
	}
	return g.want.Hash
}

// orphan keeps a block that fits nothing until what it lacks is back.
func (e *engine) orphan(b ledger.UnverifiedBlock, gap *gapError) {
	e.put(orphanKey(gap.lacks(), b.Hash()), b.Raw())
	e.memo.orphans = some
}

// adopt takes again the blocks that lacked what has just been taken, and those
// that lacked these.
func (in *intake) adopt(found ledger.Hash) error {
	if any, err := in.s.e.anyOrphan(); err != nil || !any {
		return err
	}
	for queue := []ledger.Hash{found}; len(queue) > 0; queue = queue[1:] {
		children, err := keysOf(in.s.e, keyOrphan+str(queue[0]))
		if err != nil {
			return err
		}
		for _, child := range children {
			taken, err := in.adoptOne(queue[0], hashOf(child))
			if err != nil {
				return err
			}
			if taken {
				queue = append(queue, hashOf(child))
			}
		}
	}
	return nil
}

// known is the answer to a question that is asked of the store once.
type known byte

const (
	unasked known = iota
	none
	some
)

// anyOrphan reports whether there may be orphans.
func (e *engine) anyOrphan() (bool, error) {
	if e.memo.orphans == unasked {
		e.memo.orphans = none
		err := e.keys(keyOrphan, "", func(string) bool { e.memo.orphans = some; return false })
		if err != nil {
			e.memo.orphans = unasked
			return false, err
		}
	}
	return e.memo.orphans == some, nil
}

func (in *intake) adoptOne(lacked, hash ledger.Hash) (taken bool, err error) {
	e, key := in.s.e, orphanKey(lacked, hash)
	raw, err := e.get(key)
	e.delete(key)
	if err != nil || raw == nil {
		return false, nil // damaged as well: peers are asked for it as for any other
	}
	u, err := ledger.ParseBlock(e.net, raw)
	if err != nil || u.Hash() != hash {
		return false, nil
	}
	if held, err := e.holds(hash); err != nil || held {
		return false, err
	}
	var gap *gapError
	if err := e.fits(u); errors.As(err, &gap) {
		e.orphan(u, gap)
		return false, nil
	}
	before := len(in.res.Blocks)
	if err := in.take(u, nil); err != nil { // its hash is what was held: it is authentic
		return false, err
	}
	if taken = len(in.res.Blocks) > before; taken {
		if in.adopted == nil {
			in.adopted = map[ledger.Hash]bool{}
		}
		in.adopted[hash] = true
	}
	return taken, in.s.relieve()
}
