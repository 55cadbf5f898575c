package llrp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traveler.example/drivers"
)

const (
	greetLimit  = 5 * time.Second // for the reader to say that it takes us
	answerLimit = 5 * time.Second // for the answer to a request; readers compute tables meanwhile
	faultPause  = 10 * time.Second
	heardPause  = 20 * time.Millisecond // between sweeps, when reports come thick
	silentAfter = 3                     // keepalives that are missed
	maxKnown    = 4096                  // tags that are remembered to spare making them anew
)

// inventoryID and accessID are ours on a reader: what it still holds under them
// is left from before.
const (
	inventoryID = 0x54524156 // "TRAV"
	accessID    = inventoryID
)

// session is one connection to a reader, from its greeting to its loss. One
// goroutine runs it.
type session struct {
	portal *Portal
	link   *link
	owners map[uint16]*Reader // of antennas
	known  map[string]drivers.Tag
	ops    chan *operation // from readers, while the session is live
	over   chan struct{}   // closed when nothing is taken from ops any more

	heard   time.Time   // when the newest message was taken in
	resumed time.Time   // when events were held up last: what came before is counted from here
	limit   *time.Timer // for next
	poll    <-chan time.Time
	told    time.Time // when readers were told of heard
	faults  [faultKinds]time.Time
	lastOp  uint16
	waiting *operation // whose result is awaited
}

type faultKind uint8

const (
	faultTagID faultKind = iota
	faultMalformed
	faultReader
	faultOverflow
	faultClient
	faultForeign
	faultKinds
)

func newSession(p *Portal, l *link) *session {
	s := &session{
		portal: p, link: l, owners: map[uint16]*Reader{}, known: map[string]drivers.Tag{},
		ops: make(chan *operation), over: make(chan struct{}), limit: time.NewTimer(time.Hour), heard: time.Now(),
	}
	for _, r := range p.readers {
		for _, a := range r.cfg.Antennas {
			s.owners[a.ID] = r
		}
	}
	return s
}

func (s *session) run(ctx context.Context, up func()) error {
	defer close(s.over)
	defer s.limit.Stop()
	if err := s.greet(ctx); err != nil {
		return err
	}
	err := s.begin(ctx)
	if err == nil {
		if every := s.portal.cfg.ReportEvery; every > 0 {
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			s.poll = ticker.C
		}
		s.portal.connected(ctx, s)
		up()
		err = s.listen(ctx)
	}
	if ctx.Err() != nil || !errors.Is(err, drivers.ErrUnplugged) {
		s.leave(context.WithoutCancel(ctx))
	}
	return err
}

var errTaken = fmt.Errorf("%w: another client is connected to the reader, which takes one at a time; close that program, or have the reader drop it on its web page", drivers.ErrBusy)

// greet waits until the reader says whether it takes us: it is silent about
// anything else until then (6.1, 16.2.8.6.9).
func (s *session) greet(ctx context.Context) error {
	deadline := time.Now().Add(greetLimit)
	for {
		m, err := s.next(ctx, deadline)
		if errors.Is(err, errTime) {
			return fmt.Errorf("%w: it accepted the connection and said nothing within %v; is this the port of LLRP, usually 5084", drivers.ErrSilent, greetLimit)
		}
		if err != nil {
			return err
		}
		if m.Type != ReaderEventNotification {
			continue
		}
		n, err := parseNotice(m.Message)
		switch {
		case err != nil:
			return err
		case !n.attempt:
		case n.connected == attemptSuccess:
			return nil
		case n.connected < attemptFailed:
			return errTaken
		default:
			return fmt.Errorf("%w: it refuses the connection with status %d", drivers.ErrProtocol, n.connected)
		}
	}
}

