package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/agent/station"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// syncLoop feeds the peer's machine and does what it says. One goroutine runs
// it; the machine is its alone.
type syncLoop struct {
	*Agent
	machine *peer.Machine
	topics  peer.Topics
	timer   *time.Timer

	sealedMu   sync.Mutex
	sealed     []ledger.Ref  // own blocks not told to the machine yet
	wake       chan struct{} // something was sealed
	enrolled   []ledger.Hash // statements handed in at the control socket
	damagedNow *peer.Missing // to be told to the machine; under sealedMu

	home     string                // the broker last connected to
	gateways map[ledger.KeyID]bool // known from the roster
	named    map[ledger.KeyID]bool // in evidence, and said so
	notes    onNotes
	seen     struct { // the view as of some commit
		at   uint64
		view peer.View

		roster   *ledger.Roster // of which enrolled was taken
		enrolled peer.View
	}
}

// drain bounds how many messages are taken before their objects are made
// durable together.
const drain = 64

func (l *syncLoop) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bus := l.connect(ctx)
	defer bus.close()
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	l.checkRoster(ctx, l.parts.Replica.Roster())
	l.rememberNotes()
	for {
		l.beats[1].Store(l.age())
		if ctx.Err() == nil && l.takeFirst(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
			l.farewell(context.WithoutCancel(ctx))
			return nil
		case m, ok := <-bus.messages:
			if !ok {
				bus.messages = nil
				continue
			}
			l.receive(ctx, m, bus.messages)
		case s := <-l.parts.BusStates:
			l.state(ctx, s)
		case <-l.wake:
			l.tell(ctx)
		case <-l.timer.C:
			l.step(ctx, peer.Tick{})
		case <-beat.C:
		}
	}
}

// takeFirst takes one of the things that go before messages, in a fixed order:
// select would choose at random, and take messages of a connection before its
// beginning, or after its end.
func (l *syncLoop) takeFirst(ctx context.Context) bool {
	select {
	case s := <-l.parts.BusStates:
		l.state(ctx, s)
		return true
	default:
	}
	select {
	case <-l.wake:
		l.tell(ctx)
		return true
	default:
	}
	select {
	case <-l.timer.C:
		l.step(ctx, peer.Tick{})
		return true
	default:
		return false
	}
}

// receive takes a message and those that wait behind it; what they ingest is
// made durable together.
func (l *syncLoop) receive(ctx context.Context, m mqtt.Message, more <-chan mqtt.Message) {
	var batch peer.Ingest
	for n := 0; ; n++ {
		l.note(m, l.parts.Now())
		for _, e := range l.decide(ctx, peer.Message{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained}) {
			if in, ok := e.(peer.Ingest); ok {
				batch.Statements = append(batch.Statements, in.Statements...)
				batch.Blocks = append(batch.Blocks, in.Blocks...)
				batch.Frontiers = append(batch.Frontiers, in.Frontiers...)
				batch.Evidence = append(batch.Evidence, in.Evidence...)
				continue
			}
			l.perform(ctx, e)
		}
		if n == drain || ctx.Err() != nil {
			break
		}
		select {
		case next, ok := <-more:
			if ok {
				m = next
				continue
			}
		default:
		}
		break
	}
	l.perform(ctx, batch)
}

// tell reports to the machine what was sealed since it was last told.
func (l *syncLoop) tell(ctx context.Context) {
	l.askForDamaged(ctx)
	l.sealedMu.Lock()
	sealed, enrolled := l.sealed, l.enrolled
	l.sealed, l.enrolled = nil, nil
	l.sealedMu.Unlock()
	// Two who seal at once may have reported in either order.
	slices.SortFunc(sealed, func(a, b ledger.Ref) int { return cmp.Compare(a.Height, b.Height) })
	if len(enrolled) > 0 {
		l.rosterChanged(ctx)
	}
	if len(sealed) > 0 {
		l.rememberNotes()
	}
	if len(sealed)+len(enrolled) > 0 {
		l.step(ctx, peer.Committed{Sealed: sealed, Statements: enrolled})
	}
}

