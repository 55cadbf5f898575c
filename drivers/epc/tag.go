package epc

import (
	"encoding/binary"
	"fmt"
)

// Tag is an identity as a tag holds it. The zero Tag holds nothing.
type Tag struct {
	coding Coding
	filter uint8
	id     Identity
}

// maxFilter is the greatest filter value.
const maxFilter = 7

// NewTag returns an identity in a certain coding; see [Identity.Tag] for the
// filter. The error is a *[FieldError], where the coding does not hold the
// identity, or wraps [ErrUnknown].
func NewTag(c Coding, filter uint8, id Identity) (Tag, error) {
	l := c.layout()
	if l.bits == 0 || l.scheme != id.scheme {
		return Tag{}, fmt.Errorf("%w: %v does not hold a %v", ErrUnknown, c, id.scheme)
	}
	switch {
	case filter > maxFilter:
		return Tag{}, fmt.Errorf("%v: %w", c, refuse("filter", fmt.Sprint(filter), "must be 0 to %d", maxFilter))
	case l.general && filter != 0:
		return Tag{}, fmt.Errorf("%v: %w", c, refuse("filter", fmt.Sprint(filter), "this coding has none"))
	}
	if err := l.check(id); err != nil {
		return Tag{}, fmt.Errorf("%v: %w", c, err)
	}
	return Tag{c, filter, id}, nil
}

// Coding is how the tag holds its identity.
func (t Tag) Coding() Coding { return t.coding }

// Filter is 0 to 7; TDS section 10 says what each means, by scheme.
func (t Tag) Filter() uint8 { return t.filter }

// Identity is what the tag names.
func (t Tag) Identity() Identity { return t.id }

// Bytes returns the EPC in whole words of 16 bits, as it is written to a tag
// from bit 20h of bank 1 on and as readers report it. It is nil for a zero Tag.
func (t Tag) Bytes() []byte {
	l := t.coding.layout()
	if l.bits == 0 {
		return nil
	}
	w := bitWriter{to: make([]byte, wordBytes(l.bits))}
	w.write(uint64(l.header), 8)
	p, _ := l.partition(t.id) // NewTag has checked it
	if !l.general {
		w.write(uint64(t.filter), 3)
		w.write(uint64(p), 3)
	}
	l.prefixOf(p).put(&w, t.id.prefix)
	l.referenceOf(p).put(&w, t.id.reference)
	l.serial.put(&w, t.id.serial)
	return w.to
}

func wordBytes(bits int) int { return (bits + 15) / 16 * 2 }

// Decode reads an EPC as readers report it: without CRC and protocol control
// bits. It may end with its last byte or its last word; bits that the coding
// leaves over must be zero. The error is a *[FieldError], or wraps [ErrUnknown]
// for a header of another coding.
func Decode(b []byte) (Tag, error) {
	if len(b) == 0 {
		return Tag{}, fmt.Errorf("%w: no bytes at all", ErrUnknown)
	}
	for c := SGTIN96; c <= GID96; c++ {
		if l := c.layout(); l.header == b[0] {
			t, err := l.decode(c, b)
			if err != nil {
				return Tag{}, fmt.Errorf("%v: %w", c, err)
			}
			return t, nil
		}
	}
	return Tag{}, fmt.Errorf("%w: header %02X", ErrUnknown, b[0])
}

func (l layout) decode(c Coding, b []byte) (Tag, error) {
	if least, most := (l.bits+7)/8, wordBytes(l.bits); len(b) < least || len(b) > most {
		return Tag{}, refuse("EPC", fmt.Sprintf("%X", b), "has %d bytes, must have %d", len(b), most)
	}
	r := &bitReader{from: b, pos: 8}
	t, p := Tag{coding: c, id: Identity{scheme: l.scheme}}, 0
	if !l.general {
		t.filter, p = uint8(r.read(3)), int(r.read(3))
		if p >= partitions {
			return Tag{}, refuse("partition", fmt.Sprint(p), "must be 0 to %d", partitions-1)
		}
	}
	var err error
	if t.id.prefix, err = l.prefixOf(p).get(r); err != nil {
		return Tag{}, err
	}
	if t.id.reference, err = l.referenceOf(p).get(r); err != nil {
		return Tag{}, err
	}
	if t.id.serial, err = l.serial.get(r); err != nil {
		return Tag{}, err
	}
	for r.pos < 8*len(b) {
		if r.read(1) != 0 {
			return Tag{}, refuse("EPC", fmt.Sprintf("%X", b), "has bits that are not zero behind its last field")
		}
	}
	return t, nil
}

// FromBank cuts the EPC out of bank 1 of a Gen2 tag, given from its first byte
// on: a CRC of two bytes, the protocol control word, the EPC and what else is
// there (TDS section 9.1). The error is a *[FieldError], or wraps [ErrUnknown]
// where the tag says that it holds an ISO application family and no EPC.
func FromBank(bank []byte) ([]byte, error) {
	const head, isoFlag = 4, 0x0100
	if len(bank) < head {
		return nil, refuse("EPC bank", fmt.Sprintf("%X", bank), "has %d bytes, CRC and control word alone have %d", len(bank), head)
	}
	control := binary.BigEndian.Uint16(bank[2:])
	if control&isoFlag != 0 {
		return nil, fmt.Errorf("%w: control word %04X marks an ISO application family", ErrUnknown, control)
	}
	length := 2 * int(control>>11)
	if len(bank) < head+length {
		return nil, refuse("EPC bank", fmt.Sprintf("%X", bank), "has %d bytes, its control word %04X claims %d", len(bank), control, head+length)
	}
	return bank[head : head+length], nil
}
