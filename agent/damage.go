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
	if d.Found == w.found && len(d.Blocks) == 0 && d.Lost == nil {
		a.outages.Up(ctx, journal.ReplicaDamaged, "", "the replica is whole again", where)
	}
	w.found = d.Found
	if d.Lost != nil {
		a.outages.Down(ctx, journal.ChainLost, "", "the end of the own chain is lost: nothing is sealed until a peer gives it back",
			slog.String(journal.KeyBlock, blockOf(d.Lost)))
	} else {
		a.outages.Up(ctx, journal.ChainLost, "", "the end of the own chain is back", slog.String(journal.KeyBlock, "all"))
	}
	now := a.parts.Now()
	if len(d.Blocks) > 0 && (!slices.Equal(d.Blocks, w.asked) || now.Sub(w.at) >= askAgain) {
		w.asked, w.at = d.Blocks, now
		a.sync.missing(d.Blocks)
	}
}

// blockOf names the block that damage is about.
func blockOf(d *replica.DamageError) string {
	if d.Height == 0 {
		return "unknown"
	}
	return ledger.Ref{Author: d.Author, Height: d.Height, Hash: d.Hash}.String()
}

// missing has the machine ask for blocks that are damaged here.
func (l *syncLoop) missing(blocks []ledger.Ref) {
	l.sealedMu.Lock()
	l.damagedNow = blocks
	l.sealedMu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// askForDamaged tells the machine what is missing.
func (l *syncLoop) askForDamaged(ctx context.Context) {
	l.sealedMu.Lock()
	blocks := l.damagedNow
	l.damagedNow = nil
	l.sealedMu.Unlock()
	if len(blocks) > 0 {
		l.step(ctx, peer.Missing{Blocks: blocks})
	}
}
