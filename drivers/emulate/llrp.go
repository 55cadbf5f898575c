package emulate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The faults of an LLRP reader, besides fragment, delay, silence and garbage.
// FaultReset drops the connection, and with it goes what the reader was told.
const (
	FaultRefuse   = "refuse"   // another client is connected
	FaultStatus   = "status"   // every command is refused with a status
	FaultGiant    = "giant"    // once: a message announces two gigabytes
	FaultNonsense = "nonsense" // what no client knows, well framed, comes before everything
	FaultAntenna  = "antenna"  // antenna 1 is unplugged
	FaultPreempt  = "preempt"  // once: the reader ends its inventories by itself
)

// LLRPConfig sets up an emulated LLRP reader. The zero value is useful.
type LLRPConfig struct {
	// Round is the time from one inventory to the next; 0 means 10 ms.
	Round time.Duration
	// Counts makes the reader refuse to read a bank to its end: some do.
	Counts bool
}

// The reader has four antennas, and room for one ROSpec, as an Impinj Speedway
// R420 has.
const (
	llrpAntennas   = 4
	llrpMaxROSpecs = 1
	llrpMaxAccess  = 16
	llrpCrowd      = 1024 // tags that are remembered
	llrpBacklog    = 1024 // reports that wait to be asked for
)

// LLRP is a fixed UHF reader with four antennas that speaks LLRP 1.0.1. What it
// was told outlives a connection, and power does not.
type LLRP struct {
	observers
	cfg    LLRPConfig
	faults *faults

	changed chan struct{} // a tag came, or a fault wants the reader's attention

	mu          sync.Mutex
	tags        []*llrpTag // before the antennas
	known       []*llrpTag // every tag that was ever presented
	inventories map[uint32]*llrpInventory
	accesses    map[uint32]*llrpAccess
	taken       bool // a client is connected
}

// llrpInventory is a ROSpec.
type llrpInventory struct {
	raw      []byte // as it was added
	state    uint8  // llrpDisabled …
	antennas []uint16
	eager    bool // starts when it is enabled
	held     bool // reports wait for GET_REPORT
	content  uint16
}

// The states of a ROSpec.
const (
	llrpDisabled = iota
	llrpInactive
	llrpActive
)

// llrpAccess is an AccessSpec.
type llrpAccess struct {
	enabled bool
	antenna uint16
	target  []byte
	op      llrpParam
	left    int // operations; 0 means without end
}

// NewLLRP returns a reader with nothing before its antennas.
func NewLLRP(cfg LLRPConfig) *LLRP {
	if cfg.Round <= 0 {
		cfg.Round = 10 * time.Millisecond
	}
	return &LLRP{
		cfg: cfg,
		faults: &faults{
			known: []string{
				FaultFragment, FaultDelay, FaultSilence, FaultGarbage, FaultFlicker, FaultReset,
				FaultRefuse, FaultStatus, FaultGiant, FaultNonsense, FaultAntenna, FaultPreempt,
			},
			set: map[string]bool{},
		},
		changed:     make(chan struct{}, 1),
		inventories: map[uint32]*llrpInventory{},
		accesses:    map[uint32]*llrpAccess{},
	}
}

