package agent

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// askAgain is after how long peers are asked once more for what is damaged: the
// machine gives a block up that nobody had.
const askAgain = time.Minute

// damageWatch remembers what of the replica's damage was told.
type damageWatch struct {
	found uint64
	hurt  bool // damage was found, and its end was not told yet
	asked []ledger.Ref
	at    time.Time
}

// checkDamage tells of damage in the replica and of its end, and has peers asked
// for what only they can give.
func (a *Agent) checkDamage(ctx context.Context, w *damageWatch) {
	d := a.parts.Replica.Damage()
	where := slog.String(journal.KeyPath, a.cfg.Dir)
	if d.Found != w.found && d.Last != nil {
		a.outages.Down(ctx, journal.ReplicaDamaged, "", "the replica is damaged: "+d.Last.Error(), where,
			slog.String(journal.KeyBlock, blockOf(d.Last)), slog.Any(journal.KeyError, d.Last))
	}
	switch {
	case d.Found != w.found:
		w.found, w.hurt = d.Found, true
	case len(d.Blocks) == 0 && d.Lost == nil:
		a.outages.Up(ctx, journal.ReplicaDamaged, "", "the replica is whole again", where)
		if w.hurt { // by leaving out what could not be read, maybe
			w.hurt = false
			a.sync.missing(nil)
		}
	}
	if d.Lost != nil {
		a.outages.Down(ctx, journal.ChainLost, "", "the end of the own chain is lost: nothing is sealed until a peer gives it back",
			slog.String(journal.KeyBlock, blockOf(d.Lost)))
	} else {
		a.outages.Up(ctx, journal.ChainLost, "", "the end of the own chain is back", slog.String(journal.KeyBlock, "all"))
	}
	lacks := d.Blocks
	if d.Lost != nil { // peers that are as far as this gateway was would have nothing new to tell
		lacks = append(lacks, ledger.Ref{Author: d.Lost.Author, Height: d.Lost.Height, Hash: d.Lost.Hash})
	}
	now := a.parts.Now()
	if len(lacks) > 0 && (!slices.Equal(lacks, w.asked) || now.Sub(w.at) >= askAgain) {
		w.asked, w.at = lacks, now
		a.sync.missing(lacks)
	}
}

// blockOf names the block that damage is about.
func blockOf(d *replica.DamageError) string {
	if d.Height == 0 {
		return "unknown"
	}
	return ledger.Ref{Author: d.Author, Height: d.Height, Hash: d.Hash}.String()
}

// missing has the machine ask for blocks that are damaged here, and compare what is
// held with peers.
func (l *syncLoop) missing(blocks []ledger.Ref) {
	l.sealedMu.Lock()
	l.damagedNow = &peer.Missing{Blocks: blocks}
	l.sealedMu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// askForDamaged tells the machine what is missing.
func (l *syncLoop) askForDamaged(ctx context.Context) {
	l.sealedMu.Lock()
	missing := l.damagedNow
	l.damagedNow = nil
	l.sealedMu.Unlock()
	if missing != nil {
		l.seen.view.Store = nil // the heads that were gathered may be gone
		l.step(ctx, *missing)
	}
}
