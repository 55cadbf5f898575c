package emulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"
)

// The faults of an MFRC522, besides those that other chips have too. Of the
// common ones it has FaultSilence (it is deaf and its line stays low),
// FaultGarbage (parity errors in a third of the answers of tags), FaultChecksum
// (a third of the longer ones arrive with another byte in them), FaultFlicker
// (tags are not heard for half of the time), FaultWeak, FaultForget and FaultReset.
const (
	FaultFloat     = "float"     // it is deaf and its line stays high
	FaultCollision = "collision" // every other anticollision shows a collision where there is none
	FaultFaint     = "faint"     // tags answer a request and nothing longer
	FaultStuckIRQ  = "stuck-irq" // the IRQ pin never moves
	FaultNoTimer   = "no-timer"  // the timer never runs out
	FaultHang      = "hang"      // once: it is deaf until its reset pin is pulled, or it is unplugged
)

// flickerTime is how long tags are heard and not heard under FaultFlicker.
const flickerTime = 70 * time.Millisecond

// blinkTime is how long the supply is away under FaultReset.
const blinkTime = 10 * time.Millisecond

// MFRC522Config sets up an emulated MFRC522. The zero value is useful.
type MFRC522Config struct {
	// Version is what VersionReg says; 0 means 0x92, the chip of NXP, version 2.0.
	Version byte
	// CountFromUID makes CollPos count from the first bit of the identifier, as
	// most public drivers expect, instead of from the first bit in the FIFO, as
	// NXP's own reader library does. They differ from the second byte on.
	CountFromUID bool
	// Wake is how long a tag needs from having power to hearing; 0 means 5 ms, the
	// most that ISO/IEC 14443-3 allows. Many are faster, and some hosts count on it.
	Wake time.Duration
	// Tags are the tags that this reader shares with others; nil means its own.
	Tags *Tags
	// Paced lets each transfer on the bus take its time. The air always does.
	Paced bool
}

// MFRC522 is an NXP MFRC522 on SPI at the level of its registers (data sheet
// rev. 3.9), with the tags in its field. Tags stay where they are when the chip
// loses its power, or is unplugged.
type MFRC522 struct {
	observers
	cfg    MFRC522Config
	faults *faults
	irq    *irqPin

	mu        sync.Mutex
	chip      mfrc522Chip
	tags      []*airTag
	absent    bool      // unplugged
	darkUntil time.Time // FaultReset: the supply is away
	heldReset bool      // the reset pin is low
	hung      bool      // FaultHang
	open      bool      // a port has been opened and not closed
	transfers int
	dice      *rand.Rand // of the faults; always the same numbers
}

// NewMFRC522 returns a chip with an empty field.
func NewMFRC522(cfg MFRC522Config) *MFRC522 {
	if cfg.Version == 0 {
		cfg.Version = 0x92
	}
	if cfg.Wake == 0 {
		cfg.Wake = wakeTime
	}
	if cfg.Tags == nil {
		cfg.Tags = NewTags()
	}
	d := &MFRC522{cfg: cfg, faults: &faults{
		known: []string{
			FaultSilence, FaultFloat, FaultGarbage, FaultChecksum, FaultFlicker, FaultWeak, FaultForget, FaultReset,
			FaultCollision, FaultFaint, FaultStuckIRQ, FaultNoTimer, FaultHang,
		},
		set: map[string]bool{},
	}}
	d.dice = rand.New(rand.NewPCG(1, 2))
	d.irq = &irqPin{hostPin: "IRQ", device: d, level: gpio.High, wake: make(chan struct{}, 1)}
	d.chip.MFRC522 = d
	d.chip.powerUp(time.Now())
	return d
}

// Present brings a tag into the field: its identifier in hex, 4, 7 or 10 bytes,
// and its type, such as ntag213 or classic1k; an empty type stands for what the
// tag was before, or the usual one of that length. A tag that was presented
// before has kept its memory.
func (d *MFRC522) Present(uid, kind string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.tags, func(t *airTag) bool { return strings.EqualFold(t.id(), uid) }) {
		return fmt.Errorf("tag %s is in the field already", strings.ToUpper(uid))
	}
	c, err := d.cfg.Tags.present(uid, kind)
	if err != nil {
		return err
	}
	t := &airTag{card: c}
	t.lose(time.Now().Add(d.cfg.Wake))
	d.tags = append(d.tags, t)
	return nil
}

