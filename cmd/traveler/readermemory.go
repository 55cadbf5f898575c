package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"traveler.example/drivers"
	"traveler.example/drivers/epc"
	"traveler.example/drivers/ndef"
)

// areas are the parts of a tag's memory in the order in which they are shown.
var areas = []drivers.Area{drivers.AreaEPC, drivers.AreaTID, drivers.AreaUser, drivers.AreaReserved}

// heldTag is what reader read prints for programs.
type heldTag struct {
	Tag        string       `json:"tag"`
	Technology string       `json:"technology"`
	Type       string       `json:"type"`
	EPC        *epcNames    `json:"epc,omitempty"`
	NDEF       bool         `json:"ndef"`
	Records    []heldRecord `json:"records"`
	Damage     string       `json:"damage,omitempty"` // why there are no records where NDEF is
	Areas      []heldArea   `json:"areas"`
	looked     bool         // for records
}

// epcNames are the names of what an EPC identifies.
type epcNames struct {
	Tag      string `json:"tag"`
	Identity string `json:"identity"`
	Elements string `json:"elements,omitempty"`
	Link     string `json:"link,omitempty"`
}

type heldRecord struct {
	Kind  string `json:"kind"` // uri, text, or the type of the record
	Value string `json:"value"`
}

type heldArea struct {
	Area   string `json:"area"`
	Size   int    `json:"size"`
	Offset int    `json:"offset"`
	Hex    string `json:"hex"`
	Error  string `json:"error,omitempty"` // why it could not be read
	bytes  []byte
}

// place names a tag and a part of its memory.
type place struct {
	tag, area string
	offset    int
}

func (p *place) add(c *cobra.Command) {
	c.Flags().StringVar(&p.tag, "tag", "", "identifier of the tag, where several lie there")
	c.Flags().StringVar(&p.area, "area", "", "part of the memory: user, and on UHF tags epc, tid, reserved")
	c.Flags().IntVar(&p.offset, "offset", 0, "first byte, from the beginning of the area")
}

func (a *app) readerRead() *cobra.Command {
	var f readerFlags
	var p place
	var length int
	c := a.command("read PORT", "Show what a tag on a reader holds",
		`Show what a tag holds: its type and memory, the records of NDEF and the names of
an EPC. All areas are shown but the passwords of a UHF tag, which --area reserved
shows. It waits for a tag until --timeout.`,
		func(ctx context.Context, args []string) error {
			if p.offset < 0 || length < 0 {
				return usage(errors.New("--offset and --length are zero or more"))
			}
			return a.withTag(ctx, args[0], f, p.tag, func(ctx context.Context, m drivers.Memory, t drivers.Tag) error {
				doc, err := read(ctx, m, t, p, length)
				if err != nil {
					return err
				}
				return a.print(doc, doc.print)
			})
		})
	p.add(c)
	c.Flags().IntVar(&length, "length", 0, "how many bytes, with --area (default: up to its end)")
	return f.add(c)
}

