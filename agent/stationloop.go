package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// stationLoop feeds the station's machine and does what it says. One goroutine
// runs it; the machine is its alone.
type stationLoop struct {
	*Agent
	machine *station.Machine
	inbox   chan station.Event
	later   chan func() // what the loop has to do for a goroutine of its own
	last    lastShown
	work    sync.WaitGroup // weighings and requests to tags under way
	pad     notePad
	next    *station.Reconfigured // what the machine has to be told first
	gone    []string              // scale and buttons that are no more, for as long as they may be heard
}

// heartbeat is how often a loop with nothing to do shows that it is alive.
const heartbeat = 500 * time.Millisecond

func (l *stationLoop) run(ctx context.Context, devices <-chan drivers.Event) error {
	changed, stop := l.parts.Replica.Changes()
	defer stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	defer l.work.Wait()
	if l.next != nil {
		l.resume(ctx, devices)
	}
	for {
		l.beats[0].Store(l.age())
		if ctx.Err() == nil && l.takeFirst(ctx, devices) {
			continue
		}
		select {
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errReload) { // else the light goes on in a moment
				l.lights(ctx, station.Signal{Aspect: station.Idle, Quiet: true})
			}
			return nil
		case e := <-devices:
			l.device(ctx, e)
		case e := <-l.inbox:
			l.step(ctx, e)
		case f := <-l.later:
			f()
		case <-changed:
			l.step(ctx, station.Changed{})
		case <-beat.C:
		}
	}
}

// resume begins again under another profile. What the devices said before goes
// first: some of them have ended.
func (l *stationLoop) resume(ctx context.Context, devices <-chan drivers.Event) {
	for range len(devices) {
		l.device(ctx, <-devices)
	}
	for _, reader := range l.next.Lost {
		l.lifted(reader, "")
	}
	l.step(ctx, *l.next)
	l.next, l.gone = nil, nil
	l.nameAgain(ctx)
}

// takeFirst takes one of the things that go before a look at what changed: one
// look then serves for all of them.
func (l *stationLoop) takeFirst(ctx context.Context, devices <-chan drivers.Event) bool {
	select {
	case e := <-l.inbox:
		l.step(ctx, e)
		return true
	default:
	}
	select {
	case e := <-devices:
		l.device(ctx, e)
		return true
	default:
		return false
	}
}

// post hands an event to the station from another goroutine.
func (l *stationLoop) post(ctx context.Context, e station.Event) {
	select {
	case l.inbox <- e: // also when the loop ends: another may follow
		return
	default:
	}
	select {
	case l.inbox <- e:
	case <-ctx.Done():
	}
}

// device turns a driver's event into the station's.
func (l *stationLoop) device(ctx context.Context, e drivers.Event) {
	if l.parts.Scale != nil && e.Reader == l.parts.Scale.Info().Name {
		l.scale(ctx, e)
		return
	}
	if b, is := l.button(e.Reader); is {
		l.pushed(ctx, b, e)
		return
	}
	if slices.Contains(l.gone, e.Reader) {
		return // no reader, so nothing that the station knows
	}
	switch e.Kind {
	case drivers.Arrived, drivers.Present:
		l.arrives(ctx, e)
	case drivers.Departed:
		l.departs(ctx, e)
	case drivers.Up:
		l.readerUp(ctx, l.infoOf(e.Reader))
	case drivers.Down:
		l.lifted(e.Reader, "")
		l.readerDown(ctx, l.infoOf(e.Reader), e.Err)
	case drivers.Diagnosed:
		l.diagnosed(ctx, l.infoOf(e.Reader), e.Err)
		l.step(ctx, station.ReaderExplained{Reader: e.Reader, Why: plain(e.Err)})
	case drivers.Fault:
		l.readerFault(ctx, e)
	}
}

func (l *stationLoop) infoOf(reader string) drivers.Info {
	for _, r := range l.parts.Readers {
		if i := r.Info(); i.Name == reader {
			return i
		}
	}
	return drivers.Info{Name: reader}
}

