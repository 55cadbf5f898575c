package peer

import (
	"slices"
	"strings"
	"time"

	"traveler.example/ledger"
)

// receive takes one message from the network. Everything in it is a stranger's
// word until the replica has judged it.
func (m *Machine) receive(now time.Time, v View, e Message) {
	channel, id, cause := m.topics.parse(e.Topic)
	if cause != 0 {
		m.drop(now, cause, id, clip(e.Topic))
		return
	}
	var err error
	switch channel {
	case channelBlock:
		err = m.receiveBlock(now, v, id, e)
	case channelFrontier:
		err = m.receiveFrontier(now, v, id, e)
	case channelEvidence:
		err = m.receiveEvidence(v, id, e)
	case channelStatus:
		err = m.receiveStatus(now, v, id, e)
	case channelRoster:
		err = m.receiveRoster(now, v, e)
	case channelAsk:
		err = m.receiveAsk(now, v, id, e)
	case channelGive:
		err = m.receiveGive(now, v, id, e)
	}
	if err != nil {
		m.drop(now, CausePayload, id, err.Error())
	}
}

// clip bounds what a log shows of foreign text.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func (m *Machine) receiveBlock(now time.Time, v View, author ledger.KeyID, e Message) error {
	b, err := ledger.ParseBlock(m.config.Network, e.Payload)
	if err != nil {
		return err
	}
	if b.Header().Author != author {
		m.drop(now, CauseAuthor, author, b.Ref().String())
		return nil
	}
	if author != m.config.Self {
		m.heard(now, v, author, e.Retained)
	}
	if !v.Store.Has(b.Hash()) && !m.wants.isRefused(b.Hash()) {
		m.do(Ingest{Blocks: []ledger.UnverifiedBlock{b}})
	}
	return nil
}

func (m *Machine) receiveFrontier(now time.Time, v View, witness ledger.KeyID, e Message) error {
	f, err := ledger.ParseFrontier(e.Payload)
	if err != nil {
		return err
	}
	if f.Witness != witness {
		m.drop(now, CauseAuthor, witness, f.Witness.String())
		return nil
	}
	if witness != m.config.Self {
		m.heard(now, v, witness, e.Retained)
	}
	for _, head := range f.Entries {
		m.claim(now, v, head, witness)
		if head.Author == m.config.Self && witness != m.config.Self {
			m.saying.named = head
		}
	}
	m.do(Ingest{Frontiers: []ledger.Frontier{f}})
	return nil
}

func (m *Machine) receiveEvidence(v View, author ledger.KeyID, e Message) error {
	ev, err := ledger.ParseEvidence(e.Payload)
	if err == nil && !among(v.Evidence, author) {
		m.do(Ingest{Evidence: []ledger.Evidence{ev}})
	}
	return err
}

func (m *Machine) receiveStatus(now time.Time, v View, id ledger.KeyID, e Message) error {
	s, err := ParseStatus(e.Payload)
	if err != nil {
		return err
	}
	// A status of this gateway may show what it held before its card was
	// restored, or that another board has its key.
	m.claim(now, v, ledger.Ref{Author: id, Height: s.Height, Hash: s.Head}, id)
	if id == m.config.Self {
		return nil
	}
	p := m.heard(now, v, id, e.Retained)
	p.Online = s.Offline == 0
	if s.Height > 0 {
		p.Height, p.Head = s.Height, s.Head
	}
	if p.Online {
		p.held = s.Held
	}
	m.wantStatements(now, v, s.Roster, id)
	return nil
}

func (m *Machine) receiveRoster(now time.Time, v View, e Message) error {
	h, err := ParseHeads(e.Payload)
	if err != nil || h.From == m.config.Self {
		return err
	}
	m.heard(now, v, h.From, e.Retained)
	m.wantStatements(now, v, h.Heads, h.From)
	return nil
}

func (m *Machine) receiveAsk(now time.Time, v View, to ledger.KeyID, e Message) error {
	if to != m.config.Self {
		m.drop(now, CauseTopic, to, "an ask to another gateway")
		return nil
	}
	a, err := ParseAsk(e.Payload)
	if err != nil || a.From == m.config.Self {
		return err
	}
	m.heard(now, v, a.From, e.Retained)
	m.takeAsk(now, v, a)
	return nil
}

// receiveGive takes the answer to an ask of ours. An answer that comes late is
// as good, one that was never asked for is not: what it brings can be had from
// those we ask.
func (m *Machine) receiveGive(now time.Time, v View, to ledger.KeyID, e Message) error {
	if to != m.config.Self {
		m.drop(now, CauseTopic, to, "an answer to another gateway")
		return nil
	}
	g, err := ParseGive(e.Payload)
	if err != nil {
		return err
	}
	p := m.peers.get(g.From)
	if p == nil || p.asked.IsZero() || now.Sub(p.asked) > lateAnswer {
		m.drop(now, CauseUnasked, g.From, "")
		return nil
	}
	in, held, err := m.parseGive(v, g)
	if err != nil {
		return err
	}
	m.heard(now, v, g.From, e.Retained)
	m.answered(now, v, g, in, held)
	if len(in.Blocks)+len(in.Statements) > 0 {
		m.do(in)
	}
	return nil
}

// parseGive parses what a give brings that is not held, blocks in the order in
// which one vouches for another, and names the blocks that are. One bad object
// spoils the whole: honest gateways give none.
func (m *Machine) parseGive(v View, g Give) (in Ingest, held []ledger.Ref, err error) {
	for _, raw := range g.Statements {
		s, err := ledger.ParseStatement(m.config.Network, raw)
		if err != nil {
			return Ingest{}, nil, err
		}
		if !v.holds(s.Hash(), wantStatement) {
			in.Statements = append(in.Statements, s)
		}
	}
	for _, raw := range g.Blocks {
		b, err := ledger.ParseBlock(m.config.Network, raw)
		if err != nil {
			return Ingest{}, nil, err
		}
		switch {
		case v.Store.Has(b.Hash()):
			held = append(held, b.Ref())
		case !m.wants.isRefused(b.Hash()):
			in.Blocks = append(in.Blocks, b)
		}
	}
	slices.SortStableFunc(in.Blocks, func(a, b ledger.UnverifiedBlock) int { return compareRefs(a.Ref(), b.Ref()) })
	in.Blocks = slices.CompactFunc(in.Blocks, func(a, b ledger.UnverifiedBlock) bool { return a.Hash() == b.Hash() })
	return in, held, nil
}