// withTag has do work with the tag that lies on a reader, or comes in time.
func (a *app) withTag(ctx context.Context, port string, f readerFlags, want string, do func(context.Context, drivers.Memory, drivers.Tag) error) error {
	x, err := f.find(ctx, port)
	if err != nil {
		return portHint(port, err)
	}
	r, err := f.driver(port, x, nil)
	if err != nil {
		return err
	}
	m, ok := r.(drivers.Memory)
	if !ok {
		return usage(hintf(fmt.Errorf("%s reads identifiers only, not what tags hold", x.device), "readers of memory: pn532, mfrc522, m100, llrp"))
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	did := make(chan error, 1)
	var there atomic.Int32 // tags that may be meant
	ran := drivers.Watch(ctx, m, func(e drivers.Event) (bool, error) {
		switch {
		case e.Kind == drivers.Down && there.Load() == 0:
			return true, fmt.Errorf("no %s answers on %s: %w", x.device, port, e.Err)
		case e.Kind != drivers.Present && e.Kind != drivers.Arrived, want != "" && !strings.EqualFold(e.Tag.ID, want):
		case there.Add(1) == 1:
			go func() {
				did <- whenAlone(ctx, &there, func() error { return do(ctx, m, e.Tag) })
				cancel()
			}()
		}
		return false, nil
	})
	switch {
	case there.Load() > 0:
		return <-did
	case errors.Is(ran, context.DeadlineExceeded):
		return hintf(fmt.Errorf("no tag came: %w", ran), "lay the tag on the reader, or wait longer with --timeout")
	}
	return portHint(port, ran)
}

// whenAlone does something with a tag unless another one may be meant as well.
func whenAlone(ctx context.Context, there *atomic.Int32, do func() error) error {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	if n := there.Load(); n > 1 {
		return usage(hintf(fmt.Errorf("%d tags lie there", n), "take the others away, or name one by --tag; traveler reader probe PORT lists them"))
	}
	return do()
}

// read reads what the flags ask for.
func read(ctx context.Context, m drivers.Memory, t drivers.Tag, p place, length int) (heldTag, error) {
	layout, err := m.Layout(ctx, t)
	if err != nil {
		return heldTag{}, fmt.Errorf("tag %s: %w", t, err)
	}
	doc := heldTag{
		Tag: t.ID, Technology: string(t.Technology), Type: layout.Type, NDEF: layout.NDEF,
		EPC: epcNamesOf(t), Records: []heldRecord{}, Areas: []heldArea{},
	}
	for _, area := range areas {
		size, there := layout.Sizes[area]
		whole := p.area == "" && area != drivers.AreaReserved
		if !there || !whole && p.area != string(area) {
			continue
		}
		x := heldArea{Area: string(area), Size: size, Offset: min(p.offset, size)}
		n := size - x.Offset
		if length > 0 {
			n = min(n, length)
		}
		x.bytes = make([]byte, n)
		if err := m.ReadMemory(ctx, t, area, x.Offset, x.bytes); err != nil {
			if p.area != "" || ctx.Err() != nil || !errors.Is(err, drivers.ErrLocked) {
				return doc, fmt.Errorf("tag %s: %s: %w", t, area, err)
			}
			x.bytes, x.Error = nil, err.Error()
		}
		x.Hex = strings.ToUpper(hex.EncodeToString(x.bytes))
		if area == drivers.AreaUser && layout.NDEF && x.Offset == 0 && n >= layout.NDEFSize {
			doc.records(x.bytes[:min(layout.NDEFSize, len(x.bytes))])
		}
		doc.Areas = append(doc.Areas, x)
	}
	if p.area != "" && len(doc.Areas) == 0 {
		return doc, hintf(fmt.Errorf("tag %s (%s): area %s: %w", t, layout.Type, p.area, drivers.ErrNoArea), "its areas: %s", strings.Join(areaNames(layout), ", "))
	}
	return doc, nil
}

func areaNames(l drivers.Layout) (names []string) {
	for _, area := range areas {
		if _, there := l.Sizes[area]; there {
			names = append(names, string(area))
		}
	}
	return names
}

// epcNamesOf returns the names of what a UHF tag identifies, if it holds an EPC that
// is known.
func epcNamesOf(t drivers.Tag) *epcNames {
	raw, err := hex.DecodeString(t.ID)
	if err != nil || t.Technology != drivers.Gen2 {
		return nil
	}
	tag, err := epc.Decode(raw)
	if err != nil {
		return nil // other codings are as good
	}
	id := tag.Identity()
	names := &epcNames{Tag: tag.String(), Identity: id.String()}
	names.Elements, _ = id.Elements()
	names.Link, _ = id.DigitalLink(epc.CanonicalDomain)
	return names
}

// records decodes the message in a data area.
func (d *heldTag) records(area []byte) {
	d.looked = true
	message, err := ndef.Message(area)
	if err == nil && len(message) > 0 {
		var all []ndef.Record
		all, err = ndef.ParseMessage(message)
		for _, r := range all {
			d.Records = append(d.Records, recordOf(r))
		}
	}
	if err != nil {
		d.Damage = err.Error()
	}
}

func recordOf(r ndef.Record) heldRecord {
	if uri, err := r.URI(); err == nil {
		return heldRecord{"uri", uri}
	}
	if text, err := r.Text(); err == nil {
		return heldRecord{"text", text.Text}
	}
	return heldRecord{r.Type, strings.ToUpper(hex.EncodeToString(r.Payload))}
}

func (d heldTag) print(w io.Writer) {
	s := newSheet(w)
	s.value("tag", fmt.Sprintf("%s (%s)", d.Tag, d.Technology))
	s.value("type", d.Type)
	if d.EPC != nil {
		s.value("EPC", d.EPC.Tag)
		s.value("identity", d.EPC.Identity)
		s.value("elements", d.EPC.Elements)
		s.value("link", d.EPC.Link)
	}
	for _, r := range d.Records {
		s.value("record", fmt.Sprintf("%s %q", r.Kind, r.Value))
	}
	if d.looked && len(d.Records) == 0 && d.Damage == "" {
		s.value("record", "none")
	}
	s.value("damage", d.Damage)
	s.flush()
	for _, x := range d.Areas {
		fmt.Fprintf(w, "\n%s, %d bytes\n", x.Area, x.Size)
		if x.Error != "" {
			fmt.Fprintln(w, x.Error)
		}
		dump(w, x.Offset, x.bytes)
	}
}

// dump writes bytes as hex and text, 16 a line.
func dump(w io.Writer, offset int, b []byte) {
	for at := 0; at < len(b); at += 16 {
		line := b[at:min(at+16, len(b))]
		text := strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, latin(line))
		fmt.Fprintf(w, "%04X  %-47s  %s\n", offset+at, fmt.Sprintf("% X", line), text)
	}
}

