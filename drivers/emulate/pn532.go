package emulate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// The faults of a PN532, besides those of every device.
const (
	FaultDropAck  = "drop-ack"     // every other command is lost: no ACK, no response
	FaultChecksum = "bad-checksum" // every response comes damaged first, and right when asked for again
	FaultFlicker  = "flicker"      // every other look finds an empty field
	FaultStale    = "stale"        // once: an old response, of a tag that is not there, comes before the next
	FaultForget   = "forget"       // once: settings are back to those of power-up
	FaultReset    = "reset"        // once: the supply blinks; settings are gone and the chip sleeps
)

// StaleTag is the identifier in the old response of FaultStale. No host should
// ever report it.
const StaleTag = "DEADBEEF"

// The time that the air takes, when a chip is paced: one try for a tag that is
// not there, and the dialogue with one that is.
const (
	emptyTry  = 5 * time.Millisecond
	selection = 4 * time.Millisecond
)

// PN532Config sets up an emulated PN532. The zero value is useful.
type PN532Config struct {
	Baud int // speed of the chip; 0 means 115200
	// Paced lets bytes and tags take the time that they take on a real line and
	// in the air; otherwise everything is immediate.
	Paced bool
}

// PN532 is an NXP PN532 on its high-speed UART: what libnfc and our own driver
// ask of it, for type A tags. Field and tags outlive the loss of power; settings
// do not.
type PN532 struct {
	observers
	cfg    PN532Config
	faults *faults

	changed chan struct{} // a tag came, or a fault wants the chip's attention

	mu   sync.Mutex
	tags []*card
}

// NewPN532 returns a chip with an empty field.
func NewPN532(cfg PN532Config) *PN532 {
	if cfg.Baud == 0 {
		cfg.Baud = 115200
	}
	return &PN532{
		cfg:     cfg,
		faults:  newFaults(FaultDropAck, FaultChecksum, FaultFlicker, FaultStale, FaultForget, FaultReset),
		changed: make(chan struct{}, 1),
	}
}

// Present brings a tag into the field: its identifier in hex, 4 or 7 bytes, and
// its type, such as ntag213 or classic1k; an empty type stands for the usual
// one of that length. The chip sees at most two tags at once, so a third is
// refused.
func (d *PN532) Present(uid, kind string) error {
	t, err := newCard(uid, kind)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.tags, func(x *card) bool { return x.id() == t.id() }) {
		return fmt.Errorf("tag %s is in the field already", t.id())
	}
	if len(d.tags) == 2 {
		return fmt.Errorf("two tags are in the field, a PN532 sees no third; remove one")
	}
	d.tags = append(d.tags, t)
	d.wake()
	return nil
}

// Remove takes a tag out of the field; an empty identifier means all of them.
func (d *PN532) Remove(uid string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.tags)
	d.tags = slices.DeleteFunc(d.tags, func(x *card) bool { return uid == "" || strings.EqualFold(x.id(), uid) })
	if len(d.tags) == before {
		return fmt.Errorf("no tag %s in the field", strings.ToUpper(uid))
	}
	return nil
}

// Fault switches a fault on or off. The faults that happen once clear themselves.
func (d *PN532) Fault(name string, on bool) error {
	if err := d.faults.switchTo(name, on); err != nil {
		return err
	}
	d.wake()
	return nil
}

// Do implements [Device].
func (d *PN532) Do(command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) >= 2 && len(words) <= 3 && words[0] == "present":
		return d.Present(words[1], strings.Join(words[2:], ""))
	case len(words) >= 1 && len(words) <= 2 && words[0] == "remove":
		return d.Remove(strings.Join(words[1:], ""))
	case len(words) >= 1 && words[0] == "fault":
		name, on, err := parseFault(words[1:])
		if err != nil {
			return err
		}
		return d.Fault(name, on)
	}
	return fmt.Errorf("no command %q, write help for a list", command)
}

// Help implements [Device].
func (d *PN532) Help() string {
	return "present UID [TYPE]\nremove [UID]\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

func (d *PN532) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// field returns the tags in the field.
func (d *PN532) field() []*card {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.tags)
}

// Serve implements [Device].
func (d *PN532) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	serve(ctx, wire{line: line, faults: d.faults, baud: d.cfg.Baud, paced: d.cfg.Paced}, func(w *wire, chunks <-chan []byte) {
		c := &pn532Chip{PN532: d, wire: w}
		c.powerUp()
		c.loop(chunks)
	})
	return ctx.Err()
}