// begin learns what the reader can do, applies the settings and starts the
// inventory.
func (s *session) begin(ctx context.Context) error {
	m, err := s.exchange(ctx, GetReaderCapabilities, encodeCapabilities())
	if err != nil {
		return err
	}
	c, err := parseCapabilities(m)
	if err != nil {
		return err
	}
	s.portal.identified(c.name())
	transmitters, err := s.transmitters(c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name(), err)
	}
	if err := s.clear(ctx, c); err != nil {
		return err
	}
	if err := s.command(ctx, SetReaderConfig, encodeSettings(uint32(s.portal.cfg.Keepalive.Milliseconds()))); err != nil {
		return err
	}
	if err := s.connectedAntennas(ctx); err != nil {
		return err
	}
	v := inventory{
		id: inventoryID, antennas: transmitters, session: s.portal.cfg.Session,
		population: s.portal.cfg.Population, held: s.portal.cfg.ReportEvery > 0,
	}
	if err := s.command(ctx, AddROSpec, encodeInventory(v)); err != nil {
		return err
	}
	if err := s.command(ctx, EnableROSpec, encodeID(inventoryID)); err != nil {
		return err
	}
	return s.command(ctx, StartROSpec, encodeID(inventoryID))
}

func (s *session) transmitters(c capabilities) ([]transmitter, error) {
	var found []transmitter
	for _, r := range s.portal.readers {
		for _, a := range r.cfg.Antennas {
			t, err := c.transmitter(a)
			if err != nil {
				return nil, fmt.Errorf("reader %q: %w", r.cfg.Name, err)
			}
			found = append(found, t)
		}
	}
	return found, nil
}

// clear deletes what an earlier connection of ours left, and makes sure that
// there is room for an inventory.
func (s *session) clear(ctx context.Context, c capabilities) error {
	m, err := s.exchange(ctx, GetROSpecs, nil)
	if err != nil {
		return err
	}
	left, err := parseInventories(m)
	if err != nil {
		return err
	}
	foreign := 0
	for _, id := range left {
		if id != inventoryID && !s.portal.cfg.Takeover {
			foreign++
			continue
		}
		if err := s.command(ctx, DeleteROSpec, encodeID(id)); err != nil {
			return err
		}
	}
	switch {
	case foreign > 0 && c.inventories > 0 && uint32(foreign) >= c.inventories:
		return fmt.Errorf("%w: the reader holds %d inventories of other programs and has no room for more; delete them, or allow to take over", drivers.ErrBusy, foreign)
	case foreign > 0:
		s.fault(ctx, faultForeign, fmt.Errorf("the reader holds %d inventories of other programs, which slow ours down; delete them, or allow to take over", foreign))
	}
	// A reader refuses to delete what it does not have, which is as well.
	if _, err := s.exchange(ctx, DeleteAccessSpec, encodeID(accessID)); err != nil {
		return err
	}
	return nil
}

// connectedAntennas tells of antennas that are ours and not connected.
func (s *session) connectedAntennas(ctx context.Context) error {
	m, err := s.exchange(ctx, GetReaderConfig, encodeAntennas())
	if err != nil {
		return err
	}
	states, err := parseAntennas(m)
	if err != nil {
		return err
	}
	s.antennas(ctx, states)
	return nil
}

func (s *session) antennas(ctx context.Context, states []antennaState) {
	for _, a := range states {
		if r := s.owners[a.antenna]; r != nil && !a.connected {
			s.portal.tell(ctx, r, fact{
				kind: factFault, at: time.Now(),
				err: fmt.Errorf("antenna %d is not connected, tags before it are not seen; check its cable", a.antenna),
			})
		}
	}
}

// listen takes in what the reader says until it is lost or ctx ends.
func (s *session) listen(ctx context.Context) error {
	for {
		m, op, err := s.nextOrOperation(ctx)
		switch {
		case err != nil:
			return err
		case op != nil:
			if err := s.perform(ctx, op); err != nil {
				return err
			}
		default:
			if err := s.handle(ctx, m); err != nil {
				return err
			}
		}
	}
}

// errTime: the deadline passed.
var errTime = errors.New("deadline passed")

