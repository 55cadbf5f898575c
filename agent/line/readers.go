package line

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
	"traveler.example/drivers/emulate"
	"traveler.example/ledger"
)

// The readers that a station of the line can have, as a profile names them.
const (
	ReaderPN532    = "pn532"    // 13.56 MHz: tags are read and written
	ReaderASCII125 = "ascii125" // 125 kHz: an RDM6300
	ReaderM100     = "m100"     // UHF
)

// ReaderKinds lists them.
func ReaderKinds() []string { return []string{ReaderPN532, ReaderASCII125, ReaderM100} }

// ParseReaders reads a list of readers, divided by commas. A reader may stand in it
// several times.
func ParseReaders(list string) ([]string, error) {
	var out []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(ReaderKinds(), name) {
			return nil, fmt.Errorf("%w: no reader %q, there are: %s", ErrPlan, name, strings.Join(ReaderKinds(), ", "))
		}
		out = append(out, name)
	}
	return out, nil
}

// readerAt is the kind of reader that the station of a gateway has.
func (c Config) readerAt(gateway string) string {
	n := slices.IndexFunc(Places(), func(p Place) bool { return p.Gateway == gateway })
	if len(c.Readers) == 0 || n < 0 {
		return ReaderPN532
	}
	return c.Readers[n%len(c.Readers)]
}

// checkReaders refuses a plan that the readers cannot bring about.
func (c Config) checkReaders(p plan) error {
	for _, g := range islanders() {
		if kind := c.readerAt(g); p.has(FaultIsland) && kind != ReaderPN532 {
			return fmt.Errorf("%w: fault %s wants readers that write tags, and %s would have %s: leave out one of both", ErrPlan, FaultIsland, g, kind)
		}
	}
	return nil
}

// field is where tags lie before an emulated reader.
type field struct {
	emulate.Device
	present func(tag string) error
	remove  func(tag string) error
}

// newField makes the emulated reader of a station.
func newField(kind string, tags *emulate.Tags) (field, error) {
	switch kind {
	case ReaderASCII125:
		d, err := emulate.NewASCII125(emulate.ASCII125Config{Paced: true})
		if err != nil {
			return field{}, err
		}
		return field{d, d.Present, d.Remove}, nil
	case ReaderM100:
		d := emulate.NewM100(emulate.M100Config{Paced: true})
		return field{d, func(tag string) error { return d.Present(tag, "") }, d.Remove}, nil
	}
	d := emulate.NewPN532(emulate.PN532Config{Paced: true, Tags: tags})
	return field{d, func(tag string) error { return d.Present(tag, "") }, d.Remove}, nil
}

// tagFor is the identifier of the tag that a thing has for a kind of reader, given
// the one that it has for a PN532. Those of a product begin alike.
func tagFor(kind, tag string) string {
	sum := sha256.Sum256([]byte(tag))
	switch kind {
	case ReaderASCII125: // EM4100: version and 4 bytes
		return prefixFor(kind, tag) + fmt.Sprintf("%X", sum[:4])
	case ReaderM100: // an EPC of 96 bits
		return prefixFor(kind, tag) + fmt.Sprintf("%X", sum[:10])
	}
	return tag
}

// prefixFor is what the identifier begins with, given how it begins for a PN532.
func prefixFor(kind, tag string) string {
	letter := "F"
	for prefix, x := range map[string]string{housingPrefix: "A", pinPrefix: "B", coverPrefix: "C"} {
		if strings.HasPrefix(tag, prefix) {
			letter = x
		}
	}
	switch kind {
	case ReaderASCII125:
		return "1" + letter
	case ReaderM100:
		return "E28" + letter
	}
	return tag
}

// bind has quality tie the tags of a new piece for the other kinds of readers to
// it, and tries again until that is done.
func (p *person) bind(ctx context.Context, i *item) {
	var tags []string
	for _, kind := range p.line.cfg.Readers {
		if t := tagFor(kind, i.tag); kind != p.station.kind && !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	for !i.bound && len(tags) > 0 && ctx.Err() == nil {
		if err := p.bindTags(ctx, tagFor(p.station.kind, i.tag), tags); err != nil {
			p.pause(ctx, breath) // the gateway is down, or was
			continue
		}
		i.bound = true
	}
}

func (c *crew) bindTags(ctx context.Context, tag string, tags []string) error {
	key, err := c.line.Network().Person(Quality)
	if err != nil {
		return err
	}
	return c.line.Station(Intake).ask(ctx, func(ctx context.Context, d agent.Desk) error {
		heads, err := d.Rule(ctx, tag)
		if err != nil {
			return err
		}
		t, err := ledger.SignTx(c.line.Network().Genesis.Network(), ledger.Tx{
			Time: time.Now().UnixMilli(), Item: heads.Item, Body: ledger.Bind{Tags: tags},
		}, key)
		if err != nil {
			return err
		}
		_, err = d.Submit(ctx, t.Raw())
		return err
	})
}