func (l *stationLoop) scale(ctx context.Context, e drivers.Event) {
	info := l.parts.Scale.Info()
	where := []slog.Attr{slog.String(journal.KeyDevice, info.Name), slog.String(journal.KeyPort, info.Port)}
	switch e.Kind {
	case drivers.Up:
		l.deviceIs(info.Name, true, info)
		l.portUp(ctx, info)
		l.outages.Up(ctx, journal.ScaleFault, info.Name, "scale "+info.Name+" answers again", where...)
	case drivers.Down:
		l.deviceIs(info.Name, false, info)
		l.portDown(ctx, info, e.Err)
		l.outages.Down(ctx, journal.ScaleFault, info.Name, fmt.Sprintf("scale %s is down, %s: %v", info.Name, causeOf(outageCauses, e.Err).short(), e.Err),
			append(where, slog.Any(journal.KeyError, e.Err))...)
	case drivers.Diagnosed:
		l.diagnosed(ctx, info, e.Err)
	case drivers.Fault:
		l.limiter.Event(ctx, journal.ScaleRefused, info.Name, fmt.Sprintf("scale %s: %v", info.Name, e.Err),
			slog.String(journal.KeyDevice, info.Name), slog.Any(journal.KeyReason, e.Err))
	}
}

// step lets the machine take one event and does its effects in order; the
// answers of appends are taken at once, before anything else happens.
func (l *stationLoop) step(ctx context.Context, e station.Event) {
	for queue := []station.Event{e}; len(queue) > 0; queue = queue[1:] {
		var effects []station.Effect
		now := l.parts.Now()
		err := l.parts.Replica.Read(func(v *replica.View) error {
			effects = l.machine.Step(now, view{a: l.Agent, v: v}, queue[0])
			return nil
		})
		if err != nil { // nothing is decided: no light may go on saying otherwise
			l.damaged(ctx, err)
			l.show(ctx, station.Signal{Aspect: station.Fault, Text: "FAULT nothing can be looked up: " + storageWords(err)})
			return
		}
		l.noteHelp()
		for _, effect := range effects {
			if answer := l.perform(ctx, effect); answer != nil {
				queue = append(queue, answer)
			}
		}
	}
}

func (l *stationLoop) perform(ctx context.Context, e station.Effect) station.Event {
	switch e := e.(type) {
	case station.Append:
		return l.append(ctx, e)
	case station.Show:
		l.show(ctx, e.Signal)
	case station.Weigh:
		l.weigh(ctx, e.Serial)
	case station.ReadNote:
		l.readNote(ctx, e)
	case station.WriteNote:
		l.writeNote(ctx, e)
	case station.Log:
		l.parts.Journal.Event(ctx, e.ID, e.Words, attrs(e.Fields)...)
	}
	return nil
}

// append makes proposals durable in one block of this gateway's chain.
func (l *stationLoop) append(ctx context.Context, e station.Append) station.Event {
	txs, err := l.transactions(e.Proposals)
	if err == nil {
		_, err = l.seal(ctx, replica.Batch{Txs: txs, Guard: guard(e)})
	}
	answer := station.Sealed{Serial: e.Serial, Outcome: station.Durable}
	switch {
	case err == nil:
		l.outages.Up(ctx, journal.AppendFailed, "", "blocks are durable again")
	case errors.Is(err, replica.ErrStale):
		answer.Outcome, answer.Detail = station.Stale, "other stations keep changing this item: scan it again"
	case err != nil:
		answer.Outcome, answer.Detail = station.Failed, storageWords(err)
		l.damaged(ctx, err)
		if !errors.Is(err, replica.ErrFull) {
			l.outages.Down(ctx, journal.AppendFailed, "", "a scan could not be recorded: "+err.Error(), slog.Any(journal.KeyError, err))
		}
	}
	return answer
}

// storageWords says to the operator why nothing was recorded.
func storageWords(err error) string {
	switch {
	case errors.Is(err, replica.ErrFull):
		return "the disk is full; call maintenance"
	case errors.Is(err, replica.ErrReadBack):
		return "the store is being read back after a failed write; scan again in a moment"
	case errors.Is(err, replica.ErrDamaged):
		return "the store is damaged; call maintenance"
	case errors.Is(err, ledger.ErrAuthor):
		return "the roster does not let this gateway seal; call an admin"
	}
	return err.Error()
}

func (l *stationLoop) damaged(ctx context.Context, err error) {
	if !errors.Is(err, replica.ErrDamaged) {
		return
	}
	block := "unknown"
	var where *replica.DamageError
	if errors.As(err, &where) && where.Height > 0 {
		block = ledger.Ref{Author: where.Author, Height: where.Height, Hash: where.Hash}.String()
	}
	l.limiter.Event(ctx, journal.ReplicaDamaged, "", fmt.Sprintf("the replica is damaged: %v", err),
		slog.String(journal.KeyPath, l.cfg.Dir), slog.String(journal.KeyBlock, block), slog.Any(journal.KeyError, err))
}

