package agent

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// announce writes to the journal what maintenance wants to know of a result.
func (l *syncLoop) announce(ctx context.Context, r replica.Result) {
	for _, author := range r.Evidence {
		if l.named[author] {
			continue
		}
		l.named[author] = true
		l.parts.Journal.Event(ctx, journal.EvidenceFound, "two versions of the chain of "+l.nameOf(author)+" exist",
			slog.String(journal.KeyPeer, l.nameOf(author)), slog.String(journal.KeyBlock, l.forkOf(author)))
	}
	if len(r.Statements) > 0 {
		l.rosterChanged(ctx)
	}
	l.restored(ctx, r.Blocks)
	l.orders(ctx, r.Blocks)
	l.conflicts(ctx, r.Changed)
	l.matchNotes(ctx)
}

// restored tells of own blocks that came back. Another version of the own chain,
// by a copy of the card or of the key, was not lost: it is told of when it is
// joined.
func (l *syncLoop) restored(ctx context.Context, blocks []ledger.Ref) {
	i := slices.IndexFunc(blocks, func(b ledger.Ref) bool { return b.Author == l.key })
	if i < 0 {
		return
	}
	if _, branches := l.parts.Replica.Own(); len(branches) > 1 {
		return
	}
	l.limiter.Event(ctx, journal.ChainRestored, "own", "own blocks that were lost here came back from peers", slog.String(journal.KeyBlock, blocks[i].String()))
}

// ordersFrom is the most blocks of one batch that are looked through for orders:
// a gateway that catches up does not tell the orders of a year.
const ordersFrom = 16

// orders tells of work orders that have come.
func (l *syncLoop) orders(ctx context.Context, blocks []ledger.Ref) {
	if len(blocks) > ordersFrom {
		return
	}
	_ = l.parts.Replica.Read(func(v *replica.View) error { // damage is told where it matters
		for _, ref := range blocks {
			b, ok, err := v.Block(ref.Hash)
			if err != nil || !ok {
				return err
			}
			for _, t := range b.Txs() {
				o, is := t.Body.(ledger.Order)
				if !is {
					continue
				}
				sealed, _, err := v.Tx(t.ID())
				if err != nil {
					return err
				}
				if firstAmong(blocks, sealed.Placed) == b.Hash() { // else it has been told of, or will be
					l.ordered(ctx, o)
				}
			}
		}
		return nil
	})
}

// firstAmong is the first of some new blocks that seals a transaction; zero where
// a block that was here before them has sealed it.
func firstAmong(blocks []ledger.Ref, placed []replica.Placed) (first ledger.Hash) {
	for i, p := range placed {
		if !slices.ContainsFunc(blocks, func(b ledger.Ref) bool { return b.Hash == p.Block }) {
			return ledger.Hash{}
		}
		if i == 0 {
			first = p.Block
		}
	}
	return first
}

func (a *Agent) ordered(ctx context.Context, o ledger.Order) {
	id, words := journal.OrderReceived, "order "+o.ID+" is here: "+o.Product
	if o.Cancelled == 1 {
		id, words = journal.OrderCancelled, "order "+o.ID+" is cancelled: its items are held"
	}
	a.parts.Journal.Event(ctx, id, words, slog.String(journal.KeyOrder, o.ID))
}

// conflicts tells when an item comes into conflict and when it is ruled on.
func (a *Agent) conflicts(ctx context.Context, changed []ledger.ItemID) {
	for _, id := range changed {
		var it ledger.Item
		err := a.parts.Replica.Read(func(v *replica.View) (err error) {
			it, _, err = v.Item(id)
			return err
		})
		if err != nil {
			return
		}
		if it.InConflict() {
			a.outages.Down(ctx, journal.ItemConflict, id.String(), it.Label+" has more than one history: quality rules", slog.String(journal.KeyItem, it.Label))
		} else {
			a.outages.Up(ctx, journal.ItemConflict, id.String(), it.Label+" has one history again", slog.String(journal.KeyItem, it.Label))
		}
	}
}

// rosterChanged writes to the journal what a new statement means here.
func (l *syncLoop) rosterChanged(ctx context.Context) {
	roster := l.parts.Replica.Roster()
	l.parts.Journal.Event(ctx, journal.RosterChanged, "the roster has changed")
	l.checkRoster(ctx, roster)
}

// newcomers tells of gateways that were not in the roster before.
func (l *syncLoop) newcomers(ctx context.Context, roster *ledger.Roster) {
	first := l.gateways == nil
	if first {
		l.gateways = map[ledger.KeyID]bool{}
	}
	for _, i := range roster.Identities() {
		if i.Roles&ledger.RoleGateway == 0 || l.gateways[i.ID] {
			continue
		}
		l.gateways[i.ID] = true
		if !first {
			l.parts.Journal.Event(ctx, journal.GatewayJoined, "gateway "+i.Name+" was let in", slog.String(journal.KeyPeer, i.Name))
		}
	}
	for _, d := range roster.Doubled() {
		if d.Name != "" {
			l.limiter.Event(ctx, journal.IdentityDoubled, d.Name, "two keys are enrolled as "+d.Name, slog.String(journal.KeyOperator, d.Name))
		}
	}
	l.tickets(ctx, roster)
}

// checkRoster tells who came and whether this gateway may work at its station.
func (l *syncLoop) checkRoster(ctx context.Context, roster *ledger.Roster) {
	l.newcomers(ctx, roster)
	id := l.cfg.Station.ID
	where := slog.String(journal.KeyStation, id)
	if _, ok := roster.Assigned(l.key, id); ok {
		l.outages.Up(ctx, journal.StationUnassigned, "", "station "+id+" is assigned to this gateway", where)
	} else {
		l.outages.Down(ctx, journal.StationUnassigned, "", "the roster does not assign station "+id+" to this gateway", where)
	}
	if _, revoked := roster.Revoked(l.key); revoked {
		l.limiter.Event(ctx, journal.GatewayRevoked, l.cfg.Name, "this gateway is revoked: what it seals does not count", slog.String(journal.KeyPeer, l.cfg.Name))
	}
	var others []string
	for _, as := range roster.Station(id) {
		if as.Gateway != l.key {
			others = append(others, l.nameOf(as.Gateway))
		}
	}
	slices.Sort(others)
	if len(others) > 0 {
		l.outages.Down(ctx, journal.StationDoubled, id, "station "+id+" is also assigned to "+strings.Join(others, ", "), where,
			slog.String(journal.KeyPeer, strings.Join(others, ", ")))
	} else {
		l.outages.Up(ctx, journal.StationDoubled, id, "station "+id+" is assigned to one gateway", where)
	}
}
