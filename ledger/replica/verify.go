package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"traveler.example/ledger"
)

// Finding is one line of what Verify found: a check that found nothing wrong, or
// a fault.
type Finding struct {
	Check   string       // "manifest", "table", "write-ahead log", "value log", "statement", "chain", "own chain", "views"
	Author  ledger.KeyID // whose chain; zero where that is not known
	Height  uint64       // zero where no block is meant
	Through uint64       // last height of a lost range; else Height
	Hash    ledger.Hash  // of the block or statement, as far as known
	Fault   string       // empty: the check found nothing wrong
	Detail  string       // what was checked, where nothing was wrong
}

// Verify checks a replica's directory: every file of the store, every block and
// statement against its hash, all chains (ledger.Verify), the end of the own
// chain, and, if all that is sound, that the views are what follows from the
// blocks. It works on a private copy in o.TempDir and writes nothing to dir,
// which may be in use or left by a power cut. The files are read without the
// store, which dies of some damage. report is called for every check and fault.
// Verify returns ErrDamaged wrapped if there was a fault.
func Verify(ctx context.Context, dir string, o Options, report func(Finding)) error {
	o.Signer, o.ReadOnly = nil, false
	r, err := newReplica(o)
	if err != nil {
		return err
	}
	private, err := privateCopy(dir, o.TempDir)
	if err != nil {
		return err
	}
	faults := 0
	v := &verification{dir: private, r: r, report: func(f Finding) {
		if f.Fault != "" {
			faults++
		}
		report(f)
	}}
	err = v.run(ctx, &faults)
	if err := errors.Join(err, os.RemoveAll(private)); err != nil {
		return err
	}
	if faults > 0 {
		return fmt.Errorf("%s: %w: %d faults", dir, ErrDamaged, faults)
	}
	return nil
}

type verification struct {
	dir    string
	r      *Replica
	s      *salvage
	report func(Finding)

	skipViews bool // the copy is not to be opened
}

func (v *verification) run(ctx context.Context, faults *int) error {
	v.s = newSalvage(filepath.Join(v.dir, storeName), v.r.net, v.report)
	if err := v.s.read(ctx); err != nil {
		return err
	}
	if *faults == 0 {
		v.report(Finding{Check: "files", Detail: fmt.Sprintf("%d blocks and %d statements are named in them", len(v.s.blocks), len(v.s.statements))})
	}
	register := v.register()
	v.chains(ctx, register)
	v.tip()
	if *faults > 0 || v.skipViews || ctx.Err() != nil {
		return ctx.Err()
	}
	return v.views()
}

// register makes the register from the statements, and reports those that are
// lost.
func (v *verification) register() *ledger.Register {
	register := ledger.NewRegister(v.r.o.Genesis)
	var held []ledger.Statement
	for h, t := range v.s.statements {
		key := keyStatement + str(h)
		if t.stored == 0 && !v.s.broken || t.dropped > t.stored {
			continue
		}
		raw, err := v.s.bytesOf(key, t)
		if err != nil {
			v.report(Finding{Check: "statement", Hash: h, Fault: err.Error()})
			if raw, _ = v.s.looseBytes(key, t); raw == nil {
				continue
			}
		}
		st, err := ledger.ParseStatement(v.r.net, raw)
		if err == nil && st.Hash() != h {
			err = fmt.Errorf("it is statement %s", st.Hash().Short())
		}
		if err != nil {
			v.report(Finding{Check: "statement", Hash: h, Fault: err.Error()})
			continue
		}
		held = append(held, st)
	}
	for progress := true; progress; {
		progress = false
		for _, st := range held {
			if _, ok := register.Statement(st.Hash()); !ok && register.Add(st) == nil {
				progress = true
			}
		}
	}
	for _, st := range held {
		if err := register.Add(st); err != nil {
			v.report(Finding{Check: "statement", Hash: st.Hash(), Fault: err.Error()})
		}
	}
	return register
}

// chains walks all chains from genesis.
func (v *verification) chains(ctx context.Context, register *ledger.Register) {
	kept := v.s.kept()
	rep := ledger.Verify(register, v.raw(ctx, kept), func(f ledger.Fault) {
		v.report(Finding{Check: "chain", Author: f.Author, Height: f.Height, Through: f.Through, Hash: f.Hash, Fault: f.Err.Error()})
	})
	if rep.Faults == 0 {
		v.report(Finding{Check: "chain", Detail: fmt.Sprintf("%d chains, %d blocks, %d transactions, %d signatures", rep.Chains, rep.Blocks, rep.Transactions, rep.Signatures)})
	}
}

// raw reads blocks one by one.
func (v *verification) raw(ctx context.Context, refs []ledger.Ref) iter.Seq[ledger.RawBlock] {
	return func(yield func(ledger.RawBlock) bool) {
		for _, ref := range refs {
			raw, err := v.s.bytesOf(keyBlock+str(ref.Hash), v.s.blocks[ref.Hash])
			if err != nil {
				raw = nil
			}
			if ctx.Err() != nil || !yield(ledger.RawBlock{Ref: ref, Raw: raw, Err: err}) {
				return
			}
		}
	}
}

// tip compares the own chain with what was noted beside the store.
func (v *verification) tip() {
	b, err := os.ReadFile(filepath.Join(v.dir, tipName))
	if err != nil {
		return // an older store, or one that never sealed
	}
	tip, ok := parseTip(b)
	if !ok {
		return
	}
	if t := v.s.blocks[tip.Hash]; t != nil && t.stored > 0 {
		return
	}
	var last uint64
	for _, t := range v.s.blocks {
		if t.ref.Author == tip.Author && t.stored > 0 {
			last = max(last, t.ref.Height)
		}
	}
	v.report(Finding{
		Check: "own chain", Author: tip.Author, Height: min(last+1, tip.Height), Through: tip.Height, Hash: tip.Hash,
		Fault: "blocks of the own chain were sealed up to this height and are lost",
	})
}

// views opens the copy, which is sound, and compares its views with those that
// follow from its blocks.
func (v *verification) views() error {
	v.r.o.UnsafeNoSync = true
	v.r.o.TempDir = ""
	r, err := Open(v.dir, v.r.o)
	if err != nil {
		v.report(Finding{Check: "views", Fault: err.Error()})
		return nil
	}
	before, err := r.DumpHash()
	if err == nil {
		err = r.Rebuild(context.Background())
	}
	after := ""
	if err == nil {
		after, err = r.DumpHash()
	}
	switch err = errors.Join(err, r.Close()); {
	case err != nil:
		v.report(Finding{Check: "views", Fault: err.Error()})
	case before != after:
		v.report(Finding{Check: "views", Fault: "they are not what follows from the blocks; rebuild them"})
	default:
		v.report(Finding{Check: "views", Detail: "they follow from the blocks; dump " + after})
	}
	return nil
}
