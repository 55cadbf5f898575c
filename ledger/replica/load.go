package replica

import (
	"errors"
	"fmt"

	"traveler.example/ledger"
)

// format is the number of the store's layout. A replica of another one is
// rebuilt.
const format = 3

// load reads the register from the store, checks the ends of all chains and
// rebuilds the views if the last rebuild did not end.
func (r *Replica) load() error {
	snapshot := r.store.snapshot()
	defer func() { snapshot.close() }()
	register, whole, err := r.readRegister(snapshot)
	if err != nil {
		return err
	}
	r.register.Store(register)
	r.memo = newMemo()
	rebuild, err := r.checkFormat(snapshot)
	if err != nil {
		return err
	}
	rebuild = rebuild || !whole
	for mended := false; ; mended = true {
		if rebuild {
			r.log.Warn("the views are rebuilt from the blocks")
			if err := r.rebuildNow(); err != nil {
				return err
			}
			snapshot.close()
			snapshot = r.store.snapshot()
		}
		// A block at the end of a chain that cannot be read was perhaps never
		// acknowledged: it goes, and the chain ends before it.
		sound := r.checkTails(snapshot)
		if err := r.checkTip(snapshot); err != nil {
			return err
		}
		// Where the end of the own chain has gone without a word, other records
		// may have, too.
		if rebuild = !mended && (!sound || r.lost != nil); !rebuild {
			total, _, err := read[counters](snapshot, keyCounters)
			if err != nil && !errors.Is(err, ErrDamaged) {
				return err
			}
			r.held.Store(total.Blocks)
			return nil
		}
	}
}

// readRegister reads the roster statements. whole tells whether all could be read.
func (r *Replica) readRegister(from reader) (register *ledger.Register, whole bool, err error) {
	register = ledger.NewRegister(r.o.Genesis)
	held := map[ledger.Hash]ledger.Statement{}
	var failed error
	hashes, err := keysOf(from, keyStatement)
	if err != nil {
		return nil, false, err
	}
	for _, h := range hashes {
		key := keyStatement + h
		raw, err := from.get(key)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return nil, false, err
		}
		st, err := ledger.ParseStatement(r.net, raw)
		if err == nil && str(st.Hash()) != h {
			err = errors.New("hashes to " + st.Hash().Short())
		}
		if err != nil {
			failed = errors.Join(failed, damaged(key, err.Error()))
			continue
		}
		held[st.Hash()] = st
	}
	if failed != nil {
		r.log.Error("roster statements are damaged and will be asked for again", "err", failed)
	}
	for progress := true; progress; {
		progress = false
		for h, st := range held {
			var gap *ledger.GapError
			err := register.Add(st)
			if errors.As(err, &gap) {
				continue
			}
			if err != nil {
				return nil, false, fmt.Errorf("roster statement %s held: %w", h.Short(), err)
			}
			delete(held, h)
			progress = true
		}
	}
	return register, failed == nil, nil
}

// checkFormat refuses a store of another network, and reports whether the views
// are to be rebuilt.
func (r *Replica) checkFormat(from reader) (rebuild bool, err error) {
	want := append([]byte{format}, r.net[:]...)
	found, err := from.get(keyFormat)
	if errors.Is(err, ErrDamaged) { // what is of another network cannot be read under this one
		return true, r.writeFormat(want)
	}
	if err != nil {
		return false, err
	}
	if found == nil {
		return false, r.writeFormat(want)
	}
	if len(found) != len(want) || string(found[1:]) != string(want[1:]) {
		return false, fmt.Errorf("the directory holds the ledger of network %x, not of %s", found[min(1, len(found)):], r.net)
	}
	mark, err := from.get(keyDirty)
	if errors.Is(err, ErrDamaged) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if found[0] != format {
		return true, r.writeFormat(want)
	}
	return mark != nil, nil
}

func (r *Replica) writeFormat(value []byte) error {
	var w tree
	w.put(keyFormat, value)
	return r.store.commit(&w)
}

// tailLength is how many blocks at the end of a branch are read at open.
const tailLength = 16

// checkTails reads the last blocks of every branch: a power cut or a bad card
// shows there first. It logs what is damaged, and reports whether all is sound.
func (r *Replica) checkTails(from reader) (sound bool) {
	e := r.engineOn(from)
	sound = true
	err := scanRefs(from, keyTips, "", func(_ string, refs []ledger.Ref) bool {
		for _, head := range refs {
			if err := r.checkTail(e, head); err != nil {
				sound = false
				r.log.Error("the end of a chain is damaged", "err", err)
			}
		}
		return true
	})
	if err != nil {
		sound = false
		r.log.Error("branch heads are damaged", "err", err)
	}
	return sound
}

// engineOn reads one state of the store as an engine does.
func (r *Replica) engineOn(from reader) *engine {
	return &engine{overlay: overlay{base: from}, net: r.net, register: r.register.Load(), memo: r.memo}
}

func (r *Replica) checkTail(e *engine, head ledger.Ref) error {
	for at, n := head, 0; at.Height > 0 && n < tailLength; n++ {
		b, ok, err := readBlock(e, r.net, at)
		if err == nil && !ok {
			err = &DamageError{Author: at.Author, Height: at.Height, Hash: at.Hash, Key: recordNames[keyBlock], Detail: "is missing"}
		}
		if err != nil {
			return err
		}
		m, err := e.mustMark(at.Author, at.Hash)
		if err != nil {
			return err
		}
		if m.Prev != b.Header().Prev {
			return &DamageError{Author: at.Author, Height: at.Height, Hash: at.Hash, Key: recordNames[keyMark], Detail: "names another prev than the block"}
		}
		if head == at && at.Author == r.own {
			r.resumeStamp(b)
		}
		at = ledger.Ref{Author: at.Author, Height: at.Height - 1, Hash: m.Prev}
	}
	return nil
}

// resumeStamp makes stamps go on after the last block of the own chain.
func (r *Replica) resumeStamp(b ledger.Block) {
	r.stamp.Lock()
	defer r.stamp.Unlock()
	if h := b.Header(); h.Clock == ledger.ClockUnsynchronised {
		r.stamp.previous = max(r.stamp.previous, h.Time)
	}
}

// checkTip compares the own head with what was noted beside the store after the
// last commit: a store that lost its end without a word is found out.
func (r *Replica) checkTip(from reader) error {
	r.setLost(nil)
	_, err := r.lostSince(r.engineOn(from))
	return err
}

// lostSince reports whether the block noted as the own head is not held any
// more, and refuses to seal from then on.
func (r *Replica) lostSince(e *engine) (lost bool, err error) {
	if r.disk == nil || r.own.IsZero() {
		return false, nil
	}
	tip, ok := r.disk.readTip()
	if !ok || tip.Author != r.own {
		return false, nil
	}
	held, err := e.holds(tip.Hash)
	if err != nil || held {
		return false, err
	}
	r.setLost(&DamageError{
		Author: tip.Author, Height: tip.Height, Hash: tip.Hash, Key: "own chain",
		Detail: "blocks up to this one were sealed and the store has lost them; nothing is sealed until peers have given them back, or a person gives them up: traveler ledger forsake",
	})
	r.log.Error("the end of the own chain is lost", "err", r.lost)
	return true, nil
}

// noteTip notes the own head beside the store, after it is durable there.
func (r *Replica) noteTip(s *session) error {
	if r.disk == nil || r.own.IsZero() || r.maySeal(s) != nil {
		return nil
	}
	heads, err := tips(s.e, r.own)
	if err != nil || len(heads) == 0 {
		return err
	}
	return r.disk.writeTip(joinOrder(heads)[0])
}
