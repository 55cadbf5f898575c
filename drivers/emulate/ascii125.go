package emulate

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultHalf is a fault of readers that write hex digits, besides those of every
// device, FaultChecksum (every other frame comes damaged) and FaultFlicker (every
// other frame is left out).
const FaultHalf = "half" // every other frame breaks off in the middle

// The models of [ASCII125].
const (
	ModelRDM6300 = "rdm6300" // EM4100, repeats
	ModelID12    = "id12"    // EM4100, tells once
	ModelWL134   = "wl134"   // FDX-B, tells once
)

// asciiRepeat is the time from one frame to the next while a tag is there.
const asciiRepeat = 65 * time.Millisecond

// ASCII125Config sets up an emulated reader that writes hex digits.
type ASCII125Config struct {
	Model string // one of the Model constants; empty means ModelRDM6300
	Paced bool   // bytes take the time that they take on a real line
}

// ASCII125 is a reader of 125 kHz or 134.2 kHz tags that writes what it reads
// and hears nothing. Two tags in its field hide each other. One that tells of a
// tag once has told of what lies there at power-up before any host listens.
type ASCII125 struct {
	observers
	cfg     ASCII125Config
	faults  *faults
	changed chan struct{}

	mu      sync.Mutex
	repeats bool
	tags    []*asciiTag
}

// asciiTag is a tag in the field.
type asciiTag struct {
	id    string // upper-case hex
	frame []byte
	told  int
}

// NewASCII125 returns a reader with an empty field.
func NewASCII125(cfg ASCII125Config) (*ASCII125, error) {
	if cfg.Model == "" {
		cfg.Model = ModelRDM6300
	}
	if models := []string{ModelRDM6300, ModelID12, ModelWL134}; !slices.Contains(models, cfg.Model) {
		return nil, fmt.Errorf("no model %q, there are: %s", cfg.Model, strings.Join(models, " "))
	}
	return &ASCII125{
		cfg: cfg, faults: newFaults(FaultChecksum, FaultFlicker, FaultHalf),
		changed: make(chan struct{}, 1), repeats: cfg.Model == ModelRDM6300,
	}, nil
}

// Present brings a tag into the field: ten hex digits of an EM4100, or for a
// WL-134 the fifteen decimal digits of country and national code or the same as
// twelve hex digits.
func (d *ASCII125) Present(id string) error {
	t, err := d.tag(id)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.tags, func(x *asciiTag) bool { return x.id == t.id }) {
		return fmt.Errorf("tag %s is in the field already", t.id)
	}
	if len(d.tags) == 2 {
		return fmt.Errorf("two tags are in the field and hide each other; remove one")
	}
	d.tags = append(d.tags, t)
	d.wake()
	return nil
}

// Remove takes a tag out of the field, named as Present takes it or by its hex
// digits; an empty identifier means all of them.
func (d *ASCII125) Remove(id string) error {
	if t, err := d.tag(id); err == nil {
		id = t.id
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.tags)
	d.tags = slices.DeleteFunc(d.tags, func(x *asciiTag) bool { return id == "" || x.id == id })
	if len(d.tags) == before {
		return fmt.Errorf("no tag %s in the field", strings.ToUpper(id))
	}
	d.wake()
	return nil
}

// Repeat sets whether the reader tells of a tag again while it is there.
func (d *ASCII125) Repeat(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.repeats = on
	d.wake()
}

// Fault switches a fault on or off.
func (d *ASCII125) Fault(name string, on bool) error { return d.faults.switchTo(name, on) }

// Do implements [Device].
func (d *ASCII125) Do(command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) == 2 && words[0] == "present":
		return d.Present(words[1])
	case len(words) >= 1 && len(words) <= 2 && words[0] == "remove":
		return d.Remove(strings.Join(words[1:], ""))
	case len(words) == 2 && words[0] == "repeat" && (words[1] == "on" || words[1] == "off"):
		d.Repeat(words[1] == "on")
		return nil
	}
	return otherwise(d, command)
}

