package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"traveler.example/ledger"
)

// Replica is one gateway's copy of the ledger. Its methods may be called from
// many goroutines.
type Replica struct {
	o     Options
	net   ledger.NetworkID
	own   ledger.KeyID // zero without a signer
	store store
	disk  *disk // nil in memory
	log   *slog.Logger

	register atomic.Pointer[ledger.Register] // a new one after a failed commit
	held     atomic.Uint64                   // blocks as of the last commit: the store must have as many
	requests chan *request
	quit     chan struct{}
	ended    chan struct{}
	closing  sync.Once
	failed   error // of Close

	// views is held by readers; reopening, rebuilding and closing wait for them.
	views sync.RWMutex

	ailing   ailing
	verdicts chan *verdict // of the mender, for the committer
	menders  sync.WaitGroup

	subscribers struct {
		sync.Mutex
		all map[chan struct{}]bool
	}
	stamp struct {
		sync.Mutex
		previous, now int64 // the last stamp, and what the clock said then
	}

	orders orderCache

	// The committer's own.
	memo   *memo
	broken bool         // a commit failed and was not read back yet
	lost   *DamageError // the own chain ends before where it ended once
}

// request is what one caller wants of the committer.
type request struct {
	ctx     context.Context
	batch   *Batch
	objects []Object
	rebuild bool
	reply   chan reply
}

type reply struct {
	block  ledger.Block
	result Result
	err    error
}

func (q *request) answer(r reply) { q.reply <- r }

// OpenMemory returns a replica that lives in memory: the twin of the one on
// disk, for simulations.
func OpenMemory(o Options) (*Replica, error) {
	r, err := newReplica(o)
	if err != nil {
		return nil, err
	}
	r.store = o.disk()
	if o.FreeBytes != nil {
		r.disk = &disk{free: o.FreeBytes, reserve: o.Reserve}
	}
	return r, r.start()
}

