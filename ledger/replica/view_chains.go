package replica

import (
	"errors"
	"iter"

	"traveler.example/ledger"
)

// Tx returns a transaction held, valid or not, with all its placements.
func (v *View) Tx(id ledger.TxID) (Sealed, bool, error) {
	rec, ok, err := readTxRecord(v.r, id)
	if err != nil || !ok {
		return Sealed{}, false, err
	}
	placed, err := placementsOf(v.r, id, rec)
	if err != nil {
		return Sealed{}, false, err
	}
	s := Sealed{Placed: placed}
	if s.Tx, err = v.txOf(id, placed[0].Place); err != nil {
		return Sealed{}, false, err
	}
	s.Valid, s.Counted = rec.Valid, rec.Valid && !rec.Uncounted
	for i, p := range placed {
		if s.Placed[i], err = v.marked(p, rec); err != nil {
			return Sealed{}, false, err
		}
	}
	return s, true, nil
}

// marked adds to a placement what follows from its transaction and block.
func (v *View) marked(p Placed, rec txRecord) (Placed, error) {
	p.Again = rec.Valid && p.Status == Valid && p.Place != rec.Place
	counted, err := v.engine().counts(blockOf(p.Place))
	p.Uncounted = !counted
	return p, err
}

// engine lends the views the engine's walks over chains. Nothing is written.
func (v *View) engine() *engine {
	return &engine{overlay: overlay{base: v.r}, net: v.net, register: v.register, memo: newMemo()}
}

func (v *View) txOf(id ledger.TxID, p ledger.Place) (ledger.Tx, error) {
	if t, ok := v.draft[id]; ok {
		return t, nil
	}
	return readTx(v.r, v.net, p, id)
}

// About returns the valid transactions that speak of an item without moving it:
// amendments, bindings, misroutes; by transaction id.
func (v *View) About(item ledger.ItemID) ([]ledger.Tx, error) {
	ids, err := keysOf(v.r, keyAbout+str(item))
	if err != nil {
		return nil, err
	}
	out := make([]ledger.Tx, 0, len(ids))
	for _, id := range ids {
		rec, ok, err := readValid(v.r, hashOf(id))
		if err == nil && !ok {
			err = damaged(keyTx+id, "is missing though an index names it")
		}
		if err != nil {
			return nil, err
		}
		t, err := v.txOf(hashOf(id), rec.Place)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Amendments returns the valid counted amendments of a report or verdict, in
// the order in which they are to be applied: by time, then id.
func (v *View) Amendments(tx ledger.TxID) ([]ledger.Tx, error) {
	s, ok, err := v.Tx(tx)
	if err != nil || !ok {
		return nil, err
	}
	all, err := v.About(s.Tx.Item)
	if err != nil {
		return nil, err
	}
	var out []ledger.Tx
	for _, t := range all {
		if t.Kind != ledger.KindAmend || t.About[0] != tx {
			continue
		}
		counted, err := txCounts(v.r, t.ID())
		if err != nil {
			return nil, err
		}
		if counted {
			out = append(out, t)
		}
	}
	sortByTime(out)
	return out, nil
}

// Block returns a block held, hashed again.
func (v *View) Block(hash ledger.Hash) (ledger.Block, bool, error) {
	m, ok, err := read[markRecord](v.r, keyMark+str(hash))
	if err != nil || !ok {
		return ledger.Block{}, false, err
	}
	b, ok, err := readBlock(v.r, v.net, m.ref(hash))
	if err == nil && !ok {
		err = at(damaged(keyBlock+str(hash), "is missing"), m.ref(hash))
	}
	return b, err == nil, err
}

// Chain yields the blocks of an author by height, then hash, from a height on,
// all branches of them.
func (v *View) Chain(author ledger.KeyID, from uint64) iter.Seq2[ledger.Block, error] {
	return func(yield func(ledger.Block, error) bool) {
		prefix := keyChain + string(author[:])
		next := keyChain + heightKey(author, from)
		for {
			keys, err := pageOf(v.r, prefix, next)
			if err != nil {
				yield(ledger.Block{}, err)
				return
			}
			for _, key := range keys {
				ref := refOf(key[1:])
				b, ok, err := readBlock(v.r, v.net, ref)
				if err == nil && !ok {
					err = at(damaged(keyBlock+str(ref.Hash), "is missing"), ref)
				}
				if !yield(b, err) || err != nil {
					return
				}
			}
			if len(keys) < pageSize {
				return
			}
			next = keys[len(keys)-1] + "\x00"
		}
	}
}

// Refs returns the names of an author's blocks at one height, by hash.
func (v *View) Refs(author ledger.KeyID, height uint64) ([]ledger.Ref, error) {
	at := heightKey(author, height)
	hashes, err := keysOf(v.r, keyChain+at)
	refs := make([]ledger.Ref, 0, len(hashes))
	for _, h := range hashes {
		refs = append(refs, ledger.Ref{Author: author, Height: height, Hash: hashOf(h)})
	}
	return refs, err
}

// Heads returns the heads of all branches of all chains, by author, height,
// hash: what a frontier of this replica may say that it holds and has checked.
func (v *View) Heads() ([]ledger.Ref, error) {
	var out []ledger.Ref
	err := v.tips(func(_ ledger.KeyID, refs []ledger.Ref) { out = append(out, refs...) })
	return out, err
}

// HeadsOf returns the branch heads of one author, by height and hash.
func (v *View) HeadsOf(author ledger.KeyID) ([]ledger.Ref, error) { return tips(v.r, author) }

// Authors returns all whose blocks are held, sorted.
func (v *View) Authors() ([]ledger.KeyID, error) {
	var out []ledger.KeyID
	err := v.tips(func(a ledger.KeyID, _ []ledger.Ref) { out = append(out, a) })
	return out, err
}

func (v *View) tips(each func(ledger.KeyID, []ledger.Ref)) error {
	return scanRefs(v.r, keyTips, "", func(key string, refs []ledger.Ref) bool {
		each(ledger.KeyID([]byte(key[1:])), refs)
		return true
	})
}

// scanRefs decodes the lists of blocks under a prefix one by one.
func scanRefs(r reader, prefix, from string, yield func(key string, refs []ledger.Ref) bool) error {
	var failed error
	err := r.scan(prefix, from, func(key string, value []byte) bool {
		var v refsRecord
		if failed = decode(key, value, &v); failed != nil {
			return false
		}
		return yield(key, v)
	})
	return errors.Join(err, failed)
}

// Voids yields the void placements after a place, in the order of places, at
// most limit; 0: all.
func (v *View) Voids(after ledger.Place, limit int) iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		from, given := keyVoid, 0
		if !after.Author.IsZero() {
			from = keyVoid + placeKey(after) + "\x00"
		}
		err := v.r.scan(keyVoid, from, func(key string, value []byte) bool {
			if len(value) < hashSize || limit > 0 && given == limit {
				return false
			}
			given++
			p := Placed{Place: placeOf(key[1:]), Tx: ledger.TxID(value[:hashSize]), Status: Void, Reason: ledger.VoidReason(value[hashSize:])}
			return yield(p, nil)
		})
		if err != nil {
			yield(Placed{}, err)
		}
	}
}