// Help implements [Device].
func (d *ASCII125) Help() string {
	return "present ID\nremove [ID]\nrepeat on|off\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

func (d *ASCII125) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// tag makes a tag of an identifier, with the frame that tells of it.
func (d *ASCII125) tag(id string) (*asciiTag, error) {
	if d.cfg.Model == ModelWL134 {
		return animalTag(id)
	}
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 5 {
		return nil, fmt.Errorf("identifier %q is not of an EM4100, write ten hex digits like 0A00F1B2C3", id)
	}
	sum := raw[0] ^ raw[1] ^ raw[2] ^ raw[3] ^ raw[4]
	end := "\x03"
	if d.cfg.Model == ModelID12 {
		end = "\r\n\x03"
	}
	return &asciiTag{id: fmt.Sprintf("%X", raw), frame: fmt.Appendf(nil, "\x02%X%02X%s", raw, sum, end)}, nil
}

// animalTag makes the frame of a WL-134: each number with its lowest digit
// first, no data block, an animal.
func animalTag(id string) (*asciiTag, error) {
	var country, national uint64
	var err error
	switch len(id) {
	case 15:
		country, err = strconv.ParseUint(id[:3], 10, 10)
		if err == nil {
			national, err = strconv.ParseUint(id[3:], 10, 38)
		}
	case 12:
		national, err = strconv.ParseUint(id, 16, 48)
		country, national = national>>38, national&(1<<38-1)
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		return nil, fmt.Errorf("identifier %q is not of an FDX-B tag, write fifteen digits like 999001803000015 or twelve hex digits", id)
	}
	body := []byte(fmt.Sprintf("%010X", national))
	slices.Reverse(body)
	tail := []byte(fmt.Sprintf("%04X", country))
	slices.Reverse(tail)
	body = append(append(body, tail...), "010000000000"...)
	var sum byte
	for _, c := range body {
		sum ^= c
	}
	frame := append(append([]byte{0x02}, body...), sum, sum^0xFF, 0x03)
	return &asciiTag{id: fmt.Sprintf("%012X", country<<38|national), frame: frame}, nil
}

// Serve implements [Device].
func (d *ASCII125) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	serve(ctx, wire{line: line, faults: d.faults, baud: 9600, paced: d.cfg.Paced}, func(w *wire, chunks <-chan []byte) {
		s := &asciiSession{ASCII125: d, wire: w}
		if tag, repeats := d.lone(); !repeats {
			s.last = tag
		}
		s.loop(chunks)
	})
	return ctx.Err()
}

// lone returns the only tag in the field, nil if there is none or two.
func (d *ASCII125) lone() (tag *asciiTag, repeats bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.tags) == 1 {
		tag = d.tags[0]
	}
	return tag, d.repeats
}

// asciiSession is a reader under power.
type asciiSession struct {
	*ASCII125
	wire *wire
	last *asciiTag // that was told of and is still there
	turn int       // counts frames, for the faults of every other one
}

func (s *asciiSession) loop(chunks <-chan []byte) {
	again := time.NewTicker(asciiRepeat)
	defer again.Stop()
	for {
		tag, repeats := s.lone()
		if tag != nil && tag != s.last {
			s.say(tag)
			again.Reset(asciiRepeat)
		}
		s.last = tag
		select {
		case _, ok := <-chunks: // it hears nothing, but for the end of the line
			if !ok {
				return
			}
		case <-s.changed:
		case <-again.C:
			if tag != nil && repeats {
				s.say(tag)
			}
		}
	}
}

func (s *asciiSession) say(t *asciiTag) {
	s.turn++
	odd := s.turn%2 == 1
	frame := bytes.Clone(t.frame)
	switch {
	case s.faults.on(FaultFlicker) && odd:
		return
	case s.faults.on(FaultHalf) && odd:
		frame = frame[:len(frame)/2]
	case s.faults.on(FaultChecksum) && odd:
		other := byte('0')
		if frame[len(frame)/2] == other {
			other = '1'
		}
		frame[len(frame)/2] = other
	}
	s.wire.write(frame)
	t.told++
	s.tell(Act{Verb: DidRead, Tag: t.id, Count: t.told})
}
