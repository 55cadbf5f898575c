package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"traveler.example/ledger"
)

// How the mender goes through the store: slowly, since a card lives longer the
// less is asked of it, and at once after damage was read, but no more often than
// every ten seconds.
const (
	scrubRate  = 8 << 20 // bytes a minute
	scrubPause = time.Hour
	scrubSoon  = 15 * time.Second
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
		if err := errors.Join(r.scrubRecords(p, v), r.scrubCounts(v)); err != nil {
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
			err = &DamageError{Key: "table " + name, Detail: "is missing"}
		}
		var damage *DamageError
		if errors.As(err, &damage) {
			// Badger empties a table before it removes it.
			if still, err := liveTables(d.dir); err != nil || !slices.Contains(still, name) {
				continue // replaced meanwhile
			}
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

// scrubCounts compares how many records there are of kinds of which there must
// be as many, and with how many there were: a compaction of Badger's that meets a
// damaged table leaves out what it cannot read, and nothing but the absence of
// records tells.
func (r *Replica) scrubCounts(v *verdict) error {
	held := r.held.Load() // before the snapshot is taken, which is then no older
	r.ailing.Lock()
	doubt := r.ailing.doubt
	r.ailing.doubt = false
	r.ailing.Unlock()
	return r.Read(func(view *View) error {
		found := map[string]int{}
		for _, kind := range []string{keyBlock, keyMark, keyChain} {
			err := view.r.keys(kind, "", func(string) bool { found[kind]++; return true })
			if err != nil {
				return err
			}
		}
		for _, st := range view.register.Statements() {
			if raw, err := view.r.get(keyStatement + str(st.Hash())); err == nil && raw == nil {
				v.statements = append(v.statements, st.Hash())
				doubt = true // what goes without a word seldom goes alone
				r.report(&DamageError{Hash: st.Hash(), Key: recordNames[keyStatement], Detail: "is missing"})
			}
		}
		n := found[keyBlock]
		if n != found[keyMark] || n != found[keyChain] || uint64(n) < held {
			doubt = true
			r.report(&DamageError{Key: "store", Detail: fmt.Sprintf(
				"records have gone: %d blocks, %d marks, %d in the chain index; there were %d", n, found[keyMark], found[keyChain], held)})
		}
		v.views = v.views || doubt
		return nil
	})
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
