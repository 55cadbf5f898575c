package agent

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
)

// tellOf has drill-2 tell of blocks that it never gives.
func tellOf(p *plant, height uint64) {
	status := peer.Status{Height: height, Head: ledger.Hash{byte(height)}}
	p.hub.mu.Lock()
	for _, l := range p.hub.links {
		l.take(mqtt.Message{Topic: peer.TopicsOf(p.genesis.Network()).Status(keyID("drill-2")), Payload: status.Encode()})
	}
	p.hub.mu.Unlock()
	synctest.Wait()
}

// TestAnUnknownTagWaitsForWhatIsMissing: while blocks are known to be missing the
// item may be in them. The light goes on by itself, with the blocks or, when
// nobody has them after all, without.
func TestAnUnknownTagWaitsForWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "drill-1")
		intake, drill := gs[0], gs[1]
		intake.order(drilling("WO-1"))
		drill.bus.cut(errors.New("the cable is out"))
		intake.shows(tagA, "TAKEN IN")
		if got := drill.put(tagA); !strings.HasPrefix(got, "UNKNOWN TAG") {
			t.Errorf("alone: %q", got)
		}
		drill.lift(tagA)
		drill.bus.connect("mqtt://one")
		tellOf(p, 7)
		if got := drill.put(tagB); !strings.HasPrefix(got, "WAIT") || !strings.Contains(got, "still to come") {
			t.Errorf("with blocks missing: %q", got)
		}
		if s, err := drill.Brief(); err != nil || s.Lag == 0 {
			t.Errorf("status %+v, %v", s, err)
		}
		time.Sleep(time.Minute) // nobody has them
		if got := drill.light.last().Text; !strings.HasPrefix(got, "UNKNOWN TAG") {
			t.Errorf("asked in vain: %q", got)
		}
		drill.journal.times(2, journal.ScanUnknownTag)
		drill.lift(tagB)
	})
}

// TestAnUnknownTagDoesNotWaitAlone: without a broker nothing comes.
func TestAnUnknownTagDoesNotWaitAlone(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		drill := together(p, "drill-1")[0]
		tellOf(p, 7)
		if got := drill.put(tagB); !strings.HasPrefix(got, "WAIT") {
			t.Errorf("with blocks missing: %q", got)
		}
		drill.bus.cut(errors.New("the cable is out"))
		if got := drill.light.last().Text; !strings.HasPrefix(got, "UNKNOWN TAG") {
			t.Errorf("alone: %q", got)
		}
		if got := drill.scan(tagA); !strings.HasPrefix(got, "UNKNOWN TAG") {
			t.Errorf("alone, another tag: %q", got)
		}
	})
}
