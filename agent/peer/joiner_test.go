package peer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/ledger"
)

// TestFrontierBeforeItsRoster: one who joins with the genesis alone knows no
// witness. That is a gap, which the roster fills; a known gateway that is no
// witness is at fault.
func TestFrontierBeforeItsRoster(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	a := r.start("a")[0]
	r.seal(a, 3)
	refused := func(author string) Committed {
		return Committed{Refused: []Refusal{{Of: ledger.Ref{Author: idOf(author)}, Err: fmt.Errorf("frontier: x %w", ledger.ErrNoWitness)}}}
	}
	joiner := r.add("c", newShelf(r.genesis, nil))
	r.connect(joiner)
	r.step(joiner, refused("a"))
	if n := joiner.m.Dropped(CauseRefused); n != 0 || len(joiner.logs) != 0 {
		t.Errorf("without the roster: %d dropped, %v", n, joiner.logs)
	}
	r.converge(10*time.Second, a, joiner) // it asks for the roster
	r.step(a, refused("b"))
	if n := a.m.Dropped(CauseRefused); n != 0 {
		t.Errorf("%d frontiers of a witness dropped: the roster has changed since", n)
	}
	r.step(a, refused("c"))
	if n := a.m.Dropped(CauseRefused); n != 1 || len(a.logs) != 1 || a.logs[0].Event != journal.MessageDropped {
		t.Errorf("of a gateway that is no witness: %d dropped, %v", n, a.logs)
	}
}

// TestOneWhoServesLaterIsNotPressed: who has more and gives nothing serves this
// author last; asking at once would only cost messages.
func TestOneWhoServesLaterIsNotPressed(t *testing.T) {
	r := newRig(t, "a*", "b*", "c")
	b := r.add("b", newShelf(r.genesis, r.statements))
	b.up = true
	r.step(b, Connected{})
	r.step(b, Message{Topic: r.topics().Status(idOf("a")), Payload: Status{Height: 5, Head: ledger.Hash{5}}.Encode()})
	r.step(b, Message{Topic: r.topics().Give(b.id), Payload: Give{From: idOf("a"), Told: []ledger.KeyID{b.id}}.Encode()})
	asks := func() (n int) {
		for _, p := range b.sent {
			if strings.Contains(p.Topic, "/ask/") && len(must(ParseAsk(p.Payload)).Ranges) > 0 {
				n++
			}
		}
		return n
	}
	r.run(time.Second)
	if asks() != 1 {
		t.Fatalf("%d asks for the chain", asks())
	}
	later := Give{From: idOf("a"), More: 1}
	r.step(b, Message{Topic: r.topics().Give(b.id), Payload: later.Encode()})
	r.run(lastEvery - time.Millisecond)
	if asks() != 1 {
		t.Errorf("asked again within %v of being told that more comes later", lastEvery)
	}
	r.run(2 * time.Millisecond)
	if asks() != 2 {
		t.Errorf("%d asks after %v", asks(), lastEvery)
	}
	if lag := b.m.Lag(b.store.view()); lag != 5 {
		t.Errorf("lag %d: to be served later is no sign that there is nothing", lag)
	}
}
