package replica

import (
	"encoding/hex"
	"fmt"

	"traveler.example/ledger"
)

// Counted reports whether a block held counts: its author is not revoked, or the
// block is one of the heads that the revocation names, or before them.
func (v *View) Counted(block ledger.Ref) (bool, error) { return v.engine().counts(block) }

// Mark returns the mark of a block held: the cheap question whether it is.
func (v *View) Mark(hash ledger.Hash) (ledger.Ref, bool, error) {
	m, ok, err := read[markRecord](v.r, keyMark+str(hash))
	return m.ref(hash), ok && err == nil, err
}

// BlockCount is how many blocks of an author are held, on all branches.
func (v *View) BlockCount(author ledger.KeyID) (int, error) {
	forked, err := v.r.get(keyFork + string(author[:]))
	if err != nil {
		return 0, err
	}
	if forked == nil {
		heads, err := v.HeadsOf(author)
		if err != nil || len(heads) == 0 {
			return 0, err
		}
		return int(heads[len(heads)-1].Height), nil
	}
	keys, err := keysOf(v.r, keyChain+string(author[:]))
	return len(keys), err
}

// ConfirmedCount is how many blocks of an author are confirmed.
func (v *View) ConfirmedCount(author ledger.KeyID) (int, error) {
	heads, err := v.Confirmed(author)
	if err != nil || len(heads) == 0 {
		return 0, err
	}
	forked, err := v.r.get(keyFork + string(author[:]))
	if err != nil {
		return 0, err
	}
	if forked == nil {
		return int(heads[len(heads)-1].Height), nil
	}
	keys, err := keysOf(v.r, keyChain+string(author[:]))
	if err != nil {
		return 0, err
	}
	n := 0
	e := v.engine()
	for _, key := range keys {
		sure, err := e.below(refOf(string(author[:])+key), heads)
		if err != nil {
			return 0, err
		}
		if sure {
			n++
		}
	}
	return n, nil
}

// ItemsBeginning returns at most n items whose ids begin with some hexadecimal
// digits, by id.
func (v *View) ItemsBeginning(digits string, n int) ([]ledger.Item, error) {
	ids, err := v.beginning(keyItem, digits, n)
	var out []ledger.Item
	for _, id := range ids {
		it, ok, ierr := v.Item(id)
		if ierr != nil {
			return nil, ierr
		}
		if ok {
			out = append(out, it)
		}
	}
	return out, err
}

// BlocksBeginning returns at most n blocks whose hashes begin with some
// hexadecimal digits, by hash.
func (v *View) BlocksBeginning(digits string, n int) ([]ledger.Block, error) {
	hashes, err := v.beginning(keyMark, digits, n)
	var out []ledger.Block
	for _, h := range hashes {
		b, ok, berr := v.Block(h)
		if berr != nil {
			return nil, berr
		}
		if ok {
			out = append(out, b)
		}
	}
	return out, err
}

// TxsBeginning returns at most n ids of transactions held that begin with some
// hexadecimal digits, sorted.
func (v *View) TxsBeginning(digits string, n int) ([]ledger.TxID, error) {
	return v.beginning(keyTx, digits, n)
}

// beginning returns the hashes of one kind of record that begin with some
// hexadecimal digits, of which half a byte may be left over.
func (v *View) beginning(kind, digits string, n int) ([]ledger.Hash, error) {
	whole, err := hex.DecodeString(digits[:len(digits)/2*2])
	if err != nil || len(digits) > 2*hashSize {
		return nil, nil // no id begins so
	}
	var out []ledger.Hash
	prefix := kind + string(whole)
	err = v.r.keys(prefix, prefix, func(key string) bool {
		h := hashOf(key[1:])
		if h.String()[:len(digits)] == digits {
			out = append(out, h)
		}
		return len(out) < n
	})
	return out, err
}

// Ready returns nil when the disk has room for a commit, else ErrFull wrapped:
// the question to ask before a scan finds out. It asks the file system only.
func (r *Replica) Ready() error {
	if r.disk == nil {
		return nil
	}
	free, err := r.disk.free(r.disk.dir)
	if err != nil {
		return err
	}
	if free < r.disk.need() {
		return fmt.Errorf("%w: %d MiB are free and %d MiB must be; free some space", ErrFull, free>>20, r.disk.need()>>20)
	}
	return nil
}
