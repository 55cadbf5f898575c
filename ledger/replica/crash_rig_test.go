package replica

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
)

// The long forms of the crash tests, by environment variable:
//
//	TRAVELER_KILLS=1000      kills in TestKill
//	TRAVELER_POWERCUTS=3000  power cuts in TestPowerCut
//	TRAVELER_FAULTS=all      every system call fails once in TestFailedCalls
//	TRAVELER_SEED=7          another seed of all three
func longForm(name string, short int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	if testing.Short() || raceEnabled {
		return max(short/3, 1)
	}
	return short
}

func crashSeed() uint64 {
	n, err := strconv.ParseUint(os.Getenv("TRAVELER_SEED"), 10, 64)
	if err != nil {
		return 1
	}
	return n
}

// What a child is told in its environment.
const (
	childDir  = "TRAVELER_CRASH_DIR"  // directory of the replica
	childWork = "TRAVELER_CRASH_WORK" // what to do: kill, steps or fixed
	childPeer = "TRAVELER_CRASH_PEER" // file with the blocks of a peer
	childLife = "TRAVELER_CRASH_LIFE" // number of this life; times go on from it
)

// crashPlant is the network in which children die. The peer's blocks, of which
// the first holds the order, are made once.
type crashPlant struct {
	*plant
	peers string // file
	order ledger.TxID
	told  map[string]int // what replicas said when they opened, how often
}

const peerBlocks = 300

func newCrashPlant(t *testing.T) *crashPlant {
	t.Helper()
	p := newPlant(t, 2)
	peer := p.gateways[1]
	peer.r = inMemory(t, p.options(peer.key))
	peer.take(p.allStatements()...)
	order := p.orderFor("WO-1")
	peer.append(order)
	for i := range peerBlocks {
		peer.append(peer.intake(order.ID(), fmt.Sprintf("theirs-%d", i)))
	}
	var lines []byte
	for _, b := range peer.blocks(peer.id) {
		lines = append(hex.AppendEncode(lines, b.(ledger.UnverifiedBlock).Raw()), '\n')
	}
	c := &crashPlant{plant: p, peers: filepath.Join(t.TempDir(), "peer"), order: order.ID(), told: map[string]int{}}
	p.check(os.WriteFile(c.peers, lines, 0o600))
	return c
}

// crashOptions are those of every replica that dies, and of those that follow it.
func crashOptions(p *plant, life int) Options {
	o := p.options(p.gateways[0].key)
	o.sizes = smallFiles
	p.now.Store(1_700_000_000_000 + int64(life)*1_000_000)
	return o
}

// child is a process with a replica that is going to die.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	said   []byte
	stderr strings.Builder
}

// begin starts a child, under a command such as strace.
func (c *crashPlant) begin(t *testing.T, dir, work string, life int, under ...string) *child {
	t.Helper()
	args := append(under, os.Args[0], "-test.run=^TestCrashChild$")
	ch := &child{t: t, cmd: exec.Command(args[0], args[1:]...)}
	ch.cmd.Env = append(os.Environ(), childDir+"="+dir, childWork+"="+work, childPeer+"="+c.peers, childLife+"="+strconv.Itoa(life), "GOCOVERDIR="+t.TempDir())
	if len(under) > 0 {
		ch.cmd.Env = append(ch.cmd.Env, "GOMAXPROCS=1") // few threads, so that counting their calls counts the process's
	}
	ch.cmd.Stderr = &ch.stderr
	var err error
	ch.in, err = ch.cmd.StdinPipe()
	c.check(err)
	out, err := ch.cmd.StdoutPipe()
	c.check(err)
	ch.out = bufio.NewReader(out)
	c.check(ch.cmd.Start())
	return ch
}

// acks reads what the child acknowledged until it ends.
func (ch *child) acks() []ledger.Hash {
	var out []ledger.Hash
	for {
		line, err := ch.out.ReadString('\n')
		if err != nil {
			return out // a line cut short was not told
		}
		if h, ok := parseAck(line); ok {
			out = append(out, h)
		}
	}
}

func parseAck(line string) (h ledger.Hash, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "ack ")
	b, err := hex.DecodeString(rest)
	if !ok || err != nil || len(b) != len(h) {
		return h, false
	}
	return ledger.Hash(b), true
}

