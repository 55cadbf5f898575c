package llrp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traveler.example/drivers"
)

// handle takes in a message that answers nothing. An error is the end of the
// connection; what is only wrong becomes a Fault.
func (s *session) handle(ctx context.Context, m inbound) error {
	switch m.Type {
	case Keepalive:
		if err := s.link.write(Message{Type: KeepaliveAck, ID: m.ID}); err != nil {
			return err
		}
	case ROAccessReport:
		s.report(ctx, m)
	case ReaderEventNotification:
		if err := s.notice(ctx, m); err != nil {
			return err
		}
	case ErrorMessage:
		if err := parseStatus(m.Message); err != nil {
			s.fault(ctx, faultReader, err)
		}
	}
	s.tellHeard(ctx, m)
	return nil
}

// tellHeard lets readers look for departures.
func (s *session) tellHeard(ctx context.Context, m inbound) {
	if m.Type == ROAccessReport && m.at.Sub(s.told) < heardPause {
		return
	}
	s.told = m.at
	if s.portal.tellAll(ctx, fact{kind: factHeard, at: m.at}) {
		s.stalled(ctx)
	}
}

// stalled says that a receiver held everything up: what the reader said
// meanwhile is still on its way, so nothing was missed.
func (s *session) stalled(ctx context.Context) {
	s.heard = time.Now()
	s.resumed = s.heard
	s.portal.tellAll(ctx, fact{kind: factStalled, at: s.heard})
}

func (s *session) report(ctx context.Context, m inbound) {
	stalled := false
	err := parseReport(m.Message, func(o *observation) {
		if o.access == accessID && o.result.kind != 0 && s.waiting != nil {
			s.waiting.finish(o)
		}
		if o.inventory != 0 && o.inventory != inventoryID {
			return // of another program
		}
		r := s.owner(o)
		if r == nil {
			return
		}
		tag, err := s.tag(o.epc)
		if err != nil {
			s.fault(ctx, faultTagID, err)
			return
		}
		stalled = s.portal.tell(ctx, r, fact{kind: factSeen, at: m.at, tag: tag, antenna: o.antenna, rssi: o.rssi, reads: o.reads}) || stalled
	})
	if err != nil {
		s.fault(ctx, faultMalformed, err)
	}
	if stalled {
		s.stalled(ctx)
	}
}

// owner returns the reader whose antenna saw a tag. A device that does not name
// antennas has all its tags at the only reader, if there is only one.
func (s *session) owner(o *observation) *Reader {
	if o.antenna == 0 && len(s.portal.readers) == 1 {
		return s.portal.readers[0]
	}
	return s.owners[o.antenna]
}

func (s *session) tag(epc []byte) (drivers.Tag, error) {
	if tag, ok := s.known[string(epc)]; ok {
		return tag, nil
	}
	tag, err := tagOf(epc)
	if err == nil {
		if len(s.known) >= maxKnown {
			clear(s.known)
		}
		s.known[string(epc)] = tag
	}
	return tag, err
}

func (s *session) notice(ctx context.Context, m inbound) error {
	n, err := parseNotice(m.Message)
	if err != nil {
		s.fault(ctx, faultMalformed, err)
		return nil
	}
	switch {
	case n.closed:
		return fmt.Errorf("%w: the reader closed the connection", drivers.ErrUnplugged)
	case n.attempt && n.connected == attemptByAnother:
		s.fault(ctx, faultClient, errors.New("another client tried to connect to the reader"))
	case n.ended && n.inventory == inventoryID:
		return fmt.Errorf("%w: it ended the inventory by itself", drivers.ErrProtocol)
	}
	if n.overflow {
		s.fault(ctx, faultOverflow, errors.New("the reader lost reports since they were not fetched in time"))
	}
	if n.exception {
		s.fault(ctx, faultReader, fmt.Errorf("the reader reports an exception: %q", n.text))
	}
	s.antennas(ctx, n.antennas)
	return nil
}

// fault tells every reader, at most once in a while for each kind.
func (s *session) fault(ctx context.Context, kind faultKind, err error) {
	now := time.Now()
	if now.Before(s.faults[kind]) {
		return
	}
	s.faults[kind] = now.Add(faultPause)
	s.portal.tellAll(ctx, fact{kind: factFault, at: now, err: err})
}
