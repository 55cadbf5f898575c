package emulate

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// The faults of an M100, besides those of every device. FaultChecksum damages
// every third frame; with FaultWeak tags answer faintly, and only every fourth
// time; FaultFlicker, FaultForget and FaultReset are as with a PN532.
const (
	FaultOverrun   = "overrun"    // every third notice loses its second half, as when a buffer is full
	FaultNeighbour = "neighbour"  // NeighbourTag is heard at -78 dBm every fifth round
	FaultDropFirst = "drop-first" // once: the module has fallen asleep; the next command wakes it and is lost, its settings are those of power-up
	FaultTornWrite = "torn-write" // once: a write to a tag breaks off halfway
)

// NeighbourTag is the EPC of the tag of FaultNeighbour.
const NeighbourTag = "E28011602000752A19B40A55"

// Strengths of answers in dBm when the module sends 26 dBm.
const (
	usualRSSI     = -55
	weakRSSI      = -74
	neighbourRSSI = -78
	faintestHeard = -82
	faintestWrite = -70 // below, the chip has not enough power to write
)

// M100Config sets up an emulated M100. The zero value is useful.
type M100Config struct {
	Baud int  // speed of the module after power-up; 0 means 115200
	AA   bool // frames are those of the R200, AA … DD, instead of BB … 7E
	// Mute makes a module that says nothing of a round that found no tag, nor to a
	// stop when it does not poll.
	Mute bool
	// Paced lets bytes and tags take the time that they take on a real line and
	// in the air; otherwise a round takes five milliseconds.
	Paced bool
}

// M100 is a UHF reader on the M100 chip, such as the YRM100 or the R200. Field,
// tags and what they hold outlive the loss of power; settings do not.
type M100 struct {
	observers
	cfg    M100Config
	faults *faults
	speed  atomic.Int64 // at which it speaks now

	changed chan struct{}

	mu    sync.Mutex
	field []*gen2Tag
	known []*gen2Tag // every tag that was ever presented
}

// NewM100 returns a module with an empty field.
func NewM100(cfg M100Config) *M100 {
	if cfg.Baud == 0 {
		cfg.Baud = 115200
	}
	return &M100{
		cfg: cfg,
		faults: newFaults(FaultChecksum, FaultFlicker, FaultForget, FaultReset,
			FaultOverrun, FaultWeak, FaultNeighbour, FaultDropFirst, FaultTornWrite),
		changed: make(chan struct{}, 1),
	}
}

// Present brings a tag into the field: its EPC in hex and its chip, such as
// monza-r6 or ucode-7xm-2k; an empty chip stands for monza-r6 if the EPC fits
// that, else monza-4e, or for what the tag was when it was presented before: a
// tag keeps what was written to it.
func (d *M100) Present(epc, chip string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if find(d.field, epc) != nil {
		return fmt.Errorf("tag %s is in the field already", strings.ToUpper(epc))
	}
	t := find(d.known, epc)
	if t == nil || chip != "" && chip != t.chip {
		if chip == "" {
			chip = "monza-r6"
			if len(epc) > 24 {
				chip = "monza-4e"
			}
		}
		fresh, err := newGen2Tag(epc, chip)
		if err != nil {
			return err
		}
		d.known = append(slices.DeleteFunc(d.known, func(x *gen2Tag) bool { return x == t }), fresh)
		t = fresh
	}
	t.read = 0
	d.field = append(d.field, t)
	return nil
}

// Remove takes a tag out of the field; an empty EPC means all of them.
func (d *M100) Remove(epc string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.field)
	d.field = slices.DeleteFunc(d.field, func(t *gen2Tag) bool { return epc == "" || strings.EqualFold(t.id(), epc) })
	if len(d.field) == before {
		return fmt.Errorf("no tag %s in the field", strings.ToUpper(epc))
	}
	return nil
}

// Move sets how strong a tag's answer is, in dBm, when the module sends 26 dBm.
func (d *M100) Move(epc string, rssi int) error {
	if rssi < -128 || rssi > 0 {
		return fmt.Errorf("%d dBm is not between -128 and 0", rssi)
	}
	return d.change(epc, func(t *gen2Tag) { t.rssi = rssi })
}