// next returns the next message, errTime once the deadline has passed, or
// ErrSilent if the reader gives no sign of life.
func (s *session) next(ctx context.Context, deadline time.Time) (inbound, error) {
	m, _, err := s.wait(ctx, deadline, nil)
	return m, err
}

// nextOrOperation returns what comes first.
func (s *session) nextOrOperation(ctx context.Context) (inbound, *operation, error) {
	return s.wait(ctx, time.Time{}, s.ops)
}

// wait returns what comes first; a zero deadline is none.
func (s *session) wait(ctx context.Context, deadline time.Time, ops <-chan *operation) (inbound, *operation, error) {
	silent := s.heard.Add(max(silentAfter*s.portal.cfg.Keepalive, s.patience()))
	if deadline.IsZero() || silent.Before(deadline) {
		deadline = silent
	}
	s.limit.Reset(time.Until(deadline))
	for {
		select {
		case m, ok := <-s.link.in:
			if !ok {
				return m, nil, s.link.err
			}
			s.heard = time.Now()
			if m.at.Before(s.resumed) {
				m.at = s.resumed
			}
			return m, nil, nil
		case op := <-ops:
			return inbound{}, op, nil
		case <-s.poll:
			if _, err := s.link.send(GetReport, nil); err != nil {
				return inbound{}, nil, err
			}
		case <-s.limit.C:
			if deadline == silent {
				return inbound{}, nil, fmt.Errorf("%w: no sign of life for %v", drivers.ErrSilent, time.Since(s.heard).Round(time.Millisecond))
			}
			return inbound{}, nil, errTime
		case <-ctx.Done():
			return inbound{}, nil, ctx.Err()
		}
	}
}

// patience is how long the reader may be silent besides its keepalives: while
// it is not live, it does not send any.
func (s *session) patience() time.Duration {
	s.portal.mu.Lock()
	defer s.portal.mu.Unlock()
	if s.portal.live != s {
		return max(greetLimit, answerLimit) + time.Second
	}
	return 0
}

// exchange sends a request and returns its response, and takes in everything
// else that comes meanwhile.
func (s *session) exchange(ctx context.Context, t MessageType, body []byte) (Message, error) {
	return s.exchangeWithin(ctx, answerLimit, t, body)
}

func (s *session) exchangeWithin(ctx context.Context, limit time.Duration, t MessageType, body []byte) (Message, error) {
	id, err := s.link.send(t, body)
	if err != nil {
		return Message{}, err
	}
	deadline := time.Now().Add(limit)
	for {
		m, err := s.next(ctx, deadline)
		switch {
		case errors.Is(err, errTime):
			return Message{}, fmt.Errorf("%v: %w: no answer within %v", t, drivers.ErrSilent, limit)
		case err != nil:
			return Message{}, fmt.Errorf("%v: %w", t, err)
		case m.ID == id && m.Type == t.response():
			return m.Message, nil
		case m.ID == id && m.Type == ErrorMessage:
			if err := parseStatus(m.Message); err != nil {
				return Message{}, fmt.Errorf("%v: %w", t, err)
			}
			return Message{}, fmt.Errorf("%v: %w: an ERROR_MESSAGE that tells of success", t, drivers.ErrProtocol)
		}
		if err := s.handle(ctx, m); err != nil {
			return Message{}, err
		}
	}
}

// command is an exchange of which only the status matters.
func (s *session) command(ctx context.Context, t MessageType, body []byte) error {
	m, err := s.exchange(ctx, t, body)
	if err != nil {
		return err
	}
	if err := parseStatus(m); err != nil {
		return fmt.Errorf("%v: %w", t, err)
	}
	return nil
}

// leave stops the antennas and takes leave. Best effort: nobody listens any
// more, and a connection that is cut does the same, later.
func (s *session) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	s.poll = nil
	if _, err := s.exchange(ctx, DeleteROSpec, encodeID(inventoryID)); err != nil {
		return
	}
	_, _ = s.exchange(ctx, CloseConnection, nil)
}

func (p *Portal) identified(model string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.model = model
}
