package replica

import (
	"errors"
	"slices"
	"sync"

	"traveler.example/ledger"
)

// Damage is what the replica knows to be damaged in its store. What follows from
// blocks and statements it mends by itself.
type Damage struct {
	// Blocks are in their chains and their bytes cannot be read. They come back
	// through Ingest: peers are to be asked for them by hash. At most maxHurt.
	Blocks []ledger.Ref
	// Lost, if any, says that the own chain has lost its end. Nothing is sealed
	// until peers have given it back or a person gives it up (Forsake).
	Lost *DamageError
	// Found counts what was found since Open, Last is the latest of it.
	Found uint64
	Last  *DamageError
}

// maxHurt bounds the blocks asked for at one time; the next pass finds the rest.
const maxHurt = 256

// ailing is what is known of damage. Readers, committer and mender share it.
type ailing struct {
	sync.Mutex
	blocks  map[ledger.Hash]ledger.Ref
	lost    *DamageError
	found   uint64
	last    *DamageError
	suspect chan struct{} // the mender is to look at once
	doubt   bool          // records have gone without a word: views are not to be believed
}

// Damage returns what is damaged now.
func (r *Replica) Damage() Damage {
	r.ailing.Lock()
	defer r.ailing.Unlock()
	d := Damage{Lost: r.ailing.lost, Found: r.ailing.found, Last: r.ailing.last}
	for _, ref := range r.ailing.blocks {
		d.Blocks = append(d.Blocks, ref)
	}
	slices.SortFunc(d.Blocks, compareRefs)
	return d
}

// found notes what a check at open or of the mender came upon.
func (r *Replica) found(d *DamageError) {
	r.ailing.Lock()
	defer r.ailing.Unlock()
	r.ailing.found++
	r.ailing.last = d
}

// suspect has the mender look through the store, if err speaks of damage.
func (r *Replica) suspect(err error) {
	if !errors.Is(err, ErrDamaged) {
		return
	}
	select {
	case r.ailing.suspect <- struct{}{}:
	default:
	}
}

func (r *Replica) setLost(d *DamageError) {
	if d != nil {
		r.suspect(d) // Badger answers what lies in a damaged table as not there
	}
	r.ailing.Lock()
	defer r.ailing.Unlock()
	r.lost, r.ailing.lost = d, d
	if d != nil {
		r.ailing.found++
		r.ailing.last = d
		r.ailing.doubt = true
	}
}

func (r *Replica) hurt(ref ledger.Ref) {
	r.ailing.Lock()
	defer r.ailing.Unlock()
	if len(r.ailing.blocks) < maxHurt {
		r.ailing.blocks[ref.Hash] = ref
	}
}

func (r *Replica) healed(hash ledger.Hash) {
	r.ailing.Lock()
	defer r.ailing.Unlock()
	delete(r.ailing.blocks, hash)
}

// watched passes what a reader says of damage on to the mender.
type watched struct {
	reader
	r *Replica
}

func (w watched) get(key string) ([]byte, error) {
	v, err := w.reader.get(key)
	w.r.suspect(err)
	return v, err
}

func (w watched) scan(prefix, from string, yield func(string, []byte) bool) error {
	err := w.reader.scan(prefix, from, yield)
	w.r.suspect(err)
	return err
}

// mendNow does what a verdict asks for. It is the committer's.
func (r *Replica) mendNow(v *verdict) error {
	if r.broken {
		return ErrReadBack
	}
	if r.disk != nil {
		if err := r.disk.room(); err != nil {
			return err
		}
	}
	r.views.Lock()
	defer r.views.Unlock()
	if v.tables {
		return r.renewStore()
	}
	s, err := r.newSession()
	if err == nil || errors.Is(err, ErrDamaged) {
		err = s.carryOut(v)
	}
	if err == nil {
		err = r.noteTip(s) // which tells whether the own chain has lost its end
	}
	s.close()
	if err != nil {
		r.broken = true // read back soon
		return err
	}
	r.log.Info("the store is mended")
	r.notify()
	return nil
}

// carryOut writes again what is known otherwise.
func (s *session) carryOut(v *verdict) error {
	for _, key := range v.local {
		s.e.delete(key) // it comes again with time
	}
	for _, h := range v.statements {
		if st, ok := s.e.register.Statement(h); ok {
			s.e.put(keyStatement+str(h), st.Raw())
		} else {
			s.e.delete(keyStatement + str(h)) // peers are asked as for any that is missing
		}
	}
	if v.views {
		if err := s.rebuild(); err != nil {
			return err
		}
	}
	return s.end()
}

// damagedFiles returns the damage for which the store does not open; nil where its
// files are not to blame.
func (r *Replica) damagedFiles(err error) *DamageError {
	var damage *DamageError
	if errors.As(err, &damage) {
		return damage
	}
	if d, ok := r.store.(*onDisk); ok && errors.As(checkTables(d.dir), &damage) {
		return damage
	}
	return nil
}

// renewStore makes a new store of what can be saved of this one, while nobody
// reads or writes.
func (r *Replica) renewStore() error {
	d, ok := r.store.(*onDisk)
	if !ok {
		return nil
	}
	known := r.register.Load().Statements() // in memory all of them are sound
	err := d.renew(func() error { return r.replaceStore(d.dir) })
	if err == nil {
		var w tree
		for _, st := range known {
			w.put(keyStatement+str(st.Hash()), st.Raw())
		}
		err = d.commit(&w)
	}
	if err == nil {
		err = r.load()
	}
	if err != nil {
		r.broken = true // read back soon
		return err
	}
	r.log.Info("the store is mended; the damaged one is kept beside it", "path", d.dir+damagedEnding)
	r.notify()
	return nil
}

// renew closes Badger, has its files made anew, and opens it again.
func (s *onDisk) renew(files func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		if err := closeBadger(s.db); err != nil {
			s.o.Log.Warn("the damaged store did not close well", "err", err)
		}
		s.db = nil
	}
	if err := files(); err != nil {
		return errors.Join(err, s.open())
	}
	return s.open()
}
