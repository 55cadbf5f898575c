package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

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

// How the mender goes through the store: slowly, since a card lives longer the
// less is asked of it, and at once after damage was read, but no more often than
// every ten seconds.
const (
	scrubRate  = 8 << 20 // bytes a minute
	scrubPause = time.Hour
	scrubSoon  = time.Minute
	scrubAgain = 10 * time.Second
	scrubStep  = 64 << 10 // bytes between two waits
)

// mender looks for damage until the replica closes, and has it mended.
func (r *Replica) mender() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-r.quit
		cancel()
	}()
	var last time.Time
	next := time.NewTimer(scrubSoon)
	defer next.Stop()
	hasty := false // damage was read since the last pass
	for {
		urgent := false
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			urgent, hasty = hasty, false
		case <-r.ailing.suspect:
			if wait := scrubAgain - time.Since(last); !last.IsZero() && wait > 0 {
				next.Reset(wait)
				hasty = true
				continue
			}
			urgent = true
		}
		last = time.Now()
		if err := r.scrub(ctx, urgent); err != nil && ctx.Err() == nil {
			r.log.Error("the store could not be mended yet", "err", err)
			next.Reset(scrubSoon)
			continue
		}
		next.Reset(scrubPause)
	}
}

// verdict is what a pass found.
type verdict struct {
	tables     bool          // a table is damaged: the store is to be made anew
	views      bool          // a record that follows from others is damaged
	statements []ledger.Hash // held in the register, damaged in the store
	local      []string      // keys of local records that are damaged
	reply      chan error
}

func (v *verdict) sound() bool {
	return !v.tables && !v.views && len(v.statements)+len(v.local) == 0
}

// scrub goes through the whole store once and has what it finds mended.
func (r *Replica) scrub(ctx context.Context, urgent bool) error {
	p := &pace{ctx: ctx, urgent: urgent}
	v := &verdict{reply: make(chan error, 1)}
	if err := r.scrubTables(p, v); err != nil {
		return err
	}
	if !v.tables {
		if err := r.scrubRecords(p, v); err != nil {
			return err
		}
	}
	if v.sound() {
		return nil
	}
	select {
	case r.verdicts <- v:
		return <-v.reply
	case <-ctx.Done():
		return nil
	}
}

// pace keeps a pass to its rate.
type pace struct {
	ctx    context.Context
	urgent bool
	owed   int
}

// read accounts for bytes read, and waits as long as they are worth.
func (p *pace) read(n int) error {
	if p.owed += n; p.urgent || p.owed < scrubStep {
		return p.ctx.Err()
	}
	wait := time.Duration(p.owed) * time.Minute / scrubRate
	p.owed = 0
	select {
	case <-p.ctx.Done():
		return p.ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

// scrubTables reads the tables as files: Badger ends the process where it meets
// a damaged one.
func (r *Replica) scrubTables(p *pace, v *verdict) error {
	d, ok := r.store.(*onDisk)
	if !ok {
		return nil
	}
	live, err := liveTables(d.dir)
	if err != nil {
		return fmt.Errorf("the manifest cannot be read now: %w", err) // it may be being written
	}
	for _, name := range live {
		n, err := checkTable(filepath.Join(d.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // replaced meanwhile
		}
		var damage *DamageError
		if errors.As(err, &damage) {
			v.tables = true
			r.report(damage)
			return nil
		}
		if err := errors.Join(err, p.read(n)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replica) report(d *DamageError) {
	r.found(d)
	r.log.Error("the store is damaged", "err", d)
}

// scrubRecords reads every record, in pages, so that no snapshot is held long.
func (r *Replica) scrubRecords(p *pace, v *verdict) error {
	for from := ""; ; {
		var keys []string
		size := 0
		err := r.Read(func(view *View) (err error) {
			reader := view.r.(watched).reader // the mender itself need not be told
			if keys, err = pageOf(reader, "", from); err != nil {
				return err
			}
			for _, key := range keys {
				n, err := r.checkRecord(reader, view.net, key)
				if size += n; err != nil {
					v.judge(r, view, key, err)
				}
			}
			return nil
		})
		if errors.Is(err, ErrDamaged) { // not even the keys can be read
			v.tables = true
			var d *DamageError
			errors.As(err, &d)
			r.report(d)
			return nil
		}
		if err := errors.Join(err, p.read(size)); err != nil {
			return err
		}
		if len(keys) < pageSize {
			return nil
		}
		from = keys[len(keys)-1] + "\x00"
	}
}

// checkRecord reads one record and hashes what has a hash.
func (r *Replica) checkRecord(from reader, net ledger.NetworkID, key string) (size int, err error) {
	raw, err := from.get(key)
	if err != nil || raw == nil {
		return 0, err
	}
	switch key[:1] {
	case keyBlock:
		if u, err := ledger.ParseBlock(net, raw); err != nil || str(u.Hash()) != key[1:] {
			return len(raw), damaged(key, "it is not the block of that hash")
		}
	case keyStatement:
		if st, err := ledger.ParseStatement(net, raw); err != nil || str(st.Hash()) != key[1:] {
			return len(raw), damaged(key, "it is not the statement of that hash")
		}
	}
	return len(raw), nil
}

// judge sorts a damaged record by how it is mended.
func (v *verdict) judge(r *Replica, view *View, key string, err error) {
	var d *DamageError
	if !errors.As(err, &d) {
		return
	}
	switch key[:1] {
	case keyBlock:
		hash := hashOf(key[1:])
		ref := ledger.Ref{Hash: hash}
		if m, ok, err := view.Mark(hash); ok && err == nil {
			ref = m
		}
		r.hurt(ref)
		errors.As(at(d, ref), &d)
	case keyStatement:
		v.statements = append(v.statements, hashOf(key[1:]))
	case keyLocal:
		v.local = append(v.local, key)
	default:
		v.views = true
	}
	r.report(d)
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
