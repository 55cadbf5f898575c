package replica

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
