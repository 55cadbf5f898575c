package hostile

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"traveler.example/agent/peer"
	"traveler.example/ledger"
)

// foe is who attacks. Outsiders have a way to the broker and nothing else; the
// insider has an enrolled key with the roles gateway and witness, and answers
// what is asked of it, so that what it sealed spreads.
type foe struct {
	broker  string
	net     ledger.NetworkID
	topics  peer.Topics
	cite    []ledger.Hash
	target  gateway
	honest  []gateway // the target among them
	key     crypto.Signer
	id      ledger.KeyID
	station string // that the roster assigns to the insider
	order   ledger.TxID

	random *rand.Rand
	wire   *wire
	serial int
	sent   int64 // messages
	bytes  int64

	mu       sync.Mutex
	captured []shot // what the honest said, at most mostCaptured
	asked    int    // asks that reached the insider
	blocks   []ledger.UnverifiedBlock
	marks    map[ledger.Hash]ledger.Mark
	head     ledger.Mark
}

// gateway is an honest one.
type gateway struct {
	name string
	id   ledger.KeyID
}

// shot is a message to send.
type shot struct {
	topic    string
	payload  []byte
	retained bool
}

const mostCaptured = 4096

// ear connects and keeps what honest gateways say.
func (f *foe) ear() error {
	start := ledger.GenesisMark(f.net, f.id)
	f.head, f.marks = start, map[ledger.Hash]ledger.Mark{start.Ref.Hash: start}
	return f.plugIn()
}

// plugIn connects, again if need be.
func (f *foe) plugIn() error {
	if f.wire != nil {
		f.wire.tear()
	}
	w, err := plugIn(f.broker, "foe", nil, f.hear, f.topics.All())
	if err == nil {
		f.mu.Lock()
		f.wire = w
		f.mu.Unlock()
	}
	return err
}

func (f *foe) hear(m heard) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.topic == f.topics.Ask(f.id) && f.wire != nil {
		f.asked++
		if a, err := peer.ParseAsk(m.payload); err == nil {
			f.answer(a)
		}
		return
	}
	if len(f.captured) >= mostCaptured || len(m.payload) == 0 {
		return
	}
	f.captured = append(f.captured, shot{topic: m.topic, payload: m.payload})
}

// answer gives what is asked of the insider's own chain.
func (f *foe) answer(a peer.Ask) {
	g := peer.Give{From: f.id}
	room := 60 << 10
	for _, b := range f.blocks {
		ref := b.Ref()
		wanted := slices.Contains(a.Hashes, ref.Hash) || slices.ContainsFunc(a.Ranges, func(r peer.Range) bool {
			return r.Author == f.id && r.From <= ref.Height && ref.Height <= r.To
		})
		if !wanted {
			continue
		}
		if room -= len(b.Raw()) + 5; room < 0 && len(g.Blocks) > 0 {
			g.More = 1
			break
		}
		g.Blocks = append(g.Blocks, b.Raw())
	}
	f.wire.publish(shot{topic: f.topics.Give(a.From), payload: g.Encode()})
	_ = f.wire.flush()
}

// next is another number each time.
func (f *foe) next() int { f.serial++; return f.serial }

func (f *foe) fill(p []byte) []byte {
	for i := range p {
		p[i] = byte(f.random.Uint32())
	}
	return p
}

func (f *foe) hash() (h ledger.Hash) { f.fill(h[:]); return h }

func (f *foe) stranger() (id ledger.KeyID) { f.fill(id[:]); return id }

func (f *foe) victim() gateway { return f.honest[f.random.IntN(len(f.honest))] }

// overheard is something that an honest gateway has said; kind, if any, is the
// channel it was said on.
func (f *foe) overheard(kind string) (shot, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.captured) == 0 {
		return shot{}, false
	}
	from := f.random.IntN(len(f.captured))
	for i := range f.captured {
		s := f.captured[(from+i)%len(f.captured)]
		if kind == "" || strings.Contains(s.topic, "/"+kind+"/") {
			return s, true
		}
	}
	return shot{}, false
}