// TestCrashChild is no test: it is what the crash tests run and kill.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs as a child of the crash tests")
	}
	life, err := strconv.Atoi(os.Getenv(childLife))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlant(t, 2)
	w := &worker{plant: p, g: p.gateways[0], rnd: rand.New(rand.NewPCG(crashSeed(), uint64(life)))}
	w.readPeer(os.Getenv(childPeer))
	o := crashOptions(p, life)
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	w.g.r, err = Open(dir, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "not opened:", err)
		os.Exit(3)
	}
	w.seed()
	switch work := os.Getenv(childWork); work {
	case "kill":
		w.underLoad()
	case "steps":
		w.stepwise()
	case "fixed":
		w.fixed()
	}
	if err := w.g.r.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "not closed:", err)
		os.Exit(4)
	}
	os.Exit(0)
}

// worker is what goes on in a child.
type worker struct {
	*plant
	g     *gateway
	rnd   *rand.Rand
	peer  []ledger.UnverifiedBlock
	order ledger.TxID
}

func (w *worker) readPeer(name string) {
	b, err := os.ReadFile(name)
	w.check(err)
	for _, line := range strings.Fields(string(b)) {
		raw, err := hex.DecodeString(line)
		w.check(err)
		u, err := ledger.ParseBlock(w.net, raw)
		w.check(err)
		w.peer = append(w.peer, u)
	}
	w.order = w.peer[0].Txs()[0].ID()
}

// ack tells the parent in one write, which no signal cuts.
func ack(h ledger.Hash) { fmt.Fprintf(os.Stdout, "ack %x\n", h[:]) }

// seed gives a new replica the roster and the order.
func (w *worker) seed() {
	if len(w.g.r.Register().Statements()) < len(w.statements) {
		w.ingest(w.allStatements()...)
	}
	w.ingest(w.peer[0])
}

// patient tries again what a failing disk refused, a few times.
func patient(do func() error) error {
	var err error
	for range 6 {
		if err = do(); err == nil || !errors.Is(err, ErrReadBack) && !errors.Is(err, ErrDamaged) {
			return err
		}
		time.Sleep(retryAfter / 4)
	}
	return err
}

