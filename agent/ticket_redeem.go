package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// The first start of a board with a ticket goes in steps, each durable before the
// next: it makes its key; it stores the redemption that the ticket's code and the
// key sign; it removes the ticket. Whenever it is cut off, the next start goes on
// with the same key, and signs no second redemption once one is stored.

// loadTicket reads the code beside a profile; fs.ErrNotExist where it is gone.
func loadTicket(path string) (TicketCode, error) {
	text, err := readPrivate("ticket", path, 0o077, maxTicketFile)
	if err != nil {
		return TicketCode{}, err
	}
	defer clear(text)
	code, err := ParseTicketCode(string(text))
	if err != nil {
		return TicketCode{}, fmt.Errorf("reading ticket %s: %w", path, err)
	}
	return code, nil
}

// maxTicketFile is far above what a code takes.
const maxTicketFile = 4 << 10

// ownKey makes the board's key where it has a ticket and no key yet.
func (b *builder) ownKey(ctx context.Context) error {
	if b.p.TicketFile == "" || b.keys.has(b.p.KeyFile) {
		return nil
	}
	if _, err := loadTicket(b.p.TicketFile); err != nil {
		return b.ticketRefused(ctx, fmt.Errorf("there is no key in %s, and no ticket to make one for: %w", b.p.KeyFile, err))
	}
	key, err := NewKey(KeyEd25519, nil)
	if err != nil {
		return err
	}
	// Under its own name only when it is whole: a part of a key is in the way of
	// every start.
	next := b.p.KeyFile + ".new"
	if err := removed(next); err != nil {
		return fmt.Errorf("making the board's key: %w", err)
	}
	if err := SaveKey(next, key, Protection{}); err != nil { // flushed
		return err
	}
	if err := os.Rename(next, b.p.KeyFile); err != nil {
		return fmt.Errorf("making the board's key: %w", err)
	}
	return syncDirectory(filepath.Dir(b.p.KeyFile))
}

// redeem enrols this board with its ticket, if it has one still.
func (b *builder) redeem(ctx context.Context) error {
	if b.p.TicketFile == "" {
		return nil
	}
	code, err := loadTicket(b.p.TicketFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return b.ticketRefused(ctx, err)
	}
	register := b.parts.Replica.Register()
	if _, enrolled := register.Current().Identity(b.key); !enrolled {
		s, err := b.redemption(register, code)
		if err != nil {
			return b.ticketRefused(ctx, err)
		}
		r, err := b.parts.Replica.Ingest(ctx, s)
		if err != nil {
			return fmt.Errorf("storing the redemption of the ticket: %w", err)
		}
		if len(r.Refused) > 0 {
			return b.ticketRefused(ctx, r.Refused[0].Err)
		}
	}
	words := "this board has made its key " + b.key.Short() + " and enrolled itself with its ticket"
	if err := errors.Join(os.Remove(b.p.TicketFile), syncDirectory(filepath.Dir(b.p.TicketFile))); err != nil {
		words += "; remove the used ticket by hand: " + err.Error()
	}
	b.j.Event(ctx, journal.TicketRedeemed, words,
		slog.String(journal.KeyPath, b.p.TicketFile), slog.String(journal.KeyPeer, b.key.String()))
	return nil
}

// redemption makes the statement by which this board's key takes the place that
// the ticket keeps.
func (b *builder) redemption(register *ledger.Register, code TicketCode) (ledger.Statement, error) {
	net := b.parts.Genesis.Network()
	key, err := code.Key(net)
	if err != nil {
		return ledger.Statement{}, err
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return ledger.Statement{}, err
	}
	own, err := ledger.PublicKeyOf(b.parts.Signer)
	if err != nil {
		return ledger.Statement{}, err
	}
	ticket, ok := register.Current().Ticket(pub.ID())
	if !ok {
		return ledger.Statement{}, fmt.Errorf("%w: the roster of this board has no ticket with this code: copy the network's roster to it again", ErrTicket)
	}
	heads, err := register.Cite([]ledger.Hash{ticket.Statement})
	if err != nil {
		return ledger.Statement{}, err
	}
	s, err := ledger.SignStatement(net, ledger.Statement{
		BuildsOn: heads, Time: time.Now().UnixMilli(),
		Changes: []ledger.Change{{Kind: ledger.ChangeRedeem, Subject: pub.ID(), Key: own}},
	}, key, b.parts.Signer)
	if err != nil {
		return ledger.Statement{}, err
	}
	return s, nil
}

// ticketRefused tells why this board cannot enrol itself.
func (b *builder) ticketRefused(ctx context.Context, err error) error {
	b.j.Event(ctx, journal.TicketRefused, "the ticket of this board cannot be redeemed: "+err.Error(),
		slog.String(journal.KeyPath, b.p.TicketFile), slog.Any(journal.KeyError, err))
	return fmt.Errorf("%w: ticket: %w", ErrSetUp, err)
}

// tickets tells of codes that more than one board has used.
func (l *syncLoop) tickets(ctx context.Context, roster *ledger.Roster) {
	for _, t := range roster.Tickets() {
		var keys []string
		for _, k := range t.Redeemed {
			if _, revoked := roster.Revoked(k); !revoked {
				keys = append(keys, k.String())
			}
		}
		if len(keys) < 2 {
			continue
		}
		l.limiter.Event(ctx, journal.TicketDoubled, t.Name, fmt.Sprintf("the ticket of %s was used by %d boards: somebody copied its code", t.Name, len(keys)),
			slog.String(journal.KeyPeer, t.Name), slog.String(journal.KeyFound, strings.Join(keys, ", ")))
	}
}