// Present brings a tag before an antenna: its EPC in hex, the signal that it
// gives there in dBm, and its chip, such as monza-r6 or higgs-3; an empty chip
// stands for higgs-3 if the EPC fits that, else monza-4e, or for what the tag
// was when it was presented before: a tag keeps what was written to it. A tag
// that is there already moves.
func (d *LLRP) Present(epc string, antenna uint16, rssi int8, chip string) error {
	if antenna < 1 || antenna > llrpAntennas {
		return fmt.Errorf("antenna %d, there are 1 to %d", antenna, llrpAntennas)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := findLLRPTag(d.known, epc)
	if t == nil || chip != "" && chip != t.chip {
		if chip == "" {
			chip = "higgs-3"
			if len(epc) > 24 {
				chip = "monza-4e"
			}
		}
		fresh, err := newGen2Tag(epc, chip)
		if err != nil {
			return err
		}
		if len(d.known) >= llrpCrowd {
			return fmt.Errorf("%d tags were presented, a reader remembers no more", llrpCrowd)
		}
		d.tags = slices.DeleteFunc(d.tags, func(x *llrpTag) bool { return x == t })
		d.known = append(slices.DeleteFunc(d.known, func(x *llrpTag) bool { return x == t }), &llrpTag{gen2Tag: fresh})
		t = d.known[len(d.known)-1]
	}
	if !slices.Contains(d.tags, t) {
		t.read = 0
		d.tags = append(d.tags, t)
	}
	t.antenna, t.rssi = antenna, int(rssi)
	d.wake()
	return nil
}

// Lock locks a bank of a tag, or unlocks it.
func (d *LLRP) Lock(epc, bank string, on bool) error {
	number := slices.Index(bankNames[:], bank)
	if number < 0 {
		return fmt.Errorf("no bank %q, there are: %s", bank, strings.Join(bankNames[:], " "))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := findLLRPTag(d.known, epc)
	if t == nil {
		return fmt.Errorf("no tag %s was ever presented", strings.ToUpper(epc))
	}
	t.locked[number] = on
	return nil
}

func findLLRPTag(tags []*llrpTag, epc string) *llrpTag {
	for _, t := range tags {
		if strings.EqualFold(t.id(), epc) {
			return t
		}
	}
	return nil
}

// Remove takes a tag away; an empty EPC means all of them.
func (d *LLRP) Remove(epc string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.tags)
	d.tags = slices.DeleteFunc(d.tags, func(x *llrpTag) bool { return epc == "" || strings.EqualFold(x.id(), epc) })
	if len(d.tags) == before {
		return fmt.Errorf("no tag %s before any antenna", strings.ToUpper(epc))
	}
	return nil
}

// Fault switches a fault on or off. The faults that happen once clear themselves.
func (d *LLRP) Fault(name string, on bool) error {
	if err := d.faults.switchTo(name, on); err != nil {
		return err
	}
	d.wake()
	return nil
}

// Do implements [Device].
func (d *LLRP) Do(command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) >= 2 && len(words) <= 5 && words[0] == "present":
		return d.present(words[1:])
	case len(words) >= 1 && len(words) <= 2 && words[0] == "remove":
		return d.Remove(strings.Join(words[1:], ""))
	case len(words) == 3 && (words[0] == "lock" || words[0] == "unlock"):
		return d.Lock(words[1], words[2], words[0] == "lock")
	}
	return otherwise(d, command)
}

// present reads EPC [ANTENNA [RSSI [CHIP]]].
func (d *LLRP) present(words []string) error {
	antenna, rssi, chip := uint64(1), int64(-50), ""
	var err error
	if len(words) > 1 {
		if antenna, err = strconv.ParseUint(words[1], 10, 16); err != nil {
			return fmt.Errorf("antenna %q is not a number", words[1])
		}
	}
	if len(words) > 2 {
		if rssi, err = strconv.ParseInt(words[2], 10, 8); err != nil {
			return fmt.Errorf("signal %q is not in dBm, write one like -50", words[2])
		}
	}
	if len(words) > 3 {
		chip = words[3]
	}
	return d.Present(words[0], uint16(antenna), int8(rssi), chip)
}

// Help implements [Device].
func (d *LLRP) Help() string {
	return "present EPC [ANTENNA [DBM [CHIP]]]\nremove [EPC]\nlock EPC BANK\nunlock EPC BANK\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

func (d *LLRP) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Serve implements [Device], and may be called for several lines at once: the
// reader takes one client at a time and tells the others so.
func (d *LLRP) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	serve(ctx, wire{line: line, faults: d.faults}, func(w *wire, chunks <-chan []byte) {
		s := &llrpSession{LLRP: d, wire: w, events: map[uint16]bool{}}
		s.loop(chunks)
	})
	return ctx.Err()
}

// claim makes a client the one that is connected.
func (d *LLRP) claim() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken || d.faults.on(FaultRefuse) {
		return false
	}
	d.taken = true
	return true
}

func (d *LLRP) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = false
}

// forget clears what the reader was told, as the loss of power does.
func (d *LLRP) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.inventories)
	clear(d.accesses)
}