func (w *worker) ingest(objects ...Object) {
	err := patient(func() error {
		res, err := w.g.r.Ingest(context.Background(), objects...)
		if err == nil && len(res.Refused)+len(res.Gaps) > 0 {
			fmt.Fprintln(os.Stderr, "not taken:", res.Refused, res.Gaps)
			return nil
		}
		if err == nil {
			for _, o := range objects {
				switch o := o.(type) {
				case ledger.UnverifiedBlock:
					ack(o.Hash())
				case ledger.Statement:
					ack(o.Hash())
				}
			}
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "not ingested:", err)
	}
}

// seal appends n transactions.
func (w *worker) seal(n int, label string) {
	var txs []ledger.Tx
	for i := range n {
		txs = append(txs, w.g.intake(w.order, fmt.Sprintf("%s-%d", label, i)))
	}
	err := patient(func() error {
		b, err := w.g.r.Append(context.Background(), Batch{Txs: txs})
		if err == nil {
			ack(b.Hash())
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "not sealed:", err)
	}
}

// underLoad never ends: appenders of different haste, a peer that gives again
// and again, and the cleaning that is otherwise done now and then.
func (w *worker) underLoad() {
	end := make(chan struct{})
	for a := range 4 {
		go func() {
			for i := 0; ; i++ {
				w.seal(1+(a*i)%5, fmt.Sprintf("ours-%d-%d", a, i))
			}
		}()
	}
	next := 0
	w.g.read(func(v *View) error {
		heads, err := v.HeadsOf(w.gateways[1].id)
		for _, h := range heads {
			next = int(h.Height)
		}
		return err
	})
	go func() {
		for ; ; next++ {
			at := next % len(w.peer)
			w.ingest(toObjects(w.peer[at:min(at+3, len(w.peer))])...)
		}
	}()
	if c, ok := w.g.r.store.(interface{ cleanOnce() }); ok {
		c.cleanOnce()
	}
	<-end
}

func toObjects(blocks []ledger.UnverifiedBlock) []Object {
	var out []Object
	for _, b := range blocks {
		out = append(out, b)
	}
	return out
}

// stepwise does one thing for each line of its input.
func (w *worker) stepwise() {
	in := bufio.NewReader(os.Stdin)
	for i := 0; ; i++ {
		fmt.Fprintln(os.Stdout, "ready")
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		if i%4 == 3 {
			at := 1 + i/4*2%(len(w.peer)-3)
			w.ingest(toObjects(w.peer[at : at+2])...)
			continue
		}
		w.seal(1+w.rnd.IntN(30), fmt.Sprintf("step-%d-%s", i, strings.Repeat("x", w.rnd.IntN(40))))
	}
}

// fixed is the same in every run, and fills a few files of the store.
func (w *worker) fixed() {
	for i := range 24 {
		if i%6 == 5 {
			w.ingest(toObjects(w.peer[1+i/6*3 : 4+i/6*3])...)
			continue
		}
		w.seal(40, fmt.Sprintf("fixed-%d-%s", i, strings.Repeat("x", 40)))
	}
}

// reopen opens what a dead child left, holds it to all that was acknowledged,
// goes on with the own chain and returns the block that it sealed.
func (c *crashPlant) reopen(t *testing.T, dir string, life int, acked []ledger.Hash) ledger.Hash {
	t.Helper()
	o := crashOptions(c.plant, life)
	var said strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	defer func() {
		if t.Failed() {
			t.Logf("it said:\n%s", said.String())
		}
		for line := range strings.Lines(said.String()) {
			if _, words, ok := strings.Cut(line, "level="); ok && !strings.HasPrefix(words, "DEBUG") {
				c.told[regexp.MustCompile(`[0-9a-f]*[0-9]+[0-9a-f]*`).ReplaceAllString(words[:min(len(words)-1, 130)], "#")]++
			}
		}
	}()
	r, err := Open(dir, o)
	if err != nil {
		t.Fatalf("life %d: not opened: %v", life, err)
	}
	g := &gateway{plant: c.plant, name: "g0", station: "s0", key: c.gateways[0].key, id: c.gateways[0].id, r: r}
	g.holds(t, acked)
	if err := r.scrub(context.Background(), true); err != nil { // soon after each start
		t.Errorf("life %d: mending: %v", life, err)
	}
	g.holds(t, acked)
	if err := r.Read(func(v *View) error { return noFork(v, g.id) }); err != nil {
		t.Errorf("life %d: %v", life, err)
	}
	if len(r.Register().Statements()) < len(c.statements) {
		g.take(c.allStatements()...)
	}
	b := g.append(c.orderFor(fmt.Sprintf("WO-life-%d", life)))
	if err := r.Read(func(v *View) error { return noFork(v, g.id) }); err != nil {
		t.Errorf("life %d, after going on: %v", life, err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("life %d: closing: %v", life, err)
	}
	return b.Hash()
}

// holds fails unless every acknowledged block and statement can be read.
func (g *gateway) holds(t *testing.T, acked []ledger.Hash) {
	t.Helper()
	lost := 0
	g.read(func(v *View) error {
		for i, h := range acked {
			if _, ok := g.r.Register().Statement(h); ok {
				continue
			}
			if _, ok, err := v.Block(h); err != nil || !ok {
				if lost++; lost < 4 {
					t.Errorf("acknowledged as number %d of %d and not held: %s %v", i+1, len(acked), h.Short(), err)
				}
			}
		}
		return nil
	})
	if lost > 0 {
		t.Fatalf("%d of %d acknowledged are lost", lost, len(acked))
	}
}

// noFork fails where a chain has two blocks at one height, or a gap.
func noFork(v *View, author ledger.KeyID) error {
	var height uint64
	for b, err := range v.Chain(author, 0) {
		if err != nil {
			return err
		}
		if height++; b.Header().Height != height {
			return fmt.Errorf("block %s stands where height %d is due", b.Ref(), height)
		}
	}
	return nil
}

// verified fails unless the directory is sound.
func (c *crashPlant) verified(t *testing.T, dir string) {
	t.Helper()
	o := crashOptions(c.plant, 0)
	o.TempDir = t.TempDir()
	err := Verify(context.Background(), dir, o, func(f Finding) {
		if f.Fault != "" {
			t.Errorf("%s: %s", f.Check, f.Fault)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tally logs what replicas said when they opened.
func (c *crashPlant) tally(t *testing.T) {
	t.Helper()
	for words, n := range c.told {
		t.Logf("%6d × %s", n, words)
	}
}
