package peer

import (
	"encoding/hex"
	"strings"

	"traveler.example/ledger"
)

// The channels of a network, as they stand in topics.
const (
	channelBlock    = "block"
	channelFrontier = "frontier"
	channelAsk      = "ask"
	channelGive     = "give"
	channelRoster   = "roster"
	channelEvidence = "evidence"
	channelStatus   = "status"
)

// Topics names the topics of one network.
type Topics struct{ prefix string }

// TopicsOf returns the topics of a network.
func TopicsOf(net ledger.NetworkID) Topics {
	return Topics{prefix: "traveler/1/" + hex.EncodeToString(net[:8]) + "/"}
}

// Block is where the live blocks of author are published.
func (t Topics) Block(author ledger.KeyID) string { return t.of(channelBlock, author) }

// Frontier is where the frontiers of witness are published.
func (t Topics) Frontier(witness ledger.KeyID) string { return t.of(channelFrontier, witness) }

// Ask is where gateway is asked.
func (t Topics) Ask(gateway ledger.KeyID) string { return t.of(channelAsk, gateway) }

// Give is where gateway receives answers.
func (t Topics) Give(gateway ledger.KeyID) string { return t.of(channelGive, gateway) }

// Evidence is where evidence against author is kept.
func (t Topics) Evidence(author ledger.KeyID) string { return t.of(channelEvidence, author) }

// Status is where the status of gateway is kept.
func (t Topics) Status(gateway ledger.KeyID) string { return t.of(channelStatus, gateway) }

// Roster is where the roster heads are kept.
func (t Topics) Roster() string { return t.prefix + channelRoster }

// Filters returns what gateway self subscribes to, in a fixed order.
func (t Topics) Filters(self ledger.KeyID) []string {
	return []string{
		t.prefix + channelBlock + "/+", t.prefix + channelFrontier + "/+", t.prefix + channelEvidence + "/+",
		t.prefix + channelStatus + "/+", t.Roster(), t.Ask(self), t.Give(self),
	}
}

// All is the filter of everything in the network.
func (t Topics) All() string { return t.prefix + "#" }

// Sayable returns the filters of what one gateway may publish, with self in place
// of its key id: its own blocks, frontiers and status; questions and answers to
// every other; evidence against anybody, which its signatures prove; and the
// roster heads, which say who sends them and are only a reason to ask.
func (t Topics) Sayable(self string) []string {
	return []string{
		t.prefix + channelBlock + "/" + self, t.prefix + channelFrontier + "/" + self, t.prefix + channelStatus + "/" + self,
		t.prefix + channelAsk + "/+", t.prefix + channelGive + "/+", t.prefix + channelEvidence + "/+", t.Roster(),
	}
}

func (t Topics) of(channel string, id ledger.KeyID) string {
	return t.prefix + channel + "/" + id.String()
}

// parse splits a topic of this network. The key id is zero for the roster's.
// A topic that this package would have spelled otherwise is refused.
func (t Topics) parse(topic string) (channel string, id ledger.KeyID, cause Cause) {
	rest, ok := strings.CutPrefix(topic, t.prefix)
	if !ok {
		return "", id, CauseNetwork
	}
	if rest == channelRoster {
		return channelRoster, id, 0
	}
	channel, key, _ := strings.Cut(rest, "/")
	switch channel {
	case channelBlock, channelFrontier, channelAsk, channelGive, channelEvidence, channelStatus:
	default:
		return "", id, CauseTopic
	}
	id, err := ledger.ParseKeyID(key)
	if err != nil || id.String() != key {
		return "", id, CauseTopic
	}
	return channel, id, 0
}
