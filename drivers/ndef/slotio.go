package ndef

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"traveler.example/drivers"
)

// Formatter is a reader that can lay a blank tag out for NDEF, with an empty
// message. What was on the tag may be lost, and it cannot always be undone.
type Formatter interface {
	Format(ctx context.Context, t drivers.Tag) error
}

// Options say what WriteSlot may do.
type Options struct {
	// Format allows it to lay out a tag that is not, and to overwrite what is
	// there and is neither a slot nor NDEF.
	Format bool
}

// ReadSlot returns the data of the record of a type, such as "example.com:note",
// in the user area of a tag. On tags of ISO/IEC 14443 it is a record of an NDEF
// message; on Gen2 tags the user bank is the record's alone, in a plain form.
//
// Errors wrap ErrNoSlot (ErrTorn if one was cut short), or those of the reader.
func ReadSlot(ctx context.Context, m drivers.Memory, t drivers.Tag, name string) ([]byte, error) {
	l, err := m.Layout(ctx, t)
	if err != nil {
		return nil, err
	}
	if l.NDEF {
		area, err := readArea(ctx, m, t, l.NDEFSize, false)
		if err != nil {
			return nil, err
		}
		message, err := Message(area)
		if err != nil {
			return nil, fmt.Errorf("tag %s: %w: %w", t, ErrNoSlot, err)
		}
		data, err := find(message, name)
		if err != nil {
			return nil, fmt.Errorf("tag %s: %w", t, err)
		}
		return data, nil
	}
	size := l.Sizes[drivers.AreaUser]
	if t.Technology == drivers.ISO14443A || size < plainSize {
		return nil, fmt.Errorf("tag %s: %w: %s is not laid out for records", t, ErrNoSlot, l.Type)
	}
	return readPlain(ctx, m, t, name, size)
}

// WriteSlot puts the data into the record of a type on a tag, in place of the
// one before, beside the records of others. If it is cut short, the tag holds
// the old data, the new, or none: never what was not written.
//
// Errors wrap ErrNoRoom (a [RoomError]), ErrUnformatted, or those of the reader.
func WriteSlot(ctx context.Context, m drivers.Memory, t drivers.Tag, name string, data []byte, o Options) error {
	l, err := m.Layout(ctx, t)
	if err != nil {
		return err
	}
	if !l.NDEF && t.Technology == drivers.ISO14443A {
		if l, err = format(ctx, m, t, l, name, data, o); err != nil {
			return err
		}
	}
	if !l.NDEF {
		return writePlain(ctx, m, t, name, data, l.Sizes[drivers.AreaUser], o)
	}
	area, err := readArea(ctx, m, t, l.NDEFSize, true)
	if err != nil {
		return err
	}
	edits, err := plan(area, name, data)
	if errors.Is(err, ErrUnformatted) && o.Format {
		edits, err = plan(make([]byte, len(area)), name, data)
	}
	if err != nil {
		return fmt.Errorf("tag %s: %w", t, err)
	}
	for _, e := range edits {
		if err := m.WriteMemory(ctx, t, drivers.AreaUser, e.off, e.bytes); err != nil {
			return err
		}
	}
	return nil
}

// format lays a tag out, unless the data would not fit it then either.
func format(
	ctx context.Context, m drivers.Memory, t drivers.Tag, l drivers.Layout, name string, data []byte, o Options,
) (drivers.Layout, error) {
	f, ok := m.(Formatter)
	if !o.Format || !ok {
		return l, fmt.Errorf("tag %s: %w: %s without NDEF", t, ErrUnformatted, l.Type)
	}
	if _, err := fit(nil, name, data, l.Sizes[drivers.AreaUser]); err != nil {
		return l, fmt.Errorf("tag %s: %w", t, err)
	}
	if err := f.Format(ctx, t); err != nil {
		return l, fmt.Errorf("format: %w", err)
	}
	l, err := m.Layout(ctx, t)
	if err == nil && !l.NDEF {
		err = fmt.Errorf("tag %s: %w: %s without NDEF, though it was formatted", t, ErrUnformatted, l.Type)
	}
	return l, err
}

// firstRead is how much of an area is read at first: all of a small tag, and on
// a larger one usually everything up to the terminator.
const firstRead = 144