func (l *stationLoop) transactions(ps []ledger.Proposal) ([]ledger.Tx, error) {
	net := l.parts.Replica.Register().Network()
	var txs []ledger.Tx
	var previous ledger.TxID
	for _, p := range ps {
		at, clock := l.parts.Replica.Stamp()
		t, err := ledger.NewTx(net, p.Tx(l.key, at, clock, previous))
		if err != nil {
			return nil, err
		}
		txs, previous = append(txs, t), t.ID()
	}
	return txs, nil
}

// guard holds an append to what its decision rested on: the tag still belongs to
// the same open items.
func guard(e station.Append) func(*replica.View) error {
	return func(v *replica.View) error {
		open, _, err := v.Tag(e.Tag)
		if err != nil {
			return err
		}
		if !slices.Equal(idsOf(open), e.Open) {
			return replica.ErrStale
		}
		return nil
	}
}

func idsOf(items []ledger.Item) []ledger.ItemID {
	ids := make([]ledger.ItemID, len(items))
	for i, it := range items {
		ids[i] = it.ID
	}
	return ids
}

// weigh asks the scale without holding up the station.
func (l *stationLoop) weigh(ctx context.Context, serial int) {
	l.work.Go(func() {
		answer := station.Weighed{Serial: serial}
		wctx, cancel := context.WithTimeout(ctx, max(l.cfg.Weighs.Deadline, time.Second))
		defer cancel()
		w, err := l.parts.Scale.Weigh(wctx)
		switch {
		case ctx.Err() != nil:
			return // the station has ended: nobody waits
		case err != nil:
			answer.Problem = weighingWords(err)
			l.limiter.Event(ctx, journal.ScaleRefused, "weigh", "the scale gave no usable weight: "+err.Error(),
				slog.String(journal.KeyDevice, l.cfg.Weighs.Name), slog.Any(journal.KeyReason, err))
		case int64(w) < l.cfg.Weighs.EmptyBelow:
			answer.Problem = fmt.Sprintf("the pan is empty: %s", w)
		case l.cfg.Weighs.Capacity > 0 && int64(w) > l.cfg.Weighs.Capacity:
			answer.Problem = fmt.Sprintf("%s is more than the scale can weigh", w)
		}
		if answer.Problem == "" {
			answer.Milligrams = int64(w)
		}
		l.post(ctx, answer)
	})
}

func weighingWords(err error) string {
	switch {
	case errors.Is(err, drivers.ErrUnstable), errors.Is(err, context.DeadlineExceeded):
		return "the weight is not stable: let the scale come to rest and scan again"
	case errors.Is(err, drivers.ErrDown), errors.Is(err, drivers.ErrSilent):
		return "the scale does not answer: check its cable and scan again"
	case errors.Is(err, drivers.ErrOverload):
		return "the scale is overloaded"
	}
	return err.Error()
}

// lastShown is what the terminal shows, for the control socket.
type lastShown struct {
	text  string
	shift []string
	help  *HelpState // called; nil: not
}

var aspects = [...]drivers.Aspect{
	station.Idle: drivers.AspectIdle, station.Green: drivers.AspectGreen, station.Amber: drivers.AspectAmber,
	station.Red: drivers.AspectRed, station.Fault: drivers.AspectFault,
}

func (l *stationLoop) show(ctx context.Context, s station.Signal) {
	if !s.Quiet {
		l.mu.Lock()
		l.last.text, l.last.shift = s.Text, nil
		for _, b := range l.machine.Shift() {
			l.last.shift = append(l.last.shift, b.Name)
		}
		l.mu.Unlock()
	}
	l.lights(ctx, s)
}

// lightLimit bounds how long a lamp that hangs holds up the station, and its end.
const lightLimit = time.Second

func (l *stationLoop) lights(ctx context.Context, s station.Signal) {
	for _, light := range l.parts.Lights {
		// What was taken up before the end is shown all the same.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lightLimit)
		err := light.Show(bounded, drivers.Signal{Aspect: aspects[s.Aspect], Text: s.Text})
		cancel()
		if err != nil {
			l.outages.Down(ctx, journal.LightFault, light.Name, fmt.Sprintf("light %s cannot be driven: %v", light.Name, err),
				slog.String(journal.KeyDevice, light.Name), slog.Any(journal.KeyError, err))
		} else {
			l.outages.Up(ctx, journal.LightFault, light.Name, "light "+light.Name+" can be driven again", slog.String(journal.KeyDevice, light.Name))
		}
	}
}