func newReplica(o Options) (*Replica, error) {
	if len(o.Genesis.Raw()) == 0 {
		return nil, errors.New("options: Genesis is missing")
	}
	if o.Signer != nil && o.Now == nil {
		return nil, errors.New("options: Now is missing: who seals needs the time")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.verify == nil && o.Pool != nil {
		o.verify = o.Pool.verify
	}
	if o.verify == nil {
		o.verify = func(b ledger.UnverifiedBlock, r *ledger.Roster) (ledger.Block, error) { return b.Verify(r) }
	}
	r := &Replica{
		o: o, net: o.Genesis.Network(), log: o.Log, memo: newMemo(),
		requests: make(chan *request), quit: make(chan struct{}), ended: make(chan struct{}), verdicts: make(chan *verdict),
	}
	r.ailing.blocks, r.ailing.suspect = map[ledger.Hash]ledger.Ref{}, make(chan struct{}, 1)
	r.subscribers.all = map[chan struct{}]bool{}
	if o.Signer != nil {
		pub, err := ledger.PublicKeyOf(o.Signer)
		if err != nil {
			return nil, fmt.Errorf("options: Signer: %w", err)
		}
		r.own = pub.ID()
	}
	return r, nil
}

// start reads what the store holds and begins to commit.
func (r *Replica) start() error {
	if err := r.load(); err != nil {
		return err
	}
	go r.run()
	return nil
}

// Close ends the replica: what was accepted is committed, readers are waited
// for. It may be called more than once.
func (r *Replica) Close() error {
	r.closing.Do(func() {
		close(r.quit)
		<-r.ended
		r.menders.Wait()
		r.views.Lock()
		defer r.views.Unlock()
		r.failed = r.store.close()
		if r.disk != nil {
			r.failed = errors.Join(r.failed, r.disk.close())
		}
	})
	return r.failed
}

// ask hands a request to the committer and waits for the answer.
func (r *Replica) ask(ctx context.Context, q *request) (reply, error) {
	q.ctx, q.reply = ctx, make(chan reply, 1)
	select {
	case r.requests <- q:
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case <-r.quit:
		return reply{}, ErrClosed
	}
	select {
	case a := <-q.reply:
		return a, a.err
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// retryAfter is how long the committer waits before it tries again to read back
// what a failed commit left.
const retryAfter = time.Second

// run is the committer.
func (r *Replica) run() {
	defer close(r.ended)
	var retry <-chan time.Time
	for {
		switch {
		case !r.broken:
			retry = nil
		case retry == nil:
			retry = time.After(retryAfter)
		}
		select {
		case q := <-r.requests:
			r.round(r.gather(q))
		case v := <-r.verdicts:
			v.reply <- r.mendNow(v)
		case <-retry:
			r.readBack()
			retry = nil
		case <-r.quit:
			return
		}
	}
}

// maxGathered bounds the requests of one round.
const maxGathered = 4 * ledger.MaxBlockTxs

// gather takes every request that waits now. Those answered a moment ago may be
// about to ask again: they are let run first, as long as that brings more. Else
// the first of them would have a commit for itself and the others wait for it.
func (r *Replica) gather(first *request) []*request {
	all := []*request{first}
	if r.o.Pause != nil {
		r.o.Pause() // in virtual time: whoever asks in this instant has asked then
		return r.drain(all)
	}
	for seen := 0; seen < len(all) && len(all) < maxGathered; {
		seen = len(all)
		runtime.Gosched()
		all = r.drain(all)
	}
	return all
}

func (r *Replica) drain(all []*request) []*request {
	for len(all) < maxGathered {
		select {
		case q := <-r.requests:
			all = append(all, q)
		default:
			return all
		}
	}
	return all
}

// round does what the requests want in one commit, and answers them.
func (r *Replica) round(all []*request) {
	if err := r.mayWrite(); err != nil {
		r.refuse(all, err)
		return
	}
	slices.SortStableFunc(all, func(a, b *request) int { return rankOf(a) - rankOf(b) })
	s, err := r.newSession()
	if err == nil || all[0].rebuild && errors.Is(err, ErrDamaged) {
		err = r.serve(s, all)
	}
	s.close()
	if err != nil {
		r.fail(err)
		r.refuse(all, err)
		return
	}
	for i, answer := range s.replies {
		r.pause(i)
		answer()
	}
	if s.wrote { // a refusal is no news: who looks again at every change would ask for the same without end
		r.notify()
	}
}

// mayWrite refuses a round that cannot be committed.
func (r *Replica) mayWrite() error {
	if r.o.ReadOnly {
		return ErrReadOnly
	}
	if r.broken {
		return ErrReadBack
	}
	if r.disk != nil {
		return r.disk.room()
	}
	return nil
}

// refuse answers those that have no answer yet.
func (r *Replica) refuse(all []*request, err error) {
	for i, q := range all {
		r.pause(i)
		select {
		case q.reply <- reply{err: err}:
		default:
		}
	}
}

// pause lets time pass before all answers of a round but the first.
func (r *Replica) pause(answered int) {
	if answered > 0 && r.o.Pause != nil {
		r.o.Pause()
	}
}

// rankOf puts rebuilding first, since it mends views, and sealing last, on top of
// what came from peers.
func rankOf(q *request) int {
	switch {
	case q.rebuild:
		return 0
	case q.batch == nil:
		return 1
	}
	return 2
}

// serve does what sorted requests want.
func (r *Replica) serve(s *session, all []*request) error {
	var appends []*request
	for _, q := range all {
		switch {
		case q.batch != nil:
			appends = append(appends, q)
		case q.rebuild:
			r.views.Lock()
			err := s.rebuild()
			r.views.Unlock()
			if err != nil {
				return err
			}
			s.replies = append(s.replies, func() { q.answer(reply{}) })
		case q.ctx.Err() != nil:
			q.answer(reply{err: q.ctx.Err()})
		default:
			res, err := s.ingest(q.objects)
			if err != nil {
				return err
			}
			s.replies = append(s.replies, func() { q.answer(reply{result: res}) })
			if err := s.relieve(); err != nil {
				return err
			}
		}
	}
	if len(appends) > 0 {
		if err := r.maySeal(s); err != nil {
			r.refuse(appends, err)
		} else if err := s.appends(appends); err != nil {
			return err
		}
	}
	if err := s.end(); err != nil {
		return err
	}
	return r.noteTip(s)
}

// maySeal refuses to seal while blocks of the own chain are lost. The block last
// noted as its head must be held still: what lies in a damaged table may go
// without a word at any time.
func (r *Replica) maySeal(s *session) error {
	if r.lost == nil {
		if lost, err := r.lostSince(s.e); err != nil || !lost {
			return err
		}
		return r.lost
	}
	held, err := s.e.holds(r.lost.Hash)
	if err != nil {
		return err
	}
	if !held {
		return r.lost
	}
	r.log.Info("the lost end of the own chain is back", "height", r.lost.Height)
	r.setLost(nil)
	return nil
}

// fail sets the replica right after a round that did not end well. What a failed
// commit left is not known: the store is read back. After any other error the
// register may hold statements that were never stored: it is read again.
func (r *Replica) fail(err error) {
	r.log.Error("what was asked for could not be stored", "err", err)
	r.suspect(err)
	r.broken = true
	if errors.Is(err, errCommit) {
		r.readBack()
		return
	}
	r.views.Lock()
	defer r.views.Unlock()
	if err := r.load(); err != nil {
		r.log.Error("the ledger cannot be read", "err", err)
		return
	}
	r.broken = false
}

// readBack opens the store again and reads what it holds.
func (r *Replica) readBack() {
	r.views.Lock()
	defer r.views.Unlock()
	if r.disk != nil && r.disk.room() != nil {
		return // the store may not be opened on a full disk
	}
	err := r.store.reopen()
	if err == nil {
		err = r.load()
	} else if damage := r.damagedFiles(err); damage != nil { // trying again would not help
		r.report(damage)
		err = r.renewStore()
	}
	if err != nil {
		r.log.Error("the chain cannot be read back yet", "err", err)
		return
	}
	r.broken = false
	r.log.Info("the chain was read back")
}

// Read calls f with a view of the present state: as it is at the first look. Calls are not to be nested.
func (r *Replica) Read(f func(*View) error) error {
	r.views.RLock()
	defer r.views.RUnlock()
	select {
	case <-r.quit:
		return ErrClosed
	default:
	}
	snapshot := watched{&late{store: r.store}, r}
	defer snapshot.close()
	register := r.register.Load()
	return f(&View{r: snapshot, net: r.net, register: register, roster: register.Current(), space: r.space, orders: &r.orders, own: r.own})
}

// space tells how large the store is, what is free and what must stay free.
func (r *Replica) space() (store, free, reserve int64) {
	if r.disk == nil {
		return 0, 0, 0
	}
	return r.store.size(), r.disk.freeNow(), r.disk.need()
}

// Roster returns the roster in force: of all statements held.
func (r *Replica) Roster() *ledger.Roster { return r.register.Load().Current() }

// Register returns the register of roster statements. It is not to be added to:
// statements go through Ingest.
func (r *Replica) Register() *ledger.Register { return r.register.Load() }

// Own returns the head after which this gateway seals next and all heads of its
// chain, by height and hash; zero and none before its first block.
func (r *Replica) Own() (head ledger.Ref, branches []ledger.Ref) {
	err := r.Read(func(v *View) (err error) {
		branches, err = v.HeadsOf(r.own)
		return err
	})
	if err != nil {
		r.log.Error("the own branch heads cannot be read", "err", err)
	}
	if order := joinOrder(branches); len(order) > 0 {
		head = order[0]
	}
	return head, branches
}

// Changes returns a channel that receives after something was committed;
// several commits may come as one. stop ends it.
func (r *Replica) Changes() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	r.subscribers.Lock()
	defer r.subscribers.Unlock()
	r.subscribers.all[c] = true
	return c, func() {
		r.subscribers.Lock()
		defer r.subscribers.Unlock()
		delete(r.subscribers.all, c)
	}
}

func (r *Replica) notify() {
	r.subscribers.Lock()
	defer r.subscribers.Unlock()
	for c := range r.subscribers.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Stamp returns the time for the next transaction or block of this gateway, in
// ms since 1970 UTC. Without a synchronised clock time never steps back; within
// one millisecond stamps count on by one.
func (r *Replica) Stamp() (ms int64, clock ledger.Clock) {
	now, clock := r.o.Now()
	r.stamp.Lock()
	defer r.stamp.Unlock()
	steppedBack := now < r.stamp.now
	if now <= r.stamp.previous && !(clock == ledger.ClockSynchronised && steppedBack) {
		r.stamp.previous++
	} else {
		r.stamp.previous = now
	}
	r.stamp.now = now
	return r.stamp.previous, clock
}
