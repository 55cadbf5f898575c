package dialogue

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent/peer"
)

// cut pulls the cables between gateways and broker. Both ends notice at once.
func (s *scene) cut(c *command) error {
	for _, name := range c.args {
		b, err := s.board(name)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.broker.apart[b] = true
		if b.life != nil && b.life.link.connected {
			s.disconnect(b.life.link)
		}
		s.mu.Unlock()
	}
	return nil
}

// part makes the broker fall into two halves, those named and the rest.
func (s *scene) part(c *command) error {
	var some []*board
	for _, name := range c.args {
		b, err := s.board(name)
		if err != nil {
			return err
		}
		some = append(some, b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker.part(some)
	return nil
}

// heal plugs the cables of those named in again, of all if nobody is named, and
// makes the broker whole.
func (s *scene) heal(c *command) error {
	for _, name := range c.args {
		if _, err := s.board(name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker.merge()
	for _, b := range s.boards {
		if len(c.args) > 0 && !slices.Contains(c.args, b.place.name) {
			continue
		}
		delete(s.broker.apart, b)
		if b.life != nil && !b.life.link.connected {
			s.connect(b.life.link)
		}
	}
	return nil
}

// flight puts a message on its way into words. The lock is held.
func (s *scene) flight(f flight) string {
	_, text := s.words.message(f.m)
	return fmt.Sprintf("%s ⇒ %s %s", pad(s.nameOf(f.from), s.width(0)), pad(f.to.place.name, s.width(0)), text)
}

func (s *scene) nameOf(b *board) string {
	if b == nil {
		return "nobody"
	}
	return b.place.name
}

func (s *scene) flyingNow(*command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.broker.flying {
		text := s.flight(f)
		if kind := strings.Fields(text)[3]; kind != "status" && kind != "frontier" || s.show[kind] {
			s.out = append(s.out, text)
		}
	}
	return nil
}

// deliver lets the messages held back between two gateways arrive that fit, or
// the first or last of them, or loses them.
func (s *scene) deliver(c *command, arrives, stays bool) error {
	kind, which := c.option("kind", ""), c.option("which", "all")
	s.mu.Lock()
	var chosen, rest []flight
	for _, f := range s.broker.flying {
		_, text := s.words.message(f.m)
		if s.nameOf(f.from) == c.args[0] && f.to.place.name == c.args[1] && (kind == "" || strings.HasPrefix(text, kind)) {
			chosen = append(chosen, f)
		} else {
			rest = append(rest, f)
		}
	}
	n := len(chosen)
	switch {
	case n == 0:
		s.mu.Unlock()
		return fmt.Errorf("nothing of that kind is under way")
	case which == "first":
		chosen, rest = chosen[:1], append(chosen[1:], rest...)
	case which == "last":
		chosen, rest = chosen[n-1:], append(chosen[:n-1:n-1], rest...)
	case which != "all":
		s.mu.Unlock()
		return fmt.Errorf("which=%q is neither first, last nor all", which)
	}
	if !stays {
		s.broker.flying = rest
	}
	for _, f := range chosen {
		text := s.flight(f)
		if !arrives {
			text += " (lost)"
		}
		s.out = append(s.out, text)
	}
	s.mu.Unlock()
	if !arrives {
		return nil
	}
	for _, f := range chosen {
		time.Sleep(time.Millisecond)
		s.arrive(f)
	}
	return nil
}

// forge has a stranger publish a second block of an author's chain, signed with
// the author's key, at a height and with nothing in it.
func (s *scene) forge(c *command) error {
	author, err := s.board(c.args[0])
	if err != nil {
		return err
	}
	raw, err := s.secondBlock(author, c.args[1])
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := peerMessage(peer.TopicsOf(s.genesis.Network()).Block(author.id), raw)
	s.publish(nil, m)
	_, text := s.words.message(m)
	s.out = append(s.out, fmt.Sprintf("%s → * %s, signed with the key of %s", pad("nobody", s.width(0)), text, author.place.name))
	return nil
}
