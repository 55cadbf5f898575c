package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Brief is this gateway's status without the hash of its views.
func (a *Agent) Brief() (Status, error) { return a.desk().brief() }

// Desk answers questions about this running gateway.
func (a *Agent) Desk() Desk { return a.desk() }

func (a *Agent) desk() *desk {
	return &desk{replica: a.parts.Replica, genesis: a.parts.Genesis, name: a.cfg.Name, key: a.key, live: a}
}

var modeNames = map[ledger.Mode]string{ledger.ModeIntake: "intake", ledger.ModeInOut: "in-out", ledger.ModePortal: "portal"}

// status adds what only the running gateway knows.
func (a *Agent) status(s *Status) {
	a.mu.Lock()
	s.Light = a.station.last.text
	s.Shift, s.Help = append([]string(nil), a.station.last.shift...), a.station.last.help
	for _, d := range a.devices {
		if _, is := a.button(d.Name); is {
			s.Buttons = append(s.Buttons, d)
		} else if a.parts.Scale != nil && d.Name == a.parts.Scale.Info().Name {
			s.Scale = &d
		} else {
			s.Readers = append(s.Readers, d)
		}
	}
	a.mu.Unlock()
	s.Running, s.Since, s.Version = true, a.start.UnixMilli(), a.cfg.Version
	s.Station, s.Mode, s.Open = a.cfg.Station.ID, modeNames[a.cfg.Station.Mode], a.isOpen()
	s.Clock = clockWord(a.parts.Clock())
	if c := a.parts.Certificates; c != nil {
		s.Certificates = c.states(a.parts.Judge())
	}
	s.Profile = a.cfg.Profile
	s.Lag = a.lag.Load()
	if b := a.broker.Load(); b != nil {
		s.Broker = *b
	}
	if p := a.problem.Load(); p != nil {
		s.Problem = *p
	}
}