// readArea reads a data area as far as it matters: up to the end of the message,
// or to that of the blocks behind it. What was not read is zero.
func readArea(ctx context.Context, m drivers.Memory, t drivers.Tag, size int, beyond bool) ([]byte, error) {
	area := make([]byte, size)
	for have, want := 0, min(firstRead, size); have < want; {
		if err := m.ReadMemory(ctx, t, drivers.AreaUser, have, area[have:want]); err != nil {
			return nil, err
		}
		have, want = want, min(wanted(area, want, beyond), size)
	}
	return area, nil
}

// wanted returns how much of an area has to be read, of which have bytes are.
func wanted(area []byte, have int, beyond bool) int {
	const header = 4 // the most that a block has in front of its value
	at, message := 0, false
	for at < have {
		switch {
		case area[at] == TagTerminator:
			return have
		case area[at] == TagNull:
			at++
			continue
		case at+header > have && have < len(area):
			return at + header
		}
		t, err := parseTLV(area, at)
		if err != nil || message && t.Tag > TagNDEF && t.Tag != TagProprietary {
			return have // left over from an older message, or worse
		}
		at = t.End
		if message = message || t.Tag == TagNDEF; message && !beyond {
			return at
		}
	}
	return at + blankRead
}

// blankRead is how much is read on where it is not known what follows.
const blankRead = 64

// The plain form: a magic number, the length of the data, the data, its check.
// Magic and length are covered by the check through the name and the data's end.
const (
	plainMagic  = 0x5E
	plainHeader = 3
	plainSize   = plainHeader + checkSize
)

func readPlain(ctx context.Context, m drivers.Memory, t drivers.Tag, name string, size int) ([]byte, error) {
	var header [plainHeader]byte
	if err := m.ReadMemory(ctx, t, drivers.AreaUser, 0, header[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(header[1:]))
	if header[0] != plainMagic {
		return nil, fmt.Errorf("tag %s: %w", t, ErrNoSlot)
	}
	if plainSize+n > size {
		return nil, fmt.Errorf("tag %s: %w: it says %d bytes", t, ErrTorn, n)
	}
	sealed := make([]byte, n+checkSize)
	if err := m.ReadMemory(ctx, t, drivers.AreaUser, plainHeader, sealed); err != nil {
		return nil, err
	}
	data, whole := unseal(name, sealed)
	if !whole {
		return nil, fmt.Errorf("tag %s: %w", t, ErrTorn)
	}
	return data, nil
}

func writePlain(ctx context.Context, m drivers.Memory, t drivers.Tag, name string, data []byte, size int, o Options) error {
	if need := plainSize + len(data); need > size || len(data) > maxLong {
		return fmt.Errorf("tag %s: %w", t, &RoomError{Have: size, Need: need})
	}
	var old [plainHeader]byte
	if err := m.ReadMemory(ctx, t, drivers.AreaUser, 0, old[:]); err != nil {
		return err
	}
	blank := bytes.Equal(old[:], []byte{0, 0, 0}) || bytes.Equal(old[:], []byte{0xFF, 0xFF, 0xFF})
	if old[0] != plainMagic && !blank && !o.Format {
		return fmt.Errorf("tag %s: %w: its user bank begins with % X", t, ErrUnformatted, old)
	}
	b := append([]byte{plainMagic, byte(len(data) >> 8), byte(len(data))}, seal(name, data)...)
	return m.WriteMemory(ctx, t, drivers.AreaUser, 0, b)
}

// ReadMessage returns the records of the NDEF message on a tag of ISO/IEC 14443;
// nil: it holds none, or an empty one.
//
// Errors wrap ErrUnformatted, ErrMalformed, or those of the reader.
func ReadMessage(ctx context.Context, m drivers.Memory, t drivers.Tag) ([]Record, error) {
	l, err := m.Layout(ctx, t)
	if err != nil {
		return nil, err
	}
	if !l.NDEF {
		return nil, fmt.Errorf("tag %s: %w: %s without NDEF", t, ErrUnformatted, l.Type)
	}
	area, err := readArea(ctx, m, t, l.NDEFSize, false)
	if err != nil {
		return nil, err
	}
	message, err := Message(area)
	if err != nil || len(message) == 0 {
		return nil, err
	}
	return ParseMessage(message)
}