// Remove takes a tag out of the field; an empty identifier means all of them.
func (d *MFRC522) Remove(uid string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.tags)
	d.tags = slices.DeleteFunc(d.tags, func(t *airTag) bool {
		out := uid == "" || strings.EqualFold(t.id(), uid)
		if out {
			d.cfg.Tags.remove(t.card)
		}
		return out
	})
	if len(d.tags) == before {
		return fmt.Errorf("no tag %s in the field", strings.ToUpper(uid))
	}
	return nil
}

// Fault switches a fault on or off. FaultForget, FaultReset and
// FaultHang (it is deaf until its reset pin is pulled, or it is unplugged) happen
// once.
func (d *MFRC522) Fault(name string, on bool) error {
	if err := d.faults.switchTo(name, on); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	switch {
	case d.faults.take(FaultForget):
		d.chip.reset(now)
	case d.faults.take(FaultReset):
		d.chip.powerUp(now.Add(blinkTime))
		d.darkUntil = now.Add(blinkTime)
	case d.faults.take(FaultHang):
		d.hung = true
	}
	d.irq.stir()
	return nil
}

// Unplug takes the chip off the bus; Replug brings it back, powered up anew. The
// port of the host stays, as that of a board does.
func (d *MFRC522) Unplug() error { return d.plug(false) }

// Replug undoes Unplug.
func (d *MFRC522) Replug() error { return d.plug(true) }

func (d *MFRC522) plug(in bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if in != d.absent {
		return nil
	}
	d.absent, d.hung = !in, false
	d.chip.powerUp(time.Now())
	return nil
}

// Do carries out one command, as a person types it; Help lists them.
func (d *MFRC522) Do(command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) >= 2 && len(words) <= 3 && words[0] == "present":
		return d.Present(words[1], strings.Join(words[2:], ""))
	case len(words) >= 1 && len(words) <= 2 && words[0] == "remove":
		return d.Remove(strings.Join(words[1:], ""))
	case len(words) == 1 && words[0] == "unplug":
		return d.Unplug()
	case len(words) == 1 && words[0] == "replug":
		return d.Replug()
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

// Help names the commands, one a line.
func (d *MFRC522) Help() string {
	return "present UID [TYPE]\nremove [UID]\nunplug\nreplug\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")\n" + tagHelp
}

// Transfers returns how many transfers the bus has carried so far.
func (d *MFRC522) Transfers() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.transfers
}

// Open returns the port that the chip is on. One at a time: the next wants the
// last one closed.
func (d *MFRC522) Open(ctx context.Context) (spi.PortCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open {
		return nil, errors.New("the last port has not been closed")
	}
	d.open = true
	return &spiPort{device: d}, nil
}

// IRQ is the chip's interrupt pin, as the host sees it.
func (d *MFRC522) IRQ() gpio.PinIn { return d.irq }

// Reset is the host's pin that leads to NRSTPD: low holds the chip in hard
// power-down.
func (d *MFRC522) Reset() gpio.PinOut { return resetPin{hostPin: "NRSTPD", device: d} }

// reachable reports whether the chip hears the bus and, if not, what the host
// reads instead.
func (d *MFRC522) reachable(now time.Time) (ok bool, instead byte) {
	switch {
	case d.faults.on(FaultFloat):
		return false, 0xFF
	case d.absent, d.heldReset, d.hung, now.Before(d.darkUntil), d.faults.on(FaultSilence):
		return false, 0x00
	}
	return true, 0
}

// flickers reports whether FaultFlicker hides the tags at a moment.
func (d *MFRC522) flickers(now time.Time) bool {
	return d.faults.on(FaultFlicker) && now.UnixNano()/int64(flickerTime)%2 == 0
}
