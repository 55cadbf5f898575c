package mqtt

import (
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// guard is the broker's hook: it lets everyone in and keeps what one client
// can make the broker hold within bounds.
type guard struct {
	mochi.HookBase
	subscriptions int
	shelf         *shelf
}

func newGuard(c BrokerConfig) *guard {
	return &guard{
		subscriptions: c.Subscriptions,
		shelf:         &shelf{topics: c.Retained, bytes: c.RetainedBytes, held: make(map[string]int)},
	}
}

// ID implements mochi.Hook.
func (g *guard) ID() string { return "guard" }

// Provides implements mochi.Hook: the methods below.
func (g *guard) Provides(b byte) bool {
	switch b {
	case mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnConnect,
		mochi.OnSubscribe, mochi.OnPublish, mochi.OnWill:
		return true
	}
	return false
}

// OnConnectAuthenticate lets everyone in who reaches the listener.
func (g *guard) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnACLCheck allows every topic.
func (g *guard) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// OnConnect ends every session with its connection: the broker forgets no
// subscription of a session that expires.
func (g *guard) OnConnect(cl *mochi.Client, _ packets.Packet) error {
	cl.Properties.Clean = true
	cl.Properties.Props.SessionExpiryInterval = 0
	cl.Properties.Will.WillDelayInterval = 0
	return nil
}

// OnSubscribe makes the filters beyond the limit invalid, which refuses them.
func (g *guard) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	room := g.subscriptions - cl.State.Subscriptions.Len()
	for i, sub := range pk.Filters {
		if _, has := cl.State.Subscriptions.Get(sub.Filter); has {
			continue
		}
		if room--; room < 0 {
			pk.Filters[i].Filter = ""
		}
	}
	return pk
}

// OnPublish takes the retain flag from a message for which there is no room.
// Rejecting it would leave its publisher without an acknowledgement.
func (g *guard) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Retain && !g.shelf.put(pk.TopicName, len(pk.Payload)) {
		pk.FixedHeader.Retain = false
	}
	return pk, nil
}

// OnWill does the same for a will, which does not pass OnPublish.
func (g *guard) OnWill(_ *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if will.Retain && !g.shelf.put(will.TopicName, len(will.Payload)) {
		will.Retain = false
	}
	return will, nil
}

// shelf keeps the account of retained messages.
type shelf struct {
	mu     sync.Mutex
	held   map[string]int // bytes of topic and payload
	topics int            // room, as is bytes
	bytes  int
}

// put books a retained message in place of the one its topic had and reports
// whether there is room; an empty one clears the topic (section 3.3.1.3).
func (s *shelf) put(topic string, payload int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, has := s.held[topic]
	if payload == 0 {
		if has {
			delete(s.held, topic)
			s.bytes += before
			s.topics++
		}
		return true
	}
	now := len(topic) + payload
	if s.bytes+before < now || !has && s.topics == 0 {
		return false
	}
	s.held[topic] = now
	s.bytes += before - now
	if !has {
		s.topics--
	}
	return true
}