// seal makes a valid block of the insider after prev.
func (f *foe) seal(prev ledger.Mark, also *ledger.Mark, txs ...ledger.Tx) ledger.UnverifiedBlock {
	skip := must(ledger.SkipFrom(prev, func(h ledger.Hash) (ledger.Mark, bool) { m, ok := f.marks[h]; return m, ok }))
	b := must(ledger.Seal(f.net, f.key, ledger.Draft{
		Prev: prev, Also: also, Skip: skip, Time: time.Now().UnixMilli(), Roster: f.cite, Txs: txs,
	})).UnverifiedBlock
	f.keep(b)
	return b
}

// keep remembers a block of the insider for those who ask.
func (f *foe) keep(b ledger.UnverifiedBlock) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[b.Hash()] = ledger.MarkOf(b)
	f.blocks = append(f.blocks, b)
}

// extend seals on the insider's chain.
func (f *foe) extend(txs ...ledger.Tx) shot {
	b := f.seal(f.head, nil, txs...)
	f.head = ledger.MarkOf(b)
	return f.live(b)
}

func (f *foe) live(b ledger.UnverifiedBlock) shot {
	return shot{topic: f.topics.Block(f.id), payload: b.Raw()}
}

// tx is a transaction of the insider's own.
func (f *foe) tx(body ledger.Body, item ledger.Hash, after ...ledger.Hash) ledger.Tx {
	return must(ledger.NewTx(f.net, ledger.Tx{Sender: f.id, Time: time.Now().UnixMilli(), Item: item, After: after, Body: body}))
}

// void is a transaction that changes nothing: its item does not exist.
func (f *foe) void() ledger.Tx {
	return f.tx(ledger.Misroute{Station: f.station, Tag: fmt.Sprintf("FOE-%d", f.next())}, f.hash())
}

// respoilt returns a block of the insider with another signature, which is none.
func (f *foe) respoilt(b ledger.UnverifiedBlock) ledger.UnverifiedBlock {
	var form struct {
		_      struct{} `cbor:",toarray"`
		Header []byte
		Sig    []byte
		Txs    [][]byte
	}
	if err := cbor.Unmarshal(b.Raw(), &form); err != nil {
		panic(err)
	}
	form.Sig = bytes.Clone(form.Sig)
	form.Sig[7] ^= 0x40
	return must(ledger.ParseBlock(f.net, canonical(form)))
}

func canonical(v any) []byte {
	mode := must(cbor.EncOptions{Sort: cbor.SortCoreDeterministic, NilContainers: cbor.NilContainerAsEmpty}.EncMode())
	return must(mode.Marshal(v))
}

// newKey is a key that nobody has enrolled.
func (f *foe) newKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(f.fill(make([]byte, ed25519.SeedSize)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// most an attack sends: as much as a station's cable of 100 Mbit/s carries, less
// what honest gateways need.
const (
	pulse         = 10 * time.Millisecond
	defaultRate   = 800     // messages a second
	bytesASecond  = 6 << 20 // of all messages
	bytesForAWink = bytesASecond / int(time.Second/pulse)
)

// wage runs an attack until ctx ends.
func (f *foe) wage(ctx context.Context, a attack) error {
	if a.run != nil {
		return a.run(ctx, f)
	}
	rate := a.rate
	if rate == 0 {
		rate = defaultRate
	}
	const cost = int(time.Second / pulse)
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	due, bytes := cost, 0 // the first one at once
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		due += rate
		for bytes = min(bytes, 0) + bytesForAWink; due >= cost && bytes > 0; n++ {
			volley := a.volley(f, n)
			if len(volley) == 0 {
				due = 0
			}
			for _, s := range volley {
				due -= cost
				bytes -= len(s.topic) + len(s.payload)
				f.send(s)
			}
		}
		due = min(due, max(rate, cost))
		if f.wire.flush() != nil {
			if err := f.plugIn(); err != nil { // the broker threw it out
				return fmt.Errorf("the broker lets nobody in: %w", err)
			}
		}
	}
}

func (f *foe) send(s shot) {
	f.sent++
	f.bytes += int64(len(s.topic) + len(s.payload))
	f.wire.publish(s)
}
