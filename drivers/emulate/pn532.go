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
	FaultWeak     = "weak"         // every third command to a tag fails on the way there, or on the way back
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

// fewTries are over before a host could say anything else.
const fewTries = 4

// PN532Config sets up an emulated PN532. The zero value is useful.
type PN532Config struct {
	Baud int // speed of the chip; 0 means 115200
	// Paced lets bytes and tags take the time that they take on a real line and
	// in the air; otherwise everything is immediate.
	Paced bool
	// Tags are the tags that this reader shares with others; nil means its own.
	Tags *Tags
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
	tags []*card // in the field
}

// NewPN532 returns a chip with an empty field.
func NewPN532(cfg PN532Config) *PN532 {
	if cfg.Baud == 0 {
		cfg.Baud = 115200
	}
	if cfg.Tags == nil {
		cfg.Tags = NewTags()
	}
	return &PN532{
		cfg:     cfg,
		faults:  newFaults(FaultDropAck, FaultChecksum, FaultFlicker, FaultStale, FaultForget, FaultReset, FaultWeak),
		changed: make(chan struct{}, 1),
	}
}

// Present brings a tag into the field: its identifier in hex, 4, 7 or 10 bytes,
// and its type, such as ntag213 or classic1k; an empty type stands for what the
// tag was before, or the usual one of that length. A tag that was presented
// before has kept its memory. The chip sees at most two tags at once, so a third
// is refused.
func (d *PN532) Present(uid, kind string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.tags, func(x *card) bool { return strings.EqualFold(x.id(), uid) }) {
		return fmt.Errorf("tag %s is in the field already", strings.ToUpper(uid))
	}
	if len(d.tags) == 2 {
		return fmt.Errorf("two tags are in the field, a PN532 sees no third; remove one")
	}
	c, err := d.cfg.Tags.present(uid, kind)
	if err != nil {
		return err
	}
	d.tags = append(d.tags, c)
	d.wake()
	return nil
}

// Remove takes a tag out of the field; an empty identifier means all of them.
func (d *PN532) Remove(uid string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.tags)
	d.tags = slices.DeleteFunc(d.tags, func(x *card) bool {
		out := uid == "" || strings.EqualFold(x.id(), uid)
		if out {
			d.cfg.Tags.remove(x)
		}
		return out
	})
	if len(d.tags) == before {
		return fmt.Errorf("no tag %s in the field", strings.ToUpper(uid))
	}
	return nil
}

// Tags returns the tags that were presented to the chip, for a look at what is
// stored on them.
func (d *PN532) Tags() *Tags { return d.cfg.Tags }

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
	}
	show, own, err := d.cfg.Tags.do(words)
	switch {
	case !own:
		return otherwise(d, command)
	case show != "":
		d.tell(Act{Verb: Shown, Text: show})
	}
	return err
}

// Help implements [Device].
func (d *PN532) Help() string {
	return "present UID [TYPE]\nremove [UID]\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")\n" + tagHelp
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