// note keeps what peers say of themselves, for people, and when one was heard
// last, on which a station may have an unknown tag wait.
func (l *syncLoop) note(m mqtt.Message, now time.Time) {
	from, ok := l.speaker(m.Topic)
	if !ok || from == l.key {
		return
	}
	if _, known := l.parts.Replica.Roster().Identity(from); !known {
		return // strangers are not remembered
	}
	if !m.Retained {
		l.heard.Store(&now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[from]
	if s, err := peer.ParseStatus(m.Payload); err == nil && m.Topic == l.topics.Status(from) {
		c.height, c.online = s.Height, s.Offline == 0
		if m.Retained {
			l.claims[from] = c
			return
		}
	}
	c.at = now
	l.claims[from] = c
}

// speaker is the gateway whose own topic a message came on.
func (l *syncLoop) speaker(topic string) (ledger.KeyID, bool) {
	id, err := ledger.ParseKeyID(topic[strings.LastIndexByte(topic, '/')+1:])
	if err != nil {
		return id, false
	}
	return id, topic == l.topics.Block(id) || topic == l.topics.Frontier(id) || topic == l.topics.Status(id)
}

func (a *Agent) peer(p *Peer) {
	a.mu.Lock()
	c, ok := a.claims[p.Key]
	a.mu.Unlock()
	if p.Self {
		p.Online = a.broker.Load() != nil
		return
	}
	if !ok {
		return
	}
	p.Online, p.Claimed = c.online && a.broker.Load() != nil, max(c.height, p.Height)
	if !c.at.IsZero() {
		p.Heard = c.at.UnixMilli()
	}
}

// submit seals a transaction that its sender has signed.
func (a *Agent) submit(ctx context.Context, raw []byte) (Receipt, error) {
	t, err := ledger.ParseTx(a.parts.Replica.Register().Network(), raw)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !t.Kind.Foreign() || !t.Kind.Known() || len(t.Sig) == 0 {
		return Receipt{}, fmt.Errorf("%w: a %s is not submitted: it is sealed by the gateway that makes it", ErrNotPermitted, t.Kind)
	}
	// Said here in words; Append would refuse it as stale.
	_, err = ledger.Apply(a.parts.Replica.Register().Network(), ledger.Placement{Tx: t, Sealer: a.key, Roster: a.parts.Replica.Roster()}, ancestors{a.parts.Replica})
	var void *ledger.VoidError
	var wait *ledger.WaitError
	switch {
	case errors.As(err, &void) && (void.Reason == ledger.VoidRole || void.Reason == ledger.VoidSignature):
		return Receipt{}, fmt.Errorf("%w: %s", ErrNotPermitted, void.Detail)
	case errors.As(err, &void):
		return Receipt{}, fmt.Errorf("%w: %s", ErrRefused, void.Detail)
	case errors.As(err, &wait):
		return Receipt{}, fmt.Errorf("%w: it rests on %s, which is not here", ErrNotFound, wait.For)
	case err != nil:
		return Receipt{}, err
	}
	_, known, err := ancestors{a.parts.Replica}.Tx(t.ID())
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := a.sealOne(ctx, t)
	if o, is := t.Body.(ledger.Order); is && err == nil && !known {
		a.ordered(ctx, o)
	}
	return receipt, err
}

// ancestors answers Apply from what is held now, for one more block.
type ancestors struct{ r *replica.Replica }

func (s ancestors) Node(item ledger.ItemID, tx ledger.TxID) (n ledger.Node, ok bool, err error) {
	err = s.r.Read(func(v *replica.View) error {
		it, held, err := v.Item(item)
		if err == nil && held {
			n, ok = it.Node(tx)
		}
		return err
	})
	return n, ok, err
}

func (s ancestors) Tx(id ledger.TxID) (t ledger.Tx, ok bool, err error) {
	err = s.r.Read(func(v *replica.View) error {
		sealed, held, err := v.Tx(id)
		t, ok = sealed.Tx, held && sealed.Valid
		return err
	})
	return t, ok, err
}

// Continued is left to Append, which knows the chain at the moment of sealing.
func (s ancestors) Continued(ledger.ItemID, ledger.TxID, ledger.TxID) (ledger.TxID, bool, error) {
	return ledger.TxID{}, false, nil
}

// awaitOpen waits for the start gate, which opens within seconds.
func (a *Agent) awaitOpen(ctx context.Context) error {
	select {
	case <-a.opened:
	case <-a.ended:
	case <-ctx.Done():
		return fmt.Errorf("%w: the gateway is still starting", ErrUnreachable)
	}
	select {
	case <-a.ended:
		return fmt.Errorf("%w: the gateway is ending", ErrUnreachable)
	default:
		return nil
	}
}

func (a *Agent) sealOne(ctx context.Context, t ledger.Tx) (Receipt, error) {
	if err := a.awaitOpen(ctx); err != nil {
		return Receipt{}, err
	}
	block, err := a.seal(ctx, replica.Batch{Txs: []ledger.Tx{t}})
	var void *ledger.VoidError
	switch {
	case errors.As(err, &void):
		return Receipt{}, fmt.Errorf("%w: %s", ErrRefused, void.Detail)
	case errors.Is(err, ledger.ErrAuthor):
		return Receipt{}, fmt.Errorf("%w: %w", ErrNotPermitted, err)
	case errors.Is(err, replica.ErrStale):
		return Receipt{}, fmt.Errorf("%w: the item has moved on: look at it again and rule on its heads", ErrConflict)
	case err != nil:
		return Receipt{}, err
	}
	if t.Kind.Moves() { // a ruling ends a conflict, and this gateway hears of its own block from nobody
		a.conflicts(ctx, []ledger.ItemID{t.ItemID()})
	}
	return Receipt{Tx: t.ID(), Block: block.Hash(), Height: block.Header().Height, Status: "Sealed"}, nil
}

// withdraw takes back this gateway's own last word on an item: its report or
// acceptance, or one of several heads that are all its own.
func (a *Agent) withdraw(ctx context.Context, id, reason string) (Receipt, error) {
	var it ledger.Item
	err := a.parts.Replica.Read(func(v *replica.View) (err error) {
		it, err = find(v, id)
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	body := ledger.Withdraw{Reason: reason}
	for _, h := range it.Heads() {
		if h.Sender != a.key {
			return Receipt{}, fmt.Errorf("%w: the last word on %s is %s's, and only its author takes it back", ErrNotPermitted, it.Label, a.nameOf(h.Sender))
		}
	}
	if len(it.HeadIDs) > 1 {
		body.Keeps = it.HeadIDs[0]
	} else if h, ok := it.Head(); ok {
		body.Target = h.Tx
	}
	at, clock := a.parts.Replica.Stamp()
	t, err := ledger.NewTx(a.parts.Replica.Register().Network(), ledger.Tx{
		Sender: a.key, Time: at, Clock: clock, Item: it.ID, After: it.HeadIDs, Body: body,
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return a.sealOne(ctx, t)
}

// operate hands an operator's word to the station.
func (a *Agent) operate(ctx context.Context, w OperatorWord) error {
	select {
	case <-a.ended:
		return fmt.Errorf("%w: the gateway is ending", ErrUnreachable)
	default:
	}
	if w.Cancel {
		a.station.post(ctx, station.Cancelled{})
		return nil
	}
	var item ledger.ItemID
	if w.Item != "" || w.Form == nil {
		err := a.parts.Replica.Read(func(v *replica.View) error {
			it, err := find(v, w.Item)
			item = it.ID
			return err
		})
		if err != nil {
			return err
		}
	}
	if w.Form == nil {
		a.station.post(ctx, station.Chosen{Item: item})
	} else {
		a.station.post(ctx, station.Entered{Item: item, Form: *w.Form})
	}
	return nil
}

// enrol takes a roster statement from an administrator and spreads it.
func (a *Agent) enrol(ctx context.Context, raw []byte) error {
	s, err := ledger.ParseStatement(a.parts.Replica.Register().Network(), raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r, err := a.take(ctx, s)
	if err != nil {
		return err
	}
	if len(r.Refused) > 0 {
		return fmt.Errorf("%w: %w", ErrRefused, r.Refused[0].Err)
	}
	if len(r.Gaps) > 0 {
		return fmt.Errorf("%w: what the statement builds on is not here yet", ErrConflict)
	}
	a.sync.report(nil, r.Statements)
	a.conflicts(ctx, r.Changed) // a revocation may end one
	a.station.post(ctx, station.Changed{})
	return nil
}