// Waiting yields the placements that wait, by what they wait for; one that waits
// for several transactions is yielded once.
func (v *View) Waiting() iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		from := keyWaits
		for {
			keys, err := pageOf(v.r, keyWaits, from)
			if err != nil {
				yield(Placed{}, err)
				return
			}
			for _, key := range keys {
				tx, place := key[1+hashSize:1+2*hashSize], key[1+2*hashSize:]
				rec, err := v.placed(hashOf(tx), placeOf(place))
				if err == nil && (len(rec.For) == 0 || str(rec.For[0]) != key[1:1+hashSize]) {
					continue
				}
				p := Placed{Place: placeOf(place), Tx: hashOf(tx), Status: rec.Status, For: rec.For}
				if !yield(p, err) || err != nil {
					return
				}
			}
			if len(keys) < pageSize {
				return
			}
			from = keys[len(keys)-1] + "\x00"
		}
	}
}

func (v *View) placed(tx ledger.TxID, p ledger.Place) (placedRecord, error) {
	rec, _, err := readTxRecord(v.r, tx)
	if err != nil {
		return placedRecord{}, err
	}
	placed, _, err := placedAt(v.r, tx, rec, p)
	return placed, err
}

// Evidence returns every author of whom two versions of the chain are held.
func (v *View) Evidence() ([]Branches, error) {
	var out []Branches
	err := scanRefs(v.r, keyFork, "", func(_ string, refs []ledger.Ref) bool {
		if len(refs) > 0 {
			out = append(out, Branches{Author: refs[0].Author, Height: refs[0].Height, Blocks: refs})
		}
		return true
	})
	return out, err
}

// Stats counts what is held.
func (v *View) Stats() (Stats, error) {
	c, _, err := read[counters](v.r, keyCounters)
	if err != nil {
		return Stats{}, err
	}
	s := Stats{
		Blocks: c.Blocks, Statements: c.Statements, Transactions: c.Transactions, BlockBytes: c.Bytes,
		Placements: map[Status]uint64{}, Items: map[Standing]uint64{}, DaysLeft: -1,
	}
	for i, n := range c.Placements {
		if n > 0 {
			s.Placements[Status(i)] = n
		}
	}
	for i, n := range c.Items {
		if n > 0 {
			s.Items[Standing(i)] = n
		}
	}
	var reserve int64
	s.StoreBytes, s.FreeBytes, reserve = v.space()
	samples, _, err := read[samplesRecord](v.r, keyGrowth)
	s.DaysLeft = daysLeft(samples, s, reserve)
	return s, err
}

// daysLeft foretells when the reserve is reached: the store grows as the blocks
// did, in proportion.
func daysLeft(samples []sample, s Stats, reserve int64) int {
	if len(samples) < 2 || s.BlockBytes == 0 || s.StoreBytes == 0 {
		return -1
	}
	first, last := samples[0], samples[len(samples)-1]
	days, grown := last.Day-first.Day, int64(last.Bytes-first.Bytes)
	if days <= 0 || grown <= 0 {
		return -1
	}
	perBlockByte := s.StoreBytes/int64(s.BlockBytes) + 1
	return int(max(s.FreeBytes-reserve, 0) / max(grown*perBlockByte/days, 1))
}