// latin makes a character of each byte.
func latin(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// content is what reader write writes.
type content struct {
	hex, text, uri, language string
	format                   bool
}

func (a *app) readerWrite() *cobra.Command {
	var f readerFlags
	var p place
	var x content
	var yes bool
	c := a.command("write PORT", "Write to a tag on a reader, and read it back",
		`Write bytes (--hex) to a part of a tag's memory, or a message of NDEF with a text
(--text) or an address (--uri), in place of the message that is there. It is read
back. What a tag holds already for somebody else is lost, so it asks before.`,
		func(ctx context.Context, args []string) error {
			if err := x.check(&p); err != nil {
				return err
			}
			return a.withTag(ctx, args[0], f, p.tag, func(ctx context.Context, m drivers.Memory, t drivers.Tag) error {
				at, b, err := x.bytes(ctx, m, t, p)
				if err != nil {
					return fmt.Errorf("tag %s: %w", t, err)
				}
				if err := a.confirm(yes, fmt.Sprintf("%d bytes of the tag %s are overwritten (%s, from byte %d).", len(b), t, p.area, at)); err != nil {
					return err
				}
				started := time.Now()
				if err := m.WriteMemory(ctx, t, drivers.Area(p.area), at, b); err != nil {
					return hintf(fmt.Errorf("tag %s: %w", t, err), "leave the tag where it is until it is written; a part may be written: repeat it")
				}
				doc := writtenTag{t.ID, p.area, at, len(b), time.Since(started).Milliseconds()}
				return a.print(doc, func(w io.Writer) {
					fmt.Fprintf(w, "%d bytes written to %s (%s, from byte %d) and read back\n", doc.Bytes, doc.Tag, doc.Area, doc.Offset)
				})
			})
		})
	p.add(c)
	c.Flags().StringVar(&x.hex, "hex", "", "bytes as hex digits")
	c.Flags().StringVar(&x.text, "text", "", "text of an NDEF message")
	c.Flags().StringVar(&x.language, "language", "en", "language of --text")
	c.Flags().StringVar(&x.uri, "uri", "", "address of an NDEF message, such as a GS1 Digital Link")
	c.Flags().BoolVar(&x.format, "format", false, "lay out a blank tag for NDEF first, which cannot always be undone")
	c.Flags().BoolVar(&yes, "yes", false, "do it without being asked")
	return f.add(c)
}

// writtenTag is what reader write prints for programs.
type writtenTag struct {
	Tag    string `json:"tag"`
	Area   string `json:"area"`
	Offset int    `json:"offset"`
	Bytes  int    `json:"bytes"`
	Ms     int64  `json:"ms"`
}

// check makes sure that the flags say one thing.
func (x content) check(p *place) error {
	given := 0
	for _, s := range []string{x.hex, x.text, x.uri} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return usage(errors.New("one of --hex, --text and --uri is needed"))
	case x.hex == "" && (p.offset != 0 || p.area != ""):
		return usage(errors.New("--area and --offset are for --hex; a message has its place"))
	case p.offset < 0:
		return usage(errors.New("--offset is zero or more"))
	}
	if p.area == "" {
		p.area = string(drivers.AreaUser)
	}
	return nil
}

// bytes returns what is written, and where in the area.
func (x content) bytes(ctx context.Context, m drivers.Memory, t drivers.Tag, p place) (at int, b []byte, err error) {
	if x.hex != "" {
		b, err = hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(x.hex))
		if err != nil {
			return 0, nil, usage(fmt.Errorf("--hex: %w", err))
		}
		return p.offset, b, nil
	}
	record, err := ndef.NewURI(x.uri)
	if x.text != "" {
		record, err = ndef.NewText(x.language, x.text)
	}
	if err != nil {
		return 0, nil, usage(err)
	}
	message, err := ndef.AppendMessage(nil, record)
	if err != nil {
		return 0, nil, err
	}
	if b, err = ndef.AppendTLV(nil, ndef.TagNDEF, message); err != nil {
		return 0, nil, err
	}
	at, room, err := x.slot(ctx, m, t)
	switch {
	case err != nil:
		return 0, nil, err
	case len(b) > room:
		return 0, nil, &ndef.RoomError{Have: room, Need: len(b)}
	case len(b) < room:
		b = append(b, ndef.TagTerminator)
	}
	return at, b, nil
}

// slot returns where a message stands on a tag and how much room it has.
func (x content) slot(ctx context.Context, m drivers.Memory, t drivers.Tag) (at, room int, err error) {
	layout, err := m.Layout(ctx, t)
	if f, ok := m.(ndef.Formatter); err == nil && !layout.NDEF && x.format && ok {
		if err = f.Format(ctx, t); err == nil {
			layout, err = m.Layout(ctx, t)
		}
	}
	if err != nil {
		return 0, 0, err
	}
	if !layout.NDEF {
		return 0, 0, hintf(fmt.Errorf("%w: %s without NDEF", ndef.ErrUnformatted, layout.Type), "--format lays out a blank NFC tag; to a UHF tag --hex writes bytes")
	}
	area := make([]byte, layout.NDEFSize)
	if err := m.ReadMemory(ctx, t, drivers.AreaUser, 0, area); err != nil {
		return 0, 0, err
	}
	blocks, err := ndef.ParseTLVs(area)
	for _, block := range blocks { // those before a fault are told too
		if block.Tag == ndef.TagNDEF || block.Tag == ndef.TagTerminator {
			return block.Offset, len(area) - block.Offset, nil
		}
		at = block.End
	}
	return at, len(area) - at, err
}