// Lock protects a bank of a tag by its access password, which Password sets, or
// frees it.
func (d *M100) Lock(epc, bank string, on bool) error {
	number := slices.Index(bankNames[:], bank)
	if number < 0 {
		return fmt.Errorf("no bank %q, there are: %s", bank, strings.Join(bankNames[:], " "))
	}
	return d.change(epc, func(t *gen2Tag) { t.locked[number] = on })
}

// Password sets the access password of a tag.
func (d *M100) Password(epc string, password uint32) error {
	return d.change(epc, func(t *gen2Tag) { t.password = password })
}

// Bank returns what a bank of a tag holds.
func (d *M100) Bank(epc, bank string) ([]byte, error) {
	number := slices.Index(bankNames[:], bank)
	if number < 0 {
		return nil, fmt.Errorf("no bank %q, there are: %s", bank, strings.Join(bankNames[:], " "))
	}
	var held []byte
	err := d.change(epc, func(t *gen2Tag) { held = slices.Clone(t.banks[number]) })
	return held, err
}

func (d *M100) change(epc string, do func(*gen2Tag)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := find(d.known, epc)
	if t == nil {
		return fmt.Errorf("no tag %s was ever presented", strings.ToUpper(epc))
	}
	do(t)
	return nil
}

func find(tags []*gen2Tag, epc string) *gen2Tag {
	for _, t := range tags {
		if strings.EqualFold(t.id(), epc) {
			return t
		}
	}
	return nil
}

// Fault switches a fault on or off. The faults that happen once clear themselves.
func (d *M100) Fault(name string, on bool) error {
	if err := d.faults.switchTo(name, on); err != nil {
		return err
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return nil
}

// Do implements [Device].
func (d *M100) Do(command string) error {
	words := strings.Fields(command)
	if len(words) == 0 {
		return fmt.Errorf("no command, write help for a list")
	}
	args := words[1:]
	switch {
	case words[0] == "present" && (len(args) == 1 || len(args) == 2):
		return d.Present(args[0], strings.Join(args[1:], ""))
	case words[0] == "present" && len(args) == 3:
		rssi, err := strconv.Atoi(args[2])
		if err != nil {
			return fmt.Errorf("strength %q is no number of dBm, write it like -55", args[2])
		}
		if err := d.Present(args[0], args[1]); err != nil {
			return err
		}
		return d.Move(args[0], rssi)
	case words[0] == "remove" && len(args) <= 1:
		return d.Remove(strings.Join(args, ""))
	case words[0] == "rssi" && len(args) == 2:
		rssi, err := strconv.Atoi(args[1])
		if err != nil {
			return fmt.Errorf("strength %q is no number of dBm, write it like -55", args[1])
		}
		return d.Move(args[0], rssi)
	case words[0] == "lock" && (len(args) == 2 || len(args) == 3 && args[2] == "off"):
		return d.Lock(args[0], args[1], len(args) == 2)
	case words[0] == "password" && len(args) == 2:
		password, err := hex.DecodeString(args[1])
		if err != nil || len(password) != 4 {
			return fmt.Errorf("password %q is not eight hex digits", args[1])
		}
		return d.Password(args[0], uint32(password[0])<<24|uint32(password[1])<<16|uint32(password[2])<<8|uint32(password[3]))
	}
	return otherwise(d, command)
}

// Help implements [Device].
func (d *M100) Help() string {
	return "present EPC [CHIP [DBM]]\nremove [EPC]\nrssi EPC DBM\nlock EPC BANK [off]    (" + strings.Join(bankNames[:], " ") +
		")\npassword EPC HEX\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

// Serve implements [Device].
func (d *M100) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	if s, ok := line.(speedometer); ok {
		line = m100Line{line, s, d}
	}
	serve(ctx, wire{line: line, faults: d.faults, baud: d.cfg.Baud, paced: d.cfg.Paced}, func(w *wire, chunks <-chan []byte) {
		m := &m100Module{M100: d, wire: w}
		m.powerUp()
		m.loop(chunks)
	})
	return ctx.Err()
}

// m100Line is a line to a module that changes its speed when it is told to.
type m100Line struct {
	io.ReadWriteCloser
	host speedometer
	d    *M100
}

// Baud returns the speed of the module at power-up as long as host and module
// are at one.
func (l m100Line) Baud() (int, error) {
	baud, err := l.host.Baud()
	if err == nil && int64(baud) != l.d.speed.Load() {
		return -1, nil
	}
	return l.d.cfg.Baud, err
}
