package replica

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
)

// What a child is told in its environment.
const (
	childDir  = "TRAVELER_CRASH_DIR"  // directory of the replica
	childWork = "TRAVELER_CRASH_WORK" // what to do: kill, steps or fixed
	childPeer = "TRAVELER_CRASH_PEER" // file with the blocks of a peer
	childLife = "TRAVELER_CRASH_LIFE" // number of this life; times go on from it
)

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