// report notes what was made durable here, for the machine to publish. It never
// blocks: a light does not wait for the network.
func (l *syncLoop) report(blocks []ledger.Ref, statements []ledger.Hash) {
	l.sealedMu.Lock()
	for _, b := range blocks {
		if !slices.Contains(l.sealed, b) {
			l.sealed = append(l.sealed, b)
		}
	}
	l.enrolled = append(l.enrolled, statements...)
	l.sealedMu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// seal appends to the own chain: the only way to it. It waits for the outcome
// whatever becomes of ctx: who stops waiting could not say what is recorded.
func (a *Agent) seal(ctx context.Context, b replica.Batch) (ledger.Block, error) {
	block, err := a.parts.Replica.Append(context.WithoutCancel(ctx), b)
	a.commits.Add(1)
	if err == nil {
		a.sync.report([]ledger.Ref{block.Ref()}, nil)
	}
	return block, err
}

// take makes foreign objects durable: the only way in for them. It waits for the
// outcome as seal does.
func (a *Agent) take(ctx context.Context, objects ...replica.Object) (replica.Result, error) {
	r, err := a.parts.Replica.Ingest(context.WithoutCancel(ctx), objects...)
	a.commits.Add(1)
	return r, err
}

func (l *syncLoop) step(ctx context.Context, e peer.Event) {
	for _, effect := range l.decide(ctx, e) {
		l.perform(ctx, effect)
	}
}

// decide lets the machine take one event on a snapshot of the replica.
func (l *syncLoop) decide(ctx context.Context, e peer.Event) []peer.Effect {
	var effects []peer.Effect
	var lag int64
	// Counted before the snapshot is taken, which is then no older.
	commits := l.commits.Load()
	err := l.parts.Replica.Read(func(v *replica.View) error {
		w, err := l.view(v, commits)
		if err == nil {
			effects = l.machine.Step(l.parts.Now(), w, e)
			lag = int64(l.machine.Lag(w))
		}
		return err
	})
	if err == nil && l.lag.Swap(lag) > 0 && lag == 0 {
		l.station.post(ctx, station.Changed{}) // also when what was missing does not exist after all
	}
	if err != nil {
		l.station.damaged(ctx, err)
	}
	return effects
}

func (l *syncLoop) perform(ctx context.Context, e peer.Effect) {
	l.beats[1].Store(l.age()) // many effects on a slow broker are no standstill
	switch e := e.(type) {
	case peer.Publish:
		l.publish(ctx, e.Topic, e.Retained, e.Payload)
	case peer.Ingest:
		l.ingest(ctx, e)
	case peer.SignFrontier:
		l.signFrontier(ctx, e)
	case peer.SetTimer:
		l.timer.Reset(e.At.Sub(l.parts.Now()))
	case peer.Log:
		l.logged(ctx, e)
	case peer.Ready:
		close(l.opened) // Ready comes once
		l.station.post(ctx, station.Opened{})
	}
}

// publish sends what is durable. What fails is repaired by a later message.
func (l *syncLoop) publish(ctx context.Context, topic string, retained bool, payload []byte) {
	if l.parts.Bus == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	err := l.parts.Bus.Publish(ctx, topic, retained, payload)
	if err != nil && !errors.Is(err, mqtt.ErrOffline) {
		l.parts.Journal.Logger().DebugContext(ctx, "message not published", slog.String("topic", topic), slog.Any(journal.KeyError, err))
	}
}

// publishLimit bounds how long a broker that does not acknowledge holds the loop.
const publishLimit = 2 * time.Second

func (l *syncLoop) signFrontier(ctx context.Context, e peer.SignFrontier) {
	// Not a stamp of the chain: those are for what is sealed.
	at := l.parts.Now().UnixMilli()
	f, err := ledger.SignFrontier(l.parts.Replica.Register().Network(), l.parts.Signer, at, e.Heads)
	if err != nil {
		l.parts.Journal.Logger().ErrorContext(ctx, "frontier not signed", slog.Any(journal.KeyError, err))
		return
	}
	if _, err := l.take(ctx, f); err != nil {
		l.station.damaged(ctx, err)
		return
	}
	l.publish(ctx, e.Topic, e.Retained, f.Raw())
}

func (l *syncLoop) logged(ctx context.Context, e peer.Log) {
	fields := []slog.Attr{slog.String(journal.KeyReason, e.Detail)}
	if !e.Peer.IsZero() {
		fields = append(fields, slog.String(journal.KeyPeer, l.nameOf(e.Peer)))
	}
	if e.LeftOut > 0 {
		fields = append(fields, slog.Uint64(journal.KeyLeftOut, e.LeftOut))
	}
	if e.Lag > 0 {
		fields = append(fields, slog.Uint64(journal.KeyLag, e.Lag))
	}
	words := e.Cause
	if e.Detail != "" && e.Detail != e.Cause {
		words += ": " + e.Detail
	}
	switch d, _ := journal.Lookup(e.Event); {
	case d.EndedBy != "":
		l.outages.Down(ctx, e.Event, "", words, fields...)
	case beginning(e.Event) != "":
		l.outages.Up(ctx, beginning(e.Event), "", words, fields...)
	default:
		l.parts.Journal.Event(ctx, e.Event, words, fields...)
	}
}

// beginning is the event whose end the given one tells.
func beginning(end journal.ID) journal.ID {
	for _, d := range journal.Events() {
		if d.EndedBy == end {
			return d.ID
		}
	}
	return ""
}

// ingest makes foreign objects durable and tells the machine and the journal
// what came of it.
func (l *syncLoop) ingest(ctx context.Context, in peer.Ingest) {
	objects := make([]replica.Object, 0, len(in.Statements)+len(in.Blocks)+len(in.Frontiers)+len(in.Evidence))
	for _, s := range in.Statements {
		objects = append(objects, s)
	}
	for _, b := range in.Blocks {
		objects = append(objects, b)
	}
	for _, f := range in.Frontiers {
		objects = append(objects, f)
	}
	for _, e := range in.Evidence {
		objects = append(objects, e)
	}
	if len(objects) == 0 {
		return
	}
	r, err := l.take(ctx, objects...)
	if err != nil {
		l.station.damaged(ctx, err)
		if !errors.Is(err, replica.ErrFull) {
			l.parts.Journal.Logger().DebugContext(ctx, "objects of peers not stored", slog.Any(journal.KeyError, err))
		}
		return
	}
	l.announce(ctx, r)
	committed, err := l.committed(r)
	if err != nil {
		l.station.damaged(ctx, err)
	}
	l.step(ctx, committed)
	if r.OwnBranch && l.isOpen() {
		l.join(ctx)
	}
}

// join seals a block that names the other branch of the own chain.
func (l *syncLoop) join(ctx context.Context) {
	block, joined, err := l.parts.Replica.JoinBranches(context.WithoutCancel(ctx))
	l.commits.Add(1)
	if err != nil || !joined {
		return // with the next append
	}
	l.report([]ledger.Ref{block.Ref()}, nil)
	l.parts.Journal.Event(ctx, journal.ChainBranchJoined, "two versions of this gateway's own chain were joined; nothing was lost",
		slog.String(journal.KeyBlock, block.Ref().String()))
}

// committed puts a result into the machine's words.
func (l *syncLoop) committed(r replica.Result) (peer.Committed, error) {
	c := peer.Committed{Blocks: r.Blocks, Statements: r.Statements}
	for _, g := range r.Gaps {
		c.Gaps = append(c.Gaps, peer.Gap{Of: g.Of, Want: g.Want, Statement: g.Statement})
	}
	for _, f := range r.Refused {
		c.Refused = append(c.Refused, peer.Refusal{Of: ledger.Ref{Author: f.Author, Hash: f.Hash}, Err: f.Err})
	}
	err := l.parts.Replica.Read(func(v *replica.View) error {
		for _, author := range r.Evidence {
			e, ok, err := v.EvidenceObject(author)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			a, b, err := e.Verify(l.parts.Replica.Register().Network(), l.publicKey)
			if err != nil {
				return err
			}
			c.Evidence = append(c.Evidence, peer.Fork{A: a, B: b})
		}
		return nil
	})
	return c, err
}

func (a *Agent) publicKey(id ledger.KeyID) (ledger.PublicKey, bool) {
	i, ok := a.parts.Replica.Roster().Identity(id)
	return i.Key, ok
}

// nameOf is the roster's name of a key, or its short id.
func (a *Agent) nameOf(id ledger.KeyID) string {
	if i, ok := a.parts.Replica.Roster().Identity(id); ok {
		return i.Name
	}
	return id.Short()
}

// forkOf names the height at which the chain of an author parts.
func (l *syncLoop) forkOf(author ledger.KeyID) string {
	at := "unknown"
	_ = l.parts.Replica.Read(func(v *replica.View) error { // the event is told without it as well
		branches, err := v.Evidence()
		for _, b := range branches {
			if b.Author == author {
				at = fmt.Sprintf("%s/%d", l.nameOf(author), b.Height)
			}
		}
		return err
	})
	return at
}
